//! JSON Patch: <https://www.rfc-editor.org/rfc/rfc6902>, by the `json-patch` crate. Removals
//! are made here, so that the order of the other properties is kept, and tests, so that
//! numbers are compared by their value without rounding (section 4.6).

use super::fault::{depth, malformed, too_costly, unfit, weight};
use crate::error::{FhirError, IssueCode, Result};
use crate::limits::Limits;
use json_patch::jsonptr::{Pointer, PointerBuf};
use json_patch::{AddOperation, CopyOperation, PatchErrorKind, PatchOperation, ReplaceOperation};
use serde_json::Value;

/// An operation, well-formed.
struct Operation<'p> {
    name: &'p str,
    path: PointerBuf,
    from: PointerBuf,
    value: &'p Value,
    /// `operation[2]`
    at: String,
}

/// 400 where the patch is not an array of well-formed operations; 422 at the first that fails.
pub(super) fn apply(patch: &Value, resource: &Value, limits: &Limits) -> Result<Value> {
    let Value::Array(operations) = patch else {
        return Err(malformed("", "A JSON Patch is an array of operations"));
    };
    if operations.len() > limits.patch_operations {
        let text = format!("More than {} operations", limits.patch_operations);
        return Err(too_costly("", text));
    }
    let operations = operations.iter().enumerate();
    let operations: Vec<_> = operations.map(parse).collect::<Result<_>>()?;
    let mut patched = resource.clone();
    let mut copied = 0;
    for operation in &operations {
        if operation.name == "copy" {
            copied += operation.from.resolve(&patched).map_or(0, weight);
        }
        if copied > limits.body_bytes {
            let text = format!("Copies of more than {} bytes", limits.body_bytes);
            return Err(too_costly(&operation.at, text));
        }
        step(operation, &mut patched, limits)?;
    }
    Ok(patched)
}

fn parse((index, operation): (usize, &Value)) -> Result<Operation<'_>> {
    let at = format!("operation[{index}]");
    let text = |name: &str| match operation.get(name) {
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(malformed(&at, format!("'{name}' is a string"))),
        None => Err(malformed(&at, format!("'{name}' is missing"))),
    };
    let pointer = |name: &str| {
        let text = text(name)?;
        PointerBuf::parse(text).map_err(|_| {
            malformed(&at, format!("'{name}' is '{text}', not a JSON Pointer such as '/name/0'"))
        })
    };
    let name = text("op")?;
    if !matches!(name, "add" | "remove" | "replace" | "move" | "copy" | "test") {
        return Err(malformed(&at, format!("'{name}' is not an operation of JSON Patch")));
    }
    let path = pointer("path")?;
    let from = match name {
        "move" | "copy" => pointer("from")?,
        _ => PointerBuf::default(),
    };
    let value = match name {
        "add" | "replace" | "test" => {
            operation.get("value").ok_or_else(|| malformed(&at, "'value' is missing"))?
        }
        _ => &Value::Null,
    };
    Ok(Operation { name, path, from, value, at })
}

fn step(operation: &Operation<'_>, target: &mut Value, limits: &Limits) -> Result<()> {
    let path = &operation.path;
    match operation.name {
        "test" => test(operation, target),
        "remove" => remove(target, path).map(drop).ok_or_else(|| nowhere(operation, path)),
        "move" => {
            let is_inside = path.starts_with(&operation.from) && *path != operation.from;
            if is_inside {
                let text = "A value cannot move into itself";
                return Err(unfit(IssueCode::Value, &operation.at, text));
            }
            let value = remove(target, &operation.from)
                .ok_or_else(|| nowhere(operation, &operation.from))?;
            check_depth(operation, &value, limits)?;
            put(operation, target, PatchOperation::Add(AddOperation { path: path.clone(), value }))
        }
        "copy" => {
            let value = operation.from.resolve(target).unwrap_or(&Value::Null);
            check_depth(operation, value, limits)?;
            let (path, from) = (path.clone(), operation.from.clone());
            put(operation, target, PatchOperation::Copy(CopyOperation { path, from }))
        }
        name => {
            check_depth(operation, operation.value, limits)?;
            let (path, value) = (path.clone(), operation.value.clone());
            put(
                operation,
                target,
                match name {
                    "add" => PatchOperation::Add(AddOperation { path, value }),
                    _ => PatchOperation::Replace(ReplaceOperation { path, value }),
                },
            )
        }
    }
}

fn put(operation: &Operation<'_>, target: &mut Value, step: PatchOperation) -> Result<()> {
    json_patch::patch_unsafe(target, &[step]).map_err(|error| match error.kind {
        PatchErrorKind::InvalidFromPointer => nowhere(operation, &operation.from),
        _ => nowhere(operation, &operation.path),
    })
}

fn check_depth(operation: &Operation<'_>, value: &Value, limits: &Limits) -> Result<()> {
    let depth = operation.path.tokens().count() + depth(value);
    match depth > limits.depth {
        true => Err(too_costly(&operation.at, format!("Nested deeper than {}", limits.depth))),
        false => Ok(()),
    }
}

fn nowhere(operation: &Operation<'_>, path: &Pointer) -> FhirError {
    let text = format!("{}: there is nothing at '{path}'", operation.name);
    unfit(IssueCode::NotFound, &operation.at, text)
}

