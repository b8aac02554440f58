//! Passkeys and the challenges of their ceremonies.

use crate::error::{FhirError, Result};
use crate::storage::Store;
use crate::storage::failure::of_sqlx;
use crate::storage::read::fetch_all;
use crate::storage::statement::Statement;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, Row};

/// A passkey of an account.
#[derive(Clone, FromRow, Debug)]
pub struct Passkey {
    /// The credential id.
    pub id: Vec<u8>,
    pub account: String,
    pub name: String,
    /// COSE
    pub public_key: Vec<u8>,
    pub algorithm: i32,
    /// Of the last signature.
    pub counter: i64,
    pub transports: Vec<String>,
    pub created: DateTime<Utc>,
    pub used: Option<DateTime<Utc>>,
    /// From when it is none any more.
    pub ends: Option<DateTime<Utc>>,
}

/// A challenge of a ceremony: for which answer it is good.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    /// SHA-256 of it.
    pub hash: &'a [u8],
    pub purpose: &'a str,
    /// None where whoever has a passkey may answer.
    pub account: Option<&'a str>,
    /// SHA-256 of what names browser and session.
    pub browser: &'a [u8],
}

impl Store {
    /// False where there is one of that id, of whichever account, or the account has as many as it
    /// may.
    pub async fn add_passkey(&self, new: &Passkey, most: i64) -> Result<bool> {
        let query = sqlx::query(include_str!("../../sql/passkey_add.sql"))
            .bind(&new.id)
            .bind(&new.account)
            .bind(&new.name)
            .bind(&new.public_key)
            .bind(new.algorithm)
            .bind(new.counter)
            .bind(&new.transports)
            .bind(new.created)
            .bind(most);
        Ok(self.run(query).await? == 1)
    }

    /// The passkeys of an account that have not ended, in the order of their making.
    pub async fn passkeys(&self, account: &str, now: DateTime<Utc>) -> Result<Vec<Passkey>> {
        let mut statement = passkeys(now);
        statement.push(" account = ").bind(account.to_owned()).push("::text::uuid");
        statement.push(" order by created, id");
        self.passkeys_of(statement).await
    }

    /// The passkey of that credential id, if it has not ended.
    pub async fn passkey(&self, id: &[u8], now: DateTime<Utc>) -> Result<Option<Passkey>> {
        let mut statement = passkeys(now);
        statement.push(" id = ").bind(id.to_vec());
        Ok(self.passkeys_of(statement).await?.pop())
    }

    async fn passkeys_of(&self, statement: Statement) -> Result<Vec<Passkey>> {
        let mut connection = self.connection().await?;
        let rows = fetch_all(&mut connection, statement).await?;
        connection.release();
        rows.iter().map(|row| Passkey::from_row(row).map_err(FhirError::internal)).collect()
    }

    /// Takes a signature of that counter. False where one of it or of a later one was taken, also
    /// by another node.
    pub async fn use_passkey(&self, id: &[u8], counter: u32, now: DateTime<Utc>) -> Result<bool> {
        let query = sqlx::query(include_str!("../../sql/passkey_use.sql"));
        Ok(self.run(query.bind(id).bind(i64::from(counter)).bind(now)).await? == 1)
    }

    /// False where the account has no such passkey.
    pub async fn name_passkey(&self, account: &str, id: &[u8], name: &str) -> Result<bool> {
        let query = sqlx::query(include_str!("../../sql/passkey_name.sql"));
        Ok(self.run(query.bind(id).bind(account).bind(name)).await? == 1)
    }

    /// Keeps a challenge, and what its answer will be verified with.
    pub async fn keep_challenge(
        &self,
        challenge: &Challenge<'_>,
        state: &str,
        expires: DateTime<Utc>,
    ) -> Result<()> {
        let query = sqlx::query(include_str!("../../sql/passkey_challenge_keep.sql"))
            .bind(challenge.hash)
            .bind(challenge.purpose)
            .bind(challenge.account)
            .bind(challenge.browser)
            .bind(state)
            .bind(expires);
        self.run(query).await.map(drop)
    }

    /// Takes a challenge, which is gone then. None where it was taken before, has expired, or was
    /// for something else.
    pub async fn take_challenge(
        &self,
        challenge: &Challenge<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<String>> {
        let query = sqlx::query(include_str!("../../sql/passkey_challenge_take.sql"))
            .bind(challenge.hash)
            .bind(challenge.purpose)
            .bind(challenge.account)
            .bind(challenge.browser)
            .bind(now);
        let row = self.first_row(query).await?;
        row.map(|row| row.try_get(0)).transpose().map_err(of_sqlx)
    }
}

/// Selects passkeys that have not ended; what follows says which.
fn passkeys(now: DateTime<Utc>) -> Statement {
    let mut statement = Statement::new(include_str!("../../sql/passkey_read.sql"));
    statement.push(" (ends is null or ends > ").bind(now).push(") and");
    statement
}
