//! Random queries: of every kind that docs/search.md names.

use super::parameters::{self, Kind, Parameter};
use super::query::{Contained, Criterion, Include, Link, Query, Sort};
use super::random::Random;
use super::values::Values;
use super::world::{TYPES, World};

/// Types with parameters that the specification defines once for all of them.
const SHARED: [(&[&str], &[&str]); 3] = [
    (
        &["Patient", "Practitioner"],
        &["address", "address-city", "address-use", "email", "family", "gender", "given", "phone"],
    ),
    (&["Encounter", "Observation", "RiskAssessment"], &["date", "identifier", "patient"]),
    (&["RiskAssessment", "Observation"], &["date", "encounter", "identifier", "patient"]),
];

/// Draws the queries of one world.
pub struct Drawing<'a> {
    pub random: &'a mut Random,
    pub world: &'a World,
}

/// Codes of a code system, and no identifier.
fn is_concept(parameter: &Parameter) -> bool {
    parameter.paths.iter().all(|path| !path.contains("identifier"))
}

impl Drawing<'_> {
    pub fn query(&mut self) -> Query {
        let types = match self.random.below(20) {
            0 => self.several_types(),
            1 => self.random.pick(&SHARED).0.to_vec(),
            _ => vec![self.random.pick(&TYPES)],
        };
        let count = [0, 1, 1, 1, 1, 1, 2, 2, 3][self.random.below(9)];
        let criteria = (0..count).map(|_| self.criterion(&types)).collect();
        let includes = match self.random.percent(25) {
            true => (0..=self.random.below(3)).filter_map(|_| self.include(&types)).collect(),
            false => Vec::new(),
        };
        let sort = if self.random.percent(35) { self.sort(&types) } else { None };
        let count = if self.random.percent(15) { self.random.below(5) } else { 500 };
        let is_by_post = self.random.percent(10);
        let contained = None;
        let mut query = Query { types, criteria, contained, includes, sort, count, is_by_post };
        if self.random.percent(20) {
            self.add_contained(&mut query);
        }
        if query.near().is_some() && self.random.percent(40) {
            let is_descending = self.random.percent(50);
            query.sort = Some(Sort { name: "near", is_descending });
        }
        query
    }

    /// Asks for contained resources too, or for these alone; what is not asked of them is left out.
    fn add_contained(&mut self, query: &mut Query) {
        let is_of_itself = |one: &Criterion| !matches!(one.links.first(), Some(Link::Has { .. }));
        query.criteria.retain(is_of_itself);
        query.includes.clear();
        let has_others = self.random.percent(50);
        let shows_containers = self.random.percent(50);
        query.contained = Some(Contained { has_others, shows_containers });
    }

    fn several_types(&mut self) -> Vec<&'static str> {
        let first = self.random.below(TYPES.len());
        let second = (first + 1 + self.random.below(TYPES.len() - 1)) % TYPES.len();
        vec![TYPES[first], TYPES[second]]
    }

    fn criterion(&mut self, types: &[&'static str]) -> Criterion {
        let [kind] = types else {
            let shared = shared(types);
            let parameter = self.random.pick(&shared);
            let kind = self.random.pick(types);
            return self.plain(kind, parameter);
        };
        match self.random.below(10) {
            0 | 1 => self.linked(kind, 1),
            2 => {
                let links = 2 + self.random.below(2);
                self.linked(kind, links)
            }
            _ => {
                let parameter = self.parameter(kind);
                self.plain(kind, parameter)
            }
        }
    }

    fn parameter(&mut self, kind: &str) -> &'static Parameter {
        match self.random.percent(12) {
            true => self.random.pick(&all(parameters::everywhere())),
            false => self.random.pick(&all(parameters::own(kind))),
        }
    }

    /// A criterion on the type itself.
    fn plain(&mut self, kind: &str, parameter: &'static Parameter) -> Criterion {
        let modifier = self.modifier(parameter);
        let count = if self.random.percent(25) { 2 } else { 1 };
        let mut values = Values { random: self.random, world: self.world, parameter, modifier };
        let values = match modifier {
            Some("missing") => vec![values.truth()],
            _ => (0..count).map(|_| values.value(kind)).collect(),
        };
        Criterion { links: Vec::new(), name: parameter.name, modifier, values }
    }

    fn modifier(&mut self, parameter: &Parameter) -> Option<&'static str> {
        if matches!(parameter.kind, Kind::Words) {
            return None;
        }
        if self.random.percent(8) && !matches!(parameter.kind, Kind::Pair(_)) {
            return Some("missing");
        }
        if self.random.percent(60) {
            return None;
        }
        match parameter.kind {
            Kind::Coded if is_concept(parameter) && self.random.percent(50) => {
                Some(self.random.pick(&["in", "not-in", "below", "above"]))
            }
            Kind::Coded if self.random.percent(50) => Some("text"),
            Kind::Coded | Kind::Plain => Some("not"),
            Kind::Text => Some(self.random.pick(&["exact", "contains"])),
            Kind::Reference => match self.random.percent(50) {
                true => Some("identifier"),
                false => Some(self.random.pick(parameter.targets)),
            },
            _ => None,
        }
    }

    /// A criterion over links; over fewer where a type has none.
    fn linked(&mut self, kind: &'static str, links: usize) -> Criterion {
        if links == 0 {
            let parameter = self.parameter(kind);
            return self.plain(kind, parameter);
        }
        if self.random.percent(40) {
            let referring = parameters::referring(kind);
            if !referring.is_empty() {
                let (source, parameter) = self.random.pick(&referring);
                let link = Link::Has { kind: source, name: parameter.name };
                return after(link, self.linked(source, links - 1));
            }
        }
        let references = all(parameters::own(kind));
        let references: Vec<_> =
            references.into_iter().filter(|found| !found.targets.is_empty()).collect();
        if references.is_empty() {
            let parameter = self.parameter(kind);
            return self.plain(kind, parameter);
        }
        let reference = self.random.pick(&references);
        let to = self.random.pick(reference.targets);
        let rest = self.linked(to, links - 1);
        let target = self.random.percent(50).then_some(to);
        after(Link::Chain { name: reference.name, target }, rest)
    }

    fn include(&mut self, types: &[&'static str]) -> Option<Include> {
        let is_reverse = self.random.percent(40);
        let is_iterated = self.random.percent(40);
        if self.random.percent(10) {
            let (source, name, target) = (None, None, None);
            return Some(Include { is_reverse, is_iterated: false, source, name, target });
        }
        let is_anywhere = is_iterated && self.random.percent(50);
        let kind = if is_anywhere { self.random.pick(&TYPES) } else { self.random.pick(types) };
        let (source, parameter) = match is_reverse {
            true => {
                let referring = parameters::referring(kind);
                (!referring.is_empty()).then(|| self.random.pick(&referring))?
            }
            false => {
                let references = all(parameters::own(kind));
                let references: Vec<_> =
                    references.into_iter().filter(|found| !found.targets.is_empty()).collect();
                (kind, (!references.is_empty()).then(|| self.random.pick(&references))?)
            }
        };
        let name = (!self.random.percent(15)).then_some(parameter.name);
        let has_target = name.is_some() && self.random.percent(25);
        let target = has_target.then(|| self.random.pick(parameter.targets));
        let target = if is_reverse && has_target { Some(kind) } else { target };
        Some(Include { is_reverse, is_iterated, source: Some(source), name, target })
    }

    fn sort(&mut self, types: &[&'static str]) -> Option<Sort> {
        let sortable = |parameter: &&Parameter| {
            !matches!(parameter.kind, Kind::Reference | Kind::Words | Kind::Place | Kind::Pair(_))
        };
        let own = match types {
            [kind] if self.random.percent(85) => all(parameters::own(kind)),
            _ => shared(types),
        };
        let sortable: Vec<&Parameter> = own.into_iter().filter(sortable).collect();
        let parameter = self.random.pick(&sortable);
        Some(Sort { name: parameter.name, is_descending: self.random.percent(50) })
    }
}

/// The parameters that types have together.
fn shared(types: &[&str]) -> Vec<&'static Parameter> {
    let found = SHARED.iter().find(|(kinds, _)| *kinds == types);
    let names = found.map_or(&[][..], |(_, names)| names);
    let own = names.iter().filter_map(|name| parameters::find(types[0], name));
    own.chain(parameters::everywhere()).collect()
}

fn all(parameters: &'static [Parameter]) -> Vec<&'static Parameter> {
    parameters.iter().collect()
}

fn after(link: Link, rest: Criterion) -> Criterion {
    let mut links = vec![link];
    links.extend(rest.links);
    Criterion { links, ..rest }
}
