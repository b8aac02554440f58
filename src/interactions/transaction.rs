//! transaction: <https://hl7.org/fhir/R4/http.html#trules>. All entries or none; DELETE, POST,
//! PUT and PATCH are one set of changes, reads see them.

use super::audit::events as audit_events;
use super::context::Context;
use super::entry::{self, RequestEntry};
use super::outcome::{Content, Outcome};
use super::write::draft::Write;
use super::write::idempotency::Claim;
use super::write::links::Links;
use super::write::prepare::{self, Validated};
use super::write::provenance::Provenance;
use super::write::{AfterWrites, WriteSet, Written, store};
use crate::access::{Caller, Permit};
use crate::audit::Seed;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::bundle::Bundle;
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::{Interaction, Method, Prefer, Request, Returning, TypeCriteria};
use crate::fhir::resource::Resource;
use crate::fhir::validation;
use crate::storage::Unit;
use std::sync::Arc;

/// Where the answer of an entry comes from.
#[derive(Clone, Copy)]
enum Place {
    Write(usize),
    Read(usize),
}

/// A transaction, understood and permitted.
struct Transaction {
    places: Vec<Place>,
    set: WriteSet,
    reads: Reads,
}

/// A read of a transaction, and the place of its entry.
struct ReadEntry {
    method: Method,
    permit: Permit,
    request: Request,
    expression: String,
}

struct Reads {
    requests: Vec<ReadEntry>,
    /// Of the writes, in their order: what their answers may tell.
    permits: Vec<Permit>,
    places: Vec<Place>,
    returning: Option<Returning>,
}

/// 200 with a Bundle of type transaction-response, an entry for each entry; or the error of
/// the first entry that fails, with its place, and nothing stored.
pub async fn transaction(
    context: &Context,
    caller: &Caller,
    request: (Resource, Prefer),
    beside: (Option<Claim>, Option<Provenance>, Option<Arc<Seed>>),
) -> Result<Outcome> {
    let (bundle, prefer) = request;
    let (claim, provenance, audit) = beside;
    let mut transaction = understand(context, caller, bundle, (prefer, claim))?;
    transaction.set.provenance = provenance;
    transaction.set.audit = audit;
    let mut reads = transaction.reads;
    reads.places = transaction.places;
    let written = store(context, &transaction.set, &reads).await?;
    match written.kept_answer {
        Some(kept) => Ok(kept),
        None => reads.answer(context, &written),
    }
}

/// The writes of a transaction Bundle without its reads, which an import has no use for.
pub fn write_set(context: &Context, caller: &Caller, bundle: Resource) -> Result<WriteSet> {
    Ok(understand(context, caller, bundle, (Prefer::default(), None))?.set)
}

fn understand(
    context: &Context,
    caller: &Caller,
    mut bundle: Resource,
    asked: (Prefer, Option<Claim>),
) -> Result<Transaction> {
    let (prefer, claim) = asked;
    validation::validate(bundle.value(), &context.settings.limits)
        .map_err(|issues| FhirError::of_issues(ErrorKind::BadRequest, issues))?;
    let entries = entry::take_entries(&mut bundle);
    check_size(context, entries.len())?;
    let mut places = Vec::with_capacity(entries.len());
    let mut writes: Vec<Write> = Vec::new();
    let mut requests = Vec::new();
    let mut conditional: Vec<(String, Permit, crate::search::Plan)> = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let RequestEntry { method, full_url, expression, request } =
            entry::read((entry, index), prefer.handling, &context.settings.limits)?;
        audit_events::check_outside(context, &request.interaction)
            .map_err(|error| error.within(&expression))?;
        let permit = context
            .permit(caller, &request.interaction)
            .map_err(|error| error.within(&expression))?;
        if !request.interaction.is_write() {
            check_read(&request.interaction).map_err(|error| error.within(&expression))?;
            places.push(Place::Read(requests.len()));
            requests.push(ReadEntry { method, permit, request, expression });
            continue;
        }
        let prepared = prepare::write(context, permit.clone(), request.interaction, Validated::Yes);
        let write = prepared.map_err(|error| error.within(&expression))?;
        let Some(mut write) = write else { return Err(unfit().within(&expression)) };
        for text in &write.conditional {
            if !conditional.iter().any(|(known, ..)| known == text) {
                let plan =
                    reference_plan(context, text).map_err(|error| error.within(&expression))?;
                conditional.push((text.clone(), permit.clone(), plan));
            }
        }
        write.full_url = full_url;
        write.expression = expression;
        places.push(Place::Write(writes.len()));
        writes.push(write);
    }
    check_criteria(&writes)?;
    let links = Links::of_transaction(&mut writes, conditional)?;
    let permits = writes.iter().map(|write| write.permit.clone()).collect();
    let set = WriteSet { writes, links, claim, provenance: None, audit: None };
    let reads = Reads { requests, permits, places: Vec::new(), returning: prefer.returning };
    Ok(Transaction { places, set, reads })
}

