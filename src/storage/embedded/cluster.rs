//! One cluster on disk and the programs that work on it.

use super::binaries::{self, Binaries};
use super::folder::{DataFolder, private_folder};
use super::owner::Owner;
use super::settings;
use crate::storage::StartError;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The database of the server within the cluster, and the role that owns it.
pub const NAME: &str = "bhn_fhir";
/// The role that owns the cluster.
pub const SUPERUSER: &str = "postgres";

/// Variables that would change what PostgreSQL's programs do.
const FOREIGN_VARIABLES: [&str; 8] =
    ["PGDATA", "PGPORT", "PGHOST", "PGUSER", "PGDATABASE", "PGOPTIONS", "PGSSLMODE", "PGPASSFILE"];

/// A cluster of a data folder that this process has locked.
pub struct Cluster {
    pub folder: DataFolder,
    pub binaries: Binaries,
    pub owner: Option<Owner>,
    /// The folder above the cluster.
    pub home: PathBuf,
    pub pgdata: PathBuf,
    pub socket: PathBuf,
}

impl Cluster {
    /// Finds the cluster of the folder, or makes one. Its own major version is taken where
    /// that is installed; otherwise refused with the command to run.
    pub fn prepare(data: &Path, search_path: Option<&OsStr>) -> Result<Cluster, StartError> {
        let folder = DataFolder::take(data)?;
        let owner = Owner::choose(&folder.path.join("postgres"))?;
        let found = binaries::find(search_path)?;
        let home = folder.home(owner)?;
        let pgdata = home.join("postgres");
        let cluster_major = major_of(&pgdata)?;
        let binaries = match cluster_major {
            None => found.first(),
            Some(major) => found.iter().find(|binaries| binaries.major == major),
        };
        let Some(binaries) = binaries.cloned() else {
            let folder = folder.path.clone();
            let (cluster, found) = (cluster_major.unwrap_or(0), found[0].major);
            return Err(StartError::ClusterOfOtherVersion { folder, cluster, found });
        };
        let socket = folder.socket_folder(&home, owner)?;
        let cluster = Cluster { folder, binaries, owner, home, pgdata, socket };
        if cluster_major.is_none() {
            cluster.create()?;
        }
        cluster.link()?;
        Ok(cluster)
    }

    /// Makes the cluster under another name and moves it into place when it is whole, so that
    /// a start that dies on the way leaves nothing that looks like a cluster.
    fn create(&self) -> Result<(), StartError> {
        tracing::info!(
            postgres = self.binaries.major, folder = %self.pgdata.display(),
            "making a private PostgreSQL cluster"
        );
        let fresh = self.home.join("postgres.init");
        self.initdb(&fresh)?;
        self.configure(&fresh)?;
        let sql = format!("create role {NAME} login;\ncreate database {NAME} owner {NAME};\n");
        self.single_user(&fresh, &sql)?;
        fs::rename(&fresh, &self.pgdata).map_err(StartError::file(&self.pgdata))?;
        let home = File::open(&self.home).and_then(|folder| folder.sync_all());
        home.map_err(StartError::file(&self.home))
    }

    /// An empty cluster in `path`. Characters are classified by Unicode where the system has
    /// that locale; the order of strings is by code point.
    pub fn initdb(&self, path: &Path) -> Result<(), StartError> {
        let make = |character_locale: &str| {
            if path.exists() {
                fs::remove_dir_all(path).map_err(StartError::file(path))?;
            }
            private_folder(path, self.owner)?;
            let mut command = self.command("initdb");
            command.arg("--pgdata").arg(path).args(["--username", SUPERUSER]);
            command.args(["--encoding=UTF8", "--locale=C", "--auth=trust", "--data-checksums"]);
            command.args(["--no-instructions", "--lc-ctype", character_locale]);
            run(&mut command).map(|_| ())
        };
        make("C.UTF-8").or_else(|_| make("C"))
    }

