//! Tokens: <https://hl7.org/fhir/R4/search.html#token>. Coded values are interned; values of
//! types without bound (Identifier, ContactPoint, plain strings) are rows of their own.

use super::text::{escape, key, split, split_once, unescape};
use super::{Node, items, text_of};
use crate::search::index_rows::{
    CodeTextRow, IdentifierRow, IndexRows, ParameterId, Token, TokenRow,
};
use serde_json::Value;

/// Where the values of an element type are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenStore {
    /// Coding, CodeableConcept, code, boolean, id: packed keys.
    Interned,
    /// Identifier, ContactPoint, string, uri: text rows.
    Text,
}

impl TokenStore {
    /// The store for an element type of the definitions.
    pub fn of_type(type_name: &str) -> TokenStore {
        match type_name {
            "Coding" | "CodeableConcept" | "code" | "boolean" | "id" => TokenStore::Interned,
            _ => TokenStore::Text,
        }
    }
}

/// A search value: `code`, `system|code`, `|code` (no system), or `system|` (any code).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TokenTest {
    /// This code in any system, or without one.
    Code(String),
    /// This code in this system; the empty system stands for none.
    Exact(Token),
    /// Any code of this system.
    System(String),
    /// This media type, with parameters or without.
    MediaType(String),
}

impl TokenTest {
    /// Reads one value; the text of an error says what is right.
    pub fn parse(text: &str) -> Result<TokenTest, &'static str> {
        const EMPTY: &str = "a token is code, system|code, |code or system|";
        match split_once(text, '|') {
            None if text.is_empty() => Err(EMPTY),
            None => Ok(TokenTest::Code(key(&unescape(text)))),
            Some((_, code)) if split_once(code, '|').is_some() => Err(EMPTY),
            Some(("", "")) => Err(EMPTY),
            Some((system, "")) => Ok(TokenTest::System(key(&unescape(system)))),
            Some((system, code)) => {
                let (system, code) = (key(&unescape(system)), key(&unescape(code)));
                Ok(TokenTest::Exact(Token { system, code }))
            }
        }
    }
}

/// Reads a value of `:of-type`, `system|code|value`, as the type and the value of an identifier
/// (search.html#token, modifiers). The text of an error says what is right.
pub fn of_type(text: &str) -> Result<Token, &'static str> {
    match split(text, '|')[..] {
        [system, code, value] if !code.is_empty() && !value.is_empty() => {
            let (system, code) = (unescape(system), unescape(code));
            Ok(Token { system: type_key(&system, &code), code: key(&unescape(value)) })
        }
        _ => Err("with :of-type it is system|code|value, of the type of an identifier"),
    }
}

fn type_key(system: &str, code: &str) -> String {
    key(&format!("{}|{}", escape(system), escape(code)))
}

/// Adds the rows of one element.
pub fn index(node: Node<'_>, parameter: ParameterId, rows: &mut IndexRows) {
    match TokenStore::of_type(node.type_name) {
        TokenStore::Interned => {
            let row = |(token, display)| TokenRow { parameter, token, display };
            rows.tokens.extend(tokens(node).into_iter().map(row));
            add_texts(node, parameter, rows);
        }
        TokenStore::Text => {
            rows.identifiers.extend(identifier(node, parameter));
            if node.type_name == "Identifier" {
                add_of_type(node.value, parameter, rows);
                add_texts(node, parameter, rows);
            }
        }
    }
}

/// Adds a row for each text of an element that `:text` searches in and that no token row of the
/// parameter has yet (search.html#token, modifiers).
fn add_texts(node: Node<'_>, parameter: ParameterId, rows: &mut IndexRows) {
    match node.type_name {
        "CodeableConcept" => {
            for coding in items(node.value, "coding") {
                add_text(text_of(coding, "display"), parameter, rows);
            }
            add_text(text_of(node.value, "text"), parameter, rows);
        }
        "Coding" => add_text(text_of(node.value, "display"), parameter, rows),
        "Identifier" => {
            let kind = node.value.get("type");
            add_text(kind.and_then(|kind| text_of(kind, "text")), parameter, rows);
        }
        _ => {}
    }
}

fn add_text(text: Option<&str>, parameter: ParameterId, rows: &mut IndexRows) {
    let Some(text) = text else { return };
    let mut displays = rows.tokens.iter().rev().filter(|row| row.parameter == parameter);
    if displays.any(|row| row.display.as_deref() == Some(text)) {
        return;
    }
    let text = key(text);
    let mut displays = rows.tokens.iter().filter(|row| row.parameter == parameter);
    if !displays.any(|row| row.display.as_ref() == Some(&text)) {
        rows.code_texts.push(CodeTextRow { parameter, text });
    }
}

/// A row for each coding of the identifier's type.
fn add_of_type(identifier: &Value, parameter: ParameterId, rows: &mut IndexRows) {
    let codings = identifier.get("type").map(|kind| items(kind, "coding")).unwrap_or_default();
    let Some(value) = text_of(identifier, "value").filter(|value| !value.is_empty()) else {
        return;
    };
    for coding in codings {
        let Some(code) = text_of(coding, "code").filter(|code| !code.is_empty()) else { continue };
        let system = type_key(text_of(coding, "system").unwrap_or_default(), code);
        let (parameter, value) = (parameter.beside(), key(value));
        rows.identifiers.push(IdentifierRow { parameter, system, value });
    }
}

