//! Codes for tokens: RFC 6749, 4.1.3, with the proof of RFC 7636.

use super::Given;
use crate::access::jwt::Confirmation;
use crate::oauth::AuthorizationServer;
use crate::oauth::error::{OAuthError, OAuthResult};
use crate::oauth::events::SecurityEvent;
use crate::oauth::form::Form;
use crate::oauth::secrets::{are_equal, hash, new_secret};
use crate::storage::{Client, Code, Grant, NewRefreshToken};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

impl AuthorizationServer {
    pub(super) async fn redeem(
        &self,
        client: &Client,
        form: &Form,
        bound: &Confirmation,
    ) -> OAuthResult<Given> {
        let not_good = || OAuthError::invalid_grant("The code is not valid");
        let (now, store) = (self.context.clock.now(), &self.context.store);
        let hash = hash(form.need("code")?);
        let code = store.code(&hash).await?.ok_or_else(not_good)?;
        if code.redeemed.is_some() {
            return Err(self.replayed(code.access_grant, form).await?);
        }
        check(&code, client, form)?;
        if code.dpop_jkt.is_some() && code.dpop_jkt != bound.jkt {
            let text = "The code is bound to a key that the request does not show";
            return Err(OAuthError::invalid_grant(text));
        }
        if code.expires <= now {
            return Err(not_good());
        }
        let grant = store.grant(code.access_grant, now).await?.ok_or_else(not_good)?;
        if !store.redeem_code(&hash, now).await? {
            return Err(self.replayed(code.access_grant, form).await?);
        }
        self.rebind(client, &grant, bound).await?;
        let (grant, refresh_token) = self.begin(client, grant, now).await?;
        Ok(Given {
            scopes: grant.scopes.clone(),
            grant,
            lifetime: self.access_lifetime(client),
            refresh_token,
            nonce: code.nonce,
            grant_type: "authorization_code",
        })
    }

    /// Somebody else has the code, too: what it was for ends (RFC 6749, 4.1.2).
    async fn replayed(&self, grant: i64, form: &Form) -> OAuthResult<OAuthError> {
        self.end_misused(SecurityEvent::CodeReplayed { grant }, grant, form).await?;
        Ok(OAuthError::invalid_grant("The code is not valid"))
    }

    /// The grant as long as its tokens are good, and its first refresh token if it has some.
    async fn begin(
        &self,
        client: &Client,
        grant: Grant,
        now: DateTime<Utc>,
    ) -> OAuthResult<(Grant, Option<String>)> {
        let lifetimes = self.lifetimes(client);
        let ends = match (grant.has("offline_access"), grant.has("online_access")) {
            (true, _) => Some(now + lifetimes.absolute),
            (false, true) => grant.session_expires,
            (false, false) => None,
        };
        let ends = ends.filter(|_| client.may("refresh_token"));
        let expires = ends.unwrap_or(now + self.access_lifetime(client));
        self.context.store.extend_grant(grant.id, expires).await?;
        let grant = Grant { expires, ..grant };
        let Some(ends) = ends else { return Ok((grant, None)) };
        let token = new_secret()?;
        let idle_expires = lifetimes.idle_until(now, ends);
        let first = NewRefreshToken { hash: &hash(&token), idle_expires };
        self.context.store.add_refresh_token(first, grant.id, (now, ends)).await?;
        Ok((grant, Some(token)))
    }
}

/// The code is this client's, for this redirect URI, and whoever brings it has asked for it.
fn check(code: &Code, client: &Client, form: &Form) -> OAuthResult<()> {
    if code.client != client.id || form.need("redirect_uri")? != code.redirect_uri {
        return Err(OAuthError::invalid_grant("The code is not valid"));
    }
    let verifier = form.need("code_verifier")?;
    let is_verifier = (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    let challenge = URL_SAFE_NO_PAD.encode(hash(verifier));
    match is_verifier && are_equal(challenge.as_bytes(), code.code_challenge.as_bytes()) {
        true => Ok(()),
        false => Err(OAuthError::invalid_grant("The code_verifier is not that of the code")),
    }
}
