//! Everything that tests pocket-dock as a whole: the lab of real engines, and what runs on it.

pub mod lab;
