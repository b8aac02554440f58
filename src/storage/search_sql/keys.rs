//! The surrogate ids that a plan needs: of coded values and of reference targets.

use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::ResourceKey;
use crate::search::value::quantity::UnitTest;
use crate::search::value::token::TokenTest;
use crate::search::{Clause, ParameterId, Plan, Predicate, Second, Token, UnitOfMeasure};
use crate::storage::write::index_rows::{lead_key, packed_key};
use std::collections::{BTreeSet, HashMap};

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
}

/// What was found; what is not here does not exist, and nothing can refer to it.
#[derive(Default, Debug)]
pub struct Found {
    pub tokens: HashMap<Token, i64>,
    pub codes: HashMap<String, Vec<i64>>,
    pub systems: HashMap<String, Vec<i64>>,
    pub references: HashMap<ResourceKey, i64>,
    /// Of those that are wanted, and maybe others.
    pub units: Vec<(i32, UnitOfMeasure)>,
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
            Predicate::Reference { targets, .. } => self.references.extend(targets.clone()),
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
        }
    }

    /// Packed keys of the coded values that meet the test.
    pub fn token_keys(&self, parameter: ParameterId, test: &TokenTest) -> Vec<i64> {
        self.ids(test).into_iter().map(|id| packed_key(parameter, id)).collect()
    }

    /// Keys of the rows of these types that the coded values lead.
    pub fn lead_keys(&self, leads: &[ResourceType], test: &TokenTest) -> Vec<i64> {
        let ids = self.ids(test);
        leads.iter().flat_map(|kind| ids.iter().map(|id| lead_key(*kind, *id))).collect()
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
