//! Settings of the authorization server.

use super::DatabaseConfig;
use clap::{ArgAction, Args};
use std::path::PathBuf;

/// The key file, in the data folder where nothing else is said.
pub const KEY_FILE: &str = "signing-keys.key";
const ACCESS_TOKEN_SECONDS: u32 = 3_600;
const PRINCIPAL_MS: u32 = 1_000;
const RSA_BITS: u32 = 3_072;

/// How callers get their tokens, and how long what is known of them holds.
#[derive(Clone, Debug)]
pub struct OAuthSettings {
    /// The key in it seals the signing keys.
    pub key_file: PathBuf,
    /// Of new keys of id_tokens.
    pub rsa_bits: u32,
    /// Access tokens of people hold this long.
    pub access_token_seconds: u32,
    /// Those of our own applications at most, where the operator caps them, and their refresh
    /// tokens without use.
    pub first_party_caps: (Option<u32>, Option<u32>),
    /// What the database said of the bearer of a token holds this long.
    pub principal_ms: u32,
    /// Whether clients may register themselves.
    pub registration: bool,
    /// Whether proofs of DPoP have to have a nonce of the server.
    pub dpop_nonce: bool,
    /// Whether clients can show certificates.
    pub client_certificates: bool,
    /// `host:port` inside the network that may be called, such as for the keys of clients.
    pub outbound_hosts: Vec<String>,
    /// Authorities whose certificates are believed there, in PEM.
    pub outbound_ca: Option<PathBuf>,
    /// Providers of identities elsewhere, in JSON.
    pub providers: Option<PathBuf>,
    /// Who gives people access here, in JSON.
    pub brands: Option<PathBuf>,
}

impl Default for OAuthSettings {
    fn default() -> Self {
        OAuthSettings {
            key_file: KEY_FILE.into(),
            rsa_bits: RSA_BITS,
            access_token_seconds: ACCESS_TOKEN_SECONDS,
            first_party_caps: (None, None),
            principal_ms: PRINCIPAL_MS,
            registration: false,
            dpop_nonce: false,
            client_certificates: false,
            outbound_hosts: Vec::new(),
            outbound_ca: None,
            providers: None,
            brands: None,
        }
    }
}

/// The same as arguments.
#[derive(Args, Clone, Debug)]
pub struct SignInConfig {
    /// File with the key that seals the signing keys, signing-keys.key in --data by default.
    #[arg(long, env = "BHN_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// Seconds that an access token of a person holds.
    #[arg(long, env = "BHN_ACCESS_TOKEN_SECONDS", default_value_t = ACCESS_TOKEN_SECONDS,
        value_parser = clap::value_parser!(u32).range(60..=7200))]
    pub access_token_seconds: u32,
    /// Access tokens of our own applications hold no longer than this, such as 30m or 2h.
    #[arg(long, env = "JWT_EXPIRES_IN", value_parser = parse_seconds)]
    pub jwt_expires_in: Option<u32>,
    /// Refresh tokens of our own applications hold no longer than this without use, such as 7d.
    #[arg(long, env = "REFRESH_TOKEN_EXPIRES_IN", value_parser = parse_seconds)]
    pub refresh_token_expires_in: Option<u32>,
    /// Milliseconds after which a disabled account or a revoked grant is refused at the latest.
    #[arg(long, env = "BHN_PRINCIPAL_MS", default_value_t = PRINCIPAL_MS,
        value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub principal_ms: u32,
    /// Bits of new RSA keys: 2048, 3072 or 4096.
    #[arg(long, env = "BHN_RSA_BITS", default_value_t = RSA_BITS)]
    pub rsa_bits: u32,
    /// Whether applications may register themselves (RFC 7591).
    #[arg(long, env = "BHN_CLIENT_REGISTRATION", default_value_t = false, action = ArgAction::Set)]
    pub registration: bool,
    /// Whether proofs of DPoP (RFC 9449) have to have a nonce of this server.
    #[arg(long, env = "BHN_DPOP_NONCE", default_value_t = false, action = ArgAction::Set)]
    pub dpop_nonce: bool,
    /// host:port inside of the network that the server may call.
    #[arg(long, env = "BHN_OUTBOUND_HOSTS", value_delimiter = ',')]
    pub outbound_hosts: Vec<String>,
    /// PEM file of authorities that are believed there beside the public ones.
    #[arg(long, env = "BHN_OUTBOUND_CA")]
    pub outbound_ca: Option<PathBuf>,
    /// JSON file of the OpenID providers that people may sign in by, such as AWS Cognito.
    #[arg(long, env = "BHN_IDENTITY_PROVIDERS")]
    pub identity_providers: Option<PathBuf>,
    /// JSON file of the brands that give people access here (SMART, User-access Brands).
    #[arg(long, env = "BHN_BRANDS")]
    pub brands: Option<PathBuf>,
}

impl SignInConfig {
    pub fn settings(&self, database: &DatabaseConfig) -> OAuthSettings {
        let key_file = self.key_file.clone();
        OAuthSettings {
            key_file: key_file.unwrap_or_else(|| database.data.join(KEY_FILE)),
            rsa_bits: self.rsa_bits,
            access_token_seconds: self.access_token_seconds,
            first_party_caps: (self.jwt_expires_in, self.refresh_token_expires_in),
            principal_ms: self.principal_ms,
            registration: self.registration,
            dpop_nonce: self.dpop_nonce,
            client_certificates: false,
            outbound_hosts: self.outbound_hosts.clone(),
            outbound_ca: self.outbound_ca.clone(),
            providers: self.identity_providers.clone(),
            brands: self.brands.clone(),
        }
    }
}

/// `90s`, `30m`, `2h` or `7d`, of a minute to a year. A number alone is refused: programs differ in
/// whether it is seconds or milliseconds.
fn parse_seconds(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text} is no time such as 90s, 30m, 2h or 7d, of a minute to a year");
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let found = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let (number, seconds) = found.ok_or_else(wrong)?;
    let all = number.trim().parse::<u32>().ok().and_then(|number| number.checked_mul(seconds));
    all.filter(|all| (60..=365 * 86_400).contains(all)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_of_tokens_have_a_unit() {
        for (text, seconds) in [("2h", 7_200), ("7d", 604_800), ("30m", 1_800), ("90s", 90)] {
            assert_eq!(parse_seconds(text), Ok(seconds));
        }
        for wrong in ["7200", "", "h", "-1h", "1.5h", "2 weeks", "10s", "400d", "99999999d"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }
}
