//! Whether the audit is as it was written: seals against their signatures and each other, rows
//! against the seals, what is beside the events against the events.

use super::copies;
use super::journal::frame::hash_of;
use super::rows::resources;
use super::seal::{LEAF_BYTES, Seal};
use crate::audit::Event;
use crate::error::Result;
use crate::storage::failure::of_sqlx;
use crate::storage::store::{Connection, Store};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chrono::{DateTime, Months, Utc};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::FromRow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;

/// From an instant on, and before another.
pub type Within = (DateTime<Utc>, DateTime<Utc>);

/// A row as it is stored.
#[derive(FromRow, Clone, Debug)]
struct Row {
    seq: i64,
    recorded: DateTime<Utc>,
    kind: String,
    subtype: String,
    action: String,
    outcome: String,
    agent: String,
    person: Option<String>,
    address: Option<String>,
    patients: Vec<String>,
    resources: Vec<String>,
    event: String,
    hash: Vec<u8>,
}

/// A seal as it is stored.
#[derive(FromRow)]
pub struct StoredSeal {
    pub n: i64,
    pub before: Vec<u8>,
    pub epoch: i32,
    pub horizon: i64,
    pub leaves: Vec<u8>,
    pub missing: Vec<i64>,
    pub root: Vec<u8>,
    pub sealed: DateTime<Utc>,
    pub signature: Vec<u8>,
}

/// What is verified.
#[derive(Clone, Copy)]
pub struct AuditScope<'a> {
    /// Seals that were made then, with their events.
    pub within: Within,
    /// Where keys are given, nodes with others have no seal that counts: who may do everything in
    /// the database may have put a key of his there.
    pub keys: &'a [Vec<u8>],
    /// A folder with copies of seals.
    pub copies: Option<&'a Path>,
}

/// What a detached month held of a node: from one number to another, and how many events.
#[derive(FromRow)]
struct Detached {
    first: i64,
    last: i64,
    events: i64,
}

/// The audit is kept so long; of older events some were detached.
const KEPT: Months = Months::new(7 * 12);

/// What is not as it was written, and where.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum AuditFinding {
    /// The event is another one than was sealed, or than is searched by.
    Edited { node: String, seq: i64 },
    /// It was sealed, and is gone; or was stored and was gone before it could be sealed.
    Removed { node: String, seq: i64 },
    /// It is in no seal, and should be: somebody added it.
    Inserted { node: String, seq: i64 },
    /// It stands where another one was.
    Reordered { node: String, seq: i64 },
    /// The seal does not have its signature, does not follow the one before it, or is not the one
    /// that was copied.
    SealBroken { node: String, n: i64 },
    /// So many events more are gone than were detached.
    Missing { node: String, events: i64 },
}

/// What was verified.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Verified {
    pub seals: u64,
    pub events: u64,
    /// Events that no seal has yet, of which only their own hashes were verified.
    pub unsealed: u64,
    /// Events that were detached, and are in seals alone.
    pub detached: u64,
}

impl fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuditFinding::Edited { node, seq } => write!(f, "edited: event {node}.{seq}"),
            AuditFinding::Removed { node, seq } => write!(f, "removed: event {node}.{seq}"),
            AuditFinding::Inserted { node, seq } => write!(f, "inserted: event {node}.{seq}"),
            AuditFinding::Reordered { node, seq } => write!(f, "reordered: event {node}.{seq}"),
            AuditFinding::SealBroken { node, n } => write!(f, "broken: seal {n} of {node}"),
            AuditFinding::Missing { node, events } => {
                write!(f, "removed: {events} events of {node} more than were detached")
            }
        }
    }
}

impl Row {
    /// Whether the hash is that of the event.
    fn is_hash_right(&self, node: &str) -> bool {
        hash_of(node, self.seq, &self.event) == *self.hash
    }

