//! Method, URL, headers and body (or a Bundle entry's request) as one value:
//! <https://hl7.org/fhir/R4/http.html>. HTTP and Bundle entries share this one reader.

use super::definitions::ResourceType;
use super::patch::Patch;
use super::resource::{Id, Resource, ResourceKey};
use super::subset::Subset;
use chrono::{DateTime, Utc};

/// A decoded `name=value` of a query or form, in the order given.
pub type Parameter = (String, String);

/// What is asked for, and how the answer should look.
#[derive(Clone, Debug)]
pub struct Request {
    pub interaction: Interaction,
    /// `_summary` or `_elements`; [`Subset::None`] for the whole.
    pub subset: Subset,
    pub prefer: Prefer,
}

/// `Prefer` (http.html#ops, search.html#lenient).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Prefer {
    pub returning: Option<Returning>,
    pub handling: Handling,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Returning {
    Minimal,
    Representation,
    OperationOutcome,
}

/// What becomes of unknown search parameters; strict where the client says nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Handling {
    #[default]
    Strict,
    Lenient,
}

/// `If-None-Match` and `If-Modified-Since` of a conditional read (http.html#cread).
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Unless {
    /// Version ids, or `*` alone as [`NoneMatch::Any`].
    pub none_match: Option<NoneMatch>,
    pub modified_since: Option<DateTime<Utc>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoneMatch {
    Any,
    Versions(Vec<String>),
}

/// `If-Match`: the version ids of its ETags, one of which the current version must have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IfMatch(pub Vec<String>);

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HistoryScope {
    System,
    Type(ResourceType),
    Instance(ResourceKey),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SearchScope {
    System,
    Type(ResourceType),
    /// `GET [compartment]/[id]/[type]`; `None` for `*` (search.html#compartment).
    Compartment(ResourceKey, Option<ResourceType>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OperationScope {
    System,
    Type(ResourceType),
    Instance(ResourceKey),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BundleKind {
    Batch,
    Transaction,
}

/// The interactions of the RESTful API. Criteria are the undecoded query of a conditional
/// interaction, without `?`.
#[derive(Clone, Debug)]
pub enum Interaction {
    Read {
        key: ResourceKey,
        unless: Unless,
    },
    Vread {
        key: ResourceKey,
        version: Id,
        unless: Unless,
    },
    Create {
        resource: Resource,
        if_none_exist: Option<String>,
    },
    Update {
        key: ResourceKey,
        resource: Resource,
        guard: WriteGuard,
    },
    ConditionalUpdate {
        criteria: TypeCriteria,
        resource: Resource,
        guard: WriteGuard,
    },
    Patch {
        key: ResourceKey,
        patch: Patch,
        guard: WriteGuard,
    },
    ConditionalPatch {
        criteria: TypeCriteria,
        patch: Patch,
        guard: WriteGuard,
    },
    Delete {
        key: ResourceKey,
        guard: WriteGuard,
    },
    ConditionalDelete {
        criteria: TypeCriteria,
        guard: WriteGuard,
    },
    History {
        scope: HistoryScope,
        parameters: Vec<Parameter>,
    },
    Search {
        scope: SearchScope,
        parameters: Vec<Parameter>,
    },
    /// `GET /metadata`, `mode` as given.
    Capabilities {
        mode: Option<String>,
    },
    /// A Bundle posted to the base.
    Bundle {
        kind: BundleKind,
        bundle: Resource,
    },
    Operation(Operation),
}

/// Type and query of a conditional update, patch or delete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypeCriteria {
    pub resource_type: ResourceType,
    pub query: String,
}

/// `If-Match` and `If-None-Match: *` of a write (http.html#concurrency).
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct WriteGuard {
    pub if_match: Option<IfMatch>,
    /// True for `If-None-Match: *`: only where there is none yet.
    pub if_none_match_any: bool,
}

/// `$name`, operations.html. No operation is known to this reader: `interactions` decides.
#[derive(Clone, Debug)]
pub struct Operation {
    pub scope: OperationScope,
    pub name: String,
    pub parameters: Vec<Parameter>,
    pub body: Option<Resource>,
    /// True where the request may change the state (any method but GET and HEAD).
    pub is_write: bool,
}
