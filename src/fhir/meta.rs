//! `id` and `meta` of a version: what the server sets, what it carries over, and whether two
//! versions differ in anything else. <https://hl7.org/fhir/R4/resource.html#Meta>

use super::resource::{Id, Resource};
use super::types::format_instant;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// The JSON of a version: `resourceType`, `id` and `meta` first, with the server's `id`,
/// `versionId` and `lastUpdated` whatever the client sent for them, then all else as it came.
/// What `json` held is lost: one buffer serves for many.
pub fn stamped_json(
    json: &mut Vec<u8>,
    resource: &Resource,
    id: &Id,
    (version, last_updated): (i64, DateTime<Utc>),
) {
    let object = resource.object();
    let mut meta = Map::new();
    meta.insert("versionId".to_owned(), Value::String(version.to_string()));
    meta.insert("lastUpdated".to_owned(), Value::String(format_instant(last_updated)));
    if let Some(sent) = object.get("meta").and_then(Value::as_object) {
        let kept = sent.iter().filter(|(name, _)| !is_server_set(name));
        meta.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    }
    json.clear();
    json.extend_from_slice(b"{\"resourceType\":\"");
    json.extend_from_slice(resource.resource_type().name().as_bytes());
    json.extend_from_slice(b"\",\"id\":\"");
    json.extend_from_slice(id.as_str().as_bytes());
    json.extend_from_slice(b"\",\"meta\":");
    append(json, &Value::Object(meta));
    for (name, value) in object {
        if !matches!(name.as_str(), "resourceType" | "id" | "meta") {
            json.push(b',');
            append(json, name.as_str());
            json.push(b':');
            append(json, value);
        }
    }
    json.push(b'}');
}

fn append<T: serde::Serialize + ?Sized>(json: &mut Vec<u8>, value: &T) {
    // Writing a value to memory cannot fail: its keys are strings.
    let _ = serde_json::to_writer(json, value);
}

fn is_server_set(name: &str) -> bool {
    matches!(name, "versionId" | "lastUpdated" | "_versionId" | "_lastUpdated")
}

/// Adds the tags and security labels of the version before that the update does not name: they
/// stay until they are deleted by `$meta-delete` or a patch. Identity is system and code.
pub fn carry_over(resource: &mut Resource, before: &Value) {
    for list in ["security", "tag"] {
        let Some(existing) = before["meta"][list].as_array() else { continue };
        let sent = resource.value()["meta"][list].as_array().cloned().unwrap_or_default();
        let lost: Vec<Value> = existing
            .iter()
            .filter(|coding| !sent.iter().any(|other| is_same_coding(other, coding)))
            .cloned()
            .collect();
        if lost.is_empty() {
            continue;
        }
        let meta = resource.object_mut().entry("meta").or_insert_with(|| json!({}));
        if let Some(meta) = meta.as_object_mut() {
            let kept: Vec<Value> = sent.into_iter().chain(lost).collect();
            meta.insert(list.to_owned(), Value::Array(kept));
        }
    }
}

/// What `$meta-add` and `$meta-delete` do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetaChange {
    Add,
    Delete,
}

/// Profiles, security labels and tags to be added to a resource or taken away from it; all else
/// in `meta` is not looked at.
#[derive(Clone, PartialEq, Debug)]
pub struct MetaEdit {
    pub change: MetaChange,
    pub meta: Value,
}

impl MetaEdit {
    /// The lists are sets: what is there already is not added again, and what is not there need
    /// not be taken away. A profile is known by its URL, a label or tag by system and code.
    pub fn apply(&self, resource: &mut Value) {
        let Some(resource) = resource.as_object_mut() else { return };
        let meta = resource.entry("meta").or_insert_with(|| json!({}));
        let Some(meta) = meta.as_object_mut() else { return };
        for (list, is_same) in LISTS {
            let Some(given) = self.meta[list].as_array() else { continue };
            match self.change {
                MetaChange::Add => add(meta, list, (given, is_same)),
                MetaChange::Delete => delete(meta, list, (given, is_same)),
            }
        }
    }
}

type IsSame = fn(&Value, &Value) -> bool;

const LISTS: [(&str, IsSame); 3] =
    [("profile", is_same_profile), ("security", is_same_coding), ("tag", is_same_coding)];

