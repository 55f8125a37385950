//! The async drivers on real sockets and real executors, without an engine: what each of them must do, once for all.

#[cfg(test)]
mod cases;
