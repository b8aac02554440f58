//! What a resource says of who cares for whom, works where and acts for whom: the sources of the
//! access links of SECURITY.md 2.2. The rules are data (`fhir-profiles/bhn-links.json`), compiled
//! as search parameters are; a change of the file asks for a reindex.

use super::node;
use crate::config::LinkDays;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::{ResourceType, TypeId};
use crate::fhir::fhirpath::{self, Program, Root};
use crate::fhir::links;
use crate::fhir::resource::{Resource, ResourceKey};
use crate::search::index_rows::{LinkKind, LinkRow, Until};
use crate::search::value::IndexSettings;
use crate::search::value::date::{far_future, far_past, node_range};
use crate::search::value::reference;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::collections::HashMap;

static FILE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fhir-profiles/bhn-links.json"));

/// Links of one resource at most; what says more is believed so far.
const MOST_LINKS: usize = 1_000;

/// Stands in `one` for the organization that owns the resource.
const OWNER: &str = "owner";

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Names the rule in the database.
    source: i16,
    #[serde(rename = "type")]
    resource_type: String,
    kind: LinkKind,
    /// Elements that are each a source, with a period of their own; the resource where missing.
    each: Option<String>,
    /// Who gains; the resource itself where missing.
    one: Option<String>,
    /// Whose record, or where; the resource itself where missing.
    other: Option<String>,
    /// A text, in place of `one`.
    code: Option<String>,
    /// Must be true.
    when: Option<String>,
    /// Must not be true.
    unless: Option<String>,
    /// True where it is past: an open end is then the time of the version.
    over: Option<String>,
    /// Periods in which the link is valid.
    #[serde(default)]
    within: Vec<String>,
    /// Dates up to which it is.
    #[serde(default)]
    until: Vec<String>,
    /// How much longer, by name of a setting.
    window: Option<Window>,
}

/// How long a link outlives its source.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    Encounter,
    Appointment,
    Birth,
}

impl Window {
    fn of(self, days: LinkDays) -> chrono::Duration {
        chrono::Duration::days(i64::from(match self {
            Window::Encounter => days.encounter,
            Window::Appointment => days.appointment,
            Window::Birth => days.birth,
        }))
    }
}

/// Types at the ends of a kind of link; any where none is named.
const ENDS: [(LinkKind, &[&str], &[&str]); 6] = [
    (LinkKind::Care, &["Practitioner", "PractitionerRole"], &["Patient"]),
    (LinkKind::Facility, &["Organization"], &["Patient"]),
    (LinkKind::Proxy, &["Patient", "RelatedPerson", "Person"], &["Patient"]),
    (LinkKind::Role, &["Practitioner"], &["Organization"]),
    (LinkKind::Part, &["Organization"], &["Organization"]),
    (LinkKind::Release, &[], &[]),
];

/// A rule, compiled.
struct Rule {
    source: i16,
    kind: LinkKind,
    each: Option<Program>,
    is_of_owner: bool,
    one: Option<Program>,
    other: Option<Program>,
    code: Option<Program>,
    when: Option<Program>,
    unless: Option<Program>,
    over: Option<Program>,
    within: Vec<Program>,
    until: Vec<Program>,
    window: Option<Window>,
}

/// The rules, by the type of resource that they read.
pub struct LinkRules(HashMap<ResourceType, Vec<Rule>>);

/// Compiles the expressions of one rule.
struct Compiler {
    resource_type: ResourceType,
    /// Types of the nodes that parts start at.
    starts: Option<Vec<TypeId>>,
}

impl Compiler {
    fn whole(&self, source: &str) -> Result<Program> {
        Program::compile(source, self.resource_type).map_err(FhirError::internal)
    }

    /// Of an expression that starts at each element.
    fn part(&self, source: &str) -> Result<Program> {
        match &self.starts {
            None => self.whole(source),
            Some(starts) => Program::compile_component(source, self.resource_type, starts)
                .map_err(FhirError::internal),
        }
    }
}

