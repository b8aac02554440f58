//! The roles of the private cluster: `bhn_fhir` owns the database and its tables, another one
//! serves. docs/decisions/0006-database-roles.md

use super::cluster::NAME;
use crate::storage::{Database, StartError};
use sqlx::{ConnectOptions, Connection};
use std::path::Path;

/// The role that serves.
pub const APPLICATION: &str = "bhn_fhir_application";

/// The server's database, through the socket in the folder.
pub fn database(socket: &Path) -> Database {
    let owner = Database::on_socket(socket, NAME, NAME);
    Database::on_socket(socket, APPLICATION, NAME).owned_by(owner)
}

/// Makes the role that serves, unless it is there: clusters of before had only the owner. On a
/// thread of its own, because the caller may be one of a runtime.
pub fn make(administration: &Database) -> Result<(), StartError> {
    let cannot = |text: &str| StartError::Cluster(format!("{APPLICATION} was not made: {text}"));
    std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| cannot(&error.to_string()))?;
            runtime.block_on(make_role(administration))
        });
        work.join().map_err(|_| cannot("its thread ended"))?
    })
}

async fn make_role(administration: &Database) -> Result<(), StartError> {
    let mut connection = administration.options().connect().await?;
    sqlx::raw_sql(include_str!("../sql/application_role_make.sql"))
        .execute(&mut connection)
        .await?;
    Ok(connection.close().await?)
}
