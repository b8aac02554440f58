//! Binary in its own form, in and out: <https://hl7.org/fhir/R4/binary.html#rest>.

use super::content;
use super::headers;
use super::negotiate::BodyKind;
use super::{App, respond};
use crate::error::{FhirError, Result};
use crate::fhir::interaction::Body;
use crate::fhir::resource::Resource;
use crate::interactions::Content;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

const UNKNOWN_TYPE: &str = "application/octet-stream";

/// A path that takes the content of a Binary: `Binary`, or `Binary/id` with its id.
pub struct Target<'a> {
    id: Option<&'a str>,
}

/// None for paths that are not of Binary.
pub fn target(path: &str) -> Option<Target<'_>> {
    let path = path.trim_matches('/');
    match path.strip_prefix("Binary")? {
        "" => Some(Target { id: None }),
        rest => {
            let id = rest.strip_prefix('/')?;
            let is_id = !id.contains('/') && !id.starts_with(['_', '$']);
            is_id.then_some(Target { id: Some(id) })
        }
    }
}

/// Content that came for a Binary.
pub struct Sent<'a> {
    pub target: Target<'a>,
    pub content_type: &'a str,
    pub kind: BodyKind,
    pub bytes: &'a Bytes,
}

/// Makes the Binary of the content. `application/json` and the like may be the Binary itself,
/// and are taken for it where they read as one.
pub async fn read(app: &App, headers: &HeaderMap, sent: Sent<'_>) -> Result<Body> {
    let Sent { target, content_type, kind, bytes } = sent;
    if let BodyKind::Fhir { format, .. } = kind {
        let value = content::read(format, bytes.clone(), &app.settings.limits).await;
        let resource = value.and_then(Resource::from_value).ok();
        if let Some(resource) = resource.filter(|r| r.resource_type().name() == "Binary") {
            return Ok(Body::Resource(resource));
        }
    }
    let mut binary = json!({ "resourceType": "Binary" });
    if let Some(id) = target.id {
        binary["id"] = json!(id);
    }
    binary["contentType"] = json!(content_type.split_whitespace().collect::<Vec<_>>().join(" "));
    if let Some(reference) = headers::security_context(headers)? {
        binary["securityContext"] = json!({ "reference": reference });
    }
    if !bytes.is_empty() {
        let bytes = bytes.clone();
        binary["data"] = content::aside(move || Ok(json!(STANDARD.encode(bytes)))).await?;
    }
    Ok(Body::Resource(Resource::from_value(binary)?))
}

/// A stored Binary, taken apart.
pub struct Stored {
    value: Value,
}

impl Stored {
    /// None where the content is no Binary: an outcome, or nothing.
    pub fn of(content: &Content) -> Result<Option<Self>> {
        let value = match content {
            Content::None => return Ok(None),
            Content::Json(bytes) => content::value_of(bytes)?,
            Content::Value(value) => value.clone(),
        };
        let is_binary = value.get("resourceType").and_then(Value::as_str) == Some("Binary");
        Ok(is_binary.then_some(Stored { value }))
    }

    pub fn content_type(&self) -> &str {
        self.text("contentType").unwrap_or(UNKNOWN_TYPE)
    }

    /// The content as it was sent, in a response that no browser takes for a page of this
    /// origin. 500 where the data is not base64: writes are checked.
    pub fn into_response(self) -> Result<Response<axum::body::Body>> {
        let content_type = HeaderValue::from_str(self.content_type())
            .unwrap_or(HeaderValue::from_static(UNKNOWN_TYPE));
        let id = self.text("id").unwrap_or("binary").to_owned();
        let data: String = self.text("data").unwrap_or_default().split_ascii_whitespace().collect();
        let bytes = STANDARD.decode(data).map_err(FhirError::internal)?;
        let mut response = respond::empty(200);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
        let sandbox = HeaderValue::from_static("sandbox; default-src 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, sandbox);
        let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{id}\""));
        headers.insert(
            header::CONTENT_DISPOSITION,
            disposition.unwrap_or(HeaderValue::from_static("attachment")),
        );
        *response.body_mut() = bytes.into();
        Ok(response)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.value.get(name).and_then(Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_type_and_its_instances_take_content() {
        for path in ["Binary", "/Binary", "/Binary/", "Binary/1"] {
            assert!(target(path).is_some(), "{path}");
        }
        for path in ["", "Binary/_search", "Binary/$x", "Binary/1/$x", "BinaryX", "Patient/1"] {
            assert!(target(path).is_none(), "{path}");
        }
    }
}
