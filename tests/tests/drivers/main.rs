//! The drivers on real sockets and real executors, without an engine: what each of them must do, once for all.

#[cfg(test)]
mod beside;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod common;
#[cfg(test)]
mod executors;
#[cfg(test)]
mod served;
