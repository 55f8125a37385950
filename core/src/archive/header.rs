//! One block of 512 bytes: the fields of a header, of any of the formats, both ways.

use bytes::Bytes;
use tar::Header;

/// The size of everything in an archive is a multiple of it.
pub(super) const BLOCK: usize = 512;

/// What follows `size` bytes of content, up to the next block.
pub(super) const fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// A field of text: all of it, or up to its first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// A numeric field: octal digits between blanks and NULs, or GNU's base 256, which may be negative. Nothing is 0, as in
/// Go and Python; GNU tar warns.
pub(super) fn number(field: &[u8]) -> Result<i64, &'static str> {
    if let Some((&first, rest)) = field.split_first()
        && first & 0x80 != 0
    {
        // The bit behind the mark is the sign. Twelve bytes are far less than 128 bits.
        let sign = if first & 0x40 != 0 { -1_i128 } else { 0 };
        let first = sign << 6 | i128::from(first & 0x3f);
        let value = rest.iter().fold(first, |value, &byte| value << 8 | i128::from(byte));
        return i64::try_from(value).map_err(|_| "is out of range");
    }
    let is_blank = |byte: &u8| *byte == b' ' || *byte == 0;
    let digits = field.iter().skip_while(|byte| is_blank(byte));
    let digits = digits.take_while(|byte| !is_blank(byte));
    digits
        .copied()
        .try_fold(0_i64, |value, digit| match digit {
            b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
            _ => None,
        })
        .ok_or("is not an octal number")
}

/// A numeric field that is never negative.
pub(super) fn unsigned(field: &[u8]) -> Result<u64, &'static str> {
    u64::try_from(number(field)?).map_err(|_| "is negative")
}

/// Compares the checksum with the block. The sum of the bytes as they were signed is taken too: some old tars wrote that.
pub(super) fn check(header: &Header) -> Result<(), String> {
    let bytes = header.as_bytes();
    let field = 148..156_usize;
    let summed = bytes
        .iter()
        .enumerate()
        .map(|(at, &byte)| if field.contains(&at) { b' ' } else { byte });
    let (unsigned, signed) = summed.fold((0_i64, 0_i64), |(unsigned, signed), byte| {
        (
            unsigned + i64::from(byte),
            signed + i64::from(i8::from_ne_bytes([byte])),
        )
    });
    match number(&header.as_old().cksum) {
        Ok(sum) if sum == unsigned || sum == signed => Ok(()),
        Ok(sum) => Err(format!(
            "a header's checksum is {sum}, and its bytes add up to {unsigned}"
        )),
        Err(wrong) => Err(format!("a header was due, and its checksum {wrong}")),
    }
}

/// The name, with the prefix where the format has one: with POSIX's magic. GNU's has other things in its place.
pub(super) fn path(header: &Header) -> Bytes {
    let name = text(&header.as_old().name);
    let bytes = header.as_bytes();
    let prefix = if bytes.get(257..263) == Some(b"ustar\0") {
        // In star's variant, times are behind a shorter prefix.
        let is_star = bytes.ends_with(b"tar\0");
        text(bytes.get(345..if is_star { 476 } else { 500 }).unwrap_or_default())
    } else {
        b""
    };
    if prefix.is_empty() {
        Bytes::copy_from_slice(name)
    } else {
        [prefix, b"/", name].concat().into()
    }
}

/// Writes a number: in octal with a NUL behind it if it fits, and else in base 256.
pub(super) fn put_number(field: &mut [u8], value: i64) {
    let digits = field.len().saturating_sub(1);
    if let Ok(value) = u64::try_from(value)
        && value.checked_shr(3 * digits as u32).unwrap_or(0) == 0
    {
        let octal = format!("{value:0digits$o}\0");
        put(field, octal.as_bytes());
        return;
    }
    let bytes = i128::from(value).to_be_bytes();
    for (to, from) in field.iter_mut().rev().zip(bytes.iter().rev()) {
        *to = *from;
    }
    if let Some(first) = field.first_mut() {
        *first |= 0x80;
    }
}

/// Writes a text, which is as long as the field at most.
pub(super) fn put(field: &mut [u8], text: &[u8]) {
    for (to, from) in field.iter_mut().zip(text) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_form() {
        for (field, value) in [
            (&b"0000644\0"[..], Ok(0o644)),
            (b"   644 \0", Ok(0o644)),
            (b"\0\0  644 ", Ok(0o644)),
            (b"644\0junk", Ok(0o644)),
            (b"77777777", Ok(0o7777_7777)),
            (b"        ", Ok(0)),
            (b"\0\0\0\0\0\0\0\0", Ok(0)),
            (b"", Ok(0)),
            (b"0000648\0", Err("is not an octal number")),
            (b"-000644\0", Err("is not an octal number")),
            (b"0x00644\0", Err("is not an octal number")),
            (b"777777777777777777777", Ok(i64::MAX)),
            (b"1000000000000000000000", Err("is not an octal number")),
            (b"\x80\0\0\0\0\0\x01\x02", Ok(258)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", Ok(-2)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0", Ok(-256)),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", Ok(i64::MAX)),
            (b"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", Ok(i64::MIN)),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", Err("is out of range")),
            (
                b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                Err("is out of range"),
            ),
            (b"\xc0\0\0\0\0\0\0\0\0\0\0\0", Err("is out of range")),
        ] {
            assert_eq!(number(field), value, "{}", field.escape_ascii());
        }
        assert_eq!(unsigned(b"\xff\xff\xff\xff\xff\xff\xff\xfe"), Err("is negative"));
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for value in [
            0,
            1,
            0o7777777,
            0o10000000,
            1 << 33,
            (1 << 33) - 1,
            (1 << 62) - 1,
            i64::MAX,
            -1,
            i64::MIN,
        ] {
            let mut field = [0xee; 12];
            put_number(&mut field, value);
            assert_eq!(number(&field), Ok(value));
            let is_octal = (0..1 << 33).contains(&value);
            assert_eq!(field[0] & 0x80 == 0 && field[11] == 0, is_octal, "{value}");
            if (0..1 << 62).contains(&value) {
                let mut field = [0xee; 8];
                put_number(&mut field, value);
                assert_eq!(number(&field), Ok(value));
                assert_eq!(field[0] & 0x80 == 0, value < 1 << 21, "{value}");
            }
        }
    }

    #[test]
    fn padding_fills_blocks() {
        assert_eq!([0, 1, 511, 512, 513].map(padding), [0, 511, 1, 0, 511]);
        assert_eq!(padding(u64::MAX), 1);
    }
}
