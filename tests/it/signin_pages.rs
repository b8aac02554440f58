//! What holds for every page (SECURITY AS-60).

use crate::harness::TestServer;
use crate::harness::people::{APP, Browser};
use bhn_fhir::access::Role;

const AMINA: &str = "amina@home.example";

/// Every page, of who is signed in where it takes that.
async fn all(server: &TestServer, browser: &mut Browser) -> Vec<String> {
    server.register_app(APP, false).await;
    let account = server.account(AMINA, Role::Patient).await;
    server.link_account(&account, "Patient/amina").await;
    let mut pages = Vec::new();
    for path in [
        "/",
        "/login",
        "/register",
        "/reset",
        "/reset?code=x",
        "/verify?code=x",
        "/bootstrap",
        "/oauth/logout",
    ] {
        pages.push((path.to_owned(), browser.get(path).await));
    }
    browser.sign_in("/login", AMINA).await;
    let (consent, _) = browser.open(&server.authorize_path(&[])).await;
    let pick = consent.replace("/consent", "/pick-patient");
    let encounter = consent.replace("/consent", "/pick-encounter");
    let own = ["/account", "/account/apps", "/account/mfa", "/oauth/logout"];
    for path in [&consent, &pick, &encounter].map(String::as_str).into_iter().chain(own) {
        pages.push((path.to_owned(), browser.get(path).await));
    }
    let mut texts = Vec::new();
    for (path, page) in pages {
        let page = page.expect(200);
        let policy = page.header("content-security-policy");
        let expected = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'";
        assert!(policy.starts_with(expected), "{path}: {policy}");
        assert!(policy.ends_with("frame-ancestors 'none'; base-uri 'none'"), "{path}: {policy}");
        assert!(page.header("cache-control").contains("no-store"), "{path}");
        assert!(page.header("permissions-policy").contains("camera=()"), "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("access-control-allow-origin"), "", "{path}");
        texts.push(page.text().to_owned());
    }
    texts
}

#[tokio::test]
async fn as_60_pages_need_no_script_and_have_labels_and_a_language() {
    let server =
        TestServer::start_with_pages(|settings| settings.registration_enabled = true).await;
    for language in ["en", "fr-CA"] {
        let server = match language {
            "en" => &server,
            _ => {
                &TestServer::start_with_pages(|settings| settings.registration_enabled = true).await
            }
        };
        let mut browser = server.browser();
        browser.language = language.to_owned();
        if language != "en" {
            browser.get("/login?ui_locales=fr-CA").await.expect(200);
        }
        for text in all(server, &mut browser).await {
            assert!(text.contains(&format!("<html lang=\"{}\">", &language[..2])), "{text}");
            for banned in ["<script", " style=", " onclick", "javascript:", "http-equiv"] {
                assert!(!text.contains(banned), "{banned}: {text}");
            }
            for input in text.split("<input ").skip(1) {
                let input = input.split('>').next().unwrap();
                if input.contains("type=\"hidden\"") {
                    continue;
                }
                let id = input.split("id=\"").nth(1).unwrap().split('"').next().unwrap();
                assert!(text.contains(&format!("for=\"{id}\"")), "{id} has no label");
                if input.contains("type=\"password\"") || input.contains("type=\"email\"") {
                    assert!(input.contains("autocomplete=\""), "{input}");
                }
            }
            assert_eq!(text.matches("<h1").count(), 1, "{text}");
        }
    }
}

#[tokio::test]
async fn a_problem_is_told_first_and_in_the_language_of_the_browser() {
    let server = TestServer::start_with_pages(|_| {}).await;
    let mut browser = server.browser();
    browser.language = "fr".to_owned();
    let fields = [("email", AMINA), ("password", "wrong")];
    let page = browser.submit("/login", &fields).await.expect(422);
    let text = page.text();
    assert!(text.contains("role=\"alert\" tabindex=\"-1\" autofocus"), "{text}");
    assert!(text.contains("aria-invalid=\"true\" aria-describedby=\"problem\""), "{text}");
    assert!(text.contains("<title>Il y a un problème"), "{text}");
    assert!(!text.contains("wrong"), "the password is not sent back");
    let page = browser.get("/oauth/continue?request=unknown").await.expect(400);
    assert!(page.text().contains("Cette demande a pris fin"), "{}", page.text());
    let page = browser.get("/login?ui_locales=en").await.expect(200);
    assert!(page.text().contains("<html lang=\"en\">"));
    let page = browser.get("/login").await.expect(200);
    assert!(page.text().contains("<html lang=\"en\">"), "what was chosen stays");
}

#[tokio::test]
async fn passwords_are_not_taken_over_plain_http_from_elsewhere() {
    let listened = |settings: &mut bhn_fhir::config::Settings| {
        settings.base_url = "http://bhn.example/fhir".to_owned();
    };
    let server = TestServer::start_with_pages(listened).await;
    assert_eq!(server.issuer(), "http://bhn.example");
    assert!(!server_is_safe("http://bhn.example/fhir").await);
    assert!(server_is_safe("https://bhn.example/fhir").await);
    assert!(server_is_safe("http://127.0.0.1:8080/fhir").await);
    assert!(server_is_safe("http://[::1]:8080/fhir").await);
    assert!(!server_is_safe("http://127.0.0.1.evil.example/fhir").await);
}

async fn server_is_safe(base_url: &str) -> bool {
    let server = TestServer::start_with_pages(|settings| settings.base_url = base_url.to_owned());
    let server = server.await;
    let oauth = server.authorization();
    let expected = if oauth.is_https() { "__Host-bhn-session" } else { "bhn-session" };
    assert_eq!(oauth.cookie_name("session"), expected);
    oauth.is_safe_for_people()
}

#[tokio::test]
async fn the_style_of_pages_and_of_launched_applications_is_served_here() {
    let server = TestServer::start_with_pages(|_| {}).await;
    let mut browser = server.browser();
    let style = browser.get("/assets/bhn.css").await.expect(200);
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    let style = browser.get("/smart-style.json").await.expect(200);
    assert_eq!(style.header("access-control-allow-origin"), "*");
    assert!(style.body["color_text"].is_string());
    let home = browser.get("/").await.expect(200);
    assert!(home.text().contains(&server.context.settings.base_url));
    server.get("metadata").await.expect(200);
}

#[tokio::test]
async fn as_60_pages_that_end_say_when() {
    let server = TestServer::start_with_pages(|_| {}).await;
    server.register_app(APP, false).await;
    let account = server.account(AMINA, Role::Patient).await;
    server.link_account(&account, "Patient/amina").await;
    let doctor = "doctor@hospital.example";
    server.account(doctor, Role::Doctor).await;
    let minutes = |page: &crate::harness::Reply| -> i64 {
        let text = page.text();
        let hint = text.split("id=\"ends\">").nth(1).unwrap_or_else(|| panic!("{text}"));
        let digits = hint.split('<').next().unwrap().chars().filter(char::is_ascii_digit);
        digits.collect::<String>().parse().unwrap()
    };
    let mut browser = server.browser();
    let (login, page) = browser.open(&server.authorize_path(&[])).await;
    assert!((28..=30).contains(&minutes(&page)));
    browser.sign_in(&login, AMINA).await;
    for name in ["/consent", "/pick-patient", "/pick-encounter"] {
        let page = browser.get(&login.replace("/login", name)).await.expect(200);
        assert!((28..=30).contains(&minutes(&page)), "{name}");
    }
    let page = browser.get("/account").await.expect(200);
    assert!(page.text().contains("after 30 minutes without use"), "{}", page.text());
    assert!(!page.text().contains("id=\"ends\""));
    let mut browser = server.browser();
    browser.give_password("/login", doctor).await.expect(303);
    assert!((13..=15).contains(&minutes(&browser.get("/account/mfa").await.expect(200))));
    browser.set_up("/account/mfa").await.1.expect(200);
    let mut half = server.browser();
    half.give_password("/login", doctor).await.expect(303);
    assert!((3..=5).contains(&minutes(&half.get("/login/mfa").await.expect(200))));
}
