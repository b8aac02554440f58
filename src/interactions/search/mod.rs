//! search: <https://hl7.org/fhir/R4/http.html#search>, of a type, a compartment or the system.

mod horizon;
pub mod linked;
mod versions;

use super::audit::trail;
use super::context::Context;
use super::outcome::{Content, Outcome};
use super::page::{self, PageLink};
use crate::access::Permit;
use crate::error::{FhirError, Issue, IssueCode, Result};
use crate::fhir::bundle::{Bundle, Entry};
use crate::fhir::contained::contained_at;
use crate::fhir::interaction::{Handling, Parameter, Request, SearchScope};
use crate::fhir::outcome;
use crate::fhir::resource::ResourceKey;
use crate::fhir::subset::Subset;
use crate::search::{Cursor, Horizon, Plan, Snapshot, unknown_page};
use crate::storage::{Connection, Page, Placed, Visible};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a page link of a search holds.
#[derive(Serialize, Deserialize)]
struct State {
    path: String,
    parameters: Vec<Parameter>,
    is_lenient: bool,
    /// None for the first page.
    cursor: Option<Cursor>,
    /// What the first page saw.
    horizon: Horizon,
}

/// Times that a search is run where its parameters change meanwhile.
const ATTEMPTS: usize = 3;

/// A search as asked for.
struct Asked {
    parameters: Vec<Parameter>,
    handling: Handling,
    plan: Plan,
    /// What the plan was made at.
    now: DateTime<Utc>,
}

/// What a search is about: its scope, its parameters, and the request that they came with.
type Wanted<'a> = (&'a SearchScope, &'a [Parameter], &'a Request);

/// 200 with a searchset. 400 for what cannot be searched by, unless it is left out under
/// `Prefer: handling=lenient`, with a warning among the entries.
pub async fn search_alone(
    context: &Context,
    permit: &Permit,
    wanted: Wanted<'_>,
) -> Result<Outcome> {
    if let Some(key) = compartment(permit, wanted.0) {
        let mut connection = context.store.connection().await?;
        check_compartment(context, &mut connection, (permit, key)).await?;
        connection.release();
    }
    let mut context = context.clone();
    for _ in 0..ATTEMPTS {
        let asked = asked(&context, permit, wanted)?;
        let mut page = context.store.search(permit, &asked.plan).await?;
        if !page.is_outdated {
            if page.may_have_changes {
                let mut connection = context.store.search_connection().await?;
                let of = (permit, &asked.plan);
                page = horizon::restored(&context, &mut connection, of, page).await?;
                connection.release();
            }
            if versions::are_named(&asked.plan, &page) {
                let mut connection = context.store.search_connection().await?;
                let of = (permit, &asked.plan);
                page = versions::included(&context, &mut connection, of, page).await?;
                connection.release();
            }
            return bundle((&context, permit), wanted, asked, page);
        }
        context = context.refreshed().await?;
    }
    Err(changed())
}

/// 503: search parameters that are searched by changed meanwhile.
pub fn changed() -> FhirError {
    FhirError::unavailable("The search parameters changed while they were searched by")
}

/// The same on a connection that may be inside a transaction.
pub async fn search(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    wanted: Wanted<'_>,
) -> Result<Outcome> {
    if let Some(key) = compartment(permit, wanted.0) {
        check_compartment(context, connection, (permit, key)).await?;
    }
    let asked = asked(context, permit, wanted)?;
    let mut page = context.store.search_on(connection, permit, &asked.plan).await?;
    if page.is_outdated {
        return Err(changed());
    }
    if page.may_have_changes {
        page = horizon::restored(context, connection, (permit, &asked.plan), page).await?;
    }
    if versions::are_named(&asked.plan, &page) {
        page = versions::included(context, connection, (permit, &asked.plan), page).await?;
    }
    bundle((context, permit), wanted, asked, page)
}

/// The resource whose compartment is searched, where not everybody may know of it.
fn compartment<'a>(permit: &Permit, scope: &'a SearchScope) -> Option<&'a ResourceKey> {
    match scope {
        SearchScope::Compartment(key, _) if !permit.is_unbounded() => Some(key),
        _ => None,
    }
}

/// 404 where the caller may not see the resource whose compartment he names, as where there is
/// none.
async fn check_compartment(
    context: &Context,
    connection: &mut Connection,
    (permit, key): (&Permit, &ResourceKey),
) -> Result<()> {
    let keys = std::slice::from_ref(key);
    let seen = context.store.visible(connection, &permit.reaching(), keys).await?.pop();
    match seen {
        Some(Visible::Live(_) | Visible::Deleted(_)) => Ok(()),
        _ => Err(FhirError::not_found(key)),
    }
}

fn path_of(scope: &SearchScope) -> String {
    match scope {
        SearchScope::System => String::new(),
        SearchScope::Type(resource_type) => resource_type.to_string(),
        SearchScope::Compartment(key, None) => format!("{key}/*"),
        SearchScope::Compartment(key, Some(resource_type)) => format!("{key}/{resource_type}"),
    }
}

fn asked(context: &Context, permit: &Permit, wanted: Wanted<'_>) -> Result<Asked> {
    let (_, _, request) = wanted;
    permit.check_shows(request.subset == Subset::Count)?;
    let mut asked = parsed(context, permit, wanted)?;
    if request.subset == Subset::Count {
        asked.plan = asked.plan.counting();
    }
    Ok(asked)
}

