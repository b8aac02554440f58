//! People: how they prove who they are. Passwords, second factors, codes, and the counting of
//! attempts.

mod mail;
pub mod passkeys;
pub mod password_rules;
mod passwords;
pub mod secrets;
pub mod totp;

pub use mail::Mailer;
pub use passwords::{Passwords, Verdict};

use crate::access::Role;
use crate::clock::{self, Clock};
use crate::error::Result;
use crate::oauth::Keyring;
use crate::storage::{
    Account, AccountChange, ClaimCode, CodePurpose, NewAccount, Status, Store, Throttle,
};
use chrono::{DateTime, Duration, Utc};
use passkeys::RelyingParty;
use secrets::Keys;
use std::net::IpAddr;
use unicode_normalization::UnicodeNormalization;

/// Five attempts at an account, then a wait of 1, 2, 4, ... 15 minutes before each further one.
const OF_ACCOUNT: Throttle = Throttle {
    free: 5,
    window: Duration::hours(24),
    first: Duration::minutes(1),
    longest: Duration::minutes(15),
};
/// Failures of one address, of one network, and of all together, within 15 minutes.
const OF_ADDRESS: Throttle = of_origin(100);
const OF_NETWORK: Throttle = of_origin(1_000);
const OF_ALL: Throttle = of_origin(20_000);

const RESET_WITHIN: Duration = Duration::minutes(30);
const VERIFY_WITHIN: Duration = Duration::hours(24);
const BOOTSTRAP_WITHIN: Duration = Duration::minutes(15);
const CLAIM_WITHIN: Duration = Duration::days(7);
/// Of a claim code, the letters that find it.
const SELECTOR_LETTERS: usize = 8;
const MOST_EMAIL_BYTES: usize = 254;

/// So many within 15 minutes, then a wait of as long.
pub const fn of_origin(free: i32) -> Throttle {
    let window = Duration::minutes(15);
    Throttle { free, window, first: window, longest: window }
}

/// What signing in needs.
pub struct People {
    pub passwords: Passwords,
    pub keys: Keys,
    pub mailer: Mailer,
    /// None where the server has no name, to which alone passkeys are bound.
    pub relying_party: Option<RelyingParty>,
}

impl People {
    /// `keyring` has the key file.
    pub fn new(
        store: &Store,
        keyring: &Keyring,
        settings: &crate::config::Settings,
    ) -> Result<People> {
        let keys = Keys::new(store.server_key(), keyring.seals(secrets::FACTORS)?)?;
        let mailer = Mailer::new(&settings.mail)?;
        let relying_party = RelyingParty::of(settings.issuer());
        Ok(People { passwords: Passwords::new(), keys, mailer, relying_party })
    }
}

/// An attempt that may go on: its counts, to be cleared where it succeeds.
pub struct Attempt {
    account: Vec<u8>,
    shared: Vec<Vec<u8>>,
}

impl Attempt {
    /// Counts an attempt by what it is at (`password` and an address of mail, `otp` and an
    /// account, ...) and from where it comes. Err has the time until when nothing goes on.
    pub async fn count(
        store: &Store,
        (kind, name): (&str, &str),
        address: Option<IpAddr>,
        now: DateTime<Utc>,
    ) -> Result<std::result::Result<Attempt, DateTime<Utc>>> {
        let origin = address.map_or_else(String::new, |address| address.to_string());
        let counts = [
            (secrets::hash_of("address", &origin), OF_ADDRESS),
            (secrets::hash_of("network", &network(address)), OF_NETWORK),
            (secrets::hash_of("all", ""), OF_ALL),
        ];
        for (key, throttle) in &counts {
            if let Some(until) = store.attempt(key, throttle, now).await? {
                return Ok(Err(until));
            }
        }
        let account = secrets::hash_of(kind, name);
        if let Some(until) = store.attempt(&account, &OF_ACCOUNT, now).await? {
            return Ok(Err(until));
        }
        let shared = counts.into_iter().map(|(key, _)| key).collect();
        Ok(Ok(Attempt { account, shared }))
    }

    /// It was good: nothing is counted of it.
    pub async fn succeed(self, store: &Store) -> Result<()> {
        store.clear_attempts(&self.account).await?;
        for key in &self.shared {
            store.give_attempt_back(key).await?;
        }
        Ok(())
    }
}

/// The /24 of an IPv4 address, the /48 of an IPv6 address.
fn network(address: Option<IpAddr>) -> String {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => format!("{:?}", &address.octets()[..3]),
        Some(IpAddr::V6(address)) => format!("{:?}", &address.segments()[..3]),
        None => String::new(),
    }
}

