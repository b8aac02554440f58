//! `/register`, `/verify`, `/reset` and `/bootstrap`: how an account comes to its password. Whether
//! an address has an account is told by letter alone.

use super::posted::{Fields, Posted};
use super::problem::Problem;
use super::render::{self, Page};
use super::texts::{Texts, filled};
use super::visit::Visit;
use crate::access::Role;
use crate::clock;
use crate::error::FhirError;
use crate::oauth::AuthorizationServer;
use crate::oauth::accounts::{self, Attempt, password_rules};
use crate::oauth::events::SecurityEvent;
use crate::oauth::pages::about::{About, tell};
use crate::storage::{AccountChange, CodePurpose, NewAccount, Status};
use askama::Template;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;
use chrono::{DateTime, Utc};

const MOST_NAME_BYTES: usize = 200;

#[derive(Template)]
#[template(path = "register.html")]
struct Register<'a> {
    page: Page<'a>,
    email: &'a str,
    name: &'a str,
    least: usize,
    /// Of the first administrator; "" elsewhere.
    code: &'a str,
    is_bootstrap: bool,
}

#[derive(Template)]
#[template(path = "reset.html")]
struct Reset<'a> {
    page: Page<'a>,
    email: &'a str,
    code: &'a str,
    least: usize,
}

#[derive(Template)]
#[template(path = "told.html")]
struct Told<'a> {
    page: Page<'a>,
    title: &'a str,
    text: &'a str,
    /// A code that waits for a click.
    code: Option<&'a str>,
    has_login: bool,
}

fn told<'a>(visit: &'a Visit, title: &'a str, text: &'a str) -> Told<'a> {
    Told { page: Page::of(visit), title, text, code: None, has_login: true }
}

/// The code of a link, or the field of that name.
fn query(query: Option<String>) -> Fields {
    Fields::parse(query.unwrap_or_default().as_bytes())
}

fn enabled(visit: &Visit) -> Result<(), Problem> {
    match visit.server.context.settings.registration_enabled {
        true => Ok(()),
        false => Err(Problem::new(404, |texts| texts.registration_closed)),
    }
}

/// Counts an attempt that has no password to be right.
async fn counted(visit: &Visit, kind: &str, name: &str) -> Result<Attempt, Problem> {
    let store = &visit.server.context.store;
    let counted = Attempt::count(store, (kind, name), visit.origin.address, visit.now).await?;
    counted.map_err(|until| Problem::too_many((until - visit.now).num_seconds()))
}

/// Codes that are guessed are counted by where they come from.
fn address(visit: &Visit) -> String {
    visit.origin.address.map(|address| address.to_string()).unwrap_or_default()
}

pub async fn form(visit: Visit) -> Result<Response<Body>, Problem> {
    enabled(&visit)?;
    registering(&visit, &Fields::default(), (false, None))
}

fn registering(
    visit: &Visit,
    fields: &Fields,
    (is_bootstrap, problem): (bool, Option<String>),
) -> Result<Response<Body>, Problem> {
    let status = if problem.is_some() { 422 } else { 200 };
    let role = if is_bootstrap { Role::Admin } else { Role::Patient };
    let template = Register {
        page: Page::of(visit).with_problem(problem),
        email: fields.get("email"),
        name: fields.get("name"),
        least: accounts::least_characters(role, false),
        code: fields.get("code"),
        is_bootstrap,
    };
    Ok(render::page_with(visit, &template, (status, &[])))
}

/// Whether a person may be called so.
pub fn is_name(name: &str) -> bool {
    let is_name = name.chars().any(char::is_alphabetic) && !name.chars().any(char::is_control);
    is_name && name.len() <= MOST_NAME_BYTES
}

/// Name, address and hashed password of a form.
struct Person {
    email: String,
    name: String,
    password: String,
}

/// Err has what the person has to change.
async fn person(
    visit: &Visit,
    fields: &Fields,
    role: Role,
) -> Result<Result<Person, String>, Problem> {
    let texts = visit.texts;
    let Some(email) = accounts::email(fields.get("email")) else {
        return Ok(Err(texts.wrong_email.to_owned()));
    };
    let name = fields.get("name").trim();
    if !is_name(name) {
        return Ok(Err(texts.wrong_name.to_owned()));
    }
    let least = accounts::least_characters(role, false);
    let password = fields.get("password");
    if let Err(refused) = password_rules::check(password, least, [name, &email]) {
        return Ok(Err(texts.refused_password(refused)));
    }
    let password = visit.server.people.passwords.hash(password).await?;
    Ok(Ok(Person { email, name: name.to_owned(), password }))
}

