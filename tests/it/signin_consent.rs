//! The consent page, and the end of what was granted (SECURITY AS-60 to AS-62).

use crate::harness::TestServer;
use crate::harness::people::{APP, Browser, form_token, parameter, ticked};
use bhn_fhir::access::Role;
use url::Url;

const AMINA: &str = "amina@home.example";
const LABORATORY: &str = "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/\
     observation-category|laboratory";

async fn start() -> (TestServer, Browser) {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.register_app(APP, false).await;
    let account = server.account(AMINA, Role::Patient).await;
    server.link_account(&account, "Patient/amina").await;
    let mut browser = server.browser();
    browser.sign_in("/login", AMINA).await;
    (server, browser)
}

async fn granted(server: &TestServer) -> Vec<String> {
    let mut connection = server.database.connect().await;
    let sql = "select scopes from access_grant order by access_grant";
    sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
}

/// Ticks these boxes alone.
async fn allow(browser: &mut Browser, at: &str, scopes: &[&str]) -> u16 {
    let mut fields = vec![("allow", "yes")];
    fields.extend(scopes.iter().map(|scope| ("scope", *scope)));
    browser.submit(at, &fields).await.status()
}

#[tokio::test]
async fn as_61_the_page_says_who_asks_for_what_and_where_it_goes() {
    let (server, mut browser) = start().await;
    let scope = "openid fhirUser launch/patient patient/Observation.rs patient/Condition.rs \
                 patient/*.rs offline_access";
    let (_, page) = browser.open(&server.authorize_path(&[("scope", scope)])).await;
    let page = page.expect(200);
    let text = page.text();
    for said in [
        "Growth Chart",
        "Example Health",
        "<strong>app.example</strong>",
        "Measurements, laboratory results",
        "Diagnoses and health problems",
        "The whole health record",
        "added in the future",
        "Keep access while you are away",
        "For 365 days at most.",
        "Deny",
        "Know who you are",
        "Know the patient you choose",
    ] {
        assert!(text.contains(said), "{said}");
    }
    for category in
        ["laboratory", "vital-signs", "survey", "sdoh", "clinical-test", "social-history"]
    {
        assert!(text.contains("patient/Observation.rs?category=http"), "{category}");
        assert!(text.contains(&format!("|{category}\"")), "{category}");
    }
    for category in ["encounter-diagnosis", "problem-list-item", "health-concern"] {
        assert!(text.contains(&format!("|{category}\"")), "{category}");
    }
    let asked: Vec<&str> = scope.split_whitespace().collect();
    let mut all = ticked(text);
    all.sort_unstable();
    let mut expected = asked.clone();
    expected.sort_unstable();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn as_61_granted_is_exactly_what_is_ticked() {
    let (server, mut browser) = start().await;
    let scope = "openid launch/patient patient/Observation.rs patient/Condition.rs offline_access";
    let path = server.authorize_path(&[("scope", scope)]);
    let (at, _) = browser.open(&path).await;
    let chosen = ["openid", "patient/Condition.rs"];
    assert_eq!(allow(&mut browser, &at, &chosen).await, 303);
    let (at, page) = browser.open(&path).await;
    assert_eq!(ticked(page.text()), ["patient/Condition.rs", "openid"], "ticked as the last time");
    assert_eq!(allow(&mut browser, &at, &["patient/Observation.rs"]).await, 303);
    let (at, _) = browser.open(&path).await;
    assert_eq!(allow(&mut browser, &at, &[LABORATORY, "openid"]).await, 303);
    let (at, _) = browser.open(&path).await;
    assert_eq!(allow(&mut browser, &at, &["patient/*.cruds", "user/*.rs"]).await, 422);
    let forged = ["openid", "patient/*.rs", "patient/Encounter.rs"];
    assert_eq!(allow(&mut browser, &at, &forged).await, 303);
    let expected = [
        "openid patient/Condition.rs",
        "patient/Observation.rs",
        &format!("openid {LABORATORY}"),
        "openid",
    ];
    assert_eq!(granted(&server).await, expected);
}

#[tokio::test]
async fn a_refusal_is_told_and_ends_the_request() {
    let (server, mut browser) = start().await;
    let (at, _) = browser.open(&server.authorize_path(&[])).await;
    let reply = browser.submit(&at, &[("deny", "yes"), ("scope", "openid")]).await.expect(303);
    let url = Url::parse(reply.header("location")).unwrap();
    assert_eq!(parameter(&url, "error").unwrap(), "access_denied");
    assert_eq!(parameter(&url, "state").unwrap(), "the state");
    browser.get(&at).await.expect(400);
    assert!(granted(&server).await.is_empty());
}

#[tokio::test]
async fn rt_138_consent_is_given_by_the_persons_own_form_alone() {
    let (server, mut browser) = start().await;
    let (at, page) = browser.open(&server.authorize_path(&[])).await;
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(policy.contains("form-action 'self' https://app.example;"), "{policy}");
    assert_eq!(page.header("x-frame-options"), "DENY");
    let token = form_token(&page);
    let all = [("allow", "yes"), ("scope", "openid")];
    browser.post(&at, &all).await.expect(403);
    let fields = [all[0], all[1], ("form_token", token.as_str())];
    for header in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Sec-Fetch-Dest", "iframe"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
    ] {
        browser.post_with(&at, &fields, header).await.expect(403);
    }
    let mut stranger = server.browser();
    stranger.sign_in("/login", AMINA).await;
    let others = stranger.token("/account").await;
    browser.post(&at, &[all[0], all[1], ("form_token", others.as_str())]).await.expect(403);
    let by_get = browser.get(&format!("{at}&allow=yes&scope=openid&form_token={token}")).await;
    assert_eq!(by_get.status(), 200, "the page is shown again, and nothing is granted");
    assert!(granted(&server).await.is_empty());
    browser.post_with(&at, &fields, ("Sec-Fetch-Site", "same-origin")).await.expect(303);
    browser.post(&at, &fields).await.expect(400);
    assert_eq!(granted(&server).await, ["openid"]);
}

