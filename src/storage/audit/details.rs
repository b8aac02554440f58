//! What an event says in words, the query and the reason, may hold names. It is sealed under a key
//! of its month and node: AES-256-GCM, bound to the place of the event. Hashes and seals are over
//! what is stored, so that verification needs no key. docs/decisions/0027-audit-details.md

use crate::audit::Event;
use crate::error::{FhirError, Result};
use crate::search::Sealer;
use crate::storage::failure::of_sqlx;
use crate::storage::store::Store;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chrono::{DateTime, Datelike, Months, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Keys are there for this month and so many after it.
const MONTHS_AHEAD: u32 = 1;
/// Of the key of a node among the uses of a month's key.
const USE: &[u8] = b"bhn-audit-detail-1";

type Key = [u8; KEY_BYTES];

/// A key of the key file, which seals those of the months.
pub type AuditFileKey = Key;

/// The keys of months, as far as they are known.
pub struct AuditKeys {
    /// By the keys of the key file; the first one seals.
    sealers: Vec<Sealer>,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// By their ids.
    keys: HashMap<i32, Key>,
    /// The one that seals in a month.
    months: HashMap<i32, i32>,
}

/// What is sealed of an event.
#[derive(Serialize, Deserialize)]
struct Details {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external: Option<Value>,
}

impl AuditKeys {
    /// Puts what the event says in words under seal, at this place (node and number). 503 where
    /// there is no key for its month.
    pub fn seal(keys: Option<&AuditKeys>, event: &mut Event, place: (&str, i64)) -> Result<()> {
        if event.query.is_none() && event.reason.is_none() && event.external.is_none() {
            return Ok(());
        }
        let none = || FhirError::unavailable("The audit has no key for this month");
        let keys = keys.ok_or_else(none)?;
        let (id, key) = keys.of_month(month(event.recorded)).ok_or_else(none)?;
        let details = Details {
            query: event.query.take(),
            reason: event.reason.take(),
            external: event.external.take(),
        };
        let mut sealed = serde_json::to_vec(&details).map_err(FhirError::internal)?;
        let nonce = of_node(&key, place.0)
            .and_then(|key| key.seal_in_place_append_tag(Aad::from(bound_to(place)), &mut sealed))
            .map_err(FhirError::internal)?;
        let parts = [&id.to_be_bytes()[..], nonce.as_ref(), &sealed].concat();
        event.detail = Some(STANDARD_NO_PAD.encode(parts));
        Ok(())
    }

    /// Opens the event at its place. What no key here opens stays closed.
    pub fn open(&self, event: &mut Event, place: (&str, i64)) {
        if let Some(details) = self.opened(event, place) {
            event.detail = None;
            event.query = details.query;
            event.reason = details.reason;
            event.external = details.external;
        }
    }

    fn opened(&self, event: &Event, place: (&str, i64)) -> Option<Details> {
        let bytes = STANDARD_NO_PAD.decode(event.detail.as_ref()?).ok()?;
        let (id, rest) = bytes.split_first_chunk::<4>()?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let key = *self.read().keys.get(&i32::from_be_bytes(*id))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let (mut sealed, bound) = (sealed.to_vec(), Aad::from(bound_to(place)));
        let plain = of_node(&key, place.0).ok()?.open_in_place(nonce, bound, &mut sealed).ok()?;
        serde_json::from_slice(plain).ok()
    }

    /// Whether the key of the event is known; true where it has no details.
    fn knows(&self, event: &Event) -> bool {
        let Some(detail) = &event.detail else { return true };
        let bytes = STANDARD_NO_PAD.decode(detail).unwrap_or_default();
        let id = bytes.first_chunk::<4>().map(|id| i32::from_be_bytes(*id));
        id.is_none_or(|id| self.read().keys.contains_key(&id))
    }

    fn of_month(&self, month: i32) -> Option<(i32, Key)> {
        let known = self.read();
        let id = known.months.get(&month)?;
        known.keys.get(id).map(|key| (*id, *key))
    }

    /// Takes over a stored key that the key file opens.
    fn learn(&self, (id, month, sealed): &(i32, i32, String)) {
        let opened = self.sealers.iter().find_map(|sealer| sealer.open(sealed).ok());
        let plain = opened.unwrap_or_default();
        let key = plain.strip_prefix(prefix(*month).as_bytes());
        if let Some(key) = key.and_then(|key| Key::try_from(key).ok()) {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.keys.insert(*id, key);
            known.months.entry(*month).or_insert(*id);
        }
    }

    fn sealed(&self, plain: &[u8]) -> Result<String> {
        let sealer = self.sealers.first();
        sealer.ok_or_else(|| FhirError::internal("there is no key to seal with"))?.seal(plain)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key for the month of 1970 that tests write in.
    #[cfg(test)]
    pub fn of_tests() -> AuditKeys {
        let sealers = vec![Sealer::new(&[7; KEY_BYTES]).unwrap()];
        let keys = AuditKeys { sealers, known: RwLock::default() };
        let plain = [prefix(197_001).as_bytes(), &[8; KEY_BYTES]].concat();
        let sealed = keys.sealers[0].seal(&plain).unwrap();
        keys.learn(&(1, 197_001, sealed));
        keys
    }
}

impl Store {
    /// The keys of the audit's details, those that a key of the key file opens.
    pub async fn audit_keys(&self, file: &[AuditFileKey]) -> Result<AuditKeys> {
        let sealers = file.iter().map(|key| Sealer::new(key)).collect::<Result<_>>()?;
        let keys = AuditKeys { sealers, known: RwLock::default() };
        self.learn_audit_keys(&keys).await?;
        Ok(keys)
    }

    /// Makes the keys of this month and the next one, where there are none.
    pub async fn make_audit_keys(&self, now: DateTime<Utc>) -> Result<()> {
        let keys = self.audit.as_ref().and_then(|audit| audit.keys.clone());
        match keys {
            Some(keys) => self.make_months(&keys, now).await,
            None => Ok(()),
        }
    }

    pub(super) async fn make_months(&self, keys: &AuditKeys, now: DateTime<Utc>) -> Result<()> {
        for ahead in 0..=MONTHS_AHEAD {
            let month = month(now.checked_add_months(Months::new(ahead)).unwrap_or(now));
            if keys.of_month(month).is_some() {
                continue;
            }
            let mut key = [0; KEY_BYTES];
            aws_lc_rs::rand::fill(&mut key).map_err(FhirError::internal)?;
            let sealed = keys.sealed(&[prefix(month).as_bytes(), &key].concat())?;
            let mut connection = self.connection().await?;
            sqlx::query(include_str!("../sql/detail_key_add.sql"))
                .bind(month)
                .bind(sealed)
                .execute(&mut *connection)
                .await
                .map_err(of_sqlx)?;
            connection.release();
            self.learn_audit_keys(keys).await?;
        }
        Ok(())
    }

    async fn learn_audit_keys(&self, keys: &AuditKeys) -> Result<()> {
        self.stored_audit_keys().await?.iter().for_each(|row| keys.learn(row));
        Ok(())
    }

    async fn stored_audit_keys(&self) -> Result<Vec<(i32, i32, String)>> {
        let mut connection = self.connection().await?;
        let rows = sqlx::query_as(include_str!("../sql/detail_key_read.sql"))
            .fetch_all(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        Ok(rows)
    }

    /// Seals the keys of months under the first key of the key file; how many were under another
    /// one. What none of them opens stays as it is.
    pub async fn reseal_audit_keys(&self, file: &[AuditFileKey]) -> Result<u64> {
        let keys = self.audit_keys(file).await?;
        let mut count = 0;
        for (id, _, sealed) in self.stored_audit_keys().await? {
            let opened = keys.sealers.iter().map(|sealer| sealer.open(&sealed).ok());
            let Some((place, Some(plain))) = opened.enumerate().find(|(_, plain)| plain.is_some())
            else {
                continue;
            };
            if place == 0 {
                continue;
            }
            let mut connection = self.connection().await?;
            sqlx::query(include_str!("../sql/detail_key_reseal.sql"))
                .bind(id)
                .bind(keys.sealed(&plain)?)
                .execute(&mut *connection)
                .await
                .map_err(of_sqlx)?;
            connection.release();
            count += 1;
        }
        Ok(count)
    }

    /// Opens events at their places, by these keys and those that other nodes made since.
    pub async fn open_details(
        &self,
        keys: &AuditKeys,
        events: &mut [((&str, i64), &mut Event)],
    ) -> Result<()> {
        if !events.iter().all(|(_, event)| keys.knows(event)) {
            self.learn_audit_keys(keys).await?;
        }
        events.iter_mut().for_each(|(place, event)| keys.open(event, *place));
        Ok(())
    }
}

/// A node has a key of its own: nonces are random, and of one key not to be too many.
fn of_node(key: &Key, node: &str) -> Result<RandomizedNonceKey, aws_lc_rs::error::Unspecified> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    context.update(USE);
    context.update(node.as_bytes());
    RandomizedNonceKey::new(&AES_256_GCM, context.sign().as_ref())
}

fn bound_to((node, seq): (&str, i64)) -> Vec<u8> {
    [node.as_bytes(), b"\n", &seq.to_be_bytes()].concat()
}

fn month(instant: DateTime<Utc>) -> i32 {
    instant.year() * 100 + instant.month() as i32
}

/// A sealed key opens at its own month alone.
fn prefix(month: i32) -> String {
    format!("audit {month}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Asker;
    use crate::audit::SecurityEvent;

    fn sealed(keys: &AuditKeys) -> Event {
        let event = SecurityEvent::of(&Asker::operator(), "login").refused("of Ada Lovelace");
        let mut event = event.into_event(DateTime::UNIX_EPOCH);
        AuditKeys::seal(Some(keys), &mut event, ("node-1", 7)).unwrap();
        event
    }

    #[test]
    fn au_05_details_open_at_their_own_place_alone() {
        let keys = AuditKeys::of_tests();
        let event = sealed(&keys);
        assert!(!serde_json::to_string(&event).unwrap().contains("Lovelace"));
        for place in [("node-1", 8), ("node-2", 7)] {
            let mut elsewhere = event.clone();
            keys.open(&mut elsewhere, place);
            assert_eq!(elsewhere, event, "{place:?}");
        }
        let mut here = event.clone();
        keys.open(&mut here, ("node-1", 7));
        assert_eq!((here.reason.as_deref(), here.detail), (Some("of Ada Lovelace"), None));
        assert_ne!(sealed(&keys).detail, event.detail, "no nonce comes twice");
    }

    #[test]
    fn au_05_without_a_key_for_the_month_nothing_is_written_down() {
        let keys = AuditKeys::of_tests();
        let mut event = sealed(&keys);
        keys.open(&mut event, ("node-1", 7));
        event.recorded = "2026-11-30T00:00:00Z".parse().unwrap();
        let refused = AuditKeys::seal(Some(&keys), &mut event, ("node-1", 7)).unwrap_err();
        assert_eq!(refused.kind.status(), 503);
        assert!(AuditKeys::seal(None, &mut event, ("node-1", 7)).is_err());
    }
}
