//! The own account.

use super::super::agents;
use super::super::factors::factor_word;
use super::super::posted::Posted;
use super::super::problem::Problem;
use super::super::render::{self, Page};
use super::super::texts;
use super::super::visit::{SignedIn, Visit, idle};
use crate::access::Role;
use crate::oauth::accounts::{self, Attempt, Verdict};
use crate::oauth::events::SecurityEvent;
use crate::oauth::pages::about::{About, tell};
use crate::storage::{AccountChange, Factor, Session};
use askama::Template;
use axum::body::Body;
use axum::http::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

#[derive(Template)]
#[template(path = "account.html")]
struct Account<'a> {
    page: Page<'a>,
    name: &'a str,
    role: &'a str,
    person: Option<String>,
    factors: Vec<FactorLine>,
    codes_left: i64,
    has_totp: bool,
    /// Whether passkeys can be made here.
    has_passkeys: bool,
    least: usize,
    idle_minutes: i64,
    has_providers: bool,
    may_launch: bool,
    sessions: Vec<Line>,
}

/// A second factor as people see it.
struct FactorLine {
    number: usize,
    /// As queries call it.
    word: String,
    name: String,
    made: Option<String>,
    used: Option<String>,
    ends: Option<String>,
}

/// A session as people see it.
struct Line {
    id: String,
    agent: String,
    created: String,
    seen: String,
    is_this: bool,
}

/// What there is to an account.
pub async fn account(visit: Visit) -> Result<Response<Body>, Problem> {
    let signed_in = visit.complete(None)?;
    shown(&visit, &signed_in, (None, None)).await
}

