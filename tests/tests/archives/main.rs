//! Archives between our machines and other people's: GNU tar, busybox, bsdtar, Python and the `tar` crate.
//!
//! Go's reader and writer are not here, since no small package has them; the engines of the lab are written in it, and
//! whatever goes to and from a container goes through them.
//!
//! Differences that are known, each with its place below:
//! - bsdtar and Python cannot tell of times what their formats do not hold: these are compared by the format's step.
//! - busybox knows no pax records: fractions of seconds are lost, and a sparse file (1.0) is extracted as map and data.
//! - The `tar` crate does not take sparse files of pax apart, and strips nothing: it is compared without them.

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod tree;
