use super::*;
use crate::access::{Always, Asker, Caller};
use crate::error::{FhirError, Result};
use crate::fhir::interaction::{Interaction, Request, Returning};
use crate::fhir::resource::{Id, ResourceKey};
use crate::interactions::{Content, Outcome, ResourceVersion};
use axum::body::Body;
use axum::http::{self, Response};
use base64::Engine;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::sync::Mutex;
use std::time::Duration;
use tower::ServiceExt;

/// Answers by the id that is asked for, and keeps the last request.
#[derive(Default)]
struct Scripted {
    last: Mutex<Option<Request>>,
    refused: Mutex<Vec<String>>,
}

impl Scripted {
    fn answer(&self, request: &Request) -> Result<Outcome> {
        match &request.interaction {
            Interaction::Read { key, unless } => read(key, unless),
            Interaction::Create { resource, .. } => {
                let key = ResourceKey::new(resource.resource_type(), Id::parse("new").unwrap());
                let version = Some(version(key, 1));
                let content = Content::Value(resource.value().clone());
                Ok(Outcome { status: 201, version, is_created: true, ..Outcome::ok(content) })
            }
            Interaction::Update { key, resource, .. } => {
                let content = Content::Value(resource.value().clone());
                Ok(Outcome { version: Some(version(key.clone(), 2)), ..Outcome::ok(content) })
            }
            Interaction::Delete { key, .. } => {
                let version = Some(version(key.clone(), 3));
                Ok(Outcome { status: 204, version, ..Outcome::ok(Content::None) })
            }
            _ => {
                let value = json!({"resourceType": "Bundle", "type": "searchset"});
                Ok(Outcome::ok(Content::Value(value)))
            }
        }
    }
}

fn read(key: &ResourceKey, unless: &crate::fhir::interaction::Unless) -> Result<Outcome> {
    let found = version(key.clone(), 7);
    if unless.is_known(found.version, found.last_updated) {
        let outcome = Outcome::ok(Content::None);
        return Ok(Outcome { status: 304, version: Some(found), ..outcome });
    }
    let json = match (key.resource_type.name(), key.id.as_str()) {
        (_, "gone") => return Err(FhirError::gone(key, 4)),
        (_, "absent") => return Err(FhirError::not_found(key)),
        (_, "busy") => return Err(FhirError::unavailable("The database is away")),
        (_, "bug") => return Err(FhirError::internal("a secret")),
        (_, "panic") => panic!("a secret"),
        ("Binary", id) => {
            let data = base64::engine::general_purpose::STANDARD.encode(vec![b'a'; 4_000]);
            json!({"resourceType": "Binary", "id": id, "contentType": "text/plain", "data": data})
        }
        (kind, id) if id.starts_with("large") => {
            json!({"resourceType": kind, "id": id, "language": "a".repeat(4_000)})
        }
        (kind, id) => json!({"resourceType": kind, "id": id, "active": true}),
    };
    let content = Content::Json(json.to_string().into());
    Ok(Outcome { version: Some(found), ..Outcome::ok(content) })
}

fn version(key: ResourceKey, version: i64) -> ResourceVersion {
    let last_updated: DateTime<Utc> = "2024-02-29T12:00:00.250Z".parse().unwrap();
    ResourceVersion { key, version, last_updated }
}

impl Perform for Scripted {
    fn perform<'a>(&'a self, _: &'a Asker, request: Request) -> BoxFuture<'a, Result<Outcome>> {
        async move {
            let answer = self.answer(&request);
            *self.last.lock().unwrap() = Some(request);
            answer
        }
        .boxed()
    }

    fn refused<'a>(
        &'a self,
        _: &'a Asker,
        request: (&'a str, &'a str),
        error: &'a FhirError,
    ) -> BoxFuture<'a, Result<()>> {
        let (method, path) = request;
        let refused = format!("{} {method} {path}", error.kind.status());
        self.refused.lock().unwrap().push(refused);
        async { Ok(()) }.boxed()
    }

    fn is_ready(&self) -> BoxFuture<'_, bool> {
        async { true }.boxed()
    }
}

pub(super) struct Server {
    scripted: Arc<Scripted>,
    pub(super) app: Arc<App>,
}

impl Server {
    /// What was written down as refused: status, method and path.
    fn refused(&self) -> Vec<String> {
        self.scripted.refused.lock().unwrap().clone()
    }

    fn new() -> Self {
        Server::with(|_, _| {})
    }

