//! `/login/with/[provider]`: sign-in by a provider of identities elsewhere, and what comes of it
//! here. Who somebody is there is issuer and subject, and nothing else.

use super::account::is_fresh;
use super::authorize::{self, Pending};
use super::posted::Fields;
use super::problem::Problem;
use super::registration::is_name;
use super::render;
use super::sign_in::onward_to;
use super::texts::Texts;
use super::visit::{SignedIn, Visit, with_request};
use crate::access::Role;
use crate::clock;
use crate::error::FhirError;
use crate::oauth::accounts;
use crate::oauth::events::SecurityEvent;
use crate::oauth::pages::about::{About, refused, tell};
use crate::oauth::upstream::{Answered, IdClaims, Proven, Provider, UpstreamError};
use crate::storage::{
    Account, AccountChange, FederatedAccount, Status, Subject, UpstreamIdentity, UpstreamRequest,
};
use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::Response;
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

/// A person has so long at the provider.
const KEPT_FOR: Duration = Duration::minutes(10);
/// Each comes once.
const NAMES: [&str; 4] = ["code", "state", "iss", "error"];
/// A second factor that a provider has asked for (RFC 8176).
const FACTOR: &str = "mfa";

/// A way to sign in.
pub struct Button<'a> {
    pub href: String,
    pub text: &'a str,
}

/// What is kept of a request, sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    nonce: String,
    verifier: String,
    /// The authorization request that it is for.
    request: Option<String>,
    /// Whether the person has to be asked anew.
    anew: bool,
}

/// What came back for a request.
struct Returned<'a> {
    provider: &'a Provider,
    fields: Fields,
    kept: Kept,
    /// Who links; None for a sign-in.
    account: Option<String>,
    created: DateTime<Utc>,
}

/// The providers, as the login page offers them.
pub fn buttons<'a>(visit: &'a Visit, request: Option<&str>) -> Vec<Button<'a>> {
    let providers = visit.server.upstream.providers().iter();
    let button = |provider: &'a Provider| Button {
        href: with_request(&format!("/login/with/{}", provider.id()), request),
        text: provider.button(visit.texts.lang),
    };
    providers.map(button).collect()
}

/// Sends the person to the provider.
pub async fn start(
    visit: Visit,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let pending = match fields.request() {
        Some(handle) => Some((handle, authorize::pending(&visit, handle).await?)),
        None => None,
    };
    let provider = visit.server.upstream.provider(&id);
    let provider = provider.ok_or_else(|| Problem::new(404, |texts| texts.not_found))?;
    let pending = pending.as_ref().map(|(handle, pending)| (*handle, pending));
    let url = begin(&visit, provider, (None, pending)).await?;
    Ok(render::see_other(&visit, &url))
}

/// Keeps a new request to the provider, of this browser; its URL. `account` links.
pub async fn begin(
    visit: &Visit,
    provider: &Provider,
    (account, pending): (Option<&str>, Option<(&str, &Pending)>),
) -> Result<String, Problem> {
    authorize::count(visit).await?;
    let server = &visit.server;
    let asked = pending.map(|(_, pending)| &pending.request);
    let anew = asked.is_some_and(|asked| {
        asked.has_prompt("login") || asked.has_prompt("select_account") || asked.max_age.is_some()
    });
    let begun = server.upstream.begin(provider, (anew, visit.texts.lang)).await?;
    let begun = begun.map_err(|error| failure(provider, &error))?;
    let request = pending.map(|(handle, _)| handle.to_owned());
    let kept = Kept { nonce: begun.nonce, verifier: begun.verifier, request, anew };
    let kept = serde_json::to_vec(&kept).map_err(FhirError::internal)?;
    let request = UpstreamRequest {
        hash: &crate::oauth::hash(&begun.state),
        provider: provider.id(),
        visitor: &visit.visitor_hash(),
        account,
        sealed: &server.keys.seal(&place(&begun.state), &kept)?,
        expires: visit.now + KEPT_FOR,
    };
    server.context.store.keep_upstream_request(&request, visit.now).await?;
    Ok(begun.url)
}

fn place(state: &str) -> String {
    format!("upstream request\n{state}")
}

