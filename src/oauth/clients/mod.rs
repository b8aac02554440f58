//! Who the client is that asks: RFC 6749, 2.3, and SMART App Launch 2.2, 3.0. Each client has one
//! way, which it is registered with.

mod assertion;
mod certificate;
mod keys;

pub use assertion::{ALGORITHMS, the_key};
pub use certificate::CertificateName;
pub use keys::ClientKeys;

use crate::access::ClientCertificate;
use crate::network::is_within;
use crate::oauth::AuthorizationServer;
use crate::oauth::error::{OAuthError, OAuthResult};
use crate::oauth::events::{Actor, SecurityEvent, report};
use crate::oauth::form::Form;
use crate::oauth::secrets::{are_equal, hash};
use crate::storage::{Client, ClientKind};
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

/// Bytes of a client id.
const ID_BYTES: usize = 255;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a request brings to prove who it is from.
enum Proof {
    /// The id alone.
    None,
    Secret(String),
    Assertion(String),
}

struct Credentials {
    id: String,
    proof: Proof,
    /// Whether they came in `Authorization`: then an error names the scheme.
    is_basic: bool,
}

impl AuthorizationServer {
    /// The client of a request. 401 `invalid_client` whatever is wrong with it; 400 where it
    /// authenticates in two ways at once (RFC 6749, 2.3).
    pub async fn client_of(&self, form: &Form) -> OAuthResult<Client> {
        let credentials = match self.holder(form).await? {
            Some(holder) => holder,
            None => credentials(form)?,
        };
        let actor = Actor { client_id: Some(credentials.id.clone()), ..form.actor() };
        match self.proven(&credentials, &actor, form.certificate()).await {
            Ok(client) => {
                let event = SecurityEvent::ClientAuthenticated;
                report(&self.context, &actor, &event).await?;
                Ok(client)
            }
            Err(Unproven::Failed(error)) => Err(error),
            Err(Unproven::Refused(reason)) => {
                let event = SecurityEvent::ClientRefused { reason: reason.to_owned() };
                report(&self.context, &actor, &event).await?;
                let challenge = credentials.is_basic.then_some("Basic realm=\"bhn-fhir\"");
                Err(OAuthError { challenge, ..OAuthError::invalid_client() })
            }
        }
    }

    /// The client whose refresh token comes without a word of whose it is: public ones need not say
    /// (SMART App Launch 2.2, "Refresh access token"). One that has to authenticate is refused.
    async fn holder(&self, form: &Form) -> OAuthResult<Option<Credentials>> {
        let says = ["client_id", "client_secret", "client_assertion"].into_iter();
        let is_named = says.map(|name| form.get(name)).any(|said| said.is_some())
            || form.parts.headers.contains_key(header::AUTHORIZATION);
        let token = match form.get("grant_type") {
            Some("refresh_token") if !is_named => form.get("refresh_token"),
            _ => None,
        };
        let Some(token) = token else { return Ok(None) };
        let known = self.context.store.refresh_token(&hash(token)).await?;
        let of = |id| Credentials { id, proof: Proof::None, is_basic: false };
        Ok(known.map(|token| of(token.client)))
    }

