//! `/account/mfa`: one-time passwords of an authenticator app, set up.

use super::super::posted::{Fields, Posted};
use super::super::problem::Problem;
use super::super::render::{self, Page};
use super::super::visit::{SignedIn, Visit, with_request};
use super::proof::{OF_ACCOUNT, counted};
use super::{FRESH, PASSWORD_AND_CODE, SET_UP_WITHIN, added, enrolling};
use crate::oauth::accounts::{needs_factor, totp};
use askama::Template;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;
use chrono::Duration;

#[derive(Template)]
#[template(path = "mfa_set_up.html")]
struct SetUp<'a> {
    page: Page<'a>,
    picture: String,
    key: String,
    is_mandatory: bool,
    /// Where a passkey is made instead.
    passkeys: Option<String>,
}

/// Shows a new secret, and asks for a first code of it.
pub async fn set_up(visit: Visit, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let query = Fields::parse(query.unwrap_or_default().as_bytes());
    let signed_in = without_totp(&visit, &query, FRESH)?;
    shown(&visit, &signed_in, (&query, None)).await
}

fn without_totp(visit: &Visit, fields: &Fields, within: Duration) -> Result<SignedIn, Problem> {
    let signed_in = enrolling(visit, fields, (within, "mfa"))?;
    match signed_in.account.has_totp {
        true => Err(Problem::elsewhere("/account".to_owned())),
        false => Ok(signed_in),
    }
}

async fn shown(
    visit: &Visit,
    signed_in: &SignedIn,
    (fields, problem): (&Fields, Option<String>),
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
    let has_passkeys = visit.server.people.relying_party.is_some();
    let template = SetUp {
        page: Page::of(visit).with_problem(problem),
        picture: totp::picture(&secret, "Birth Health Network", &account.email)?,
        key: totp::key_text(&secret),
        is_mandatory: needs_factor(account.role) && !account.has_factor(),
        passkeys: has_passkeys.then(|| with_request("/account/passkeys", fields.request())),
    };
    Ok(render::page_with(visit, &template, (status, &[])))
}

/// Takes the first code; who has no factor yet is shown recovery codes, this once.
pub async fn confirm(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { mut visit, fields } = posted;
    let signed_in = without_totp(&visit, &fields, SET_UP_WITHIN)?;
    let account = signed_in.account.account.clone();
    let attempt = counted(&visit, (OF_ACCOUNT, &account)).await?;
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
        let problem = visit.texts.wrong_code.to_owned();
        return shown(&visit, &signed_in, (&fields, Some(problem))).await;
    }
    attempt.succeed(store).await?;
    added(&mut visit, &signed_in.account, (&fields, PASSWORD_AND_CODE)).await
}
