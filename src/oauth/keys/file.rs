//! The file whose key seals the private keys in the database: who has a copy of the database alone
//! signs nothing. Its first line seals; further lines are earlier keys, which open what they have
//! sealed until it is sealed anew.

use crate::clock::new_id;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Bytes of the key.
pub const KEY_BYTES: usize = 32;
/// Bytes of the file, at most.
const FILE_BYTES: u64 = 4 << 10;
/// Of a file: the present key and earlier ones.
const MOST_KEYS: usize = 16;
const OWNER_ALONE: u32 = 0o600;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("The key file {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "The key file {} can be read by others than its owner; run: chmod 600 {}",
        path.display(), path.display()
    )]
    Readable { path: PathBuf },
    #[error(
        "The key file {} does not hold 32 bytes in base64 in each of its lines, {MOST_KEYS} at \
         most; make one with: openssl rand -base64 32",
        path.display()
    )]
    Malformed { path: PathBuf },
}

/// The keys in the file, the one that seals first. None where there is no such file.
pub fn read(path: &Path) -> Result<Option<Vec<[u8; KEY_BYTES]>>, KeyFileError> {
    let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(KeyFileError::Readable { path: path.to_owned() });
    }
    let mut text = String::new();
    file.take(FILE_BYTES).read_to_string(&mut text).map_err(failed)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let key = |line: &str| STANDARD.decode(line).ok().and_then(|key| key.try_into().ok());
    let keys: Option<Vec<[u8; KEY_BYTES]>> = lines.map(key).collect();
    let keys = keys.filter(|keys| !keys.is_empty() && keys.len() <= MOST_KEYS);
    keys.map(Some).ok_or_else(|| KeyFileError::Malformed { path: path.to_owned() })
}

/// Writes a new key to a file that is not there yet. It is there whole or not at all, and of two
/// who make it one fails.
pub fn make(path: &Path, key: &[u8; KEY_BYTES]) -> Result<(), KeyFileError> {
    let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", new_id()));
    let beside = PathBuf::from(beside);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(OWNER_ALONE);
    let write = || {
        let mut file = options.open(&beside)?;
        file.write_all(format!("{}\n", STANDARD.encode(key)).as_bytes())?;
        file.sync_all()?;
        fs::hard_link(&beside, path)
    };
    let written = write();
    let _ = fs::remove_file(&beside);
    written.map_err(failed)
}

impl KeyFileError {
    /// True where somebody else was faster to make the file.
    pub fn is_there(&self) -> bool {
        let KeyFileError::Io { source, .. } = self else { return false };
        source.kind() == io::ErrorKind::AlreadyExists
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_73_a_key_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys").join("sealing.key");
        assert!(read(&path).unwrap().is_none());
        make(&path, &[7; KEY_BYTES]).unwrap();
        assert_eq!(read(&path).unwrap(), Some(vec![[7; KEY_BYTES]]));
        assert!(make(&path, &[8; KEY_BYTES]).is_err(), "a key is never written over");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::Readable { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "c2hvcnQ=").unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::Malformed { .. })));
        let [new, old] = [[8; KEY_BYTES], [7; KEY_BYTES]];
        let lines = format!("{}\n\n {} \n", STANDARD.encode(new), STANDARD.encode(old));
        fs::write(&path, &lines).unwrap();
        assert_eq!(read(&path).unwrap(), Some(vec![new, old]));
        for broken in ["", "\n", &format!("{lines}x\n"), &lines.repeat(9)] {
            fs::write(&path, broken).unwrap();
            assert!(matches!(read(&path), Err(KeyFileError::Malformed { .. })), "{broken}");
        }
    }
}
