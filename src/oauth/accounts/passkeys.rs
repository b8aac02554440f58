//! Passkeys (WebAuthn level 2): what a browser is asked for, and whether its answer is good. The
//! person is always verified by the authenticator, so that a passkey alone is two factors.
//! Attestation is not asked for: which make a passkey is of decides nothing here.

use crate::error::{FhirError, Result};
use crate::oauth::hash;
use crate::storage::{Account, Passkey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use passki::{
    AuthenticationCredential, AuthenticationOptions, AuthenticationState, ClientData, Passki,
    PasskiError, RegistrationCredential, RegistrationOptions, RegistrationState,
    ResidentKeyRequirement, StoredPasskey, UserVerificationRequirement,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A challenge is good for so long.
pub const ANSWERED_WITHIN: Duration = Duration::minutes(5);
/// Passkeys of an account.
pub const MOST: i64 = 20;
const NAME: &str = "Birth Health Network";
/// EdDSA, ES256, ES384, RS256, RS384 of the registry of COSE: those that are offered.
const ALGORITHMS: [i32; 5] = [-8, -7, -35, -257, -258];

/// This server to authenticators: its name and its origin.
pub struct RelyingParty(Passki);

/// A ceremony that has begun.
pub struct Begun {
    /// For `navigator.credentials`.
    pub options: String,
    /// What the answer is verified with.
    pub state: String,
    /// SHA-256 of the challenge.
    pub hash: [u8; 32],
}

/// Why an answer is not good; the words are for the audit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// It is none, or for another challenge, origin or person.
    Wrong(&'static str),
    /// The counter did not grow: somebody has a copy of the key.
    Copied,
}

impl Refused {
    pub fn reason(self) -> &'static str {
        match self {
            Refused::Wrong(reason) => reason,
            Refused::Copied => "the counter of a passkey did not grow",
        }
    }
}

impl From<PasskiError> for Refused {
    fn from(error: PasskiError) -> Refused {
        match error {
            PasskiError::CounterRegression => Refused::Copied,
            PasskiError::OriginMismatch { .. } | PasskiError::RpIdHashMismatch => {
                Refused::Wrong("a passkey of another origin")
            }
            PasskiError::UserVerificationRequired | PasskiError::UserNotPresent => {
                Refused::Wrong("a passkey without verification of the person")
            }
            _ => Refused::Wrong("wrong passkey"),
        }
    }
}

/// Of an answer, what is needed before it is verified.
#[derive(Debug)]
pub struct Answer<'a> {
    json: &'a str,
    /// The credential id.
    pub id: Vec<u8>,
    /// SHA-256 of its challenge.
    pub hash: [u8; 32],
    /// The account as the authenticator has it.
    handle: Option<Vec<u8>>,
}

impl<'a> Answer<'a> {
    /// None for what is no `PublicKeyCredential` in JSON.
    pub fn read(json: &'a str) -> Option<Answer<'a>> {
        let value: Value = serde_json::from_str(json).ok()?;
        let bytes = |text: &Value| URL_SAFE_NO_PAD.decode(text.as_str()?).ok();
        let response = value.get("response")?;
        let client = ClientData::from_base64(response.get("clientDataJSON")?.as_str()?).ok()?;
        let challenge = URL_SAFE_NO_PAD.decode(client.challenge).ok()?;
        let id = bytes(value.get("rawId")?)?;
        let handle = response.get("userHandle").and_then(bytes);
        Some(Answer { json, id, hash: hash_of(&challenge), handle })
    }
}

/// Base64url of a challenge is as good as itself: it is what forms and answers bring.
fn hash_of(challenge: &[u8]) -> [u8; 32] {
    hash(&URL_SAFE_NO_PAD.encode(challenge))
}

impl RelyingParty {
    /// By the issuer. None where its host is an address: passkeys are of names alone.
    pub fn of(issuer: &str) -> Option<RelyingParty> {
        let url = url::Url::parse(issuer).ok()?;
        let Some(url::Host::Domain(name)) = url.host() else { return None };
        let origin = url.origin().ascii_serialization();
        Some(RelyingParty(Passki::new(name, &[origin], NAME)))
    }

    /// Asks for a new passkey of the account, on none of the authenticators that have one.
    pub fn register(&self, account: &Account, known: &[Passkey]) -> Result<Begun> {
        let known: Vec<StoredPasskey> = known.iter().map(stored).collect();
        let mut options = RegistrationOptions::default();
        options.timeout = milliseconds();
        options.resident_key = ResidentKeyRequirement::Required;
        options.user_verification = UserVerificationRequirement::Required;
        options.exclude_credentials = Some(&known);
        let handle = handle(&account.account)?;
        let names = (account.email.as_str(), account.name.as_str());
        let begun = self.0.start_passkey_registration(&handle, names.0, names.1, options);
        let (options, state) = begun.map_err(FhirError::internal)?;
        begun_with(&options, &state, &state.challenge)
    }

