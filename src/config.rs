//! What an operator may set. Only this file reads the environment; `docs/configuration.md` has
//! a heading for each variable.

use crate::fhir::definitions::ResourceType;
use crate::limits::Limits;
use chrono::FixedOffset;

/// Settings that interactions obey.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The public FHIR base without a trailing slash, such as `http://127.0.0.1:8080/fhir`.
    pub base_url: String,
    pub limits: Limits,
    /// Refuse a write whose reference names a resource of this server that does not exist.
    pub integrity_on_write: bool,
    /// Refuse to delete a resource that a current one refers to.
    pub integrity_on_delete: bool,
    /// Identifier systems whose values are unique within a resource type.
    pub unique_identifiers: Vec<UniqueIdentifier>,
    /// For dates and times without a zone, in resources and in queries.
    pub default_zone: FixedOffset,
    /// Whether PUT may create a resource under the client's id (http.html#upsert).
    pub update_creates: bool,
    /// Whether the JSONB copy of every resource is kept for SQL users.
    pub keeps_jsonb: bool,
}

/// `Type|system`: one value of this system names one resource of this type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UniqueIdentifier {
    pub resource_type: ResourceType,
    pub system: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            base_url: "http://127.0.0.1:8080/fhir".to_owned(),
            limits: Limits::default(),
            integrity_on_write: false,
            integrity_on_delete: false,
            unique_identifiers: Vec::new(),
            default_zone: FixedOffset::east_opt(0).expect("zero is an offset"),
            update_creates: true,
            keeps_jsonb: true,
        }
    }
}
