//! References: <https://hl7.org/fhir/R4/search.html#reference>. A reference to a resource of
//! this server is a key, one to a contained resource its id; any other (another server, urn:uuid,
//! canonical) is text. A Reference with an identifier is also found by `:identifier`.

use super::text::{key, unescape};
use super::{IndexSettings, Node, token, uri};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Id, ResourceKey};
use crate::search::index_rows::{FragmentRow, IndexRows, ParameterId, ReferenceRow};
use serde_json::Value;

/// What a search value points at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReferenceTest {
    /// Resources of this server; several where the value is an id alone.
    Local(Vec<ResourceKey>),
    Elsewhere(String),
}

/// The local resource that a reference or URL names, without its version.
pub fn local(text: &str, base_url: &str) -> Option<ResourceKey> {
    let relative = match text.strip_prefix(base_url).and_then(|rest| rest.strip_prefix('/')) {
        Some(relative) => relative,
        None => text,
    };
    ResourceKey::parse_versioned(relative)
}

/// The version that such a text names.
fn version(text: &str) -> Option<i64> {
    text.rsplit_once("/_history/").and_then(|(_, version)| version.parse().ok())
}

/// Adds the rows of one Reference, canonical or uri; `targets` are the types that the
/// parameter allows, empty for any.
pub fn index(
    node: Node<'_>,
    parameter: ParameterId,
    settings: &IndexSettings,
    rows: &mut IndexRows,
) {
    let literal = match node.value {
        Value::String(_) => return index_text(node, parameter, settings, rows),
        _ => node.text("reference").filter(|text| !text.is_empty()),
    };
    match literal.map(|text| (text.strip_prefix('#'), text)) {
        Some((Some(id), _)) => {
            rows.fragments.push(FragmentRow { parameter, id: id.to_owned(), place: None });
        }
        Some((None, text)) => match local(text, &settings.base_url) {
            Some(target) => {
                let version = version(text);
                rows.references.push(ReferenceRow { parameter, target, version });
            }
            None => uri::add(text, parameter, &mut rows.uris),
        },
        None => {}
    }
    if let Some(identifier) = node.value.get("identifier") {
        let identifier = Node { value: identifier, type_name: "Identifier" };
        rows.identifiers.extend(token::identifier(identifier, parameter));
    }
}

/// A canonical or uri: a text, and a key too where it names a resource of this server.
fn index_text(
    node: Node<'_>,
    parameter: ParameterId,
    settings: &IndexSettings,
    rows: &mut IndexRows,
) {
    uri::index(node, parameter, &mut rows.uris);
    let Some(text) = node.value.as_str() else { return };
    if let Some(target) = local(text, &settings.base_url) {
        rows.references.push(ReferenceRow { parameter, target, version: version(text) });
    }
}

impl ReferenceTest {
    /// Reads `id`, `Type/id` or a URL. `types` are the target types that an id alone may have.
    pub fn parse(
        text: &str,
        types: &[ResourceType],
        base_url: &str,
    ) -> Result<ReferenceTest, &'static str> {
        let text = unescape(text);
        if text.is_empty() {
            return Err("a reference is id, Type/id or a URL");
        }
        if let Some(key) = local(&text, base_url) {
            return Ok(ReferenceTest::Local(vec![key]));
        }
        match Id::parse(&text) {
            Some(id) => {
                let keys = types.iter().map(|kind| ResourceKey::new(*kind, id.clone()));
                Ok(ReferenceTest::Local(keys.collect()))
            }
            None if text.contains(':') => Ok(ReferenceTest::Elsewhere(key(&text))),
            None => Err("a reference is id, Type/id or a URL"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::FixedOffset;
    use serde_json::json;

    const BASE: &str = "http://localhost/fhir";

    fn rows(type_name: &'static str, value: Value) -> IndexRows {
        let settings = IndexSettings {
            zone: FixedOffset::east_opt(0).unwrap(),
            base_url: BASE.to_owned(),
            indexes_content: false,
            link_days: Default::default(),
        };
        let mut rows = IndexRows::default();
        index(Node { value: &value, type_name }, ParameterId(1), &settings, &mut rows);
        rows
    }

    #[test]
    fn local_references_are_keys_and_others_are_texts() {
        for text in ["Patient/1", "http://localhost/fhir/Patient/1", "Patient/1/_history/3"] {
            let rows = rows("Reference", json!({ "reference": text }));
            assert_eq!(rows.references[0].target, ResourceKey::parse("Patient/1").unwrap());
            assert!(rows.uris.is_empty());
        }
        for text in ["http://other/fhir/Patient/1", "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"]
        {
            let rows = rows("Reference", json!({ "reference": text }));
            assert!(rows.references.is_empty());
            assert_eq!(rows.uris[0].value, text);
        }
        let within = rows("Reference", json!({"reference": "#a"})).fragments;
        let parameter = ParameterId(1);
        assert_eq!(within, [FragmentRow { parameter, id: "a".to_owned(), place: None }]);
        let logical = json!({"identifier": {"system": "s", "value": "v"}});
        assert_eq!(rows("Reference", logical).identifiers[0].value, "v");
    }

    #[test]
    fn an_id_alone_may_be_of_every_target_type() {
        let types =
            [ResourceType::parse("Group").unwrap(), ResourceType::parse("Patient").unwrap()];
        let parse = |text| ReferenceTest::parse(text, &types, BASE);
        let keys = |texts: &[&str]| {
            let keys = texts.iter().map(|text| ResourceKey::parse(text).unwrap());
            Ok(ReferenceTest::Local(keys.collect()))
        };
        assert_eq!(parse("23"), keys(&["Group/23", "Patient/23"]));
        assert_eq!(parse("Patient/23"), keys(&["Patient/23"]));
        assert_eq!(parse("http://localhost/fhir/Patient/23"), keys(&["Patient/23"]));
        let other = "http://other/fhir/Patient/23";
        assert_eq!(parse(other), Ok(ReferenceTest::Elsewhere(other.into())));
        assert!(parse("").is_err() && parse("a b").is_err());
    }
}
