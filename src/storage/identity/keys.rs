//! Signing keys as they are stored: the public half in the open, the private half sealed.

use super::run_on;
use crate::access::jwt::VerificationKey;
use crate::error::{FhirError, Result};
use crate::storage::Store;
use crate::storage::failure::of_sqlx;
use crate::storage::pool::Pooled;
use chrono::{DateTime, Utc};
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::Jwk;
use sqlx::FromRow;

/// Purposes, as they are stored.
pub const ACCESS_TOKEN: &str = "access-token";

/// Where a key is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyState {
    /// Published, so that everybody knows it before it signs.
    Next,
    /// Signs.
    Active,
    /// Signs no more; what it has signed is still believed.
    Retiring,
    /// Not believed any more, and its private half is gone.
    Removed,
}

impl KeyState {
    const ALL: [KeyState; 4] =
        [KeyState::Next, KeyState::Active, KeyState::Retiring, KeyState::Removed];

    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyState::Next => "next",
            KeyState::Active => "active",
            KeyState::Retiring => "retiring",
            KeyState::Removed => "removed",
        }
    }
}

impl TryFrom<String> for KeyState {
    type Error = String;

    fn try_from(text: String) -> Result<KeyState, String> {
        let found = KeyState::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| format!("{text} is no state of a key"))
    }
}

/// One key.
#[derive(Clone, FromRow, Debug)]
pub struct SigningKeyRow {
    pub kid: String,
    pub purpose: String,
    pub algorithm: String,
    #[sqlx(try_from = "String")]
    pub state: KeyState,
    pub public_jwk: String,
    /// None once it is removed.
    pub sealed: Option<String>,
    pub created: DateTime<Utc>,
    pub activated: Option<DateTime<Utc>>,
    pub retired: Option<DateTime<Utc>>,
}

impl SigningKeyRow {
    /// The public half.
    pub fn jwk(&self) -> Result<Jwk> {
        serde_json::from_str(&self.public_jwk).map_err(FhirError::internal)
    }

    pub fn algorithm(&self) -> Result<Algorithm> {
        self.algorithm.parse().map_err(FhirError::internal)
    }

    pub fn verification_key(&self) -> Result<VerificationKey> {
        let key = VerificationKey::new(&self.kid, self.algorithm()?, &self.jwk()?);
        key.ok_or_else(|| FhirError::internal(format!("the key {} is broken", self.kid)))
    }
}

impl Store {
    /// All keys, those of one purpose in the order of their making.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKeyRow>> {
        self.rows(sqlx::query(include_str!("../sql/signing_key_read.sql"))).await
    }

    /// The keys for one who changes them: the others wait.
    pub async fn lock_keys(&self) -> Result<LockedKeys> {
        let mut connection = self.connection().await?;
        connection.begin().await.map_err(of_sqlx)?;
        let lock = sqlx::query(include_str!("../sql/signing_key_lock.sql"));
        run_on(&mut connection, lock).await?;
        Ok(LockedKeys { connection })
    }
}

/// Keys that nobody else changes; nothing is changed before [`LockedKeys::commit`].
pub struct LockedKeys {
    connection: Pooled,
}

impl LockedKeys {
    pub async fn keys(&mut self) -> Result<Vec<SigningKeyRow>> {
        sqlx::query_as(include_str!("../sql/signing_key_read.sql"))
            .fetch_all(&mut *self.connection)
            .await
            .map_err(of_sqlx)
    }

    pub async fn add(&mut self, key: &SigningKeyRow) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/signing_key_add.sql"))
            .bind(&key.kid)
            .bind(&key.purpose)
            .bind(&key.algorithm)
            .bind(key.state.as_str())
            .bind(&key.public_jwk)
            .bind(&key.sealed)
            .bind(key.created)
            .bind(key.activated);
        run_on(&mut self.connection, query).await.map(drop)
    }

    /// Gives a key another state.
    pub async fn set(&mut self, kid: &str, state: KeyState, now: DateTime<Utc>) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/signing_key_move.sql"))
            .bind(kid)
            .bind(state.as_str())
            .bind(now);
        run_on(&mut self.connection, query).await.map(drop)
    }

    /// Puts a private key in place of the same one under another key of the key file.
    pub async fn reseal(&mut self, kid: &str, sealed: &str) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/signing_key_reseal.sql"));
        run_on(&mut self.connection, query.bind(kid).bind(sealed)).await.map(drop)
    }

    /// Ends everything that was ever granted; how many grants those were.
    pub async fn revoke_all_grants(&mut self, now: DateTime<Utc>) -> Result<u64> {
        let query = sqlx::query(include_str!("../sql/grants_revoke_all.sql")).bind(now);
        run_on(&mut self.connection, query).await
    }

    pub async fn commit(self) -> Result<()> {
        self.connection.commit().await.map_err(of_sqlx)
    }
}
