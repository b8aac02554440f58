//! The unprivileged user that a cluster belongs to where the server itself runs as root:
//! PostgreSQL refuses to run as root.

use crate::storage::StartError;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Made where there is no user of PostgreSQL's own packages.
const OWN_USER: &str = "bhn-fhir";

/// A user by number, with its primary group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
}

impl Owner {
    /// The user that owns the cluster in `pgdata`, else one to make it as. None where this
    /// process is not root: then everything runs as the user that it runs as.
    pub fn choose(pgdata: &Path) -> Result<Option<Owner>, StartError> {
        if effective_uid() != Some(0) {
            return Ok(None);
        }
        if let Ok(metadata) = std::fs::metadata(pgdata)
            && metadata.uid() != 0
        {
            return Ok(Some(Owner { uid: metadata.uid(), gid: metadata.gid() }));
        }
        named("postgres")
            .or_else(|| named(OWN_USER))
            .or_else(create)
            .map(Some)
            .ok_or(StartError::NoUnprivilegedUser)
    }

    /// Makes the command run as this user; its further groups are dropped with root.
    pub fn apply(self, command: &mut Command) {
        command.gid(self.gid).uid(self.uid);
    }

    /// Gives a file or folder to this user.
    pub fn take(self, path: &Path) -> Result<(), StartError> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .map_err(StartError::file(path))
    }
}

/// The user that this process acts as, or None where that cannot be told.
pub fn effective_uid() -> Option<u32> {
    if let Ok(metadata) = std::fs::metadata("/proc/self") {
        return Some(metadata.uid());
    }
    let output = Command::new("id").arg("-u").output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn named(name: &str) -> Option<Owner> {
    find_in(&std::fs::read_to_string("/etc/passwd").ok()?, name)
}

fn find_in(passwd: &str, name: &str) -> Option<Owner> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    let owner = Owner { uid: numbers.next()?.ok()?, gid: numbers.next()?.ok()? };
    (owner.uid != 0).then_some(owner)
}

fn create() -> Option<Owner> {
    let arguments =
        ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", OWN_USER];
    let status =
        Command::new("useradd").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).status();
    status.ok().filter(|status| status.success())?;
    named(OWN_USER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name_and_root_is_never_chosen() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgres2:x:7:8::/:/bin/sh\n\
                      postgres:x:101:104::/var/lib/postgresql:/bin/bash\n";
        assert_eq!(find_in(passwd, "postgres"), Some(Owner { uid: 101, gid: 104 }));
        assert_eq!(find_in(passwd, "root"), None);
        assert_eq!(find_in(passwd, "nobody"), None);
    }
}
