//! People at providers of identities elsewhere: who they are here, and their sign-ins by them.

use crate::access::Role;
use crate::error::{FhirError, Result};
use crate::storage::store::Store;
use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// A person at a provider.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub issuer: &'a str,
    pub subject: &'a str,
}

/// Who a person at a provider is here.
#[derive(Clone, Debug)]
pub struct UpstreamIdentity {
    pub account: String,
    /// The role that the provider's claims gave last; None where the person linked it himself.
    pub role: Option<Role>,
}

/// A request to a provider under way.
pub struct UpstreamRequest<'a> {
    pub hash: &'a [u8],
    pub provider: &'a str,
    pub visitor: &'a [u8],
    /// Who links; None for a sign-in.
    pub account: Option<&'a str>,
    pub sealed: &'a str,
    pub expires: DateTime<Utc>,
}

/// The same as it is taken.
pub struct TakenRequest {
    pub account: Option<String>,
    pub sealed: String,
    pub created: DateTime<Utc>,
}

/// An account that a provider's claims make.
pub struct FederatedAccount<'a> {
    pub account: &'a str,
    pub email: &'a str,
    pub name: &'a str,
    pub role: Role,
    pub language: &'a str,
}

/// A sign-in by a provider, which a grant came of.
#[derive(Clone, Debug)]
pub struct UpstreamSignIn {
    pub id: i64,
    pub issuer: String,
    pub subject: String,
    pub identity: UpstreamIdentity,
    /// Of the account, now.
    pub account_role: Role,
    pub refresh_token: Option<String>,
    pub checked: DateTime<Utc>,
    pub is_ended: bool,
}

impl Store {
    pub async fn upstream_identity(&self, of: Subject<'_>) -> Result<Option<UpstreamIdentity>> {
        let query = sqlx::query(include_str!("../sql/upstream_identity_read.sql"));
        let row = self.first_row(query.bind(of.issuer).bind(of.subject)).await?;
        row.map(|row| identity(&row)).transpose()
    }

    /// The issuers that an account is linked with, and since when.
    pub async fn upstream_identities(&self, account: &str) -> Result<Vec<(String, DateTime<Utc>)>> {
        let query = sqlx::query(include_str!("../sql/upstream_identities_of.sql")).bind(account);
        self.rows(query).await
    }

    /// False where the person is linked with an account, or the account with a person there.
    pub async fn link_upstream(
        &self,
        of: Subject<'_>,
        account: &str,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/upstream_identity_link.sql"));
        let query = query.bind(of.issuer).bind(of.subject).bind(account).bind(now);
        Ok(self.run(query).await? == 1)
    }

