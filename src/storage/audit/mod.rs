//! Where events go: those of writes into the statement of the write, all others into the journal of
//! the node before they are answered, and from there to the database. docs/decisions/0020-audit.md

mod copies;
mod detach;
mod details;
mod identity;
mod journal;
mod merkle;
mod refusals;
mod reports;
pub(in crate::storage) mod rows;
mod seal;
mod search;
mod ship;
mod verify;

pub use detach::detach_audit;
pub use details::{AuditFileKey, AuditKeys};
pub use reports::{AuditReport, ReportWithin};
pub use rows::AuditRow;
pub use search::{AuditAfter, AuditPage, AuditQuery, AuditTest};
pub(in crate::storage) use ship::insert;
pub use verify::{AuditFinding, AuditScope, Verified};

use super::StartError;
use super::failure::of_sqlx;
use super::gather::Gather;
use super::store::Store;
use crate::audit::{AuditId, Event, SecurityEvent};
use crate::config::{AuditDurability, AuditSettings};
use crate::error::{FhirError, Result};
use chrono::{DateTime, Duration, Utc};
use copies::Copies;
use identity::Identity;
use journal::Journal;
use refusals::Refusals;
use seal::Sealing;
use ship::Inserts;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Numbers below are places in the journal; above, they name the run and a number within it.
const RUN_BITS: u32 = 40;
/// Months that there are partitions for, beside this one.
const MONTHS_AHEAD: i32 = 3;
/// A clock that is so far behind that of the database would put events where they do not belong.
const MOST_BEHIND: Duration = Duration::seconds(5);

/// The audit of one node.
pub struct Audit {
    identity: Identity,
    node: Arc<str>,
    /// None where nothing is written that they would seal, as by an import.
    keys: Option<Arc<AuditKeys>>,
    /// Of events outside of the journal.
    next: AtomicI64,
    recording: Recording,
    refusals: Refusals,
    sealing: Sealing,
    copies: Copies,
    /// True while the clock is so far behind that of the database.
    is_behind: AtomicBool,
}

/// Where events go that are not part of a write.
enum Recording {
    /// Into the journal; with `is_synced` the answer waits for the disk.
    Journal { journal: Box<Journal>, is_synced: bool },
    /// Into the database, together with those of other requests.
    Database(Gather<Inserts>),
}

impl Store {
    /// Audits from here on. Makes what is missing of the months to come. An error where the
    /// journal is damaged, or another process has it. `key` is that of the key file.
    pub async fn begin_audit(
        &mut self,
        settings: &AuditSettings,
        file: &[AuditFileKey],
        now: DateTime<Utc>,
    ) -> Result<(), StartError> {
        let identity = Identity::take(settings)?;
        let node: Arc<str> = identity.node.as_str().into();
        let mut connection = self.pool.acquire().await?;
        let database: DateTime<Utc> =
            sqlx::query_scalar(include_str!("../sql/audit_clock_read.sql"))
                .fetch_one(&mut *connection)
                .await?;
        if database - now > MOST_BEHIND {
            return Err(StartError::ClockBehind { seconds: (database - now).num_seconds() });
        }
        sqlx::query_scalar::<_, i32>(include_str!("../sql/audit_months.sql"))
            .bind(MONTHS_AHEAD)
            .fetch_one(&mut *connection)
            .await?;
        sqlx::query(include_str!("../sql/audit_node_write.sql"))
            .bind(node.as_ref())
            .bind(&settings.node)
            .bind(identity.public_key())
            .bind(now)
            .execute(&mut *connection)
            .await?;
        connection.release();
        let keys = match file.is_empty() {
            false => Some(Arc::new(self.current_keys(file, now).await?)),
            true => None,
        };
        let recording = match (&settings.folder, settings.durability) {
            (Some(folder), AuditDurability::Journal | AuditDurability::Strict) => {
                let place = (folder.clone(), node.as_ref());
                let journal = Journal::open(place, settings.backlog_bytes, keys.clone())?;
                let is_synced = settings.durability == AuditDurability::Strict;
                Recording::Journal { journal: Box::new(journal), is_synced }
            }
            _ => {
                let inserts = Inserts { pool: self.pool.clone(), epoch: self.place.epoch };
                Recording::Database(Gather::new(inserts, 2, ship::TOGETHER))
            }
        };
        let (next, refusals) = (AtomicI64::new(1), Refusals::default());
        let sealing = Sealing::default();
        let (copies, is_behind) = (Copies::of(settings), AtomicBool::new(false));
        let audit =
            Audit { identity, node, keys, next, recording, refusals, sealing, copies, is_behind };
        self.audit = Some(Arc::new(audit));
        Ok(())
    }

    async fn current_keys(
        &self,
        file: &[AuditFileKey],
        now: DateTime<Utc>,
    ) -> Result<AuditKeys, StartError> {
        let keys = self.audit_keys(file).await.map_err(StartError::AuditKeys)?;
        self.make_months(&keys, now).await.map_err(StartError::AuditKeys)?;
        Ok(keys)
    }

