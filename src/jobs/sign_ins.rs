//! Forgets what has come to its end of sessions, codes, requests under way, launches and counted
//! attempts.

use crate::interactions::Context;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

const EVERY: Duration = Duration::from_secs(600);

/// Runs until dropped: at once, and every ten minutes.
pub async fn keep_short(context: Arc<Context>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = context.store.forget_sign_ins(context.clock.now()).await {
            tracing::warn!(%error, "ended sign-ins were not forgotten");
        }
    }
}