    pub(super) fn with(set: impl FnOnce(&mut Settings, &mut HttpSettings)) -> Self {
        let scripted = Arc::new(Scripted::default());
        let (mut settings, mut http) = (Settings::default(), HttpSettings::default());
        set(&mut settings, &mut http);
        let authenticate = Arc::new(Always(Caller::InsecureNoAuth));
        let sign_in = SignIn { authenticate, oauth: None };
        let app = App::new(scripted.clone(), settings, http, sign_in);
        Server { scripted, app }
    }

    async fn ask(&self, request: http::Request<Body>) -> Reply {
        let response = router(self.app.clone()).oneshot(request).await.unwrap();
        Reply::of(response).await
    }

    async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Reply {
        self.send("GET", url, (headers, "")).await
    }

    async fn send(
        &self,
        method: &str,
        url: &str,
        rest: (&[(&str, &str)], impl Into<Body>),
    ) -> Reply {
        let mut request = http::Request::builder().method(method).uri(format!("/fhir{url}"));
        for (name, value) in rest.0 {
            request = request.header(*name, *value);
        }
        self.ask(request.body(rest.1.into()).unwrap()).await
    }

    fn last(&self) -> Request {
        self.scripted.last.lock().unwrap().clone().expect("a request came through")
    }
}

struct Reply {
    status: u16,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Reply {
    async fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

const JSON: (&str, &str) = ("content-type", "application/fhir+json");
const PATIENT: &str = r#"{"resourceType":"Patient","id":"1"}"#;

#[tokio::test]
async fn a_read_has_the_headers_of_its_version() {
    let reply = Server::new().get("/Patient/1", &[]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("etag"), "W/\"7\"");
    assert_eq!(reply.header("last-modified"), "Thu, 29 Feb 2024 12:00:00 GMT");
    assert_eq!(reply.header("content-type"), "application/fhir+json; charset=utf-8");
    let place = "http://127.0.0.1:8080/fhir/Patient/1/_history/7";
    assert_eq!(reply.header("content-location"), place);
    assert_eq!(reply.header("location"), "");
    assert_eq!(reply.header("cache-control"), "private, no-store");
    assert_eq!(reply.header("vary"), "Accept, Accept-Encoding, Authorization, Origin, Prefer");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(reply.body, r#"{"resourceType":"Patient","id":"1","active":true}"#);
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let server = Server::new();
    let get = server.get("/Patient/1", &[]).await;
    let head = server.send("HEAD", "/Patient/1", (&[], "")).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), get.body.len().to_string());
    assert_eq!(head.header("etag"), get.header("etag"));
    assert_eq!(server.send("HEAD", "/Patient/absent", (&[], "")).await.body.len(), 0);
}

#[tokio::test]
async fn a_known_version_answers_304_without_a_body() {
    let server = Server::new();
    for condition in
        [("if-none-match", "W/\"7\""), ("if-modified-since", "Thu, 29 Feb 2024 12:00:00 GMT")]
    {
        let reply = server.get("/Patient/1", &[condition]).await;
        assert_eq!((reply.status, reply.body.len()), (304, 0), "{condition:?}");
        assert_eq!(reply.header("etag"), "W/\"7\"");
        assert_eq!(reply.header("content-type"), "");
    }
    assert_eq!(server.get("/Patient/1", &[("if-none-match", "W/\"6\"")]).await.status, 200);
}

#[tokio::test]
async fn the_format_is_negotiated_both_ways() {
    let server = Server::new();
    let xml = server.get("/Patient/1", &[("accept", "application/fhir+xml")]).await;
    assert_eq!(xml.header("content-type"), "application/fhir+xml; charset=utf-8");
    assert!(xml.body.ends_with(b"<active value=\"true\"/></Patient>"), "{:?}", xml.body);
    let pretty =
        server.get("/Patient/1?_format=json&_pretty=true", &[("accept", "text/xml")]).await;
    assert!(pretty.body.starts_with(b"{\n  \"resourceType\""), "{:?}", pretty.body);
    let sent = "<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"1\"/></Patient>";
    let headers = [("content-type", "application/fhir+xml"), ("accept", "application/fhir+json")];
    let reply = server.send("PUT", "/Patient/1", (&headers, sent)).await;
    assert_eq!(reply.json(), json!({"resourceType": "Patient", "id": "1"}));
    let refused = server.get("/Patient/1", &[("accept", "image/png")]).await;
    assert_eq!(refused.status, 406);
    assert_eq!(refused.json()["resourceType"], "OperationOutcome");
}

#[tokio::test]
async fn a_write_is_not_done_where_its_answer_would_not_be_acceptable() {
    let server = Server::new();
    let headers = [JSON, ("accept", "text/turtle")];
    assert_eq!(server.send("POST", "/Patient", (&headers, PATIENT)).await.status, 406);
    assert!(server.scripted.last.lock().unwrap().is_none());
}

#[tokio::test]
async fn bodies_are_refused_by_type_and_content() {
    let server = Server::new();
    for (content_type, body, status) in [
        ("text/plain", PATIENT, 415),
        ("application/fhir+json; charset=iso-8859-1", PATIENT, 415),
        ("application/fhir+json; fhirVersion=3.0", PATIENT, 415),
        ("application/json-patch+json", "[]", 415),
        ("application/x-www-form-urlencoded", "a=b", 415),
        ("application/fhir+json", "{", 400),
        ("application/fhir+json", "{\"resourceType\":\"Nope\"}", 400),
        ("application/fhir+json", "\u{feff}{}", 400),
        ("application/fhir+xml", "<!DOCTYPE a><Patient/>", 400),
        ("application/fhir+json", "", 400),
    ] {
        let headers = [("content-type", content_type), ("accept", "application/fhir+json")];
        let reply = server.send("POST", "/Patient", (&headers, body)).await;
        assert_eq!(reply.status, status, "{content_type} {body}");
        assert_eq!(reply.json()["resourceType"], "OperationOutcome");
    }
    assert_eq!(server.send("POST", "/Patient", (&[], PATIENT)).await.status, 415);
}

#[tokio::test]
async fn prefer_decides_the_body_of_a_write() {
    let server = Server::new();
    let create = |prefer: &'static str| {
        let server = &server;
        async move {
            let headers = [JSON, ("prefer", prefer)];
            server.send("POST", "/Patient", (&headers, PATIENT)).await
        }
    };
    let minimal = create("return=minimal").await;
    assert_eq!((minimal.status, minimal.body.len()), (201, 0));
    assert_eq!(server.last().prefer.returning, Some(Returning::Minimal));
    let place = "http://127.0.0.1:8080/fhir/Patient/new/_history/1";
    assert_eq!(minimal.header("location"), place);
    assert_eq!(minimal.header("etag"), "W/\"1\"");
    assert_eq!(create("return=representation").await.json()["resourceType"], "Patient");
    let outcome = create("return=OperationOutcome").await;
    assert_eq!(outcome.json()["issue"][0]["severity"], "information");
    assert_eq!(create("x").await.json()["resourceType"], "Patient");
    assert_eq!(create("respond-async").await.status, 400);
}

