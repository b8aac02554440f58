//! Codes that are sent, shown or handed over once, by their hashes.

use super::link;
use crate::access::Link;
use crate::error::{FhirError, Result};
use crate::storage::store::Store;
use chrono::{DateTime, Utc};
use sqlx::Row;

/// What a code is good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodePurpose {
    /// To confirm an address.
    Verify,
    /// To choose a password.
    Reset,
    /// To make the first administrator.
    Bootstrap,
}

impl CodePurpose {
    fn as_str(self) -> &'static str {
        match self {
            CodePurpose::Verify => "verify",
            CodePurpose::Reset => "reset",
            CodePurpose::Bootstrap => "bootstrap",
        }
    }
}

/// A code that links the account that brings it to a resource.
pub struct ClaimCode<'a> {
    pub selector: &'a str,
    pub hash: &'a [u8],
    pub person: &'a Link,
    pub expires: DateTime<Utc>,
}

impl Store {
    /// A new code; those of before for the same purpose and account are void.
    pub async fn create_code(
        &self,
        hash: &[u8],
        (purpose, account): (CodePurpose, Option<&str>),
        (now, expires): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/code_forget.sql"));
        self.run(query.bind(purpose.as_str()).bind(account)).await?;
        let query = sqlx::query(include_str!("../sql/code_create.sql"))
            .bind(hash)
            .bind(purpose.as_str())
            .bind(account)
            .bind(now)
            .bind(expires);
        self.run(query).await.map(drop)
    }

    /// Whether the code would be taken.
    pub async fn is_code_good(
        &self,
        hash: &[u8],
        purpose: CodePurpose,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/code_known.sql"));
        let row = self.first_row(query.bind(hash).bind(purpose.as_str()).bind(now)).await?;
        let known = row.map(|row| row.try_get(0)).transpose().map_err(FhirError::internal)?;
        Ok(known.unwrap_or(false))
    }

    /// Takes the code, which is gone then; the account that it is for.
    pub async fn take_code(
        &self,
        hash: &[u8],
        purpose: CodePurpose,
        now: DateTime<Utc>,
    ) -> Result<Option<String>> {
        let query = sqlx::query(include_str!("../sql/code_take.sql"));
        let row = self.first_row(query.bind(hash).bind(purpose.as_str()).bind(now)).await?;
        let account = row.map(|row| row.try_get::<Option<String>, _>(0)).transpose();
        Ok(account.map_err(FhirError::internal)?.flatten())
    }

    pub async fn create_claim(&self, claim: &ClaimCode<'_>, now: DateTime<Utc>) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/claim_create.sql"))
            .bind(claim.selector)
            .bind(claim.hash)
            .bind(claim.person.rid)
            .bind(claim.person.key.resource_type.number())
            .bind(claim.person.key.id.as_str())
            .bind(now)
            .bind(claim.expires);
        self.run(query).await.map(drop)
    }

    /// Counts a try at the claim code of that selector: its hash and resource, None where there is
    /// none, it has expired, or five tries were had.
    pub async fn try_claim(
        &self,
        selector: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<(Vec<u8>, Link)>> {
        let query = sqlx::query(include_str!("../sql/claim_try.sql")).bind(selector).bind(now);
        let Some(row) = self.first_row(query).await? else { return Ok(None) };
        let read = || -> Result<(Vec<u8>, i64, i16, String), sqlx::Error> {
            let hash = row.try_get("hash")?;
            Ok((hash, row.try_get("rid")?, row.try_get("type")?, row.try_get("id")?))
        };
        let (hash, rid, number, id) = read().map_err(FhirError::internal)?;
        Ok(Some((hash, link(rid, number, &id)?)))
    }

    /// True for the one who removes it.
    pub async fn remove_claim(&self, selector: &str) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/claim_remove.sql")).bind(selector);
        Ok(self.run(query).await? == 1)
    }
}
