//! Numbers of bytes, as people write them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes: given as a number, or as text such as `"256m"`.
///
/// Text is a number, whole or with a point, and a unit: `k`, `m`, `g`, `t`, or the same with `b` or `ib` behind it, in upper or
/// lower case, with or without a space before it. All of them are powers of 1024, as engines take them: `1 MB` and `1 MiB` are
/// both 1,048,576 bytes. Without a unit, or with `b`, it is bytes.
///
/// `From` keeps text that is no size as it is, and the call that uses it tells; [`str::parse`] tells at once.
///
/// ```
/// use pocket_dock_core::{ContainerSpec, Size};
///
/// let spec = ContainerSpec::new("alpine:3.21").memory("256m"); // or .memory(256 << 20)
/// assert_eq!("1.5 GiB".parse::<Size>()?.bytes()?, 1_610_612_736);
/// assert!("256 monkeys".parse::<Size>().is_err());
/// # let _ = spec;
/// # Ok::<(), pocket_dock_core::SizeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Size(Given);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Given {
    Bytes(u64),
    Text(String),
}

/// Text that is no number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no size{limit}: give bytes, such as 268435456, or a number and a unit, such as \"256m\", \"64 KiB\" or \"1.5g\"; the units are k, m, g and t, alone or with b or ib behind them"
)]
pub struct SizeError {
    text: String,
    limit: &'static str,
}

impl Size {
    /// How many bytes it is.
    ///
    /// # Errors
    /// If it is text that is no size.
    pub fn bytes(&self) -> Result<u64, SizeError> {
        match &self.0 {
            Given::Bytes(bytes) => Ok(*bytes),
            Given::Text(text) => parse(text),
        }
    }
}

impl From<u64> for Size {
    fn from(bytes: u64) -> Self {
        Self(Given::Bytes(bytes))
    }
}

impl From<&str> for Size {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Size {
    fn from(text: String) -> Self {
        Self(Given::Text(text))
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        parse(text).map(Self::from)
    }
}

impl fmt::Display for Size {
    /// As it was given.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Given::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Given::Text(text) => f.write_str(text),
        }
    }
}

/// Digits behind the point that count.
const PLACES: usize = 12;

fn parse(text: &str) -> Result<u64, SizeError> {
    let error = |too_large| SizeError {
        text: text.chars().take(100).collect(),
        limit: if too_large { " below 2^63 bytes" } else { "" },
    };
    let trimmed = text.trim_matches(' ');
    let end = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let unit = unit.trim_start_matches(' ').to_ascii_lowercase();
    let shift = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(error(false)),
    };
    let (whole, part) = match number.split_once('.') {
        None => (number, ""),
        // A part of a byte is none.
        Some((whole, part)) if !whole.is_empty() && !part.is_empty() && !part.contains('.') && shift > 0 => {
            (whole, part)
        }
        Some(_) => return Err(error(false)),
    };
    if whole.is_empty() {
        return Err(error(false));
    }
    let digits = |text: &str| text.parse::<u128>().map_err(|_| error(true));
    let part = &part[..part.len().min(PLACES)];
    let mut bytes = digits(whole)?.checked_mul(1 << shift).ok_or_else(|| error(true))?;
    if !part.is_empty() {
        // Below 10^12 times 2^40.
        bytes += (digits(part)? << shift) / 10_u128.pow(part.len() as u32);
    }
    match u64::try_from(bytes) {
        Ok(bytes) if i64::try_from(bytes).is_ok() => Ok(bytes),
        _ => Err(error(true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1 << 20),
            ("7b", 7),
            ("256m", 256 << 20),
            ("256M", 256 << 20),
            ("256mb", 256 << 20),
            ("256 MiB", 256 << 20),
            (" 64 KiB ", 64 << 10),
            ("1k", 1024),
            ("2g", 2 << 30),
            ("1.5g", 3 << 29),
            ("0.5TiB", 1 << 39),
            ("1.0000000000000000001m", 1 << 20),
            ("9223372036854775807", i64::MAX as u64),
        ] {
            assert_eq!(
                text.parse::<Size>().and_then(|size| size.bytes()),
                Ok(bytes),
                "{text:?}"
            );
            assert_eq!(Size::from(text).bytes(), Ok(bytes), "{text:?}");
        }
        assert_eq!(Size::from(5).bytes(), Ok(5));
        assert_eq!(Size::from(u64::MAX).bytes(), Ok(u64::MAX));
    }

    #[test]
    fn what_is_no_size_says_what_would_be() {
        for text in [
            "",
            " ",
            "m",
            ".",
            ".5m",
            "5.m",
            "1.5",
            "1.5b",
            "1..5m",
            "1.2.3m",
            "-1",
            "+1",
            "1e9",
            "1,5g",
            "256 monkeys",
            "256mm",
            "0x10",
            "١m",
            "1\n",
            "1\u{a0}m",
            "1m1",
            "9223372036854775808",
            "8388608t",
            "99999999999999999999999999999999999999999t",
        ] {
            let error = text.parse::<Size>().expect_err(text);
            assert!(error.to_string().contains("256m"), "{error}");
            assert_eq!(Size::from(text).bytes(), Err(error));
        }
        let long = "9".repeat(100_000);
        assert!(long.parse::<Size>().is_err_and(|error| error.to_string().len() < 500));
    }
}
