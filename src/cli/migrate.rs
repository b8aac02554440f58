//! `bhn-fhir migrate`: the schema brought up to date, apart from serving.

use super::Failure;
use super::database::OpenDatabase;
use crate::config::DatabaseConfig;
use crate::storage;

pub async fn migrate(config: DatabaseConfig) -> Result<(), Failure> {
    let opened = OpenDatabase::open(&config).await?;
    let result = storage::migrate(&opened.database).await;
    opened.close().await?;
    match result? {
        0 => println!("The schema is up to date"),
        count => println!("{count} migrations applied; the schema is up to date"),
    }
    Ok(())
}
