//! Bundles that the server answers with: <https://hl7.org/fhir/R4/bundle.html>. Entries hold
//! stored JSON as it is; nothing is parsed to be written again.

use super::types::format_instant;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// A Bundle of type searchset, history, batch-response or transaction-response.
pub struct Bundle {
    pub kind: &'static str,
    pub last_updated: DateTime<Utc>,
    pub total: Option<i64>,
    /// Relation and URL.
    pub links: Vec<(&'static str, String)>,
    pub entries: Vec<Entry>,
}

#[derive(Default)]
pub struct Entry {
    pub full_url: Option<String>,
    /// JSON of one resource.
    pub resource: Option<Bytes>,
    /// `match`, `include` or `outcome`.
    pub search_mode: Option<&'static str>,
    /// Method and URL.
    pub request: Option<(&'static str, String)>,
    pub response: Option<Response>,
}

/// `Bundle.entry.response`.
#[derive(Default)]
pub struct Response {
    /// Code and reason, `201 Created`.
    pub status: String,
    pub location: Option<String>,
    /// Version id.
    pub etag: Option<i64>,
    pub last_modified: Option<DateTime<Utc>>,
    pub outcome: Option<Value>,
}

impl Bundle {
    /// Compact JSON in the order of the element table.
    pub fn into_json(self) -> Bytes {
        let size: usize =
            self.entries.iter().map(|e| 300 + e.resource.as_ref().map_or(0, Bytes::len)).sum();
        let mut json = Writer(Vec::with_capacity(500 + size));
        json.raw("{\"resourceType\":\"Bundle\",\"meta\":{\"lastUpdated\":");
        json.text(&format_instant(self.last_updated));
        json.raw("},\"type\":");
        json.text(self.kind);
        if let Some(total) = self.total {
            json.raw(",\"total\":");
            json.raw(&total.to_string());
        }
        if !self.links.is_empty() {
            json.raw(",\"link\":");
            json.list(self.links, |json, (relation, url)| {
                json.raw("{\"relation\":");
                json.text(relation);
                json.raw(",\"url\":");
                json.text(&url);
                json.raw("}");
            });
        }
        if !self.entries.is_empty() {
            json.raw(",\"entry\":");
            json.list(self.entries, |json, entry| entry.write(json));
        }
        json.raw("}");
        Bytes::from(json.0)
    }
}

impl Entry {
    fn write(self, json: &mut Writer) {
        json.raw("{");
        if let Some(url) = self.full_url {
            json.name("fullUrl");
            json.text(&url);
        }
        if let Some(resource) = self.resource {
            json.name("resource");
            json.0.extend_from_slice(&resource);
        }
        if let Some(mode) = self.search_mode {
            json.name("search");
            json.raw("{\"mode\":");
            json.text(mode);
            json.raw("}");
        }
        if let Some((method, url)) = self.request {
            json.name("request");
            json.raw("{\"method\":");
            json.text(method);
            json.raw(",\"url\":");
            json.text(&url);
            json.raw("}");
        }
        if let Some(response) = self.response {
            json.name("response");
            response.write(json);
        }
        json.raw("}");
    }
}

impl Response {
    fn write(self, json: &mut Writer) {
        json.raw("{\"status\":");
        json.text(&self.status);
        if let Some(location) = self.location {
            json.name("location");
            json.text(&location);
        }
        if let Some(version) = self.etag {
            json.name("etag");
            json.text(&format!("W/\"{version}\""));
        }
        if let Some(instant) = self.last_modified {
            json.name("lastModified");
            json.text(&format_instant(instant));
        }
        if let Some(outcome) = self.outcome {
            json.name("outcome");
            json.0.extend_from_slice(outcome.to_string().as_bytes());
        }
        json.raw("}");
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A JSON string.
    fn text(&mut self, text: &str) {
        self.raw(&Value::from(text).to_string());
    }

    /// A property name, after a comma where it is not the first.
    fn name(&mut self, name: &str) {
        if self.0.last() != Some(&b'{') {
            self.raw(",");
        }
        self.raw("\"");
        self.raw(name);
        self.raw("\":");
    }

    fn list<T>(&mut self, items: Vec<T>, write: impl Fn(&mut Self, T)) {
        self.raw("[");
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            write(self, item);
        }
        self.raw("]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_bundle_holds_stored_json_byte_for_byte() {
        let bundle = Bundle {
            kind: "searchset",
            last_updated: DateTime::from_timestamp(0, 0).unwrap(),
            total: Some(1),
            links: vec![("self", "http://a/\"".to_owned())],
            entries: vec![Entry {
                full_url: Some("http://a/Patient/1".to_owned()),
                resource: Some(Bytes::from_static(b"{\"resourceType\":\"Patient\",\"x\":1.10}")),
                search_mode: Some("match"),
                response: Some(Response {
                    status: "200 OK".to_owned(),
                    etag: Some(3),
                    ..Response::default()
                }),
                ..Entry::default()
            }],
        };
        let bytes = bundle.into_json();
        assert!(String::from_utf8_lossy(&bytes).contains("\"x\":1.10}"));
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["link"], json!([{"relation": "self", "url": "http://a/\""}]));
        assert_eq!(value["entry"][0]["response"], json!({"status": "200 OK", "etag": "W/\"3\""}));
        assert_eq!(value["entry"][0]["search"]["mode"], "match");
    }
}
