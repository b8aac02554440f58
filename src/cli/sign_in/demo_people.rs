//! Who may sign in to the demonstration set, and how. The people are invented, as their hospitals
//! are; each start gives them a new password, new codes and new tokens, and prints these, so that
//! nothing is known of a demonstration beforehand.

use crate::access::{Link, Role};
use crate::cli::Failure;
use crate::fhir::resource::ResourceKey;
use crate::oauth::AuthorizationServer;
use crate::oauth::accounts::{self, totp};
use crate::storage::{Account, AccountChange, Client, ClientKind, NewAccount, NewGrant, Status};
use chrono::Duration;
use serde_json::json;
use std::fmt::Write;

/// The application that the printed tokens are for, and that a first app may use.
const CLIENT: &str = "demo-app";
const CLIENT_SCOPES: &str = "openid fhirUser profile email launch launch/patient launch/encounter \
     online_access offline_access patient/*.cruds user/*.cruds";
/// A token lasts as long as one that a person gets by signing in.
const TOKEN: Duration = Duration::hours(1);

/// One of the demonstration.
struct Person {
    email: &'static str,
    name: &'static str,
    role: Role,
    is: &'static str,
    facilities: &'static [&'static str],
}

const PEOPLE: [Person; 4] = [
    Person {
        email: "amina@demo.example",
        name: "Amina Khatun",
        role: Role::Patient,
        is: "Patient/demo-amina",
        facilities: &[],
    },
    Person {
        email: "begum@demo.example",
        name: "Shirin Begum",
        role: Role::Doctor,
        is: "Practitioner/demo-begum",
        facilities: &["Organization/demo-padma"],
    },
    Person {
        email: "chakma@demo.example",
        name: "Mitali Chakma",
        role: Role::HospitalStaff,
        is: "Practitioner/demo-chakma",
        facilities: &["Organization/demo-padma", "Organization/demo-lindale"],
    },
    Person {
        email: "whitefeather@demo.example",
        name: "Dawn Whitefeather",
        role: Role::Admin,
        is: "Practitioner/demo-whitefeather",
        facilities: &["Organization/demo-lindale"],
    },
];

/// Makes the people, and tells how they sign in: the text that a start prints.
pub async fn people(oauth: &AuthorizationServer) -> Result<String, Failure> {
    let base = oauth.context.settings.base_url.as_str();
    let password = totp::code::<16>()?;
    register(oauth).await?;
    let mut rows = String::new();
    let mut tokens = Vec::new();
    for person in &PEOPLE {
        let account = account(oauth, person, &password).await?;
        let code = match accounts::needs_factor(person.role) {
            true => format!("code {}", second_factor(oauth, &account).await?),
            false => String::new(),
        };
        writeln!(rows, "  {:<27} {:<15} {code}", person.email, person.role)?;
        tokens.push(token(oauth, &account).await?);
    }
    let [amina, _, staff, ..] = &tokens[..] else { return Ok(String::new()) };
    let mut text = format!(
        "\nSigned in for an hour: STAFF works for both hospitals, AMINA is a mother and sees her \
         own record alone.\n  STAFF={staff}\n  AMINA={amina}\n"
    );
    for query in QUERIES {
        writeln!(text, "  curl -s -H \"Authorization: Bearer $STAFF\" '{base}/{query}'")?;
    }
    writeln!(text, "  curl -s -H \"Authorization: Bearer $AMINA\" '{base}/Patient'")?;
    let issuer = oauth.issuer();
    writeln!(text, "\nSign in at {issuer}/login with the password {password}")?;
    text.push_str(&rows);
    Ok(text)
}

/// What there is to see of the demonstration set.
pub const QUERIES: [&str; 4] = [
    "Patient?family=Gutierrez",
    "Observation?patient=Patient/demo-child-rafi&_sort=date",
    "Appointment?patient=Patient/demo-amina",
    "Patient?gender=female&birthdate=ge2025",
];

async fn register(oauth: &AuthorizationServer) -> Result<(), Failure> {
    let client = Client {
        name: "Demonstration app".to_owned(),
        publisher: Some("Birth Health Network".to_owned()),
        scopes: CLIENT_SCOPES.to_owned(),
        grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
        redirect_uris: vec!["http://127.0.0.1/callback".to_owned()],
        ..Client::new(CLIENT, ClientKind::Public)
    };
    oauth.context.store.add_client(&client, oauth.context.clock.now()).await?;
    Ok(())
}

/// The account of a person, with this password; what it had before ends.
async fn account(
    oauth: &AuthorizationServer,
    person: &Person,
    password: &str,
) -> Result<Account, Failure> {
    let (store, now) = (&oauth.context.store, oauth.context.clock.now());
    let new = NewAccount {
        account: "",
        email: person.email,
        name: person.name,
        role: person.role,
        status: Status::Active,
        password: None,
        language: "en",
        jurisdictions: &[],
    };
    accounts::add(store, new, now).await?;
    let account = store.account_of_email(person.email).await?.ok_or("the account is not there")?;
    if account.person.is_none() {
        store.link_account(&account.account, &link(oauth, person.is).await?, now).await?;
    }
    let mut facilities = Vec::new();
    for facility in person.facilities {
        facilities.push(link(oauth, facility).await?);
    }
    store.set_facilities(&account.account, &facilities).await?;
    let hash = oauth.people.passwords.hash(password).await?;
    let change =
        AccountChange { password: Some(&hash), ends_grants: true, ..AccountChange::default() };
    store.change_account(&account.account, change, now).await?;
    Ok(account)
}

async fn link(oauth: &AuthorizationServer, key: &str) -> Result<Link, Failure> {
    let key = ResourceKey::parse(key).ok_or("the key is none")?;
    let rids = oauth.context.store.intern_references([&key]).await?;
    let rid = rids.get(&key).copied().ok_or("the resource has no surrogate key")?;
    Ok(Link { key, rid })
}

/// A code that stands for the second factor, once.
async fn second_factor(oauth: &AuthorizationServer, account: &Account) -> Result<String, Failure> {
    let (store, now) = (&oauth.context.store, oauth.context.clock.now());
    let name = &account.account;
    store.remove_factors(name).await?;
    let sealed = oauth.people.keys.seal(name, &totp::new_secret()?)?;
    store.begin_totp(name, &sealed, now).await?;
    // Any step confirms it; the codes of its key are known to nobody.
    store.take_totp(name, 1, now).await?;
    let code = totp::code::<16>()?;
    store.set_recovery_codes(name, &[totp::recovery_hash(name, &code)]).await?;
    Ok(code)
}

async fn token(oauth: &AuthorizationServer, account: &Account) -> Result<String, Failure> {
    let (store, now) = (&oauth.context.store, oauth.context.clock.now());
    let patient = match account.role {
        Role::Patient => Some(link(oauth, "Patient/demo-amina").await?),
        _ => None,
    };
    let launch = match &patient {
        Some(patient) => json!({ "patient": patient.key.id.as_str() }),
        None => json!({}),
    };
    let grant = NewGrant {
        client: CLIENT,
        account: Some(&account.account),
        session: None,
        scopes: CLIENT_SCOPES,
        launch: &launch,
        patient_rid: patient.map(|patient| patient.rid),
        methods: &["pwd".to_owned(), "otp".to_owned()],
        signed_in: Some(now),
        expires: now + TOKEN,
    };
    let id = store.make_grant(&grant, now).await?.ok_or("the demonstration has no grant")?;
    let grant = store.grant(id, now).await?.ok_or("the grant has ended")?;
    Ok(oauth.access_token(&grant, &grant.scopes, TOKEN).await?.token)
}
