//! Writes of an import: the same preparation and the same write path as those of requests,
//! with a mark in their transaction that says that they are done.

use super::draft::{Found, Target, Write};
use super::links::{FullUrls, Links, Named};
use super::prepare::{self, Validated};
use super::{AfterWrites, WriteSet, Written, store};
use crate::access::{Caller, Permit};
use crate::audit::Seed;
use crate::error::{FhirError, Result};
use crate::fhir::interaction::{Handling, Interaction, WriteGuard};
use crate::fhir::resource::{Resource, ResourceKey};
use crate::interactions::context::Context;
use crate::interactions::outcome::Outcome;
use crate::interactions::{entry, transaction};
use crate::storage::{Unit, UnitHash};
use serde_json::Value;
use std::sync::Arc;

/// One resource or batch entry, valid and ready to be stored.
pub struct Item(Write);

/// What storing a unit came to.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Resources that the unit holds.
    pub resources: u64,
    /// Those of them that did not exist.
    pub created: u64,
    /// True where the unit was stored by an earlier import, and nothing was done now.
    pub was_done: bool,
}

/// What the fullUrls of a Bundle stand for, when it is stored in parts.
#[derive(Clone, Default)]
pub struct Names(Arc<FullUrls>);

impl Item {
    /// A resource with an id is stored under it, as by PUT; one without gets an id, as by POST.
    /// 400 where it is not valid.
    pub fn of_resource(context: &Context, resource: Value) -> Result<Item> {
        let resource = Resource::from_value(resource)?;
        let interaction = match resource.id() {
            Some(id) => Interaction::Update {
                key: ResourceKey::new(resource.resource_type(), id),
                resource,
                guard: WriteGuard::default(),
            },
            None => Interaction::Create { resource, if_none_exist: None },
        };
        let item = Item::of_interaction(context, interaction)?;
        item.ok_or_else(|| FhirError::internal("a write interaction without a write"))
    }

    /// The resource of a collection's entry.
    pub fn of_collected(context: &Context, mut entry: Value, index: usize) -> Result<Item> {
        let resource = entry.get_mut("resource").map(Value::take).unwrap_or_default();
        let expression = format!("Bundle.entry[{index}].resource");
        let mut item =
            Item::of_resource(context, resource).map_err(|error| error.within(&expression))?;
        item.0.full_url = entry.get("fullUrl").and_then(Value::as_str).map(str::to_owned);
        Ok(item)
    }

    /// An entry of a batch; None for one that only reads.
    pub fn of_entry(context: &Context, entry: Value, index: usize) -> Result<Option<Item>> {
        let read = entry::read((entry, index), Handling::Strict, &context.settings.limits)?;
        Item::of_interaction(context, read.request.interaction)
            .map_err(|error| error.within(&read.expression))
    }

    fn of_interaction(context: &Context, interaction: Interaction) -> Result<Option<Item>> {
        let permit = Permit::authorize(&Caller::Operator, &interaction)?;
        Ok(prepare::write(context, permit, interaction, Validated::No)?.map(Item))
    }

    /// What is written, where that does not depend on a search. One set may name it once.
    pub fn key(&self) -> Option<&ResourceKey> {
        match &self.0.target {
            Target::New(key) | Target::Key(key) => Some(key),
            Target::Criteria(_) => None,
        }
    }
}

impl Names {
    /// Of the entries of a collection; the first of two with the same fullUrl counts.
    pub fn of<'a>(items: impl IntoIterator<Item = &'a Item>) -> Names {
        let mut names = FullUrls::default();
        for item in items {
            let named = item.key().and_then(|_| Named::of(&item.0, &Found::Nothing));
            if let Some((url, named)) = item.0.full_url.clone().zip(named) {
                names.entry(url).or_insert(named);
            }
        }
        Names(Arc::new(names))
    }
}

/// Takes the entries out of a Bundle.
pub fn take_entries(bundle: &mut Resource) -> Vec<Value> {
    entry::take_entries(bundle)
}

/// Writes that are stored together or not at all.
pub struct Set(WriteSet);

impl Set {
    /// Of a transaction Bundle, without its reads. The errors are those of the transaction.
    pub fn of_transaction(context: &Context, bundle: Resource) -> Result<Set> {
        let set = transaction::write_set(context, &Caller::Operator, bundle)?;
        Ok(Set(WriteSet { audit: seed(), ..set }))
    }

    /// Links to these names are replaced.
    pub fn of_items(items: Vec<Item>, names: &Names) -> Set {
        let mut writes: Vec<Write> = items.into_iter().map(|item| item.0).collect();
        let links = Links::of_full_urls(&mut writes, names.0.clone());
        Set(WriteSet { writes, links, claim: None, provenance: None, audit: seed() })
    }

    /// The items with their links replaced.
    pub fn into_items(self) -> Vec<Item> {
        self.0.writes.into_iter().map(Item).collect()
    }

    /// Stores the set in one database transaction, which also says that it is done. Nothing is
    /// done where that was said before. May be called again after an error.
    pub async fn store(&self, context: &Context, hash: &UnitHash) -> Result<Stored> {
        let context = &context.current();
        match store(context, &self.0, &Mark(hash)).await {
            Ok(written) => {
                let created = written.outcomes.iter().filter(|outcome| outcome.is_created);
                Ok(Stored {
                    resources: written.outcomes.len() as u64,
                    created: created.count() as u64,
                    was_done: false,
                })
            }
            Err(error) => match context.store.imported(&[*hash]).await {
                Ok(done) if done.contains(hash) => Ok(Stored::done()),
                _ => Err(error),
            },
        }
    }
}

/// Each set is an event of the operator's.
fn seed() -> Option<Arc<Seed>> {
    Some(Arc::new(Seed::of_import()))
}

impl Stored {
    /// Of a unit that was stored before.
    pub fn done() -> Stored {
        Stored { was_done: true, ..Stored::default() }
    }
}

/// Marks the unit as done before its commit.
struct Mark<'a>(&'a UnitHash);

impl AfterWrites for Mark<'_> {
    fn is_empty(&self) -> bool {
        false
    }

    async fn run(&self, context: &Context, unit: &mut Unit) -> Result<Vec<Outcome>> {
        let now = context.clock.now();
        match context.store.mark_imported(unit, self.0, now).await? {
            true => Ok(Vec::new()),
            false => Err(FhirError::conflict("This unit was imported before")),
        }
    }

    fn answer(&self, _: &Context, _: &Written) -> Result<Outcome> {
        Err(FhirError::internal("an import keeps no answers"))
    }
}
