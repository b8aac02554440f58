//! Time-based one-time passwords (RFC 6238): SHA-1, six digits, 30 seconds, one step of tolerance,
//! which is what authenticator apps know.

use super::secrets;
use crate::error::{FhirError, Result};
use qrcode::QrCode;
use qrcode::render::svg;
use totp_rs::{Builder, Secret, Totp};

const SECRET_BYTES: usize = 20;
const RECOVERY_CODES: usize = 10;
/// Crockford's base32: no letter is taken for another.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new secret.
pub fn new_secret() -> Result<Vec<u8>> {
    Ok(crate::oauth::secrets::random::<SECRET_BYTES>()?.to_vec())
}

/// The step of which the code is, at most one before or after that of `now` (seconds of Unix).
pub fn step_of(secret: &[u8], code: &str, now: i64) -> Option<i64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let is_code = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
    if !is_code {
        return None;
    }
    let step = of_secret(secret).ok()?.check(&code, u64::try_from(now).ok()?)?;
    i64::try_from(step).ok()
}

fn of_secret(secret: &[u8]) -> Result<Totp> {
    let built = Builder::new().with_secret(Secret::from(secret.to_vec())).build();
    built.map_err(|error| FhirError::internal(error.to_string()))
}

/// The secret for people to type: base32 in groups of four.
pub fn key_text(secret: &[u8]) -> String {
    let text = Secret::from(secret.to_vec()).to_base32();
    let groups: Vec<&str> = (0..text.len()).step_by(4).filter_map(|at| group(&text, at)).collect();
    groups.join(" ")
}

fn group(text: &str, at: usize) -> Option<&str> {
    text.get(at..text.len().min(at + 4))
}

/// `otpauth://totp/...` as a picture, `<svg>` and its content.
pub fn picture(secret: &[u8], issuer: &str, email: &str) -> Result<String> {
    let mut url = url::Url::parse("otpauth://totp/").map_err(FhirError::internal)?;
    url.set_path(&format!("{issuer}:{email}"));
    let text = Secret::from(secret.to_vec()).to_base32();
    url.query_pairs_mut().append_pair("secret", &text).append_pair("issuer", issuer);
    let code = QrCode::new(url.as_str()).map_err(FhirError::internal)?;
    let svg = code.render::<svg::Color>().min_dimensions(220, 220).quiet_zone(true).build();
    let at = svg.find("<svg").unwrap_or_default();
    Ok(svg[at..].replacen("<svg", "<svg role=\"img\" aria-labelledby=\"key\"", 1))
}

/// New codes for who has lost the second factor: ten of 80 random bits.
pub fn recovery_codes() -> Result<Vec<String>> {
    (0..RECOVERY_CODES).map(|_| code::<16>()).collect()
}

/// A code that people can type: five random bits a letter, in groups of four.
pub fn code<const N: usize>() -> Result<String> {
    let letters =
        crate::oauth::secrets::random::<N>()?.map(|byte| LETTERS[usize::from(byte % 32)] as char);
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-"))
}

/// The letters of a code as it is stored: without what people write between and around.
pub fn letters(typed: &str) -> String {
    let letters = typed.chars().filter(char::is_ascii_alphanumeric);
    let meant = letters.map(|c| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        c => c,
    });
    meant.collect()
}

/// How a recovery code is stored.
pub fn recovery_hash(account: &str, code: &str) -> Vec<u8> {
    secrets::hash_of(account, &letters(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the last six digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            assert_eq!(step_of(secret, code, time), Some(time / 30));
            assert_eq!(step_of(secret, code, time + 30), Some(time / 30));
            assert_eq!(step_of(secret, code, time - 30), Some(time / 30));
            assert_eq!(step_of(secret, code, time + 60), None);
        }
        for wrong in ["", "28708", "2870822", "28708a", "٢٨٧٠٨٢"] {
            assert_eq!(step_of(secret, wrong, 59), None, "{wrong}");
        }
        assert_eq!(step_of(secret, "287 082", 59), Some(1));
    }

    #[test]
    fn a_picture_is_an_svg_and_nothing_before_it() {
        let picture = picture(b"12345678901234567890", "BHN", "amina@hospital.example").unwrap();
        assert!(picture.starts_with("<svg role"), "{picture}");
        assert_eq!(key_text(b"12345678901234567890"), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
    }

    #[test]
    fn recovery_codes_differ_and_are_read_as_people_type_them() {
        let codes = recovery_codes().unwrap();
        assert_eq!(codes.len(), 10);
        let distinct: std::collections::HashSet<&String> = codes.iter().collect();
        assert_eq!(distinct.len(), 10);
        let typed = codes[0].to_uppercase().replace('-', " ").replace('0', "O");
        assert_eq!(recovery_hash("a", &codes[0]), recovery_hash("a", &typed));
        assert_ne!(recovery_hash("a", &codes[0]), recovery_hash("b", &codes[0]));
    }
}
