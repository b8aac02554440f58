//! Connections by address: one client alone must not take all the places that there are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections each address has.
pub struct Crowd {
    most: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The place of one connection, until dropped.
pub struct PlaceOfAddress {
    address: IpAddr,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Crowd {
    pub fn new(most: usize) -> Crowd {
        Crowd { most, counts: Arc::default() }
    }

    /// A place for one more connection of this address; None where it has as many as it may.
    /// A trusted proxy comes for many.
    pub fn enter(&self, address: IpAddr, is_proxy: bool) -> Option<PlaceOfAddress> {
        let address = address.to_canonical();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= self.most && !is_proxy {
            return None;
        }
        *count += 1;
        Some(PlaceOfAddress { address, counts: self.counts.clone() })
    }
}

impl Drop for PlaceOfAddress {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_connections_and_no_more() {
        let crowd = Crowd::new(2);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let first = crowd.enter(address, false).unwrap();
        let _second = crowd.enter("::ffff:192.0.2.1".parse().unwrap(), false).unwrap();
        assert!(crowd.enter(address, false).is_none());
        assert!(crowd.enter(address, true).is_some(), "a proxy comes for many");
        assert!(crowd.enter("192.0.2.2".parse().unwrap(), false).is_some());
        drop(first);
        assert!(crowd.enter(address, false).is_some());
    }
}
