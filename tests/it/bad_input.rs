//! Input that no client should send gets a clear 4xx, stores nothing, and breaks nothing:
//! <https://hl7.org/fhir/R4/http.html#Status-Codes>, <https://hl7.org/fhir/R4/security.html>.

use super::harness::{Reply, TestServer, observation, patient, send_raw};
use serde_json::{Value, json};

const JSON: &str = "application/fhir+json";
const XML: &str = "application/fhir+xml";

async fn post(server: &TestServer, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
    server.request("POST", "Patient").body(content_type, body.into()).send().await
}

/// A 4xx with an outcome, and nothing stored.
async fn is_refused(server: &TestServer, reply: Reply, what: &str) {
    assert!((400..500).contains(&reply.status()), "{what}: {reply:?}");
    let is_outcome = reply.body["resourceType"] == "OperationOutcome" || reply.is_xml_outcome();
    assert!(is_outcome, "{what}: {reply:?}");
    assert_eq!(server.count("Patient").await, 0, "{what}");
}

#[tokio::test]
async fn truncated_json_and_xml_are_refused_wherever_they_end() {
    let server = TestServer::start().await;
    let json = Value::from(patient().mrn("1")).to_string();
    for end in 1..json.len() {
        let reply = post(&server, JSON, &json.as_bytes()[..end]).await;
        assert_eq!(reply.status(), 400, "{}", &json[..end]);
    }
    let xml = "<?xml version=\"1.0\"?><Patient xmlns=\"http://hl7.org/fhir\"><active \
               value=\"true\"/><name><family value=\"a&amp;b\"/></name></Patient>";
    for end in 1..xml.len() {
        let reply = post(&server, XML, &xml.as_bytes()[..end]).await;
        assert_eq!(reply.status(), 400, "{}", &xml[..end]);
    }
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn rt_148_deep_nesting_is_refused() {
    let server = TestServer::start().await;
    for depth in [65, 1_000, 100_000, 1_000_000] {
        let arrays = "[".repeat(depth);
        is_refused(&server, post(&server, JSON, arrays).await, "arrays").await;
        let objects = "{\"a\":".repeat(depth);
        is_refused(&server, post(&server, JSON, objects).await, "objects").await;
        let elements = "<a>".repeat(depth);
        is_refused(&server, post(&server, XML, elements).await, "elements").await;
    }
    let closed = format!(
        "{{\"resourceType\":\"Patient\",\"extension\":{}{}}}",
        "[{\"url\":\"a\",\"extension\":".repeat(200),
        "[]".to_owned() + &"}]".repeat(200)
    );
    is_refused(&server, post(&server, JSON, closed).await, "extensions").await;
}

#[tokio::test]
async fn a_body_larger_than_the_limit_is_413() {
    let server = TestServer::start().await;
    let name = "x".repeat(11 << 20);
    let body = format!("{{\"resourceType\":\"Patient\",\"name\":[{{\"family\":\"{name}\"}}]}}");
    // The server may answer and close before the whole body is sent.
    let request = server.request("POST", "Patient").body(JSON, body);
    match request.try_send().await {
        Ok(reply) => is_refused(&server, reply.expect_outcome(413, "too-long"), "huge").await,
        Err(error) => assert!(error.is_request() || error.is_body(), "{error:?}"),
    }
    let length = format!("content-length: {}", 1u64 << 40);
    let lines = ["content-type: application/fhir+json", length.as_str()];
    let reply = send_raw(server.base(), ("POST", "/fhir/Patient"), &lines, b"{").await;
    assert_eq!(reply.status, 413, "{}", reply.body);
    assert!(reply.body.contains("OperationOutcome"), "{}", reply.body);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_bounded_too() {
    let server = TestServer::start().await;
    let mut body = Vec::new();
    for _ in 0..12 {
        body.extend_from_slice(b"100000\r\n");
        body.extend_from_slice(&vec![b' '; 1 << 20]);
        body.extend_from_slice(b"\r\n");
    }
    let lines = ["content-type: application/fhir+json", "transfer-encoding: chunked"];
    let reply = send_raw(server.base(), ("POST", "/fhir/Patient"), &lines, &body).await;
    assert!(matches!(reply.status, 413 | 0), "{} {}", reply.status, reply.body);
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn bytes_that_are_not_utf8_are_400() {
    let server = TestServer::start().await;
    for bad in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe9"] {
        let json = [&b"{\"resourceType\":\"Patient\",\"name\":[{\"family\":\""[..], bad, b"\"}]}"];
        is_refused(&server, post(&server, JSON, json.concat()).await, "json").await;
        let xml = [
            &b"<Patient xmlns=\"http://hl7.org/fhir\"><name><family value=\""[..],
            bad,
            b"\"/></name></Patient>",
        ];
        is_refused(&server, post(&server, XML, xml.concat()).await, "xml").await;
    }
    let utf16: Vec<u8> =
        Value::from(patient()).to_string().encode_utf16().flat_map(u16::to_le_bytes).collect();
    is_refused(&server, post(&server, JSON, utf16).await, "utf-16").await;
}

#[tokio::test]
async fn rt_148_nul_and_lone_surrogates_are_400() {
    let server = TestServer::start().await;
    for bad in ["\\u0000", "\0", "\\ud800", "\\udc00x", "\\ud800\\ud800", "\u{1}"] {
        let family =
            format!("{{\"resourceType\":\"Patient\",\"name\":[{{\"family\":\"{bad}\"}}]}}");
        is_refused(&server, post(&server, JSON, family).await, bad).await;
    }
    for bad in ["&#0;", "&#x0;", "\0", "&#xD800;", "&#x1F;", "&#1114112;", "&#;", "&#x;"] {
        let name = format!("<name><family value=\"{bad}\"/></name>");
        let xml = format!("<Patient xmlns=\"http://hl7.org/fhir\">{name}</Patient>");
        is_refused(&server, post(&server, XML, xml).await, bad).await;
    }
}

#[tokio::test]
async fn rt_150_dtds_entities_and_processing_instructions_are_refused() {
    let server = TestServer::start().await;
    let patient = "<Patient xmlns=\"http://hl7.org/fhir\"><active value=\"true\"/></Patient>";
    for prolog in [
        "<!DOCTYPE Patient>",
        "<!DOCTYPE p [<!ENTITY a \"x\">]>",
        "<!DOCTYPE p SYSTEM \"file:///etc/passwd\">",
        "<!DOCTYPE p [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>",
        "<?xml-stylesheet href=\"x\"?>",
        "<?xml version=\"1.1\"?>",
        "<?xml version=\"1.0\" encoding=\"utf-16\"?>",
    ] {
        let reply = post(&server, XML, format!("{prolog}{patient}")).await;
        is_refused(&server, reply, prolog).await;
    }
    let entity = "<Patient xmlns=\"http://hl7.org/fhir\"><name><family value=\"&a;\"/></name>\
                  </Patient>";
    is_refused(&server, post(&server, XML, entity).await, "entity").await;
}

#[tokio::test]
async fn xml_that_is_not_fhir_is_refused() {
    let server = TestServer::start().await;
    for body in [
        "<Patient/>",
        "<Patient xmlns=\"http://other.example\"/>",
        "<Patient xmlns=\"http://hl7.org/fhir\">text</Patient>",
        "<Patient xmlns=\"http://hl7.org/fhir\" active=\"true\"/>",
        "<Patient xmlns=\"http://hl7.org/fhir\"><active>true</active></Patient>",
        "<Patient xmlns=\"http://hl7.org/fhir\"><active value=\"true\"/><active value=\"true\"/>\
         </Patient>",
        "<Patient xmlns=\"http://hl7.org/fhir\"><x:active xmlns:x=\"u\" value=\"true\"/></Patient>",
        "<Patient xmlns=\"http://hl7.org/fhir\"><hobby value=\"x\"/></Patient>",
        "<Patient xmlns=\"http://hl7.org/fhir\"/><Patient xmlns=\"http://hl7.org/fhir\"/>",
        "<![CDATA[x]]>",
        "",
        " ",
        "{}",
    ] {
        is_refused(&server, post(&server, XML, body).await, body).await;
    }
    let order = "<Patient xmlns=\"http://hl7.org/fhir\"><gender value=\"male\"/>\
                 <active value=\"true\"/></Patient>";
    is_refused(&server, post(&server, XML, order).await, "elements out of order").await;
}

#[tokio::test]
async fn absurd_dates_are_refused() {
    let server = TestServer::start().await;
    for date in [
        "0000",
        "0000-01-01",
        "2025-13",
        "2025-00",
        "2025-02-30",
        "2023-02-29",
        "99999-01-01",
        "-2025",
        "2025-1-1",
        "2025-01-01T00:00:00Z",
        "20250101",
        " 2025",
        "2025-01-",
        "",
    ] {
        let reply = server.create(patient().with("birthDate", date)).await;
        assert_eq!(reply.status(), 400, "'{date}': {reply:?}");
        assert_eq!(reply.expressions(), ["Patient.birthDate"], "'{date}'");
    }
    for time in [
        "2025-01-01T00:00:00",
        "2025-01-01T24:00:00Z",
        "2025-01-01T10:00Z",
        "2025-01-01T10:00:00+15:00",
        "2025-01-01T10:61:00Z",
        "2025-01-01 10:00:00Z",
        "2025-01-01T10:00:00.Z",
        "2025-01-01T10",
    ] {
        let resource = observation().with("effectiveDateTime", time);
        let reply = server.create(resource).await;
        assert_eq!(reply.status(), 400, "'{time}': {reply:?}");
    }
    assert_eq!(server.count("Observation").await, 0);
}

#[tokio::test]
async fn dates_at_the_edges_are_stored_and_found() {
    let server = TestServer::start().await;
    for (id, date) in [("a", "0001-01-01"), ("b", "9999-12-31"), ("c", "2024-02-29"), ("d", "0001")]
    {
        server.update(patient().id(id).with("birthDate", date)).await.expect(201);
        let found = server.get(&format!("Patient?birthdate={date}&_id={id}")).await.expect(200);
        assert_eq!(found.body["entry"].as_array().map_or(0, Vec::len), 1, "{date}");
    }
    for time in ["9999-12-31T23:59:59.999999999-14:00", "0001-01-01T00:00:00+14:00"] {
        let reply = server.create(observation().with("effectiveDateTime", time)).await;
        reply.expect(201);
    }
    let leap = observation().with("effectiveDateTime", "2016-12-31T23:59:60Z");
    let reply = server.create(leap).await;
    assert!(matches!(reply.status(), 201 | 400), "{reply:?}");
}

#[tokio::test]
async fn absurd_decimals_are_stored_exactly_or_refused() {
    let server = TestServer::start().await;
    let digits = "9".repeat(5_000);
    for number in [
        "1e400",
        "1e-400",
        "1e401",
        "1e999999999",
        "-1e999999999",
        "1e99999999999999999999",
        "0e999999999",
        digits.as_str(),
        "0.00000000000000000000000000000000000001",
        "123456789012345678901234567890.123456789",
    ] {
        let body = format!(
            "{{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{{\"text\":\"x\"}},\
             \"valueQuantity\":{{\"value\":{number}}}}}"
        );
        let reply = server.request("POST", "Observation").body(JSON, body).send().await;
        match reply.status() {
            201 => assert!(reply.text().contains(&format!("\"value\":{number}}}")), "{number}"),
            status => assert_eq!(status, 400, "{number}: {reply:?}"),
        }
        let path = format!("Observation?value-quantity={number}");
        let reply = server.get(&path).await;
        assert!(matches!(reply.status(), 200 | 400), "{number}: {reply:?}");
    }
    for number in ["NaN", "Infinity", "01", "1.", ".1", "+1", "0x1", "1e", "--1", "1_0"] {
        let body = format!(
            "{{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{{\"text\":\"x\"}},\
             \"valueQuantity\":{{\"value\":{number}}}}}"
        );
        let reply = server.request("POST", "Observation").body(JSON, body).send().await;
        assert_eq!(reply.status(), 400, "{number}: {reply:?}");
    }
}

#[tokio::test]
async fn rt_154_too_many_or_values_are_refused_however_they_come() {
    let server = TestServer::start().await;
    let values = vec!["a"; 3_000].join(",");
    let reply = server.get(&format!("Patient?name={values}")).await;
    reply.expect_outcome(400, "too-costly");
    let long = vec!["a"; 20_000].join(",");
    let reply = server.get(&format!("Patient?name={long}")).await;
    reply.expect_outcome(414, "too-long");
    let form = "application/x-www-form-urlencoded";
    let post = |body: String| server.request("POST", "Patient/_search").body(form, body).send();
    post(format!("name={values}")).await.expect_outcome(400, "too-costly");
    let millions = format!("name={}", "a,".repeat(2_000_000));
    post(millions).await.expect_outcome(413, "too-long");
    let parameters = "name=a&".repeat(1_000);
    post(parameters).await.expect_outcome(400, "too-costly");
}

#[tokio::test]
async fn rt_154_huge_heads_are_refused() {
    let server = TestServer::start().await;
    let long = format!("/fhir/Patient/{}", "a".repeat(9_000));
    let reply = send_raw(server.base(), ("GET", &long), &[], b"").await;
    assert_eq!(reply.status, 414, "{}", reply.body);
    let line = format!("x-long: {}", "a".repeat(20_000));
    let reply = send_raw(server.base(), ("GET", "/fhir/metadata"), &[&line], b"").await;
    assert_eq!(reply.status, 431, "{}", reply.body);
    let lines: Vec<String> = (0..150).map(|n| format!("x-{n}: a")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let reply = send_raw(server.base(), ("GET", "/fhir/metadata"), &lines, b"").await;
    assert_eq!(reply.status, 431, "{}", reply.body);
}

#[tokio::test]
async fn rt_148_arrays_strings_and_nodes_are_bounded() {
    let server = TestServer::start().await;
    let many = format!("[{}]", vec!["{\"text\":\"a\"}"; 60_000].join(","));
    let body = format!("{{\"resourceType\":\"Patient\",\"name\":{many}}}");
    is_refused(&server, post(&server, JSON, body).await, "array").await;
    let long = "x".repeat(5 << 20);
    let body = format!("{{\"resourceType\":\"Patient\",\"name\":[{{\"text\":\"{long}\"}}]}}");
    is_refused(&server, post(&server, JSON, body).await, "string").await;
    let names = vec![format!("{{\"given\":[{}]}}", vec!["\"a\""; 40_000].join(",")); 15];
    let body = format!("{{\"resourceType\":\"Patient\",\"name\":[{}]}}", names.join(","));
    is_refused(&server, post(&server, JSON, body).await, "nodes").await;
}

#[tokio::test]
async fn rt_151_narratives_that_could_run_are_refused() {
    let server = TestServer::start().await;
    for inner in [
        "<script>x</script>",
        "<p onclick=\"x()\">a</p>",
        "<a href=\"javascript:x()\">a</a>",
        "<img src=\"http://evil.example/x.png\"/>",
        "<iframe/>",
        "<object/>",
        "<p>unclosed",
        "&nosuch;",
        "",
    ] {
        let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>");
        let text = json!({"status": "generated", "div": div});
        let reply = server.create(patient().with("text", text)).await;
        if inner.starts_with("<img") {
            assert!(matches!(reply.status(), 201 | 400), "{reply:?}");
            continue;
        }
        assert_eq!(reply.status(), 400, "{inner}: {reply:?}");
    }
}

#[tokio::test]
async fn headers_that_are_no_text_are_refused() {
    let server = TestServer::start().await;
    for line in ["if-match: \u{e9}", "prefer: \u{e9}", "x-provenance: \u{e9}", "content-type: é/é"]
    {
        let body = Value::from(patient().id("a")).to_string();
        let length = format!("content-length: {}", body.len());
        let kind = "content-type: application/fhir+json";
        let lines = match line.starts_with("content-type") {
            true => vec![line, length.as_str()],
            false => vec![kind, line, length.as_str()],
        };
        let reply =
            send_raw(server.base(), ("PUT", "/fhir/Patient/a"), &lines, body.as_bytes()).await;
        assert!((400..500).contains(&reply.status), "{line}: {} {}", reply.status, reply.body);
        assert!(reply.body.contains("OperationOutcome"), "{line}: {}", reply.body);
    }
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn wrong_types_in_a_bundle_entry_are_refused_and_nothing_is_stored() {
    let server = TestServer::start().await;
    let good = json!({"resource": Value::from(patient()),
        "request": {"method": "POST", "url": "Patient"}});
    for bad in [
        json!(1),
        json!(null),
        json!([]),
        json!({"resource": 1, "request": {"method": "POST", "url": "Patient"}}),
        json!({"resource": {"resourceType": "Nonsense"},
            "request": {"method": "POST", "url": "Nonsense"}}),
        json!({"resource": {}, "request": {"method": "POST", "url": "Patient"}}),
        json!({"request": {"method": "POST", "url": "Patient"}}),
        json!({"resource": Value::from(patient())}),
        json!({"resource": Value::from(patient()),
            "request": {"method": "BREW", "url": "Patient"}}),
        json!({"resource": Value::from(patient()), "request": {"method": "POST", "url": 1}}),
        json!({"resource": Value::from(patient()), "request": {"method": "POST", "url": "../x"}}),
        json!({"request": {"method": "GET", "url": "Patient/%"}}),
        json!({"request": {"method": "DELETE", "url": "Patient"}}),
    ] {
        let bundle = json!({"resourceType": "Bundle", "type": "transaction",
            "entry": [good.clone(), bad.clone()]});
        let reply = server.post("", &bundle).await;
        is_refused(&server, reply, &bad.to_string()).await;
    }
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": {}});
    is_refused(&server, server.post("", &bundle).await, "entry").await;
}

#[tokio::test]
async fn search_values_that_make_no_sense_are_400() {
    let server = TestServer::start().await;
    for query in [
        "birthdate=nonsense",
        "birthdate=ge",
        "birthdate=2025-99",
        "birthdate=99999999999",
        "_lastUpdated=x",
        "_count=-1",
        "_count=x",
        "_count=99999999999999999999",
        "_sort=nonsense",
        "name:nonsense=a",
        "identifier=a|b|c",
        "_id:exact:exact=a",
        "organization=Patient/1/2/3/4",
        "gender:missing=perhaps",
    ] {
        let reply = server.get(&format!("Patient?{query}")).await;
        let is_known = matches!(reply.status(), 400)
            || query.starts_with("organization")
            || query.starts_with("identifier");
        assert!(is_known && reply.status() < 500, "{query}: {reply:?}");
    }
    for query in ["value-quantity=abc", "value-quantity=1|2|3|4", "date=eq", "code=||"] {
        let reply = server.get(&format!("Observation?{query}")).await;
        assert!(matches!(reply.status(), 200 | 400), "{query}: {reply:?}");
    }
}

#[tokio::test]
async fn sql_in_values_is_only_text() {
    let server = TestServer::start().await;
    server.update(patient().id("a").family("O'Brien; drop table resource; --")).await.expect(201);
    for value in ["O'Brien", "'; drop table resource; --", "%25", "_", "\\", "*", "$1", "a%00"] {
        let reply = server.get(&format!("Patient?family={value}")).await;
        assert!(matches!(reply.status(), 200 | 400), "{value}: {reply:?}");
    }
    let found = server.get("Patient?family=O'Brien; drop").await.expect(200);
    assert_eq!(found.body["entry"].as_array().map_or(0, Vec::len), 1);
    let found = server.get("Patient?family=%25&_summary=count").await.expect(200);
    assert_eq!(found.body["total"], 0, "a wildcard of SQL is none of FHIR");
    let found = server.get("Patient?family=_&_summary=count").await.expect(200);
    assert_eq!(found.body["total"], 0);
}
