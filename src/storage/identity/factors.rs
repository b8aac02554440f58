//! Second factors: time-based one-time passwords and recovery codes.

use crate::error::{FhirError, Result};
use crate::storage::store::Store;
use chrono::{DateTime, Utc};
use sqlx::Row;

/// The secret of an account.
pub struct Totp {
    pub sealed: Vec<u8>,
    pub is_confirmed: bool,
    /// The newest step that a code was taken of.
    pub last_step: i64,
}

impl Store {
    pub async fn totp(&self, account: &str) -> Result<Option<Totp>> {
        let query = sqlx::query(include_str!("../sql/totp_read.sql")).bind(account);
        let Some(row) = self.first_row(query).await? else { return Ok(None) };
        let read = || -> Result<Totp, sqlx::Error> {
            let confirmed: Option<DateTime<Utc>> = row.try_get("confirmed")?;
            let (sealed, last_step) = (row.try_get("secret")?, row.try_get("last_step")?);
            Ok(Totp { sealed, is_confirmed: confirmed.is_some(), last_step })
        };
        read().map(Some).map_err(FhirError::internal)
    }

    /// A new secret that nobody has confirmed; false where one is in use.
    pub async fn begin_totp(
        &self,
        account: &str,
        sealed: &[u8],
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/totp_begin.sql"));
        Ok(self.executed(query.bind(account).bind(sealed).bind(now)).await? == 1)
    }

    /// Takes a good code of the step, which confirms the secret. False where one of this step or
    /// of a later one was taken, also by another node.
    pub async fn take_totp(&self, account: &str, step: i64, now: DateTime<Utc>) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/totp_take.sql"));
        Ok(self.executed(query.bind(account).bind(step).bind(now)).await? == 1)
    }

    /// Removes the second factor with its recovery codes.
    pub async fn remove_totp(&self, account: &str) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/totp_remove.sql")).bind(account);
        self.executed(query).await.map(drop)
    }

    /// The recovery codes of an account become these.
    pub async fn set_recovery_codes(&self, account: &str, hashes: &[Vec<u8>]) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/recovery_codes_write.sql"));
        self.executed(query.bind(account).bind(hashes)).await.map(drop)
    }

    /// True where the code is the account's and was not used before.
    pub async fn take_recovery_code(
        &self,
        account: &str,
        hash: &[u8],
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/recovery_code_take.sql"));
        Ok(self.executed(query.bind(account).bind(hash).bind(now)).await? == 1)
    }
}
