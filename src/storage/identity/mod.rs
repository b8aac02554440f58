//! Accounts of people, how they sign in, and what they were asked. None of it is FHIR, so no
//! permit is taken: whoever calls has proved by a password, a code or a session whose it is.

mod accounts;
mod authorizations;
mod codes;
mod factors;
mod sessions;
mod throttles;

pub use accounts::{Account, AccountChange, NewAccount, Status};
pub use authorizations::{App, CodeGrant, GivenGrant};
pub use codes::{ClaimCode, CodePurpose};
pub use factors::Totp;
pub use sessions::{NewSession, Session};
pub use throttles::Throttle;

use super::failure::of_sqlx;
use super::store::Store;
use crate::access::Link;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Id, ResourceKey};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};

type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

impl Store {
    /// Runs a statement of its own; how many rows it touched.
    async fn executed(&self, query: Query<'_>) -> Result<u64> {
        let mut connection = self.connection().await?;
        let done = query.execute(&mut *connection).await.map_err(of_sqlx)?;
        connection.release();
        Ok(done.rows_affected())
    }

    async fn first_row(&self, query: Query<'_>) -> Result<Option<PgRow>> {
        let mut connection = self.connection().await?;
        let row = query.fetch_optional(&mut *connection).await.map_err(of_sqlx)?;
        connection.release();
        Ok(row)
    }

    async fn all_rows(&self, query: Query<'_>) -> Result<Vec<PgRow>> {
        let mut connection = self.connection().await?;
        let rows = query.fetch_all(&mut *connection).await.map_err(of_sqlx)?;
        connection.release();
        Ok(rows)
    }
}

/// A link as its columns have it.
fn link(rid: i64, number: i16, id: &str) -> Result<Link> {
    let key = ResourceType::from_number(number)
        .zip(Id::parse(id))
        .map(|(resource_type, id)| ResourceKey::new(resource_type, id));
    let key = key.ok_or_else(|| FhirError::internal("a stored link has no key"))?;
    Ok(Link { key, rid })
}
