//! Whether a search would find a resource that is not stored yet: conditional references are
//! resolved after the writes of their transaction (<https://hl7.org/fhir/R4/http.html#trules>).

use super::index_rows::{IndexRows, StringRow};
use super::plan::{Clause, Plan, Predicate};
use super::value::string::StringTest;
use super::value::text::normalised;
use super::value::token::TokenTest;
use crate::fhir::resource::ResourceKey;

impl Plan {
    /// True where a resource with this key and these rows meets every clause. Composites, links,
    /// compartments and the instant of the version are not looked at: a clause that depends on
    /// one does not hold.
    pub fn holds(&self, key: &ResourceKey, rows: &IndexRows) -> bool {
        let is_searched = self.types.is_empty() || self.types.contains(&key.resource_type);
        is_searched && self.clauses.iter().all(|clause| clause.holds(key, rows) == Some(true))
    }
}

impl Clause {
    /// None where that cannot be told.
    fn holds(&self, key: &ResourceKey, rows: &IndexRows) -> Option<bool> {
        let answers: Vec<Option<bool>> =
            self.alternatives.iter().map(|predicate| predicate.holds(key, rows)).collect();
        let any = match answers.contains(&Some(true)) {
            true => true,
            false if answers.contains(&None) => return None,
            false => false,
        };
        Some(any != self.is_negated)
    }
}

impl Predicate {
    fn holds(&self, key: &ResourceKey, rows: &IndexRows) -> Option<bool> {
        Some(match self {
            Predicate::Always(holds) => *holds,
            Predicate::Id(id) => key.id == *id,
            Predicate::Missing { parameter, is_missing } => {
                rows.present.contains(parameter) != *is_missing
            }
            Predicate::Token { parameter, test, .. } => rows.tokens.iter().any(|row| {
                row.parameter == *parameter && test.admits(&row.token.system, &row.token.code)
            }),
            Predicate::Identifier { parameter, test } => rows
                .identifiers
                .iter()
                .any(|row| row.parameter == *parameter && test.admits(&row.system, &row.value)),
            Predicate::Reference { parameter, targets, .. } => rows
                .references
                .iter()
                .any(|row| row.parameter == *parameter && targets.contains(&row.target)),
            Predicate::Uri { parameter, test } => {
                rows.uris.iter().any(|row| row.parameter == *parameter && test.admits(&row.value))
            }
            Predicate::String { parameter, test, has_words } => rows.strings.iter().any(|row| {
                let is_beside = row.parameter == parameter.beside();
                let is_long = is_beside && row.normalised.is_empty();
                let counts = row.parameter == *parameter || *has_words && is_beside;
                counts && test.admits(row) || is_long && test.admits_long(&row.raw)
            }),
            Predicate::Date { parameter, test, main, .. } => {
                let main = rows.main_date.filter(|_| main.contains(&key.resource_type));
                let others = rows.dates.iter().filter(|row| row.parameter == *parameter);
                main.into_iter()
                    .chain(others.map(|row| (row.low, row.high)))
                    .any(|r| test.admits(r))
            }
            Predicate::Quantity { parameter, test } => {
                let mut of = rows.quantities.iter().filter(|row| row.parameter == *parameter);
                of.any(|row| {
                    let test = test.in_unit(row.unit.as_ref());
                    test.is_some_and(|test| test.admits((row.low, row.high)))
                })
            }
            Predicate::Both(clauses) => {
                let [first, second] = &**clauses;
                first.holds(key, rows)? && second.holds(key, rows)?
            }
            Predicate::All(clauses) => return all(clauses.iter().map(|one| one.holds(key, rows))),
            Predicate::Unequal(equal) => return equal.has_other(rows),
            Predicate::CodeText { parameter, text, .. } => {
                let displays = rows.tokens.iter().filter(|row| row.parameter == *parameter);
                let displays = displays.filter_map(|row| row.display.as_ref());
                let others = rows.code_texts.iter().filter(|row| row.parameter == *parameter);
                let mut texts = displays.chain(others.map(|row| &row.text));
                texts.any(|one| normalised(one).starts_with(text))
            }
            Predicate::LastUpdated(_)
            | Predicate::Concept { .. }
            | Predicate::Along { .. }
            | Predicate::Chain(_)
            | Predicate::Has(_)
            | Predicate::Composite { .. }
            | Predicate::Compartment { .. } => return None,
        })
    }
}

/// None where that cannot be told.
fn all(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let answers: Vec<Option<bool>> = answers.collect();
    match answers.contains(&Some(false)) {
        true => Some(false),
        false if answers.contains(&None) => None,
        false => Some(true),
    }
}

impl Predicate {
    /// Whether some value of the parameter does not pass; None where that cannot be told.
    fn has_other(&self, rows: &IndexRows) -> Option<bool> {
        Some(match self {
            Predicate::Token { parameter, test, .. } => rows.tokens.iter().any(|row| {
                row.parameter == *parameter && !test.admits(&row.token.system, &row.token.code)
            }),
            Predicate::Identifier { parameter, test } => rows
                .identifiers
                .iter()
                .any(|row| row.parameter == *parameter && !test.admits(&row.system, &row.value)),
            Predicate::String { parameter, test, .. } => {
                rows.strings.iter().any(|row| row.parameter == *parameter && !test.admits(row))
            }
            Predicate::Uri { parameter, test } => {
                rows.uris.iter().any(|row| row.parameter == *parameter && !test.admits(&row.value))
            }
            _ => return None,
        })
    }
}

impl TokenTest {
    fn admits(&self, of: &str, value: &str) -> bool {
        match self {
            TokenTest::Code(code) => code == value,
            TokenTest::System(system) => system == of,
            TokenTest::MediaType(kind) => {
                let rest = value.strip_prefix(kind.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(';'))
            }
            TokenTest::Exact(token) => token.system == of && token.code == value,
        }
    }
}

impl StringTest {
    fn admits(&self, row: &StringRow) -> bool {
        match self {
            StringTest::StartsWith(text) => row.normalised.starts_with(text),
            StringTest::Contains(text) => row.normalised.contains(text),
            StringTest::Exact { normalised, raw } => {
                row.normalised == *normalised && row.raw == *raw
            }
            StringTest::Same(text) => row.normalised == *text,
            StringTest::EndsWith(text) => row.normalised.ends_with(text),
            StringTest::From(text) => row.normalised >= *text,
            StringTest::Before(text) => row.normalised < *text,
        }
    }

    /// Of all of what is long.
    fn admits_long(&self, whole: &str) -> bool {
        match self {
            StringTest::Contains(text) => whole.contains(text),
            StringTest::EndsWith(text) => whole.ends_with(text),
            _ => false,
        }
    }
}
