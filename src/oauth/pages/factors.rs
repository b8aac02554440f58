//! `/login/mfa` and `/account/mfa`: the second factor, asked for and set up.

use super::authorize::{self, form_targets};
use super::posted::{Fields, Posted};
use super::problem::Problem;
use super::render::{self, Page};
use super::sign_in::onward;
use super::visit::{SignedIn, Visit, with_request};
use crate::oauth::accounts::{Attempt, totp};
use crate::oauth::events::SecurityEvent;
use crate::oauth::pages::about::{About, refused, tell};
use askama::Template;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;
use chrono::Duration;

/// Setting up a second factor asks for a sign-in that is no older.
const FRESH: Duration = Duration::minutes(15);
const OTP: &[&str] = &["pwd", "otp"];

#[derive(Template)]
#[template(path = "mfa.html")]
struct Mfa<'a> {
    page: Page<'a>,
}

#[derive(Template)]
#[template(path = "mfa_set_up.html")]
struct SetUp<'a> {
    page: Page<'a>,
    picture: String,
    key: String,
    is_mandatory: bool,
}

#[derive(Template)]
#[template(path = "mfa_codes.html")]
struct Codes<'a> {
    page: Page<'a>,
    codes: Vec<String>,
    onward: String,
}

/// Asks for a code of who has given the password.
pub async fn form(visit: Visit, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let query = Fields::parse(query.unwrap_or_default().as_bytes());
    half(&visit, query.request())?;
    asked(&visit, query.request(), None).await
}

/// The form. What it is sent for may lead to the application at once.
async fn asked(
    visit: &Visit,
    request: Option<&str>,
    problem: Option<String>,
) -> Result<Response<Body>, Problem> {
    let pending = match request {
        Some(handle) => Some(authorize::pending(visit, handle).await?),
        None => None,
    };
    let status = if problem.is_some() { 422 } else { 200 };
    let template = Mfa { page: Page::of(visit).with_problem(problem) };
    Ok(render::page_with(visit, &template, (status, &form_targets(pending.as_ref()))))
}

/// Who has given the password, has a second factor, and has not shown it yet.
fn half(visit: &Visit, request: Option<&str>) -> Result<SignedIn, Problem> {
    match &visit.signed_in {
        Some(one) if one.account.has_totp && !one.is_complete() => Ok(one.clone()),
        _ => Err(Problem::elsewhere(onward(visit, request))),
    }
}

/// Takes a code of the app, or a recovery code.
pub async fn submit(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { mut visit, fields } = posted;
    let SignedIn { account, .. } = half(&visit, fields.request())?;
    let about = About { account: Some(&account.account), client: None };
    let attempt = counted(&visit, &account.account).await?;
    if !is_taken(&visit, &account.account, fields.get("code")).await? {
        tell(&visit.server, refused("wrong code"), about, &visit.origin).await?;
        let problem = Some(visit.texts.wrong_code.to_owned());
        return asked(&visit, fields.request(), problem).await;
    }
    attempt.succeed(&visit.server.context.store).await?;
    visit.begin(&account, OTP).await?;
    visit.remember_device(&account).await?;
    tell(&visit.server, SecurityEvent::SignedIn, about, &visit.origin).await?;
    Ok(render::see_other(&visit, &onward(&visit, fields.request())))
}

async fn counted(visit: &Visit, account: &str) -> Result<Attempt, Problem> {
    let server = &visit.server;
    let store = &server.context.store;
    let counted = Attempt::count(store, ("otp", account), visit.origin.address, visit.now).await?;
    match counted {
        Ok(attempt) => Ok(attempt),
        Err(until) => {
            let about = About { account: Some(account), client: None };
            tell(server, refused("too many attempts"), about, &visit.origin).await?;
            Err(Problem::too_many((until - visit.now).num_seconds()))
        }
    }
}

