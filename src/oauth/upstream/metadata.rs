//! What a provider says of itself: OpenID Connect Discovery 1.0.

use super::UpstreamError;
use crate::oauth::outbound::Outbound;
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use url::Url;

const BYTES: usize = 64 << 10;
const KEPT_FOR: Duration = Duration::from_secs(3_600);
/// After a failure nothing is fetched for so long.
const FETCHED_AGAIN: Duration = Duration::from_secs(10);

#[derive(Deserialize, Clone, Debug)]
pub struct Metadata {
    issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    /// Its answers name it (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Whether the client secret stands in `Authorization`, the default, or in the form.
    pub fn takes_basic(&self) -> bool {
        let methods = &self.token_endpoint_auth_methods_supported;
        methods.is_empty() || methods.iter().any(|method| method == "client_secret_basic")
    }

    /// The document of another issuer would send people, codes and secrets elsewhere.
    fn check(&self, issuer: &str) -> Result<(), UpstreamError> {
        let is_https = |url: &str| Url::parse(url).is_ok_and(|url| url.scheme() == "https");
        let all = [&self.authorization_endpoint, &self.token_endpoint, &self.jwks_uri];
        match self.issuer == issuer && all.into_iter().all(|url| is_https(url)) {
            true => Ok(()),
            false => Err(UpstreamError::Metadata),
        }
    }
}

/// The document of one provider, for an hour. Who holds it fetches, the others wait.
#[derive(Default)]
pub struct Kept(Mutex<(Option<Arc<Metadata>>, Option<Instant>)>);

impl Kept {
    /// The document of that issuer. Where it cannot be fetched anew the one of before is good.
    pub async fn of(
        &self,
        issuer: &str,
        outbound: &Outbound,
    ) -> Result<Arc<Metadata>, UpstreamError> {
        let mut kept = self.0.lock().await;
        let (document, tried) = &mut *kept;
        let is_due = |after: Duration| tried.is_none_or(|at| at.elapsed() >= after);
        let is_due = is_due(if document.is_some() { KEPT_FOR } else { FETCHED_AGAIN });
        if is_due {
            *tried = Some(Instant::now());
            match fetched(issuer, outbound).await {
                Ok(new) => *document = Some(Arc::new(new)),
                Err(error) => tracing::warn!(issuer, %error, "a provider's document is not there"),
            }
        }
        document.clone().ok_or(UpstreamError::Metadata)
    }
}

async fn fetched(issuer: &str, outbound: &Outbound) -> Result<Metadata, UpstreamError> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let fetched = outbound.get(&url, BYTES).await?;
    let metadata: Metadata =
        serde_json::from_slice(&fetched.body).map_err(|_| UpstreamError::Metadata)?;
    metadata.check(issuer)?;
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn as_52_a_document_is_that_of_its_issuer_and_leads_to_https() {
        let checked = |name: &str, value: &str| {
            let mut all = json!({
                "issuer": "https://idp.example", "authorization_endpoint": "https://idp.example/a",
                "token_endpoint": "https://idp.example/t", "jwks_uri": "https://idp.example/j"
            });
            all[name] = value.into();
            let metadata: Metadata = serde_json::from_value(all).unwrap();
            metadata.check("https://idp.example").is_ok()
        };
        assert!(checked("other", "x"));
        assert!(!checked("issuer", "https://evil.example"));
        assert!(!checked("issuer", "https://idp.example/"));
        for endpoint in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            assert!(!checked(endpoint, "http://idp.example/x"), "{endpoint}");
            assert!(!checked(endpoint, "javascript:alert(1)"), "{endpoint}");
        }
    }
}
