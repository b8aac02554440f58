//! How many requests a caller may send: a bucket for each user of each client, for each backend
//! service, and for each address of strangers. Nobody waits in one, who comes too often is told so.
//! Buckets are those of this process; [`share`] takes out of them what was spent at others.

mod shared;

pub use shared::share;

use crate::access::{Asker, Caller};
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::interaction::{Interaction, OperationScope};
use axum::http::{HeaderMap, HeaderName};
use governor::clock::DefaultClock;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use serde_json::Value;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

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
    /// Whether the processes on one database count together.
    pub is_shared: bool,
}

impl Default for RateSettings {
    fn default() -> Self {
        RateSettings {
            user: Rate { per_second: 50, burst: 200 },
            system: Rate { per_second: 200, burst: 1_000 },
            address: Rate { per_second: 20, burst: 100 },
            is_shared: false,
        }
    }
}

/// What a search weighs; a read weighs 1.
const SEARCH: u32 = 3;
/// Whole records.
const OPERATION: u32 = 20;
/// Callers between two times that the buckets of those who left are given back.
const TIDIED_AFTER: u32 = 10_000;

type Buckets<K> =
    RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// The buckets of this process.
pub struct Rates {
    users: Option<Bounded<User>>,
    systems: Option<Bounded<String>>,
    addresses: Option<Bounded<IpAddr>>,
}

/// A user in one client.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct User {
    name: String,
    client: String,
}

/// What a caller has left, for the headers of the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Of the whole bucket.
    pub burst: u32,
    pub left: u32,
    /// Until the bucket is full again.
    pub seconds: u64,
}

/// Callers that other processes hear of at once; the rest is counted here alone.
const TOLD_AT_ONCE: usize = 10_000;

struct Bounded<K: Hash + Eq + Clone> {
    buckets: Buckets<K>,
    per_second: NonZeroU32,
    burst: NonZeroU32,
    asked: AtomicU32,
    /// What was admitted and the other processes were not told of; None where there are none.
    untold: Option<Mutex<HashMap<K, u64>>>,
}

impl<K: Hash + Eq + Clone> Bounded<K> {
    fn of(rate: Rate, is_shared: bool) -> Option<Self> {
        let per_second = NonZeroU32::new(rate.per_second)?;
        let burst = NonZeroU32::new(rate.burst).unwrap_or(per_second).max(per_second);
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let buckets = RateLimiter::keyed(quota).with_middleware();
        let (asked, untold) = (AtomicU32::new(0), is_shared.then(Mutex::default));
        Some(Bounded { buckets, per_second, burst, asked, untold })
    }

    /// What weighs more than the whole bucket takes the whole bucket.
    fn admits(&self, key: &K, weight: u32) -> (bool, Option<Standing>) {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if asked.is_multiple_of(TIDIED_AFTER) {
            self.buckets.retain_recent();
        }
        let Some(weight) = NonZeroU32::new(weight) else { return (true, None) };
        match self.buckets.check_key_n(key, weight.min(self.burst)) {
            Ok(Ok(snapshot)) => {
                self.tell(key, weight.min(self.burst));
                (true, Some(self.standing(snapshot.remaining_burst_capacity())))
            }
            _ => (false, Some(self.standing(0))),
        }
    }

    fn standing(&self, left: u32) -> Standing {
        let missing = self.burst.get().saturating_sub(left);
        let seconds = u64::from(missing.div_ceil(self.per_second.get()));
        Standing { burst: self.burst.get(), left, seconds }
    }

    fn tell(&self, key: &K, weight: NonZeroU32) {
        let Some(untold) = &self.untold else { return };
        let mut untold = untold.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spent) = untold.get_mut(key) {
            *spent += u64::from(weight.get());
        } else if untold.len() < TOLD_AT_ONCE {
            untold.insert(key.clone(), weight.get().into());
        }
    }

    /// What the others were not told of, by the name that they know the caller by.
    fn untold(&self, name: impl Fn(&K) -> String) -> Vec<(String, i64)> {
        let Some(untold) = &self.untold else { return Vec::new() };
        let untold = std::mem::take(&mut *untold.lock().unwrap_or_else(PoisonError::into_inner));
        untold.iter().map(|(key, spent)| (name(key), *spent as i64)).collect()
    }

    /// Takes out of the bucket what the caller spent elsewhere, as far as it is there.
    fn charge(&self, key: &K, spent: i64) {
        let mut left = u32::try_from(spent).unwrap_or(u32::MAX).min(self.burst.get());
        let mut step = left;
        while let Some(weight) = NonZeroU32::new(step) {
            match self.buckets.check_key_n(key, weight) {
                Ok(Ok(_)) => {
                    left -= step;
                    step = step.min(left);
                }
                _ => step /= 2,
            }
        }
    }
}

impl Rates {
    pub fn new(settings: &RateSettings) -> Rates {
        let is_shared = settings.is_shared;
        Rates {
            users: Bounded::of(settings.user, is_shared),
            systems: Bounded::of(settings.system, is_shared),
            addresses: Bounded::of(settings.address, is_shared),
        }
    }

