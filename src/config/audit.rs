//! How the audit is kept, and what is done about it.

use super::{BesideConfig, DatabaseConfig};
use crate::fhir::types::instant_range;
use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use clap::{ArgAction, Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// How the audit is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditSettings {
    /// Of the journal, the key of seals and the name of the node; None to have no journal.
    pub folder: Option<PathBuf>,
    pub durability: AuditDurability,
    /// Bytes of the journal that the database may not have yet; beyond, nothing is answered.
    pub backlog_bytes: u64,
    /// What the node is called.
    pub node: String,
    /// Folder that seals are copied to.
    pub seals: Option<PathBuf>,
}

/// What an answer waits for.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditDurability {
    /// Its event is written to the journal: the end of the process loses nothing.
    Journal,
    /// The disk has it: the end of the machine loses nothing.
    Strict,
    /// The database has it; there is no journal.
    Database,
}

impl Default for AuditSettings {
    fn default() -> Self {
        AuditSettings {
            folder: None,
            durability: AuditDurability::Database,
            backlog_bytes: 1 << 30,
            node: "node".to_owned(),
            seals: None,
        }
    }
}

/// How the audit is kept.
#[derive(Args, Clone, Debug)]
pub struct AuditConfig {
    /// Whether there is an audit; there always is, but with --insecure-no-auth only if asked for.
    #[arg(long, env = "BHN_AUDIT", action = ArgAction::Set)]
    pub audit: Option<bool>,
    /// Folder of the audit's journal and keys; in the data folder where DATABASE_URL is not set.
    #[arg(long, env = "BHN_AUDIT_FOLDER")]
    pub audit_folder: Option<PathBuf>,
    /// What an answer waits for: its event in the journal, on the disk, or in the database.
    #[arg(long, env = "BHN_AUDIT_DURABILITY", default_value = "journal")]
    pub audit_durability: AuditDurability,
    /// Bytes of the journal that the database may not have yet; beyond, nothing is answered.
    #[arg(long, env = "BHN_AUDIT_BACKLOG_BYTES", default_value_t = 1 << 30)]
    pub audit_backlog_bytes: u64,
    /// What this node is called in the audit.
    #[arg(long, env = "BHN_AUDIT_NODE", default_value = "bhn")]
    pub audit_node: String,
    /// Folder that seals are copied to, better where the server may only add.
    #[arg(long, env = "BHN_AUDIT_SEALS_FOLDER")]
    pub audit_seals_folder: Option<PathBuf>,
}

/// What is done about the audit.
#[derive(Subcommand, Clone, Debug)]
pub enum AuditCommand {
    /// Say which events were edited, removed, inserted or reordered; changes nothing.
    Verify(AuditTimeConfig),
    /// Write the AuditEvents of a time to standard output, a line each.
    Export(AuditTimeConfig),
    /// Write a report about who saw what to standard output, as comma-separated values.
    Report(AuditReportConfig),
    /// Take the months before a day, seven years ago or more, out of the audit, to be archived.
    Detach(AuditDetachConfig),
}

/// What `audit verify` and `audit export` take.
#[derive(Args, Clone, Debug)]
pub struct AuditTimeConfig {
    /// From this day or instant on.
    #[arg(long, value_parser = parse_instant)]
    pub from: Option<DateTime<Utc>>,
    /// Before this day or instant.
    #[arg(long, value_parser = parse_instant)]
    pub to: Option<DateTime<Utc>>,
    /// The key of a node, as hexadecimal digits: seals by others are then refused. Repeat it for
    /// each node.
    #[arg(long = "key", value_parser = parse_hex)]
    pub keys: Vec<Vec<u8>>,
    /// Folder with copies of seals: `verify` holds the database to them.
    #[arg(long, env = "BHN_AUDIT_SEALS_FOLDER")]
    pub seals: Option<PathBuf>,
    /// The key file of the server: without it an export has no queries and no reasons.
    #[arg(long, env = "BHN_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    #[command(flatten)]
    pub beside: BesideConfig,
}

