//! What a search asks of storage: typed, checked, without a text of the client left to read.

use super::contained::Contained;
use super::full_text::{TextOf, TextQuery};
use super::horizon::Horizon;
use super::index_rows::{ParameterId, Token, UnitOfMeasure};
use super::sort::Sort;
use super::value::concept::{CodeForm, ConceptTest};
use super::value::position::NearTest;
use super::value::prefix::Test;
use super::value::quantity::QuantityTest;
use super::value::string::StringTest;
use super::value::token::TokenTest;
use super::value::uri::UriTest;
use crate::error::Issue;
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::Parameter;
use crate::fhir::resource::{Id, ResourceKey};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// A search, ready for storage.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The types searched; empty for all.
    pub types: Vec<ResourceType>,
    /// All must hold.
    pub clauses: Vec<Clause>,
    /// Whether contained resources match; None where they do not.
    pub contained: Option<Contained>,
    /// By precedence. Empty where the client gave no order: storage takes one that an index has.
    pub sort: Vec<Sort>,
    /// Of what code systems and value sets are asked.
    pub terms: TermBounds,
    /// Matches that an order of several keys may make the database sort for one page.
    pub most_sorted: u64,
    /// What goes with the matches of a page.
    pub includes: Vec<Include>,
    /// Matches per page; none is for the total alone.
    pub count: u32,
    pub total: Total,
    /// Where the page begins; None for the first.
    pub after: Option<Cursor>,
    /// What the result is as of; None for the first page, which shows what is there.
    pub as_of: Option<Horizon>,
    /// Warnings about what was left out (`Prefer: handling=lenient`).
    pub issues: Vec<Issue>,
    pub(super) applied: Vec<Parameter>,
    /// The number of the registry, where the plan rests on custom parameters.
    pub definitions: Option<i64>,
}

/// How much terminology a search may ask for.
#[derive(Clone, Copy, Debug)]
pub struct TermBounds {
    /// Codes of one value set, and concepts under one.
    pub codes: usize,
    /// Value sets and code systems that it draws upon.
    pub parts: usize,
}

/// `_include` or `_revinclude` (search.html#revinclude).
#[derive(Clone, PartialEq, Debug)]
pub struct Include {
    /// True for `_revinclude`: resources that refer to the match.
    pub is_reverse: bool,
    /// `:iterate`: of included resources as well.
    pub is_iterated: bool,
    /// The type that refers; None for any.
    pub source: Option<ResourceType>,
    /// The reference parameters.
    pub parameters: Vec<ParameterId>,
    /// Those of them whose values may be canonical URLs.
    pub canonicals: Vec<ParameterId>,
    /// The parameters of the URLs that they may name.
    pub urls: Vec<ParameterId>,
    /// True where each of them can only name the one subject of the referring row.
    pub is_subject: bool,
    /// The types referred to; empty for any.
    pub targets: Vec<ResourceType>,
}

/// `_total` (search.html#total).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Total {
    /// Only where it is known for free.
    None,
    Estimate,
    Accurate,
}

/// Alternatives, one of which must hold; or, negated, none (`:not`).
#[derive(Clone, PartialEq, Debug)]
pub struct Clause {
    pub alternatives: Vec<Predicate>,
    pub is_negated: bool,
}

