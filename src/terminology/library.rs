//! The value sets and code systems that a question needs.

use super::code_system::CodeSystem;
use super::value_set::ValueSet;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

/// By canonical URL, with `|version` where one is asked for; None for what is not held.
#[derive(Default)]
pub struct Library {
    value_sets: HashMap<String, Option<Arc<ValueSet>>>,
    code_systems: HashMap<String, Option<Arc<CodeSystem>>>,
}

/// What is to be brought next.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Needed {
    ValueSet(String),
    CodeSystem(String),
}

impl Library {
    pub fn put_value_set(&mut self, canonical: &str, found: Option<Arc<ValueSet>>) {
        self.value_sets.insert(canonical.to_owned(), found);
    }

    pub fn put_code_system(&mut self, canonical: &str, found: Option<Arc<CodeSystem>>) {
        self.code_systems.insert(canonical.to_owned(), found);
    }

    pub fn value_set(&self, canonical: &str) -> Option<&ValueSet> {
        self.value_sets.get(canonical)?.as_deref()
    }

    pub fn code_system(&self, canonical: &str) -> Option<&CodeSystem> {
        self.code_systems.get(canonical)?.as_deref()
    }

    /// How many value sets and code systems were asked for.
    pub fn len(&self) -> usize {
        self.value_sets.len() + self.code_systems.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the value sets here draw upon and is not here yet.
    pub fn needed(&self) -> Vec<Needed> {
        let mut needed = Vec::new();
        let here = self.value_sets.values().flatten();
        for part in here.flat_map(|value_set| value_set.parts()) {
            let imported = part.value_sets.iter();
            let missing = imported.filter(|canonical| !self.value_sets.contains_key(*canonical));
            needed.extend(missing.cloned().map(Needed::ValueSet));
            let system = part.canonical();
            // A list of codes says all by itself.
            let asks = !system.is_empty() && part.concepts.is_empty();
            if asks && !self.code_systems.contains_key(&system) {
                needed.push(Needed::CodeSystem(system));
            }
        }
        needed.sort_unstable();
        needed.dedup();
        needed
    }
}

/// Orders versions: numbers by value, other parts by letter; none is the oldest.
pub fn newest(a: &str, b: &str) -> Ordering {
    fn parts(version: &str) -> Vec<&str> {
        version.split(['.', '-']).collect()
    }
    if a.is_empty() || b.is_empty() {
        return a.len().cmp(&b.len());
    }
    for (a, b) in parts(a).into_iter().zip(parts(b)) {
        let order = match (a.parse::<u64>(), b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => a.cmp(b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    parts(a).len().cmp(&parts(b).len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_number() {
        let mut versions = ["1.10", "", "1.9", "2024-01-02", "1.9.1", "1"];
        versions.sort_by(|a, b| newest(a, b));
        assert_eq!(versions, ["", "1", "1.9", "1.9.1", "1.10", "2024-01-02"]);
    }
}