/// Makes an account of a patient, to be confirmed by letter. Who has one hears of it by letter.
pub async fn submit(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    enabled(&visit)?;
    counted(&visit, "register", &accounts::email(fields.get("email")).unwrap_or_default()).await?;
    let person = match person(&visit, &fields, Role::Patient).await? {
        Ok(person) => person,
        Err(problem) => return registering(&visit, &fields, (false, Some(problem))),
    };
    let store = &visit.server.context.store;
    let new = NewAccount {
        account: "",
        email: &person.email,
        name: &person.name,
        role: Role::Patient,
        status: Status::Unverified,
        password: Some(&person.password),
        language: visit.texts.lang,
        jurisdictions: &[],
    };
    match accounts::add(store, new, visit.now).await? {
        Some(account) => {
            let purpose = (CodePurpose::Verify, Some(account.as_str()));
            let code = accounts::code_for(store, purpose, visit.now).await?;
            send_verification(&visit, &person.email, &code);
            let about = About { account: Some(&account), client: None };
            tell(&visit.server, SecurityEvent::AccountMade, about, &visit.origin).await?;
        }
        None => {
            let text = filled(visit.texts.letter_has_account, visit.server.issuer());
            visit.server.people.mailer.send(&person.email, visit.texts.letter_subject, text);
        }
    }
    let template = told(&visit, visit.texts.look_at_mail, visit.texts.look_at_mail_text);
    Ok(render::page(&visit, &template, &[]))
}

/// Writes to a new address.
pub fn send_verification(visit: &Visit, email: &str, code: &str) {
    let link = format!("{}/verify?code={code}", visit.server.issuer());
    let text = filled(visit.texts.letter_verify, &link);
    visit.server.people.mailer.send(email, visit.texts.letter_subject, text);
}

/// Asks for a click: programs that look at letters follow links.
pub async fn verify_form(visit: Visit, RawQuery(raw): RawQuery) -> Result<Response<Body>, Problem> {
    let fields = query(raw);
    let code = fields.get("code");
    let told = told(&visit, visit.texts.confirm_address, visit.texts.confirm_address_text);
    let template = Told { code: Some(code), has_login: false, ..told };
    Ok(render::page(&visit, &template, &[]))
}

/// Confirms an address.
pub async fn verify(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    let store = &visit.server.context.store;
    let attempt = counted(&visit, "code", &address(&visit)).await?;
    let hash = crate::oauth::hash(fields.get("code"));
    let account = store.take_code(&hash, CodePurpose::Verify, visit.now).await?;
    let account = match account {
        Some(account) => store.account(&account).await?,
        None => None,
    };
    let Some(account) = account.filter(|account| account.status == Status::Unverified) else {
        return Err(Problem::new(400, |texts| texts.code_ended));
    };
    attempt.succeed(store).await?;
    let change = AccountChange { status: Some(Status::Active), ..AccountChange::default() };
    store.change_account(&account.account, change, visit.now).await?;
    let template = told(&visit, visit.texts.address_confirmed, visit.texts.now_sign_in);
    Ok(render::page(&visit, &template, &[]))
}

/// Asks for an address, or with a code for a new password.
pub async fn reset_form(visit: Visit, RawQuery(raw): RawQuery) -> Result<Response<Body>, Problem> {
    resetting(&visit, &query(raw), None)
}

fn resetting(
    visit: &Visit,
    fields: &Fields,
    problem: Option<String>,
) -> Result<Response<Body>, Problem> {
    let status = if problem.is_some() { 422 } else { 200 };
    let template = Reset {
        page: Page::of(visit).with_problem(problem),
        email: fields.get("email"),
        code: fields.get("code"),
        least: password_rules::LEAST_ALONE,
    };
    Ok(render::page_with(visit, &template, (status, &[])))
}

/// Sends a code, or takes it with the new password.
pub async fn reset(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    match fields.find("code") {
        Some(_) => choose(&visit, &fields).await,
        None => send_reset(&visit, &fields).await,
    }
}