    /// Whether there is an audit. Without one nothing may be served but to try the server out.
    pub fn is_audited(&self) -> bool {
        self.audit.is_some()
    }

    /// Writes down an event that is not part of a write; after this it is not lost by the end of
    /// the process. 503 where that cannot be done, and then nothing may be answered.
    pub async fn note(&self, event: Event) -> Result<()> {
        match &self.audit {
            Some(audit) => audit.note(event).await.map(drop),
            None => Ok(()),
        }
    }

    /// The same for an AuditEvent of another system; under which id it is shown.
    pub async fn note_external(&self, event: Event) -> Result<AuditId> {
        let none = || FhirError::unavailable("There is no audit");
        let audit = self.audit.as_ref().ok_or_else(none)?;
        let seq = audit.note(event).await?;
        Ok(AuditId { node: audit.node.to_string(), seq, nth: 0 })
    }

    /// The same for the refusal of a stranger, of whom so many are written down in a minute.
    pub async fn note_refusal(&self, mut event: Event) -> Result<()> {
        let Some(audit) = &self.audit else { return Ok(()) };
        match audit.refusals.admit(event.origin.address, event.recorded.timestamp()) {
            Some(left_out) => {
                event.repeated = left_out;
                self.note(event).await
            }
            None => Ok(()),
        }
    }

    /// Writes down what happened around signing in, before it is answered. 503 as above.
    pub async fn record_security_event(
        &self,
        now: DateTime<Utc>,
        event: SecurityEvent,
    ) -> Result<()> {
        let is_refusal_of_stranger =
            event.outcome != crate::audit::EventOutcome::Success && event.agent.role.is_none();
        let event = event.into_event(now);
        match is_refusal_of_stranger {
            true => self.note_refusal(event).await,
            false => self.note(event).await,
        }
    }

    /// The row of an event that is stored with a write; None without an audit.
    pub fn audit_row(&self, event: Event) -> Result<Option<AuditRow>> {
        self.audit.as_ref().map(|audit| audit.row(event)).transpose()
    }

    /// Bytes of the journal that the database does not have yet.
    pub fn audit_backlog(&self) -> u64 {
        match self.audit.as_ref().map(|audit| &audit.recording) {
            Some(Recording::Journal { journal, .. }) => journal.backlog(),
            _ => 0,
        }
    }

    /// Compares the clock with that of the database. While it is too far behind nothing is
    /// written down, and therefore nothing answered.
    pub async fn check_audit_clock(&self, now: impl Fn() -> DateTime<Utc> + Send) -> Result<()> {
        let Some(audit) = &self.audit else { return Ok(()) };
        let mut connection = self.connection().await?;
        let database: DateTime<Utc> =
            sqlx::query_scalar(include_str!("../sql/audit_clock_read.sql"))
                .fetch_one(&mut *connection)
                .await
                .map_err(of_sqlx)?;
        connection.release();
        let is_behind = database - now() > MOST_BEHIND;
        if is_behind != audit.is_behind.swap(is_behind, Ordering::AcqRel) {
            tracing::error!(is_behind, "the clock against that of the database");
        }
        Ok(())
    }

    /// Makes the partitions of the months to come.
    pub async fn make_audit_months(&self) -> Result<i32> {
        let mut connection = self.connection().await?;
        let made = sqlx::query_scalar(include_str!("../sql/audit_months.sql"))
            .bind(MONTHS_AHEAD)
            .fetch_one(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        Ok(made)
    }
}

impl Audit {
    /// The number that the event got.
    async fn note(&self, event: Event) -> Result<i64> {
        self.check_clock()?;
        match &self.recording {
            Recording::Journal { journal, is_synced } => {
                let seq = journal.append(event)?;
                if *is_synced {
                    journal.sync(seq).await?;
                }
                Ok(seq)
            }
            Recording::Database(inserts) => {
                let row = self.row(event)?;
                let seq = row.seq;
                inserts.submit(row).await.map_err(|error| {
                    FhirError::unavailable("The audit is not available").with_source(error)
                })?;
                self.sealing.stored(seq);
                Ok(seq)
            }
        }
    }

    fn check_clock(&self) -> Result<()> {
        match self.is_behind.load(Ordering::Acquire) {
            true => Err(FhirError::unavailable("The clock of this server is behind")),
            false => Ok(()),
        }
    }

    fn row(&self, mut event: Event) -> Result<AuditRow> {
        self.check_clock()?;
        let seq = self.identity.run << RUN_BITS | self.next.fetch_add(1, Ordering::Relaxed);
        AuditKeys::seal(self.keys.as_deref(), &mut event, (&self.node, seq))?;
        let row = AuditRow::new(&self.node, seq, event)?;
        self.sealing.expect(row.seq, row.hash);
        Ok(row)
    }

    /// Says that the write was stored that this row went with.
    pub(super) fn stored(&self, row: &AuditRow) {
        self.sealing.stored(row.seq);
    }
}
