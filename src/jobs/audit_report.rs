//! Reports about who saw what, for those who answer for it: AU-14 and AU-16 of the specification of
//! security. Each is a table of texts.

use crate::access::Permit;
use crate::audit::{AuditId, Event, View};
use crate::error::Result;
use crate::fhir::resource::ResourceKey;
use crate::interactions::Context;
use crate::search::value::date::InstantTest;
use crate::storage::{
    AuditAfter, AuditQuery, AuditReport, AuditTest, Current, ReportWithin, Stored,
};
use chrono::SecondsFormat;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// AuditEvents that are read at a time.
const PAGE: u32 = 1_000;

/// Names of columns, and rows.
pub struct Table {
    pub columns: &'static [&'static str],
    pub rows: Vec<Vec<String>>,
}

/// Who viewed, handled, changed or dealt with what is about one patient: when, which resources,
/// who that was, and what for.
pub async fn access(context: &Context, patient: &str, within: &ReportWithin) -> Result<Table> {
    let columns = &[
        "recorded",
        "patient",
        "action",
        "interaction",
        "resources",
        "agent",
        "name",
        "role",
        "person",
        "organization",
        "client",
        "purposes",
        "status",
        "address",
        "request",
    ];
    let (mut names, mut rows) = (HashMap::new(), Vec::new());
    let mut after = None;
    loop {
        let query = AuditQuery {
            view: View::All,
            tests: vec![
                AuditTest::Patient(vec![patient.to_owned()]),
                AuditTest::Recorded(vec![InstantTest::Within(within.from, within.to)]),
            ],
            is_newest_first: false,
            after: after.take(),
            count: PAGE,
        };
        let page = context.store.search_audit(&query).await?;
        for (id, event) in &page.events {
            let name = name(context, &mut names, &event.agent.name).await?;
            rows.push(row(id, event, name));
        }
        match page.events.into_iter().next_back().filter(|_| page.has_more) {
            Some((AuditId { node, seq, nth }, event)) => {
                after = Some(AuditAfter { recorded: event.recorded, node, seq, nth });
            }
            None => return Ok(Table { columns, rows }),
        }
    }
}

fn row(id: &AuditId, event: &Event, name: String) -> Vec<String> {
    let seen = event.seen.iter().filter(|seen| seen.patients.contains(&id.nth));
    let seen = seen.map(|seen| match seen.version {
        Some(version) => format!("{}/_history/{version}", seen.key),
        None => seen.key.clone(),
    });
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    let agent = &event.agent;
    vec![
        event.recorded.to_rfc3339_opts(SecondsFormat::Millis, true),
        event.patients.get(id.nth as usize).map(|id| format!("Patient/{id}")).unwrap_or_default(),
        event.action.as_str().to_owned(),
        event.subtype.clone(),
        seen.collect::<Vec<_>>().join(" "),
        agent.name.clone(),
        name,
        of(&agent.role),
        of(&agent.person),
        of(&agent.organization),
        of(&agent.client),
        agent.purposes.join(" "),
        event.status.to_string(),
        event.origin.address.map(|address| address.to_string()).unwrap_or_default(),
        event.origin.request_id.clone(),
    ]
}

/// Who an account or client is, as those who run the server know it.
async fn name(
    context: &Context,
    known: &mut HashMap<String, String>,
    agent: &str,
) -> Result<String> {
    if let Some(name) = known.get(agent) {
        return Ok(name.clone());
    }
    let name = match agent.split_once('/') {
        Some(("account", account)) if uuid::Uuid::try_parse(account).is_ok() => {
            let account = context.store.account(account).await?;
            account.map(|account| format!("{} <{}>", account.name, account.email))
        }
        Some(("client", client)) => context.store.client(client).await?.map(|client| client.name),
        _ => None,
    };
    let name = name.unwrap_or_default();
    known.insert(agent.to_owned(), name.clone());
    Ok(name)
}

/// One of the reports that are a statement.
pub async fn of(context: &Context, report: AuditReport, within: &ReportWithin) -> Result<Table> {
    let rows = context.store.report_audit(report, within).await?;
    Ok(Table { columns: report.columns(), rows })
}

/// People who saw patients of their own family name, which may be family.
pub async fn same_surname(context: &Context, within: &ReportWithin) -> Result<Table> {
    let mut names = HashMap::new();
    let mut rows = Vec::new();
    for row in context.store.report_audit(AuditReport::Pairs, within).await? {
        let [person, patient, ..] = row.as_slice() else { continue };
        let of_person = surnames(context, &mut names, person).await?;
        let of_patient = surnames(context, &mut names, patient).await?;
        if let Some(name) = of_person.intersection(&of_patient).next().cloned() {
            rows.push([vec![name], row].concat());
        }
    }
    let columns = &["surname", "person", "patient", "events", "first", "last"];
    Ok(Table { columns, rows })
}

/// Family names in lower case, of a deleted resource those that it had.
async fn surnames(
    context: &Context,
    known: &mut HashMap<String, BTreeSet<String>>,
    key: &str,
) -> Result<BTreeSet<String>> {
    if let Some(names) = known.get(key) {
        return Ok(names.clone());
    }
    let stored: Option<Stored> = match ResourceKey::parse(key) {
        Some(key) => match context.store.current(&Permit::operator(), &key).await? {
            Current::Live(stored) | Current::Deleted(stored) => Some(stored),
            Current::Absent => None,
        },
        None => None,
    };
    let body = stored.and_then(|stored| serde_json::from_slice::<Value>(&stored.body).ok());
    let families = body.iter().flat_map(|body| match &body["name"] {
        Value::Array(names) => names.clone(),
        _ => Vec::new(),
    });
    let families = families.filter_map(|name| name["family"].as_str().map(str::to_lowercase));
    let names: BTreeSet<String> = families.collect();
    known.insert(key.to_owned(), names.clone());
    Ok(names)
}
