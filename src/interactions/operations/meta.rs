//! `$meta`, `$meta-add` and `$meta-delete`:
//! <https://hl7.org/fhir/R4/resource-operation-meta.html>,
//! <https://hl7.org/fhir/R4/resource-operation-meta-add.html>,
//! <https://hl7.org/fhir/R4/resource-operation-meta-delete.html>.
//!
//! R4 leaves it to servers whether a change of metadata alone makes a version. Here it does: the
//! history tells when a label came and went, and nobody's copy of a version is wrong. A change
//! that changes nothing makes none, and is no error.

use super::super::context::Context;
use super::super::outcome::{Content, Outcome};
use super::super::patch::{self, current};
use super::super::read as reads;
use super::super::update::check_guard;
use super::super::write::draft::{Found, Step};
use crate::access::Permit;
use crate::config::Settings;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::{Operation, OperationScope, Unless, WriteGuard};
use crate::fhir::json;
use crate::fhir::meta::{MetaChange, MetaEdit};
use crate::fhir::validation;
use crate::storage::{Connection, Labels};
use serde_json::{Map, Value, json};

const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// `$meta`: of an instance or a version its own `meta`; of a type or the system every profile,
/// security label and tag that a live resource has.
pub async fn read(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    operation: &Operation,
) -> Result<Outcome> {
    input(context, operation, &[])?;
    let of = match &operation.scope {
        OperationScope::Instance(key) => {
            let wanted = (key, &Unless::default());
            return answer(reads::read(context, connection, permit, wanted).await?);
        }
        OperationScope::Version(key, version) => {
            let wanted = (key, version, &Unless::default());
            return answer(reads::vread(context, connection, permit, wanted).await?);
        }
        OperationScope::Type(resource_type) => Some(*resource_type),
        OperationScope::System => None,
    };
    permit.check_shows(false)?;
    let tag = of
        .or_else(|| ResourceType::all().next())
        .and_then(|resource_type| context.registry.parameter(resource_type, "_tag"))
        .ok_or_else(|| FhirError::internal("there is no search parameter _tag"))?;
    let labels = context.store.labels(connection, permit, (of, tag.id)).await?;
    Ok(Outcome::ok(returned(summary(labels))).of_read())
}

/// The change that `$meta-add` or `$meta-delete` asks for. 400 where there is not one `meta`.
pub fn edit(context: &Context, operation: &Operation, change: MetaChange) -> Result<MetaEdit> {
    let given = input(context, operation, &["meta"])?;
    let [parameter] = given else {
        let text = format!("${} takes one parameter 'meta'", operation.row.name);
        return Err(FhirError::at(IssueCode::Required, "Parameters.parameter", text));
    };
    match parameter.get("valueMeta") {
        Some(meta) => Ok(MetaEdit { change, meta: meta.clone() }),
        None => {
            let text = "The parameter 'meta' is a Meta: valueMeta";
            Err(FhirError::at(IssueCode::Value, "Parameters.parameter[0].value", text))
        }
    }
}

/// The parameters of the body. 400 for others than these, and for a body that is no Parameters.
pub(super) fn input<'o>(
    context: &Context,
    operation: &'o Operation,
    known: &[&str],
) -> Result<&'o [Value]> {
    let unknown = |place: String, name: &str| {
        let text = format!("${} has no parameter '{name}'", operation.row.name);
        Err(FhirError::at(IssueCode::NotSupported, place, text))
    };
    if let Some((name, _)) = operation.parameters.first() {
        return unknown(format!("http.{name}"), name);
    }
    let Some(body) = &operation.body else { return Ok(&[]) };
    if body.resource_type().name() != "Parameters" {
        let text = format!("The body is a Parameters, not a {}", body.resource_type());
        return Err(FhirError::at(IssueCode::Invalid, "resourceType", text));
    }
    validation::validate(body.value(), &context.settings.limits)
        .map_err(|issues| FhirError::of_issues(ErrorKind::BadRequest, issues))?;
    let given = body.value()["parameter"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (index, parameter) in given.iter().enumerate() {
        let name = parameter["name"].as_str().unwrap_or_default();
        if !known.contains(&name) {
            return unknown(format!("Parameters.parameter[{index}].name"), name);
        }
    }
    Ok(given)
}

/// A version with the metadata changed; nothing where that changes nothing. `what` names the
/// resource in an error.
pub fn prepare(
    what: &str,
    edit: &MetaEdit,
    found: (Found, &WriteGuard),
    settings: &Settings,
) -> Result<Step<'static>> {
    let (found, guard) = found;
    let stored = current(what, found)?;
    check_guard(guard, Some(&stored))?;
    let before: Value = json::read_stored(&stored.body)?;
    let mut after = before.clone();
    edit.apply(&mut after);
    patch::validated(stored, &before, after, settings)
}

/// The answer about one version: its `meta`.
pub fn answer(outcome: Outcome) -> Result<Outcome> {
    let mut resource = match outcome.content {
        Content::Json(json) => json::read_stored(&json)?,
        Content::Value(value) => value,
        Content::None => return Err(FhirError::internal("a version without content")),
    };
    Ok(Outcome::ok(returned(resource["meta"].take())).of_read())
}

/// A Parameters with the out parameter `return`.
fn returned(meta: Value) -> Content {
    Content::Value(json!({
        "resourceType": "Parameters",
        "parameter": [{"name": "return", "valueMeta": meta}]
    }))
}

fn summary(labels: Labels) -> Value {
    let codings =
        |codings: Vec<(String, String)>| -> Value { codings.into_iter().map(coding).collect() };
    let lists: [(&str, Value); 3] = [
        ("profile", labels.profiles.into()),
        ("security", codings(labels.security)),
        ("tag", codings(labels.tags)),
    ];
    let is_empty = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
    let meta: Map<String, Value> = lists
        .into_iter()
        .filter(|(_, list)| !is_empty(list))
        .map(|(name, list)| (name.to_owned(), list))
        .collect();
    match meta.is_empty() {
        false => Value::Object(meta),
        // An element without content is none (ele-1), and `return` is needed.
        true => json!({"extension": [{"url": ABSENT, "valueCode": "not-applicable"}]}),
    }
}

fn coding((system, code): (String, String)) -> Value {
    let mut coding = Map::new();
    if !system.is_empty() {
        coding.insert("system".to_owned(), system.into());
    }
    if !code.is_empty() {
        coding.insert("code".to_owned(), code.into());
    }
    Value::Object(coding)
}
