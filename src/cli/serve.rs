//! `bhn-fhir serve`: start, listen, drain, stop.

use super::Failure;
use super::database::{OpenDatabase, store_settings};
use super::sign_in::demo_people as people;
use super::signals::Signals;
use crate::access::{Always, Caller};
use crate::clock::Clock;
use crate::config::{self, Config, ServerConfig, Settings, TlsConfig, TlsMinimum};
use crate::http::{self, ClientCertificates, HttpSettings, Rate, RateSettings, SignIn, TlsFiles};
use crate::interactions::Context;
use crate::jobs::{self, demo, reindex};
use crate::oauth::{self, AuthorizationServer, accounts};
use crate::search::Registry;
use crate::storage::Store;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Requests under way get this long after the first signal; a second signal ends the wait.
const DRAINED_WITHIN: Duration = Duration::from_secs(25);
/// Connections to the database are given back by then, or cut.
const CLOSED_WITHIN: Duration = Duration::from_secs(3);

pub async fn serve(config: Config) -> Result<(), Failure> {
    let (listen, is_insecure) = (config.server.listen, config.server.insecure_no_auth);
    if is_insecure && !listen.ip().is_loopback() {
        return Err(format!(
            "--insecure-no-auth lets everybody who reaches {listen} read and write everything: it \
             is for loopback addresses alone. Listen on 127.0.0.1, or leave it out"
        )
        .into());
    }
    // The port first: a start that cannot listen must not touch the data.
    let listener = TcpListener::bind(config.server.listen)
        .await
        .map_err(|error| format!("{}: {error}", config.server.listen))?;
    let mut signals = Signals::register()?;
    // Compiled while the database starts.
    let registry = tokio::task::spawn_blocking(Registry::r4);
    let opened = OpenDatabase::open(&config.database).await?;
    let ready = async {
        let settings = config.settings(listener.local_addr()?)?;
        let registry = registry.await??;
        let store = store_settings(&config.database);
        let mut store = Store::open(&opened.database, &registry, &store).await?;
        if let Some(audit) = &settings.audit {
            let keys = oauth::sealing_keys(&store, &settings.oauth).await?;
            store.begin_audit(audit, &keys, Clock::System.precise()).await?;
        }
        let http = http_settings(&config.server, config.database.database_url.is_some())?;
        let context = Context::open(store, registry, Clock::System, settings).await?;
        reindex::bring_up_to_date(&context).await?;
        let has_demo = config.server.demo && load_demo(&context).await;
        let context = Arc::new(context);
        let sign_in = sign_in(&context).await?;
        let people = match &sign_in.oauth {
            Some(oauth) if has_demo => people::people(oauth).await?,
            _ => String::new(),
        };
        announce(&context.settings, has_demo, &people);
        invite_first_admin(&context).await?;
        Ok((context, http, sign_in))
    };
    // A start may take long, where the index data of an older server is made anew.
    let ready = tokio::select! {
        ready = ready => ready.map(Some),
        () = signals.next() => Ok(None),
    };
    let result = match ready {
        Ok(Some(server)) => serve_until_stopped(listener, server, signals).await,
        Ok(None) => {
            tracing::info!("stopped before it served; the next start goes on from here");
            Ok(())
        }
        Err(error) => Err(error),
    };
    opened.close().await?;
    result
}

/// By access tokens, unless the operator lets everybody in.
async fn sign_in(context: &Arc<Context>) -> Result<SignIn, Failure> {
    if context.settings.insecure_no_auth {
        let authenticate = Arc::new(Always(Caller::InsecureNoAuth));
        return Ok(SignIn { authenticate, oauth: None });
    }
    if config::has_shared_secret() {
        let text = "JWT_SECRET is set: tokens are signed by keys of this server, and no secret is \
                    shared with anybody. Unset it; BHN_KEY_FILE has the place of its key";
        return Err(text.into());
    }
    let oauth = AuthorizationServer::open(context.clone()).await?;
    Ok(SignIn { authenticate: oauth.bearers.clone(), oauth: Some(oauth) })
}

