//! Rows of `audit_event`: the event as text, and beside it what is searched by.

use super::journal::frame::{Hash, hash_of};
use crate::audit::Event;
use crate::error::{FhirError, Result};
use crate::storage::statement::Statement;
use std::collections::BTreeSet;
use std::sync::Arc;

/// An event with its place among those of its node.
#[derive(Clone, Debug)]
pub struct AuditRow {
    pub node: Arc<str>,
    pub seq: i64,
    pub event: Arc<Event>,
    pub text: String,
    pub hash: Hash,
}

impl AuditRow {
    pub fn new(node: &Arc<str>, seq: i64, event: Event) -> Result<AuditRow> {
        let text = serde_json::to_string(&event).map_err(FhirError::internal)?;
        let hash = hash_of(node, seq, &text);
        Ok(AuditRow { node: node.clone(), seq, event: Arc::new(event), text, hash })
    }

    /// As it lies in a journal.
    pub fn of_text(node: &Arc<str>, seq: i64, text: String) -> Result<AuditRow> {
        let event = serde_json::from_str(&text).map_err(FhirError::internal)?;
        let hash = hash_of(node, seq, &text);
        Ok(AuditRow { node: node.clone(), seq, event: Arc::new(event), text, hash })
    }
}

/// Every resource that the event names, its Patients among them.
pub fn resources(event: &Event) -> Vec<String> {
    let seen = event.seen.iter().map(|seen| seen.key.clone());
    let patients = event.patients.iter().map(|id| format!("Patient/{id}"));
    let all: BTreeSet<String> = seen.chain(patients).collect();
    all.into_iter().collect()
}

/// Appends the insert of the rows, to which conditions and a conflict clause may be added.
pub fn push_insert(statement: &mut Statement, rows: &[&AuditRow], epoch: i32) {
    macro_rules! column {
        ($value:expr) => {
            rows.iter().copied().map($value).collect::<Vec<_>>()
        };
    }
    statement.push(include_str!("../sql/audit_insert.sql"));
    statement.bind(column!(|row| row.node.as_ref())).push(", ");
    statement.bind(column!(|row| row.seq)).push(", ");
    statement.bind(column!(|row| row.event.recorded)).push(", ");
    statement.bind(column!(|_| epoch)).push(", ");
    statement.bind(column!(|row| row.event.kind.as_str())).push(", ");
    statement.bind(column!(|row| row.event.subtype.as_str())).push(", ");
    statement.bind(column!(|row| row.event.action.as_str())).push(", ");
    statement.bind(column!(|row| row.event.outcome.as_str())).push(", ");
    statement.bind(column!(|row| row.event.agent.name.as_str())).push(", ");
    statement.bind(column!(|row| row.event.agent.person.as_deref())).push(", ");
    statement.bind(column!(|row| row.event.origin.address.map(|ip| ip.to_string()))).push(", ");
    statement.bind(column!(|row| text_array(&row.event.patients))).push(", ");
    statement.bind(column!(|row| text_array(&resources(&row.event)))).push(", ");
    statement.bind(column!(|row| row.text.as_str())).push(", ");
    statement.bind(column!(|row| row.hash.as_slice()));
    statement.push(include_str!("../sql/audit_insert_columns.sql"));
}

/// An array of texts as text, for arrays of arrays that differ in length.
fn text_array(items: &[String]) -> String {
    let mut text = String::from("{");
    for (index, item) in items.iter().enumerate() {
        text.push_str(if index > 0 { ",\"" } else { "\"" });
        for c in item.chars() {
            if matches!(c, '"' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('"');
    }
    text.push('}');
    text
}
