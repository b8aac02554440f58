//! An authenticator in software (WebAuthn 2, 6): ES256, no attestation, and every lie that a test
//! wants to tell.

use super::Reply;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const WITH_KEY: u8 = 0x40;

/// One passkey on one device.
pub struct Authenticator {
    key: EcdsaKeyPair,
    pub id: Vec<u8>,
    pub handle: Option<String>,
    pub counter: u32,
    pub origin: String,
    pub rp_id: String,
    pub verifies: bool,
}

impl Authenticator {
    pub fn at(issuer: &str) -> Authenticator {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let id = Sha256::digest(key.public_key().as_ref()).to_vec();
        let rp_id = url::Url::parse(issuer).unwrap().host_str().unwrap().to_owned();
        let (origin, handle) = (issuer.to_owned(), None);
        Authenticator { key, id, handle, counter: 0, origin, rp_id, verifies: true }
    }

    /// What `navigator.credentials.create` gives for the options of a page.
    pub fn create(&mut self, options: &Value) -> String {
        self.handle = options["user"]["id"].as_str().map(str::to_owned);
        let point = self.key.public_key().as_ref().to_vec();
        let (x, y) = point[1..].split_at(32);
        let cose = [
            &[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20][..],
            x,
            &[0x22, 0x58, 0x20],
            y,
        ]
        .concat();
        let length = u16::try_from(self.id.len()).unwrap().to_be_bytes();
        let of_key = [&[0; 16][..], &length, &self.id, &cose].concat();
        let authenticator = [self.header(WITH_KEY), of_key].concat();
        let size = u8::try_from(authenticator.len()).unwrap();
        let attestation = [
            b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".as_slice(),
            &[size],
            &authenticator,
        ]
        .concat();
        let client = self.client("webauthn.create", options);
        let response = json!({
            "clientDataJSON": encoded(&client), "attestationObject": encoded(&attestation),
            "transports": ["internal", "hybrid"]
        });
        self.credential(&response)
    }

    /// What `navigator.credentials.get` gives, with the next count.
    pub fn get(&mut self, options: &Value) -> String {
        self.counter += 1;
        self.get_again(options)
    }

    /// The same with the count of before: what a copy of the key would give.
    pub fn get_again(&mut self, options: &Value) -> String {
        let authenticator = self.header(0);
        let client = self.client("webauthn.get", options);
        let signed = [authenticator.as_slice(), &Sha256::digest(&client)].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        let response = json!({
            "clientDataJSON": encoded(&client), "authenticatorData": encoded(&authenticator),
            "signature": encoded(signature.as_ref()), "userHandle": self.handle
        });
        self.credential(&response)
    }

    fn header(&self, further: u8) -> Vec<u8> {
        let verified = if self.verifies { VERIFIED } else { 0 };
        let flags = PRESENT | verified | further;
        let origin = Sha256::digest(self.rp_id.as_bytes());
        [origin.as_slice(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let client = json!({
            "type": kind, "challenge": options["challenge"], "origin": self.origin,
            "crossOrigin": false
        });
        client.to_string().into_bytes()
    }

    fn credential(&self, response: &Value) -> String {
        let id = encoded(&self.id);
        let credential = json!({
            "id": id, "rawId": id, "type": "public-key", "response": response,
            "clientExtensionResults": {}
        });
        credential.to_string()
    }
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What a page asks the browser for.
pub fn options(page: &Reply) -> Value {
    let text = page.text();
    let after = text.split("data-options=\"").nth(1).unwrap_or_else(|| panic!("{text}"));
    let escaped = after.split('"').next().unwrap();
    let json = escaped.replace("&#34;", "\"").replace("&quot;", "\"").replace("&#38;", "&");
    serde_json::from_str(&json).unwrap_or_else(|_| panic!("{json}"))
}
