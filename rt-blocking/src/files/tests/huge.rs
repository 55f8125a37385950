use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use super::*;

fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Half a GiB, a few blocks of which are not zeros, through both sides at once. Other tests may run in this process.
#[test]
fn what_is_large_takes_little_memory() {
    const SIZE: u64 = 512 << 20;
    let scratch = Scratch::new();
    let file = File::create(scratch.join("source")).unwrap();
    file.set_len(SIZE).unwrap();
    for at in 0..64 {
        file.write_all_at(b"here", at * (SIZE / 64) + 1000).unwrap();
    }
    let before = peak();
    let (send, receive) = std::sync::mpsc::sync_channel(2);
    std::thread::scope(|threads| {
        let packed = threads.spawn(|| {
            let send = send;
            pack(&scratch.join("source"), b"t", &Packing::default(), &mut |piece, _| {
                send.send(piece).map_err(|_| pocket_dock_core::files::Stopped)
            })
        });
        let to = target(&scratch.0, "t", Some("dest"));
        let progress = unpack(&to, &Unpacking::default(), &Limits::default(), &mut |_| {
            Ok(receive.recv().ok())
        })
        .unwrap();
        assert_eq!((progress.bytes, progress.files), (SIZE, 1));
        assert_eq!(packed.join().unwrap().unwrap().bytes, SIZE);
    });
    let grown = peak() - before;
    assert!(grown < 64 * 1024, "{grown} KiB");
    let dest = File::open(scratch.join("dest")).unwrap();
    for at in 0..64 {
        let mut bytes = [0; 5];
        dest.read_exact_at(&mut bytes, at * (SIZE / 64) + 1000).unwrap();
        assert_eq!(&bytes, b"here\0");
    }
    assert_eq!(dest.metadata().unwrap().len(), SIZE);
}
