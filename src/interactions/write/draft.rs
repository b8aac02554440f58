//! A write before and after it is worked out. No IO: the same writes over the same facts give
//! the same steps, so that a lost race is answered by doing it again.

use crate::access::{Permit, Writer};
use crate::error::FhirError;
use crate::fhir::interaction::WriteGuard;
use crate::fhir::meta::MetaEdit;
use crate::fhir::patch::Patch;
use crate::fhir::resource::{Resource, ResourceKey};
use crate::search::Plan;
use crate::storage::{Stored, Visible};
use std::borrow::Cow;
use std::sync::Arc;

/// One write that a request or a Bundle entry asks for.
pub struct Write {
    pub permit: Permit,
    pub target: Target,
    pub act: Act,
    pub guard: WriteGuard,
    /// `Bundle.entry.fullUrl`.
    pub full_url: Option<String>,
    /// The distinct conditional references that its resource brings.
    pub conditional: Vec<String>,
    /// FHIRPath of the Bundle entry, empty for a request of its own.
    pub expression: String,
}

/// Which resource is meant.
pub enum Target {
    /// A new one under an id that the server has assigned.
    New(ResourceKey),
    /// `Type/id` of the URL.
    Key(ResourceKey),
    /// What a search finds.
    Criteria(Box<Criteria>),
}

pub struct Criteria {
    pub plan: Plan,
    /// The same for permuted criteria.
    pub normalised: String,
    /// For a create where nothing matches.
    pub assigned: ResourceKey,
}

pub enum Act {
    Create(Resource),
    Update(Resource),
    Patch(Patch),
    /// `$meta-add` and `$meta-delete`.
    Meta(MetaEdit),
    Delete,
}

/// What the store held for one write.
#[derive(Debug)]
pub enum Found {
    /// A new id: nothing to look for.
    Nothing,
    Key(Visible),
    /// The live matches of the criteria, up to the limit of the act.
    Matches(Vec<Stored>),
}

/// What one write comes to.
pub enum Step<'a> {
    Change(Draft<'a>),
    /// A conditional delete of several.
    Deletes(Vec<Draft<'a>>),
    /// Nothing is stored; the answer is the version that is there.
    Unchanged(Stored),
    /// Nothing is stored and nothing is there: a delete of what is already gone.
    Nothing,
}

impl Step<'_> {
    /// Says who writes what the step stores.
    pub fn by(mut self, writer: &Arc<Writer>) -> Self {
        let drafts = match &mut self {
            Step::Change(draft) => std::slice::from_mut(draft),
            Step::Deletes(drafts) => drafts.as_mut_slice(),
            Step::Unchanged(_) | Step::Nothing => &mut [],
        };
        for draft in drafts {
            draft.writer = Some(writer.clone());
        }
        self
    }
}

/// A version to be stored.
pub struct Draft<'a> {
    pub key: ResourceKey,
    /// None for a delete.
    pub resource: Option<Cow<'a, Resource>>,
    /// The version that this one replaces.
    pub before: Option<Stored>,
    /// True where the client chose the id of a new resource.
    pub has_client_id: bool,
    /// The rid that references to a new resource already use.
    pub stub: Option<i64>,
    /// Whose stamps a new resource bears.
    pub writer: Option<Arc<Writer>>,
}

impl Write {
    /// The one resource that the write is about, once its facts are known; None where it
    /// matches several or none.
    pub fn key(&self, found: &Found) -> Option<ResourceKey> {
        match (&self.target, found) {
            (Target::New(key) | Target::Key(key), _) => Some(key.clone()),
            (Target::Criteria(criteria), Found::Matches(matches)) => match matches.as_slice() {
                [stored] => Some(stored.key.clone()),
                [] => self.created_key(criteria),
                _ => None,
            },
            (Target::Criteria(criteria), _) => self.created_key(criteria),
        }
    }

    /// The error with the place of its entry, where it has one.
    pub fn placed(&self, error: FhirError) -> FhirError {
        match self.expression.is_empty() {
            true => error,
            false => error.within(&self.expression),
        }
    }

    /// True for a conditional update without a match whose body has the id of a resource that
    /// is there all the same.
    pub fn is_of_taken_id(&self, found: &Found) -> bool {
        let is_live = matches!(found, Found::Key(Visible::Live(_)));
        is_live && matches!((&self.target, &self.act), (Target::Criteria(_), Act::Update(_)))
    }

    /// The key of a conditional create, or of a conditional update without a match: under the
    /// id of its body, if it has one.
    fn created_key(&self, criteria: &Criteria) -> Option<ResourceKey> {
        match &self.act {
            Act::Create(_) => Some(criteria.assigned.clone()),
            Act::Update(resource) => Some(match resource.id() {
                Some(id) => ResourceKey::new(resource.resource_type(), id),
                None => criteria.assigned.clone(),
            }),
            Act::Patch(_) | Act::Meta(_) | Act::Delete => None,
        }
    }
}

impl<'a> Draft<'a> {
    /// Version 1 under an id of the server's.
    pub fn new(key: ResourceKey, resource: Cow<'a, Resource>) -> Self {
        let resource = Some(resource);
        Draft { key, resource, before: None, has_client_id: false, stub: None, writer: None }
    }

    pub fn replacing(before: Stored, resource: Cow<'a, Resource>) -> Self {
        let key = before.key.clone();
        let resource = Some(resource);
        Draft {
            key,
            resource,
            before: Some(before),
            has_client_id: false,
            stub: None,
            writer: None,
        }
    }

    pub fn deleting(before: Stored) -> Self {
        let key = before.key.clone();
        Draft {
            key,
            resource: None,
            before: Some(before),
            has_client_id: false,
            stub: None,
            writer: None,
        }
    }
}