/// 413 over the limit of entries.
pub fn check_size(context: &Context, entries: usize) -> Result<()> {
    let most = context.settings.limits.bundle_entries;
    match entries > most {
        true => {
            let text = format!("The Bundle has {entries} entries; this server takes {most}");
            Err(FhirError::new(ErrorKind::PayloadTooLarge, IssueCode::TooCostly, text))
        }
        false => Ok(()),
    }
}

fn reference_plan(context: &Context, text: &str) -> Result<crate::search::Plan> {
    let (name, query) = text.split_once('?').unwrap_or((text, ""));
    let resource_type = ResourceType::parse(name).ok_or_else(|| FhirError::not_found(name))?;
    prepare::plan(context, &TypeCriteria { resource_type, query: query.to_owned() })
}

/// Two entries on the same criteria would both find nothing and make two resources.
fn check_criteria(writes: &[Write]) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for write in writes {
        if let super::write::draft::Target::Criteria(criteria) = &write.target
            && !seen.insert(&criteria.normalised)
        {
            let text = "Another entry of this transaction has the same criteria";
            return Err(FhirError::precondition_failed(text).within(&write.expression));
        }
    }
    Ok(())
}

fn check_read(interaction: &Interaction) -> Result<()> {
    match interaction {
        Interaction::Bundle { .. } => Err(unfit()),
        _ => Ok(()),
    }
}

fn unfit() -> FhirError {
    let text = "This interaction cannot be part of a transaction";
    FhirError::unprocessable(IssueCode::NotSupported, text)
}

impl AfterWrites for Reads {
    fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    async fn run(&self, context: &Context, unit: &mut Unit) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(self.requests.len());
        for ReadEntry { method, permit, request, expression } in &self.requests {
            let read = super::perform_read(context, unit.connection(), permit, request).await;
            let read = read.map_err(|error| error.within(expression))?;
            outcomes.push(read.of_method(*method));
        }
        Ok(outcomes)
    }

    fn answer(&self, context: &Context, written: &Written) -> Result<Outcome> {
        let base_url = &context.settings.base_url;
        let missing = || FhirError::internal("an entry without an answer");
        let mut entries = Vec::with_capacity(self.places.len());
        for place in &self.places {
            let outcome = match place {
                Place::Write(index) => {
                    let outcome = written.outcomes.get(*index).cloned().ok_or_else(missing)?;
                    let permit = self.permits.get(*index).ok_or_else(missing)?;
                    outcome.of_write(permit)?
                }
                Place::Read(index) => written.reads.get(*index).cloned().ok_or_else(missing)?,
            };
            entries.push(entry::answered(base_url, self.returning, Ok(outcome)));
        }
        let bundle = Bundle {
            kind: "transaction-response",
            last_updated: context.clock.now(),
            total: None,
            links: Vec::new(),
            entries,
        };
        let shown = written.reads.iter().flat_map(|read| read.shown.clone()).collect();
        Ok(Outcome { shown, ..Outcome::ok(Content::Json(bundle.into_json())) })
    }
}
