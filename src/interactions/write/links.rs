//! Links between the entries of a transaction, and conditional references:
//! <https://hl7.org/fhir/R4/http.html#trules> and bundle.html#references.

use super::draft::{Act, Found, Target, Write};
use super::facts::Facts;
use crate::access::Permit;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::links::{Place, begins, rewrite};
use crate::fhir::resource::{Resource, ResourceKey};
use crate::interactions::context::Context;
use crate::search::{IndexRows, Known, Plan};
use foldhash::quality::RandomState;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What has to be replaced in the resources of a set. Empty for a request of its own.
#[derive(Default)]
pub struct Links {
    /// Entries have names that stand for what they become.
    is_transaction: bool,
    /// Text, permit and plan of each distinct conditional reference.
    conditional: Vec<(String, Permit, Plan)>,
}

/// Resources by the fullUrl of their entry.
pub type FullUrls = HashMap<String, Named, RandomState>;

/// What a fullUrl stands for.
#[derive(Clone)]
pub struct Named {
    key: ResourceKey,
    version: NamedVersion,
}

/// What becomes of the version in a reference to it (http.html#trules: such a reference still
/// names a version afterwards, and which one is up to the server).
#[derive(Clone, Copy)]
enum NamedVersion {
    Is(i64),
    /// The client knows the resource, and its versions.
    AsSent,
    /// Known after the write alone: the reference loses it.
    Open,
}

impl Named {
    /// None for a write that is about no one resource.
    pub fn of(write: &Write, found: &Found) -> Option<Named> {
        let version = match (&write.target, &write.act, found) {
            (Target::New(_), ..) => NamedVersion::Is(1),
            (Target::Key(_), ..) => NamedVersion::AsSent,
            (Target::Criteria(_), act, Found::Matches(matches)) => match (matches.first(), act) {
                (None, _) => NamedVersion::Is(1),
                (Some(stored), Act::Create(_)) => NamedVersion::Is(stored.version),
                (Some(_), _) => NamedVersion::Open,
            },
            (Target::Criteria(_), ..) => NamedVersion::Open,
        };
        write.key(found).map(|key| Named { key, version })
    }

    /// The reference that takes the place of one to the fullUrl, with the version sent.
    fn reference(&self, version: Option<&str>) -> String {
        match (self.version, version) {
            (_, None) | (NamedVersion::Open, _) => self.key.to_string(),
            (NamedVersion::Is(version), _) => format!("{}/_history/{version}", self.key),
            (NamedVersion::AsSent, Some(version)) => format!("{}/_history/{version}", self.key),
        }
    }
}

/// The same once it is known what everything became.
pub struct Resolved {
    is_needed: bool,
    full_urls: Arc<FullUrls>,
    /// With what all of them begin.
    prefix: String,
    conditional: HashMap<String, ResourceKey>,
}

impl Links {
    /// Of a transaction. Where nothing has to be looked up to know what its entries become and
    /// bring, their links are replaced now, in place. 400 where two entries have the same fullUrl.
    pub fn of_transaction(
        writes: &mut [Write],
        conditional: Vec<(String, Permit, Plan)>,
    ) -> Result<Self> {
        let is_open = |write: &Write| {
            matches!((&write.target, &write.act), (Target::Criteria(_), _) | (_, Act::Patch(_)))
        };
        if !conditional.is_empty() || writes.iter().any(is_open) {
            return Ok(Links { is_transaction: true, conditional });
        }
        let full_urls = full_urls(writes.iter().map(|write| (write, &Found::Nothing)))?;
        let full_urls = Arc::new(full_urls);
        Ok(Links::of_full_urls(writes, full_urls))
    }

    /// Links between the entries of a Bundle that is stored in parts, replaced in place.
    pub fn of_full_urls(writes: &mut [Write], full_urls: Arc<FullUrls>) -> Self {
        let resolved = Resolved::new(full_urls, HashMap::new());
        for write in writes.iter_mut().filter(|_| resolved.is_needed) {
            if let Act::Create(resource) | Act::Update(resource) = &mut write.act {
                resolved.rewrite(resource, write.full_url.as_deref());
            }
        }
        Links::default()
    }