/// One condition on a resource.
#[derive(Clone, PartialEq, Debug)]
pub enum Predicate {
    /// Holds for every resource or none.
    Always(bool),
    Id(Id),
    LastUpdated(Test<DateTime<Utc>>),
    /// `:missing`.
    Missing {
        parameter: ParameterId,
        is_missing: bool,
    },
    /// A coded value. `leads`: the types, of those searched, in whose rows it may be the lead.
    Token {
        parameter: ParameterId,
        test: TokenTest,
        leads: Vec<ResourceType>,
    },
    /// A coded value of which code systems and value sets say this.
    Concept {
        parameter: ParameterId,
        test: ConceptTest,
        form: CodeForm,
        leads: Vec<ResourceType>,
    },
    /// A value with a text that begins so, without case and accents (`:text`).
    CodeText {
        parameter: ParameterId,
        text: String,
        leads: Vec<ResourceType>,
    },
    /// Identifier, ContactPoint or text of a token parameter; the identifier of a reference.
    Identifier {
        parameter: ParameterId,
        test: TokenTest,
    },
    /// A reference to one of these. `is_subject`: they are Patients and can only be the row's
    /// one subject, so that its compartment patient is one of them.
    Reference {
        parameter: ParameterId,
        targets: Vec<ResourceKey>,
        is_subject: bool,
    },
    /// A reference to one of these, or to what is part of one or what one is part of, as this
    /// parameter of their type tells.
    Along {
        parameter: ParameterId,
        targets: Vec<ResourceKey>,
        parent: ParameterId,
        direction: Direction,
        /// Members of the hierarchy.
        most: i32,
    },
    Uri {
        parameter: ParameterId,
        test: UriTest,
    },
    /// `has_words`: further words of a family name count as its beginning does.
    String {
        parameter: ParameterId,
        test: StringTest,
        has_words: bool,
    },
    /// `main` are the types (of those searched) whose main date this is. `has_rows` is false
    /// where the rows of the resources themselves hold every value.
    Date {
        parameter: ParameterId,
        test: Test<DateTime<Utc>>,
        main: Vec<ResourceType>,
        has_rows: bool,
    },
    /// `is_single`: a resource has one value of the parameter at most.
    Quantity {
        parameter: ParameterId,
        test: QuantityTest,
        is_single: bool,
    },
    Composite {
        parameter: ParameterId,
        first: TokenTest,
        second: Second,
    },
    /// A place within a distance from another (special parameter `near`).
    Near {
        parameter: ParameterId,
        test: NearTest,
    },
    /// The words of a text.
    Text {
        of: TextOf,
        query: TextQuery,
    },
    /// A value of the same parameter does not pass: `ne` of `_filter`, for coded values,
    /// identifiers, strings and URIs.
    Unequal(Box<Predicate>),
    /// All of these.
    Both(Box<[Clause; 2]>),
    /// All of these, of a `_filter`.
    All(Vec<Clause>),
    /// A chained parameter (search.html#chaining): a reference by it leads to a resource of one
    /// of these types that meets the clause.
    Chain(Box<Link>),
    /// `_has` (search.html#has): a resource of one of these types refers here by the parameter,
    /// and meets the clause.
    Has(Box<Link>),
    /// Member of the compartment of this resource: the resource itself, or one of the types by
    /// one of its parameters (search.html#compartment).
    Compartment {
        key: ResourceKey,
        members: Vec<(ResourceType, Vec<ParameterId>)>,
    },
}

/// Which way a hierarchy is followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// To what is part of it: `:below`.
    Down,
    /// To what it is part of: `:above`.
    Up,
}

/// From one resource to others.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    /// The reference parameter.
    pub parameter: ParameterId,
    /// What the row refers to by this one as well does not count.
    pub except: Option<ParameterId>,
    /// True where the reference can only be to the referring row's one subject, a Patient.
    pub is_subject: bool,
    /// Of the resources at the other end.
    pub types: Vec<ResourceType>,
    pub clause: Clause,
}

/// The second part of a composite value.
#[derive(Clone, PartialEq, Debug)]
pub enum Second {
    Token(TokenTest),
    Quantity(QuantityTest),
    Date(Test<DateTime<Utc>>),
    String(StringTest),
    Reference(Vec<ResourceKey>),
}

/// A place in a sorted result: the sort values as the database writes them, and the row.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Cursor {
    #[serde(rename = "v")]
    pub values: Vec<Option<String>>,
    #[serde(rename = "r")]
    pub rid: i64,
    /// True where the page ends there: the link `previous`.
    #[serde(rename = "b")]
    pub is_backward: bool,
}

impl Plan {
    /// The parameters that were applied, in the client's order, for the link `self`.
    pub fn applied(&self) -> &[Parameter] {
        &self.applied
    }

    /// The same search, for its exact total alone (`_summary=count`).
    pub fn counting(self) -> Plan {
        Plan { count: 0, total: Total::Accurate, after: None, as_of: None, ..self }
    }

    /// The same search from a place in its result.
    pub fn after(self, cursor: Cursor) -> Plan {
        Plan { after: Some(cursor), ..self }
    }

