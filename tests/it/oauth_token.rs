//! The token endpoint for people's applications: codes and refresh tokens.

use super::harness::{APP, Grantee, REDIRECT, Reply, TestServer, VERIFIER};
use bhn_fhir::access::Role;
use bhn_fhir::storage::ClientKind;
use serde_json::json;

/// A server, and a grantee on it with a patient in context.
async fn start() -> (TestServer, Grantee) {
    let server = TestServer::start_signed_in().await;
    let account = server.person(Role::Patient, "Patient/p").await;
    (server, Grantee::person(&account).about("p"))
}

const OFFLINE: &str = "openid fhirUser launch/patient offline_access patient/*.rs";

fn text<'r>(reply: &'r Reply, name: &str) -> &'r str {
    reply.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {reply:?}"))
}

#[track_caller]
fn refused(reply: &Reply, status: u16, error: &str) {
    assert_eq!((reply.status(), &reply.body["error"]), (status, &json!(error)), "{reply:?}");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("pragma"), "no-cache");
}

#[tokio::test]
async fn inferno_a_code_becomes_tokens_with_all_fields_and_headers() {
    let (server, mut grantee) = start().await;
    grantee.launch["need_patient_banner"] = json!(true);
    grantee.launch["fhirContext"] = json!([{"reference": "ImagingStudy/1"}]);
    grantee.launch["intent"] = json!("reconcile-medications");
    grantee.launch["smart_style_url"] = json!("https://bhn.example/smart-style.json");
    let reply = server.redeem(&server.code(&grantee, OFFLINE).await).await.expect(200);
    assert!(reply.header("cache-control").contains("no-store"));
    assert!(reply.header("pragma").contains("no-cache"));
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(text(&reply, "token_type").to_ascii_lowercase(), "bearer");
    assert_eq!(reply.body["expires_in"], 3_600);
    assert_eq!(text(&reply, "scope"), OFFLINE);
    assert_eq!(text(&reply, "patient"), "p");
    assert_eq!(reply.body["need_patient_banner"], true);
    assert_eq!(reply.body["fhirContext"], json!([{"reference": "ImagingStudy/1"}]));
    assert_eq!(text(&reply, "intent"), "reconcile-medications");
    assert_eq!(text(&reply, "smart_style_url"), "https://bhn.example/smart-style.json");
    assert!(!text(&reply, "refresh_token").is_empty());
    assert_ne!(server.status_with(text(&reply, "access_token")).await, 401);
}

#[tokio::test]
async fn a_code_without_offline_or_online_access_gives_no_refresh_token() {
    let (server, grantee) = start().await;
    let reply = server.redeem(&server.code(&grantee, "patient/*.rs").await).await.expect(200);
    assert_eq!(reply.body.get("refresh_token"), None);
    assert_eq!(reply.body.get("id_token"), None);
}

#[tokio::test]
async fn rt_126_a_code_that_comes_twice_ends_what_it_was_for() {
    let (server, grantee) = start().await;
    let code = server.code(&grantee, OFFLINE).await;
    let first = server.redeem(&code).await.expect(200);
    refused(&server.redeem(&code).await, 400, "invalid_grant");
    let refresh = server.refresh(text(&first, "refresh_token"), None).await;
    refused(&refresh, 400, "invalid_grant");
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    assert_eq!(server.status_with(text(&first, "access_token")).await, 401);
}

#[tokio::test]
async fn rt_126_of_two_who_redeem_a_code_at_once_no_more_than_one_gets_tokens() {
    let (server, grantee) = start().await;
    let code = server.code(&grantee, OFFLINE).await;
    let (first, second) = tokio::join!(server.redeem(&code), server.redeem(&code));
    let statuses = [first.status(), second.status()];
    assert!(statuses.contains(&400), "{statuses:?}");
    refused(&server.redeem(&code).await, 400, "invalid_grant");
}

