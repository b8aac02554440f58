//! What pages ask of applications: those that can be launched, and where they send people on.

use crate::error::Result;
use crate::storage::store::Store;
use sqlx::FromRow;

/// Applications that are offered for a launch.
const MOST_LAUNCHABLE: i64 = 200;

/// An application that an EHR can launch.
#[derive(Clone, FromRow, Debug)]
pub struct LaunchableApp {
    pub client: String,
    pub name: String,
    pub publisher: Option<String>,
    pub launch_uri: String,
    pub redirect_uris: Vec<String>,
}

impl Store {
    /// Where an active client may send people who have signed out.
    pub async fn post_logout_redirect_uris(&self, client: &str) -> Result<Vec<String>> {
        let query = sqlx::query(include_str!("../sql/client_logout_uris_read.sql")).bind(client);
        let rows: Vec<(String,)> = self.rows(query).await?;
        Ok(rows.into_iter().map(|(uri,)| uri).collect())
    }

    pub async fn set_post_logout_redirect_uris(&self, client: &str, uris: &[String]) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/client_logout_uris_write.sql"));
        self.run(query.bind(client).bind(uris)).await.map(drop)
    }

    /// The active applications with a launch URL and the scope `launch`, by name.
    pub async fn launchable_apps(&self) -> Result<Vec<LaunchableApp>> {
        let query = sqlx::query(include_str!("../sql/client_launchable.sql"));
        self.rows(query.bind(MOST_LAUNCHABLE)).await
    }
}