    /// Whether everything beside the event is what the event says.
    fn is_consistent(&self, node: &str) -> bool {
        let Ok(event) = serde_json::from_str::<Event>(&self.event) else { return false };
        self.is_hash_right(node)
            && self.recorded == event.recorded
            && self.kind == event.kind.as_str()
            && self.subtype == event.subtype
            && self.action == event.action.as_str()
            && self.outcome == event.outcome.as_str()
            && self.agent == event.agent.name
            && self.person == event.agent.person
            && self.address == event.origin.address.map(|address| address.to_string())
            && self.patients == event.patients
            && self.resources == resources(&event)
    }

    /// The hash of the event before it in the journal, and its own.
    fn links(&self) -> Option<(Option<String>, String)> {
        let event: Event = serde_json::from_str(&self.event).ok()?;
        Some((event.before, STANDARD_NO_PAD.encode(&self.hash)))
    }
}

/// The rows of a node whose transactions are in a window, one after the other: the node, the
/// epoch, from which on, and before which.
fn rows_of<'c>(
    connection: &'c mut Connection,
    window: (&'c str, i32, i64, i64),
) -> BoxStream<'c, sqlx::Result<Row>> {
    let (node, epoch, from, horizon) = window;
    sqlx::query_as(include_str!("../sql/audit_window.sql"))
        .bind(node)
        .bind(epoch)
        .bind(from)
        .bind(horizon)
        .fetch(connection)
}

/// The verification of one node, seal by seal.
struct Walk<'a> {
    node: &'a str,
    key: &'a [u8],
    tell: &'a mut (dyn FnMut(&AuditFinding) + Send),
    verified: Verified,
    scope: AuditScope<'a>,
    /// Up to when events may have been detached, and those that were.
    kept_from: DateTime<Utc>,
    detached: Vec<Detached>,
    /// Number and hash of the last event of the journal; no hash where the event is not as it was.
    journal: Option<(i64, Option<String>)>,
    /// Each is told once.
    told: HashSet<AuditFinding>,
}

impl Store {
    /// Verifies the events of the scope, and those after the last seal. Each difference is told;
    /// returns how many there are, and what was verified. Months that were detached when they might
    /// be are not missed.
    pub async fn verify_audit(
        &self,
        scope: AuditScope<'_>,
        tell: &mut (dyn FnMut(&AuditFinding) + Send),
    ) -> Result<(u64, Verified)> {
        let mut connection = self.connection().await?;
        let nodes: Vec<(String, Vec<u8>)> =
            sqlx::query_as(include_str!("../sql/audit_nodes_read.sql"))
                .fetch_all(&mut *connection)
                .await
                .map_err(of_sqlx)?;
        let now: DateTime<Utc> = sqlx::query_scalar(include_str!("../sql/audit_clock_read.sql"))
            .fetch_one(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        let (mut findings, mut all) = (0, Verified::default());
        for (node, key) in &nodes {
            let mut walk = Walk {
                node,
                key: if scope.keys.is_empty() || scope.keys.contains(key) { key } else { &[] },
                tell: &mut *tell,
                verified: Verified::default(),
                scope,
                kept_from: now.checked_sub_months(KEPT).unwrap_or(DateTime::UNIX_EPOCH),
                detached: detached(&mut connection, node).await?,
                journal: None,
                told: HashSet::new(),
            };
            walk.node(&mut connection).await?;
            findings += walk.told.len() as u64;
            all.seals += walk.verified.seals;
            all.events += walk.verified.events;
            all.unsealed += walk.verified.unsealed;
            all.detached += walk.verified.detached;
        }
        connection.release();
        Ok((findings, all))
    }
}

async fn detached(connection: &mut Connection, node: &str) -> Result<Vec<Detached>> {
    sqlx::query_as(include_str!("../sql/audit_detached_read.sql"))
        .bind(node)
        .fetch_all(connection)
        .await
        .map_err(of_sqlx)
}

/// The seal of a node after the one of this number.
pub async fn next_seal(
    connection: &mut Connection,
    (node, n): (&str, i64),
) -> Result<Option<StoredSeal>> {
    sqlx::query_as(include_str!("../sql/audit_seal_read.sql"))
        .bind(node)
        .bind(n)
        .fetch_optional(connection)
        .await
        .map_err(of_sqlx)
}

impl Walk<'_> {
    async fn node(&mut self, connection: &mut Connection) -> Result<()> {
        let (mut n, mut root, mut epoch, mut from) = (0, Vec::new(), None, 0);
        let within = self.scope.within;
        while let Some(seal) = next_seal(connection, (self.node, n)).await? {
            if epoch != Some(seal.epoch) {
                from = 0;
            }
            let is_within = seal.sealed >= within.0 && seal.sealed < within.1;
            let signed = self.signed(&seal, (n, &root));
            let is_copied = |folder| !copies::differs(folder, self.node, &seal);
            if signed.is_none() || !self.scope.copies.is_none_or(is_copied) {
                self.tell(AuditFinding::SealBroken { node: self.node.to_owned(), n: seal.n });
            }
            if is_within {
                let may_be_detached = signed == Some(true) && seal.sealed < self.kept_from;
                self.rows(connection, (&seal, may_be_detached), from).await?;
            } else {
                self.journal = None;
            }
            (n, root, epoch, from) = (seal.n, seal.root, Some(seal.epoch), seal.horizon);
        }
        let copied = self.scope.copies.map(|folder| copies::newest(folder, self.node));
        for n in n + 1..=copied.transpose()?.unwrap_or(0) {
            self.tell(AuditFinding::SealBroken { node: self.node.to_owned(), n });
        }
        let detached: i64 = self.detached.iter().map(|detached| detached.events).sum();
        let gone = self.verified.detached as i64 - detached;
        if gone > 0 {
            self.tell(AuditFinding::Missing { node: self.node.to_owned(), events: gone });
        }
        let epoch = match epoch {
            Some(epoch) => epoch,
            None => sqlx::query_scalar(include_str!("../sql/epoch_read.sql"))
                .fetch_one(&mut *connection)
                .await
                .map_err(of_sqlx)?,
        };
        self.tail(connection, epoch, from).await
    }

