//! `bhn-fhir client`: applications and systems that may ask for tokens.

use super::operator::with_store;
use crate::access::{Role, Scopes};
use crate::cli::Failure;
use crate::clock::Clock;
use crate::config::DatabaseConfig;
use crate::fhir::resource::ResourceKey;
use crate::network::Network;
use crate::oauth::{CertificateName, hash, new_secret};
use crate::storage::{Client, ClientKind, ClientTerms, Store};
use chrono::Duration;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Everything that `client` takes.
#[derive(Args, Debug)]
pub struct ClientConfig {
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(subcommand)]
    pub act: ClientAct,
}

#[derive(Subcommand, Debug)]
pub enum ClientAct {
    /// Register a client; a secret, where it has one, is printed once.
    Add(Box<NewClient>),
    /// Show the clients, one a line.
    List,
    /// Show all of one client, but for its secrets.
    Show { id: String },
    /// End everything that was granted to a client, and grant nothing more.
    Disable { id: String },
    /// Let a client that was disabled ask for tokens again.
    Enable { id: String },
    /// Put other terms in the place of those that a client has; what was granted to it ends.
    Bind {
        id: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Make another secret, which is printed once.
    Secret {
        id: String,
        /// Hours that the secrets before it are still good.
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(0..=720))]
        others_end: u16,
    },
}

/// What a client is registered with.
#[derive(Args, Debug)]
pub struct NewClient {
    /// Its client_id.
    pub id: String,
    /// public, confidential-symmetric, confidential-asymmetric, confidential-certificate or
    /// confidential-self-signed.
    #[arg(long, value_parser = parse_kind)]
    pub kind: ClientKind,
    /// What people are shown.
    #[arg(long)]
    pub name: String,
    #[arg(long)]
    pub publisher: Option<String>,
    /// What it may be granted at most, apart by spaces.
    #[arg(long)]
    pub scope: String,
    /// Where people are sent back to, exactly.
    #[arg(long)]
    pub redirect_uri: Vec<String>,
    /// Where people may be sent on to who have signed out, exactly.
    #[arg(long)]
    pub post_logout_redirect_uri: Vec<String>,
    #[arg(long)]
    pub launch_uri: Option<String>,
    /// Web origins whose pages may read answers.
    #[arg(long)]
    pub origin: Vec<String>,
    /// File with its JWK set.
    #[arg(long, conflicts_with = "jwks_uri")]
    pub jwks: Option<PathBuf>,
    /// Where its JWK set is.
    #[arg(long)]
    pub jwks_uri: Option<String>,
    /// Algorithms of its assertions: RS384, ES384, RS256, ES256.
    #[arg(long, default_values_t = ["RS384".to_owned(), "ES384".to_owned()],
        value_parser = ["RS384", "ES384", "RS256", "ES256"])]
    pub algorithm: Vec<String>,
    /// Of a backend service: registry, ehr_system or admin.
    #[arg(long, value_parser = parse_role)]
    pub role: Option<Role>,
    /// Organizations of a backend service; the first owns what it writes.
    #[arg(long, value_parser = parse_organization)]
    pub organization: Vec<ResourceKey>,
    #[arg(long)]
    pub jurisdiction: Vec<String>,
    /// What ids that it chooses begin with.
    #[arg(long)]
    pub id_prefix: Option<String>,
    /// It is our own: its refresh tokens hold 30 days.
    #[arg(long)]
    pub first_party: bool,
    /// People are not asked whether it may; for our own alone.
    #[arg(long, requires = "first_party")]
    pub skip_consent: bool,
    #[command(flatten)]
    pub terms: Terms,
}

/// What a client and its tokens are bound to.
#[derive(Args, Debug)]
pub struct Terms {
    /// Tokens only for DPoP proofs, and bound to their key.
    #[arg(long)]
    pub dpop: bool,
    /// Tokens only for a client certificate, and bound to it.
    #[arg(long)]
    pub certificate_bound: bool,
    /// Whom its certificate is for: subject_dn:CN=..., san_dns:HOST, san_uri:URI, san_ip:ADDRESS,
    /// san_email:ADDRESS.
    #[arg(long, value_parser = parse_certificate_name)]
    pub certificate_name: Option<String>,
    /// Addresses or networks that its requests come from; anywhere without it.
    #[arg(long, value_delimiter = ',')]
    pub network: Vec<Network>,
    /// A registry whose requests may come from anywhere.
    #[arg(long, conflicts_with = "network")]
    pub any_network: bool,
    /// A registry whose tokens are bound to nothing: whoever has one may use it.
    #[arg(long, conflicts_with_all = ["dpop", "certificate_bound"])]
    pub bearer_tokens: bool,
    /// Authorization requests have to be pushed.
    #[arg(long)]
    pub require_par: bool,
}

