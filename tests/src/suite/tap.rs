//! What an engine says to a client, overheard.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What every border begins with.
const OPENING: &[u8] = b"__PD_";
/// An id.
const HEX: usize = 32;

/// A socket in front of an engine's, and a copy of all that comes from there.
#[derive(Debug)]
pub(super) struct Tap {
    path: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    ends: AtomicBool,
    /// Of each connection.
    heard: Mutex<Vec<Vec<u8>>>,
}

impl Tap {
    /// `name`: one that no other has.
    pub(super) fn new(engine: &Path, name: &str) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("pocket-dock-tap-{name}.sock"));
        let listener = UnixListener::bind(&path)?;
        let (engine, shared) = (engine.to_owned(), Arc::<Shared>::default());
        let tap = Self {
            path,
            shared: Arc::clone(&shared),
        };
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if shared.ends.load(Ordering::Acquire) {
                    return;
                }
                if let (Ok(client), Ok(engine)) = (client, UnixStream::connect(&engine)) {
                    join(client, engine, &shared);
                }
            }
        });
        Ok(tap)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Every border that has come, without its line feed.
    pub(super) fn borders(&self) -> Vec<String> {
        let heard = self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().flat_map(|bytes| borders(bytes)).collect()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Release);
        // Wakes the one who waits for clients.
        drop(UnixStream::connect(&self.path));
        // It may be gone with the directory.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Carries the bytes of one connection both ways, until both ends have been closed.
fn join(client: UnixStream, engine: UnixStream, shared: &Arc<Shared>) {
    let at = {
        let mut heard = shared.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(Vec::new());
        heard.len() - 1
    };
    let (Ok(from_client), Ok(to_engine)) = (client.try_clone(), engine.try_clone()) else {
        return;
    };
    std::thread::spawn(move || carry(from_client, to_engine, |_| {}));
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        carry(engine, client, |bytes| {
            let mut heard = shared.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard[at].extend_from_slice(bytes);
        });
    });
}

fn carry(mut from: UnixStream, mut to: UnixStream, mut hear: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        hear(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // Either may be closed already.
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

fn borders(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for start in 0..bytes.len() {
        let Some(rest) = bytes[start..].strip_prefix(OPENING) else {
            continue;
        };
        let Some((id, rest)) = rest.split_at_checked(HEX) else {
            continue;
        };
        let Some(end) = rest.windows(3).take(14).position(|three| three == b"__\n") else {
            continue;
        };
        let is_id = id.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_id && rest.first() == Some(&b'_') {
            let whole = &bytes[start..start + OPENING.len() + HEX + end + 2];
            found.push(String::from_utf8_lossy(whole).into_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::borders;

    #[test]
    fn borders_are_found_among_other_bytes() {
        let id = "0123456789abcdef".repeat(2);
        let text = format!("\0x__PD_{id}_3__\n\u{1}__PD_{id}_0xv__\n__PD_{id}_ __PD_0");
        let wanted = [format!("__PD_{id}_3__"), format!("__PD_{id}_0xv__")];
        assert_eq!(borders(text.as_bytes()), wanted);
    }
}
