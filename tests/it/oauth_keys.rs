//! Signing keys: made once, shared, turned, and worth nothing without the key file. The commands
//! for operators.

use super::harness::{Grantee, ServerProcess, TestDatabase, TestServer, folder};
use bhn_fhir::access::Role;
use bhn_fhir::clock::Clock;
use bhn_fhir::config::OAuthSettings;
use bhn_fhir::oauth::{Keyring, KeysError};
use bhn_fhir::storage::KeyState;
use chrono::Duration;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

async fn states(server: &TestServer) -> Vec<(String, &'static str)> {
    let keys = server.context.store.signing_keys().await.unwrap();
    keys.into_iter().map(|key| (key.purpose, key.state.as_str())).collect()
}

#[tokio::test]
async fn as_70_the_first_start_makes_keys_and_a_key_file_that_the_others_need() {
    let server = TestServer::start().await;
    let folder = folder();
    let path = folder.path().join("deep").join("signing-keys.key");
    let settings =
        OAuthSettings { key_file: path.clone(), rsa_bits: 2048, ..OAuthSettings::default() };
    let (store, clock) = (&server.context.store, Clock::System);
    let (first, second) = tokio::join!(Keyring::open(store, &settings, &clock), async {
        // Reads the file that the first is making, if it is there by then.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        Keyring::open(store, &settings, &clock).await
    },);
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let (a, b) = (first.public().await.unwrap(), second.public().await.unwrap());
    assert_eq!((a.keys.len(), a), (2, b), "two nodes, one key of each kind");
    let elsewhere = OAuthSettings { key_file: folder.path().join("no.key"), ..settings.clone() };
    let missing = Keyring::open(store, &elsewhere, &clock).await.err().unwrap();
    assert!(matches!(missing, KeysError::Missing { .. }), "{missing}");
    bhn_fhir::oauth::make_key_file(&elsewhere.key_file, &[1; 32]).unwrap();
    let other = Keyring::open(store, &elsewhere, &clock).await.err().unwrap();
    assert!(matches!(other, KeysError::OtherFile { .. }), "{other}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let readable = Keyring::open(store, &settings, &clock).await.err().unwrap();
    assert!(readable.to_string().contains("chmod 600"), "{readable}");
    let weak = OAuthSettings { rsa_bits: 1024, ..settings };
    let weak = Keyring::open(store, &weak, &clock).await.err().unwrap();
    assert!(matches!(weak, KeysError::RsaBits(1024)), "{weak}");
}

#[tokio::test]
async fn as_72_a_sealed_key_opens_at_its_own_place_alone() {
    let server = TestServer::start_signed_in().await;
    let account = server.person(Role::Patient, "Patient/p").await;
    server.token(&Grantee::person(&account), "openid").await;
    let sql = "update signing_key k set sealed = o.sealed from signing_key o
        where o.purpose <> k.purpose";
    sqlx::raw_sql(sql).execute(&mut server.database.connect().await).await.unwrap();
    let settings = server.context.settings.oauth.clone();
    let error = Keyring::open(&server.context.store, &settings, &Clock::System).await.err();
    assert!(matches!(error, Some(KeysError::OtherFile { .. })));
}

#[tokio::test]
async fn as_71_keys_turn_and_tokens_of_the_old_one_stay_good() {
    let server = TestServer::start_signed_in().await;
    let account = server.person(Role::Patient, "Patient/p").await;
    let grant = server.grant(&Grantee::person(&account), "patient/*.rs").await;
    let old = server.token_of(grant).await;
    let (keys, now) = (&server.authorization().keys, server.context.clock.now());
    keys.turn(now + Duration::days(89)).await.unwrap();
    assert_eq!(keys.public().await.unwrap().keys.len(), 4, "the next ones are published");
    keys.turn(now + Duration::days(89) + Duration::hours(23)).await.unwrap();
    let published = [("access-token", "active"), ("access-token", "next")];
    let own = |states: &[(String, &'static str)]| -> Vec<(String, &'static str)> {
        states.iter().filter(|(purpose, _)| purpose == "access-token").cloned().collect()
    };
    assert_eq!(own(&states(&server).await), published.map(|(p, s)| (p.to_owned(), s)));
    keys.turn(now + Duration::days(90)).await.unwrap();
    let turned = [("access-token", "retiring"), ("access-token", "active")];
    assert_eq!(own(&states(&server).await), turned.map(|(p, s)| (p.to_owned(), s)));
    let new = server.token_of(grant).await;
    assert_ne!(
        jsonwebtoken::decode_header(&old).unwrap().kid,
        jsonwebtoken::decode_header(&new).unwrap().kid
    );
    for token in [&old, &new] {
        assert_ne!(server.status_with(token).await, 401);
    }
    keys.turn(now + Duration::days(91)).await.unwrap();
    let stored = server.context.store.signing_keys().await.unwrap();
    let removed: Vec<_> = stored.iter().filter(|key| key.state == KeyState::Removed).collect();
    assert_eq!(removed.len(), 2);
    assert!(removed.iter().all(|key| key.sealed.is_none()));
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    assert_eq!(server.status_with(&old).await, 401);
    assert_ne!(server.status_with(&new).await, 401);
}

#[tokio::test]
async fn as_71_keys_in_other_hands_are_replaced_at_once_and_all_grants_end() {
    let server = TestServer::start_signed_in().await;
    let account = server.person(Role::Patient, "Patient/p").await;
    let token = server.token(&Grantee::person(&account), "patient/*.rs").await;
    let (keys, now) = (&server.authorization().keys, server.context.clock.now());
    assert_eq!(keys.replace(now).await.unwrap(), 1);
    assert_eq!(server.status_with(&token).await, 401);
    let token = server.token(&Grantee::person(&account), "patient/*.rs").await;
    assert_ne!(server.status_with(&token).await, 401);
}

#[tokio::test]
async fn what_has_ended_is_forgotten_after_a_month() {
    let server = TestServer::start_signed_in().await;
    let account = server.person(Role::Patient, "Patient/p").await;
    let grantee = Grantee::person(&account);
    server.redeem(&server.code(&grantee, "offline_access patient/*.rs").await).await.expect(200);
    server.token(&grantee, "patient/*.rs").await;
    let (store, now) = (&server.context.store, server.context.clock.now());
    let month = Duration::days(30);
    assert_eq!(store.sweep_tokens(now + Duration::days(29), month).await.unwrap(), 0);
    assert_eq!(store.sweep_tokens(now + Duration::days(31), month).await.unwrap(), 1);
    assert_eq!(store.sweep_tokens(now + Duration::days(400), month).await.unwrap(), 1);
}

/// A command of the operator's: whether it succeeded, and what it said.
fn command(database: &TestDatabase, arguments: &[&str]) -> (bool, String) {
    let (status, said) = ServerProcess::command_on(database, arguments);
    (status.success(), said)
}

#[tokio::test]
async fn operators_register_clients_on_the_command_line() {
    let database = Arc::new(TestDatabase::clone_template());
    let web = [
        "client",
        "add",
        "web",
        "--kind",
        "confidential-symmetric",
        "--name",
        "Web",
        "--scope",
        "openid patient/*.rs",
        "--redirect-uri",
        "https://web.example/back",
    ];
    let (is_done, said) = command(&database, &web);
    assert!(is_done && said.contains("shown this once: "), "{said}");
    let secret = said.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(!command(&database, &web).0, "it is there already");
    let (is_done, said) = command(&database, &["client", "secret", "web"]);
    assert!(is_done && !said.contains(&secret), "{said}");
    let (_, said) = command(&database, &["client", "show", "web"]);
    let shown: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(shown["redirect_uris"][0], "https://web.example/back");
    assert!(!said.contains(&secret));
    assert!(command(&database, &["client", "disable", "web"]).0);
    let (_, said) = command(&database, &["client", "list"]);
    assert!(said.starts_with("web\tdisabled\tconfidential-symmetric"), "{said}");
    let server = TestServer::on(database.clone(), |_| {}).await;
    let now = server.context.clock.now();
    let secrets = server.context.store.client_secrets("web", now).await.unwrap();
    assert!(secrets.contains(&bhn_fhir::oauth::hash(&secret).to_vec()), "both are good");
    assert_eq!(secrets.len(), 2);
    let base = &web[..4];
    let refused: [&[&str]; 5] = [
        &["public", "--name", "x", "--scope", "openid"],
        &["public", "--name", "x", "--scope", "patient/Foo.rs", "--redirect-uri", "https://a/"],
        &["public", "--name", "x", "--scope", "openid", "--redirect-uri", "https://a/#f"],
        &["confidential-asymmetric", "--name", "x", "--scope", "system/*.rs", "--role", "registry"],
        &["unheard-of", "--name", "x", "--scope", "openid", "--redirect-uri", "https://a/"],
    ];
    for arguments in refused {
        let all = [&base[..2], &["other"], &base[3..], arguments].concat();
        let (is_done, said) = command(&database, &all);
        assert!(!is_done, "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn serve_refuses_to_let_everybody_in_but_on_loopback() {
    let database = TestDatabase::clone_template();
    let arguments = ["serve", "--listen", "0.0.0.0:0", "--insecure-no-auth"];
    let (is_done, said) = command(&database, &arguments);
    assert!(!is_done && said.contains("loopback"), "{said}");
}

#[tokio::test]
async fn serve_refuses_a_shared_secret_of_an_older_server() {
    let database = TestDatabase::clone_template();
    let said = ServerProcess::refused_with(&database, ("JWT_SECRET", "s3cret"));
    assert!(said.contains("JWT_SECRET") && !said.contains("s3cret"), "{said}");
}

#[tokio::test]
async fn serve_signs_callers_in_and_keys_are_shown_and_renewed() {
    let database = TestDatabase::clone_template();
    let folder = folder();
    let path = folder.path().join("signing-keys.key");
    let key_file = ["--key-file", path.to_str().unwrap(), "--rsa-bits", "2048"];
    let server = ServerProcess::start_signed_in(&database, &key_file);
    server.get("Patient").await.expect(401);
    server.client.get_beside("/.well-known/openid-configuration").await.expect(200);
    let (is_done, said) = command(&database, &["keys", "list"]);
    assert!(is_done && said.matches("\tactive\t").count() == 2, "{said}");
    let with_file = |rest: &[&'static str]| {
        let all = [&["keys"][..], &key_file, rest].concat();
        command(&database, &all)
    };
    let (is_done, said) = with_file(&["rotate"]);
    assert!(is_done && said.contains("24 hours"), "{said}");
    let (is_done, said) = with_file(&["rotate", "--now"]);
    assert!(is_done && said.contains("0 grants"), "{said}");
    let (_, said) = command(&database, &["keys", "list"]);
    assert_eq!((said.matches("\tactive\t").count(), said.matches("\tremoved\t").count()), (2, 4));
    std::fs::remove_file(&path).unwrap();
    let (is_done, said) = with_file(&["rotate"]);
    assert!(!is_done && said.contains("is not there"), "{said}");
    let (is_done, said) = with_file(&["rotate", "--now"]);
    assert!(is_done && path.exists(), "{said}");
}
