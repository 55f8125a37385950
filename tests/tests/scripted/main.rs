//! The public API against a simulated Docker and a simulated Podman, whatever way bytes are cut, in no time at all.

#[cfg(test)]
mod abandoned;
#[cfg(test)]
mod again;
#[cfg(test)]
mod beside;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod containers;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod files;
#[cfg(test)]
mod infos;
#[cfg(test)]
mod pools;
#[cfg(test)]
mod progress;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod shells;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod undone;
#[cfg(test)]
mod world;
