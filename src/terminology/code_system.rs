//! A code system: <https://hl7.org/fhir/R4/codesystem.html>.

use super::{items, text};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// A code system as a CodeSystem resource defines it.
#[derive(Debug)]
pub struct CodeSystem {
    pub url: String,
    /// Empty where it has none.
    pub version: String,
    /// `complete`, `fragment`, `not-present`, `example` or `supplement`.
    pub content: String,
    /// What its hierarchy means; empty where it does not say.
    meaning: String,
    pub(super) concepts: Vec<Concept>,
    by_code: HashMap<String, usize>,
    /// Codes of properties that it defines.
    pub(super) properties: BTreeSet<String>,
}

#[derive(Default, Debug)]
pub(super) struct Concept {
    pub code: String,
    pub display: String,
    pub is_inactive: bool,
    pub parents: Vec<usize>,
    pub children: Vec<usize>,
    /// Codes of properties with their values as text.
    pub properties: Vec<(String, String)>,
}

/// A concept's parent or child, by its code.
struct Link<'a> {
    concept: usize,
    code: &'a str,
    is_parent: bool,
}

impl<'a> Link<'a> {
    fn new(concept: usize, property: &'a Value, is_parent: bool) -> Link<'a> {
        Link { concept, code: text(property, "valueCode"), is_parent }
    }
}

/// Which hierarchies count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hierarchy {
    /// Subsumption alone: what is said to mean anything but `is-a` does not count.
    IsA,
    /// Whatever it means: "is-a, or hierarchical relationships".
    Any,
}

/// <http://hl7.org/fhir/concept-properties>
const PROPERTIES: &str = "http://hl7.org/fhir/concept-properties#";

impl CodeSystem {
    pub fn read(resource: &Value) -> CodeSystem {
        let mut system = CodeSystem {
            url: text(resource, "url").to_owned(),
            version: text(resource, "version").to_owned(),
            content: text(resource, "content").to_owned(),
            meaning: text(resource, "hierarchyMeaning").to_owned(),
            concepts: Vec::new(),
            by_code: HashMap::new(),
            properties: BTreeSet::new(),
        };
        // Properties of HL7 by the codes that the system gives them.
        let mut names: HashMap<&str, &str> = HashMap::new();
        for property in items(resource, "property") {
            let (code, uri) = (text(property, "code"), text(property, "uri"));
            system.properties.insert(code.to_owned());
            names.insert(code, uri.strip_prefix(PROPERTIES).unwrap_or(code));
        }
        let mut links: Vec<Link> = Vec::new();
        system.add(items(resource, "concept"), None, (&names, &mut links));
        for Link { concept, code, is_parent } in links {
            let Some(other) = system.by_code.get(code).copied() else { continue };
            let (parent, child) = if is_parent { (other, concept) } else { (concept, other) };
            system.link(parent, child);
        }
        system
    }

    fn add<'a>(
        &mut self,
        concepts: &'a [Value],
        parent: Option<usize>,
        (names, links): (&HashMap<&str, &str>, &mut Vec<Link<'a>>),
    ) {
        for value in concepts {
            let code = text(value, "code");
            if code.is_empty() || self.by_code.contains_key(code) {
                continue;
            }
            let at = self.concepts.len();
            let mut concept = Concept {
                code: code.to_owned(),
                display: text(value, "display").to_owned(),
                ..Concept::default()
            };
            for property in items(value, "property") {
                let name = text(property, "code");
                let Some(found) = value_of(property) else { continue };
                match *names.get(name).unwrap_or(&name) {
                    "parent" => links.push(Link::new(at, property, true)),
                    "child" => links.push(Link::new(at, property, false)),
                    "inactive" => concept.is_inactive |= found == "true",
                    "status" => concept.is_inactive |= found == "retired" || found == "inactive",
                    _ => {}
                }
                concept.properties.push((name.to_owned(), found));
            }
            self.concepts.push(concept);
            self.by_code.insert(code.to_owned(), at);
            if let Some(parent) = parent {
                self.link(parent, at);
            }
            self.add(items(value, "concept"), Some(at), (names, links));
        }
    }

