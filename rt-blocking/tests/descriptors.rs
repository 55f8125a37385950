//! What is opened for what goes on beside calls is closed when that has ended. Alone in its process, so that it can count.

#[cfg(test)]
#[cfg(target_os = "linux")]
mod alone {
    use std::sync::{Arc, Mutex, mpsc};
    use std::task::Waker;
    use std::time::{Duration, Instant};

    use pocket_dock_blocking::core::{Link, Need, Op, Step};
    use pocket_dock_blocking::{Error, adapter};

    const LONG: Duration = Duration::from_secs(60);

    /// Sets one flag, and waits for the other.
    struct Meet {
        flags: Arc<Mutex<[Option<Waker>; 2]>>,
        met: Arc<Mutex<[bool; 2]>>,
        me: usize,
        done: mpsc::Sender<()>,
    }

    impl Op for Meet {
        type Output = ();

        fn poll(&mut self, _: Instant, link: &mut Link) -> Result<Step<()>, Error> {
            let mut met = self.met.lock().unwrap();
            met[self.me] = true;
            let mut flags = self.flags.lock().unwrap();
            if let Some(waker) = flags[1 - self.me].take() {
                waker.wake();
            }
            flags[self.me] = Some(link.waker());
            if met[1 - self.me] {
                self.done.send(()).unwrap();
                return Ok(Step::Done(()));
            }
            Ok(Step::Need(Need::Wait {
                read: false,
                until: None,
            }))
        }
    }

    fn open() -> usize {
        std::fs::read_dir("/proc/self/fd").unwrap().count()
    }

    #[test]
    fn all_descriptors_are_closed_again() {
        let before = open();
        let mut kept = Vec::new();
        for _ in 0..20 {
            let (flags, met) = (Arc::default(), Arc::default());
            let (done, ended) = mpsc::channel();
            let meet = |me| Meet {
                flags: Arc::clone(&flags),
                met: Arc::clone(&met),
                me,
                done: done.clone(),
            };
            adapter::attend(meet(0));
            let other = meet(1);
            // The wakers outlive the thread: they are left in what is shared.
            std::thread::spawn(move || adapter::drive(other).unwrap())
                .join()
                .unwrap();
            for _ in 0..2 {
                ended.recv_timeout(LONG).unwrap();
            }
            kept.push(flags);
        }
        let limit = Instant::now() + LONG;
        while open() > before {
            assert!(Instant::now() < limit, "{} descriptors, {before} before", open());
            std::thread::sleep(Duration::from_millis(100));
        }
        let again = Instant::now();
        let (done, ended) = mpsc::channel();
        let met = Arc::new(Mutex::new([false, true]));
        adapter::attend(Meet {
            flags: Arc::default(),
            met,
            me: 0,
            done,
        });
        ended.recv_timeout(LONG).unwrap();
        assert!(again.elapsed() < LONG && !kept.is_empty());
    }
}
