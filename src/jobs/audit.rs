//! Brings the journal of the audit to the database, seals what is there, and makes the partitions
//! of the months to come. What is cut off is done again: docs/decisions/0020-audit.md

use crate::error::Result;
use crate::interactions::Context;
use crate::storage::{AuditFinding, AuditScope};
use chrono::TimeDelta;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks at the journal; what is there is brought as one batch.
const SHIPPED_EVERY: Duration = Duration::from_millis(250);
const SEALED_EVERY: Duration = Duration::from_secs(60);
/// Between two looks at whether so many events are there that they are sealed at once.
const LOOKED_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at the clock of the database.
const COMPARED_EVERY: Duration = Duration::from_secs(10);
const VERIFIED_EVERY: Duration = Duration::from_secs(24 * 3_600);
const MONTHS_EVERY: Duration = Duration::from_secs(12 * 3_600);

/// Runs until dropped.
pub async fn ship(context: Arc<Context>) {
    let mut ticks = interval(SHIPPED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = ship_all(&context).await {
            let bytes = context.store.audit_backlog();
            tracing::warn!(%error, bytes, "the audit's journal waits for the database");
        }
    }
}

/// Brings everything that the journal has to the database; how many events.
pub async fn ship_all(context: &Context) -> Result<usize> {
    let mut shipped = 0;
    loop {
        match context.store.ship_audit().await? {
            0 => return Ok(shipped),
            events => shipped += events,
        }
    }
}

/// Runs until dropped.
pub async fn seal(context: Arc<Context>) {
    let mut ticks = interval(LOOKED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut sealed, mut looked_ahead) = (Instant::now(), Instant::now());
    let mut compared = Instant::now();
    loop {
        ticks.tick().await;
        if sealed.elapsed() >= SEALED_EVERY || context.store.is_audit_seal_due() {
            sealed = Instant::now();
            if let Err(error) = context.store.seal_audit(context.clock.precise()).await {
                tracing::warn!(%error, "the audit was not sealed");
            }
            if let Err(error) = context.store.copy_seals().await {
                tracing::error!(%error, "seals of the audit were not copied");
            }
        }
        if compared.elapsed() >= COMPARED_EVERY {
            compared = Instant::now();
            if let Err(error) = context.store.check_audit_clock(|| context.clock.precise()).await {
                tracing::debug!(%error, "the clocks were not compared");
            }
        }
        if looked_ahead.elapsed() >= MONTHS_EVERY {
            looked_ahead = Instant::now();
            if let Err(error) = context.store.make_audit_months().await {
                tracing::warn!(%error, "the months of the audit were not made");
            }
            if let Err(error) = context.store.make_audit_keys(context.clock.now()).await {
                tracing::error!(%error, "the next key of the audit was not made");
            }
        }
    }
}

/// Verifies what was sealed in the last days, once a day; what it finds is counted and logged.
/// Runs until dropped.
pub async fn verify(context: Arc<Context>) {
    let mut ticks = interval(VERIFIED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // A start is not the time for it.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if !context.store.is_audited() {
            continue;
        }
        match verified_lately(&context).await {
            Ok(findings) => {
                metrics::gauge!("bhn_audit_differences").set(findings as f64);
                let now = context.clock.now().timestamp();
                metrics::gauge!("bhn_audit_verified_timestamp_seconds").set(now as f64);
            }
            Err(error) => tracing::warn!(%error, "the audit was not verified"),
        }
    }
}

/// How many differences there are in what was sealed since the time before last.
pub async fn verified_lately(context: &Context) -> Result<u64> {
    let (now, long) = (context.clock.now(), TimeDelta::days(2));
    let copies = context.settings.audit.as_ref().and_then(|audit| audit.seals.as_deref());
    let scope = AuditScope { within: (now - long, now + long), keys: &[], copies };
    let mut tell = |finding: &AuditFinding| tracing::error!(%finding, "the audit was changed");
    Ok(context.store.verify_audit(scope, &mut tell).await?.0)
}

/// At the end of a server: nothing is left in the journal, nothing unsealed, as far as the database
/// takes it now. What is left is brought by the next start.
pub async fn finish(context: &Context) {
    let finished = async {
        ship_all(context).await?;
        context.store.seal_audit(context.clock.precise()).await?;
        context.store.copy_seals().await
    };
    if let Err(error) = finished.await {
        tracing::warn!(%error, "the next start brings what is left of the audit's journal");
    }
}
