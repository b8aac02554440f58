//! The second check (AZ-15): what was found is held against the row filter once more, in memory,
//! by facts that come with each row. The filter is the one that made the statement; how it is
//! understood is written here anew, and shares nothing with the making of SQL.
//!
//! docs/decisions/0022-nets.md says what is not looked at: codes of scopes with search parameters,
//! and numbers that no row comes with.

use super::rows::filter::{Attached, Listings, RowFilter, RowGroup, RowTest, Test};
use crate::fhir::definitions::ResourceType;
use crate::search::{ATTACHED, ParameterId, SECURITY_CONTEXT};
use serde::Deserialize;

/// What the database says of a row that was found.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Witness {
    /// Of the resource as it is now.
    #[serde(flatten)]
    pub now: Facts,
    /// Stamps of the version that was found, where that is no longer current.
    pub before: Option<Stamps>,
    /// What it refers to by the parameters that the filter asks about; and by
    /// [`ATTACHED`] what it is attached to.
    #[serde(default)]
    pub referred: Vec<Referred>,
}

/// Stamps of a version.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Stamps {
    pub owner: Option<i64>,
    pub author: Option<i64>,
    /// None for a row that never was stamped: it is about nobody.
    pub subjects: Option<Vec<i64>>,
}

/// What is known of a row beside its content.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Facts {
    pub rid: i64,
    /// The number of its resource type.
    pub kind: i16,
    #[serde(flatten)]
    pub stamps: Stamps,
    /// Those of its patients who are in the care of the caller.
    #[serde(default)]
    pub in_care: Vec<i64>,
    /// Those of its patients who are patients of the caller's organizations.
    #[serde(default)]
    pub registered: Vec<i64>,
    /// The jurisdictions it was released to.
    #[serde(default)]
    pub released: Vec<String>,
    /// Its codes that the directory asks about: the number of the parameter and the code.
    #[serde(default)]
    pub listed: Vec<(i16, String)>,
}

/// A reference of a row.
#[derive(Clone, Debug, Deserialize)]
pub struct Referred {
    pub parameter: i16,
    /// None where nothing is there.
    pub target: Option<Facts>,
}

/// What the facts of rows have to tell for a filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Questions {
    pub practitioners: Vec<i64>,
    pub organizations: Vec<i64>,
    pub asks_released: bool,
    pub asks_attached: bool,
    /// Parameters of listings.
    pub listings: Vec<i16>,
    /// Parameters of references.
    pub references: Vec<i16>,
}

impl Questions {
    /// Of the tests of these filters for rows of these types, of any where none is named.
    pub fn of(filters: &[(&RowFilter, &[ResourceType])]) -> Questions {
        let mut questions = Questions::default();
        for (filter, types) in filters {
            if let RowFilter::Groups(groups) = filter {
                questions.add(groups, types);
            }
        }
        for list in [&mut questions.practitioners, &mut questions.organizations] {
            list.sort_unstable();
            list.dedup();
        }
        for list in [&mut questions.listings, &mut questions.references] {
            list.sort_unstable();
            list.dedup();
        }
        questions
    }

    fn add(&mut self, groups: &[RowGroup], types: &[ResourceType]) {
        let is_about =
            |group: &&RowGroup| types.is_empty() || types.iter().any(|one| group.types.has(*one));
        for RowTest { is, .. } in groups.iter().filter(is_about).flat_map(|group| &group.any) {
            match is {
                Test::Care(practitioner) => self.practitioners.push(*practitioner),
                Test::Facilities(all) => self.organizations.extend(all),
                Test::Released(_) => self.asks_released = true,
                Test::Listed(Listings { pairs, .. }) => {
                    self.listings.extend(pairs.iter().map(|(parameter, _)| parameter.0));
                }
                Test::Referred(parameter, groups) => {
                    self.references.push(parameter.0);
                    self.add(groups, &[]);
                }
                Test::Attached(Attached { groups, .. }) => {
                    self.asks_attached = true;
                    self.references.push(SECURITY_CONTEXT.0);
                    self.add(groups, &[]);
                }
                Test::Every(_)
                | Test::Subjects(_)
                | Test::Owners(_)
                | Test::Authors(_)
                | Test::Itself(_) => {}
            }
        }
    }
}

