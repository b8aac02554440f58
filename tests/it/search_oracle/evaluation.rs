//! What a query finds, looked up resource by resource.

use super::creation::IDS;
use super::dates;
use super::numbers::{self, Number, quantity_matches};
use super::parameters::{self, Kind, Pair, Parameter, at};
use super::places;
use super::query::{Criterion, Include, Link, Query, Sort};
use super::terms;
use super::texts::{
    self, codings, family_matches, folded, string_matches, token_matches, uri_matches, words_match,
};
use super::world::{Key, Resource, TYPES, World, key_of, local_key};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A world at a time, in microseconds.
pub struct Oracle<'a> {
    pub world: &'a World,
    pub now: i64,
}

/// What rows are ordered by.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum SortValue {
    Text(String),
    Number(Decimal),
    Date(i64),
    /// Tenths of a metre: what is as far by its longitude or its latitude is equal.
    Distance(f64),
}

impl Oracle<'_> {
    /// What is shown, and the resources that meet the criteria and so lead to it: one, but for
    /// containers.
    pub fn matches(&self, query: &Query) -> BTreeMap<Key, Vec<Resource>> {
        let holds = |resource: &Resource| {
            query.types.contains(&resource.kind())
                && query.criteria.iter().all(|one| self.holds(resource, &one.links, one))
        };
        let mut shown: BTreeMap<Key, Vec<Resource>> = BTreeMap::new();
        for resource in &self.world.resources {
            let shows_itself = query.contained.is_none_or(|contained| contained.has_others);
            if shows_itself && holds(resource) {
                shown.insert(resource.key(), vec![resource.clone()]);
            }
            let Some(asked) = query.contained else { continue };
            let is_shown = shown.contains_key(&resource.key());
            for (key, contained) in resource.contained() {
                match (asked.shows_containers, holds(&contained)) {
                    (true, true) if !is_shown => {
                        shown.entry(resource.key()).or_default().push(contained);
                    }
                    (false, true) => drop(shown.insert(key, vec![contained])),
                    _ => {}
                }
            }
        }
        shown
    }

    /// Whether what the links lead to meets the criterion.
    fn holds(&self, resource: &Resource, links: &[Link], criterion: &Criterion) -> bool {
        let Some((link, rest)) = links.split_first() else {
            return self.meets(resource, criterion);
        };
        let all = &self.world.resources;
        match link {
            Link::Chain { name, target } => {
                let targets = self.targets(resource, name);
                let leads = |found: &&Resource| {
                    target.is_none_or(|kind| found.kind() == kind)
                        && is_known(found.kind(), rest, criterion)
                };
                let within = resource.within(&references(resource, name));
                let named = all.iter().filter(|found| targets.contains(&found.key()));
                let mut ends = named.chain(&within).filter(leads);
                ends.any(|found| self.holds(found, rest, criterion))
            }
            // Nothing but its container refers to it.
            Link::Has { .. } if resource.is_contained() => false,
            Link::Has { kind, name } => {
                let key = resource.key();
                let refers = |found: &&Resource| {
                    found.kind() == *kind && self.targets(found, name).contains(&key)
                };
                all.iter().filter(refers).any(|found| self.holds(found, rest, criterion))
            }
        }
    }

    /// What the resource refers to by a parameter.
    fn targets(&self, resource: &Resource, name: &str) -> Vec<Key> {
        let elements = references(resource, name);
        elements.iter().filter_map(|one| local_key(one, &self.world.base)).collect()
    }

    fn meets(&self, resource: &Resource, criterion: &Criterion) -> bool {
        let parameter = parameters::find(resource.kind(), criterion.name)
            .unwrap_or_else(|| panic!("{} of {}", criterion.name, resource.kind()));
        let any =
            || criterion.values.iter().any(|one| self.has(resource, parameter, (criterion, one)));
        match criterion.modifier {
            Some("missing") => {
                let elements = parameter.elements(resource);
                let is_missing = !elements.iter().any(|element| has_value(element, parameter));
                (criterion.values[0] == "true") == is_missing
            }
            Some("not" | "not-in") => !any(),
            _ => any(),
        }
    }

    /// Whether an element of the parameter passes one alternative.
    fn has(
        &self,
        resource: &Resource,
        parameter: &Parameter,
        (criterion, one): (&Criterion, &str),
    ) -> bool {
        if let Kind::Pair(pair) = parameter.kind {
            return self.has_pair(resource, pair, one);
        }
        let elements = parameter.elements(resource);
        let (has_no_case, implied) = (
            parameters::has_no_case(resource.kind(), parameter),
            parameters::implied_system(resource.kind(), parameter),
        );
        let of_system = implied.and_then(|system| one.strip_prefix(system)?.strip_prefix('|'));
        let passes = |element: &Value| match (parameter.kind, criterion.modifier) {
            (Kind::Coded, Some("text")) => {
                let wanted = folded(&texts::unescape(one));
                texts::names(element).iter().any(|name| folded(name).starts_with(&wanted))
            }
            (Kind::Coded, Some("in" | "not-in")) => {
                let set = texts::unescape(one);
                let is_in = |(system, code): &(String, String)| terms::is_in(&set, (system, code));
                codings(element).iter().any(is_in)
            }
            (Kind::Coded, Some(modifier @ ("below" | "above"))) => {
                let parts = texts::split(one, '|');
                let (system, wanted) = (texts::unescape(&parts[0]), texts::unescape(&parts[1]));
                let is_meant = |(of, code): &(String, String)| {
                    terms::is_along(modifier, (&system, &wanted), (of, code))
                };
                codings(element).iter().any(is_meant)
            }
            (Kind::Plain, _) if of_system == Some("") => true,
            (Kind::Plain, _) if of_system.is_some() => {
                token_matches(element, of_system.unwrap_or_default())
            }
            (Kind::Plain, _) if has_no_case => {
                let lower = element.as_str().unwrap_or_default().to_lowercase();
                token_matches(&lower.into(), &one.to_lowercase())
            }
            (Kind::Reference, Some("identifier")) => {
                element.get("identifier").is_some_and(|found| token_matches(found, one))
            }
            (Kind::Reference, kind) => self.refers(element, kind, one),
            (kind, modifier) => self.passes(element, kind, (modifier, one)),
        };
        let is_of_name = matches!(parameter.name, "family" | "name");
        let mut families = match criterion.modifier {
            None if is_of_name => at(&resource.body, "name.family").into_iter(),
            _ => Vec::new().into_iter(),
        };
        elements.iter().any(passes) || families.any(|one_of| family_matches(&one_of, one))
    }

    fn has_pair(&self, resource: &Resource, pair: &Pair, one: &str) -> bool {
        let parts = texts::split(one, '$');
        let [first, second] = &parts[..] else { panic!("{one} is no pair") };
        let repetitions = pair.bases.iter().flat_map(|path| at(&resource.body, path));
        let found = |element: &Value, paths: &[&str]| -> Vec<Value> {
            paths.iter().flat_map(|path| at(element, path)).collect()
        };
        repetitions.into_iter().any(|element| {
            found(&element, &[pair.first]).iter().any(|one| token_matches(one, first))
                && found(&element, pair.seconds)
                    .iter()
                    .any(|one| self.passes(one, pair.second, (None, second)))
        })
    }

    fn passes(&self, element: &Value, kind: Kind, (modifier, one): (Option<&str>, &str)) -> bool {
        match kind {
            Kind::Coded | Kind::Plain => token_matches(element, one),
            Kind::Text => string_matches(element, modifier, one),
            Kind::Date => {
                let (prefix, text) = numbers::prefixed(one);
                let wanted = dates::range(text).unwrap_or_else(|| panic!("{one} is no date"));
                let stored = dates::element_range(element);
                stored.is_some_and(|stored| dates::matches(prefix, wanted, stored, self.now))
            }
            Kind::Number => {
                let wanted = Number::parse(one).unwrap_or_else(|| panic!("{one} is no number"));
                numbers::span(element).is_some_and(|stored| wanted.matches(stored))
            }
            Kind::Quantity => quantity_matches(element, one),
            Kind::Uri => uri_matches(element, false, one),
            Kind::Words => words_match(element, one),
            Kind::Place => places::is_near(element, one),
            Kind::Canonical => uri_matches(element, true, one),
            Kind::Reference | Kind::Pair(_) => panic!("neither is a single value"),
        }
    }

    /// `id`, `Type/id` or a URL; the modifier names the type of an id alone.
    fn refers(&self, element: &Value, kind: Option<&str>, one: &str) -> bool {
        let (base, wanted) = (&self.world.base, texts::unescape(one));
        let Some(stored) = local_key(element, base) else {
            return element["reference"] == wanted;
        };
        match key_of(&wanted, base) {
            Some(key) => stored == key,
            None => stored.1 == wanted && kind.is_none_or(|kind| stored.0 == kind),
        }
    }

    /// What goes with a page of these matches, each in the versions that lead there.
    pub fn included(&self, query: &Query, matches: &BTreeSet<Key>) -> BTreeSet<Key> {
        let found = self.reached_by_all(query, matches);
        let mut shown = BTreeSet::new();
        for include in &query.includes {
            let further = found.iter().filter(|_| include.is_iterated);
            let from: BTreeSet<Key> = matches.iter().chain(further).cloned().collect();
            for (key, version) in self.links(include, &from) {
                let current = self.world.find(&key).map(Resource::version);
                let is_old = |one: &String| current != Some(one) && is_stored(&key);
                match version.filter(is_old) {
                    Some(old) => drop(shown.insert(versioned(&key, &old))),
                    None if found.contains(&key) => {
                        shown.insert(versioned(&key, current.expect("a resource of this world")));
                    }
                    None => {}
                }
            }
        }
        shown
    }

    /// The resources that go with a page, whatever their version.
    fn reached_by_all(&self, query: &Query, matches: &BTreeSet<Key>) -> BTreeSet<Key> {
        let mut found: BTreeSet<Key> = BTreeSet::new();
        let mut from = matches.clone();
        let mut is_first = true;
        while !from.is_empty() {
            let mut reached = BTreeSet::new();
            let includes = query.includes.iter().filter(|one| is_first || one.is_iterated);
            for include in includes {
                let reaches = self.links(include, &from).into_iter().map(|(key, _)| key);
                reached.extend(reaches.filter(|key| self.world.find(key).is_some()));
            }
            from = reached.into_iter().filter(|key| !matches.contains(key)).collect();
            from.retain(|key| found.insert(key.clone()));
            is_first = false;
        }
        found
    }

    /// What an include leads to, and the version that is named.
    fn links(&self, include: &Include, from: &BTreeSet<Key>) -> Vec<(Key, Option<String>)> {
        let mut links = Vec::new();
        let sources = self.world.resources.iter();
        let is_source = |resource: &&Resource| {
            include.source.is_none_or(|kind| resource.kind() == kind)
                && (include.is_reverse || from.contains(&resource.key()))
        };
        for source in sources.filter(is_source) {
            let by = parameters::own(source.kind()).iter().filter(|parameter| {
                matches!(parameter.kind, Kind::Reference)
                    && include.name.is_none_or(|name| name == parameter.name)
            });
            let is_target = |key: &Key| {
                include.target.is_none_or(|kind| key.0 == kind)
                    && (!include.is_reverse || from.contains(key))
            };
            for element in by.flat_map(|parameter| parameter.elements(source)) {
                let Some(key) = local_key(&element, &self.world.base) else { continue };
                let text = element["reference"].as_str().unwrap_or_default();
                let version = text.split_once("/_history/").map(|(_, one)| one.to_owned());
                match is_target(&key) {
                    true if include.is_reverse => links.push((source.key(), None)),
                    true => links.push((key, version)),
                    false => {}
                }
            }
        }
        links
    }

    /// What these resources are ordered by: their least value, in descending order the greatest.
    pub fn sort_value(
        &self,
        resources: &[Resource],
        (query, sort): (&Query, &Sort),
    ) -> Option<SortValue> {
        let of = |resource| self.values_of(resource, (query, sort));
        resources.iter().filter_map(of).reduce(|a, b| first(a, b, sort))
    }

    fn values_of(&self, resource: &Resource, (query, sort): (&Query, &Sort)) -> Option<SortValue> {
        let parameter = parameters::find(resource.kind(), sort.name)?;
        let elements = parameter.elements(resource);
        if let Kind::Place = parameter.kind {
            let position = elements.first()?;
            let ways = query.near()?.values.iter().map(|one| places::distance(position, one));
            let least = ways.reduce(f64::min)?;
            return Some(SortValue::Distance((least * 10.0).round()));
        }
        let has_no_case = parameters::has_no_case(resource.kind(), parameter);
        let folded = |value| match value {
            SortValue::Text(text) if has_no_case => SortValue::Text(text.to_lowercase()),
            other => other,
        };
        let values = elements.iter().flat_map(|element| sort_values(element, parameter));
        let values = values.map(folded);
        values.reduce(|a, b| first(a, b, sort))
    }
}

