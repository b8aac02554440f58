//! Surrogate ids: rids of resources and of reference targets, ids of coded values.
//!
//! The caches hold hits only, and an id never changes once given, so that a miss always asks
//! the database and no node ever under-matches. New ids are made in short transactions of
//! their own, before the transaction that uses them, and on connections of the searches: those
//! of the writes may all be waiting for a lock whose holder is here.

use super::index_rows::{Map, Set};
use crate::error::{FhirError, Result};
use crate::fhir::resource::ResourceKey;
use crate::search::{Token, UnitOfMeasure};
use crate::storage::failure::of_sqlx;
use crate::storage::store::Store;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use std::sync::Mutex;

/// Rids are taken from the database's sequence in blocks of this many.
const BLOCK: i64 = 1000;

/// Entries of each cache; about 200 bytes each.
const CACHED: usize = 100_000;

/// Entries of the cache of units.
const CACHED_UNITS: usize = 10_000;

/// Keys are chosen by clients, so they are hashed with a secret.
type Known<K> = Cache<K, i64, UnitWeighter, foldhash::quality::RandomState>;

fn known<K: Eq + std::hash::Hash>(entries: usize) -> Known<K> {
    let (hasher, lifecycle) = (Default::default(), DefaultLifecycle::default());
    Cache::with(entries, entries as u64, UnitWeighter, hasher, lifecycle)
}

/// Caches of one server process.
pub struct Interned {
    tokens: Known<Token>,
    references: Known<ResourceKey>,
    units: Known<UnitOfMeasure>,
    rids: Mutex<Vec<std::ops::Range<i64>>>,
}

impl Default for Interned {
    fn default() -> Self {
        Interned {
            tokens: known(CACHED),
            references: known(CACHED),
            units: known(CACHED_UNITS),
            rids: Mutex::new(Vec::new()),
        }
    }
}

impl Interned {
    /// Remembers the rid of a committed resource.
    pub fn remember(&self, key: &ResourceKey, rid: i64) {
        self.references.insert(key.clone(), rid);
    }

    /// The id of a coded value, where it is at hand.
    pub fn token(&self, token: &Token) -> Option<i64> {
        self.tokens.get(token)
    }

    /// Remembers the id of a coded value.
    pub fn remember_token(&self, token: &Token, id: i64) {
        self.tokens.insert(token.clone(), id);
    }

    /// The rid of a resource or reference target, where it is at hand.
    pub fn rid(&self, key: &ResourceKey) -> Option<i64> {
        self.references.get(key)
    }

    fn take_rids(&self, count: usize) -> Vec<i64> {
        let mut blocks = self.rids.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            let Some(block) = blocks.first_mut() else { break };
            match block.next() {
                Some(rid) => taken.push(rid),
                None => drop(blocks.remove(0)),
            }
        }
        taken
    }

    fn give_rids(&self, blocks: Vec<i64>) {
        let ranges = blocks.into_iter().map(|block| block * BLOCK..(block + 1) * BLOCK);
        self.rids.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend(ranges);
    }
}

impl Store {
    /// `count` new rids, ascending. Asks the database once where the block at hand is used up.
    pub async fn allocate_rids(&self, count: usize) -> Result<Vec<i64>> {
        let mut rids = self.interned.take_rids(count);
        while rids.len() < count {
            let blocks = (count - rids.len()).div_ceil(BLOCK as usize) as i32;
            let sql = include_str!("../sql/rid_block_allocate.sql");
            let mut connection = self.search_connection().await?;
            let allocated = sqlx::query_scalar(sql).bind(blocks).fetch_all(&mut *connection).await;
            self.interned.give_rids(allocated.map_err(of_sqlx)?);
            connection.release();
            rids.extend(self.interned.take_rids(count - rids.len()));
        }
        Ok(rids)
    }

    /// Ids of coded values and of units, new ones made for those never seen. Displays go with
    /// new ones. One statement, none where all are at hand.
    pub async fn intern_values<'a>(
        &self,
        tokens: Map<&'a Token, Option<&'a str>>,
        units: Set<&'a UnitOfMeasure>,
    ) -> Result<(Map<&'a Token, i64>, Map<&'a UnitOfMeasure, i32>)> {
        let mut found = (Map::default(), Map::default());
        let mut missing = (Vec::new(), Vec::new());
        for (token, display) in tokens {
            match self.interned.tokens.get(token) {
                Some(id) => drop(found.0.insert(token, id)),
                None => missing.0.push((token, display)),
            }
        }
        for unit in units {
            match self.interned.units.get(unit) {
                Some(id) => drop(found.1.insert(unit, id as i32)),
                None => missing.1.push(unit),
            }
        }
        if missing.0.is_empty() && missing.1.is_empty() {
            return Ok(found);
        }
        let (tokens, units) = missing;
        let mut connection = self.search_connection().await?;
        let ids: (Option<Vec<i64>>, Option<Vec<i32>>) =
            sqlx::query_as(include_str!("../sql/value_intern.sql"))
                .bind(tokens.iter().map(|(token, _)| token.system.as_str()).collect::<Vec<_>>())
                .bind(tokens.iter().map(|(token, _)| token.code.as_str()).collect::<Vec<_>>())
                .bind(tokens.iter().map(|(_, display)| *display).collect::<Vec<_>>())
                .bind(units.iter().map(|unit| unit.system.as_str()).collect::<Vec<_>>())
                .bind(units.iter().map(|unit| unit.code.as_str()).collect::<Vec<_>>())
                .bind(units.iter().map(|unit| unit.text.as_str()).collect::<Vec<_>>())
                .bind(units.iter().map(|unit| unit.dimension()).collect::<Vec<_>>())
                .fetch_one(&mut *connection)
                .await
                .map_err(of_sqlx)?;
        connection.release();
        let ids = (ids.0.unwrap_or_default(), ids.1.unwrap_or_default());
        if ids.0.len() != tokens.len() || ids.1.len() != units.len() {
            return Err(FhirError::internal("a coded value or unit was left without an id"));
        }
        for ((token, _), id) in tokens.into_iter().zip(ids.0) {
            self.interned.tokens.insert(token.clone(), id);
            found.0.insert(token, id);
        }
        for (unit, id) in units.into_iter().zip(ids.1) {
            self.interned.units.insert(unit.clone(), i64::from(id));
            found.1.insert(unit, id);
        }
        Ok(found)
    }

    /// Rids of reference targets; one that does not exist yet gets a stub that it will adopt.
    pub async fn intern_references<'a>(
        &self,
        wanted: impl IntoIterator<Item = &'a ResourceKey>,
    ) -> Result<Map<&'a ResourceKey, i64>> {
        let mut found = Map::default();
        let mut missing = Vec::new();
        for key in wanted {
            match self.interned.references.get(key) {
                Some(rid) => drop(found.insert(key, rid)),
                None => missing.push(key),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        missing.sort_unstable();
        missing.dedup();
        let candidates = self.allocate_rids(missing.len()).await?;
        let types: Vec<i16> = missing.iter().map(|key| key.resource_type.number()).collect();
        let ids: Vec<&str> = missing.iter().map(|key| key.id.as_str()).collect();
        let mut connection = self.search_connection().await?;
        let rids: Vec<i64> = sqlx::query_scalar(include_str!("../sql/reference_intern.sql"))
            .bind(types)
            .bind(ids)
            .bind(candidates)
            .fetch_one(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        for (key, rid) in missing.into_iter().zip(rids) {
            self.interned.references.insert(key.clone(), rid);
            found.insert(key, rid);
        }
        Ok(found)
    }
}