    pub fn conditional(&self) -> &[(String, Permit, Plan)] {
        &self.conditional
    }

    /// 412 where a conditional reference has no match or several, 400 where two entries have
    /// the same fullUrl.
    pub fn resolved(&self, context: &Context, writes: &[Write], facts: &Facts) -> Result<Resolved> {
        let mut names = FullUrls::default();
        let mut conditional = HashMap::new();
        if self.is_transaction {
            names = full_urls(writes.iter().zip(&facts.found))?;
            let own = OwnWrites::of(context, self, (writes, facts));
            for (text, _, plan) in &self.conditional {
                let stored = facts.references.get(text).map(Vec::as_slice).unwrap_or_default();
                let matches = own.matches_after(plan, stored);
                let [key] = matches.as_slice() else {
                    return Err(unresolved(text, matches.len(), writes));
                };
                conditional.insert(text.clone(), ResourceKey::clone(key));
            }
        }
        Ok(Resolved::new(Arc::new(names), conditional))
    }
}

/// What the fullUrls of the writes stand for. 400 where two have the same.
fn full_urls<'a>(writes: impl Iterator<Item = (&'a Write, &'a Found)>) -> Result<FullUrls> {
    let mut names = FullUrls::default();
    for (write, found) in writes {
        let named = Named::of(write, found);
        let Some((url, named)) = write.full_url.clone().zip(named) else { continue };
        if names.insert(url, named).is_some() {
            let expression = format!("{}.fullUrl", write.expression);
            let text = "Another entry of this transaction has the same fullUrl";
            return Err(FhirError::invalid_value(expression, text));
        }
    }
    Ok(names)
}

/// What the writes of a set do to the matches of its conditional references, which are resolved
/// last (http.html#trules).
struct OwnWrites {
    /// Resources that are no longer what the store holds.
    written: HashSet<ResourceKey>,
    /// What they are afterwards, and what is new.
    brought: Vec<(ResourceKey, IndexRows)>,
}

impl OwnWrites {
    fn of(context: &Context, links: &Links, set: (&[Write], &Facts)) -> Self {
        let (writes, facts) = set;
        let mut own = OwnWrites { written: HashSet::new(), brought: Vec::new() };
        let is_sought = |resource: &Resource| {
            let of = |plan: &Plan| plan.types.contains(&resource.resource_type());
            links.conditional.iter().any(|(_, _, plan)| of(plan))
        };
        for (write, found) in writes.iter().zip(&facts.found) {
            match (&write.act, found) {
                (Act::Create(_), Found::Matches(matches)) if !matches.is_empty() => {}
                (Act::Delete, Found::Matches(matches)) => {
                    own.written.extend(matches.iter().map(|stored| stored.key.clone()));
                }
                (Act::Delete, _) => own.written.extend(write.key(found)),
                (Act::Create(resource) | Act::Update(resource), _) if is_sought(resource) => {
                    let Some(key) = write.key(found) else { continue };
                    own.written.insert(key.clone());
                    let rows = context.index(&key, resource);
                    own.brought.push((key, rows));
                }
                _ => {}
            }
        }
        own
    }

    /// The matches once the writes are done.
    fn matches_after<'a>(&'a self, plan: &Plan, stored: &'a [ResourceKey]) -> Vec<&'a ResourceKey> {
        let stays = stored.iter().filter(|key| !self.written.contains(key));
        let holds = |key, rows| {
            let known = Known { key, rows, last_updated: None, links: &[] };
            plan.holds(&known) == Some(true)
        };
        let comes = self.brought.iter().filter(|(key, rows)| holds(key, rows));
        stays.chain(comes.map(|(key, _)| key)).collect()
    }
}

/// Names the first entry with the reference.
fn unresolved(text: &str, matches: usize, writes: &[Write]) -> FhirError {
    let (code, found) = match matches {
        0 => (IssueCode::NotFound, "no resource"),
        _ => (IssueCode::MultipleMatches, "several resources"),
    };
    let resource_type = text.split('?').next().unwrap_or_default();
    let why = format!("A conditional reference to {resource_type} matches {found}");
    let error = FhirError::new(ErrorKind::PreconditionFailed, code, why);
    match writes.iter().find(|write| write.conditional.iter().any(|known| known == text)) {
        Some(write) => error.within(&write.expression),
        None => error,
    }
}

