//! `bhn-fhir import`: files into the store, beside a running server or without one. Exit codes:
//! 0 everything is in, 1 something was refused, 2 the import could not come to its end.

use super::Failure;
use super::beside::Beside;
use crate::config::ImportConfig;
use crate::jobs::audit;
use crate::jobs::import::{self, ImportSettings, Progress};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Characters of the bar.
const BAR: usize = 30;

pub async fn run(config: ImportConfig) -> Result<ExitCode, Failure> {
    let settings = ImportSettings {
        paths: config.paths.clone(),
        rejects: config.rejects.clone(),
        workers: config.workers(),
        queue_bytes: config.queue_bytes,
    };
    let connections = (settings.workers as u32 * 2).max(4);
    let beside = Beside::open_with(&config.beside, config.settings(), connections).await?;
    let (progress, stop) = (Arc::new(Progress::default()), Arc::new(AtomicBool::new(false)));
    let started = Instant::now();
    let shown = progress.clone();
    let import = {
        let context = beside.context.clone();
        let import = import::import(context.clone(), &settings, progress.clone(), stop.clone());
        async move {
            let imported = import.await;
            audit::finish(&context).await;
            imported
        }
    };
    let result = beside.run(import, stop, move || line(&shown, started.elapsed())).await;
    tell(&progress, started.elapsed());
    result?;
    Ok(match progress.rejects() {
        0 => ExitCode::SUCCESS,
        count => {
            println!("{count} refused; why is in {}", settings.rejects.display());
            ExitCode::from(1)
        }
    })
}

fn line(progress: &Progress, elapsed: Duration) -> String {
    let (resources, rejects) = (progress.resources(), progress.rejects());
    let share = progress.share();
    let rate = resources as f64 / elapsed.as_secs_f64().max(0.001);
    let bar = "#".repeat((share * BAR as f64) as usize);
    let percent = share * 100.0;
    format!(
        "[{bar:<BAR$}] {percent:3.0} % read, {resources} resources, {rate:.0}/s, \
         {rejects} refused"
    )
}

fn tell(progress: &Progress, elapsed: Duration) {
    let (resources, created) = (progress.resources(), progress.created());
    let seconds = elapsed.as_secs_f64();
    let rate = resources as f64 / seconds.max(0.001);
    println!("{resources} resources, {created} of them new, in {seconds:.1} s ({rate:.0}/s)");
    match progress.done_before() {
        0 => {}
        count => println!("{count} parts had been stored by an earlier import"),
    }
}
