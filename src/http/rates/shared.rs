//! Rates of several processes on one database: each tells the others now and then what callers
//! spent at it, and takes what they spent at the others out of its own buckets. Where the database
//! does not answer, each counts for itself.

use super::Rates;
use crate::clock::new_id;
use crate::error::Result;
use crate::http::App;
use crate::storage::Store;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

const TOLD_EVERY: Duration = Duration::from_secs(1);
/// Who was told nothing for so many turns does not listen either: nobody comes.
const QUIET_TURNS: u32 = 30;
/// Turns between two times that what is old is removed.
const SWEPT_AFTER: u32 = 60;

/// Runs until dropped.
pub async fn share(app: Arc<App>, store: Arc<Store>) {
    let mut shared = Shared::new();
    let mut ticks = interval(TOLD_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = shared.turn(&app.rates, &store).await {
            tracing::debug!(%error, "rates are counted by this process alone");
        }
    }
}

/// What this process knows of the others.
struct Shared {
    node: String,
    /// What each caller had spent at each process when it was asked last; None before that.
    totals: Option<HashMap<(String, String), i64>>,
    quiet: u32,
    turns: u32,
}

impl Shared {
    fn new() -> Shared {
        Shared { node: new_id(), totals: None, quiet: 0, turns: 0 }
    }

    async fn turn(&mut self, rates: &Rates, store: &Store) -> Result<()> {
        let spent = rates.untold();
        self.quiet = if spent.is_empty() { self.quiet.saturating_add(1) } else { 0 };
        if self.quiet > QUIET_TURNS {
            self.totals = None;
            return Ok(());
        }
        if !spent.is_empty() {
            store.tell_spent(&self.node, &spent).await?;
        }
        self.turns = self.turns.wrapping_add(1);
        if self.turns.is_multiple_of(SWEPT_AFTER) {
            store.sweep_spent().await?;
        }
        let read = store.spent_elsewhere(&self.node).await?;
        let totals: HashMap<(String, String), i64> =
            read.into_iter().map(|(node, caller, total)| ((node, caller), total)).collect();
        if let Some(before) = &self.totals {
            for (place, total) in &totals {
                // A total that is lower began anew.
                let known = before.get(place).filter(|known| *known <= total).unwrap_or(&0);
                rates.charge(&place.1, total - known);
            }
        }
        self.totals = Some(totals);
        Ok(())
    }
}
