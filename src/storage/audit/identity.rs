//! Who a node is: its name with some random letters, so that no two ever write under one name; the
//! number of its run; the key that its seals are signed by. In the journal's folder, or in memory
//! alone where there is none.

use super::journal::files::write_whole;
use crate::config::AuditSettings;
use crate::storage::StartError;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Letters of the configured name that are kept.
const NAME_LETTERS: usize = 20;

pub struct Identity {
    pub node: String,
    /// From 1; higher with each start.
    pub run: i64,
    pub key: Ed25519KeyPair,
    /// Held as long as the process lives.
    _lock: Option<File>,
}

/// The file `node`.
#[derive(Serialize, Deserialize)]
struct Known {
    node: String,
    run: i64,
}

impl Identity {
    /// That of the folder, made where there is none; a new one without a folder.
    pub fn take(settings: &AuditSettings) -> Result<Identity, StartError> {
        let Some(folder) = &settings.folder else {
            let key = Ed25519KeyPair::generate().map_err(no_key)?;
            return Ok(Identity { node: new_node(&settings.node)?, run: 1, key, _lock: None });
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(StartError::file(folder))?;
        let lock = lock(folder)?;
        let key = key(&folder.join("seal.key"))?;
        let path = folder.join("node");
        let known = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Known>(&bytes)
                .map_err(|_| StartError::Journal { path: path.clone(), at: 0 })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Known { node: new_node(&settings.node)?, run: 0 }
            }
            Err(source) => return Err(StartError::File { path, source }),
        };
        let known = Known { run: known.run + 1, ..known };
        let json = serde_json::json!({ "node": known.node, "run": known.run }).to_string();
        write_whole(&path, json.as_bytes())?;
        Ok(Identity { node: known.node, run: known.run, key, _lock: Some(lock) })
    }

    /// What seals are verified by.
    pub fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }
}

fn lock(folder: &Path) -> Result<File, StartError> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    let lock = options.write(true).create(true).truncate(false).open(&path);
    let lock = lock.map_err(StartError::file(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            Err(StartError::InUse { folder: folder.to_owned(), holder: String::new() })
        }
        Err(TryLockError::Error(source)) => Err(StartError::File { path, source }),
    }
}

fn key(path: &Path) -> Result<Ed25519KeyPair, StartError> {
    match fs::read(path) {
        Ok(bytes) => Ed25519KeyPair::from_pkcs8(&bytes)
            .map_err(|_| StartError::Journal { path: path.to_owned(), at: 0 }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(no_key)?;
            write_whole(path, made.as_ref())?;
            Ed25519KeyPair::from_pkcs8(made.as_ref())
                .map_err(|_| StartError::Journal { path: path.to_owned(), at: 0 })
        }
        Err(source) => Err(StartError::File { path: path.to_owned(), source }),
    }
}

/// Letters, digits and hyphens, as ids of AuditEvents may have them.
fn new_node(name: &str) -> Result<String, StartError> {
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(NAME_LETTERS)
        .collect();
    let mut random = [0; 5];
    aws_lc_rs::rand::fill(&mut random).map_err(no_key)?;
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{name}-{random}"))
}

fn no_key(_: aws_lc_rs::error::Unspecified) -> StartError {
    StartError::Cluster("The system gives no random numbers".to_owned())
}
