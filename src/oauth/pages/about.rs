//! Events of the pages, told with whom they are about.

use crate::access::Origin;
use crate::error::Result;
use crate::oauth::AuthorizationServer;
use crate::oauth::events::{Actor, SecurityEvent, report};

/// Whom and what an event is about.
#[derive(Clone, Copy, Default, Debug)]
pub struct About<'a> {
    pub account: Option<&'a str>,
    pub client: Option<&'a str>,
}

/// Tells of an event; 503 where it cannot be written down, and then nothing is answered.
pub async fn tell(
    server: &AuthorizationServer,
    event: SecurityEvent,
    about: About<'_>,
    origin: &Origin,
) -> Result<()> {
    let actor = Actor {
        principal: about.account.map(|account| format!("account/{account}")),
        client_id: about.client.map(str::to_owned),
        ..Actor::from(origin.clone())
    };
    report(&server.context, &actor, &event).await
}

/// A sign-in that was refused for this reason.
pub fn refused(reason: &str) -> SecurityEvent {
    SecurityEvent::SignInRefused { reason: reason.to_owned() }
}
