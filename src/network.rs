//! Addresses and networks, as an operator names them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// `10.0.0.0/8`, `::1/128`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
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

/// Whether an address is in one of the networks; where there are none every address is, and one
/// that is not known.
pub fn is_within(networks: &[Network], address: Option<IpAddr>) -> bool {
    let is_in = |address| networks.iter().any(|network| network.contains(address));
    networks.is_empty() || address.is_some_and(is_in)
}

fn same_prefix(a: u128, b: u128, free_bits: u8) -> bool {
    (a ^ b).checked_shr(free_bits.into()).unwrap_or(0) == 0
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The text is no address and no range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotANetwork(String);

impl fmt::Display for NotANetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not an address such as 10.0.0.1 or a range such as 10.0.0.0/8", self.0)
    }
}

impl std::error::Error for NotANetwork {}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let wrong = || NotANetwork(text.to_owned());
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
        Ok(Network { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_or_refused() {
        let contains = |range: &str, address: &str| {
            range.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("192.168.1.0/24", "192.168.1.77"));
        assert!(!contains("192.168.1.0/24", "192.168.2.1"));
        assert!(contains("0.0.0.0/0", "8.8.8.8"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(contains("127.0.0.1", "127.0.0.1"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(!contains("::/0", "8.8.8.8"));
        for text in ["", "10.0.0.0/33", "10.0.0", "::/129", "a/8", "10.0.0.0/-1"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
