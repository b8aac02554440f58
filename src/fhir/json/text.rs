//! Strings of JSON: RFC 8259 section 7.

/// Why a string was refused, with the offset of the cause.
pub(super) enum Bad {
    Unterminated(usize),
    Control(usize),
    Escape(usize),
    Surrogate(usize),
    Nul(usize),
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);

/// Non-zero where a byte of `word` is a quote, a backslash or below 0x20. Only the lowest such
/// byte is certain, which is why the caller looks again byte by byte.
fn stops(word: u64) -> u64 {
    let equal = |byte: u8| {
        let word = word ^ (ONES * u64::from(byte));
        word.wrapping_sub(ONES) & !word
    };
    let below = word.wrapping_sub(ONES * 0x20) & !word;
    (equal(b'"') | equal(b'\\') | below) & HIGHS
}

/// The first byte at or after `index` that ends a run of plain characters.
fn run_end(bytes: &[u8], mut index: usize) -> usize {
    while let Some(chunk) = bytes.get(index..index + 8) {
        let Ok(chunk) = <[u8; 8]>::try_from(chunk) else { break };
        let found = stops(u64::from_le_bytes(chunk));
        if found != 0 {
            return index + (found.trailing_zeros() / 8) as usize;
        }
        index += 8;
    }
    while bytes.get(index).is_some_and(|&b| b != b'"' && b != b'\\' && b >= 0x20) {
        index += 1;
    }
    index
}

/// The string whose opening quote stands before `start`, and the offset after its closing one.
pub(super) fn string(source: &str, start: usize) -> Result<(String, usize), Bad> {
    let bytes = source.as_bytes();
    let mut end = run_end(bytes, start);
    if bytes.get(end) == Some(&b'"') {
        return Ok((source[start..end].to_owned(), end + 1));
    }
    let mut text = source[start..end].to_owned();
    loop {
        match bytes.get(end) {
            Some(b'"') => return Ok((text, end + 1)),
            Some(b'\\') => end = escape(bytes, end, &mut text)?,
            Some(_) => return Err(Bad::Control(end)),
            None => return Err(Bad::Unterminated(end)),
        }
        let run = end;
        end = run_end(bytes, run);
        text.push_str(&source[run..end]);
    }
}

/// Reads the escape at `at` (a backslash) and returns the offset after it.
fn escape(bytes: &[u8], at: usize, text: &mut String) -> Result<usize, Bad> {
    let letter = match bytes.get(at + 1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(bytes, at, text),
        Some(_) => return Err(Bad::Escape(at)),
        None => return Err(Bad::Unterminated(at + 1)),
    };
    text.push(letter);
    Ok(at + 2)
}

fn unicode_escape(bytes: &[u8], at: usize, text: &mut String) -> Result<usize, Bad> {
    let unit = hex(bytes, at + 2).ok_or(Bad::Escape(at))?;
    let (code, end) = match unit {
        0 => return Err(Bad::Nul(at)),
        0xD800..=0xDBFF => {
            let is_pair = bytes.get(at + 6..at + 8) == Some(b"\\u");
            let low = if is_pair { hex(bytes, at + 8) } else { None };
            let low =
                low.filter(|low| (0xDC00..=0xDFFF).contains(low)).ok_or(Bad::Surrogate(at))?;
            (0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), at + 12)
        }
        _ => (unit, at + 6),
    };
    text.push(char::from_u32(code).ok_or(Bad::Surrogate(at))?);
    Ok(end)
}

fn hex(bytes: &[u8], start: usize) -> Option<u32> {
    let digits = bytes.get(start..start + 4)?;
    digits.iter().try_fold(0, |sum, &digit| Some(sum << 4 | char::from(digit).to_digit(16)?))
}
