//! Whether the best plan of a search is the same for all of its values, so that the database
//! need not plan it anew for each: for a page by an index that is most of the cost.

use crate::search::value::string::StringTest;
use crate::search::value::token::TokenTest;
use crate::search::{Clause, Link, Plan, Predicate, Sort, SortKey, Total};

/// Letters from which on few values begin so.
const FEW_FROM: usize = 3;

impl Plan {
    /// True where an index leads to few rows whatever the values are, or gives the rows in the
    /// order asked for, and nothing else could be better for other values.
    pub(in crate::storage) fn is_settled(&self) -> bool {
        let clauses = || self.clauses.iter().filter(|clause| !clause.is_negated);
        let is_led = clauses().any(|clause| clause.is_few() || clause.is_lead());
        is_led
            && self.contained.is_none()
            && self.sort.iter().all(Sort::is_in_row)
            && self.clauses.iter().all(Clause::is_settled)
    }
}

impl Plan {
    /// True for a page that is found at once, whatever the values are, and needs nothing beside
    /// its own statement: it can wait for others, and others for it.
    pub(in crate::storage) fn is_brief(&self) -> bool {
        let clauses = || self.clauses.iter().filter(|clause| !clause.is_negated);
        let is_dated = |clause: &Clause| clause.is_lead() || clause.is_of_main_date();
        let is_alone = self.count > 0
            && self.includes.is_empty()
            && self.definitions.is_none()
            && (self.total == Total::None || self.as_of.is_some());
        is_alone
            && self.is_settled()
            && (clauses().any(Clause::is_point) || self.clauses.iter().all(is_dated))
    }
}

impl Sort {
    fn is_in_row(&self) -> bool {
        matches!(
            self.key,
            SortKey::Id | SortKey::LastUpdated | SortKey::Date { is_in_row: true, .. }
        )
    }
}

impl Clause {
    /// Finds few rows by an index, whatever its values.
    fn is_few(&self) -> bool {
        self.alternatives.iter().all(|predicate| match predicate {
            Predicate::Id(_)
            | Predicate::Reference { is_subject: true, .. }
            | Predicate::Identifier { test: TokenTest::Exact(_) | TokenTest::Code(_), .. } => true,
            Predicate::String { test, .. } => test.is_few(),
            _ => false,
        })
    }

    /// Finds a row, or those of one patient.
    fn is_point(&self) -> bool {
        self.alternatives.iter().all(|predicate| match predicate {
            Predicate::Id(_)
            | Predicate::Reference { is_subject: true, .. }
            | Predicate::Identifier { test: TokenTest::Exact(_), .. } => true,
            Predicate::Chain(link) => link.is_settled() && link.clause.is_point(),
            _ => false,
        })
    }

    fn is_of_main_date(&self) -> bool {
        let is = |predicate: &Predicate| match predicate {
            Predicate::Date { has_rows, main, .. } => !has_rows && !main.is_empty(),
            _ => false,
        };
        !self.is_negated && self.alternatives.iter().all(is)
    }

    /// One main coding, whose rows are in the order of their main date.
    fn is_lead(&self) -> bool {
        matches!(
            &self.alternatives[..],
            [Predicate::Token { leads, test: TokenTest::Exact(_), .. }] if leads.len() == 1
        )
    }

    /// Adds nothing that the plan would hang on.
    fn is_settled(&self) -> bool {
        self.is_few()
            || self.alternatives.iter().all(|predicate| match predicate {
                Predicate::Token { .. }
                | Predicate::Reference { .. }
                | Predicate::LastUpdated(_)
                | Predicate::Missing { .. } => true,
                Predicate::Date { has_rows, main, .. } => !has_rows && !main.is_empty(),
                Predicate::Chain(link) => !self.is_negated && link.is_settled(),
                _ => false,
            })
    }
}

impl Link {
    /// Leads from a patient, of whom it finds few.
    pub(super) fn is_settled(&self) -> bool {
        self.is_subject && !self.clause.is_negated && self.clause.is_few()
    }
}

impl StringTest {
    fn is_few(&self) -> bool {
        match self {
            StringTest::StartsWith(text) => text.chars().count() >= FEW_FROM,
            StringTest::Same(_) | StringTest::Exact { .. } => true,
            _ => false,
        }
    }
}