impl Terms {
    fn of_client(&self) -> ClientTerms {
        ClientTerms {
            is_dpop_bound: self.dpop,
            is_certificate_bound: self.certificate_bound,
            allows_bearer: self.bearer_tokens,
            networks: self.network.clone(),
            requires_pushed: self.require_par,
            certificate_name: self.certificate_name.clone(),
        }
    }

    /// What of it does not go with such a client.
    fn wrong_for(&self, kind: ClientKind, role: Option<Role>) -> Option<&'static str> {
        let is_named = self.certificate_name.is_some();
        let is_registry = role == Some(Role::Registry);
        match () {
            () if is_named != (kind == ClientKind::CertificateOfAuthority) => {
                Some("--certificate-name is for confidential-certificate clients, which need it")
            }
            () if is_registry && self.network.is_empty() && !self.any_network => {
                Some("A registry needs a --network, or --any-network")
            }
            () if !is_registry && (self.any_network || self.bearer_tokens) => {
                Some("--any-network and --bearer-tokens are for registries")
            }
            () => None,
        }
    }
}

pub async fn run(config: ClientConfig) -> Result<(), Failure> {
    with_store(&config.database, async |store| match &config.act {
        ClientAct::Add(new) => add(store, new).await,
        ClientAct::List => list(store).await,
        ClientAct::Show { id } => show(store, id).await,
        ClientAct::Disable { id } => set_active(store, id, false).await,
        ClientAct::Enable { id } => set_active(store, id, true).await,
        ClientAct::Bind { id, terms } => bind(store, id, terms).await,
        ClientAct::Secret { id, others_end } => secret(store, id, *others_end).await,
    })
    .await
}

async fn add(store: &Store, new: &NewClient) -> Result<(), Failure> {
    check(new)?;
    let rids = store.intern_references(&new.organization).await?;
    let organizations = new
        .organization
        .iter()
        .filter_map(|key| rids.get(key).map(|rid| (*rid, key.id.as_str().to_owned())));
    let jwks = match &new.jwks {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            Some(serde_json::from_str::<Value>(&text)?)
        }
        None => None,
    };
    let client = Client {
        name: new.name.clone(),
        publisher: new.publisher.clone(),
        role: new.role,
        scopes: new.scope.clone(),
        grant_types: grant_types(new),
        redirect_uris: new.redirect_uri.clone(),
        launch_uri: new.launch_uri.clone(),
        origins: new.origin.clone(),
        jwks,
        jwks_uri: new.jwks_uri.clone(),
        algorithms: new.algorithm.clone(),
        is_first_party: new.first_party,
        skips_consent: new.skip_consent,
        organizations: organizations.collect(),
        jurisdictions: new.jurisdiction.clone(),
        id_prefix: new.id_prefix.clone(),
        terms: new.terms.of_client(),
        ..Client::new(&new.id, new.kind)
    };
    if !store.add_client(&client, Clock::System.now()).await? {
        return Err(format!("There is a client {} already", new.id).into());
    }
    store.set_post_logout_redirect_uris(&new.id, &new.post_logout_redirect_uri).await?;
    println!("The client {} is registered", new.id);
    match new.kind {
        ClientKind::ConfidentialSymmetric => secret(store, &new.id, 0).await,
        _ => Ok(()),
    }
}

/// People's applications redeem codes; systems sign in by themselves.
fn grant_types(new: &NewClient) -> Vec<String> {
    let mut grant_types = Vec::new();
    if !new.redirect_uri.is_empty() {
        grant_types.extend(["authorization_code", "refresh_token"].map(str::to_owned));
    }
    if new.role.is_some() {
        grant_types.push("client_credentials".to_owned());
    }
    grant_types
}

fn check(new: &NewClient) -> Result<(), Failure> {
    let has_keys = new.jwks.is_some() || new.jwks_uri.is_some();
    let needs_keys = new.kind.has_private_key() && new.kind != ClientKind::CertificateOfAuthority;
    let words = new.scope.split(' ').filter(|word| !word.is_empty()).count();
    let scopes = Scopes::parse(&new.scope).map_or(0, |scopes| scopes.iter().count());
    let wrong = match () {
        () if needs_keys != has_keys => {
            "--jwks or --jwks-uri is for confidential-asymmetric and confidential-self-signed \
             clients, which need one of them"
        }
        () if new.role.is_some() && !new.kind.has_private_key() => {
            "--role is for backend services, which have a private key or a certificate"
        }
        () if new.role.is_none() && new.redirect_uri.is_empty() => {
            "A client needs a --redirect-uri, or a --role as a backend service"
        }
        () if words == 0 || scopes != words => "--scope has a word that is no scope, or one twice",
        () if !new.redirect_uri.iter().all(|uri| is_absolute(uri)) => {
            "A --redirect-uri is an absolute URI without a fragment"
        }
        () if !new.post_logout_redirect_uri.iter().all(|uri| is_absolute(uri)) => {
            "A --post-logout-redirect-uri is an absolute URI without a fragment"
        }
        () if !new.origin.iter().all(|origin| is_origin(origin)) => {
            "An --origin is a scheme and a host, such as https://app.example"
        }
        () => match new.terms.wrong_for(new.kind, new.role) {
            Some(wrong) => wrong,
            None => return Ok(()),
        },
    };
    Err(wrong.into())
}

