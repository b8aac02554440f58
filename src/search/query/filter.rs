//! `_filter`: <https://hl7.org/fhir/R4/search_filter.html>. A filter becomes clauses like those
//! of ordinary parameters, and places of a path are those of chains and `_has`.
//!
//! Left out: `co` of numbers; the page's additional parameters, but for those that a composite
//! parameter of R4 answers.

use super::link::{Place, split};
use super::{Draft, Refusal, expression, list, not_supported, wrong_value};
use crate::error::{FhirError, IssueCode};
use crate::search::full_text::TextOf;
use crate::search::plan::{Clause, Predicate};
use crate::search::value::text;

mod additional;
mod grammar;
mod operator;

use grammar::{Bounds, Comparison, Fault, Filter, Step};
use operator::Asks;

type Read<T> = Result<T, Refusal>;

const NAME: &str = "_filter";

impl Draft<'_> {
    /// The clauses of one `_filter`: all must hold.
    pub(super) fn filter(&mut self, value: &str) -> Read<Vec<Clause>> {
        let limits = self.planner.limits;
        let comparisons = limits.filter_comparisons.saturating_sub(self.comparisons);
        let bounds = Bounds { comparisons, depth: limits.filter_depth };
        let too_costly = |text: String| Refusal::Value(FhirError::too_costly(text));
        let (filter, count) = Filter::parse(value, bounds).map_err(|fault| match fault {
            Fault::Syntax(at, expected) => unreadable(value, at, &expected),
            Fault::TooManyComparisons => {
                let most = limits.filter_comparisons;
                too_costly(format!("The filters of a search have at most {most} comparisons"))
            }
            Fault::TooDeep => {
                let most = limits.filter_depth;
                too_costly(format!("A filter has at most {most} brackets within each other"))
            }
        })?;
        self.comparisons += count;
        self.place(NAME).all_of(&filter)
    }
}

/// 400 `invalid` with the place.
fn unreadable(value: &str, at: usize, expected: &str) -> Refusal {
    let place = value[..at].chars().count() + 1;
    let found = match text::beginning(&value[at..], 20) {
        "" => "the end".to_owned(),
        found => format!("'{found}'"),
    };
    let text = format!("The filter has {found} at character {place}, where {expected} must be");
    Refusal::Value(FhirError::at(IssueCode::Invalid, expression(NAME), text))
}

impl Place<'_> {
    /// Clauses that must all hold.
    fn all_of(&self, filter: &Filter) -> Read<Vec<Clause>> {
        match filter {
            Filter::And(parts) => {
                let parts = parts.iter().map(|part| self.all_of(part));
                Ok(parts.collect::<Read<Vec<_>>>()?.concat())
            }
            other => Ok(vec![self.one_of(other)?]),
        }
    }

    fn one_of(&self, filter: &Filter) -> Read<Clause> {
        match filter {
            Filter::Comparison(comparison) => self.comparison(comparison),
            Filter::And(_) => Ok(Clause::all(self.all_of(filter)?)),
            Filter::Or(parts) => {
                let mut alternatives = Vec::new();
                for part in parts {
                    let clause = self.one_of(part)?;
                    match clause.is_negated {
                        true => alternatives.push(Predicate::All(vec![clause])),
                        false => alternatives.extend(clause.alternatives),
                    }
                }
                Ok(Clause::any(alternatives))
            }
            Filter::Not(part) => {
                let clause = self.one_of(part)?;
                Ok(Clause { is_negated: !clause.is_negated, ..clause })
            }
        }
    }

    fn comparison(&self, comparison: &Comparison) -> Read<Clause> {
        let Comparison { first, rest, operator, value } = comparison;
        let read = || {
            let is_empty = match (operator.asks, value.as_str()) {
                (Asks::Present, "false") => true,
                (Asks::Present, "true") => false,
                (Asks::Present, _) => return Err(wrong_value(NAME, value, "pr is true or false")),
                _ => false,
            };
            let clause = self.follow((&first.name, first.filter.as_deref()), rest, comparison)?;
            Ok(Clause { is_negated: clause.is_negated != is_empty, ..clause })
        };
        read().map_err(|refusal| refusal.within(comparison))
    }

    /// The clause of a path from here: a name, what must hold where it leads to, and the steps
    /// behind it.
    fn follow(
        &self,
        (name, filter): (&str, Option<&Filter>),
        rest: &[Step],
        comparison: &Comparison,
    ) -> Read<Clause> {
        if let Some(link) = name.strip_prefix("_has") {
            return self
                .referring(link, |there, name| there.follow((name, filter), rest, comparison));
        }
        let Some((next, further)) = rest.split_first() else {
            return self.compare(name, comparison);
        };
        if let Some(filter) = filter
            && let Some(clause) = self.additional((name, filter), rest, comparison)?
        {
            return Ok(clause);
        }
        let mut names = vec![split(&next.name).0.to_owned()];
        let mut add = |one: &Comparison| names.push(split(&one.first.name).0.to_owned());
        filter.iter().for_each(|filter| filter.each(&mut add));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.through(name, &names, |there| {
            let mut clauses = filter.map(|filter| there.all_of(filter)).transpose()?;
            let clauses = clauses.get_or_insert_default();
            let next_filter = next.filter.as_deref();
            clauses.push(there.follow((&next.name, next_filter), further, comparison)?);
            Ok(Clause::all(std::mem::take(clauses)))
        })
    }

    fn compare(&self, name: &str, comparison: &Comparison) -> Read<Clause> {
        if let (list::NAME, modifier) = split(name) {
            return match comparison.operator.asks {
                Asks::Equal => self.list(modifier, &text::escape(&comparison.value)),
                _ => Err(not_supported(NAME, "_list is compared by eq alone")),
            };
        }
        if let Some(of) = TextOf::named(split(name).0) {
            return match comparison.operator.asks {
                Asks::Contains => {
                    self.full_text(of, split(name).1, &text::escape(&comparison.value))
                }
                _ => Err(not_supported(NAME, format!("{} is compared by co alone", of.name()))),
            };
        }
        let (reader, modifier) = self.reader(name)?;
        match modifier {
            None => reader.compare(comparison.operator, &comparison.value),
            Some(_) => Err(not_supported(NAME, "A path of _filter ends in no modifier")),
        }
    }
}

impl Refusal {
    /// The same, with the comparison that it is about.
    fn within(self, comparison: &Comparison) -> Refusal {
        let add = |mut error: FhirError| {
            for issue in &mut error.issues {
                issue.diagnostics.push_str(&format!(", in '{comparison}'"));
            }
            error
        };
        match self {
            Refusal::Parameter(error) => Refusal::Parameter(add(error)),
            Refusal::Value(error) => Refusal::Value(add(error)),
        }
    }
}

#[cfg(test)]
mod tests;
