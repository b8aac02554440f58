//! Who is at the other end, behind proxies that are trusted. `X-Forwarded-For` and `-Proto` of
//! anybody else are ignored; links are made of the base URL that is set, never of headers.

use crate::http::App;
use crate::http::certificates::Shown;
use crate::network::Network;
use axum::extract::Request;
use axum::http::HeaderMap;
use std::net::{IpAddr, SocketAddr};

/// The socket's peer, set by the accept loop.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The last address of the way here that is not a trusted proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientAddress(pub IpAddr);

/// Present where the client came over TLS.
#[derive(Clone, Copy, Debug)]
pub struct IsSecure;

/// Tells the request where it came from.
pub fn read(app: &App, request: &mut Request) {
    if let Some(Peer(peer)) = request.extensions().get::<Peer>().copied() {
        let trusted = &app.http.trusted_proxies;
        let client = client(peer.ip(), request.headers(), trusted);
        let is_proxied = is_trusted(peer.ip(), trusted);
        let is_secure = is_proxied && last(request.headers(), "x-forwarded-proto") == Some("https");
        // The certificate of a proxy is not that of whom it speaks for.
        let shown = match is_proxied {
            true => app.http.client_certificates.forwarded(request.headers()),
            false => request.extensions().get::<Shown>().cloned(),
        };
        if let Some(Shown(certificate)) = shown {
            request.extensions_mut().insert(certificate);
        }
        request.extensions_mut().insert(ClientAddress(client));
        if is_secure {
            request.extensions_mut().insert(IsSecure);
        }
    }
}

/// Walks the list from its end: each trusted proxy vouches for the address before it.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
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

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
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
        let trusted: Vec<Network> = trusted.iter().map(|range| range.parse().unwrap()).collect();
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
}
