//! Which elements differ between two versions: guards look at what a write changes, never at how
//! it was asked for, so that PUT and every PATCH are one (SECURITY.md 2.6).

use serde_json::{Map, Value};

/// Set by the server whatever is sent.
const SERVER_SET: [&str; 2] = ["versionId", "lastUpdated"];

/// Names of the elements that differ, below the resource; those of `meta` as `meta.security`.
/// An extension of a primitive counts as the primitive. Ascending, each once.
pub fn changed(before: &Value, after: &Value) -> Vec<String> {
    let ignored = |name: &str| matches!(name, "id" | "resourceType" | "meta");
    let mut names = differing(before, after, ignored);
    let is_server_set = |name: &str| SERVER_SET.contains(&name.trim_start_matches('_'));
    let of_meta = differing(&before["meta"], &after["meta"], is_server_set);
    names.extend(of_meta.into_iter().map(|name| format!("meta.{name}")));
    names.sort_unstable();
    names.dedup();
    names
}

fn differing(before: &Value, after: &Value, is_ignored: impl Fn(&str) -> bool) -> Vec<String> {
    let empty = Map::new();
    let (before, after) =
        (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    names
        .filter(|name| !is_ignored(name) && before.get(*name) != after.get(*name))
        .map(|name| name.trim_start_matches('_').to_owned())
        .collect()
}

/// The labels of `meta.security` that `after` no longer has; a label is its system and code.
pub fn removes_labels(before: &Value, after: &Value) -> bool {
    let labels = |value: &Value| value["meta"]["security"].as_array().cloned().unwrap_or_default();
    let left = labels(after);
    let is_left = |label: &Value| {
        left.iter().any(|own| own["system"] == label["system"] && own["code"] == label["code"])
    };
    !labels(before).iter().all(is_left)
}

/// The extensions with this URL on the resource itself.
pub fn extensions<'v>(value: &'v Value, url: &str) -> Vec<&'v Value> {
    let list = value["extension"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter(|extension| extension["url"] == url).collect()
}

/// The texts of `reference` anywhere in an element.
pub fn references(element: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = vec![element];
    while let Some(value) = rest.pop() {
        match value {
            Value::Array(items) => rest.extend(items),
            Value::Object(object) => {
                found.extend(object.get("reference").and_then(Value::as_str));
                rest.extend(object.values());
            }
            _ => {}
        }
    }
    found
}

/// The codes of a CodeableConcept, each `system|code`.
pub fn codes(concept: &Value) -> Vec<String> {
    let list = concept["coding"].as_array().map(Vec::as_slice).unwrap_or_default();
    let code = |coding: &Value| {
        Some(format!(
            "{}|{}",
            coding["system"].as_str().unwrap_or_default(),
            coding["code"].as_str()?
        ))
    };
    list.iter().filter_map(code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_named_and_what_the_server_sets_is_not() {
        let before = json!({"resourceType": "Patient", "id": "a", "gender": "female",
            "meta": {"versionId": "1", "tag": [{"code": "x"}]}, "birthDate": "1990-01-01"});
        let after = json!({"resourceType": "Patient", "id": "b", "gender": "female",
            "meta": {"versionId": "2", "security": [{"code": "R"}]},
            "birthDate": "1990-01-01", "_birthDate": {"id": "x"}, "active": true});
        assert_eq!(changed(&before, &after), ["active", "birthDate", "meta.security", "meta.tag"]);
        assert!(removes_labels(&after, &before) && !removes_labels(&before, &after));
    }

    #[test]
    fn references_are_found_wherever_they_stand() {
        let element = json!([{"actor": {"reference": "Practitioner/a"}}, {"reference": "b"}]);
        let mut found = references(&element);
        found.sort_unstable();
        assert_eq!(found, ["Practitioner/a", "b"]);
    }
}
