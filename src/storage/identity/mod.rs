//! Who may sign in, by what, and what was granted: SMART App Launch and OAuth 2.0 in tables. None
//! of it is FHIR, and none of it takes a permit.

mod accounts;
mod apps;
mod authorizations;
mod bearers;
mod clients;
mod codes;
mod factors;
mod grants;
mod keys;
mod rates;
mod sessions;
mod spent;
mod throttles;
mod upstream;

pub use accounts::{Account, AccountChange, NewAccount, Status};
pub use apps::LaunchableApp;
pub use authorizations::{App, CodeGrant, GivenGrant};
pub use clients::{Client, ClientKind, ClientTerms};
pub use codes::{ClaimCode, CodePurpose};
pub use factors::{Challenge, Passkey};
pub use factors::{Factor, SealedSecret, Totp};
pub use grants::{Grant, NewGrant, PersonClaims};
pub use keys::{KeyState, LockedKeys, SigningKeyRow};
pub use sessions::{NewSession, Session};
pub use spent::{Code, NewRefreshToken, RefreshToken};
pub use throttles::Throttle;
pub use upstream::{
    FederatedAccount, Subject, TakenRequest, UpstreamIdentity, UpstreamRequest, UpstreamSignIn,
};

use super::failure::of_sqlx;
use super::store::{Connection, Store};
use crate::access::Link;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Id, ResourceKey};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;

/// A statement with its binds.
type Bound<'q> = Query<'q, Postgres, PgArguments>;

impl Store {
    /// Runs one statement; how many rows it touched.
    async fn run(&self, query: Bound<'_>) -> Result<u64> {
        let mut connection = self.connection().await?;
        let touched = run_on(&mut connection, query).await?;
        connection.release();
        Ok(touched)
    }

    /// The row of a statement, if there is one.
    async fn row<T>(&self, query: Bound<'_>) -> Result<Option<T>>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        let mut connection = self.connection().await?;
        let row = query.fetch_optional(&mut *connection).await.map_err(of_sqlx)?;
        connection.release();
        row.map(|row| T::from_row(&row).map_err(of_sqlx)).transpose()
    }

    /// The rows of a statement.
    async fn rows<T>(&self, query: Bound<'_>) -> Result<Vec<T>>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        let mut connection = self.connection().await?;
        let rows = query.fetch_all(&mut *connection).await.map_err(of_sqlx)?;
        connection.release();
        rows.iter().map(|row| T::from_row(row).map_err(of_sqlx)).collect()
    }
}

impl Store {
    async fn first_row(&self, query: Bound<'_>) -> Result<Option<PgRow>> {
        let mut connection = self.connection().await?;
        let row = query.fetch_optional(&mut *connection).await.map_err(of_sqlx)?;
        connection.release();
        Ok(row)
    }

    async fn all_rows(&self, query: Bound<'_>) -> Result<Vec<PgRow>> {
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

async fn run_on(connection: &mut Connection, query: Bound<'_>) -> Result<u64> {
    Ok(query.execute(connection).await.map_err(of_sqlx)?.rows_affected())
}
