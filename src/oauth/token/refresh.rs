//! Refresh tokens for tokens: RFC 6749, 6. Each is used once; a second use means that two have it,
//! and ends all that belong together (RFC 9700, 4.14.2).

use super::Given;
use crate::access::Scopes;
use crate::access::jwt::Confirmation;
use crate::oauth::AuthorizationServer;
use crate::oauth::error::{OAuthError, OAuthResult};
use crate::oauth::events::SecurityEvent;
use crate::oauth::form::Form;
use crate::oauth::secrets::{hash, new_secret};
use crate::storage::{Client, Grant, NewRefreshToken};

impl AuthorizationServer {
    pub(super) async fn refresh(
        &self,
        client: &Client,
        form: &Form,
        bound: &Confirmation,
    ) -> OAuthResult<Given> {
        let not_good = || OAuthError::invalid_grant("The refresh token is not valid");
        let (now, store) = (self.context.clock.now(), &self.context.store);
        let own = hash(form.need("refresh_token")?);
        let token = store.refresh_token(&own).await?.ok_or_else(not_good)?;
        if token.client != client.id {
            return Err(not_good());
        }
        if token.used.is_some() {
            return Err(self.reused(token.access_grant, form).await?);
        }
        if token.expires <= now || token.idle_expires <= now {
            return Err(not_good());
        }
        let grant = store.grant(token.access_grant, now).await?.ok_or_else(not_good)?;
        if !grant.has("offline_access") && grant.session_expires.is_none() {
            return Err(OAuthError::invalid_grant("The person has signed out"));
        }
        let scopes = narrowed(&grant, form.get("scope"))?;
        self.rebind(client, &grant, bound).await?;
        self.revalidate(&grant, form.actor()).await?;
        let next = new_secret()?;
        let idle_expires = self.lifetimes(client).idle_until(now, token.expires);
        let next_token = NewRefreshToken { hash: &hash(&next), idle_expires };
        if !store.turn_refresh_token(&own, next_token, now).await? {
            return Err(self.reused(token.access_grant, form).await?);
        }
        Ok(Given {
            grant,
            scopes,
            lifetime: self.access_lifetime(client),
            refresh_token: Some(next),
            nonce: None,
            grant_type: "refresh_token",
        })
    }

    async fn reused(&self, grant: i64, form: &Form) -> OAuthResult<OAuthError> {
        self.end_misused(SecurityEvent::RefreshReused { grant }, grant, form).await?;
        Ok(OAuthError::invalid_grant("The refresh token is not valid"))
    }
}

/// The scopes of the grant, or fewer of them where that is asked for; never more.
fn narrowed(grant: &Grant, asked: Option<&str>) -> OAuthResult<String> {
    let Some(asked) = asked else { return Ok(grant.scopes.clone()) };
    let granted = Scopes::parse(&grant.scopes).unwrap_or_default();
    let words = asked.split(' ').filter(|word| !word.is_empty()).count();
    let asked = Scopes::parse(asked).filter(|asked| asked.is_within(&granted));
    // What is no scope at all, or comes twice, is not passed over here.
    match asked.filter(|asked| asked.iter().count() == words && words > 0) {
        Some(asked) => Ok(asked.to_string()),
        None => Err(OAuthError::invalid_scope("A scope was not granted before")),
    }
}
