//! A page as of the first one (<https://hl7.org/fhir/R4/http.html#paging>): resources that were
//! changed or deleted since are shown in the version that was current then, at its place.
//!
//! What is left out: other resources that a criterion is about, and those that go with a page,
//! are as they are now (docs/decisions/0012).

use super::linked::{self, Asking, Version};
use crate::access::Permit;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::resource::ResourceKey;
use crate::interactions::context::Context;
use crate::search::{
    ContainedRows, Include, IndexRows, Known, Plan, Predicate, Sorting, Standing, UriRow,
    contained_rid, unknown_page,
};
use crate::storage::{Connection, Page, Placed, Shown, Stored, sorting};
use std::collections::HashSet;
use std::sync::Arc;

/// A version that is no longer current, or what one contains.
struct Old {
    stored: Stored,
    /// The place of what it contains; None for the resource itself.
    contained: Option<u16>,
    key: ResourceKey,
    rows: IndexRows,
    /// Everything that the version contains.
    all_contained: Arc<[ContainedRows]>,
    standing: Standing,
}

impl Old {
    fn known<'a>(&'a self, links: &'a [(&'a Predicate, bool)]) -> Known<'a> {
        let last_updated = Some(self.stored.last_updated);
        Known { key: &self.key, rows: &self.rows, last_updated, links }
    }

    fn version(&self) -> Version<'_> {
        Version {
            rid: self.standing.rid,
            key: &self.key,
            rows: &self.rows,
            container: self.stored.rid,
            last_updated: self.stored.last_updated,
            contained: &self.all_contained,
        }
    }
}

/// The page with what was changed since its horizon. `page` has what was not. 410 where that is
/// more than a page looks at.
pub async fn restored(
    context: &Context,
    connection: &mut Connection,
    (permit, plan): (&Permit, &Plan),
    page: Page,
) -> Result<Page> {
    let most = context.settings.limits.page_changes;
    let changed = context.store.changed(connection, (permit, plan), most + 1).await?;
    if changed.len() > most {
        return Err(changed_too_much(most));
    }
    if changed.is_empty() {
        return Ok(page);
    }
    let sorting = sorting(plan);
    let mut olds = Vec::new();
    for stored in changed {
        for mut old in versions(context, plan, stored)? {
            let rid = old.standing.rid;
            old.standing = sorting.standing(&old.known(&[]), rid);
            // Where containers are shown, the first of all matches tells the place.
            if plan.shows_containers() || is_of_page(plan, &sorting, &old.standing)? {
                olds.push(old);
            }
        }
    }
    let gate = (permit, plan);
    let mut olds = matching(context, connection, gate, olds).await?;
    if plan.shows_containers() {
        olds = containers((plan, &sorting), olds)?;
    }
    let (page, shown) = merged((plan, &sorting), page, olds)?;
    match (plan.includes.is_empty(), shown) {
        (false, Some(shown)) => context.store.with_includes(connection, gate, (page, shown)).await,
        _ => Ok(page),
    }
}

fn changed_too_much(most: usize) -> FhirError {
    let text = format!(
        "More than {most} resources that this search goes over were changed since its first page \
         (BHN_PAGE_CHANGES), so this page cannot be shown as of then; search again"
    );
    FhirError::new(ErrorKind::Gone, IssueCode::TooCostly, text)
}

/// The version, where resources match, and what it contains, where that does; each with its rid.
fn versions(context: &Context, plan: &Plan, stored: Stored) -> Result<Vec<Old>> {
    let mut rows = context.index_stored(&stored)?;
    let all_contained: Arc<[ContainedRows]> = std::mem::take(&mut rows.contained).into();
    let standing = |rid| Standing { values: Vec::new(), rid };
    let mut olds = Vec::new();
    for one in all_contained.iter().filter(|_| plan.contained.is_some()) {
        olds.push(Old {
            stored: stored.clone(),
            contained: Some(one.place),
            key: one.key.clone(),
            rows: one.rows.clone(),
            all_contained: all_contained.clone(),
            standing: standing(contained_rid(stored.rid, one.place)),
        });
    }
    if plan.finds_resources() {
        let (key, standing) = (stored.key.clone(), standing(stored.rid));
        olds.push(Old { stored, contained: None, key, rows, all_contained, standing });
    }
    Ok(olds)
}

/// The containers of what matches, each once: at its own place where it matches itself, else at
/// that of its first match. Those of the page.
fn containers((plan, sorting): (&Plan, &Sorting), mut olds: Vec<Old>) -> Result<Vec<Old>> {
    olds.sort_by(|a, b| {
        let own = a.contained.is_some().cmp(&b.contained.is_some());
        own.then_with(|| sorting.compare(&a.standing, &b.standing))
    });
    let mut seen = HashSet::new();
    olds.retain(|old| seen.insert(old.stored.rid));
    let mut of_page = Vec::new();
    for mut old in olds {
        old.standing.rid = old.stored.rid;
        old.contained = None;
        if is_of_page(plan, sorting, &old.standing)? {
            of_page.push(old);
        }
    }
    Ok(of_page)
}