#[tokio::test]
async fn errors_carry_the_headers_of_their_status() {
    let server = Server::new();
    let gone = server.get("/Patient/gone", &[]).await;
    assert_eq!((gone.status, gone.header("etag")), (410, "W/\"4\""));
    let busy = server.get("/Patient/busy", &[]).await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, "2"));
    let method = server.send("PUT", "/metadata", (&[JSON], PATIENT)).await;
    assert_eq!((method.status, method.header("allow")), (405, "GET, HEAD, OPTIONS"));
    assert_eq!(server.send("TRACE", "/Patient/1", (&[], "")).await.status, 405);
    let absent = server.get("/Patient/absent", &[("accept", "application/fhir+xml")]).await;
    assert_eq!(absent.status, 404);
    assert!(absent.body.starts_with(b"<"), "{:?}", absent.body);
    let patch = [("content-type", "text/plain")];
    let patch = server.send("PATCH", "/Patient/1", (&patch, "x")).await;
    assert_eq!(patch.status, 415);
    assert!(patch.header("accept-patch").contains("application/json-patch+json"));
}

#[tokio::test]
async fn a_bug_answers_500_with_an_id_and_no_cause() {
    let server = Server::new();
    for id in ["bug", "panic"] {
        let headers = [("x-request-id", "my-request-1")];
        let reply = server.get(&format!("/Patient/{id}"), &headers).await;
        assert_eq!(reply.status, 500, "{id}");
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        assert!(text.contains("my-request-1") && !text.contains("secret"), "{text}");
    }
    // What an interaction has to say it says itself; a panic left it no time.
    assert_eq!(server.refused(), ["500 GET /Patient/panic"]);
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let server = Server::new();
    let id = |value: &'static str| {
        let server = &server;
        async move {
            let reply = server.get("/Patient/1", &[("x-request-id", value)]).await;
            reply.header("x-request-id").to_owned()
        }
    };
    assert_eq!(id("abcdefgh-1").await, "abcdefgh-1");
    for bad in ["short", "has space in it", ""] {
        let made = id(bad).await;
        assert!(made != bad && made.len() >= 8, "{made}");
    }
}

