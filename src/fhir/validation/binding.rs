//! Required bindings of Coding and CodeableConcept (terminologies.html#required), for value
//! sets that R4 ships whole.

use super::path::Path;
use super::walk::Walker;
use crate::error::IssueCode;
use crate::fhir::definitions::ValueSet;
use crate::fhir::json::shown;
use serde_json::{Map, Value};

impl Walker<'_> {
    /// A Coding has a system and a code of the value set.
    pub(super) fn coding_binding(
        &mut self,
        coding: &Map<String, Value>,
        set: &'static ValueSet,
        path: &Path,
    ) {
        if !is_member(coding, set) {
            let text =
                format!("{} is not in the required value set {}", described(coding), set.url);
            self.issue(IssueCode::CodeInvalid, path, text);
        }
    }

    /// At least one coding of a CodeableConcept is of the value set.
    pub(super) fn concept_binding(
        &mut self,
        concept: &Map<String, Value>,
        set: &'static ValueSet,
        path: &Path,
    ) {
        let codings = concept.get("coding").and_then(Value::as_array);
        let mut codings = codings.into_iter().flatten().filter_map(Value::as_object);
        if !codings.any(|coding| is_member(coding, set)) {
            let text = format!("No coding is of the required value set {}", set.url);
            self.issue(IssueCode::CodeInvalid, path, text);
        }
    }
}

fn text<'a>(coding: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    coding.get(name).and_then(Value::as_str)
}

fn is_member(coding: &Map<String, Value>, set: &ValueSet) -> bool {
    match (text(coding, "system"), text(coding, "code")) {
        (Some(system), Some(code)) => set.has_coding(system, code),
        _ => false,
    }
}

fn described(coding: &Map<String, Value>) -> String {
    match (text(coding, "system"), text(coding, "code")) {
        (Some(system), Some(code)) => format!("'{}|{}'", shown(system), shown(code)),
        (None, Some(code)) => format!("'{}' without a system", shown(code)),
        (_, None) => "A Coding without a code".to_owned(),
    }
}
