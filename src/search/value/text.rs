//! Escapes of search values and texts as index keys
//! (<https://hl7.org/fhir/R4/search.html#escaping>).

use super::letters;
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// An index entry holds at most a third of a page (2,704 bytes) over all its columns.
pub const KEY_BYTES: usize = 900;
/// What is kept of the beginning of a longer text.
pub const KEPT_BYTES: usize = 800;

/// The parts between unescaped separators; escapes stay.
pub fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut is_escaped) = (0, false);
    for (at, letter) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if letter == '\\' {
            is_escaped = true;
        } else if letter == separator {
            parts.push(&text[start..at]);
            start = at + letter.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The text around the first unescaped separator.
pub fn split_once(text: &str, separator: char) -> Option<(&str, &str)> {
    let head = *split(text, separator).first()?;
    (head.len() < text.len()).then(|| (head, &text[head.len() + separator.len_utf8()..]))
}

/// `\,` `\$` `\|` and `\\` stand for the second letter; any other backslash is itself.
pub fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('\\', Some(',' | '$' | '|' | '\\')) => plain.extend(letters.next()),
            _ => plain.push(letter),
        }
    }
    plain
}

/// The reverse of [`unescape`].
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, ',' | '$' | '|' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// The text as an exact index key: what is too long for an index entry keeps its beginning and
/// gets the digest of the whole. NUL, which the database cannot store, is left out.
pub fn key(text: &str) -> String {
    if text.len() <= KEY_BYTES {
        return without_nul(text);
    }
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}#sha256:{hex}", without_nul(beginning(text, KEPT_BYTES)))
}

/// The first bytes of a text, cut between letters.
pub fn beginning(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn without_nul(text: &str) -> String {
    match text.contains('\0') {
        true => text.replace('\0', ""),
        false => text.to_owned(),
    }
}

/// Without case, accents and combining marks, letters such as `ł` as their base, white space
/// folded
/// (<https://hl7.org/fhir/R4/search.html#string>); the first 800 bytes of it.
pub fn normalised(text: &str) -> String {
    folded(text, KEPT_BYTES)
}

/// The same, up to another length.
pub fn folded(text: &str, most_bytes: usize) -> String {
    let mut folded = String::with_capacity(text.len().min(most_bytes));
    let mut is_after_space = true;
    let letters = text
        .nfkd()
        .filter(|letter| !is_combining_mark(*letter))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .filter(|letter| *letter != '\0');
    for letter in letters {
        if let Some(base) = letters::base(letter) {
            folded.push_str(base);
        } else if !letter.is_whitespace() {
            folded.push(letter);
        } else if !is_after_space {
            folded.push(' ');
        }
        is_after_space = letter.is_whitespace();
        if folded.len() > most_bytes.saturating_add(4) {
            break;
        }
    }
    beginning(folded.trim_end(), most_bytes).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_count_only_where_they_are_not_escaped() {
        assert_eq!(split(r"a,b\,c,d", ','), ["a", r"b\,c", "d"]);
        assert_eq!(split(r"a\\,b", ','), [r"a\\", "b"]);
        assert_eq!(split("", ','), [""]);
        assert_eq!(split_once(r"a\|b|c|d", '|'), Some((r"a\|b", "c|d")));
        assert_eq!(split_once("a", '|'), None);
        assert_eq!(split_once("|a", '|'), Some(("", "a")));
    }

    #[test]
    fn escapes_come_off_and_go_on() {
        for (escaped, plain) in [(r"a\,b", "a,b"), (r"a\$\|\\", r"a$|\"), (r"C\:x\n", r"C\:x\n")] {
            assert_eq!(unescape(escaped), plain);
            assert_eq!(unescape(&escape(plain)), plain);
        }
    }

    #[test]
    fn strings_lose_case_accents_marks_and_extra_white_space() {
        for (text, folded) in [
            ("Éléonore  D'Avril ", "eleonore d'avril"),
            ("STRASSE", "strasse"),
            ("Straße", "strasse"),
            ("ﬁn", "fin"),
            ("Łęski ĐURO Ħaż Øster", "leski duro haz oster"),
            ("Æsa Œuvre Þór Guðrún", "aesa oeuvre thor gudrun"),
            ("ışık IŞIK", "isik isik"),
            ("Ǽ ǿ", "ae o"),
            ("Ɗanjuma Ƙwari Ɓala Ɔkɔ", "danjuma kwari bala oko"),
            ("Əliyev", "əliyev"),
            ("Ῥόδος", "ροδοσ"),
            ("\u{130}", "i"),
            ("ᐃᓄᒃᑎᑐᑦ", "ᐃᓄᒃᑎᑐᑦ"),
            (" \t\n", ""),
        ] {
            assert_eq!(normalised(text), folded, "{text}");
        }
    }

    #[test]
    fn long_keys_stay_exact_and_fit_an_index_entry() {
        let (a, b) = ("é".repeat(5_000), format!("{}x", "é".repeat(5_000)));
        assert_ne!(key(&a), key(&b));
        assert!(key(&a).len() <= KEY_BYTES && normalised(&a).len() <= KEPT_BYTES);
        assert_eq!(key("a\0b"), "ab");
    }
}