#[tokio::test]
async fn as_62_consent_is_skipped_only_where_the_client_is_registered_so() {
    let (server, mut browser) = start().await;
    server.register_app("first-party", true).await;
    let first_party = ("client_id", "first-party");
    let (at, _) = browser.open(&server.authorize_path(&[first_party])).await;
    assert!(parameter(&Url::parse(&at).unwrap(), "code").is_some(), "{at}");
    let asked = server.authorize_path(&[first_party, ("prompt", "consent")]);
    let (at, _) = browser.open(&asked).await;
    assert!(at.starts_with("/consent"), "{at}");
    let (at, _) = browser.open(&server.authorize_path(&[])).await;
    browser.allow(&at).await;
    let (at, _) = browser.open(&server.authorize_path(&[])).await;
    assert!(at.starts_with("/consent"), "a remembered consent is asked for again: {at}");
}

#[tokio::test]
async fn what_was_granted_is_seen_and_ended_at_account_apps() {
    let (server, mut browser) = start().await;
    let (at, _) = browser.open(&server.authorize_path(&[])).await;
    browser.allow(&at).await;
    let page = browser.get("/account/apps").await.expect(200);
    assert!(page.text().contains("Growth Chart") && page.text().contains("laboratory results"));
    browser.submit("/account/apps", &[("client", APP)]).await.expect(303);
    let page = browser.get("/account/apps").await.expect(200);
    assert!(!page.text().contains("Growth Chart"));
    let mut connection = server.database.connect().await;
    let live: i64 = sqlx::query_scalar("select count(*) from access_grant where revoked is null")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(live, 0);
    let mut stranger = server.browser();
    server.account("other@home.example", Role::Patient).await;
    stranger.sign_in("/login", "other@home.example").await;
    let (at, _) = browser.open(&server.authorize_path(&[])).await;
    browser.allow(&at).await;
    let token = stranger.token("/account").await;
    let fields = [("form_token", token.as_str()), ("client", APP)];
    stranger.post("/account/apps", &fields).await.expect(303);
    assert!(browser.get("/account/apps").await.text().contains("Growth Chart"));
}

#[tokio::test]
async fn rt_147_the_name_of_a_client_is_text_on_every_page() {
    let (server, mut browser) = start().await;
    let mut connection = server.database.connect().await;
    let markup = "update client set name = '<script>alert(1)</script>\"><b>', publisher = '<i>x'";
    sqlx::raw_sql(markup).execute(&mut connection).await.unwrap();
    let (_, page) = browser.open(&server.authorize_path(&[])).await;
    let text = page.text();
    assert!(!text.contains("<script") && !text.contains("\"><b>") && !text.contains("<i>x"));
    assert!(text.contains("&#60;script&#62;"), "{text}");
}