#[tokio::test]
async fn options_tell_what_a_path_takes() {
    let server = Server::new();
    let reply = server.send("OPTIONS", "/Patient/1", (&[], "")).await;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.header("allow"), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    assert!(reply.header("accept-patch").contains("merge-patch"));
    assert_eq!(server.send("OPTIONS", "/metadata", (&[], "")).await.header("accept-patch"), "");
    assert_eq!(server.send("OPTIONS", "/Nope", (&[], "")).await.status, 404);
}

#[tokio::test]
async fn the_base_is_where_the_setting_says() {
    let server = Server::new();
    for url in ["", "/", "?_type=Patient", "/metadata"] {
        assert_eq!(server.get(url, &[]).await.status, 200, "{url}");
    }
    let ask = |url: &str| http::Request::get(url).body(Body::empty()).unwrap();
    assert_eq!(server.ask(ask("/Patient/1")).await.status, 404);
    assert_eq!(server.ask(ask("/fhirX/Patient/1")).await.status, 404);
    for path in ["/livez", "/readyz", "/health"] {
        assert_eq!(server.ask(ask(path)).await.status, 200, "{path}");
    }
    let at_root =
        Server::with(|settings, _| settings.base_url = "https://fhir.example.org".to_owned());
    assert_eq!(at_root.ask(ask("/Patient/1")).await.status, 200);
    assert_eq!(at_root.ask(ask("/")).await.status, 200);
    at_root.app.drain();
    assert_eq!(at_root.ask(ask("/readyz")).await.status, 503);
    assert_eq!(at_root.ask(ask("/livez")).await.status, 200);
}

#[tokio::test]
async fn heads_and_bodies_are_bounded() {
    let server = Server::with(|settings, _| settings.limits.body_bytes = 2_000);
    let url = format!("/Patient?name={}", "a".repeat(9_000));
    assert_eq!(server.get(&url, &[]).await.status, 414);
    let long = "a".repeat(17_000);
    assert_eq!(server.get("/Patient/1", &[("x-long", &long)]).await.status, 431);
    let body = format!("{{\"resourceType\":\"Patient\",\"language\":\"{}\"}}", "a".repeat(2_000));
    assert_eq!(server.send("POST", "/Patient", (&[JSON], body.clone())).await.status, 413);
    let stream = Body::from_stream(futures_util::stream::iter(
        body.into_bytes()
            .chunks(100)
            .map(|c| Ok::<_, std::io::Error>(c.to_vec()))
            .collect::<Vec<_>>(),
    ));
    assert_eq!(server.send("POST", "/Patient", (&[JSON], stream)).await.status, 413);
}

#[tokio::test]
async fn compressed_bodies_are_taken_and_large_answers_compressed() {
    let server = Server::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(PATIENT.as_bytes()).unwrap();
    let headers = [JSON, ("content-encoding", "gzip")];
    let reply = server.send("POST", "/Patient", (&headers, gzip.finish().unwrap())).await;
    assert_eq!(reply.status, 201);
    let nested = [JSON, ("content-encoding", "gzip, br")];
    let nested = server.send("POST", "/Patient", (&nested, PATIENT)).await;
    assert_eq!((nested.status, nested.header("accept-encoding")), (415, "gzip, br, deflate"));

    let large = server.get("/Patient/large", &[("accept-encoding", "gzip")]).await;
    assert_eq!(large.header("content-encoding"), "gzip");
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&large.body[..]).read_to_string(&mut plain).unwrap();
    assert!(plain.contains("\"large\""));
    let brotli = server.get("/Patient/large", &[("accept-encoding", "br")]).await;
    assert_eq!(brotli.header("content-encoding"), "br");
    let small = server.get("/Patient/1", &[("accept-encoding", "gzip")]).await;
    assert_eq!(small.header("content-encoding"), "");
    let binary = server.get("/Binary/1", &[("accept-encoding", "gzip")]).await;
    assert_eq!(binary.header("content-encoding"), "");
}

