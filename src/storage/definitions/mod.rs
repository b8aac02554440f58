//! The custom search parameters of a database, and the number that names their state.
//! docs/decisions/0011-custom-search-parameters.md

mod build;

pub use build::{Build, BuildStatus};

use crate::error::{FhirError, IssueCode, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::Id;
use crate::search::{Custom, CustomState, ParameterId, Plan};
use crate::storage::failure::of_sqlx;
use crate::storage::store::{Connection, Store};
use crate::storage::write::{Applied, Unit};
use sqlx::postgres::{PgListener, PgPoolOptions, PgRow};
use sqlx::{ConnectOptions, Row};
use std::time::Duration;

const CHANNEL: &str = "search_definitions";

/// A listener that cannot connect tries again after this time.
const RECONNECTS_AFTER: Duration = Duration::from_secs(1);

/// What a write of SearchParameters does to the parameters.
#[derive(Clone, Debug)]
pub enum DefinitionChange {
    Add {
        resource: Id,
        url: String,
        code: String,
        /// The SearchParameter.
        text: String,
        bases: Vec<ResourceType>,
    },
    /// Other restrictions, the same rows.
    Redefine {
        parameter: ParameterId,
        text: String,
    },
    Retire(ParameterId),
}

impl Store {
    /// All custom parameters, and the number of their state.
    pub async fn definitions(&self, connection: &mut Connection) -> Result<(i64, Vec<Custom>)> {
        let rows = sqlx::query(include_str!("../sql/definitions_read.sql"))
            .fetch_all(connection)
            .await
            .map_err(of_sqlx)?;
        let number = rows.first().map(|row| row.try_get("number"));
        let missing = || FhirError::internal("search_definitions has no row");
        let number = number.ok_or_else(missing)?.map_err(FhirError::internal)?;
        let customs: Result<Vec<Option<Custom>>> = rows.iter().map(custom).collect();
        Ok((number, customs?.into_iter().flatten().collect()))
    }

    /// The number of the state of the custom parameters, on a connection that may be inside a
    /// transaction.
    pub async fn definitions_number(&self, connection: &mut Connection) -> Result<i64> {
        number(connection).await.map_err(of_sqlx)
    }

    /// Whether a plan that was just run rests on parameters as they still are: their rows may
    /// have been made or removed since it was planned. Asked after the search: what holds now
    /// held then.
    pub async fn is_plan_of_now(&self, connection: &mut Connection, plan: &Plan) -> Result<bool> {
        match plan.definitions {
            None => Ok(true),
            Some(planned) => Ok(self.definitions_number(connection).await? == planned),
        }
    }

    /// Changes parameters with the writes of the unit. `planned` is the number that the changes
    /// were worked out under.
    pub async fn apply_definitions(
        &self,
        unit: &mut Unit,
        planned: i64,
        changes: &[DefinitionChange],
    ) -> Result<Applied> {
        let connection = unit.connection();
        let raised = sqlx::query(include_str!("../sql/definitions_raise.sql")).bind(planned);
        if raised.execute(&mut *connection).await.map_err(of_sqlx)?.rows_affected() == 0 {
            return Ok(Applied::LostRace);
        }
        // What leaves makes room for what comes.
        let leaves = |change: &&DefinitionChange| matches!(change, DefinitionChange::Retire(_));
        let ordered =
            changes.iter().filter(leaves).chain(changes.iter().filter(|change| !leaves(change)));
        for change in ordered {
            apply(connection, change).await?;
        }
        notify(connection).await?;
        Ok(Applied::Yes)
    }

    /// Calls `changed` when the custom parameters may have changed, and after each interruption;
    /// never returns.
    pub async fn listen_to_definitions(&self, changed: impl Fn() + Send + Sync) {
        loop {
            if let Err(error) = self.listen_once(&changed).await {
                tracing::debug!(%error, "changes of search parameters are not heard");
            }
            changed();
            tokio::time::sleep(RECONNECTS_AFTER).await;
        }
    }

    async fn listen_once(&self, changed: &(impl Fn() + Send + Sync)) -> Result<(), sqlx::Error> {
        let options = self.listening.clone().disable_statement_logging();
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        changed();
        // None after a connection that was lost.
        while listener.try_recv().await?.is_some() {
            changed();
        }
        Ok(())
    }
}

pub(in crate::storage) async fn number(connection: &mut Connection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(include_str!("../sql/definitions_number.sql")).fetch_one(connection).await
}

/// Tells all servers of this database, once the transaction is committed.
async fn notify(connection: &mut Connection) -> Result<()> {
    let query = sqlx::query(include_str!("../sql/definitions_notify.sql"));
    query.execute(connection).await.map(drop).map_err(of_sqlx)
}

async fn apply(connection: &mut Connection, change: &DefinitionChange) -> Result<()> {
    let done = match change {
        DefinitionChange::Add { resource, url, code, text, bases } => {
            let types: Vec<i16> = bases.iter().map(|kind| kind.number()).collect();
            sqlx::query(include_str!("../sql/definition_add.sql"))
                .bind(url)
                .bind(code)
                .bind(resource.as_str())
                .bind(text)
                .bind(types)
                .execute(connection)
                .await
        }
        DefinitionChange::Redefine { parameter, text } => {
            sqlx::query(include_str!("../sql/definition_redefine.sql"))
                .bind(parameter.0)
                .bind(text)
                .execute(connection)
                .await
        }
        DefinitionChange::Retire(parameter) => {
            sqlx::query(include_str!("../sql/definition_retire.sql"))
                .bind(parameter.0)
                .execute(connection)
                .await
        }
    };
    match done.map_err(of_sqlx)?.rows_affected() {
        1 => Ok(()),
        _ => Err(FhirError::unprocessable(
            IssueCode::TooCostly,
            "The numbers that this database has for search parameters are used up",
        )),
    }
}

/// None where the row only has the number.
fn custom(row: &PgRow) -> Result<Option<Custom>> {
    let unreadable = |error: sqlx::Error| FhirError::internal(error);
    let parameter: Option<i16> = row.try_get("parameter").map_err(unreadable)?;
    let Some(parameter) = parameter else { return Ok(None) };
    let text = |name: &str| row.try_get::<&str, _>(name).map_err(unreadable);
    let names = Id::parse(text("resource_id")?).zip(CustomState::parse(text("state")?));
    let unknown = || FhirError::internal(format!("search parameter {parameter} has no state"));
    let (resource, state) = names.ok_or_else(unknown)?;
    let custom = Custom::read(ParameterId(parameter), resource, state, text("definition")?)?;
    let count = |name: &str| row.try_get(name).map_err(unreadable);
    custom.coverage.set(count("seen")?, count("total")?);
    Ok(Some(custom))
}
