//! `Idempotency-Key`: the same key of the same caller within 24 hours is answered with the
//! first answer, and nothing is done. The answer is kept in the transaction of the writes.

use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::resource::ResourceKey;
use crate::interactions::context::Context;
use crate::interactions::outcome::{Content, Outcome, ResourceVersion};
use crate::storage::{KeptAnswer, Lock, Unit};
use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};

/// How long a key stands for its first request.
const KEPT: Duration = Duration::hours(24);

/// One caller's key, and what it was used for.
#[derive(Clone)]
pub struct Claim {
    principal: String,
    key: String,
    request_hash: Vec<u8>,
}

impl Claim {
    /// `request` names the request in full: a key may not be used again for another one.
    pub fn new(principal: &str, key: &str, request: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in request {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let request_hash = hash.finalize().to_vec();
        Claim { principal: principal.to_owned(), key: key.to_owned(), request_hash }
    }

    pub fn lock(&self) -> Lock {
        let digest = Sha256::digest(format!("idempotency {} {}", self.principal, self.key));
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Lock::Number(i64::from_be_bytes(first))
    }

    /// The answer that the key was given before, if any. 422 where it stands for another
    /// request.
    pub async fn first_answer(&self, context: &Context) -> Result<Option<Outcome>> {
        let mut connection = context.store.connection().await?;
        let since = context.clock.now() - KEPT;
        let place = (self.principal.as_str(), self.key.as_str());
        let kept = context.store.kept_answer(&mut connection, place, since).await?;
        kept.map(|kept| self.outcome(kept)).transpose()
    }

    /// The same under the key's lock.
    pub async fn first_answer_on(
        &self,
        context: &Context,
        unit: &mut Unit,
    ) -> Result<Option<Outcome>> {
        let since = context.clock.now() - KEPT;
        let place = (self.principal.as_str(), self.key.as_str());
        let kept = context.store.kept_answer(unit.connection(), place, since).await?;
        kept.map(|kept| self.outcome(kept)).transpose()
    }

    fn outcome(&self, kept: KeptAnswer) -> Result<Outcome> {
        if kept.request_hash != self.request_hash {
            let text = "This Idempotency-Key was used for another request";
            return Err(FhirError::new(ErrorKind::Unprocessable, IssueCode::Duplicate, text));
        }
        let version = kept.version.and_then(|(key, version, last_updated)| {
            let key = ResourceKey::parse(&key)?;
            Some(ResourceVersion { key, version, last_updated })
        });
        Ok(Outcome {
            status: kept.status as u16,
            content: match kept.body.is_empty() {
                true => Content::None,
                false => Content::Json(Bytes::from(kept.body)),
            },
            is_created: kept.status == 201,
            version,
            is_read: false,
            issues: Vec::new(),
        })
    }

    /// Keeps the answer to the set, before its commit.
    pub async fn keep(&self, context: &Context, unit: &mut Unit, outcome: &Outcome) -> Result<()> {
        let body = match &outcome.content {
            Content::Json(json) => json.to_vec(),
            Content::Value(value) => value.to_string().into_bytes(),
            Content::None => Vec::new(),
        };
        let version: Option<(String, i64, DateTime<Utc>)> = outcome
            .version
            .as_ref()
            .map(|version| (version.key.to_string(), version.version, version.last_updated));
        let kept = KeptAnswer {
            request_hash: self.request_hash.clone(),
            status: outcome.status as i16,
            version,
            body,
        };
        let place = (self.principal.as_str(), self.key.as_str());
        context.store.keep_answer(unit, place, (&kept, context.clock.now())).await
    }
}