impl Resolved {
    fn new(full_urls: Arc<FullUrls>, conditional: HashMap<String, ResourceKey>) -> Self {
        let is_needed = !full_urls.is_empty() || !conditional.is_empty();
        let prefix = shared_prefix(full_urls.keys()).to_owned();
        Resolved { is_needed, full_urls, prefix, conditional }
    }

    /// The resource of a write with its links replaced; borrowed where nothing can be.
    pub fn rewritten<'a>(&self, write: &'a Write, resource: &'a Resource) -> Cow<'a, Resource> {
        if !self.is_needed {
            return Cow::Borrowed(resource);
        }
        let mut rewritten = resource.clone();
        self.rewrite(&mut rewritten, write.full_url.as_deref());
        Cow::Owned(rewritten)
    }

    /// A patched resource with the links replaced that the patch brought.
    pub fn rewritten_patch(&self, before: &Value, patched: Value) -> Result<Value> {
        if !self.is_needed {
            return Ok(patched);
        }
        let mut had = HashSet::new();
        let mut before = Resource::from_value(before.clone())?;
        rewrite(&mut before, |_| true, &mut |_, link| {
            had.insert(link.to_owned());
            None
        });
        let mut patched = Resource::from_value(patched)?;
        let is_sought = |text: &str| self.may_replace(text, None);
        rewrite(&mut patched, is_sought, &mut |place, link| match had.contains(link) {
            true => None,
            false => self.replace(place, link, None),
        });
        Ok(patched.into_value())
    }

    /// Replaces the links of the resource of an entry with this fullUrl.
    fn rewrite(&self, resource: &mut Resource, full_url: Option<&str>) {
        let base = full_url.and_then(base_of);
        let is_sought = |text: &str| self.may_replace(text, base);
        rewrite(resource, is_sought, &mut |place, link| self.replace(place, link, base));
    }

    /// False for most texts that [`Resolved::replace`] would not replace.
    fn may_replace(&self, text: &str, base: Option<&str>) -> bool {
        begins(text, &self.prefix)
            || (base.is_some() && text.starts_with(|first: char| first.is_ascii_uppercase()))
            || self.conditional.contains_key(text)
    }

    fn replace(&self, place: Place, link: &str, base: Option<&str>) -> Option<String> {
        if place == Place::Reference
            && let Some(key) = self.conditional.get(link)
        {
            return Some(key.to_string());
        }
        let (target, fragment) = match link.find('#') {
            Some(at) => link.split_at(at),
            None => (link, ""),
        };
        let (plain, version) = match target.split_once("/_history/") {
            Some((plain, version)) => (plain, Some(version)),
            None => (target, None),
        };
        let named = match self.full_urls.get(plain) {
            Some(named) => named,
            // A relative reference is read from the base of its own entry's fullUrl.
            None => {
                let relative = ResourceKey::parse(plain)?;
                self.full_urls.get(&format!("{}{relative}", base?))?
            }
        };
        Some(format!("{}{fragment}", named.reference(version)))
    }
}

/// With what all of the texts begin.
fn shared_prefix<'a>(mut texts: impl Iterator<Item = &'a String>) -> &'a str {
    let Some(first) = texts.next() else { return "" };
    let mut prefix = first.as_str();
    for text in texts {
        let same = prefix.bytes().zip(text.bytes()).take_while(|(one, other)| one == other).count();
        prefix = &prefix[..prefix.floor_char_boundary(same)];
    }
    prefix
}

/// `http://a/fhir/` of `http://a/fhir/Patient/1`; None for a URN.
fn base_of(full_url: &str) -> Option<&str> {
    let mut slashes = full_url.rmatch_indices('/').map(|(at, _)| at);
    slashes.next()?;
    let at = slashes.next()? + 1;
    ResourceKey::parse(&full_url[at..]).map(|_| &full_url[..at])
}
