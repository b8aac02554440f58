//! What is stored is what was sent, in JSON and in XML:
//! <https://hl7.org/fhir/R4/json.html>, <https://hl7.org/fhir/R4/xml.html>, and references to
//! this server: <https://hl7.org/fhir/R4/references.html>.

use super::harness::{Reply, TestServer, observation, patient};
use serde_json::{Value, json};

/// The text of the resource after its meta, which the server writes.
fn after_meta(reply: &Reply) -> String {
    let text = reply.text();
    let meta = text.find("\"meta\":{").unwrap();
    let end = text[meta..].find('}').unwrap() + meta + 1;
    text[end..].to_owned()
}

async fn stored(server: &TestServer, path: &str, body: &str) -> String {
    let request = server.request("PUT", path).body("application/fhir+json", body.to_owned());
    request.send().await.expect(201);
    after_meta(&server.get(path).await.expect(200))
}

#[tokio::test]
async fn decimals_keep_their_digits() {
    let server = TestServer::start().await;
    for (index, number) in
        ["1.10", "1e2", "1E+2", "0.000", "-0.0", "100000000000000000000.5", "1.0e-7", "0.1e1"]
            .into_iter()
            .enumerate()
    {
        let path = format!("Observation/n{index}");
        let body = format!(
            r#"{{"resourceType":"Observation","id":"n{index}","status":"final",
            "code":{{"text":"x"}},"valueQuantity":{{"value":{number}}}}}"#
        );
        let text = stored(&server, &path, &body).await;
        assert!(text.contains(&format!("{{\"value\":{number}}}")), "{number}: {text}");
    }
}

#[tokio::test]
async fn the_order_of_properties_is_kept() {
    let server = TestServer::start().await;
    let body = concat!(
        r#"{"resourceType":"Patient","id":"a","gender":"male","birthDate":"1990","#,
        r#""active":true,"name":[{"given":["A"],"family":"B"}]}"#,
    );
    let expected = body.split_once("\"id\":\"a\"").unwrap().1;
    assert_eq!(stored(&server, "Patient/a", body).await, expected);
}

#[tokio::test]
async fn primitive_extensions_and_nulls_in_arrays_are_kept() {
    let server = TestServer::start().await;
    let body = concat!(
        r#"{"resourceType":"Patient","id":"a","#,
        r#""_active":{"extension":[{"url":"http://e.example","valueCode":"unknown"}]},"#,
        r#""name":[{"given":["A",null,"C"],"_given":[null,"#,
        r#"{"extension":[{"url":"http://e.example","valueString":"x"}]},{"id":"c"}]}],"#,
        r#""birthDate":"1990-01-01","_birthDate":{"id":"b"}}"#,
    );
    let expected = body.split_once("\"id\":\"a\"").unwrap().1;
    assert_eq!(stored(&server, "Patient/a", body).await, expected);
}

#[tokio::test]
async fn text_of_any_script_is_kept() {
    let server = TestServer::start().await;
    let family = "ᐊᒥᓇ 王 Ünïcödé \u{1F476}\u{1F3FD} \u{200f}x\t\n\"\\/<&>'";
    server.update(patient().id("a").family(family)).await.expect(201);
    let reply = server.get("Patient/a").await.expect(200);
    assert_eq!(reply.body["name"][0]["family"], family);
    let escaped = concat!(
        r#"{"resourceType":"Patient","id":"a","active":true,"#,
        r#""name":[{"family":"\ud83d\udc76\u0041"}]}"#,
    );
    let request = server.request("PUT", "Patient/a").body("application/fhir+json", escaped);
    assert_eq!(request.send().await.expect(200).body["name"][0]["family"], "\u{1F476}A");
}

#[tokio::test]
async fn whitespace_of_the_body_does_not_matter() {
    let server = TestServer::start().await;
    let body = "\r\n{ \"resourceType\" :\t\"Patient\",\n\"id\":\"a\", \"active\" : true }\n\n";
    assert_eq!(stored(&server, "Patient/a", body).await, ",\"active\":true}");
}

#[tokio::test]
async fn resource_type_may_stand_last() {
    let server = TestServer::start().await;
    let body = r#"{"id":"a","active":true,"resourceType":"Patient"}"#;
    assert_eq!(stored(&server, "Patient/a", body).await, ",\"active\":true}");
}

