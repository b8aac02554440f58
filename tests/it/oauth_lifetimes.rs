//! How long tokens hold (SECURITY 3.3): caps of the operator for our own applications.

use super::harness::{Grantee, TestServer};
use bhn_fhir::access::Role;

const SCOPES: &str = "offline_access user/*.rs";

/// Seconds that the access token, and the refresh token without use, hold.
async fn lifetimes(server: &TestServer, is_first_party: bool) -> (i64, i64) {
    let account = server.person(Role::Doctor, "").await;
    let code = server.code(&Grantee::person(&account), SCOPES).await;
    let mut connection = server.database.connect().await;
    let sql = "update client set is_first_party = $1";
    sqlx::query(sql).bind(is_first_party).execute(&mut connection).await.unwrap();
    let given = server.redeem(&code).await.expect(200).body;
    let sql = "select round(extract(epoch from idle_expires - created))::bigint from refresh_token
        order by created desc limit 1";
    let idle: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    let refreshed = server.refresh(given["refresh_token"].as_str().unwrap(), None).await;
    let refreshed = refreshed.expect(200).body;
    assert_eq!(refreshed["expires_in"], given["expires_in"]);
    let again: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(again, idle);
    (given["expires_in"].as_i64().unwrap(), idle)
}

#[tokio::test]
async fn jwt_expires_in_and_refresh_token_expires_in_cap_tokens_of_our_own_applications() {
    let day = 86_400;
    for (caps, own) in [
        ((None, None), (3_600, 7 * day)),
        ((Some(1_800), Some(day as u32)), (1_800, day)),
        // A cap makes nothing longer.
        ((Some(7_200), Some(30 * day as u32)), (3_600, 7 * day)),
    ] {
        let server =
            TestServer::start_signed_in_with(|settings| settings.oauth.first_party_caps = caps);
        let server = server.await;
        assert_eq!(lifetimes(&server, true).await, own, "{caps:?}");
        assert_eq!(lifetimes(&server, false).await, (3_600, 90 * day), "{caps:?}");
    }
}