/// `has_others` where other processes may serve the same database.
fn http_settings(server: &ServerConfig, has_others: bool) -> io::Result<HttpSettings> {
    let shown = &server.certificates;
    let client_certificates = ClientCertificates::open(
        shown.tls_client_certificates,
        shown.client_certificate_header.as_deref(),
        shown.tls_client_ca.as_deref(),
    )?;
    let TlsConfig { tls_certificate, tls_key, tls_minimum } = server.tls.clone();
    let tls = tls_certificate.zip(tls_key).map(|(certificate, key)| TlsFiles {
        certificate,
        key,
        allows_tls12: tls_minimum == TlsMinimum::Tls12,
        asks_clients: shown.tls_client_certificates,
    });
    let rate = |per_second, burst| Rate { per_second, burst };
    let rates = &server.rates;
    Ok(HttpSettings {
        client_certificates,
        trusted_proxies: server.trusted_proxies.clone(),
        tls,
        admin: server.admin_listen,
        rates: RateSettings {
            user: rate(rates.rate_user, rates.rate_user_burst),
            system: rate(rates.rate_system, rates.rate_system_burst),
            address: rate(rates.rate_address, rates.rate_address_burst),
            is_shared: rates.rate_shared.unwrap_or(has_others),
        },
        connections_of_address: server.connections_of_address as usize,
        drain: DRAINED_WITHIN,
        ..HttpSettings::default()
    })
}

async fn serve_until_stopped(
    listener: TcpListener,
    server: (Arc<Context>, HttpSettings, SignIn),
    mut signals: Signals,
) -> Result<(), Failure> {
    let (context, http, sign_in) = server;
    let (stop, stopped) = oneshot::channel();
    let mut jobs = jobs::start(&context);
    if let Some(oauth) = &sign_in.oauth {
        jobs.spawn(oauth.clone().keep());
    }
    let serving = http::serve_with(listener, (context.clone(), http), sign_in, async {
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
    let result = tokio::select! {
        result = serving => result,
        () = drained => Ok(()),
    };
    jobs.abort_all();
    let _ = tokio::time::timeout(CLOSED_WITHIN, jobs::audit::finish(&context)).await;
    let _ = tokio::time::timeout(CLOSED_WITHIN, context.store.close()).await;
    Ok(result?)
}

/// A server without its demonstration set is a server all the same.
async fn load_demo(context: &Context) -> bool {
    match demo::load_demo(context).await {
        Ok(stored) if stored.was_done => true,
        Ok(stored) => {
            tracing::info!(resources = stored.resources, "the demonstration set was loaded");
            true
        }
        Err(error) => {
            tracing::warn!(%error, "the demonstration set was not loaded");
            false
        }
    }
}

/// Prints where the first administrator is made, once and for a quarter of an hour: there is no
/// account from the start.
async fn invite_first_admin(context: &Context) -> Result<(), Failure> {
    if context.settings.insecure_no_auth {
        return Ok(());
    }
    let code = accounts::bootstrap(&context.store, &context.clock).await?;
    if let Some(code) = code {
        let issuer = context.settings.issuer();
        let text = format!(
            "Make the first administrator within 15 minutes: {issuer}/bootstrap?code={code}\n"
        );
        let _ = std::io::stdout().write_all(text.as_bytes());
    }
    Ok(())
}

/// Tells people where the server is, on standard output.
fn announce(settings: &Settings, has_demo: bool, people: &str) {
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
        false => text.push_str(&format!(
            "  curl {base}/.well-known/smart-configuration\nCallers sign in; bhn-fhir client add \
             registers an application, bhn-fhir user add makes an account\n"
        )),
    }
    if has_demo && settings.insecure_no_auth {
        for query in people::QUERIES {
            text.push_str(&format!("  curl '{base}/{query}'\n"));
        }
    }
    text.push_str(people);
    // Nobody may be reading.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