async fn is_taken(visit: &Visit, account: &str, code: &str) -> Result<bool, Problem> {
    let store = &visit.server.context.store;
    let Some(known) = store.totp(account).await? else { return Ok(false) };
    let secret = visit.server.people.keys.open(account, &known.sealed)?;
    match totp::step_of(&secret, code, visit.now.timestamp()) {
        Some(step) => Ok(store.take_totp(account, step, visit.now).await?),
        None => {
            let hash = totp::recovery_hash(account, code);
            Ok(store.take_recovery_code(account, &hash, visit.now).await?)
        }
    }
}

/// Shows a new secret, and asks for a first code of it.
pub async fn set_up(visit: Visit, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let query = Fields::parse(query.unwrap_or_default().as_bytes());
    let signed_in = without_factor(&visit, query.request())?;
    shown(&visit, &signed_in, None).await
}

/// Who has signed in shortly before and has no second factor.
fn without_factor(visit: &Visit, request: Option<&str>) -> Result<SignedIn, Problem> {
    match &visit.signed_in {
        Some(one) if one.account.has_totp => Err(Problem::elsewhere(onward(visit, request))),
        Some(one) if visit.now - one.session.created <= FRESH => Ok(one.clone()),
        _ => Err(Problem::elsewhere(with_request("/login", request))),
    }
}

async fn shown(
    visit: &Visit,
    signed_in: &SignedIn,
    problem: Option<String>,
) -> Result<Response<Body>, Problem> {
    let account = &signed_in.account;
    let (store, keys) = (&visit.server.context.store, &visit.server.people.keys);
    let secret = match store.totp(&account.account).await? {
        Some(known) => keys.open(&account.account, &known.sealed)?,
        None => {
            let secret = totp::new_secret()?;
            let sealed = keys.seal(&account.account, &secret)?;
            store.begin_totp(&account.account, &sealed, visit.now).await?;
            secret
        }
    };
    let status = if problem.is_some() { 422 } else { 200 };
    let template = SetUp {
        page: Page::of(visit).with_problem(problem),
        picture: totp::picture(&secret, "Birth Health Network", &account.email)?,
        key: totp::key_text(&secret),
        is_mandatory: crate::oauth::accounts::needs_factor(account.role),
    };
    Ok(render::page_with(visit, &template, (status, &[])))
}

/// Takes the first code, and shows the recovery codes, this once.
pub async fn confirm(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { mut visit, fields } = posted;
    let signed_in = without_factor(&visit, fields.request())?;
    let account = signed_in.account.account.clone();
    let attempt = counted(&visit, &account).await?;
    let server = visit.server.clone();
    let store = &server.context.store;
    let step = match store.totp(&account).await? {
        Some(known) => {
            let secret = server.people.keys.open(&account, &known.sealed)?;
            totp::step_of(&secret, fields.get("code"), visit.now.timestamp())
        }
        None => None,
    };
    let is_taken = match step {
        Some(step) => store.take_totp(&account, step, visit.now).await?,
        None => false,
    };
    if !is_taken {
        return shown(&visit, &signed_in, Some(visit.texts.wrong_code.to_owned())).await;
    }
    attempt.succeed(store).await?;
    let codes = totp::recovery_codes()?;
    let hashes: Vec<Vec<u8>> =
        codes.iter().map(|code| totp::recovery_hash(&account, code)).collect();
    store.set_recovery_codes(&account, &hashes).await?;
    let now_has = store.account(&account).await?.unwrap_or(signed_in.account);
    visit.begin(&now_has, OTP).await?;
    visit.remember_device(&now_has).await?;
    let about = About { account: Some(&account), client: None };
    tell(&server, SecurityEvent::FactorAdded, about, &visit.origin).await?;
    tell(&server, SecurityEvent::SignedIn, about, &visit.origin).await?;
    let onward = onward(&visit, fields.request());
    let template = Codes { page: Page::of(&visit), codes, onward };
    Ok(render::page(&visit, &template, &[]))
}
