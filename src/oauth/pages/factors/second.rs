//! `/login/mfa`: the second factor after the password.

use super::super::about::{About, tell};
use super::super::authorize::{self, form_targets};
use super::super::posted::{Fields, Posted};
use super::super::problem::Problem;
use super::super::render::{self, Page, Scripts};
use super::super::sign_in::onward;
use super::super::visit::{SignedIn, Visit};
use super::ceremony::{self, ANSWER, Purpose};
use super::proof::{Proof, proved};
use crate::oauth::events::SecurityEvent;
use crate::storage::Account;
use askama::Template;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;

#[derive(Template)]
#[template(path = "mfa.html")]
struct Mfa<'a> {
    page: Page<'a>,
    /// For the script, where there are passkeys.
    passkeys: Option<String>,
    has_totp: bool,
}

/// Asks for a factor of who has given the password.
pub async fn form(visit: Visit, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let query = Fields::parse(query.unwrap_or_default().as_bytes());
    let half = half(&visit, &query)?;
    asked(&visit, &half.account, (&query, None)).await
}

/// The form. What it is sent for may lead to the application at once.
async fn asked(
    visit: &Visit,
    account: &Account,
    (fields, problem): (&Fields, Option<String>),
) -> Result<Response<Body>, Problem> {
    let pending = match fields.request() {
        Some(handle) => Some(authorize::pending(visit, handle).await?),
        None => None,
    };
    let passkeys = options(visit, account).await?;
    let status = if problem.is_some() { 422 } else { 200 };
    let scripts = Scripts::where_any(passkeys.is_some());
    let page = Page::of(visit).with_problem(problem);
    let page = match &pending {
        Some(pending) => page.until(pending.ends(), visit.now),
        None => page,
    };
    let template = Mfa { page, passkeys, has_totp: account.has_totp };
    let targets = form_targets(pending.as_ref());
    Ok(render::page_with_scripts(visit, &template, (status, &targets), scripts))
}

/// What the script asks the browser for; None where there is nothing to ask for.
async fn options(visit: &Visit, account: &Account) -> Result<Option<String>, Problem> {
    let (id, store) = (account.account.as_str(), &visit.server.context.store);
    let Some(party) = visit.server.people.relying_party.as_ref() else { return Ok(None) };
    let known = store.passkeys(id, visit.now).await?;
    if known.is_empty() {
        return Ok(None);
    }
    let begun = party.ask(&known)?;
    ceremony::begin(visit, (Purpose::Factor, Some(id)), begun).await.map(Some)
}

/// Who has given the password, has a second factor, and has not shown it yet.
fn half(visit: &Visit, fields: &Fields) -> Result<SignedIn, Problem> {
    match &visit.signed_in {
        Some(one) if one.account.has_factor() && !one.is_complete() => Ok(one.clone()),
        _ => Err(Problem::elsewhere(onward(visit, fields))),
    }
}

/// Takes a passkey, a code of the app, or a recovery code.
pub async fn submit(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { mut visit, fields } = posted;
    let SignedIn { account, .. } = half(&visit, &fields)?;
    let methods = match proved(&visit, &account, &fields, (Purpose::Factor, None)).await? {
        Some(Proof::Code) => super::PASSWORD_AND_CODE,
        Some(Proof::Passkey) => super::PASSWORD_AND_PASSKEY,
        None => {
            let problem = match fields.find(ANSWER) {
                Some(_) => visit.texts.wrong_passkey,
                None => visit.texts.wrong_code,
            };
            return asked(&visit, &account, (&fields, Some(problem.to_owned()))).await;
        }
    };
    visit.begin(&account, methods).await?;
    visit.remember_device(&account).await?;
    let about = About { account: Some(&account.account), client: None };
    tell(&visit.server, SecurityEvent::SignedIn, about, &visit.origin).await?;
    Ok(render::see_other(&visit, &onward(&visit, &fields)))
}
