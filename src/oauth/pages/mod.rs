//! The pages that people see: sign-in, consent, pickers, accounts. Written by the server, in
//! English and French (WCAG 2.2, AA).

mod about;
mod account;
mod agents;
mod authorize;
mod cookies;
mod factors;
mod home;
mod launch;
mod logout;
mod posted;
mod problem;
mod registration;
mod render;
mod sign_in;
mod texts;
mod upstream;
mod visit;

pub use authorize::push;
pub use factors::settle;

use super::AuthorizationServer;
use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use std::sync::Arc;

/// The routes of all pages.
pub fn routes(has_root: bool) -> Router<Arc<AuthorizationServer>> {
    let routes = Router::new()
        .route("/login", get(sign_in::form).post(sign_in::submit))
        .route("/login/passkey", get(factors::ask_alone).post(factors::answered_alone))
        .route("/login/mfa", get(factors::form).post(factors::submit))
        .route("/login/with/{provider}", get(upstream::start))
        .route("/login/with/{provider}/callback", get(upstream::callback))
        .route("/oauth/logout", get(logout::asked).post(logout::leave))
        .route("/oauth/authorize", get(authorize::asked).post(authorize::asked_by_form))
        .route("/oauth/continue", get(authorize::next_step))
        .route("/pick-patient", get(authorize::patients).post(authorize::pick_patient))
        .route("/pick-encounter", get(authorize::encounters).post(authorize::pick_encounter))
        .route("/pick-context", get(authorize::contexts).post(authorize::pick_context))
        .route("/consent", get(authorize::consent).post(authorize::decide))
        .route("/launch", get(launch::page).post(launch::launch))
        .route("/launch/start", post(launch::start))
        .route("/account", get(account::account))
        .route("/account/language", post(account::choose_language))
        .route("/account/sessions", post(account::end_session))
        .route("/account/password", post(account::change_password))
        .route("/account/claim", post(account::claim))
        .route("/account/apps", get(account::apps).post(account::revoke))
        .route("/account/identities", get(account::identities).post(account::change_identities))
        .route("/account/mfa", get(factors::set_up).post(factors::confirm))
        .route("/account/passkeys", get(factors::registering).post(factors::register))
        .route("/account/passkeys/name", post(factors::name))
        .route("/account/factors/remove", get(factors::ask_removal).post(factors::remove))
        .route("/account/factors/keep", post(factors::keep))
        .route("/register", get(registration::form).post(registration::submit))
        .route("/verify", get(registration::verify_form).post(registration::verify))
        .route("/reset", get(registration::reset_form).post(registration::reset))
        .route("/bootstrap", get(registration::bootstrap_form).post(registration::bootstrap))
        .route("/smart-style.json", get(home::smart_style))
        .route("/assets/passkeys.js", get(factors::script))
        .route("/assets/bhn.css", get(home::style_sheet))
        .route("/assets/mark.svg", get(home::mark));
    let routes = match has_root {
        true => routes.route("/", get(home::home)),
        false => routes,
    };
    routes.layer(from_fn(problem::in_words))
}
