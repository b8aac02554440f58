//! Moves new keys from the pending list of the key index into the index, about once a second
//! while there are writes, so that searches never read a long list
//! (docs/decisions/0001-storage-layout.md).

use crate::interactions::Context;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

const EVERY: Duration = Duration::from_secs(1);

/// Runs until dropped.
pub async fn keep_short(context: Arc<Context>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = context.store.flush_keys().await {
            tracing::debug!(?error, "the key index was not flushed");
        }
    }
}
