//! What was granted to whom. Every token belongs to one grant, and ends with it.

use crate::access::jwt::Confirmation;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::storage::Store;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::FromRow;

/// A grant to be made.
#[derive(Clone, Debug)]
pub struct NewGrant<'a> {
    pub client: &'a str,
    /// UUID of the account; None for a backend service.
    pub account: Option<&'a str>,
    /// Hash of the login session.
    pub session: Option<&'a [u8]>,
    /// Scopes as granted, apart by spaces.
    pub scopes: &'a str,
    /// The launch context as the token endpoint answers it: `patient` and `encounter` are ids,
    /// `fhirContext`, `need_patient_banner`, `intent`, `smart_style_url`, `tenant`.
    pub launch: &'a Value,
    /// Surrogate id of `launch.patient`.
    pub patient_rid: Option<i64>,
    /// `amr`.
    pub methods: &'a [String],
    pub signed_in: Option<DateTime<Utc>>,
    /// Of the code; redeeming it puts this off.
    pub expires: DateTime<Utc>,
}

/// A grant that is good.
#[derive(Clone, Debug)]
pub struct Grant {
    pub id: i64,
    pub client: String,
    pub account: Option<String>,
    pub scopes: String,
    pub launch: Value,
    pub methods: Vec<String>,
    pub signed_in: Option<DateTime<Utc>>,
    pub created: DateTime<Utc>,
    pub expires: DateTime<Utc>,
    /// `Practitioner/1`
    pub fhir_user: Option<String>,
    /// Of its login session; None where that has ended.
    pub session_expires: Option<DateTime<Utc>>,
    /// What its tokens are bound to.
    pub bound: Confirmation,
}

#[derive(FromRow)]
struct GrantRow {
    access_grant: i64,
    client: String,
    account: Option<String>,
    scopes: String,
    launch: String,
    methods: Vec<String>,
    signed_in: Option<DateTime<Utc>>,
    created: DateTime<Utc>,
    expires: DateTime<Utc>,
    person_type: Option<i16>,
    person_id: Option<String>,
    session_expires: Option<DateTime<Utc>>,
    jkt: Option<String>,
    x5t: Option<String>,
}

impl TryFrom<GrantRow> for Grant {
    type Error = FhirError;

    fn try_from(row: GrantRow) -> Result<Grant> {
        let person = row.person_type.and_then(ResourceType::from_number).zip(row.person_id);
        Ok(Grant {
            id: row.access_grant,
            client: row.client,
            account: row.account,
            scopes: row.scopes,
            launch: serde_json::from_str(&row.launch).map_err(FhirError::internal)?,
            methods: row.methods,
            signed_in: row.signed_in,
            created: row.created,
            expires: row.expires,
            fhir_user: person.map(|(kind, id)| format!("{kind}/{id}")),
            session_expires: row.session_expires,
            bound: Confirmation { jkt: row.jkt, x5t: row.x5t },
        })
    }
}

impl Grant {
    /// `account/[uuid]` or `client/[client_id]`
    pub fn principal(&self) -> String {
        match &self.account {
            Some(account) => format!("account/{account}"),
            None => format!("client/{}", self.client),
        }
    }

    /// True for a scope that is not about resources: `has("offline_access")`.
    pub fn has(&self, scope: &str) -> bool {
        self.scopes.split(' ').any(|own| own == scope)
    }
}

/// What an account says of its person (OpenID Connect Core, 5.1).
#[derive(Clone, FromRow, Debug)]
pub struct PersonClaims {
    pub name: String,
    pub email: String,
}

impl Store {
    /// The id of the new grant. None where the client or the account is not active.
    pub async fn make_grant(
        &self,
        grant: &NewGrant<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<i64>> {
        let query = sqlx::query(include_str!("../sql/grant_make.sql"))
            .bind(grant.client)
            .bind(grant.account)
            .bind(grant.session)
            .bind(grant.scopes)
            .bind(grant.launch.to_string())
            .bind(grant.patient_rid)
            .bind(grant.methods)
            .bind(grant.signed_in)
            .bind(now)
            .bind(grant.expires);
        let row: Option<(i64,)> = self.row(query).await?;
        Ok(row.map(|(id,)| id))
    }

    /// A grant. None where it, its client or its account is no longer good.
    pub async fn grant(&self, id: i64, now: DateTime<Utc>) -> Result<Option<Grant>> {
        let query = sqlx::query(include_str!("../sql/grant_read.sql")).bind(id).bind(now);
        let row: Option<GrantRow> = self.row(query).await?;
        row.map(Grant::try_from).transpose()
    }

    /// Ends a grant with all its tokens. False where it had ended before.
    pub async fn revoke_grant(&self, id: i64, now: DateTime<Utc>) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/grant_revoke.sql")).bind(id).bind(now);
        Ok(self.run(query).await? == 1)
    }

    /// Ends the grants of a login session that were not for offline access; how many those were.
    pub async fn revoke_session_grants(&self, session: &[u8], now: DateTime<Utc>) -> Result<u64> {
        let query =
            sqlx::query(include_str!("../sql/grant_revoke_session.sql")).bind(session).bind(now);
        self.run(query).await
    }

    /// How long a grant holds from now on.
    pub async fn extend_grant(&self, id: i64, expires: DateTime<Utc>) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/grant_extend.sql")).bind(id).bind(expires);
        self.run(query).await.map(drop)
    }

    /// Binds what is given out for a grant from now on, unless it is bound already.
    pub async fn bind_grant(&self, id: i64, bound: &Confirmation) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/grant_bind.sql"))
            .bind(id)
            .bind(&bound.jkt)
            .bind(&bound.x5t);
        self.run(query).await.map(drop)
    }

    /// Name and address of an account's person.
    pub async fn person_claims(&self, account: &str) -> Result<Option<PersonClaims>> {
        let query = sqlx::query(include_str!("../sql/account_claims_read.sql")).bind(account);
        self.row(query).await
    }
}