    /// Whether the time of the seal is signed, too; None where the seal is not what was signed.
    fn signed(&self, stored: &StoredSeal, before: (i64, &[u8])) -> Option<bool> {
        let key = UnparsedPublicKey::new(&ED25519, self.key);
        let follows = (stored.n, stored.before.as_slice()) == (before.0 + 1, before.1);
        let is_signed = |sealed: &Option<DateTime<Utc>>| {
            let seal = Seal {
                node: self.node,
                n: stored.n,
                before: &stored.before,
                epoch: stored.epoch,
                horizon: stored.horizon,
                leaves: &stored.leaves,
                missing: &stored.missing,
                sealed: *sealed,
            };
            let root = seal.root();
            root == *stored.root && key.verify(&root, &stored.signature).is_ok()
        };
        let signed = [Some(stored.sealed), None].into_iter().find(is_signed)?;
        follows.then_some(signed.is_some())
    }

    async fn rows(
        &mut self,
        connection: &mut Connection,
        (seal, may_be_detached): (&StoredSeal, bool),
        from: i64,
    ) -> Result<()> {
        self.verified.seals += 1;
        let mut absent: HashMap<i64, &[u8]> =
            seal.leaves.chunks_exact(LEAF_BYTES).filter_map(split).collect();
        let leaves = absent.clone();
        let mut rows = rows_of(connection, (self.node, seal.epoch, from, seal.horizon));
        while let Some(row) = rows.try_next().await.map_err(of_sqlx)? {
            absent.remove(&row.seq);
            match self.difference(&row, &leaves) {
                Some(finding) => self.tell(finding),
                None => self.verified.events += 1,
            }
            if leaves.contains_key(&row.seq) {
                self.follow(&row);
            }
        }
        drop(rows);
        let mut absent: Vec<i64> = absent.into_keys().collect();
        absent.sort_unstable();
        let elsewhere: Vec<i64> = match absent.is_empty() {
            true => Vec::new(),
            false => sqlx::query_scalar(include_str!("../sql/audit_numbers.sql"))
                .bind(self.node)
                .bind(&absent)
                .fetch_all(connection)
                .await
                .map_err(of_sqlx)?,
        };
        let is_detached = |seq: &i64| {
            let was = |detached: &Detached| (detached.first..=detached.last).contains(seq);
            may_be_detached && !elsewhere.contains(seq) && self.detached.iter().any(was)
        };
        let (detached, absent): (Vec<i64>, Vec<i64>) = absent.into_iter().partition(is_detached);
        if !detached.is_empty() {
            self.verified.detached += detached.len() as u64;
            self.journal = None;
        }
        let node = || self.node.to_owned();
        let mut found: Vec<AuditFinding> = Vec::new();
        found.extend(absent.into_iter().map(|seq| match elsewhere.contains(&seq) {
            true => AuditFinding::Edited { node: node(), seq },
            false => AuditFinding::Removed { node: node(), seq },
        }));
        let missing = seal.missing.iter();
        found.extend(missing.map(|seq| AuditFinding::Removed { node: node(), seq: *seq }));
        found.into_iter().for_each(|finding| self.tell(finding));
        Ok(())
    }

