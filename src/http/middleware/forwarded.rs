//! Who is at the other end, behind proxies that are trusted. `X-Forwarded-For` and `-Proto` of
//! anybody else are ignored; links are made of the base URL that is set, never of headers.

use crate::http::App;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

/// The socket's peer, set by the accept loop.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The last address of the way here that is not a trusted proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientAddress(pub IpAddr);

/// Present where the client came over TLS.
#[derive(Clone, Copy, Debug)]
pub struct IsSecure;

/// `10.0.0.0/8`, `::1/128`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IpRange {
    address: IpAddr,
    bits: u8,
}

impl IpRange {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(address)) => {
                same_prefix(range.to_bits().into(), address.to_bits().into(), 32 - self.bits)
            }
            (IpAddr::V6(range), IpAddr::V6(address)) => {
                same_prefix(range.to_bits(), address.to_bits(), 128 - self.bits)
            }
            _ => false,
        }
    }
}

fn same_prefix(a: u128, b: u128, free_bits: u8) -> bool {
    (a ^ b).checked_shr(free_bits.into()).unwrap_or(0) == 0
}

/// The text is no address and no range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotARange(String);

impl fmt::Display for NotARange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not an address such as 10.0.0.1 or a range such as 10.0.0.0/8", self.0)
    }
}

impl std::error::Error for NotARange {}

impl FromStr for IpRange {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        let wrong = || NotARange(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address = address.trim().parse::<IpAddr>().map_err(|_| wrong())?.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits.trim().parse().ok().filter(|b| *b <= most).ok_or_else(wrong)?,
        };
        Ok(IpRange { address, bits })
    }
}

/// Tells the request where it came from.
pub async fn read(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    if let Some(Peer(peer)) = request.extensions().get::<Peer>().copied() {
        let trusted = &app.http.trusted_proxies;
        let client = client(peer.ip(), request.headers(), trusted);
        let is_proxied = is_trusted(peer.ip(), trusted);
        let is_secure = is_proxied && last(request.headers(), "x-forwarded-proto") == Some("https");
        request.extensions_mut().insert(ClientAddress(client));
        if is_secure {
            request.extensions_mut().insert(IsSecure);
        }
    }
    next.run(request).await
}

/// Walks the list from its end: each trusted proxy vouches for the address before it.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpRange]) -> IpAddr {
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    let hops = lines.iter().flat_map(|line| line.split(',')).rev();
    let mut client = peer.to_canonical();
    for hop in hops {
        if !is_trusted(client, trusted) {
            break;
        }
        match address(hop) {
            Some(address) => client = address,
            None => break,
        }
    }
    client
}

fn is_trusted(address: IpAddr, trusted: &[IpRange]) -> bool {
    trusted.iter().any(|range| range.contains(address))
}

/// An address, with a port or not.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let plain = hop.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let address = plain.or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", axum::http::HeaderValue::from_static(line));
        }
        let trusted: Vec<IpRange> = trusted.iter().map(|range| range.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn the_header_of_a_stranger_is_ignored() {
        assert_eq!(found("9.9.9.9", &["1.1.1.1"], &["10.0.0.0/8"]), "9.9.9.9");
        assert_eq!(found("9.9.9.9", &["1.1.1.1"], &[]), "9.9.9.9");
    }

    #[test]
    fn the_last_address_that_is_no_trusted_proxy_is_the_client() {
        let proxies = ["10.0.0.0/8", "::1"];
        assert_eq!(found("10.0.0.1", &["6.6.6.6, 1.1.1.1"], &proxies), "1.1.1.1");
        assert_eq!(found("10.0.0.1", &["6.6.6.6, 1.1.1.1, 10.2.3.4"], &proxies), "1.1.1.1");
        assert_eq!(found("10.0.0.1", &["6.6.6.6", "1.1.1.1:80"], &proxies), "1.1.1.1");
        assert_eq!(found("::1", &["[2001:db8::1]:443"], &proxies), "2001:db8::1");
        assert_eq!(found("::ffff:10.0.0.1", &["1.1.1.1"], &proxies), "1.1.1.1");
        assert_eq!(found("10.0.0.1", &["1.1.1.1, unknown"], &proxies), "10.0.0.1");
        assert_eq!(found("10.0.0.1", &[], &proxies), "10.0.0.1");
    }

    #[test]
    fn ranges_are_read_or_refused() {
        let contains = |range: &str, address: &str| {
            range.parse::<IpRange>().unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("192.168.1.0/24", "192.168.1.77"));
        assert!(!contains("192.168.1.0/24", "192.168.2.1"));
        assert!(contains("0.0.0.0/0", "8.8.8.8"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(!contains("::/0", "8.8.8.8"));
        for text in ["", "10.0.0.0/33", "10.0.0", "::/129", "a/8", "10.0.0.0/-1"] {
            assert!(text.parse::<IpRange>().is_err(), "{text}");
        }
    }
}
