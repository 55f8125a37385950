//! Very many calls at once on one thread, and what is left of them in this process: a process of its own, so that what it
//! holds can be counted. Runs on the newest Docker and Podman of the lab that are up.

#[cfg(test)]
mod cases;
