//! What a name that R4 does not have was probably meant to be.

use super::plan::{Plan, TypePlan};
use crate::fhir::json::shown;

/// For a property that the type does not have.
pub(super) fn unknown(name: &str, plan: &TypePlan) -> String {
    let text = format!("'{}' is no element of {}", shown(name), plan.name);
    if let Some(choice) = plan.elements.iter().find(|e| e.is_choice && e.name == name) {
        let names: Vec<_> = choice.types.iter().take(5).map(|kind| kind.json_name).collect();
        return format!("{text}: {name}[x] is written with its type, such as {}", names.join(", "));
    }
    match nearest(name, plan.property_names()) {
        Some(near) => format!("{text}; did you mean '{near}'?"),
        None => text,
    }
}

/// For a `resourceType` that R4 does not have.
pub(super) fn unknown_resource(name: &str, plan: &Plan) -> String {
    let text = format!("'{}' is not a resource type of R4", shown(name));
    match nearest(name, plan.resource_names()) {
        Some(near) => format!("{text}; did you mean '{near}'?"),
        None => text,
    }
}

/// The known name that is fewest edits away, three at most and under half of the name.
fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let bound = (name.len() / 2).min(3);
    if name.len() > 64 {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let near = known.map(|known| (distance(&lower, &known.to_ascii_lowercase()), known));
    near.filter(|(edits, _)| *edits <= bound).min().map(|(_, known)| known)
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let patient = Plan::r4().resource("Patient").unwrap();
        assert!(unknown("birthdate", patient).ends_with("did you mean 'birthDate'?"));
        assert!(unknown("contcat", patient).ends_with("did you mean 'contact'?"));
        assert!(unknown("zzzzzz", patient).ends_with("is no element of Patient"));
        assert!(unknown("deceased", patient).contains("deceasedBoolean"));
        assert!(unknown_resource("Pateint", Plan::r4()).ends_with("did you mean 'Patient'?"));
    }
}
