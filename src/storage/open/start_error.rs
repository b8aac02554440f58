//! Why the store could not be opened. For the operator, on the command line and in the log.

use std::io;
use std::path::{Path, PathBuf};

/// What stands in the way of a start, with what to do about it where that is known.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(
        "The data folder {} is in use by another server{holder}. Stop that one, or choose \
         another folder with --data",
        folder.display()
    )]
    InUse { folder: PathBuf, holder: String },
    #[error(
        "No PostgreSQL server of version 15 or newer was found, neither on PATH nor in \
         /usr/lib/postgresql/*/bin. Install one (Debian: apt-get install postgresql), or set \
         DATABASE_URL to a running server"
    )]
    NoBinaries,
    #[error(
        "The data folder {} holds a PostgreSQL {cluster} cluster and only PostgreSQL {found} is \
         installed. Install PostgreSQL {cluster} beside it and run: \
         bhn-fhir upgrade-cluster --data {}",
        folder.display(), folder.display()
    )]
    ClusterOfOtherVersion { folder: PathBuf, cluster: u32, found: u32 },
    #[error(
        "The cluster must not run as root, and no other user could be chosen. Create one: \
         useradd --system --no-create-home bhn-fhir"
    )]
    NoUnprivilegedUser,
    #[error("{command} failed: {output}")]
    Command { command: String, output: String },
    #[error("The private PostgreSQL did not start; its log {} ends with: {tail}", log.display())]
    Postmaster { log: PathBuf, tail: String },
    #[error("DATABASE_URL: {0}")]
    DatabaseUrl(String),
    #[error("BHN_OWNER_DATABASE_URL: {0}")]
    OwnerDatabaseUrl(String),
    #[error(
        "The schema is not up to date, and the role of DATABASE_URL may not change it ({source}). \
         Set BHN_OWNER_DATABASE_URL to the owner's URL, here or for `bhn-fhir migrate`"
    )]
    NotOwner { source: sqlx::migrate::MigrateError },
    #[error(
        "DATABASE_URL leads to the database {serving}, BHN_OWNER_DATABASE_URL to {owned}: both \
         must lead to the same one"
    )]
    TwoDatabases { serving: String, owned: String },
    #[error("The database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("The keys of the audit: {0}")]
    AuditKeys(crate::error::FhirError),
    #[error("A migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error(
        "The table {table} of the database says {stored}, this server says {expected}. The \
         database belongs to a server with other definitions"
    )]
    Mismatch { table: &'static str, stored: String, expected: String },
    #[error(
        "The database holds index data of generation {newest}, this server knows {own}: it was \
         written by a newer server, and an older one must not go on with it"
    )]
    NewerIndex { newest: i16, own: i16 },
    #[error(
        "The journal of the audit is damaged: {} at byte {at}. What it holds from there on was \
         answered and is perhaps not in the database; keep the file, and move it away to start",
        path.display()
    )]
    Journal { path: PathBuf, at: usize },
    #[error(
        "The clock of this machine is {seconds} seconds behind that of the database; the audit \
         needs the right time"
    )]
    ClockBehind { seconds: i64 },
    #[error("{0}")]
    Cluster(String),
}

impl StartError {
    /// For `map_err` on file operations.
    pub(in crate::storage) fn file(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> StartError {
        let path = path.as_ref().to_owned();
        move |source| StartError::File { path, source }
    }
}
