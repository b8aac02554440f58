//! Who has signed in: OpenID Connect Core, 5.3.

use super::AuthorizationServer;
use super::error::{OAuthError, OAuthResult, answer};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

/// `GET` and `POST /oauth/userinfo` with an access token for `openid`.
pub async fn userinfo(
    State(server): State<Arc<AuthorizationServer>>,
    request: Request,
) -> OAuthResult<Response> {
    let bearer = server.bearer_of(&request.into_parts().0).await?;
    let account = bearer.name.strip_prefix("account/").filter(|_| bearer.scopes.has("openid"));
    let account = account.ok_or_else(|| OAuthError::insufficient_scope("openid"))?;
    let person = server.context.store.person_claims(account).await?;
    let person = person.ok_or_else(OAuthError::invalid_token)?;
    let mut body = json!({ "sub": account });
    if let Some(link) = bearer.links.fhir_user.as_ref().filter(|_| bearer.scopes.has("fhirUser")) {
        body["fhirUser"] = format!("{}/{}", server.context.settings.base_url, link.key).into();
    }
    if bearer.scopes.has("profile") {
        body["name"] = person.name.into();
    }
    if bearer.scopes.has("email") {
        body["email"] = person.email.into();
        // An account is active once its address was verified.
        body["email_verified"] = true.into();
    }
    Ok(answer(200, body))
}
