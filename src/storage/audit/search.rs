//! Searches of the audit: of events, each as often as it concerns Patients.

use super::super::statement::Statement;
use super::details::AuditKeys;
use crate::audit::{AuditId, Event, View};
use crate::error::{FhirError, Result};
use crate::search::value::date::InstantTest;
use crate::storage::failure::of_sqlx;
use crate::storage::store::Store;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What is searched for: all tests hold.
pub struct AuditQuery {
    pub view: View,
    pub tests: Vec<AuditTest>,
    pub is_newest_first: bool,
    pub after: Option<AuditAfter>,
    pub count: u32,
}

/// One of the values has to be the event's.
#[derive(Clone, PartialEq, Debug)]
pub enum AuditTest {
    Recorded(Vec<InstantTest>),
    /// Logical ids.
    Patient(Vec<String>),
    /// `Type/id`, Patients among them.
    Resource(Vec<String>),
    /// Names of accounts and clients, or `Type/id` of who they are.
    Agent(Vec<String>),
    Address(Vec<String>),
    Kind(Vec<String>),
    Subtype(Vec<String>),
    Action(Vec<String>),
    Outcome(Vec<String>),
    Node(Vec<String>),
    Id(Vec<AuditId>),
}

/// The place of an AuditEvent in the order of time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditAfter {
    pub recorded: DateTime<Utc>,
    pub node: String,
    pub seq: i64,
    pub nth: u32,
}

/// A page of matches.
pub struct AuditPage {
    pub events: Vec<(AuditId, Event)>,
    /// True where more follow.
    pub has_more: bool,
}

impl Store {
    /// A page of the AuditEvents that match, in the order of time.
    pub async fn search_audit(&self, query: &AuditQuery) -> Result<AuditPage> {
        let mut statement = Statement::new("select e.node, e.seq, p.nth, e.event");
        push_matches(&mut statement, query);
        push_after(&mut statement, query);
        statement.push(match query.is_newest_first {
            true => "\norder by e.recorded desc, e.node desc, e.seq desc, p.nth desc",
            false => "\norder by e.recorded, e.node, e.seq, p.nth",
        });
        statement.push("\nlimit ").bind(i64::from(query.count) + 1);
        let (text, arguments) = statement.into_parts().map_err(FhirError::internal)?;
        let mut connection = self.search_connection().await?;
        let rows: Vec<(String, i64, i32, String)> =
            sqlx::query_as_with(sqlx::AssertSqlSafe(text), arguments)
                .fetch_all(&mut *connection)
                .await
                .map_err(of_sqlx)?;
        connection.release();
        let has_more = rows.len() > query.count as usize;
        let rows = rows.into_iter().take(query.count as usize);
        let mut events = rows
            .map(|(node, seq, nth, text)| {
                let event = serde_json::from_str(&text).map_err(FhirError::internal)?;
                Ok((AuditId { node, seq, nth: nth.unsigned_abs() }, event))
            })
            .collect::<Result<Vec<_>>>()?;
        self.open_own(events.iter_mut().map(|(id, event)| ((id.node.as_str(), id.seq), event)))
            .await?;
        Ok(AuditPage { events, has_more })
    }

