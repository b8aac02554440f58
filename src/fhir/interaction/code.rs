//! What an interaction is called, and which type it is about: for the log, the audit and the
//! CapabilityStatement.

use super::{BundleKind, HistoryScope, Interaction, SearchScope};
use crate::fhir::definitions::ResourceType;

impl Interaction {
    /// The code of <https://hl7.org/fhir/R4/valueset-restful-interaction.html>; `operation`
    /// where that has none.
    pub fn code(&self) -> &'static str {
        match self {
            Interaction::Read { .. } => "read",
            Interaction::Vread { .. } => "vread",
            Interaction::Create { .. } => "create",
            Interaction::Update { .. } | Interaction::ConditionalUpdate { .. } => "update",
            Interaction::Patch { .. } | Interaction::ConditionalPatch { .. } => "patch",
            Interaction::Delete { .. } | Interaction::ConditionalDelete { .. } => "delete",
            Interaction::History { scope, .. } => match scope {
                HistoryScope::System => "history-system",
                HistoryScope::Type(_) => "history-type",
                HistoryScope::Instance(_) => "history-instance",
            },
            Interaction::Search { scope, .. } => match scope {
                SearchScope::System => "search-system",
                SearchScope::Type(_) | SearchScope::Compartment(..) => "search-type",
            },
            Interaction::Capabilities { .. } => "capabilities",
            Interaction::Bundle { kind: BundleKind::Batch, .. } => "batch",
            Interaction::Bundle { kind: BundleKind::Transaction, .. } => "transaction",
            Interaction::Operation(_) => "operation",
        }
    }

    /// The type that the interaction reads, writes or searches; None at the system level and
    /// for all types of a compartment.
    pub fn resource_type(&self) -> Option<ResourceType> {
        match self {
            Interaction::Read { key, .. }
            | Interaction::Vread { key, .. }
            | Interaction::Update { key, .. }
            | Interaction::Patch { key, .. }
            | Interaction::Delete { key, .. } => Some(key.resource_type),
            Interaction::Create { resource, .. } => Some(resource.resource_type()),
            Interaction::ConditionalUpdate { criteria, .. }
            | Interaction::ConditionalPatch { criteria, .. }
            | Interaction::ConditionalDelete { criteria, .. } => Some(criteria.resource_type),
            Interaction::History { scope, .. } => match scope {
                HistoryScope::System => None,
                HistoryScope::Type(resource_type) => Some(*resource_type),
                HistoryScope::Instance(key) => Some(key.resource_type),
            },
            Interaction::Search { scope, .. } => match scope {
                SearchScope::System => None,
                SearchScope::Type(resource_type) => Some(*resource_type),
                SearchScope::Compartment(_, member) => *member,
            },
            Interaction::Operation(operation) => operation.scope.resource_type(),
            Interaction::Capabilities { .. } | Interaction::Bundle { .. } => None,
        }
    }
}
