//! What happens to accounts and grants, for the audit.

use super::AuthorizationServer;
use crate::access::Origin;

/// Something that has to do with who may do what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecurityEvent {
    SignedIn,
    SignInFailed,
    /// Too many attempts; further ones wait.
    LockedOut,
    SignedOut,
    FactorAdded,
    FactorFailed,
    AccountMade,
    AccountLinked,
    PasswordChanged,
    ConsentGiven,
    /// By a client that is registered as asking for none.
    ConsentSkipped,
    ConsentDenied,
    Launched,
    GrantRevoked,
}

impl SecurityEvent {
    pub fn as_str(self) -> &'static str {
        match self {
            SecurityEvent::SignedIn => "signed-in",
            SecurityEvent::SignInFailed => "sign-in-failed",
            SecurityEvent::LockedOut => "locked-out",
            SecurityEvent::SignedOut => "signed-out",
            SecurityEvent::FactorAdded => "factor-added",
            SecurityEvent::FactorFailed => "factor-failed",
            SecurityEvent::AccountMade => "account-made",
            SecurityEvent::AccountLinked => "account-linked",
            SecurityEvent::PasswordChanged => "password-changed",
            SecurityEvent::ConsentGiven => "consent-given",
            SecurityEvent::ConsentSkipped => "consent-skipped",
            SecurityEvent::ConsentDenied => "consent-denied",
            SecurityEvent::Launched => "launched",
            SecurityEvent::GrantRevoked => "grant-revoked",
        }
    }
}

/// Whom and what an event is about.
#[derive(Clone, Copy, Default, Debug)]
pub struct About<'a> {
    pub account: Option<&'a str>,
    pub client: Option<&'a str>,
}

/// Tells of an event. No name and no address of mail goes with it.
pub async fn tell(
    _: &AuthorizationServer,
    event: SecurityEvent,
    about: About<'_>,
    origin: &Origin,
) {
    tracing::info!(
        event = event.as_str(),
        account = about.account,
        client = about.client,
        request_id = origin.request_id.as_str(),
        "security event"
    );
}
