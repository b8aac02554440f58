//! The public keys of clients: registered with them, or fetched from their URL and kept as long as
//! that allows (SMART App Launch 2.2: no longer than `Cache-Control` says).

use crate::oauth::outbound::{Fetched, Outbound, OutboundError};
use crate::storage::Client;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Clients whose keys are kept.
const CLIENTS: usize = 10_000;
const BYTES: usize = 64 << 10;
const KEYS: usize = 50;
/// Where the answer does not say.
const KEPT_FOR: Duration = Duration::from_secs(300);
/// An answer that allows more is asked for again all the same.
const KEPT_AT_MOST: Duration = Duration::from_secs(3_600);
/// After a failure, and after a key that was not there, nothing is fetched for so long.
const FETCHED_AGAIN: Duration = Duration::from_secs(30);

/// Fetches what stands at a URL.
pub trait Fetch: Send + Sync + 'static {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Fetched, OutboundError>>;
}

impl Fetch for Outbound {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Fetched, OutboundError>> {
        self.get(url, BYTES).boxed()
    }
}

/// Keys of clients, as long as they may be kept.
pub struct ClientKeys {
    fetch: Arc<dyn Fetch>,
    kept: Cache<String, Arc<Mutex<Kept>>, UnitWeighter, foldhash::quality::RandomState>,
}

/// What is known of one URL; who holds it fetches, the others wait.
#[derive(Default)]
struct Kept {
    keys: Arc<Vec<Value>>,
    fresh_until: Option<Instant>,
    fetched: Option<Instant>,
}

impl ClientKeys {
    pub fn new(fetch: Arc<dyn Fetch>) -> ClientKeys {
        let (hasher, lifecycle) = (Default::default(), DefaultLifecycle::default());
        let kept = Cache::with(CLIENTS, CLIENTS as u64, UnitWeighter, hasher, lifecycle);
        ClientKeys { fetch, kept }
    }

    /// The keys of a client; fetched anew where none of them is the one, though not often. An error
    /// says why there are none.
    pub async fn of(
        &self,
        client: &Client,
        is_the_one: &(dyn Fn(&Value) -> bool + Sync),
    ) -> Result<Arc<Vec<Value>>, &'static str> {
        let Some(url) = &client.jwks_uri else {
            let set = client.jwks.as_ref().ok_or("the client has no keys")?;
            return Ok(Arc::new(keys(set).ok_or("the registered keys are no JWK set")?));
        };
        self.at(url, is_the_one).await
    }

    /// The keys that stand at a URL; fetched anew where none of them is the one, though not often.
    pub async fn at(
        &self,
        url: &str,
        is_the_one: &(dyn Fn(&Value) -> bool + Sync),
    ) -> Result<Arc<Vec<Value>>, &'static str> {
        let kept =
            self.kept.get_or_insert_with(url, || Ok::<_, std::convert::Infallible>(Arc::default()));
        let kept = kept.unwrap_or_default();
        let mut kept = kept.lock().await;
        let now = Instant::now();
        let is_fresh = kept.fresh_until.is_some_and(|until| now < until);
        let has_key = kept.keys.iter().any(is_the_one);
        let may_fetch = kept.fetched.is_none_or(|at| now >= at + FETCHED_AGAIN);
        // Beyond what the client's server allows keys are not used, even where it is away.
        match (is_fresh && has_key, may_fetch || (has_key && !is_fresh)) {
            (true, _) => return Ok(kept.keys.clone()),
            (false, false) if is_fresh => return Ok(kept.keys.clone()),
            (false, false) => return Err("its keys could not be fetched a moment ago"),
            (false, true) => {}
        }
        kept.fetched = Some(now);
        let fetched = self.fetch.fetch(url).await.map_err(|error| {
            tracing::warn!(url, %error, "keys could not be fetched");
            (kept.keys, kept.fresh_until) = (Arc::default(), None);
            "its keys could not be fetched"
        })?;
        let set = serde_json::from_slice(&fetched.body).ok();
        let set = set.as_ref().and_then(keys).ok_or("its keys are no JWK set")?;
        kept.keys = Arc::new(set);
        kept.fresh_until = kept_for(fetched.cache_control.as_deref()).map(|time| now + time);
        Ok(kept.keys.clone())
    }
}

