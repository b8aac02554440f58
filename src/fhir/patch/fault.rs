//! The two ways a patch fails: malformed (400), or not fit for the resource (422).

use crate::error::{ErrorKind, FhirError, Issue, IssueCode, Result};
use serde_json::Value;

/// 400 at an operation.
pub(super) fn malformed(at: &str, text: impl Into<String>) -> FhirError {
    FhirError::at(IssueCode::Structure, at, text)
}

/// 400 `too-costly` at an operation.
pub(super) fn too_costly(at: &str, text: impl Into<String>) -> FhirError {
    FhirError::at(IssueCode::TooCostly, at, text)
}

/// 422 at an operation.
pub(super) fn unfit(code: IssueCode, at: &str, text: impl Into<String>) -> FhirError {
    FhirError::of_issues(ErrorKind::Unprocessable, vec![Issue::error(code, at, text)])
}

/// Levels of objects and arrays, a scalar being 0.
pub(super) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// About the bytes of its JSON.
pub(super) fn weight(value: &Value) -> usize {
    match value {
        Value::Array(items) => 8 + items.iter().map(weight).sum::<usize>(),
        Value::Object(object) => {
            8 + object.iter().map(|(name, value)| name.len() + 4 + weight(value)).sum::<usize>()
        }
        Value::String(text) => text.len() + 8,
        _ => 8,
    }
}

/// Values in a value, itself included.
pub(super) fn nodes(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nodes).sum::<usize>(),
        Value::Object(object) => 1 + object.values().map(nodes).sum::<usize>(),
        _ => 1,
    }
}

/// Nodes that the operations of one patch may visit: each may search the whole resource.
const WORK: usize = 20_000_000;

/// 400 where so many operations on a resource of so many nodes are too much work.
pub(super) fn check_work(operations: usize, nodes: usize) -> Result<()> {
    match operations.saturating_mul(nodes) > WORK {
        true => {
            let text = format!("{operations} operations are too many for so large a resource");
            Err(too_costly("", text))
        }
        false => Ok(()),
    }
}
