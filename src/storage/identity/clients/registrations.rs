//! Clients that registered themselves, and change what they are registered with (RFC 7592).

use super::Client;
use crate::error::Result;
use crate::storage::Store;
use chrono::{DateTime, Utc};
use serde_json::Value;

impl Store {
    /// When the client was registered that has the registration token of that hash; None where it
    /// has another, or is no longer active.
    pub async fn registration(&self, id: &str, token: &[u8]) -> Result<Option<DateTime<Utc>>> {
        let query = sqlx::query(include_str!("../../sql/client_registration_read.sql"));
        let row: Option<(DateTime<Utc>,)> = self.row(query.bind(id).bind(token)).await?;
        Ok(row.map(|(created,)| created))
    }

    /// Gives a client its registration token, by its hash.
    pub async fn keep_registration_token(&self, id: &str, token: &[u8]) -> Result<()> {
        let query = sqlx::query(include_str!("../../sql/client_registration_write.sql"));
        self.run(query.bind(id).bind(token)).await.map(drop)
    }

    /// Changes what a client is registered with, and its registration token from the first hash to
    /// the second. False where the first is not its token any more.
    pub async fn change_registration(
        &self,
        client: &Client,
        (token, next): (&[u8], &[u8]),
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../../sql/client_registration_change.sql"))
            .bind(&client.id)
            .bind(token)
            .bind(next)
            .bind(&client.name)
            .bind(&client.scopes)
            .bind(&client.grant_types)
            .bind(&client.redirect_uris)
            .bind(&client.launch_uri)
            .bind(&client.origins)
            .bind(client.jwks.as_ref().map(Value::to_string))
            .bind(&client.jwks_uri)
            .bind(client.terms.is_dpop_bound)
            .bind(client.terms.requires_pushed)
            .bind(now);
        Ok(self.run(query).await? == 1)
    }

    /// Ends a client that has the registration token of that hash, with everything granted to it.
    pub async fn end_registration(
        &self,
        id: &str,
        token: &[u8],
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../../sql/client_registration_end.sql"));
        Ok(self.run(query.bind(id).bind(token).bind(now)).await? == 1)
    }
}
