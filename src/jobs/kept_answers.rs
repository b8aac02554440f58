//! Forgets the answers to requests with an Idempotency-Key whose time is over. Every node does
//! so, each passing by the rows that another one is at.

use crate::error::Result;
use crate::interactions::Context;
use crate::interactions::idempotency::KEPT;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

const EVERY: Duration = Duration::from_secs(3_600);
/// Answers of one database transaction.
const BATCH: i64 = 5_000;

/// Runs until dropped: at once, and every hour.
pub async fn keep_short(context: Arc<Context>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match forget(&context).await {
            Ok(0) => {}
            Ok(answers) => tracing::debug!(answers, "old answers were forgotten"),
            Err(error) => tracing::warn!(%error, "old answers were not forgotten"),
        }
    }
}

/// Forgets every answer that no key stands for any more; returns how many.
pub async fn forget(context: &Context) -> Result<u64> {
    let before = context.clock.now() - KEPT;
    let mut forgotten = 0;
    loop {
        let batch = context.store.forget_answers(before, BATCH).await?;
        forgotten += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(forgotten);
        }
    }
}
