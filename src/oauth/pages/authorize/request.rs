//! The parameters of an authorization request.

use super::super::posted::Fields;
use super::super::problem::Problem;
use crate::access::smart_scope::Scope;
use crate::access::{LaunchContext, Scopes};
use crate::oauth::supported;
use crate::search::Registry;
use crate::storage::{App, Store};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Host, Url};

/// Each of them stands once.
const NAMES: [&str; 18] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "aud",
    "resource",
    "code_challenge",
    "code_challenge_method",
    "launch",
    "nonce",
    "prompt",
    "max_age",
    "login_hint",
    "dpop_jkt",
    "request",
    "request_uri",
];
const MOST_STATE_BYTES: usize = 2_048;
const SHA256_BYTES: usize = 32;
/// Each is a page for the person.
const MOST_CONTEXTS: usize = 5;

/// A request that is good, and what has come of it.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct AuthorizationRequest {
    pub client: String,
    pub redirect_uri: String,
    /// Its origin or scheme, for `form-action`.
    pub target: Option<String>,
    /// Of those asked for, what the client registered.
    pub scopes: String,
    pub state: Option<String>,
    pub code_challenge: String,
    /// The key that the code is bound to (RFC 9449, 10).
    #[serde(default)]
    pub dpop_jkt: Option<String>,
    pub nonce: Option<String>,
    /// `none`, or some of `login`, `consent`, `select_account`.
    pub prompt: Vec<String>,
    pub max_age: Option<i64>,
    pub login_hint: Option<String>,
    /// Context of an EHR launch.
    pub launch: Option<Value>,
    /// Who launched.
    pub launched_by: Option<String>,
    pub picked: Option<Picked>,
}

/// What a person picked, for himself alone.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Picked {
    pub account: String,
    /// Logical id and surrogate id.
    pub patient: Option<(String, i64)>,
    pub encounter: Option<String>,
    /// By scope; None where the person leaves it out.
    #[serde(default)]
    pub contexts: Vec<(String, Option<String>)>,
}

impl AuthorizationRequest {
    pub fn launched(&mut self, account: Option<String>, context: Value) {
        self.launched_by = account;
        self.launch = Some(context);
    }

    pub fn has_prompt(&self, name: &str) -> bool {
        self.prompt.iter().any(|prompt| prompt == name)
    }

    pub fn scopes(&self) -> Scopes {
        Scopes::parse(&self.scopes).unwrap_or_default()
    }
}

/// Where a request leads: to a client, at one of its URIs.
pub struct Target {
    pub app: App,
    pub redirect_uri: String,
}

/// An error of RFC 6749 (4.1.2.1) or OpenID Connect Core (3.1.2.6) for the application.
pub struct Refused {
    pub error: &'static str,
    pub text: String,
    pub state: Option<String>,
}

impl Refused {
    pub fn new(error: &'static str, text: impl Into<String>) -> Refused {
        Refused { error, text: text.into(), state: None }
    }

    pub fn with_state(self, fields: &Fields) -> Refused {
        let states: Vec<&str> = fields.all("state").collect();
        let state = match states[..] {
            [state] if !state.is_empty() && state.len() <= MOST_STATE_BYTES => Some(state),
            _ => None,
        };
        Refused { state: state.map(str::to_owned), ..self }
    }
}

impl Target {
    /// The client and its redirect URI. What is wrong is a page: nobody is redirected to what is
    /// not registered.
    pub async fn read(store: &Store, fields: &Fields) -> Result<Target, Problem> {
        if let Some(name) = fields.repeated(&["client_id", "redirect_uri"]) {
            return Err(Problem::bad_request(|texts| texts.sent_twice, name));
        }
        let client = fields.find("client_id");
        let client = client.filter(|client| client.len() <= 255 && !client.contains('\0'));
        let app = match client {
            Some(client) => store.app(client).await?,
            None => None,
        };
        let app =
            app.ok_or_else(|| Problem::bad_request(|texts| texts.unknown_app, "client_id"))?;
        let wrong = || Problem::bad_request(|texts| texts.wrong_redirect, "redirect_uri");
        Target::of(app, fields).ok_or_else(wrong)
    }

    /// None where the redirect URI is not one of the client's.
    pub fn of(app: App, fields: &Fields) -> Option<Target> {
        let uri = fields.find("redirect_uri")?.to_owned();
        let is_own = app.redirect_uris.iter().any(|own| is_same(own, &uri));
        is_own.then_some(Target { app, redirect_uri: uri })
    }
}

