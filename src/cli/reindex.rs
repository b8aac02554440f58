//! `bhn-fhir reindex`: index data built anew, beside a running server or without one. Exit
//! codes: 0 done, 2 it could not come to its end.

use super::Failure;
use super::beside::Beside;
use crate::config::ReindexConfig;
use crate::jobs::reindex::{End, ReindexProgress, Start, reindex};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub async fn run(config: ReindexConfig) -> Result<ExitCode, Failure> {
    let start = match config.restart {
        true => Start::FromTheStart,
        false => Start::GoOn,
    };
    let progress = Arc::new(ReindexProgress::default());
    let shown = progress.clone();
    let line = move || {
        let (rows, seen) = (&shown.rows, &shown.seen);
        format!("{} of {} rows", seen.load(Ordering::Relaxed), rows.load(Ordering::Relaxed))
    };
    let stop = Arc::new(AtomicBool::new(false));
    let beside = Beside::open(&config.beside).await?;
    let context = beside.context.clone();
    let work = reindex(&context, start, &progress, &stop);
    let result = beside.run(work, stop.clone(), line).await;
    let end = result?;
    let (seen, replaced) = (&progress.seen, &progress.replaced);
    println!(
        "{} rows looked at, index data of {} replaced",
        seen.load(Ordering::Relaxed),
        replaced.load(Ordering::Relaxed)
    );
    match end {
        End::Done => Ok(ExitCode::SUCCESS),
        End::Stopped => Err("Stopped; run it again to go on".into()),
    }
}
