//! Row filters: which rows a caller may see, for each resource type. Storage compiles them into
//! every statement, in every branch and before any limit.

use crate::access::matrix::type_set::TypeSet;
use crate::access::matrix::{Listing, Matrix};
use crate::access::rows::granular::Only;
use crate::fhir::definitions::ResourceType;
use crate::search::ParameterId;
use std::sync::Arc;

/// Proof that all rows of something may be seen: the operator asks, or a rule of the matrix gives
/// all rows of a type. Only this room makes one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AllProof(());

impl AllProof {
    pub(in crate::access) fn of_operator() -> AllProof {
        AllProof(())
    }

    pub(in crate::access) fn of_rule(sight: crate::access::matrix::Sight) -> Option<AllProof> {
        use crate::access::matrix::Sight;
        matches!(sight, Sight::All | Sight::Knowledge).then_some(AllProof(()))
    }
}

/// Which rows a caller may see. What no group is about is denied.
#[derive(Clone, Debug)]
pub enum RowFilter {
    All(AllProof),
    Groups(Arc<Vec<RowGroup>>),
}

/// Types whose rows are seen by the same tests, one of which must hold. No type is in two groups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowGroup {
    pub types: TypeSet,
    pub any: Vec<RowTest>,
}

/// A test of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowTest {
    pub is: Test,
    /// The row must be about this patient as well: the one in context.
    pub about: Option<i64>,
    /// It must be found by the query of a scope as well.
    pub only: Option<Only>,
}

/// What a test is about: stamps of the row, links of its patients, or codes of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Test {
    Every(AllProof),
    /// One of its subjects is one of these patients.
    Subjects(Vec<i64>),
    /// Its owner is one of these organizations.
    Owners(Vec<i64>),
    /// Its author is one of these.
    Authors(Vec<i64>),
    /// It is one of these.
    Itself(Vec<i64>),
    /// One of its subjects is in the care of this practitioner.
    Care(i64),
    /// One of its subjects is a patient of one of these organizations.
    Facilities(Vec<i64>),
    /// It was released to one of these jurisdictions.
    Released(Vec<String>),
    /// It is listed in the directory.
    Listed(Listings),
    /// It is content of something that may be seen.
    Attached(Attached),
    /// It refers to something by this parameter, and all of that may be seen.
    Referred(ParameterId, Arc<Vec<RowGroup>>),
}

/// Who sees content: whoever sees what it is attached to, or what its security context names where
/// it has one; while it is attached to nothing, its authors and owners.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attached {
    pub groups: Arc<Vec<RowGroup>>,
    pub authors: Vec<i64>,
    pub owners: Vec<i64>,
}

/// Listings of several types that are of one kind: pairs of parameter and code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listings {
    pub pairs: Vec<(ParameterId, &'static str)>,
    pub has: bool,
}

impl Listings {
    pub(in crate::access) fn add(&mut self, listing: &Listing) {
        self.pairs.extend(listing.codes.iter().map(|code| (listing.parameter, *code)));
        self.pairs.sort_unstable();
        self.pairs.dedup();
    }
}

impl PartialEq for RowFilter {
    fn eq(&self, other: &RowFilter) -> bool {
        match (self, other) {
            (RowFilter::All(_), RowFilter::All(_)) => true,
            (RowFilter::Groups(own), RowFilter::Groups(other)) => {
                Arc::ptr_eq(own, other) || own == other
            }
            _ => false,
        }
    }
}

impl Eq for RowFilter {}

impl RowFilter {
    /// No rows.
    pub fn nothing() -> RowFilter {
        RowFilter::Groups(Arc::default())
    }

    /// Rows of any type with one of these stamps: subject patients, owners, authors.
    pub fn of_stamps(subjects: Vec<i64>, owners: Vec<i64>, authors: Vec<i64>) -> RowFilter {
        let tests = [Test::Subjects(subjects), Test::Owners(owners), Test::Authors(authors)];
        let any = tests.map(|is| RowTest { is, about: None, only: None }).into();
        RowFilter::Groups(Arc::new(vec![RowGroup { types: TypeSet::all(), any }]))
    }

    /// This row of the type alone.
    pub(in crate::access) fn of_one(kind: ResourceType, rid: i64) -> RowFilter {
        let test = RowTest { is: Test::Itself(vec![rid]), about: None, only: None };
        let types = [kind].into_iter().collect();
        RowFilter::Groups(Arc::new(vec![RowGroup { types, any: vec![test] }]))
    }

    /// The rows whose contained resources may be found: those that are shown whole. Of types that
    /// some are shown in part, rows that are listed or released are.
    pub fn of_containers(&self) -> RowFilter {
        let RowFilter::Groups(groups) = self else { return self.clone() };
        let cut: TypeSet = Matrix::get().redactions.iter().map(|one| one.resource_type).collect();
        let is_of_whole = |test: &&RowTest| !matches!(test.is, Test::Listed(_) | Test::Released(_));
        let parts = groups.iter().flat_map(|group| {
            let RowGroup { types, any } = group;
            let whole: Vec<RowTest> = any.iter().filter(is_of_whole).cloned().collect();
            if whole.len() == any.len() {
                return vec![group.clone()];
            }
            let others = RowGroup { types: types.without(cut), any: any.clone() };
            vec![others, RowGroup { types: types.and(cut), any: whole }]
        });
        let is_some = |group: &RowGroup| !group.types.is_empty() && !group.any.is_empty();
        RowFilter::Groups(Arc::new(parts.filter(is_some).collect()))
    }

    pub fn is_all(&self) -> bool {
        matches!(self, RowFilter::All(_))
    }

    /// The groups that are about some of these types, of all where none is named; and whether
    /// one of them is about all of these.
    pub fn groups_of(&self, types: &[ResourceType]) -> (Vec<&RowGroup>, bool) {
        let RowFilter::Groups(groups) = self else { return (Vec::new(), false) };
        let is_about =
            |group: &&RowGroup| types.is_empty() || types.iter().any(|kind| group.types.has(*kind));
        let found: Vec<&RowGroup> = groups.iter().filter(is_about).collect();
        let is_whole = match (&found[..], types) {
            ([group], []) => group.types == TypeSet::all(),
            ([group], types) => types.iter().all(|kind| group.types.has(*kind)),
            _ => false,
        };
        (found, is_whole)
    }

    /// Types of which some rows may be seen.
    pub fn types(&self) -> TypeSet {
        match self {
            RowFilter::All(_) => TypeSet::all(),
            RowFilter::Groups(groups) => {
                groups.iter().fold(TypeSet::default(), |all, group| all.or(group.types))
            }
        }
    }

    /// The practitioner whose patients' rows, and no others, may be seen of the type.
    pub fn panel_of(&self, types: &[ResourceType]) -> Option<i64> {
        match (self.groups_of(types), types) {
            ((groups, true), [_]) => match &groups[0].any[..] {
                [RowTest { is: Test::Care(practitioner), about: None, only: None }] => {
                    Some(*practitioner)
                }
                _ => None,
            },
            _ => None,
        }
    }
}