impl RowFilter {
    /// Whether the row is one that the filter lets be seen. Of an old version both it and the
    /// resource as it is now must be.
    pub fn bears_out(&self, witness: &Witness) -> bool {
        let RowFilter::Groups(groups) = self else { return true };
        let Witness { now, before, referred } = witness;
        let Some(stamps) = before else { return is_seen(groups, now, Some(referred)) };
        let old = Facts {
            stamps: stamps.clone(),
            // Of what codes an old version had nothing is known.
            listed: Vec::new(),
            ..now.clone()
        };
        is_seen(groups, now, Some(referred)) && is_seen(groups, &old, None)
    }
}

/// One group is about its type, and one of the tests of that group holds. Of an old version
/// nothing is known of references.
fn is_seen(groups: &[RowGroup], facts: &Facts, referred: Option<&[Referred]>) -> bool {
    let Some(kind) = ResourceType::from_number(facts.kind) else { return false };
    let mut tests = groups.iter().filter(|group| group.types.has(kind)).flat_map(|one| &one.any);
    tests.any(|test| {
        let subjects = facts.subjects();
        let is_about = test.about.is_none_or(|patient| subjects.contains(&patient));
        is_about && holds(&test.is, facts, referred)
    })
}

impl Facts {
    fn subjects(&self) -> &[i64] {
        self.stamps.subjects.as_deref().unwrap_or_default()
    }

    /// One of its patients is among these.
    fn is_about_any(&self, patients: &[i64]) -> bool {
        self.subjects().iter().any(|subject| patients.contains(subject))
    }
}

fn holds(test: &Test, facts: &Facts, referred: Option<&[Referred]>) -> bool {
    let is_one = |stamp: Option<i64>, all: &[i64]| stamp.is_some_and(|rid| all.contains(&rid));
    match test {
        Test::Every(_) => true,
        Test::Subjects(patients) => facts.is_about_any(patients),
        Test::Owners(owners) => is_one(facts.stamps.owner, owners),
        Test::Authors(authors) => is_one(facts.stamps.author, authors),
        Test::Itself(rids) => rids.contains(&facts.rid),
        Test::Care(_) => facts.is_about_any(&facts.in_care),
        Test::Facilities(_) => facts.is_about_any(&facts.registered),
        Test::Released(jurisdictions) => {
            facts.released.iter().any(|one| jurisdictions.contains(one))
        }
        Test::Listed(listings) => referred.is_some() && is_listed(listings, facts),
        Test::Attached(attached) => referred.is_some_and(|all| is_attached(attached, facts, all)),
        Test::Referred(parameter, groups) => {
            referred.is_some_and(|all| is_seen_by_all(*parameter, groups, all))
        }
    }
}

fn is_listed(listings: &Listings, facts: &Facts) -> bool {
    let has = facts.listed.iter().any(|(parameter, code)| {
        listings.pairs.iter().any(|(own, wanted)| own.0 == *parameter && wanted == code)
    });
    has == listings.has
}

/// Its security context decides alone; without one what it is attached to does, and without that
/// whose it is.
fn is_attached(attached: &Attached, facts: &Facts, referred: &[Referred]) -> bool {
    let by = |parameter: ParameterId| {
        let by = referred.iter().filter(move |one| one.parameter == parameter.0);
        by.map(|one| {
            let target = one.target.as_ref();
            target.is_some_and(|it| is_seen(&attached.groups, it, Some(&[])))
        })
    };
    let is_one = |stamp: Option<i64>, all: &[i64]| stamp.is_some_and(|rid| all.contains(&rid));
    let Stamps { owner, author, .. } = facts.stamps;
    match (by(SECURITY_CONTEXT).next(), by(ATTACHED).next()) {
        (Some(_), _) => by(SECURITY_CONTEXT).any(|is_seen| is_seen),
        (None, Some(_)) => by(ATTACHED).any(|is_seen| is_seen),
        (None, None) => is_one(author, &attached.authors) || is_one(owner, &attached.owners),
    }
}

/// It refers to something by the parameter, and all of that may be seen.
fn is_seen_by_all(parameter: ParameterId, groups: &[RowGroup], referred: &[Referred]) -> bool {
    let mut by = referred.iter().filter(|one| one.parameter == parameter.0).peekable();
    let seen =
        |one: &Referred| one.target.as_ref().is_some_and(|it| is_seen(groups, it, Some(&[])));
    by.peek().is_some() && by.all(seen)
}

#[cfg(test)]
mod tests;
