//! Functions that FHIR adds (fhirpath.html#functions), types and the time.

use super::super::error::{FhirPathError, Result};
use super::super::function::Function;
use super::super::item::{Item, System};
use super::super::node::Node;
use super::super::reference::{contained, target_type};
use super::{Call, Items, Knowledge, boolean, maybe, maybe_boolean, single, text, types};
use crate::fhir::definitions::Definitions;
use crate::fhir::types::Primitive;
use serde_json::Value;

const STRUCTURE_DEFINITION: &str = "http://hl7.org/fhir/StructureDefinition/";

impl<'a> Call<'_, '_, 'a> {
    pub(super) fn fhir(self) -> Result<Items<'a>> {
        match self.function {
            Function::Now => Ok(maybe(Some(System::Temporal(self.evaluator.now())))),
            Function::Today => Ok(maybe(Some(System::Temporal(self.evaluator.now().to_date())))),
            Function::TimeOfDay => {
                Ok(maybe(Some(System::Temporal(self.evaluator.now().to_time()))))
            }
            Function::Type => {
                let types = self.items.iter().filter_map(types::type_of);
                Ok(types.map(Item::System).collect())
            }
            Function::Extension => self.extension(),
            Function::HasValue => {
                let has_value = |item: &Item<'_>| item.as_node().is_none_or(|n| n.has_value());
                Ok(boolean(matches!(&self.items[..], [item] if has_value(item))))
            }
            Function::GetValue => {
                let value = single(&self.items, "getValue()")?;
                let value = value.filter(|item| item.as_node().is_none_or(|n| n.has_value()));
                Ok(maybe(value.and_then(Item::system)))
            }
            Function::Resolve => {
                self.evaluator.tick(self.items.len())?;
                Ok(self.items.iter().filter_map(|item| self.resolve(item)).collect())
            }
            Function::HtmlChecks => {
                let Some(html) = text(&self.items, "htmlChecks()")? else {
                    return Ok(Vec::new());
                };
                self.evaluator.tick(html.len() / 64)?;
                Ok(boolean(Primitive::Xhtml.check(&html).is_ok()))
            }
            Function::ConformsTo => self.conforms_to(),
            Function::MemberOf => self.member_of(),
            Function::Subsumes => self.subsumes(),
            Function::SubsumedBy => self.subsumes(),
            other => {
                let text = format!("'{}' is not a function here", other.name());
                Err(FhirPathError::execution(text))
            }
        }
    }

    fn extension(&self) -> Result<Items<'a>> {
        let Some(url) = text(&self.argument(0)?, "extension()")? else { return Ok(Vec::new()) };
        let mut found = self.evaluator.members(&self.items, "extension")?;
        found.retain(|item| {
            let extension = item.as_node().and_then(|node| node.value());
            extension.and_then(|extension| extension.get("url")?.as_str()) == Some(&*url)
        });
        Ok(found)
    }

    /// The resource in the same document that a reference means, else a node of the type that
    /// the reference names, with no content: enough for `resolve() is Patient`.
    fn resolve(&self, item: &Item<'a>) -> Option<Item<'a>> {
        let root = self.evaluator.root;
        let container = self.evaluator.context.resource.unwrap_or(root);
        let reference = match item {
            Item::Node(node) => node.value()?,
            Item::System(_) => return None,
        };
        let literal = match reference {
            Value::String(literal) => Some(literal.as_str()),
            reference => reference.get("reference").and_then(Value::as_str),
        };
        let found = literal.and_then(|literal| match literal.strip_prefix('#') {
            Some(id) => contained(container, id).or_else(|| contained(root, id)),
            None => entry(root, literal),
        });
        let node = match found {
            Some(resource) => Node::of_resource(resource),
            None => Node::new(None, None, Some(target_type(reference, container)?)),
        };
        Some(Item::Node(node))
    }

    fn knowledge(&self) -> Option<&'a dyn Knowledge> {
        self.evaluator.context.knowledge
    }

    /// Profiles of the specification itself are decided by type, others by [`Knowledge`].
    fn conforms_to(&self) -> Result<Items<'a>> {
        let profile = text(&self.argument(0)?, "conformsTo()")?;
        let item = single(&self.items, "conformsTo()")?;
        let (Some(profile), Some(item)) = (profile, item) else { return Ok(Vec::new()) };
        let Item::Node(node) = item else { return Ok(boolean(false)) };
        let known = self.knowledge().and_then(|known| known.conforms_to(node, &profile));
        let answer = known.or_else(|| {
            let name = profile.strip_prefix(STRUCTURE_DEFINITION)?;
            Definitions::r4().type_id(name).map(|_| types::is_named(node, name))
        });
        let unknown = || FhirPathError::execution(format!("The profile {profile} is not known"));
        Ok(boolean(answer.ok_or_else(unknown)?))
    }

    fn member_of(&self) -> Result<Items<'a>> {
        let value_set = text(&self.argument(0)?, "memberOf()")?;
        let item = single(&self.items, "memberOf()")?;
        let (Some(value_set), Some(Item::Node(node))) = (value_set, item) else {
            return Ok(Vec::new());
        };
        Ok(maybe_boolean(self.knowledge().and_then(|known| known.member_of(node, &value_set))))
    }

    /// `subsumes(code)` and, the other way round, `subsumedBy(code)`, of Codings.
    fn subsumes(&self) -> Result<Items<'a>> {
        let other = self.argument(0)?;
        let (this, other) = (single(&self.items, self.name())?, single(&other, self.name())?);
        let coding = |item: Option<&Item<'a>>| {
            let value = item?.as_node()?.value()?;
            let coding = value.get("coding").and_then(|codings| codings.get(0)).unwrap_or(value);
            Some((coding.get("system")?.as_str()?, coding.get("code")?.as_str()?))
        };
        let (Some(mut upper), Some(mut lower)) = (coding(this), coding(other)) else {
            return Ok(Vec::new());
        };
        if self.function == Function::SubsumedBy {
            std::mem::swap(&mut upper, &mut lower);
        }
        if upper.0 != lower.0 {
            return Ok(boolean(false));
        }
        let answer = match upper.1 == lower.1 {
            true => Some(true),
            false => self.knowledge().and_then(|known| known.subsumes(upper.0, upper.1, lower.1)),
        };
        Ok(maybe_boolean(answer))
    }
}

/// The resource of a Bundle's entry whose fullUrl the reference names, in full or by its last
/// two segments (bundle.html#references).
fn entry<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    let entries = root.get("entry")?.as_array()?;
    let reference = reference.split_once("/_history/").map_or(reference, |(path, _)| path);
    let is_meant = |entry: &&Value| {
        entry.get("fullUrl").and_then(Value::as_str).is_some_and(|url| {
            url == reference || url.strip_suffix(reference).is_some_and(|base| base.ends_with('/'))
        })
    };
    entries.iter().find(is_meant)?.get("resource")
}
