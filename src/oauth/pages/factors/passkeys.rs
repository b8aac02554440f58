//! `/login/passkey`, where a passkey alone signs in, and `/account/passkeys`, where one is made.

use super::super::about::{About, refused, tell};
use super::super::authorize::{self, form_targets};
use super::super::posted::{Fields, Posted};
use super::super::problem::Problem;
use super::super::render::{self, Page, Scripts};
use super::super::sign_in::onward;
use super::super::visit::{SignedIn, Visit, with_next, with_request};
use super::ceremony::{self, Purpose, relying_party};
use super::proof::{counted, tell_refused};
use super::{FRESH, PASSKEY_ALONE, PASSWORD_AND_PASSKEY, SET_UP_WITHIN, added, enrolling};
use crate::oauth::accounts::needs_factor;
use crate::oauth::accounts::passkeys::{Answer, MOST};
use crate::oauth::events::SecurityEvent;
use crate::storage::{Account, Passkey, Status};
use askama::Template;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const MOST_NAME_CHARACTERS: usize = 60;

#[derive(Template)]
#[template(path = "passkey_login.html")]
struct Alone<'a> {
    page: Page<'a>,
    passkeys: String,
    /// Where an address and a password are given instead.
    login: String,
}

/// Asks for any passkey of this server.
pub async fn ask_alone(visit: Visit, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let query = Fields::parse(query.unwrap_or_default().as_bytes());
    asked_alone(&visit, &query, None).await
}

async fn asked_alone(
    visit: &Visit,
    fields: &Fields,
    problem: Option<&str>,
) -> Result<Response<Body>, Problem> {
    let begun = relying_party(visit)?.ask(&[])?;
    let passkeys = ceremony::begin(visit, (Purpose::SignIn, None), begun).await?;
    let pending = match fields.request() {
        Some(handle) => Some(authorize::pending(visit, handle).await?),
        None => None,
    };
    let page = Page::of(visit).with_problem(problem.map(str::to_owned));
    let page = match &pending {
        Some(pending) => page.until(pending.ends(), visit.now),
        None => page,
    };
    let login = with_next("/login", (fields.request(), fields.next()));
    let status = if problem.is_some() { 422 } else { 200 };
    let targets = form_targets(pending.as_ref());
    let template = Alone { page, passkeys, login };
    Ok(render::page_with_scripts(visit, &template, (status, &targets), Scripts::Own))
}

/// Signs in whose passkey has answered. Whoever is not known or is disabled gets the same answer.
pub async fn answered_alone(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { mut visit, fields } = posted;
    let server = visit.server.clone();
    let store = &server.context.store;
    let id = Answer::read(fields.get(ceremony::ANSWER)).map(|answer| answer.id);
    let name = URL_SAFE_NO_PAD.encode(id.unwrap_or_default());
    let attempt = counted(&visit, ("passkey", &name)).await?;
    let shown = ceremony::shown(&visit, (Purpose::SignIn, None), &fields).await?;
    let owner = match &shown {
        Ok(passkey) => store.account(&passkey.account).await?,
        Err(_) => owner(&visit, &name).await?,
    };
    let account = match (shown, owner) {
        (Ok(_), Some(account)) if account.status == Status::Active => account,
        (Ok(_), _) => {
            tell(&server, refused("disabled account"), About::default(), &visit.origin).await?;
            return asked_alone(&visit, &fields, Some(visit.texts.wrong_passkey)).await;
        }
        (Err(refusal), owner) => {
            tell_refused(&visit, owner.as_ref(), refusal).await?;
            return asked_alone(&visit, &fields, Some(visit.texts.wrong_passkey)).await;
        }
    };
    attempt.succeed(store).await?;
    visit.begin(&account, PASSKEY_ALONE).await?;
    visit.remember_device(&account).await?;
    let about = About { account: Some(&account.account), client: None };
    tell(&server, SecurityEvent::SignedIn, about, &visit.origin).await?;
    Ok(render::see_other(&visit, &onward(&visit, &fields)))
}

