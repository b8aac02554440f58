//! One version to be written, with everything that depends on it.

use crate::access::Writer;
use crate::fhir::resource::ResourceKey;
use crate::search::IndexRows;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// A create, an update or a delete, ready to be applied.
#[derive(Clone, Debug)]
pub struct Change {
    pub rid: i64,
    pub key: ResourceKey,
    /// The version that this change makes, from 1 without gaps.
    pub version: i64,
    pub last_updated: DateTime<Utc>,
    /// True where references already name this rid by a stub.
    pub adopts_stub: bool,
    /// None for a create.
    pub before: Option<Before>,
    /// None for a delete.
    pub content: Option<Content>,
    /// The number of the search parameters that the index rows were made by.
    pub definitions: i64,
    /// Whose stamps a create bears, and who vouches for the links that it makes.
    pub writer: Arc<Writer>,
}

/// What is indexed of the version before, so that only what differs is written.
#[derive(Clone, Debug)]
pub struct Before {
    /// By this server's extraction; empty for a deleted version.
    pub rows: IndexRows,
    /// The generation of what is stored. Where that is another server's, its rows may differ
    /// from `rows`.
    pub generation: i16,
    /// True where rows of some search parameter are being made or removed: those stored may
    /// differ from `rows` as well.
    pub is_unsettled: bool,
}

/// What a live version holds.
#[derive(Clone, Debug)]
pub struct Content {
    /// The exact JSON as it will be served.
    pub json: Bytes,
    pub rows: IndexRows,
}

impl Change {
    pub fn is_create(&self) -> bool {
        self.version == 1
    }
}
