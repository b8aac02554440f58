//! Conditions about other resources, asked of versions that are no longer current. Other resources
//! are as they are now (docs/decisions/0012); what a version contains is as it is there, and chains
//! lead to it (<https://hl7.org/fhir/R4/search.html#contained>).

use crate::access::Permit;
use crate::error::Result;
use crate::fhir::resource::ResourceKey;
use crate::search::{ContainedRows, IndexRows, Known, Link, Plan, Predicate, contained_rid};
use crate::storage::{Connection, Store};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use std::collections::{HashMap, HashSet};

/// A version, or what one contains.
#[derive(Clone, Copy)]
pub struct Version<'a> {
    pub rid: i64,
    pub key: &'a ResourceKey,
    pub rows: &'a IndexRows,
    /// The resource that it is of, when that was written, and everything that contains.
    pub container: i64,
    pub last_updated: DateTime<Utc>,
    pub contained: &'a [ContainedRows],
}

/// Who asks, and the whole search.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    pub store: &'a Store,
    pub permit: &'a Permit,
    pub plan: &'a Plan,
}

/// For each condition the rids of the versions that it holds for.
pub type Answers<'a> = Vec<(&'a Predicate, HashSet<i64>)>;

impl<'a> Version<'a> {
    /// What it refers to by a chain, of all that stands with it in one container.
    fn ends(&self, link: &Link) -> impl Iterator<Item = Version<'a>> {
        let Version { rows, container, contained, .. } = *self;
        let by = rows.fragments.iter().filter(|row| row.parameter == link.parameter);
        let places: Vec<u16> = by.filter_map(|row| row.place).collect();
        let ends = contained.iter().filter(move |one| places.contains(&one.place));
        let version = *self;
        ends.map(move |one| Version {
            rid: contained_rid(container, one.place),
            key: &one.key,
            rows: &one.rows,
            ..version
        })
    }

    pub fn known(&self, links: &'a [(&'a Predicate, bool)]) -> Known<'a> {
        Known { key: self.key, rows: self.rows, last_updated: Some(self.last_updated), links }
    }
}

/// What is true of the version.
pub fn of_version<'a>(answers: &Answers<'a>, rid: i64) -> Vec<(&'a Predicate, bool)> {
    answers.iter().map(|(link, rids)| (*link, rids.contains(&rid))).collect()
}

/// Asks every condition of all versions. 410 where one cannot be told.
pub fn answers<'a, 'c>(
    asking: Asking<'a>,
    connection: &'c mut Connection,
    (links, versions): (Vec<&'a Predicate>, Vec<Version<'a>>),
) -> BoxFuture<'c, Result<Answers<'a>>>
where
    'a: 'c,
{
    Box::pin(async move {
        let (gate, mut answers) = ((asking.permit, asking.plan), Answers::new());
        let rows: Vec<_> = versions.iter().map(|one| (one.rid, one.rows)).collect();
        for link in links {
            let mut holding = asking.store.holding(connection, gate, (link, &rows)).await?;
            if let Predicate::Chain(chain) = link {
                let within = leading_within(asking, connection, (chain, &versions)).await?;
                holding.extend(within);
            }
            answers.push((link, holding));
        }
        Ok(answers)
    })
}

/// The versions that a chain leads from to what is contained beside them.
async fn leading_within<'a>(
    asking: Asking<'a>,
    connection: &mut Connection,
    (chain, versions): (&'a Link, &[Version<'a>]),
) -> Result<Vec<i64>> {
    let ends: HashMap<i64, Version<'a>> =
        versions.iter().flat_map(|one| one.ends(chain)).map(|end| (end.rid, end)).collect();
    if ends.is_empty() {
        return Ok(Vec::new());
    }
    let of = (chain.links(), ends.values().copied().collect());
    let further = answers(asking, connection, of).await?;
    let mut meeting = HashSet::new();
    for (rid, end) in &ends {
        let links = of_version(&further, *rid);
        if chain.holds(&end.known(&links)).ok_or_else(super::horizon::cannot_tell)? {
            meeting.insert(*rid);
        }
    }
    let leads = |one: &&Version<'a>| one.ends(chain).any(|end| meeting.contains(&end.rid));
    Ok(versions.iter().filter(leads).map(|one| one.rid).collect())
}
