//! Links between the entries of a transaction, and conditional references:
//! <https://hl7.org/fhir/R4/http.html#trules> and bundle.html#references.

use super::draft::Write;
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
    is_transaction: bool,
    /// What fullUrls stand for, where that is known beforehand.
    known: Option<Arc<FullUrls>>,
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
    pub fn of_transaction(conditional: Vec<(String, Permit, Plan)>) -> Self {
        Links { is_transaction: true, known: None, conditional }
    }

    /// Links between the entries of a Bundle that is stored in parts.
    pub fn of_full_urls(known: Arc<FullUrls>) -> Self {
        Links { known: Some(known), ..Links::default() }
    }

    pub fn conditional(&self) -> &[(String, Permit, Plan)] {
        &self.conditional
    }

    /// 412 where a conditional reference has no match or several, 400 where two entries have
    /// the same fullUrl.
    pub fn resolved(&self, writes: &[Write], facts: &Facts) -> Result<Resolved> {
        let mut full_urls = HashMap::new();
        let mut conditional = HashMap::new();
        if self.is_transaction {
            for (write, found) in writes.iter().zip(&facts.found) {
                let Some((url, key)) = write.full_url.clone().zip(write.key(found)) else {
                    continue;
                };
                if full_urls.insert(url, key).is_some() {
                    let expression = format!("{}.fullUrl", write.expression);
                    let text = "Another entry of this transaction has the same fullUrl";
                    return Err(FhirError::invalid_value(expression, text));
                }
            }
            for (text, matches) in &facts.references {
                let [key] = matches.as_slice() else {
                    return Err(unresolved(text, matches.len()));
                };
                conditional.insert(text.clone(), key.clone());
            }
        }
        let full_urls = self.known.clone().unwrap_or_else(|| Arc::new(full_urls));
        let is_needed = !full_urls.is_empty() || !conditional.is_empty();
        Ok(Resolved { is_needed, full_urls, conditional })
    }
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
        let base = write.full_url.as_deref().and_then(base_of);
        let mut rewritten = resource.clone();
        rewrite(&mut rewritten, &mut |place, link| self.replace(place, link, base));
        Cow::Owned(rewritten)
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
