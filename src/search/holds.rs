//! Whether a search finds a version of a resource that no index row is of: one that is not stored
//! yet (conditional references are resolved after the writes of their transaction,
//! <https://hl7.org/fhir/R4/http.html#trules>), or one that is no longer current and that a page
//! still shows.

use super::index_rows::{CompositeRow, IndexRows, ParameterId, Token};
use super::plan::{Clause, Link, Plan, Predicate, Second};
use super::value::date::instant_test;
use super::value::string::StringTest;
use super::value::text::normalised;
use super::value::token::TokenTest;
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::ResourceKey;
use chrono::{DateTime, Utc};

/// What is known of a version of a resource.
pub struct Known<'a> {
    pub key: &'a ResourceKey,
    pub rows: &'a IndexRows,
    /// None where it is not stored yet.
    pub last_updated: Option<DateTime<Utc>>,
    /// What was found out about links to other resources.
    pub links: &'a [(&'a Predicate, bool)],
}

impl Plan {
    /// Whether a version meets every clause; None where that cannot be told, because a clause is
    /// about what is not known.
    pub fn holds(&self, known: &Known<'_>) -> Option<bool> {
        let kind = known.key.resource_type;
        match self.types.is_empty() || self.types.contains(&kind) {
            true => all(self.clauses.iter().map(|clause| clause.holds(known))),
            false => Some(false),
        }
    }

    /// Every condition that is about other resources.
    pub fn links(&self) -> Vec<&Predicate> {
        let mut links = Vec::new();
        self.clauses.iter().for_each(|clause| clause.add_links(&mut links));
        links
    }
}

impl Link {
    /// Whether what a chain leads to is of its types and meets its clause; None where that cannot
    /// be told.
    pub fn holds(&self, there: &Known<'_>) -> Option<bool> {
        match self.types.contains(&there.key.resource_type) {
            true => self.clause.holds(there),
            false => Some(false),
        }
    }

    /// Every condition at the other end that is about other resources.
    pub fn links(&self) -> Vec<&Predicate> {
        let mut links = Vec::new();
        self.clause.add_links(&mut links);
        links
    }
}

impl Clause {
    fn holds(&self, known: &Known<'_>) -> Option<bool> {
        let any = any(self.alternatives.iter().map(|predicate| predicate.holds(known)))?;
        Some(any != self.is_negated)
    }

    fn add_links<'a>(&'a self, links: &mut Vec<&'a Predicate>) {
        for predicate in &self.alternatives {
            match predicate {
                Predicate::Chain(_)
                | Predicate::Has(_)
                | Predicate::Concept { .. }
                | Predicate::Along { .. } => links.push(predicate),
                Predicate::All(clauses) => clauses.iter().for_each(|one| one.add_links(links)),
                Predicate::Both(clauses) => clauses.iter().for_each(|one| one.add_links(links)),
                _ => {}
            }
        }
    }
}

impl Predicate {
    fn holds(&self, known: &Known<'_>) -> Option<bool> {
        let Known { key, rows, .. } = *known;
        Some(match self {
            Predicate::Always(holds) => *holds,
            Predicate::Id(id) => key.id == *id,
            Predicate::LastUpdated(test) => instant_test(test).admits(known.last_updated?),
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
            Predicate::String { .. } => self.has_string(rows),
            Predicate::Date { parameter, test, main, .. } => {
                let main = rows.main_date.filter(|_| main.contains(&key.resource_type));
                let others = rows.dates.iter().filter(|row| row.parameter == *parameter);
                main.into_iter()
                    .chain(others.map(|row| (row.low, row.high)))
                    .any(|r| test.admits(r))
            }
            Predicate::Quantity { parameter, test, .. } => {
                let mut of = rows.quantities.iter().filter(|row| row.parameter == *parameter);
                of.any(|row| {
                    let test = test.in_unit(row.unit.as_ref());
                    test.is_some_and(|test| test.admits((row.low, row.high)))
                })
            }
            Predicate::Composite { parameter, first, second } => {
                let mut of = rows.composites.iter().filter(|row| row.parameter == Some(*parameter));
                of.any(|row| {
                    let is_first = |token: &Token| first.admits(&token.system, &token.code);
                    row.first.as_ref().is_some_and(is_first) && second.admits(row)
                })
            }
            Predicate::Near { parameter, test } => {
                let mut of = rows.positions.iter().filter(|row| row.parameter == *parameter);
                of.any(|row| test.admits(row.point))
            }
            Predicate::Text { of, query } => {
                rows.texts.iter().any(|row| row.of == *of && query.admits(&row.words))
            }
            Predicate::Compartment { key: of, members } => is_in_compartment(known, of, members),
            Predicate::Both(clauses) => return all(clauses.iter().map(|one| one.holds(known))),
            Predicate::All(clauses) => return all(clauses.iter().map(|one| one.holds(known))),
            Predicate::Unequal(equal) => return equal.has_other(rows),
            Predicate::CodeText { .. } => self.has_code_text(rows),
            Predicate::Chain(_)
            | Predicate::Has(_)
            | Predicate::Concept { .. }
            | Predicate::Along { .. } => {
                let found = known.links.iter().find(|(link, _)| *link == self);
                return found.map(|(_, holds)| *holds);
            }
        })
    }
}

