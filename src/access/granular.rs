//! Scopes with search parameters (SMART App Launch 2.2, "Finer-grained resource constraints using
//! search parameters"): `patient/Observation.rs?category=...|laboratory`. They are about coded
//! values, which a row has as keys. A scope with anything else gives nothing.

use super::smart_scope::{Letters, Level, ResourceScope};
use crate::fhir::definitions::{Definitions, ResourceType};
use crate::search::{ParameterId, r4_lead, r4_parameter};

/// What a row must have: one code of each of the parameters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coded(pub Vec<AnyCode>);

/// One of these codes by a parameter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnyCode {
    pub parameter: ParameterId,
    /// The type whose rows such a code may lead.
    pub leads: Option<ResourceType>,
    /// Systems, None for any, with their codes.
    pub codes: Vec<(Option<String>, String)>,
}

/// A scope whose query is understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Granular {
    pub level: Level,
    pub resource_type: ResourceType,
    pub letters: Letters,
    pub coded: Coded,
}

impl Granular {
    /// None for a scope without a query, and for one whose query is about anything but codes.
    pub fn of(scope: &ResourceScope) -> Option<Granular> {
        let (query, resource_type) = (scope.query.as_ref()?, scope.resource_type?);
        let coded = query.split('&').map(|pair| {
            let (name, value) = pair.split_once('=')?;
            any_code(resource_type, name, value)
        });
        let coded = Coded(coded.collect::<Option<Vec<AnyCode>>>()?);
        Some(Granular { level: scope.level, resource_type, letters: scope.letters, coded })
    }
}

fn any_code(kind: ResourceType, name: &str, value: &str) -> Option<AnyCode> {
    let parameter = r4_parameter(kind, name)?;
    let place = usize::try_from(parameter.0).ok()?.checked_sub(1)?;
    let is_token = Definitions::r4().search_parameters().get(place)?.kind == "token";
    // What is escaped is no code that this server knows.
    if !is_token || value.contains('\\') {
        return None;
    }
    let code = |text: &str| match text.split_once('|') {
        Some((_, "")) | None if text.is_empty() || text.ends_with('|') => None,
        Some((system, code)) => Some((Some(system.to_owned()), code.to_owned())),
        None => Some((None, text.to_owned())),
    };
    let codes = value.split(',').map(code).collect::<Option<Vec<_>>>()?;
    let leads = (r4_lead(kind) == Some(name)).then_some(kind);
    Some(AnyCode { parameter, leads, codes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Granular> {
        Granular::of(&ResourceScope::parse(text).unwrap())
    }

    #[test]
    fn a_query_of_codes_is_understood() {
        let scope = "patient/Observation.rs?category=http://c|lab,vital-signs&code=http://l|1";
        let Coded(all) = parsed(scope).unwrap().coded;
        let lab = (Some("http://c".to_owned()), "lab".to_owned());
        assert_eq!(all[0].codes, [lab, (None, "vital-signs".to_owned())]);
        assert_eq!((all[0].leads, all.len()), (None, 2));
        assert_eq!(all[1].leads, ResourceType::parse("Observation"));
    }

    #[test]
    fn a_query_of_anything_else_gives_nothing() {
        for wrong in [
            "patient/Observation.rs",
            "patient/*.rs?category=lab",
            "patient/Observation.rs?date=2020",
            "patient/Observation.rs?category:not=lab",
            "patient/Observation.rs?category=lab&date=2020",
            "patient/Observation.rs?category=http://c|",
            "patient/Observation.rs?category=",
            "patient/Observation.rs?category=a,",
            "patient/Observation.rs?nope=a",
            "patient/Observation.rs?category",
            "patient/Observation.rs?subject:Patient.name=a",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
