//! `/login`.

use super::authorize::{self, form_targets};
use super::posted::{Fields, NEXT, Posted};
use super::problem::Problem;
use super::render::{self, Page};
use super::visit::{SignedIn, Visit, with_next, with_request};
use crate::oauth::accounts::{self, Attempt, Verdict};
use crate::oauth::events::SecurityEvent;
use crate::oauth::pages::about::{About, refused, tell};
use crate::storage::{Account, AccountChange, CodePurpose, Status};
use askama::Template;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    page: Page<'a>,
    email: &'a str,
    app: Option<String>,
    has_registration: bool,
    /// Where a passkey is shown instead.
    passkeys: Option<String>,
    /// For whom has signed in, and has to do so again.
    is_again: bool,
    providers: Vec<super::upstream::Button<'a>>,
}

/// The form; for an application it says which one.
pub async fn form(visit: Visit, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let goes_on = fields.request().is_some() || fields.next().is_some();
    if !goes_on && visit.signed_in.as_ref().is_some_and(SignedIn::is_complete) {
        return Ok(render::see_other(&visit, "/account"));
    }
    login(&visit, &fields, None).await
}

async fn login(
    visit: &Visit,
    fields: &Fields,
    problem: Option<&str>,
) -> Result<Response<Body>, Problem> {
    let pending = match fields.request() {
        Some(handle) => Some(authorize::pending(visit, handle).await?),
        None => None,
    };
    let app = match &pending {
        Some(pending) => visit.server.context.store.app(&pending.request.client).await?,
        None => None,
    };
    let hint = pending.as_ref().and_then(|pending| pending.request.login_hint.as_deref());
    let has_passkeys = visit.server.people.relying_party.is_some();
    let page = Page::of(visit).with_problem(problem.map(str::to_owned));
    let template = Login {
        page: match &pending {
            Some(pending) => page.until(pending.ends(), visit.now),
            None => page,
        },
        email: fields.find("email").or(hint).unwrap_or_default(),
        app: app.map(|app| app.name),
        has_registration: visit.server.context.settings.registration_enabled,
        passkeys: has_passkeys
            .then(|| with_next("/login/passkey", (fields.request(), fields.next()))),
        is_again: fields.next().is_some() && visit.signed_in.is_some(),
        providers: super::upstream::buttons(visit, fields.request()),
    };
    let status = if problem.is_some() { 422 } else { 200 };
    let targets = form_targets(pending.as_ref());
    Ok(render::page_with(visit, &template, (status, &targets)))
}

/// Takes address and password. Whoever is not known, is disabled or has another password gets one
/// and the same answer, after the same work.
pub async fn submit(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { mut visit, fields } = posted;
    let server = visit.server.clone();
    let store = &server.context.store;
    let typed = accounts::email(fields.get("email"));
    // What is no address is nobody's, and counted for itself.
    let typed = typed.unwrap_or_else(|| fields.get("email").chars().take(254).collect());
    let (kind, name) = visit.counted_for(&typed).await?;
    let attempt = match Attempt::count(store, (kind, &name), visit.origin.address, visit.now)
        .await?
    {
        Ok(attempt) => attempt,
        Err(until) => {
            tell(&server, refused("too many attempts"), About::default(), &visit.origin).await?;
            return Err(Problem::too_many((until - visit.now).num_seconds()));
        }
    };
    let account = store.account_of_email(&typed).await?;
    let stored = account.as_ref().and_then(|account| account.password.as_deref());
    let verdict = server.people.passwords.verify(fields.get("password"), stored).await?;
    let account =
        account.filter(|account| verdict != Verdict::Wrong && account.status != Status::Disabled);
    let Some(account) = account else {
        tell(&server, refused("wrong password"), About::default(), &visit.origin).await?;
        return login(&visit, &fields, Some(visit.texts.wrong_password)).await;
    };
    attempt.succeed(store).await?;
    if account.status == Status::Unverified {
        let about = (CodePurpose::Verify, Some(account.account.as_str()));
        let code = accounts::code_for(store, about, visit.now).await?;
        super::registration::send_verification(&visit, &account.email, &code);
        return login(&visit, &fields, Some(visit.texts.verify_first)).await;
    }
    if verdict == Verdict::RightButOld {
        rehash(&visit, &account, fields.get("password")).await?;
    }
    visit.begin(&account, &["pwd"]).await?;
    if visit.signed_in.as_ref().is_some_and(SignedIn::is_complete) {
        let about = About { account: Some(&account.account), client: None };
        tell(&server, SecurityEvent::SignedIn, about, &visit.origin).await?;
    }
    Ok(render::see_other(&visit, &onward(&visit, &fields)))
}

/// The password is right and its hash is of an older kind.
async fn rehash(visit: &Visit, account: &Account, password: &str) -> Result<(), Problem> {
    let hash = visit.server.people.passwords.hash(password).await?;
    let change = AccountChange { password: Some(&hash), ..AccountChange::default() };
    let store = &visit.server.context.store;
    store.change_account(&account.account, change, visit.now).await?;
    Ok(())
}

/// Where a person goes who has just proved something.
pub fn onward(visit: &Visit, fields: &Fields) -> String {
    onward_to(visit, (fields.request(), fields.next()))
}

/// The same, for an authorization request and one of our own pages, where there is one.
pub fn onward_to(visit: &Visit, (request, next): (Option<&str>, Option<&str>)) -> String {
    match &visit.signed_in {
        Some(signed_in) if signed_in.is_complete() => match (next, request) {
            (Some(next), _) => {
                let page = NEXT.into_iter().find(|(name, _)| *name == next);
                with_request(page.map_or("/account", |(_, path)| path), request)
            }
            (None, Some(_)) => with_request("/oauth/continue", request),
            (None, None) => "/account".to_owned(),
        },
        Some(signed_in) if signed_in.account.has_factor() => {
            with_next("/login/mfa", (request, next))
        }
        Some(_) if next == Some("passkeys") => with_request("/account/passkeys", request),
        Some(_) => with_request("/account/mfa", request),
        None => with_next("/login", (request, next)),
    }
}
