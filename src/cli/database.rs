//! The database of a command: a server of the operator's, or the private one.

use super::Failure;
use crate::config::{self, DatabaseConfig};
use crate::storage::{Database, EmbeddedPostgres, EmbeddedSettings, StoreSettings};

/// A database that is reachable as long as this value lives.
pub struct OpenDatabase {
    pub database: Database,
    embedded: Option<EmbeddedPostgres>,
}

impl OpenDatabase {
    /// Starts the private PostgreSQL unless `DATABASE_URL` names a server.
    pub async fn open(config: &DatabaseConfig) -> Result<OpenDatabase, Failure> {
        if let Some(url) = &config.database_url {
            let database = Database::from_urls(url, config.owner_database_url.as_deref())?;
            return Ok(OpenDatabase { database, embedded: None });
        }
        let settings = embedded_settings(config);
        let embedded =
            tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&settings)).await??;
        Ok(OpenDatabase { database: embedded.database(), embedded: Some(embedded) })
    }

    /// The same; a private PostgreSQL that a server runs now is used beside it.
    pub async fn open_or_join(config: &DatabaseConfig) -> Result<OpenDatabase, Failure> {
        if config.database_url.is_none()
            && let Some(database) = EmbeddedPostgres::running(&config.data)
        {
            return Ok(OpenDatabase { database, embedded: None });
        }
        OpenDatabase::open(config).await
    }

    /// Stops the private PostgreSQL, if it is that.
    pub async fn close(self) -> Result<(), Failure> {
        Ok(tokio::task::spawn_blocking(move || drop(self.embedded)).await?)
    }
}

pub fn embedded_settings(config: &DatabaseConfig) -> EmbeddedSettings {
    EmbeddedSettings { data: config.data.clone(), search_path: config::search_path() }
}

pub fn store_settings(config: &DatabaseConfig) -> StoreSettings {
    StoreSettings {
        pool: config.pool,
        search_pool: config.search_pool,
        statement_seconds: config.statement_seconds,
        keeps_jsonb: config.jsonb,
        indexes_content: config.content_search,
    }
}
