//! Reindex: all index data built anew from the stored bodies, while the server serves. It may be
//! cut off at any moment; the next run goes on from there.

use crate::error::{FhirError, Result};
use crate::interactions::Context;
use crate::storage::{Extracted, Rows, Stored};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Rows of one database transaction.
const BATCH: i64 = 400;
/// Walks over rows that servers of other generations write meanwhile.
const SECOND_WALKS: u32 = 100;

/// Times that a batch is extracted where the search parameters change meanwhile.
const ATTEMPTS: usize = 10;

const SHOWN_EVERY: Duration = Duration::from_secs(5);

/// How far a reindex is.
#[derive(Default, Debug)]
pub struct ReindexProgress {
    /// Rows when it began.
    pub rows: AtomicU64,
    /// Of these, looked at by this run.
    pub seen: AtomicU64,
    /// Resources whose index data this run replaced; others were written meanwhile.
    pub replaced: AtomicU64,
}

/// Where a run begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// Where the last run was cut off, if it was.
    GoOn,
    FromTheStart,
}

/// Whether all was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Done,
    Stopped,
}

/// Reindexes everything. `stop` ends it after the batch under way.
pub async fn reindex(
    context: &Context,
    start: Start,
    progress: &ReindexProgress,
    stop: &AtomicBool,
) -> Result<End> {
    let store = &context.store;
    let (rows, _) = store.row_count().await?;
    progress.rows.store(rows.max(0) as u64, Ordering::Relaxed);
    let mut position = match start {
        Start::GoOn => store.reindex_position().await?.unwrap_or_default(),
        Start::FromTheStart => 0,
    };
    loop {
        let batch = store.rows_to_index(Rows::After(position), BATCH).await?;
        let Some(last) = batch.last().map(|stored| stored.rid) else { break };
        replace(context, batch, progress).await?;
        position = last;
        store.remember_reindex(position, context.clock.now()).await?;
        if stop.load(Ordering::Relaxed) {
            return Ok(End::Stopped);
        }
    }
    // Servers of the version before may have written behind the walk.
    for _ in 0..SECOND_WALKS {
        let batch = store.rows_to_index(Rows::OfOtherGenerations, BATCH).await?;
        if batch.is_empty() {
            break;
        }
        replace(context, batch, progress).await?;
        if stop.load(Ordering::Relaxed) {
            return Ok(End::Stopped);
        }
    }
    store.forget_reindex().await?;
    store.mark_index_complete().await?;
    Ok(End::Done)
}

/// Builds anew what an older server left, before this one answers a search.
pub async fn bring_up_to_date(context: &Context) -> Result<()> {
    if !context.store.has_older_index() {
        return Ok(());
    }
    let progress = ReindexProgress::default();
    let seen = || progress.seen.load(Ordering::Relaxed);
    let never = AtomicBool::new(false);
    let work = reindex(context, Start::GoOn, &progress, &never);
    tokio::pin!(work);
    loop {
        tracing::info!(rows = seen(), "index data of an older version is built anew");
        tokio::select! {
            end = &mut work => break end.map(drop),
            () = tokio::time::sleep(SHOWN_EVERY) => {}
        }
    }
}

async fn replace(context: &Context, batch: Vec<Stored>, progress: &ReindexProgress) -> Result<()> {
    let (_, replaced) = replace_wanted(context, &batch, |_| true).await?;
    progress.seen.fetch_add(batch.len() as u64, Ordering::Relaxed);
    progress.replaced.fetch_add(replaced, Ordering::Relaxed);
    Ok(())
}

/// Replaces the index data of those of the batch that are wanted: how many that are, and of how
/// many it was replaced; others were written meanwhile.
pub async fn replace_wanted(
    context: &Context,
    batch: &[Stored],
    is_wanted: impl Fn(&Extracted) -> bool,
) -> Result<(usize, u64)> {
    for _ in 0..ATTEMPTS {
        let context = context.refreshed().await?;
        let all: Result<Vec<Extracted>> =
            batch.iter().map(|stored| extracted(&context, stored.clone())).collect();
        let wanted: Vec<Extracted> = all?.into_iter().filter(&is_wanted).collect();
        let count = wanted.len();
        if count == 0 {
            return Ok((0, 0));
        }
        let number = context.registry.number();
        if let Some(replaced) = context.store.replace_index(wanted, number).await? {
            return Ok((count, replaced));
        }
    }
    Err(FhirError::unavailable("The search parameters change all the time"))
}

/// What this server indexes of a stored version.
pub fn extracted(context: &Context, stored: Stored) -> Result<Extracted> {
    let rows = match stored.is_deleted {
        true => None,
        false => Some(context.index_stored(&stored)?),
    };
    Ok(Extracted { stored, rows })
}
