//! `_include` and `_revinclude`: <https://hl7.org/fhir/R4/search.html#include>.

use super::{Planner, Refusal, expression, is_built, is_patient, not_supported, wrong_value};
use crate::error::{Issue, IssueCode};
use crate::fhir::definitions::ResourceType;
use crate::search::index_rows::ParameterId;
use crate::search::names::near;
use crate::search::plan::Include;
use crate::search::registry::{Kind, SearchParameter};
use crate::search::value::text;

const FORM: &str = "it is [type]:[parameter], [type]:[parameter]:[target type], [type]:* or *";

/// Whether the name is that of an include, with any modifier.
pub(super) fn is_include(name: &str) -> bool {
    let base = name.split(':').next().unwrap_or_default();
    matches!(base, "_include" | "_revinclude")
}

/// Reads one include of a search over these types.
pub(super) fn read(
    planner: &Planner<'_>,
    types: &[ResourceType],
    name: &str,
    value: &str,
) -> Result<Include, Refusal> {
    let (base, modifier) = match name.split_once(':') {
        Some((base, modifier)) => (base, Some(modifier)),
        None => (name, None),
    };
    let is_iterated = match modifier {
        None => false,
        // `recurse` is what older clients call it.
        Some("iterate" | "recurse") => true,
        Some(modifier) => {
            let modifier = text::beginning(modifier, 60);
            return Err(not_supported(name, format!("{base} has no modifier :{modifier}")));
        }
    };
    let asked = Asked { planner, types, name, value };
    let include = Include {
        is_reverse: base == "_revinclude",
        is_iterated,
        source: None,
        parameters: Vec::new(),
        canonicals: Vec::new(),
        urls: Vec::new(),
        is_subject: false,
        targets: Vec::new(),
    };
    match value {
        "*" => {
            let sources: Vec<ResourceType> = match (include.is_reverse, types) {
                (false, [_, ..]) if !is_iterated => types.to_vec(),
                _ => ResourceType::all().collect(),
            };
            let parameters = sources.iter().flat_map(|source| asked.references(*source));
            Ok(asked.by(parameters.collect(), include))
        }
        _ => asked.of_type(include),
    }
}

/// Warnings about references that `*` stands for, and that cannot be followed yet.
pub(super) fn missing(
    planner: &Planner<'_>,
    types: &[ResourceType],
    include: &Include,
    value: &str,
) -> Vec<Issue> {
    if !value.split(':').any(|part| part == "*") {
        return Vec::new();
    }
    let is_of_matches = !include.is_reverse && !include.is_iterated && !types.is_empty();
    let is_asked = |kind: &ResourceType| match include.source {
        Some(source) => source == *kind,
        None => !is_of_matches || types.contains(kind),
    };
    let of = |kind| planner.registry.parameters_of(kind).map(move |found| (kind, found));
    let all = ResourceType::all().filter(is_asked).flat_map(of);
    let references = all.filter(|(_, found)| found.kind == Kind::Reference);
    let warning = |(kind, found): (ResourceType, &SearchParameter)| {
        let coverage = found.building.as_ref()?;
        let text = format!("{kind}:{} is left out: it is being built, {coverage}", found.code);
        Some(Issue::warning(IssueCode::Transient, expression("_include"), text))
    };
    references.filter_map(warning).take(10).collect()
}

fn distinct(mut parameters: Vec<ParameterId>) -> Vec<ParameterId> {
    parameters.sort_unstable();
    parameters.dedup();
    parameters
}

struct Asked<'a> {
    planner: &'a Planner<'a>,
    types: &'a [ResourceType],
    name: &'a str,
    value: &'a str,
}

impl Asked<'_> {
    fn of_type(&self, include: Include) -> Result<Include, Refusal> {
        let mut parts = self.value.split(':');
        let (Some(kind), Some(code), target, None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong_value(self.name, self.value, FORM));
        };
        let source = self.resource_type(kind)?;
        let is_searched = self.types.is_empty() || self.types.contains(&source);
        if !include.is_reverse && !include.is_iterated && !is_searched {
            let text = format!("no match is a {source}; of what is included it is :iterate");
            return Err(wrong_value(self.name, self.value, &text));
        }
        let include = Include { source: Some(source), ..include };
        let target = target.map(|target| self.resource_type(target)).transpose()?;
        let targets: Vec<ResourceType> = target.into_iter().collect();
        if code == "*" {
            let include = Include { targets, ..include };
            return Ok(self.by(self.references(source).collect(), include));
        }
        let parameter = self.reference(source, code)?;
        let allowed =
            |kind: &ResourceType| parameter.targets.is_empty() || parameter.targets.contains(kind);
        if let Some(target) = targets.iter().find(|target| !allowed(target)) {
            let text = format!("{code} of {source} does not refer to {target}");
            return Err(wrong_value(self.name, self.value, &text));
        }
        let refers = self.types.is_empty() || self.types.iter().any(allowed);
        if include.is_reverse && !include.is_iterated && !refers {
            let text = format!("{code} of {source} refers to no type that is searched");
            return Err(wrong_value(self.name, self.value, &text));
        }
        let is_subject = self.planner.is_single_subject(&[source], parameter)
            && !parameter.targets.is_empty()
            && parameter.targets.iter().all(|kind| is_patient(*kind));
        Ok(self.by(vec![parameter], Include { is_subject, targets, ..include }))
    }

    /// The include by these parameters.
    fn by(&self, parameters: Vec<&SearchParameter>, include: Include) -> Include {
        let canonicals = parameters.iter().filter(|parameter| parameter.has_canonicals);
        let canonicals = distinct(canonicals.map(|parameter| parameter.id).collect());
        let mut types = include.targets.clone();
        if let ([parameter], []) = (&parameters[..], &types[..]) {
            types.clone_from(&parameter.targets);
        }
        let urls = match canonicals.is_empty() {
            true => Vec::new(),
            false => self.planner.registry.urls_of(&types),
        };
        let parameters = distinct(parameters.iter().map(|parameter| parameter.id).collect());
        Include { parameters, canonicals, urls, ..include }
    }

    fn references(&self, source: ResourceType) -> impl Iterator<Item = &SearchParameter> {
        self.planner.registry.references_of(source)
    }

    fn resource_type(&self, name: &str) -> Result<ResourceType, Refusal> {
        ResourceType::parse(name).ok_or_else(|| {
            let text =
                format!("'{}' is not a resource type of R4; {FORM}", text::beginning(name, 60));
            wrong_value(self.name, self.value, &text)
        })
    }

    fn reference(&self, source: ResourceType, code: &str) -> Result<&SearchParameter, Refusal> {
        let registry = self.planner.registry;
        if let Some(found) = registry.parameter(source, code)
            && found.kind == Kind::Reference
        {
            is_built(found, self.name)?;
        }
        registry.references_of(source).find(|found| found.code == code).ok_or_else(|| {
            let known = registry.references_of(source);
            let near = near(code, known.map(|parameter| &*parameter.code));
            let hint = match near.is_empty() {
                true => String::new(),
                false => format!("; near names are {}", near.join(", ")),
            };
            let code = text::beginning(code, 60);
            let text = format!("'{code}' is no reference parameter of {source}{hint}");
            wrong_value(self.name, self.value, &text)
        })
    }
}
