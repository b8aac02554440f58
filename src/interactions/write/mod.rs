//! The path of every write: gather facts, work out steps, take locks where a condition must
//! still hold, apply. A lost race starts it anew, a bounded number of times.
//!
//! Statements for a create: one, and up to two for coded values and references never seen
//! before. For a transaction: a constant number, whatever its size.

pub mod bulk;
mod definitions;
pub mod draft;
mod facts;
mod finish;
mod guards;
pub mod idempotency;
mod integrity;
pub mod links;
pub mod prepare;
pub mod provenance;
mod unique;

use super::audit::trail;
use super::context::Context;
use super::operations::meta;
use super::outcome::Outcome;
use super::{create, delete, patch, update};
use crate::audit::Seed;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::resource::ResourceKey;
use crate::storage::{
    Applied, DefinitionChange, Lock, Staged, Store, Unit, Visible, WriteUnderWay,
};
use draft::{Act, Draft, Found, Step, Target, Write};
use facts::{Facts, Signature};
use foldhash::quality::RandomState;
use idempotency::Claim;
use links::Links;
use provenance::Provenance;
use std::collections::HashSet;
use std::sync::Arc;
use unique::UniqueClaims;

/// Writes that are stored together or not at all.
pub struct WriteSet {
    pub writes: Vec<Write>,
    /// Replaces links between the entries of a transaction.
    pub links: Links,
    /// The Idempotency-Key that the request came with.
    pub claim: Option<Claim>,
    /// Stored with the versions that the writes make.
    pub provenance: Option<Provenance>,
    /// Whose event is stored with the writes; None without an audit.
    pub audit: Option<Arc<Seed>>,
}

/// What the store answered to a set of writes.
pub struct Written {
    pub outcomes: Vec<Outcome>,
    /// Answers of what was asked to run after the writes, before their commit.
    pub reads: Vec<Outcome>,
    /// The answer that is kept under the Idempotency-Key, now or since the first time.
    pub kept_answer: Option<Outcome>,
}

/// Work that sees the writes of its set before they are committed.
pub trait AfterWrites {
    fn is_empty(&self) -> bool;

    fn run(
        &self,
        context: &Context,
        unit: &mut Unit,
    ) -> impl Future<Output = Result<Vec<Outcome>>> + Send;

    /// The answer to the request as a whole, to be kept under its Idempotency-Key.
    fn answer(&self, context: &Context, written: &Written) -> Result<Outcome>;
}

/// No such work.
pub struct NothingAfter;

impl AfterWrites for NothingAfter {
    fn is_empty(&self) -> bool {
        true
    }

    async fn run(&self, _: &Context, _: &mut Unit) -> Result<Vec<Outcome>> {
        Ok(Vec::new())
    }

    fn answer(&self, _: &Context, written: &Written) -> Result<Outcome> {
        let missing = || FhirError::internal("a write without an answer");
        written.outcomes.first().cloned().ok_or_else(missing)
    }
}

impl Written {
    fn of(outcomes: Vec<Outcome>) -> Self {
        Written { outcomes, reads: Vec::new(), kept_answer: None }
    }

    fn again(first: Outcome) -> Self {
        Written { outcomes: Vec::new(), reads: Vec::new(), kept_answer: Some(first) }
    }
}

/// Stores a set of writes. 503 where other writers came first every time.
pub async fn store<A: AfterWrites>(
    context: &Context,
    set: &WriteSet,
    after: &A,
) -> Result<Written> {
    let mut context = context.clone();
    for attempt in 0..context.settings.limits.write_attempts {
        if attempt > 0 {
            tokio::time::sleep(backoff(attempt)).await;
            // The search parameters may have changed.
            context = context.refreshed().await?;
        }
        let under_way = context.store.writes_under_way.begin(context.clock.now());
        let place = (&under_way, attempt > 0);
        if let Some(written) = attempt_once(&context, set, after, place).await? {
            return Ok(written);
        }
    }
    Err(FhirError::unavailable("Other writers changed the same resources every time"))
}

