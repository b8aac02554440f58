//! What an operator asks of the values of a parameter, by the parameter's type
//! (<https://hl7.org/fhir/R4/search_filter.html#ops>). Values are read as those of ordinary
//! parameters are.
//!
//! Not as the page has it: dates and numbers compare as with the prefixes, which the page names
//! for its details; tokens and URIs letter for letter, as everywhere in search. `eq` and `ne` of
//! URIs, which the page does not speak of, are offered.

use super::super::criterion::{Read, Reader};
use super::super::{Refusal, expression, not_supported};
use crate::error::{FhirError, IssueCode};
use crate::search::plan::{Clause, Predicate};
use crate::search::registry::Kind;
use crate::search::value::string::StringTest;
use crate::search::value::{date, text};

/// One row of the page's tables.
#[derive(PartialEq, Debug)]
pub struct Operator {
    pub code: &'static str,
    pub asks: Asks,
    /// Types of parameters that it is for.
    kinds: &'static [Kind],
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Asks {
    Equal,
    Unequal,
    Contains,
    StartsWith,
    EndsWith,
    /// By the prefix of the same letters; of strings, by the first character.
    Order,
    Present,
    Overlaps,
    /// What code systems and value sets say.
    Terminology,
    RefersTo,
}

const fn row(code: &'static str, asks: Asks, kinds: &'static [Kind]) -> Operator {
    Operator { code, asks, kinds }
}

const NUMBERS: &[Kind] = &[Kind::Number, Kind::Date, Kind::Quantity];
const ORDERED: &[Kind] = &[Kind::String, Kind::Number, Kind::Date, Kind::Quantity];
const EQUAL: &[Kind] =
    &[Kind::String, Kind::Number, Kind::Date, Kind::Token, Kind::Quantity, Kind::Uri];
const ALL: &[Kind] = &[
    Kind::String,
    Kind::Number,
    Kind::Date,
    Kind::Token,
    Kind::Reference,
    Kind::Quantity,
    Kind::Uri,
    Kind::Composite,
];

pub const OPERATORS: [Operator; 19] = [
    row("eq", Asks::Equal, EQUAL),
    row("ne", Asks::Unequal, EQUAL),
    row("co", Asks::Contains, &[Kind::String, Kind::Number, Kind::Date]),
    row("sw", Asks::StartsWith, &[Kind::String]),
    row("ew", Asks::EndsWith, &[Kind::String]),
    row("gt", Asks::Order, ORDERED),
    row("lt", Asks::Order, ORDERED),
    row("ge", Asks::Order, ORDERED),
    row("le", Asks::Order, ORDERED),
    row("ap", Asks::Order, NUMBERS),
    row("sa", Asks::Order, NUMBERS),
    row("eb", Asks::Order, NUMBERS),
    row("pr", Asks::Present, ALL),
    row("po", Asks::Overlaps, &[Kind::Date]),
    row("ss", Asks::Terminology, &[Kind::Token]),
    row("sb", Asks::Terminology, &[Kind::Token]),
    row("in", Asks::Terminology, &[Kind::Token]),
    row("ni", Asks::Terminology, &[Kind::Token]),
    row("re", Asks::RefersTo, &[Kind::Reference]),
];

/// Short names of code systems that the page predefines.
const SYSTEMS: [(&str, &str); 4] = [
    ("loinc", "http://loinc.org"),
    ("snomed", "http://snomed.info/sct"),
    ("rxnorm", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("ucum", "http://unitsofmeasure.org"),
];

impl Reader<'_> {
    /// The clause of `operator value`; `pr` is read as `pr true`.
    pub fn compare(&self, operator: &Operator, value: &str) -> Read<Clause> {
        let kind = self.parameter.kind;
        if !operator.kinds.contains(&kind) {
            return Err(self.wrong_operator(operator));
        }
        if operator.asks == Asks::Present {
            return self.missing("false");
        }
        if value.is_empty() {
            return Err(self.wrong(value, "it must not be empty"));
        }
        // Texts are literal; tokens and quantities have the form, and the escapes, of search.
        let literal = text::escape(value);
        let found = match (operator.asks, kind) {
            (Asks::Equal | Asks::Unequal, Kind::Token) => self.plain(&with_system(value, 0))?,
            (Asks::Equal | Asks::Unequal, Kind::String) => {
                self.string(StringTest::same(&literal))?
            }
            (Asks::Equal | Asks::Unequal, Kind::Uri) | (Asks::RefersTo, _) => {
                self.plain(&literal)?
            }
            (Asks::Contains, Kind::String) => self.string(StringTest::contains(&literal))?,
            (Asks::StartsWith, _) => self.string(StringTest::starts_with(&literal))?,
            (Asks::EndsWith, _) => self.string(StringTest::ends_with(&literal))?,
            (Asks::Order, Kind::String) => {
                self.string(StringTest::by_first(operator.code, &literal))?
            }
            (Asks::Contains, Kind::Date) => self.dates(date::covering(self.range(value)?)),
            (Asks::Overlaps, _) => self.dates(date::overlapping(self.range(value)?)),
            (Asks::Contains, _) => {
                let text = "co of numbers is not offered: their precision is not indexed";
                return Err(not_supported(self.name, text));
            }
            (Asks::Terminology, _) => return self.asked_of_terms(operator, value),
            _ => self.plain(&format!("{}{}", operator.code, with_system(value, 1)))?,
        };
        let is_text = matches!(kind, Kind::Token | Kind::String | Kind::Uri);
        Ok(match operator.asks {
            Asks::Unequal if is_text => self.unequal(found),
            _ => Clause::any(found),
        })
    }

    /// `ss` is `:below`: "True if the value subsumes a concept in the set", and `sb` `:above`.
    fn asked_of_terms(&self, operator: &Operator, value: &str) -> Read<Clause> {
        let modifier = match operator.code {
            "ss" => "below",
            "sb" => "above",
            "ni" => "not-in",
            _ => "in",
        };
        match operator.code {
            "ss" | "sb" => self.clause(Some(modifier), &with_system(value, 0)),
            _ => self.clause(Some(modifier), &text::escape(value)),
        }
    }

    /// Some value of the parameter is another one.
    fn unequal(&self, equal: Vec<Predicate>) -> Clause {
        match &*self.parameter.code {
            "_id" => Clause { is_negated: true, ..Clause::any(equal) },
            _ => {
                let other = |predicate| Predicate::Unequal(Box::new(predicate));
                Clause::any(equal.into_iter().map(other).collect())
            }
        }
    }

    fn wrong_operator(&self, operator: &Operator) -> Refusal {
        let kind = self.parameter.kind;
        let of_kind = OPERATORS.iter().filter(|row| row.kinds.contains(&kind));
        let codes: Vec<&str> = of_kind.map(|row| row.code).collect();
        let offered = match codes[..] {
            [] => "no operator is".to_owned(),
            _ => format!("{} are", codes.join(" ")),
        };
        let text = format!(
            "The operator {} is not for {}, which is of type {}: {offered}",
            operator.code,
            self.parameter.code,
            kind.as_str()
        );
        Refusal::Value(FhirError::at(IssueCode::Invalid, expression(self.name), text))
    }
}

/// The value with the full name of a code system, where the part at this place is a short one.
pub fn with_system(value: &str, place: usize) -> String {
    let mut parts: Vec<&str> = value.splitn(place + 2, '|').collect();
    let is_system = parts.len() == place + 2;
    if let Some((_, full)) = SYSTEMS.iter().find(|(short, _)| is_system && parts[place] == *short) {
        parts[place] = full;
    }
    parts.join("|")
}
