//! Hashes of passwords: argon2id of OWASP's least cost (m=19456 KiB, t=2, p=1) for new ones, bcrypt
//! of older systems until the next sign-in.

use crate::error::{FhirError, Result};
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Of bcrypt hashes that are taken over.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=15;
/// What bcrypt reads of a password; a longer one would equal another one.
const BCRYPT_BYTES: usize = 72;
/// Hashes that may wait; more are refused, so that sign-ins never starve the rest.
const WAITING: usize = 64;

/// Whether a password was right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Right,
    /// The hash is of an older kind, and should be made anew.
    RightButOld,
    Wrong,
}

/// Hashes passwords, on as many threads as there are cores.
pub struct Passwords {
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// What the password of nobody is compared with: a hash of the cost of all others, of random bits
/// that nobody has kept.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1\
     $KSEJQZA0YgEIC5knjz2Nsg$M1i3ZwDiEPNwODJdF3QvwhvEkAo3gJAFLc8gi2iueJg";

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords::new()
    }
}

impl Passwords {
    pub fn new() -> Passwords {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let places = Arc::new(Semaphore::new(cores + WAITING));
        Passwords { running: Arc::new(Semaphore::new(cores)), places }
    }

    /// PHC string of a password. 503 where too many wait.
    pub async fn hash(&self, password: &str) -> Result<String> {
        let password = normal(password);
        self.aside(move || hashed(&password)).await?
    }

    /// Compares. Without a stored hash this takes as long, and is wrong.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<Verdict> {
        let password = normal(password);
        let is_known = stored.is_some();
        let stored = stored.unwrap_or(NOBODY).to_owned();
        let verdict = self.aside(move || verdict(&password, &stored)).await?;
        Ok(if is_known { verdict } else { Verdict::Wrong })
    }

    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let busy = || FhirError::unavailable("Too many people sign in at this moment");
        let _place = self.places.try_acquire().map_err(|_| busy())?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| busy())?;
        let work = move || {
            let done = work();
            drop(running);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(FhirError::internal)
    }
}

/// Unicode's form NFC, so that one keyboard's accents are another's.
pub fn normal(password: &str) -> String {
    password.nfc().collect()
}

fn argon2id() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None);
    let params = params.map_err(|error| FhirError::internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hashed(password: &str) -> Result<String> {
    let internal = |error: argon2::password_hash::Error| FhirError::internal(error.to_string());
    let salt = SaltString::encode_b64(&crate::oauth::secrets::random::<16>()?).map_err(internal)?;
    let hash = argon2id()?.hash_password(password.as_bytes(), &salt).map_err(internal)?;
    Ok(hash.to_string())
}

fn verdict(password: &str, stored: &str) -> Verdict {
    if ["$2a$", "$2b$", "$2y$"].iter().any(|kind| stored.starts_with(kind)) {
        return of_bcrypt(password, stored);
    }
    let Ok(parsed) = PasswordHash::new(stored) else { return Verdict::Wrong };
    let is_current = Params::try_from(&parsed).is_ok_and(|params| {
        let cost = (params.m_cost(), params.t_cost(), params.p_cost());
        cost == (MEMORY_KIB, PASSES, LANES) && parsed.algorithm.as_str() == "argon2id"
    });
    match Argon2::default().verify_password(password.as_bytes(), &parsed) {
        Ok(()) if is_current => Verdict::Right,
        Ok(()) => Verdict::RightButOld,
        Err(_) => Verdict::Wrong,
    }
}

/// bcrypt ends at 72 bytes and at a NUL: such a password is never right, or two would be.
fn of_bcrypt(password: &str, stored: &str) -> Verdict {
    let cost = stored.get(4..6).and_then(|cost| cost.parse().ok());
    let is_whole = password.len() <= BCRYPT_BYTES && !password.contains('\0');
    let is_taken = cost.is_some_and(|cost: u32| BCRYPT_COSTS.contains(&cost));
    match is_taken && bcrypt::verify(password, stored).unwrap_or(false) && is_whole {
        true => Verdict::RightButOld,
        false => Verdict::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_40_new_hashes_are_argon2id_of_the_least_cost() {
        let hash = hashed("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(verdict("correct horse", &hash), Verdict::Right);
        assert_eq!(verdict("correct horsf", &hash), Verdict::Wrong);
        assert_eq!(verdict("x", "no hash"), Verdict::Wrong);
    }

    #[test]
    fn rt_139_the_hash_of_nobody_costs_as_much_as_any() {
        let params = Params::try_from(&PasswordHash::new(NOBODY).unwrap()).unwrap();
        let cost = (params.m_cost(), params.t_cost(), params.p_cost());
        assert_eq!(cost, (MEMORY_KIB, PASSES, LANES));
        assert_eq!(verdict("", NOBODY), Verdict::Wrong);
    }

    #[test]
    fn as_40_bcrypt_of_older_systems_is_right_and_old() {
        let hash = bcrypt::hash("correct horse", 4).unwrap();
        for kind in ["$2a$", "$2b$", "$2y$"] {
            let stored = hash.replacen("$2b$", kind, 1);
            assert_eq!(verdict("correct horse", &stored), Verdict::RightButOld, "{kind}");
            assert_eq!(verdict("correct horsf", &stored), Verdict::Wrong, "{kind}");
        }
    }

    #[test]
    fn rt_141_no_two_passwords_are_equal_by_truncation() {
        let long = "a".repeat(72);
        let hash = bcrypt::hash(&long, 4).unwrap();
        assert_eq!(verdict(&long, &hash), Verdict::RightButOld);
        assert_eq!(verdict(&format!("{long}b"), &hash), Verdict::Wrong);
        let hash = hashed("before\0after").unwrap();
        assert_eq!(verdict("before\0after", &hash), Verdict::Right);
        assert_eq!(verdict("before", &hash), Verdict::Wrong);
        assert_eq!(verdict("before\0", &hash), Verdict::Wrong);
        let hash = bcrypt::hash("before", 4).unwrap();
        assert_eq!(verdict("before\0after", &hash), Verdict::Wrong);
    }

    #[test]
    fn accents_of_any_keyboard_are_the_same() {
        assert_eq!(normal("e\u{301}t\u{e9}"), normal("\u{e9}te\u{301}"));
    }
}
