//! `/account/apps`: what was granted to which application, and its end (the `management_endpoint`
//! of SMART App Launch 2.2).

use super::super::authorize::{Line, lines_of};
use super::super::posted::Posted;
use super::super::problem::Problem;
use super::super::render::{self, Page};
use super::super::visit::Visit;
use crate::oauth::events::SecurityEvent;
use crate::oauth::pages::about::{About, tell};
use askama::Template;
use axum::body::Body;
use axum::http::Response;

#[derive(Template)]
#[template(path = "apps.html")]
struct Apps<'a> {
    page: Page<'a>,
    apps: Vec<App>,
}

/// An application with what it may do.
struct App {
    client: String,
    name: String,
    publisher: String,
    since: String,
    until: String,
    lines: Vec<Line>,
}

/// Lists the applications, each once, with its newest grant.
pub async fn apps(visit: Visit) -> Result<Response<Body>, Problem> {
    let signed_in = visit.complete(None)?;
    let store = &visit.server.context.store;
    let mut apps: Vec<App> = Vec::new();
    for grant in store.grants_of(&signed_in.account.account, visit.now).await? {
        if apps.iter().any(|app| app.client == grant.client) {
            continue;
        }
        apps.push(App {
            client: grant.client,
            name: grant.name,
            publisher: grant.publisher.unwrap_or_default(),
            since: grant.created.format("%Y-%m-%d").to_string(),
            until: grant.expires.format("%Y-%m-%d").to_string(),
            lines: lines_of(&grant.scopes, visit.texts),
        });
    }
    let template = Apps { page: Page::of(&visit), apps };
    Ok(render::page(&visit, &template, &[]))
}

/// Ends everything that an application was granted.
pub async fn revoke(posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { visit, fields } = posted;
    let account = visit.complete(None)?.account.account;
    let client = fields.get("client");
    let store = &visit.server.context.store;
    let revoked = store.revoke_grants(&account, client, visit.now).await?;
    for grant in revoked {
        let about = About { account: Some(&account), client: Some(client) };
        let event = SecurityEvent::GrantRevoked { grant };
        tell(&visit.server, event, about, &visit.origin).await?;
    }
    Ok(render::see_other(&visit, "/account/apps"))
}
