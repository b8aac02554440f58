//! What every interaction has at hand.

use super::capabilities::Statements;
use crate::access::{Caller, Permit};
use crate::clock::Clock;
use crate::config::Settings;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::{Handling, Interaction, Parameter, SearchScope};
use crate::fhir::json;
use crate::fhir::resource::{Resource, ResourceKey};
use crate::search::registry::Kind;
use crate::search::{
    IndexRows, IndexSettings, ParameterId, Plan, Planner, Registry, Sealer, SubjectPaths,
};
use crate::storage::{Connection, Store, Stored};
use chrono::{DateTime, Utc};
use std::ops::Deref;
use std::sync::{Arc, RwLock};
use tokio::sync::{Mutex, Notify};

/// What one request works with from its start to its end: what the server shares, and the search
/// parameters as they are now. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    shared: Arc<Shared>,
    pub registry: Arc<Registry>,
    /// What `/metadata` answers.
    pub statements: Arc<Statements>,
}

/// One for the server.
pub struct Shared {
    pub store: Arc<Store>,
    pub clock: Clock,
    pub settings: Settings,
    pub index_settings: IndexSettings,
    /// Of page links; the same for all nodes.
    pub sealer: Sealer,
    /// Whom resources are about, for the audit.
    pub subjects: SubjectPaths,
    /// The search parameters of R4 alone.
    r4: Registry,
    newest: RwLock<Newest>,
    /// One task at a time asks the database for the search parameters.
    refreshing: Mutex<()>,
    /// Told where search parameters changed; one task waits for it.
    pub has_changed: Notify,
}

/// The search parameters as this process last read them.
#[derive(Clone)]
struct Newest {
    registry: Arc<Registry>,
    statements: Arc<Statements>,
}

impl Newest {
    /// 503 where the database has a search parameter that this server does not understand, as
    /// of a newer one: it must not write then.
    async fn read(
        of_store: (&Store, &mut Connection),
        r4: &Registry,
        settings: &Settings,
    ) -> Result<Newest> {
        let (store, connection) = of_store;
        let not_understood = |error: FhirError| {
            let text = "The database has a search parameter that this server does not understand";
            FhirError::unavailable(text).with_source(error)
        };
        let (number, customs) = store.definitions(connection).await.map_err(not_understood)?;
        let registry = r4.with_customs(number, customs).map_err(not_understood)?;
        let statements = Arc::new(Statements::new(settings, &registry));
        Ok(Newest { registry: Arc::new(registry), statements })
    }
}

impl Deref for Context {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Context {
    /// Over a store, with the custom search parameters that it holds. `r4` has those of R4.
    /// An error where the store has no key for page links, or holds a search parameter that this
    /// server does not understand.
    pub async fn open(
        store: Store,
        r4: Registry,
        clock: Clock,
        settings: Settings,
    ) -> Result<Self> {
        let index_settings = IndexSettings {
            zone: settings.default_zone,
            base_url: settings.base_url.clone(),
            indexes_content: settings.content_search,
            link_days: settings.link_days,
        };
        let sealer = Sealer::new(store.server_key())?;
        let mut connection = store.connection().await?;
        store.keep_proxy_ages(&mut connection, &settings.roles.proxy_ages).await?;
        let newest = Newest::read((&store, &mut connection), &r4, &settings).await?;
        connection.release();
        let Newest { registry, statements } = newest.clone();
        let shared = Shared {
            store: Arc::new(store),
            clock,
            settings,
            index_settings,
            sealer,
            subjects: SubjectPaths::r4()?,
            r4,
            newest: RwLock::new(newest),
            refreshing: Mutex::new(()),
            has_changed: Notify::new(),
        };
        Ok(Context { shared: Arc::new(shared), registry, statements })
    }

    /// The same with the newest search parameters that this process knows.
    pub fn current(&self) -> Context {
        let newest = self.shared.newest();
        let Newest { registry, statements } = newest;
        Context { shared: self.shared.clone(), registry, statements }
    }

    /// The same with the search parameters that the database has now. One short statement where
    /// nothing changed.
    pub async fn refreshed(&self) -> Result<Context> {
        let shared = &self.shared;
        let _alone = shared.refreshing.lock().await;
        // Not one of the searches: who searches may wait here with one in hand.
        let mut connection = shared.store.connection().await?;
        let number = shared.store.definitions_number(&mut connection).await?;
        if shared.newest().registry.number() != number {
            let of_store = (&*shared.store, &mut *connection);
            let newest = Newest::read(of_store, &shared.r4, &shared.settings).await?;
            *shared.newest.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = newest;
            shared.has_changed.notify_one();
        }
        connection.release();
        Ok(self.current())
    }

    /// What the gate lets through.
    pub fn permit(&self, caller: &Caller, interaction: &Interaction) -> Result<Permit> {
        let permit = Permit::authorize(caller, interaction)?;
        Ok(permit.with_registrar_systems(&self.settings.roles.registrar_systems))
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

impl Shared {
    fn newest(&self) -> Newest {
        self.newest.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}
