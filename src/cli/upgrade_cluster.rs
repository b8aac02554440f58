//! `bhn-fhir upgrade-cluster`: the private PostgreSQL moved to a newer major version.

use super::Failure;
use super::database::embedded_settings;
use crate::config::DatabaseConfig;
use crate::storage::{self, Upgrade};

pub async fn upgrade_cluster(config: DatabaseConfig) -> Result<(), Failure> {
    if config.database_url.is_some() {
        return Err("DATABASE_URL is set: only the private PostgreSQL can be upgraded here".into());
    }
    let settings = embedded_settings(&config);
    match tokio::task::spawn_blocking(move || storage::upgrade(&settings)).await?? {
        Upgrade::Unneeded { major } => {
            println!("The cluster is of PostgreSQL {major}, the newest version installed here");
        }
        Upgrade::Done { from, to, kept } => {
            println!("The cluster was moved from PostgreSQL {from} to {to}");
            println!("Start the server, look around, then remove the old one: {}", kept.display());
        }
    }
    Ok(())
}
