//! Keys of clients, and the proofs of DPoP that they sign.

use super::{APP, REDIRECT, Reply, TestServer, VERIFIER};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A key of a client.
pub struct ProofKey {
    key: EncodingKey,
    pub algorithm: Algorithm,
    pub jwk: Jwk,
}

impl ProofKey {
    /// A new one.
    pub fn new(algorithm: Algorithm) -> ProofKey {
        let key = match algorithm {
            Algorithm::ES256 => {
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                EncodingKey::from_ec_der(key.to_pkcs8v1().unwrap().as_ref())
            }
            Algorithm::EdDSA => {
                let key = Ed25519KeyPair::generate().unwrap();
                EncodingKey::from_ed_der(key.to_pkcs8v1().unwrap().as_ref())
            }
            _ => {
                let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
                let der: Pkcs8V1Der<'static> = key.as_der().unwrap();
                let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
                let pem = format!("{begin}\n{}\n{end}\n", STANDARD.encode(der.as_ref()));
                EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
            }
        };
        let mut jwk = Jwk::from_encoding_key(&key, algorithm).unwrap();
        jwk.common = Default::default();
        ProofKey { key, algorithm, jwk }
    }

    pub fn thumbprint(&self) -> String {
        self.jwk.thumbprint(ThumbprintHash::SHA256).unwrap()
    }

    pub fn header(&self) -> Header {
        let typ = Some("dpop+jwt".to_owned());
        Header { typ, jwk: Some(self.jwk.clone()), ..Header::new(self.algorithm) }
    }

    pub fn signed(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.key).unwrap()
    }

    /// A proof for a request without an access token.
    pub fn proof(&self, method: &str, url: &str) -> String {
        self.signed(&self.header(), &proof_claims(method, url, None))
    }

    /// A proof for a request with that token.
    pub fn proof_with(&self, method: &str, url: &str, token: &str) -> String {
        self.signed(&self.header(), &proof_claims(method, url, Some(token)))
    }
}

/// The claims of a proof that is good now.
pub fn proof_claims(method: &str, url: &str, token: Option<&str>) -> Value {
    let mut claims = json!({
        "jti": bhn_fhir::oauth::new_secret().unwrap(),
        "htm": method,
        "htu": url,
        "iat": bhn_fhir::clock::Clock::System.now().timestamp(),
    });
    if let Some(token) = token {
        claims["ath"] = URL_SAFE_NO_PAD.encode(Sha256::digest(token)).into();
    }
    claims
}

impl TestServer {
    /// `POST /oauth/token` with a proof.
    pub async fn token_with(&self, parameters: &[(&str, &str)], proof: &str) -> Reply {
        self.form_as("/oauth/token", parameters, &[("dpop", proof)]).await
    }

    /// Redeems a code of the client of tests with a proof by that key.
    pub async fn redeem_with(&self, code: &str, key: &ProofKey) -> Reply {
        let parameters = [
            ("grant_type", "authorization_code"),
            ("client_id", APP),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.token_with(&parameters, &key.proof("POST", &self.beside("/oauth/token"))).await
    }

    /// `GET` with a bound token and a proof.
    pub async fn get_with(&self, path: &str, token: &str, proof: &str) -> Reply {
        let client = self.client.with_authorization(format!("DPoP {token}"));
        client.request("GET", path).header("dpop", proof).send().await
    }
}
