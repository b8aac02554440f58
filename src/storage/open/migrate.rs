//! Migrations: `migrations/`, forward only, run under an advisory lock.

use super::database::Database;
use super::{StartError, roles};
use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migration, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::time::{Duration, Instant};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// A database that is starting together with this server gets this long.
const REACHABLE_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

const UNDEFINED_TABLE: &str = "42P01";
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Brings the schema up to this server's version as its owner, gives the role that serves what
/// it needs, and returns how many migrations were missing. Several servers may do so at once;
/// one does the work. A database that a newer server has migrated already is taken as it is,
/// because old code runs on the new schema.
pub async fn migrate(database: &Database) -> Result<usize, StartError> {
    let mut connection = connect(database.owner_options()).await?;
    let missing = run(&mut connection).await.map_err(|error| match database.has_two_roles() {
        false if has_code(&error, INSUFFICIENT_PRIVILEGE) => StartError::NotOwner { source: error },
        _ => StartError::Migration(error),
    })?;
    if database.has_two_roles() {
        roles::grant(database, &mut connection).await?;
    }
    connection.close().await?;
    Ok(missing)
}

/// Asks first what is missing: a role that may change nothing can serve where nothing is.
async fn run(connection: &mut PgConnection) -> Result<usize, MigrateError> {
    let before = applied(connection).await?;
    let is_applied = |migration: &Migration| {
        before.iter().any(|applied| {
            applied.version == migration.version && applied.checksum == migration.checksum
        })
    };
    if MIGRATIONS.iter().all(is_applied) {
        return Ok(0);
    }
    let mut migrations = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    migrations.set_ignore_missing(true);
    migrations.run(&mut *connection).await?;
    Ok(applied(connection).await?.len().saturating_sub(before.len()))
}

/// The migrations that the database has seen; none where nobody ever migrated it.
async fn applied(connection: &mut PgConnection) -> Result<Vec<AppliedMigration>, MigrateError> {
    match connection.list_applied_migrations(&MIGRATIONS.table_name).await {
        Err(error) if has_code(&error, UNDEFINED_TABLE) => Ok(Vec::new()),
        result => result,
    }
}

fn has_code(error: &MigrateError, code: &str) -> bool {
    match error {
        MigrateError::Execute(sqlx::Error::Database(error))
        | MigrateError::ExecuteMigration(sqlx::Error::Database(error), _) => {
            error.code().as_deref() == Some(code)
        }
        _ => false,
    }
}

/// A connection without the limits of the pools. Waits for a database that is just starting.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StartError> {
    let options = options.clone().options([("search_path", "public")]);
    let started = Instant::now();
    loop {
        match options.connect().await {
            Err(error) if is_starting(&error) && started.elapsed() < REACHABLE_WITHIN => {
                tracing::debug!(%error, "the database is not reachable yet");
                tokio::time::sleep(PAUSE).await;
            }
            result => return Ok(result?),
        }
    }
}

fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        // cannot_connect_now: starting up or recovering.
        sqlx::Error::Database(error) => error.code().as_deref() == Some("57P03"),
        _ => false,
    }
}
