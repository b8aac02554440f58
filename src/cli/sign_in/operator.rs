//! What the commands share that change keys and clients in the database, as `migrate` does, beside
//! a running server or without one.

use crate::cli::Failure;
use crate::cli::database::{OpenDatabase, store_settings};
use crate::config::DatabaseConfig;
use crate::search::Registry;
use crate::storage::{Store, StoreSettings};
use std::sync::Arc;

/// Does the work on the open store, and closes it.
pub async fn with_store<T>(
    config: &DatabaseConfig,
    work: impl AsyncFnOnce(&Arc<Store>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let registry = tokio::task::spawn_blocking(Registry::r4);
    let opened = OpenDatabase::open_or_join(config).await?;
    let result = async {
        let settings = StoreSettings { pool: 2, search_pool: 1, ..store_settings(config) };
        let store = Store::open(&opened.database, &registry.await??, &settings).await?;
        let store = Arc::new(store);
        let result = work(&store).await;
        store.close().await;
        result
    };
    let result = result.await;
    opened.close().await?;
    result
}
