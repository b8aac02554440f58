//! `_sort=key,-key`: <https://hl7.org/fhir/R4/search.html#sort>.

use super::link::{Place, split};
use super::{NOT_OFFERED, Refusal, expression, not_supported, wrong_value};
use crate::error::FhirError;
use crate::fhir::definitions::ResourceType;
use crate::search::plan::{Clause, Plan, Predicate};
use crate::search::registry::{Kind, SearchParameter};
use crate::search::sort::{Sort, SortKey};
use crate::search::value::TokenStore;

const NAME: &str = "_sort";

/// Gives the key `near` its places: those of the first criterion of that name. Where there is one
/// and the client gave no order, the nearest come first. 400 for the key without a criterion.
pub fn add_places(plan: &mut Plan) -> Result<(), Refusal> {
    let places = |clause: &Clause| {
        let test = |predicate: &Predicate| match predicate {
            Predicate::Near { parameter, test } => Some((*parameter, test.clone())),
            _ => None,
        };
        let tests: Vec<_> = clause.alternatives.iter().map(test).collect::<Option<_>>()?;
        let (parameter, _) = tests.first()?;
        Some((*parameter, tests.iter().map(|(_, test)| test.clone()).collect::<Vec<_>>()))
    };
    let found = plan.clauses.iter().find_map(places);
    let Some((parameter, places)) = found else {
        return match plan.sort.iter().any(|sort| matches!(sort.key, SortKey::Near { .. })) {
            true => {
                Err(wrong_value(NAME, "near", "it needs a criterion near that says from where"))
            }
            false => Ok(()),
        };
    };
    if plan.sort.is_empty() {
        let key = SortKey::Near { parameter, tests: Vec::new() };
        plan.sort = vec![Sort { key, is_descending: false }];
    }
    for sort in &mut plan.sort {
        if let SortKey::Near { tests, .. } = &mut sort.key {
            *tests = places.clone();
        }
    }
    Ok(())
}

impl Place<'_> {
    /// The keys, in order of precedence.
    pub fn sort(&self, value: &str) -> Result<Vec<Sort>, Refusal> {
        let most = self.planner.limits.sort_keys;
        let mut codes: Vec<&str> = Vec::new();
        let mut keys = Vec::new();
        for item in value.split(',') {
            let (code, is_descending) = match item.strip_prefix('-') {
                Some(code) => (code, true),
                None => (item, false),
            };
            if code.is_empty() {
                let expected = "it is search parameters with commas between them, each after - \
                                where it descends";
                return Err(wrong_value(NAME, value, expected));
            }
            if codes.contains(&code) {
                let text = format!("{code} is a key of this order already");
                return Err(Refusal::Value(FhirError::invalid_value(expression(NAME), text)));
            }
            if keys.len() == most {
                let text = format!("_sort has at most {most} keys");
                return Err(Refusal::Value(FhirError::too_costly(text)));
            }
            codes.push(code);
            keys.push(self.sort_key(code, is_descending)?);
        }
        Ok(keys)
    }

    fn sort_key(&self, code: &str, is_descending: bool) -> Result<Sort, Refusal> {
        let is_offered = !NOT_OFFERED.contains(&code);
        if let (base, Some(_)) = split(code) {
            let text = format!("_sort takes no modifiers: {base} alone, after - descending");
            return Err(not_supported(NAME, text));
        }
        let parameter = is_offered.then(|| self.parameter(code)).transpose()?;
        let key = parameter.and_then(|parameter| self.key_of(parameter, is_descending));
        let kind = parameter.map_or(Kind::Special, |parameter| parameter.kind);
        let key = key.ok_or_else(|| {
            let kind = kind.as_str();
            let text = format!("{code} is of type {kind}, by which nothing is sorted");
            not_supported(NAME, text)
        })?;
        Ok(Sort { key, is_descending })
    }

    /// None for what has no order.
    fn key_of(&self, parameter: &SearchParameter, is_descending: bool) -> Option<SortKey> {
        let id = parameter.id;
        Some(match parameter.kind {
            _ if parameter.code == "_id" => SortKey::Id,
            _ if parameter.code == "_lastUpdated" => SortKey::LastUpdated,
            Kind::Date => {
                let main = self.planner.main_types(self.types, id);
                let registry = self.planner.registry;
                // The main date of the row is the earliest of several.
                let is_single = main.iter().all(|kind| registry.of(*kind).has_single_main_date);
                let is_of_all = !main.is_empty() && main.len() == self.types.len();
                let is_in_row = is_of_all && (is_single || !is_descending);
                SortKey::Date { parameter: id, main, is_in_row }
            }
            Kind::String => SortKey::String(id),
            Kind::Number | Kind::Quantity => SortKey::Number(parameter.row_parameters()),
            Kind::Token => SortKey::Token {
                parameter: id,
                leads: self.planner.led_types(self.types, id),
                has_codes: parameter.stores.contains(&TokenStore::Interned),
                has_texts: parameter.stores.contains(&TokenStore::Text),
            },
            Kind::Uri => {
                let is_url = |kind: ResourceType| {
                    self.planner.registry.of(kind).url().is_some_and(|url| url.id == id)
                };
                SortKey::Uri { parameter: id, is_url: self.types.iter().copied().any(is_url) }
            }
            Kind::Reference => SortKey::Reference(id),
            // What from is said by a criterion.
            Kind::Special => SortKey::Near { parameter: id, tests: Vec::new() },
            Kind::Composite => return None,
        })
    }
}
