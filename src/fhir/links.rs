//! Every place in a resource that may point at another one, found by the element table, and
//! what becomes of it: absolute references to this server are stored as relative ones, and a
//! transaction replaces what its entries were called by what they became.

use super::definitions::{Definitions, Kind, TypeDef};
use super::resource::{Resource, ResourceKey};
use serde_json::{Map, Value};

/// Which kind of place a link stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// `Reference.reference`.
    Reference,
    /// An element of type uri, url, oid or uuid; not canonical, whose identity is its own.
    Uri,
    /// `href` or `src` of the narrative.
    Narrative,
}

/// Calls `replace` with the links of the resource that `is_sought`; what it returns takes the
/// link's place. Contained resources, extensions and Bundle entries are walked as well. Links of
/// narratives are all sought. Most texts are passed by for their letters, and no element is
/// looked up for them.
pub fn rewrite(
    resource: &mut Resource,
    is_sought: impl Fn(&str) -> bool,
    replace: &mut dyn FnMut(Place, &str) -> Option<String>,
) {
    let mut rewritten: Vec<(Vec<usize>, String)> = Vec::new();
    find(resource, &is_sought, &mut |place, text, path| {
        let new = match place {
            Place::Narrative => rewritten_narrative(text, replace),
            _ => replace(place, text),
        };
        rewritten.extend(new.map(|new| (path.to_vec(), new)));
    });
    for (path, new) in rewritten {
        if let Some(text) = text_at(resource.object_mut(), &path) {
            *text = new;
        }
    }
}

/// Whether the text begins so. Most texts are told by one letter.
pub fn begins(text: &str, prefix: &str) -> bool {
    match prefix.len().checked_sub(1) {
        Some(last) => {
            text.as_bytes().get(last) == prefix.as_bytes().get(last) && text.starts_with(prefix)
        }
        None => true,
    }
}

/// The references of the resource that `is_sought`, as [`rewrite`] would find them.
pub fn references(resource: &Resource, is_sought: impl Fn(&str) -> bool) -> Vec<&str> {
    let mut found = Vec::new();
    find(resource, &is_sought, &mut |place, text, _| {
        if place == Place::Reference {
            found.push(text);
        }
    });
    found
}

/// What becomes of a text that may be a link, with its place: for every level down the position
/// of the property or item.
type See<'v, 'a> = dyn FnMut(Place, &'v str, &[usize]) + 'a;

/// A narrative is seen as a whole.
fn find<'v, S: Fn(&str) -> bool>(resource: &'v Resource, is_sought: &S, see: &mut See<'v, '_>) {
    let mut path = Vec::with_capacity(16);
    walk(resource.value(), &mut path, is_sought, &mut |text, path| {
        if let Some(place) = place_of(resource, path) {
            see(place, text, path);
        }
    });
}

fn walk<'v, S: Fn(&str) -> bool>(
    value: &'v Value,
    path: &mut Vec<usize>,
    is_sought: &S,
    see: &mut dyn FnMut(&'v str, &[usize]),
) {
    match value {
        Value::String(text) if is_sought(text) || is_markup(text) => see(text, path),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index);
                walk(item, path, is_sought, see);
                path.pop();
            }
        }
        Value::Object(object) => {
            for (index, value) in object.values().enumerate() {
                path.push(index);
                walk(value, path, is_sought, see);
                path.pop();
            }
        }
        _ => {}
    }
}

fn is_markup(text: &str) -> bool {
    text.as_bytes().trim_ascii_start().first() == Some(&b'<')
}

/// Which kind of link the text at the path is, by the types of the elements that lead to it.
fn place_of(resource: &Resource, path: &[usize]) -> Option<Place> {
    let definitions = Definitions::r4();
    let mut definition: &TypeDef = resource.resource_type().definition();
    let (mut parent, mut name) = (definition, "");
    let mut value = resource.value();
    for index in path {
        let object = match value {
            Value::Array(items) => {
                value = items.get(*index)?;
                continue;
            }
            Value::Object(object) => object,
            _ => return None,
        };
        if definition.is_resource() && !name.is_empty() {
            let own = object.get("resourceType").and_then(Value::as_str)?;
            definition = definitions.type_def(definitions.type_id(own)?);
        } else if definition.kind == Kind::Primitive {
            // A primitive's sibling holds its extensions.
            definition = definitions.type_def(definitions.type_id("Element")?);
        }
        let (key, next) = object.iter().nth(*index)?;
        name = key.strip_prefix('_').unwrap_or(key);
        let child = definition.child(name)?;
        (parent, value) = (definition, next);
        definition = definitions.type_def(child.element_type.id);
    }
    match (parent.name, name, definition.name) {
        ("Reference", "reference", _) => Some(Place::Reference),
        (_, _, "uri" | "url" | "oid" | "uuid") => Some(Place::Uri),
        (_, _, "xhtml") => Some(Place::Narrative),
        _ => None,
    }
}

