//! The checks of what is read while it runs.

use std::time::Instant;

use bytes::Bytes;
use pocket_dock_core::LineEnd;
use pocket_dock_core::fuzzing::{Exchange, lines, text};
use pocket_dock_core::stream::{Channel, Frame};

use crate::input::Input;
use crate::stream::{search, whole_lines};

/// The turns that wait for the shell.
const TURNS: usize = 4;
/// More than comes of any input.
const RING: usize = 1 << 20;
/// How the shell ends.
const LAST: i32 = 77;

/// The id of the borders of a turn; 0 is the shell itself.
fn id(turn: usize) -> String {
    format!("{turn:032x}")
}

/// Bytes, and the channel of each.
struct Both {
    bytes: Vec<u8>,
    channels: Vec<Channel>,
}

impl Both {
    /// In the stream, the bytes 2 and 3 stand for the channel of what follows; others stand for what `expand` says.
    fn new(stream: &[u8], expand: impl Fn(u8) -> Option<Vec<u8>>) -> Self {
        let (mut bytes, mut channels) = (Vec::new(), Vec::new());
        let mut channel = Channel::Stdout;
        for &byte in stream {
            match byte {
                2 => channel = Channel::Stdout,
                3 => channel = Channel::Stderr,
                byte => match expand(byte) {
                    Some(more) => bytes.extend(more),
                    None => bytes.push(byte),
                },
            }
            channels.resize(bytes.len(), channel);
        }
        Self { bytes, channels }
    }

    /// The pieces, none of them of two channels.
    fn frames(&self, pieces: &[&[u8]]) -> Vec<Frame> {
        let (mut frames, mut at) = (Vec::new(), 0);
        for piece in pieces {
            let channels = &self.channels[at..at + piece.len()];
            at += piece.len();
            let mut rest = *piece;
            for run in channels.chunk_by(|one, next| one == next) {
                let (data, behind) = rest.split_at(run.len());
                rest = behind;
                frames.push(Frame {
                    channel: run[0],
                    data: Bytes::copy_from_slice(data),
                });
            }
        }
        frames
    }

    fn of(&self, channel: Channel) -> Vec<u8> {
        let both = self.bytes.iter().zip(&self.channels);
        both.filter(|(_, of)| **of == channel).map(|(byte, _)| *byte).collect()
    }
}

/// The output of a session's shell. In the stream, the bytes 2 and 3 say that what follows is on stdout, on stderr; 4 to 8
/// stand for the beginnings of the borders of the shell itself and of its turns up to what they say, and 1 for a whole border
/// on both, with the code 0, of the one whose turn it would be next. Knobs: none.
pub fn check_session(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let borders: Vec<String> = (0..=TURNS).map(id).collect();
    let mut ready = Vec::new();
    let mut next = 0;
    // A border on both has a change of channel in it.
    for &byte in input.stream {
        if byte == 1 {
            let opening = 4 + next as u8;
            ready.extend([
                2, opening, b'0', b'_', b'_', b'\n', 3, opening, b'0', b'_', b'_', b'\n', 2,
            ]);
            next = (next + 1).min(TURNS);
        } else {
            ready.push(byte);
        }
    }
    let both = Both::new(&ready, |byte| {
        let turn = usize::from(byte.checked_sub(4)?);
        (turn <= TURNS).then(|| format!("__PD_{}_", id(turn)).into_bytes())
    });
    for pieces in input.splits(&both.bytes) {
        let mut exchange = Exchange::new(Instant::now(), &borders, RING);
        let mut model = Model::new();
        for Frame { channel, data } in both.frames(&pieces) {
            exchange.output(channel, data.clone());
            model.output(channel, &data);
            let sent = exchange.sent();
            assert_eq!(sent.len(), model.asked.len());
            for (line, asked) in sent.iter().zip(&model.asked) {
                let id = borders[*asked].as_bytes();
                assert!(line.windows(id.len()).any(|part| part == id) && line.ends_with(b"\n"));
            }
        }
        let (given, late) = exchange.finish(LAST);
        model.finish();
        assert_eq!(given.len(), TURNS);
        for (turn, given) in given.into_iter().enumerate() {
            let given = given.map(|(code, stdout, stderr)| (code, [stdout.head.to_vec(), stderr.head.to_vec()]));
            assert_eq!(given, model.ended.get(turn).cloned(), "turn {turn}");
        }
        assert_eq!([late.stdout().to_vec(), late.stderr().to_vec()], model.late);
        assert_eq!(late.lost_bytes(), 0);
    }
}

