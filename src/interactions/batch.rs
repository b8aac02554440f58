//! batch: <https://hl7.org/fhir/R4/http.html#brules>. Every entry for itself, some at a time.

use super::audit::trail;
use super::context::Context;
use super::entry::{self, RequestEntry};
use super::outcome::{Content, Outcome};
use super::transaction::check_size;
use crate::access::Asker;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::bundle::Bundle;
use crate::fhir::interaction::{Handling, Interaction, Method, Prefer};
use crate::fhir::resource::Resource;
use crate::fhir::validation;
use futures_util::StreamExt;
use serde_json::Value;

/// Entries of one batch that run at once.
const PARALLEL: usize = 4;

/// 200 with a Bundle of type batch-response, in the order of the entries; one that failed
/// holds its status and OperationOutcome. 400 where the Bundle itself is not valid.
pub async fn batch(
    context: &Context,
    asker: &Asker,
    request: (Resource, Prefer),
    idempotency_key: Option<&str>,
) -> Result<Outcome> {
    let (mut bundle, prefer) = request;
    // Each entry answers for its own resource, the batch as a whole for everything else.
    let resources = entry::take_resources(&mut bundle);
    check_size(context, resources.len())?;
    validation::validate(bundle.value(), &context.settings.limits)
        .map_err(|issues| FhirError::of_issues(ErrorKind::BadRequest, issues))?;
    let entries = entry::take_entries(&mut bundle);
    let entries = entries.into_iter().zip(resources).map(entry::with_resource);
    let answers = futures_util::stream::iter(entries.enumerate())
        .map(async |(index, entry)| {
            // No client's own key holds a space.
            let key = idempotency_key.map(|key| format!("{key} {index}"));
            let place = ((entry, index), prefer.handling);
            let answer = Box::pin(perform_entry(context, asker, place, key)).await;
            let base_url = &context.settings.base_url;
            entry::answered(base_url, prefer.returning, answer)
        })
        .buffered(PARALLEL)
        .collect()
        .await;
    let bundle = Bundle {
        kind: "batch-response",
        last_updated: context.clock.now(),
        total: None,
        links: Vec::new(),
        entries: answers,
    };
    Ok(Outcome::ok(Content::Json(bundle.into_json())))
}

async fn perform_entry(
    context: &Context,
    asker: &Asker,
    place: ((Value, usize), Handling),
    idempotency_key: Option<String>,
) -> Result<Outcome> {
    let (entry, handling) = place;
    let RequestEntry { method, mut request, expression, .. } =
        match entry::read(entry, handling, &context.settings.limits) {
            Ok(entry) => entry,
            Err(error) => {
                trail::refused(context, asker, ("POST", ""), &error).await?;
                return Err(error);
            }
        };
    if matches!(request.interaction, Interaction::Bundle { .. }) {
        let text = "A batch cannot hold a batch or a transaction";
        return Err(FhirError::unprocessable(IssueCode::NotSupported, text).within(&expression));
    }
    if method == Method::Post {
        request.idempotency_key = idempotency_key;
    }
    Ok(super::perform(context, asker, request).await?.of_method(method))
}
