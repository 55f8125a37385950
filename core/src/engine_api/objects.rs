//! JSON objects, one after the other, cut anywhere.
//!
//! ```text
//!   Between ──{──► Inside { depth, text } ──the last }──► one object is given out ──► Between
//!      ⟲ white space      └── over the limit: an error, for good
//! ```
//! An object ends with its last brace: Docker writes `\r\n` behind it, Podman `\n` or nothing, and how both are cut into
//! chunks and reads says nothing.

use crate::protocol_error::ProtocolError;

/// Cuts a stream into its objects. Only the one at hand is held.
#[derive(Debug)]
pub(crate) struct Objects {
    /// What an object is, and its bytes, in errors.
    what: (&'static str, &'static str),
    limit: usize,
    state: State,
    held: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Between,
    Inside { depth: usize, text: Text },
}

/// Whether braces count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    No,
    Yes,
    /// Behind a backslash.
    Escaped,
}

impl Objects {
    pub(crate) fn new(what: (&'static str, &'static str), limit: usize) -> Self {
        Self {
            what,
            limit,
            state: State::Between,
            held: Vec::new(),
        }
    }

    /// Gives out each object that ends in `data`.
    pub(crate) fn push(
        &mut self,
        mut data: &[u8],
        each: &mut dyn FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        while let Some(&first) = data.first() {
            match self.state {
                State::Between if first.is_ascii_whitespace() => data = &data[1..],
                State::Between if first == b'{' => {
                    let text = Text::No;
                    self.state = State::Inside { depth: 0, text };
                }
                State::Between => {
                    let detail = format!("it begins with {:?}", char::from(first));
                    let what = self.what.0;
                    return Err(ProtocolError::Malformed { what, detail });
                }
                State::Inside { .. } => {
                    let (count, ended) = self.inside(data);
                    if self.held.len() + count > self.limit {
                        return Err(ProtocolError::over_limit(self.what.1, self.limit, None));
                    }
                    self.held.extend_from_slice(&data[..count]);
                    data = &data[count..];
                    if ended {
                        each(&self.held)?;
                        self.held.clear();
                    }
                }
            }
        }
        Ok(())
    }

    /// Nothing more will come.
    pub(crate) fn end(&self) -> Result<(), ProtocolError> {
        match self.state {
            State::Between => Ok(()),
            State::Inside { .. } => Err(ProtocolError::Truncated { what: self.what.0 }),
        }
    }

    /// How many bytes of `data` belong to the object at hand, and whether it ends with them.
    fn inside(&mut self, data: &[u8]) -> (usize, bool) {
        let State::Inside { depth, text } = &mut self.state else {
            return (0, false);
        };
        for (at, byte) in data.iter().enumerate() {
            match (*text, byte) {
                (Text::Escaped, _) => *text = Text::Yes,
                (Text::Yes, b'\\') => *text = Text::Escaped,
                (Text::Yes, b'"') => *text = Text::No,
                (Text::No, b'"') => *text = Text::Yes,
                (Text::No, b'{') => *depth += 1,
                (Text::No, b'}') if *depth <= 1 => {
                    self.state = State::Between;
                    return (at + 1, true);
                }
                (Text::No, b'}') => *depth -= 1,
                _ => {}
            }
        }
        (data.len(), false)
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }
}
