//! Where the programs of a PostgreSQL server are.

use crate::storage::StartError;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest major version that the schema runs on.
const OLDEST_MAJOR: u32 = 15;

/// Folders that packages install one subfolder per major version into, and what follows it.
const PACKAGE_FOLDERS: [(&str, &str); 3] =
    [("/usr/lib/postgresql", "bin"), ("/usr/libexec/postgresql", ""), ("/opt/postgresql", "bin")];

/// A folder with `postgres`, `initdb` and `pg_ctl` of one version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binaries {
    pub folder: PathBuf,
    pub major: u32,
}

/// Every usable installation, the newest first. `search_path` is the value of `PATH`; links on
/// it are followed to the folder that holds the whole installation.
pub fn find(search_path: Option<&OsStr>) -> Result<Vec<Binaries>, StartError> {
    let mut found: Vec<_> = folders(search_path)
        .into_iter()
        .filter_map(|folder| Some(Binaries { major: major_version(&folder)?, folder }))
        .filter(|binaries| binaries.major >= OLDEST_MAJOR)
        .collect();
    found.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
    match found.is_empty() {
        true => Err(StartError::NoBinaries),
        false => Ok(found),
    }
}

fn folders(search_path: Option<&OsStr>) -> BTreeSet<PathBuf> {
    let on_path = search_path.into_iter().flat_map(std::env::split_paths);
    let of_packages = PACKAGE_FOLDERS.iter().flat_map(|(parent, inner)| {
        let versions = std::fs::read_dir(parent).into_iter().flatten().flatten();
        versions.map(move |entry| entry.path().join(inner))
    });
    on_path
        .chain(of_packages)
        .filter_map(|folder| folder.join("postgres").canonicalize().ok())
        .filter_map(|program| program.parent().map(Path::to_owned))
        .filter(|folder| ["initdb", "pg_ctl"].iter().all(|name| folder.join(name).is_file()))
        .collect()
}

/// From `postgres (PostgreSQL) 15.18 (Debian ...)`.
fn major_version(folder: &Path) -> Option<u32> {
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    parse_major(&String::from_utf8_lossy(&output.stdout))
}

fn parse_major(text: &str) -> Option<u32> {
    let version =
        text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_numeric()))?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)";
        assert_eq!(parse_major(debian), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("something else"), None);
    }

    #[test]
    fn an_installation_behind_a_link_on_the_path_is_found_where_it_is() {
        let Ok(found) = find(None) else {
            return eprintln!("skipped: no PostgreSQL in a package folder");
        };
        let links = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(found[0].folder.join("postgres"), links.path().join("postgres"))
            .unwrap();
        let by_link = find(Some(links.path().as_os_str())).unwrap();
        assert_eq!(by_link, found);
    }
}
