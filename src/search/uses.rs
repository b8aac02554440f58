//! Which search parameters a plan rests on.

use super::index_rows::ParameterId;
use super::plan::{Clause, Plan, Predicate};
use super::sort::SortKey;

impl Plan {
    /// True where the answer depends on rows of a parameter that R4 does not define.
    pub fn uses_customs(&self) -> bool {
        let by_sort = self.sort.iter().any(|sort| sort.key.uses_customs());
        let by_include = self.includes.iter().flat_map(|include| &include.parameters);
        by_sort
            || by_include.copied().any(ParameterId::is_custom)
            || self.clauses.iter().any(Clause::uses_customs)
    }
}

impl Clause {
    fn uses_customs(&self) -> bool {
        self.alternatives.iter().any(Predicate::uses_customs)
    }
}

impl Predicate {
    fn uses_customs(&self) -> bool {
        match self {
            Predicate::Always(_) | Predicate::Id(_) | Predicate::LastUpdated(_) => false,
            // R4 says what is in a compartment, and what its texts are.
            Predicate::Compartment { .. } | Predicate::Text { .. } => false,
            Predicate::Missing { parameter, .. }
            | Predicate::Token { parameter, .. }
            | Predicate::Concept { parameter, .. }
            | Predicate::CodeText { parameter, .. }
            | Predicate::Along { parameter, .. }
            | Predicate::Identifier { parameter, .. }
            | Predicate::Reference { parameter, .. }
            | Predicate::Uri { parameter, .. }
            | Predicate::String { parameter, .. }
            | Predicate::Date { parameter, .. }
            | Predicate::Quantity { parameter, .. }
            | Predicate::Composite { parameter, .. }
            | Predicate::Near { parameter, .. } => parameter.is_custom(),
            Predicate::Unequal(equal) => equal.uses_customs(),
            Predicate::Both(clauses) => clauses.iter().any(Clause::uses_customs),
            Predicate::All(clauses) => clauses.iter().any(Clause::uses_customs),
            Predicate::Chain(link) | Predicate::Has(link) => {
                link.parameter.is_custom() || link.clause.uses_customs()
            }
        }
    }
}

impl SortKey {
    fn uses_customs(&self) -> bool {
        match self {
            SortKey::Id | SortKey::LastUpdated | SortKey::MainDate => false,
            SortKey::Date { parameter, .. }
            | SortKey::Token { parameter, .. }
            | SortKey::Uri { parameter, .. }
            | SortKey::Near { parameter, .. } => parameter.is_custom(),
            SortKey::String(parameter) | SortKey::Reference(parameter) => parameter.is_custom(),
            SortKey::Number(parameters) => parameters.iter().any(|one| one.is_custom()),
        }
    }
}