async fn shown(
    visit: &Visit,
    signed_in: &SignedIn,
    (problem, notice): (Option<String>, Option<&'static str>),
) -> Result<Response<Body>, Problem> {
    let SignedIn { session, account } = signed_in;
    let store = &visit.server.context.store;
    let sessions = store.sessions(&account.account, visit.now).await?;
    let status = if problem.is_some() { 422 } else { 200 };
    let template = Account {
        page: Page { notice, ..Page::of(visit).with_problem(problem) },
        name: &account.name,
        role: visit.texts.role(account.role),
        person: account.person.as_ref().map(|link| link.key.to_string()),
        factors: factors(visit, &account.account).await?,
        codes_left: store.recovery_codes_left(&account.account).await?,
        has_totp: account.has_totp,
        has_passkeys: visit.server.people.relying_party.is_some(),
        least: accounts::least_characters(account.role, account.has_factor()),
        idle_minutes: idle(account.role).num_minutes(),
        has_providers: !visit.server.upstream.providers().is_empty(),
        may_launch: account.role != Role::Patient,
        sessions: sessions.iter().map(|one| line(one, session)).collect(),
    };
    Ok(render::page_with(visit, &template, (status, &[])))
}

async fn factors(visit: &Visit, account: &str) -> Result<Vec<FactorLine>, Problem> {
    let store = &visit.server.context.store;
    let totp = store.totp(account).await?.filter(|totp| totp.is_confirmed);
    let totp = totp.map(|totp| FactorLine {
        number: 0,
        word: factor_word(&Factor::Totp),
        name: visit.texts.app.to_owned(),
        made: None,
        used: None,
        ends: totp.ends.map(minute),
    });
    let passkeys = store.passkeys(account, visit.now).await?;
    let passkeys = (1..).zip(passkeys).map(|(number, passkey)| FactorLine {
        number,
        word: factor_word(&Factor::Passkey(passkey.id)),
        name: passkey.name,
        made: Some(passkey.created.format("%Y-%m-%d").to_string()),
        used: passkey.used.map(|used| used.format("%Y-%m-%d").to_string()),
        ends: passkey.ends.map(minute),
    });
    Ok(totp.into_iter().chain(passkeys).collect())
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn line(session: &Session, this: &Session) -> Line {
    Line {
        id: URL_SAFE_NO_PAD.encode(&session.hash),
        agent: session.user_agent.as_deref().map(agents::shown).unwrap_or_default(),
        created: minute(session.created),
        seen: minute(session.seen),
        is_this: session.hash == this.hash,
    }
}

/// Ends one session, or all the others.
pub async fn end_session(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    let SignedIn { session, account } = visit.complete(None)?;
    let store = &visit.server.context.store;
    let hashes: Vec<Vec<u8>> = match fields.get("session") {
        "others" => {
            let all = store.sessions(&account.account, visit.now).await?;
            all.into_iter().map(|one| one.hash).filter(|hash| *hash != session.hash).collect()
        }
        id => URL_SAFE_NO_PAD.decode(id).into_iter().collect(),
    };
    store.end_sessions(&account.account, &hashes, visit.now).await?;
    let about = About { account: Some(&account.account), client: None };
    tell(&visit.server, SecurityEvent::SignedOut, about, &visit.origin).await?;
    Ok(render::see_other(&visit, "/account"))
}

/// A new password, against the one of before. All other sessions and all grants end.
pub async fn change_password(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { mut visit, fields } = posted;
    let signed_in = visit.complete(None)?;
    let account = &signed_in.account;
    let server = visit.server.clone();
    let (store, passwords) = (&server.context.store, &server.people.passwords);
    let place = ("password", account.email.as_str());
    let attempt = match Attempt::count(store, place, visit.origin.address, visit.now).await? {
        Ok(attempt) => attempt,
        Err(until) => return Err(Problem::too_many((until - visit.now).num_seconds())),
    };
    let verdict = passwords.verify(fields.get("password"), account.password.as_deref()).await?;
    if verdict == Verdict::Wrong {
        let problem = Some(visit.texts.wrong_old_password.to_owned());
        return shown(&visit, &signed_in, (problem, None)).await;
    }
    attempt.succeed(store).await?;
    let least = accounts::least_characters(account.role, account.has_factor());
    let person = [account.name.as_str(), account.email.as_str()];
    let new = fields.get("new_password");
    if let Err(refused) = accounts::password_rules::check(new, least, person) {
        let problem = Some(visit.texts.refused_password(refused));
        return shown(&visit, &signed_in, (problem, None)).await;
    }
    accounts::set_password((store, passwords), account, new, visit.now).await?;
    let about = About { account: Some(&account.account), client: None };
    tell(&server, SecurityEvent::PasswordChanged, about, &visit.origin).await?;
    let changed = store.account(&account.account).await?;
    let changed = changed.ok_or_else(|| Problem::new(404, |texts| texts.not_found))?;
    let methods: Vec<&str> = signed_in.session.methods.iter().map(String::as_str).collect();
    visit.begin(&changed, &methods).await?;
    let signed_in = visit.complete(None)?;
    let notice = visit.texts.password_changed;
    shown(&visit, &signed_in, (None, Some(notice))).await
}

/// The language of the account.
pub async fn choose_language(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    let signed_in = visit.complete(None)?;
    let language = texts::of_language(fields.get("language")).lang;
    let change = AccountChange { language: Some(language), ..AccountChange::default() };
    let store = &visit.server.context.store;
    store.change_account(&signed_in.account.account, change, visit.now).await?;
    Ok(render::see_other(&visit, &format!("/account?ui_locales={language}")))
}

/// Links the account to the resource of a claim code (SECURITY AS-45).
pub async fn claim(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    let signed_in = visit.complete(None)?;
    let account = &signed_in.account;
    let store = &visit.server.context.store;
    let place = ("claim", account.account.as_str());
    let attempt = match Attempt::count(store, place, visit.origin.address, visit.now).await? {
        Ok(attempt) => attempt,
        Err(until) => return Err(Problem::too_many((until - visit.now).num_seconds())),
    };
    if !accounts::claim(store, account, fields.get("code"), visit.now).await? {
        let problem = Some(visit.texts.wrong_claim.to_owned());
        return shown(&visit, &signed_in, (problem, None)).await;
    }
    attempt.succeed(store).await?;
    let about = About { account: Some(&account.account), client: None };
    tell(&visit.server, SecurityEvent::AccountLinked, about, &visit.origin).await?;
    Ok(render::see_other(&visit, "/account"))
}
