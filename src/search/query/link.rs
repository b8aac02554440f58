//! Names of parameters from where a search stands: plain ones, chains
//! (<https://hl7.org/fhir/R4/search.html#chaining>) and `_has`
//! (<https://hl7.org/fhir/R4/search.html#has>), mixed to any depth up to a limit.

use super::criterion::Reader;
use super::{NOT_OFFERED, Planner, Refusal, is_built, is_patient, list, not_supported};
use crate::error::FhirError;
use crate::fhir::definitions::ResourceType;
use crate::search::full_text::TextOf;
use crate::search::names::near;
use crate::search::plan::{Clause, Link, Predicate};
use crate::search::registry::{Kind, SearchParameter};
use crate::search::value::text;
use std::cell::Cell;

/// Where a name is read: the types it is about, and how many links led there.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub planner: &'a Planner<'a>,
    pub types: &'a [ResourceType],
    /// The whole name, for messages.
    pub whole: &'a str,
    pub links: usize,
    /// How often the statement has what is read here: what a chain leads to is there for resources
    /// and for contained ones.
    pub copies: usize,
    /// Links of the whole query so far: a chain without types has one for each way it may take.
    pub all_links: &'a Cell<usize>,
}

type Read<T> = Result<T, Refusal>;

const HAS: &str = "_has is _has:[type]:[reference parameter]:[parameter]";