impl Rule {
    fn compile(written: &Written, resource_type: ResourceType) -> Result<Rule> {
        let mut compiler = Compiler { resource_type, starts: None };
        let whole = |source: &Option<String>| -> Result<Option<Program>> {
            source.as_deref().map(|source| compiler.whole(source)).transpose()
        };
        let each = whole(&written.each)?;
        let (when, unless, over) =
            (whole(&written.when)?, whole(&written.unless)?, whole(&written.over)?);
        compiler.starts = each.as_ref().map(Program::types);
        let part = |source: &Option<String>| -> Result<Option<Program>> {
            source.as_deref().map(|source| compiler.part(source)).transpose()
        };
        let parts = |sources: &[String]| -> Result<Vec<Program>> {
            sources.iter().map(|source| compiler.part(source)).collect()
        };
        let is_of_owner = written.one.as_deref() == Some(OWNER);
        Ok(Rule {
            source: written.source,
            kind: written.kind,
            is_of_owner,
            one: if is_of_owner { None } else { part(&written.one)? },
            other: part(&written.other)?,
            code: part(&written.code)?,
            within: parts(&written.within)?,
            until: parts(&written.until)?,
            window: written.window,
            each,
            when,
            unless,
            over,
        })
    }
}

impl LinkRules {
    /// An error is a bug of the file or the compiler.
    pub fn load() -> Result<LinkRules> {
        let all: Vec<Written> = serde_json::from_str(FILE).map_err(FhirError::internal)?;
        let mut rules: HashMap<ResourceType, Vec<Rule>> = HashMap::new();
        for written in &all {
            let unknown = || FhirError::internal(format!("{} is no type", written.resource_type));
            let resource_type = ResourceType::parse(&written.resource_type).ok_or_else(unknown)?;
            let rule = Rule::compile(written, resource_type)?;
            rules.entry(resource_type).or_default().push(rule);
        }
        Ok(LinkRules(rules))
    }

    /// The links that a resource makes; none for most types.
    pub fn links(
        &self,
        key: &ResourceKey,
        resource: &Resource,
        settings: &IndexSettings,
    ) -> Vec<LinkRow> {
        let Some(rules) = self.0.get(&key.resource_type) else { return Vec::new() };
        let mut rows = Vec::new();
        for rule in rules {
            Reading { rule, key, resource, settings }.read(&mut rows);
        }
        rows.truncate(MOST_LINKS);
        rows
    }
}

/// One rule over one resource.
struct Reading<'a> {
    rule: &'a Rule,
    key: &'a ResourceKey,
    resource: &'a Resource,
    settings: &'a IndexSettings,
}

