//! Request headers that carry meaning for FHIR, and the parts of a URL.

use super::negotiate::{Format, Wishes};
use crate::audit::purpose;
use crate::error::{FhirError, IssueCode, Result};
use crate::fhir::interaction::{Conditions, decode_query};
use crate::fhir::json;
use crate::fhir::resource::Resource;
use crate::limits::Limits;
use axum::http::{HeaderMap, HeaderName, header};

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
/// Of `User-Agent`, in the audit.
const USER_AGENT_BYTES: usize = 512;
const PURPOSE_OF_USE: HeaderName = HeaderName::from_static("purpose-of-use");
const X_PROVENANCE: HeaderName = HeaderName::from_static("x-provenance");
const X_SECURITY_CONTEXT: HeaderName = HeaderName::from_static("x-security-context");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");

/// The bodies that PATCH takes.
pub const PATCH_TYPES: &str = "application/json-patch+json, application/merge-patch+json, \
     application/xml-patch+xml, application/fhir+json, application/fhir+xml";

/// Headers as text, several lines of one name joined by commas.
#[derive(Default, Debug)]
pub struct Texts {
    if_match: Option<String>,
    if_none_match: Option<String>,
    if_modified_since: Option<String>,
    if_none_exist: Option<String>,
    pub prefer: Option<String>,
    pub content_type: Option<String>,
}

impl Texts {
    /// 400 where one of them is not text, or one that stands alone comes twice.
    pub fn read(headers: &HeaderMap) -> Result<Self> {
        Ok(Texts {
            if_match: joined(headers, &header::IF_MATCH)?,
            if_none_match: joined(headers, &header::IF_NONE_MATCH)?,
            if_modified_since: single(headers, &header::IF_MODIFIED_SINCE)?,
            if_none_exist: single(headers, &IF_NONE_EXIST)?,
            prefer: joined(headers, &PREFER)?,
            content_type: single(headers, &header::CONTENT_TYPE)?,
        })
    }

    pub fn conditions(&self) -> Conditions<'_> {
        Conditions {
            if_match: self.if_match.as_deref(),
            if_none_match: self.if_none_match.as_deref(),
            if_modified_since: self.if_modified_since.as_deref(),
            if_none_exist: self.if_none_exist.as_deref(),
        }
    }
}

/// What the client said about the form of the answer. Whatever is broken counts as not said:
/// the reader of the interaction refuses it.
pub fn wishes(query: Option<&str>, headers: &HeaderMap, sent: Option<Format>) -> Wishes {
    let parameters = decode_query(query.unwrap_or_default()).unwrap_or_default();
    let accept = joined(headers, &header::ACCEPT).ok().flatten();
    Wishes { accept, sent, ..Wishes::default() }.with(&parameters)
}

/// `Idempotency-Key`: 1 to 255 visible ASCII characters.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(key) = single(headers, &IDEMPOTENCY_KEY)? else {
        return Ok(None);
    };
    let is_key = (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    match is_key {
        true => Ok(Some(key)),
        false => {
            let why = "Idempotency-Key is 1 to 255 visible ASCII characters";
            Err(FhirError::invalid_value("http.Idempotency-Key", why))
        }
    }
}

/// `X-Provenance`: the JSON of a Provenance (provenance.html#header).
pub fn provenance(headers: &HeaderMap, limits: &Limits) -> Result<Option<Resource>> {
    let mut lines = headers.get_all(X_PROVENANCE).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(twice(&X_PROVENANCE));
    }
    let resource = json::read(line.as_bytes(), limits).and_then(Resource::from_value);
    let resource = resource.map_err(|error| error.within("http.X-Provenance"))?;
    match resource.resource_type().name() {
        "Provenance" => Ok(Some(resource)),
        other => {
            let why = format!("The header has a Provenance in JSON, not a {other}");
            Err(FhirError::invalid_value("http.X-Provenance", why))
        }
    }
}

/// `X-Security-Context`: the reference for `Binary.securityContext` (binary.html#security).
pub fn security_context(headers: &HeaderMap) -> Result<Option<String>> {
    single(headers, &X_SECURITY_CONTEXT)
}

/// `Authorization`, None where it is not sent. 400 where it comes twice.
pub fn authorization(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(twice(&header::AUTHORIZATION));
    }
    line.to_str().map(Some).map_err(|_| not_text(&header::AUTHORIZATION))
}

/// `User-Agent` as far as it is text, its first 512 bytes.
pub fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(text.get(..USER_AGENT_BYTES).unwrap_or(text).to_owned())
}

/// `Purpose-Of-Use`: what the caller says the request is for. 400 for codes that are none.
pub fn purposes(headers: &HeaderMap) -> Result<Vec<String>> {
    let Some(text) = joined(headers, &PURPOSE_OF_USE)? else { return Ok(Vec::new()) };
    purpose::read(&text).ok_or_else(|| {
        let text = "At most four codes of v3-PurposeOfUse apart by commas, such as TREAT or PATRQT";
        FhirError::invalid_value("http.Purpose-Of-Use", text)
    })
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>> {
    let mut text: Option<String> = None;
    for line in headers.get_all(name) {
        let line = line.to_str().map_err(|_| not_text(name))?;
        match &mut text {
            None => text = Some(line.to_owned()),
            Some(text) => {
                text.push_str(", ");
                text.push_str(line);
            }
        }
    }
    Ok(text)
}

/// A header that has one value. HTTP lets the same line be sent twice.
fn single(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>> {
    let mut lines = headers.get_all(name).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.any(|other| other != line) {
        return Err(twice(name));
    }
    // Criteria in If-None-Exist may hold UTF-8.
    let text = std::str::from_utf8(line.as_bytes()).map_err(|_| not_text(name))?;
    Ok(Some(text.to_owned()))
}

fn not_text(name: &HeaderName) -> FhirError {
    FhirError::invalid_value(format!("http.{name}"), format_args!("{name} is not text"))
}

fn twice(name: &HeaderName) -> FhirError {
    let why = format!("{name} is given more than once");
    FhirError::at(IssueCode::Invalid, format!("http.{name}"), why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn lines_of_a_list_are_joined_and_others_stand_alone() {
        let lists = headers(&[("if-match", "W/\"1\""), ("if-match", "W/\"2\""), ("prefer", "a")]);
        let texts = Texts::read(&lists).unwrap();
        assert_eq!(texts.conditions().if_match, Some("W/\"1\", W/\"2\""));
        assert_eq!(texts.prefer.as_deref(), Some("a"));
        let twice = headers(&[("if-none-exist", "a=b"), ("if-none-exist", "a=c")]);
        assert_eq!(Texts::read(&twice).unwrap_err().kind.status(), 400);
    }

    #[test]
    fn an_idempotency_key_is_visible_ascii() {
        let key = |value| idempotency_key(&headers(&[("idempotency-key", value)]));
        assert_eq!(key("a-1").unwrap().as_deref(), Some("a-1"));
        assert!(key("").is_err());
        assert!(key("a b").is_err());
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn a_provenance_comes_as_json_of_that_type() {
        let of = |value| {
            let headers = headers(&[("x-provenance", value)]);
            provenance(&headers, &Limits::default())
        };
        assert!(of("{\"resourceType\":\"Provenance\"}").unwrap().is_some());
        for broken in ["", "{", "[]", "{}", "{\"resourceType\":\"Patient\"}"] {
            let error = of(broken).unwrap_err();
            assert_eq!(error.kind.status(), 400, "{broken}");
            assert!(error.issues[0].expression.starts_with("http.X-Provenance"), "{broken}");
        }
    }
}