#[tokio::test]
async fn xml_in_and_json_out_say_the_same() {
    let server = TestServer::start().await;
    let body = r#"<?xml version="1.0" encoding="UTF-8"?>
        <Observation xmlns="http://hl7.org/fhir"><id value="o"/><!-- a comment -->
        <text><status value="generated"/>
        <div xmlns="http://www.w3.org/1999/xhtml"><p>a <b>b</b>  c &lt; d</p></div></text>
        <extension url="http://e.example"><valueDecimal value="1.10"/></extension>
        <status value="final"/><code id="c"><text value="a &amp; b &quot;c&quot;"/></code>
        <valueQuantity><value value="0.500">
        <extension url="http://e.example"><valueBoolean value="true"/></extension></value>
        </valueQuantity>
        </Observation>"#;
    let request = server.request("PUT", "Observation/o").body("application/fhir+xml", body);
    request.send().await.expect(201);
    let reply = server.get("Observation/o").await.expect(200);
    let text = reply.text();
    assert!(text.contains("\"valueDecimal\":1.10"), "{text}");
    assert!(text.contains("\"value\":0.500"), "{text}");
    assert_eq!(reply.body["code"], json!({"id": "c", "text": "a & b \"c\""}));
    assert_eq!(
        reply.body["text"]["div"],
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a <b>b</b>  c &lt; d</p></div>"
    );
    assert_eq!(reply.body["valueQuantity"]["_value"]["extension"][0]["valueBoolean"], json!(true));
}

#[tokio::test]
async fn json_in_and_xml_out_and_in_again_is_the_same_version() {
    let server = TestServer::start().await;
    let body = concat!(
        r##"{"resourceType":"Patient","id":"a","##,
        r##""contained":[{"resourceType":"Organization","id":"o","name":"A & B"}],"##,
        r##""extension":[{"url":"http://e.example","valueDecimal":1.10}],"active":true,"##,
        r##""name":[{"given":["A",null],"_given":[null,"##,
        r##"{"extension":[{"url":"http://e.example","valueString":" x "}]}]}],"##,
        r##""managingOrganization":{"reference":"#o"}}"##,
    );
    stored(&server, "Patient/a", body).await;
    let xml = server.get("Patient/a?_format=xml").await.expect(200);
    let request = server.request("PUT", "Patient/a").body("application/fhir+xml", xml.bytes);
    assert_eq!(request.send().await.expect(200).etag_version(), 1);
}

#[tokio::test]
async fn absolute_references_to_this_server_are_stored_relative() {
    let server = TestServer::start().await;
    let base = server.base().to_owned();
    let url = format!("{base}/Patient/1");
    let resource = observation()
        .subject(&url)
        .with("performer", json!([{"reference": format!("{url}/_history/2")}]))
        .with("focus", json!([{"reference": "http://elsewhere.example/fhir/Patient/1"}]))
        .with(
            "extension",
            json!([{"url": "http://e.example", "valueReference": {"reference": url}}]),
        );
    let reply = server.create(resource).await.expect(201);
    assert_eq!(reply.body["subject"]["reference"], "Patient/1");
    assert_eq!(reply.body["performer"][0]["reference"], "Patient/1/_history/2");
    assert_eq!(reply.body["focus"][0]["reference"], "http://elsewhere.example/fhir/Patient/1");
    assert_eq!(reply.body["extension"][0]["valueReference"]["reference"], "Patient/1");
    let found = server.get("Observation?subject=Patient/1&_summary=count").await.expect(200);
    assert_eq!(found.body["total"], 1);
    let found = server.get(&format!("Observation?subject={base}/Patient/1&_summary=count")).await;
    assert_eq!(found.expect(200).body["total"], 1);
}

#[tokio::test]
async fn a_patch_that_brings_an_absolute_reference_stores_it_relative_too() {
    let server = TestServer::start().await;
    server.update(observation().id("o")).await.expect(201);
    let url = format!("{}/Patient/1", server.base());
    let operations = json!([{"op": "add", "path": "/subject", "value": {"reference": url}}]);
    let reply = server.patch("Observation/o", &operations).await.expect(200);
    assert_eq!(reply.body["subject"]["reference"], "Patient/1");
}

