//! Profiles, security labels and tags in use, for `$meta` of a type or the system
//! (<https://hl7.org/fhir/R4/resource-operation-meta.html>).

use super::read::fetch_all;
use super::row_filter::Seen;
use super::statement::Statement;
use super::store::{Connection, Store};
use crate::access::Permit;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::search::ParameterId;
use sqlx::Row;
use sqlx::postgres::PgRow;

/// Distinct profiles and labels that one answer may hold.
const MOST: usize = 10_000;

/// Each once, in order; of labels and tags system and code. Not their display: what is known of
/// it is that of the first resource with the code, which the caller may not see.
#[derive(Default, Debug)]
pub struct Labels {
    pub profiles: Vec<String>,
    pub security: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
}

impl Store {
    /// Those of the live resources that the caller may see, of one type or of all; `place` has
    /// the search parameter `_tag` too. 400 `too-costly` where there are too many to name; 503
    /// `timeout` where the database was stopped over it.
    pub async fn labels(
        &self,
        connection: &mut Connection,
        permit: &Permit,
        place: (Option<ResourceType>, ParameterId),
    ) -> Result<Labels> {
        let (resource_type, tag) = place;
        let mut statement = Statement::new(include_str!("sql/labels_read.sql"));
        let types = resource_type.map(|kind| vec![kind]).unwrap_or_default();
        statement.push_filter(Seen::current("r", &types), permit.filter());
        if let Some(resource_type) = resource_type {
            statement.push(" and r.type = ").bind(resource_type.number());
        }
        statement.push(include_str!("sql/labels_read_lists.sql")).bind(i64::from(tag.0));
        statement.push(include_str!("sql/labels_read_names.sql")).bind(MOST as i64 + 1);
        let rows = fetch_all(connection, statement).await?;
        if rows.len() > MOST {
            let text = format!("More than {MOST} profiles, security labels and tags are in use");
            return Err(FhirError::too_costly(text));
        }
        let mut labels = Labels::default();
        for row in &rows {
            labels.add(row).map_err(FhirError::internal)?;
        }
        Ok(labels)
    }
}

impl Labels {
    fn add(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        let code: String = row.try_get("code")?;
        let coding = (row.try_get("system")?, code);
        match row.try_get::<i32, _>("list")? {
            0 => self.profiles.push(coding.1),
            1 => self.security.push(coding),
            _ => self.tags.push(coding),
        }
        Ok(())
    }
}