    /// How many AuditEvents match.
    pub async fn count_audit(&self, query: &AuditQuery) -> Result<i64> {
        let mut statement = Statement::new("select count(*)");
        push_matches(&mut statement, query);
        let (text, arguments) = statement.into_parts().map_err(FhirError::internal)?;
        let mut connection = self.search_connection().await?;
        let count = sqlx::query_scalar_with(sqlx::AssertSqlSafe(text), arguments)
            .fetch_one(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        Ok(count)
    }

    /// The stored event of an AuditEvent, where the viewer may see it; None alike for what is
    /// not there.
    pub async fn audit_event(&self, id: &AuditId, view: &View) -> Result<Option<Event>> {
        let mut connection = self.connection().await?;
        let text: Option<String> = sqlx::query_scalar(include_str!("../sql/audit_event_read.sql"))
            .bind(&id.node)
            .bind(id.seq)
            .fetch_optional(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        let Some(text) = text else { return Ok(None) };
        let mut event: Event = serde_json::from_str(&text).map_err(FhirError::internal)?;
        self.open_own(std::iter::once(((id.node.as_str(), id.seq), &mut event))).await?;
        let patient = event.patients.get(id.nth as usize);
        let is_there = patient.is_some() || (id.nth == 0 && event.patients.is_empty());
        let is_seen = match view {
            View::All => true,
            View::Patients(own) => patient.is_some_and(|patient| own.contains(patient)),
        };
        Ok((is_there && is_seen).then_some(event))
    }

    /// Opens events by the keys of this server's audit.
    async fn open_own<'e>(
        &self,
        events: impl Iterator<Item = ((&'e str, i64), &'e mut Event)>,
    ) -> Result<()> {
        match self.audit.as_ref().and_then(|audit| audit.keys.clone()) {
            Some(keys) => self.open_details(&keys, &mut events.collect::<Vec<_>>()).await,
            None => Ok(()),
        }
    }

    /// The events of a time in order, so many after a place: for an export. `keys` open them.
    pub async fn export_audit(
        &self,
        within: (DateTime<Utc>, DateTime<Utc>),
        (after, count): (Option<AuditAfter>, i64),
        keys: Option<&AuditKeys>,
    ) -> Result<Vec<(AuditAfter, Event)>> {
        let start = AuditAfter { recorded: within.0, node: String::new(), seq: 0, nth: 0 };
        let after = after.unwrap_or(start);
        let mut connection = self.search_connection().await?;
        let rows: Vec<(String, i64, DateTime<Utc>, String)> =
            sqlx::query_as(include_str!("../sql/audit_export.sql"))
                .bind(within.0)
                .bind(within.1)
                .bind(after.recorded)
                .bind(after.node)
                .bind(after.seq)
                .bind(count)
                .fetch_all(&mut *connection)
                .await
                .map_err(of_sqlx)?;
        connection.release();
        let mut events = rows
            .into_iter()
            .map(|(node, seq, recorded, text)| {
                let event = serde_json::from_str(&text).map_err(FhirError::internal)?;
                Ok((AuditAfter { recorded, node, seq, nth: 0 }, event))
            })
            .collect::<Result<Vec<(AuditAfter, Event)>>>()?;
        if let Some(keys) = keys {
            let sealed = events.iter_mut().map(|(at, event)| ((at.node.as_str(), at.seq), event));
            self.open_details(keys, &mut sealed.collect::<Vec<_>>()).await?;
        }
        Ok(events)
    }
}

/// Every event once for each of its Patients; once for none.
fn push_matches(statement: &mut Statement, query: &AuditQuery) {
    statement.push("\nfrom audit_event e cross join lateral (");
    statement.push("\n  select (n - 1)::integer as nth, patient from unnest(");
    statement.push("case when e.patients = '{}' then array[null]::text[] else e.patients end)");
    statement.push(" with ordinality as u(patient, n)) p\nwhere true");
    if let View::Patients(own) = &query.view {
        push_patients(statement, own);
    }
    for test in &query.tests {
        push_test(statement, test);
    }
}

fn push_patients(statement: &mut Statement, ids: &[String]) {
    let keys: Vec<String> = ids.iter().map(|id| format!("Patient/{id}")).collect();
    statement.push("\n  and e.resources && ").bind(keys);
    statement.push(" and p.patient = any(").bind(ids.to_vec()).push(")");
}

fn push_test(statement: &mut Statement, test: &AuditTest) {
    let (column, values) = match test {
        AuditTest::Recorded(tests) => return push_instants(statement, tests),
        AuditTest::Patient(ids) => return push_patients(statement, ids),
        AuditTest::Resource(keys) => {
            statement.push("\n  and e.resources && ").bind(keys.clone());
            return;
        }
        AuditTest::Id(ids) => return push_ids(statement, ids),
        AuditTest::Agent(names) => {
            statement.push("\n  and (e.agent = any(").bind(names.clone());
            statement.push(") or e.person = any(").bind(names.clone()).push("))");
            return;
        }
        AuditTest::Address(values) => ("\n  and e.address = any(", values),
        AuditTest::Kind(values) => ("\n  and e.kind = any(", values),
        AuditTest::Subtype(values) => ("\n  and e.subtype = any(", values),
        AuditTest::Action(values) => ("\n  and e.action = any(", values),
        AuditTest::Outcome(values) => ("\n  and e.outcome = any(", values),
        AuditTest::Node(values) => ("\n  and e.node = any(", values),
    };
    statement.push(column).bind(values.clone()).push(")");
}

fn push_ids(statement: &mut Statement, ids: &[AuditId]) {
    let nodes: Vec<String> = ids.iter().map(|id| id.node.clone()).collect();
    let seqs: Vec<i64> = ids.iter().map(|id| id.seq).collect();
    let nths: Vec<i32> = ids.iter().map(|id| id.nth as i32).collect();
    statement.push("\n  and (e.node, e.seq, p.nth) in (select * from unnest(").bind(nodes);
    statement.push(", ").bind(seqs).push(", ").bind(nths).push("))");
}

fn push_instants(statement: &mut Statement, tests: &[InstantTest]) {
    statement.push("\n  and (false");
    for test in tests {
        match *test {
            InstantTest::Within(from, to) => {
                statement.push(" or e.recorded >= ").bind(from);
                statement.push(" and e.recorded < ").bind(to);
            }
            InstantTest::Outside(from, to) => {
                statement.push(" or e.recorded < ").bind(from);
                statement.push(" or e.recorded >= ").bind(to);
            }
            InstantTest::From(from) => drop(statement.push(" or e.recorded >= ").bind(from)),
            InstantTest::Before(to) => drop(statement.push(" or e.recorded < ").bind(to)),
        }
    }
    statement.push(")");
}

fn push_after(statement: &mut Statement, query: &AuditQuery) {
    let Some(after) = &query.after else { return };
    let (bound, order) = match query.is_newest_first {
        true => ("\n  and e.recorded <= ", " and (e.recorded, e.node, e.seq, p.nth) < ("),
        false => ("\n  and e.recorded >= ", " and (e.recorded, e.node, e.seq, p.nth) > ("),
    };
    statement.push(bound).bind(after.recorded).push(order).bind(after.recorded);
    statement.push(", ").bind(after.node.clone()).push(", ").bind(after.seq);
    statement.push(", ").bind(after.nth as i32).push(")");
}