    /// Removes the link, and with it what was signed in to and granted by it. False where there
    /// was none.
    pub async fn unlink_upstream(&self, account: &str, issuer: &str) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/upstream_identity_remove.sql"));
        Ok(self.first_row(query.bind(account).bind(issuer)).await?.is_some())
    }

    /// An account for a person at a provider. False where the address has an account, or the
    /// person has one.
    pub async fn create_upstream_account(
        &self,
        of: Subject<'_>,
        new: &FederatedAccount<'_>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/upstream_account_create.sql"))
            .bind(new.account)
            .bind(new.email)
            .bind(new.name)
            .bind(new.role.as_str())
            .bind(new.language)
            .bind(of.issuer)
            .bind(of.subject)
            .bind(now);
        Ok(self.run(query).await? == 1)
    }

    /// The account gets the role that the provider's claims give now, which ends its sessions and
    /// grants.
    pub async fn change_upstream_role(
        &self,
        of: Subject<'_>,
        role: Role,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/upstream_role_change.sql"));
        let query = query.bind(of.issuer).bind(of.subject).bind(role.as_str()).bind(now);
        self.run(query).await.map(drop)
    }

    pub async fn keep_upstream_request(
        &self,
        request: &UpstreamRequest<'_>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/upstream_request_keep.sql"))
            .bind(request.hash)
            .bind(request.provider)
            .bind(request.visitor)
            .bind(request.account)
            .bind(request.sealed)
            .bind(now)
            .bind(request.expires);
        self.run(query).await.map(drop)
    }

    /// Takes the request, which is gone then. None where it is another browser's or provider's.
    pub async fn take_upstream_request(
        &self,
        hash: &[u8],
        (provider, visitor): (&str, &[u8]),
        now: DateTime<Utc>,
    ) -> Result<Option<TakenRequest>> {
        let query = sqlx::query(include_str!("../sql/upstream_request_take.sql"));
        let row = self.first_row(query.bind(hash).bind(provider).bind(visitor).bind(now)).await?;
        let read = |row: &PgRow| -> Result<TakenRequest, sqlx::Error> {
            Ok(TakenRequest {
                account: row.try_get("account")?,
                sealed: row.try_get("sealed")?,
                created: row.try_get("created")?,
            })
        };
        row.map(|row| read(&row).map_err(FhirError::internal)).transpose()
    }

    /// The session came of a sign-in by a provider, whose refresh token is sealed.
    pub async fn begin_upstream_sign_in(
        &self,
        session: &[u8],
        (of, refresh_token): (Subject<'_>, Option<&str>),
        now: DateTime<Utc>,
    ) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/upstream_sign_in_begin.sql"))
            .bind(session)
            .bind(of.issuer)
            .bind(of.subject)
            .bind(refresh_token)
            .bind(now);
        self.run(query).await.map(drop)
    }

    /// Whether the session came of a sign-in by a provider.
    pub async fn is_upstream_session(&self, session: &[u8]) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/upstream_sign_in_known.sql")).bind(session);
        let row: Option<(bool,)> = self.row(query).await?;
        Ok(row.is_some_and(|(known,)| known))
    }

    /// Another session goes on where one ended.
    pub async fn move_upstream_sign_in(&self, before: &[u8], after: &[u8]) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/upstream_sign_in_move.sql"));
        self.run(query.bind(before).bind(after)).await.map(drop)
    }

    /// The grant ends where the provider no longer stands by the person of the session.
    pub async fn tie_upstream(&self, grant: i64, session: &[u8]) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/upstream_sign_in_tie.sql"));
        self.run(query.bind(grant).bind(session)).await.map(drop)
    }

    /// The sign-in that a grant came of; None where it was one of this server.
    pub async fn upstream_sign_in(&self, grant: i64) -> Result<Option<UpstreamSignIn>> {
        let query = sqlx::query(include_str!("../sql/upstream_sign_in_read.sql")).bind(grant);
        let row = self.first_row(query).await?;
        row.map(|row| sign_in(&row)).transpose()
    }

    /// True for the one who is to ask the provider.
    pub async fn ask_upstream(
        &self,
        sign_in: i64,
        (now, until): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/upstream_sign_in_ask.sql"));
        Ok(self.run(query.bind(sign_in).bind(now).bind(until)).await? == 1)
    }

    /// The provider stands by the person.
    pub async fn checked_upstream(
        &self,
        sign_in: i64,
        refresh_token: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/upstream_sign_in_check.sql"));
        self.run(query.bind(sign_in).bind(now).bind(refresh_token)).await.map(drop)
    }

    /// The provider did not answer: somebody may ask again.
    pub async fn release_upstream(&self, sign_in: i64) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/upstream_sign_in_release.sql"));
        self.run(query.bind(sign_in)).await.map(drop)
    }

    /// The provider no longer stands by the person: the session and the grants, whose numbers are
    /// returned, have ended.
    pub async fn end_upstream(&self, sign_in: i64, now: DateTime<Utc>) -> Result<Vec<i64>> {
        let query = sqlx::query(include_str!("../sql/upstream_sign_in_end.sql"));
        let rows: Vec<(i64,)> = self.rows(query.bind(sign_in).bind(now)).await?;
        Ok(rows.into_iter().map(|(grant,)| grant).collect())
    }

    /// Removes requests that have expired, and sign-ins that nothing is left of.
    pub async fn forget_upstream(
        &self,
        (now, unused_since): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/upstream_forget.sql"));
        self.run(query.bind(now).bind(unused_since)).await.map(drop)
    }
}

fn role(text: &str) -> Result<Role> {
    Role::parse(text).ok_or_else(|| FhirError::internal("a stored role is unknown"))
}

fn identity(row: &PgRow) -> Result<UpstreamIdentity> {
    let read = || -> Result<(String, Option<String>), sqlx::Error> {
        Ok((row.try_get("account")?, row.try_get("role")?))
    };
    let (account, given) = read().map_err(FhirError::internal)?;
    Ok(UpstreamIdentity { account, role: given.as_deref().map(role).transpose()? })
}

fn sign_in(row: &PgRow) -> Result<UpstreamSignIn> {
    let identity = identity(row)?;
    let read = || -> Result<(String, UpstreamSignIn), sqlx::Error> {
        let found = UpstreamSignIn {
            id: row.try_get("upstream_sign_in")?,
            issuer: row.try_get("issuer")?,
            subject: row.try_get("subject")?,
            identity,
            account_role: Role::Patient,
            refresh_token: row.try_get("refresh_token")?,
            checked: row.try_get("checked")?,
            is_ended: row.try_get("is_ended")?,
        };
        Ok((row.try_get("account_role")?, found))
    };
    let (account_role, found) = read().map_err(FhirError::internal)?;
    Ok(UpstreamSignIn { account_role: role(&account_role)?, ..found })
}
