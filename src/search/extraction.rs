//! From a resource to its index rows: every parameter's program is run and its nodes are
//! written as rows of the parameter's type.

mod subjects;

pub use subjects::SubjectPaths;

use super::full_text::{self, TextOf, Words};
use super::index_rows::{
    ATTACHED, IndexRows, Lead, ParameterId, ReferenceRow, SECURITY_CONTEXT, TextRow, Token,
};
use super::registry::{Kind, ListItems, Registry, SearchParameter, TypeParameters};
use super::value::{
    IndexSettings, Node, composite, date, position, quantity, reference, string, text, token, uri,
};
use crate::fhir::definitions::{Definitions, ResourceType};
use crate::fhir::fhirpath::{self, Root};
use crate::fhir::links::attached;
use crate::fhir::resource::{Resource, ResourceKey};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

mod links;

pub use links::LinkRules;

/// What rows are made of.
#[derive(Clone, Copy)]
pub(super) struct Indexed<'a> {
    /// None for a contained resource, which has none of its own.
    pub key: Option<&'a ResourceKey>,
    pub resource: &'a Resource,
    /// What contains it, or else itself.
    pub container: &'a Resource,
}

impl<'a> Indexed<'a> {
    fn root(&self) -> Root<'a> {
        Root { resource: self.resource.value(), container: self.container.value() }
    }
}

impl Registry {
    /// Everything that is indexed of a resource under its key; the body of a create need not
    /// hold it. Values that are not
    /// what their element's type asks for are left out; the validator names them.
    pub fn index(
        &self,
        key: &ResourceKey,
        resource: &Resource,
        settings: &IndexSettings,
    ) -> IndexRows {
        let of = Indexed { key: Some(key), resource, container: resource };
        let mut rows = self.index_itself(of, settings);
        rows.contained = self.index_contained((key, resource), settings);
        self.find_fragments(resource.resource_type(), &mut rows);
        rows.links = self.links.links(key, resource, settings);
        add_attached(resource, settings, &mut rows);
        rows
    }

    /// The Patients that a resource is about; the same as its index rows name.
    pub fn subjects_of(
        &self,
        key: &ResourceKey,
        resource: &Resource,
        settings: &IndexSettings,
    ) -> Vec<ResourceKey> {
        let parameters = self.of(resource.resource_type());
        let of = Indexed { key: Some(key), resource, container: resource };
        let mut rows = IndexRows::default();
        for parameter in parameters.subjects() {
            index_parameter(parameter, of, settings, &mut rows);
        }
        subjects(parameters, Some(key), &rows)
    }

    /// The same without what it contains.
    pub(super) fn index_itself(&self, of: Indexed<'_>, settings: &IndexSettings) -> IndexRows {
        let Indexed { key, resource, .. } = of;
        let parameters = self.of(resource.resource_type());
        let mut rows = IndexRows::default();
        for parameter in parameters.supported() {
            let before = size(&rows);
            match parameter.kind {
                Kind::Composite => index_composite(parameter, of, settings, &mut rows),
                // The rows of others hold it.
                _ if !parameter.union_of.is_empty() => continue,
                // A column of the row holds it.
                Kind::Token if parameter.code == "_id" => continue,
                Kind::Date if parameter.code == "_lastUpdated" => continue,
                _ => index_parameter(parameter, of, settings, &mut rows),
            }
            if size(&rows) > before {
                rows.present.push(parameter.id);
            }
        }
        for parameter in parameters.supported() {
            let shares = parameter.rows_of != parameter.id;
            let shared = shares && rows.present.contains(&parameter.rows_of);
            if shared || parameter.union_of.iter().any(|part| rows.present.contains(part)) {
                rows.present.push(parameter.id);
            }
        }
        for composite in parameters.supported().filter(|parameter| parameter.is_conjunction) {
            let is_there = |part: &SearchParameter| rows.present.contains(&part.id);
            let mut parts = composite.components.iter().map(|part| parameters.on_resource(part));
            if parts.all(|part| part.is_some_and(is_there)) {
                rows.present.push(composite.id);
            }
        }
        rows.present.sort_unstable();
        rows.present.dedup();
        if let Some(url) = parameters.url() {
            add_versioned(url.id, resource, &mut rows);
        }
        if let Some(list) = &parameters.list {
            mark_removed(list, resource, settings, &mut rows);
        }
        keep_first_of_equals(&mut rows);
        take_main_values((resource.resource_type(), parameters), &mut rows);
        rows.subjects = subjects(parameters, key, &rows);
        rows.texts = texts(parameters, resource, settings);
        let meta = resource.object().get("meta");
        let listed = |name| meta.and_then(|meta| meta.get(name)).and_then(Value::as_array);
        rows.profiles = listed("profile")
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(|url| Token { system: String::new(), code: text::key(url) })
            .collect();
        rows.labels = labels(listed("security").map(Vec::as_slice).unwrap_or_default());
        rows
    }
}

