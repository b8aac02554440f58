//! `bhn-fhir config check`: where each setting of a server comes from, and whether they go
//! together. Values are never shown: some are secrets, and others are nobody's business.

use super::{Cli, Failure};
use crate::config::{Config, set_variables};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;

/// What is done about the settings.
#[derive(clap::Subcommand, Debug)]
pub enum ConfigCommand {
    /// Say where each setting of `serve` comes from, never what it is, and whether all go together.
    Check(Box<Config>),
}

/// 0 where a server would take the settings; 1 where it would not, or a variable is no setting.
pub fn run(command: ConfigCommand, arguments: Vec<OsString>) -> Result<ExitCode, Failure> {
    let ConfigCommand::Check(config) = command;
    let cli = Cli::command();
    let matches = cli.clone().try_get_matches_from(arguments)?;
    let (mut command, mut found) = (&cli, &matches);
    while let Some((name, within)) = found.subcommand() {
        command = command.find_subcommand(name).ok_or("the command is not there")?;
        found = within;
    }
    let mut known = BTreeSet::new();
    for argument in command.get_arguments().chain(cli.get_arguments()) {
        let Some(variable) = argument.get_env().and_then(|name| name.to_str()) else { continue };
        known.insert(variable.to_owned());
        println!("{variable:<30} {}", source(argument, found));
    }
    let mut is_well = true;
    for variable in set_variables().into_iter().filter(|name| !known.contains(name)) {
        println!("{variable:<30} is no setting of this server");
        is_well = false;
    }
    if let Err(error) = config.settings(config.server.listen) {
        println!("{error}");
        is_well = false;
    }
    Ok(ExitCode::from(u8::from(!is_well)))
}

fn source(argument: &Arg, matches: &ArgMatches) -> &'static str {
    match matches.value_source(argument.get_id().as_str()) {
        Some(ValueSource::CommandLine) => "argument",
        Some(ValueSource::EnvVariable) => "environment",
        Some(ValueSource::DefaultValue) => "default",
        _ => "not set",
    }
}
