//! What an access token costs when it is known, as a ratio to one verification of its ES256
//! signature in the same run: `cargo bench --bench tokens`. At most a fiftieth, or it fails.
//! SECURITY.md, AS-21.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use bhn_fhir::access::dpop::{Proof, Proofs};
use bhn_fhir::access::jwt::{ACCESS_TOKEN, Claims, Expected, VerificationKey};
use bhn_fhir::access::{
    Bearer, BearerSettings, Bearers, Identities, Launch, Link, Links, Role, Terms,
};
use bhn_fhir::clock::Clock;
use bhn_fhir::error::Result;
use bhn_fhir::fhir::resource::ResourceKey;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

const KID: &str = "bench";
const ISSUER: &str = "https://bhn.example";
const ROUNDS: usize = 15;
const VERIFICATIONS: u32 = 200;
const HITS: u32 = 20_000;
/// A hit costs so much of a verification at most.
const LIMIT: f64 = 1.0 / 50.0;

/// A database that always says the same.
struct Known(VerificationKey);

impl Identities for Known {
    fn verification_keys(&self) -> BoxFuture<'_, Result<Vec<VerificationKey>>> {
        async { Ok(vec![self.0.clone()]) }.boxed()
    }

    fn bearer<'a>(
        &'a self,
        _: &'a str,
        claims: &'a Claims,
        _: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Option<Bearer>>> {
        let key = ResourceKey::parse("Practitioner/1").expect("a key");
        let links = Links { fhir_user: Some(Link { key, rid: 1 }), ..Links::default() };
        let bearer = Bearer {
            name: format!("account/{}", claims.sub),
            client_id: claims.client_id.clone(),
            role: Role::Doctor,
            links,
            launch: Launch::default(),
            methods: vec!["pwd".to_owned(), "otp".to_owned()],
            signed_in: None,
            scopes: None,
            terms: Terms::default(),
        };
        async { Ok(Some(bearer)) }.boxed()
    }

    fn use_proof<'a>(&'a self, _: &'a str, _: &'a Proof) -> BoxFuture<'a, Result<bool>> {
        async { Ok(true) }.boxed()
    }
}

fn main() -> ExitCode {
    let (token, key) = token();
    let expected = Expected { issuer: ISSUER.to_owned(), audience: format!("{ISSUER}/fhir") };
    let holds = Duration::from_secs(3_600);
    let proofs = Arc::new(Proofs::new(&[7; 32], false));
    let settings = BearerSettings { expected, clock: Clock::System, holds, proofs };
    let bearers = Bearers::new(Arc::new(Known(key.clone())), settings);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (mut verification, mut hit) = (f64::MAX, f64::MAX);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            for _ in 0..VERIFICATIONS {
                black_box(key.claims::<Claims>(black_box(&token)).expect("it is signed"));
            }
            verification = verification.min(each(start, VERIFICATIONS));
            let start = Instant::now();
            for _ in 0..HITS {
                black_box(bearers.principal(black_box(&token)).await.expect("it is good"));
            }
            hit = hit.min(each(start, HITS));
        }
        let ratio = hit / verification;
        println!(
            "a token of {} bytes: verified {:.1} µs, known {:.2} µs, {:.4} of a verification \
             (limit {LIMIT})",
            token.len(),
            verification * 1e6,
            hit * 1e6,
            ratio
        );
        match ratio <= LIMIT {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    })
}

fn each(start: Instant, times: u32) -> f64 {
    start.elapsed().as_secs_f64() / f64::from(times)
}

/// A token as this server gives them out, and the key that it is verified with.
fn token() -> (String, VerificationKey) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let der = pair.to_pkcs8v1().expect("it has a form");
    let key = EncodingKey::from_ec_der(der.as_ref());
    let jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a public half");
    let now = Clock::System.now().timestamp();
    let claims = Claims {
        iss: ISSUER.to_owned(),
        sub: "0198d1a2-7c3e-7b44-9f00-1c2d3e4f5a6b".to_owned(),
        aud: format!("{ISSUER}/fhir"),
        client_id: "hospital-app".to_owned(),
        jti: "0198d1a2-7c3e-7b44-9f00-1c2d3e4f5a6c".to_owned(),
        gid: 4_711,
        iat: now,
        exp: now + 3_600,
        nbf: None,
        scope: Some("openid fhirUser launch user/*.rs user/Observation.cruds".to_owned()),
        scope_ref: None,
        cnf: None,
    };
    let header = Header {
        typ: Some(ACCESS_TOKEN.to_owned()),
        kid: Some(KID.to_owned()),
        ..Header::new(Algorithm::ES256)
    };
    let token = jsonwebtoken::encode(&header, &claims, &key).expect("it is signed");
    (token, VerificationKey::new(KID, Algorithm::ES256, &jwk).expect("it verifies"))
}