    async fn proven(
        &self,
        credentials: &Credentials,
        actor: &Actor,
        shown: Option<&ClientCertificate>,
    ) -> Result<Client, Unproven> {
        let client = self.context.store.client(&credentials.id).await?;
        // A client that is not known takes the way of one that is.
        let secrets = match &credentials.proof {
            Proof::Secret(_) => {
                let now = self.context.clock.now();
                self.context.store.client_secrets(&credentials.id, now).await?
            }
            _ => Vec::new(),
        };
        let client = client.filter(|client| client.is_active);
        let client = client.ok_or(Unproven::Refused("unknown or disabled"))?;
        if !is_within(&client.terms.networks, actor.address) {
            return Err(Unproven::Refused("from an address that it is not registered with"));
        }
        let is_proven = match (client.kind, &credentials.proof) {
            (ClientKind::Public, Proof::None) => true,
            (ClientKind::ConfidentialSymmetric, Proof::Secret(secret)) => {
                let own = hash(secret);
                secrets.iter().fold(false, |found, known| found | are_equal(known, &own))
            }
            (ClientKind::ConfidentialAsymmetric, Proof::Assertion(assertion)) => {
                return match self.check_assertion(&client, assertion, actor).await? {
                    Ok(()) => Ok(client),
                    Err(reason) => Err(Unproven::Refused(reason)),
                };
            }
            (kind, Proof::None) if kind.has_certificate() => {
                let checked = self.check_certificate(&client, shown).await;
                return checked.map(|()| client).map_err(Unproven::Refused);
            }
            _ => return Err(Unproven::Refused("another method than it is registered with")),
        };
        is_proven.then_some(client).ok_or(Unproven::Refused("wrong secret"))
    }
}

/// Why a client is not let in.
enum Unproven {
    /// With what is wrong, for the audit.
    Refused(&'static str),
    Failed(OAuthError),
}

impl From<crate::error::FhirError> for Unproven {
    fn from(error: crate::error::FhirError) -> Unproven {
        Unproven::Failed(error.into())
    }
}

fn credentials(form: &Form) -> OAuthResult<Credentials> {
    let basic = basic(&form.parts.headers)?;
    let (secret, assertion) = (form.get("client_secret"), form.get("client_assertion"));
    let count = [basic.is_some(), secret.is_some(), assertion.is_some()].into_iter();
    if count.filter(|is_there| *is_there).count() > 1 {
        let text = "A client authenticates in one way at a time";
        return Err(OAuthError::invalid_request(text));
    }
    let named = form.get("client_id");
    let (id, proof) = match (basic, secret, assertion) {
        (Some((id, secret)), ..) => (Some(id), Proof::Secret(secret)),
        (None, Some(secret), _) => (named.map(str::to_owned), Proof::Secret(secret.to_owned())),
        (None, None, Some(assertion)) => {
            if form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
                let text = format!("client_assertion_type has to be {ASSERTION_TYPE}");
                return Err(OAuthError { status: 401, ..OAuthError::bad("invalid_client", text) });
            }
            (assertion::issuer(assertion), Proof::Assertion(assertion.to_owned()))
        }
        (None, None, None) => (named.map(str::to_owned), Proof::None),
    };
    let is_basic = form.parts.headers.contains_key(header::AUTHORIZATION);
    let is_same = |id: &String| named.is_none_or(|named| named == id);
    let is_id = |id: &String| (1..=ID_BYTES).contains(&id.len()) && !id.contains('\0');
    match id.filter(is_same).filter(is_id) {
        Some(id) => Ok(Credentials { id, proof, is_basic }),
        None => Err(OAuthError::invalid_client()),
    }
}

/// Id and secret of `Authorization: Basic`, each form-encoded (RFC 6749, 2.3.1). None where there
/// is no such header; bearer tokens are the business of those who take them.
fn basic(headers: &HeaderMap) -> OAuthResult<Option<(String, String)>> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    let wrong = || OAuthError {
        challenge: Some("Basic realm=\"bhn-fhir\""),
        ..OAuthError::invalid_client()
    };
    let line = line.to_str().map_err(|_| wrong())?;
    let (scheme, encoded) = line.split_once(' ').ok_or_else(wrong)?;
    if !scheme.eq_ignore_ascii_case("basic") || lines.next().is_some() {
        return Err(wrong());
    }
    let plain = STANDARD.decode(encoded.trim()).ok().and_then(|b| String::from_utf8(b).ok());
    let plain = plain.ok_or_else(wrong)?;
    let (id, secret) = plain.split_once(':').ok_or_else(wrong)?;
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().map(|text| text.into_owned())
    };
    match (decoded(id), decoded(secret)) {
        (Ok(id), Ok(secret)) => Ok(Some((id, secret))),
        _ => Err(wrong()),
    }
}
