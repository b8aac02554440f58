//! A query asked of the server, page by page, and its answer against the oracle's.

use super::super::harness::{FhirClient, Reply};
use super::evaluation::{Oracle, SortValue};
use super::query::Query;
use super::world::{Key, Resource, World};
use bhn_fhir::clock::Clock;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Entries of one page.
#[derive(PartialEq, Debug)]
pub struct Page {
    matches: Vec<Key>,
    includes: Vec<Key>,
    total: Option<u64>,
}

/// How many matches there are; why the server's answer is not what the oracle says.
pub async fn compare(client: &FhirClient, world: &World, query: &Query) -> Result<usize, String> {
    let now = Clock::System.now().timestamp_micros();
    let pages = pages(client, query).await?;
    compare_pages(&Oracle { world, now }, query, &pages)
}

/// What the server answers, to the last page.
pub async fn pages(client: &FhirClient, query: &Query) -> Result<Vec<Page>, String> {
    let mut reply = first(client, query).await;
    let mut pages = Vec::new();
    loop {
        if reply.status() != 200 {
            return Err(format!("the server answers {}: {}", reply.status(), reply.text()));
        }
        pages.push(page(&reply)?);
        if pages.len() > 200 {
            return Err("the pages have no end".to_owned());
        }
        match next(&reply) {
            Some(url) => reply = client.get(&url).await,
            None => return Ok(pages),
        }
    }
}

impl Page {
    /// Without what was included of this key, in any order of that.
    pub fn without(&self, key: &str) -> (Vec<Key>, BTreeSet<Key>, Option<u64>) {
        let is_other = |(kind, id): &&Key| !format!("{kind}/{id}").starts_with(key);
        let includes = self.includes.iter().filter(is_other).cloned().collect();
        (self.matches.clone(), includes, self.total)
    }
}

async fn first(client: &FhirClient, query: &Query) -> Reply {
    let (path, form) = (query.path(), query.form());
    if query.is_by_post {
        let request = client.request("POST", &format!("{path}/_search"));
        return request.body("application/x-www-form-urlencoded", form).send().await;
    }
    client.get(&format!("{}{path}?{form}", if path.is_empty() { client.base() } else { "" })).await
}

fn next(reply: &Reply) -> Option<String> {
    let links = reply.body["link"].as_array()?;
    let next = links.iter().find(|link| link["relation"] == "next")?;
    next["url"].as_str().map(str::to_owned)
}

fn page(reply: &Reply) -> Result<Page, String> {
    let mut page = Page { matches: vec![], includes: vec![], total: reply.body["total"].as_u64() };
    for entry in reply.body["entry"].as_array().into_iter().flatten() {
        let resource = Resource { body: entry["resource"].clone() };
        let key = key_of(entry["fullUrl"].as_str().unwrap_or_default());
        if key.1.rsplit('#').next() != Some(resource.key().1.as_str()) {
            return Err(format!("fullUrl is not of the resource: {entry}"));
        }
        match entry["search"]["mode"].as_str() {
            Some("match") => page.matches.push(key),
            Some("include") => {
                page.includes.push((key.0, format!("{}/_history/{}", key.1, resource.version())));
            }
            _ => return Err(format!("an entry beside matches and includes: {entry}")),
        }
    }
    Ok(page)
}

/// Of the end of a URL; the id of what is contained is `id#fragment`.
fn key_of(url: &str) -> Key {
    let mut parts = url.rsplit('/');
    let (id, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    (kind.to_owned(), id.to_owned())
}

fn compare_pages(oracle: &Oracle<'_>, query: &Query, pages: &[Page]) -> Result<usize, String> {
    let matches = oracle.matches(query);
    let expected: BTreeSet<Key> = matches.keys().cloned().collect();
    let total = pages[0].total;
    if total != Some(expected.len() as u64) {
        return Err(format!("the total is {total:?}, not {}: {expected:?}", expected.len()));
    }
    let found: Vec<Key> = pages.iter().flat_map(|page| page.matches.clone()).collect();
    if query.count == 0 && found.is_empty() && pages[0].includes.is_empty() {
        return Ok(expected.len());
    }
    same("matches", &expected, &found)?;
    for page in pages {
        let matches = page.matches.iter().cloned().collect();
        same("includes", &oracle.included(query, &matches), &page.includes)?;
        if page.matches.len() > query.count {
            return Err(format!("a page of {} matches", page.matches.len()));
        }
    }
    in_order((oracle, &matches), query, &found)?;
    Ok(expected.len())
}

/// The same keys, each once.
fn same(what: &str, expected: &BTreeSet<Key>, found: &[Key]) -> Result<(), String> {
    let distinct: BTreeSet<Key> = found.iter().cloned().collect();
    if distinct == *expected && distinct.len() == found.len() {
        return Ok(());
    }
    let name = |(kind, id): &Key| format!("{kind}/{id}");
    let missing: Vec<String> = expected.difference(&distinct).map(name).collect();
    let surplus: Vec<String> = distinct.difference(expected).map(name).collect();
    let (missing, surplus) = (missing.join(" "), surplus.join(" "));
    let doubles = found.len() - distinct.len();
    Err(format!("{what}: not found: [{missing}], not meant: [{surplus}], doubles: {doubles}"))
}

/// Each sort value not before the one above it; what has none stands last.
fn in_order(
    (oracle, matches): (&Oracle<'_>, &BTreeMap<Key, Vec<Resource>>),
    query: &Query,
    found: &[Key],
) -> Result<(), String> {
    let Some(sort) = &query.order() else { return Ok(()) };
    let value = |key: &Key| oracle.sort_value(&matches[key], (query, sort));
    let values: Vec<Option<SortValue>> = found.iter().map(value).collect();
    for (pair, keys) in values.windows(2).zip(found.windows(2)) {
        let is_right = match (&pair[0], &pair[1]) {
            (Some(a), Some(b)) => {
                let wrong = if sort.is_descending { Ordering::Less } else { Ordering::Greater };
                a.partial_cmp(b).is_some_and(|order| order != wrong)
            }
            (None, Some(_)) => false,
            (_, None) => true,
        };
        if !is_right {
            return Err(format!(
                "order: {:?} of {:?} stands before {:?} of {:?}",
                pair[0], keys[0], pair[1], keys[1]
            ));
        }
    }
    Ok(())
}