/// What a person is told of a failure; the log has more.
fn failure(provider: &Provider, error: &UpstreamError) -> Problem {
    tracing::warn!(provider = provider.id(), %error, "a sign-in by a provider failed");
    match error {
        UpstreamError::Refused(_) | UpstreamError::IdToken(_) => {
            Problem::new(403, |texts| texts.provider_refused)
        }
        UpstreamError::Metadata | UpstreamError::Outbound(_) | UpstreamError::Failed(_) => {
            Problem::new(503, |texts| texts.provider_away)
        }
    }
}

/// The provider has sent the person back.
pub async fn callback(
    visit: Visit,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let server = visit.server.clone();
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let Some(provider) = server.upstream.provider(&id) else {
        return Err(Problem::new(404, |texts| texts.not_found));
    };
    let returned = taken(&visit, provider, fields).await?;
    let proven = match proven(&visit, &returned).await? {
        Ok(proven) => proven,
        Err(error) => {
            let about = About { account: returned.account.as_deref(), client: None };
            let reason = format!("{}: {error}", provider.issuer());
            tell(&server, refused(&reason), about, &visit.origin).await?;
            return Err(failure(provider, &error));
        }
    };
    match &returned.account {
        Some(account) => link(&visit, account, (provider, &proven.claims)).await,
        None => sign_in(visit, &returned, &proven).await,
    }
}

/// Takes the request of this browser and provider that the state names; it is gone then.
async fn taken<'a>(
    visit: &Visit,
    provider: &'a Provider,
    fields: Fields,
) -> Result<Returned<'a>, Problem> {
    let server = &visit.server;
    if let Some(name) = fields.repeated(&NAMES) {
        return Err(Problem::bad_request(|texts| texts.sent_twice, name));
    }
    let state = fields.get("state");
    let (hash, visitor) = (crate::oauth::hash(state), visit.visitor_hash());
    let place_of = (provider.id(), &visitor[..]);
    let taken = server.context.store.take_upstream_request(&hash, place_of, visit.now).await?;
    let Some(taken) = taken else {
        let reason = format!("{}: the state is not of this browser", provider.issuer());
        tell(server, refused(&reason), About::default(), &visit.origin).await?;
        return Err(Problem::new(400, |texts| texts.request_ended));
    };
    let kept = server.keys.open_sealed(&place(state), &taken.sealed)?;
    let kept = serde_json::from_slice(&kept).map_err(FhirError::internal)?;
    let (account, created) = (taken.account, taken.created);
    Ok(Returned { provider, fields, kept, account, created })
}

/// Who the person is there.
async fn proven(
    visit: &Visit,
    returned: &Returned<'_>,
) -> Result<Result<Proven, UpstreamError>, Problem> {
    let Returned { provider, fields, kept, .. } = returned;
    if let Some(error) = fields.find("error") {
        let error: String = error.chars().take(60).collect();
        return Ok(Err(UpstreamError::Refused(error)));
    }
    let Some(code) = fields.find("code") else {
        return Ok(Err(UpstreamError::Refused("it sent no code".to_owned())));
    };
    let answered = Answered {
        code,
        issuer: fields.find("iss"),
        nonce: &kept.nonce,
        verifier: &kept.verifier,
        asked_anew: kept.anew.then_some(returned.created),
    };
    Ok(visit.server.upstream.redeem(provider, &answered, visit.now).await?)
}

/// Links the identity to the account of who is signed in here, and has asked for it.
async fn link(
    visit: &Visit,
    account: &str,
    (provider, claims): (&Provider, &IdClaims),
) -> Result<Response<Body>, Problem> {
    let signed_in = visit.complete(None)?;
    if signed_in.account.account != account || !is_fresh(visit, &signed_in).await? {
        return Err(Problem::new(403, |texts| texts.identity_fresh));
    }
    let of = Subject { issuer: provider.issuer(), subject: &claims.sub };
    if !visit.server.context.store.link_upstream(of, account, visit.now).await? {
        return Err(Problem::new(409, |texts| texts.identity_taken));
    }
    let event = SecurityEvent::IdentityLinked { issuer: of.issuer.to_owned() };
    let about = About { account: Some(account), client: None };
    tell(&visit.server, event, about, &visit.origin).await?;
    Ok(render::see_other(visit, "/account/identities"))
}