/// What a resource has attached, and of a Binary what decides who sees it
/// (<https://hl7.org/fhir/R4/binary.html#security>): that is no attachment of it.
fn add_attached(resource: &Resource, settings: &IndexSettings, rows: &mut IndexRows) {
    let row = |parameter, target| ReferenceRow { parameter, target, version: None };
    let context = resource.object().get("securityContext");
    let named = context.and_then(|context| context.get("reference")).and_then(Value::as_str);
    match (context, resource.resource_type().name()) {
        (Some(_), BINARY) => {
            let target = named.and_then(|named| reference::local(named, &settings.base_url));
            // One that is elsewhere is seen by nobody here: the Binary is its own context then.
            let target = target.or_else(|| {
                let id = resource.id()?;
                Some(ResourceKey::new(resource.resource_type(), id))
            });
            rows.references.extend(target.map(|target| row(SECURITY_CONTEXT, target)));
        }
        _ => {
            let attached = attached(resource).into_iter();
            rows.references.extend(attached.map(|target| row(ATTACHED, target)));
        }
    }
}

/// The type whose resources are seen as what they are attached to.
const BINARY: &str = "Binary";

/// The words of the narrative, and of all texts where these are indexed.
fn texts(
    parameters: &TypeParameters,
    resource: &Resource,
    settings: &IndexSettings,
) -> Vec<TextRow> {
    let value = resource.value();
    let narrative = parameters.has_narrative().then(|| full_text::narrative(value)).flatten();
    let content = settings.indexes_content.then(|| full_text::content(value));
    let row = |(of, text): (TextOf, String)| TextRow { of, words: Words::of(&text) };
    let texts = [
        narrative.map(|text| (TextOf::Narrative, text)),
        content.map(|text| (TextOf::Content, text)),
    ];
    let rows = texts.into_iter().flatten().map(row);
    rows.filter(|row| !row.words.is_empty()).collect()
}

/// The canonical URL with the version of the resource, as references name it.
fn add_versioned(url: ParameterId, resource: &Resource, rows: &mut IndexRows) {
    let Some(version) = resource.object().get("version").and_then(Value::as_str) else { return };
    let urls = rows.uris.iter().filter(|row| row.parameter == url);
    let versioned: Vec<String> = urls.map(|row| format!("{}|{version}", row.value)).collect();
    versioned.iter().for_each(|text| uri::add(text, url, &mut rows.uris));
}

/// A value that several elements hold is one row.
fn keep_first_of_equals(rows: &mut IndexRows) {
    distinct(&mut rows.tokens, PartialEq::eq, Clone::clone);
    distinct(&mut rows.code_texts, PartialEq::eq, Clone::clone);
    distinct(&mut rows.identifiers, PartialEq::eq, Clone::clone);
    distinct(&mut rows.references, PartialEq::eq, Clone::clone);
    distinct(&mut rows.fragments, PartialEq::eq, Clone::clone);
    distinct(&mut rows.strings, PartialEq::eq, Clone::clone);
    distinct(&mut rows.dates, PartialEq::eq, Clone::clone);
    distinct(&mut rows.quantities, PartialEq::eq, Clone::clone);
    distinct(&mut rows.uris, PartialEq::eq, Clone::clone);
    distinct(&mut rows.composites, PartialEq::eq, Clone::clone);
}

/// Most resources have so few rows that comparing each with each costs less than hashing.
const FEW: usize = 12;

fn distinct<T, K: Eq + Hash>(
    rows: &mut Vec<T>,
    is_same: impl Fn(&T, &T) -> bool,
    key: impl Fn(&T) -> K,
) {
    if rows.len() <= FEW {
        let mut at = 1;
        while at < rows.len() {
            match rows[..at].iter().any(|before| is_same(before, &rows[at])) {
                true => drop(rows.remove(at)),
                false => at += 1,
            }
        }
    } else {
        let mut seen = HashSet::with_capacity(rows.len());
        rows.retain(|row| seen.insert(key(row)));
    }
}

fn labels(codings: &[Value]) -> Vec<Token> {
    let mut labels: Vec<Token> = codings
        .iter()
        .flat_map(|value| token::tokens(Node { value, type_name: "Coding" }))
        .map(|(token, _)| token)
        .filter(|token| !token.code.is_empty())
        .collect();
    labels.sort_unstable();
    labels.dedup();
    labels
}

fn size(rows: &IndexRows) -> usize {
    rows.tokens.len()
        + rows.code_texts.len()
        + rows.identifiers.len()
        + rows.references.len()
        + rows.fragments.len()
        + rows.strings.len()
        + rows.dates.len()
        + rows.quantities.len()
        + rows.uris.len()
        + rows.composites.len()
        + rows.positions.len()
}

