//! Authorization requests under way, launches, consents, and the grants that come of them.

use crate::error::{FhirError, Result};
use crate::storage::store::Store;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;

/// What the pages know of a client.
#[derive(Clone, Debug)]
pub struct App {
    pub client: String,
    pub name: String,
    pub publisher: Option<String>,
    pub epoch: i32,
    pub scopes: String,
    pub grant_types: Vec<String>,
    pub redirect_uris: Vec<String>,
    pub is_first_party: bool,
    pub skips_consent: bool,
    /// Its authorization requests are pushed (RFC 9126).
    pub requires_pushed: bool,
}

/// A grant to be, with its authorization code.
pub struct CodeGrant<'a> {
    /// The authorization request, which ends with it.
    pub request: &'a [u8],
    pub client: (&'a str, i32),
    pub account: (&'a str, i32),
    /// The login session that it ends with.
    pub session: Option<&'a [u8]>,
    pub scopes: &'a str,
    pub launch: &'a Value,
    pub patient_rid: Option<i64>,
    pub methods: &'a [String],
    pub signed_in: DateTime<Utc>,
    pub code: &'a [u8],
    /// Of the code; redeeming it puts off the end of the grant.
    pub expires: DateTime<Utc>,
    pub redirect_uri: &'a str,
    pub code_challenge: &'a str,
    pub nonce: Option<&'a str>,
    /// The thumbprint of the key that the code is bound to.
    pub dpop_jkt: Option<&'a str>,
}

/// What an account granted.
pub struct GivenGrant {
    pub grant: i64,
    pub client: String,
    pub name: String,
    pub publisher: Option<String>,
    pub scopes: String,
    pub created: DateTime<Utc>,
    pub expires: DateTime<Utc>,
}

impl Store {
    /// The client of that id, if it is active.
    pub async fn app(&self, client: &str) -> Result<Option<App>> {
        let query = sqlx::query(include_str!("../sql/app_read.sql")).bind(client);
        let row = self.first_row(query).await?;
        row.map(|row| app(&row).map_err(FhirError::internal)).transpose()
    }

    /// Keeps an authorization request, or its newest state.
    pub async fn keep_authorization_request(
        &self,
        hash: &[u8],
        (client, request): (&str, &Value),
        (created, expires): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/authorization_request_write.sql"))
            .bind(hash)
            .bind(client)
            .bind(request)
            .bind(created)
            .bind(expires);
        self.run(query).await.map(drop)
    }

    /// The request, and when it came.
    pub async fn authorization_request(
        &self,
        hash: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Option<(Value, DateTime<Utc>)>> {
        let query = sqlx::query(include_str!("../sql/authorization_request_read.sql"));
        let Some(row) = self.first_row(query.bind(hash).bind(now)).await? else { return Ok(None) };
        let read = || -> Result<_, sqlx::Error> { Ok((row.try_get(0)?, row.try_get(1)?)) };
        read().map(Some).map_err(FhirError::internal)
    }

    /// True for the one who ends it.
    pub async fn end_authorization_request(&self, hash: &[u8]) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/authorization_request_remove.sql"));
        Ok(self.run(query.bind(hash)).await? == 1)
    }

    pub async fn create_launch(
        &self,
        hash: &[u8],
        (client, account, context): (&str, Option<&str>, &Value),
        (now, expires): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/launch_handle_create.sql"))
            .bind(hash)
            .bind(client)
            .bind(account)
            .bind(context)
            .bind(now)
            .bind(expires);
        self.run(query).await.map(drop)
    }

    /// Takes the launch of that client, which is gone then: for whom it is, and its context.
    pub async fn take_launch(
        &self,
        hash: &[u8],
        client: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<(Option<String>, Value)>> {
        let query = sqlx::query(include_str!("../sql/launch_handle_take.sql"));
        let row = self.first_row(query.bind(hash).bind(client).bind(now)).await?;
        let Some(row) = row else { return Ok(None) };
        let read = || -> Result<_, sqlx::Error> { Ok((row.try_get(0)?, row.try_get(1)?)) };
        read().map(Some).map_err(FhirError::internal)
    }

    /// Makes the grant and its code, and ends the request. None where the request has ended.
    pub async fn issue_grant(
        &self,
        new: &CodeGrant<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<i64>> {
        let query = sqlx::query(include_str!("../sql/grant_issue.sql"))
            .bind(new.request)
            .bind(new.client.0)
            .bind(new.account.0)
            .bind(new.session)
            .bind(new.scopes)
            .bind(new.launch)
            .bind(new.patient_rid)
            .bind(new.methods)
            .bind(new.signed_in)
            .bind(new.account.1)
            .bind(new.client.1)
            .bind(new.expires)
            .bind(now)
            .bind(new.code)
            .bind(new.redirect_uri)
            .bind(new.code_challenge)
            .bind(new.nonce)
            .bind(new.dpop_jkt);
        let row = self.first_row(query).await?;
        row.map(|row| row.try_get(0).map_err(FhirError::internal)).transpose()
    }

    /// The live grants of an account, the newest first, 200 at most.
    pub async fn grants_of(&self, account: &str, now: DateTime<Utc>) -> Result<Vec<GivenGrant>> {
        let query = sqlx::query(include_str!("../sql/grants_of_account.sql"));
        let rows = self.all_rows(query.bind(account).bind(now).bind(200_i64)).await?;
        rows.iter().map(|row| given_grant(row).map_err(FhirError::internal)).collect()
    }

    /// Revokes what an account granted a client, and forgets its consent; the numbers of the
    /// grants.
    pub async fn revoke_grants(
        &self,
        account: &str,
        client: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<i64>> {
        let query = sqlx::query(include_str!("../sql/grants_revoke.sql"));
        let rows = self.all_rows(query.bind(account).bind(client).bind(now)).await?;
        let query = sqlx::query(include_str!("../sql/consent_remove.sql"));
        self.run(query.bind(account).bind(client)).await?;
        rows.iter().map(|row| row.try_get(0).map_err(FhirError::internal)).collect()
    }

    /// What the account last allowed the client.
    pub async fn consented(&self, account: &str, client: &str) -> Result<Option<String>> {
        let query = sqlx::query(include_str!("../sql/consent_read.sql"));
        let row = self.first_row(query.bind(account).bind(client)).await?;
        row.map(|row| row.try_get(0).map_err(FhirError::internal)).transpose()
    }

    pub async fn remember_consent(
        &self,
        (account, client): (&str, &str),
        scopes: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/consent_write.sql"));
        self.run(query.bind(account).bind(client).bind(scopes).bind(now)).await.map(drop)
    }
}

fn app(row: &PgRow) -> Result<App, sqlx::Error> {
    Ok(App {
        client: row.try_get("client")?,
        name: row.try_get("name")?,
        publisher: row.try_get("publisher")?,
        epoch: row.try_get("epoch")?,
        scopes: row.try_get("scopes")?,
        grant_types: row.try_get("grant_types")?,
        redirect_uris: row.try_get("redirect_uris")?,
        is_first_party: row.try_get("is_first_party")?,
        skips_consent: row.try_get("skips_consent")?,
        requires_pushed: row.try_get("requires_pushed")?,
    })
}

fn given_grant(row: &PgRow) -> Result<GivenGrant, sqlx::Error> {
    Ok(GivenGrant {
        grant: row.try_get("access_grant")?,
        client: row.try_get("client")?,
        name: row.try_get("name")?,
        publisher: row.try_get("publisher")?,
        scopes: row.try_get("scopes")?,
        created: row.try_get("created")?,
        expires: row.try_get("expires")?,
    })
}
