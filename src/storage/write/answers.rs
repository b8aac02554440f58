//! Answers kept under Idempotency-Keys, and lookups that guard writes: holders of unique
//! identifiers, and resources that refer to others.

use super::Unit;
use super::index_rows::packed_key;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Id, ResourceKey};
use crate::search::{ParameterId, Token};
use crate::storage::failure::of_sqlx;
use crate::storage::store::{Connection, Store};
use chrono::{DateTime, Utc};
use sqlx::Row;

/// The first answer to a request with an Idempotency-Key.
pub struct KeptAnswer {
    pub request_hash: Vec<u8>,
    pub status: i16,
    /// `Type/id`, version id and lastUpdated of the version that the answer is about.
    pub version: Option<(String, i64, DateTime<Utc>)>,
    pub body: Vec<u8>,
}

impl Store {
    /// The answer kept for a caller's key (`place`), if it was made after `since`.
    pub async fn kept_answer(
        &self,
        connection: &mut Connection,
        place: (&str, &str),
        since: DateTime<Utc>,
    ) -> Result<Option<KeptAnswer>> {
        let row = sqlx::query(include_str!("../sql/answer_read.sql"))
            .bind(place.0)
            .bind(place.1)
            .bind(since)
            .fetch_optional(connection)
            .await
            .map_err(of_sqlx)?;
        let Some(row) = row else { return Ok(None) };
        let read = || -> Result<KeptAnswer, sqlx::Error> {
            let resource: Option<String> = row.try_get("resource")?;
            let version: Option<i64> = row.try_get("version")?;
            let last_updated: Option<DateTime<Utc>> = row.try_get("last_updated")?;
            let version = resource.zip(version).zip(last_updated);
            let body: Vec<u8> = row.try_get("body")?;
            Ok(KeptAnswer {
                request_hash: row.try_get("request_hash")?,
                status: row.try_get("status")?,
                version: version.map(|((resource, version), at)| (resource, version, at)),
                body,
            })
        };
        let mut kept = read().map_err(FhirError::internal)?;
        kept.body = self.codec.decompress(&kept.body)?.to_vec();
        Ok(Some(kept))
    }

    /// Keeps an answer with the writes of its unit; one that is older than the time that keys
    /// stand is replaced.
    pub async fn keep_answer(
        &self,
        unit: &mut Unit,
        place: (&str, &str),
        kept: (&KeptAnswer, DateTime<Utc>),
    ) -> Result<()> {
        let (answer, now) = kept;
        let (resource, version, last_updated) = match &answer.version {
            Some((resource, version, at)) => (Some(resource), Some(*version), Some(*at)),
            None => (None, None, None),
        };
        let body = match answer.body.is_empty() {
            true => Vec::new(),
            false => self.codec.compress(&answer.body)?,
        };
        sqlx::query(include_str!("../sql/answer_write.sql"))
            .bind(place.0)
            .bind(place.1)
            .bind(&answer.request_hash)
            .bind(now)
            .bind(answer.status)
            .bind(resource)
            .bind(version)
            .bind(last_updated)
            .bind(body)
            .execute(unit.connection())
            .await
            .map_err(of_sqlx)?;
        Ok(())
    }

    /// Forgets at most `limit` answers older than `before`, and none that another connection is
    /// at; returns how many.
    pub async fn forget_answers(&self, before: DateTime<Utc>, limit: i64) -> Result<u64> {
        let mut connection = self.connection().await?;
        let done = sqlx::query(include_str!("../sql/answer_forget.sql"))
            .bind(before)
            .bind(limit)
            .execute(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        connection.release();
        Ok(done.rows_affected())
    }

    /// The live resource of the type that has this identifier, other than `rids`.
    pub async fn identifier_holder(
        &self,
        connection: &mut Connection,
        sought: (ResourceType, ParameterId, &Token),
        rids: &[i64],
    ) -> Result<Option<ResourceKey>> {
        let (resource_type, parameter, identifier) = sought;
        let id: Option<String> = sqlx::query_scalar(include_str!("../sql/identifier_holder.sql"))
            .bind(&identifier.code)
            .bind(parameter.0)
            .bind(&identifier.system)
            .bind(resource_type.number())
            .bind(rids)
            .fetch_optional(connection)
            .await
            .map_err(of_sqlx)?;
        Ok(id.and_then(|id| Id::parse(&id)).map(|id| ResourceKey::new(resource_type, id)))
    }

    /// A live resource outside `written` that refers, by one of the parameters, to one of the
    /// `targets`; and which.
    pub async fn referrer(
        &self,
        connection: &mut Connection,
        targets: (&[i64], &[ParameterId]),
        written: &[i64],
    ) -> Result<Option<(ResourceKey, ResourceKey)>> {
        let (targets, parameters) = targets;
        let keys: Vec<i64> = targets
            .iter()
            .flat_map(|rid| parameters.iter().map(|parameter| packed_key(*parameter, *rid)))
            .collect();
        let row = sqlx::query(include_str!("../sql/referrer_read.sql"))
            .bind(keys)
            .bind(written)
            .fetch_optional(connection)
            .await
            .map_err(of_sqlx)?;
        let Some(row) = row else { return Ok(None) };
        let key = |number: &str, id: &str| {
            let number: i16 = row.try_get(number).map_err(FhirError::internal)?;
            let id: &str = row.try_get(id).map_err(FhirError::internal)?;
            ResourceType::from_number(number)
                .zip(Id::parse(id))
                .map(|(resource_type, id)| ResourceKey::new(resource_type, id))
                .ok_or_else(|| FhirError::internal("a stored row has no key"))
        };
        Ok(Some((key("type", "id")?, key("target_type", "target_id")?)))
    }
}
