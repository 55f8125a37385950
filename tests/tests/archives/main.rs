//! Archives between our machines and other people's: GNU tar, busybox, bsdtar, Python and the `tar` crate.
//!
//! Go's reader and writer are not here, since no small package has them; the engines of the lab are written in it, and
//! whatever goes to and from a container goes through them.
//!
//! Differences that are known, each with its place in [`agreement`]:
//! - Of a time, what a format does not hold is lost, and Python's are floating point numbers: times are compared by steps.
//! - Times before 1970 with a fraction: bsdtar reads them a second late and writes them a second early in pax, and Python
//!   rounds them up in GNU's format.
//! - Times before 1970 are lost in what bsdtar writes in GNU's format.
//! - busybox knows no pax records: fractions of seconds are lost, and a sparse file (1.0) is extracted as map and data. It
//!   sets the times of directories before it writes into them.
//! - The `tar` crate does not take sparse files of pax apart, and refuses the label of a volume, whose size is blank.

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod tree;