/// An address of mail as accounts have it: trimmed, in lower case, NFC. None for what is none.
pub fn email(typed: &str) -> Option<String> {
    let email: String = typed.trim().nfc().collect::<String>().to_lowercase();
    let (local, domain) = email.rsplit_once('@')?;
    let is_host = domain.contains('.') || domain == "localhost";
    let is_plain = !email.chars().any(|c| c.is_whitespace() || c.is_control());
    let is_email = !local.is_empty() && !domain.is_empty() && is_host && is_plain;
    let is_mailbox = email.parse::<lettre::Address>().is_ok();
    (is_email && is_mailbox && email.len() <= MOST_EMAIL_BYTES).then_some(email)
}

/// True for roles that have to have a second factor.
pub fn needs_factor(role: Role) -> bool {
    role != Role::Patient
}

/// The least characters of a password of the account.
pub fn least_characters(role: Role, has_factor: bool) -> usize {
    match needs_factor(role) || has_factor {
        true => password_rules::LEAST_WITH_FACTOR,
        false => password_rules::LEAST_ALONE,
    }
}

/// Sets a password, and ends the sessions and grants of before.
pub async fn set_password(
    (store, passwords): (&Store, &Passwords),
    account: &Account,
    password: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let hash = passwords.hash(password).await?;
    let status = (account.status == Status::Unverified).then_some(Status::Active);
    let change = AccountChange {
        password: Some(&hash),
        status,
        ends_grants: true,
        ..AccountChange::default()
    };
    store.change_account(&account.account, change, now).await.map(drop)
}

/// A new account without a password. None where the address has one.
pub async fn add(store: &Store, new: NewAccount<'_>, now: DateTime<Utc>) -> Result<Option<String>> {
    let account = clock::new_id();
    let is_new = store.create_account(&NewAccount { account: &account, ..new }, now).await?;
    Ok(is_new.then_some(account))
}

/// A code to choose a password with, or to confirm an address with.
pub async fn code_for(
    store: &Store,
    (purpose, account): (CodePurpose, Option<&str>),
    now: DateTime<Utc>,
) -> Result<String> {
    let code = crate::oauth::new_secret()?;
    let within = match purpose {
        CodePurpose::Verify => VERIFY_WITHIN,
        CodePurpose::Reset => RESET_WITHIN,
        CodePurpose::Bootstrap => BOOTSTRAP_WITHIN,
    };
    store.create_code(&crate::oauth::hash(&code), (purpose, account), (now, now + within)).await?;
    Ok(code)
}

/// The code of the first administrator, valid for a quarter of an hour; None where there is one.
pub async fn bootstrap(store: &Store, clock: &Clock) -> Result<Option<String>> {
    if store.has_admin().await? {
        return Ok(None);
    }
    code_for(store, (CodePurpose::Bootstrap, None), clock.now()).await.map(Some)
}

/// A code that makes the account that brings it this Patient or Practitioner: 168 random bits, of
/// which 40 find it.
pub async fn claim_code(
    store: &Store,
    person: &crate::access::Link,
    now: DateTime<Utc>,
) -> Result<String> {
    let code = totp::code::<34>()?;
    let letters = totp::letters(&code);
    let claim = ClaimCode {
        selector: &letters[..SELECTOR_LETTERS],
        hash: &crate::oauth::hash(&letters),
        person,
        expires: now + CLAIM_WITHIN,
    };
    store.create_claim(&claim, now).await?;
    Ok(code)
}

/// Links the account to what the claim code is for. False where the code is not good or was tried
/// five times, the account is linked, or the resource is another account's.
pub async fn claim(
    store: &Store,
    account: &Account,
    typed: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let letters = totp::letters(typed);
    let Some(selector) = letters.get(..SELECTOR_LETTERS) else { return Ok(false) };
    let Some((hash, person)) = store.try_claim(selector, now).await? else { return Ok(false) };
    let is_right =
        aws_lc_rs::constant_time::verify_slices_are_equal(&hash, &crate::oauth::hash(&letters));
    let wanted = match person.key.resource_type.name() {
        "Practitioner" => account.role != Role::Patient,
        _ => true,
    };
    if is_right.is_err() || !wanted || account.person.is_some() {
        return Ok(false);
    }
    Ok(store.link_account(&account.account, &person, now).await?
        && store.remove_claim(selector).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_mail_has_one_form() {
        assert_eq!(email(" Amina@Hospital.Example ").as_deref(), Some("amina@hospital.example"));
        for wrong in ["", "amina", "@b.example", "a@", "a b@c.example", "a@b", "a@b.example\0"] {
            assert_eq!(email(wrong), None, "{wrong}");
        }
    }
}
