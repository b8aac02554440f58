//! How many requests a caller may send: a bucket for each user of each client, for each backend
//! service, and for each address of strangers. Buckets are those of this process; nobody waits in
//! one, who comes too often is told so.

use crate::access::{Asker, Caller};
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::interaction::{Interaction, OperationScope};
use governor::clock::DefaultClock;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use serde_json::Value;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

/// Requests a second, and how many may come at once; 0 a second for no bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

/// The rates of each kind of caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateSettings {
    /// A user in one client.
    pub user: Rate,
    /// A backend service.
    pub system: Rate,
    /// An address whose requests bring no good token.
    pub address: Rate,
}

impl Default for RateSettings {
    fn default() -> Self {
        RateSettings {
            user: Rate { per_second: 50, burst: 200 },
            system: Rate { per_second: 200, burst: 1_000 },
            address: Rate { per_second: 20, burst: 100 },
        }
    }
}

/// What a search weighs; a read weighs 1.
const SEARCH: u32 = 3;
/// Whole records.
const OPERATION: u32 = 20;
/// Callers between two times that the buckets of those who left are given back.
const TIDIED_AFTER: u32 = 10_000;

type Buckets<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock>;

/// The buckets of this process.
pub struct Rates {
    users: Option<Bounded<(String, String)>>,
    systems: Option<Bounded<String>>,
    addresses: Option<Bounded<IpAddr>>,
}

struct Bounded<K: Hash + Eq + Clone> {
    buckets: Buckets<K>,
    burst: NonZeroU32,
    asked: AtomicU32,
}

impl<K: Hash + Eq + Clone> Bounded<K> {
    fn of(rate: Rate) -> Option<Self> {
        let per_second = NonZeroU32::new(rate.per_second)?;
        let burst = NonZeroU32::new(rate.burst).unwrap_or(per_second).max(per_second);
        let quota = Quota::per_second(per_second).allow_burst(burst);
        Some(Bounded { buckets: RateLimiter::keyed(quota), burst, asked: AtomicU32::new(0) })
    }

    /// What weighs more than the whole bucket takes the whole bucket.
    fn admits(&self, key: &K, weight: u32) -> bool {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if asked.is_multiple_of(TIDIED_AFTER) {
            self.buckets.retain_recent();
        }
        let Some(weight) = NonZeroU32::new(weight) else { return true };
        matches!(self.buckets.check_key_n(key, weight.min(self.burst)), Ok(Ok(())))
    }
}

impl Rates {
    pub fn new(settings: &RateSettings) -> Rates {
        Rates {
            users: Bounded::of(settings.user),
            systems: Bounded::of(settings.system),
            addresses: Bounded::of(settings.address),
        }
    }

    /// 429 where the caller comes too often. The operator, and everybody where nobody signs in,
    /// may come as often as he likes.
    pub fn admit(&self, asker: &Asker, weight: u32) -> Result<()> {
        let is_admitted = match &asker.caller {
            Caller::InsecureNoAuth | Caller::Operator => true,
            Caller::Anonymous => return self.stranger(asker.origin.address, weight),
            Caller::Principal(principal) if principal.role.is_system() => {
                let bounded = self.systems.as_ref();
                bounded.is_none_or(|bounded| bounded.admits(&principal.name, weight))
            }
            Caller::Principal(principal) => {
                let key = (principal.name.clone(), principal.client_id.clone());
                self.users.as_ref().is_none_or(|bounded| bounded.admits(&key, weight))
            }
        };
        refused_unless(is_admitted)
    }

    /// The same for a request without a good token.
    pub fn stranger(&self, address: Option<IpAddr>, weight: u32) -> Result<()> {
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let bounded = self.addresses.as_ref();
        refused_unless(bounded.is_none_or(|bounded| bounded.admits(&address, weight)))
    }
}

fn refused_unless(is_admitted: bool) -> Result<()> {
    match is_admitted {
        true => Ok(()),
        false => {
            let text = "Too many requests; come again in a second";
            Err(FhirError::new(ErrorKind::TooManyRequests, IssueCode::Throttled, text))
        }
    }
}

/// What an interaction weighs beyond the request itself, which weighs 1.
pub fn further_weight(interaction: &Interaction) -> u32 {
    match interaction {
        Interaction::Search { .. } | Interaction::History { .. } => SEARCH - 1,
        Interaction::Bundle { bundle, .. } => {
            let entries = bundle.value().get("entry").and_then(Value::as_array).map_or(0, Vec::len);
            u32::try_from(entries).unwrap_or(u32::MAX).saturating_sub(1)
        }
        Interaction::Operation(operation) => match operation.scope {
            OperationScope::System | OperationScope::Type(_) => OPERATION - 1,
            _ => SEARCH - 1,
        },
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Origin;

    fn stranger(address: &str) -> Asker {
        let origin = Origin { address: Some(address.parse().unwrap()), ..Origin::default() };
        Asker { caller: Caller::Anonymous, origin }
    }

    #[test]
    fn in_40_an_address_has_a_bucket_of_its_own() {
        let rates = Rates::new(&RateSettings {
            address: Rate { per_second: 1, burst: 3 },
            ..RateSettings::default()
        });
        let (one, other) = (stranger("192.0.2.1"), stranger("192.0.2.2"));
        assert!(rates.admit(&one, 3).is_ok());
        assert_eq!(rates.admit(&one, 1).unwrap_err().kind.status(), 429);
        assert!(rates.admit(&other, 1).is_ok());
    }

    #[test]
    fn what_weighs_more_than_the_bucket_takes_the_whole_of_it() {
        let rates = Rates::new(&RateSettings {
            address: Rate { per_second: 1, burst: 3 },
            ..RateSettings::default()
        });
        let one = stranger("192.0.2.1");
        assert!(rates.admit(&one, 5_000).is_ok());
        assert!(rates.admit(&one, 1).is_err());
    }

    #[test]
    fn a_rate_of_zero_bounds_nobody() {
        let none = Rate { per_second: 0, burst: 0 };
        let rates = Rates::new(&RateSettings { user: none, system: none, address: none });
        let one = stranger("192.0.2.1");
        assert!((0..1_000).all(|_| rates.admit(&one, 1).is_ok()));
    }

    #[test]
    fn who_signs_in_nowhere_is_not_counted() {
        let rates = Rates::new(&RateSettings::default());
        let everybody = Asker { caller: Caller::InsecureNoAuth, ..stranger("192.0.2.1") };
        assert!((0..1_000).all(|_| rates.admit(&everybody, 20).is_ok()));
    }
}
