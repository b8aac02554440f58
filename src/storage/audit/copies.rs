//! Copies of the seals of a node, where who may do everything in the database may not: a folder
//! of files that are only ever added to. Verification holds the database to them, so that an end
//! of the audit that was cut off is found, too.

use super::journal::files::write_whole;
use super::verify::{StoredSeal, next_seal};
use crate::config::AuditSettings;
use crate::error::{FhirError, Result};
use crate::storage::store::Store;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const EXTENSION: &str = "seal";

/// Where the seals of this node are copied to.
pub struct Copies {
    folder: Option<PathBuf>,
    /// The number of the last one there, once it is known.
    last: tokio::sync::Mutex<Option<i64>>,
}

impl Copies {
    pub fn of(settings: &AuditSettings) -> Copies {
        Copies { folder: settings.seals.clone(), last: tokio::sync::Mutex::default() }
    }
}

impl Store {
    /// Copies the seals of this node that were not copied yet; how many.
    pub async fn copy_seals(&self) -> Result<usize> {
        let Some(audit) = &self.audit else { return Ok(0) };
        let Some(folder) = audit.copies.folder.clone() else { return Ok(0) };
        let mut last = audit.copies.last.lock().await;
        let mut n = match *last {
            Some(n) => n,
            None => newest(&folder, &audit.node)?,
        };
        let mut copied = 0;
        let mut connection = self.connection().await?;
        while let Some(seal) = next_seal(&mut connection, (&audit.node, n)).await? {
            let path = path(&folder, &audit.node, seal.n);
            let content = content(&audit.node, &seal).to_string();
            let written =
                tokio::task::spawn_blocking(move || write_whole(&path, content.as_bytes()));
            written.await.map_err(FhirError::internal)?.map_err(FhirError::internal)?;
            (n, copied) = (seal.n, copied + 1);
            *last = Some(n);
        }
        connection.release();
        Ok(copied)
    }
}

/// Whether the copy of a seal is another one; false where there is none.
pub fn differs(folder: &Path, node: &str, seal: &StoredSeal) -> bool {
    match fs::read(path(folder, node, seal.n)) {
        Ok(bytes) => serde_json::from_slice::<Value>(&bytes).ok() != Some(content(node, seal)),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

/// The number of the last seal of a node that was copied; 0 where there is none.
pub fn newest(folder: &Path, node: &str) -> Result<i64> {
    fs::create_dir_all(folder).map_err(FhirError::internal)?;
    let mut newest = 0;
    for entry in fs::read_dir(folder).map_err(FhirError::internal)? {
        let path = entry.map_err(FhirError::internal)?.path();
        let is_copy = path.extension().is_some_and(|extension| extension == EXTENSION);
        let name = path.file_stem().and_then(|name| name.to_str()).filter(|_| is_copy);
        let number = name.and_then(|name| name.strip_prefix(node)?.strip_prefix('.')?.parse().ok());
        newest = newest.max(number.unwrap_or(0));
    }
    Ok(newest)
}

fn path(folder: &Path, node: &str, n: i64) -> PathBuf {
    folder.join(format!("{node}.{n:012}.{EXTENSION}"))
}

fn content(node: &str, seal: &StoredSeal) -> Value {
    json!({
        "node": node,
        "n": seal.n,
        "before": STANDARD_NO_PAD.encode(&seal.before),
        "epoch": seal.epoch,
        "horizon": seal.horizon,
        "leaves": STANDARD_NO_PAD.encode(&seal.leaves),
        "missing": seal.missing,
        "root": STANDARD_NO_PAD.encode(&seal.root),
        "sealed": seal.sealed.timestamp_micros(),
        "signature": STANDARD_NO_PAD.encode(&seal.signature),
    })
}
