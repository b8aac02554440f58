//! The body of a request, from the wire to what the reader of interactions takes.

use super::App;
use super::binary;
use super::content;
use super::headers::Texts;
use super::middleware::admission::Admitted;
use super::middleware::inflate::{Encoding, inflate};
use super::negotiate::{BodyKind, Format, unsupported};
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::interaction::{Body, Method, decode_query};
use crate::fhir::patch::Patch;
use crate::fhir::resource::Resource;
use axum::body::Body as Stream;
use axum::http::{HeaderMap, header, request};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// From here on a body has to come at [`LEAST_BYTES_PER_SECOND`] on the average.
const PATIENCE: Duration = Duration::from_secs(30);
const LEAST_BYTES_PER_SECOND: u64 = 1_024;

/// The bytes of a body, decompressed, and the room that was made for them, which is given back
/// when this is dropped: after the answer is made.
pub struct Loaded {
    pub bytes: Bytes,
    _admitted: Admitted,
}

/// Takes the body in. 413 over the limit or the ratio of decompression, 415 for an encoding
/// that is not taken, 503 where there is no room in time, 408 where it comes too slowly.
pub async fn load(app: &App, headers: &HeaderMap, stream: Stream) -> Result<Loaded> {
    let limits = &app.settings.limits;
    let encoding = Encoding::of(headers)?;
    let length = content_length(headers);
    if length.is_some_and(|length| length > limits.body_bytes as u64) {
        return Err(too_large(limits.body_bytes));
    }
    let weight = match (length, encoding) {
        (Some(length), None) => length as usize,
        (Some(length), Some(_)) => encoding_weight(length as usize, app),
        (None, _) => limits.body_bytes,
    };
    let mut admitted = app.admission.admit(weight).await?;
    let sent = collect(app, stream).await?;
    let bytes = match encoding {
        None => sent,
        Some(encoding) => {
            let limits = limits.clone();
            content::aside(move || inflate(encoding, &sent, &limits)).await?
        }
    };
    admitted.shrink(bytes.len());
    Ok(Loaded { bytes, _admitted: admitted })
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The most that a compressed body of this length may become.
fn encoding_weight(length: usize, app: &App) -> usize {
    let limits = &app.settings.limits;
    length.saturating_mul(limits.decompression_ratio).max(1 << 20).min(limits.body_bytes)
}

async fn collect(app: &App, mut stream: Stream) -> Result<Bytes> {
    let limit = app.settings.limits.body_bytes;
    let start = Instant::now();
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    loop {
        let frame = timeout(app.http.body_idle_timeout, stream.frame()).await;
        let frame = match frame.map_err(|_| too_slow())? {
            None => break,
            Some(frame) => frame
                .map_err(|error| FhirError::bad_request("The body broke off").with_source(error))?,
        };
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        let size = first.len() + all.len() + piece.len();
        if size > limit {
            return Err(too_large(limit));
        }
        let waited = start.elapsed();
        if waited > PATIENCE && (size as u64) < waited.as_secs() * LEAST_BYTES_PER_SECOND {
            return Err(too_slow());
        }
        // Most bodies are one piece, which need not be copied.
        if size == piece.len() {
            first = piece;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&piece);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// 413 `too-long`.
pub fn too_large(limit: usize) -> FhirError {
    let text = format!("The body is larger than {limit} bytes, decompressed");
    FhirError::new(ErrorKind::PayloadTooLarge, IssueCode::TooLong, text)
}

fn too_slow() -> FhirError {
    let text = "The body came too slowly";
    FhirError::new(ErrorKind::RequestTimeout, IssueCode::Timeout, text)
}

/// Reads the body for a request, by its Content-Type; `path` is the path after the base.
pub async fn read(
    app: &App,
    parts: &request::Parts,
    texts: &Texts,
    loaded: (&Loaded, &str),
) -> Result<Body> {
    let (Loaded { bytes, .. }, path) = loaded;
    let is_patch = parts.method == Method::Patch.as_str();
    let native = binary::target(path).filter(|_| !is_patch);
    if bytes.is_empty() && (native.is_none() || texts.content_type.is_none()) {
        return Ok(Body::None);
    }
    let kind = BodyKind::of(texts.content_type.as_deref());
    let kind = match (kind, native) {
        (Ok(kind), Some(target)) if !matches!(kind, BodyKind::Fhir { is_generic: false, .. }) => {
            let content_type = texts.content_type.as_deref().unwrap_or_default();
            let sent = binary::Sent { target, content_type, kind, bytes };
            return binary::read(app, &parts.headers, sent).await;
        }
        (kind, _) => kind?,
    };
    let limits = &app.settings.limits;
    match kind {
        BodyKind::Fhir { format, .. } => {
            let value = content::read(format, bytes.clone(), limits).await?;
            let resource = Resource::from_value(value)?;
            match (is_patch, resource.resource_type().name()) {
                (false, _) => Ok(Body::Resource(resource)),
                (true, "Parameters") => Ok(Body::Patch(Patch::FhirPath(resource.into_value()))),
                (true, other) => {
                    let why = format!("A FHIRPath Patch is a Parameters, not a {other}");
                    Err(FhirError::at(IssueCode::Invalid, "resourceType", why))
                }
            }
        }
        BodyKind::JsonPatch if is_patch => {
            let patch = content::read(Format::Json, bytes.clone(), limits).await?;
            Ok(Body::Patch(Patch::Json(patch)))
        }
        BodyKind::MergePatch if is_patch => {
            let patch = content::read(Format::Json, bytes.clone(), limits).await?;
            Ok(Body::Patch(Patch::Merge(patch)))
        }
        BodyKind::XmlPatch if is_patch => Ok(Body::Patch(Patch::Xml(bytes.to_vec()))),
        BodyKind::Form => form(app, bytes),
        BodyKind::JsonPatch | BodyKind::MergePatch | BodyKind::XmlPatch => {
            Err(unsupported("Patches are for PATCH"))
        }
        BodyKind::Other(found) => Err(unsupported(&format!("'{found}' is not taken here"))),
    }
}

fn form(app: &App, bytes: &[u8]) -> Result<Body> {
    if bytes.len() > app.http.form_bytes {
        return Err(too_large(app.http.form_bytes));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| FhirError::bad_request("The form is not UTF-8 in percent-encoding"))?;
    Ok(Body::Form(decode_query(text.trim_end())?))
}
