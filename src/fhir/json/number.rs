//! Numbers as they are written: RFC 8259 section 6, kept to the digit (json.html#decimal).

/// Digits and signs of one number; more is refused by the reader.
pub(super) const MAX_BYTES: usize = 400;
/// A decimal beyond 10^±400 measures nothing and costs unbounded memory in arithmetic.
pub(super) const MAX_EXPONENT: u32 = 400;

/// Why a number token was refused.
pub(super) enum Bad {
    /// Not JSON; the offset of the byte that cannot stand there.
    Syntax(usize),
    TooLong,
    Exponent,
}

/// The end of the number that starts at `start`; `bytes[start]` is a digit or `-`.
pub(super) fn end(bytes: &[u8], start: usize) -> Result<usize, Bad> {
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let mut index = start + usize::from(at(start) == b'-');
    index = match at(index) {
        b'0' => index + 1,
        _ => digits(bytes, index)?,
    };
    if at(index) == b'.' {
        index = digits(bytes, index + 1)?;
    }
    if matches!(at(index), b'e' | b'E') {
        index += 1;
        index += usize::from(matches!(at(index), b'+' | b'-'));
        let first = index;
        index = digits(bytes, index)?;
        let exponent = bytes[first..index].iter().fold(0_u32, |sum, digit| {
            sum.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
        });
        if exponent > MAX_EXPONENT {
            return Err(Bad::Exponent);
        }
    }
    match index - start > MAX_BYTES {
        true => Err(Bad::TooLong),
        false => Ok(index),
    }
}

fn digits(bytes: &[u8], start: usize) -> Result<usize, Bad> {
    let mut index = start;
    while bytes.get(index).is_some_and(u8::is_ascii_digit) {
        index += 1;
    }
    match index == start {
        true => Err(Bad::Syntax(index)),
        false => Ok(index),
    }
}
