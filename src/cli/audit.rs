//! `bhn-fhir audit`: verify, export, detach. Exit codes of verify: 0 it is as it was written, 1
//! something differs and is named on standard output, 2 it could not come to its end.

use super::Failure;
use super::beside::Beside;
use super::database::OpenDatabase;
use crate::audit::{AuditId, View, render};
use crate::config::{AuditCommand, AuditDetachConfig, AuditTimeConfig};
use crate::interactions::Context;
use crate::storage::{AuditAfter, AuditFinding, detach_audit};
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
        AuditCommand::Detach(config) => detach(config).await,
    }
}

fn within(config: &AuditTimeConfig) -> (DateTime<Utc>, DateTime<Utc>) {
    let far = crate::search::value::date::far_future();
    (config.from.unwrap_or(DateTime::UNIX_EPOCH), config.to.unwrap_or(far))
}

async fn verify(config: AuditTimeConfig) -> Result<ExitCode, Failure> {
    let beside = Beside::open(&config.beside).await?;
    let context = beside.context.clone();
    let mut tell = |finding: &AuditFinding| {
        // Nobody may be reading.
        let _ = writeln!(std::io::stdout(), "{finding}");
    };
    let wanted = (within(&config), config.keys.as_slice());
    let work = context.store.verify_audit(wanted, &mut tell);
    let line = || "verifying the audit".to_owned();
    let (findings, verified) = beside.run(work, Arc::new(AtomicBool::new(false)), line).await?;
    println!(
        "{} events in {} seals verified, {} events not sealed yet; {findings} differences",
        verified.events, verified.seals, verified.unsealed
    );
    Ok(ExitCode::from(u8::from(findings > 0)))
}

async fn export(config: AuditTimeConfig) -> Result<ExitCode, Failure> {
    let beside = Beside::open(&config.beside).await?;
    let context = beside.context.clone();
    let work = write_all(&context, within(&config));
    let line = || "exporting the audit".to_owned();
    beside.run(work, Arc::new(AtomicBool::new(false)), line).await?;
    Ok(ExitCode::SUCCESS)
}

async fn write_all(
    context: &Context,
    within: (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), Failure> {
    let mut out = BufWriter::new(std::io::stdout());
    let mut after: Option<AuditAfter> = None;
    loop {
        let events = context.store.export_audit(within, after.clone(), BATCH).await?;
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

async fn detach(config: AuditDetachConfig) -> Result<ExitCode, Failure> {
    let opened = OpenDatabase::open_or_join(&config.database).await?;
    let detached = detach_audit(&opened.database, config.before).await;
    opened.close().await?;
    for table in detached? {
        println!("{table}");
    }
    Ok(ExitCode::SUCCESS)
}