fn parsed(context: &Context, permit: &Permit, wanted: Wanted<'_>) -> Result<Asked> {
    let (scope, parameters, request) = wanted;
    let sealed = parameters.iter().find(|(name, _)| name == page::PARAMETER);
    let Some((_, text)) = sealed else {
        let (handling, now) = (request.prefer.handling, context.clock.now());
        let plan = context.plan_at(now, scope, (parameters, handling))?;
        return Ok(Asked { parameters: parameters.to_vec(), handling, plan, now });
    };
    if parameters.len() > 1 {
        return Err(FhirError::bad_request("A page link takes no further search parameters"));
    }
    let state: State = page::open(context, permit, text)?;
    if state.path != path_of(scope) || state.horizon.epoch != context.store.epoch() {
        return Err(unknown_page());
    }
    let handling = if state.is_lenient { Handling::Lenient } else { Handling::Strict };
    let now = state.horizon.now;
    let mut plan = context.plan_at(now, scope, (&state.parameters, handling))?;
    plan.after = state.cursor;
    plan.as_of = Some(state.horizon);
    Ok(Asked { parameters: state.parameters, handling, plan, now })
}

/// `self`, and the links that lead from the page to others.
fn relations(links: &PageLink, asked: &Asked, page: &Page) -> Result<Vec<(&'static str, String)>> {
    let plan = &asked.plan;
    let saw = |snapshot: &Snapshot| Horizon {
        epoch: links.context.store.epoch(),
        snapshot: snapshot.clone(),
        total: page.total,
        now: asked.now,
    };
    let horizon = plan.as_of.clone().or_else(|| page.snapshot.as_ref().map(saw));
    let applied = || links.of(plan.applied());
    // Nothing goes on from a first page without rows.
    let Some(horizon) = horizon else { return Ok(vec![("self", applied())]) };
    let sealed = |cursor: Option<&Cursor>| {
        links.sealed(&State {
            path: links.path.to_owned(),
            parameters: asked.parameters.clone(),
            is_lenient: asked.handling == Handling::Lenient,
            cursor: cursor.cloned(),
            horizon: horizon.clone(),
        })
    };
    // Links to further pages show nothing of the query; that of the first shows what the
    // client sent, as far as it was applied.
    let own = match &plan.as_of {
        None => applied(),
        Some(_) => sealed(plan.after.as_ref())?,
    };
    let (next, previous) = page.beside(plan);
    let mut relations = vec![("self", own)];
    if plan.as_of.is_some() || next.is_some() {
        relations.push(("first", sealed(None)?));
    }
    for (relation, cursor) in [("next", next), ("previous", previous)] {
        if cursor.is_some() {
            relations.push((relation, sealed(cursor.as_ref())?));
        }
    }
    Ok(relations)
}

fn bundle(
    (context, permit): (&Context, &Permit),
    (scope, _, request): Wanted<'_>,
    asked: Asked,
    page: Page,
) -> Result<Outcome> {
    let path = path_of(scope);
    let links = PageLink { context, permit, path: &path, presentation: &request.presentation };
    let relations = relations(&links, &asked, &page)?;
    let matches = page.matches.iter().map(|placed| &placed.stored);
    let shown = trail::shown(context, matches.chain(&page.included));
    let base_url = &context.settings.base_url;
    let mut entries = Vec::with_capacity(page.matches.len() + page.included.len());
    for placed in page.matches {
        entries.extend(matched(base_url, permit, placed)?);
    }
    for stored in page.included {
        entries.push(Entry {
            full_url: Some(format!("{base_url}/{}", stored.key)),
            resource: Some(permit.redactor().shown(&stored.key, stored.body)?),
            search_mode: Some("include"),
            ..Entry::default()
        });
    }
    let mut issues = asked.plan.issues;
    if page.is_cut {
        let text = "More resources go with this page than an answer holds: some are left out";
        issues.push(Issue::warning(IssueCode::TooCostly, "http._include", text));
    }
    if !issues.is_empty() {
        let warnings = outcome::of_issues(&issues).to_string();
        entries.push(Entry {
            resource: Some(Bytes::from(warnings)),
            search_mode: Some("outcome"),
            ..Entry::default()
        });
    }
    let bundle = Bundle {
        kind: "searchset",
        last_updated: context.clock.now(),
        total: page.total,
        links: relations,
        entries,
    };
    Ok(Outcome { shown, ..Outcome::ok(Content::Json(bundle.into_json())) })
}

/// The entry of a match. A contained resource is shown by itself, under the URL of its container
/// and its id there (search.html#contained); None for one whose container is shown in part.
fn matched(base_url: &str, permit: &Permit, placed: Placed) -> Result<Option<Entry>> {
    let Placed { stored, contained, .. } = placed;
    let shown = permit.redactor().shown(&stored.key, stored.body.clone())?;
    let url = format!("{base_url}/{}", stored.key);
    let (full_url, resource) = match contained {
        None => (url, shown),
        Some(_) if shown != stored.body => return Ok(None),
        Some(place) => {
            let is_gone = || FhirError::internal(format!("{} lacks what it contains", stored.key));
            let (id, body) = contained_at(&stored.body, place.into()).ok_or_else(is_gone)?;
            (format!("{url}#{id}"), body)
        }
    };
    Ok(Some(Entry {
        full_url: Some(full_url),
        resource: Some(resource),
        search_mode: Some("match"),
        ..Entry::default()
    }))
}