/// A few milliseconds, doubling, and spread by the clock's low bits.
fn backoff(attempt: u32) -> std::time::Duration {
    let spread = std::time::Instant::now().elapsed().subsec_nanos() as u64 % 7;
    std::time::Duration::from_millis((1 << attempt.min(6)) + spread)
}

/// What a set of writes comes to over some facts, ready to be applied.
struct Planned {
    staged: Vec<Staged>,
    outcomes: Vec<Outcome>,
    locks: Locks,
    signature: Signature,
    definitions: Vec<DefinitionChange>,
}

/// Works the facts out. `place` has the instant of new versions, and whether a race was lost
/// before.
async fn plan(
    context: &Context,
    set: &WriteSet,
    facts: Facts,
    place: (&WriteUnderWay, bool),
) -> Result<Planned> {
    let (under_way, is_again) = place;
    let signature = facts.signature();
    let steps = steps(context, set, facts)?;
    guards::check(context, set, &steps).await?;
    let definitions = definitions::changes(context, set, &steps)?;
    let mut locks = Locks::of(context, set, &steps)?;
    if is_again {
        // Who lost a race waits in line the next time.
        let replaced = drafts(&steps).filter(|draft| draft.before.is_some());
        locks.locks.extend(replaced.map(|draft| Lock::Key(draft.key.clone())));
    }
    let (changes, mut outcomes) = finish::finish(context, steps, under_way.instant()).await?;
    for (write, outcome) in set.writes.iter().zip(&mut outcomes) {
        if let Act::Meta(_) = write.act {
            *outcome = meta::answer(outcome.clone())?;
        }
    }
    let staged = context.store.stage(changes).await?;
    let staged = trail::attached(context, set.audit.as_deref(), (staged, &outcomes))?;
    Ok(Planned { staged, outcomes, locks, signature, definitions })
}

/// None where the race was lost and nothing was stored.
async fn attempt_once<A: AfterWrites>(
    context: &Context,
    set: &WriteSet,
    after: &A,
    place: (&WriteUnderWay, bool),
) -> Result<Option<Written>> {
    if let Some(claim) = &set.claim
        && let Some(first) = claim.first_answer(context).await?
    {
        return Ok(Some(Written::again(first)));
    }
    let facts = facts::gather_alone(context, set).await?;
    let planned = plan(context, set, facts, place).await?;
    let needs_unit = set.claim.is_some() || !after.is_empty() || !planned.definitions.is_empty();
    if planned.staged.is_empty() && !needs_unit {
        return Ok(Some(Written::of(planned.outcomes)));
    }
    let is_alone = planned.locks.is_empty() && Store::is_for_one_statement(&planned.staged);
    if needs_unit || !is_alone {
        return apply(context, (set, planned), after, place).await;
    }
    let applied = context.store.apply_alone(planned.staged).await?;
    Ok((applied == Applied::Yes).then(|| Written::of(planned.outcomes)))
}

