//! The access matrix: who may do what. It is data, `matrix.txt`, whose head says how it is written;
//! the gate, the tests and the documentation read it here. A test parses every line.
//!
//! What is not in it is denied: another role, another type, another act.

mod text;
pub(super) mod type_set;

pub use text::render;

use super::role::Role;
use crate::fhir::definitions::ResourceType;
use crate::search::ParameterId;
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;
use type_set::TypeSet;

/// What is done to a resource: some of create, read, update, delete, search and history.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Acts(u8);

impl Acts {
    pub const CREATE: Acts = Acts(1);
    pub const READ: Acts = Acts(2);
    pub const UPDATE: Acts = Acts(4);
    pub const DELETE: Acts = Acts(8);
    pub const SEARCH: Acts = Acts(16);
    pub const HISTORY: Acts = Acts(32);

    /// Each with its letter, in the order that documents name them.
    pub const ALL: [(char, Acts); 6] = [
        ('c', Acts::CREATE),
        ('r', Acts::READ),
        ('u', Acts::UPDATE),
        ('d', Acts::DELETE),
        ('s', Acts::SEARCH),
        ('h', Acts::HISTORY),
    ];

    pub const fn with(self, other: Acts) -> Acts {
        Acts(self.0 | other.0)
    }

    /// True where some of these are in it.
    pub const fn meets(self, other: Acts) -> bool {
        self.0 & other.0 != 0
    }

    /// None for other letters, and for one that is there twice.
    fn parse(text: &str) -> Option<Acts> {
        let mut acts = Acts::default();
        for letter in text.chars() {
            let act = Acts::ALL.iter().find(|(known, _)| *known == letter)?.1;
            if acts.meets(act) {
                return None;
            }
            acts = acts.with(act);
        }
        (acts != Acts::default()).then_some(acts)
    }
}

impl fmt::Display for Acts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut own = Acts::ALL.iter().filter(|(_, act)| self.meets(*act));
        own.try_for_each(|(letter, _)| write!(f, "{letter}"))
    }
}

/// Which rows a rule gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sight {
    /// `S`: the caller's own.
    Own,
    /// `P`: about a patient who is the caller's own.
    Patient,
    /// `C`: about a patient in the caller's care.
    Care,
    /// `F`: of one of the caller's facilities.
    Facility,
    /// `O`: owned by one of the client's organizations.
    Owner,
    /// `R`: released to one of the caller's jurisdictions.
    Released,
    /// `D`: of the directory.
    Directory,
    /// `K`: knowledge.
    Knowledge,
    /// `A`: all.
    All,
    /// `B`: what it is attached to may be read, or what its security context names; or it is the
    /// caller's own and attached to nothing yet.
    Attached,
    /// `V.x`: all that it refers to by x may be read.
    Referred(&'static str),
}

impl Sight {
    fn parse(text: &'static str) -> Option<Sight> {
        Some(match text {
            "S" => Sight::Own,
            "P" => Sight::Patient,
            "C" => Sight::Care,
            "F" => Sight::Facility,
            "O" => Sight::Owner,
            "R" => Sight::Released,
            "D" => Sight::Directory,
            "K" => Sight::Knowledge,
            "A" => Sight::All,
            "B" => Sight::Attached,
            _ => Sight::Referred(text.strip_prefix("V.")?),
        })
    }

    /// True for what everybody may read who is signed in, of whichever patient they are.
    pub fn is_public(self) -> bool {
        matches!(self, Sight::Directory | Sight::Knowledge)
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sight::Own => "S",
            Sight::Patient => "P",
            Sight::Care => "C",
            Sight::Facility => "F",
            Sight::Owner => "O",
            Sight::Released => "R",
            Sight::Directory => "D",
            Sight::Knowledge => "K",
            Sight::All => "A",
            Sight::Attached => "B",
            Sight::Referred(code) => return write!(f, "V.{code}"),
        })
    }
}

