//! Surrogate ids: rids of resources and of reference targets, ids of coded values.
//!
//! The caches hold hits only, and an id never changes once given, so that a miss always asks
//! the database and no node ever under-matches. New ids are made in short transactions of
//! their own, before the transaction that uses them, and on connections of the searches: those
//! of the writes may all be waiting for a lock whose holder is here.

use super::index_rows::{Called, Coded, Ids, Map, Names};
use crate::error::{FhirError, Result};
use crate::fhir::resource::ResourceKey;
use crate::search::value::text::normalised;
use crate::search::{Token, UnitOfMeasure};
use crate::storage::failure::of_sqlx;
use crate::storage::store::{Connection, Store};
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
type Known<K, V = i64> = Cache<K, V, UnitWeighter, foldhash::quality::RandomState>;

fn known<K: Eq + std::hash::Hash, V: Clone>(entries: usize) -> Known<K, V> {
    let (hasher, lifecycle) = (Default::default(), DefaultLifecycle::default());
    Cache::with(entries, entries as u64, UnitWeighter, hasher, lifecycle)
}

/// Caches of one server process.
pub struct Interned {
    tokens: Known<Token, Coded>,
    /// As they are written.
    texts: Known<String>,
    references: Known<ResourceKey>,
    units: Known<UnitOfMeasure>,
    rids: Mutex<Vec<std::ops::Range<i64>>>,
}

impl Default for Interned {
    fn default() -> Self {
        Interned {
            tokens: known(CACHED),
            texts: known(CACHED),
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
        self.tokens.get(token).map(|coded| coded.id)
    }

    /// Remembers the id of a coded value.
    pub fn remember_token(&self, token: &Token, id: i64) {
        self.tokens.insert(token.clone(), Coded { id, text: None });
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

/// What is not at hand.
#[derive(Default)]
struct Missing<'a> {
    tokens: Vec<(&'a Token, Called<'a>)>,
    units: Vec<&'a UnitOfMeasure>,
    texts: Vec<&'a str>,
}

/// Ids in the order asked for: of coded values, of what they are called, of units, of texts.
type MadeIds = (
    Option<Vec<Option<i64>>>,
    Option<Vec<Option<i64>>>,
    Option<Vec<i32>>,
    Option<Vec<Option<i64>>>,
);

impl Missing<'_> {
    fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.units.is_empty() && self.texts.is_empty()
    }

    async fn made(&self, connection: &mut Connection) -> Result<MadeIds> {
        let Missing { tokens, units, texts } = self;
        let display = |(_, called): &(&Token, Called<'_>)| match called {
            Called::Text(text) => Some((*text).to_owned()),
            _ => None,
        };
        let folded = |one: &(&Token, Called<'_>)| match one.1 {
            Called::Unsaid => None,
            Called::Nothing => Some(String::new()),
            Called::Text(text) => Some(normalised(text)),
        };
        sqlx::query_as(include_str!("../sql/value_intern.sql"))
            .bind(tokens.iter().map(|(token, _)| token.system.as_str()).collect::<Vec<_>>())
            .bind(tokens.iter().map(|(token, _)| token.code.as_str()).collect::<Vec<_>>())
            .bind(tokens.iter().map(display).collect::<Vec<_>>())
            .bind(tokens.iter().map(folded).collect::<Vec<_>>())
            .bind(units.iter().map(|unit| unit.system.as_str()).collect::<Vec<_>>())
            .bind(units.iter().map(|unit| unit.code.as_str()).collect::<Vec<_>>())
            .bind(units.iter().map(|unit| unit.text.as_str()).collect::<Vec<_>>())
            .bind(units.iter().map(|unit| unit.dimension()).collect::<Vec<_>>())
            .bind(texts.iter().map(|text| normalised(text)).collect::<Vec<_>>())
            .fetch_one(connection)
            .await
            .map_err(of_sqlx)
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

    /// Ids of coded values, of their texts and of units, new ones made for those never seen. One
    /// statement, none where all are at hand.
    pub async fn intern_values<'a>(&self, names: Names<'a>) -> Result<Ids<'a>> {
        let mut ids = Ids::default();
        let mut missing = Missing::default();
        for (token, called) in names.tokens {
            let known = self.interned.tokens.get(token);
            match known.filter(|known| known.text.is_some() || called == Called::Unsaid) {
                Some(coded) => drop(ids.tokens.insert(token, coded)),
                None => missing.tokens.push((token, called)),
            }
        }
        for unit in names.units {
            match self.interned.units.get(unit) {
                Some(id) => drop(ids.units.insert(unit, id as i32)),
                None => missing.units.push(unit),
            }
        }
        for text in names.texts {
            match self.interned.texts.get(text) {
                Some(id) => drop(ids.texts.insert(text, id)),
                None => missing.texts.push(text),
            }
        }
        if !missing.is_empty() {
            let mut connection = self.search_connection().await?;
            let made = missing.made(&mut connection).await?;
            connection.release();
            self.remember_made(&missing, made, &mut ids)?;
        }
        Ok(ids)
    }

    fn remember_made<'a>(
        &self,
        missing: &Missing<'a>,
        made: MadeIds,
        ids: &mut Ids<'a>,
    ) -> Result<()> {
        let [tokens, called, texts] =
            [made.0.unwrap_or_default(), made.1.unwrap_or_default(), made.3.unwrap_or_default()];
        let units = made.2.unwrap_or_default();
        let is_whole = tokens.len() == missing.tokens.len()
            && called.len() == tokens.len()
            && units.len() == missing.units.len()
            && texts.len() == missing.texts.len();
        if !is_whole {
            return Err(FhirError::internal("a coded value, unit or text was left without an id"));
        }
        let id = |id: Option<i64>| id.unwrap_or_default();
        for (((token, _), made), text) in missing.tokens.iter().zip(tokens).zip(called) {
            let coded = Coded { id: id(made), text };
            self.interned.tokens.insert((*token).clone(), coded);
            ids.tokens.insert(token, coded);
        }
        for (unit, id) in missing.units.iter().zip(units) {
            self.interned.units.insert((*unit).clone(), i64::from(id));
            ids.units.insert(unit, id);
        }
        for (text, made) in missing.texts.iter().zip(texts) {
            self.interned.texts.insert((*text).to_owned(), id(made));
            ids.texts.insert(text, id(made));
        }
        Ok(())
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
