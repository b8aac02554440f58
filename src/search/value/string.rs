//! Strings: <https://hl7.org/fhir/R4/search.html#string>.

use super::text::{KEPT_BYTES, folded, normalised, unescape};
use super::{Node, items, text_of};
use crate::search::index_rows::{ParameterId, StringRow};
use serde_json::Value;

/// How a stored string compares with the search value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum StringTest {
    /// Starts with it, without case and accents.
    StartsWith(String),
    /// `:contains`: has it anywhere, without case and accents.
    Contains(String),
    /// `:exact`: is it, letter for letter.
    Exact { normalised: String, raw: String },
    /// Is it, without case and accents.
    Same(String),
    /// Ends with it, without case and accents.
    EndsWith(String),
    /// Stands there or later in the order of code points, without case and accents.
    From(String),
    /// Stands before it in the order of code points, without case and accents.
    Before(String),
}

/// Sorts behind every text that starts with what stands before it.
pub const LAST: &str = "\u{10FFFF}";

impl StringTest {
    pub fn starts_with(text: &str) -> StringTest {
        StringTest::StartsWith(normalised(&unescape(text)))
    }

    pub fn contains(text: &str) -> StringTest {
        StringTest::Contains(folded(&unescape(text), usize::MAX))
    }

    pub fn exact(text: &str) -> StringTest {
        let raw = unescape(text);
        StringTest::Exact { normalised: normalised(&raw), raw }
    }

    pub fn same(text: &str) -> StringTest {
        StringTest::Same(normalised(&unescape(text)))
    }

    pub fn ends_with(text: &str) -> StringTest {
        StringTest::EndsWith(folded(&unescape(text), usize::MAX))
    }

    /// `gt`, `lt`, `ge` and `le` of `_filter`, which compare the first character alone.
    pub fn by_first(operator: &str, text: &str) -> StringTest {
        let normal = normalised(&unescape(text));
        let first = normal.chars().next().map(String::from).unwrap_or_default();
        let behind = match first.is_empty() {
            true => String::new(),
            false => format!("{first}{LAST}"),
        };
        match operator {
            "gt" => StringTest::From(behind),
            "ge" => StringTest::From(first),
            "lt" => StringTest::Before(first),
            _ => StringTest::Before(behind),
        }
    }

    /// True where no letter or digit was asked for.
    pub fn is_empty(&self) -> bool {
        match self {
            StringTest::StartsWith(text)
            | StringTest::Contains(text)
            | StringTest::Same(text)
            | StringTest::EndsWith(text)
            | StringTest::From(text)
            | StringTest::Before(text) => text.is_empty(),
            StringTest::Exact { .. } => false,
        }
    }
}

const NAME_PARTS: [&str; 5] = ["family", "given", "prefix", "suffix", "text"];
const ADDRESS_PARTS: [&str; 7] =
    ["line", "city", "district", "state", "postalCode", "country", "text"];

/// Adds a row for each part of a HumanName or Address, or one for a text; a second row for what
/// is long; and one for each further word of a family name, which the section wants to be found
/// as well (search.html#string).
pub fn index(node: Node<'_>, parameter: ParameterId, rows: &mut Vec<StringRow>) {
    for raw in texts(node) {
        let row = StringRow { parameter, normalised: normalised(raw), raw: raw.replace('\0', "") };
        if row.normalised.is_empty() {
            continue;
        }
        if row.normalised.len() + MOST_OF_A_LETTER > KEPT_BYTES {
            let whole = folded(raw, usize::MAX);
            if whole.len() > row.normalised.len() {
                let (parameter, normalised) = (parameter.beside(), String::new());
                rows.push(StringRow { parameter, normalised, raw: whole });
            }
        }
        rows.push(row);
    }
    if node.type_name == "HumanName"
        && let Some(family) = text_of(node.value, "family")
    {
        index_words(family, parameter, rows);
    }
}

/// Bytes of a letter in UTF-8, at most.
const MOST_OF_A_LETTER: usize = 4;
/// Further words of one family name.
const WORDS: usize = 8;

/// Adds rows of a family name from each word on but the first.
pub fn index_words(family: &str, parameter: ParameterId, rows: &mut Vec<StringRow>) {
    if !family.contains(is_between_words) {
        return;
    }
    let whole = normalised(family);
    let starts = whole.match_indices(is_between_words).map(|(at, between)| at + between.len());
    for start in starts.take(WORDS) {
        let rest = whole[start..].trim_start_matches(is_between_words);
        if !rest.is_empty() {
            let (parameter, normalised) = (parameter.beside(), rest.to_owned());
            rows.push(StringRow { parameter, normalised, raw: String::new() });
        }
    }
}

fn is_between_words(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '-' | '\u{2010}' | '\u{2011}')
}

/// The texts that a string parameter searches in.
pub fn texts<'a>(node: Node<'a>) -> Vec<&'a str> {
    match node.type_name {
        "HumanName" => parts(node.value, &NAME_PARTS),
        "Address" => parts(node.value, &ADDRESS_PARTS),
        "CodeableConcept" => text_of(node.value, "text").into_iter().collect(),
        _ => node.value.as_str().into_iter().collect(),
    }
}

fn parts<'a>(value: &'a Value, names: &[&str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for name in names {
        found.extend(text_of(value, name));
        found.extend(items(value, name).iter().filter_map(Value::as_str));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(type_name: &'static str, value: Value) -> Vec<String> {
        let mut rows = Vec::new();
        index(Node { value: &value, type_name }, ParameterId(1), &mut rows);
        rows.into_iter().map(|row| row.normalised).collect()
    }

    #[test]
    fn every_part_of_a_name_or_address_is_searched() {
        let name = json!({"use": "official", "family": "Dupré", "given": ["Ève", "Anne", null]});
        assert_eq!(found("HumanName", name), ["dupre", "eve", "anne"]);
        let address = json!({"line": ["1 Main St"], "city": "Iqaluit", "postalCode": "X0A 0H0"});
        assert_eq!(found("Address", address), ["1 main st", "iqaluit", "x0a 0h0"]);
        assert_eq!(
            found("HumanName", json!({"family": "De la Cruz-Ortiz"})),
            ["de la cruz-ortiz", "la cruz-ortiz", "cruz-ortiz", "ortiz"]
        );
        assert_eq!(found("string", json!("  A  B ")), ["a b"]);
        assert!(found("string", json!(" ")).is_empty());
    }

    #[test]
    fn search_values_are_unescaped_and_folded_as_rows_are() {
        assert_eq!(StringTest::starts_with(r"Dup\,RÉ"), StringTest::StartsWith("dup,re".into()));
        let exact = StringTest::Exact { normalised: "eve".into(), raw: "Ève".into() };
        assert_eq!(StringTest::exact("Ève"), exact);
    }
}
