//! The commands of `bhn-fhir`, a file each.

mod audit;
mod beside;
mod check;
mod config;
mod database;
mod import;
mod log_buffer;
mod logging;
mod migrate;
mod reindex;
mod serve;
mod sign_in;
mod signals;
mod upgrade_cluster;

use crate::config::{
    AuditCommand, BesideConfig, Config, DatabaseConfig, ImportConfig, LogConfig, ReindexConfig,
};
use clap::{Parser, Subcommand};
use config::ConfigCommand;
use sign_in::client::ClientConfig;
use sign_in::keys::KeysConfig;
use sign_in::user::UserConfig;
use std::process::ExitCode;

/// Why a command ended without success; printed as it is.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// An HL7 FHIR R4 server over PostgreSQL.
#[derive(Parser, Debug)]
#[command(name = "bhn-fhir", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub log: LogConfig,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serve FHIR until interrupted; without DATABASE_URL on a private PostgreSQL.
    Serve(Box<Config>),
    /// Load Bundles and NDJSON from files, archives and folders.
    Import(Box<ImportConfig>),
    /// Build all index data anew from the stored resources, also beside a running server.
    Reindex(Box<ReindexConfig>),
    /// Say what in the store is not as it should be; changes nothing.
    Check(Box<BesideConfig>),
    /// Verify or export the audit, or take old months out of it.
    #[command(subcommand)]
    Audit(Box<AuditCommand>),
    /// Bring the schema of the database up to date, and end.
    Migrate(DatabaseConfig),
    /// Make and change accounts of people.
    User(Box<UserConfig>),
    /// Register applications and systems that may ask for tokens.
    Client(Box<ClientConfig>),
    /// Show and renew the keys that tokens are signed with.
    Keys(Box<KeysConfig>),
    /// Say where the settings of a server come from, and whether they go together.
    #[command(subcommand)]
    Config(Box<ConfigCommand>),
    /// Move the private PostgreSQL to the newest installed major version.
    UpgradeCluster(DatabaseConfig),
}

/// The code of a command that says by 1 that something was found, and could not come to its end.
const FAILED: u8 = 2;

/// Runs the command to its end. Needs a tokio runtime.
pub async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let log = logging::start(&cli.log)?;
    let result = match cli.command {
        Command::Serve(config) => serve::serve(*config).await.map(done),
        Command::Import(config) => Ok(import::run(*config).await.unwrap_or_else(failed)),
        Command::Reindex(config) => Ok(reindex::run(*config).await.unwrap_or_else(failed)),
        Command::Check(config) => Ok(check::run(*config).await.unwrap_or_else(failed)),
        Command::Audit(command) => Ok(audit::run(*command).await.unwrap_or_else(failed)),
        Command::Migrate(config) => migrate::migrate(config).await.map(done),
        Command::User(config) => sign_in::user::run(*config).await.map(done),
        Command::Client(config) => sign_in::client::run(*config).await.map(done),
        Command::Keys(config) => sign_in::keys::run(*config).await.map(done),
        Command::Config(command) => {
            Ok(config::run(*command, std::env::args_os().collect()).unwrap_or_else(failed))
        }
        Command::UpgradeCluster(config) => upgrade_cluster::upgrade_cluster(config).await.map(done),
    };
    log.flush();
    result
}

fn done(_: ()) -> ExitCode {
    ExitCode::SUCCESS
}

fn failed(error: Failure) -> ExitCode {
    eprintln!("bhn-fhir: {error}");
    ExitCode::from(FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_and_their_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
