//! `bhn-fhir serve`: start, listen, drain, stop.

use super::Failure;
use super::database::{OpenDatabase, store_settings};
use super::signals::Signals;
use crate::clock::Clock;
use crate::config::{Config, Settings};
use crate::http::{self, HttpSettings};
use crate::interactions::Context;
use crate::jobs::key_index;
use crate::search::Registry;
use crate::storage::Store;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Requests under way get this long after the first signal; a second signal ends the wait.
const DRAINED_WITHIN: Duration = Duration::from_secs(25);
/// Connections to the database are given back by then, or cut.
const CLOSED_WITHIN: Duration = Duration::from_secs(3);

pub async fn serve(config: Config) -> Result<(), Failure> {
    // The port first: a start that cannot listen must not touch the data.
    let listener = TcpListener::bind(config.server.listen)
        .await
        .map_err(|error| format!("{}: {error}", config.server.listen))?;
    let signals = Signals::register()?;
    // Compiled while the database starts.
    let registry = tokio::task::spawn_blocking(Registry::r4);
    let opened = OpenDatabase::open(&config.database).await?;
    let result = async {
        let settings = config.settings(listener.local_addr()?);
        let registry = registry.await??;
        let store = store_settings(&config.database);
        let store = Store::open(&opened.database, &registry, &store).await?;
        let http = HttpSettings {
            trusted_proxies: config.server.trusted_proxies.clone(),
            drain: DRAINED_WITHIN,
            ..HttpSettings::default()
        };
        let context = Context::new(store, registry, Clock::System, settings)?;
        serve_until_stopped(listener, (Arc::new(context), http), signals).await
    };
    let result = result.await;
    opened.close().await?;
    result
}

async fn serve_until_stopped(
    listener: TcpListener,
    server: (Arc<Context>, HttpSettings),
    mut signals: Signals,
) -> Result<(), Failure> {
    let (context, http) = server;
    announce(&context.settings);
    let (stop, stopped) = oneshot::channel();
    let serving = http::serve(listener, context.clone(), http, async {
        let _ = stopped.await;
    });
    let drained = async {
        signals.next().await;
        tracing::info!("stopping; requests under way are finished first");
        let _ = stop.send(());
        tokio::select! {
            () = tokio::time::sleep(DRAINED_WITHIN) => tracing::warn!("requests were cut off"),
            () = signals.next() => tracing::warn!("requests were cut off by a second signal"),
        }
    };
    let key_index = tokio::spawn(key_index::keep_short(context.clone()));
    let result = tokio::select! {
        result = serving => result,
        () = drained => Ok(()),
    };
    key_index.abort();
    let _ = tokio::time::timeout(CLOSED_WITHIN, context.store.close()).await;
    Ok(result?)
}

/// Tells people where the server is, on standard output.
fn announce(settings: &Settings) {
    let base = &settings.base_url;
    let mut text = format!(
        "bhn-fhir {} serves FHIR R4 at {base}\n  curl {base}/metadata\n",
        env!("CARGO_PKG_VERSION")
    );
    match settings.insecure_no_auth {
        true => tracing::warn!(
            "INSECURE: --insecure-no-auth lets everybody who reaches this server read and write \
             everything"
        ),
        false => text.push_str(
            "Every FHIR request is answered 401: nobody can sign in yet. To try the server out, \
             start it with --insecure-no-auth\n",
        ),
    }
    // Nobody may be reading.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
