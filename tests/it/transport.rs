//! TLS, the listener of operators, and what logs and metrics hold.

use super::harness::{ServerProcess, TestDatabase, folder, observation, patient};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::Certificate;
use reqwest::tls::Version;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A certificate for this machine and its key, as files; and the certificate for clients.
fn certificate(folder: &Path) -> ([String; 4], Certificate) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let arguments = ["--tls-certificate".to_owned(), text(&certificate)];
    let [a, b] = arguments;
    let arguments = [a, b, "--tls-key".to_owned(), text(&key)];
    (arguments, Certificate::from_pem(cert.pem().as_bytes()).unwrap())
}

fn client(certificate: &Certificate) -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().tls_certs_only([certificate.clone()])
}

fn strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn in_55_tls_is_1_3_unless_the_operator_allows_1_2() {
    let (folder, database) = (folder(), TestDatabase::empty());
    let (mut arguments, certificate) = {
        let (arguments, certificate) = certificate(folder.path());
        (arguments.to_vec(), certificate)
    };
    let old = client(&certificate).tls_version_max(Version::TLS_1_2).build().unwrap();
    {
        let process = ServerProcess::start_on_with(&database, &strs(&arguments));
        let base = process.client.base().to_owned();
        assert!(base.starts_with("https://127.0.0.1:"), "{base}");
        let new = client(&certificate).build().unwrap();
        let reply = new.get(format!("{base}/metadata")).send().await.unwrap();
        assert_eq!(reply.status(), 200);
        let said = reply.headers()["strict-transport-security"].to_str().unwrap().to_owned();
        assert_eq!(said, "max-age=63072000; includeSubDomains");
        assert!(old.get(format!("{base}/metadata")).send().await.is_err());
        let plain = base.replace("https://", "http://");
        assert!(new.get(format!("{plain}/metadata")).send().await.is_err());
    }
    arguments.extend(["--tls-minimum".to_owned(), "1.2".to_owned()]);
    let process = ServerProcess::start_on_with(&database, &strs(&arguments));
    let reply = old.get(format!("{}/metadata", process.client.base())).send().await.unwrap();
    assert_eq!(reply.status(), 200);
}

#[tokio::test]
async fn as_73_a_key_that_everybody_may_read_is_refused() {
    let (folder, database) = (folder(), TestDatabase::empty());
    let (arguments, _) = certificate(folder.path());
    std::fs::set_permissions(&arguments[3], std::fs::Permissions::from_mode(0o644)).unwrap();
    let (status, said) = ServerProcess::refused_on(&database, &strs(&arguments));
    assert!(!status.success());
    assert!(said.contains("everybody may read this key"), "{said}");
}

#[tokio::test]
async fn in_62_metrics_are_on_a_listener_of_their_own() {
    let database = TestDatabase::empty();
    let admin = free_address();
    let process = ServerProcess::start_on_with(&database, &["--admin-listen", &admin]);
    process.get("Patient").await.expect(200);
    let metrics = metrics(&admin).await;
    let line = "bhn_http_requests_total{interaction=\"search-type\",type=\"Patient\",\
                status=\"2xx\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    assert!(metrics.contains("bhn_http_request_seconds_bucket{"), "{metrics}");
    assert_eq!(process.client.get_beside("/metrics").await.status(), 404);
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

async fn metrics(admin: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let reply = client.get(format!("http://{admin}/metrics")).send().await.unwrap();
    reply.text().await.unwrap()
}

/// What must be nowhere but in the store: it stands in every place that a request has.
const CANARY: &str = "kanarienvogel7";

#[tokio::test]
async fn rt_157_logs_and_metrics_hold_nothing_of_a_request() {
    let (folder, database) = (folder(), TestDatabase::empty());
    let (file, admin) = (folder.path().join("log"), free_address());
    let arguments = ["--admin-listen", &admin];
    let process = ServerProcess::start_logging(&database, &arguments, ("debug", &file));
    let client = &process.client;
    let name = json!([{ "family": CANARY, "given": ["Ada\r\nlevel=error"] }]);
    let named = patient().mrn(CANARY).with("name", name);
    let created = client.post("Patient", &named.into()).await.expect(201);
    let id = created.body["id"].as_str().unwrap().to_owned();
    for url in [
        format!("Patient?family={CANARY}&identifier={CANARY}"),
        format!("Patient/{CANARY}"),
        format!("Patient?{CANARY}=1"),
        format!("Observation?patient.name={CANARY}"),
        format!("{CANARY}?a=b"),
        format!("Patient?_filter=family eq \"{CANARY}"),
        format!("Patient?birthdate={CANARY}"),
    ] {
        client.get(&url).await;
    }
    let wrong = observation().with("status", CANARY);
    client.post("Observation", &wrong.into()).await.expect(400);
    client.request("PUT", &format!("Patient/{id}")).header("If-Match", CANARY).send().await;
    let agent = client.request("GET", "Patient").header("User-Agent", CANARY);
    agent.header("Authorization", &format!("Bearer {CANARY}")).send().await;
    client.request("POST", "Patient").body("application/fhir+json", CANARY).send().await;
    let metrics = metrics(&admin).await;
    drop(process);
    let log = std::fs::read_to_string(&file).unwrap();
    assert!(log.lines().count() > 10, "{log}");
    for line in log.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
        assert!(!line.contains(CANARY), "{line}");
    }
    assert!(!metrics.contains(CANARY), "{metrics}");
}

#[tokio::test]
async fn in_63_config_check_says_where_settings_come_from_and_not_what_they_are() {
    let database = TestDatabase::empty();
    let check = |arguments: &[&str]| {
        ServerProcess::command_on(&database, &[&["config", "check"], arguments].concat())
    };
    let folder = folder();
    let path = folder.path().to_str().unwrap();
    let audit = ["--audit-folder", path];
    let (status, said) = check(&audit);
    assert!(status.success(), "{said}");
    let line = |name: &str| {
        let line = said.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.expect(name).split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("DATABASE_URL"), "environment");
    assert_eq!(line("BHN_AUDIT_FOLDER"), "argument");
    assert_eq!(line("BHN_LISTEN"), "default");
    assert_eq!(line("BHN_TLS_KEY"), "not set");
    assert!(!said.contains("postgres://") && !said.contains(path), "{said}");
    // Settings that do not go together.
    let (status, said) = check(&["--audit", "false"]);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("BHN_AUDIT=false is for servers with --insecure-no-auth"), "{said}");
}

#[tokio::test]
async fn in_62_health_says_what_is_well_and_not_why_something_is_not() {
    let database = TestDatabase::clone_template();
    let process = ServerProcess::start_on(&database);
    let healthy = process.client.get_beside("/health").await.expect(200);
    let names: Vec<&str> = healthy.body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["status", "timestamp", "services"], "{healthy:?}");
    for path in ["/livez", "/readyz"] {
        process.client.get_beside(path).await.expect(200);
    }
}