/// None for what is no JWK set, or has too many keys.
fn keys(set: &Value) -> Option<Vec<Value>> {
    let keys = set.get("keys")?.as_array()?;
    (keys.len() <= KEYS).then(|| keys.clone())
}

/// None where nothing may be kept.
fn kept_for(cache_control: Option<&str>) -> Option<Duration> {
    let Some(text) = cache_control else { return Some(KEPT_FOR) };
    let text = text.to_ascii_lowercase();
    let directives: Vec<&str> = text.split(',').map(str::trim).collect();
    if directives.iter().any(|directive| ["no-store", "no-cache"].contains(directive)) {
        return None;
    }
    let age = directives.iter().find_map(|directive| directive.strip_prefix("max-age="));
    match age {
        None => Some(KEPT_FOR),
        // Something that is no number allows nothing.
        Some(age) => {
            let age = Duration::from_secs(age.trim_matches('"').parse().unwrap_or(0));
            (!age.is_zero()).then(|| age.min(KEPT_AT_MOST))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::ClientKind;
    use serde_json::json;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Answers {
        count: AtomicUsize,
        cache_control: Option<&'static str>,
        body: String,
    }

    impl Fetch for Answers {
        fn fetch<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Fetched, OutboundError>> {
            self.count.fetch_add(1, Ordering::Relaxed);
            let cache_control = self.cache_control.map(str::to_owned);
            let body = self.body.clone().into_bytes();
            async move {
                match body.is_empty() {
                    true => Err(OutboundError::Unknown),
                    false => Ok(Fetched { body, cache_control }),
                }
            }
            .boxed()
        }
    }

    /// How often a client's keys are fetched, when they are asked for by these ids.
    async fn fetches(cache_control: Option<&'static str>, body: &str, kids: &[&str]) -> usize {
        let (count, body) = (AtomicUsize::new(0), body.to_owned());
        let answers = Arc::new(Answers { count, cache_control, body });
        let keys = ClientKeys::new(answers.clone());
        let mut client = Client::new("c", ClientKind::ConfidentialAsymmetric);
        client.jwks_uri = Some("https://c.example/jwks".to_owned());
        for kid in kids {
            let _ = keys.of(&client, &|key| key["kid"] == *kid).await;
        }
        answers.count.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn as_14_keys_are_kept_as_long_as_their_server_allows() {
        let set = json!({"keys": [{"kid": "a"}]}).to_string();
        let asked = ["a", "a", "a"];
        assert_eq!(fetches(None, &set, &asked).await, 1);
        assert_eq!(fetches(Some("public, max-age=60"), &set, &asked).await, 1);
        assert_eq!(fetches(Some("no-store"), &set, &asked).await, 3);
        assert_eq!(fetches(Some("max-age=0"), &set, &asked).await, 3);
    }

    #[tokio::test]
    async fn as_14_unknown_keys_and_failures_are_not_fetched_again_at_once() {
        let set = json!({"keys": [{"kid": "a"}]}).to_string();
        assert_eq!(fetches(None, &set, &["a", "b", "c", "a", "b"]).await, 1);
        assert_eq!(fetches(None, "", &["a", "a", "b"]).await, 1);
        assert_eq!(fetches(None, "no JSON", &["a", "a"]).await, 1);
        let many = json!({"keys": vec![json!({"kid": "a"}); KEYS + 1]}).to_string();
        assert_eq!(fetches(None, &many, &["a", "a"]).await, 1);
    }

    #[test]
    fn no_answer_is_kept_longer_than_an_hour() {
        assert_eq!(kept_for(Some("max-age=31536000")), Some(KEPT_AT_MOST));
        assert_eq!(kept_for(Some("max-age=soon")), None);
        assert_eq!(kept_for(Some("private")), Some(KEPT_FOR));
    }
}