/// Whether it is the resource of the compartment, or refers to that by one of the parameters.
fn is_in_compartment(
    known: &Known<'_>,
    of: &ResourceKey,
    members: &[(ResourceType, Vec<ParameterId>)],
) -> bool {
    let Known { key, rows, .. } = *known;
    let is_member = |(kind, parameters): &(ResourceType, Vec<ParameterId>)| {
        let mut by = rows.references.iter().filter(|row| row.target == *of);
        *kind == key.resource_type && by.any(|row| parameters.contains(&row.parameter))
    };
    let has_itself = members.iter().any(|(kind, _)| *kind == of.resource_type);
    (has_itself && key == of) || members.iter().any(is_member)
}

impl Predicate {
    fn has_string(&self, rows: &IndexRows) -> bool {
        let Predicate::String { parameter, test, has_words } = self else { return false };
        rows.strings.iter().any(|row| {
            let is_beside = row.parameter == parameter.beside();
            let is_long = is_beside && row.normalised.is_empty();
            let counts = row.parameter == *parameter || *has_words && is_beside;
            counts && test.admits(&row.normalised, &row.raw)
                || is_long && test.admits_long(&row.raw)
        })
    }

    fn has_code_text(&self, rows: &IndexRows) -> bool {
        let Predicate::CodeText { parameter, text, .. } = self else { return false };
        let displays = rows.tokens.iter().filter(|row| row.parameter == *parameter);
        let displays = displays.filter_map(|row| row.display.as_ref());
        let others = rows.code_texts.iter().filter(|row| row.parameter == *parameter);
        let mut texts = displays.chain(others.map(|row| &row.text));
        texts.any(|one| normalised(one).starts_with(text))
    }
}

/// None where that cannot be told.
fn all(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    any(answers.map(|answer| answer.map(|holds| !holds))).map(|any| !any)
}

fn any(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut is_known = true;
    for answer in answers {
        match answer {
            Some(true) => return Some(true),
            Some(false) => {}
            None => is_known = false,
        }
    }
    is_known.then_some(false)
}

impl Second {
    fn admits(&self, row: &CompositeRow) -> bool {
        match self {
            Second::Token(test) => {
                row.second.as_ref().is_some_and(|token| test.admits(&token.system, &token.code))
            }
            Second::Reference(targets) => {
                row.second_target.as_ref().is_some_and(|target| targets.contains(target))
            }
            Second::Quantity(test) => {
                let test = test.in_unit(row.unit.as_ref());
                test.zip(row.low.zip(row.high)).is_some_and(|(test, bounds)| test.admits(bounds))
            }
            Second::Date(test) => {
                row.low_at.zip(row.high_at).is_some_and(|range| test.admits(range))
            }
            Second::String(test) => {
                row.second_text.as_ref().is_some_and(|text| test.admits(text, text))
            }
        }
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
                let mut of = rows.strings.iter().filter(|row| row.parameter == *parameter);
                of.any(|row| !test.admits(&row.normalised, &row.raw))
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
    fn admits(&self, normalised: &str, raw: &str) -> bool {
        match self {
            StringTest::StartsWith(text) => normalised.starts_with(text),
            StringTest::Contains(text) => normalised.contains(text),
            StringTest::Exact { normalised: text, raw: letters } => {
                normalised == text && raw == letters
            }
            StringTest::Same(text) => normalised == *text,
            StringTest::EndsWith(text) => normalised.ends_with(text),
            StringTest::From(text) => normalised >= text.as_str(),
            StringTest::Before(text) => normalised < text.as_str(),
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
