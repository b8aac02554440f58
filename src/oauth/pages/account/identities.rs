//! `/account/identities`: by whom else a person may sign in.

use super::super::posted::Posted;
use super::super::problem::Problem;
use super::super::render::{self, Page};
use super::super::upstream;
use super::super::visit::{SignedIn, Visit};
use crate::oauth::events::SecurityEvent;
use crate::oauth::pages::about::{About, tell};
use askama::Template;
use axum::body::Body;
use axum::http::Response;
use chrono::Duration;

/// Linking asks for a sign-in that is no older.
const FRESH: Duration = Duration::minutes(15);

#[derive(Template)]
#[template(path = "identities.html")]
struct Identities<'a> {
    page: Page<'a>,
    lines: Vec<Line<'a>>,
}

/// A provider, and since when it is linked.
struct Line<'a> {
    id: &'a str,
    text: &'a str,
    since: Option<String>,
}

#[derive(Template)]
#[template(path = "identity_go.html")]
struct Go<'a> {
    page: Page<'a>,
    url: &'a str,
    text: &'a str,
}

/// The providers, with what is linked.
pub async fn identities(visit: Visit) -> Result<Response<Body>, Problem> {
    let signed_in = visit.complete(None)?;
    shown(&visit, &signed_in, None).await
}

async fn shown(
    visit: &Visit,
    signed_in: &SignedIn,
    problem: Option<String>,
) -> Result<Response<Body>, Problem> {
    let server = &visit.server;
    let linked = server.context.store.upstream_identities(&signed_in.account.account).await?;
    let since = |issuer: &str| {
        let own = linked.iter().find(|(own, _)| own == issuer);
        own.map(|(_, at)| at.format("%Y-%m-%d").to_string())
    };
    let lines = server.upstream.providers().iter().map(|provider| Line {
        id: provider.id(),
        text: provider.button(visit.texts.lang),
        since: since(provider.issuer()),
    });
    let status = if problem.is_some() { 422 } else { 200 };
    let page = Page::of(visit).with_problem(problem);
    let template = Identities { page, lines: lines.collect() };
    Ok(render::page_with(visit, &template, (status, &[])))
}

/// Whether the person has signed in here, and shortly before: nobody links by what a provider
/// says (AS-51).
pub async fn is_fresh(visit: &Visit, signed_in: &SignedIn) -> Result<bool, Problem> {
    let session = &signed_in.session;
    let is_upstream = visit.server.context.store.is_upstream_session(&session.hash).await?;
    Ok(!is_upstream && visit.now - session.created <= FRESH)
}

/// Links or removes a provider. Where it is linked the way leads there and back.
pub async fn change_identities(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    let signed_in = visit.complete(None)?;
    let wanted = fields.find("remove").or(fields.find("link")).unwrap_or_default();
    let provider = visit.server.upstream.provider(wanted);
    let provider = provider.ok_or_else(|| Problem::new(404, |texts| texts.not_found))?;
    if !is_fresh(&visit, &signed_in).await? {
        let problem = visit.texts.identity_fresh.to_owned();
        return shown(&visit, &signed_in, Some(problem)).await;
    }
    let account = signed_in.account.account.as_str();
    if fields.find("remove").is_some() {
        let issuer = provider.issuer();
        if visit.server.context.store.unlink_upstream(account, issuer).await? {
            let event = SecurityEvent::IdentityRemoved { issuer: issuer.to_owned() };
            let about = About { account: Some(account), client: None };
            tell(&visit.server, event, about, &visit.origin).await?;
        }
        return Ok(render::see_other(&visit, "/account/identities"));
    }
    // A form may not lead to another server; a link may.
    let url = upstream::begin(&visit, provider, (Some(account), None)).await?;
    let text = provider.button(visit.texts.lang);
    let template = Go { page: Page::of(&visit), url: &url, text };
    Ok(render::page(&visit, &template, &[]))
}
