//! `_include` of a reference to a version gives that version: "if a resource has a reference that
//! is versioned and _include is performed, the specified version SHOULD be provided"
//! (<https://hl7.org/fhir/R4/search.html#include>).
//!
//! Stored rows do not tell versions, the bodies of a page do. Where one names a version at all,
//! the links of the page are read from them, and the versions by one more statement. The current
//! version stays where anything else leads to it, and where the one named is not to be had.
//! `:iterate` goes on from current versions.

use crate::access::Permit;
use crate::error::Result;
use crate::fhir::resource::ResourceKey;
use crate::interactions::context::Context;
use crate::search::{Include, IndexRows, ParameterId, Plan};
use crate::storage::{Connection, INCLUDED, Page, Stored};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What names a version; other texts may hold it as well.
const MARK: &[u8] = b"/_history/";

/// Whether some resource of the page may name versions that its includes follow.
pub fn are_named(plan: &Plan, page: &Page) -> bool {
    let is_marked = |stored: &Stored| memchr::memmem::find(&stored.body, MARK).is_some();
    let forward = || plan.includes.iter().filter(|include| !include.is_reverse);
    let is_iterated = forward().any(|include| include.is_iterated);
    forward().next().is_some()
        && (page.matches.iter().any(|placed| is_marked(&placed.stored))
            || is_iterated && page.included.iter().any(is_marked))
}

/// The page with the versions that are named in place of the current ones, or beside them.
pub async fn included(
    context: &Context,
    connection: &mut Connection,
    (permit, plan): (&Permit, &Plan),
    mut page: Page,
) -> Result<Page> {
    let links = Links::of(context, plan, &page)?;
    let matches = page.matches.iter().map(|placed| &placed.stored);
    let current: HashMap<&ResourceKey, i64> =
        matches.chain(&page.included).map(|stored| (&stored.key, stored.version)).collect();
    let is_other = |named: &&(ResourceKey, i64)| current.get(&named.0) != Some(&named.1);
    let wanted = links.versions.iter().filter(is_other).take(INCLUDED + 1).cloned();
    let wanted: Vec<(ResourceKey, i64)> = wanted.collect();
    if wanted.is_empty() {
        return Ok(page);
    }
    let olds = context.store.old_versions(connection, permit, &wanted).await?;
    let found: HashSet<(&ResourceKey, i64)> =
        olds.iter().map(|old| (&old.key, old.version)).collect();
    let replaced: HashSet<ResourceKey> = wanted
        .iter()
        .map(|(key, _)| key)
        .filter(|key| !links.current.contains(*key))
        .filter(|key| {
            let mut named = links.versions.iter().filter(|(one, _)| one == *key);
            named.all(|(_, version)| found.contains(&(*key, *version)))
        })
        .cloned()
        .collect();
    page.included.retain(|stored| !replaced.contains(&stored.key));
    page.included.extend(olds);
    page.is_cut |= page.included.len() > INCLUDED;
    page.included.truncate(INCLUDED);
    Ok(page)
}

/// Where the references of a page lead to by its includes.
#[derive(Default)]
struct Links {
    versions: BTreeSet<(ResourceKey, i64)>,
    /// What is reached otherwise than by its version.
    current: HashSet<ResourceKey>,
}

/// Resources of a page.
type Read<'a> = Vec<(&'a Stored, IndexRows)>;

impl Links {
    fn of(context: &Context, plan: &Plan, page: &Page) -> Result<Links> {
        let read = |stored| Ok((stored, context.index_stored(stored)?));
        let matches = page.matches.iter().map(|placed| &placed.stored);
        let matches: Read<'_> = matches.map(read).collect::<Result<_>>()?;
        let included: Read<'_> = page.included.iter().map(read).collect::<Result<_>>()?;
        let mut links = Links::default();
        for include in &plan.includes {
            match include.is_reverse {
                false => links.add_forward(include, (&matches, &included)),
                true => links.add_reverse(include, (&matches, &included)),
            }
            links.add_by_url(include, &included);
        }
        Ok(links)
    }

    fn add_forward(&mut self, include: &Include, (matches, included): (&Read<'_>, &Read<'_>)) {
        let further = included.iter().filter(|_| include.is_iterated);
        for (_, rows) in matches.iter().chain(further).filter(|(one, _)| is_source(include, one)) {
            let by = rows.references.iter().filter(|row| {
                let kind = row.target.resource_type;
                let is_target = include.targets.is_empty() || include.targets.contains(&kind);
                is_target && include.parameters.contains(&row.parameter)
            });
            for row in by {
                match row.version {
                    None => drop(self.current.insert(row.target.clone())),
                    Some(version) => drop(self.versions.insert((row.target.clone(), version))),
                }
            }
        }
    }

    /// What was included because it refers to something.
    fn add_reverse(&mut self, include: &Include, (matches, included): (&Read<'_>, &Read<'_>)) {
        let further = included.iter().filter(|_| include.is_iterated);
        let targets: HashSet<&ResourceKey> =
            matches.iter().chain(further).map(|(stored, _)| &stored.key).collect();
        for (stored, rows) in included.iter().filter(|(one, _)| is_source(include, one)) {
            let mut by = rows.references.iter();
            if by.any(|row| {
                include.parameters.contains(&row.parameter) && targets.contains(&row.target)
            }) {
                self.current.insert(stored.key.clone());
            }
        }
    }

    /// What may have been included by a canonical URL.
    fn add_by_url(&mut self, include: &Include, included: &Read<'_>) {
        let is_one = |parameter: &ParameterId| {
            !include.urls.is_empty()
                && (include.urls.contains(parameter) || include.canonicals.contains(parameter))
        };
        for (stored, rows) in included {
            if rows.uris.iter().any(|row| is_one(&row.parameter)) {
                self.current.insert(stored.key.clone());
            }
        }
    }
}

fn is_source(include: &Include, stored: &Stored) -> bool {
    include.source.is_none_or(|kind| kind == stored.key.resource_type)
}
