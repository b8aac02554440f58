//! Which passwords are taken (NIST SP 800-63B, 5.1.1): long ones that nobody else is known to
//! use. No rules of composition.

use super::passwords::normal;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Characters where it is the only factor, and where there is a second one.
pub const LEAST_ALONE: usize = 12;
pub const LEAST_WITH_FACTOR: usize = 8;
pub const MOST_BYTES: usize = 1_024;

/// Passwords of eight characters and more among the 30,000 that stand most often in published
/// breaches, in lower case: `data/passwords.txt` of zxcvbn 4.4.2, (c) Dropbox, MIT licence.
static BREACHED: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("breached_passwords.txt").lines().collect());

/// Why a password is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    TooShort(usize),
    TooLong,
    /// Stands in lists of breached passwords, also with figures or signs around it.
    Breached,
    /// Is the name or address of the person.
    Personal,
}

/// Checks a new password of the person with this name and address.
pub fn check(password: &str, least: usize, person: [&str; 2]) -> Result<(), Refused> {
    let password = normal(password);
    if password.len() > MOST_BYTES {
        return Err(Refused::TooLong);
    }
    if password.chars().count() < least {
        return Err(Refused::TooShort(least));
    }
    let lower = password.to_lowercase();
    let bare = lower.trim_matches(|c: char| !c.is_alphabetic());
    let is_one_character = lower.chars().all(|c| lower.starts_with(c));
    if is_one_character || BREACHED.contains(lower.as_str()) || BREACHED.contains(bare) {
        return Err(Refused::Breached);
    }
    let own = person.map(|text| normal(text).to_lowercase());
    let local = own[1].split('@').next().unwrap_or_default().to_owned();
    let is_personal = |own: &String| !own.is_empty() && (*own == lower || *own == bare);
    match own.iter().chain([&local]).any(is_personal) {
        true => Err(Refused::Personal),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMINA: [&str; 2] = ["Amina Example", "amina.example@hospital.example"];

    #[test]
    fn as_42_length_counts_and_nothing_else_of_composition() {
        assert_eq!(check("nur kleine buchstaben", 12, AMINA), Ok(()));
        assert_eq!(check("গোপন শব্দগুলি এখানে", 12, AMINA), Ok(()));
        assert_eq!(check("elevenchars", 12, AMINA), Err(Refused::TooShort(12)));
        assert_eq!(check("elevenchars", 8, AMINA), Ok(()));
        assert_eq!(check(&"a b".repeat(400), 12, AMINA), Err(Refused::TooLong));
    }

    #[test]
    fn as_42_breached_passwords_are_not_taken() {
        for breached in
            ["123qweasdzxc", "Password1234", "password", "!!iloveyou!!2024", "aaaaaaaaaaaa"]
        {
            assert_eq!(check(breached, 8, AMINA), Err(Refused::Breached), "{breached}");
        }
    }

    #[test]
    fn the_name_and_the_address_are_no_passwords() {
        for own in ["amina example", "Amina.Example@hospital.example", "amina.example2024"] {
            assert_eq!(check(own, 8, AMINA), Err(Refused::Personal), "{own}");
        }
    }
}
