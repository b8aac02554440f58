//! What commands share that work on the store, beside a running server or without one.

use super::Failure;
use super::database::{OpenDatabase, store_settings};
use super::signals::Signals;
use crate::clock::Clock;
use crate::config::{BesideConfig, Settings};
use crate::interactions::Context;
use crate::search::Registry;
use crate::storage::{Store, StoreSettings};
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Seconds that one statement may run: it may be about a large Bundle, or many rows.
const STATEMENT_SECONDS: u32 = 600;
/// How often the progress is shown, to people and to logs.
const SHOWN_EVERY: Duration = Duration::from_millis(200);
const LOGGED_EVERY: Duration = Duration::from_secs(15);

/// An open store, and the signals that end the work on it.
pub struct Beside {
    pub context: Arc<Context>,
    opened: OpenDatabase,
    signals: Signals,
}

impl Beside {
    pub async fn open(config: &BesideConfig) -> Result<Beside, Failure> {
        let settings = config.settings();
        Beside::open_with(config, settings, 4).await
    }

    /// With settings of the command's own, and this many connections.
    pub async fn open_with(
        config: &BesideConfig,
        settings: Settings,
        connections: u32,
    ) -> Result<Beside, Failure> {
        let signals = Signals::register()?;
        let registry = tokio::task::spawn_blocking(Registry::r4);
        let opened = OpenDatabase::open_or_join(&config.database).await?;
        let context = async {
            let registry = registry.await??;
            let store = StoreSettings {
                pool: connections,
                search_pool: 1,
                statement_seconds: STATEMENT_SECONDS,
                ..store_settings(&config.database)
            };
            let mut store = Store::open(&opened.database, &registry, &store).await?;
            if let Some(audit) = &settings.audit {
                // What it writes has nothing that would be sealed.
                store.begin_audit(audit, &[], Clock::System.precise()).await?;
            }
            Ok::<_, Failure>(Context::open(store, registry, Clock::System, settings).await?)
        };
        match context.await {
            Ok(context) => Ok(Beside { context: Arc::new(context), opened, signals }),
            Err(failure) => {
                opened.close().await?;
                Err(failure)
            }
        }
    }

    /// Runs the work to its end, shows how far it is, and closes the store. A signal sets
    /// `stop`, and the work ends as soon as it can.
    pub async fn run<T, E: Into<Failure>>(
        mut self,
        work: impl Future<Output = Result<T, E>>,
        stop: Arc<AtomicBool>,
        line: impl Fn() -> String + Send + 'static,
    ) -> Result<T, Failure> {
        let shown = tokio::spawn(show(line));
        tokio::pin!(work);
        let result = tokio::select! {
            result = &mut work => result,
            () = self.signals.next() => {
                stop.store(true, Ordering::Relaxed);
                work.await
            }
        };
        shown.abort();
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
        self.context.store.close().await;
        self.opened.close().await?;
        result.map_err(Into::into)
    }
}

/// A line on a terminal that is written over and over; elsewhere a log line now and then.
async fn show(line: impl Fn() -> String) {
    let is_terminal = std::io::stderr().is_terminal();
    let mut interval = tokio::time::interval(if is_terminal { SHOWN_EVERY } else { LOGGED_EVERY });
    interval.tick().await;
    loop {
        interval.tick().await;
        match is_terminal {
            true => drop(std::io::stderr().write_all(format!("\r{}\x1b[K", line()).as_bytes())),
            false => tracing::info!("{}", line()),
        }
    }
}
