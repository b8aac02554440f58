//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the same key of the same caller
//! within 24 hours is answered with the first answer, and nothing is done. The answer is kept in
//! the transaction of the writes.
//!
//! The key stands for what the request asks to be stored: interaction, path, body, If-None-Exist
//! and X-Provenance. Another request under the key is 422. What concerns the form of bodies and
//! answers alone is not compared: Content-Type and Accept, Prefer, `_format` and the like.
//!
//! A request that comes while the first is under way waits for it and has its answer, where the
//! draft would send the client away with 409 to come again.

use crate::access::Caller;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::interaction::{BundleKind, Interaction, Request};
use crate::fhir::resource::{Resource, ResourceKey};
use crate::interactions::context::Context;
use crate::interactions::outcome::{Content, Outcome, ResourceVersion};
use crate::storage::{KeptAnswer, Lock, Unit};
use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};

/// How long a key stands for its first request.
pub const KEPT: Duration = Duration::hours(24);

/// One caller's key, and what it was used for.
#[derive(Clone)]
pub struct Claim {
    principal: String,
    key: String,
    request_hash: Vec<u8>,
}

/// Each part with its length, so that no two requests run together to the same.
struct RequestHash(Sha256);

impl RequestHash {
    fn add(&mut self, part: &str) -> &mut Self {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    fn add_resource(&mut self, resource: Option<&Resource>) -> &mut Self {
        self.add(&resource.map(|resource| resource.value().to_string()).unwrap_or_default())
    }
}

impl Claim {
    /// What the key of a request stands for; None for a request without one, and for one that
    /// may be repeated anyway.
    pub fn of(caller: &Caller, request: &Request) -> Option<Claim> {
        let key = request.idempotency_key.clone()?;
        let mut hash = RequestHash(Sha256::new());
        match &request.interaction {
            Interaction::Create { resource, if_none_exist } => {
                hash.add("create").add_resource(Some(resource));
                hash.add(if_none_exist.as_deref().unwrap_or_default());
            }
            Interaction::Bundle { kind: BundleKind::Transaction, bundle } => {
                hash.add("transaction").add_resource(Some(bundle));
            }
            Interaction::Operation(operation) if operation.row.affects_state => {
                hash.add("operation").add(operation.row.name).add(&operation.scope.to_string());
                for (name, value) in &operation.parameters {
                    hash.add(name).add(value);
                }
                hash.add_resource(operation.body.as_ref());
            }
            _ => return None,
        }
        hash.add_resource(request.provenance.as_ref());
        let request_hash = hash.0.finalize().to_vec();
        Some(Claim { principal: caller.principal().to_owned(), key, request_hash })
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
            shown: Vec::new(),
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
