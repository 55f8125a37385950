//! Engines that break off, never answer, never stop, or lie: every call ends, with an error that says so, in bounded
//! memory, and nothing is left behind that could have been removed.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod common;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod mended;
#[cfg(test)]
mod unfinished;
