//! A small FHIR client.

use super::strangers::Strangers;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::sync::Arc;

pub const FHIR_JSON: &str = "application/fhir+json";

/// Talks to one FHIR base.
#[derive(Clone)]
pub struct FhirClient {
    base: String,
    http: reqwest::Client,
    authorization: Option<String>,
    strangers: Option<Arc<Strangers>>,
}

/// A request that is being put together.
pub struct Request {
    builder: reqwest::RequestBuilder,
    strangers: Option<Arc<Strangers>>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
    /// Null where the answer is not JSON.
    pub body: Value,
}

impl FhirClient {
    pub fn new(base: &str) -> FhirClient {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        FhirClient { base: base.to_owned(), http, authorization: None, strangers: None }
    }

    /// The same, with this `Authorization` on every request.
    pub fn with_authorization(&self, authorization: String) -> FhirClient {
        FhirClient { authorization: Some(authorization), ..self.clone() }
    }

    /// The same, where strangers send each request first.
    pub fn with_strangers(&self, strangers: Option<Arc<Strangers>>) -> FhirClient {
        FhirClient { strangers, ..self.clone() }
    }

    /// The FHIR base, without a trailing slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `path` is relative to the base, or an absolute URL such as a link.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let url = match path {
            "" => self.base.clone(),
            _ if path.starts_with("http://") => path.to_owned(),
            _ => format!("{}/{}", self.base, path.trim_start_matches('/')),
        };
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut builder = self.http.request(method, url);
        if let Some(authorization) = &self.authorization {
            builder = builder.header("Authorization", authorization);
        }
        Request { builder, strangers: self.strangers.clone() }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.request("GET", path).send().await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.request("DELETE", path).send().await
    }

    pub async fn post(&self, path: &str, resource: &Value) -> Reply {
        self.request("POST", path).json(resource).send().await
    }

    pub async fn put(&self, path: &str, resource: &Value) -> Reply {
        self.request("PUT", path).json(resource).send().await
    }

    /// JSON Patch.
    pub async fn patch(&self, path: &str, operations: &Value) -> Reply {
        let request = self.request("PATCH", path);
        request.body("application/json-patch+json", operations.to_string()).send().await
    }

    /// A path of the server outside of the FHIR base, such as `/livez`.
    pub async fn get_beside(&self, path: &str) -> Reply {
        let server = self.base.strip_suffix("/fhir").unwrap_or(&self.base);
        self.request("GET", &format!("{server}{path}")).send().await
    }
}

impl Request {
    pub fn header(self, name: &str, value: &str) -> Request {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        Request { builder: self.builder.header(name, value), ..self }
    }

    /// A body of FHIR JSON.
    pub fn json(self, resource: &Value) -> Request {
        self.body(FHIR_JSON, resource.to_string())
    }

    pub fn body(self, content_type: &str, body: impl Into<reqwest::Body>) -> Request {
        let builder = self.builder.header(CONTENT_TYPE, content_type).body(body);
        Request { builder, ..self }
    }

    /// Panics where the server does not answer at all.
    pub async fn send(self) -> Reply {
        self.try_send().await.unwrap()
    }

    pub async fn try_send(self) -> reqwest::Result<Reply> {
        if let Some(strangers) = &self.strangers {
            strangers.try_out(&self.builder).await;
        }
        let response = self.builder.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?.to_vec();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Reply { status, headers, bytes, body })
    }
}

impl Reply {
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of a header, or "" where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    /// `id` of the resource in the body.
    pub fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {self:?}"))
    }

    /// Ids of the resources of a Bundle whose entries are of this `search.mode`, in their order.
    pub fn ids(&self, mode: &str) -> Vec<&str> {
        let entries = self.body["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of_mode = entries.iter().filter(|entry| entry["search"]["mode"] == mode);
        of_mode.map(|entry| entry["resource"]["id"].as_str().unwrap()).collect()
    }

    /// The same in the order of the ids, as one text.
    pub fn sorted_ids(&self, mode: &str) -> String {
        let mut ids = self.ids(mode);
        ids.sort_unstable();
        ids.join(" ")
    }

    /// The URL of a link of a Bundle.
    pub fn link(&self, relation: &str) -> Option<&str> {
        let links = self.body["link"].as_array()?;
        links.iter().find(|link| link["relation"] == relation)?["url"].as_str()
    }

    /// The same reply, after a check of its status that shows the body where it fails.
    #[track_caller]
    pub fn expect(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self
    }
}