    /// Whether there is any criterion; a conditional delete or update must have one.
    pub fn has_criteria(&self) -> bool {
        !self.clauses.is_empty()
    }

    /// Whether it has criteria, and nothing else of its own.
    pub fn is_criteria_alone(&self) -> bool {
        let is_plain = self.sort.is_empty() && self.includes.is_empty() && self.issues.is_empty();
        let is_whole = self.contained.is_none() && self.total == Total::None && self.count > 0;
        self.has_criteria() && is_plain && is_whole
    }

    /// What is searched, without order, page or spelling: equal for permuted criteria.
    pub fn normalised(&self) -> String {
        let mut types: Vec<&str> = self.types.iter().map(|kind| kind.name()).collect();
        types.sort_unstable();
        let mut clauses: Vec<String> = self.clauses.iter().map(Clause::normalised).collect();
        clauses.sort_unstable();
        clauses.dedup();
        format!("{}?{}", types.join(","), clauses.join("&"))
    }

    /// Advisory locks that a conditional write takes, ascending: one for the criteria, and one
    /// for each exact identifier among them, so that different criteria about one identifier
    /// wait for each other too.
    pub fn lock_keys(&self) -> Vec<i64> {
        let mut keys = vec![lock_key(&self.normalised())];
        for clause in self.clauses.iter().filter(|clause| !clause.is_negated) {
            for alternative in &clause.alternatives {
                if let Predicate::Identifier { test: TokenTest::Exact(token), .. } = alternative {
                    for kind in &self.types {
                        keys.push(identifier_lock_key(*kind, token));
                    }
                }
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl Clause {
    pub fn any(alternatives: Vec<Predicate>) -> Clause {
        Clause { alternatives, is_negated: false }
    }

    /// The clause that holds where all of these do.
    pub fn all(mut clauses: Vec<Clause>) -> Clause {
        match clauses.len() {
            1 => clauses.remove(0),
            _ => Clause::any(vec![Predicate::All(clauses)]),
        }
    }

    fn normalised(&self) -> String {
        let mut texts: Vec<String> = self.alternatives.iter().map(Predicate::normalised).collect();
        texts.sort_unstable();
        texts.dedup();
        format!("{}{}", if self.is_negated { "!" } else { "" }, texts.join(" or "))
    }
}

impl Predicate {
    fn normalised(&self) -> String {
        match self {
            Predicate::All(clauses) => {
                let mut texts: Vec<String> = clauses.iter().map(Clause::normalised).collect();
                texts.sort_unstable();
                format!("({})", texts.join(") and ("))
            }
            predicate => format!("{predicate:?}"),
        }
    }
}

/// The advisory lock of an identifier of resources of one type.
pub fn identifier_lock_key(resource_type: ResourceType, identifier: &Token) -> i64 {
    lock_key(&format!("identifier {resource_type} {}|{}", identifier.system, identifier.code))
}

fn lock_key(text: &str) -> i64 {
    let digest = Sha256::digest(text.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

/// The ids of coded values that code systems and value sets say something of.
pub type Concepts = HashMap<(ConceptTest, CodeForm), Vec<i64>>;

/// What was found; what is not here does not exist, and nothing can refer to it.
#[derive(Default, Debug)]
pub struct Found {
    pub tokens: HashMap<Token, i64>,
    pub codes: HashMap<String, Vec<i64>>,
    pub systems: HashMap<String, Vec<i64>>,
    pub references: HashMap<ResourceKey, i64>,
    /// Of those that are wanted, and maybe others.
    pub units: Vec<(i32, UnitOfMeasure)>,
    /// Those of the units in which rows of the leading codes have a value, by the parameter.
    pub led_units: HashMap<ParameterId, Vec<i32>>,
    pub media_types: HashMap<String, Vec<i64>>,
    pub texts: HashMap<String, TextIds>,
    pub concepts: Concepts,
}

/// Texts that begin so.
#[derive(Default, Clone, Debug)]
pub struct TextIds {
    /// Their own ids.
    pub texts: Vec<i64>,
    /// Those of the coded values that are called so where nothing else is said.
    pub tokens: Vec<i64>,
}
