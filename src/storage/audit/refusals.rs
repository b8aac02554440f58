//! Strangers may be refused as often as they like, but not fill the disk: of each address a
//! number of refusals is written down in a minute, the rest is counted and told with the next.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};

/// Refusals of one address that are written down in one minute.
const OF_ADDRESS: u64 = 60;
/// Refusals of all strangers that are written down in one minute.
const OF_ALL: u64 = 3_000;
/// Addresses that are told apart; all others are one.
const ADDRESSES: usize = 10_000;

#[derive(Default)]
pub struct Refusals(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    minute: i64,
    written: u64,
    of_address: HashMap<Option<IpAddr>, Count>,
}

#[derive(Default)]
struct Count {
    written: u64,
    /// Not written down, and not told yet.
    left_out: u64,
}

impl Refusals {
    /// Whether a refusal at this time (seconds of the Unix epoch) is written down, and how many
    /// before it were not.
    pub fn admit(&self, address: Option<IpAddr>, now: i64) -> Option<u64> {
        let mut counts = self.counts();
        if counts.minute != now / 60 {
            counts.minute = now / 60;
            counts.written = 0;
            counts.of_address.retain(|_, count| {
                count.written = 0;
                count.left_out > 0
            });
        }
        let is_known = counts.of_address.contains_key(&address);
        let address = match is_known || counts.of_address.len() < ADDRESSES {
            true => address,
            false => None,
        };
        let is_over = counts.written >= OF_ALL;
        let count = counts.of_address.entry(address).or_default();
        if is_over || count.written >= OF_ADDRESS {
            count.left_out += 1;
            return None;
        }
        count.written += 1;
        let left_out = std::mem::take(&mut count.left_out);
        counts.written += 1;
        Some(left_out)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told_with_the_next() {
        let refusals = Refusals::default();
        let address = Some(IpAddr::from([192, 0, 2, 1]));
        for _ in 0..OF_ADDRESS {
            assert_eq!(refusals.admit(address, 0), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(refusals.admit(address, 59), None);
        }
        assert_eq!(refusals.admit(Some(IpAddr::from([192, 0, 2, 2])), 59), Some(0));
        assert_eq!(refusals.admit(address, 60), Some(7));
        assert_eq!(refusals.admit(address, 61), Some(0));
    }

    #[test]
    fn many_addresses_are_bounded_too() {
        let refusals = Refusals::default();
        let address = |number: u64| Some(IpAddr::from((number as u128 + 1).to_be_bytes()));
        let written =
            (0..30_000).filter(|number| refusals.admit(address(*number), 0).is_some()).count();
        assert_eq!(written as u64, OF_ALL);
        assert!(refusals.counts().of_address.len() <= ADDRESSES + 1);
    }
}
