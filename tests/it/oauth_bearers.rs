//! Access tokens: which are good, for whom, and how soon they end.

use super::harness::{APP, Grantee, TestServer, patient};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bhn_fhir::access::{Principal, Role};
use chrono::Duration;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

/// The bearer of a token as the server knows it.
async fn bearer(server: &TestServer, token: &str) -> Arc<Principal> {
    server.authorization().bearers.principal(token).await.unwrap()
}

async fn is_good(server: &TestServer, token: &str) -> bool {
    server.authorization().bearers.principal(token).await.is_ok()
}

async fn run(server: &TestServer, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&mut server.database.connect().await).await.unwrap();
}

/// A server, and a token of a patient on it.
async fn start() -> (TestServer, String) {
    let server = TestServer::start_signed_in().await;
    let account = server.person(Role::Patient, "Patient/p").await;
    let token = server.token(&Grantee::person(&account).about("p"), "patient/*.rs").await;
    (server, token)
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Asks until the answer is 401, and says how long that took.
async fn ended_after(server: &TestServer, token: &str) -> std::time::Duration {
    let started = Instant::now();
    while is_good(server, token).await {
        assert!(started.elapsed().as_secs() < 10, "it never ends");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    started.elapsed()
}

#[tokio::test]
async fn the_bearer_of_a_token_is_what_the_database_says() {
    let (server, token) = start().await;
    let bearer = bearer(&server, &token).await;
    assert!(bearer.name.starts_with("account/"));
    assert_eq!((bearer.role, bearer.client_id.as_str()), (Role::Patient, APP));
    let patient = server.link("Patient/p").await;
    assert_eq!(bearer.links.fhir_user.as_ref(), Some(&patient));
    assert_eq!(bearer.links.patients, std::slice::from_ref(&patient));
    assert_eq!(bearer.launch.patient, Some(patient));
    assert_eq!(bearer.scopes.to_string(), "patient/*.rs");
}

#[tokio::test]
async fn as_20_a_token_is_an_at_jwt_of_es256_with_few_claims() {
    let (server, token) = start().await;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    assert_eq!(claims["aud"], server.base());
    assert_eq!(claims["iss"], server.authorization().issuer());
    let mut names: Vec<&String> = claims.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["aud", "client_id", "exp", "gid", "iat", "iss", "jti", "scope", "sub"]);
    assert!(token.len() < 1_000, "{}", token.len());
}

#[tokio::test]
async fn as_20_scopes_of_more_than_2_kb_are_named_and_not_written() {
    let server = TestServer::start_signed_in().await;
    let account = server.person(Role::Patient, "Patient/p").await;
    let scopes: Vec<String> =
        (0..200).map(|n| format!("patient/Observation.rs?code={n}")).collect();
    let scopes = scopes.join(" ");
    let token = server.token(&Grantee::person(&account), &scopes).await;
    assert!(token.len() < 1_000, "{}", token.len());
    assert_eq!(bearer(&server, &token).await.scopes.to_string(), scopes);
}

#[tokio::test]
async fn rt_001_a_request_without_a_token_is_401_and_says_bearer() {
    let (server, _) = start().await;
    let reply = server.get("Patient/p").await;
    assert_eq!(reply.status(), 401);
    assert_eq!(reply.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn rt_123_tokens_that_this_server_did_not_make_are_401() {
    let (server, token) = start().await;
    assert_ne!(server.status_with(&token).await, 401, "the good one");
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let signature = token.rsplit('.').next().unwrap();
    let with_header = |change: Value| {
        let mut header = header.clone();
        for (name, value) in change.as_object().unwrap() {
            header[name] = value.clone();
        }
        format!("{}.{}.{signature}", encoded(&header), encoded(&claims))
    };
    let jwks = server.get(&server.beside("/.well-known/jwks.json")).await;
    let public = jwks.body["keys"].to_string();
    let hmac = Header { kid: header["kid"].as_str().map(str::to_owned), ..Header::default() };
    let hmac = Header { typ: Some("at+jwt".to_owned()), ..hmac };
    let hmac =
        jsonwebtoken::encode(&hmac, &claims, &EncodingKey::from_secret(public.as_bytes())).unwrap();
    let mut changed = claims.clone();
    changed["gid"] = json!(claims["gid"].as_i64().unwrap() + 1);
    let none = with_header(json!({"alg": "none"}));
    let unsigned = format!("{}.", none.rsplit_once('.').unwrap().0);
    let id_token = {
        let account = server.person(Role::Patient, "Patient/q").await;
        let code = server.code(&Grantee::person(&account), "openid fhirUser").await;
        let reply = server.redeem(&code).await.expect(200);
        reply.body["id_token"].as_str().unwrap().to_owned()
    };
    let forged = [
        ("alg none", none),
        ("alg none, no signature", unsigned),
        ("HS256 by the public key", hmac),
        ("another typ", with_header(json!({"typ": "JWT"}))),
        ("a foreign kid", with_header(json!({"kid": "foreign"}))),
        ("an embedded jwk", with_header(json!({"jwk": jwks.body["keys"][0]}))),
        ("jku", with_header(json!({"jku": "https://evil.example/jwks"}))),
        ("x5u", with_header(json!({"x5u": "https://evil.example/x5u"}))),
        ("an id_token", id_token),
        ("changed claims", format!("{}.{}.{signature}", encoded(&header), encoded(&changed))),
        ("a refresh token", bhn_fhir::oauth::new_secret().unwrap()),
        ("nothing", ".".to_owned()),
        ("too long", "a.".repeat(5_000)),
    ];
    for (what, token) in forged {
        let reply = server.with_token(&token).get("Patient").await;
        assert_eq!(reply.status(), 401, "{what}");
        let challenge = reply.header("www-authenticate");
        assert_eq!(challenge, "Bearer error=\"invalid_token\"", "{what}");
    }
    for wrong in ["Basic dTpw", "Bearer", "Bearer  ", "token"] {
        let reply = server.client.with_authorization(wrong.to_owned()).get("Patient").await;
        assert_eq!(reply.status(), 401, "{wrong}");
    }
}

#[tokio::test]
async fn rt_123_a_key_of_another_kind_signs_no_access_token() {
    let (server, token) = start().await;
    let claims = part(&token, 1);
    let by = bhn_fhir::oauth::Purpose::IdToken;
    let forged = server.authorization().keys.sign(by, "at+jwt", &claims).await.unwrap();
    assert_eq!(part(&forged, 0)["alg"], "RS256");
    assert!(!is_good(&server, &forged).await);
}

#[tokio::test]
async fn rt_124_tokens_for_others_or_other_times_are_401() {
    let (server, token) = start().await;
    let claims = part(&token, 1);
    let now = server.context.clock.now().timestamp();
    let sign = |change: Value| {
        let mut claims = claims.clone();
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let server = &server;
        async move {
            let by = bhn_fhir::oauth::Purpose::AccessToken;
            server.authorization().keys.sign(by, "at+jwt", &claims).await.unwrap()
        }
    };
    assert!(is_good(&server, &sign(json!({})).await).await, "the same again");
    let others = [
        json!({"aud": "https://other.example/fhir"}),
        json!({"iss": "https://other.example"}),
        json!({"exp": now - 6}),
        json!({"nbf": now + 60}),
        json!({"iat": now + 60}),
        json!({"client_id": "other"}),
        json!({"sub": "other"}),
        json!({"gid": 999_999}),
        json!({"scope": "patient/*.rs \u{1}"}),
    ];
    for change in others {
        let token = sign(change.clone()).await;
        assert_eq!(server.status_with(&token).await, 401, "{change}");
    }
    let expired = sign(json!({"exp": now - 6})).await;
    let reply = server.with_token(&expired).get("Patient").await;
    assert_eq!(reply.body["issue"][0]["code"], "expired");
}

#[tokio::test]
async fn rt_145_what_ends_a_grant_ends_its_tokens_within_a_second() {
    let ends = [
        "update account set status = 'disabled'",
        "update account set epoch = epoch + 1",
        "update client set status = 'disabled', epoch = epoch + 1",
        "update access_grant set revoked = now()",
        "update access_grant set expires = now()",
        "delete from account_person",
        "update signing_key set state = 'removed'",
        "delete from access_grant",
    ];
    for sql in ends {
        let (server, token) = start().await;
        assert!(is_good(&server, &token).await);
        run(&server, sql).await;
        let after = ended_after(&server, &token).await;
        assert!(after.as_millis() < 2_000, "{sql}: {after:?}");
    }
}

#[tokio::test]
async fn rt_145_another_role_is_the_role_within_a_second() {
    let (server, token) = start().await;
    assert_eq!(bearer(&server, &token).await.role, Role::Patient);
    run(&server, "update account set role = 'doctor'").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    assert_eq!(bearer(&server, &token).await.role, Role::Doctor);
    run(&server, "update account set role = 'unheard-of'").await;
    ended_after(&server, &token).await;
}

#[tokio::test]
async fn as_33_what_the_database_says_is_asked_once_a_second_and_every_time_where_that_is_set() {
    let change = |settings: &mut bhn_fhir::config::Settings| settings.oauth.principal_ms = 0;
    let server = TestServer::start_signed_in_with(change).await;
    let account = server.person(Role::Patient, "Patient/p").await;
    let token = server.token(&Grantee::person(&account), "patient/*.rs").await;
    assert!(is_good(&server, &token).await);
    run(&server, "update account set status = 'disabled'").await;
    assert!(!is_good(&server, &token).await);
}

#[tokio::test]
async fn rt_145_who_is_no_proxy_any_more_has_the_patient_no_longer() {
    let server = TestServer::start_signed_in().await;
    let context = server.context.clone();
    let born = context.clock.now().date_naive().to_string();
    let child = patient().id("child").with("birthDate", born);
    let insecure = TestServer::on(server.database.clone(), |_| {}).await;
    insecure.update(child).await.expect(201);
    run(
        &server,
        "create table if not exists proxy_link (person bigint not null, patient bigint not null,
            source_rid bigint not null, source smallint not null,
            valid_from timestamptz not null, valid_to timestamptz not null);
        grant select on proxy_link to bhn_fhir_application",
    )
    .await;
    let account = server.person(Role::Patient, "RelatedPerson/mother").await;
    let (person, child) =
        (server.link("RelatedPerson/mother").await, server.link("Patient/child").await);
    let sql = "insert into proxy_link values ($1, $2, $1, 1, now() - interval '1 day', $3)";
    sqlx::query(sql)
        .bind(person.rid)
        .bind(child.rid)
        .bind(context.clock.now() + Duration::days(1))
        .execute(&mut server.database.connect().await)
        .await
        .unwrap();
    let token = server.token(&Grantee::person(&account).about("child"), "patient/*.rs").await;
    let before = bearer(&server, &token).await;
    assert_eq!(before.links.patients, std::slice::from_ref(&child));
    assert_eq!(before.launch.patient, Some(child));
    run(&server, "update proxy_link set valid_to = now()").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    let after = bearer(&server, &token).await;
    assert!(after.links.patients.is_empty());
    assert_eq!(after.launch.patient, None);
}

#[tokio::test]
async fn the_organizations_of_a_person_are_its_facilities_with_their_parts() {
    let server = TestServer::start_signed_in().await;
    let insecure = TestServer::on(server.database.clone(), |_| {}).await;
    let parts = [("ward", "clinic"), ("clinic", "hospital"), ("hospital", "ward"), ("other", "x")];
    for (id, whole) in parts {
        let organization = json!({
            "resourceType": "Organization", "id": id, "name": id,
            "partOf": {"reference": format!("Organization/{whole}")}
        });
        insecure.update(organization).await.expect(201);
    }
    let account = server.person(Role::HospitalStaff, "Practitioner/h").await;
    server.works_for(&account, "Organization/second").await;
    server.works_for(&account, "Organization/clinic").await;
    let token = server.token(&Grantee::person(&account), "user/*.rs").await;
    let organizations = bearer(&server, &token).await.links.organizations.clone();
    let ids: Vec<&str> = organizations.iter().map(|link| link.key.id.as_str()).collect();
    assert_eq!(&ids[..2], ["second", "clinic"], "its own first");
    assert_eq!(ids.len(), 4, "{ids:?}");
    assert!(ids.contains(&"ward") && ids.contains(&"hospital"), "a circle ends: {ids:?}");
    insecure.delete("Organization/ward").await.expect(204);
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    assert_eq!(bearer(&server, &token).await.links.organizations.len(), 2);
}

#[tokio::test]
async fn an_account_that_is_nobody_has_no_patient_and_no_user_scopes() {
    let server = TestServer::start_signed_in().await;
    let account = server.person(Role::Doctor, "").await;
    for (scopes, expected) in [("user/*.rs", 401), ("patient/Patient.r", 401), ("openid", 0)] {
        let token = server.token(&Grantee::person(&account), scopes).await;
        let is_401 = server.status_with(&token).await == 401;
        assert_eq!(is_401, expected == 401, "{scopes}");
    }
}

#[tokio::test]
async fn as_22_without_the_database_nobody_is_let_in_after_the_second() {
    let (server, token) = start().await;
    assert!(is_good(&server, &token).await);
    run(&server, "alter table access_grant rename to elsewhere").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    let error = server.authorization().bearers.principal(&token).await.unwrap_err();
    assert!(error.kind.status() >= 500, "{error}");
    run(&server, "alter table elsewhere rename to access_grant").await;
    assert!(is_good(&server, &token).await);
}

#[tokio::test]
async fn as_21_a_token_is_verified_once() {
    let (server, token) = start().await;
    let bearers = &server.authorization().bearers;
    let key = server.context.store.signing_keys().await.unwrap().remove(0);
    let key = key.verification_key().unwrap();
    assert_eq!(key.algorithm, Algorithm::ES256);
    bearers.principal(&token).await.unwrap();
    let rounds = 200;
    let started = Instant::now();
    for _ in 0..rounds {
        assert!(key.claims::<bhn_fhir::access::jwt::Claims>(&token).is_some());
    }
    let verified = started.elapsed();
    let started = Instant::now();
    for _ in 0..rounds {
        bearers.principal(&token).await.unwrap();
    }
    let known = started.elapsed();
    assert!(known * 3 < verified, "{known:?} and {verified:?} for {rounds}");
}
