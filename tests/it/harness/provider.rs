//! A provider of identities elsewhere: OpenID Connect over TLS, in this process. It lets in whoever
//! it is told to, and answers wrongly where a test wants that.

use super::folder;
use axum::Router;
use axum::extract::{RawForm, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bhn_fhir::clock::Clock;
use bhn_fhir::config::Settings;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

const CLIENT: &str = "bhn";
const SECRET: &str = "a secret/of ours";
pub const KID: &str = "key-1";

/// What the provider does.
pub struct Manner {
    /// Claims of the next id_token, over those that are right.
    pub claims: Value,
    pub header: Header,
    /// Signs id_tokens.
    pub key: EncodingKey,
    /// Whether refresh tokens are refused, and whether nothing is answered.
    pub refuses: bool,
    pub is_down: bool,
    /// `iss` of its answers.
    pub iss: Option<String>,
    /// Refresh tokens that came.
    pub refreshed: Vec<String>,
    codes: BTreeMap<String, BTreeMap<String, String>>,
}

pub struct Provider {
    pub issuer: String,
    pub manner: Arc<Mutex<Manner>>,
    folder: tempfile::TempDir,
    host: String,
    http: reqwest::Client,
}

#[derive(Clone)]
struct Served {
    issuer: String,
    jwks: Value,
    manner: Arc<Mutex<Manner>>,
}

/// A new key of ES256 and its public half.
pub fn key() -> (EncodingKey, Value) {
    let pair = KeyPair::generate().unwrap();
    let key = EncodingKey::from_ec_der(&pair.serialize_der());
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
    jwk.common.key_id = Some(KID.to_owned());
    (key, serde_json::to_value(&jwk).unwrap())
}

impl Provider {
    pub async fn start() -> Provider {
        let folder = folder();
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("authority.pem"), cert.pem()).unwrap();
        std::fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], private)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let issuer = format!("https://{host}");
        let (key, jwk) = key();
        let manner = Arc::new(Mutex::new(Manner {
            claims: json!({}),
            header: Header { kid: Some(KID.to_owned()), ..Header::new(Algorithm::ES256) },
            key,
            refuses: false,
            is_down: false,
            iss: None,
            refreshed: Vec::new(),
            codes: BTreeMap::new(),
        }));
        let jwks = json!({"keys": [jwk]});
        let served = Served { issuer: issuer.clone(), jwks, manner: manner.clone() };
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), served));
        let authority = reqwest::Certificate::from_pem(cert.pem().as_bytes()).unwrap();
        let http = reqwest::Client::builder().no_proxy().tls_certs_merge([authority]);
        let http = http.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Provider { issuer, manner, folder, host, http }
    }

    /// Settings of a server whose people may sign in here, as `idp`, with these changes.
    pub fn settings(&self, changes: &Value) -> impl FnOnce(&mut Settings) + use<> {
        let mut own = json!({
            "id": "idp", "button": {"en": "Sign in with Idp", "fr": "Se connecter avec Idp"},
            "issuer": self.issuer, "client_id": CLIENT,
            "client_secret_file": self.folder.path().join("secret"),
            "registration": "everybody",
            "roles": {"claim": "cognito:groups", "values": {"doctors": "doctor"}}
        });
        for (name, value) in changes.as_object().unwrap() {
            own[name] = value.clone();
        }
        let mut other = own.clone();
        (other["id"], other["issuer"]) = ("other".into(), "https://other.example".into());
        let path = self.folder.path().join("providers.json");
        std::fs::write(&path, json!([own, other]).to_string()).unwrap();
        let (host, authority) = (self.host.clone(), self.folder.path().join("authority.pem"));
        move |settings| {
            settings.oauth.providers = Some(path);
            settings.oauth.outbound_hosts = vec![host];
            settings.oauth.outbound_ca = Some(authority);
        }
    }

    /// Who signs in next.
    pub fn is(&self, claims: Value) {
        self.manner.lock().unwrap().claims = claims;
    }

    /// Does as a browser that is sent there; where it is sent back to.
    pub async fn visit(&self, url: &str) -> Url {
        let reply = self.http.get(url).send().await.unwrap();
        assert_eq!(reply.status().as_u16(), 303, "{url}");
        Url::parse(reply.headers()["location"].to_str().unwrap()).unwrap()
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, served: Served) {
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(configuration))
        .route("/jwks", get(async |State(served): State<Served>| served.jwks.to_string()))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .with_state(served);
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = TowerToHyperService::new(router);
            let builder = Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn configuration(State(served): State<Served>) -> String {
    let issuer = &served.issuer;
    json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"]
    })
    .to_string()
}

fn parsed(bytes: &[u8]) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}

/// Lets the person in at once.
async fn authorize(State(served): State<Served>, RawQuery(query): RawQuery) -> Response {
    let asked = parsed(query.unwrap_or_default().as_bytes());
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["client_id"], CLIENT);
    assert_eq!(asked["code_challenge_method"], "S256");
    assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
    let code = bhn_fhir::oauth::new_secret().unwrap();
    let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
    let mut manner = served.manner.lock().unwrap();
    if let Some(iss) = &manner.iss {
        back.query_pairs_mut().append_pair("iss", iss);
    }
    manner.codes.insert(code, asked);
    (StatusCode::SEE_OTHER, [("location", back.to_string())]).into_response()
}

fn refused(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": error }))).into_response()
}

async fn token(
    State(served): State<Served>,
    headers: HeaderMap,
    RawForm(body): RawForm,
) -> Response {
    let form = parsed(&body);
    let mut manner = served.manner.lock().unwrap();
    if manner.is_down {
        return (StatusCode::BAD_GATEWAY, "<h1>away</h1>").into_response();
    }
    let encoded: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{encoded}")));
    if headers.get("authorization").is_none_or(|own| own.as_bytes() != basic.as_bytes()) {
        return refused("invalid_client");
    }
    let nonce = match form["grant_type"].as_str() {
        "authorization_code" => {
            let Some(asked) = manner.codes.remove(&form["code"]) else {
                return refused("invalid_grant");
            };
            let verifier = bhn_fhir::oauth::hash(&form["code_verifier"]);
            let is_proven = URL_SAFE_NO_PAD.encode(verifier) == asked["code_challenge"];
            if !is_proven || form["redirect_uri"] != asked["redirect_uri"] {
                return refused("invalid_grant");
            }
            Some(asked["nonce"].clone())
        }
        _ => {
            manner.refreshed.push(form["refresh_token"].clone());
            if manner.refuses {
                return refused("invalid_grant");
            }
            None
        }
    };
    let now = Clock::System.now().timestamp();
    let mut claims = json!({
        "iss": served.issuer, "sub": "s-1", "aud": CLIENT, "iat": now, "exp": now + 300,
        "email": "amina@home.example", "email_verified": true, "name": "Amina Khatun"
    });
    claims["nonce"] = nonce.into();
    for (name, value) in manner.claims.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let turned = format!("refresh-{}", manner.refreshed.len());
    axum::Json(json!({
        "access_token": "opaque", "token_type": "Bearer", "expires_in": 3600,
        "refresh_token": turned,
        "id_token": jsonwebtoken::encode(&manner.header, &claims, &manner.key).unwrap()
    }))
    .into_response()
}
