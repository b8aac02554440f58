//! Tokens of systems: <https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html>.

use super::Given;
use crate::access::{Holder, Scopes, ceiling};
use crate::oauth::AuthorizationServer;
use crate::oauth::error::{OAuthError, OAuthResult};
use crate::oauth::form::Form;
use crate::oauth::scopes::supported;
use crate::storage::{Client, NewGrant};
use chrono::Duration;
use serde_json::json;

/// Backend tokens hold five minutes at most (SMART: SHOULD NOT exceed).
const LIFETIME: Duration = Duration::seconds(300);

impl AuthorizationServer {
    pub(super) async fn backend(&self, client: &Client, form: &Form) -> OAuthResult<Given> {
        if !client.kind.has_private_key() {
            let text = "client_credentials is for clients that authenticate by a private key";
            return Err(OAuthError::bad("unauthorized_client", text));
        }
        let text = "The client is not registered as a system";
        let role = client.role.ok_or_else(|| OAuthError::bad("unauthorized_client", text))?;
        let wrong = || OAuthError::invalid_scope("scope holds characters that no scope has");
        let asked = Scopes::parse(form.need("scope")?).ok_or_else(wrong)?;
        let registered = Scopes::parse(&client.scopes).unwrap_or_default();
        let registry = &self.context.current().registry;
        let granted =
            ceiling((role, Holder::System), &supported(&asked, registry).within(&registered));
        if granted.is_empty() {
            let text = "None of the scopes is registered for the client";
            return Err(OAuthError::invalid_scope(text));
        }
        let (now, scopes) = (self.context.clock.now(), granted.to_string());
        let grant = NewGrant {
            client: &client.id,
            account: None,
            session: None,
            scopes: &scopes,
            launch: &json!({}),
            patient_rid: None,
            methods: &[],
            signed_in: None,
            expires: now + LIFETIME,
        };
        let made = self.context.store.make_grant(&grant, now).await?;
        let grant = match made {
            Some(id) => self.context.store.grant(id, now).await?,
            None => None,
        };
        Ok(Given {
            // Disabled since it authenticated.
            grant: grant.ok_or_else(OAuthError::invalid_client)?,
            scopes,
            lifetime: LIFETIME,
            refresh_token: None,
            nonce: None,
            grant_type: "client_credentials",
        })
    }
}
