//! Scopes with search parameters (SMART App Launch 2.2, "Finer-grained resource constraints using
//! search parameters"): `patient/Observation.rs?category=...|laboratory`. What they give is what
//! the search of their query finds. Planned and looked up by who performs the request, before the
//! gate is asked; a query that is not planned gives nothing.

use crate::access::rows::filter::RowFilter;
use crate::access::smart_scope::{Letters, Level, ResourceScope, Scopes};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::ResourceKey;
use crate::search::{Found, Plan};
use std::sync::Arc;

/// The query of a scope, ready to be asked of rows.
#[derive(Debug)]
pub struct ScopeQuery {
    pub resource_type: ResourceType,
    /// As written in the scope.
    pub text: String,
    /// Its clauses alone count.
    pub plan: Plan,
    pub found: Found,
}

impl PartialEq for ScopeQuery {
    fn eq(&self, other: &ScopeQuery) -> bool {
        (self.resource_type, &self.text) == (other.resource_type, &other.text)
    }
}

impl Eq for ScopeQuery {}

/// What a row must be found by as well.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Only {
    pub query: Arc<ScopeQuery>,
    /// What chains of the query go over: whatever the role sees.
    pub reach: RowFilter,
}

/// A scope whose query is planned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Granular {
    pub level: Level,
    pub resource_type: ResourceType,
    pub letters: Letters,
    pub query: Arc<ScopeQuery>,
}

impl Granular {
    /// None for a scope without a query, and for one whose query is not planned.
    pub fn of(scope: &ResourceScope, scopes: &Scopes) -> Option<Granular> {
        let (text, resource_type) = (scope.query.as_ref()?, scope.resource_type?);
        let query = scopes.planned(resource_type, text)?.clone();
        Some(Granular { level: scope.level, resource_type, letters: scope.letters, query })
    }
}

/// What the scopes let a version be. Old versions, and those that are to be stored, have no index
/// rows that a statement could ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// About this patient, where it is about any: the one in context.
    pub about: Option<ResourceKey>,
    /// Found by the query.
    pub query: Option<Arc<ScopeQuery>>,
}

/// For the types whose versions are bound, one of which each version must be.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Images(pub Vec<(ResourceType, Vec<Image>)>);

impl Images {
    /// None where versions of the type are not bound.
    pub fn of(&self, resource_type: ResourceType) -> Option<&[Image]> {
        let found = self.0.iter().find(|(kind, _)| *kind == resource_type);
        found.map(|(_, images)| images.as_slice())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