/// The same in the simplest way.
struct Model {
    /// Whose borders were asked for, the last of which come next: those of the shell itself, 0, or of a turn.
    asked: Vec<usize>,
    /// The turns that have ended are those before this.
    next: usize,
    seen: [Vec<u8>; 2],
    /// What was in front of the border, and what it said.
    found: [Option<(Vec<u8>, String)>; 2],
    ended: Vec<(i32, [Vec<u8>; 2])>,
    late: [Vec<u8>; 2],
}

impl Model {
    fn new() -> Self {
        Self {
            asked: vec![0],
            next: 1,
            seen: Default::default(),
            found: Default::default(),
            ended: Vec::new(),
            late: Default::default(),
        }
    }

    /// Whose borders come next; nobody's behind the last turn.
    fn awaited(&self) -> Option<usize> {
        self.asked
            .last()
            .copied()
            .filter(|asked| *asked == 0 || *asked == self.next)
    }

    fn output(&mut self, channel: Channel, data: &[u8]) {
        let at = channel as usize;
        let awaited = self.awaited().filter(|_| self.found[at].is_none());
        let Some(asked) = awaited else {
            self.late[at].extend_from_slice(data);
            return;
        };
        self.seen[at].extend_from_slice(data);
        let opening = format!("__PD_{}_", id(asked));
        let (own, Some((code, rest))) = search(&self.seen[at], opening.as_bytes()) else {
            return;
        };
        if asked == 0 {
            // What the shell says by itself is no turn's.
            self.late[at].extend_from_slice(&own);
        }
        self.late[at].extend_from_slice(&rest);
        self.found[at] = Some((own, code));
        if let [Some((out, code)), Some((err, flags))] = &self.found {
            let (own, code, flags) = ([out.clone(), err.clone()], code.clone(), flags.clone());
            self.seen = Default::default();
            self.found = Default::default();
            self.end(asked, own, &code, &flags);
        }
    }

    fn end(&mut self, asked: usize, own: [Vec<u8>; 2], code: &str, flags: &str) {
        let mut stopped = false;
        if asked > 0 {
            stopped = flags
                .strip_prefix('0')
                .is_some_and(|letters| letters.contains('s') && letters.chars().all(|letter| "sxv".contains(letter)));
            let code = match code.parse().unwrap_or(255) {
                0 | 151 if stopped => 137,
                code => code,
            };
            self.ended.push((code, own));
            self.next += 1;
        }
        if stopped {
            self.asked.push(0);
        } else if self.next <= TURNS {
            self.asked.push(self.next);
        }
    }

    /// The shell ends with the turn that it has.
    fn finish(&mut self) {
        let Some(asked) = self.awaited() else { return };
        let seen = std::mem::take(&mut self.seen);
        if asked > 0 {
            let [out, err] = std::mem::take(&mut self.found);
            let [seen_out, seen_err] = seen;
            let own = [
                out.map_or(seen_out, |(own, _)| own),
                err.map_or(seen_err, |(own, _)| own),
            ];
            self.ended.push((LAST, own));
            return;
        }
        for (at, seen) in seen.into_iter().enumerate() {
            if self.found[at].is_none() {
                self.late[at].extend(seen);
            }
        }
    }
}

/// What the readers of a stream make of its pieces. In the stream, the bytes 2 and 3 say that what follows is on stdout, on
/// stderr. Knobs: 0 it is a terminal's.
pub fn check_views(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let both = Both::new(input.stream, |_| None);
    for pieces in input.splits(&both.bytes) {
        let frames = both.frames(&pieces);
        let (lines, texts) = (lines(frames.clone(), input.knob(0)), text(frames));
        assert!(texts.iter().all(|text| !text.text.is_empty()));
        for channel in [Channel::Stdout, Channel::Stderr] {
            let whole = both.of(channel);
            let read = lines.iter().filter(|line| line.channel == channel);
            let read: Vec<_> = read
                .map(|line| (line.line.data.to_vec(), line.line.end == LineEnd::Terminated))
                .collect();
            assert_eq!(read, whole_lines(&whole, input.knob(0)));
            let read: String = texts
                .iter()
                .filter(|text| text.channel == channel)
                .map(|text| text.text.as_str())
                .collect();
            assert_eq!(read, String::from_utf8_lossy(&whole));
        }
    }
}
