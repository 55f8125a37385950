//! The records of pax extended headers, both ways: `"22 mtime=1700000000.5\n"`, the length first.
//!
//! `tar::PaxExtensions` cuts at line feeds, and names may hold them, so the lengths are followed here.

use bytes::Bytes;

use super::FileTime;
use super::error::Fault;
use super::sparse::{Segment, Segments};

/// What an extended header tells. Of every field: `None`, it does not tell; `Some(None)`, the header's own is to be
/// taken, whatever a global one told.
#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    pub(super) path: Option<Option<Bytes>>,
    pub(super) link: Option<Option<Bytes>>,
    pub(super) size: Option<Option<u64>>,
    pub(super) uid: Option<Option<u64>>,
    pub(super) gid: Option<Option<u64>>,
    pub(super) modified: Option<Option<FileTime>>,
    pub(super) sparse: SparseRecords,
}

/// GNU's records of sparse files, of the versions 0.0, 0.1 and 1.0.
#[derive(Debug, Clone, Default)]
pub(super) struct SparseRecords {
    pub(super) name: Option<Bytes>,
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    pub(super) real_size: Option<u64>,
    pub(super) blocks: Option<u64>,
    pub(super) segments: Segments,
    /// The offset of a segment whose length is told next.
    pub(super) offset: Option<u64>,
    pub(super) is_listed: bool,
}

impl SparseRecords {
    /// Whether they tell that the entry is a sparse file.
    pub(super) fn is_told(&self) -> bool {
        self.major.is_some() || self.real_size.is_some() || self.is_listed
    }
}

impl Records {
    /// Reads the records of one extended header over what these have. `max`: how many segments a sparse file may have.
    pub(super) fn read(&mut self, data: &Bytes, max: usize) -> Result<(), Fault> {
        let mut rest: &[u8] = data;
        while !rest.is_empty() {
            let at = (data.len() - rest.len()) as u64;
            let wrong = |detail: &str| Fault::wrong(at, format!("a record of an extended header {detail}"));
            let (record, behind) = split_record(rest).ok_or_else(|| wrong("has a wrong length"))?;
            rest = behind;
            let equals = memchr::memchr(b'=', record).ok_or_else(|| wrong("has no \"=\""))?;
            let (key, value) = record.split_at(equals);
            let value = value.get(1..).unwrap_or_default();
            self.take(key, data.slice_ref(value), max)
                .map_err(|fault| match fault {
                    Fault::Wrong { detail, .. } => wrong(&format!("is wrong: {} {detail}", key.escape_ascii())),
                    over @ Fault::Segments { .. } => over,
                })?;
        }
        Ok(())
    }

