//! `/oauth/logout`: OpenID Connect RP-Initiated Logout 1.0. It ends the session, and online access
//! with it; an application may have its person sent back to a place that it is registered with.

use super::authorize::{form_target, redirect};
use super::posted::{self, Fields, Posted, TOKEN};
use super::problem::Problem;
use super::render::{self, Page};
use super::visit::Visit;
use crate::access::jwt::{self, VerificationKey};
use crate::oauth::AuthorizationServer;
use crate::oauth::events::SecurityEvent;
use crate::oauth::pages::about::{About, tell};
use askama::Template;
use axum::body::Body;
use axum::extract::{FromRequestParts, RawQuery, Request, State};
use axum::http::Response;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use std::sync::Arc;

/// What an application says. Each stands once.
const NAMES: [&str; 4] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"];
const MOST_STATE_BYTES: usize = 2_048;

#[derive(Template)]
#[template(path = "logout.html")]
struct Logout<'a> {
    page: Page<'a>,
    is_done: bool,
    /// What the form brings back.
    fields: Vec<(&'static str, &'a str)>,
}

/// The claims of an id_token of ours, which may have expired.
#[derive(Deserialize)]
struct Hint {
    iss: String,
    sub: String,
    aud: String,
}

/// A request that is good.
struct Asked {
    /// Where the person goes in the end.
    target: Option<String>,
    hint: Option<Hint>,
}

/// `GET`: ends the session where the hint is of who is signed in; else asks, so that a link of
/// another site does not do it.
pub async fn asked(visit: Visit, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let asked = read(&visit.server, &fields).await?;
    let Some(signed_in) = &visit.signed_in else { return done(&visit, asked) };
    let own = &signed_in.account.account;
    if asked.hint.as_ref().is_some_and(|hint| hint.sub == *own) {
        return end(visit, asked).await;
    }
    let kept = NAMES.iter().filter_map(|name| Some((*name, fields.find(name)?))).collect();
    let template = Logout { page: Page::of(&visit), is_done: false, fields: kept };
    let target = asked.target.as_deref().and_then(form_target);
    Ok(render::page(&visit, &template, &target.as_deref().into_iter().collect::<Vec<&str>>()))
}

/// `POST`: of our own form, or of an application, which is asked as by `GET`.
pub async fn leave(
    State(server): State<Arc<AuthorizationServer>>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (mut parts, body) = request.into_parts();
    let fields = posted::form(&parts.headers, body).await?;
    if fields.find(TOKEN).is_none() {
        let visit = Visit::from_request_parts(&mut parts, &server).await?;
        let path = format!("/oauth/logout?{}", fields.query(&NAMES));
        return Ok(render::see_other(&visit, &path));
    }
    let Posted { visit, fields } = Posted::of(parts, fields, &server).await?;
    let asked = read(&server, &fields).await?;
    end(visit, asked).await
}

async fn end(mut visit: Visit, asked: Asked) -> Result<Response<Body>, Problem> {
    if let Some(left) = visit.end().await? {
        let about = About { account: Some(&left.account.account), client: None };
        tell(&visit.server, SecurityEvent::SignedOut, about, &visit.origin).await?;
    }
    done(&visit, asked)
}

fn done(visit: &Visit, asked: Asked) -> Result<Response<Body>, Problem> {
    match asked.target {
        Some(target) => Ok(render::see_other(visit, &target)),
        None => {
            let template = Logout { page: Page::of(visit), is_done: true, fields: Vec::new() };
            Ok(render::page(visit, &template, &[]))
        }
    }
}

/// Checks the request. Where it is wrong nobody is sent anywhere.
async fn read(server: &AuthorizationServer, fields: &Fields) -> Result<Asked, Problem> {
    let wrong = |name: &str| Problem::bad_request(|texts| texts.wrong_logout, name);
    if let Some(name) = fields.repeated(&NAMES) {
        return Err(Problem::bad_request(|texts| texts.sent_twice, name));
    }
    let hint = match fields.find("id_token_hint") {
        Some(token) => Some(hint(server, token).await?.ok_or_else(|| wrong("id_token_hint"))?),
        None => None,
    };
    let of_hint = hint.as_ref().map(|hint| hint.aud.as_str());
    let client = fields.find("client_id").filter(|client| !client.contains('\0'));
    if client.is_some() && of_hint.is_some() && client != of_hint {
        return Err(wrong("client_id"));
    }
    let Some(uri) = fields.find("post_logout_redirect_uri") else {
        return Ok(Asked { target: None, hint });
    };
    let client = client.or(of_hint).ok_or_else(|| wrong("client_id"))?;
    let registered = server.context.store.post_logout_redirect_uris(client).await?;
    if !registered.iter().any(|own| own == uri) {
        return Err(wrong("post_logout_redirect_uri"));
    }
    let target = match fields.find("state") {
        Some(state) if state.len() > MOST_STATE_BYTES => return Err(wrong("state")),
        Some(state) => redirect(uri, &[("state", state)]),
        None => uri.to_owned(),
    };
    Ok(Asked { target: Some(target), hint })
}

/// An id_token of this server, also one that has expired; None for anything else.
async fn hint(server: &AuthorizationServer, token: &str) -> Result<Option<Hint>, Problem> {
    let header = jwt::header(token).filter(|header| header.alg == Algorithm::RS256);
    let Some(kid) = header.and_then(|header| header.kid) else { return Ok(None) };
    let keys = server.keys.public().await?;
    let key = keys.find(&kid).and_then(|jwk| VerificationKey::new(&kid, Algorithm::RS256, jwk));
    let hint = key.and_then(|key| key.claims::<Hint>(token));
    Ok(hint.filter(|hint| hint.iss == server.issuer()))
}
