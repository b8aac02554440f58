//! Reports about who saw what (SECURITY.md, AU-14 and AU-16), each a statement that is kept beside
//! the others. A row is its columns as text.

use crate::error::Result;
use crate::storage::failure::of_sqlx;
use crate::storage::store::Store;
use chrono::{DateTime, FixedOffset, Utc};

/// What can be reported by one statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditReport {
    /// Who saw more Patients on one day than a number.
    MassAccess,
    /// Who of the staff saw Patients at night.
    AfterHours,
    /// Who was given more resources on one day than a number.
    ExportVolume,
    /// Who was refused more often on one day than a number.
    Refusals,
    /// People with the Patients that they saw; who has the same name is not the database's to say.
    Pairs,
}

/// Of which time, and beyond which number.
#[derive(Clone, Copy, Debug)]
pub struct ReportWithin {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// Days and hours are those of this zone.
    pub zone: FixedOffset,
    /// What is reported is more than this.
    pub most: i64,
    /// Night begins and ends at these hours.
    pub night: (u32, u32),
}

impl AuditReport {
    /// The names of its columns.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            AuditReport::MassAccess => {
                &["day", "agent", "role", "person", "client", "patients", "events"]
            }
            AuditReport::AfterHours => {
                &["day", "agent", "role", "person", "patients", "events", "first", "last"]
            }
            AuditReport::ExportVolume => &["day", "agent", "role", "client", "resources", "events"],
            AuditReport::Refusals => &["day", "agent", "role", "client", "address", "refusals"],
            AuditReport::Pairs => &["person", "patient", "events", "first", "last"],
        }
    }

    fn statement(self) -> &'static str {
        match self {
            AuditReport::MassAccess => include_str!("../sql/audit_report_mass_access.sql"),
            AuditReport::AfterHours => include_str!("../sql/audit_report_after_hours.sql"),
            AuditReport::ExportVolume => include_str!("../sql/audit_report_export_volume.sql"),
            AuditReport::Refusals => include_str!("../sql/audit_report_refusals.sql"),
            AuditReport::Pairs => include_str!("../sql/audit_report_pairs.sql"),
        }
    }
}

impl Store {
    /// The rows of a report, what is most first.
    pub async fn report_audit(
        &self,
        report: AuditReport,
        within: &ReportWithin,
    ) -> Result<Vec<Vec<String>>> {
        let mut connection = self.search_connection().await?;
        let query = sqlx::query_scalar(report.statement())
            .bind(within.from)
            .bind(within.to)
            .bind(within.zone.local_minus_utc())
            .bind(within.most)
            .bind(within.night.0 as i32)
            .bind(within.night.1 as i32);
        let rows = query.fetch_all(&mut *connection).await.map_err(of_sqlx)?;
        connection.release();
        Ok(rows)
    }
}
