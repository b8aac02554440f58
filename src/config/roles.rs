//! What roles may see beside the access matrix.

use clap::Args;
use std::sync::Arc;

/// Settings of the access matrix.
#[derive(Clone, Debug)]
pub struct RoleSettings {
    /// From which age on nobody acts for a patient; at least one.
    pub proxy_ages: Vec<ProxyAge>,
    /// Systems of identifiers that registrars give: registries are shown those of a Patient.
    pub registrar_systems: Arc<[String]>,
}

impl Default for RoleSettings {
    fn default() -> Self {
        let of_all = ProxyAge { jurisdiction: String::new(), years: 18 };
        RoleSettings { proxy_ages: vec![of_all], registrar_systems: Arc::default() }
    }
}

/// The age from which on nobody acts for a patient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProxyAge {
    /// Empty for where no other is named.
    pub jurisdiction: String,
    pub years: u8,
}

impl std::str::FromStr for ProxyAge {
    type Err = String;

    /// `18`, or `QC=14`.
    fn from_str(text: &str) -> Result<ProxyAge, String> {
        let (jurisdiction, years) = text.split_once('=').unwrap_or(("", text));
        let years = years.parse().map_err(|_| format!("'{years}' is no age in years"))?;
        Ok(ProxyAge { jurisdiction: jurisdiction.to_owned(), years })
    }
}

#[derive(Args, Clone, Debug)]
pub struct RoleConfig {
    /// Age from which on nobody acts for a patient, and others of jurisdictions: 18,QC=14.
    #[arg(long, env = "BHN_PROXY_AGES", value_delimiter = ',', default_value = "18")]
    pub proxy_ages: Vec<ProxyAge>,
    /// Systems of identifiers that registrars give, which registries are shown.
    #[arg(long, env = "BHN_REGISTRAR_SYSTEMS", value_delimiter = ',')]
    pub registrar_systems: Vec<String>,
}

impl RoleConfig {
    pub fn settings(&self) -> RoleSettings {
        RoleSettings {
            proxy_ages: self.proxy_ages.clone(),
            registrar_systems: self.registrar_systems.clone().into(),
        }
    }
}
