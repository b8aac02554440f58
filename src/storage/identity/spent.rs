//! What may be used once: authorization codes, refresh tokens, assertions. Of two who use one at
//! the same time one is told that it was used, on whichever nodes they are.

use crate::error::Result;
use crate::storage::Store;
use chrono::{DateTime, Duration, Utc};
use sqlx::FromRow;

/// An authorization code as it was given out.
#[derive(Clone, FromRow, Debug)]
pub struct Code {
    pub access_grant: i64,
    pub client: String,
    pub redirect_uri: String,
    pub code_challenge: String,
    pub nonce: Option<String>,
    /// The thumbprint of the key that the request named.
    pub dpop_jkt: Option<String>,
    pub expires: DateTime<Utc>,
    pub redeemed: Option<DateTime<Utc>>,
}

/// A refresh token as it was given out.
#[derive(Clone, FromRow, Debug)]
pub struct RefreshToken {
    pub access_grant: i64,
    pub client: String,
    pub idle_expires: DateTime<Utc>,
    pub expires: DateTime<Utc>,
    pub used: Option<DateTime<Utc>>,
}

/// A refresh token to be given out.
#[derive(Clone, Copy, Debug)]
pub struct NewRefreshToken<'a> {
    /// SHA-256
    pub hash: &'a [u8],
    pub idle_expires: DateTime<Utc>,
}

impl Store {
    /// The code of that hash.
    pub async fn code(&self, hash: &[u8]) -> Result<Option<Code>> {
        self.row(sqlx::query(include_str!("../sql/code_read.sql")).bind(hash)).await
    }

    /// False where the code was redeemed before, or has expired.
    pub async fn redeem_code(&self, hash: &[u8], now: DateTime<Utc>) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/code_redeem.sql")).bind(hash).bind(now);
        Ok(self.run(query).await? == 1)
    }

    /// The refresh token of that hash, also after it was used.
    pub async fn refresh_token(&self, hash: &[u8]) -> Result<Option<RefreshToken>> {
        self.row(sqlx::query(include_str!("../sql/refresh_token_read.sql")).bind(hash)).await
    }

    /// The first refresh token of a grant, whose family ends with `expires`.
    pub async fn add_refresh_token(
        &self,
        token: NewRefreshToken<'_>,
        grant: i64,
        (now, expires): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/refresh_token_add.sql"))
            .bind(token.hash)
            .bind(grant)
            .bind(now)
            .bind(token.idle_expires)
            .bind(expires);
        self.run(query).await.map(drop)
    }

    /// Spends a refresh token for the next. False where it was spent before, or has expired.
    pub async fn turn_refresh_token(
        &self,
        hash: &[u8],
        next: NewRefreshToken<'_>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/refresh_token_turn.sql"))
            .bind(hash)
            .bind(now)
            .bind(next.hash)
            .bind(next.idle_expires);
        Ok(self.run(query).await? == 1)
    }

    /// False where the client has used the `jti` of that hash before.
    pub async fn use_jti(&self, client: &str, jti: &[u8], expires: DateTime<Utc>) -> Result<bool> {
        let query =
            sqlx::query(include_str!("../sql/jti_use.sql")).bind(client).bind(jti).bind(expires);
        Ok(self.run(query).await? == 1)
    }

    /// Keeps scopes that are too long for a token under their SHA-256.
    pub async fn keep_scopes(&self, hash: &[u8], scopes: &str, now: DateTime<Utc>) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/scope_set_keep.sql"))
            .bind(hash)
            .bind(scopes)
            .bind(now);
        self.run(query).await.map(drop)
    }

    /// Forgets what ended `kept` ago; how many grants those were.
    pub async fn sweep_tokens(&self, now: DateTime<Utc>, kept: Duration) -> Result<u64> {
        let query = sqlx::query(include_str!("../sql/token_sweep.sql")).bind(now).bind(now - kept);
        self.run(query).await
    }
}