impl Place<'_> {
    /// The clause of `name=value`; `name` is what is left of the whole one.
    pub fn clause(&self, name: &str, value: &str) -> Read<Clause> {
        if let Some(rest) = name.strip_prefix("_has") {
            return self.has(rest, value);
        }
        match name.split_once('.') {
            Some((head, rest)) => self.chain(head, rest, value),
            None => self.plain(name, value),
        }
    }

    fn plain(&self, name: &str, value: &str) -> Read<Clause> {
        if let (list::NAME, modifier) = split(name) {
            return self.list(modifier, value);
        }
        if let Some(of) = TextOf::named(split(name).0) {
            return self.full_text(of, split(name).1, value);
        }
        let (reader, modifier) = self.reader(name)?;
        reader.clause(modifier, value)
    }

    /// What reads the values of a parameter, and its modifier.
    pub fn reader<'n>(&self, name: &'n str) -> Read<(Reader<'_>, Option<&'n str>)> {
        let (base, modifier) = split(name);
        if base == "_filter" {
            return Err(self.not_supported("_filter has no modifiers and ends no chain"));
        }
        if NOT_OFFERED.contains(&base) {
            return Err(self.not_supported(format!("{base} is not offered by this server")));
        }
        let parameter = self.parameter(base)?;
        let Place { planner, types, whole, .. } = *self;
        Ok((Reader { planner, types, parameter, name: whole }, modifier))
    }

    /// `head` names the reference; `rest` is about what it leads to.
    fn chain(&self, head: &str, rest: &str, value: &str) -> Read<Clause> {
        let first = rest.split('.').next().unwrap_or_default();
        self.through(head, &[split(first).0], |there| there.clause(rest, value))
    }

    /// The clause that `read` gives of what a reference leads to. It is asked for each group of
    /// types with the same parameters of these names.
    pub fn through(
        &self,
        head: &str,
        names: &[&str],
        read: impl Fn(&Place<'_>) -> Read<Clause>,
    ) -> Read<Clause> {
        let links = self.next_link()?;
        let copies = self.copies * 2;
        let (base, modifier) = split(head);
        let parameter = self.reference(base)?;
        self.check_chain(parameter, names)?;
        let targets = match modifier {
            None => parameter.targets.clone(),
            Some(name) => vec![self.target(parameter, name)?],
        };
        let targets = if targets.is_empty() { ResourceType::all().collect() } else { targets };
        let groups = self.by_parameters(&targets, names);
        if groups.is_empty() {
            return Err(self.nowhere(base, &targets, names));
        }
        self.count_links(groups.len())?;
        let mut alternatives = Vec::new();
        let mut elsewhere = None;
        for types in groups {
            let clause = match read(&Place { types: &types, links, copies, ..*self }) {
                Ok(clause) => clause,
                // Another type may know what is left of the name.
                Err(refusal) if refusal.is_of_name() => {
                    elsewhere.get_or_insert(refusal);
                    continue;
                }
                Err(refusal) => return Err(refusal),
            };
            let is_subject =
                self.planner.is_single_subject(self.types, parameter) && are_patients(&types);
            let parameter = parameter.id;
            alternatives.push(Predicate::Chain(Box::new(Link {
                parameter,
                except: None,
                is_subject,
                types,
                clause,
            })));
        }
        match elsewhere.filter(|_| alternatives.is_empty()) {
            Some(refusal) => Err(refusal),
            None => Ok(Clause::any(alternatives)),
        }
    }

    /// `rest` is `:[type]:[reference parameter]:[name]`.
    /// `SearchParameter.chain`, where the definition has it.
    fn check_chain(&self, parameter: &SearchParameter, names: &[&str]) -> Read<()> {
        let allowed = &parameter.restrictions.chains;
        let is_allowed = |name: &&str| allowed.iter().any(|known| known == name);
        match allowed.is_empty() || names.iter().all(is_allowed) {
            true => Ok(()),
            false => Err(self.not_supported(format!(
                "The definition of {} leaves these to be chained: {}",
                parameter.code,
                allowed.join(", ")
            ))),
        }
    }

    fn has(&self, rest: &str, value: &str) -> Read<Clause> {
        self.referring(rest, |there, name| there.clause(name, value))
    }

    /// The clause that `read` gives, with the name that is left, of what refers here; `rest` is
    /// what stands behind `_has`.
    pub fn referring(
        &self,
        rest: &str,
        read: impl Fn(&Place<'_>, &str) -> Read<Clause>,
    ) -> Read<Clause> {
        let links = self.next_link()?;
        let mut parts = rest.splitn(4, ':');
        let (Some(""), Some(kind), Some(by), Some(name)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(self.not_supported(HAS));
        };
        let kind = ResourceType::parse(kind).ok_or_else(|| {
            let kind = text::beginning(kind, 100);
            self.not_supported(format!("'{kind}' is not a resource type of R4; {HAS}"))
        })?;
        let types = vec![kind];
        self.count_links(1)?;
        let there = Place { types: &types, links, ..*self };
        let parameter = there.reference(by)?;
        let refers =
            |kind: &ResourceType| parameter.targets.is_empty() || parameter.targets.contains(kind);
        if !self.types.is_empty() && !self.types.iter().any(refers) {
            let types: Vec<&str> = self.types.iter().map(|kind| kind.name()).collect();
            let text = format!("{by} of {kind} does not refer to {}", types.join(", "));
            return Err(self.not_supported(text));
        }
        let clause = read(&there, name)?;
        let is_subject =
            self.planner.is_single_subject(&types, parameter) && are_patients(self.types);
        let parameter = parameter.id;
        let link = Link { parameter, except: None, is_subject, types, clause };
        Ok(Clause::any(vec![Predicate::Has(Box::new(link))]))
    }

    /// The targets that have the parameters of these names, those with the same ones together.
    fn by_parameters(&self, targets: &[ResourceType], names: &[&str]) -> Vec<Vec<ResourceType>> {
        let mut groups: Vec<(Vec<i16>, Vec<ResourceType>)> = Vec::new();
        for kind in targets {
            let id = |name: &&str| self.parameter_id(*kind, name);
            let Some(ids) = names.iter().map(id).collect::<Option<Vec<i16>>>() else { continue };
            match groups.iter_mut().find(|(known, _)| *known == ids) {
                Some((_, kinds)) => kinds.push(*kind),
                None => groups.push((ids, vec![*kind])),
            }
        }
        groups.into_iter().map(|(_, kinds)| kinds).collect()
    }

    fn parameter_id(&self, kind: ResourceType, name: &str) -> Option<i16> {
        if matches!(name, "_has" | list::NAME) {
            return Some(0);
        }
        let found = self.planner.registry.parameter(kind, name);
        let is_known = |found: &&SearchParameter| found.is_supported() || found.text_of().is_some();
        found.filter(is_known).map(|found| found.id.0)
    }

    /// Why a chain leads to none of the targets: a name, the first of them or one that no target
    /// has.
    fn nowhere(&self, base: &str, targets: &[ResourceType], names: &[&str]) -> Refusal {
        let is_unknown =
            |name: &&str| targets.iter().all(|kind| self.parameter_id(*kind, name).is_none());
        let unknown = names.iter().copied().find(is_unknown);
        match (targets, unknown) {
            ([target], Some(missing)) => self.unknown(&[*target], missing),
            _ => {
                let names = unknown.map_or_else(|| names.join("', '"), str::to_owned);
                self.not_supported(format!(
                    "No type that {base} may refer to has a search parameter '{}'",
                    text::beginning(&names, 100)
                ))
            }
        }
    }

    fn next_link(&self) -> Read<usize> {
        let most = self.planner.limits.search_chain;
        match self.links < most {
            true => Ok(self.links + 1),
            false => Err(Refusal::Value(FhirError::too_costly(format!(
                "A chained parameter or _has has at most {most} links"
            )))),
        }
    }

    /// Types multiply from link to link, and each way is a part of the statement, as often as what
    /// it begins at.
    fn count_links(&self, more: usize) -> Read<()> {
        let most = self.planner.limits.search_links;
        self.all_links.set(self.all_links.get().saturating_add(more * self.copies));
        match self.all_links.get() <= most {
            true => Ok(()),
            false => Err(Refusal::Value(FhirError::too_costly(format!(
                "The chains of a search may go {most} ways over types; name the types, as in \
                 subject:Patient.name"
            )))),
        }
    }

    pub fn parameter(&self, base: &str) -> Read<&SearchParameter> {
        let found = self.planner.parameter(self.types, base);
        let parameter = found.ok_or_else(|| self.unknown(self.types, base))?;
        match parameter.is_supported() {
            true => is_built(parameter, self.whole).map(|()| parameter),
            false => Err(self.not_supported(format!("{base} is not offered by this server"))),
        }
    }

    fn reference(&self, base: &str) -> Read<&SearchParameter> {
        let parameter = self.parameter(base)?;
        match parameter.kind {
            Kind::Reference => Ok(parameter),
            kind => Err(self.not_supported(format!(
                "{base} is a search parameter of type {}: only a reference leads to others",
                kind.as_str()
            ))),
        }
    }

    fn target(&self, parameter: &SearchParameter, name: &str) -> Read<ResourceType> {
        let allowed =
            |kind: &ResourceType| parameter.targets.is_empty() || parameter.targets.contains(kind);
        ResourceType::parse(name).filter(allowed).ok_or_else(|| {
            let names: Vec<&str> = parameter.targets.iter().map(|kind| kind.name()).collect();
            let name = text::beginning(name, 100);
            self.not_supported(format!(
                "'{name}' is no type that {} refers to: {}",
                parameter.code,
                names.join(", ")
            ))
        })
    }

    fn not_supported(&self, text: impl Into<String>) -> Refusal {
        not_supported(self.whole, text)
    }

    pub(super) fn unknown(&self, types: &[ResourceType], base: &str) -> Refusal {
        let kind = types.first().copied().or_else(|| ResourceType::all().next());
        let known = kind.into_iter().flat_map(|kind| self.planner.registry.parameters_of(kind));
        let near = near(base, known.filter(|known| known.is_offered()).map(|known| &*known.code));
        let of = match types[..] {
            [kind] => format!(" of {kind}"),
            _ => " of all types searched".to_owned(),
        };
        let hint = match near.is_empty() {
            true => String::new(),
            false => format!("; near names are {}", near.join(", ")),
        };
        let base = text::beginning(base, 100);
        self.not_supported(format!("'{base}' is not a search parameter{of}{hint}"))
    }
}

/// A name without its modifier, and that one.
pub(super) fn split(name: &str) -> (&str, Option<&str>) {
    match name.split_once(':') {
        Some((base, modifier)) => (base, Some(modifier)),
        None => (name, None),
    }
}

fn are_patients(types: &[ResourceType]) -> bool {
    matches!(types, [kind] if is_patient(*kind))
}