#[tokio::test]
async fn a_body_without_room_is_told_to_come_again() {
    let server = Server::with(|settings, http| {
        settings.limits.admitted_bytes = 4 << 10;
        http.admission_wait = Duration::from_millis(10);
    });
    let held = server.app.admission.admit(4 << 10).await.unwrap();
    let reply = server.send("POST", "/Patient", (&[JSON], PATIENT)).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "2"));
    drop(held);
    assert_eq!(server.send("POST", "/Patient", (&[JSON], PATIENT)).await.status, 201);
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let server = Server::with(|_, http| http.body_idle_timeout = Duration::from_millis(20));
    let stalled = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
    let reply = server.send("POST", "/Patient", (&[JSON], Body::from_stream(stalled))).await;
    assert_eq!(reply.status, 408);
}

#[tokio::test]
async fn a_binary_is_read_in_its_own_form() {
    let server = Server::new();
    let native = server.get("/Binary/1", &[("accept", "*/*")]).await;
    assert_eq!((native.status, native.body.len()), (200, 4_000));
    assert_eq!(native.header("content-type"), "text/plain");
    assert_eq!(native.header("content-disposition"), "attachment; filename=\"1\"");
    assert_eq!(native.header("content-security-policy"), "sandbox; default-src 'none'");
    assert_eq!(native.header("etag"), "W/\"7\"");
    let resource = server.get("/Binary/1", &[("accept", "application/fhir+json")]).await;
    assert_eq!(resource.json()["contentType"], "text/plain");
    assert_eq!(server.get("/Binary/1", &[("accept", "image/png")]).await.status, 406);
    let absent = server.get("/Binary/absent", &[("accept", "image/png")]).await;
    assert_eq!((absent.status, &absent.json()["resourceType"]), (404, &json!("OperationOutcome")));
}

#[tokio::test]
async fn a_binary_is_written_in_its_own_form() {
    let server = Server::new();
    let headers = [("content-type", "image/png"), ("x-security-context", "Patient/1")];
    let reply = server.send("PUT", "/Binary/7", (&headers, "abc")).await;
    let expected = json!({
        "resourceType": "Binary", "id": "7", "contentType": "image/png",
        "securityContext": {"reference": "Patient/1"}, "data": "YWJj",
    });
    assert_eq!((reply.status, reply.json()), (200, expected));
    let fhir = r#"{"resourceType":"Binary","contentType":"a/b"}"#;
    for content_type in ["application/fhir+json", "application/json"] {
        let headers = [("content-type", content_type)];
        let reply = server.send("POST", "/Binary", (&headers, fhir)).await;
        assert_eq!(reply.json()["contentType"], "a/b", "{content_type}");
    }
    let plain = [("content-type", "application/json")];
    let plain = server.send("POST", "/Binary", (&plain, "{\"a\":1}")).await;
    assert_eq!(plain.json()["contentType"], "application/json");
    let broken = server.send("POST", "/Binary", (&[JSON], "{\"a\":1}")).await;
    assert_eq!(broken.status, 400);
}

#[tokio::test]
async fn keys_and_provenance_go_with_the_request() {
    let server = Server::new();
    let provenance = ("x-provenance", "{\"resourceType\":\"Provenance\"}");
    let headers = [JSON, ("idempotency-key", "key-1"), provenance];
    assert_eq!(server.send("POST", "/Patient", (&headers, PATIENT)).await.status, 201);
    assert_eq!(server.last().idempotency_key.as_deref(), Some("key-1"));
    assert!(server.last().provenance.is_some());
    assert_eq!(server.send("PUT", "/Patient/1", (&headers, PATIENT)).await.status, 200);
    assert_eq!(server.last().idempotency_key, None);
    let broken = [JSON, ("x-provenance", "{}")];
    assert_eq!(server.send("POST", "/Patient", (&broken, PATIENT)).await.status, 400);
}

#[tokio::test]
async fn a_search_may_say_in_its_form_how_the_answer_looks() {
    let server = Server::new();
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let form = "name=a+b&_format=xml";
    let reply = server.send("POST", "/Patient/_search", (&headers, form)).await;
    assert_eq!(reply.header("content-type"), "application/fhir+xml; charset=utf-8");
    let large = format!("name={}", "a".repeat(70_000));
    let reply = server.send("POST", "/Patient/_search", (&headers, large)).await;
    assert_eq!(reply.status, 413);
}

#[tokio::test]
async fn a_delete_answers_204_with_its_version() {
    let reply = Server::new().send("DELETE", "/Patient/1", (&[], "")).await;
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    assert_eq!(reply.header("etag"), "W/\"3\"");
}
