//! What every interaction has at hand.

use super::capabilities::Statements;
use crate::clock::Clock;
use crate::config::Settings;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::{Handling, Parameter, SearchScope};
use crate::fhir::json;
use crate::fhir::resource::{Resource, ResourceKey};
use crate::search::registry::Kind;
use crate::search::{IndexRows, IndexSettings, ParameterId, Plan, Planner, Registry, Sealer};
use crate::storage::{Store, Stored};
use chrono::{DateTime, Utc};

/// One for the server; shared by all requests.
pub struct Context {
    pub store: Store,
    pub registry: Registry,
    pub clock: Clock,
    pub settings: Settings,
    pub index_settings: IndexSettings,
    /// Of page links; the same for all nodes.
    pub sealer: Sealer,
    /// What `/metadata` answers.
    pub statements: Statements,
}

impl Context {
    /// An error where the store has no key for page links.
    pub fn new(store: Store, registry: Registry, clock: Clock, settings: Settings) -> Result<Self> {
        let index_settings = IndexSettings {
            zone: settings.default_zone,
            base_url: settings.base_url.clone(),
            indexes_content: settings.content_search,
        };
        let sealer = Sealer::new(store.server_key())?;
        let statements = Statements::new(&settings, &registry);
        Ok(Context { store, registry, clock, settings, index_settings, sealer, statements })
    }

    /// All index rows of a resource.
    pub fn index(&self, key: &ResourceKey, resource: &Resource) -> IndexRows {
        self.registry.index(key, resource, &self.index_settings)
    }

    /// All index rows of a stored version that is not deleted.
    pub fn index_stored(&self, stored: &Stored) -> Result<IndexRows> {
        let value = json::read_stored(&stored.body)?;
        Ok(self.index(&stored.key, &Resource::from_value(value)?))
    }

    /// The plan of a search or of criteria.
    pub fn plan(
        &self,
        scope: &SearchScope,
        parameters: &[Parameter],
        handling: Handling,
    ) -> Result<Plan> {
        self.plan_at(self.clock.now(), scope, (parameters, handling))
    }

    /// The same as of a moment.
    pub fn plan_at(
        &self,
        now: DateTime<Utc>,
        scope: &SearchScope,
        (parameters, handling): (&[Parameter], Handling),
    ) -> Result<Plan> {
        let planner = Planner {
            registry: &self.registry,
            limits: &self.settings.limits,
            settings: &self.index_settings,
            now,
        };
        planner.plan(scope, parameters, handling)
    }

    /// The search parameter `identifier` of a type.
    pub fn identifier_parameter(&self, resource_type: ResourceType) -> Result<ParameterId> {
        self.registry
            .parameter(resource_type, "identifier")
            .map(|parameter| parameter.id)
            .ok_or_else(|| FhirError::internal(format!("{resource_type} has no identifiers")))
    }

    /// Every search parameter of type reference.
    pub fn reference_parameters(&self) -> Vec<ParameterId> {
        let mut parameters: Vec<ParameterId> = ResourceType::all()
            .flat_map(|resource_type| self.registry.parameters_of(resource_type))
            .filter(|parameter| parameter.kind == Kind::Reference)
            .map(|parameter| parameter.id)
            .collect();
        parameters.sort_unstable();
        parameters.dedup();
        parameters
    }
}
