//! Custom search parameters: every process hears of changes, and one at a time makes the rows of
//! those that are being built, and removes the rows of those that were retired.
//! docs/decisions/0011-custom-search-parameters.md

use super::reindex::replace_wanted;
use crate::clock::new_id;
use crate::error::Result;
use crate::interactions::Context;
use crate::search::{CustomState, IndexRows};
use crate::storage::{Build, Extracted, Stored};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;

/// Rows that are looked at together, and those of them that one transaction replaces.
const WINDOW: i64 = 2_000;
const BATCH: usize = 400;

/// How often the state is asked for where nothing is heard, and while something is built.
const ASKED_EVERY: Duration = Duration::from_secs(5);
const ASKED_EVERY_WHILE_BUILDING: Duration = Duration::from_secs(1);

/// How often it is asked whether writes of before have ended.
const WRITERS_ASKED_EVERY: Duration = Duration::from_millis(50);

/// Parameters whose progress is followed.
const FOLLOWED: i64 = 1_000;

/// Hears of changes that other processes make, and of how far they are; never returns.
pub async fn follow(context: Arc<Context>) {
    let heard = Notify::new();
    let listening = context.store.listen_to_definitions(|| heard.notify_one());
    let reading = async {
        loop {
            let is_building = match read(&context).await {
                Ok(is_building) => is_building,
                Err(error) => {
                    tracing::warn!(%error, "the search parameters were not read");
                    false
                }
            };
            let pause = if is_building { ASKED_EVERY_WHILE_BUILDING } else { ASKED_EVERY };
            tokio::select! {
                () = heard.notified() => {}
                () = sleep(pause) => {}
            }
        }
    };
    tokio::join!(listening, reading);
}

/// Whether some parameter is being built.
async fn read(context: &Context) -> Result<bool> {
    let context = context.refreshed().await?;
    let customs = context.registry.customs();
    if customs.iter().all(|custom| custom.state != CustomState::Building) {
        return Ok(false);
    }
    let mut connection = context.store.search_connection().await?;
    let all = context.store.build_status(&mut connection, None, FOLLOWED).await?;
    connection.release();
    for status in all {
        if let Some(custom) = customs.iter().find(|custom| custom.id == status.parameter) {
            custom.coverage.set(status.seen, status.total.unwrap_or_default());
        }
    }
    Ok(true)
}

/// Makes and removes rows whenever there are some to be; never returns.
pub async fn keep_built(context: Arc<Context>) {
    let holder = new_id();
    loop {
        match build_next(&context, &holder).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "a search parameter was not built"),
        }
        tokio::select! {
            () = context.has_changed.notified() => {}
            () = sleep(ASKED_EVERY) => {}
        }
    }
}

/// Brings one parameter to the end of its state, from where it was cut off; false where there is
/// none, or others work on all. `holder` names the process. May be cut off at any moment.
pub async fn build_next(context: &Context, holder: &str) -> Result<bool> {
    let store = &context.store;
    let Some(mut build) = store.claim_build(holder).await? else { return Ok(false) };
    if !build.is_settled && !settle(context, &build).await? {
        return Ok(true);
    }
    loop {
        let window = store.rows_to_build(&build, WINDOW).await?;
        let Some(last) = window.last else { break };
        let mut indexed = 0;
        for batch in window.rows.chunks(BATCH) {
            indexed += replace(context, &build, batch).await?;
        }
        let counts = (window.seen, indexed as i64);
        let Some((seen, total)) = store.remember_build(&build, last, counts).await? else {
            return Ok(true);
        };
        let customs = context.current();
        let mut customs = customs.registry.customs().iter();
        if let Some(custom) = customs.find(|custom| custom.id == build.parameter) {
            custom.coverage.set(seen, total);
        }
        build.position = last;
    }
    store.finish_build(&build).await?;
    context.refreshed().await?;
    tracing::info!(parameter = build.parameter.0, state = build.state.as_str(), "done");
    Ok(true)
}

/// Waits until no write is under way that may not know the state. False where another process
/// took over.
async fn settle(context: &Context, build: &Build) -> Result<bool> {
    let store = &context.store;
    let mut writers = store.older_writers().await?;
    while !writers.is_empty() {
        sleep(WRITERS_ASKED_EVERY).await;
        if !store.renew_build(build, None).await? {
            return Ok(false);
        }
        let now = store.older_writers().await?;
        writers.retain(|writer| now.contains(writer));
    }
    // A number for people: without it there is a search parameter all the same.
    let total = store.count_for_build(build).await.ok();
    store.renew_build(build, total).await
}

/// Replaces the index data of the resources that have a value of the parameter, or rows of it, of
/// their own or in what they contain; how many these are.
async fn replace(context: &Context, build: &Build, batch: &[Stored]) -> Result<usize> {
    let has_value = |extracted: &Extracted| {
        let rows = extracted.rows.as_ref();
        let has = |rows: &IndexRows| rows.present.contains(&build.parameter);
        rows.is_some_and(|rows| has(rows) || rows.contained.iter().any(|one| has(&one.rows)))
    };
    let is_removed = build.state == CustomState::Retired;
    let has_rows = |extracted: &Extracted| is_removed || has_value(extracted);
    replace_wanted(context, batch, has_rows).await.map(|(count, _)| count)
}
