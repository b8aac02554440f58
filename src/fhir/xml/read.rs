//! XML to JSON: <https://hl7.org/fhir/R4/xml.html>, <https://hl7.org/fhir/R4/json.html>.

use super::chars::{is_blank, text_of};
use super::issues::Issues;
use super::path::Path;
use super::slot::{Item, Slots};
use super::tokens::{Attribute, Tag, Token, Tokens};
use super::{FHIR_NAMESPACE, XHTML_NAMESPACE, narrative, primitive};
use crate::error::{ErrorKind, Issue, IssueCode, Result};
use crate::fhir::definitions::{Child, Definitions, ResourceType, TypeDef};
use crate::limits::Limits;
use serde_json::{Map, Value};

const XSI_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// An end of reading: not well-formed or over a limit. Its expression is still to be set.
type Step<T> = std::result::Result<T, Issue>;

/// The JSON form of an XML resource: numbers keep their digits, a narrative its characters.
///
/// 400 with every element that is unknown, out of order, repeated, empty, in another namespace
/// or of a malformed number or boolean; XML that is not well-formed or over a limit ends the
/// list. Formats, bindings and cardinality are for `validation`.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Value> {
    let source = text_of(bytes)?;
    let mut reader = Reader {
        tokens: Tokens::new(source, limits),
        path: Path::new(""),
        issues: Issues::default(),
        limits,
    };
    let document = reader.document();
    let Reader { mut issues, path, .. } = reader;
    let value = document.unwrap_or_else(|issue| {
        issues.push(Issue { expression: path.to_string(), ..issue });
        None
    });
    match value {
        Some(value) if issues.is_empty() => Ok(value),
        _ => {
            if issues.is_empty() {
                issues.add(IssueCode::Structure, &path, "There is no resource");
            }
            Err(issues.into_error(ErrorKind::BadRequest))
        }
    }
}

