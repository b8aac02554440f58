//! Sign-in by providers of identities elsewhere, such as AWS Cognito: OpenID Connect Core 1.0, the
//! code flow with PKCE (RFC 7636). The crate `oauth2` speaks to them, by the one client for
//! addresses outside; what an id_token has to be is checked here.

mod exchange;
mod id_token;
mod metadata;
mod revalidate;
mod settings;

pub use exchange::{Answered, Begun, Proven};
pub use id_token::IdClaims;
pub use settings::ProvidersError;

use super::clients::ClientKeys;
use super::outbound::{Outbound, OutboundError};
use crate::access::Role;
use crate::error::{FhirError, Result};
use metadata::Kept;
use settings::{ProviderSettings, Registration, SecondFactor};
use std::path::Path;
use std::sync::Arc;

/// Why a provider did not sign somebody in. For the audit and the log; people are told less.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error("the discovery document is not there, or not that of the issuer")]
    Metadata,
    #[error("{0}")]
    Outbound(#[from] OutboundError),
    /// The provider says no: of the code, or of the refresh token.
    #[error("refused by the provider: {0}")]
    Refused(String),
    #[error("the token endpoint failed: {0}")]
    Failed(String),
    #[error("id_token: {0}")]
    IdToken(&'static str),
}

/// A provider that people may sign in by.
pub struct Provider {
    settings: ProviderSettings,
    secret: Option<String>,
    document: Kept,
}

/// All of them.
pub struct Upstream {
    providers: Vec<Provider>,
    outbound: Arc<Outbound>,
    keys: ClientKeys,
    issuer: String,
}

impl Upstream {
    /// Those of the file, none without one. `issuer` is this server, to which they send back.
    pub fn open(
        file: Option<&Path>,
        outbound: &Arc<Outbound>,
        issuer: &str,
    ) -> Result<Upstream, ProvidersError> {
        let read = file.map(settings::read).transpose()?.unwrap_or_default();
        let providers = read.into_iter().map(|(settings, secret)| Provider {
            settings,
            secret,
            document: Kept::default(),
        });
        Ok(Upstream {
            providers: providers.collect(),
            outbound: outbound.clone(),
            keys: ClientKeys::new(outbound.clone()),
            issuer: issuer.to_owned(),
        })
    }

    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.settings.id == id)
    }

    fn by_issuer(&self, issuer: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.settings.issuer == issuer)
    }

    /// Where a provider sends people back to: each has one of its own (AS-52).
    fn redirect_uri(&self, provider: &Provider) -> String {
        format!("{}/login/with/{}/callback", self.issuer, provider.settings.id)
    }
}

impl Provider {
    pub fn id(&self) -> &str {
        &self.settings.id
    }

    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// What its button says.
    pub fn button(&self, language: &str) -> &str {
        match language {
            "fr" => &self.settings.button.fr,
            _ => &self.settings.button.en,
        }
    }

    /// Whether the sign-in had a second factor that counts here.
    pub fn has_second_factor(&self, claims: &IdClaims) -> bool {
        match &self.settings.second_factor {
            SecondFactor::Never => false,
            SecondFactor::Amr(values) => claims.has_method(values),
            SecondFactor::Always => true,
        }
    }

    /// The role of who has no account yet; None where that person gets none.
    pub fn registers(&self, claims: &IdClaims) -> Option<Role> {
        match self.settings.registration {
            Registration::Everybody => self.listed(claims).or(Some(Role::Patient)),
            Registration::Mapped => self.listed(claims),
            Registration::Nobody => None,
        }
    }

    /// The role now of an account that got this one by the claims; None where they give none.
    pub fn still(&self, claims: &IdClaims, given: Role) -> Option<Role> {
        let is_patient =
            given == Role::Patient && self.settings.registration != Registration::Mapped;
        self.listed(claims).or(is_patient.then_some(Role::Patient))
    }

    /// The role by the allowlist.
    fn listed(&self, claims: &IdClaims) -> Option<Role> {
        let roles = self.settings.roles.as_ref()?;
        let own = claims.values(&roles.claim);
        let mut listed = roles.values.iter().filter(|(value, _)| own.contains(&value.as_str()));
        listed.find_map(|(_, role)| Role::parse(role))
    }
}

/// What seals what is kept of a person at a provider.
fn place(issuer: &str, subject: &str) -> String {
    format!("upstream refresh token\n{issuer}\n{subject}")
}

impl super::AuthorizationServer {
    /// A provider's refresh token as it is stored.
    pub fn seal_upstream(&self, (issuer, subject): (&str, &str), token: &str) -> Result<String> {
        self.keys.seal(&place(issuer, subject), token.as_bytes())
    }

    fn open_upstream(&self, (issuer, subject): (&str, &str), sealed: &str) -> Result<String> {
        let plain = self.keys.open_sealed(&place(issuer, subject), sealed)?;
        String::from_utf8(plain).map_err(FhirError::internal)
    }
}