/// One answer whether the address has an account or not; the letter is sent beside it.
async fn send_reset(visit: &Visit, fields: &Fields) -> Result<Response<Body>, Problem> {
    let email = accounts::email(fields.get("email"));
    let Some(email) = email else {
        return resetting(visit, fields, Some(visit.texts.wrong_email.to_owned()));
    };
    counted(visit, "reset", &email).await?;
    let (server, texts, now) = (visit.server.clone(), visit.texts, visit.now);
    // Beside the answer, which takes as long for who has no account.
    tokio::spawn(async move {
        if write_reset(&server, texts, (&email, now)).await.is_err() {
            tracing::warn!("a letter with a code was not written");
        }
    });
    let template = told(visit, visit.texts.look_at_mail, visit.texts.look_at_mail_text);
    Ok(render::page(visit, &template, &[]))
}

/// Writes to who has an account.
async fn write_reset(
    server: &AuthorizationServer,
    texts: &'static Texts,
    (email, now): (&str, DateTime<Utc>),
) -> Result<(), FhirError> {
    let store = &server.context.store;
    let account = store.account_of_email(email).await?;
    let Some(account) = account.filter(|account| account.status != Status::Disabled) else {
        return Ok(());
    };
    let purpose = (CodePurpose::Reset, Some(account.account.as_str()));
    let code = accounts::code_for(store, purpose, now).await?;
    let text = filled(texts.letter_reset, format!("{}/reset?code={code}", server.issuer()));
    server.people.mailer.send(email, texts.letter_subject, text);
    Ok(())
}

/// A new password against a code, which ends every session and grant. The second factor stays.
async fn choose(visit: &Visit, fields: &Fields) -> Result<Response<Body>, Problem> {
    let server = &visit.server;
    let (store, passwords) = (&server.context.store, &server.people.passwords);
    let attempt = counted(visit, "code", &address(visit)).await?;
    let hash = crate::oauth::hash(fields.get("code"));
    if !store.is_code_good(&hash, CodePurpose::Reset, visit.now).await? {
        return Err(Problem::new(400, |texts| texts.code_ended));
    }
    attempt.succeed(store).await?;
    let password = fields.get("password");
    if let Err(refused) = password_rules::check(password, password_rules::LEAST_ALONE, ["", ""]) {
        return resetting(visit, fields, Some(visit.texts.refused_password(refused)));
    }
    let account = match store.take_code(&hash, CodePurpose::Reset, visit.now).await? {
        Some(account) => store.account(&account).await?,
        None => None,
    };
    let account = account.filter(|account| account.status != Status::Disabled);
    let account = account.ok_or_else(|| Problem::new(400, |texts| texts.code_ended))?;
    accounts::set_password((store, passwords), &account, password, visit.now).await?;
    let about = About { account: Some(&account.account), client: None };
    tell(server, SecurityEvent::PasswordChanged, about, &visit.origin).await?;
    let template = told(visit, visit.texts.password_changed, visit.texts.now_sign_in);
    Ok(render::page(visit, &template, &[]))
}

/// The form of the first administrator; 404 where there is one.
pub async fn bootstrap_form(
    visit: Visit,
    RawQuery(raw): RawQuery,
) -> Result<Response<Body>, Problem> {
    first(&visit).await?;
    registering(&visit, &query(raw), (true, None))
}

async fn first(visit: &Visit) -> Result<(), Problem> {
    match visit.server.context.store.has_admin().await? {
        true => Err(Problem::new(404, |texts| texts.not_found)),
        false => Ok(()),
    }
}

/// Makes the first administrator against the code that the server printed at its start.
pub async fn bootstrap(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    first(&visit).await?;
    let attempt = counted(&visit, "code", &address(&visit)).await?;
    let store = &visit.server.context.store;
    let hash = crate::oauth::hash(fields.get("code"));
    if !store.is_code_good(&hash, CodePurpose::Bootstrap, visit.now).await? {
        return Err(Problem::new(400, |texts| texts.code_ended));
    }
    attempt.succeed(store).await?;
    let person = match person(&visit, &fields, Role::Admin).await? {
        Ok(person) => person,
        Err(problem) => return registering(&visit, &fields, (true, Some(problem))),
    };
    let account = clock::new_id();
    let new = NewAccount {
        account: &account,
        email: &person.email,
        name: &person.name,
        role: Role::Admin,
        status: Status::Active,
        password: Some(&person.password),
        language: visit.texts.lang,
        jurisdictions: &[],
    };
    if !store.create_first_admin(&hash, &new, visit.now).await? {
        return Err(Problem::new(400, |texts| texts.code_ended));
    }
    let about = About { account: Some(&account), client: None };
    tell(&visit.server, SecurityEvent::AccountMade, about, &visit.origin).await?;
    let template = told(&visit, visit.texts.account_made, visit.texts.now_sign_in);
    Ok(render::page(&visit, &template, &[]))
}
