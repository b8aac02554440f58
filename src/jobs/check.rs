//! Check: whether the store holds what it should. Names every difference, changes nothing, and
//! may run beside a server.

use super::reindex::extracted;
use crate::error::Result;
use crate::fhir::json;
use crate::fhir::types::format_instant;
use crate::interactions::Context;
use crate::search::IndexRows;
use crate::storage::{Finding, RowsRead, Stored};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Rows that are looked at together.
const BATCH: i64 = 200;

/// How far a check is.
#[derive(Default, Debug)]
pub struct CheckProgress {
    pub seen: AtomicU64,
    pub findings: AtomicU64,
}

/// Checks everything and calls `tell` with each difference. `stop` ends it after a batch.
pub async fn check(
    context: &Context,
    progress: &CheckProgress,
    stop: &AtomicBool,
    tell: &mut (dyn FnMut(&Finding) + Send),
) -> Result<()> {
    let mut position = 0;
    loop {
        let (findings, next, rows) = check_batch(context, position).await?;
        progress.seen.fetch_add(rows, Ordering::Relaxed);
        progress.findings.fetch_add(findings.len() as u64, Ordering::Relaxed);
        findings.iter().for_each(&mut *tell);
        match next {
            Some(next) if !stop.load(Ordering::Relaxed) => position = next,
            _ => break,
        }
    }
    let mut unit = context.store.begin_check().await?;
    let findings = context.store.check_stubs(&mut unit).await?;
    progress.findings.fetch_add(findings.len() as u64, Ordering::Relaxed);
    findings.iter().for_each(tell);
    Ok(())
}

async fn check_batch(context: &Context, after: i64) -> Result<(Vec<Finding>, Option<i64>, u64)> {
    let store = &context.store;
    let mut unit = store.begin_check().await?;
    let mut context = context.current();
    // The search parameters of the snapshot that is looked at.
    while store.definitions_number(unit.connection()).await? != context.registry.number() {
        drop(unit);
        context = context.refreshed().await?;
        unit = store.begin_check().await?;
    }
    let context = &context;
    let unsettled = context.registry.unsettled();
    let mut read = store.read_rows(&mut unit, after, BATCH).await?;
    let (mut findings, fresh) = bodies(context, &read);
    findings.extend(store.check_json(&mut unit, &read).await?);
    findings.extend(store.check_index(&mut unit, &mut read, (&fresh, &unsettled)).await?);
    findings.extend(store.check_versions(&mut unit, &read).await?);
    findings.extend(store.check_history(&mut unit, &read, &of_body).await?);
    let rows = read.rows.len() as u64;
    Ok((findings, read.next(), rows))
}

/// Differences between the bodies and the columns of their rows, and what is indexed of those
/// that can be read.
fn bodies(context: &Context, read: &RowsRead) -> (Vec<Finding>, HashMap<i64, IndexRows>) {
    let mut findings = Vec::new();
    let mut fresh = HashMap::with_capacity(read.rows.len());
    for row in &read.rows {
        let name = match &row.key {
            Some(key) => key.to_string(),
            None => {
                let text = "its type or id is none that this server knows";
                findings.push(Finding::new(format!("rid {}", row.rid), text));
                continue;
            }
        };
        let Ok(stored) = &row.stored else {
            findings.push(Finding::new(name, "its body cannot be read"));
            continue;
        };
        findings.extend(of_body(stored));
        match extracted(context, stored.clone()) {
            Ok(extracted) => fresh.extend(extracted.rows.map(|rows| (row.rid, rows))),
            // Said by `of_body` already.
            Err(_) => continue,
        }
    }
    (findings, fresh)
}

/// Whether id, versionId and lastUpdated of a body are those of its row.
fn of_body(stored: &Stored) -> Vec<Finding> {
    let finding = |text: String| {
        let text = format!("version {}: {text}", stored.version);
        Finding::new(&stored.key, text)
    };
    if stored.is_deleted {
        return match stored.body.is_empty() {
            true => Vec::new(),
            false => vec![finding("a deleted version has a body".to_owned())],
        };
    }
    let Ok(body) = json::read_stored(&stored.body) else {
        return vec![finding("its body is no JSON".to_owned())];
    };
    let expected = [
        ("resourceType", &body["resourceType"], stored.key.resource_type.name().to_owned()),
        ("id", &body["id"], stored.key.id.to_string()),
        ("meta.versionId", &body["meta"]["versionId"], stored.version.to_string()),
        ("meta.lastUpdated", &body["meta"]["lastUpdated"], format_instant(stored.last_updated)),
    ];
    let differs = |(_, found, expected): &(&str, &Value, String)| found.as_str() != Some(expected);
    expected
        .into_iter()
        .filter(differs)
        .map(|(element, ..)| finding(format!("{element} of the body differs from its row")))
        .collect()
}
