//! Answers as HTTP: <https://hl7.org/fhir/R4/http.html>, sections "Response" of each
//! interaction, and <https://hl7.org/fhir/R4/http.html#Status-Codes>.

use super::binary::Stored;
use super::content;
use super::headers::{self, PATCH_TYPES};
use super::middleware::request_id::RequestId;
use super::negotiate::{BinaryForm, Looks, Wishes};
use crate::error::{ErrorKind, FhirError, Issue, IssueCode, Result, Severity};
use crate::fhir::interaction::{Interaction, Prefer, Returning};
use crate::fhir::outcome;
use crate::fhir::resource::ResourceKey;
use crate::fhir::subset::Subset;
use crate::interactions::{Content, Outcome, ResourceVersion};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{self, HeaderValue};
use axum::http::{HeaderMap, HeaderName, Method, Response, StatusCode};
use serde_json::Value;

/// What of a request concerns its answer.
pub struct Asked {
    pub wishes: Wishes,
    /// True for a create, update or patch of one resource, whose body `Prefer` decides.
    is_write: bool,
    /// True for a write whose URL does not name its resource: whichever it was, the client
    /// learns it by `Location`, also where there is no body.
    is_by_criteria: bool,
    /// True where a Binary may be sent in its own form.
    is_binary: bool,
    returning: Option<Returning>,
}

impl Asked {
    pub fn of(wishes: Wishes, interaction: &Interaction, rest: (Prefer, &Subset)) -> Self {
        let (prefer, subset) = rest;
        let is_write = matches!(
            interaction,
            Interaction::Create { .. }
                | Interaction::Update { .. }
                | Interaction::ConditionalUpdate { .. }
                | Interaction::Patch { .. }
                | Interaction::ConditionalPatch { .. }
        );
        let is_by_criteria = matches!(
            interaction,
            Interaction::Create { .. }
                | Interaction::ConditionalUpdate { .. }
                | Interaction::ConditionalPatch { .. }
        );
        let key = match interaction {
            Interaction::Read { key, .. } | Interaction::Vread { key, .. } => Some(key),
            _ => None,
        };
        let is_binary = key.is_some_and(|key: &ResourceKey| key.resource_type.name() == "Binary");
        let is_binary = is_binary && *subset == Subset::None;
        let returning = prefer.returning;
        Asked { wishes, is_write, is_by_criteria, is_binary, returning }
    }

    /// The form of the answer, before anything is done: nobody should have to learn of a 406
    /// after a write. A Binary's own form is chosen when its type is known.
    pub fn looks(&self) -> Result<Looks> {
        match self.is_binary {
            true => Ok(self.wishes.looks_of_error()),
            false => self.wishes.looks(),
        }
    }
}

/// The answer of an interaction. `base_url` without a slash at its end.
pub async fn answer(outcome: Outcome, asked: &Asked, base_url: &str) -> Result<Response<Body>> {
    let looks = asked.looks()?;
    let Outcome { status, content, version, is_created, issues, .. } = outcome;
    let content = match (asked.is_write && status < 300, asked.returning) {
        (true, Some(Returning::Minimal)) => Content::None,
        (true, Some(Returning::OperationOutcome)) => told(&issues, is_created),
        _ if content == Content::None && !issues.is_empty() => told(&issues, is_created),
        _ => content,
    };
    let has_resource = matches!(&content, Content::Json(_)) || is_of(&content, version.as_ref());
    let mut response = match binary_form(asked, status, &content)? {
        Some(response) => response,
        None => with_content(status, content, looks).await?,
    };
    if let Some(version) = &version {
        let is_told = is_created || (asked.is_by_criteria && status == 200);
        let is_body = status == 304 || (has_resource && status == 200);
        let place = (base_url, is_told, is_body);
        version_headers(response.headers_mut(), version, place);
    }
    Ok(response)
}

/// A Binary in its own form, where that is asked for.
fn binary_form(asked: &Asked, status: u16, content: &Content) -> Result<Option<Response<Body>>> {
    if !asked.is_binary || status != 200 {
        return Ok(None);
    }
    let Some(stored) = Stored::of(content)? else {
        return Ok(None);
    };
    match asked.wishes.binary(stored.content_type())? {
        BinaryForm::Native => stored.into_response().map(Some),
        BinaryForm::Resource(_) => Ok(None),
    }
}

async fn with_content(status: u16, content: Content, looks: Looks) -> Result<Response<Body>> {
    // These two have no body, whatever there is to say (RFC 9110, 15.3.5 and 15.4.5).
    let content = if matches!(status, 204 | 304) { Content::None } else { content };
    let mut response = empty(status);
    if let Some(bytes) = content::write(content, looks).await? {
        let kind = HeaderValue::from_static(looks.format.content_type());
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        *response.body_mut() = bytes.into();
    }
    Ok(response)
}