/// Begins a session of the account that the identity is linked with, or that it makes.
async fn sign_in(
    mut visit: Visit,
    returned: &Returned<'_>,
    proven: &Proven,
) -> Result<Response<Body>, Problem> {
    let (provider, claims) = (returned.provider, &proven.claims);
    let server = visit.server.clone();
    let store = &server.context.store;
    let of = Subject { issuer: provider.issuer(), subject: &claims.sub };
    let account = match store.upstream_identity(of).await? {
        Some(identity) => known(&visit, (provider, claims), &identity).await?,
        None => registered(&visit, (provider, claims)).await?,
    };
    let account = match account {
        Ok(account) => account,
        Err(text) => {
            let reason = format!("{}: {}", provider.issuer(), text(Texts::english()));
            tell(&server, refused(&reason), About::default(), &visit.origin).await?;
            return Err(Problem::new(403, text));
        }
    };
    // Nobody is an administrator by what a provider says alone (AS-53).
    let is_admin = matches!(account.role, Role::Admin | Role::Registrar);
    let methods: &[&str] = match provider.has_second_factor(claims) && !is_admin {
        true => &[FACTOR],
        false => &[],
    };
    visit.begin(&account, methods).await?;
    let session = visit.signed_in.as_ref().map(|one| one.session.hash.clone());
    let session = session.ok_or_else(|| Problem::new(403, |texts| texts.provider_refused))?;
    let token = proven.refresh_token.as_deref();
    let token = token.map(|token| server.seal_upstream((of.issuer, of.subject), token));
    let token = token.transpose()?;
    store.begin_upstream_sign_in(&session, (of, token.as_deref()), visit.now).await?;
    if visit.signed_in.as_ref().is_some_and(SignedIn::is_complete) {
        let about = About { account: Some(&account.account), client: None };
        tell(&server, SecurityEvent::SignedIn, about, &visit.origin).await?;
    }
    Ok(render::see_other(&visit, &onward_to(&visit, (returned.kept.request.as_deref(), None))))
}

/// Why somebody is not let in.
type Refusal = fn(&Texts) -> &str;

/// The account that the identity is linked with, with the role that the provider gives it now.
async fn known(
    visit: &Visit,
    (provider, claims): (&Provider, &IdClaims),
    identity: &UpstreamIdentity,
) -> Result<Result<Account, Refusal>, Problem> {
    let store = &visit.server.context.store;
    let account = store.account(&identity.account).await?;
    let account = account.filter(|account| account.status == Status::Active);
    let Some(account) = account else { return Ok(Err(|texts| texts.provider_refused)) };
    // A role that the operator gave is the operator's.
    let given = identity.role.filter(|given| *given == account.role);
    let Some(given) = given else { return Ok(Ok(account)) };
    match provider.still(claims, given) {
        Some(role) if role == given => Ok(Ok(account)),
        Some(role) => {
            let of = Subject { issuer: provider.issuer(), subject: &claims.sub };
            store.change_upstream_role(of, role, visit.now).await?;
            let account = store.account(&identity.account).await?;
            Ok(account.ok_or(|texts| texts.provider_refused))
        }
        None => {
            let change = AccountChange { ends_grants: true, ..AccountChange::default() };
            store.change_account(&account.account, change, visit.now).await?;
            Ok(Err(|texts| texts.provider_refused))
        }
    }
}

/// A new account for somebody who has none, where the provider's people get one. It is linked to
/// no resource: that takes a claim code.
async fn registered(
    visit: &Visit,
    (provider, claims): (&Provider, &IdClaims),
) -> Result<Result<Account, Refusal>, Problem> {
    let Some(role) = provider.registers(claims) else {
        return Ok(Err(|texts| texts.provider_unknown));
    };
    // Letters go to this address, so it has to be the person's.
    let Some(email) = claims.verified_email().and_then(accounts::email) else {
        return Ok(Err(|texts| texts.provider_no_email));
    };
    let store = &visit.server.context.store;
    let name = claims.name.as_deref().map(str::trim).filter(|name| is_name(name));
    let new = FederatedAccount {
        account: &clock::new_id(),
        email: &email,
        name: name.unwrap_or(&email),
        role,
        language: visit.texts.lang,
    };
    let of = Subject { issuer: provider.issuer(), subject: &claims.sub };
    if !store.create_upstream_account(of, &new, visit.now).await? {
        return Ok(Err(|texts| texts.provider_address_taken));
    }
    let about = About { account: Some(new.account), client: None };
    tell(&visit.server, SecurityEvent::AccountMade, about, &visit.origin).await?;
    let event = SecurityEvent::IdentityLinked { issuer: of.issuer.to_owned() };
    tell(&visit.server, event, about, &visit.origin).await?;
    Ok(store.account(new.account).await?.ok_or(|texts| texts.provider_refused))
}
