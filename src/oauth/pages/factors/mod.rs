//! Second factors: shown at a sign-in, set up, and removed. One-time passwords and passkeys are
//! worth the same; a recovery code stands in for either, once.

mod ceremony;
mod passkeys;
mod proof;
mod removal;
mod second;
mod totp;

pub use ceremony::script;
pub use passkeys::{answered_alone, ask_alone, name, register, registering};
pub use removal::{ask_removal, keep, remove, settle, word as factor_word};
pub use second::{form, submit};
pub use totp::{confirm, set_up};

use super::about::{About, tell};
use super::posted::Fields;
use super::problem::Problem;
use super::render::{self, Page};
use super::sign_in::onward;
use super::texts;
use super::visit::{SignedIn, Visit, with_next};
use crate::oauth::accounts::totp as codes;
use crate::oauth::events::SecurityEvent;
use crate::storage::Account;
use askama::Template;
use axum::body::Body;
use axum::http::Response;
use chrono::Duration;

/// Setting up a factor begins with a sign-in that is no older.
const FRESH: Duration = Duration::minutes(5);
/// And ends so long after it.
const SET_UP_WITHIN: Duration = Duration::minutes(15);
const PASSWORD_AND_CODE: &[&str] = &["pwd", "otp"];
/// RFC 8176: proof of possession of a key.
const PASSWORD_AND_PASSKEY: &[&str] = &["pwd", "pop"];
/// A passkey alone is two factors: the key, and what its authenticator knows the person by.
const PASSKEY_ALONE: &[&str] = &["pop", "user", "mfa"];

#[derive(Template)]
#[template(path = "mfa_codes.html")]
struct Codes<'a> {
    page: Page<'a>,
    codes: Vec<String>,
    onward: String,
}

/// Who may set up a factor: he has signed in within that time, and shown a factor where he has one.
/// Who has not is sent to do so, and comes back to `next`.
fn enrolling(
    visit: &Visit,
    fields: &Fields,
    (within, next): (Duration, &'static str),
) -> Result<SignedIn, Problem> {
    let elsewhere = |path| Err(Problem::elsewhere(with_next(path, (fields.request(), Some(next)))));
    match &visit.signed_in {
        Some(one) if one.account.has_factor() && !one.is_complete() => elsewhere("/login/mfa"),
        Some(one) if visit.now - one.session.created <= within => Ok(one.clone()),
        _ => elsewhere("/login"),
    }
}

/// A factor was set up. Whoever has none yet gets recovery codes, shown this once, and is signed in
/// by these methods; others go on.
async fn added(
    visit: &mut Visit,
    before: &Account,
    (fields, methods): (&Fields, &[&str]),
) -> Result<Response<Body>, Problem> {
    let server = visit.server.clone();
    let store = &server.context.store;
    let about = About { account: Some(&before.account), client: None };
    tell(&server, SecurityEvent::FactorAdded, about, &visit.origin).await?;
    write_to(visit, before, |texts| texts.letter_factor_added);
    if before.has_factor() {
        return Ok(render::see_other(visit, &onward(visit, fields)));
    }
    let codes = codes::recovery_codes()?;
    let hashes: Vec<Vec<u8>> =
        codes.iter().map(|code| codes::recovery_hash(&before.account, code)).collect();
    store.set_recovery_codes(&before.account, &hashes).await?;
    let now_has = store.account(&before.account).await?;
    let now_has = now_has.ok_or_else(|| Problem::new(404, |texts| texts.not_found))?;
    visit.begin(&now_has, methods).await?;
    visit.remember_device(&now_has).await?;
    tell(&server, SecurityEvent::SignedIn, about, &visit.origin).await?;
    let onward = onward(visit, fields);
    let template = Codes { page: Page::of(visit), codes, onward };
    Ok(render::page(visit, &template, &[]))
}

/// Writes to the person in his language; the letter says where factors are.
fn write_to(visit: &Visit, account: &Account, text: fn(&texts::Texts) -> &'static str) {
    let of_account = texts::of_language(&account.language);
    let text = texts::filled(text(of_account), format!("{}/account", visit.server.issuer()));
    visit.server.people.mailer.send(&account.email, of_account.letter_subject, text);
}