/// Byte for byte; the port of a loopback address may be any (RFC 8252, 7.3).
fn is_same(own: &str, sent: &str) -> bool {
    if own == sent {
        return true;
    }
    let bare = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        let is_loopback = match url.host()? {
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
            Host::Domain(_) => false,
        };
        let is_plain = url.scheme() == "http" && url.as_str() == text;
        url.set_port(None).ok()?;
        (is_loopback && is_plain).then(|| url.to_string())
    };
    bare(own).is_some_and(|own| bare(sent) == Some(own))
}

/// The request, which may still be refused for what the person is. `places` has the FHIR base and
/// its search parameters.
pub fn read(
    fields: &Fields,
    target: &Target,
    places: (&str, &Registry),
) -> Result<AuthorizationRequest, Refused> {
    checked(fields, target, places).map_err(|refused| refused.with_state(fields))
}

fn checked(
    fields: &Fields,
    target: &Target,
    places: (&str, &Registry),
) -> Result<AuthorizationRequest, Refused> {
    let base_url = places.0;
    let invalid = |text: &str| Refused::new("invalid_request", text);
    if let Some(name) = fields.repeated(&NAMES) {
        return Err(invalid(&format!("{name} is sent twice")));
    }
    if fields.find("request").is_some() {
        return Err(Refused::new("request_not_supported", "request is not supported"));
    }
    if fields.find("request_uri").is_some() {
        // Those of this server never come so far.
        return Err(Refused::new("request_uri_not_supported", "request_uri was not pushed here"));
    }
    match fields.get("response_type") {
        "code" => {}
        "" => return Err(invalid("response_type is missing")),
        _ => return Err(Refused::new("unsupported_response_type", "response_type is code")),
    }
    if fields.find("response_mode").is_some_and(|mode| mode != "query") {
        return Err(invalid("response_mode is query"));
    }
    if !target.app.grant_types.iter().any(|grant| grant == "authorization_code") {
        return Err(Refused::new("unauthorized_client", "the client has no authorization_code"));
    }
    let state = fields.find("state").ok_or_else(|| invalid("state is missing"))?;
    if state.len() > MOST_STATE_BYTES {
        return Err(invalid("state is longer than 2048 bytes"));
    }
    let audience = fields.find("aud").or_else(|| fields.find("resource"));
    if audience != Some(base_url) {
        return Err(invalid(&format!("aud has to be {base_url}")));
    }
    Ok(AuthorizationRequest {
        client: target.app.client.clone(),
        redirect_uri: target.redirect_uri.clone(),
        target: form_target(&target.redirect_uri),
        scopes: scopes(fields, &target.app, places.1)?.to_string(),
        state: Some(state.to_owned()),
        code_challenge: challenge(fields)?,
        dpop_jkt: dpop_jkt(fields)?,
        nonce: bounded(fields, "nonce")?,
        prompt: prompt(fields)?,
        max_age: max_age(fields)?,
        login_hint: bounded(fields, "login_hint")?,
        launch: None,
        launched_by: None,
        picked: None,
    })
}

/// S256 alone (RFC 7636, 4.2): the hash of a verifier, in 43 characters.
fn challenge(fields: &Fields) -> Result<String, Refused> {
    let invalid = |text: &str| Err(Refused::new("invalid_request", text));
    match (fields.find("code_challenge"), fields.get("code_challenge_method")) {
        (None, _) => invalid("code_challenge is missing"),
        (Some(challenge), "S256") => {
            let is_hash = URL_SAFE_NO_PAD.decode(challenge).map(|hash| hash.len());
            match is_hash {
                Ok(SHA256_BYTES) => Ok(challenge.to_owned()),
                _ => invalid("code_challenge is no SHA-256 in base64url"),
            }
        }
        (Some(_), _) => invalid("code_challenge_method is S256"),
    }
}

/// The SHA-256 thumbprint of a key.
fn dpop_jkt(fields: &Fields) -> Result<Option<String>, Refused> {
    let Some(jkt) = fields.find("dpop_jkt") else { return Ok(None) };
    match URL_SAFE_NO_PAD.decode(jkt).map(|hash| hash.len()) {
        Ok(SHA256_BYTES) => Ok(Some(jkt.to_owned())),
        _ => Err(Refused::new("invalid_request", "dpop_jkt is no SHA-256 in base64url")),
    }
}

fn bounded(fields: &Fields, name: &'static str) -> Result<Option<String>, Refused> {
    match fields.find(name) {
        Some(value) if value.len() > 512 || value.contains('\0') => {
            Err(Refused::new("invalid_request", format!("{name} is longer than 512 bytes")))
        }
        value => Ok(value.map(str::to_owned)),
    }
}

