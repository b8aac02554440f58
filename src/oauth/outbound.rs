//! The one client for addresses that others have chosen: keys of clients, providers of
//! identities, endpoints of subscriptions. It calls public addresses over TLS alone, so that
//! nobody reaches the inside of a network through this server.

use crate::network::Network;
use reqwest::Certificate;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::{Host, Url};

const CONNECTED_WITHIN: Duration = Duration::from_secs(3);
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
const HTTPS: u16 = 443;

/// Networks that are nobody's on the Internet (IANA special-purpose registries).
const PRIVATE: [&str; 27] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "::/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// Why nothing was fetched. For the log; clients are told nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("only https URLs without user and fragment are called")]
    Url,
    #[error("the port {0} is not called")]
    Port(u16),
    #[error("the host has no address")]
    Unknown,
    #[error("the host has an address that is not public")]
    NotPublic,
    #[error("the answer has status {0}")]
    Status(u16),
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("{0}")]
    Http(#[from] reqwest::Error),
}

/// The authorities of the operator cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("The file of authorities {}: {why}", path.display())]
pub struct AuthorityError {
    path: PathBuf,
    why: String,
}

/// The certificates of a PEM file.
fn authorities(path: &Path) -> Result<Vec<Certificate>, AuthorityError> {
    let failed = |why: String| AuthorityError { path: path.to_owned(), why };
    let pem = std::fs::read(path).map_err(|error: io::Error| failed(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.to_string()))?;
    match found.is_empty() {
        true => Err(failed("it has no certificate".to_owned())),
        false => Ok(found),
    }
}

/// What was fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub body: Vec<u8>,
    pub cache_control: Option<String>,
}

/// Calls others.
pub struct Outbound {
    private: Vec<Network>,
    /// `host:port` that may be called whatever their addresses are.
    allowed: Vec<String>,
    /// Believed beside those that everybody believes.
    authorities: Vec<Certificate>,
}

impl Outbound {
    /// `file` has further authorities, in PEM.
    pub fn open(allowed: &[String], file: Option<&Path>) -> Result<Outbound, AuthorityError> {
        let authorities = file.map(authorities).transpose()?.unwrap_or_default();
        Ok(Outbound { authorities, ..Outbound::new(allowed) })
    }

    fn new(allowed: &[String]) -> Outbound {
        let private = PRIVATE.iter().filter_map(|network| network.parse().ok()).collect();
        let allowed = allowed.iter().map(|host| host.to_ascii_lowercase()).collect();
        Outbound { private, allowed, authorities: Vec::new() }
    }

