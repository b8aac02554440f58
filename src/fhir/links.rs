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

/// Calls `replace` with every link of the resource; what it returns takes the link's place.
/// Contained resources, extensions and Bundle entries are walked as well.
pub fn rewrite(resource: &mut Resource, replace: &mut dyn FnMut(Place, &str) -> Option<String>) {
    let definition = resource.resource_type().definition();
    walk(resource.object_mut(), definition, replace);
}

type Replace<'a> = dyn FnMut(Place, &str) -> Option<String> + 'a;

fn walk(object: &mut Map<String, Value>, definition: &TypeDef, replace: &mut Replace) {
    for (name, value) in object.iter_mut() {
        if !may_hold_link(value) {
            continue;
        }
        let plain = name.strip_prefix('_').unwrap_or(name);
        let Some(child) = definition.child(plain) else { continue };
        let child_type = Definitions::r4().type_def(child.element_type.id);
        match value {
            Value::Array(items) => {
                for item in items {
                    walk_value(item, definition, (plain, child_type), replace);
                }
            }
            value => walk_value(value, definition, (plain, child_type), replace),
        }
    }
}

/// False for what is no link by its letters; most properties need not be looked up.
fn may_hold_link(value: &Value) -> bool {
    match value {
        Value::String(text) => memchr::memchr3(b':', b'/', b'?', text.as_bytes()).is_some(),
        Value::Array(_) | Value::Object(_) => true,
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn walk_value(value: &mut Value, parent: &TypeDef, child: (&str, &TypeDef), replace: &mut Replace) {
    let (name, child_type) = child;
    match value {
        Value::String(text) => {
            let place = match (parent.name, name, child_type.name) {
                ("Reference", "reference", _) => Place::Reference,
                (_, _, "uri" | "url" | "oid" | "uuid") => Place::Uri,
                (_, _, "xhtml") => return rewrite_narrative(text, replace),
                _ => return,
            };
            if let Some(replaced) = replace(place, text) {
                *text = replaced;
            }
        }
        Value::Object(object) if child_type.is_resource() => {
            let own = object.get("resourceType").and_then(Value::as_str).unwrap_or_default();
            let definitions = Definitions::r4();
            if let Some(id) = definitions.type_id(own) {
                walk(object, definitions.type_def(id), replace);
            }
        }
        // A primitive's sibling holds its extensions.
        Value::Object(object) if child_type.kind == Kind::Primitive => {
            let definitions = Definitions::r4();
            if let Some(element) = definitions.type_id("Element") {
                walk(object, definitions.type_def(element), replace);
            }
        }
        Value::Object(object) => walk(object, child_type, replace),
        _ => {}
    }
}

/// Replaces links in `href` and `src` attributes, leaving every other character alone.
fn rewrite_narrative(div: &mut String, replace: &mut Replace) {
    let mut rewritten = String::new();
    let mut rest = div.as_str();
    while let Some(start) = next_attribute(rest) {
        let (before, from) = rest.split_at(start);
        let quote = if before.ends_with('"') { '"' } else { '\'' };
        let end = from.find(quote).unwrap_or(from.len());
        let (link, after) = from.split_at(end);
        rewritten.push_str(before);
        rewritten.push_str(replace(Place::Narrative, link).as_deref().unwrap_or(link));
        rest = after;
    }
    if !rewritten.is_empty() {
        rewritten.push_str(rest);
        *div = rewritten;
    }
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
    let mut targets = Vec::new();
    let mut copy = resource.clone();
    rewrite(&mut copy, &mut |place, link| {
        if place == Place::Reference {
            targets.extend(local_key(link));
        }
        None
    });
    targets.sort();
    targets.dedup();
    targets
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rewritten(value: Value, from: &str, to: &str) -> Value {
        let mut resource = Resource::from_value(value).unwrap();
        rewrite(&mut resource, &mut |_, link| (link == from).then(|| to.to_owned()));
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