#[tokio::test]
async fn a_reference_to_another_type_than_its_element_allows_is_refused_or_kept_but_never_500() {
    let server = TestServer::start().await;
    for reference in ["Observation/1", "nonsense", "", "#", "urn:uuid:1", "Patient/", "/Patient/1"]
    {
        let reply = server.create(observation().subject(reference)).await;
        assert!(matches!(reply.status(), 201 | 400 | 422), "{reference}: {reply:?}");
    }
}

#[tokio::test]
async fn a_read_in_xml_equals_the_read_in_json() {
    let server = TestServer::start().await;
    server.update(patient().id("a").mrn("1 & 2")).await.expect(201);
    let xml = server.get("Patient/a?_format=xml").await.expect(200);
    assert!(xml.text().contains("<value value=\"1 &amp; 2\"/>"), "{}", xml.text());
    assert!(xml.text().contains("<versionId value=\"1\"/>"), "{}", xml.text());
    let json: Value = server.get("Patient/a").await.body;
    let updated = json["meta"]["lastUpdated"].as_str().unwrap();
    assert!(xml.text().contains(&format!("<lastUpdated value=\"{updated}\"/>")));
}

async fn put_xml(server: &TestServer, body: &str) -> Reply {
    let request = server.request("PUT", "Patient/a").header("Accept", "application/fhir+json");
    request.body("application/fhir+xml", body.to_owned()).send().await
}

#[tokio::test]
async fn xml_may_use_a_prefix_and_name_its_schema() {
    let server = TestServer::start().await;
    let prefixed = r#"<f:Patient xmlns:f="http://hl7.org/fhir"><f:id value="a"/>
        <f:active value="true"/></f:Patient>"#;
    put_xml(&server, prefixed).await.expect(201);
    let located = r#"<Patient xmlns="http://hl7.org/fhir"
        xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
        xsi:schemaLocation="http://hl7.org/fhir ../patient.xsd"><id value='a'/>
        <active value = 'true'></active></Patient>"#;
    assert_eq!(put_xml(&server, located).await.expect(200).etag_version(), 1);
}

#[tokio::test]
async fn white_space_in_strings_survives_xml() {
    let server = TestServer::start().await;
    let text = "  two\n lines\r\n and\ta tab  ";
    server.update(patient().id("a").with("contact", json!([{"name": {"text": text}}]))).await;
    let xml = server.get("Patient/a?_format=xml").await.expect(200);
    let reply = put_xml(&server, xml.text()).await.expect(200);
    assert_eq!(reply.body["contact"][0]["name"]["text"], text);
    assert_eq!(reply.etag_version(), 1);
}

#[tokio::test]
async fn characters_that_xml_cannot_hold_are_refused_in_json_too() {
    let server = TestServer::start().await;
    for bad in ["\u{fffe}", "\u{ffff}", "\u{b}", "\u{1f}", "\u{7f}", "\u{85}", "\u{feff}"] {
        let reply = server.update(patient().id("a").family(bad)).await;
        match reply.status() {
            200 | 201 => {
                let xml = server.get("Patient/a?_format=xml").await.expect(200);
                let again = put_xml(&server, xml.text()).await.expect(200);
                assert_eq!(again.body["name"][0]["family"], bad, "{bad:?}");
            }
            status => assert_eq!(status, 400, "{bad:?}: {reply:?}"),
        }
    }
}

#[tokio::test]
async fn very_long_values_are_stored_and_found() {
    let server = TestServer::start().await;
    let long = "x".repeat(100_000);
    let resource = patient().id("a").identifier("http://s.example", &long).family(&long);
    server
        .update(resource.with("meta", json!({"source": format!("http://s.example/{long}")})))
        .await
        .expect(201);
    let form = format!("identifier=http://s.example|{}&family={}", &long[..60_000], "xxx");
    let search = |body: String| {
        let request = server.request("POST", "Patient/_search?_summary=count");
        request.body("application/x-www-form-urlencoded", body).send()
    };
    assert_eq!(search(form).await.expect(200).body["total"], 0);
    assert_eq!(search("family=xxx".to_owned()).await.expect(200).body["total"], 1);
    let shorter = "y".repeat(50_000);
    server.update(patient().id("b").identifier("http://s.example", &shorter)).await.expect(201);
    let exact = format!("identifier=http://s.example|{shorter}");
    assert_eq!(search(exact).await.expect(200).body["total"], 1);
}
