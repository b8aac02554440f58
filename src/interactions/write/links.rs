//! Links between the entries of a transaction, and conditional references:
//! <https://hl7.org/fhir/R4/http.html#trules> and bundle.html#references.

use super::draft::{Act, Found, Target, Write};
use super::facts::Facts;
use crate::access::Permit;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::links::{Place, rewrite};
use crate::fhir::resource::{Resource, ResourceKey};
use crate::search::Plan;
use std::borrow::Cow;
use std::collections::HashMap;
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
pub type FullUrls = HashMap<String, ResourceKey>;

/// The same once it is known what everything became.
pub struct Resolved {
    is_needed: bool,
    full_urls: Arc<FullUrls>,
    conditional: HashMap<String, ResourceKey>,
}

impl Links {
    /// Of a transaction. Where nothing has to be looked up to know what its entries become,
    /// their links are replaced now, in place. 400 where two entries have the same fullUrl.
    pub fn of_transaction(
        writes: &mut [Write],
        conditional: Vec<(String, Permit, Plan)>,
    ) -> Result<Self> {
        let is_open = |write: &Write| matches!(write.target, Target::Criteria(_));
        if !conditional.is_empty() || writes.iter().any(is_open) {
            return Ok(Links { is_transaction: true, conditional });
        }
        let keys = writes.iter().map(|write| write.key(&Found::Nothing));
        let full_urls = Arc::new(full_urls(writes.iter().zip(keys))?);
        Ok(Links::of_full_urls(writes, full_urls))
    }

    /// Links between the entries of a Bundle that is stored in parts, replaced in place.
    pub fn of_full_urls(writes: &mut [Write], full_urls: Arc<FullUrls>) -> Self {
        let is_needed = !full_urls.is_empty();
        let resolved = Resolved { is_needed, full_urls, conditional: HashMap::new() };
        for write in writes.iter_mut().filter(|_| is_needed) {
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
    pub fn resolved(&self, writes: &[Write], facts: &Facts) -> Result<Resolved> {
        let mut names = FullUrls::new();
        let mut conditional = HashMap::new();
        if self.is_transaction {
            let of_facts = writes.iter().zip(&facts.found);
            names = full_urls(of_facts.map(|(write, found)| (write, write.key(found))))?;
            for (text, matches) in &facts.references {
                let [key] = matches.as_slice() else {
                    return Err(unresolved(text, matches.len()));
                };
                conditional.insert(text.clone(), key.clone());
            }
        }
        let full_urls = Arc::new(names);
        let is_needed = !full_urls.is_empty() || !conditional.is_empty();
        Ok(Resolved { is_needed, full_urls, conditional })
    }
}

/// What the fullUrls of the writes stand for. 400 where two have the same.
fn full_urls<'a>(
    writes: impl Iterator<Item = (&'a Write, Option<ResourceKey>)>,
) -> Result<FullUrls> {
    let mut names = FullUrls::new();
    for (write, key) in writes {
        let Some((url, key)) = write.full_url.clone().zip(key) else { continue };
        if names.insert(url, key).is_some() {
            let expression = format!("{}.fullUrl", write.expression);
            let text = "Another entry of this transaction has the same fullUrl";
            return Err(FhirError::invalid_value(expression, text));
        }
    }
    Ok(names)
}

fn unresolved(text: &str, matches: usize) -> FhirError {
    let (code, found) = match matches {
        0 => (IssueCode::NotFound, "no resource"),
        _ => (IssueCode::MultipleMatches, "several resources"),
    };
    let resource_type = text.split('?').next().unwrap_or_default();
    let text = format!("A conditional reference to {resource_type} matches {found}");
    FhirError::new(ErrorKind::PreconditionFailed, code, text)
}

impl Resolved {
    /// The resource of a write with its links replaced; borrowed where nothing can be.
    pub fn rewritten<'a>(&self, write: &'a Write, resource: &'a Resource) -> Cow<'a, Resource> {
        if !self.is_needed {
            return Cow::Borrowed(resource);
        }
        let mut rewritten = resource.clone();
        self.rewrite(&mut rewritten, write.full_url.as_deref());
        Cow::Owned(rewritten)
    }

    /// Replaces the links of the resource of an entry with this fullUrl.
    fn rewrite(&self, resource: &mut Resource, full_url: Option<&str>) {
        let base = full_url.and_then(base_of);
        rewrite(resource, &mut |place, link| self.replace(place, link, base));
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
        let key = match self.full_urls.get(target) {
            Some(key) => key,
            // A relative reference is read from the base of its own entry's fullUrl.
            None => {
                let relative = ResourceKey::parse_versioned(target)?;
                self.full_urls.get(&format!("{}{relative}", base?))?
            }
        };
        Some(format!("{key}{fragment}"))
    }
}

/// `http://a/fhir/` of `http://a/fhir/Patient/1`; None for a URN.
fn base_of(full_url: &str) -> Option<&str> {
    let mut slashes = full_url.rmatch_indices('/').map(|(at, _)| at);
    slashes.next()?;
    let at = slashes.next()? + 1;
    ResourceKey::parse(&full_url[at..]).map(|_| &full_url[..at])
}

/// The distinct conditional references of a resource: `Type?query` in `Reference.reference`.
pub fn conditional_references(resource: &Resource) -> Vec<String> {
    let mut found = Vec::new();
    if !may_be_conditional(resource) {
        return found;
    }
    let mut copy = resource.clone();
    rewrite(&mut copy, &mut |place, link| {
        let is_conditional = place == Place::Reference
            && link.split_once('?').is_some_and(|(kind, _)| {
                crate::fhir::definitions::ResourceType::parse(kind).is_some()
            });
        if is_conditional && !found.iter().any(|text| text == link) {
            found.push(link.to_owned());
        }
        None
    });
    found
}

/// Whether any reference could be conditional, without a copy of the resource.
fn may_be_conditional(resource: &Resource) -> bool {
    fn has(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::Array(items) => items.iter().any(has),
            serde_json::Value::Object(object) => object.iter().any(|(name, value)| match value {
                serde_json::Value::String(text) => name == "reference" && text.contains('?'),
                value => has(value),
            }),
            _ => false,
        }
    }
    has(resource.value())
}
