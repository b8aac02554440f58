//! search: <https://hl7.org/fhir/R4/http.html#search>, of a type, a compartment or the system.

use super::context::Context;
use super::outcome::{Content, Outcome};
use super::page::{self, PageLink};
use crate::access::Permit;
use crate::error::{FhirError, Issue, IssueCode, Result};
use crate::fhir::bundle::{Bundle, Entry};
use crate::fhir::interaction::{Handling, Parameter, Request, SearchScope};
use crate::fhir::outcome;
use crate::fhir::subset::Subset;
use crate::search::{Cursor, Plan, unknown_page};
use crate::storage::{Connection, Page};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What a page link of a search holds.
#[derive(Serialize, Deserialize)]
struct State {
    path: String,
    parameters: Vec<Parameter>,
    is_lenient: bool,
    /// None for the first page.
    cursor: Option<Cursor>,
}

/// A search as asked for.
struct Asked {
    parameters: Vec<Parameter>,
    handling: Handling,
    plan: Plan,
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
    let asked = asked(context, permit, wanted)?;
    let page = context.store.search(permit, &asked.plan).await?;
    bundle((context, permit), wanted, asked, page)
}

/// The same on a connection that may be inside a transaction.
pub async fn search(
    context: &Context,
    connection: &mut Connection,
    permit: &Permit,
    wanted: Wanted<'_>,
) -> Result<Outcome> {
    let asked = asked(context, permit, wanted)?;
    let page = context.store.search_on(connection, permit, &asked.plan).await?;
    bundle((context, permit), wanted, asked, page)
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
        let handling = request.prefer.handling;
        let plan = context.plan(scope, parameters, handling)?;
        return Ok(Asked { parameters: parameters.to_vec(), handling, plan });
    };
    if parameters.len() > 1 {
        return Err(FhirError::bad_request("A page link takes no further search parameters"));
    }
    let state: State = page::open(context, permit, text)?;
    if state.path != path_of(scope) {
        return Err(unknown_page());
    }
    let handling = if state.is_lenient { Handling::Lenient } else { Handling::Strict };
    let mut plan = context.plan(scope, &state.parameters, handling)?;
    plan.after = state.cursor;
    Ok(Asked { parameters: state.parameters, handling, plan })
}

fn bundle(
    (context, permit): (&Context, &Permit),
    wanted: Wanted<'_>,
    asked: Asked,
    page: Page,
) -> Result<Outcome> {
    let (scope, _, request) = wanted;
    let path = path_of(scope);
    let links = PageLink { context, permit, path: &path, presentation: &request.presentation };
    let state = |cursor: Option<Cursor>| State {
        path: links.path.to_owned(),
        parameters: asked.parameters.clone(),
        is_lenient: asked.handling == Handling::Lenient,
        cursor,
    };
    // Links to further pages show nothing of the query; that of the first shows what the
    // client sent, as far as it was applied.
    let own = match &asked.plan.after {
        None => links.of(asked.plan.applied()),
        Some(cursor) => links.sealed(&state(Some(cursor.clone())))?,
    };
    let mut relations = vec![("self", own)];
    if asked.plan.after.is_some() || page.next.is_some() {
        relations.push(("first", links.sealed(&state(None))?));
    }
    for (relation, cursor) in [("next", page.next), ("previous", page.previous)] {
        if let Some(cursor) = cursor {
            relations.push((relation, links.sealed(&state(Some(cursor)))?));
        }
    }
    let base_url = &context.settings.base_url;
    let matches = page.matches.into_iter().map(|stored| Entry {
        full_url: Some(format!("{base_url}/{}", stored.key)),
        resource: Some(stored.body),
        search_mode: Some("match"),
        ..Entry::default()
    });
    let included = page.included.into_iter().map(|stored| Entry {
        full_url: Some(format!("{base_url}/{}", stored.key)),
        resource: Some(stored.body),
        search_mode: Some("include"),
        ..Entry::default()
    });
    let mut entries: Vec<Entry> = matches.chain(included).collect();
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
    Ok(Outcome::ok(Content::Json(bundle.into_json())))
}
