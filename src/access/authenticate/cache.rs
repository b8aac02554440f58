//! Tokens whose signature was good, so that each is verified once.

use super::bearer::Terms;
use crate::access::jwt::Claims;
use crate::access::principal::Principal;
use crate::access::smart_scope::Scopes;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Tokens at most; some 1 KB each.
const TOKENS: usize = 100_000;

/// SHA-256 of a token: tokens themselves are not kept.
pub type TokenHash = [u8; 32];

/// A token that was verified.
pub struct Verified {
    pub kid: String,
    pub claims: Claims,
    /// None where the token names them by `scope_ref`.
    pub scopes: Option<Scopes>,
    /// Its bearer as the database had it then; None where the grant was not good.
    current: Mutex<Option<Current>>,
    /// One request at a time asks the database; the others wait for its answer, or for its failure,
    /// which is all of theirs.
    pub asking: tokio::sync::Mutex<Option<Instant>>,
}

/// What the database said, and when it was asked.
#[derive(Clone)]
pub struct Current {
    pub asked: Instant,
    pub known: Option<Known>,
}

/// A bearer whose grant is good.
#[derive(Clone)]
pub struct Known {
    pub principal: Arc<Principal>,
    pub terms: Arc<Terms>,
}

impl Verified {
    pub fn new(kid: String, claims: Claims, scopes: Option<Scopes>) -> Arc<Verified> {
        let (current, asking) = (Mutex::default(), tokio::sync::Mutex::default());
        Arc::new(Verified { kid, claims, scopes, current, asking })
    }

    pub fn current(&self) -> Option<Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn remember(&self, current: Current) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(current);
    }
}

/// Verified tokens of one process.
pub struct TokenCache(
    Cache<TokenHash, Arc<Verified>, UnitWeighter, foldhash::quality::RandomState>,
);

impl Default for TokenCache {
    fn default() -> Self {
        let (hasher, lifecycle) = (Default::default(), DefaultLifecycle::default());
        TokenCache(Cache::with(TOKENS, TOKENS as u64, UnitWeighter, hasher, lifecycle))
    }
}

impl TokenCache {
    pub fn hash(token: &str) -> TokenHash {
        Sha256::digest(token).into()
    }

    pub fn get(&self, hash: &TokenHash) -> Option<Arc<Verified>> {
        self.0.get(hash)
    }

    pub fn insert(&self, hash: TokenHash, verified: Arc<Verified>) {
        self.0.insert(hash, verified);
    }

    pub fn remove(&self, hash: &TokenHash) {
        self.0.remove(hash);
    }
}
