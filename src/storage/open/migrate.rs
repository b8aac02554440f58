//! Migrations: `migrations/`, forward only, run under an advisory lock.

use super::StartError;
use super::database::Database;
use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::time::{Duration, Instant};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// A database that is starting together with this server gets this long.
const REACHABLE_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

/// Brings the schema up to this server's version and returns how many migrations were missing.
/// Several servers may do so at once; one does the work. A database that a newer server has
/// migrated already is taken as it is, because old code runs on the new schema.
pub async fn migrate(database: &Database) -> Result<usize, StartError> {
    let mut connection = connect(database).await?;
    let before = applied(&mut connection).await?;
    let mut migrations = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    migrations.set_ignore_missing(true);
    migrations.run(&mut connection).await?;
    let after = applied(&mut connection).await?;
    connection.close().await?;
    Ok(after.saturating_sub(before))
}

/// How many migrations the database has seen; none where nobody ever migrated it.
async fn applied(connection: &mut PgConnection) -> Result<usize, StartError> {
    match connection.list_applied_migrations(&MIGRATIONS.table_name).await {
        Ok(applied) => Ok(applied.len()),
        Err(error) if is_undefined_table(&error) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn is_undefined_table(error: &MigrateError) -> bool {
    match error {
        MigrateError::Execute(sqlx::Error::Database(error)) => {
            error.code().as_deref() == Some("42P01")
        }
        _ => false,
    }
}

/// A connection without the limits of the pools. Waits for a database that is just starting.
pub(super) async fn connect(database: &Database) -> Result<PgConnection, StartError> {
    let started = Instant::now();
    loop {
        match database.options().connect().await {
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