fn add(meta: &mut Map<String, Value>, list: &str, given: (&[Value], IsSame)) {
    let (given, is_same) = given;
    let mut items = meta.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
    let before = items.len();
    for item in given.iter().filter(|item| !item.is_null()) {
        if !items.iter().any(|known| is_same(known, item)) {
            items.push(item.clone());
        }
    }
    if items.len() == before {
        return;
    }
    // Extensions of profiles stand in a list of their own, with a place for each profile.
    if let Some(extensions) = meta.get_mut(&format!("_{list}")).and_then(Value::as_array_mut) {
        extensions.resize(items.len(), Value::Null);
    }
    meta.insert(list.to_owned(), Value::Array(items));
}

fn delete(meta: &mut Map<String, Value>, list: &str, given: (&[Value], IsSame)) {
    let (given, is_same) = given;
    let Some(items) = meta.get(list).and_then(Value::as_array) else { return };
    let stays: Vec<bool> = items
        .iter()
        .map(|item| item.is_null() || !given.iter().any(|other| is_same(other, item)))
        .collect();
    if stays.iter().all(|stays| *stays) {
        return;
    }
    for name in [list.to_owned(), format!("_{list}")] {
        let Some(items) = meta.get_mut(&name).and_then(Value::as_array_mut) else { continue };
        let mut place = stays.iter();
        items.retain(|_| place.next().copied().unwrap_or_default());
        if items.iter().all(Value::is_null) {
            meta.shift_remove(&name);
        }
    }
}

fn is_same_profile(a: &Value, b: &Value) -> bool {
    a == b
}

fn is_same_coding(a: &Value, b: &Value) -> bool {
    a["system"] == b["system"] && a["code"] == b["code"]
}

/// True where the two differ in nothing but `id`, `meta.versionId` and `meta.lastUpdated`: an
/// update that changes nothing makes no version. The order of properties does not matter, the
/// order of items and the digits of numbers do.
pub fn is_same_content(a: &Value, b: &Value) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return false };
    let content = |object: &Map<String, Value>| {
        object.keys().filter(|name| *name != "meta" && *name != "id").count()
    };
    let is_same = |(name, value): (&String, &Value)| {
        name == "id" || name == "meta" || b.get(name) == Some(value)
    };
    content(a) == content(b) && a.iter().all(is_same) && is_same_meta(a.get("meta"), b.get("meta"))
}

fn is_same_meta(a: Option<&Value>, b: Option<&Value>) -> bool {
    let kept = |meta: Option<&Value>| -> Map<String, Value> {
        let object = meta.and_then(Value::as_object).cloned().unwrap_or_default();
        object.into_iter().filter(|(name, _)| !is_server_set(name)).collect()
    };
    kept(a) == kept(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(value: Value) -> Resource {
        Resource::from_value(value).unwrap()
    }

    #[test]
    fn the_clients_version_id_and_last_updated_are_ignored() {
        let sent = json!({"resourceType": "Patient", "active": true, "id": "x",
            "meta": {"lastUpdated": "1999-01-01T00:00:00Z", "versionId": "77", "source": "#a"}});
        let at = DateTime::from_timestamp(0, 0).unwrap();
        let mut stamped = b"what was there".to_vec();
        stamped_json(&mut stamped, &resource(sent), &Id::parse("1").unwrap(), (2, at));
        let text = String::from_utf8(stamped).unwrap();
        assert_eq!(
            text,
            r##"{"resourceType":"Patient","id":"1","meta":{"versionId":"2","lastUpdated":"1970-01-01T00:00:00.000Z","source":"#a"},"active":true}"##
        );
    }

    #[test]
    fn tags_and_labels_of_the_version_before_stay() {
        let before = json!({"meta": {"tag": [{"system": "s", "code": "a"}, {"code": "b"}],
            "profile": ["http://p"]}});
        let mut after = resource(json!({"resourceType": "Patient",
            "meta": {"tag": [{"system": "s", "code": "a", "display": "A"}]}}));
        carry_over(&mut after, &before);
        assert_eq!(
            after.value()["meta"],
            json!({"tag": [{"system": "s", "code": "a", "display": "A"}, {"code": "b"}]})
        );
    }

    #[test]
    fn content_is_the_same_where_only_server_set_metadata_differs() {
        let a: Value = serde_json::from_str(
            r#"{"resourceType":"Patient","id":"1","meta":{"versionId":"1"},"x":{"v":1.10}}"#,
        )
        .unwrap();
        let mut b: Value =
            serde_json::from_str(r#"{"x":{"v":1.10},"resourceType":"Patient"}"#).unwrap();
        assert!(is_same_content(&a, &b));
        b["x"] = serde_json::from_str(r#"{"v":1.1}"#).unwrap();
        assert!(!is_same_content(&a, &b));
        b["x"] = a["x"].clone();
        b["meta"] = json!({"tag": [{"code": "t"}]});
        assert!(!is_same_content(&a, &b));
    }
}
