//! Access tokens (RFC 9068) and id_tokens (OpenID Connect Core 2) of a grant.

use crate::access::Scopes;
use crate::access::jwt::{ACCESS_TOKEN, Claims};
use crate::error::Result;
use crate::oauth::AuthorizationServer;
use crate::oauth::keys::Purpose;
use crate::oauth::secrets::{hash, new_secret};
use crate::storage::Grant;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use serde::Serialize;

/// Scopes of more bytes are named in a token, not written.
const SCOPE_BYTES: usize = 2 << 10;
/// An id_token is read once, at sign-in.
const ID_TOKEN_MINUTES: i64 = 5;

/// An access token as the token endpoint answers it.
#[derive(Clone, Debug)]
pub struct AccessToken {
    pub token: String,
    pub expires_in: i64,
}

#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    amr: &'a [String],
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none")]
    fhir_user: Option<String>,
}

impl AuthorizationServer {
    /// An access token of a grant for some of its scopes. It never outlives the grant.
    pub async fn access_token(
        &self,
        grant: &Grant,
        scopes: &str,
        lifetime: Duration,
    ) -> Result<AccessToken> {
        let now = self.context.clock.now();
        let expires = (now + lifetime).min(grant.expires);
        let mut claims = Claims {
            iss: self.issuer().to_owned(),
            sub: grant.account.clone().unwrap_or_else(|| grant.client.clone()),
            aud: self.context.settings.base_url.clone(),
            client_id: grant.client.clone(),
            jti: new_secret()?,
            gid: grant.id,
            iat: now.timestamp(),
            exp: expires.timestamp(),
            nbf: None,
            scope: Some(scopes.to_owned()),
            scope_ref: None,
            cnf: grant.bound.clone().of_keys(),
        };
        if scopes.len() > SCOPE_BYTES {
            let hash = hash(scopes);
            self.context.store.keep_scopes(&hash, scopes, now).await?;
            (claims.scope, claims.scope_ref) = (None, Some(URL_SAFE_NO_PAD.encode(hash)));
        }
        let token = self.keys.sign(Purpose::AccessToken, ACCESS_TOKEN, &claims).await?;
        Ok(AccessToken { token, expires_in: claims.exp - claims.iat })
    }

    /// The id_token of a grant with `openid`, None without it.
    pub async fn id_token(
        &self,
        grant: &Grant,
        scopes: &Scopes,
        nonce: Option<&str>,
    ) -> Result<Option<String>> {
        let Some(account) = grant.account.as_deref().filter(|_| scopes.has("openid")) else {
            return Ok(None);
        };
        let now = self.context.clock.now();
        let claims = IdClaims {
            iss: self.issuer(),
            sub: account,
            aud: &grant.client,
            iat: now.timestamp(),
            exp: (now + Duration::minutes(ID_TOKEN_MINUTES)).timestamp(),
            auth_time: grant.signed_in.map(|at| at.timestamp()),
            nonce,
            amr: &grant.methods,
            fhir_user: self.fhir_user(grant, scopes),
        };
        self.keys.sign(Purpose::IdToken, "JWT", &claims).await.map(Some)
    }

    /// The absolute URL of the resource that the person is, where `fhirUser` was granted.
    pub fn fhir_user(&self, grant: &Grant, scopes: &Scopes) -> Option<String> {
        let person = grant.fhir_user.as_deref().filter(|_| scopes.has("fhirUser"))?;
        Some(format!("{}/{person}", self.context.settings.base_url))
    }
}