/// What a role may do with rows of a type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    pub acts: Acts,
    /// One of them holds for the row.
    pub sights: Vec<Sight>,
    /// What else holds for the resource that is written, or what is left out of one that is read.
    pub note: Option<&'static str>,
}

impl Rule {
    /// Whether it is for those alone who signed in with a second factor.
    pub fn asks_for_second_factor(&self) -> bool {
        self.note == Some("mfa")
    }
}

/// Rules of some types, a list for each role.
pub struct Row {
    /// As written, such as `@canonical`.
    pub names: Vec<&'static str>,
    pub types: TypeSet,
    pub rules: HashMap<Role, Vec<Rule>>,
}

/// What makes a resource part of the directory, by a code that it has or has not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    pub parameter: ParameterId,
    pub codes: Vec<&'static str>,
    /// True where it must have one of the codes, false where it must have none.
    pub has: bool,
}

/// What is shown of a resource to those who may see a part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redaction {
    pub name: &'static str,
    pub resource_type: ResourceType,
    /// Elements that are kept; with a condition those items of a list alone that meet it.
    pub kept: Vec<Kept>,
    /// A list, and the reference in its items: those are left out that name another's patient, and
    /// nothing else is.
    pub own: Option<(&'static str, &'static str)>,
    /// Search parameters that tell no more than that.
    pub searched: Vec<&'static str>,
    /// Those that do not where they are asked for the caller's own patients.
    pub searched_own: Vec<&'static str>,
}

/// An element that is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    pub element: &'static str,
    /// Child and value that an item must have; `@registrar` stands for the systems of registrars.
    pub only: Option<(&'static str, &'static str)>,
}

/// The whole matrix.
pub struct Matrix {
    pub rows: Vec<Row>,
    /// Listings by type; a type without one has nothing in the directory.
    pub listings: HashMap<ResourceType, Listing>,
    pub redactions: Vec<Redaction>,
}

/// Guards that rules may name, see the head of the file.
pub const GUARDS: [&str; 11] = [
    "E1",
    "E2",
    "E3",
    "E4",
    "patient-reported",
    "birth",
    "cancel",
    "booking",
    "care-team",
    "referral",
    "supplement",
];

static MATRIX: LazyLock<Matrix> = LazyLock::new(|| {
    // The text is part of the program, and a test reads it.
    text::parse(include_str!("matrix/matrix.txt")).expect("matrix.txt is well formed")
});

impl Matrix {
    pub fn get() -> &'static Matrix {
        &MATRIX
    }

    /// The rules of a role for a type; none where it may do nothing.
    pub fn rules(&self, role: Role, resource_type: ResourceType) -> &[Rule] {
        let row = self.rows.iter().find(|row| row.types.has(resource_type));
        let rules = row.and_then(|row| row.rules.get(&role));
        rules.map(Vec::as_slice).unwrap_or_default()
    }

    /// The guards of a role that does this with a resource of the type; they are about what is
    /// written. Each alternative is a rule that allows it: its rows, and its guard.
    pub fn guards(&self, (role, act): (Role, Acts), resource_type: ResourceType) -> Vec<&Rule> {
        self.rules(role, resource_type).iter().filter(|rule| rule.acts.meets(act)).collect()
    }

    /// What the role is shown of resources of the type, where that is not all: the redaction, and
    /// the rows that are shown whole nevertheless.
    pub fn redaction(&self, role: Role, kind: ResourceType) -> Option<(&Redaction, Vec<Sight>)> {
        let rules = || self.rules(role, kind).iter().filter(|rule| rule.acts.meets(Acts::READ));
        let name = rules().find_map(|rule| rule.note)?;
        let is_it = |one: &&Redaction| one.name == name && one.resource_type == kind;
        let redaction = self.redactions.iter().find(is_it)?;
        let whole = rules().filter(|rule| rule.note.is_none()).flat_map(|rule| &rule.sights);
        Some((redaction, whole.copied().collect()))
    }
}

#[cfg(test)]
mod tests;
