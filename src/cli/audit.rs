//! `bhn-fhir audit`: verify, export, detach. Exit codes of verify: 0 it is as it was written, 1
//! something differs and is named on standard output, 2 it could not come to its end.

use super::Failure;
use super::beside::Beside;
use super::database::OpenDatabase;
use crate::audit::{AuditId, View, render};
use crate::config::{
    AuditCommand, AuditDetachConfig, AuditReportConfig, AuditTimeConfig, KEY_FILE, ReportName,
};
use crate::interactions::Context;
use crate::jobs::audit_report::{self, Table, of};
use crate::oauth;
use crate::storage::{
    AuditAfter, AuditFinding, AuditKeys, AuditReport, AuditScope, ReportWithin, detach_audit,
};
use chrono::{DateTime, Utc};
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Events that are read at a time.
const BATCH: i64 = 1_000;

pub async fn run(command: AuditCommand) -> Result<ExitCode, Failure> {
    match command {
        AuditCommand::Verify(config) => verify(config).await,
        AuditCommand::Export(config) => export(config).await,
        AuditCommand::Report(config) => report(config).await,
        AuditCommand::Detach(config) => detach(config).await,
    }
}

type Instant = Option<DateTime<Utc>>;

fn within((from, to): (Instant, Instant)) -> (DateTime<Utc>, DateTime<Utc>) {
    let far = crate::search::value::date::far_future();
    (from.unwrap_or(DateTime::UNIX_EPOCH), to.unwrap_or(far))
}

async fn verify(config: AuditTimeConfig) -> Result<ExitCode, Failure> {
    let beside = Beside::open(&config.beside).await?;
    let context = beside.context.clone();
    let mut tell = |finding: &AuditFinding| {
        // Nobody may be reading.
        let _ = writeln!(std::io::stdout(), "{finding}");
    };
    let scope = AuditScope {
        within: within((config.from, config.to)),
        keys: &config.keys,
        copies: config.seals.as_deref(),
    };
    let work = context.store.verify_audit(scope, &mut tell);
    let line = || "verifying the audit".to_owned();
    let (findings, verified) = beside.run(work, Arc::new(AtomicBool::new(false)), line).await?;
    println!(
        "{} events in {} seals verified, {} events not sealed yet, {} detached; {findings} \
         differences",
        verified.events, verified.seals, verified.unsealed, verified.detached
    );
    Ok(ExitCode::from(u8::from(findings > 0)))
}

async fn export(config: AuditTimeConfig) -> Result<ExitCode, Failure> {
    let beside = Beside::open(&config.beside).await?;
    let context = beside.context.clone();
    let path = config.key_file.clone();
    let path = path.unwrap_or_else(|| config.beside.database.data.join(KEY_FILE));
    let work = async {
        let keys = match oauth::read_key_file(&path)? {
            Some(keys) => Some(context.store.audit_keys(&keys).await?),
            None => {
                tracing::warn!("without the key file, events have no queries and no reasons");
                None
            }
        };
        write_all(&context, within((config.from, config.to)), keys.as_ref()).await
    };
    let line = || "exporting the audit".to_owned();
    beside.run(work, Arc::new(AtomicBool::new(false)), line).await?;
    Ok(ExitCode::SUCCESS)
}

async fn write_all(
    context: &Context,
    within: (DateTime<Utc>, DateTime<Utc>),
    keys: Option<&AuditKeys>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(std::io::stdout());
    let mut after: Option<AuditAfter> = None;
    loop {
        let events = context.store.export_audit(within, (after.clone(), BATCH), keys).await?;
        for (place, event) in &events {
            for nth in 0..event.patients.len().max(1) as u32 {
                let id = AuditId { node: place.node.clone(), seq: place.seq, nth };
                let value = render(&id, event, &context.settings.base_url, &View::All);
                writeln!(out, "{value}")?;
            }
        }
        match events.into_iter().next_back() {
            Some((place, _)) => after = Some(place),
            None => break,
        }
    }
    out.flush()?;
    Ok(())
}

async fn report(config: AuditReportConfig) -> Result<ExitCode, Failure> {
    let beside = Beside::open(&config.beside).await?;
    let context = beside.context.clone();
    let (from, to) = within((config.from, config.to));
    let usual = match config.report {
        ReportName::ExportVolume => 10_000,
        ReportName::AfterHours => 0,
        _ => 50,
    };
    let most = config.more_than.unwrap_or(usual);
    let zone = context.settings.default_zone;
    let within = ReportWithin { from, to, zone, most, night: config.night };
    let patient = config.patient.clone().unwrap_or_default();
    let work = async {
        let table = match config.report {
            ReportName::Access => audit_report::access(&context, &patient, &within).await?,
            ReportName::SameSurname => audit_report::same_surname(&context, &within).await?,
            ReportName::MassAccess => of(&context, AuditReport::MassAccess, &within).await?,
            ReportName::AfterHours => of(&context, AuditReport::AfterHours, &within).await?,
            ReportName::ExportVolume => of(&context, AuditReport::ExportVolume, &within).await?,
            ReportName::Refusals => of(&context, AuditReport::Refusals, &within).await?,
        };
        print(&table)
    };
    let line = || "reporting".to_owned();
    beside.run(work, Arc::new(AtomicBool::new(false)), line).await?;
    Ok(ExitCode::SUCCESS)
}

/// As RFC 4180 has it.
fn print(table: &Table) -> Result<(), Failure> {
    let mut out = BufWriter::new(std::io::stdout());
    writeln!(out, "{}", table.columns.join(","))?;
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        writeln!(out, "{}", cells.join(","))?;
    }
    Ok(out.flush()?)
}

/// What spreadsheets would take for a formula begins with an apostrophe.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

async fn detach(config: AuditDetachConfig) -> Result<ExitCode, Failure> {
    let opened = OpenDatabase::open_or_join(&config.database).await?;
    let detached = detach_audit(&opened.database, config.before).await;
    opened.close().await?;
    for table in detached? {
        println!("{table}");
    }
    Ok(ExitCode::SUCCESS)
}
