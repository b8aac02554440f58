//! The operations that there are, and where: <https://hl7.org/fhir/R4/operations.html>. Paths,
//! methods and the CapabilityStatement are read from this one table; what an operation does is
//! in `interactions`.

use super::{Parameter, WriteGuard};
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Id, Resource, ResourceKey};
use std::fmt;

/// Every operation has one, so that none is in the table and nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OperationCode {
    Meta,
    MetaAdd,
    MetaDelete,
    IndexStatus,
    Explain,
}

/// What an operation is asked of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OperationLevel {
    System,
    Type,
    Instance,
    Version,
}

/// One operation that is offered.
#[derive(PartialEq, Eq, Debug)]
pub struct OperationRow {
    pub code: OperationCode,
    /// As in URLs, without `$`.
    pub name: &'static str,
    /// Canonical URL of the OperationDefinition; of one that is this server's own, the part
    /// after the base.
    pub definition: &'static str,
    pub levels: &'static [OperationLevel],
    /// Types that have it; empty for every type.
    pub types: &'static [&'static str],
    /// `OperationDefinition.affectsState`: such an operation is for POST alone.
    pub affects_state: bool,
}

/// R4 lets `$meta-add` and `$meta-delete` be asked of an old version too. They are not offered
/// there: versions that were do not change.
pub static OPERATIONS: [OperationRow; 5] = [
    OperationRow {
        code: OperationCode::Meta,
        name: "meta",
        definition: "http://hl7.org/fhir/OperationDefinition/Resource-meta",
        levels: &[
            OperationLevel::System,
            OperationLevel::Type,
            OperationLevel::Instance,
            OperationLevel::Version,
        ],
        types: &[],
        affects_state: false,
    },
    OperationRow {
        code: OperationCode::MetaAdd,
        name: "meta-add",
        definition: "http://hl7.org/fhir/OperationDefinition/Resource-meta-add",
        levels: &[OperationLevel::Instance],
        types: &[],
        affects_state: true,
    },
    OperationRow {
        code: OperationCode::MetaDelete,
        name: "meta-delete",
        definition: "http://hl7.org/fhir/OperationDefinition/Resource-meta-delete",
        levels: &[OperationLevel::Instance],
        types: &[],
        affects_state: true,
    },
    OperationRow {
        code: OperationCode::IndexStatus,
        name: "index-status",
        definition: "OperationDefinition/SearchParameter-index-status",
        levels: &[OperationLevel::Type, OperationLevel::Instance],
        types: &["SearchParameter"],
        affects_state: false,
    },
    OperationRow {
        code: OperationCode::Explain,
        name: "explain",
        definition: "OperationDefinition/Resource-explain",
        levels: &[OperationLevel::System, OperationLevel::Type],
        types: &[],
        affects_state: false,
    },
];

/// What an operation is asked of, by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OperationScope {
    System,
    Type(ResourceType),
    Instance(ResourceKey),
    Version(ResourceKey, Id),
}

/// A request for an operation.
#[derive(Clone, Debug)]
pub struct Operation {
    pub row: &'static OperationRow,
    pub scope: OperationScope,
    /// Of the query; not judged yet.
    pub parameters: Vec<Parameter>,
    pub body: Option<Resource>,
    /// `If-Match`, for one that affects the state of an instance.
    pub guard: WriteGuard,
}

impl OperationRow {
    /// The operation of that name at this place. 404 where there is none, with the places where
    /// there is one.
    pub(super) fn at(scope: &OperationScope, name: &str) -> Result<&'static OperationRow> {
        let refused =
            |text: String| Err(FhirError::new(ErrorKind::NotFound, IssueCode::NotSupported, text));
        let Some(row) = OPERATIONS.iter().find(|row| row.name == name) else {
            return refused(format!("There is no operation ${name} here"));
        };
        if !row.levels.contains(&scope.level()) {
            let places: Vec<&str> = row.levels.iter().map(|level| level.place()).collect();
            return refused(format!("${name} is offered at {}", places.join(", ")));
        }
        match scope.resource_type() {
            Some(of) if !row.is_of(of) => refused(format!("{of} has no operation ${name}")),
            _ => Ok(row),
        }
    }

    /// True for those that tell of the server itself.
    pub fn is_for_operators(&self) -> bool {
        self.code == OperationCode::Explain
    }

    /// True where resources of the type have it.
    pub fn is_of(&self, resource_type: ResourceType) -> bool {
        self.types.is_empty() || self.types.contains(&resource_type.name())
    }

    /// operations.html#executing: GET only where nothing is changed.
    pub(super) fn allowed_methods(&self) -> &'static [&'static str] {
        match self.affects_state {
            true => &["POST"],
            false => &["GET", "HEAD", "POST"],
        }
    }
}

impl OperationLevel {
    fn place(self) -> &'static str {
        match self {
            OperationLevel::System => "[base]",
            OperationLevel::Type => "[type]",
            OperationLevel::Instance => "[type]/[id]",
            OperationLevel::Version => "[type]/[id]/_history/[vid]",
        }
    }
}

impl OperationScope {
    pub fn level(&self) -> OperationLevel {
        match self {
            OperationScope::System => OperationLevel::System,
            OperationScope::Type(_) => OperationLevel::Type,
            OperationScope::Instance(_) => OperationLevel::Instance,
            OperationScope::Version(..) => OperationLevel::Version,
        }
    }

    /// None at the system level.
    pub fn resource_type(&self) -> Option<ResourceType> {
        match self {
            OperationScope::System => None,
            OperationScope::Type(resource_type) => Some(*resource_type),
            OperationScope::Instance(key) | OperationScope::Version(key, _) => {
                Some(key.resource_type)
            }
        }
    }
}

/// As in URLs; empty at the system level.
impl fmt::Display for OperationScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OperationScope::System => Ok(()),
            OperationScope::Type(resource_type) => write!(f, "{resource_type}"),
            OperationScope::Instance(key) => write!(f, "{key}"),
            OperationScope::Version(key, version) => write!(f, "{key}/_history/{version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_in_the_table_once() {
        for row in &OPERATIONS {
            let is_same = |other: &&OperationRow| other.name == row.name || other.code == row.code;
            assert_eq!(OPERATIONS.iter().filter(is_same).count(), 1, "${}", row.name);
            assert!(!row.levels.is_empty(), "${}", row.name);
            for name in row.types {
                assert!(ResourceType::parse(name).is_some(), "${} of {name}", row.name);
            }
        }
    }

    #[test]
    fn an_operation_at_another_level_is_told_where_it_is() {
        let error = OperationRow::at(&OperationScope::System, "meta-add").unwrap_err();
        assert_eq!(error.kind.status(), 404);
        assert_eq!(error.issues[0].diagnostics, "$meta-add is offered at [type]/[id]");
        let error = OperationRow::at(&OperationScope::System, "Meta").unwrap_err();
        assert_eq!(error.issues[0].code, IssueCode::NotSupported);
    }
}
