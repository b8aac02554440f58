//! What a client asks to be registered with, and whether it may be.

use super::{OAuthError, OAuthResult};
use crate::access::Scopes;
use crate::access::jwt::is_public;
use crate::access::smart_scope::{Level, Scope};
use crate::storage::{Client, ClientKind, ClientTerms};
use serde::Deserialize;
use serde_json::Value;
use url::{Host, Url};

const MOST_URIS: usize = 20;
const NAME_CHARACTERS: usize = 200;

/// What a client asks to be registered with (RFC 7591, 2). What is not here is not kept.
#[derive(Deserialize)]
pub struct Metadata {
    #[serde(default)]
    redirect_uris: Vec<String>,
    client_name: String,
    scope: String,
    #[serde(default = "code_grant")]
    grant_types: Vec<String>,
    #[serde(default = "code")]
    response_types: Vec<String>,
    #[serde(default = "basic")]
    pub token_endpoint_auth_method: String,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    launch_uri: Option<String>,
    #[serde(default)]
    dpop_bound_access_tokens: bool,
    #[serde(default)]
    require_pushed_authorization_requests: bool,
    /// Of one that is registered already (RFC 7592, 2.2).
    pub client_id: Option<String>,
    pub client_secret: Option<String>,
}

fn code_grant() -> Vec<String> {
    vec!["authorization_code".to_owned()]
}

fn code() -> Vec<String> {
    vec!["code".to_owned()]
}

fn basic() -> String {
    "client_secret_basic".to_owned()
}

impl Metadata {
    /// Reads the JSON of a body.
    pub fn read(bytes: &[u8]) -> OAuthResult<Metadata> {
        serde_json::from_slice(bytes).map_err(|error| {
            // Names the member, and never repeats what stood there.
            let text = format!("The body is no client metadata, at column {}", error.column());
            OAuthError::bad("invalid_client_metadata", text)
        })
    }

    /// The client of that id, as it asks to be.
    pub fn client(&self, id: &str) -> OAuthResult<Client> {
        let wrong = |text: &str| OAuthError::bad("invalid_client_metadata", text);
        let kind = match self.token_endpoint_auth_method.as_str() {
            "none" => ClientKind::Public,
            "client_secret_basic" | "client_secret_post" => ClientKind::ConfidentialSymmetric,
            "private_key_jwt" => ClientKind::ConfidentialAsymmetric,
            _ => return Err(wrong("token_endpoint_auth_method is not supported")),
        };
        let (has_jwks, has_uri) = (self.jwks.is_some(), self.jwks_uri.is_some());
        let is_signing = kind == ClientKind::ConfidentialAsymmetric;
        let grants = ["authorization_code", "refresh_token"];
        let is_name = |name: &str| {
            let length = name.trim().chars().count();
            (1..=NAME_CHARACTERS).contains(&length) && !name.chars().any(char::is_control)
        };
        let is_https = |url: &String| is_place(url, Loopback::No);
        match () {
            () if self.response_types != ["code"] => Err(wrong("response_types is code")),
            () if !self.grant_types.iter().all(|own| grants.contains(&own.as_str())) => {
                Err(wrong("grant_types are authorization_code and refresh_token"))
            }
            () if has_jwks && has_uri => Err(wrong("jwks and jwks_uri exclude each other")),
            () if is_signing != (has_jwks || has_uri) => {
                Err(wrong("private_key_jwt, and it alone, needs jwks or jwks_uri"))
            }
            () if !self.jwks.iter().all(has_public_keys) => {
                Err(wrong("jwks is no set of public keys"))
            }
            () if !self.jwks_uri.iter().all(is_https) => Err(wrong("jwks_uri is no https URL")),
            () if !self.launch_uri.iter().all(is_https) => Err(wrong("launch_uri is no https URL")),
            () if !is_name(&self.client_name) => Err(wrong("client_name is no name")),
            () => Ok(()),
        }?;
        self.check_redirects()?;
        Ok(Client {
            name: self.client_name.trim().to_owned(),
            scopes: self.scopes()?,
            grant_types: self.grant_types.clone(),
            redirect_uris: self.redirect_uris.clone(),
            launch_uri: self.launch_uri.clone(),
            origins: self.origins(),
            jwks: self.jwks.clone(),
            jwks_uri: self.jwks_uri.clone(),
            terms: ClientTerms {
                is_dpop_bound: self.dpop_bound_access_tokens,
                requires_pushed: self.require_pushed_authorization_requests,
                ..ClientTerms::default()
            },
            ..Client::new(id, kind)
        })
    }

    fn check_redirects(&self) -> OAuthResult<()> {
        let count = self.redirect_uris.len();
        let are_good = self.redirect_uris.iter().all(|uri| is_place(uri, Loopback::Yes));
        match (1..=MOST_URIS).contains(&count) && are_good {
            true => Ok(()),
            false => {
                let text = "redirect_uris are https URLs, http ones of a loopback address, or of a \
                            scheme such as com.example.app, without a fragment";
                Err(OAuthError::bad("invalid_redirect_uri", text))
            }
        }
    }

    /// Those of people's applications alone: systems are registered by operators.
    fn scopes(&self) -> OAuthResult<String> {
        let scopes = Scopes::parse(&self.scope).unwrap_or_default();
        let may = |scope: &Scope| match scope {
            Scope::Resource(scope) => scope.level != Level::System,
            Scope::Other(name) => !name.starts_with("__bhn."),
        };
        match !scopes.is_empty() && scopes.iter().all(may) {
            true => Ok(scopes.to_string()),
            false => {
                let text = "scope has none that is known, or one that is not for applications";
                Err(OAuthError::bad("invalid_client_metadata", text))
            }
        }
    }

    /// Pages that people are sent back to may read answers.
    fn origins(&self) -> Vec<String> {
        let urls = self.redirect_uris.iter().filter_map(|uri| Url::parse(uri).ok());
        let urls = urls.filter(|url| ["http", "https"].contains(&url.scheme()));
        let mut origins: Vec<String> = urls.map(|url| url.origin().ascii_serialization()).collect();
        origins.sort();
        origins.dedup();
        origins
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Loopback {
    /// Also native applications, on this machine or by a scheme of their own (RFC 8252, 7).
    Yes,
    No,
}

fn is_place(text: &str, loopback: Loopback) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_plain = url.fragment().is_none() && url.username().is_empty() && text.len() <= 2_000;
    let is_known = match url.scheme() {
        "https" => url.host().is_some(),
        "http" => {
            loopback == Loopback::Yes
                && match url.host() {
                    Some(Host::Ipv4(address)) => address.is_loopback(),
                    Some(Host::Ipv6(address)) => address.is_loopback(),
                    _ => false,
                }
        }
        scheme => loopback == Loopback::Yes && scheme.contains('.'),
    };
    is_plain && is_known
}

fn has_public_keys(set: &Value) -> bool {
    let keys = set.get("keys").and_then(Value::as_array);
    keys.is_some_and(|keys| !keys.is_empty() && keys.iter().all(is_public))
}
