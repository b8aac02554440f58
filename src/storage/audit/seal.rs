//! Seals: now and then what a node has stored since its last seal is put into a Merkle tree, whose
//! root is chained to the one before and signed.
//!
//! What belongs to a seal is told by transaction ids: all of the node's rows whose transactions are
//! below the seal's horizon and not below that of the seal before. Below a horizon no transaction
//! runs any more, so that nothing can come in later.

use super::Audit;
use super::journal::frame::Hash;
use super::merkle;
use super::ship::Shipped;
use crate::error::{FhirError, Result};
use crate::storage::failure::of_sqlx;
use crate::storage::store::{Connection, Store};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Events of one seal, about.
pub const MOST_EVENTS: i64 = 10_000;
/// Bytes of a leaf: the number and the hash of an event.
pub const LEAF_BYTES: usize = 8 + 32;

/// What a node knows of its events that are not sealed yet.
#[derive(Default)]
pub struct Sealing {
    /// Of this run, outside of the journal.
    expected: Mutex<HashMap<i64, Expected>>,
    unsealed: AtomicU64,
    pub(super) shipped: Shipped,
    pub(super) shipping: tokio::sync::Mutex<()>,
    sealing: tokio::sync::Mutex<()>,
}

struct Expected {
    hash: Hash,
    /// True where the write that it went with is known to be stored.
    is_stored: bool,
    /// Seals since then that did not have it.
    seals: u32,
}

/// A row without its event.
#[derive(sqlx::FromRow)]
struct Hashed {
    seq: i64,
    hash: Vec<u8>,
    /// Whether the hash is that of the event.
    is_right: bool,
}

/// A seal without its leaves.
#[derive(Clone, Debug)]
pub struct Head {
    pub n: i64,
    pub epoch: i32,
    pub horizon: i64,
    pub root: Vec<u8>,
}

/// A seal in the making.
pub struct Seal<'a> {
    pub node: &'a str,
    pub n: i64,
    pub before: &'a [u8],
    pub epoch: i32,
    pub horizon: i64,
    pub leaves: &'a [u8],
    pub missing: &'a [i64],
    /// When it was made; None of seals whose time is not signed.
    pub sealed: Option<DateTime<Utc>>,
}

impl Sealing {
    /// An event that is about to be stored.
    pub fn expect(&self, seq: i64, hash: Hash) {
        self.unsealed.fetch_add(1, Ordering::Relaxed);
        self.expected().insert(seq, Expected { hash, is_stored: false, seals: 0 });
    }

    /// So many events of the journal were stored.
    pub fn count(&self, events: usize) {
        self.unsealed.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// The write of the event is known to be stored.
    pub fn stored(&self, seq: i64) {
        if let Some(expected) = self.expected().get_mut(&seq) {
            expected.is_stored = true;
        }
    }

    fn expected(&self) -> MutexGuard<'_, HashMap<i64, Expected>> {
        self.expected.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Seal<'_> {
    /// What is signed: everything.
    pub fn root(&self) -> Hash {
        let mut hash = Sha256::new();
        match self.sealed {
            Some(sealed) => {
                hash.update(b"bhn-audit-seal-2");
                hash.update(sealed.timestamp_micros().to_be_bytes());
            }
            None => hash.update(b"bhn-audit-seal-1"),
        }
        hash.update((self.node.len() as u32).to_be_bytes());
        hash.update(self.node);
        hash.update(self.n.to_be_bytes());
        hash.update((self.before.len() as u32).to_be_bytes());
        hash.update(self.before);
        hash.update(self.epoch.to_be_bytes());
        hash.update(self.horizon.to_be_bytes());
        hash.update(merkle::root(self.leaves.chunks(LEAF_BYTES)));
        for seq in self.missing {
            hash.update(seq.to_be_bytes());
        }
        hash.finalize().into()
    }
}

pub fn leaf(seq: i64, hash: &[u8]) -> Vec<u8> {
    [&seq.to_be_bytes()[..], hash].concat()
}

impl Store {
    /// True where so many events were stored that they should be sealed.
    pub fn is_audit_seal_due(&self) -> bool {
        let due = MOST_EVENTS as u64;
        self.audit.as_ref().is_some_and(|a| a.sealing.unsealed.load(Ordering::Relaxed) >= due)
    }

    /// Seals what this node has stored since its last seal; how many events. What other
    /// transactions still run beside is left for the next one.
    pub async fn seal_audit(&self, now: DateTime<Utc>) -> Result<usize> {
        let Some(audit) = &self.audit else { return Ok(0) };
        let _alone = audit.sealing.sealing.lock().await;
        let mut connection = self.connection().await?;
        let last = last_seal(&mut connection, &audit.node).await?;
        let epoch = self.place.epoch;
        // A restore begins anew to count transactions.
        let from = last.as_ref().filter(|last| last.epoch == epoch).map_or(0, |last| last.horizon);
        let horizon = horizon(&mut connection, (&audit.node, epoch), from).await?;
        let window = (audit.node.as_ref(), epoch, from, horizon);
        let rows = audit.own(hashes(&mut connection, window).await?);
        let missing = audit.missing(&mut connection, &rows).await?;
        if rows.is_empty() && missing.is_empty() {
            connection.release();
            return Ok(0);
        }
        let leaves: Vec<u8> = rows.iter().flat_map(|row| leaf(row.seq, &row.hash)).collect();
        let seal = Seal {
            node: &audit.node,
            n: last.as_ref().map_or(1, |last| last.n + 1),
            before: last.as_ref().map_or(&[][..], |last| last.root.as_slice()),
            epoch,
            horizon,
            leaves: &leaves,
            missing: &missing,
            sealed: Some(now),
        };
        audit.write(&mut connection, &seal).await?;
        connection.release();
        audit.sealed(&rows, &missing);
        Ok(rows.len())
    }
}

impl Audit {
    /// Without rows that this run did not write: somebody else did, in its name. They are in no
    /// seal, and verification finds them.
    fn own(&self, rows: Vec<Hashed>) -> Vec<Hashed> {
        let expected = self.sealing.expected();
        let run = self.identity.run;
        let is_own = |row: &Hashed| {
            let known = expected.get(&row.seq).map(|expected| expected.hash.as_slice());
            let is_of_this_run = row.seq >> super::RUN_BITS == run;
            let is_own = !is_of_this_run || known == Some(row.hash.as_slice());
            if !is_own {
                tracing::error!(seq = row.seq, "an event that this node did not write is stored");
            }
            is_own && row.is_right
        };
        rows.into_iter().filter(is_own).collect()
    }

