//! URIs and canonicals: <https://hl7.org/fhir/R4/search.html#uri>. Equal letter for letter.

use super::Node;
use super::text::key;
use crate::search::index_rows::{ParameterId, UriRow};

/// Adds the rows of one uri, url, oid, uuid or canonical. A canonical with a version is also
/// found without it (references.html#canonical).
pub fn index(node: Node<'_>, parameter: ParameterId, rows: &mut Vec<UriRow>) {
    let Some(text) = node.value.as_str().filter(|text| !text.is_empty()) else { return };
    add(text, parameter, rows);
    if node.type_name == "canonical"
        && let Some((url, _)) = text.split_once('|')
    {
        add(url, parameter, rows);
    }
}

pub(super) fn add(text: &str, parameter: ParameterId, rows: &mut Vec<UriRow>) {
    rows.push(UriRow { parameter, value: key(text) });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_canonical_is_found_with_and_without_its_version() {
        let (value, mut rows) = (json!("http://a/q|1.0"), Vec::new());
        index(Node { value: &value, type_name: "canonical" }, ParameterId(1), &mut rows);
        let found: Vec<_> = rows.iter().map(|row| row.value.as_str()).collect();
        assert_eq!(found, ["http://a/q|1.0", "http://a/q"]);
    }
}
