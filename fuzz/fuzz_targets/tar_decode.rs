//! See [`pocket_dock_fuzz::check_tar_decode`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pocket_dock_fuzz::check_tar_decode(data));
