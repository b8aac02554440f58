//! Entries of a batch or transaction: <https://hl7.org/fhir/R4/http.html#transaction>.

use super::outcome::{Content, Outcome};
use crate::error::{FhirError, IssueCode, Result};
use crate::fhir::bundle::{Entry, Response};
use crate::fhir::interaction::{
    self, Body, Conditions, Handling, Method, Request, RequestParts, Returning,
};
use crate::fhir::outcome;
use crate::fhir::patch::{MEDIA_TYPES, Patch};
use crate::fhir::resource::Resource;
use crate::limits::Limits;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

/// An entry as it came.
pub struct RequestEntry {
    pub method: Method,
    pub full_url: Option<String>,
    /// `Bundle.entry[n]`.
    pub expression: String,
    pub request: Request,
}

/// Takes the entries out of a Bundle, unread.
pub fn take_entries(bundle: &mut Resource) -> Vec<Value> {
    match bundle.object_mut().get_mut("entry").map(Value::take) {
        Some(Value::Array(entries)) => entries,
        _ => Vec::new(),
    }
}

/// Takes the resource out of every entry of a Bundle.
pub fn take_resources(bundle: &mut Resource) -> Vec<Option<Value>> {
    let entries = bundle.object_mut().get_mut("entry").and_then(Value::as_array_mut);
    let take = |entry: &mut Value| entry.as_object_mut()?.shift_remove("resource");
    entries.map(|entries| entries.iter_mut().map(take).collect()).unwrap_or_default()
}

/// The entry with its resource back in place.
pub fn with_resource((mut entry, resource): (Value, Option<Value>)) -> Value {
    if let (Some(object), Some(resource)) = (entry.as_object_mut(), resource) {
        object.insert("resource".to_owned(), resource);
    }
    entry
}

/// Understands one entry. Issues name elements of the Bundle. An entry has no headers of its
/// own: the handling that the Bundle was sent with is that of its entries.
pub fn read(place: (Value, usize), handling: Handling, limits: &Limits) -> Result<RequestEntry> {
    let (entry, index) = place;
    let expression = format!("Bundle.entry[{index}]");
    let mut read =
        read_entry(entry, handling, limits).map_err(|error| error.within(&expression))?;
    read.expression = expression;
    Ok(read)
}

fn read_entry(entry: Value, handling: Handling, limits: &Limits) -> Result<RequestEntry> {
    let Value::Object(mut entry) = entry else {
        return Err(FhirError::at(IssueCode::Structure, "", "An entry is a JSON object"));
    };
    let Some(Value::Object(line)) = entry.remove("request") else {
        let text = "An entry of a batch or transaction has a request (bdl-3)";
        return Err(FhirError::at(IssueCode::Required, "request", text));
    };
    let name = text_of(&line, "method").unwrap_or_default();
    let method = Method::parse(name).ok_or_else(|| {
        let text = "The method is GET, HEAD, POST, PUT, PATCH or DELETE";
        FhirError::at(IssueCode::CodeInvalid, "request.method", text)
    })?;
    let url = text_of(&line, "url")
        .ok_or_else(|| FhirError::at(IssueCode::Required, "request.url", "A request has a url"))?;
    let resource = entry.remove("resource").map(Resource::from_value).transpose();
    let resource = resource.map_err(|error| error.within("resource"))?;
    let body = match (method, resource) {
        (_, None) => Body::None,
        (Method::Patch, Some(resource)) => Body::Patch(patch_of(resource, limits)?),
        (_, Some(resource)) => Body::Resource(resource),
    };
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    let conditions = Conditions {
        if_match: text_of(&line, "ifMatch"),
        if_none_match: text_of(&line, "ifNoneMatch"),
        if_modified_since: text_of(&line, "ifModifiedSince"),
        if_none_exist: text_of(&line, "ifNoneExist"),
    };
    let prefer = (handling == Handling::Lenient).then_some("handling=lenient");
    let parts = RequestParts { method, path, query, conditions, prefer, body };
    let request = interaction::read(parts)?;
    let full_url = text_of(&entry, "fullUrl").map(str::to_owned);
    Ok(RequestEntry { method, full_url, expression: String::new(), request })
}

fn text_of<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// A patch in a Bundle is Parameters, or a Binary with the document (http.html#patch).
fn patch_of(resource: Resource, limits: &Limits) -> Result<Patch> {
    match resource.resource_type().name() {
        "Parameters" => Ok(Patch::FhirPath(resource.into_value())),
        "Binary" => {
            let kind = text_of(resource.object(), "contentType").unwrap_or_default();
            let data = text_of(resource.object(), "data").unwrap_or_default();
            let broken = |text: &str| FhirError::invalid_value("resource.data", text);
            let data: String = data.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            let bytes = STANDARD.decode(data).map_err(|_| broken("The data is not base64"))?;
            let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            if !MEDIA_TYPES.contains(&kind.as_str()) {
                let text = format!("'{kind}' is no patch; {} are", MEDIA_TYPES.join(", "));
                return Err(FhirError::invalid_value("resource.contentType", text));
            }
            Patch::parse(&kind, &bytes, limits).map_err(|error| error.within("resource.data"))
        }
        other => {
            let text = format!("A patch is Parameters or a Binary with the patch, not a {other}");
            Err(FhirError::invalid_value("resource", text))
        }
    }
}

/// The answer to one entry (bundle.html#transaction-response).
pub fn answered(base_url: &str, returning: Option<Returning>, answer: Result<Outcome>) -> Entry {
    let mut outcome = match answer {
        Ok(outcome) => outcome,
        Err(error) => return refused(&error),
    };
    let location = outcome
        .version
        .as_ref()
        .map(|version| format!("{base_url}/{}/_history/{}", version.key, version.version));
    let full_url = outcome.version.as_ref().map(|version| format!("{base_url}/{}", version.key));
    let content = std::mem::replace(&mut outcome.content, Content::None).into_json();
    let is_read = outcome.is_read;
    let wants_resource = is_read || returning == Some(Returning::Representation);
    let resource = content.filter(|_| wants_resource);
    let issues = match (outcome.issues.is_empty(), returning) {
        (false, _) => Some(outcome::of_issues(&outcome.issues)),
        (true, Some(Returning::OperationOutcome)) if !is_read => Some(outcome::success()),
        _ => None,
    };
    Entry {
        full_url: full_url.filter(|_| resource.is_some() || outcome.is_created),
        resource,
        response: Some(Response {
            status: status_line(outcome.status),
            location: location.filter(|_| !is_read),
            etag: outcome.version.as_ref().map(|version| version.version),
            last_modified: outcome.version.as_ref().map(|version| version.last_updated),
            outcome: issues,
        }),
        ..Entry::default()
    }
}

/// An entry of a batch that failed.
fn refused(error: &FhirError) -> Entry {
    Entry {
        response: Some(Response {
            status: status_line(error.kind.status()),
            etag: error.version,
            outcome: Some(outcome::of_error(error)),
            ..Response::default()
        }),
        ..Entry::default()
    }
}

/// `201 Created`.
pub fn status_line(status: u16) -> String {
    match http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()) {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}

impl Content {
    /// The JSON of the resource, if there is one.
    pub fn into_json(self) -> Option<Bytes> {
        match self {
            Content::None => None,
            Content::Json(json) => Some(json),
            Content::Value(value) => Some(Bytes::from(value.to_string())),
        }
    }
}
