//! What happened that concerns security: each is told at one place, for the audit.

use crate::access::Origin;
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

impl From<Origin> for Actor {
    fn from(origin: Origin) -> Actor {
        let Origin { address, user_agent, request_id } = origin;
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
    /// A person signed in, or failed to.
    SignedIn,
    SignInRefused {
        reason: String,
    },
    SignedOut,
    /// A person let a client have something, or did not.
    ConsentGiven {
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
            SecurityEvent::SignedIn => "signed-in",
            SecurityEvent::SignInRefused { .. } => "sign-in-refused",
            SecurityEvent::SignedOut => "signed-out",
            SecurityEvent::ConsentGiven { .. } => "consent-given",
            SecurityEvent::ConsentDenied => "consent-denied",
        }
    }

    /// True for what points to an attack.
    fn is_alarming(&self) -> bool {
        matches!(
            self,
            SecurityEvent::AssertionReplayed
                | SecurityEvent::CodeReplayed { .. }
                | SecurityEvent::RefreshReused { .. }
        )
    }
}

/// Tells of an event. Logs hold neither addresses nor names of people.
pub async fn record(context: &Context, actor: &Actor, event: &SecurityEvent) {
    let (name, request_id, at) = (event.name(), &actor.request_id, context.clock.now());
    let client = actor.client_id.as_deref().unwrap_or_default();
    match event.is_alarming() {
        true => tracing::warn!(event = name, request_id, client, %at, "security event"),
        false => tracing::info!(event = name, request_id, client, %at, "security event"),
    }
}
