//! Everything that pages say, in English and French, in one catalogue: a text that one language
//! lacks does not compile.

mod catalogue;

pub use catalogue::Texts;

use super::visit::languages;
use crate::access::Role;
use crate::oauth::accounts::password_rules::Refused;
use axum::http::HeaderMap;
use catalogue::{ENGLISH, FRENCH};

/// The texts of a language tag: French for `fr` and what begins so, else English.
pub fn of_language(tag: &str) -> &'static Texts {
    match is_french(tag) {
        true => &FRENCH,
        false => &ENGLISH,
    }
}

fn is_french(tag: &str) -> bool {
    primary(tag).eq_ignore_ascii_case("fr")
}

fn primary(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or_default()
}

/// The language of `ui_locales` (OpenID Connect Core, 3.1.2.1), if it is one of ours.
pub fn asked(query: Option<&str>) -> Option<&'static str> {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let (_, tags) = pairs.into_iter().find(|(name, _)| name == "ui_locales")?;
    tags.split(' ').find_map(known)
}

fn known(tag: &str) -> Option<&'static str> {
    let primary = primary(tag).to_ascii_lowercase();
    ["en", "fr"].into_iter().find(|own| *own == primary)
}

/// By `ui_locales`, then by what was chosen before, then by `Accept-Language`.
pub fn of_request(query: Option<&str>, headers: &HeaderMap) -> &'static Texts {
    let chosen = asked(query).map(str::to_owned);
    let all = chosen.into_iter().chain(languages(headers));
    let tag = all.into_iter().find_map(|tag| known(&tag));
    of_language(tag.unwrap_or("en"))
}

/// The text with the value where it has `{}`.
pub fn filled(text: &str, value: impl std::fmt::Display) -> String {
    text.replace("{}", &value.to_string())
}

impl Texts {
    /// For what no person reads.
    pub fn english() -> &'static Texts {
        &ENGLISH
    }

    /// Why a password is not taken.
    pub fn refused_password(&self, refused: Refused) -> String {
        match refused {
            Refused::TooShort(least) => filled(self.least_characters, least),
            Refused::TooLong => self.password_too_long.to_owned(),
            Refused::Breached => self.password_breached.to_owned(),
            Refused::Personal => self.password_personal.to_owned(),
        }
    }

    pub fn role(&self, role: Role) -> &'static str {
        match role {
            Role::Patient => self.role_patient,
            Role::Doctor => self.role_doctor,
            Role::HospitalStaff => self.role_staff,
            Role::Admin => self.role_admin,
            Role::Registrar => self.role_registrar,
            Role::Registry | Role::EhrSystem => self.role_system,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use axum::http::header::ACCEPT_LANGUAGE;

    #[test]
    fn the_language_is_the_first_of_ours_that_is_asked_for() {
        let of = |query: Option<&str>, accepted: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(accepted));
            of_request(query, &headers).lang
        };
        assert_eq!(of(None, "fr-CA, en;q=0.5"), "fr");
        assert_eq!(of(None, "en;q=0.5, fr;q=0.9"), "fr");
        assert_eq!(of(None, "de, en;q=0.8, fr;q=0.5"), "en");
        assert_eq!(of(None, ""), "en");
        assert_eq!(of(Some("ui_locales=de%20fr-CA"), "en"), "fr");
        assert_eq!(of(Some("ui_locales=xx"), "fr"), "fr");
    }
}
