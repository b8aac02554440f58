//! What the store holds for a set of writes: one statement for all keys, and one for each
//! distinct criteria.

use super::WriteSet;
use super::draft::{Act, Found, Target, Write};
use crate::access::Permit;
use crate::error::Result;
use crate::fhir::resource::ResourceKey;
use crate::interactions::context::Context;
use crate::storage::{Connection, Stored, Visible};
use std::collections::HashMap;

/// Facts for each write of a set, in its order, and for its conditional references.
pub struct Facts {
    pub found: Vec<Found>,
    /// By the text of a conditional reference, its matches.
    pub references: HashMap<String, Vec<ResourceKey>>,
}

/// Names every version that the facts rest on; equal signatures lead to equal steps.
#[derive(PartialEq, Eq, Debug)]
pub struct Signature(Vec<Vec<(i64, i64)>>, Vec<(String, Vec<ResourceKey>)>);

impl Facts {
    pub fn signature(&self) -> Signature {
        let of = |stored: &Stored| (stored.rid, stored.version);
        let rows = |found: &Found| match found {
            Found::Key(Visible::Live(stored) | Visible::Deleted(stored)) => vec![of(stored)],
            Found::Key(Visible::Absent { stub }) => vec![(stub.unwrap_or_default(), 0)],
            Found::Key(Visible::Hidden) => vec![(0, -1)],
            Found::Nothing => Vec::new(),
            Found::Matches(matches) => matches.iter().map(of).collect(),
        };
        let mut references: Vec<_> =
            self.references.iter().map(|(text, keys)| (text.clone(), keys.clone())).collect();
        references.sort();
        Signature(self.found.iter().map(rows).collect(), references)
    }
}

/// Gathers on a connection of its own; asks nothing where nothing needs to be known.
pub async fn gather_alone(context: &Context, set: &WriteSet) -> Result<Facts> {
    let is_new = |write: &Write| matches!(write.target, Target::New(_));
    if set.writes.iter().all(is_new) && set.links.conditional().is_empty() {
        let found = set.writes.iter().map(|_| Found::Nothing).collect();
        return Ok(Facts { found, references: HashMap::new() });
    }
    let mut connection = context.store.connection().await?;
    gather(context, &mut connection, set).await
}

/// Gathers on a connection that may hold the locks.
pub async fn gather(
    context: &Context,
    connection: &mut Connection,
    set: &WriteSet,
) -> Result<Facts> {
    let mut matched: HashMap<(&str, bool), Vec<ResourceKey>> = HashMap::new();
    for write in &set.writes {
        let Target::Criteria(criteria) = &write.target else { continue };
        let several = matches!(write.act, Act::Delete);
        let place = (criteria.normalised.as_str(), several);
        if matched.contains_key(&place) {
            continue;
        }
        let limit = if several { context.settings.limits.conditional_delete + 1 } else { 2 };
        let selection = (&write.permit, &criteria.plan);
        let matches = context.store.matching(connection, selection, limit).await?;
        matched.insert(place, matches);
    }
    let mut references = HashMap::new();
    for (text, permit, plan) in set.links.conditional() {
        // What the set itself writes may match no longer: two others are enough to tell.
        let limit = 2 + set.writes.len();
        let matches = context.store.matching(connection, (permit, plan), limit).await?;
        references.insert(text.clone(), matches);
    }
    let matches_of = |write: &Write| match &write.target {
        Target::Criteria(criteria) => {
            let several = matches!(write.act, Act::Delete);
            matched.get(&(criteria.normalised.as_str(), several)).cloned().unwrap_or_default()
        }
        Target::Key(key) => vec![key.clone()],
        Target::New(_) => Vec::new(),
    };
    // One look at all keys: those of URLs, those that matched, and where a conditional update
    // has no match the id that its body brings.
    let mut wanted: Vec<(Vec<ResourceKey>, Option<ResourceKey>)> = Vec::new();
    for write in &set.writes {
        let keys = matches_of(write);
        let own = match (&write.target, &write.act) {
            (Target::Criteria(_), Act::Update(resource)) if keys.is_empty() => {
                resource.id().map(|id| ResourceKey::new(resource.resource_type(), id))
            }
            _ => None,
        };
        wanted.push((keys, own));
    }
    let mut found: Vec<Found> = set.writes.iter().map(|_| Found::Nothing).collect();
    for permit in distinct_permits(&set.writes) {
        let places = || set.writes.iter().enumerate().filter(|(_, w)| w.permit == *permit);
        let keys: Vec<ResourceKey> = places()
            .flat_map(|(place, _)| wanted[place].0.iter().chain(&wanted[place].1))
            .cloned()
            .collect();
        let mut visible = context.store.visible(connection, permit, &keys).await?.into_iter();
        for (place, write) in places() {
            let (keys, own) = &wanted[place];
            let rows = visible.by_ref().take(keys.len() + own.iter().len()).collect();
            found[place] = found_of(write, own.is_some(), rows);
        }
    }
    for (write, found) in set.writes.iter().zip(&mut found) {
        if write.is_of_taken_id(found) {
            look_again(context, connection, (write, found)).await?;
        }
    }
    Ok(Facts { found, references })
}

/// Nothing matched, and the id of the body is of a live resource: it may have come between the
/// two looks, and then it is the match.
async fn look_again(
    context: &Context,
    connection: &mut Connection,
    place: (&Write, &mut Found),
) -> Result<()> {
    let (write, found) = place;
    let Target::Criteria(criteria) = &write.target else { return Ok(()) };
    let selection = (&write.permit, &criteria.plan);
    let matches = context.store.matching(connection, selection, 2).await?;
    if !matches.is_empty() {
        let rows = context.store.visible(connection, &write.permit, &matches).await?;
        *found = found_of(write, false, rows);
    }
    Ok(())
}

/// Entries of one set may be permitted in different ways.
fn distinct_permits(writes: &[Write]) -> Vec<&Permit> {
    let mut permits: Vec<&Permit> = Vec::new();
    for write in writes {
        if !permits.contains(&&write.permit) {
            permits.push(&write.permit);
        }
    }
    permits
}

fn found_of(write: &Write, is_own_id: bool, mut rows: Vec<Visible>) -> Found {
    match &write.target {
        Target::New(_) => Found::Nothing,
        Target::Key(_) => rows.pop().map_or(Found::Nothing, Found::Key),
        // No match, but the body's id: as an update of that id.
        Target::Criteria(_) if is_own_id => rows.pop().map_or(Found::Nothing, Found::Key),
        Target::Criteria(_) => {
            let live = |visible| match visible {
                Visible::Live(stored) => Some(stored),
                _ => None,
            };
            Found::Matches(rows.into_iter().filter_map(live).collect())
        }
    }
}
