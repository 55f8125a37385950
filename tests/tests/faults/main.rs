//! Faults between us and a real engine: each fault in each call, on the newest Docker and Podman of the lab that are up, or
//! on all engines with `--full`. A call gives a typed error or the right result, in time, and nothing is left once the fault
//! is over. What became of each is shown as a table.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod matrix;
