//! `bhn-fhir import`: files into the store. Exit codes: 0 everything is in, 1 something was
//! refused, 2 the import could not come to its end.

use super::Failure;
use super::database::{OpenDatabase, store_settings};
use super::signals::Signals;
use crate::clock::Clock;
use crate::config::{DatabaseConfig, ImportConfig};
use crate::interactions::Context;
use crate::jobs::import::{self, ImportSettings, Progress};
use crate::search::Registry;
use crate::storage::{Store, StoreSettings};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Seconds that one statement of an import may run: a large Bundle is one.
const STATEMENT_SECONDS: u32 = 600;
/// How often the progress is shown, to people and to logs.
const SHOWN_EVERY: Duration = Duration::from_millis(200);
const LOGGED_EVERY: Duration = Duration::from_secs(15);

pub async fn import(config: ImportConfig) -> Result<ExitCode, Failure> {
    let mut signals = Signals::register()?;
    let registry = tokio::task::spawn_blocking(Registry::r4);
    let opened = OpenDatabase::open_or_join(&config.database).await?;
    let result = async {
        let registry = registry.await??;
        let workers = config.workers();
        let store = store_settings_of_import(&config.database, workers);
        let store = Store::open(&opened.database, &registry, &store).await?;
        let context = Context::new(store, registry, Clock::System, config.settings())?;
        run(Arc::new(context), &config, &mut signals).await
    };
    let result = result.await;
    opened.close().await?;
    result
}

fn store_settings_of_import(config: &DatabaseConfig, workers: usize) -> StoreSettings {
    StoreSettings {
        pool: (workers as u32 * 2).max(4),
        search_pool: 1,
        statement_seconds: STATEMENT_SECONDS,
        ..store_settings(config)
    }
}

async fn run(
    context: Arc<Context>,
    config: &ImportConfig,
    signals: &mut Signals,
) -> Result<ExitCode, Failure> {
    let settings = ImportSettings {
        paths: config.paths.clone(),
        rejects: config.rejects.clone(),
        workers: config.workers(),
        queue_bytes: config.queue_bytes,
    };
    let (progress, stop) = (Arc::new(Progress::default()), Arc::new(AtomicBool::new(false)));
    let started = Instant::now();
    let shown = tokio::spawn(show(progress.clone(), started));
    let import = import::import(context.clone(), &settings, progress.clone(), stop.clone());
    tokio::pin!(import);
    let result = tokio::select! {
        result = &mut import => result,
        () = signals.next() => {
            stop.store(true, Ordering::Relaxed);
            import.await
        }
    };
    shown.abort();
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    context.store.close().await;
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

fn tell(progress: &Progress, elapsed: Duration) {
    let (resources, created) = (progress.resources(), progress.created());
    let rate = resources as f64 / elapsed.as_secs_f64().max(0.001);
    let seconds = elapsed.as_secs_f64();
    println!("{resources} resources, {created} of them new, in {seconds:.1} s ({rate:.0}/s)");
    match progress.done_before() {
        0 => {}
        count => println!("{count} parts had been stored by an earlier import"),
    }
}

/// A line on a terminal that is written over and over; elsewhere a log line now and then.
async fn show(progress: Arc<Progress>, started: Instant) {
    let is_terminal = std::io::stderr().is_terminal();
    let mut interval = tokio::time::interval(if is_terminal { SHOWN_EVERY } else { LOGGED_EVERY });
    interval.tick().await;
    loop {
        interval.tick().await;
        let (resources, rejects) = (progress.resources(), progress.rejects());
        let share = progress.share();
        if !is_terminal {
            let percent = (share * 100.0) as u32;
            tracing::info!(percent, resources, rejects, "importing");
            continue;
        }
        let rate = resources as f64 / started.elapsed().as_secs_f64().max(0.001);
        let width = 30;
        let bar = "#".repeat((share * width as f64) as usize);
        let line = format!(
            "\r[{bar:<width$}] {:3.0} % read, {resources} resources, {rate:.0}/s, \
             {rejects} refused \x1b[K",
            share * 100.0
        );
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}