/// Whether a row stands where the page begins, or after.
fn is_of_page(plan: &Plan, sorting: &Sorting, standing: &Standing) -> Result<bool> {
    let Some(cursor) = &plan.after else { return Ok(true) };
    let begin = sorting.standing_of(cursor).ok_or_else(unknown_page)?;
    let order = sorting.compare(standing, &begin);
    Ok(if cursor.is_backward { order.is_lt() } else { order.is_gt() })
}

/// Those that meet the criteria.
async fn matching(
    context: &Context,
    connection: &mut Connection,
    (permit, plan): (&Permit, &Plan),
    olds: Vec<Old>,
) -> Result<Vec<Old>> {
    let holds = |old: &Old, links: &[(&Predicate, bool)]| plan.holds(&old.known(links));
    let (mut matching, mut open) = (Vec::new(), Vec::new());
    for old in olds {
        match holds(&old, &[]) {
            Some(true) => matching.push(old),
            Some(false) => {}
            None => open.push(old),
        }
    }
    if open.is_empty() {
        return Ok(matching);
    }
    let asking = Asking { store: &context.store, permit, plan };
    let versions = open.iter().map(Old::version).collect();
    let found = linked::answers(asking, connection, (plan.links(), versions)).await?;
    let meet = |old: &Old| holds(old, &linked::of_version(&found, old.standing.rid));
    let met: Vec<Option<bool>> = open.iter().map(meet).collect();
    for (old, meets) in open.into_iter().zip(met) {
        if meets.ok_or_else(cannot_tell)? {
            matching.push(old);
        }
    }
    Ok(matching)
}

pub(super) fn cannot_tell() -> FhirError {
    let text = "A resource was changed since the first page, and what it was then cannot be \
                compared with these criteria any more; search again";
    FhirError::new(ErrorKind::Gone, IssueCode::NotSupported, text)
}

/// Both in one order, cut to the page; and, where that changed the page, what it shows.
fn merged<'a>(
    (plan, sorting): (&'a Plan, &Sorting),
    page: Page,
    olds: Vec<Old>,
) -> Result<(Page, Option<Shown<'a>>)> {
    if olds.is_empty() {
        return Ok((page, None));
    }
    let mut all: Vec<(Standing, Placed, Option<IndexRows>)> = Vec::new();
    let mut old_rids = HashSet::new();
    for Old { stored, contained, rows, standing, .. } in olds {
        let values = standing.values.clone();
        old_rids.insert(standing.rid);
        all.push((standing, Placed { stored, contained, values }, Some(rows)));
    }
    for placed in page.matches {
        // Where it was changed between the two statements, both have the same version.
        if old_rids.contains(&placed.rid()) {
            continue;
        }
        let standing = sorting.standing_of(&placed.cursor(false));
        let unread = || FhirError::internal("a sort value that cannot be read");
        all.push((standing.ok_or_else(unread)?, placed, None));
    }
    all.sort_by(|(a, ..), (b, ..)| sorting.compare(a, b));
    let count = plan.count as usize;
    let has_more = page.has_more || all.len() > count;
    let beyond = all.len().saturating_sub(count);
    match plan.after.as_ref().is_some_and(|cursor| cursor.is_backward) {
        true => drop(all.drain(..beyond)),
        false => all.truncate(count),
    }
    let mut shown = Shown::default();
    for (_, placed, rows) in &all {
        match rows {
            None => shown.kept.push(placed.stored.rid),
            Some(rows) => {
                shown.old.push(placed.stored.rid);
                add_targets(&mut shown, plan, (&placed.stored, rows));
            }
        }
    }
    let matches = all.into_iter().map(|(_, placed, _)| placed).collect();
    Ok((Page { matches, has_more, ..page }, Some(shown)))
}

/// What a version refers to by the includes of the plan.
fn add_targets<'a>(shown: &mut Shown<'a>, plan: &'a Plan, version: (&Stored, &IndexRows)) {
    let (stored, rows) = version;
    let is_source = |include: &&Include| {
        !include.is_reverse && include.source.is_none_or(|kind| kind == stored.key.resource_type)
    };
    for include in plan.includes.iter().filter(is_source) {
        let by = rows.references.iter().filter(|row| include.parameters.contains(&row.parameter));
        let of_type = by.filter(|row| {
            include.targets.is_empty() || include.targets.contains(&row.target.resource_type)
        });
        shown.targets.extend(of_type.map(|row| row.target.clone()));
        let of = rows.uris.iter().filter(|row| include.canonicals.contains(&row.parameter));
        let is_versioned = |row: &UriRow| {
            let versioned = format!("{}|", row.value);
            let same = rows.uris.iter().filter(|other| other.parameter == row.parameter);
            same.into_iter().any(|other| other.value.starts_with(&versioned))
        };
        let values: Vec<String> =
            of.filter(|row| !is_versioned(row)).map(|row| row.value.clone()).collect();
        if !values.is_empty() {
            shown.canonicals.push((include, values));
        }
    }
}
