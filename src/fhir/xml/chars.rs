//! Characters of XML 1.0: <https://www.w3.org/TR/xml/#charsets>.

use crate::error::{FhirError, IssueCode, Result};

/// The text of a body: UTF-8 without its byte order mark, every character one of XML's.
/// 400 for another encoding, NUL or a control character.
pub(crate) fn text_of(bytes: &[u8]) -> Result<&str> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let text = format!("Not UTF-8: byte {} cannot be read", error.valid_up_to() + 1);
        FhirError::at(IssueCode::Structure, "", text)
    })?;
    match illegal_character(text) {
        None => Ok(text),
        Some((offset, character)) => {
            let code = u32::from(character);
            let text = format!("XML has no character U+{code:04X} (byte {})", offset + 1);
            Err(FhirError::at(IssueCode::Structure, "", text))
        }
    }
}

/// The first character that XML 1.0 cannot carry, not even as a reference.
pub(super) fn illegal_character(text: &str) -> Option<(usize, char)> {
    let suspicious = |byte: u8| byte == 0xEF || (byte < 0x20 && !matches!(byte, 9 | 10 | 13));
    if !text.bytes().any(suspicious) {
        return None;
    }
    text.char_indices().find(|&(_, character)| !is_xml_character(character))
}

/// <https://www.w3.org/TR/xml/#charsets>
pub(crate) fn is_xml_character(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        _ => character >= ' ',
    }
}

pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

/// A name without a colon: <https://www.w3.org/TR/xml-names/#NT-NCName>.
pub(super) fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(starts_name) && characters.all(continues_name)
}

fn starts_name(character: char) -> bool {
    character.is_ascii_alphabetic()
        || character == '_'
        || matches!(character,
            '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
            | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
            | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
            | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn continues_name(character: char) -> bool {
    starts_name(character)
        || character.is_ascii_digit()
        || matches!(character,
            '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Appends a value for a double-quoted attribute; line ends and tabs as references, which
/// attribute normalisation would turn into blanks (https://www.w3.org/TR/xml/#AVNormalize).
pub(crate) fn escape_attribute(value: &str, out: &mut String) {
    let mut written = 0;
    for (offset, byte) in value.bytes().enumerate() {
        let reference = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\n' => "&#10;",
            b'\r' => "&#13;",
            b'\t' => "&#9;",
            _ => continue,
        };
        // The byte is ASCII, so these are character boundaries.
        out.push_str(&value[written..offset]);
        out.push_str(reference);
        written = offset + 1;
    }
    out.push_str(&value[written..]);
}

/// True where white space or the end of the tag follows the closing quote of an attribute whose
/// value is this part of the tag.
pub(crate) fn is_set_off(tag: &str, value: &str) -> bool {
    let end = (value.as_ptr() as usize + value.len()).checked_sub(tag.as_ptr() as usize);
    let rest = end.and_then(|end| tag.get(end + 1..)).unwrap_or_default();
    rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_taken_off_and_other_encodings_are_refused() {
        assert_eq!(text_of(b"\xEF\xBB\xBF<a/>").unwrap(), "<a/>");
        assert!(text_of(b"\xFF\xFE<\0a\0").is_err());
        assert!(text_of(b"<a v='\0'/>").is_err());
        assert!(text_of("<a v='\u{FFFF}'/>".as_bytes()).is_err());
        assert!(text_of("<a v='\u{FEFF}'/>".as_bytes()).is_ok());
    }

    #[test]
    fn attributes_keep_line_ends_and_tabs() {
        let mut out = String::new();
        escape_attribute("a\n\r\t\"<é>&", &mut out);
        assert_eq!(out, "a&#10;&#13;&#9;&quot;&lt;é&gt;&amp;");
    }

    #[test]
    fn names_follow_xml_namespaces() {
        assert!(is_name("valueQuantity") && is_name("_a-1.b") && is_name("größe"));
        assert!(!is_name("") && !is_name("1a") && !is_name("a:b") && !is_name("a b"));
    }
}
