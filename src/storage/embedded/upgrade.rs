//! `bhn-fhir upgrade-cluster`: the private cluster moved to the newest installed major version
//! by `pg_upgrade`, which needs the binaries of both versions.

use super::binaries::{self, Binaries};
use super::cluster::{self, Cluster, SUPERUSER, major_of, run};
use super::folder::{DataFolder, private_folder};
use super::owner::Owner;
use super::{EmbeddedPostgres, EmbeddedSettings, postmaster::Postmaster};
use crate::storage::StartError;
use std::fs;
use std::path::PathBuf;

/// What an upgrade did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Upgrade {
    /// The cluster is of the newest installed version already.
    Unneeded { major: u32 },
    /// The old cluster was kept aside, for the operator to remove.
    Done { from: u32, to: u32, kept: PathBuf },
}

/// Moves the cluster of the folder to the newest installed version. The old one stays as it
/// was until the new one is whole.
pub fn upgrade(settings: &EmbeddedSettings) -> Result<Upgrade, StartError> {
    let found = binaries::find(settings.search_path.as_deref())?;
    let newest = found[0].clone();
    let major = {
        let folder = DataFolder::take(&settings.data)?;
        let owner = Owner::choose(&folder.path.join("postgres"))?;
        let pgdata = folder.home(owner)?.join("postgres");
        major_of(&pgdata)?
    };
    let Some(major) = major else {
        let text = format!("{} holds no cluster", settings.data.display());
        return Err(StartError::Cluster(text));
    };
    if major >= newest.major {
        return Ok(Upgrade::Unneeded { major });
    }
    let old = Cluster::prepare(&settings.data, settings.search_path.as_deref())?;
    let kept = move_to(old, newest.clone())?;
    // Statistics are not carried over.
    let running = EmbeddedPostgres::start(settings)?;
    let mut analyze = cluster::command(&newest.folder.join("vacuumdb"), None);
    analyze.args(["--all", "--analyze-only", "--username", SUPERUSER, "--host"]);
    run(analyze.arg(&running.socket))?;
    Ok(Upgrade::Done { from: major, to: newest.major, kept })
}

/// Makes a cluster of the new version beside the old one, fills it, and swaps the two.
fn move_to(old: Cluster, newest: Binaries) -> Result<PathBuf, StartError> {
    // A cluster that was not shut down cleanly must recover first.
    Postmaster::start(&old)?.stop(&old);
    let fresh = old.home.join("postgres.upgrade");
    let from = old.binaries.clone();
    let new = Cluster { binaries: newest, ..old };
    new.initdb(&fresh)?;
    let work = new.home.join("upgrade");
    private_folder(&work, new.owner)?;
    let mut command = new.command("pg_upgrade");
    command.current_dir(&work).args(["--username", SUPERUSER]);
    command.arg("--old-bindir").arg(&from.folder).arg("--old-datadir").arg(&new.pgdata);
    command.arg("--new-bindir").arg(&new.binaries.folder).arg("--new-datadir").arg(&fresh);
    command.arg("--socketdir").arg(&new.socket);
    run(&mut command)?;
    new.configure(&fresh)?;
    let local = new.pgdata.join("local.conf");
    if local.exists() {
        let copy = fresh.join("local.conf");
        fs::copy(&local, &copy).map_err(StartError::file(&copy))?;
        new.owner.map_or(Ok(()), |owner| owner.take(&copy))?;
    }
    let kept = new.home.join(format!("postgres.{}", from.major));
    fs::rename(&new.pgdata, &kept).map_err(StartError::file(&kept))?;
    fs::rename(&fresh, &new.pgdata).map_err(StartError::file(&new.pgdata))?;
    fs::remove_dir_all(&work).map_err(StartError::file(&work))?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_carried_over_whole_and_the_old_one_is_kept() {
        let parent = tempfile::tempdir().unwrap();
        if Owner::choose(parent.path()).is_ok_and(|owner| owner.is_some()) {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o711)).unwrap();
        }
        let data = parent.path().join("data");
        let cluster = match Cluster::prepare(&data, None) {
            Ok(cluster) => cluster,
            Err(StartError::NoBinaries) => return eprintln!("skipped: no PostgreSQL"),
            Err(error) => panic!("{error}"),
        };
        // The same version stands for a newer one; pg_upgrade does the same work.
        let newest = cluster.binaries.clone();
        let major = newest.major;
        let kept = move_to(cluster, newest).unwrap();
        assert!(kept.join("PG_VERSION").exists());
        let settings = EmbeddedSettings { data, search_path: None };
        assert_eq!(upgrade(&settings).unwrap(), Upgrade::Unneeded { major });
        drop(EmbeddedPostgres::start(&settings).unwrap());
    }
}
