//! Who has a patient in care, for the guards of writes; and until which age others act for one.

use crate::config::ProxyAge;
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

    /// From which age on nobody acts for a patient, for all that read proxies from now on.
    pub async fn keep_proxy_ages(
        &self,
        connection: &mut Connection,
        ages: &[ProxyAge],
    ) -> Result<()> {
        let jurisdictions: Vec<&str> = ages.iter().map(|age| age.jurisdiction.as_str()).collect();
        let years: Vec<i16> = ages.iter().map(|age| i16::from(age.years)).collect();
        let query = sqlx::query(include_str!("../sql/proxy_age_write.sql"));
        let query = query.bind(jurisdictions).bind(years);
        query.execute(connection).await.map_err(of_sqlx).map(drop)
    }
}