/// What `audit report` takes.
#[derive(Args, Clone, Debug)]
pub struct AuditReportConfig {
    /// Which one.
    pub report: ReportName,
    /// Of `access`: the patient whom it is about, as logical id.
    #[arg(long, required_if_eq("report", "access"))]
    pub patient: Option<String>,
    /// From this day or instant on.
    #[arg(long, value_parser = parse_instant)]
    pub from: Option<DateTime<Utc>>,
    /// Before this day or instant.
    #[arg(long, value_parser = parse_instant)]
    pub to: Option<DateTime<Utc>>,
    /// What is reported is more than this: patients or refusals of a day, 50 by default; of
    /// export-volume resources, 10,000; of after-hours patients, 0.
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
    pub more_than: Option<i64>,
    /// Night of after-hours: the hours at which it begins and ends, in --default-zone.
    #[arg(long, default_value = "20-6", value_parser = parse_night)]
    pub night: (u32, u32),
    #[command(flatten)]
    pub beside: BesideConfig,
}

/// What can be reported.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportName {
    /// Everybody who saw or changed what is about one patient.
    Access,
    /// People who saw patients of their own family name.
    SameSurname,
    /// Who saw many patients on one day.
    MassAccess,
    /// Staff who saw patients at night.
    AfterHours,
    /// Who was given many resources on one day.
    ExportVolume,
    /// Who was refused often on one day.
    Refusals,
}

/// What `audit detach` takes.
#[derive(Args, Clone, Debug)]
pub struct AuditDetachConfig {
    /// Months that ended before this day: YYYY-MM-DD.
    #[arg(long)]
    pub before: NaiveDate,
    #[command(flatten)]
    pub database: DatabaseConfig,
}

impl AuditConfig {
    /// None where there is none, which only a server without sign-in may have.
    pub(super) fn settings(
        &self,
        database: &DatabaseConfig,
        is_insecure: bool,
    ) -> Result<Option<AuditSettings>, String> {
        match (self.audit, is_insecure) {
            (Some(true), _) | (None, false) => {}
            (Some(false) | None, true) => return Ok(None),
            (Some(false), false) => {
                return Err("BHN_AUDIT=false is for servers with --insecure-no-auth".to_owned());
            }
        }
        let in_data = || database.data.join("audit");
        let folder = match (&self.audit_folder, self.audit_durability) {
            (Some(folder), _) => Some(folder.clone()),
            (None, _) if database.database_url.is_none() => Some(in_data()),
            (None, AuditDurability::Database) => None,
            (None, _) => {
                let text = "BHN_AUDIT_FOLDER: with DATABASE_URL the folder of the audit's journal \
                            has to be named; where no disk outlives the process, set \
                            BHN_AUDIT_DURABILITY=database";
                return Err(text.to_owned());
            }
        };
        Ok(Some(AuditSettings {
            folder,
            durability: self.audit_durability,
            backlog_bytes: self.audit_backlog_bytes,
            node: self.audit_node.clone(),
            seals: self.audit_seals_folder.clone(),
        }))
    }
}

fn parse_instant(text: &str) -> Result<DateTime<Utc>, String> {
    let range = instant_range(text, FixedOffset::east_opt(0).expect("zero is an offset"));
    range.map(|range| range.low).ok_or_else(|| "a date, or a date and time".to_owned())
}

fn parse_night(text: &str) -> Result<(u32, u32), String> {
    let wrong = || "two hours from 0 to 23 are wanted, such as 20-6".to_owned();
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let hour = |text: &str| text.parse::<u32>().ok().filter(|hour| *hour < 24).ok_or_else(wrong);
    match (hour(from)?, hour(to)?) {
        (from, to) if from == to => Err(wrong()),
        night => Ok(night),
    }
}

fn parse_hex(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || "an even number of hexadecimal digits is wanted".to_owned();
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or_else(wrong)?;
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