fn prompt(fields: &Fields) -> Result<Vec<String>, Refused> {
    let words: Vec<String> = fields.get("prompt").split_whitespace().map(str::to_owned).collect();
    let known = ["none", "login", "consent", "select_account"];
    let is_known = words.iter().all(|word| known.contains(&word.as_str()));
    let is_alone = words.len() == 1 || !words.iter().any(|word| word == "none");
    match is_known && is_alone {
        true => Ok(words),
        false => Err(Refused::new("invalid_request", "prompt is not understood")),
    }
}

fn max_age(fields: &Fields) -> Result<Option<i64>, Refused> {
    let Some(text) = fields.find("max_age") else { return Ok(None) };
    let seconds = text.parse::<u32>().map(|seconds| Some(i64::from(seconds)));
    seconds.map_err(|_| Refused::new("invalid_request", "max_age is a number of seconds"))
}

/// Of those asked for, what the client registered. `offline_access` asks for refresh tokens.
fn scopes(fields: &Fields, app: &App, registry: &Registry) -> Result<Scopes, Refused> {
    let invalid = |text: &str| Refused::new("invalid_scope", text);
    let asked = fields.find("scope").ok_or_else(|| invalid("scope is missing"))?;
    let asked = Scopes::parse(asked).ok_or_else(|| invalid("scope is not understood"))?;
    let own = Scopes::parse(&app.scopes).unwrap_or_default();
    let has_refresh = app.grant_types.iter().any(|grant| grant == "refresh_token");
    let kept = supported(&asked, registry).within(&own);
    let contexts = asked.iter().filter(|scope| is_registered_context(scope, &own));
    let kept = kept.iter().chain(contexts);
    let kept: Scopes = kept.filter(|scope| has_refresh || !is_lasting(scope)).cloned().collect();
    if contexts_of(&kept).len() > MOST_CONTEXTS {
        return Err(invalid("more than five resources are asked for as context"));
    }
    match kept.is_empty() {
        true => Err(invalid("none of the scopes is registered for the client")),
        false => Ok(kept),
    }
}

/// `launch/imagingstudy` is registered for all roles.
fn is_registered_context(scope: &Scope, own: &Scopes) -> bool {
    let context = LaunchContext::parse(&scope.to_string());
    context.is_some_and(|context| own.has(&context.plain_scope()))
}

/// The scopes for further context, as they are asked for.
pub fn contexts_of(scopes: &Scopes) -> Vec<(String, LaunchContext)> {
    let texts = scopes.iter().map(Scope::to_string);
    texts.filter_map(|text| LaunchContext::parse(&text).map(|context| (text, context))).collect()
}

fn is_lasting(scope: &Scope) -> bool {
    ["offline_access", "online_access"].contains(&scope.to_string().as_str())
}

/// `https://app.example` or `org.example.app:`, in the grammar of CSP.
pub fn form_target(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    match url.scheme() {
        "http" | "https" => Some(url.origin().ascii_serialization()),
        scheme => Some(format!("{scheme}:")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rt_129_redirect_uris_are_compared_byte_for_byte() {
        let own = "https://app.example/callback";
        assert!(is_same(own, own));
        for other in [
            "https://app.example/callback/",
            "https://app.example/callback/more",
            "https://app.example/callback?a=b",
            "https://app.example/callback#a",
            "https://App.example/callback",
            "https://app.example/Callback",
            "https://sub.app.example/callback",
            "https://user@app.example/callback",
            "https://app.example@evil.example/callback",
            "https://app.example:443/callback",
            "http://app.example/callback",
            "https://app.example/callback/../callback",
            "https://app.example/%63allback",
        ] {
            assert!(!is_same(own, other), "{other}");
        }
    }

    #[test]
    fn as_25_the_port_of_a_loopback_address_may_be_any() {
        let own = "http://127.0.0.1/callback";
        assert!(is_same(own, "http://127.0.0.1:49152/callback"));
        assert!(is_same("http://[::1]/callback", "http://[::1]:7/callback"));
        for other in [
            "http://127.0.0.1:1/other",
            "http://127.0.0.1:1/callback?a",
            "http://user@127.0.0.1:1/callback",
            "http://localhost:1/callback",
            "http://127.0.0.2:1/callback",
            "https://127.0.0.1:1/callback",
        ] {
            assert!(!is_same(own, other), "{other}");
        }
        assert!(!is_same("http://localhost/callback", "http://localhost:1/callback"));
    }
}
