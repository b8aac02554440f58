//! The surrogate ids that a plan needs: of coded values and of reference targets.

use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::ResourceKey;
use crate::search::value::concept::{CodeForm, ConceptTest};
use crate::search::value::quantity::UnitTest;
use crate::search::value::token::TokenTest;
use crate::search::{Clause, Found, ParameterId, Plan, Predicate, Second, Token};
use crate::storage::search::terms::Asked;
use crate::storage::write::index_rows::{lead_key, packed_key};
use std::collections::BTreeSet;

/// What has to be looked up before the statement is composed.
#[derive(Default, PartialEq, Debug)]
pub struct Wanted {
    pub tokens: BTreeSet<Token>,
    /// Codes in any system.
    pub codes: BTreeSet<String>,
    /// Systems, any code.
    pub systems: BTreeSet<String>,
    pub references: BTreeSet<ResourceKey>,
    /// Units that search values of quantities may mean.
    pub units: BTreeSet<UnitTest>,
    /// Media types with any parameters.
    pub media_types: BTreeSet<String>,
    /// Beginnings of texts of coded values.
    pub texts: BTreeSet<String>,
    pub concepts: Asked,
    /// What an id alone may name, one of them at most, by the parameter that refers to it.
    pub alternatives: Vec<(ParameterId, Vec<ResourceKey>)>,
}

impl Wanted {
    pub fn of(plan: &Plan) -> Wanted {
        let mut wanted = Wanted::default();
        plan.clauses.iter().for_each(|clause| wanted.clause(clause));
        wanted
    }

    fn clause(&mut self, clause: &Clause) {
        clause.alternatives.iter().for_each(|predicate| self.predicate(predicate));
    }

    fn predicate(&mut self, predicate: &Predicate) {
        match predicate {
            Predicate::Token { test, .. } => self.token(test),
            Predicate::Concept { test, form, .. } => {
                self.concepts.insert((test.clone(), *form));
            }
            Predicate::CodeText { text, .. } => drop(self.texts.insert(text.clone())),
            Predicate::Reference { parameter, targets, .. } => {
                self.references.extend(targets.iter().cloned());
                if targets.len() > 1 {
                    self.alternatives.push((*parameter, targets.clone()));
                }
            }
            Predicate::Along { targets, .. } => self.references.extend(targets.clone()),
            Predicate::Quantity { test, .. } => drop(self.units.insert(test.unit.clone())),
            Predicate::Compartment { key, .. } => drop(self.references.insert(key.clone())),
            Predicate::Chain(link) | Predicate::Has(link) => self.clause(&link.clause),
            Predicate::Unequal(equal) => self.predicate(equal),
            Predicate::All(clauses) => clauses.iter().for_each(|clause| self.clause(clause)),
            Predicate::Both(clauses) => clauses.iter().for_each(|clause| self.clause(clause)),
            Predicate::Composite { first, second, .. } => {
                self.token(first);
                match second {
                    Second::Token(test) => self.token(test),
                    Second::Quantity(test) => drop(self.units.insert(test.unit.clone())),
                    Second::Reference(targets) => self.references.extend(targets.clone()),
                    Second::Date(_) | Second::String(_) => {}
                }
            }
            Predicate::Always(_)
            | Predicate::Id(_)
            | Predicate::LastUpdated(_)
            | Predicate::Missing { .. }
            | Predicate::Identifier { .. }
            | Predicate::Uri { .. }
            | Predicate::Near { .. }
            | Predicate::Text { .. }
            | Predicate::String { .. }
            | Predicate::Date { .. } => {}
        }
    }

    fn token(&mut self, test: &TokenTest) {
        match test {
            TokenTest::Exact(token) => drop(self.tokens.insert(token.clone())),
            TokenTest::Code(code) => drop(self.codes.insert(code.clone())),
            TokenTest::System(system) => drop(self.systems.insert(system.clone())),
            TokenTest::MediaType(kind) => drop(self.media_types.insert(kind.clone())),
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Wanted::default()
    }
}

impl Found {
    /// Ids of the coded values that meet the test.
    pub fn ids(&self, test: &TokenTest) -> Vec<i64> {
        match test {
            TokenTest::Exact(token) => self.tokens.get(token).copied().into_iter().collect(),
            TokenTest::Code(code) => self.codes.get(code).cloned().unwrap_or_default(),
            TokenTest::System(system) => self.systems.get(system).cloned().unwrap_or_default(),
            TokenTest::MediaType(kind) => self.media_types.get(kind).cloned().unwrap_or_default(),
        }
    }

    /// Packed keys of the coded values that meet the test.
    pub fn token_keys(&self, parameter: ParameterId, test: &TokenTest) -> Vec<i64> {
        self.ids(test).into_iter().map(|id| packed_key(parameter, id)).collect()
    }

    /// Ids of the coded values that code systems say this of.
    pub fn concept_ids(&self, test: &ConceptTest, form: CodeForm) -> &[i64] {
        self.concepts.get(&(test.clone(), form)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Keys of the rows of these types that the coded values lead.
    pub fn lead_keys(&self, leads: &[ResourceType], test: &TokenTest) -> Vec<i64> {
        keys_as_leads(leads, &self.ids(test))
    }

    /// Where every alternative is a coded value that may lead: the keys as leads, and as keys.
    pub fn leading(&self, clause: &Clause) -> Option<(Vec<i64>, Vec<i64>)> {
        let (mut as_leads, mut keys) = (Vec::new(), Vec::new());
        for predicate in &clause.alternatives {
            match predicate {
                Predicate::Token { parameter, test, leads } if !leads.is_empty() => {
                    as_leads.extend(self.lead_keys(leads, test));
                    keys.extend(self.token_keys(*parameter, test));
                }
                _ => return None,
            }
        }
        // Each key is a branch of its own: a row must not be in two.
        for keys in [&mut as_leads, &mut keys] {
            keys.sort_unstable();
            keys.dedup();
        }
        (!clause.is_negated).then_some((as_leads, keys))
    }

    pub fn rids(&self, targets: &[ResourceKey]) -> Vec<i64> {
        targets.iter().filter_map(|target| self.references.get(target).copied()).collect()
    }

    /// Packed keys of the targets.
    pub fn reference_keys(&self, parameter: ParameterId, targets: &[ResourceKey]) -> Vec<i64> {
        self.rids(targets).into_iter().map(|rid| packed_key(parameter, rid)).collect()
    }
}

/// Keys of the rows of these types that coded values of these ids lead.
pub fn keys_as_leads(leads: &[ResourceType], ids: &[i64]) -> Vec<i64> {
    leads.iter().flat_map(|kind| ids.iter().map(|id| lead_key(*kind, *id))).collect()
}
