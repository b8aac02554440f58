//! From the parameters of a request to a [`Plan`]: <https://hl7.org/fhir/R4/search.html>.
//!
//! Left out, and refused by name: `_query`.

use super::index_rows::{ParameterId, Token};
use super::plan::{Clause, Plan, Predicate, TermBounds, Total};
use super::registry::{Registry, SearchParameter};
use super::value::{IndexSettings, text};
use crate::error::{ErrorKind, FhirError, Issue, IssueCode, Result};
use crate::fhir::definitions::{Definitions, ResourceType};
use crate::fhir::interaction::{Handling, Parameter, SearchScope};
use crate::limits::Limits;
use chrono::{DateTime, Utc};
use std::cell::Cell;

mod contained;
mod criterion;
mod filter;
mod full_text;
mod include;
mod link;
mod list;
mod reference;
mod sort;
mod token;

use contained::AskedContained;
use link::Place;

/// What plans are made with.
pub struct Planner<'a> {
    pub registry: &'a Registry,
    pub limits: &'a Limits,
    pub settings: &'a IndexSettings,
    /// For the prefix `ap` of dates.
    pub now: DateTime<Utc>,
}

/// Parameters that shape the answer and that other rooms read.
const OF_THE_ANSWER: [&str; 4] = ["_format", "_pretty", "_summary", "_elements"];
/// Parameters of R4 that are not offered.
const NOT_OFFERED: [&str; 3] = ["_query", "_score", "_graph"];

impl Planner<'_> {
    /// The plan of a search. 400 for an unknown or unsupported parameter (a warning in the plan
    /// where `handling` is lenient), for a value that cannot be read, and, `too-costly`, over a
    /// limit.
    pub fn plan(
        &self,
        scope: &SearchScope,
        parameters: &[Parameter],
        handling: Handling,
    ) -> Result<Plan> {
        self.check_limits(parameters)?;
        let (types, clauses) = self.scope(scope, parameters)?;
        let mut draft = Draft {
            planner: self,
            comparisons: 0,
            contained: AskedContained::default(),
            links: Cell::new(0),
            plan: Plan {
                types,
                clauses,
                contained: None,
                sort: Vec::new(),
                terms: TermBounds {
                    codes: self.limits.value_set_codes,
                    parts: self.limits.value_set_parts,
                },
                most_sorted: self.limits.sort_matches,
                includes: Vec::new(),
                count: self.limits.page_default,
                total: Total::None,
                after: None,
                as_of: None,
                issues: Vec::new(),
                applied: Vec::new(),
                definitions: None,
            },
        };
        // "Empty parameters are not an error - they are just ignored": search.html#errors. What has
        // no name either is none.
        let counts = |(name, value): &&Parameter| !value.is_empty() || name.is_empty();
        for (name, value) in parameters.iter().filter(counts) {
            match draft.take(name, value) {
                Ok(Taken::Yes) => draft.plan.applied.push((name.clone(), value.clone())),
                Ok(Taken::Replaced(value)) => draft.plan.applied.push((name.clone(), value)),
                Err(Refusal::Parameter(error)) if handling == Handling::Lenient => {
                    let warn = |issue: Issue| {
                        Issue::warning(issue.code, issue.expression, issue.diagnostics)
                    };
                    draft.plan.issues.extend(error.issues.into_iter().map(warn));
                }
                Err(Refusal::Parameter(error) | Refusal::Value(error)) => return Err(error),
            }
        }
        if draft.plan.count == 0 {
            draft.plan.total = Total::Accurate;
        }
        let mut plan = draft.plan;
        plan.contained = draft.contained.read();
        plan.check_contained()?;
        sort::add_places(&mut plan).map_err(|refusal| match refusal {
            Refusal::Parameter(error) | Refusal::Value(error) => error,
        })?;
        plan.definitions = plan.uses_customs().then(|| self.registry.number());
        Ok(plan)
    }

    fn check_limits(&self, parameters: &[Parameter]) -> Result<()> {
        let most = self.limits.search_parameters;
        if parameters.len() > most {
            let text = format!("A search has at most {most} parameters");
            return Err(FhirError::too_costly(text));
        }
        let most = self.limits.search_values;
        let values = parameters.iter().map(|(_, value)| text::split(value, ',').len());
        if values.sum::<usize>() > most + parameters.len() {
            let text = format!("A search has at most {most} comma-separated values");
            return Err(FhirError::too_costly(text));
        }
        let with_nul =
            parameters.iter().find(|(name, value)| (name.to_owned() + value).contains('\0'));
        match with_nul {
            Some((name, _)) => Err(FhirError::invalid_value(
                expression(&name.replace('\0', "")),
                "A search parameter has no NUL character",
            )),
            None => Ok(()),
        }
    }

    /// The types searched, and the clause of a compartment.
    fn scope(
        &self,
        scope: &SearchScope,
        parameters: &[Parameter],
    ) -> Result<(Vec<ResourceType>, Vec<Clause>)> {
        let asked = asked_types(scope, parameters)?;
        match scope {
            SearchScope::System => Ok((asked, Vec::new())),
            SearchScope::Type(kind) => Ok((vec![*kind], Vec::new())),
            SearchScope::Compartment(key, kind) => {
                let name = key.resource_type.name();
                let compartment = Definitions::r4().compartment(name).ok_or_else(|| {
                    let text = format!("{name} has no compartment");
                    FhirError::new(ErrorKind::NotFound, IssueCode::NotSupported, text)
                })?;
                let kinds: Vec<ResourceType> = match kind {
                    Some(kind) => vec![*kind],
                    None if asked.is_empty() => compartment.resource_types().collect(),
                    None => asked,
                };
                let members: Vec<_> = kinds
                    .iter()
                    .map(|kind| (*kind, self.member_ids(*kind, compartment.parameters_of(*kind))))
                    .filter(|(kind, ids)| !ids.is_empty() || *kind == key.resource_type)
                    .collect();
                let kinds = members.iter().map(|(kind, _)| *kind).collect::<Vec<_>>();
                if kinds.is_empty() {
                    let wanted = kind.map_or("That type", |kind| kind.name());
                    let text = format!("{wanted} is not part of the compartment of {name}");
                    return Err(FhirError::new(ErrorKind::NotFound, IssueCode::NotSupported, text));
                }
                let clause = Predicate::Compartment { key: key.clone(), members };
                Ok((kinds, vec![Clause::any(vec![clause])]))
            }
        }
    }

    fn member_ids(&self, kind: ResourceType, codes: &[&str]) -> Vec<ParameterId> {
        let of_code = |code: &&str| self.registry.parameter(kind, code).map(|found| found.id);
        codes.iter().filter_map(of_code).collect()
    }

    /// The parameter that every type searched has under that name.
    fn parameter(&self, types: &[ResourceType], code: &str) -> Option<&SearchParameter> {
        let mut types: Box<dyn Iterator<Item = ResourceType>> = match types.is_empty() {
            true => Box::new(ResourceType::all()),
            false => Box::new(types.iter().copied()),
        };
        let first = self.registry.parameter(types.next()?, code)?;
        let is_common = types.all(|kind| {
            self.registry.parameter(kind, code).is_some_and(|other| other.id == first.id)
        });
        is_common.then_some(first)
    }
}

