//! The resources that a search is about, as the server returned them when they were stored.

use super::super::harness::TestServer;
use serde_json::{Value, json};

pub const TYPES: [&str; 9] = [
    "Patient",
    "Practitioner",
    "Organization",
    "Encounter",
    "Observation",
    "Appointment",
    "Location",
    "RiskAssessment",
    "ValueSet",
];

/// Type and id.
pub type Key = (String, String);

#[derive(Clone)]
pub struct Resource {
    pub body: Value,
}

/// Everything that one server holds.
pub struct World {
    pub resources: Vec<Resource>,
    /// The server's base URL.
    pub base: String,
}

impl Resource {
    pub fn kind(&self) -> &str {
        self.body["resourceType"].as_str().expect("a resource names its type")
    }

    pub fn key(&self) -> Key {
        let id = self.body["id"].as_str().expect("a resource has an id");
        (self.kind().to_owned(), id.to_owned())
    }

    pub fn version(&self) -> &str {
        self.body["meta"]["versionId"].as_str().expect("a resource has a version")
    }

    pub fn path(&self) -> String {
        let (kind, id) = self.key();
        format!("{kind}/{id}")
    }
}

impl Resource {
    /// What it contains, each with the key that its container gives it. It was changed when the
    /// container was, and has the same beside it.
    pub fn contained(&self) -> Vec<(Key, Resource)> {
        let list = self.body["contained"].as_array().into_iter().flatten();
        let of = |contained: &Value| {
            let mut body = contained.clone();
            body["meta"]["lastUpdated"] = self.body["meta"]["lastUpdated"].clone();
            body["contained"] = self.body["contained"].clone();
            body["container"] = json!(self.path());
            let resource = Resource { body };
            let (kind, id) = self.key();
            ((kind, format!("{id}#{}", resource.key().1)), resource)
        };
        list.map(of).collect()
    }
}

impl Resource {
    pub fn is_contained(&self) -> bool {
        self.body["container"].is_string()
    }

    /// What References to a fragment name among what is contained.
    pub fn within(&self, references: &[Value]) -> Vec<Resource> {
        let is_named = |contained: &Resource| {
            let fragment = format!("#{}", contained.key().1);
            references.iter().any(|one| one["reference"] == fragment.as_str())
        };
        self.contained().into_iter().map(|(_, one)| one).filter(is_named).collect()
    }
}

impl World {
    pub fn find(&self, key: &Key) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.key() == *key)
    }
}

/// The resource of this server that a Reference names, whatever its version.
pub fn local_key(reference: &Value, base: &str) -> Option<Key> {
    key_of(reference["reference"].as_str()?, base)
}

pub fn key_of(text: &str, base: &str) -> Option<Key> {
    let text = text.strip_prefix(base).map_or(text, |rest| rest.trim_start_matches('/'));
    let parts: Vec<&str> = text.split('/').collect();
    let is_key = matches!(parts[..], [_, _] | [_, _, "_history", _]);
    let is_type = parts[0].starts_with(|first: char| first.is_ascii_uppercase());
    (is_key && is_type).then(|| (parts[0].to_owned(), parts[1].to_owned()))
}

/// Stores the resources by transactions, so that some of them share their `lastUpdated`.
pub async fn store(server: &TestServer, bodies: &[Value]) -> Vec<Resource> {
    let mut stored = Vec::new();
    for chunk in bodies.chunks(13) {
        let entry = |body: &Value| {
            let url = Resource { body: body.clone() }.path();
            json!({"resource": body, "request": {"method": "PUT", "url": url}})
        };
        let entries: Vec<Value> = chunk.iter().map(entry).collect();
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        let request = server.request("POST", "").header("Prefer", "return=representation");
        let reply = request.json(&bundle).send().await.expect(200);
        let entries = reply.body["entry"].as_array().expect("a transaction has entries");
        stored.extend(entries.iter().map(|entry| Resource { body: entry["resource"].clone() }));
    }
    stored
}

/// Deletes everything.
pub async fn clear(server: &TestServer, world: &World) {
    let entry =
        |resource: &Resource| json!({"request": {"method": "DELETE", "url": resource.path()}});
    let entries: Vec<Value> = world.resources.iter().map(entry).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    server.post("", &bundle).await.expect(200);
}