    fn take(&mut self, key: &[u8], value: Bytes, max: usize) -> Result<(), Fault> {
        let sparse = &mut self.sparse;
        let empty = value.is_empty();
        match key {
            b"path" => self.path = Some(name(value)?),
            b"linkpath" => self.link = Some(name(value)?),
            b"size" => self.size = Some(if empty { None } else { Some(decimal(&value)?) }),
            b"uid" => self.uid = Some(if empty { None } else { Some(decimal(&value)?) }),
            b"gid" => self.gid = Some(if empty { None } else { Some(decimal(&value)?) }),
            b"mtime" => self.modified = Some(if empty { None } else { Some(time(&value)?) }),
            b"GNU.sparse.name" => sparse.name = name(value)?,
            b"GNU.sparse.major" => sparse.major = Some(decimal(&value)?),
            b"GNU.sparse.minor" => sparse.minor = Some(decimal(&value)?),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => sparse.real_size = Some(decimal(&value)?),
            b"GNU.sparse.numblocks" => {
                sparse.blocks = Some(decimal(&value)?);
                sparse.is_listed = true;
            }
            b"GNU.sparse.offset" => {
                if sparse.offset.replace(decimal(&value)?).is_some() {
                    return Err(Fault::wrong(0, "follows another without a length"));
                }
                sparse.is_listed = true;
            }
            b"GNU.sparse.numbytes" => {
                let offset = sparse.offset.take();
                let offset = offset.ok_or_else(|| Fault::wrong(0, "has no offset before it"))?;
                let length = decimal(&value)?;
                sparse.segments.push(Segment { offset, length }, max)?;
            }
            b"GNU.sparse.map" => {
                sparse.segments = Segments::default();
                sparse.is_listed = true;
                let mut numbers = value.split(|&byte| byte == b',').filter(|_| !empty);
                while let Some(offset) = numbers.next() {
                    let length = numbers.next();
                    let length = length.ok_or_else(|| Fault::wrong(0, "has an offset without a length"))?;
                    let (offset, length) = (decimal(offset)?, decimal(length)?);
                    sparse.segments.push(Segment { offset, length }, max)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The first record, without its length and line feed, and what is behind it.
fn split_record(data: &[u8]) -> Option<(&[u8], &[u8])> {
    // No record is longer than its header, which is limited far below ten digits.
    let digits = data.iter().take(10).position(|&byte| byte == b' ')?;
    let (length, _) = data.split_at(digits);
    let length = usize::try_from(decimal(length).ok()?).ok()?;
    let (record, behind) = data.split_at_checked(length)?;
    let record = record.get(digits + 1..)?.strip_suffix(b"\n")?;
    Some((record, behind))
}

fn name(value: Bytes) -> Result<Option<Bytes>, Fault> {
    if value.contains(&0) {
        return Err(Fault::wrong(0, "has a NUL in it"));
    }
    Ok(Some(value).filter(|value| !value.is_empty()))
}

/// Digits and nothing else, at least one; up to what a file's size can be.
pub(super) fn decimal(text: &[u8]) -> Result<u64, Fault> {
    let value = text.iter().try_fold(0_i64, |value, &digit| match digit {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    });
    value
        .filter(|_| !text.is_empty())
        .map(i64::unsigned_abs)
        .ok_or_else(|| Fault::wrong(0, "is not a number from 0 to 2^63 - 1"))
}

/// Seconds with a sign and a fraction, of which nine digits count.
fn time(text: &[u8]) -> Result<FileTime, Fault> {
    let parse = || {
        let (is_negative, text) = match text.strip_prefix(b"-") {
            Some(text) => (true, text),
            None => (false, text),
        };
        let mut parts = text.splitn(2, |&byte| byte == b'.');
        let whole = parts.next()?;
        let fraction = parts.next().unwrap_or_default();
        if whole.is_empty() || whole.len() > 19 || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
            return None;
        }
        let digit = |value: i128, digit: &u8| value * 10 + i128::from(digit - b'0');
        let whole = whole.iter().fold(0, digit);
        let nanoseconds = fraction.iter().chain(&[b'0'; 9]).take(9).fold(0, digit);
        let all = whole * 1_000_000_000 + nanoseconds;
        let all = if is_negative { -all } else { all };
        Some(FileTime {
            seconds: i64::try_from(all.div_euclid(1_000_000_000)).ok()?,
            nanoseconds: u32::try_from(all.rem_euclid(1_000_000_000)).ok()?,
        })
    };
    parse().ok_or_else(|| Fault::wrong(0, "is not a time"))
}

/// Appends a record.
pub(super) fn write(to: &mut Vec<u8>, key: &str, value: &[u8]) {
    // A blank, "=" and a line feed; then the digits of the length, which count too.
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    to.extend_from_slice(format!("{length} {key}=").as_bytes());
    to.extend_from_slice(value);
    to.push(b'\n');
}

/// A time as a record has it.
pub(super) fn written_time(time: FileTime) -> String {
    let all = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds);
    let (sign, all) = (if all < 0 { "-" } else { "" }, all.unsigned_abs());
    let (seconds, nanoseconds) = (all / 1_000_000_000, all % 1_000_000_000);
    if nanoseconds == 0 {
        format!("{sign}{seconds}")
    } else {
        format!("{sign}{seconds}.{nanoseconds:09}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, nanoseconds: u32) -> FileTime {
        FileTime { seconds, nanoseconds }
    }

    #[test]
    fn times_have_signs_and_fractions() {
        for (text, time) in [
            ("0", at(0, 0)),
            ("1700000000", at(1_700_000_000, 0)),
            ("1.000000001", at(1, 1)),
            ("-1", at(-1, 0)),
            ("-0.500000000", at(-1, 500_000_000)),
            ("-1.250000000", at(-2, 750_000_000)),
            ("9223372036854775807.999999999", at(i64::MAX, 999_999_999)),
            ("-9223372036854775808", at(i64::MIN, 0)),
        ] {
            assert_eq!(super::time(text.as_bytes()), Ok(time), "{text}");
            let written = written_time(time);
            assert_eq!(written.trim_end_matches('0'), text.trim_end_matches('0'));
            assert_eq!(super::time(written.as_bytes()), Ok(time), "{text}");
        }
        assert_eq!(super::time(b"1.5"), Ok(at(1, 500_000_000)));
        assert_eq!(super::time(b"1."), Ok(at(1, 0)));
        assert_eq!(super::time(b"1.00000000199999"), Ok(at(1, 1)));
        for text in [
            "",
            "-",
            ".5",
            "+1",
            "1e5",
            "1.5.5",
            "--1",
            " 1",
            "1 ",
            "9223372036854775808",
            "1.-5",
        ] {
            assert!(super::time(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn records_are_written_as_they_are_read() {
        for length in (0..1100).chain([9_980, 99_980, 100_000]) {
            let mut data = Vec::new();
            let value = vec![b'\n'; length];
            write(&mut data, "path", &value);
            write(&mut data, "uid", b"7");
            let mut records = Records::default();
            assert_eq!(records.read(&data.into(), 0), Ok(()));
            assert_eq!(records.path, Some(Some(Bytes::from(value)).filter(|_| length > 0)));
            assert_eq!(records.uid, Some(Some(7)));
        }
    }

    #[test]
    fn wrong_records_are_told_with_their_place() {
        let good = "9 uid=12\n";
        for bad in [
            "\n",
            "0 \n",
            "9\n",
            "8 uid=12\n",
            "11 uid=12\n",
            "-9 uid=12\n",
            "9 uid=1x\n",
            "7 uid12\n",
            "9 uid=12\0",
            " 9 u=1\n",
            "99999999999999999999 a=b\n",
            "13 path=a\0bc\n",
            "\0\0",
        ] {
            let fault = Records::default().read(&format!("{good}{bad}").into(), 9);
            let Err(Fault::Wrong { at: 9, detail }) = fault else {
                panic!("{bad:?}: {fault:?}")
            };
            assert!(detail.starts_with("a record of an extended header "), "{detail}");
        }
    }
}
