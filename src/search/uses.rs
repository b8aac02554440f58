//! Which search parameters a plan rests on, and of which types.

use super::index_rows::ParameterId;
use super::plan::{Clause, Link, Plan, Predicate};
use super::sort::SortKey;
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::ResourceKey;

/// Something that resources of some types are asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Use<'a> {
    /// Empty for all.
    pub types: &'a [ResourceType],
    pub asks: Asks<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asks<'a> {
    Parameter(ParameterId),
    /// For references to these.
    Targets(ParameterId, &'a [ResourceKey]),
    /// What goes with the matches by one of these.
    Includes(&'a [ParameterId]),
    /// Words of texts.
    Words,
}

impl Plan {
    /// True where the answer depends on rows of a parameter that R4 does not define.
    pub fn uses_customs(&self) -> bool {
        let by_sort = self.sort.iter().flat_map(|sort| sort.key.parameters());
        let by_include = self.includes.iter().flat_map(|include| &include.parameters);
        by_sort.chain(by_include).any(|parameter| parameter.is_custom())
            || self.clauses.iter().any(Clause::uses_customs)
    }

    /// Every use of a search parameter by criteria, order and includes.
    pub fn uses(&self) -> Vec<Use<'_>> {
        let mut uses = Vec::new();
        for parameter in self.sort.iter().flat_map(|sort| sort.key.parameters()) {
            uses.push(Use { types: &self.types, asks: Asks::Parameter(*parameter) });
        }
        self.clauses.iter().for_each(|clause| clause.add_uses(&self.types, &mut uses));
        for include in &self.includes {
            let types = match (&include.source, include.is_reverse || include.is_iterated) {
                (Some(kind), _) => std::slice::from_ref(kind),
                (None, true) => &[],
                (None, false) => &self.types[..],
            };
            uses.push(Use { types, asks: Asks::Includes(&include.parameters) });
        }
        uses
    }

    /// True where some condition leads to other resources, and none of the ways that it may go
    /// is over types of which all of `may` holds: by such a condition nothing is found but what
    /// it tells of them.
    pub fn has_barred_link(&self, may: &dyn Fn(&[ResourceType]) -> bool) -> bool {
        self.clauses.iter().any(|clause| clause.is_barred(may))
    }
}

impl Clause {
    fn uses_customs(&self) -> bool {
        self.alternatives.iter().any(Predicate::uses_customs)
    }

    fn add_uses<'a>(&'a self, types: &'a [ResourceType], uses: &mut Vec<Use<'a>>) {
        for predicate in &self.alternatives {
            if let Some(parameter) = predicate.parameter()
                && !matches!(predicate, Predicate::Has(_))
            {
                let asks = match predicate {
                    Predicate::Reference { targets, .. } => Asks::Targets(parameter, targets),
                    // Over what the caller sees alone.
                    Predicate::Chain(_) => Asks::Targets(parameter, &[]),
                    _ => Asks::Parameter(parameter),
                };
                uses.push(Use { types, asks });
            }
            match predicate {
                Predicate::Text { .. } => uses.push(Use { types, asks: Asks::Words }),
                Predicate::Chain(link) => link.clause.add_uses(&link.types, uses),
                Predicate::Has(link) => {
                    // It leads back to what is searched.
                    let asks = Asks::Targets(link.parameter, &[]);
                    uses.push(Use { types: &link.types, asks });
                    link.clause.add_uses(&link.types, uses);
                }
                _ => predicate.parts().for_each(|clause| clause.add_uses(types, uses)),
            }
        }
    }

    fn is_barred(&self, may: &dyn Fn(&[ResourceType]) -> bool) -> bool {
        let is_open = |link: &Link| may(&link.types) && !link.clause.is_barred(may);
        let mut links = self.alternatives.iter().filter_map(Predicate::link).peekable();
        let has_links = links.peek().is_some();
        (has_links && !links.any(is_open))
            || self.alternatives.iter().any(|one| one.parts().any(|part| part.is_barred(may)))
    }
}

impl Predicate {
    fn uses_customs(&self) -> bool {
        let (by_link, of_parts) = (self.link(), self.parts());
        self.parameter().is_some_and(ParameterId::is_custom)
            || by_link.is_some_and(|link| link.clause.uses_customs())
            || of_parts.into_iter().any(Clause::uses_customs)
    }

    fn link(&self) -> Option<&Link> {
        match self {
            Predicate::Chain(link) | Predicate::Has(link) => Some(link),
            _ => None,
        }
    }

    /// The clauses that it is made of.
    fn parts(&self) -> impl Iterator<Item = &Clause> {
        let clauses: &[Clause] = match self {
            Predicate::Both(clauses) => &clauses[..],
            Predicate::All(clauses) => clauses,
            _ => &[],
        };
        clauses.iter()
    }

    /// The parameter whose values it is about; of a link the reference.
    fn parameter(&self) -> Option<ParameterId> {
        match self {
            Predicate::Always(_) | Predicate::Id(_) | Predicate::LastUpdated(_) => None,
            // R4 says what is in a compartment, and what its texts are.
            Predicate::Compartment { .. } | Predicate::Text { .. } => None,
            Predicate::Both(_) | Predicate::All(_) => None,
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
            | Predicate::Near { parameter, .. } => Some(*parameter),
            Predicate::Unequal(equal) => equal.parameter(),
            Predicate::Chain(link) | Predicate::Has(link) => Some(link.parameter),
        }
    }
}

impl SortKey {
    /// The parameters whose values are compared; none for what every row has.
    fn parameters(&self) -> &[ParameterId] {
        match self {
            SortKey::Id | SortKey::LastUpdated | SortKey::MainDate => &[],
            SortKey::Date { parameter, .. }
            | SortKey::Token { parameter, .. }
            | SortKey::Uri { parameter, .. }
            | SortKey::Near { parameter, .. }
            | SortKey::String(parameter)
            | SortKey::Reference(parameter) => std::slice::from_ref(parameter),
            SortKey::Number(parameters) => parameters,
        }
    }
}
