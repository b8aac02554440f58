//! Where interactions leave their trail: each is told to the audit once, with its write or before
//! its answer.

use crate::access::{Asker, Caller};
use crate::audit::{Seed, Touched};
use crate::error::{ErrorKind, FhirError, Result};
use crate::fhir::interaction::{BundleKind, Interaction};
use crate::interactions::context::Context;
use crate::interactions::outcome::{Content, Outcome};
use crate::storage::{Staged, Stored};
use std::sync::Arc;

/// The seed of an interaction's event. None without an audit; for `/metadata`, which says nothing
/// about anybody and has to answer when the audit cannot; and for a batch, whose entries are told
/// each for itself.
pub fn seed(context: &Context, asker: &Asker, interaction: &Interaction) -> Option<Arc<Seed>> {
    let is_told = match interaction {
        Interaction::Capabilities { .. } => false,
        _ => context.store.is_audited(),
    };
    is_told.then(|| Arc::new(Seed::of(asker, interaction)))
}

/// What an answer shows, and of whom; nothing where nobody asks.
pub fn shown<'a>(context: &Context, stored: impl IntoIterator<Item = &'a Stored>) -> Vec<Touched> {
    if !context.store.is_audited() {
        return Vec::new();
    }
    let touched = |stored: &Stored| Touched {
        key: stored.key.clone(),
        version: Some(stored.version),
        action: None,
        patients: context.subjects.read(&stored.key, &stored.body),
    };
    stored.into_iter().map(touched).collect()
}

/// The changes of a set with its event, which is stored with them. A set that changes nothing is
/// told when it is answered.
pub fn attached(
    context: &Context,
    seed: Option<&Seed>,
    written: (Vec<Staged>, &[Outcome]),
) -> Result<Vec<Staged>> {
    let (mut staged, outcomes) = written;
    let Some(seed) = seed else { return Ok(staged) };
    seed.goes_with_write(!staged.is_empty());
    let touched: Vec<Touched> = staged.iter().map(Staged::touched).collect();
    let Some(first) = staged.first_mut() else { return Ok(staged) };
    let status = match outcomes {
        [alone] => alone.status,
        _ => 200,
    };
    let event = seed.succeeded(context.clock.precise(), status, &touched);
    first.audit = context.store.audit_row(event)?;
    Ok(staged)
}

/// The set was stored by an earlier request after all.
pub fn detached(seed: Option<&Seed>) {
    if let Some(seed) = seed {
        seed.goes_with_write(false);
    }
}

/// The answer, after it was written down. 503 where it cannot be: then nothing is answered.
pub async fn told(
    context: &Context,
    (asker, seed): (&Asker, Option<&Seed>),
    is_batch: bool,
    answer: Result<Outcome>,
) -> Result<Outcome> {
    let Some(seed) = seed else { return answer };
    let now = context.clock.precise();
    match answer {
        // Its entries were told.
        Ok(outcome) if is_batch => Ok(outcome),
        Ok(outcome) => {
            if !seed.went_with_write() || !outcome.shown.is_empty() {
                let shown = shown_of(context, &outcome);
                let event = seed.succeeded(now, outcome.status, &shown);
                context.store.note(event).await?;
            }
            Ok(outcome)
        }
        Err(error) => {
            let event = seed.failed(now, error.kind.status(), reason(&error));
            match asker.caller {
                Caller::Anonymous => context.store.note_refusal(event).await?,
                _ => context.store.note(event).await?,
            }
            Err(error)
        }
    }
}

/// True for the interaction whose parts are told, and not itself.
pub fn is_batch(interaction: &Interaction) -> bool {
    matches!(interaction, Interaction::Bundle { kind: BundleKind::Batch, .. })
}

/// Writes down a request that was refused before it was understood: `asker` as far as it is
/// known, `path` with its query.
pub async fn refused(
    context: &Context,
    asker: &Asker,
    (method, path): (&str, &str),
    error: &FhirError,
) -> Result<()> {
    if !context.store.is_audited() {
        return Ok(());
    }
    let seed = Seed::of_path(asker, method, path);
    let event = seed.failed(context.clock.precise(), error.kind.status(), reason(error));
    match (&asker.caller, error.kind) {
        // Who comes too often is to fill no disk, whoever he is.
        (Caller::Anonymous, _) | (_, ErrorKind::TooManyRequests) => {
            context.store.note_refusal(event).await
        }
        _ => context.store.note(event).await,
    }
}

/// A write that changed nothing shows what is there.
fn shown_of(context: &Context, outcome: &Outcome) -> Vec<Touched> {
    if !outcome.shown.is_empty() {
        return outcome.shown.clone();
    }
    let of_version = outcome.version.as_ref().map(|version| {
        let patients = match &outcome.content {
            Content::Json(body) => context.subjects.read(&version.key, body),
            Content::Value(value) => {
                context.subjects.read(&version.key, value.to_string().as_bytes())
            }
            Content::None => Vec::new(),
        };
        Touched { key: version.key.clone(), version: Some(version.version), action: None, patients }
    });
    of_version.into_iter().collect()
}

fn reason(error: &FhirError) -> String {
    let issue = error.issues.first();
    issue.map(|issue| format!("{}: {}", issue.code.as_str(), issue.diagnostics)).unwrap_or_default()
}