/// Applies a plan in a transaction. Where the facts changed before the locks were had, the plan
/// is made anew under them.
async fn apply<A: AfterWrites>(
    context: &Context,
    work: (&WriteSet, Planned),
    after: &A,
    place: (&WriteUnderWay, bool),
) -> Result<Option<Written>> {
    let (set, mut planned) = work;
    let mut unit = context.store.begin(&planned.locks.locks).await?;
    if !planned.locks.is_empty() {
        if let Some(claim) = &set.claim
            && let Some(first) = claim.first_answer_on(context, &mut unit).await?
        {
            trail::detached(set.audit.as_deref());
            return Ok(Some(Written::again(first)));
        }
        let now = facts::gather(context, unit.connection(), set).await?;
        if now.signature() != planned.signature {
            let again = plan(context, set, now, place).await?;
            if !again.locks.are_among(&planned.locks) {
                return Ok(None);
            }
            planned = again;
        }
        planned.locks.check(context, &mut unit, (set, &planned.staged)).await?;
    }
    if context.store.apply(&mut unit, &planned.staged).await? == Applied::LostRace {
        return Ok(None);
    }
    let (number, definitions) = (context.registry.number(), &planned.definitions);
    if !definitions.is_empty()
        && context.store.apply_definitions(&mut unit, number, definitions).await?
            == Applied::LostRace
    {
        return Ok(None);
    }
    let reads = after.run(context, &mut unit).await?;
    let mut written = Written { reads, ..Written::of(planned.outcomes) };
    if let Some(claim) = &set.claim {
        let answer = after.answer(context, &written)?;
        claim.keep(context, &mut unit, &answer).await?;
        written.kept_answer = Some(answer);
    }
    let committed = unit.commit().await?;
    if !planned.definitions.is_empty()
        && let Err(error) = context.refreshed().await
    {
        // What is stored is stored; this process hears of it by and by.
        tracing::warn!(%error, "the changed search parameters were not read");
    }
    Ok((committed == Applied::Yes).then(|| {
        context.store.remember(&planned.staged);
        written
    }))
}

/// One step for each write. Pure.
fn steps<'a>(context: &Context, set: &'a WriteSet, facts: Facts) -> Result<Vec<Step<'a>>> {
    let links = set.links.resolved(context, &set.writes, &facts)?;
    let mut steps = Vec::with_capacity(set.writes.len());
    let mut identities = Identities::default();
    for (write, found) in set.writes.iter().zip(facts.found) {
        let prepared =
            identities.add(write, &found).and_then(|()| step(context, write, found, &links));
        let prepared = prepared.map(|step| step.by(write.permit.writer()));
        steps.push(prepared.map_err(|error| write.placed(error))?);
    }
    let provenance = set.provenance.as_ref().and_then(|provenance| provenance.step(&steps));
    let writer = set.writes.first().map(|write| write.permit.writer());
    steps.extend(provenance.zip(writer).map(|(step, writer)| step.by(writer)));
    Ok(steps)
}

fn step<'a>(
    context: &Context,
    write: &'a Write,
    found: Found,
    links: &links::Resolved,
) -> Result<Step<'a>> {
    let settings = &context.settings;
    let upsert = update::Upsert::of(settings, &write.permit);
    let key = write.key(&found);
    let what = key.as_ref().map(ResourceKey::to_string).unwrap_or_else(|| "resource".to_owned());
    match (&write.act, key) {
        (Act::Create(resource), Some(key)) => {
            create::prepare(key, links.rewritten(write, resource), found)
        }
        (Act::Update(_), Some(key)) if write.is_of_taken_id(&found) => {
            Err(update::id_is_taken(&key))
        }
        (Act::Update(resource), Some(key)) => {
            let resource = links.rewritten(write, resource);
            update::prepare(key, resource, (found, &write.guard), upsert)
        }
        (Act::Create(_), None) => Err(create::several_matches("If-None-Exist")),
        (Act::Update(_), None) => Err(create::several_matches("criteria")),
        (Act::Patch(patch), _) => {
            check_whole(write, &found)?;
            patch::prepare(&what, patch, (found, &write.guard), (settings, links))
        }
        (Act::Meta(edit), _) => meta::prepare(&what, edit, (found, &write.guard), settings),
        (Act::Delete, _) => delete::prepare(found, &write.guard, &settings.limits),
    }
}

/// 403 for a patch of what is about others as well, who are not shown: what it tests and copies
/// would tell of them.
fn check_whole(write: &Write, found: &Found) -> Result<()> {
    let stored = match found {
        Found::Key(Visible::Live(stored)) => Some(stored),
        Found::Matches(matches) => matches.first(),
        _ => None,
    };
    let Some(stored) = stored else { return Ok(()) };
    match write.permit.redactor().hides_others(&stored.key, &stored.body)? {
        false => Ok(()),
        true => {
            let text = format!("You are shown a part of this {}", stored.key.resource_type);
            Err(FhirError::new(ErrorKind::Forbidden, IssueCode::Forbidden, text))
        }
    }
}