fn index_parameter(
    parameter: &SearchParameter,
    of: Indexed<'_>,
    settings: &IndexSettings,
    rows: &mut IndexRows,
) {
    let Some(program) = &parameter.program else { return };
    let id = parameter.id;
    let mut write = |found: fhirpath::Node<'_>| {
        let Some(node) = node(found) else { return };
        match parameter.kind {
            Kind::Number => quantity::index_number(node, id, &mut rows.quantities),
            Kind::Date => date::index(node, id, settings, &mut rows.dates),
            Kind::String => {
                string::index(node, id, &mut rows.strings);
                if let (true, Some(family)) = (parameter.reads.is_family, node.value.as_str()) {
                    string::index_words(family, id, &mut rows.strings);
                }
            }
            Kind::Token => token::index(node, id, rows),
            Kind::Reference => reference::index(node, id, settings, rows),
            Kind::Quantity => quantity::index(node, id, &mut rows.quantities),
            Kind::Uri => uri::index(node, id, &mut rows.uris),
            Kind::Special => position::index(node, id, &mut rows.positions),
            Kind::Composite => {}
        }
    };
    // HL7's programs are straight lines and cannot fail; one that needs the general engine and
    // fails on this resource finds nothing in it.
    let _ = program.run_in(of.root(), &mut write);
}

fn node(found: fhirpath::Node<'_>) -> Option<Node<'_>> {
    let value = found.value()?;
    Some(Node { value, type_name: found.type_name().unwrap_or_default() })
}

/// An item may stand in several entries of a list: it is removed where all of them are marked as
/// deleted. The rows have it once for each entry yet.
fn mark_removed(
    list: &ListItems,
    resource: &Resource,
    settings: &IndexSettings,
    rows: &mut IndexRows,
) {
    let mut removed = IndexRows::default();
    let mut read = |found: fhirpath::Node<'_>| {
        if let Some(node) = node(found) {
            reference::index(node, list.removed, settings, &mut removed);
        }
    };
    let _ = list.program.run(resource.value(), &mut read);
    let mut left: HashMap<&ResourceKey, i64> = HashMap::new();
    for row in &removed.references {
        *left.entry(&row.target).or_default() -= 1;
    }
    for row in rows.references.iter().filter(|row| row.parameter == list.parameter) {
        if let Some(entries) = left.get_mut(&row.target) {
            *entries += 1;
        }
    }
    let marks = removed.references.iter().filter(|row| left.get(&row.target) == Some(&0));
    let marks: Vec<ReferenceRow> = marks.cloned().collect();
    rows.references.extend(marks);
}

/// Rows for nodes below the resource; a composite on the resource itself is the conjunction of
/// its component parameters.
fn index_composite(
    parameter: &SearchParameter,
    of: Indexed<'_>,
    settings: &IndexSettings,
    rows: &mut IndexRows,
) {
    let (Some(program), [first, second]) = (&parameter.program, &parameter.components[..]) else {
        return;
    };
    if !parameter.has_rows || parameter.rows_of != parameter.id {
        return;
    }
    let root = Definitions::r4().type_id(of.resource.resource_type().name());
    let mut write = |start: fhirpath::Node<'_>| {
        if start.type_id() == root {
            return;
        }
        let parts = |component: &super::registry::Component| {
            let mut parts = Vec::new();
            let _ = component.program.run_at(of.root(), start, &mut |found| {
                if let Some(node) = node(found) {
                    parts.extend(composite::parts(node, component.kind, settings));
                }
            });
            parts
        };
        composite::index(&parts(first), &parts(second), parameter.id, &mut rows.composites);
    };
    let _ = program.run_in(of.root(), &mut write);
}

/// The first main coding becomes the lead; the earliest main date leaves the other dates.
fn take_main_values(
    (resource_type, parameters): (ResourceType, &TypeParameters),
    rows: &mut IndexRows,
) {
    if let Some(lead) = parameters.lead() {
        let first = rows.tokens.iter().position(|row| row.parameter == lead.id);
        rows.lead = first.map(|token| Lead { token, resource_type });
    }
    if let Some(main) = parameters.main_date() {
        let of_main = |id: ParameterId| id == main.id;
        let first = (0..rows.dates.len())
            .filter(|at| of_main(rows.dates[*at].parameter))
            .min_by_key(|at| (rows.dates[*at].low, rows.dates[*at].high));
        if let Some(at) = first {
            let row = rows.dates.remove(at);
            rows.main_date = Some((row.low, row.high));
        }
    }
}

/// The Patients that the subject parameters name, and the resource itself where it is one.
fn subjects(
    parameters: &TypeParameters,
    itself: Option<&ResourceKey>,
    rows: &IndexRows,
) -> Vec<ResourceKey> {
    let compartment = Definitions::r4().compartment("Patient");
    let is_patient = |key: &ResourceKey| {
        compartment.is_some_and(|compartment| compartment.code == key.resource_type.name())
    };
    let ids: Vec<ParameterId> = parameters.subjects().map(|parameter| parameter.id).collect();
    let mut subjects: Vec<ResourceKey> = rows
        .references
        .iter()
        .filter(|row| ids.contains(&row.parameter))
        .map(|row| row.target.clone())
        .chain(itself.cloned())
        .filter(is_patient)
        .collect();
    subjects.sort_unstable();
    subjects.dedup();
    subjects
}

#[cfg(test)]
mod tests;