/// Takes a value out; None where there is none, or it is the whole document.
fn remove(target: &mut Value, path: &Pointer) -> Option<Value> {
    let (parent, last) = path.split_back()?;
    match target.pointer_mut(parent.as_str())? {
        Value::Object(object) => object.shift_remove(last.decoded().as_ref()),
        Value::Array(items) => {
            let index = last.to_index().ok()?.for_len(items.len()).ok()?;
            Some(items.remove(index))
        }
        _ => None,
    }
}

fn test(operation: &Operation<'_>, target: &Value) -> Result<()> {
    let path = &operation.path;
    let found = target.pointer(path.as_str()).ok_or_else(|| nowhere(operation, path))?;
    match is_equal(found, operation.value) {
        true => Ok(()),
        false => {
            let text = format!("test: the value at '{path}' is not the one expected");
            Err(unfit(IssueCode::Conflict, &operation.at, text))
        }
    }
}

fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || exact(&a.to_string()).is_some_and(|a| exact(&b.to_string()) == Some(a))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let is_in_b =
                |(name, a): (&String, &Value)| b.get(name).is_some_and(|b| is_equal(a, b));
            a.len() == b.len() && a.iter().all(is_in_b)
        }
        _ => a == b,
    }
}

/// Sign, significant digits and exponent: equal for equal numbers. None where the exponent is
/// beyond counting.
fn exact(number: &str) -> Option<(bool, String, i64)> {
    let unsigned = number.strip_prefix('-').unwrap_or(number);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let zeros = (digits.len() - significant.len()) as i64;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some((false, String::new(), 0));
    }
    let exponent: i64 = exponent.parse().ok()?;
    let exponent = exponent.checked_sub(fraction.len() as i64)?.checked_add(zeros)?;
    Some((number.starts_with('-'), significant.to_owned(), exponent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(target: &str, patch: &str) -> Result<String> {
        let (target, patch) = (serde_json::from_str(target), serde_json::from_str(patch));
        let patched = apply(&patch.unwrap(), &target.unwrap(), &Limits::default());
        patched.map(|value| value.to_string())
    }

    #[test]
    fn numbers_are_compared_by_value_and_not_rounded() {
        let target = r#"{"a": 1.10, "b": 100000000000000000000.5}"#;
        let test = |path: &str, number: &str| {
            patched(target, &format!(r#"[{{"op":"test","path":"{path}","value":{number}}}]"#))
        };
        assert!(test("/a", "1.1").is_ok() && test("/a", "11e-1").is_ok());
        assert!(test("/a", "1.100000000000000000000000001").is_err());
        assert!(test("/a", "-1.1").is_err() && test("/a", "\"1.1\"").is_err());
        assert!(test("/b", "100000000000000000000.5").is_ok());
        assert!(test("/b", "100000000000000000000.6").is_err());
        assert!(test("/a", "1e99999999999999999999").is_err());
    }

    #[test]
    fn the_order_of_what_stays_is_kept() {
        let target = r#"{"a":1,"b":2,"c":3,"d":4}"#;
        let remove = r#"[{"op":"remove","path":"/a"},{"op":"move","from":"/b","path":"/e"}]"#;
        assert_eq!(patched(target, remove).unwrap(), r#"{"c":3,"d":4,"e":2}"#);
    }

    #[test]
    fn a_failing_operation_is_named_with_its_index() {
        let add = r#"{"op":"add","path":"/a","value":1}"#;
        let at = |operation: &str| {
            let error = patched("{}", &format!("[{add},{operation}]")).unwrap_err();
            (error.kind.status(), error.issues[0].expression.clone())
        };
        let second = "operation[1]".to_owned();
        assert_eq!(at(r#"{"op":"test","path":"/a","value":2}"#), (422, second.clone()));
        assert_eq!(at(r#"{"op":"remove","path":"/b"}"#), (422, second.clone()));
        assert_eq!(at(r#"{"op":"move","from":"/b","path":"/c"}"#), (422, second.clone()));
        assert_eq!(at(r#"{"op":"move","from":"/a","path":"/a/b"}"#), (422, second.clone()));
        for malformed in [
            r#"{"op":"spam","path":"/a"}"#,
            r#"{"path":"/a"}"#,
            r#"{"op":"add","path":"/a"}"#,
            r#"{"op":"add","path":"a","value":1}"#,
            r#"{"op":"add","path":"/~2","value":1}"#,
            r#"{"op":"copy","path":"/a"}"#,
            "1",
        ] {
            assert_eq!(at(malformed), (400, second.clone()), "{malformed}");
        }
        assert_eq!(patched("{}", "{}").unwrap_err().kind.status(), 400);
    }

    #[test]
    fn copies_cannot_grow_without_bound() {
        let copy = json!({"op": "copy", "from": "/a", "path": "/a/-"});
        let target = json!({"a": ["x".repeat(1000)]});
        let copies = |n: usize| Value::Array(vec![copy.clone(); n]);
        let error = apply(&copies(60), &target, &Limits::default()).unwrap_err();
        assert_eq!(error.kind.status(), 400);
        let error = apply(&copies(2_000), &target, &Limits::default()).unwrap_err();
        assert_eq!(error.issues[0].code, IssueCode::TooCostly);
    }
}
