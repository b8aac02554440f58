//! Over what people reach the pages, and how cookies are named there.

use crate::oauth::AuthorizationServer;

impl AuthorizationServer {
    /// Whether people reach it over TLS.
    pub fn is_https(&self) -> bool {
        self.issuer().starts_with("https://")
    }

    /// Passwords and cookies go over TLS, or stay on this machine.
    pub fn is_safe_for_people(&self) -> bool {
        let url = url::Url::parse(self.issuer()).ok();
        let is_loopback = match url.as_ref().and_then(url::Url::host) {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        self.is_https() || is_loopback
    }

    /// A cookie's name: of this host alone where there is TLS (RFC 6265bis, 4.1.3.2).
    pub fn cookie_name(&self, name: &'static str) -> &'static str {
        match (name, self.is_https()) {
            ("session", true) => "__Host-bhn-session",
            ("session", false) => "bhn-session",
            ("language", true) => "__Host-bhn-language",
            ("language", false) => "bhn-language",
            ("device", true) => "__Host-bhn-device",
            ("device", false) => "bhn-device",
            (_, true) => "__Host-bhn-visit",
            (_, false) => "bhn-visit",
        }
    }
}
