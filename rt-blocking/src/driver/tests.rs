use std::io::Write;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::*;

/// Sends `sent` bytes and reads until the peer ends.
struct Both {
    at: Endpoint,
    sent: usize,
    state: u8,
    got: usize,
    limit: Duration,
    until: Option<Instant>,
}

impl Op for Both {
    type Output = (usize, Option<ErrorKind>);

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Self::Output>, Error> {
        let until = *self.until.get_or_insert(now + self.limit);
        if self.state == 0 {
            self.state = 1;
            return Ok(Need::Dial {
                at: self.at.clone(),
                until,
            }
            .into());
        }
        if let Some(why) = link.take_dial_failure() {
            return Ok(Step::Done((0, Some(why))));
        }
        if self.state == 1 {
            self.state = 2;
            link.send(vec![7; self.sent].into());
            link.finish();
        }
        self.got += link.received().split().len();
        if link.is_eof() {
            return Ok(Step::Done((self.got, link.failure())));
        }
        if now >= until {
            return Ok(Step::Done((self.got, Some(ErrorKind::TimedOut))));
        }
        Ok(Need::Wait {
            read: true,
            until: Some(until),
        }
        .into())
    }
}

fn place(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("pocket-dock-{}-{name}.sock", std::process::id()))
}

fn both(path: &PathBuf, sent: usize, limit: Duration) -> (usize, Option<ErrorKind>) {
    drive(Both {
        at: Endpoint::unix(path),
        sent,
        state: 0,
        got: 0,
        limit,
        until: None,
    })
    .unwrap()
}

#[test]
fn eight_mebibytes_each_way_at_once() {
    let path = place("both");
    let listener = UnixListener::bind(&path).unwrap();
    let echo = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut buffer = vec![0; 65536];
        // An echo that stops reading while its own output is not taken: half duplex would never end.
        while let Ok(count @ 1..) = socket.read(&mut buffer) {
            socket.write_all(&buffer[..count]).unwrap();
        }
    });
    assert_eq!(both(&path, 8 << 20, Duration::from_secs(60)), (8 << 20, None));
    echo.join().unwrap();
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_deadline_fires_and_a_missing_socket_is_an_error() {
    let path = place("quiet");
    let listener = UnixListener::bind(&path).unwrap();
    assert_eq!(
        both(&path, 1, Duration::from_millis(50)),
        (0, Some(ErrorKind::TimedOut))
    );
    drop(listener);
    assert_eq!(
        both(&path, 1, Duration::from_secs(5)),
        (0, Some(ErrorKind::ConnectionRefused))
    );
    std::fs::remove_file(&path).unwrap();
    assert_eq!(both(&path, 1, Duration::from_secs(5)), (0, Some(ErrorKind::NotFound)));
}

#[test]
fn what_a_peer_said_before_it_closed_early_is_read() {
    let path = place("early");
    let listener = UnixListener::bind(&path).unwrap();
    let peer = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(b"no").unwrap();
        socket.shutdown(Shutdown::Read).unwrap();
    });
    let (got, _) = both(&path, 8 << 20, Duration::from_secs(60));
    assert_eq!(got, 2);
    peer.join().unwrap();
    std::fs::remove_file(path).unwrap();
}
