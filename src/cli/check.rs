//! `bhn-fhir check`: whether the store holds what it should. Exit codes: 0 it does, 1 something
//! differs and is named on standard output, 2 the check could not come to its end.

use super::Failure;
use super::beside::Beside;
use crate::config::BesideConfig;
use crate::jobs::check::{CheckProgress, check};
use crate::storage::Finding;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub async fn run(config: BesideConfig) -> Result<ExitCode, Failure> {
    let progress = Arc::new(CheckProgress::default());
    let shown = progress.clone();
    let line = move || {
        let (seen, findings) = (&shown.seen, &shown.findings);
        let (seen, findings) = (seen.load(Ordering::Relaxed), findings.load(Ordering::Relaxed));
        format!("{seen} rows, {findings} differences")
    };
    let stop = Arc::new(AtomicBool::new(false));
    let beside = Beside::open(&config).await?;
    let context = beside.context.clone();
    let mut tell = |finding: &Finding| {
        // Nobody may be reading.
        let _ = writeln!(std::io::stdout(), "{finding}");
    };
    let result = beside.run(check(&context, &progress, &stop, &mut tell), stop.clone(), line).await;
    result?;
    if stop.load(Ordering::Relaxed) {
        return Err("Stopped before the end".into());
    }
    let seen = progress.seen.load(Ordering::Relaxed);
    match progress.findings.load(Ordering::Relaxed) {
        0 => {
            println!("{seen} rows checked; nothing differs");
            Ok(ExitCode::SUCCESS)
        }
        count => {
            println!("{seen} rows checked; {count} differences");
            Ok(ExitCode::from(1))
        }
    }
}