    /// The new passkey, without a name yet.
    pub fn registered(
        &self,
        answer: &Answer<'_>,
        state: &str,
        (account, now): (&Account, DateTime<Utc>),
    ) -> std::result::Result<Passkey, Refused> {
        let credential: RegistrationCredential = read(answer.json)?;
        let state: RegistrationState = read(state)?;
        let made = self.0.finish_passkey_registration(&credential, &state)?;
        if !ALGORITHMS.contains(&made.algorithm) {
            return Err(Refused::Wrong("a passkey of another algorithm"));
        }
        let is_id = (1..=1_023).contains(&made.credential_id.len());
        if !is_id {
            return Err(Refused::Wrong("a passkey whose id is too long"));
        }
        let transports = serde_json::to_value(&made.transports).unwrap_or_default();
        let transports = transports.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(Passkey {
            id: made.credential_id,
            account: account.account.clone(),
            name: String::new(),
            public_key: made.public_key,
            algorithm: made.algorithm,
            counter: made.counter.into(),
            transports: transports.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            created: now,
            used: None,
            ends: None,
        })
    }

    /// Asks for one of these passkeys, or for any where there are none.
    pub fn ask(&self, known: &[Passkey]) -> Result<Begun> {
        let known: Vec<StoredPasskey> = known.iter().map(stored).collect();
        let mut options = AuthenticationOptions::default();
        options.timeout = milliseconds();
        options.user_verification = UserVerificationRequirement::Required;
        let begun = self.0.start_passkey_authentication(&known, options);
        let (options, state) = begun.map_err(FhirError::internal)?;
        begun_with(&options, &state, &state.challenge)
    }

    /// The counter of a good answer by this passkey.
    pub fn verify(
        &self,
        answer: &Answer<'_>,
        state: &str,
        passkey: &Passkey,
    ) -> std::result::Result<u32, Refused> {
        let credential: AuthenticationCredential = read(answer.json)?;
        let state: AuthenticationState = read(state)?;
        let own = handle(&passkey.account).ok();
        // Where any passkey may answer, the authenticator has to say whose it is.
        let is_needed = state.allowed_credentials.is_empty();
        let is_own = answer.handle.as_ref().map_or(!is_needed, |said| Some(said) == own.as_ref());
        if !is_own {
            return Err(Refused::Wrong("a passkey of another person"));
        }
        let result = self.0.finish_passkey_authentication(&credential, &state, &stored(passkey))?;
        Ok(result.counter)
    }
}

fn milliseconds() -> u64 {
    u64::try_from(ANSWERED_WITHIN.num_milliseconds()).unwrap_or_default()
}

fn begun_with(options: &impl Serialize, state: &impl Serialize, challenge: &[u8]) -> Result<Begun> {
    let options = serde_json::to_string(options).map_err(FhirError::internal)?;
    let state = serde_json::to_string(state).map_err(FhirError::internal)?;
    Ok(Begun { options, state, hash: hash_of(challenge) })
}

fn read<T: DeserializeOwned>(json: &str) -> std::result::Result<T, Refused> {
    serde_json::from_str(json).map_err(|_| Refused::Wrong("no passkey"))
}

/// The account as authenticators have it: the bytes of its UUID, which say nothing about him.
fn handle(account: &str) -> Result<Vec<u8>> {
    let account = uuid::Uuid::parse_str(account).map_err(FhirError::internal)?;
    Ok(account.as_bytes().to_vec())
}

fn stored(passkey: &Passkey) -> StoredPasskey {
    let mut stored = StoredPasskey::default();
    stored.credential_id = passkey.id.clone();
    stored.public_key = passkey.public_key.clone();
    stored.counter = u32::try_from(passkey.counter).unwrap_or(u32::MAX);
    stored.algorithm = passkey.algorithm;
    let transports = passkey.transports.iter().map(|one| Value::from(one.as_str()));
    let transports = transports.filter_map(|one| serde_json::from_value(one).ok());
    stored.transports = transports.collect();
    stored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_of_names_and_not_of_addresses() {
        for (issuer, is_one) in [
            ("https://bhn.example", true),
            ("https://bhn.example:8443/north", true),
            ("http://localhost:8080", true),
            ("http://127.0.0.1:8080", false),
            ("http://[::1]:8080", false),
            ("", false),
        ] {
            assert_eq!(RelyingParty::of(issuer).is_some(), is_one, "{issuer}");
        }
        let party = RelyingParty::of("https://bhn.example:8443/north").unwrap();
        assert_eq!(party.0.rp_id, "bhn.example");
        assert_eq!(party.0.rp_origins, ["https://bhn.example:8443"]);
    }

    #[test]
    fn what_is_no_answer_is_refused_without_a_panic() {
        for json in
            ["", "null", "{}", "[1]", r#"{"rawId":"x","response":{"clientDataJSON":"e30"}}"#]
        {
            assert!(Answer::read(json).is_none(), "{json}");
        }
    }
}
