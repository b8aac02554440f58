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
        Ok(self.run(query.bind(account).bind(sealed).bind(now)).await? == 1)
    }

    /// Takes a good code of the step, which confirms the secret. False where one of this step or
    /// of a later one was taken, also by another node.
    pub async fn take_totp(&self, account: &str, step: i64, now: DateTime<Utc>) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/totp_take.sql"));
        Ok(self.run(query.bind(account).bind(step).bind(now)).await? == 1)
    }

    /// Remembers a browser that has shown the second factor of the account.
    pub async fn remember_device(
        &self,
        hash: &[u8],
        account: &str,
        expires: DateTime<Utc>,
    ) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/device_remember.sql"));
        self.run(query.bind(hash).bind(account).bind(expires)).await.map(drop)
    }

    /// Whether the browser is remembered for the account of that address.
    pub async fn is_device_known(
        &self,
        hash: &[u8],
        email: &str,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/device_known.sql"));
        let row = self.first_row(query.bind(hash).bind(email).bind(now)).await?;
        let known = row.map(|row| row.try_get(0)).transpose().map_err(FhirError::internal)?;
        Ok(known.unwrap_or(false))
    }

    /// Removes the second factor with its recovery codes.
    pub async fn remove_totp(&self, account: &str) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/totp_remove.sql")).bind(account);
        self.run(query).await.map(drop)
    }

    /// The recovery codes of an account become these.
    pub async fn set_recovery_codes(&self, account: &str, hashes: &[Vec<u8>]) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/recovery_codes_write.sql"));
        self.run(query.bind(account).bind(hashes)).await.map(drop)
    }

    /// True where the code is the account's and was not used before.
    pub async fn take_recovery_code(
        &self,
        account: &str,
        hash: &[u8],
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/recovery_code_take.sql"));
        Ok(self.run(query.bind(account).bind(hash).bind(now)).await? == 1)
    }
}
