//! What an interaction answers, before it is put into HTTP or a Bundle entry.

use crate::access::{Answers, Permit};
use crate::audit::Touched;
use crate::error::{Issue, Result};
use crate::fhir::interaction::Method;
use crate::fhir::json;
use crate::fhir::resource::ResourceKey;
use crate::fhir::subset::{Subset, part};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// The answer of one interaction.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub status: u16,
    pub content: Content,
    /// The version that the answer is about: `ETag`, `Last-Modified`, `Content-Location`.
    pub version: Option<ResourceVersion>,
    /// True where a `Location` header is due: a create, by whatever interaction.
    pub is_created: bool,
    /// True for the answer to a read, a search or the like, which carries its resource whatever
    /// the client prefers.
    pub is_read: bool,
    /// Warnings and hints that go with a success.
    pub issues: Vec<Issue>,
    /// The resources that the answer shows, where there is an audit.
    pub shown: Vec<Touched>,
}

/// Names one version of a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceVersion {
    pub key: ResourceKey,
    pub version: i64,
    pub last_updated: DateTime<Utc>,
}

/// The resource that an answer carries.
#[derive(Clone, PartialEq, Debug)]
pub enum Content {
    None,
    /// JSON as stored, to be sent as it is.
    Json(Bytes),
    Value(Value),
}

impl Outcome {
    /// 200 with a body and no version.
    pub fn ok(content: Content) -> Self {
        Outcome {
            status: 200,
            content,
            version: None,
            is_created: false,
            is_read: false,
            issues: Vec::new(),
            shown: Vec::new(),
        }
    }

    /// 204, after a delete with the version that it made.
    pub fn no_content(version: Option<ResourceVersion>) -> Self {
        Outcome { status: 204, version, ..Outcome::ok(Content::None) }
    }

    /// The same as the answer to a read.
    pub fn of_read(self) -> Self {
        Outcome { is_read: true, ..self }
    }

    /// The same as the answer to HEAD in a Bundle entry: no resource goes with it.
    pub fn of_method(self, method: Method) -> Self {
        match method {
            Method::Head => Outcome { content: Content::None, ..self },
            _ => self,
        }
    }

    /// The answer of a write as the caller may have it: without its resource where he may write
    /// and not read it, else as far as he is shown it.
    pub fn of_write(self, permit: &Permit) -> Result<Self> {
        let content = match (self.content, &self.version, permit.answers()) {
            (_, _, Answers::Minimal) => Content::None,
            (Content::Json(body), Some(version), _) => {
                Content::Json(permit.redactor().shown(&version.key, body)?)
            }
            (content, ..) => content,
        };
        Ok(Outcome { content, ..self })
    }

    /// The same with that part of its resource, or of the resources of its Bundle.
    pub fn subsetted(mut self, subset: &Subset) -> Result<Self> {
        if matches!(subset, Subset::None | Subset::Count) {
            return Ok(self);
        }
        let mut value = match self.content {
            Content::None => return Ok(self),
            Content::Json(json) => json::read_stored(&json)?,
            Content::Value(value) => value,
        };
        // A Bundle that is stored is a resource as others.
        match self.version.is_none() && value["resourceType"] == "Bundle" {
            true => {
                let entries = value.get_mut("entry").and_then(Value::as_array_mut);
                let resources = entries.into_iter().flatten();
                for resource in resources.filter_map(|entry| entry.get_mut("resource")) {
                    *resource = part(resource, subset);
                }
            }
            false => value = part(&value, subset),
        }
        self.content = Content::Value(value);
        Ok(self)
    }
}
