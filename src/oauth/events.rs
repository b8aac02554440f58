//! What happened that concerns security: each is told at one place, for the audit.

use crate::access::{Asker, Caller, Origin};
use crate::audit;
use crate::error::Result;
use crate::interactions::Context;
use std::net::IpAddr;

/// Who did something, and from where.
#[derive(Clone, Default, Debug)]
pub struct Actor {
    /// `account/[uuid]` or `client/[client_id]`, where it is known.
    pub principal: Option<String>,
    /// The client as it names itself, where it does.
    pub client_id: Option<String>,
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub request_id: String,
}

impl Actor {
    /// The event as the audit has it.
    fn entry(&self, event: &SecurityEvent) -> audit::SecurityEvent {
        let origin = Origin {
            address: self.address,
            user_agent: self.user_agent.clone(),
            request_id: self.request_id.clone(),
            ..Origin::default()
        };
        let asker = Asker { caller: Caller::Anonymous, origin };
        let entry = audit::SecurityEvent::of(&asker, event.name());
        let entry = match &self.principal {
            Some(principal) => entry.by(principal.clone(), self.client_id.clone()),
            None => entry.by("anonymous", self.client_id.clone()),
        };
        match event.refusal() {
            Some(reason) => entry.refused(reason),
            None => audit::SecurityEvent { reason: event.granted(), ..entry },
        }
    }
}

impl From<Origin> for Actor {
    fn from(origin: Origin) -> Actor {
        let Origin { address, user_agent, request_id, .. } = origin;
        Actor { principal: None, client_id: None, address, user_agent, request_id }
    }
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecurityEvent {
    /// A client proved to be who it says.
    ClientAuthenticated,
    /// A client did not; the reason is not told to it.
    ClientRefused {
        reason: String,
    },
    /// An assertion came a second time.
    AssertionReplayed,
    /// Tokens were given out.
    TokenIssued {
        grant: i64,
        grant_type: &'static str,
        scopes: String,
    },
    /// A request for tokens was refused.
    TokenRefused {
        error: &'static str,
        reason: String,
    },
    /// A code came a second time: what it was for has ended.
    CodeReplayed {
        grant: i64,
    },
    /// A refresh token came a second time: its family and grant have ended.
    RefreshReused {
        grant: i64,
    },
    /// A grant was ended by its client.
    TokenRevoked {
        grant: i64,
    },
    /// A token was looked into.
    TokenIntrospected {
        is_active: bool,
    },
    /// A client registered itself.
    ClientRegistered,
    /// It changed, or ended, its registration.
    ClientChanged,
    ClientEnded,
    /// A person signed in, or failed to.
    SignedIn,
    SignInRefused {
        reason: String,
    },
    SignedOut,
    /// A second factor was set up.
    FactorAdded,
    /// An administrator wants one removed, which is done a day later.
    FactorRemovalAsked,
    /// And does not want it any more.
    FactorKept,
    FactorRemoved,
    PasskeyNamed,
    /// A passkey signed with a counter that had been: there are two of it.
    PasskeyCopied,
    AccountMade,
    /// An account became a Patient or Practitioner by a claim code.
    AccountLinked,
    PasswordChanged,
    /// A person may sign in by a provider, or no longer.
    IdentityLinked {
        issuer: String,
    },
    IdentityRemoved {
        issuer: String,
    },
    /// The provider no longer stands by a person: the sign-in has ended with its grants.
    UpstreamEnded {
        grant: i64,
        reason: String,
    },
    /// An EHR launched an application.
    Launched,
    /// A grant was ended by the person who gave it.
    GrantRevoked {
        grant: i64,
    },
    /// A person let a client have something, or did not.
    ConsentGiven {
        grant: i64,
        scopes: String,
    },
    /// A client is registered as one that asks for no consent.
    ConsentSkipped {
        grant: i64,
        scopes: String,
    },
    ConsentDenied,
}

impl SecurityEvent {
    /// One word for logs and statistics.
    pub fn name(&self) -> &'static str {
        match self {
            SecurityEvent::ClientAuthenticated => "client-authenticated",
            SecurityEvent::ClientRefused { .. } => "client-refused",
            SecurityEvent::AssertionReplayed => "assertion-replayed",
            SecurityEvent::TokenIssued { .. } => "token-issued",
            SecurityEvent::TokenRefused { .. } => "token-refused",
            SecurityEvent::CodeReplayed { .. } => "code-replayed",
            SecurityEvent::RefreshReused { .. } => "refresh-reused",
            SecurityEvent::TokenRevoked { .. } => "token-revoked",
            SecurityEvent::TokenIntrospected { .. } => "token-introspected",
            SecurityEvent::ClientRegistered => "client-registered",
            SecurityEvent::ClientChanged => "client-changed",
            SecurityEvent::ClientEnded => "client-ended",
            SecurityEvent::SignedIn => "signed-in",
            SecurityEvent::SignInRefused { .. } => "sign-in-refused",
            SecurityEvent::SignedOut => "signed-out",
            SecurityEvent::FactorAdded => "factor-added",
            SecurityEvent::FactorRemovalAsked => "factor-removal-asked",
            SecurityEvent::FactorKept => "factor-kept",
            SecurityEvent::FactorRemoved => "factor-removed",
            SecurityEvent::PasskeyNamed => "passkey-named",
            SecurityEvent::PasskeyCopied => "passkey-copied",
            SecurityEvent::AccountMade => "account-made",
            SecurityEvent::AccountLinked => "account-linked",
            SecurityEvent::PasswordChanged => "password-changed",
            SecurityEvent::IdentityLinked { .. } => "identity-linked",
            SecurityEvent::IdentityRemoved { .. } => "identity-removed",
            SecurityEvent::UpstreamEnded { .. } => "upstream-ended",
            SecurityEvent::Launched => "launched",
            SecurityEvent::GrantRevoked { .. } => "grant-revoked",
            SecurityEvent::ConsentSkipped { .. } => "consent-skipped",
            SecurityEvent::ConsentGiven { .. } => "consent-given",
            SecurityEvent::ConsentDenied => "consent-denied",
        }
    }

