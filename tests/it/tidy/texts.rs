//! Texts that must agree with the code: configuration headings, SQL files.

use super::{nothing_found, sources};
use bhn_fhir::cli::Cli;
use clap::CommandFactory;
use std::collections::BTreeSet;

#[test]
fn the_configuration_document_has_a_heading_for_each_variable_and_no_other() {
    let mut variables = BTreeSet::new();
    let cli = Cli::command();
    for command in cli.get_subcommands().chain([&cli]) {
        for argument in command.get_arguments() {
            variables.extend(argument.get_env().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    let document = &sources(&["docs"], "md")
        .into_iter()
        .find(|source| source.path == "docs/configuration.md")
        .expect("docs/configuration.md is there");
    let headings: BTreeSet<String> = document
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|heading| heading.trim().trim_matches('`').to_owned())
        .collect();
    let missing = variables.difference(&headings).map(|name| format!("no heading: {name}"));
    let unknown = headings.difference(&variables).map(|name| format!("no variable: {name}"));
    nothing_found(missing.chain(unknown).collect());
}

#[test]
fn sql_files_are_lower_case_and_each_is_used() {
    let code: String = sources(&["src"], "rs").into_iter().map(|source| source.text).collect();
    let mut found = Vec::new();
    for source in sources(&["src"], "sql") {
        let name = source.path.rsplit('/').next().unwrap();
        if !code.contains(&format!("sql/{name}\")")) {
            found.push(format!("{} is not used", source.path));
        }
        for (number, line) in (1..).zip(source.text.lines()) {
            let statement = line.split("--").next().unwrap_or_default();
            // Text between quotes keeps its case.
            let outside: String = statement.split('\'').step_by(2).collect();
            if outside.chars().any(char::is_uppercase) {
                found.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    nothing_found(found);
}

#[test]
fn migrations_are_numbered_without_gaps() {
    let migrations = sources(&["migrations"], "sql");
    for (number, migration) in (1..).zip(&migrations) {
        let expected = format!("migrations/{number:04}_");
        assert!(migration.path.starts_with(&expected), "{} is not {expected}", migration.path);
    }
}
