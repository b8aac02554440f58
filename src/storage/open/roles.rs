//! What the role that serves may do, given by the owner: docs/decisions/0006-database-roles.md

use super::StartError;
use super::database::Database;
use super::migrate::connect;
use sqlx::{Connection, PgConnection};

/// Gives the role that serves what it needs, and takes what it does not need. Asks the database
/// for its name: that of the URL may be another, as behind a pooler.
pub(super) async fn grant(database: &Database, owner: &mut PgConnection) -> Result<(), StartError> {
    let mut serving = connect(database.options()).await?;
    let (application, name, may_create) = role_of(&mut serving).await?;
    serving.close().await?;
    let (owner_name, owned, _) = role_of(owner).await?;
    if name != owned {
        return Err(StartError::TwoDatabases { serving: name, owned });
    }
    if application == owner_name {
        return Ok(());
    }
    if may_create {
        tracing::warn!(
            role = application,
            "the role that serves may create tables; take that from it: \
             revoke create on schema public from public"
        );
    }
    sqlx::query(include_str!("../sql/application_grant.sql"))
        .bind(application)
        .execute(owner)
        .await?;
    Ok(())
}

async fn role_of(connection: &mut PgConnection) -> Result<(String, String, bool), StartError> {
    let query = sqlx::query_as(include_str!("../sql/role_read.sql"));
    Ok(query.fetch_one(connection).await?)
}
