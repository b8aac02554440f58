//! Strings, tokens, uris and escapes: <https://hl7.org/fhir/R4/search.html#string>, `#token`,
//! `#uri`, `#escaping`.

use super::parameters::items;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The parts between separators that no backslash stands before.
pub fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == separator {
            parts.push(String::new());
            continue;
        }
        let last = parts.last_mut().expect("there is a part");
        last.push(letter);
        if letter == '\\' {
            last.extend(letters.next());
        }
    }
    parts
}

pub fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.extend(letters.next()),
            _ => plain.push(letter),
        }
    }
    plain
}

pub fn escape(text: &str) -> String {
    let escaped = |letter: char| match letter {
        ',' | '|' | '$' | '\\' => format!("\\{letter}"),
        _ => letter.to_string(),
    };
    text.chars().map(escaped).collect()
}

/// Without case, accents, and what docs/search.md names beside them, letters like ł or ø.
pub fn folded(text: &str) -> String {
    let lower = text.nfd().filter(|letter| !is_combining_mark(*letter)).collect::<String>();
    let base = |letter: char| match letter {
        'ł' => "l".to_owned(),
        'ø' => "o".to_owned(),
        'đ' => "d".to_owned(),
        'ß' => "ss".to_owned(),
        'æ' => "ae".to_owned(),
        _ => letter.to_string(),
    };
    lower.to_lowercase().chars().map(base).collect()
}

pub fn string_matches(element: &Value, modifier: Option<&str>, one: &str) -> bool {
    let (Some(stored), one) = (element.as_str(), unescape(one)) else { return false };
    match modifier {
        Some("exact") => stored == one,
        Some("contains") => folded(stored).contains(&folded(&one)),
        _ => folded(stored).starts_with(&folded(&one)),
    }
}

/// The words of a narrative in their order; `b` is within a word, all other markup is not.
pub fn words(element: &Value) -> Vec<String> {
    let div = element.as_str().unwrap_or_default().replace("<b>", "").replace("</b>", "");
    let text: String = div
        .split('<')
        .map(|part| part.split_once('>').map_or(part, |(_, text)| text))
        .collect::<Vec<_>>()
        .join(" ");
    let folded = folded(&text);
    let words = folded.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// `a`, `a b`, `a OR b`, `"a b"`, `a*` or `a not b`.
pub fn words_match(element: &Value, one: &str) -> bool {
    let (words, one) = (words(element), unescape(one));
    let has = |word: &str| words.contains(&folded(word));
    if let Some(phrase) = one.strip_prefix('"') {
        let phrase = phrase.trim_end_matches('"').split(' ').map(folded).collect::<Vec<_>>();
        return words.windows(phrase.len()).any(|part| part == phrase);
    }
    if let Some(beginning) = one.strip_suffix('*') {
        return words.iter().any(|word| word.starts_with(&folded(beginning)));
    }
    match one.split(' ').collect::<Vec<_>>()[..] {
        [first, "OR", second] => has(first) || has(second),
        [first, "not", second] => !words.is_empty() && has(first) && !has(second),
        ref all => all.iter().all(|word| has(word)),
    }
}

/// System and code of the values within an element.
pub fn codings(element: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match element {
        Value::Bool(truth) => vec![(String::new(), truth.to_string())],
        Value::String(code) => vec![(String::new(), code.clone())],
        // A CodeableConcept has nothing but codings and text; an Identifier has a value.
        _ if element.get("coding").is_some() || element.get("text").is_some() => {
            items(&element["coding"]).iter().flat_map(codings).collect()
        }
        _ => {
            let code = if element.get("code").is_some() { "code" } else { "value" };
            vec![(text(&element["system"]), text(&element[code]))]
        }
    }
}

/// What the values within an element are called.
pub fn names(element: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let codings = items(&element["coding"]);
    let displays = codings.iter().map(|coding| &coding["display"]);
    // Of a Coding, a CodeableConcept, an Identifier.
    let own = [&element["display"], &element["text"], &element["type"]["text"]];
    displays.chain(own).filter_map(text).collect()
}

/// From one word of a family name on.
pub fn family_matches(family: &Value, one: &str) -> bool {
    let (family, one) = (folded(family.as_str().unwrap_or_default()), folded(&unescape(one)));
    let mut rest = Some(&family[..]);
    while let Some(words) = rest {
        if words.starts_with(&one) {
            return true;
        }
        rest = words.split_once([' ', '-']).map(|(_, rest)| rest);
    }
    false
}

pub fn token_matches(element: &Value, one: &str) -> bool {
    let parts: Vec<String> = split(one, '|').iter().map(|part| unescape(part)).collect();
    let is_meant = |(system, code): (String, String)| match &parts[..] {
        [wanted] => code == *wanted,
        [wanted, any] if any.is_empty() => system == *wanted,
        [wanted_system, wanted] => system == *wanted_system && code == *wanted,
        _ => panic!("{one} is no token"),
    };
    codings(element).into_iter().any(is_meant)
}

/// `is_canonical`: a version that is stored need not be asked for.
pub fn uri_matches(element: &Value, is_canonical: bool, one: &str) -> bool {
    let (Some(stored), one) = (element.as_str(), unescape(one)) else { return false };
    let is_without_version =
        || is_canonical && stored.split_once('|').is_some_and(|(url, _)| url == one);
    stored == one || is_without_version()
}
