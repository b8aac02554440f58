//! How accounts come to be: registration, letters, the first administrator, claim codes, the
//! command line (SECURITY 3.6).

use crate::harness::people::PASSWORD;
use crate::harness::{ServerProcess, TestServer, folder};
use bhn_fhir::access::Role;
use bhn_fhir::clock::Clock;
use bhn_fhir::oauth::accounts;
use std::path::Path;
use std::time::Duration;

const AMINA: &str = "amina@home.example";

/// Waits for a letter to this address, and returns its text.
async fn letter(mail: &Path, to: &str, number: usize) -> String {
    for _ in 0..200 {
        let files = std::fs::read_dir(mail).into_iter().flatten().flatten();
        let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
        // The file is written at once but may be seen before it is.
        let whole: Vec<String> = texts.filter(|text| text.contains(to)).collect();
        if whole.len() >= number
            && whole.iter().all(|text| text.contains("\n\r\n") || text.contains("\n\n"))
        {
            let soft = |text: &String| text.replace("=\r\n", "").replace("=3D", "=");
            return whole.iter().map(soft).collect::<Vec<String>>().join("\n");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no letter to {to}");
}

/// Waits for a letter to this address that has these words.
pub async fn letter_about(mail: &Path, to: &str, words: &str) {
    for number in 1..20 {
        let text = letter(mail, to, number).await;
        let plain = text.split_whitespace().collect::<Vec<&str>>().join(" ");
        if plain.contains(words) {
            return;
        }
    }
    panic!("no letter with {words}");
}

fn code_of(letter: &str) -> String {
    let after = letter.split("?code=").nth(1).unwrap_or_else(|| panic!("no code in {letter}"));
    after.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
}

fn letters(settings: &mut bhn_fhir::config::Settings, mail: &Path) {
    settings.registration_enabled = true;
    settings.mail.folder = mail.to_owned();
}

#[tokio::test]
async fn as_45_a_person_registers_confirms_the_address_and_signs_in() {
    let mail = folder();
    let server = TestServer::start_with_pages(|settings| letters(settings, mail.path())).await;
    let mut browser = server.browser();
    let fields = [("email", AMINA), ("name", "Amina Example"), ("password", PASSWORD)];
    let first = browser.submit("/register", &fields).await.expect(200);
    let code = code_of(&letter(mail.path(), AMINA, 1).await);
    browser.give_password("/login", AMINA).await.expect(422);
    browser.get(&format!("/verify?code={code}")).await.expect(200);
    let account = server.context.store.account_of_email(AMINA).await.unwrap().unwrap();
    assert_eq!(account.status.as_str(), "unverified", "a link that is followed confirms nothing");
    // Files of letters are in no order.
    let both = letter(mail.path(), AMINA, 2).await.replace(&format!("?code={code}"), "");
    let code = code_of(&both);
    browser.submit("/verify?code=x", &[("code", &code)]).await.expect(200);
    browser.submit("/verify?code=x", &[("code", &code)]).await.expect(400);
    browser.give_password("/login", AMINA).await.expect(303);
    let account = server.context.store.account_of_email(AMINA).await.unwrap().unwrap();
    assert_eq!((account.role, account.person.is_none()), (Role::Patient, true));
    let again = server.browser().submit("/register", &fields).await.expect(200);
    let main = |text: &str| text.split("<main").nth(1).map(str::to_owned);
    assert_eq!(main(first.text()), main(again.text()), "rt_139: nobody learns of the account");
    assert!(letter(mail.path(), AMINA, 3).await.contains("You have one already"));
}

#[tokio::test]
async fn registration_is_off_unless_it_is_enabled() {
    let server = TestServer::start_with_pages(|_| {}).await;
    let mut browser = server.browser();
    browser.get("/register").await.expect(404);
    let token = browser.token("/login").await;
    let fields =
        [("form_token", token.as_str()), ("email", AMINA), ("name", "A"), ("password", PASSWORD)];
    browser.post("/register", &fields).await.expect(404);
    assert!(server.context.store.account_of_email(AMINA).await.unwrap().is_none());
}

#[tokio::test]
async fn a_password_is_reset_by_letter_once_and_ends_the_sessions() {
    let mail = folder();
    let server = TestServer::start_with_pages(|settings| letters(settings, mail.path())).await;
    server.account(AMINA, Role::Patient).await;
    let mut signed_in = server.browser();
    signed_in.give_password("/login", AMINA).await.expect(303);
    let mut browser = server.browser();
    let known = browser.submit("/reset", &[("email", AMINA)]).await.expect(200);
    let unknown = browser.submit("/reset", &[("email", "nobody@home.example")]).await.expect(200);
    assert_eq!(known.text(), unknown.text(), "rt_139: nobody learns of the account");
    let code = code_of(&letter(mail.path(), AMINA, 1).await);
    let page = format!("/reset?code={code}");
    let new = "nine red umbrellas";
    browser.submit(&page, &[("code", &code), ("password", "short")]).await.expect(422);
    browser.submit(&page, &[("code", "guessed"), ("password", new)]).await.expect(400);
    browser.submit(&page, &[("code", &code), ("password", new)]).await.expect(200);
    browser.submit(&page, &[("code", &code), ("password", new)]).await.expect(400);
    signed_in.get("/account").await.expect(303);
    browser.submit("/login", &[("email", AMINA), ("password", new)]).await.expect(303);
}

#[tokio::test]
async fn as_46_the_first_administrator_is_made_by_the_code_and_no_second_one() {
    let server = TestServer::start_with_pages(|_| {}).await;
    let store = &server.context.store;
    let code = accounts::bootstrap(store, &Clock::System).await.unwrap().unwrap();
    let page = format!("/bootstrap?code={code}");
    let mut browser = server.browser();
    let person = |code| {
        [("code", code), ("email", "admin@x.example"), ("name", "Ad Min"), ("password", PASSWORD)]
    };
    browser.submit(&page, &person("guessed")).await.expect(400);
    browser.submit(&page, &person(&code)).await.expect(200);
    browser.get(&page).await.expect(404);
    assert!(accounts::bootstrap(store, &Clock::System).await.unwrap().is_none());
    let reply = browser.give_password("/login", "admin@x.example").await.expect(303);
    assert_eq!(reply.header("location"), "/account/mfa");
}

#[tokio::test]
async fn as_46_the_code_of_the_first_administrator_ends_after_a_quarter_of_an_hour() {
    let server = TestServer::start_with_pages(|_| {}).await;
    let code = accounts::bootstrap(&server.context.store, &Clock::System).await.unwrap().unwrap();
    let mut connection = server.database.connect().await;
    let sql = "update one_time_code set expires = expires - interval '15 minutes'";
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    let fields =
        [("code", code.as_str()), ("email", AMINA), ("name", "Ad Min"), ("password", PASSWORD)];
    server.browser().submit("/bootstrap", &fields).await.expect(400);
    assert!(!server.context.store.has_admin().await.unwrap());
}

#[tokio::test]
async fn as_45_an_account_becomes_a_patient_by_a_claim_code_alone() {
    let server = TestServer::start_with_pages(|_| {}).await;
    let account = server.account(AMINA, Role::Patient).await;
    server.account("second@home.example", Role::Patient).await;
    let store = &server.context.store;
    let link = server.link("Patient/amina").await;
    let code = accounts::claim_code(store, &link, Clock::System.now()).await.unwrap();
    let mut browser = server.browser();
    browser.sign_in("/login", AMINA).await;
    let claim = async |browser: &mut crate::harness::people::Browser, code: &str| {
        let token = browser.token("/account").await;
        let fields = [("form_token", token.as_str()), ("code", code)];
        browser.post("/account/claim", &fields).await.status()
    };
    let mut wrong = code.clone();
    wrong.replace_range(code.len() - 1.., if code.ends_with('0') { "1" } else { "0" });
    assert_eq!(claim(&mut browser, &wrong).await, 422);
    assert_eq!(claim(&mut browser, &code.to_uppercase()).await, 303);
    let linked = store.account(&account).await.unwrap().unwrap().person.unwrap();
    assert_eq!(linked, link);
    let mut second = server.browser();
    second.sign_in("/login", "second@home.example").await;
    assert_eq!(claim(&mut second, &code).await, 422, "it was used");
    let other = server.link("Patient/other").await;
    let code = accounts::claim_code(store, &other, Clock::System.now()).await.unwrap();
    let mut wrong = code.clone();
    wrong.replace_range(code.len() - 1.., if code.ends_with('0') { "1" } else { "0" });
    let second = store.account_of_email("second@home.example").await.unwrap().unwrap();
    for _ in 0..5 {
        assert!(!accounts::claim(store, &second, &wrong, Clock::System.now()).await.unwrap());
    }
    let late = accounts::claim(store, &second, &code, Clock::System.now()).await.unwrap();
    assert!(!late, "five tries were had");
}

#[tokio::test]
async fn the_operator_makes_changes_and_disables_accounts() {
    let server = TestServer::start_with_pages(|_| {}).await;
    let run = |arguments: &[&str]| {
        let all: Vec<&str> = ["user"].iter().chain(arguments).copied().collect();
        let (status, said) = ServerProcess::command_on(&server.database, &all);
        (status.success(), said)
    };
    let doctor = "doctor@hospital.example";
    let (is_made, said) = run(&[
        "add",
        doctor,
        "--name",
        "Do Ctor",
        "--role",
        "doctor",
        "--link",
        "Practitioner/d1",
        "--facility",
        "Organization/o1,Organization/o2",
    ]);
    assert!(is_made, "{said}");
    let code = code_of(&said);
    let mut browser = server.browser();
    let fields = [("code", code.as_str()), ("password", PASSWORD)];
    browser.submit(&format!("/reset?code={code}"), &fields).await.expect(200);
    browser.give_password("/login", doctor).await.expect(303);
    let (_, shown) = run(&["show", doctor]);
    for part in ["doctor active Practitioner/d1", "[Organization/o1,Organization/o2]", "no mfa"] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(!run(&["add", doctor, "--name", "X Y", "--role", "doctor"]).0, "the address has one");
    assert!(!run(&["add", "x@y.example", "--name", "X", "--role", "ehr_system"]).0);
    assert!(!run(&["link", doctor, "Observation/1"]).0);
    let (_, shown) = run(&["role", doctor, "admin"]);
    assert!(shown.contains(" admin active "), "{shown}");
    browser.get("/account/mfa").await.expect(303);
    assert!(run(&["disable", doctor]).1.contains(" disabled "));
    browser.give_password("/login", doctor).await.expect(422);
    assert!(run(&["list"]).1.contains(doctor));
}