    /// Writes the managed configuration files into the cluster in `pgdata`.
    pub fn configure(&self, pgdata: &Path) -> Result<(), StartError> {
        let path = pgdata.join("postgresql.conf");
        let present = fs::read_to_string(&path).unwrap_or_default();
        let is_lz4 = present.contains("wal_compression = lz4") || self.has_lz4(pgdata);
        let compression = if is_lz4 { "lz4" } else { "pglz" };
        let text = settings::configuration(settings::memory_bytes(), compression);
        self.write(&path, &text)?;
        let local = pgdata.join("local.conf");
        if !local.exists() {
            self.write(&local, settings::LOCAL_CONFIGURATION)?;
        }
        self.write(&pgdata.join("pg_hba.conf"), settings::HOST_BASED_AUTHENTICATION)
    }

    /// Whether the binaries were built with lz4.
    fn has_lz4(&self, pgdata: &Path) -> bool {
        let mut command = self.command("postgres");
        command.arg("-D").arg(pgdata);
        command.args(["-C", "wal_compression", "-c", "wal_compression=lz4"]);
        command.args(["-c", "default_toast_compression=lz4"]);
        run(&mut command).is_ok()
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), StartError> {
        if fs::read_to_string(path).is_ok_and(|present| present == text) {
            return Ok(());
        }
        let fresh = path.with_extension("new");
        fs::write(&fresh, text).map_err(StartError::file(&fresh))?;
        if let Some(owner) = self.owner {
            owner.take(&fresh)?;
        }
        fs::rename(&fresh, path).map_err(StartError::file(path))
    }

    /// Runs statements, one a line, without a server.
    fn single_user(&self, pgdata: &Path, sql: &str) -> Result<(), StartError> {
        let mut command = self.command("postgres");
        command.args(["--single", "-j", "-D"]).arg(pgdata).arg("postgres");
        let failed = |error: std::io::Error| StartError::Command {
            command: "postgres --single".to_owned(),
            output: error.to_string(),
        };
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            let statements = sql.replace('\n', "\n\n");
            stdin.write_all(statements.as_bytes()).map_err(failed)?;
        }
        let output = child.wait_with_output().map_err(failed)?;
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.success() && !said.contains("ERROR:") {
            true => Ok(()),
            false => Err(StartError::Command {
                command: "postgres --single".to_owned(),
                output: said.trim().to_owned(),
            }),
        }
    }

    /// `postgres/` of the data folder leads to the cluster, wherever that is.
    fn link(&self) -> Result<(), StartError> {
        let link = self.folder.path.join("postgres");
        if link == self.pgdata || fs::read_link(&link).is_ok() {
            return Ok(());
        }
        std::os::unix::fs::symlink(&self.pgdata, &link).map_err(StartError::file(&link))
    }

    /// Beside the socket; names the postmaster that made it.
    pub fn socket_lock(&self) -> PathBuf {
        self.socket.join(".s.PGSQL.5432.lock")
    }

    /// A program of the cluster's version, run as its owner, with an environment that says
    /// nothing to it.
    pub fn command(&self, program: &str) -> Command {
        command(&self.binaries.folder.join(program), self.owner)
    }
}

/// As [`Cluster::command`], for a program anywhere.
pub fn command(program: &Path, owner: Option<Owner>) -> Command {
    let mut command = Command::new(program);
    for name in FOREIGN_VARIABLES {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
    if let Some(owner) = owner {
        owner.apply(&mut command);
    }
    command
}

/// What the command printed. Refused with its error output where it fails.
pub fn run(command: &mut Command) -> Result<String, StartError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| StartError::Command {
        command: name.clone(),
        output: error.to_string(),
    })?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let mut text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            if text.is_empty() {
                text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            }
            Err(StartError::Command { command: name, output: text })
        }
    }
}

/// The major version of the cluster there, or None where there is no cluster.
pub fn major_of(pgdata: &Path) -> Result<Option<u32>, StartError> {
    let path = pgdata.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| {
            StartError::Cluster(format!("{} holds no version number", path.display()))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StartError::File { path, source }),
    }
}
