//! Sign-ins of people in a browser, found by the hash of their cookie.

use crate::error::{FhirError, Result};
use crate::storage::read::fetch_all;
use crate::storage::statement::Statement;
use crate::storage::store::Store;
use chrono::{DateTime, Duration, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// `seen` is written at most that often.
const SEEN_EVERY: Duration = Duration::seconds(30);

/// A sign-in.
#[derive(Clone, Debug)]
pub struct Session {
    /// SHA-256 of the cookie.
    pub hash: Vec<u8>,
    pub account: String,
    /// `amr` (RFC 8176): `pwd`, `otp`, `pop`; of a passkey alone `pop`, `user`, `mfa`.
    pub methods: Vec<String>,
    pub user_agent: Option<String>,
    pub created: DateTime<Utc>,
    pub seen: DateTime<Utc>,
    pub expires: DateTime<Utc>,
}

/// A sign-in to be.
pub struct NewSession<'a> {
    pub hash: &'a [u8],
    pub account: &'a str,
    pub epoch: i32,
    pub methods: &'a [&'a str],
    pub user_agent: Option<&'a str>,
    pub expires: DateTime<Utc>,
}

impl Store {
    pub async fn create_session(&self, new: &NewSession<'_>, now: DateTime<Utc>) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/session_create.sql"))
            .bind(new.hash)
            .bind(new.account)
            .bind(new.epoch)
            .bind(new.methods)
            .bind(new.user_agent)
            .bind(now)
            .bind(new.expires);
        self.run(query).await.map(drop)
    }

    /// The live session of the cookie: not expired, and its account as it was at the sign-in.
    pub async fn session(&self, hash: &[u8], now: DateTime<Utc>) -> Result<Option<Session>> {
        let mut statement = sessions(now);
        statement.push(" s.hash = ").bind(hash.to_vec());
        Ok(self.sessions_of(statement).await?.pop())
    }

    /// The live sessions of an account, the newest first.
    pub async fn sessions(&self, account: &str, now: DateTime<Utc>) -> Result<Vec<Session>> {
        let mut statement = sessions(now);
        statement.push(" s.account = ").bind(account.to_owned()).push("::text::uuid");
        statement.push(" order by s.created desc").push_limit(100);
        self.sessions_of(statement).await
    }

    async fn sessions_of(&self, statement: Statement) -> Result<Vec<Session>> {
        let mut connection = self.connection().await?;
        let rows = fetch_all(&mut connection, statement).await?;
        connection.release();
        rows.iter().map(|row| session(row).map_err(FhirError::internal)).collect()
    }

    /// Remembers that the session is in use.
    pub async fn touch_session(&self, hash: &[u8], now: DateTime<Utc>) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/session_touch.sql"));
        self.run(query.bind(hash).bind(now).bind(now - SEEN_EVERY)).await.map(drop)
    }

    /// Ends sessions of an account and the grants of online access that came with them, whose
    /// numbers are returned.
    pub async fn end_sessions(
        &self,
        account: &str,
        hashes: &[Vec<u8>],
        now: DateTime<Utc>,
    ) -> Result<Vec<i64>> {
        let query = sqlx::query(include_str!("../sql/session_end.sql"));
        let rows = self.all_rows(query.bind(account).bind(hashes).bind(now)).await?;
        rows.iter().map(|row| row.try_get(0).map_err(FhirError::internal)).collect()
    }

    /// Removes what has expired of sessions, codes, requests, handles and throttles.
    pub async fn forget_sign_ins(&self, now: DateTime<Utc>) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/sign_in_forget.sql")).bind(now);
        self.run(query).await.map(drop)
    }
}

/// Selects sessions that are live; what follows says which.
fn sessions(now: DateTime<Utc>) -> Statement {
    let mut statement = Statement::new(include_str!("../sql/session_read.sql"));
    statement.push(" s.expires > ").bind(now).push(" and");
    statement
}

fn session(row: &PgRow) -> Result<Session, sqlx::Error> {
    Ok(Session {
        hash: row.try_get("hash")?,
        account: row.try_get("account")?,
        methods: row.try_get("methods")?,
        user_agent: row.try_get("user_agent")?,
        created: row.try_get("created")?,
        seen: row.try_get("seen")?,
        expires: row.try_get("expires")?,
    })
}
