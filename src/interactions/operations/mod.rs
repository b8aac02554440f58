//! Operations: <https://hl7.org/fhir/R4/operations.html>, a file for each family. Which there
//! are, and where, is [`crate::fhir::interaction::OPERATIONS`]. One that affects the state is a
//! write like any other: it may stand in a transaction, and X-Provenance goes with it.

pub mod explain;
pub mod index_status;
pub mod meta;

use super::context::Context;
use super::outcome::Outcome;
use super::write::draft::Act;
use crate::access::Permit;
use crate::error::{FhirError, Result};
use crate::fhir::interaction::{Operation, OperationCode, OperationScope};
use crate::fhir::meta::MetaChange;
use crate::fhir::resource::ResourceKey;
use crate::storage::Connection;

/// The answer of an operation that affects nothing, read on a connection that may be inside a
/// transaction.
pub async fn read(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    operation: &Operation,
) -> Result<Outcome> {
    match operation.row.code {
        OperationCode::Meta => meta::read(context, connection, permit, operation).await,
        OperationCode::Explain => explain::read(context, connection, permit, operation).await,
        OperationCode::IndexStatus => {
            index_status::read(context, connection, permit, operation).await
        }
        OperationCode::MetaAdd | OperationCode::MetaDelete => {
            Err(FhirError::internal("an operation that affects the state was taken for a read"))
        }
    }
}

/// What an operation does to which resource.
pub fn act(context: &Context, operation: &Operation) -> Result<(ResourceKey, Act)> {
    let change = match operation.row.code {
        OperationCode::MetaAdd => MetaChange::Add,
        OperationCode::MetaDelete => MetaChange::Delete,
        OperationCode::Meta | OperationCode::IndexStatus | OperationCode::Explain => {
            return Err(FhirError::internal("an operation that affects nothing does nothing"));
        }
    };
    let OperationScope::Instance(key) = &operation.scope else {
        return Err(FhirError::internal("an operation is not at the level of its table"));
    };
    Ok((key.clone(), Act::Meta(meta::edit(context, operation, change)?)))
}
