//! Expansions of the value sets that required bindings name and that R4 ships whole.

use super::element::leak;
use super::table::ValueSetRow;
use std::collections::{HashMap, HashSet};

pub struct ValueSet {
    pub url: &'static str,
    systems: HashMap<&'static str, HashSet<&'static str>>,
}

impl ValueSet {
    pub(super) fn new(row: ValueSetRow) -> Self {
        let systems = row
            .systems
            .into_iter()
            .map(|system| (leak(system.system), system.codes.into_iter().map(leak).collect()))
            .collect();
        ValueSet { url: leak(row.url), systems }
    }

    /// The one system that all its codes are of; None where there are several.
    pub fn system(&self) -> Option<&'static str> {
        match self.systems.len() {
            1 => self.systems.keys().next().copied(),
            _ => None,
        }
    }

    /// Membership of a `code`, whose system is implied by the binding.
    pub fn has_code(&self, code: &str) -> bool {
        self.systems.values().any(|codes| codes.contains(code))
    }

    /// Membership of a Coding.
    pub fn has_coding(&self, system: &str, code: &str) -> bool {
        self.systems.get(system).is_some_and(|codes| codes.contains(code))
    }
}
