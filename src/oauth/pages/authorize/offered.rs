//! What a consent page offers: each scope that was asked for, and the narrower ones that a person
//! may choose in its place.

use super::super::texts::Texts;
use super::words::{self, Line};
use crate::access::Scopes;
use crate::access::smart_scope::{ResourceScope, Scope};
use crate::fhir::definitions::ResourceType;
use std::collections::HashSet;

/// A scope with a box to tick.
pub struct Offer {
    /// As it is granted, and the value of its box.
    pub scope: String,
    pub line: Line,
    pub is_ticked: bool,
    /// What may be ticked where the whole is not.
    pub parts: Vec<Part>,
}

/// A narrower scope.
pub struct Part {
    pub scope: String,
    pub text: String,
    pub is_ticked: bool,
}

/// Categories of which people may choose (US Core, SMART's granular scopes).
const CATEGORIES: [(&str, &str, &[&str]); 2] = [
    (
        "Condition",
        "http://terminology.hl7.org/CodeSystem/condition-category",
        &["encounter-diagnosis", "problem-list-item"],
    ),
    (
        "Observation",
        "http://terminology.hl7.org/CodeSystem/observation-category",
        &["laboratory", "social-history", "survey", "vital-signs"],
    ),
];
/// The same in systems of US Core.
const US_CORE: [(&str, &str, &str); 3] = [
    ("Condition", "http://hl7.org/fhir/us/core/CodeSystem/condition-category", "health-concern"),
    ("Observation", "http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "clinical-test"),
    ("Observation", "http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "sdoh"),
];
/// What a scope of all types is divided into.
const TYPES: [&str; 20] = [
    "Patient",
    "Observation",
    "Condition",
    "AllergyIntolerance",
    "MedicationRequest",
    "MedicationStatement",
    "Immunization",
    "Procedure",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Appointment",
    "CarePlan",
    "CareTeam",
    "Goal",
    "ServiceRequest",
    "Composition",
    "Coverage",
    "RelatedPerson",
    "Practitioner",
];

/// The offers of a request; `before` is what was allowed the last time, which is ticked again.
pub fn offers(scopes: &Scopes, before: Option<&Scopes>, texts: &'static Texts) -> Vec<Offer> {
    let was_allowed = |scope: &str| match before {
        Some(before) => before.iter().any(|own| own.to_string() == scope),
        None => true,
    };
    let offer = |scope: &Scope| {
        let text = scope.to_string();
        let parts = match scope {
            Scope::Resource(scope) => parts(scope, texts),
            Scope::Other(_) => Vec::new(),
        };
        let ticked =
            |part: Part| Part { is_ticked: before.is_some() && was_allowed(&part.scope), ..part };
        Offer {
            line: words::line_of(scope, texts),
            is_ticked: was_allowed(&text),
            parts: parts.into_iter().map(ticked).collect(),
            scope: text,
        }
    };
    scopes.iter().map(offer).collect()
}

/// The narrower scopes of a whole type, or of all of them.
fn parts(scope: &ResourceScope, texts: &'static Texts) -> Vec<Part> {
    let part = |scope: ResourceScope, text: String| Part {
        scope: scope.to_string(),
        text,
        is_ticked: false,
    };
    match (scope.resource_type, &scope.query) {
        (_, Some(_)) => Vec::new(),
        (Some(resource_type), None) => {
            let name = resource_type.name();
            let of_hl7 = CATEGORIES.iter().filter(|(own, ..)| *own == name);
            let of_hl7 =
                of_hl7.flat_map(|(_, system, codes)| codes.iter().map(|code| (*system, *code)));
            let of_us_core = US_CORE.iter().filter(|(own, ..)| *own == name);
            let all = of_hl7.chain(of_us_core.map(|(_, system, code)| (*system, *code)));
            all.map(|(system, code)| {
                let query = Some(format!("category={system}|{code}"));
                let narrow = ResourceScope { query, is_v1: false, ..scope.clone() };
                part(narrow, words::category(code, texts))
            })
            .collect()
        }
        (None, None) => TYPES
            .iter()
            .filter_map(|name| ResourceType::parse(name))
            .map(|resource_type| {
                let narrow = ResourceScope { resource_type: Some(resource_type), ..scope.clone() };
                part(narrow, words::type_words(resource_type, texts))
            })
            .collect(),
    }
}

/// What was ticked, as far as it was offered. A whole stands for its parts.
pub fn chosen<'a>(offers: &[Offer], ticked: impl Iterator<Item = &'a str>) -> Scopes {
    let ticked: HashSet<&str> = ticked.collect();
    let mut chosen = Vec::new();
    for offer in offers {
        match ticked.contains(offer.scope.as_str()) {
            true => chosen.push(offer.scope.as_str()),
            false => chosen.extend(
                offer
                    .parts
                    .iter()
                    .map(|part| part.scope.as_str())
                    .filter(|part| ticked.contains(part)),
            ),
        }
    }
    Scopes::parse(&chosen.join(" ")).unwrap_or_default()
}
