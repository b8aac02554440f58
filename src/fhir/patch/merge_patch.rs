//! JSON Merge Patch: <https://www.rfc-editor.org/rfc/rfc7396>. The order of properties that
//! stay is kept.

use super::fault::{depth, malformed, too_costly};
use crate::error::Result;
use crate::limits::Limits;
use serde_json::{Map, Value};

/// 400 where the patch is no object: it would replace the whole resource.
pub(super) fn apply(patch: &Value, resource: &Value, limits: &Limits) -> Result<Value> {
    if !patch.is_object() {
        return Err(malformed("", "A merge patch is a JSON object"));
    }
    if depth(patch) > limits.depth {
        return Err(too_costly("", format!("Nested deeper than {}", limits.depth)));
    }
    let mut patched = resource.clone();
    merge(&mut patched, patch);
    Ok(patched)
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        match value {
            Value::Null => drop(target.shift_remove(name)),
            value => merge(target.entry(name.as_str()).or_insert(Value::Null), value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Appendix A of the RFC.
    #[test]
    fn the_examples_of_the_rfc_hold() {
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (target, patch, expected) in cases {
            assert_eq!(apply(&patch, &target, &Limits::default()).unwrap(), expected);
        }
        assert!(apply(&json!(["c"]), &json!({"a": "b"}), &Limits::default()).is_err());
    }

    #[test]
    fn the_order_of_what_stays_is_kept() {
        let target = json!({"a": 1, "b": 2, "c": 3, "d": 4});
        let patched = apply(&json!({"b": null}), &target, &Limits::default()).unwrap();
        assert_eq!(patched.to_string(), r#"{"a":1,"c":3,"d":4}"#);
    }
}