/// `ETag`, `Last-Modified`, `Location` of a create or of what criteria led to, and
/// `Content-Location` where the body is that version, or would be but for 304 (RFC 9110,
/// 15.4.5; http.html#versioning).
fn version_headers(headers: &mut HeaderMap, version: &ResourceVersion, place: (&str, bool, bool)) {
    let (base_url, is_told, is_body) = place;
    let ResourceVersion { key, version, last_updated } = version;
    let modified = last_updated.format("%a, %d %b %Y %H:%M:%S GMT");
    insert(headers, header::ETAG, &etag(*version));
    insert(headers, header::LAST_MODIFIED, &modified.to_string());
    let url = format!("{base_url}/{key}/_history/{version}");
    if is_told {
        insert(headers, header::LOCATION, &url);
    }
    if is_body {
        insert(headers, header::CONTENT_LOCATION, &url);
    }
}

fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

fn is_of(content: &Content, version: Option<&ResourceVersion>) -> bool {
    let Content::Value(value) = content else {
        return false;
    };
    let kind = value.get("resourceType").and_then(Value::as_str);
    version.is_some_and(|version| kind == Some(version.key.resource_type.name()))
}

/// An OperationOutcome for a success: what is to be said, or that all went well.
fn told(issues: &[Issue], is_created: bool) -> Content {
    if !issues.is_empty() {
        return Content::Value(outcome::of_issues(issues));
    }
    let text = if is_created { "Created" } else { "Done" };
    let issue = Issue::error(IssueCode::Informational, "", text);
    let issue = Issue { severity: Severity::Information, ..issue };
    Content::Value(outcome::of_issues(&[issue]))
}

/// An error as an OperationOutcome, with the headers that go with its status.
pub fn error(error: &FhirError, looks: Looks, request_id: &RequestId) -> Response<Body> {
    let mut value = outcome::of_error(error);
    if error.kind == ErrorKind::Internal {
        let text = format!("The server failed; its log has the cause under {request_id}");
        value["issue"][0]["diagnostics"] = text.into();
    }
    let mut response = empty(error.kind.status());
    let (bytes, format) = match content::write_value(&value, looks) {
        Ok(bytes) => (bytes, looks.format),
        Err(_) => (value.to_string().into(), super::negotiate::Format::Json),
    };
    *response.body_mut() = bytes.into();
    let headers = response.headers_mut();
    insert(headers, header::CONTENT_TYPE, format.content_type());
    if let Some(version) = error.version {
        insert(headers, header::ETAG, &etag(version));
    }
    let is_about = |place: &str| error.issues.iter().any(|issue| issue.expression == place);
    match error.kind {
        ErrorKind::MethodNotAllowed => {
            insert(headers, header::ALLOW, &format!("{}, OPTIONS", error.allow.join(", ")));
        }
        ErrorKind::Unavailable => insert(headers, header::RETRY_AFTER, "2"),
        ErrorKind::TooManyRequests => insert(headers, header::RETRY_AFTER, "1"),
        ErrorKind::Unauthorized => insert(headers, header::WWW_AUTHENTICATE, "Bearer"),
        ErrorKind::Forbidden if error.is_of_scope => {
            insert(headers, header::WWW_AUTHENTICATE, "Bearer error=\"insufficient_scope\"");
        }
        ErrorKind::UnsupportedMediaType if is_about("http.Content-Encoding") => {
            insert(headers, header::ACCEPT_ENCODING, "gzip, br, deflate");
        }
        ErrorKind::UnsupportedMediaType => insert(headers, headers::ACCEPT_PATCH, PATCH_TYPES),
        _ => {}
    }
    response
}

/// 200 to OPTIONS: what the path takes.
pub fn options(allowed: &[&str]) -> Response<Body> {
    let mut response = empty(204);
    let headers = response.headers_mut();
    insert(headers, header::ALLOW, &format!("{}, OPTIONS", allowed.join(", ")));
    if allowed.contains(&Method::PATCH.as_str()) {
        insert(headers, headers::ACCEPT_PATCH, PATCH_TYPES);
    }
    response
}

/// 404 to what no route is for.
pub async fn no_route(request: Request) -> Response<Body> {
    let found = FhirError::not_found("Nothing stands at this path, which");
    let looks = headers::wishes(request.uri().query(), request.headers(), None).looks_of_error();
    error(&found, looks, &RequestId::of(request.extensions()))
}

/// A response without headers and body.
pub fn empty(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// Values are made here of ids, numbers and settings; one that no header can hold is left out.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
