//! Clients and tokens that are bound to certificates (RFC 8705), and where requests come from.

use super::harness::{APP, Grantee, ProofKey, Reply, Role, TestServer, folder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bhn_fhir::http::{ClientCertificates, HttpSettings, TlsFiles};
use bhn_fhir::storage::{Client, ClientKind};
use jsonwebtoken::{Algorithm, Header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use reqwest::{Certificate, Identity};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const SCOPES: &str = "system/Patient.rs";

/// An authority that vouches for clients.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate of a client, and its key.
struct Shown {
    der: Vec<u8>,
    pem: String,
    key: String,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    fn vouch(&self, host: &str) -> Shown {
        let key = KeyPair::generate().unwrap();
        let certificate = params(host).signed_by(&key, &self.issuer).unwrap();
        Shown { der: certificate.der().to_vec(), pem: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Shown {
    fn self_signed(host: &str) -> Shown {
        let key = KeyPair::generate().unwrap();
        let certificate = params(host).self_signed(&key).unwrap();
        Shown { der: certificate.der().to_vec(), pem: certificate.pem(), key: key.serialize_pem() }
    }

    fn thumbprint(&self) -> String {
        bhn_fhir::access::thumbprint(&self.der)
    }
}

fn params(host: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, host);
    params.distinguished_name.push(DnType::OrganizationName, "Lindale");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// A server that ends TLS itself and asks clients for certificates.
struct OverTls {
    server: TestServer,
    certificate: Certificate,
    _folder: tempfile::TempDir,
}

impl OverTls {
    async fn start(authority: &Authority) -> OverTls {
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let own = own.self_signed(&key).unwrap();
        std::fs::write(path("own.pem"), own.pem()).unwrap();
        std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path("key.pem"), private).unwrap();
        std::fs::write(path("ca.pem"), &authority.pem).unwrap();
        let client_certificates = ClientCertificates::open(true, None, Some(&path("ca.pem")));
        let http = HttpSettings {
            tls: Some(TlsFiles {
                certificate: path("own.pem"),
                key: path("key.pem"),
                allows_tls12: false,
                asks_clients: true,
            }),
            client_certificates: client_certificates.unwrap(),
            ..HttpSettings::default()
        };
        let server = TestServer::start_signed_in_over(http, |settings| {
            settings.base_url = settings.base_url.replace("http://", "https://");
        });
        let server = server.await;
        let certificate = Certificate::from_pem(own.pem().as_bytes()).unwrap();
        OverTls { server, certificate, _folder: folder }
    }

    fn client(&self, shown: Option<&Shown>) -> reqwest::Client {
        let builder = reqwest::Client::builder().no_proxy();
        let builder = builder.tls_certs_only([self.certificate.clone()]);
        let builder = match shown {
            Some(shown) => {
                let pem = format!("{}{}", shown.pem, shown.key);
                builder.identity(Identity::from_pem(pem.as_bytes()).unwrap())
            }
            None => builder,
        };
        builder.build().unwrap()
    }

    async fn ask(&self, client: &str, shown: Option<&Shown>) -> Reply {
        let form = [("grant_type", "client_credentials"), ("client_id", client), ("scope", SCOPES)];
        let request = self.client(shown).post(self.server.beside("/oauth/token"));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        Reply::of(request.body(body).send().await.unwrap()).await.unwrap()
    }

    async fn read(&self, token: &str, shown: Option<&Shown>) -> Reply {
        let request = self.client(shown).get(format!("{}/Patient", self.server.base()));
        Reply::of(request.bearer_auth(token).send().await.unwrap()).await.unwrap()
    }
}

async fn register(server: &TestServer, kind: ClientKind, change: impl FnOnce(&mut Client)) {
    let organization = server.link("Organization/lindale").await.rid;
    server
        .register("ehr", kind, |client| {
            client.role = Some(Role::EhrSystem);
            client.organizations = vec![(organization, "lindale".to_owned())];
            client.scopes = SCOPES.to_owned();
            client.grant_types = vec!["client_credentials".to_owned()];
            change(client);
        })
        .await;
}

fn named(name: &str) -> impl FnOnce(&mut Client) {
    let name = name.to_owned();
    move |client| client.terms.certificate_name = Some(name)
}

fn token(reply: &Reply) -> &str {
    reply.body["access_token"].as_str().unwrap_or_else(|| panic!("{reply:?}"))
}

#[track_caller]
fn refused(reply: &Reply) {
    assert_eq!((reply.status(), &reply.body["error"]), (401, &json!("invalid_client")));
}

#[tokio::test]
async fn as_28_a_client_signs_in_by_a_certificate_for_its_name() {
    let authority = Authority::new();
    let over = OverTls::start(&authority).await;
    register(&over.server, ClientKind::CertificateOfAuthority, named("san_dns:ehr.example")).await;
    let own = authority.vouch("ehr.example");
    let reply = over.ask("ehr", Some(&own)).await.expect(200);
    assert_eq!(reply.body["token_type"], "Bearer");
    let token = token(&reply);
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Value>(token).unwrap();
    assert_eq!(claims["cnf"], json!({"x5t#S256": own.thumbprint()}));
    over.read(token, Some(&own)).await.expect(200);
    let again = authority.vouch("ehr.example");
    for other in [None, Some(&again)] {
        let reply = over.read(token, other).await.expect(401);
        assert!(reply.header("www-authenticate").contains("invalid_token"));
    }
    let stranger = authority.vouch("other.example");
    let invented = Shown::self_signed("ehr.example");
    let foreign = Authority::new().vouch("ehr.example");
    for other in [None, Some(&stranger), Some(&invented), Some(&foreign)] {
        refused(&over.ask("ehr", other).await);
    }
}

#[tokio::test]
async fn as_28_the_name_of_a_certificate_may_be_its_subject() {
    let authority = Authority::new();
    let over = OverTls::start(&authority).await;
    let own = authority.vouch("ehr.example");
    let name = "subject_dn:O=Lindale,CN=ehr.example";
    register(&over.server, ClientKind::CertificateOfAuthority, named(name)).await;
    let certificate = x509_subject(&own.der);
    assert_eq!(certificate, name.strip_prefix("subject_dn:").unwrap(), "RFC 4514");
    over.ask("ehr", Some(&own)).await.expect(200);
    refused(&over.ask("ehr", Some(&authority.vouch("ehr2.example"))).await);
}

fn x509_subject(der: &[u8]) -> String {
    use x509_cert::der::Decode;
    x509_cert::Certificate::from_der(der).unwrap().tbs_certificate.subject.to_string()
}

#[tokio::test]
async fn as_28_a_client_signs_in_by_the_certificate_among_its_keys() {
    let over = OverTls::start(&Authority::new()).await;
    let own = Shown::self_signed("ehr.example");
    register(&over.server, ClientKind::SelfSignedCertificate, |client| {
        let key = json!({"kty": "EC", "x5c": [STANDARD.encode(&own.der)]});
        client.jwks = Some(json!({ "keys": [key] }));
    })
    .await;
    let reply = over.ask("ehr", Some(&own)).await.expect(200);
    over.read(token(&reply), Some(&own)).await.expect(200);
    over.read(token(&reply), None).await.expect(401);
    refused(&over.ask("ehr", Some(&Shown::self_signed("ehr.example"))).await);
    refused(&over.ask("ehr", None).await);
}

/// A server behind a proxy at this address, which forwards certificates.
async fn proxied(authority: &Authority, proxy: &str) -> TestServer {
    let folder = folder();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, &authority.pem).unwrap();
    let certificates = ClientCertificates::open(false, Some("client-cert"), Some(&path)).unwrap();
    let http = HttpSettings {
        trusted_proxies: vec![proxy.parse().unwrap()],
        client_certificates: certificates,
        ..HttpSettings::default()
    };
    let server = TestServer::start_signed_in_over(http, |_| {}).await;
    register(&server, ClientKind::CertificateOfAuthority, named("san_dns:ehr.example")).await;
    server
}

async fn ask_forwarded(server: &TestServer, header: &str) -> Reply {
    let form = [("grant_type", "client_credentials"), ("client_id", "ehr"), ("scope", SCOPES)];
    server.form_as("/oauth/token", &form, &[("client-cert", header)]).await
}

#[tokio::test]
async fn as_28_a_forwarded_certificate_is_believed_of_trusted_proxies_alone() {
    let authority = Authority::new();
    let own = authority.vouch("ehr.example");
    let structured = format!(":{}:", STANDARD.encode(&own.der));
    let encoded = utf8_percent_encode(&own.pem, NON_ALPHANUMERIC).to_string();
    let server = proxied(&authority, "127.0.0.1").await;
    for header in [&structured, &encoded] {
        let reply = ask_forwarded(&server, header).await.expect(200);
        let client = server.with_token(token(&reply));
        let read = client.request("GET", "Patient").header("client-cert", header);
        read.send().await.expect(200);
        client.get("Patient").await.expect(401);
    }
    for wrong in ["", "::", ":AAAA:", "no certificate", &structured[1..]] {
        refused(&ask_forwarded(&server, wrong).await);
    }
    let stranger = proxied(&authority, "10.0.0.1").await;
    refused(&ask_forwarded(&stranger, &structured).await);
}

/// Asks for a token of the registry, whose key is `key`.
async fn ask_registry(server: &TestServer, key: &ProofKey, proof: Option<&str>) -> Reply {
    let endpoint = server.beside("/oauth/token");
    let now = server.context.clock.now().timestamp();
    let claims = json!({"iss": "registry", "sub": "registry", "aud": endpoint, "exp": now + 300,
        "jti": bhn_fhir::oauth::new_secret().unwrap()});
    let header = Header { kid: Some("k".to_owned()), ..Header::new(key.algorithm) };
    let assertion = key.signed(&header, &claims);
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", SCOPES),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
    ];
    let headers: Vec<_> = proof.iter().map(|proof| ("dpop", *proof)).collect();
    server.form_as("/oauth/token", &form, &headers).await
}

/// A server with a registry, without a second of grace.
async fn with_registry(key: &ProofKey) -> TestServer {
    let server = TestServer::start_signed_in_with(|settings| settings.oauth.principal_ms = 0);
    let server = server.await;
    let mut jwk = json!(key.jwk);
    jwk["kid"] = "k".into();
    server
        .register("registry", ClientKind::ConfidentialAsymmetric, |client| {
            client.role = Some(Role::Registry);
            client.scopes = SCOPES.to_owned();
            client.grant_types = vec!["client_credentials".to_owned()];
            client.algorithms = vec!["ES256".to_owned()];
            client.jwks = Some(json!({ "keys": [jwk] }));
            client.jurisdictions = vec!["BD".to_owned()];
        })
        .await;
    server
}

async fn run(server: &TestServer, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&mut server.database.connect().await).await.unwrap();
}

#[tokio::test]
async fn the_tokens_of_a_registry_are_bound_unless_the_operator_says_otherwise() {
    let key = ProofKey::new(Algorithm::ES256);
    let server = with_registry(&key).await;
    let reply = ask_registry(&server, &key, None).await.expect(400);
    assert_eq!(reply.body["error"], "invalid_request");
    let proof = key.proof("POST", &server.beside("/oauth/token"));
    let bound = ask_registry(&server, &key, Some(&proof)).await.expect(200);
    assert_eq!(bound.body["token_type"], "DPoP");
    let url = format!("{}/Patient", server.base());
    let proof = key.proof_with("GET", &url, token(&bound));
    server.get_with("Patient", token(&bound), &proof).await.expect(200);
    run(&server, "update client set allows_bearer = true").await;
    let free = ask_registry(&server, &key, None).await.expect(200);
    server.with_token(token(&free)).get("Patient").await.expect(200);
    run(&server, "update client set allows_bearer = false").await;
    server.with_token(token(&free)).get("Patient").await.expect(401);
}

#[tokio::test]
async fn a_client_is_let_in_from_its_networks_alone() {
    let key = ProofKey::new(Algorithm::ES256);
    let server = with_registry(&key).await;
    run(&server, "update client set allows_bearer = true, networks = '{127.0.0.0/8,::1}'").await;
    let reply = ask_registry(&server, &key, None).await.expect(200);
    let client = server.with_token(token(&reply));
    client.get("Patient").await.expect(200);
    run(&server, "update client set networks = '{10.0.0.0/8}'").await;
    client.get("Patient").await.expect(401);
    refused(&ask_registry(&server, &key, None).await);
    let spoofed = client.request("GET", "Patient").header("x-forwarded-for", "10.0.0.1");
    spoofed.send().await.expect(401);
}

#[tokio::test]
async fn discovery_tells_of_certificates_where_they_are_taken() {
    let server = TestServer::start_signed_in().await;
    let path = server.beside("/.well-known/oauth-authorization-server");
    let document = server.get(&path).await.expect(200).body;
    assert_eq!(document["tls_client_certificate_bound_access_tokens"], false);
    assert!(!document.to_string().contains("tls_client_auth"));
    let server = proxied(&Authority::new(), "127.0.0.1").await;
    let path = server.beside("/.well-known/oauth-authorization-server");
    let document = server.get(&path).await.expect(200).body;
    assert_eq!(document["tls_client_certificate_bound_access_tokens"], true);
    let methods = document["token_endpoint_auth_methods_supported"].as_array().unwrap();
    for method in ["tls_client_auth", "self_signed_tls_client_auth"] {
        assert!(methods.iter().any(|own| own == method), "{method}");
    }
}

#[tokio::test]
async fn refresh_tokens_of_public_clients_are_bound_to_the_certificate() {
    let authority = Authority::new();
    let server = proxied(&authority, "127.0.0.1").await;
    let account = server.person(Role::Patient, "Patient/p").await;
    let grantee = Grantee::person(&account).about("p");
    let code = server.code(&grantee, "offline_access patient/*.rs").await;
    run(&server, "update client set is_certificate_bound = true where kind = 'public'").await;
    server.redeem(&code).await.expect(400);
    let [own, other] = [(); 2].map(|()| {
        let shown = Shown::self_signed("phone.example");
        format!(":{}:", STANDARD.encode(&shown.der))
    });
    let redeeming = [
        ("grant_type", "authorization_code"),
        ("client_id", APP),
        ("code", code.as_str()),
        ("redirect_uri", super::harness::REDIRECT),
        ("code_verifier", super::harness::VERIFIER),
    ];
    let headers = [("client-cert", own.as_str())];
    let reply = server.form_as("/oauth/token", &redeeming, &headers).await.expect(200);
    let refresh = reply.body["refresh_token"].as_str().unwrap();
    let refreshing =
        [("grant_type", "refresh_token"), ("client_id", APP), ("refresh_token", refresh)];
    let with_other = [("client-cert", other.as_str())];
    server.form_as("/oauth/token", &refreshing, &with_other).await.expect(400);
    server.form_as("/oauth/token", &refreshing, &headers).await.expect(200);
}
