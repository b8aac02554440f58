//! Second factors: time-based one-time passwords, recovery codes, and how factors end.

mod passkeys;

pub use passkeys::{Challenge, Passkey};

use crate::error::{FhirError, Result};
use crate::storage::failure::of_sqlx;
use crate::storage::store::Store;
use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// The secret of an account.
pub struct Totp {
    pub sealed: SealedSecret,
    pub is_confirmed: bool,
    /// The newest step that a code was taken of.
    pub last_step: i64,
    /// From when it is no factor any more.
    pub ends: Option<DateTime<Utc>>,
}

/// A secret as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedSecret {
    pub bytes: Vec<u8>,
    /// The id of the key; None for the one that is in the database itself.
    pub by: Option<String>,
}

/// What may be shown in addition to a password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Factor {
    /// One-time passwords.
    Totp,
    /// A passkey, by its credential id.
    Passkey(Vec<u8>),
}

impl Factor {
    /// The credential id, if it has one.
    fn id(&self) -> Option<&[u8]> {
        match self {
            Factor::Totp => None,
            Factor::Passkey(id) => Some(id),
        }
    }
}

/// Secrets that are sealed anew at once.
const MOST_RESEALED: i64 = 500;

impl Store {
    pub async fn totp(&self, account: &str) -> Result<Option<Totp>> {
        let query = sqlx::query(include_str!("../sql/totp_read.sql")).bind(account);
        let Some(row) = self.first_row(query).await? else { return Ok(None) };
        let read = || -> Result<Totp, sqlx::Error> {
            let confirmed: Option<DateTime<Utc>> = row.try_get("confirmed")?;
            let sealed =
                SealedSecret { bytes: row.try_get("secret")?, by: row.try_get("sealed_by")? };
            let (last_step, ends) = (row.try_get("last_step")?, row.try_get("ends")?);
            Ok(Totp { sealed, is_confirmed: confirmed.is_some(), last_step, ends })
        };
        read().map(Some).map_err(FhirError::internal)
    }

    /// A new secret that nobody has confirmed; false where one is in use.
    pub async fn begin_totp(
        &self,
        account: &str,
        sealed: &SealedSecret,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/totp_begin.sql"));
        let query = query.bind(account).bind(&sealed.bytes).bind(&sealed.by).bind(now);
        Ok(self.run(query).await? == 1)
    }

    /// Secrets that another key than this one seals, with their accounts: five hundred after that
    /// account.
    pub async fn totps_sealed_otherwise(
        &self,
        by: &str,
        after: &str,
    ) -> Result<Vec<(String, SealedSecret)>> {
        let query = sqlx::query(include_str!("../sql/totp_sealed_otherwise.sql"));
        let rows = self.all_rows(query.bind(by).bind(after).bind(MOST_RESEALED)).await?;
        let read = |row: &PgRow| -> Result<_, sqlx::Error> {
            let sealed =
                SealedSecret { bytes: row.try_get("secret")?, by: row.try_get("sealed_by")? };
            Ok((row.try_get("account")?, sealed))
        };
        rows.iter().map(|row| read(row).map_err(FhirError::internal)).collect()
    }

    /// Puts a secret in place of the same one under another key. False where it changed meanwhile.
    pub async fn reseal_totp(
        &self,
        account: &str,
        before: &SealedSecret,
        now: &SealedSecret,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/totp_reseal.sql"));
        let query = query.bind(account).bind(&before.bytes).bind(&now.bytes).bind(&now.by);
        Ok(self.run(query).await? == 1)
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

    /// Removes every second factor with the recovery codes.
    pub async fn remove_factors(&self, account: &str) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/factors_remove.sql")).bind(account);
        self.run(query).await.map(drop)
    }

    /// A factor of the account is none from then on. False where there is no such factor, or where
    /// `keeps_one` and no other one would stay.
    pub async fn end_factor(
        &self,
        account: &str,
        (factor, ends): (&Factor, DateTime<Utc>),
        keeps_one: bool,
    ) -> Result<bool> {
        let mut connection = self.connection().await?;
        connection.begin().await.map_err(of_sqlx)?;
        let lock = sqlx::query(include_str!("../sql/account_lock.sql")).bind(account);
        lock.fetch_optional(&mut *connection).await.map_err(of_sqlx)?;
        let query = sqlx::query(include_str!("../sql/factor_end.sql"));
        let query = query.bind(account).bind(factor.id()).bind(ends).bind(keeps_one);
        let ended = query.fetch_one(&mut *connection).await.map_err(of_sqlx)?;
        connection.commit().await.map_err(of_sqlx)?;
        let ended: i64 = ended.try_get(0).map_err(FhirError::internal)?;
        Ok(ended == 1)
    }

    /// A factor that was to end stays. False where it was not to end.
    pub async fn keep_factor(
        &self,
        account: &str,
        factor: &Factor,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/factor_keep.sql"));
        let row = self.first_row(query.bind(account).bind(factor.id()).bind(now)).await?;
        let kept = row.map(|row| row.try_get::<i64, _>(0)).transpose();
        Ok(kept.map_err(FhirError::internal)? == Some(1))
    }

    /// Removes the factors that have ended, and the recovery codes with the last one; the accounts
    /// whose they were, one for each.
    pub async fn remove_ended_factors(&self, now: DateTime<Utc>) -> Result<Vec<String>> {
        let query = sqlx::query(include_str!("../sql/factors_ended_remove.sql")).bind(now);
        let rows = self.all_rows(query).await?;
        rows.iter().map(|row| row.try_get(0).map_err(FhirError::internal)).collect()
    }

    /// Recovery codes that were not used.
    pub async fn recovery_codes_left(&self, account: &str) -> Result<i64> {
        let query = sqlx::query(include_str!("../sql/recovery_codes_left.sql")).bind(account);
        let row = self.first_row(query).await?;
        let left = row.map(|row| row.try_get(0)).transpose().map_err(FhirError::internal)?;
        Ok(left.unwrap_or(0))
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