    /// `GET`, without redirects. An error for any status but 200, and for more bytes than `most`.
    pub async fn get(&self, url: &str, most: usize) -> Result<Fetched, OutboundError> {
        let url = Url::parse(url).map_err(|_| OutboundError::Url)?;
        let client = self.client(&url).await?;
        let request = client.get(url).header("Accept", "application/json");
        let (head, body) = answered(request, most).await?;
        if head.status.as_u16() != 200 {
            return Err(OutboundError::Status(head.status.as_u16()));
        }
        let cache_control = head.headers.get("cache-control");
        let cache_control = cache_control.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Fetched { body, cache_control })
    }

    /// Sends the request as it is, without redirects; the answer whatever its status.
    pub async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        most: usize,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string()).map_err(|_| OutboundError::Url)?;
        let client = self.client(&url).await?;
        let request = client.request(head.method, url).headers(head.headers).body(body);
        let (head, body) = answered(request, most).await?;
        Ok(http::Response::from_parts(head, body))
    }

    /// A client that connects to the addresses that were checked, and looks none up again: another
    /// answer of the name server would go around the check.
    async fn client(&self, url: &Url) -> Result<reqwest::Client, OutboundError> {
        let (host, addresses) = self.resolve(url).await?;
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .https_only(true)
            .tls_certs_merge(self.authorities.iter().cloned())
            .referer(false)
            .connect_timeout(CONNECTED_WITHIN)
            .timeout(ANSWERED_WITHIN)
            .resolve_to_addrs(&host, &addresses);
        Ok(builder.build()?)
    }

    /// The host and its addresses, all of which are public unless the operator allowed the host.
    async fn resolve(&self, url: &Url) -> Result<(String, Vec<SocketAddr>), OutboundError> {
        let is_plain = url.username().is_empty() && url.password().is_none();
        let host = url.host().filter(|_| url.scheme() == "https" && is_plain);
        let host = host.filter(|_| url.fragment().is_none()).ok_or(OutboundError::Url)?;
        let port = url.port().unwrap_or(HTTPS);
        let name = host.to_string().to_ascii_lowercase();
        let is_allowed = self.allowed.contains(&format!("{name}:{port}"));
        if port != HTTPS && !is_allowed {
            return Err(OutboundError::Port(port));
        }
        let addresses: Vec<SocketAddr> = match host {
            Host::Ipv4(address) => vec![(address, port).into()],
            Host::Ipv6(address) => vec![(address, port).into()],
            Host::Domain(domain) => {
                let found = tokio::net::lookup_host((domain, port));
                let found = tokio::time::timeout(CONNECTED_WITHIN, found).await;
                let found = found.ok().and_then(Result::ok).ok_or(OutboundError::Unknown)?;
                found.collect()
            }
        };
        match addresses.iter().all(|address| is_allowed || self.is_public(address.ip())) {
            _ if addresses.is_empty() => Err(OutboundError::Unknown),
            true => Ok((name, addresses)),
            false => Err(OutboundError::NotPublic),
        }
    }

    fn is_public(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        !self.private.iter().any(|network| network.contains(address))
    }
}

/// Sends a request and reads the answer, up to so many bytes.
async fn answered(
    request: reqwest::RequestBuilder,
    most: usize,
) -> Result<(http::response::Parts, Vec<u8>), OutboundError> {
    let mut response = request.send().await?;
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > most {
            return Err(OutboundError::TooLarge(most));
        }
        body.extend_from_slice(&piece);
    }
    let mut head = http::Response::new(());
    *head.status_mut() = response.status();
    *head.headers_mut() = response.headers().clone();
    Ok((head.into_parts().0, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(url: &str) -> OutboundError {
        Outbound::new(&[]).get(url, 1_024).await.expect_err(url)
    }

    #[test]
    fn every_private_network_is_understood() {
        assert_eq!(Outbound::new(&[]).private.len(), PRIVATE.len());
    }

    #[tokio::test]
    async fn rt_132_addresses_that_are_not_public_are_not_called() {
        let hosts = [
            "169.254.169.254",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:10.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fd00::1]",
            "[fe80::1]",
            "localhost",
        ];
        for host in hosts {
            let error = refused(&format!("https://{host}/jwks.json")).await;
            assert!(matches!(error, OutboundError::NotPublic), "{host}: {error}");
        }
        for public in ["8.8.8.8", "2600:1f18::1"] {
            assert!(Outbound::new(&[]).is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn in_35_only_https_at_its_port_is_called() {
        for url in ["http://8.8.8.8/", "ftp://8.8.8.8/", "https://u@8.8.8.8/", "https://8.8.8.8/#f"]
        {
            assert!(matches!(refused(url).await, OutboundError::Url), "{url}");
        }
        assert!(matches!(refused("https://8.8.8.8:8443/").await, OutboundError::Port(8443)));
        let inside = Outbound::new(&["LocalHost:8443".to_owned()]);
        let resolved = |url: &str| {
            let url = Url::parse(url).unwrap();
            let inside = &inside;
            async move { inside.resolve(&url).await }
        };
        assert!(resolved("https://localhost:8443/jwks").await.is_ok());
        assert!(resolved("https://localhost:8444/jwks").await.is_err());
        assert!(resolved("https://localhost/jwks").await.is_err());
    }
}
