//! Method, URL, headers and body (or a Bundle entry's request) as one value:
//! <https://hl7.org/fhir/R4/http.html>. HTTP and Bundle entries share this one reader, [`read`].

mod body;
mod code;
mod conditions;
mod operation;
mod parameters;
mod prefer;
mod reader;
#[cfg(test)]
mod reader_tests;
mod target;

pub use conditions::Conditions;
pub use operation::{
    OPERATIONS, Operation, OperationCode, OperationLevel, OperationRow, OperationScope,
};
pub use parameters::decode_query;
pub(crate) use prefer::split_quoted;
pub use reader::read;
pub use target::allowed_methods;

use super::definitions::ResourceType;
use super::patch::Patch;
use super::resource::{Id, Resource, ResourceKey};
use super::subset::Subset;
use chrono::{DateTime, SubsecRound, Utc};

/// A decoded `name=value` of a query or form, in the order given.
pub type Parameter = (String, String);

/// The verbs of the RESTful API. `OPTIONS` is answered before the reader is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The verb of that name, as in HTTP and in `Bundle.entry.request.method`; None for others.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            _ => return None,
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// True for the verbs that change nothing whatever they name.
    pub fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head)
    }
}

/// A request as it came, before it is understood.
#[derive(Debug)]
pub struct RequestParts<'a> {
    pub method: Method,
    /// What follows the base, percent-encoded, without the query; with or without a leading `/`.
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub conditions: Conditions<'a>,
    /// The `Prefer` header, several lines joined by commas.
    pub prefer: Option<&'a str>,
    pub body: Body,
}

/// The body of a request, read and known to be well-formed.
#[derive(Clone, Debug)]
pub enum Body {
    None,
    Resource(Resource),
    Patch(Patch),
    /// `application/x-www-form-urlencoded`, decoded.
    Form(Vec<Parameter>),
}

/// What is asked for, and how the answer should look.
#[derive(Clone, Debug)]
pub struct Request {
    pub interaction: Interaction,
    /// `_summary` or `_elements`; [`Subset::None`] for the whole.
    pub subset: Subset,
    pub prefer: Prefer,
    /// `_format`, `_pretty`, `_summary` and `_elements` as given: links of the answer repeat
    /// them. They are not among the parameters of the interaction.
    pub presentation: Vec<Parameter>,
    /// `Idempotency-Key` of a POST: 1 to 255 visible ASCII characters. None in Bundle entries.
    pub idempotency_key: Option<String>,
    /// `X-Provenance`: a Provenance to be stored with the write, its `target` to be filled in
    /// (provenance.html#header). Not validated yet. None in Bundle entries.
    pub provenance: Option<Resource>,
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

impl Unless {
    /// True where the client has this version already and the answer is 304. HTTP dates have
    /// whole seconds, so a version of the same second counts as known.
    pub fn is_known(&self, version: i64, last_updated: DateTime<Utc>) -> bool {
        match (&self.none_match, self.modified_since) {
            (Some(NoneMatch::Any), _) => true,
            (Some(NoneMatch::Versions(versions)), _) => has_version(versions, version),
            (None, Some(since)) => last_updated.trunc_subsecs(0) <= since,
            (None, None) => false,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoneMatch {
    Any,
    Versions(Vec<String>),
}

/// `If-Match`: the version ids of its ETags, one of which the current version must have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IfMatch(pub Vec<String>);

impl IfMatch {
    /// True where one of the ETags names this version.
    pub fn admits(&self, version: i64) -> bool {
        has_version(&self.0, version)
    }
}

fn has_version(versions: &[String], version: i64) -> bool {
    let version = version.to_string();
    versions.contains(&version)
}

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

impl Interaction {
    /// True for create, update, patch and delete, conditional or not, and for operations that
    /// affect the state.
    pub fn is_write(&self) -> bool {
        match self {
            Interaction::Create { .. }
            | Interaction::Update { .. }
            | Interaction::ConditionalUpdate { .. }
            | Interaction::Patch { .. }
            | Interaction::ConditionalPatch { .. }
            | Interaction::Delete { .. }
            | Interaction::ConditionalDelete { .. } => true,
            Interaction::Operation(operation) => operation.row.affects_state,
            Interaction::Read { .. }
            | Interaction::Vread { .. }
            | Interaction::History { .. }
            | Interaction::Search { .. }
            | Interaction::Capabilities { .. }
            | Interaction::Bundle { .. } => false,
        }
    }
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
    /// True for `If-Match: *`: only where there is one (RFC 9110, 13.1.1).
    pub if_match_any: bool,
    /// True for `If-None-Match: *`: only where there is none yet.
    pub if_none_match_any: bool,
}
