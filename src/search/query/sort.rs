//! `_sort=key,-key`: <https://hl7.org/fhir/R4/search.html#sort>.

use super::link::{Place, split};
use super::{NOT_OFFERED, Refusal, expression, not_supported, wrong_value};
use crate::error::FhirError;
use crate::search::registry::{Kind, SearchParameter};
use crate::search::sort::{Sort, SortKey};
use crate::search::value::TokenStore;

const NAME: &str = "_sort";

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
            Kind::Uri => SortKey::Uri(id),
            Kind::Reference => SortKey::Reference(id),
            Kind::Composite | Kind::Special => return None,
        })
    }
}
