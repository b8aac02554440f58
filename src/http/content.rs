//! Resources between bytes and values, in either format.

use super::negotiate::{Format, Looks};
use crate::error::{FhirError, Result};
use crate::fhir::xml::Layout;
use crate::fhir::{json, xml};
use crate::interactions::Content;
use crate::limits::Limits;
use bytes::Bytes;
use serde_json::Value;

/// Reading or writing this much takes long enough to leave the threads of connections free.
const BLOCKING_ABOVE_BYTES: usize = 256 << 10;

/// Reads a resource's JSON form from either format. Errors as of the two readers.
pub async fn read(format: Format, bytes: Bytes, limits: &Limits) -> Result<Value> {
    if bytes.len() <= BLOCKING_ABOVE_BYTES {
        return read_now(format, &bytes, limits);
    }
    let limits = limits.clone();
    aside(move || read_now(format, &bytes, &limits)).await
}

fn read_now(format: Format, bytes: &[u8], limits: &Limits) -> Result<Value> {
    match format {
        Format::Json => json::read(bytes, limits),
        Format::Xml => xml::read(bytes, limits),
    }
}

/// Writes what an interaction answered; None where it has no content. Stored JSON is sent as it
/// is wherever that will do.
pub async fn write(content: Content, looks: Looks) -> Result<Option<Bytes>> {
    let plain = Looks { format: Format::Json, is_pretty: false };
    let size = match &content {
        Content::None => return Ok(None),
        Content::Json(bytes) if looks == plain => return Ok(Some(bytes.clone())),
        Content::Json(bytes) => bytes.len(),
        // Of a value the size is not known; only Bundles come as values and grow large.
        Content::Value(value) if value.get("entry").is_some() => usize::MAX,
        Content::Value(_) => 0,
    };
    let write = move || match content {
        Content::None => Ok(None),
        Content::Json(bytes) => write_value(&value_of(&bytes)?, looks).map(Some),
        Content::Value(value) => write_value(&value, looks).map(Some),
    };
    match size <= BLOCKING_ABOVE_BYTES {
        true => write(),
        false => aside(write).await,
    }
}

/// Writes a value. 500 where it has no XML form: it was made or checked by this server.
pub fn write_value(value: &Value, looks: Looks) -> Result<Bytes> {
    match (looks.format, looks.is_pretty) {
        (Format::Json, false) => Ok(json::write(value).into()),
        (Format::Json, true) => Ok(json::write_pretty(value).into()),
        (Format::Xml, is_pretty) => {
            let layout = if is_pretty { Layout::Pretty } else { Layout::Compact };
            Ok(xml::write(value, layout).map_err(FhirError::internal)?.into())
        }
    }
}

/// The value of JSON that this server made: limits of requests do not apply.
pub fn value_of(bytes: &[u8]) -> Result<Value> {
    let unlimited = Limits {
        depth: usize::MAX,
        string_bytes: usize::MAX,
        array_items: usize::MAX,
        nodes: usize::MAX,
        ..Limits::default()
    };
    json::read(bytes, &unlimited).map_err(FhirError::internal)
}

/// Runs on the threads for long work.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(FhirError::internal(error)),
        },
    }
}