/// Whose passkey was refused, for the audit.
async fn owner(visit: &Visit, name: &str) -> Result<Option<Account>, Problem> {
    let store = &visit.server.context.store;
    let id = URL_SAFE_NO_PAD.decode(name).unwrap_or_default();
    match store.passkey(&id, visit.now).await? {
        Some(passkey) => Ok(store.account(&passkey.account).await?),
        None => Ok(None),
    }
}

#[derive(Template)]
#[template(path = "passkey_set_up.html")]
struct SetUp<'a> {
    page: Page<'a>,
    passkeys: String,
    is_mandatory: bool,
    /// Where an app is set up instead; None for who has one.
    totp: Option<String>,
}

/// Asks for a new passkey.
pub async fn registering(
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Fields::parse(query.unwrap_or_default().as_bytes());
    let signed_in = enrolling(&visit, &query, (FRESH, "passkeys"))?;
    asked_to_register(&visit, &signed_in, (&query, None)).await
}

async fn asked_to_register(
    visit: &Visit,
    signed_in: &SignedIn,
    (fields, problem): (&Fields, Option<&str>),
) -> Result<Response<Body>, Problem> {
    let account = &signed_in.account;
    let known = visit.server.context.store.passkeys(&account.account, visit.now).await?;
    let begun = relying_party(visit)?.register(account, &known)?;
    let place = (Purpose::Register, Some(account.account.as_str()));
    let passkeys = ceremony::begin(visit, place, begun).await?;
    let status = if problem.is_some() { 422 } else { 200 };
    let totp = with_request("/account/mfa", fields.request());
    let template = SetUp {
        page: Page::of(visit).with_problem(problem.map(str::to_owned)),
        passkeys,
        is_mandatory: needs_factor(account.role) && !account.has_factor(),
        totp: (!account.has_totp).then_some(totp),
    };
    Ok(render::page_with_scripts(visit, &template, (status, &[]), Scripts::Own))
}

/// Takes the new passkey.
pub async fn register(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { mut visit, fields } = posted;
    let signed_in = enrolling(&visit, &fields, (SET_UP_WITHIN, "passkeys"))?;
    let account = signed_in.account.clone();
    let place = (Purpose::Register, Some(account.account.as_str()));
    let party = relying_party(&visit)?;
    let made = match ceremony::taken(&visit, place, &fields).await? {
        Ok((answer, state)) => party.registered(&answer, &state, (&account, visit.now)),
        Err(refused) => Err(refused),
    };
    let passkey = match made {
        Ok(made) => Passkey { name: named(&visit, fields.get("name")), ..made },
        Err(refusal) => {
            tell_refused(&visit, Some(&account), refusal).await?;
            let problem = Some(visit.texts.passkey_not_made);
            return asked_to_register(&visit, &signed_in, (&fields, problem)).await;
        }
    };
    if !visit.server.context.store.add_passkey(&passkey, MOST).await? {
        let problem = Some(visit.texts.passkey_not_added);
        return asked_to_register(&visit, &signed_in, (&fields, problem)).await;
    }
    added(&mut visit, &account, (&fields, PASSWORD_AND_PASSKEY)).await
}

/// The name as it is shown: what was typed, without what does not show.
fn named(visit: &Visit, typed: &str) -> String {
    let shown = typed.chars().filter(|c| !c.is_control()).take(MOST_NAME_CHARACTERS);
    let name = shown.collect::<String>().trim().to_owned();
    match name.is_empty() {
        true => visit.texts.passkey.to_owned(),
        false => name,
    }
}

/// Gives a passkey another name.
pub async fn name(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    let account = visit.complete(None)?.account.account;
    let id = URL_SAFE_NO_PAD.decode(fields.get("factor")).unwrap_or_default();
    let name = named(&visit, fields.get("name"));
    if !visit.server.context.store.name_passkey(&account, &id, &name).await? {
        return Err(Problem::new(404, |texts| texts.not_found));
    }
    let about = About { account: Some(&account), client: None };
    tell(&visit.server, SecurityEvent::PasskeyNamed, about, &visit.origin).await?;
    Ok(render::see_other(&visit, "/account"))
}