async fn bind(store: &Store, id: &str, terms: &Terms) -> Result<(), Failure> {
    let client = store.client(id).await?.ok_or_else(|| format!("There is no client {id}"))?;
    if let Some(wrong) = terms.wrong_for(client.kind, client.role) {
        return Err(wrong.into());
    }
    store.set_client_terms(id, &terms.of_client(), Clock::System.now()).await?;
    println!("The client {id} has these terms now, and what was granted to it has ended");
    Ok(())
}

fn is_absolute(uri: &str) -> bool {
    url::Url::parse(uri).is_ok_and(|url| url.fragment().is_none())
}

fn is_origin(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}

async fn list(store: &Store) -> Result<(), Failure> {
    for client in store.clients().await? {
        let status = if client.is_active { "active" } else { "disabled" };
        let (kind, role) = (client.kind.as_str(), client.role.map_or("", Role::as_str));
        println!("{}\t{status}\t{kind}\t{role}\t{}", client.id, client.name);
    }
    Ok(())
}

async fn show(store: &Store, id: &str) -> Result<(), Failure> {
    let client = store.client(id).await?.ok_or_else(|| format!("There is no client {id}"))?;
    let organizations: Vec<&String> = client.organizations.iter().map(|(_, id)| id).collect();
    let shown = json!({
        "client_id": client.id,
        "client_name": client.name,
        "publisher": client.publisher,
        "kind": client.kind.as_str(),
        "role": client.role.map(Role::as_str),
        "active": client.is_active,
        "scope": client.scopes,
        "grant_types": client.grant_types,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": store.post_logout_redirect_uris(id).await?,
        "launch_uri": client.launch_uri,
        "origins": client.origins,
        "jwks": client.jwks,
        "jwks_uri": client.jwks_uri,
        "algorithms": client.algorithms,
        "first_party": client.is_first_party,
        "skip_consent": client.skips_consent,
        "organizations": organizations,
        "jurisdictions": client.jurisdictions,
        "id_prefix": client.id_prefix,
        "dpop": client.terms.is_dpop_bound,
        "certificate_bound": client.terms.is_certificate_bound,
        "certificate_name": client.terms.certificate_name,
        "networks": client.terms.networks.iter().map(Network::to_string).collect::<Vec<_>>(),
        "bearer_tokens": !client.wants_binding(),
        "require_par": client.terms.requires_pushed,
    });
    println!("{shown:#}");
    Ok(())
}

async fn set_active(store: &Store, id: &str, is_active: bool) -> Result<(), Failure> {
    let is_changed = store.set_client_active(id, is_active, Clock::System.now()).await?;
    let client = store.client(id).await?.ok_or_else(|| format!("There is no client {id}"))?;
    let state = if client.is_active { "active" } else { "disabled" };
    let since = if is_changed { "now" } else { "already" };
    println!("The client {id} is {since} {state}");
    Ok(())
}

async fn secret(store: &Store, id: &str, others_end: u16) -> Result<(), Failure> {
    let client = store.client(id).await?.ok_or_else(|| format!("There is no client {id}"))?;
    if client.kind != ClientKind::ConfidentialSymmetric {
        return Err(format!("{id} has no secrets: it is {}", client.kind.as_str()).into());
    }
    let (secret, now) = (new_secret()?, Clock::System.now());
    let others_end = now + Duration::hours(others_end.into());
    store.add_client_secret(id, &hash(&secret), (now, others_end)).await?;
    println!("Its secret, which is shown this once: {secret}");
    Ok(())
}

fn parse_kind(text: &str) -> Result<ClientKind, String> {
    let kinds = ClientKind::ALL.map(ClientKind::as_str).join(", ");
    ClientKind::parse(text).ok_or_else(|| format!("one of {kinds} is wanted"))
}

fn parse_certificate_name(text: &str) -> Result<String, String> {
    let wrong = || "subject_dn:, san_dns:, san_uri:, san_ip: or san_email: and a name is wanted";
    CertificateName::parse(text).map(|_| text.to_owned()).ok_or_else(|| wrong().to_owned())
}

fn parse_role(text: &str) -> Result<Role, String> {
    let role = Role::parse(text).filter(|role| role.is_system() || *role == Role::Admin);
    role.ok_or_else(|| "registry, ehr_system or admin is wanted".to_owned())
}

fn parse_organization(text: &str) -> Result<ResourceKey, String> {
    let key = ResourceKey::parse(text).filter(|key| key.resource_type.name() == "Organization");
    key.ok_or_else(|| "Organization/[id] is wanted".to_owned())
}
