//! What the authorization server says of itself:
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html>, OpenID Connect Discovery 1.0,
//! RFC 8414, and its keys (RFC 7517).
//!
//! Every line here is a promise: what is listed works, and is tested.

use super::AuthorizationServer;
use super::error::OAuthResult;
use crate::access::dpop;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

/// How long everybody may keep these documents.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// What of SMART works here.
const CAPABILITIES: [&str; 20] = [
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "context-standalone-encounter",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
    "smart-app-state",
];

/// What clients may ask for.
const SCOPES: [&str; 19] = [
    "openid",
    "fhirUser",
    "profile",
    "email",
    "launch",
    "launch/patient",
    "launch/encounter",
    "offline_access",
    "online_access",
    "patient/*.rs",
    "patient/*.cruds",
    "patient/*.read",
    "patient/*.write",
    "user/*.rs",
    "user/*.cruds",
    "user/*.read",
    "user/*.write",
    "system/*.rs",
    "system/*.cruds",
];

/// What tokens are given for.
pub const GRANT_TYPES: [&str; 3] = ["authorization_code", "refresh_token", "client_credentials"];
const CLIENT_AUTHENTICATION: [&str; 3] =
    ["client_secret_basic", "client_secret_post", "private_key_jwt"];
/// Where clients can show certificates (RFC 8705, 2).
const BY_CERTIFICATE: [&str; 2] = ["tls_client_auth", "self_signed_tls_client_auth"];
const ASSERTION_ALGORITHMS: [&str; 4] = ["RS384", "ES384", "RS256", "ES256"];

impl AuthorizationServer {
    /// An absolute URL of this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer())
    }

    /// What all three documents say.
    fn metadata(&self) -> Value {
        let mut metadata = json!({
            "issuer": self.issuer(),
            "jwks_uri": self.url("/.well-known/jwks.json"),
            "authorization_endpoint": self.url("/oauth/authorize"),
            "token_endpoint": self.url("/oauth/token"),
            "introspection_endpoint": self.url("/oauth/introspect"),
            "revocation_endpoint": self.url("/oauth/revoke"),
            "userinfo_endpoint": self.url("/oauth/userinfo"),
            "grant_types_supported": GRANT_TYPES,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "scopes_supported": SCOPES,
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": self.methods_with_none(),
            "token_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
            "introspection_endpoint_auth_methods_supported": self.methods(),
            "revocation_endpoint_auth_methods_supported": self.methods_with_none(),
            "pushed_authorization_request_endpoint": self.url("/oauth/par"),
            "require_pushed_authorization_requests": false,
            "dpop_signing_alg_values_supported": dpop::ALGORITHMS,
            "tls_client_certificate_bound_access_tokens": self.takes_certificates(),
            "authorization_response_iss_parameter_supported": true,
        });
        if self.context.settings.oauth.registration {
            metadata["registration_endpoint"] = self.url("/oauth/register").into();
        }
        metadata
    }

    fn takes_certificates(&self) -> bool {
        self.context.settings.oauth.client_certificates
    }

    /// How clients authenticate.
    fn methods(&self) -> Vec<&'static str> {
        let by_certificate = BY_CERTIFICATE.into_iter().filter(|_| self.takes_certificates());
        CLIENT_AUTHENTICATION.into_iter().chain(by_certificate).collect()
    }

    /// Public clients authenticate by nothing but their code's verifier.
    fn methods_with_none(&self) -> Vec<&'static str> {
        self.methods().into_iter().chain(["none"]).collect()
    }
}

/// `GET {fhir}/.well-known/smart-configuration`: JSON whatever is accepted.
pub async fn smart_configuration(State(server): State<Arc<AuthorizationServer>>) -> Response {
    let mut document = server.metadata();
    document["capabilities"] = json!(CAPABILITIES);
    document["token_endpoint_auth_methods_supported"] = json!(server.methods());
    document["management_endpoint"] = server.url("/account/apps").into();
    if let Some(brands) = &server.brands {
        document["user_access_brand_bundle"] = server.url("/brands").into();
        document["user_access_brand_identifier"] = brands.identifier.clone();
    }
    kept(document)
}

/// `GET /.well-known/openid-configuration`
pub async fn openid_configuration(State(server): State<Arc<AuthorizationServer>>) -> Response {
    let mut document = server.metadata();
    document["end_session_endpoint"] = server.url("/oauth/logout").into();
    document["subject_types_supported"] = json!(["public"]);
    document["id_token_signing_alg_values_supported"] = json!(["RS256"]);
    document["claims_supported"] = json!([
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "nonce",
        "amr",
        "fhirUser",
        "name",
        "email",
    ]);
    document["claims_parameter_supported"] = false.into();
    document["request_parameter_supported"] = false.into();
    document["request_uri_parameter_supported"] = false.into();
    kept(document)
}

/// `GET /.well-known/oauth-authorization-server`
pub async fn authorization_server(State(server): State<Arc<AuthorizationServer>>) -> Response {
    kept(server.metadata())
}

/// `GET /.well-known/jwks.json`
pub async fn jwks(State(server): State<Arc<AuthorizationServer>>) -> OAuthResult<Response> {
    let keys = server.keys.public().await?;
    Ok(kept(json!(keys)))
}

fn kept(document: Value) -> Response {
    ([(header::CACHE_CONTROL, KEPT)], Json(document)).into_response()
}