/// `_type` of a search over several types (search.html#all).
fn asked_types(scope: &SearchScope, parameters: &[Parameter]) -> Result<Vec<ResourceType>> {
    let is_open = matches!(scope, SearchScope::System | SearchScope::Compartment(_, None));
    let mut types: Vec<ResourceType> = Vec::new();
    for (_, value) in parameters.iter().filter(|(name, _)| is_open && name == "_type") {
        for name in value.split(',') {
            let kind = ResourceType::parse(name.trim()).ok_or_else(|| {
                let text = format!("'{name}' is not a resource type of R4");
                FhirError::invalid_value(expression("_type"), text)
            })?;
            if !types.contains(&kind) {
                types.push(kind);
            }
        }
    }
    Ok(types)
}

enum Taken {
    Yes,
    /// Applied with another value than the client's.
    Replaced(String),
}

/// Why a parameter is not applied.
enum Refusal {
    /// Unknown or not supported: a lenient client goes without it.
    Parameter(FhirError),
    /// Its value cannot be read.
    Value(FhirError),
}

impl Refusal {
    /// The name is not one of the types that it is about; not that it is not ready yet.
    fn is_of_name(&self) -> bool {
        let is_unknown = |issue: &Issue| issue.code == IssueCode::NotSupported;
        matches!(self, Refusal::Parameter(error) if error.issues.iter().all(is_unknown))
    }
}

/// `http.` and the parameter's name, cut to what is readable.
fn expression(name: &str) -> String {
    format!("http.{}", text::beginning(name, 100))
}

fn not_supported(name: &str, diagnostics: impl Into<String>) -> Refusal {
    Refusal::Parameter(FhirError::at(IssueCode::NotSupported, expression(name), diagnostics))
}

/// Refuses a search by a parameter whose rows are not all there: it would find too little.
fn is_built(parameter: &SearchParameter, name: &str) -> Result<(), Refusal> {
    match &parameter.building {
        None => Ok(()),
        Some(coverage) => {
            let text =
                format!("The search parameter {} is being built: {coverage}", parameter.code);
            Err(Refusal::Parameter(FhirError::at(IssueCode::Transient, expression(name), text)))
        }
    }
}

