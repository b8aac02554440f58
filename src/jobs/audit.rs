//! Brings the journal of the audit to the database, seals what is there, and makes the partitions
//! of the months to come. What is cut off is done again: docs/decisions/0020-audit.md

use crate::error::Result;
use crate::interactions::Context;
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
        }
    }
}

/// At the end of a server: nothing is left in the journal, nothing unsealed, as far as the database
/// takes it now. What is left is brought by the next start.
pub async fn finish(context: &Context) {
    let finished = async {
        ship_all(context).await?;
        context.store.seal_audit(context.clock.precise()).await
    };
    if let Err(error) = finished.await {
        tracing::warn!(%error, "the next start brings what is left of the audit's journal");
    }
}
