//! The file of providers (`BHN_IDENTITY_PROVIDERS`).

use crate::access::Role;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use url::Url;

const FILE_BYTES: u64 = 256 << 10;
const SECRET_BYTES: u64 = 4 << 10;
const MOST_PROVIDERS: usize = 20;

/// Why there are no providers.
#[derive(Debug, thiserror::Error)]
#[error("The file of identity providers {}: {why}", path.display())]
pub struct ProvidersError {
    path: PathBuf,
    why: String,
}

/// A provider as the operator describes it.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// Names it in URLs: lower-case letters, digits, `-`.
    pub id: String,
    /// What its button says, by language.
    pub button: Button,
    /// As its discovery document and its id_tokens have it.
    pub issuer: String,
    pub client_id: String,
    /// Holds the client secret; a public client has none.
    pub client_secret_file: Option<PathBuf>,
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// Who gets an account that has none.
    #[serde(default)]
    pub registration: Registration,
    pub roles: Option<RoleClaim>,
    /// What of the provider's sign-ins counts as a second factor.
    #[serde(default)]
    pub second_factor: SecondFactor,
    /// The provider is asked again at the first refresh after so many hours; 0 for never.
    #[serde(default = "default_hours")]
    pub revalidation_hours: u32,
}

/// Texts of a button.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct Button {
    pub en: String,
    pub fr: String,
}

/// Who gets an account here by signing in there.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// Nobody: accounts are linked by their persons.
    #[default]
    Nobody,
    /// Whom the claim of roles gives a role.
    Mapped,
    /// Everybody, as a patient where the claim gives no other role.
    Everybody,
}

/// The allowlist of roles: what is not in it gives none.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct RoleClaim {
    /// Such as `cognito:groups`.
    pub claim: String,
    /// Values of the claim and their roles. Of several, the first in the order of their names.
    pub values: BTreeMap<String, String>,
}

/// Which sign-ins there had a second factor.
#[derive(Deserialize, Clone, PartialEq, Eq, Default, Debug)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactor {
    /// None: it is asked for here.
    #[default]
    Never,
    /// Those with one of these values in `amr`.
    Amr(Vec<String>),
    /// All of them: the provider lets nobody in without.
    Always,
}

fn default_scopes() -> Vec<String> {
    ["openid", "email", "profile"].map(str::to_owned).to_vec()
}

fn default_hours() -> u32 {
    24
}

/// The providers of a file with their secrets. An error says what to mend, and shows no secret.
pub fn read(path: &Path) -> Result<Vec<(ProviderSettings, Option<String>)>, ProvidersError> {
    let failed = |why: String| ProvidersError { path: path.to_owned(), why };
    let text = bounded(path, FILE_BYTES).map_err(failed)?;
    let all: Vec<ProviderSettings> =
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    if all.len() > MOST_PROVIDERS {
        return Err(failed(format!("there are more than {MOST_PROVIDERS} providers")));
    }
    let mut read = Vec::new();
    for provider in all {
        let id = provider.id.clone();
        let named = |why: String| failed(format!("provider {id}: {why}"));
        let is_there = |other: &(ProviderSettings, _)| {
            other.0.id == provider.id || other.0.issuer == provider.issuer
        };
        if read.iter().any(is_there) {
            return Err(named("its id or issuer stands twice".to_owned()));
        }
        provider.check().map_err(named)?;
        let secret = provider.client_secret_file.as_deref();
        let secret = secret.map(|file| bounded(file, SECRET_BYTES)).transpose().map_err(named)?;
        let secret = secret.map(|secret| secret.trim().to_owned());
        if secret.as_deref() == Some("") {
            return Err(named("its client secret is empty".to_owned()));
        }
        read.push((provider, secret));
    }
    Ok(read)
}

/// The text of a file.
fn bounded(path: &Path, most: u64) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(most + 1).read_to_string(&mut text).map_err(failed)?;
    match text.len() as u64 > most {
        true => Err(format!("{}: it has more than {most} bytes", path.display())),
        false => Ok(text),
    }
}

impl ProviderSettings {
    fn check(&self) -> Result<(), String> {
        let is_of_id = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if self.id.is_empty() || self.id.len() > 40 || !self.id.bytes().all(is_of_id) {
            return Err("its id has other than lower-case letters, digits and -".to_owned());
        }
        let issuer = Url::parse(&self.issuer).ok().filter(|url| url.scheme() == "https");
        if issuer.is_none_or(|url| url.query().is_some() || url.fragment().is_some()) {
            return Err("its issuer is no https URL".to_owned());
        }
        if self.client_id.is_empty() {
            return Err("its client_id is empty".to_owned());
        }
        if !self.scopes.iter().any(|scope| scope == "openid") {
            return Err("its scopes lack openid".to_owned());
        }
        if self.registration == Registration::Mapped && self.roles.is_none() {
            return Err("registration is mapped, and there are no roles".to_owned());
        }
        let values = self.roles.iter().flat_map(|roles| roles.values.values());
        for value in values {
            // An administrator is made here, by an administrator (AS-53).
            match Role::parse(value) {
                Some(Role::Patient | Role::Doctor | Role::HospitalStaff) => {}
                _ => return Err(format!("it may not give the role {value}")),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn provider() -> Value {
        json!({
            "id": "cognito", "button": {"en": "Staff", "fr": "Personnel"},
            "issuer": "https://cognito-idp.ca-central-1.amazonaws.com/ca-central-1_a",
            "client_id": "app"
        })
    }

    fn read_of(value: &Value) -> Result<usize, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("providers.json");
        std::fs::write(&path, value.to_string()).unwrap();
        read(&path).map(|all| all.len()).map_err(|error| error.to_string())
    }

    fn with(changes: &Value) -> Value {
        let mut all = provider();
        for (name, value) in changes.as_object().unwrap() {
            all[name] = value.clone();
        }
        json!([all])
    }

    #[test]
    fn as_53_no_provider_makes_administrators() {
        let roles = |role: &str| json!({"roles": {"claim": "groups", "values": {"a": role}}});
        for role in ["patient", "doctor", "hospital_staff"] {
            assert_eq!(read_of(&with(&roles(role))), Ok(1), "{role}");
        }
        for role in ["admin", "registrar", "registry", "ehr_system", "root", ""] {
            assert!(read_of(&with(&roles(role))).is_err(), "{role}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_provider_is_said() {
        for (changes, said) in [
            (json!({"id": "Cognito"}), "its id has"),
            (json!({"issuer": "http://idp.example"}), "no https URL"),
            (json!({"scopes": ["email"]}), "lack openid"),
            (json!({"client_id": ""}), "client_id is empty"),
            (json!({"registration": "mapped"}), "no roles"),
            (json!({"registration": "all"}), "unknown variant"),
            (json!({"client_secret_file": "/not/there"}), "/not/there"),
            (json!({"tenant": "x"}), "unknown field"),
        ] {
            let error = read_of(&with(&changes)).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        assert!(read_of(&json!([provider(), provider()])).unwrap_err().contains("twice"));
        assert_eq!(read_of(&json!([])), Ok(0));
        assert!(read(Path::new("/not/there")).is_err());
    }
}
