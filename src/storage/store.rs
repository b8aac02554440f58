//! The store: its pools, the codec of bodies, and what was read from the database at start.

use super::audit::Audit;
use super::body::BodyCodec;
use super::failure::of_sqlx;
use super::gather::Gather;
use super::pool::{Pool, Pooled};
use super::read::Reads;
use super::search::Pages;
use super::search::terms::Terms;
use super::write::Creates;
use super::write::intern::Interned;
use super::write::under_way::WritesUnderWay;
use crate::error::Result;
use crate::fhir::resource::ResourceKey;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A connection that statements run on: of a pool, or of a transaction under way.
pub type Connection = sqlx::PgConnection;

/// The resources of one network in one Postgres database.
pub struct Store {
    /// For the connection that hears of changes of search parameters.
    pub(super) listening: PgConnectOptions,
    /// Reads by key and writes: generic plans.
    pub(super) pool: Pool,
    /// Searches: custom plans, because frequencies of keys decide the shape.
    pub(super) search_pool: Pool,
    /// Searches whose best plan is the same for all values: generic plans.
    pub(super) settled_pool: Pool,
    pub(super) reads: Gather<Reads>,
    pub(super) creates: Gather<Creates>,
    /// Pages that are found at once.
    pub(super) pages: Gather<Pages>,
    pub(super) codec: BodyCodec,
    pub(super) interned: Interned,
    pub(super) terms: Terms,
    /// For the instants of new versions; see `history`.
    pub writes_under_way: WritesUnderWay,
    /// Writes since the key index was flushed, of this process or of one before it.
    pub(super) has_written: AtomicBool,
    /// True until the index data that an older server wrote was built anew.
    pub(super) has_older_index: AtomicBool,
    pub(super) place: Place,
    /// From where it was begun on.
    pub(super) audit: Option<Arc<Audit>>,
    /// Rows that the second check did not let be seen.
    pub(super) divergences: AtomicU64,
    /// 32 random bytes, the same in every process on this database.
    pub(super) server_key: Vec<u8>,
}

/// What every write needs to know of the database.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Raised by a restore; written beside the transaction id.
    pub epoch: i32,
    /// Whether the JSONB copy is written.
    pub keeps_jsonb: bool,
}

impl Store {
    /// Moves new keys from the pending list of the key index into the index; does nothing where
    /// this process has written nothing since.
    pub async fn flush_keys(&self) -> Result<()> {
        if !self.has_written.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let mut connection = self.connection().await?;
        sqlx::query(include_str!("sql/key_index_flush.sql"))
            .execute(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        Ok(())
    }

    /// The key that signs page links; the same in every process on this database.
    pub fn server_key(&self) -> &[u8] {
        &self.server_key
    }

    /// What a restore raises.
    pub fn epoch(&self) -> i32 {
        self.place.epoch
    }

    /// Whether the database answers; for `/readyz`.
    pub async fn is_reachable(&self) -> bool {
        let Ok(mut connection) = self.pool.acquire().await else { return false };
        sqlx::query("select 1").execute(&mut *connection).await.is_ok()
    }
}

/// One version of a resource as stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub rid: i64,
    pub key: ResourceKey,
    pub version: i64,
    pub last_updated: DateTime<Utc>,
    pub is_deleted: bool,
    /// Of its index data; known where a write asks.
    pub generation: Option<i16>,
    /// The exact JSON as served; empty for a deleted version.
    pub body: Bytes,
}

impl Store {
    /// A connection for reads by key and writes. 503 where none comes free in time.
    pub async fn connection(&self) -> Result<Pooled> {
        self.pool.acquire().await.map_err(of_sqlx)
    }

    /// A connection for searches.
    pub async fn search_connection(&self) -> Result<Pooled> {
        self.search_pool.acquire().await.map_err(of_sqlx)
    }
}