/// The coded values of an element, with the texts to show for them.
pub fn tokens(node: Node<'_>) -> Vec<(Token, Option<String>)> {
    match (node.type_name, node.value) {
        ("CodeableConcept", concept) => {
            let text = text_of(concept, "text");
            items(concept, "coding").iter().filter_map(|one| coding(one, text)).collect()
        }
        ("Coding", value) => coding(value, None).into_iter().collect(),
        (_, Value::String(code)) if !code.is_empty() => vec![(without_system(code), None)],
        (_, Value::Bool(truth)) => {
            vec![(without_system(if *truth { "true" } else { "false" }), None)]
        }
        _ => Vec::new(),
    }
}

fn without_system(code: &str) -> Token {
    Token { system: String::new(), code: key(code) }
}

fn coding(coding: &Value, text: Option<&str>) -> Option<(Token, Option<String>)> {
    let code = text_of(coding, "code").unwrap_or_default();
    let system = text_of(coding, "system").unwrap_or_default();
    if code.is_empty() && system.is_empty() {
        return None;
    }
    let display = text_of(coding, "display").or(text).map(key);
    Some((Token { system: key(system), code: key(code) }, display))
}

/// The text row of an Identifier, ContactPoint, string or uri. A system alone is a row of an
/// Identifier.
pub fn identifier(node: Node<'_>, parameter: ParameterId) -> Option<IdentifierRow> {
    let is_identifier = node.type_name == "Identifier";
    let (system, value) = match node.value {
        Value::String(text) if node.type_name == "string" => ("", key(&without_case(text))),
        Value::String(text) => ("", key(text)),
        Value::Object(_) => {
            let value = node.text("value").unwrap_or_default();
            (node.text("system").unwrap_or_default(), key(value))
        }
        _ => return None,
    };
    if value.is_empty() && (system.is_empty() || !is_identifier) {
        return None;
    }
    Some(IdentifierRow { parameter, system: key(system), value })
}

/// Tokens of elements of type string have no case (search.html#token).
pub fn without_case(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn exact(system: &str, code: &str) -> TokenTest {
        TokenTest::Exact(Token { system: system.to_owned(), code: code.to_owned() })
    }

    #[test]
    fn the_four_forms_of_a_token_are_told_apart() {
        assert_eq!(TokenTest::parse("male"), Ok(TokenTest::Code("male".into())));
        assert_eq!(TokenTest::parse("http://a|2345"), Ok(exact("http://a", "2345")));
        assert_eq!(TokenTest::parse("|2345"), Ok(exact("", "2345")));
        assert_eq!(TokenTest::parse("http://a|"), Ok(TokenTest::System("http://a".into())));
        assert_eq!(TokenTest::parse(r"a\|b"), Ok(TokenTest::Code("a|b".into())));
        for wrong in ["", "|", "a|b|c"] {
            assert!(TokenTest::parse(wrong).is_err(), "{wrong}");
        }
    }

    fn rows(type_name: &'static str, value: serde_json::Value) -> IndexRows {
        let mut rows = IndexRows::default();
        index(Node { value: &value, type_name }, ParameterId(1), &mut rows);
        rows
    }

    #[test]
    fn every_coding_of_a_concept_with_a_code_is_a_token() {
        let concept = json!({"text": "Weight", "coding": [
            {"system": "http://loinc.org", "code": "29463-7", "display": "Body Weight"},
            {"code": "w"}, {"display": "no code"}]});
        let rows = rows("CodeableConcept", concept);
        let found: Vec<_> = rows
            .tokens
            .iter()
            .map(|r| (r.token.system.as_str(), r.token.code.as_str(), r.display.as_deref()))
            .collect();
        let weight = ("http://loinc.org", "29463-7", Some("Body Weight"));
        assert_eq!(found, [weight, ("", "w", Some("Weight"))]);
        let texts: Vec<_> = rows.code_texts.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(texts, ["no code"], "the others are displays of tokens");
    }

    #[test]
    fn identifiers_and_contact_points_are_text_rows_and_codes_have_no_system() {
        let mrn = rows("Identifier", json!({"system": "urn:mrn", "value": "7"})).identifiers;
        assert_eq!((mrn[0].system.as_str(), mrn[0].value.as_str()), ("urn:mrn", "7"));
        let phone = rows("ContactPoint", json!({"system": "phone", "value": "555"})).identifiers;
        assert_eq!((phone[0].system.as_str(), phone[0].value.as_str()), ("phone", "555"));
        let alone = rows("Identifier", json!({"system": "urn:mrn"})).identifiers;
        assert_eq!((alone[0].system.as_str(), alone[0].value.as_str()), ("urn:mrn", ""));
        assert!(rows("ContactPoint", json!({"system": "phone"})).identifiers.is_empty());
        assert_eq!(rows("string", json!("V1.É")).identifiers[0].value, "v1.é");
        assert_eq!(rows("code", json!("male")).tokens[0].token, without_system("male"));
        assert_eq!(rows("boolean", json!(true)).tokens[0].token, without_system("true"));
        assert_eq!(rows("uri", json!("urn:x")).identifiers[0].value, "urn:x");
    }
}