impl Reading<'_> {
    fn root(&self) -> Root<'_> {
        Root { resource: self.resource.value(), container: self.resource.value() }
    }

    /// Where an expression fails it finds nothing.
    fn is_true(&self, program: &Program) -> bool {
        let mut is_true = false;
        let read = program.run_in(self.root(), &mut |found| {
            is_true |= found.value() == Some(&serde_json::Value::Bool(true));
        });
        read.is_ok() && is_true
    }

    fn read(&self, rows: &mut Vec<LinkRow>) {
        let Rule { when, unless, over, each, .. } = self.rule;
        let is_when = when.as_ref().is_none_or(|when| self.is_true(when));
        if !is_when || unless.as_ref().is_some_and(|unless| self.is_true(unless)) {
            return;
        }
        let is_over = over.as_ref().is_some_and(|over| self.is_true(over));
        match each {
            None => self.read_at(None, is_over, rows),
            Some(each) => {
                let _ = each.run_in(self.root(), &mut |found| {
                    if rows.len() < MOST_LINKS {
                        self.read_at(Some(found), is_over, rows);
                    }
                });
            }
        }
    }

    fn run(&self, program: &Program, at: Option<fhirpath::Node<'_>>) -> Vec<serde_json::Value> {
        let mut found = Vec::new();
        let mut take = |one: fhirpath::Node<'_>| {
            found.extend(node(one).map(|node| node.value.clone()));
        };
        let _ = match at {
            None => program.run_in(self.root(), &mut take),
            Some(start) => program.run_at(self.root(), start, &mut take),
        };
        found
    }

    fn read_at(&self, at: Option<fhirpath::Node<'_>>, is_over: bool, rows: &mut Vec<LinkRow>) {
        let (from, until) = self.bounds(at, is_over);
        let Rule { source, kind, .. } = *self.rule;
        let row = |one, other, code| LinkRow { kind, source, one, other, code, from, until };
        let mut add = |row: LinkRow| {
            if rows.len() < MOST_LINKS && !rows.contains(&row) {
                rows.push(row);
            }
        };
        if let Some(code) = &self.rule.code {
            let mut released = links::local_targets(self.resource);
            released.push(self.key.clone());
            let codes = self.run(code, at);
            for code in codes.iter().filter_map(|code| code.as_str()) {
                for one in &released {
                    add(row(Some(one.clone()), self.key.clone(), Some(code.to_owned())));
                }
            }
            return;
        }
        let ends = ENDS.iter().find(|(known, ..)| *known == kind);
        let (one_types, other_types) =
            ends.map(|(_, one, other)| (*one, *other)).unwrap_or_default();
        let others = self.keys(&self.rule.other, at, other_types);
        let ones: Vec<Option<ResourceKey>> = match self.rule.is_of_owner {
            true => vec![None],
            false => self.keys(&self.rule.one, at, one_types).into_iter().map(Some).collect(),
        };
        for one in &ones {
            for other in others.iter().filter(|other| one.as_ref() != Some(*other)) {
                add(row(one.clone(), other.clone(), None));
            }
        }
    }

    /// The resources of these types that the references name; the resource itself where the rule
    /// has no expression.
    fn keys(
        &self,
        program: &Option<Program>,
        at: Option<fhirpath::Node<'_>>,
        types: &[&str],
    ) -> Vec<ResourceKey> {
        let found = match program {
            None => vec![self.key.clone()],
            Some(program) => {
                let base = &self.settings.base_url;
                let key = |value: &serde_json::Value| {
                    reference::local(value.get("reference")?.as_str()?, base)
                };
                self.run(program, at).iter().filter_map(key).collect()
            }
        };
        let is_of = |key: &ResourceKey| types.contains(&key.resource_type.name());
        let mut keys: Vec<ResourceKey> = found.into_iter().filter(is_of).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// From the latest begin to the earliest end, and the window.
    fn bounds(&self, at: Option<fhirpath::Node<'_>>, is_over: bool) -> (DateTime<Utc>, Until) {
        let zone = self.settings.zone;
        let (mut from, mut until) = (far_past(), far_future());
        let ranges = |program: &Program| {
            let found = self.run(program, at);
            found.iter().filter_map(|value| node_range(value, zone)).collect::<Vec<_>>()
        };
        for (low, high) in self.rule.within.iter().flat_map(ranges) {
            from = from.max(low);
            until = until.min(high);
        }
        for (_, high) in self.rule.until.iter().flat_map(ranges) {
            until = until.min(high);
        }
        let days = self.settings.link_days;
        let window = self.rule.window.map(|window| window.of(days)).unwrap_or_default();
        let until = match (until == far_future(), is_over) {
            (false, _) => Until::At((until + window).min(far_future())),
            (true, true) => Until::AfterVersion(window),
            (true, false) => Until::At(until),
        };
        (from, until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles_and_has_a_number_of_its_own() {
        let rules = LinkRules::load().unwrap();
        let mut numbers: Vec<i16> = rules.0.values().flatten().map(|rule| rule.source).collect();
        numbers.sort_unstable();
        let count = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
        let ends = |kind: LinkKind| ENDS.iter().any(|(known, ..)| *known == kind);
        assert!(rules.0.values().flatten().all(|rule| ends(rule.kind)));
    }
}
