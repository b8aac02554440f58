//! `/account/factors/remove`: who shows another factor removes one, and hears of it by letter.
//! Whoever has to have a factor keeps one. That of an administrator goes a day later, and he can
//! keep it until then.

use super::super::about::{About, tell};
use super::super::posted::{Fields, Posted};
use super::super::problem::Problem;
use super::super::render::{self, Page, Scripts};
use super::super::visit::Visit;
use super::ceremony::{self, ANSWER, Purpose};
use super::proof::proved;
use crate::access::{Origin, Role};
use crate::error::Result as Answer;
use crate::oauth::AuthorizationServer;
use crate::oauth::accounts::needs_factor;
use crate::oauth::events::SecurityEvent;
use crate::storage::{Account, Factor};
use askama::Template;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};

/// From the wish of an administrator to the removal.
const HOLD: Duration = Duration::hours(24);
/// What queries call one-time passwords; passkeys are called by their ids.
pub const TOTP: &str = "totp";

#[derive(Template)]
#[template(path = "factor_remove.html")]
struct Removing<'a> {
    page: Page<'a>,
    factor: &'a str,
    name: String,
    /// For the script, where another passkey can be shown.
    passkeys: Option<String>,
    takes_app_codes: bool,
    is_held: bool,
    /// Whether another factor has to be set up before.
    is_last: bool,
}

/// The factor to be removed, and what stays.
struct Removal {
    factor: Factor,
    name: String,
    /// Whether another factor stays.
    stays: bool,
    has_other_passkeys: bool,
}

/// How a query calls the factor.
pub fn word(factor: &Factor) -> String {
    match factor {
        Factor::Totp => TOTP.to_owned(),
        Factor::Passkey(id) => URL_SAFE_NO_PAD.encode(id),
    }
}

fn factor(fields: &Fields) -> Option<Factor> {
    match fields.find("factor")? {
        TOTP => Some(Factor::Totp),
        id => URL_SAFE_NO_PAD.decode(id).ok().map(Factor::Passkey),
    }
}

async fn removal(visit: &Visit, account: &Account, fields: &Fields) -> Result<Removal, Problem> {
    let unknown = || Problem::new(404, |texts| texts.not_found);
    let factor = factor(fields).ok_or_else(unknown)?;
    let store = &visit.server.context.store;
    let passkeys = store.passkeys(&account.account, visit.now).await?;
    let others = passkeys.iter().filter(|one| factor != Factor::Passkey(one.id.clone()));
    let has_other_passkeys = others.clone().any(|one| one.ends.is_none());
    let totp = store.totp(&account.account).await?.filter(|totp| totp.is_confirmed);
    let stays_totp = totp.as_ref().is_some_and(|totp| totp.ends.is_none());
    let name = match &factor {
        Factor::Totp => totp.map(|_| visit.texts.app.to_owned()),
        Factor::Passkey(id) => {
            passkeys.iter().find(|one| one.id == *id).map(|one| one.name.clone())
        }
    };
    let stays = has_other_passkeys || (stays_totp && factor != Factor::Totp);
    Ok(Removal { name: name.ok_or_else(unknown)?, factor, stays, has_other_passkeys })
}

/// Asks for another factor.
pub async fn ask_removal(
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let account = visit.complete(None)?.account;
    let removal = removal(&visit, &account, &fields).await?;
    asked(&visit, &account, (&removal, None)).await
}

async fn asked(
    visit: &Visit,
    account: &Account,
    (removal, problem): (&Removal, Option<&str>),
) -> Result<Response<Body>, Problem> {
    let party = visit.server.people.relying_party.as_ref();
    let passkeys = match party.filter(|_| removal.has_other_passkeys) {
        Some(party) => {
            let id = account.account.as_str();
            let known = visit.server.context.store.passkeys(id, visit.now).await?;
            let mut others = known;
            others.retain(|one| removal.factor != Factor::Passkey(one.id.clone()));
            let place = (Purpose::Removal, Some(id));
            Some(ceremony::begin(visit, place, party.ask(&others)?).await?)
        }
        None => None,
    };
    let status = if problem.is_some() { 422 } else { 200 };
    let scripts = Scripts::where_any(passkeys.is_some());
    let word = word(&removal.factor);
    let template = Removing {
        page: Page::of(visit).with_problem(problem.map(str::to_owned)),
        factor: &word,
        name: removal.name.clone(),
        passkeys,
        takes_app_codes: account.has_totp && removal.factor != Factor::Totp,
        is_held: account.role == Role::Admin,
        is_last: needs_factor(account.role) && !removal.stays,
    };
    Ok(render::page_with_scripts(visit, &template, (status, &[]), scripts))
}

/// Removes the factor, or lets an administrator's end a day later.
pub async fn remove(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    let account = visit.complete(None)?.account;
    let removal = removal(&visit, &account, &fields).await?;
    let is_needed = needs_factor(account.role);
    if is_needed && !removal.stays {
        return asked(&visit, &account, (&removal, Some(visit.texts.factor_last))).await;
    }
    let how = (Purpose::Removal, Some(&removal.factor));
    if proved(&visit, &account, &fields, how).await?.is_none() {
        let problem = match fields.find(ANSWER) {
            Some(_) => visit.texts.wrong_passkey,
            None => visit.texts.wrong_code,
        };
        return asked(&visit, &account, (&removal, Some(problem))).await;
    }
    let is_held = account.role == Role::Admin;
    let ends = if is_held { visit.now + HOLD } else { visit.now };
    let store = &visit.server.context.store;
    if !store.end_factor(&account.account, (&removal.factor, ends), is_needed).await? {
        return asked(&visit, &account, (&removal, Some(visit.texts.factor_last))).await;
    }
    let about = About { account: Some(&account.account), client: None };
    if is_held {
        tell(&visit.server, SecurityEvent::FactorRemovalAsked, about, &visit.origin).await?;
        super::write_to(&visit, &account, |texts| texts.letter_factor_held);
    } else {
        settle_as(&visit.server, visit.now, (&account.account, &visit.origin)).await?;
        super::write_to(&visit, &account, |texts| texts.letter_factor_removed);
    }
    Ok(render::see_other(&visit, "/account"))
}

/// Keeps a factor that was to end.
pub async fn keep(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    let account = visit.complete(None)?.account;
    let factor = factor(&fields).ok_or_else(|| Problem::new(404, |texts| texts.not_found))?;
    let store = &visit.server.context.store;
    if store.keep_factor(&account.account, &factor, visit.now).await? {
        let about = About { account: Some(&account.account), client: None };
        tell(&visit.server, SecurityEvent::FactorKept, about, &visit.origin).await?;
    }
    Ok(render::see_other(&visit, "/account"))
}

/// Removes the factors that have ended.
pub async fn settle(server: &AuthorizationServer, now: DateTime<Utc>) -> Answer<()> {
    settle_as(server, now, ("", &Origin::default())).await
}

/// The same, where this account removes one now.
async fn settle_as(
    server: &AuthorizationServer,
    now: DateTime<Utc>,
    (account, origin): (&str, &Origin),
) -> Answer<()> {
    for removed in server.context.store.remove_ended_factors(now).await? {
        let about = About { account: Some(&removed), client: None };
        let nowhere = Origin::default();
        let origin = if removed == account { origin } else { &nowhere };
        tell(server, SecurityEvent::FactorRemoved, about, origin).await?;
    }
    Ok(())
}