fn wrong_value(name: &str, value: &str, expected: &str) -> Refusal {
    let value = text::beginning(value, 100);
    let text = format!("'{value}' is no value of {}: {expected}", text::beginning(name, 100));
    Refusal::Value(FhirError::invalid_value(expression(name), text))
}

struct Draft<'a> {
    planner: &'a Planner<'a>,
    plan: Plan,
    /// Of the filters so far.
    comparisons: usize,
    contained: AskedContained,
    /// Of all chains so far.
    links: Cell<usize>,
}

impl Draft<'_> {
    /// Whether `_type` with this value says no more than the search does: it was read beforehand
    /// where it chooses.
    fn is_of_its_types(&self, value: &str) -> bool {
        match self.plan.types[..] {
            [only] => value.split(',').all(|name| name.trim() == only.name()),
            _ => true,
        }
    }

    fn take(&mut self, name: &str, value: &str) -> Result<Taken, Refusal> {
        match name {
            "_count" => return self.take_count(value),
            "_sort" if self.plan.sort.is_empty() => {
                self.plan.sort = self.place(name).sort(value)?
            }
            "_sort" => {
                return Err(wrong_value(name, value, "it is given once, with all keys in it"));
            }
            "_total" => {
                self.plan.total = match value {
                    "none" => Total::None,
                    "estimate" => Total::Estimate,
                    "accurate" => Total::Accurate,
                    _ => return Err(wrong_value(name, value, "it is none, estimate or accurate")),
                }
            }
            "_contained" | "_containedType" => self.contained.take(name, value)?,
            "_type" if self.is_of_its_types(value) => {}
            _ if OF_THE_ANSWER.contains(&name) => {}
            "_filter" => {
                let clauses = self.filter(value)?;
                self.plan.clauses.extend(clauses);
            }
            _ if include::is_include(name) => {
                let include = include::read(self.planner, &self.plan.types, name, value)?;
                let missing = include::missing(self.planner, &self.plan.types, &include, value);
                self.plan.issues.extend(missing);
                self.plan.includes.push(include);
            }
            _ => {
                let clause = self.clause(name, value)?;
                self.plan.clauses.push(clause);
            }
        }
        Ok(Taken::Yes)
    }

    fn take_count(&mut self, value: &str) -> Result<Taken, Refusal> {
        let count: u32 = value
            .parse()
            .map_err(|_| wrong_value("_count", value, "it is a whole number from 0"))?;
        let applied = count.min(self.planner.limits.page_maximum);
        self.plan.count = applied;
        match applied == count {
            true => Ok(Taken::Yes),
            false => Ok(Taken::Replaced(applied.to_string())),
        }
    }

    fn clause(&self, name: &str, value: &str) -> Result<Clause, Refusal> {
        let (base, _) = link::split(name);
        let is_given_once = |found: &SearchParameter| found.restrictions.is_given_once;
        let again = || self.plan.applied.iter().any(|(known, _)| link::split(known).0 == base);
        if self.planner.parameter(&self.plan.types, base).is_some_and(is_given_once) && again() {
            let text = format!("The definition of {base} does not allow it to be given twice");
            return Err(not_supported(name, text));
        }
        self.place(name).clause(name, value)
    }

    fn place<'p>(&'p self, whole: &'p str) -> Place<'p> {
        let (types, all_links) = (&self.plan.types[..], &self.links);
        Place { planner: self.planner, types, whole, links: 0, copies: 1, all_links }
    }
}

/// Whether resources of the type have the Patient compartment, as one whose rows name them.
fn is_patient(kind: ResourceType) -> bool {
    Definitions::r4().compartment("Patient").is_some_and(|found| found.code == kind.name())
}

impl Planner<'_> {
    /// Whether values of the parameter can only be the one subject of a row of these types.
    fn is_single_subject(&self, types: &[ResourceType], parameter: &SearchParameter) -> bool {
        match types {
            [kind] => {
                let parameters = self.registry.of(*kind);
                parameters.has_single_subject && parameters.is_subject(&parameter.code)
            }
            _ => false,
        }
    }

    /// The types, of those searched, in whose rows a value of this parameter is the lead.
    fn led_types(&self, types: &[ResourceType], id: ParameterId) -> Vec<ResourceType> {
        let is_led =
            |kind: &ResourceType| self.registry.of(*kind).lead().is_some_and(|lead| lead.id == id);
        match types.is_empty() {
            true => ResourceType::all().filter(is_led).collect(),
            false => types.iter().copied().filter(is_led).collect(),
        }
    }

    /// The types, of those searched, whose main date this parameter is.
    fn main_types(&self, types: &[ResourceType], id: ParameterId) -> Vec<ResourceType> {
        let is_main = |kind: &ResourceType| {
            self.registry.of(*kind).main_date().is_some_and(|main| main.id == id)
        };
        types.iter().copied().filter(is_main).collect()
    }
}

#[cfg(test)]
mod tests;