    fn link(&mut self, parent: usize, child: usize) {
        if parent != child && !self.concepts[child].parents.contains(&parent) {
            self.concepts[child].parents.push(parent);
            self.concepts[parent].children.push(child);
        }
    }

    /// How many concepts it defines.
    pub fn len(&self) -> usize {
        self.concepts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.concepts.is_empty()
    }

    /// Whether all of its concepts are here.
    pub fn is_complete(&self) -> bool {
        self.content == "complete"
    }

    pub(super) fn place(&self, code: &str) -> Option<usize> {
        self.by_code.get(code).copied()
    }

    /// The concept and all under it; the code alone where the system does not define it.
    pub fn below(&self, code: &str, hierarchy: Hierarchy) -> BTreeSet<String> {
        self.from(code, hierarchy, |concept| &concept.children)
    }

    /// The concept and all that it is under; the code alone where the system does not define it.
    pub fn above(&self, code: &str, hierarchy: Hierarchy) -> BTreeSet<String> {
        self.from(code, hierarchy, |concept| &concept.parents)
    }

    fn from(
        &self,
        code: &str,
        hierarchy: Hierarchy,
        next: impl Fn(&Concept) -> &Vec<usize>,
    ) -> BTreeSet<String> {
        let counts = hierarchy == Hierarchy::Any || matches!(&*self.meaning, "" | "is-a");
        let mut found = BTreeSet::from([code.to_owned()]);
        let mut ahead: Vec<usize> = self.place(code).filter(|_| counts).into_iter().collect();
        while let Some(at) = ahead.pop() {
            for other in next(&self.concepts[at]) {
                if found.insert(self.concepts[*other].code.clone()) {
                    ahead.push(*other);
                }
            }
        }
        found
    }
}

/// `value[x]` of a property as text: the code of a Coding.
fn value_of(property: &Value) -> Option<String> {
    let object = property.as_object()?;
    let (_, value) = object.iter().find(|(name, _)| name.starts_with("value"))?;
    Some(match value {
        Value::String(text) => text.clone(),
        Value::Object(_) => text(value, "code").to_owned(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(codes: &[&str]) -> BTreeSet<String> {
        codes.iter().map(|code| (*code).to_owned()).collect()
    }

    #[test]
    fn a_hierarchy_is_of_nested_concepts_and_of_parents_and_children() {
        let system = CodeSystem::read(&json!({"url": "http://s", "content": "complete",
            "property": [{"code": "up", "uri": "http://hl7.org/fhir/concept-properties#parent"}],
            "concept": [
                {"code": "a", "concept": [{"code": "b", "concept": [{"code": "c"}]}]},
                {"code": "d", "property": [{"code": "up", "valueCode": "b"}]},
                {"code": "e", "property": [{"code": "child", "valueCode": "a"}]}]}));
        let below = |code| system.below(code, Hierarchy::IsA);
        assert_eq!(below("a"), set(&["a", "b", "c", "d"]));
        assert_eq!(below("e"), set(&["a", "b", "c", "d", "e"]));
        assert_eq!(system.above("d", Hierarchy::IsA), set(&["a", "b", "d", "e"]));
        assert_eq!(below("unknown"), set(&["unknown"]));
    }

    #[test]
    fn a_circle_ends_and_a_hierarchy_of_another_meaning_is_no_subsumption() {
        let parent = |code: &str| json!([{"code": "parent", "valueCode": code}]);
        let system = CodeSystem::read(&json!({"url": "s", "hierarchyMeaning": "part-of",
            "concept": [{"code": "a", "property": parent("b")},
                {"code": "b", "property": parent("a")}, {"code": "b"}]}));
        assert_eq!(system.below("a", Hierarchy::Any), set(&["a", "b"]));
        assert_eq!(system.below("a", Hierarchy::IsA), set(&["a"]));
        assert_eq!(system.len(), 2);
    }
}
