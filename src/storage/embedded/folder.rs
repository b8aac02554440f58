//! The data folder: the lock that keeps it to one server, and where its parts are.
//!
//! | path | what it is |
//! |---|---|
//! | `server.lock` | held by the running server |
//! | `postgres/` | the cluster, or a link to it |
//! | `socket/` | the unix socket, or a link to its folder |
//! | `postgres.log` | what the cluster says; `postgres.log.1` is the one before |

use super::owner::{self, Owner};
use crate::storage::StartError;
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A unix socket's path has room for 107 bytes; this is what PostgreSQL appends to its folder.
const SOCKET_FILE: &str = "/.s.PGSQL.5432";
const SOCKET_BYTES: usize = 107;

/// Log bytes that are kept on; a longer log moves to `postgres.log.1` at the next start.
const LOG_BYTES: u64 = 4 << 20;

/// A data folder that this process alone uses.
pub struct DataFolder {
    /// Absolute, without links.
    pub path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder where there is none, and takes its lock. Refused where another server
    /// holds it; the lock of a server that died, however it died, is gone with it.
    pub fn take(path: &Path) -> Result<DataFolder, StartError> {
        let is_root = owner::effective_uid() == Some(0);
        if !path.is_dir() {
            let mode = if is_root { 0o711 } else { 0o700 };
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(mode).create(path).map_err(StartError::file(path))?;
            fs::set_permissions(path, Permissions::from_mode(mode))
                .map_err(StartError::file(path))?;
        }
        let path = path.canonicalize().map_err(StartError::file(path))?;
        let lock_path = path.join("server.lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(StartError::file(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(path, lock)),
            Err(TryLockError::Error(source)) => {
                return Err(StartError::File { path: lock_path, source });
            }
        }
        let written = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        written.map_err(StartError::file(&lock_path))?;
        Ok(DataFolder { path, _lock: lock })
    }

    /// The folder above the cluster: the data folder, or one that `owner` can reach.
    pub fn home(&self, owner: Option<Owner>) -> Result<PathBuf, StartError> {
        let link = self.path.join("postgres");
        if let Ok(target) = fs::read_link(&link) {
            return Ok(target.parent().unwrap_or(&self.path).to_owned());
        }
        let Some(owner) = owner else { return Ok(self.path.clone()) };
        if is_reachable(&self.path, owner) {
            return Ok(self.path.clone());
        }
        let parent = Path::new("/var/lib/bhn-fhir");
        let home = parent.join(self.hash());
        fs::create_dir_all(&home).map_err(StartError::file(&home))?;
        for folder in [parent, &home] {
            fs::set_permissions(folder, Permissions::from_mode(0o711))
                .map_err(StartError::file(folder))?;
        }
        Ok(home)
    }

    /// The folder of the unix socket, made or checked: in `home`, or in a short one where that
    /// path is too long for a socket. Nobody else may enter it, therefore connections are
    /// trusted.
    pub fn socket_folder(&self, home: &Path, owner: Option<Owner>) -> Result<PathBuf, StartError> {
        let link = self.path.join("socket");
        let inside = home.join("socket");
        let fits = inside.as_os_str().len() + SOCKET_FILE.len() <= SOCKET_BYTES;
        let folder = match (fits, owner) {
            (true, _) => inside,
            (false, Some(_)) => Path::new("/run").join(self.hash()),
            (false, None) => Path::new("/tmp").join(self.hash()),
        };
        private_folder(&folder, owner)?;
        if folder != link && fs::read_link(&link).ok().as_ref() != Some(&folder) {
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(&folder, &link).map_err(StartError::file(&link))?;
        }
        Ok(folder)
    }

    pub fn log_path(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    /// The log, opened to be appended to.
    pub fn open_log(&self) -> Result<File, StartError> {
        let path = self.log_path();
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LOG_BYTES) {
            let _ = fs::rename(&path, self.path.join("postgres.log.1"));
        }
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        opened.map_err(StartError::file(&path))
    }

    /// Names this folder in places outside of it.
    fn hash(&self) -> String {
        let digest = Sha256::digest(self.path.as_os_str().as_encoded_bytes());
        let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("bhn-fhir-{hex}")
    }
}

/// Whether a process holds the folder's lock now.
pub fn is_taken(path: &Path) -> bool {
    let lock = OpenOptions::new().read(true).write(true).open(path.join("server.lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// A folder for `owner` alone. One that is there already must be exactly that.
pub fn private_folder(path: &Path, owner: Option<Owner>) -> Result<(), StartError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => match owner {
            Some(owner) => owner.take(path),
            None => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let metadata = fs::symlink_metadata(path).map_err(StartError::file(path))?;
            let uid = owner.map(|owner| owner.uid).or_else(owner::effective_uid);
            let is_private = metadata.is_dir() && metadata.mode() & 0o077 == 0;
            // Between the making of a folder and its giving away a start may have died.
            if let (true, Some(owner), 0) = (is_private, owner, metadata.uid()) {
                return owner.take(path);
            }
            match is_private && Some(metadata.uid()) == uid {
                true => Ok(()),
                false => Err(StartError::Cluster(format!(
                    "{} must be a folder that only the cluster's user may enter",
                    path.display()
                ))),
            }
        }
        Err(source) => Err(StartError::File { path: path.to_owned(), source }),
    }
}

fn in_use(folder: PathBuf, mut lock: File) -> StartError {
    let mut text = String::new();
    let _ = lock.rewind().and_then(|()| lock.read_to_string(&mut text));
    let holder = match text.trim().parse::<u32>() {
        Ok(process) => format!(" (process {process})"),
        Err(_) => String::new(),
    };
    StartError::InUse { folder, holder }
}

/// Whether that user may pass every folder on the way; asked of the kernel.
fn is_reachable(folder: &Path, owner: Owner) -> bool {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", ":"]).current_dir(folder).stdin(Stdio::null());
    owner.apply(&mut command);
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_refused_and_a_stale_lock_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let taken = DataFolder::take(&path).unwrap();
        let refused = DataFolder::take(&path).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("in use by another server (process"), "{refused}");
        drop(taken);
        assert!(path.join("server.lock").exists());
        DataFolder::take(&path).unwrap();
    }

    #[test]
    fn a_long_path_gets_a_short_socket_folder_and_a_link_to_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("x".repeat(90));
        let data = DataFolder::take(&path).unwrap();
        let socket = data.socket_folder(&data.path, None).unwrap();
        assert!(socket.as_os_str().len() + SOCKET_FILE.len() <= SOCKET_BYTES);
        assert_eq!(fs::read_link(data.path.join("socket")).unwrap(), socket);
        assert_eq!(data.socket_folder(&data.path, None).unwrap(), socket);
        fs::remove_dir(socket).unwrap();
    }

    #[test]
    fn a_socket_folder_open_to_others_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("socket");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        assert!(private_folder(&path, None).is_err());
    }
}