/// No resource may be written twice in one set (http.html#trules), not even by entries that
/// come to nothing. A conditional create that found its resource does not write it.
#[derive(Default)]
struct Identities(HashSet<ResourceKey, RandomState>);

impl Identities {
    fn add(&mut self, write: &Write, found: &Found) -> Result<()> {
        let keys = match (&write.act, found) {
            (Act::Create(_), Found::Matches(matches)) if !matches.is_empty() => return Ok(()),
            (Act::Delete, Found::Matches(matches)) => {
                matches.iter().map(|stored| stored.key.clone()).collect()
            }
            _ => Vec::from_iter(write.key(found)),
        };
        for key in keys {
            if let Some(key) = self.0.replace(key) {
                let text = format!("Another entry writes {key}; a transaction may do so once");
                return Err(FhirError::bad_request(text));
            }
        }
        Ok(())
    }
}

pub fn drafts<'s, 'a>(steps: &'s [Step<'a>]) -> impl Iterator<Item = &'s Draft<'a>> {
    steps.iter().flat_map(|step| match step {
        Step::Change(draft) => std::slice::from_ref(draft).iter(),
        Step::Deletes(drafts) => drafts.iter(),
        Step::Unchanged(_) | Step::Nothing => [].iter(),
    })
}

/// What must not change between the look and the write.
struct Locks {
    locks: Vec<Lock>,
    uniques: UniqueClaims,
    /// References that must lead somewhere.
    targets: Vec<(String, ResourceKey)>,
}

impl Locks {
    fn of(context: &Context, set: &WriteSet, steps: &[Step]) -> Result<Self> {
        let uniques = UniqueClaims::of(context, steps)?;
        let mut locks: Vec<Lock> = uniques.locks().collect();
        locks.extend(set.claim.as_ref().map(Claim::lock));
        for (write, step) in set.writes.iter().zip(steps) {
            if let (Target::Criteria(criteria), Step::Change(draft)) = (&write.target, step)
                && draft.before.as_ref().is_none_or(|before| before.is_deleted)
            {
                locks.extend(criteria.plan.lock_keys().into_iter().map(Lock::Number));
            }
        }
        let mut targets = Vec::new();
        for draft in drafts(steps) {
            if draft.has_client_id {
                locks.push(Lock::Key(draft.key.clone()));
            }
            if context.settings.integrity_on_write {
                targets.extend(integrity::targets(draft));
            }
            if context.settings.integrity_on_delete && draft.resource.is_none() {
                locks.push(Lock::Key(draft.key.clone()));
            }
        }
        let written: HashSet<&ResourceKey, RandomState> = drafts(steps)
            .filter(|draft| draft.resource.is_some())
            .map(|draft| &draft.key)
            .collect();
        targets.retain(|(_, target)| !written.contains(target));
        locks.extend(targets.iter().map(|(_, target)| Lock::Key(target.clone())));
        Ok(Locks { locks, uniques, targets })
    }

    fn is_empty(&self) -> bool {
        self.locks.is_empty()
    }

    /// True where whoever holds the others' locks holds these.
    fn are_among(&self, others: &Locks) -> bool {
        self.locks.iter().all(|lock| others.locks.contains(lock))
    }

    /// What must hold under the locks: unique identifiers, and references that lead somewhere.
    async fn check(
        &self,
        context: &Context,
        unit: &mut Unit,
        work: (&WriteSet, &[Staged]),
    ) -> Result<()> {
        let (set, staged) = work;
        let Some(write) = set.writes.first() else { return Ok(()) };
        self.uniques.check(context, unit, (&write.permit, staged)).await?;
        if !self.targets.is_empty() {
            integrity::check(context, unit, (&write.permit, &self.targets)).await?;
        }
        match context.settings.integrity_on_delete {
            true => integrity::check_deletes(context, unit, (&write.permit, staged)).await,
            false => Ok(()),
        }
    }
}
