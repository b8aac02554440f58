//! Whether a provider still stands by a person: asked at a refresh, once a day (AS-54).

use super::exchange::Refreshed;
use super::{Provider, UpstreamError};
use crate::oauth::AuthorizationServer;
use crate::oauth::error::{OAuthError, OAuthResult};
use crate::oauth::events::{Actor, SecurityEvent, report};
use crate::storage::{Grant, Subject, UpstreamSignIn};
use chrono::Duration;

/// Whoever asks has so long for it.
const ASKED_WITHIN: Duration = Duration::seconds(30);

/// What the provider says.
enum Standing {
    Good(Box<Refreshed>),
    Ended(String),
    /// It did not answer.
    Unknown(String),
}

impl AuthorizationServer {
    /// Ok where the grant did not come of a provider's sign-in, or the provider stands by its
    /// person. 400 `invalid_grant` where it does not: then everything of that sign-in ends. 503
    /// where it does not answer.
    pub async fn revalidate(&self, grant: &Grant, actor: Actor) -> OAuthResult<()> {
        let store = &self.context.store;
        let Some(sign_in) = store.upstream_sign_in(grant.id).await? else { return Ok(()) };
        let now = self.context.clock.now();
        let provider = self.upstream.by_issuer(&sign_in.issuer);
        let standing = match provider {
            _ if sign_in.is_ended => Standing::Ended("it had ended before".to_owned()),
            None => Standing::Ended("the provider is no longer there".to_owned()),
            Some(provider) => {
                let hours = i64::from(provider.settings.revalidation_hours);
                if hours == 0 || now - sign_in.checked < Duration::hours(hours) {
                    return Ok(());
                }
                if !store.ask_upstream(sign_in.id, (now, now + ASKED_WITHIN)).await? {
                    return Err(away());
                }
                self.standing(provider, &sign_in).await?
            }
        };
        match standing {
            Standing::Good(refreshed) => {
                let place = (sign_in.issuer.as_str(), sign_in.subject.as_str());
                let token = refreshed.refresh_token.as_deref();
                let token = token.map(|token| self.seal_upstream(place, token)).transpose()?;
                store.checked_upstream(sign_in.id, token.as_deref(), now).await?;
                Ok(())
            }
            Standing::Ended(reason) => {
                store.end_upstream(sign_in.id, now).await?;
                let actor = Actor {
                    principal: Some(grant.principal()),
                    client_id: Some(grant.client.clone()),
                    ..actor
                };
                let event = SecurityEvent::UpstreamEnded { grant: grant.id, reason };
                report(&self.context, &actor, &event).await?;
                Err(OAuthError::invalid_grant("The person has to sign in again"))
            }
            Standing::Unknown(reason) => {
                tracing::warn!(issuer = sign_in.issuer, reason, "a provider does not answer");
                store.release_upstream(sign_in.id).await?;
                Err(away())
            }
        }
    }

    async fn standing(
        &self,
        provider: &Provider,
        sign_in: &UpstreamSignIn,
    ) -> OAuthResult<Standing> {
        let Some(sealed) = &sign_in.refresh_token else {
            return Ok(Standing::Ended("the provider gave no refresh token".to_owned()));
        };
        let place = (sign_in.issuer.as_str(), sign_in.subject.as_str());
        let token = self.open_upstream(place, sealed)?;
        let now = self.context.clock.now();
        Ok(match self.upstream.refresh(provider, &token, now).await? {
            Ok(refreshed) => match self.has_changed(provider, sign_in, &refreshed).await? {
                Some(reason) => Standing::Ended(reason.to_owned()),
                None => Standing::Good(Box::new(refreshed)),
            },
            Err(error @ (UpstreamError::Refused(_) | UpstreamError::IdToken(_))) => {
                Standing::Ended(error.to_string())
            }
            Err(error) => Standing::Unknown(error.to_string()),
        })
    }

    /// What of the person is no longer as it was.
    async fn has_changed(
        &self,
        provider: &Provider,
        sign_in: &UpstreamSignIn,
        refreshed: &Refreshed,
    ) -> OAuthResult<Option<&'static str>> {
        let Some(claims) = &refreshed.claims else { return Ok(None) };
        if claims.sub != sign_in.subject {
            return Ok(Some("id_token: sub is another one's"));
        }
        // A role that the operator gave is the operator's.
        let given = sign_in.identity.role.filter(|given| *given == sign_in.account_role);
        let Some(given) = given else { return Ok(None) };
        let now_given = provider.still(claims, given);
        if now_given == Some(given) {
            return Ok(None);
        }
        if let Some(role) = now_given {
            let of = Subject { issuer: &sign_in.issuer, subject: &sign_in.subject };
            let now = self.context.clock.now();
            self.context.store.change_upstream_role(of, role, now).await?;
        }
        Ok(Some("the provider gives another role"))
    }
}

/// 503: the refresh token is as good as it was.
fn away() -> OAuthError {
    let text = "The provider of the person's identity does not answer; try again";
    OAuthError { status: 503, ..OAuthError::bad("temporarily_unavailable", text) }
}