    /// What is not as the seal has it.
    fn difference(&self, row: &Row, leaves: &HashMap<i64, &[u8]>) -> Option<AuditFinding> {
        let (node, seq) = (self.node.to_owned(), row.seq);
        match leaves.get(&seq) {
            None => Some(AuditFinding::Inserted { node, seq }),
            Some(hash) if hash_of(self.node, seq, &row.event) != **hash => {
                Some(match self.is_of_another(row, leaves) {
                    true => AuditFinding::Reordered { node, seq },
                    false => AuditFinding::Edited { node, seq },
                })
            }
            Some(_) if !row.is_consistent(self.node) => Some(AuditFinding::Edited { node, seq }),
            Some(_) => None,
        }
    }

    /// Whether the row's event was sealed under another number.
    fn is_of_another(&self, row: &Row, leaves: &HashMap<i64, &[u8]>) -> bool {
        leaves.iter().any(|(seq, hash)| hash_of(self.node, *seq, &row.event) == **hash)
    }

    /// What no seal has yet.
    async fn tail(&mut self, connection: &mut Connection, epoch: i32, from: i64) -> Result<()> {
        let mut rows = rows_of(connection, (self.node, epoch, from, i64::MAX));
        while let Some(row) = rows.try_next().await.map_err(of_sqlx)? {
            match row.is_consistent(self.node) {
                true => self.verified.unsealed += 1,
                false => {
                    let (node, seq) = (self.node.to_owned(), row.seq);
                    self.tell(AuditFinding::Edited { node, seq });
                }
            }
            self.follow(&row);
        }
        Ok(())
    }

    /// Along the journal: numbers without gaps, each event with the hash of the one before it.
    fn follow(&mut self, row: &Row) {
        if row.seq >> super::RUN_BITS != 0 {
            return;
        }
        let node = self.node;
        let is_known = |finding| self.told.contains(&finding);
        let is_right = !is_known(AuditFinding::Edited { node: node.to_owned(), seq: row.seq })
            && !is_known(AuditFinding::Reordered { node: node.to_owned(), seq: row.seq });
        let links = row.links().filter(|_| is_right);
        if let Some((last, hash)) = self.journal.take() {
            for seq in last + 1..row.seq {
                self.tell(AuditFinding::Removed { node: node.to_owned(), seq });
            }
            let before = links.as_ref().and_then(|(before, _)| before.as_ref());
            let is_next = row.seq == last + 1;
            if is_next && before.zip(hash.as_ref()).is_some_and(|(before, hash)| before != hash) {
                self.tell(AuditFinding::Edited { node: node.to_owned(), seq: last });
            }
        }
        self.journal = Some((row.seq, links.map(|(_, hash)| hash)));
    }

    fn tell(&mut self, finding: AuditFinding) {
        if self.told.insert(finding.clone()) {
            (self.tell)(&finding);
        }
    }
}

fn split(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (seq, hash) = bytes.split_first_chunk::<8>()?;
    Some((i64::from_be_bytes(*seq), hash))
}
