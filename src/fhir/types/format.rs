//! Formats of the plain primitive types, byte by byte.

/// Digits that a decimal may have; R4 asks for 18 at least (datatypes.html#decimal).
const DECIMAL_DIGITS: usize = 100;

/// `-?(0|[1-9][0-9]*)` within 32 bits.
pub(super) fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    is_plain_digits(digits) && text.parse::<i32>().is_ok()
}

/// `0|[1-9][0-9]*` within 31 bits and not below `least`.
pub(super) fn is_unsigned(text: &str, least: i32) -> bool {
    is_plain_digits(text) && text.parse::<i32>().is_ok_and(|number| number >= least)
}

fn is_plain_digits(text: &str) -> bool {
    (text == "0" || !text.starts_with('0'))
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?` with a bound on the digits.
pub(super) fn is_decimal(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let (whole, rest) = digits(bytes);
    if whole == 0 || whole > 1 && bytes[0] == b'0' {
        return false;
    }
    let (fraction, rest) = match rest.strip_prefix(b".") {
        Some(rest) => match digits(rest) {
            (0, _) => return false,
            found => found,
        },
        None => (0, rest),
    };
    if whole + fraction > DECIMAL_DIGITS {
        return false;
    }
    let Some((b'e' | b'E', exponent)) = rest.split_first() else { return rest.is_empty() };
    let exponent = match exponent.split_first() {
        Some((b'+' | b'-', exponent)) => exponent,
        _ => exponent,
    };
    matches!(digits(exponent), (1..=6, []))
}

fn digits(bytes: &[u8]) -> (usize, &[u8]) {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count, &bytes[count..])
}

/// Whether U+FFFE or U+FFFF is in the text: no characters of XML, so a resource with one could
/// not be told in it (<https://www.w3.org/TR/xml/#charsets>).
pub(super) fn has_noncharacter(bytes: &[u8]) -> bool {
    memchr::memchr_iter(0xEF, bytes)
        .any(|at| matches!(bytes.get(at + 1..at + 3), Some([0xBF, 0xBE | 0xBF])))
}

/// `[ \r\n\t\S]+`, and more than white space (string: "Strings SHALL NOT be empty").
pub(super) fn is_string(text: &str) -> bool {
    let bytes = text.as_bytes();
    // All of them, which is many at a time.
    let has_control = bytes.iter().fold(false, |has, &byte| has | is_control(byte));
    let first_is_plain = bytes.first().is_some_and(|byte| byte.is_ascii_graphic());
    !has_control && (first_is_plain || text.chars().any(|letter| !letter.is_whitespace()))
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\r' | b'\n') || byte == 0x7F
}

/// `[^\s]+(\s[^\s]+)*`: single white space only between other characters. White space is what
/// XML Schema's `\s` means by it: R4's own code system v2-0550 has no-break spaces in codes.
pub(super) fn is_code(text: &str) -> bool {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return !text.is_empty();
    }
    let mut was_space = true;
    for letter in text.chars() {
        let is_space = matches!(letter, ' ' | '\t' | '\r' | '\n');
        if is_space && was_space || !is_space && letter.is_control() {
            return false;
        }
        was_space = is_space;
    }
    !was_space
}

/// `[A-Za-z0-9\-\.]{1,64}`.
pub(super) fn is_id(bytes: &[u8]) -> bool {
    (1..=64).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// Base64 of RFC 4648 section 4, white space anywhere, padding complete, nothing after it.
pub(super) fn is_base64(bytes: &[u8]) -> bool {
    let mut letters = 0_usize;
    let mut padding = 0_usize;
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => letters += 1,
            b'=' => padding += 1,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => return false,
        }
    }
    let is_padded = match letters % 4 {
        0 => padding == 0,
        2 => padding == 2,
        3 => padding == 1,
        _ => false,
    };
    letters > 0 && is_padded
}

#[cfg(test)]
mod tests {
    use crate::fhir::types::Primitive;

    fn takes(primitive: Primitive, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(primitive.check(text).is_ok(), "{primitive:?} {text:?}");
        }
        for text in bad {
            assert!(primitive.check(text).is_err(), "{primitive:?} {text:?}");
        }
    }

    #[test]
    fn whole_numbers_stay_in_their_range() {
        let bad = ["", "-", "+1", "01", "-01", "1.0", "1e2", "2147483648", "99999999999999999999"];
        takes(Primitive::Integer, &["0", "-0", "-1", "2147483647", "-2147483648"], &bad);
        takes(Primitive::Integer, &[], &["-2147483649", "00", "--1"]);
        takes(Primitive::UnsignedInt, &["0", "7", "2147483647"], &bad);
        takes(Primitive::UnsignedInt, &[], &["-1", "-0"]);
        takes(Primitive::PositiveInt, &["1", "10"], &["0", "-1", "01", "1.0"]);
    }

    #[test]
    fn decimals_have_digits_on_both_sides_of_the_point() {
        let good = ["0", "-0.0", "1.10", "1e2", "1E+2", "-1.5e-7", "100000000000000000000.5"];
        let long = format!("0.{}", "1".repeat(100));
        let bad = ["", "-", ".5", "5.", "01", "1e", "1e+", "+1", "1.2.3", "1x", "NaN", &long];
        takes(Primitive::Decimal, &good, &bad);
    }

    #[test]
    fn strings_have_content_and_no_control_characters() {
        let good = ["a", " a", "a\tb\r\nc", "é", "\u{a0}x", " ☃"];
        let bad = ["", " ", "\t\r\n", "\u{a0}", "a\u{0}", "a\u{1b}[0m", "a\u{7f}", "\u{8}"];
        takes(Primitive::String, &good, &bad);
        takes(Primitive::Markdown, &good, &bad);
    }

    #[test]
    fn codes_have_single_inner_spaces() {
        let good = ["a", "a b", "a b c", "<=", "é b"];
        takes(Primitive::Code, &good, &["", " ", " a", "a ", "a  b", "a\u{1}b", "a\n "]);
    }

    #[test]
    fn ids_are_64_of_a_small_alphabet() {
        let (long, longer) = ("x".repeat(64), "x".repeat(65));
        takes(Primitive::Id, &["a", "A-1.b", &long], &["", "a_b", "a b", "é", "a/b", &longer]);
    }

    #[test]
    fn base64_has_its_padding_and_may_have_white_space() {
        let good = ["QUJD", "QQ==", "QUI=", "QU\nJD", " QUJD QQ = = ", "+/+/"];
        let bad = ["", " ", "Q", "QQ", "QQ=", "QQ===", "QUJ", "=", "QQ==QQ==", "QU-_", "QUJ*", "é"];
        takes(Primitive::Base64Binary, &good, &bad);
    }

    #[test]
    fn booleans_are_two_words() {
        takes(Primitive::Boolean, &["true", "false"], &["True", "1", "", "yes"]);
    }
}
