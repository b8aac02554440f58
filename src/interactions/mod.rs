//! A file per interaction. A write is prepared into changes and applied in one place; a read is
//! performed. Requests from HTTP and from Bundle entries walk the same functions.

pub mod audit;
mod batch;
pub mod capabilities;
mod context;
mod create;
mod delete;
mod entry;
mod history;
mod operations;
mod outcome;
mod page;
mod patch;
mod read;
mod scope_queries;
mod search;
mod transaction;
mod update;
mod write;

pub use context::Context;
pub use outcome::{Content, Outcome, ResourceVersion};
pub use write::{bulk, idempotency};

use crate::access::{Asker, Caller, Permit};
use crate::audit::Seed;
use crate::error::{FhirError, IssueCode, Result};
use crate::fhir::interaction::{BundleKind, Interaction, Request};
use crate::fhir::resource::Resource;
use crate::storage::Connection;
use audit::{events as audit_events, trail};
use std::sync::Arc;
use write::idempotency::Claim;
use write::prepare::Validated;
use write::provenance::Provenance;
use write::{NothingAfter, WriteSet};

/// Carries one interaction to its answer. Errors are answers too: the caller makes an
/// OperationOutcome of them.
pub async fn perform(context: &Context, asker: &Asker, request: Request) -> Result<Outcome> {
    let seed = trail::seed(context, asker, &request.interaction);
    let is_batch = trail::is_batch(&request.interaction);
    let answer = perform_untold(context, asker, request, seed.clone()).await;
    trail::told(context, (asker, seed.as_deref()), is_batch, answer).await
}

/// The same before it is told to the audit; a write takes its event along.
async fn perform_untold(
    context: &Context,
    asker: &Asker,
    request: Request,
    seed: Option<Arc<Seed>>,
) -> Result<Outcome> {
    let asker = &*scope_queries::planned(context, asker).await?;
    let caller = &asker.caller;
    if audit_events::is_about(context, &request.interaction) {
        return audit_events::perform(context, asker, request).await;
    }
    let permit = context.permit(caller, &request.interaction)?;
    if request.interaction.is_write() {
        return perform_write(context, (caller, permit), request, seed).await;
    }
    let claim = Claim::of(caller, &request);
    match request.interaction {
        Interaction::Bundle { kind: BundleKind::Batch, bundle } => {
            if request.provenance.is_some() {
                let text = "The entries of a batch are stored each for itself; X-Provenance is \
                            for single writes and for transactions";
                return Err(FhirError::at(IssueCode::NotSupported, "http.X-Provenance", text));
            }
            let key = request.idempotency_key.as_deref();
            batch::batch(context, asker, (bundle, request.prefer), key).await
        }
        Interaction::Bundle { kind: BundleKind::Transaction, bundle } => {
            let provenance = provenance(context, caller, request.provenance)?;
            let beside = (claim, provenance, seed);
            transaction::transaction(context, caller, (bundle, request.prefer), beside).await
        }
        Interaction::Capabilities { mode } => {
            let statement = context.statements.answer(mode.as_deref())?.of_read();
            statement.subsetted(&request.subset)
        }
        Interaction::Read { key, unless } => {
            let outcome = read::read_alone(context, &permit, (&key, &unless)).await?;
            outcome.of_read().subsetted(&request.subset)
        }
        Interaction::Search { ref scope, ref parameters } => {
            let wanted = (scope, &parameters[..], &request);
            let outcome = search::search_alone(context, &permit, wanted).await?;
            outcome.of_read().subsetted(&request.subset)
        }
        Interaction::Operation(_) => {
            let mut connection = context.store.search_connection().await?;
            let outcome = perform_read(context, &mut connection, &permit, &request).await?;
            connection.release();
            Ok(outcome)
        }
        _ => {
            let mut connection = context.store.connection().await?;
            let outcome = perform_read(context, &mut connection, &permit, &request).await?;
            connection.release();
            Ok(outcome)
        }
    }
}

/// A read, vread, history, search or operation that affects nothing, on a connection that may be
/// inside a transaction.
async fn perform_read(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    request: &Request,
) -> Result<Outcome> {
    let outcome = match &request.interaction {
        Interaction::Read { key, unless } => {
            read::read(context, connection, permit, (key, unless)).await
        }
        Interaction::Vread { key, version, unless } => {
            read::vread(context, connection, permit, (key, version, unless)).await
        }
        Interaction::History { scope, parameters } => {
            history::history(context, connection, permit, (scope, parameters, request)).await
        }
        Interaction::Search { scope, parameters } => {
            search::search(context, connection, permit, (scope, parameters, request)).await
        }
        Interaction::Operation(operation) => {
            operations::read(context, connection, permit, operation).await
        }
        _ => {
            let text = "This interaction cannot be performed here";
            Err(FhirError::unprocessable(IssueCode::NotSupported, text))
        }
    }?;
    outcome.of_read().subsetted(&request.subset)
}

/// The Provenance that came with a request.
fn provenance(
    context: &Context,
    caller: &Caller,
    sent: Option<Resource>,
) -> Result<Option<Provenance>> {
    sent.map(|resource| write::provenance::checked(context, caller, resource)).transpose()
}

/// One create, update, patch or delete, with its Provenance.
async fn perform_write(
    context: &Context,
    gate: (&Caller, Permit),
    request: Request,
    audit: Option<Arc<Seed>>,
) -> Result<Outcome> {
    let (caller, permit) = gate;
    let claim = Claim::of(caller, &request);
    let provenance = provenance(context, caller, request.provenance)?;
    let subset = request.subset;
    let write = write::prepare::write(context, permit.clone(), request.interaction, Validated::No)?
        .ok_or_else(|| FhirError::internal("a write interaction without a write"))?;
    let links = write::links::Links::default();
    let set = WriteSet { writes: vec![write], links, claim, provenance, audit };
    let written = write::store(context, &set, &NothingAfter).await?;
    let missing = || FhirError::internal("a write without an answer");
    let outcome = written.kept_answer.or_else(|| written.outcomes.into_iter().next());
    outcome.ok_or_else(missing)?.of_write(&permit)?.subsetted(&subset)
}
