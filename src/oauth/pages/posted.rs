//! Forms that are sent: from our own pages, of this browser, by a person who saw them.

use super::problem::Problem;
use super::visit::Visit;
use crate::oauth::AuthorizationServer;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::request::Parts;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const MOST_BYTES: usize = 64 << 10;
const SENT_WITHIN: Duration = Duration::from_secs(20);
/// The field that proves that a form is ours.
pub const TOKEN: &str = "form_token";

/// What a form takes of the query of its page.
const CARRIED: [&str; 3] = ["request", "next", "factor"];
/// Pages that a sign-in goes on to, by the names that queries have for them.
pub const NEXT: [(&str, &str); 2] = [("mfa", "/account/mfa"), ("passkeys", "/account/passkeys")];

/// Fields of a form, or of a query.
#[derive(Default)]
pub struct Fields(Vec<(String, String)>);

/// A form that was sent from one of our pages. Whatever changes something takes one.
pub struct Posted {
    pub visit: Visit,
    pub fields: Fields,
}

impl Fields {
    /// Those of a form that was read already.
    pub fn of<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Fields {
        Fields(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// With the value of a name in the place of those that it had.
    pub fn with(mut self, name: &str, value: &str) -> Fields {
        self.0.retain(|(own, _)| own != name);
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    pub fn parse(bytes: &[u8]) -> Fields {
        Fields(url::form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// The value, "" where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// None for a field that is missing or empty.
    pub fn find(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A name that comes twice, of these.
    pub fn repeated<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.all(name).count() > 1)
    }

    /// Where to go on after a sign-in: one of our own pages, by name.
    pub fn next(&self) -> Option<&'static str> {
        let asked = self.find("next")?;
        NEXT.into_iter().map(|(name, _)| name).find(|name| *name == asked)
    }

    /// Those of these names, as a query.
    pub fn query(&self, names: &[&str]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.0.iter().filter(|(name, _)| names.contains(&name.as_str())));
        query.finish()
    }

    /// The authorization request under way.
    pub fn request(&self) -> Option<&str> {
        self.find("request")
    }
}

impl FromRequest<Arc<AuthorizationServer>> for Posted {
    type Rejection = Problem;

    async fn from_request(
        request: Request,
        server: &Arc<AuthorizationServer>,
    ) -> Result<Posted, Problem> {
        let (parts, body) = request.into_parts();
        let fields = form(&parts.headers, body).await?;
        Posted::of(parts, fields, server).await
    }
}

impl Posted {
    /// The form of a request that was read. 403 where it is not one of our pages'.
    pub async fn of(
        mut parts: Parts,
        mut fields: Fields,
        server: &Arc<AuthorizationServer>,
    ) -> Result<Posted, Problem> {
        if !is_from_here(&parts.headers, server.issuer()) {
            return Err(Problem::new(403, |texts| texts.not_our_form));
        }
        let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let visit = Visit::from_request_parts(&mut parts, server).await?;
        if !visit.is_form_token(fields.get(TOKEN)) {
            return Err(Problem::new(403, |texts| texts.not_our_form));
        }
        for name in CARRIED {
            if let (None, Some(value)) = (fields.find(name), query.find(name)) {
                fields.0.push((name.to_owned(), value.to_owned()));
            }
        }
        Ok(Posted { visit, fields })
    }
}

/// The fields of a body. 415 for what is no form, 413 over 64 KiB, 408 where it comes too slowly.
pub async fn form(headers: &HeaderMap, body: Body) -> Result<Fields, Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/x-www-form-urlencoded" {
        return Err(Problem::new(415, |texts| texts.not_understood));
    }
    let bytes = timeout(SENT_WITHIN, to_bytes(body, MOST_BYTES)).await;
    let bytes = bytes.map_err(|_| Problem::new(408, |texts| texts.not_understood))?;
    let bytes = bytes.map_err(|_| Problem::new(413, |texts| texts.not_understood))?;
    Ok(Fields::parse(&bytes))
}

/// What browsers say of where a form comes from: no other site, and no frame.
fn is_from_here(headers: &HeaderMap, issuer: &str) -> bool {
    let of = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_framed = matches!(of("sec-fetch-dest"), Some("iframe" | "frame" | "embed" | "object"));
    let is_foreign = match (of("sec-fetch-site"), of(ORIGIN.as_str())) {
        (Some(site), _) => !["same-origin", "none"].contains(&site),
        (None, Some(origin)) => origin != issuer,
        (None, None) => false,
    };
    !is_framed && !is_foreign
}