    /// 429 where the caller comes too often. The operator, and everybody where nobody signs in,
    /// may come as often as he likes. What is left of the caller's bucket goes into `standing`.
    pub fn admit(&self, asker: &Asker, weight: u32, standing: &mut Option<Standing>) -> Result<()> {
        let (is_admitted, now) = match &asker.caller {
            Caller::InsecureNoAuth | Caller::Operator => (true, None),
            Caller::Anonymous => self.address(asker.origin.address, weight),
            Caller::Principal(principal) if principal.role.is_system() => match &self.systems {
                Some(bounded) => bounded.admits(&principal.name, weight),
                None => (true, None),
            },
            Caller::Principal(principal) => match &self.users {
                Some(bounded) => {
                    let (name, client) = (principal.name.clone(), principal.client_id.clone());
                    bounded.admits(&User { name, client }, weight)
                }
                None => (true, None),
            },
        };
        *standing = now.or(*standing);
        refused_unless(is_admitted)
    }

    /// The same for a request without a good token.
    pub fn stranger(&self, address: Option<IpAddr>, weight: u32) -> Result<()> {
        refused_unless(self.address(address, weight).0)
    }

    fn address(&self, address: Option<IpAddr>, weight: u32) -> (bool, Option<Standing>) {
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        match &self.addresses {
            Some(bounded) => bounded.admits(&address, weight),
            None => (true, None),
        }
    }

    /// What was spent here since this was asked last, by caller.
    fn untold(&self) -> Vec<(String, i64)> {
        let users = self.users.iter();
        let mut all: Vec<(String, i64)> = users
            .flat_map(|bounded| {
                bounded.untold(|user| format!("user {} {}", user.name, user.client))
            })
            .collect();
        let systems = self.systems.iter();
        all.extend(systems.flat_map(|bounded| bounded.untold(|name| format!("system {name}"))));
        let addresses = self.addresses.iter();
        all.extend(addresses.flat_map(|bounded| bounded.untold(|ip| format!("address {ip}"))));
        all
    }

    /// Counts what a caller spent at another process.
    fn charge(&self, caller: &str, spent: i64) {
        let Some((kind, rest)) = caller.split_once(' ') else { return };
        match (kind, rest.split_once(' ')) {
            ("user", Some((name, client))) => {
                let user = User { name: name.to_owned(), client: client.to_owned() };
                self.users.iter().for_each(|bounded| bounded.charge(&user, spent));
            }
            ("system", None) => {
                let name = rest.to_owned();
                self.systems.iter().for_each(|bounded| bounded.charge(&name, spent));
            }
            ("address", None) => {
                let address = rest.parse::<IpAddr>().into_iter();
                let bounded = self.addresses.iter();
                address.zip(bounded).for_each(|(address, bounded)| bounded.charge(&address, spent));
            }
            _ => {}
        }
    }
}

impl Standing {
    /// `RateLimit-Limit`, `-Remaining` and `-Reset`, as proxies and clients know them.
    pub fn tell(self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, self.burst.into());
        headers.insert(REMAINING, self.left.into());
        headers.insert(RESET, self.seconds.into());
    }
}

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

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
            _ if operation.row.name == "everything" => OPERATION - 1,
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
        let mut standing = None;
        assert!(rates.admit(&one, 2, &mut standing).is_ok());
        assert_eq!(standing, Some(Standing { burst: 3, left: 1, seconds: 2 }));
        assert!(rates.admit(&one, 1, &mut standing).is_ok());
        assert_eq!(rates.admit(&one, 1, &mut standing).unwrap_err().kind.status(), 429);
        assert_eq!(standing, Some(Standing { burst: 3, left: 0, seconds: 3 }));
        assert!(rates.admit(&other, 1, &mut standing).is_ok());
    }

    #[test]
    fn in_40_what_was_spent_elsewhere_is_counted() {
        let address = Rate { per_second: 1, burst: 100 };
        let settings = RateSettings { address, is_shared: true, ..RateSettings::default() };
        let (here, there) = (Rates::new(&settings), Rates::new(&settings));
        let one = stranger("192.0.2.1");
        let admitted = |rates: &Rates, weight| rates.admit(&one, weight, &mut None).is_ok();
        assert!(admitted(&here, 70));
        assert!(admitted(&there, 60));
        let told = here.untold();
        assert_eq!(told, [("address 192.0.2.1".to_owned(), 70)]);
        assert_eq!(here.untold(), []);
        told.iter().for_each(|(caller, spent)| there.charge(caller, *spent));
        assert!(!admitted(&there, 2), "there were 40, and 70 were spent elsewhere");
        assert!(!there.untold().iter().any(|(_, spent)| *spent != 60), "it is told once");
        for wrong in ["", "user", "user a", "address x", "system a b", "planet a"] {
            there.charge(wrong, 1);
        }
    }

    #[test]
    fn what_weighs_more_than_the_bucket_takes_the_whole_of_it() {
        let rates = Rates::new(&RateSettings {
            address: Rate { per_second: 1, burst: 3 },
            ..RateSettings::default()
        });
        let one = stranger("192.0.2.1");
        assert!(rates.admit(&one, 5_000, &mut None).is_ok());
        assert!(rates.admit(&one, 1, &mut None).is_err());
    }

    #[test]
    fn a_rate_of_zero_bounds_nobody() {
        let none = Rate { per_second: 0, burst: 0 };
        let rates = Rates::new(&RateSettings {
            user: none,
            system: none,
            address: none,
            ..RateSettings::default()
        });
        let one = stranger("192.0.2.1");
        assert!((0..1_000).all(|_| rates.admit(&one, 1, &mut None).is_ok()));
    }

    #[test]
    fn who_signs_in_nowhere_is_not_counted() {
        let rates = Rates::new(&RateSettings::default());
        let everybody = Asker { caller: Caller::InsecureNoAuth, ..stranger("192.0.2.1") };
        assert!((0..1_000).all(|_| rates.admit(&everybody, 20, &mut None).is_ok()));
    }
}