    /// Numbers that were stored, were in no seal, and are not there.
    async fn missing(&self, connection: &mut Connection, rows: &[Hashed]) -> Result<Vec<i64>> {
        let found: std::collections::HashSet<i64> = rows.iter().map(|row| row.seq).collect();
        let sought: Vec<i64> = {
            let mut expected = self.sealing.expected();
            expected.iter_mut().for_each(|(_, expected)| expected.seals += 1);
            // What is not known to be stored for so long never will be.
            expected.retain(|_, expected| expected.is_stored || expected.seals < 60);
            let late = expected.iter().filter(|(seq, expected)| {
                expected.is_stored && expected.seals > 1 && !found.contains(seq)
            });
            late.map(|(seq, _)| *seq).collect()
        };
        if sought.is_empty() {
            return Ok(Vec::new());
        }
        let there: Vec<i64> = sqlx::query_scalar(include_str!("../sql/audit_numbers.sql"))
            .bind(self.node.as_ref())
            .bind(&sought)
            .fetch_all(connection)
            .await
            .map_err(of_sqlx)?;
        let mut missing: Vec<i64> = sought.into_iter().filter(|seq| !there.contains(seq)).collect();
        missing.sort_unstable();
        if let Some(seq) = missing.first() {
            tracing::error!(seq, count = missing.len(), "stored events of the audit are gone");
        }
        Ok(missing)
    }

    async fn write(&self, connection: &mut Connection, seal: &Seal<'_>) -> Result<()> {
        let root = seal.root();
        let signature = self.identity.key.sign(&root);
        sqlx::query(include_str!("../sql/audit_seal_write.sql"))
            .bind(seal.node)
            .bind(seal.n)
            .bind(seal.before)
            .bind(seal.epoch)
            .bind(seal.horizon)
            .bind(seal.leaves)
            .bind(seal.missing)
            .bind(root.as_slice())
            .bind(seal.sealed)
            .bind(signature.as_ref())
            .execute(connection)
            .await
            .map_err(of_sqlx)?;
        Ok(())
    }

    fn sealed(&self, rows: &[Hashed], missing: &[i64]) {
        let mut expected = self.sealing.expected();
        for seq in rows.iter().map(|row| row.seq).chain(missing.iter().copied()) {
            expected.remove(&seq);
        }
        self.sealing.unsealed.store(expected.len() as u64, Ordering::Relaxed);
    }
}

/// The rows of a node whose transactions are in a window: epoch, from, and before which.
async fn hashes(
    connection: &mut Connection,
    (node, epoch, from, horizon): (&str, i32, i64, i64),
) -> Result<Vec<Hashed>> {
    sqlx::query_as(include_str!("../sql/audit_hashes.sql"))
        .bind(node)
        .bind(epoch)
        .bind(from)
        .bind(horizon)
        .fetch_all(connection)
        .await
        .map_err(of_sqlx)
}

async fn last_seal(connection: &mut Connection, node: &Arc<str>) -> Result<Option<Head>> {
    let row: Option<(i64, i32, i64, Vec<u8>)> =
        sqlx::query_as(include_str!("../sql/audit_seal_last.sql"))
            .bind(node.as_ref())
            .fetch_optional(connection)
            .await
            .map_err(of_sqlx)?;
    Ok(row.map(|(n, epoch, horizon, root)| Head { n, epoch, horizon, root }))
}

/// Up to which transaction the next seal goes: all that have ended, or as many as have about
/// [`MOST_EVENTS`].
async fn horizon(connection: &mut Connection, of: (&str, i32), from: i64) -> Result<i64> {
    let (node, epoch) = of;
    let ended: i64 = sqlx::query_scalar(include_str!("../sql/audit_horizon.sql"))
        .fetch_one(&mut *connection)
        .await
        .map_err(of_sqlx)?;
    let cut: Option<i64> = sqlx::query_scalar(include_str!("../sql/audit_horizon_cut.sql"))
        .bind(node)
        .bind(epoch)
        .bind(from)
        .bind(ended)
        .bind(MOST_EVENTS)
        .fetch_optional(connection)
        .await
        .map_err(of_sqlx)?;
    match ended < from {
        true => Err(FhirError::internal("transactions are numbered lower than before")),
        false => Ok(cut.unwrap_or(ended)),
    }
}