fn text_at<'v>(object: &'v mut Map<String, Value>, path: &[usize]) -> Option<&'v mut String> {
    let (first, rest) = path.split_first()?;
    let mut value = object.values_mut().nth(*first)?;
    for index in rest {
        value = match value {
            Value::Array(items) => items.get_mut(*index)?,
            Value::Object(object) => object.values_mut().nth(*index)?,
            _ => return None,
        };
    }
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// The narrative with links in `href` and `src` attributes replaced, and every other character
/// as it was; None where it has none.
fn rewritten_narrative(
    div: &str,
    replace: &mut dyn FnMut(Place, &str) -> Option<String>,
) -> Option<String> {
    let mut rewritten = String::new();
    let mut is_other = false;
    let mut rest = div;
    while let Some(start) = next_attribute(rest) {
        let (before, from) = rest.split_at(start);
        let quote = if before.ends_with('"') { '"' } else { '\'' };
        let end = from.find(quote).unwrap_or(from.len());
        let (link, after) = from.split_at(end);
        rewritten.push_str(before);
        let replaced = replace(Place::Narrative, link);
        is_other |= replaced.is_some();
        rewritten.push_str(replaced.as_deref().unwrap_or(link));
        rest = after;
    }
    rewritten.push_str(rest);
    is_other.then_some(rewritten)
}

/// Where the value of the next `href` or `src` begins, after its quote.
fn next_attribute(text: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(equals) = text[from..].find('=').map(|at| at + from) {
        let name = text[..equals].trim_end();
        let value = text[equals + 1..].trim_start();
        let is_link = [" href", " src", "\nhref", "\nsrc", "\thref", "\tsrc"]
            .iter()
            .any(|attribute| name.ends_with(attribute));
        if is_link && value.starts_with(['"', '\'']) {
            return Some(text.len() - value.len() + 1);
        }
        from = equals + 1;
    }
    None
}

/// An absolute reference to a resource of this server as a relative one; None for any other.
pub fn relative(reference: &str, base_url: &str) -> Option<String> {
    let rest = reference.strip_prefix(base_url)?.strip_prefix('/')?;
    let path = rest.split('#').next().unwrap_or_default();
    ResourceKey::parse_versioned(path).map(|_| rest.to_owned())
}

/// The key that a relative reference names, its version dropped; None for any other.
pub fn local_key(reference: &str) -> Option<ResourceKey> {
    ResourceKey::parse_versioned(reference.split('#').next().unwrap_or_default())
}

/// Distinct targets on this server of the resource's references, contained ones included.
pub fn local_targets(resource: &Resource) -> Vec<ResourceKey> {
    let references = references(resource, |text| text.as_bytes().contains(&b'/'));
    let mut targets: Vec<ResourceKey> = references.into_iter().filter_map(local_key).collect();
    targets.sort();
    targets.dedup();
    targets
}

/// Distinct Binaries of this server that the resource refers to or has as the content of an
/// attachment, contained resources and extensions included.
pub fn attached(resource: &Resource) -> Vec<ResourceKey> {
    let mut attached = Vec::new();
    find(resource, &|text| text.starts_with(BINARY), &mut |place, text, _| {
        if place != Place::Narrative {
            attached.extend(local_key(text));
        }
    });
    attached.sort();
    attached.dedup();
    attached
}

/// How relative links to content begin (<https://hl7.org/fhir/R4/binary.html>).
const BINARY: &str = "Binary/";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rewritten(value: Value, from: &str, to: &str) -> Value {
        let mut resource = Resource::from_value(value).unwrap();
        rewrite(&mut resource, |_| true, &mut |_, link| (link == from).then(|| to.to_owned()));
        resource.into_value()
    }

    #[test]
    fn links_are_replaced_in_references_uris_extensions_and_narrative() {
        let urn = "urn:uuid:1";
        let before = json!({"resourceType": "Observation",
            "text": {"status": "generated",
                "div": "<div><a class=\"a\" href=\"urn:uuid:1\">x=1</a><img src='urn:uuid:1'/></div>"},
            "extension": [{"url": "http://e", "valueReference": {"reference": urn}},
                {"url": "http://e", "valueUri": urn}],
            "contained": [{"resourceType": "Patient", "id": "p",
                "link": [{"other": {"reference": urn}}]}],
            "subject": {"reference": urn, "display": urn},
            "_status": {"extension": [{"url": "http://e", "valueReference": {"reference": urn}}]},
            "valueString": urn});
        let mut expected: Value =
            serde_json::from_str(&before.to_string().replace(urn, "Patient/9")).unwrap();
        expected["subject"]["display"] = json!(urn);
        expected["valueString"] = json!(urn);
        assert_eq!(rewritten(before, urn, "Patient/9"), expected);
    }

    #[test]
    fn canonical_elements_are_not_links() {
        let before =
            json!({"resourceType": "QuestionnaireResponse", "questionnaire": "urn:uuid:1"});
        assert_eq!(rewritten(before.clone(), "urn:uuid:1", "x"), before);
    }

    #[test]
    fn absolute_references_to_this_server_become_relative() {
        let base = "http://a/fhir";
        assert_eq!(relative("http://a/fhir/Patient/1", base), Some("Patient/1".to_owned()));
        assert_eq!(
            relative("http://a/fhir/Patient/1/_history/2", base),
            Some("Patient/1/_history/2".to_owned())
        );
        assert_eq!(relative("http://a/fhirs/Patient/1", base), None);
        assert_eq!(relative("http://a/fhir/Nope/1", base), None);
        assert_eq!(relative("http://b/fhir/Patient/1", base), None);
    }
}