#[tokio::test]
async fn rt_127_a_code_of_another_client_uri_or_verifier_is_refused() {
    let (server, grantee) = start().await;
    server
        .register("other-app", ClientKind::Public, |app| {
            app.grant_types = vec!["authorization_code".to_owned()];
        })
        .await;
    let code = server.code(&grantee, OFFLINE).await;
    let good = [
        ("grant_type", "authorization_code"),
        ("client_id", APP),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let longer = format!("{REDIRECT}/");
    let too_long = "a".repeat(129);
    let cases: [(&str, &str, &str); 11] = [
        ("client_id", "other-app", "invalid_grant"),
        ("redirect_uri", &longer, "invalid_grant"),
        ("redirect_uri", "https://APP.example/back", "invalid_grant"),
        ("redirect_uri", "", "invalid_request"),
        ("code_verifier", "", "invalid_request"),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl", "invalid_grant"),
        ("code_verifier", super::harness::CHALLENGE, "invalid_grant"),
        ("code_verifier", "short", "invalid_grant"),
        ("code_verifier", &too_long, "invalid_grant"),
        ("code", "unknown", "invalid_grant"),
        ("code", "", "invalid_request"),
    ];
    for (name, value, error) in cases {
        let changed = good.map(|(own, kept)| (own, if own == name { value } else { kept }));
        let reply = server.form("/oauth/token", &changed).await;
        assert_eq!(reply.body["error"], error, "{name}={value}: {reply:?}");
        assert_eq!(reply.status(), 400, "{name}={value}");
    }
    server.form("/oauth/token", &good).await.expect(200);
}

#[tokio::test]
async fn a_code_holds_a_minute() {
    let (server, grantee) = start().await;
    let code = server.code(&grantee, OFFLINE).await;
    let sql = "update authorization_code set expires = now()";
    sqlx::raw_sql(sql).execute(&mut server.database.connect().await).await.unwrap();
    refused(&server.redeem(&code).await, 400, "invalid_grant");
}

#[tokio::test]
async fn as_23_a_refresh_token_is_used_once_and_its_reuse_ends_the_family() {
    let (server, grantee) = start().await;
    let first = server.redeem(&server.code(&grantee, OFFLINE).await).await.expect(200);
    let old = text(&first, "refresh_token").to_owned();
    let second = server.refresh(&old, None).await.expect(200);
    assert_ne!(text(&second, "refresh_token"), old);
    assert_eq!(text(&second, "scope"), OFFLINE);
    assert_eq!(text(&second, "patient"), "p");
    refused(&server.refresh(&old, None).await, 400, "invalid_grant");
    let newest = text(&second, "refresh_token");
    refused(&server.refresh(newest, None).await, 400, "invalid_grant");
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    assert_eq!(server.status_with(text(&second, "access_token")).await, 401);
}

#[tokio::test]
async fn inferno_a_refresh_answers_all_fields_and_headers_with_and_without_scope() {
    let (server, grantee) = start().await;
    let mut last = server.redeem(&server.code(&grantee, OFFLINE).await).await.expect(200);
    for scope in [None, Some(OFFLINE), Some("patient/*.rs")] {
        let reply = server.refresh(text(&last, "refresh_token"), scope).await.expect(200);
        assert_ne!(text(&reply, "access_token"), text(&last, "access_token"));
        assert_eq!(text(&reply, "token_type").to_ascii_lowercase(), "bearer");
        assert!(reply.body["expires_in"].is_i64());
        let granted: Vec<&str> = OFFLINE.split(' ').collect();
        assert!(text(&reply, "scope").split(' ').all(|scope| granted.contains(&scope)));
        assert_eq!(text(&reply, "scope"), scope.unwrap_or(OFFLINE));
        assert!(reply.header("cache-control").contains("no-store"));
        assert!(reply.header("pragma").contains("no-cache"));
        assert_eq!(text(&reply, "patient"), "p");
        assert_eq!(server.status_with(text(&reply, "access_token")).await, 200);
        last = reply;
    }
}

#[tokio::test]
async fn rt_130_two_uses_at_once_end_the_family() {
    let (server, grantee) = start().await;
    let first = server.redeem(&server.code(&grantee, OFFLINE).await).await.expect(200);
    let token = text(&first, "refresh_token");
    let (a, b) = tokio::join!(server.refresh(token, None), server.refresh(token, None));
    assert!([a.status(), b.status()].contains(&400), "{a:?} {b:?}");
    for reply in [a, b] {
        if let Some(next) = reply.body["refresh_token"].as_str() {
            refused(&server.refresh(next, None).await, 400, "invalid_grant");
        }
    }
}

#[tokio::test]
async fn rt_130_a_refresh_token_is_its_clients_and_never_widens() {
    let (server, grantee) = start().await;
    server
        .register("other-app", ClientKind::Public, |app| {
            app.grant_types = vec!["refresh_token".to_owned()];
        })
        .await;
    let first = server.redeem(&server.code(&grantee, OFFLINE).await).await.expect(200);
    let token = text(&first, "refresh_token");
    let of_other =
        [("grant_type", "refresh_token"), ("client_id", "other-app"), ("refresh_token", token)];
    refused(&server.form("/oauth/token", &of_other).await, 400, "invalid_grant");
    for wider in ["patient/*.cruds", "user/*.rs", "openid email", "patient/*.rs nonsense/*.rs"] {
        refused(&server.refresh(token, Some(wider)).await, 400, "invalid_scope");
    }
    let narrow = "patient/Observation.rs openid";
    let narrowed = server.refresh(token, Some(narrow)).await.expect(200);
    assert_eq!(text(&narrowed, "scope"), narrow);
    let whole = server.refresh(text(&narrowed, "refresh_token"), None).await.expect(200);
    assert_eq!(text(&whole, "scope"), OFFLINE, "the grant is as wide as before");
}

#[tokio::test]
async fn refresh_tokens_hold_7_days_unused_for_our_own_and_90_for_others() {
    let (server, grantee) = start().await;
    let sql = "select round(extract(epoch from idle_expires - created) / 86400)::int,
        round(extract(epoch from expires - created) / 86400)::int from refresh_token
        order by created desc limit 1";
    for (is_first_party, expected) in [(false, (90, 365)), (true, (7, 30))] {
        let own = format!("update client set is_first_party = {is_first_party}");
        let code = server.code(&grantee, OFFLINE).await;
        let mut connection = server.database.connect().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(own)).execute(&mut connection).await.unwrap();
        server.redeem(&code).await.expect(200);
        let found: (i32, i32) = sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn each_use_puts_the_idle_end_off_and_not_the_end() {
    let (server, grantee) = start().await;
    let first = server.redeem(&server.code(&grantee, OFFLINE).await).await.expect(200);
    let sql = "update refresh_token set idle_expires = idle_expires - interval '80 days',
        expires = expires - interval '300 days'";
    let mut connection = server.database.connect().await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    let second = server.refresh(text(&first, "refresh_token"), None).await.expect(200);
    let sql = "select extract(day from idle_expires - now())::int from refresh_token
        where used is null";
    let left: i32 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(left, 64, "not beyond the end of the family");
    let sql = "update refresh_token set idle_expires = now() where used is null";
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    let reply = server.refresh(text(&second, "refresh_token"), None).await;
    refused(&reply, 400, "invalid_grant");
}

#[tokio::test]
async fn online_access_ends_with_the_login_session() {
    let (server, mut grantee) = start().await;
    let session = vec![7_u8; 32];
    let sql = "insert into login_session
        (hash, account, account_epoch, methods, created, seen, expires)
        values ($1, $2::uuid, 1, '{pwd}', now(), now(), now() + interval '12 hours')";
    let mut connection = server.database.connect().await;
    sqlx::query(sql).bind(&session).bind(&grantee.account).execute(&mut connection).await.unwrap();
    grantee.session = Some(session.clone());
    let code = server.code(&grantee, "online_access patient/*.rs").await;
    let first = server.redeem(&code).await.expect(200);
    let second = server.refresh(text(&first, "refresh_token"), None).await.expect(200);
    let sql = "delete from login_session where hash = $1";
    sqlx::query(sql).bind(&session).execute(&mut connection).await.unwrap();
    let reply = server.refresh(text(&second, "refresh_token"), None).await;
    refused(&reply, 400, "invalid_grant");
    let now = server.context.clock.now();
    let ended = server.context.store.revoke_session_grants(&session, now).await.unwrap();
    assert_eq!(ended, 1);
}

#[tokio::test]
async fn inferno_an_id_token_is_rs256_by_a_published_key_with_all_claims() {
    let (server, grantee) = start().await;
    let reply = server.redeem(&server.code(&grantee, OFFLINE).await).await.expect(200);
    let id_token = text(&reply, "id_token");
    let header = jsonwebtoken::decode_header(id_token).unwrap();
    assert_eq!(header.alg, jsonwebtoken::Algorithm::RS256);
    let jwks = server.get(&server.beside("/.well-known/jwks.json")).await.expect(200);
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(jwks.body).unwrap();
    let key = keys.find(header.kid.as_deref().unwrap()).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(key).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    (validation.validate_aud, validation.validate_exp) = (false, false);
    validation.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<serde_json::Value>(id_token, &key, &validation).unwrap();
    let claims = claims.claims;
    assert_eq!(claims["iss"], server.authorization().issuer());
    assert_eq!(claims["aud"], APP);
    assert_eq!(claims["nonce"], "n-1");
    assert_eq!(claims["fhirUser"], format!("{}/Patient/p", server.base()));
    assert_eq!(claims["amr"], json!(["pwd"]));
    let subject = claims["sub"].as_str().unwrap();
    assert!(!subject.is_empty() && subject.len() < 256);
    let (exp, iat) = (claims["exp"].as_i64().unwrap(), claims["iat"].as_i64().unwrap());
    assert_eq!(exp - iat, 300);
    assert!(claims["auth_time"].is_number());
}

#[tokio::test]
async fn the_token_endpoint_takes_forms_with_each_parameter_once() {
    let (server, grantee) = start().await;
    let code = server.code(&grantee, OFFLINE).await;
    let twice = [("grant_type", "authorization_code"), ("code", &code), ("code", &code)];
    refused(&server.form("/oauth/token", &twice).await, 400, "invalid_request");
    let url = server.beside("/oauth/token");
    let json = server.request("POST", &url).body("application/json", "{}").send().await;
    refused(&json, 400, "invalid_request");
    let wrong = server.request("POST", &url);
    let wrong = wrong.body("application/x-www-form-urlencoded", "grant_type=%ff").send().await;
    refused(&wrong, 400, "invalid_request");
    let large = server.request("POST", &url);
    let large = large.body("application/x-www-form-urlencoded", "a".repeat(70_000)).send().await;
    refused(&large, 413, "invalid_request");
    refused(&server.form("/oauth/token", &[]).await, 400, "invalid_request");
    let in_query = server.request("POST", &format!("{url}?grant_type=client_credentials"));
    let in_query = in_query.body("application/x-www-form-urlencoded", "").send().await;
    refused(&in_query, 400, "invalid_request");
    assert_eq!(server.request("GET", &url).send().await.status(), 405);
}

#[tokio::test]
async fn inferno_unknown_grant_types_and_clients_are_refused() {
    let (server, _) = start().await;
    for grant_type in ["password", "implicit", "not_a_grant_type"] {
        let reply =
            server.form("/oauth/token", &[("grant_type", grant_type), ("client_id", APP)]).await;
        refused(&reply, 400, "unsupported_grant_type");
    }
    let code = [("grant_type", "authorization_code"), ("code", "BAD"), ("client_id", "BAD")];
    refused(&server.form("/oauth/token", &code).await, 401, "invalid_client");
    refused(&server.form("/oauth/token", &code[..2]).await, 401, "invalid_client");
}

#[tokio::test]
async fn a_client_with_a_secret_proves_it_by_basic_or_post() {
    let (server, grantee) = start().await;
    let kind = ClientKind::ConfidentialSymmetric;
    server
        .register("web:app", kind, |app| app.grant_types = vec!["authorization_code".to_owned()])
        .await;
    let (store, now) = (&server.context.store, server.context.clock.now());
    let (old, new) = ("old %secret+1", "new-secret");
    for secret in [old, new] {
        let ends = (now, now + chrono::Duration::hours(1));
        store.add_client_secret("web:app", &bhn_fhir::oauth::hash(secret), ends).await.unwrap();
    }
    let to = Grantee::person_by(grantee.account.as_ref().unwrap(), "web:app");
    let basic = |id: &str, secret: &str| {
        let encode = |text: &str| -> String {
            url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
        };
        use base64::Engine;
        let both = format!("{}:{}", encode(id), encode(secret));
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(both))
    };
    let redeem = async |secret: Option<&str>, authorization: Option<String>| {
        let code = server.code(&to, "patient/*.rs").await;
        let mut parameters = vec![
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        if let Some(secret) = secret {
            parameters.extend([("client_id", "web:app"), ("client_secret", secret)]);
        }
        let headers = authorization.as_deref().map(|value| ("authorization", value));
        let headers: Vec<(&str, &str)> = headers.into_iter().collect();
        server.form_as("/oauth/token", &parameters, &headers).await
    };
    redeem(Some(new), None).await.expect(200);
    redeem(Some(old), None).await.expect(200);
    redeem(None, Some(basic("web:app", old))).await.expect(200);
    refused(&redeem(Some("wrong"), None).await, 401, "invalid_client");
    let wrong = redeem(None, Some(basic("web:app", "wrong"))).await;
    refused(&wrong, 401, "invalid_client");
    assert!(wrong.header("www-authenticate").starts_with("Basic"));
    refused(&redeem(None, Some("Basic !".to_owned())).await, 401, "invalid_client");
    let both = redeem(Some(new), Some(basic("web:app", new))).await;
    refused(&both, 400, "invalid_request");
    store.set_client_active("web:app", false, now).await.unwrap();
    let code = [("grant_type", "authorization_code"), ("code", "c"), ("client_id", "web:app")];
    refused(&server.form("/oauth/token", &code).await, 401, "invalid_client");
}

#[tokio::test]
async fn a_confidential_client_cannot_pass_for_a_public_one() {
    let (server, grantee) = start().await;
    let kind = ClientKind::ConfidentialSymmetric;
    server
        .register("web-app", kind, |app| app.grant_types = vec!["authorization_code".to_owned()])
        .await;
    let to = Grantee::person_by(grantee.account.as_ref().unwrap(), "web-app");
    let code = server.code(&to, "patient/*.rs").await;
    let parameters = [
        ("grant_type", "authorization_code"),
        ("client_id", "web-app"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    refused(&server.form("/oauth/token", &parameters).await, 401, "invalid_client");
    let reply = server.form("/oauth/token", &[("client_secret", "x"), parameters[0]]).await;
    refused(&reply, 401, "invalid_client");
}

#[tokio::test]
async fn a_public_client_refreshes_without_naming_itself() {
    let (server, grantee) = start().await;
    let first = server.redeem(&server.code(&grantee, OFFLINE).await).await.expect(200);
    let of = |token| [("grant_type", "refresh_token"), ("refresh_token", token)];
    let second = server.form("/oauth/token", &of(text(&first, "refresh_token"))).await.expect(200);
    let replayed = server.form("/oauth/token", &of(text(&first, "refresh_token"))).await;
    refused(&replayed, 400, "invalid_grant");
    let ended = server.form("/oauth/token", &of(text(&second, "refresh_token"))).await;
    refused(&ended, 400, "invalid_grant");
    refused(&server.form("/oauth/token", &of("nobody's")).await, 401, "invalid_client");
}