    /// Why something was refused.
    fn refusal(&self) -> Option<String> {
        match self {
            SecurityEvent::ClientRefused { reason } | SecurityEvent::SignInRefused { reason } => {
                Some(reason.clone())
            }
            SecurityEvent::TokenRefused { error, reason } => Some(format!("{error}: {reason}")),
            SecurityEvent::AssertionReplayed => Some("an assertion came again".to_owned()),
            SecurityEvent::CodeReplayed { grant } => {
                Some(format!("the code of grant {grant} came again"))
            }
            SecurityEvent::RefreshReused { grant } => {
                Some(format!("a refresh token of grant {grant} came again"))
            }
            SecurityEvent::PasskeyCopied => {
                Some("the counter of a passkey did not grow".to_owned())
            }
            SecurityEvent::UpstreamEnded { grant, reason } => {
                Some(format!("grant {grant}: {reason}"))
            }
            SecurityEvent::ConsentDenied => Some("the person has refused".to_owned()),
            _ => None,
        }
    }

    /// What was granted or ended.
    fn granted(&self) -> Option<String> {
        match self {
            SecurityEvent::TokenIssued { grant, grant_type, scopes } => {
                Some(format!("grant {grant} by {grant_type}: {scopes}"))
            }
            SecurityEvent::ConsentGiven { grant, scopes }
            | SecurityEvent::ConsentSkipped { grant, scopes } => {
                Some(format!("grant {grant}: {scopes}"))
            }
            SecurityEvent::TokenRevoked { grant } | SecurityEvent::GrantRevoked { grant } => {
                Some(format!("grant {grant}"))
            }
            SecurityEvent::IdentityLinked { issuer }
            | SecurityEvent::IdentityRemoved { issuer } => Some(issuer.clone()),
            SecurityEvent::TokenIntrospected { is_active } => Some(match is_active {
                true => "active".to_owned(),
                false => "not active".to_owned(),
            }),
            _ => None,
        }
    }

    /// True for what points to an attack.
    fn is_alarming(&self) -> bool {
        matches!(
            self,
            SecurityEvent::AssertionReplayed
                | SecurityEvent::PasskeyCopied
                | SecurityEvent::CodeReplayed { .. }
                | SecurityEvent::RefreshReused { .. }
        )
    }
}

/// Tells the audit of an event, and the log. Logs hold neither addresses nor names of people. 503
/// where it cannot be written down: then nothing is answered.
pub async fn report(context: &Context, actor: &Actor, event: &SecurityEvent) -> Result<()> {
    let (name, request_id, at) = (event.name(), &actor.request_id, context.clock.now());
    let client = actor.client_id.as_deref().unwrap_or_default();
    match event.is_alarming() {
        true => tracing::warn!(event = name, request_id, client, %at, "security event"),
        false => tracing::info!(event = name, request_id, client, %at, "security event"),
    }
    let entry = actor.entry(event);
    context.store.record_security_event(context.clock.precise(), entry).await
}