fn first(a: SortValue, b: SortValue, sort: &Sort) -> SortValue {
    if (a < b) == sort.is_descending { b } else { a }
}

/// Whether there is, or was, such a resource: the first version is still there.
fn is_stored((kind, id): &Key) -> bool {
    TYPES.contains(&kind.as_str()) && IDS.contains(&id.as_str())
}

fn versioned((kind, id): &Key, version: &str) -> Key {
    (kind.clone(), format!("{id}/_history/{version}"))
}

/// Whether the element says anything that could be searched: a Reference with nothing but a
/// text to show does not.
fn has_value(element: &Value, parameter: &Parameter) -> bool {
    let is_reference = matches!(parameter.kind, Kind::Reference);
    !is_reference || element.get("reference").is_some() || element.get("identifier").is_some()
}

fn sort_values(element: &Value, parameter: &Parameter) -> Vec<SortValue> {
    let text = |text: &str| SortValue::Text(text.to_owned());
    match parameter.kind {
        Kind::Coded | Kind::Plain => {
            let codes = codings(element).into_iter().map(|(_, code)| code);
            codes.filter(|code| !code.is_empty()).map(|code| text(&code)).collect()
        }
        Kind::Text => element.as_str().map(|one| text(&folded(one))).into_iter().collect(),
        Kind::Uri => element.as_str().map(text).into_iter().collect(),
        // A canonical stands with and without its version.
        Kind::Canonical => {
            let whole = element.as_str().unwrap_or_default();
            [whole, whole.split('|').next().unwrap_or_default()].map(text).into()
        }
        Kind::Date => {
            dates::element_range(element).map(|(low, _)| SortValue::Date(low)).into_iter().collect()
        }
        Kind::Number | Kind::Quantity => {
            let low = |span: numbers::Span| span.low.map_or(Decimal::MIN, |(low, _)| low);
            numbers::span(element).map(|span| SortValue::Number(low(span))).into_iter().collect()
        }
        Kind::Reference | Kind::Words | Kind::Place | Kind::Pair(_) => Vec::new(),
    }
}

/// What a parameter finds in a resource; nothing where its type has none of the name.
fn references(resource: &Resource, name: &str) -> Vec<Value> {
    let parameter = parameters::find(resource.kind(), name);
    parameter.map(|parameter| parameter.elements(resource)).unwrap_or_default()
}

/// Whether a type has the first parameter of what is left: a chain without a type goes to those
/// alone.
fn is_known(kind: &str, rest: &[Link], criterion: &Criterion) -> bool {
    match rest.first() {
        Some(Link::Chain { name, .. }) => parameters::find(kind, name).is_some(),
        Some(Link::Has { .. }) => true,
        None => parameters::find(kind, criterion.name).is_some(),
    }
}
