//! Who has a patient in care, for the guards of writes.

use crate::error::Result;
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Id, ResourceKey};
use crate::storage::failure::of_sqlx;
use crate::storage::store::{Connection, Store};

impl Store {
    /// The practitioners who have one of these patients in care now.
    pub async fn carers(
        &self,
        connection: &mut Connection,
        patients: &[i64],
    ) -> Result<Vec<ResourceKey>> {
        let rows: Vec<(i16, String)> = sqlx::query_as(include_str!("../sql/carers_read.sql"))
            .bind(patients)
            .fetch_all(connection)
            .await
            .map_err(of_sqlx)?;
        let key = |(number, id): (i16, String)| {
            Some(ResourceKey::new(ResourceType::from_number(number)?, Id::parse(&id)?))
        };
        Ok(rows.into_iter().filter_map(key).collect())
    }
}