struct Reader<'a> {
    tokens: Tokens<'a>,
    path: Path,
    issues: Issues,
    limits: &'a Limits,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Step<Option<Value>> {
        let mut value = None;
        loop {
            match self.tokens.next()? {
                Token::Start(tag) => {
                    self.path.set_root(tag.local);
                    if tag.namespace != FHIR_NAMESPACE {
                        let text = format!("The namespace has to be {FHIR_NAMESPACE}");
                        return Err(self.tokens.fault(tag.start, text));
                    }
                    value = self.resource(tag)?;
                }
                Token::Eof => return Ok(value),
                _ => {}
            }
        }
    }

    /// The resource whose start tag this is; None with an issue where the type is unknown.
    fn resource(&mut self, tag: Tag<'a>) -> Step<Option<Value>> {
        let Some(kind) = ResourceType::parse(tag.local) else {
            let text = format!("'{}' is not a resource type of R4", tag.local);
            self.issues.add(IssueCode::Structure, &self.path, text);
            self.tokens.skip()?;
            return Ok(None);
        };
        let mut object = Map::new();
        object.insert("resourceType".to_owned(), Value::String(kind.name().to_owned()));
        self.content(&tag, kind.definition(), &mut object)?;
        Ok(Some(Value::Object(object)))
    }

    /// The attributes and children of an element, up to its end, as JSON properties; the text
    /// of a primitive's `value` comes back.
    fn content(
        &mut self,
        tag: &Tag<'a>,
        definition: &'static TypeDef,
        object: &mut Map<String, Value>,
    ) -> Step<Option<Value>> {
        let mut value = None;
        for attribute in &tag.attributes {
            match self.attribute(attribute, definition) {
                Some(("value", json)) => value = Some(json),
                Some((name, json)) => drop(object.insert(name.to_owned(), json)),
                None => {}
            }
        }
        let mut slots = Slots::default();
        let mut has_text = false;
        loop {
            match self.tokens.next()? {
                Token::Start(child) => self.child(child, definition, &mut slots)?,
                Token::End | Token::Eof => break,
                Token::Comment(_) => {}
                Token::Text(text) => has_text |= !is_blank(&text),
            }
        }
        if has_text {
            let text = "Text is not allowed here; values stand in the attribute 'value'";
            self.issues.add(IssueCode::Structure, &self.path, text);
        }
        slots.write_to(object);
        Ok(value)
    }

    /// The property that an attribute stands for; `value` is that of a primitive, null where it
    /// is malformed.
    fn attribute(
        &mut self,
        attribute: &Attribute<'a>,
        definition: &'static TypeDef,
    ) -> Option<(&'a str, Value)> {
        if attribute.is_declaration() || attribute.namespace == XSI_NAMESPACE {
            return None;
        }
        let name = attribute.local;
        let is_id = name == "id" && !definition.is_resource();
        let is_url = name == "url" && definition.name == "Extension";
        let is_value = name == "value" && definition.is_primitive();
        let longest = self.limits.string_bytes;
        let (code, fault) = if !attribute.prefix.is_empty() || !(is_id || is_url || is_value) {
            (IssueCode::Structure, format!("Attribute '{name}' is unknown here"))
        } else if attribute.value.is_empty() {
            (IssueCode::Value, format!("Attribute '{name}' is empty"))
        } else if attribute.value.len() > longest && definition.name != "base64Binary" {
            (IssueCode::TooCostly, format!("A string longer than {longest} bytes"))
        } else if !is_value {
            return Some((name, Value::String(attribute.value.as_ref().to_owned())));
        } else {
            match primitive::from_text(definition.name, &attribute.value) {
                Ok(json) => return Some((name, json)),
                Err(text) => (IssueCode::Value, text),
            }
        };
        self.issues.add(code, &self.path, fault);
        is_value.then_some((name, Value::Null))
    }

    fn child(&mut self, tag: Tag<'a>, definition: &'static TypeDef, slots: &mut Slots) -> Step<()> {
        if self.issues.is_full() {
            let text = "There are more errors than are listed";
            return Err(Issue::error(IssueCode::Structure, "", text));
        }
        let Some(child) = self.known_child(&tag, definition) else {
            return self.tokens.skip();
        };
        let standing = slots.enter(definition, child);
        self.path.push(child, standing.index);
        if let Some(later) = standing.before {
            let text = format!("'{}' has to stand before '{later}'", tag.local);
            self.issues.add(IssueCode::Structure, &self.path, text);
        }
        if standing.index > 0 && !child.element.is_repeating() {
            let text = format!("'{}' may be there only once", tag.local);
            self.issues.add(IssueCode::Structure, &self.path, text);
        }
        if standing.index >= self.limits.array_items {
            let text = format!("More than {} items in an array", self.limits.array_items);
            return Err(Issue::error(IssueCode::TooCostly, "", text));
        }
        let item = self.item(tag, child)?;
        slots.add(item);
        self.path.pop();
        Ok(())
    }

    /// The element that the tag stands for; None with an issue for none.
    fn known_child(
        &mut self,
        tag: &Tag<'a>,
        definition: &'static TypeDef,
    ) -> Option<Child<'static>> {
        let is_attribute = !definition.is_resource()
            && (tag.local == "id" || (tag.local == "url" && definition.name == "Extension"));
        let child = definition.child(tag.local).filter(|_| !is_attribute);
        let Some(child) = child else {
            let text = match is_attribute {
                true => format!("'{}' is an attribute here, not an element", tag.local),
                false => format!("Element '{}' is unknown here", tag.local),
            };
            self.issues.add(IssueCode::Structure, &self.path, text);
            return None;
        };
        let namespace = match type_of(child).name {
            "xhtml" => XHTML_NAMESPACE,
            _ => FHIR_NAMESPACE,
        };
        if tag.namespace != namespace {
            let text = format!("The namespace of '{}' has to be {namespace}", tag.local);
            self.issues.add(IssueCode::Structure, &self.path, text);
            return None;
        }
        Some(child)
    }

    fn item(&mut self, tag: Tag<'a>, child: Child<'static>) -> Step<Item> {
        let definition = type_of(child);
        if definition.name == "xhtml" {
            let text = narrative::read(&mut self.tokens, tag)?;
            return Ok(Item { value: Some(Value::String(text)), companion: None });
        }
        if definition.is_resource() {
            return Ok(Item { value: self.nested(&tag)?, companion: None });
        }
        let mut object = Map::new();
        let value = self.content(&tag, definition, &mut object)?;
        if value.is_none() && object.is_empty() {
            let text = format!("'{}' is empty: it has neither value nor children", tag.local);
            self.issues.add(IssueCode::Structure, &self.path, text);
        }
        let object = (!object.is_empty()).then_some(Value::Object(object));
        Ok(match definition.is_primitive() {
            true => Item { value, companion: object },
            false => Item { value: object, companion: None },
        })
    }

    /// An element with a resource inside: `contained`, `Bundle.entry.resource` and the like.
    fn nested(&mut self, tag: &Tag<'a>) -> Step<Option<Value>> {
        if tag.attributes.iter().any(|attribute| !attribute.is_declaration()) {
            let text = "Attributes are not allowed around a resource";
            self.issues.add(IssueCode::Structure, &self.path, text);
        }
        let mut resources = 0;
        let mut value = None;
        loop {
            match self.tokens.next()? {
                Token::Start(inner) if inner.namespace != FHIR_NAMESPACE => {
                    let text = format!("The namespace has to be {FHIR_NAMESPACE}");
                    self.issues.add(IssueCode::Structure, &self.path, text);
                    resources += 1;
                    self.tokens.skip()?;
                }
                Token::Start(inner) => {
                    resources += 1;
                    value = self.resource(inner)?;
                }
                Token::End | Token::Eof => break,
                Token::Comment(_) => {}
                Token::Text(text) if is_blank(&text) => {}
                Token::Text(_) => {
                    let text = "Text is not allowed around a resource";
                    self.issues.add(IssueCode::Structure, &self.path, text);
                }
            }
        }
        if resources != 1 {
            let text = format!("'{}' holds one resource, here it is {resources}", tag.local);
            self.issues.add(IssueCode::Structure, &self.path, text);
        }
        Ok(value)
    }
}

fn type_of(child: Child<'static>) -> &'static TypeDef {
    Definitions::r4().type_def(child.element_type.id)
}
