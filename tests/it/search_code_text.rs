//! `:text` of tokens: <https://hl7.org/fhir/R4/search.html#token>, modifiers.

use super::harness::{TestServer, found, observation, patient};
use serde_json::{Value, json};

/// An observation whose code has these codings, and a text where there is one.
fn coded(id: &str, codings: Value, text: Option<&str>) -> Value {
    let mut code = json!({ "coding": codings });
    if let Some(text) = text {
        code["text"] = json!(text);
    }
    observation().id(id).with("code", code).into()
}

fn weight(display: &str) -> Value {
    json!([{"system": "http://loinc.org", "code": "29463-7", "display": display}])
}

#[tokio::test]
async fn text_finds_by_the_text_and_by_the_displays_of_a_concept() {
    let server = TestServer::start().await;
    server.update(coded("display", weight("Body Weight"), None)).await.expect(201);
    server.update(coded("text", json!([{"code": "x"}]), Some("Body Wéight"))).await.expect(201);
    let alone = observation().id("alone").with("code", json!({"text": "body weight, lying"}));
    server.update(alone).await.expect(201);
    server.update(coded("both", weight("Body Weight"), Some("Weight"))).await.expect(201);
    let nameless = json!([{"display": "Weighed"}]);
    server.update(coded("nameless", nameless, None)).await.expect(201);
    let text = async |text: &str| found(&server, &format!("Observation?code:text={text}")).await;
    assert_eq!(text("body w").await, "alone both display text");
    assert_eq!(text("BODY WEIGHT").await, "alone both display text");
    assert_eq!(text("weight").await, "both", "from its beginning");
    assert_eq!(text("weigh").await, "both nameless");
    assert_eq!(text("body weight\\, lying,weighed").await, "alone nameless");
    assert_eq!(text("29463").await, "");
    assert_eq!(found(&server, "Observation?code:missing=true").await, "", "text is a value");
    assert_eq!(found(&server, "Observation?status=final&code:text=weight").await, "both");
}

#[tokio::test]
async fn a_resource_is_found_by_its_own_display_and_by_no_other_of_the_code() {
    let server = TestServer::start().await;
    server.update(coded("first", weight("Body Weight"), None)).await.expect(201);
    server.update(coded("other", weight("Körpergewicht"), None)).await.expect(201);
    let none = json!([{"system": "http://loinc.org", "code": "29463-7"}]);
    server.update(coded("none", none, None)).await.expect(201);
    server.update(coded("again", weight("BODY weight"), None)).await.expect(201);
    let text = async |text: &str| found(&server, &format!("Observation?code:text={text}")).await;
    assert_eq!(text("body").await, "again first");
    assert_eq!(text("korper").await, "other");
    // Updates go along.
    server.update(coded("first", weight("Körpergewicht"), None)).await.expect(200);
    server.update(coded("none", weight("Body Weight"), None)).await.expect(200);
    assert_eq!(text("body").await, "again none");
    assert_eq!(text("korper").await, "first other");
    assert_eq!(found(&server, "Observation?code=29463-7").await, "again first none other");
}

#[tokio::test]
async fn a_code_first_seen_without_a_display_is_called_what_each_resource_says() {
    let server = TestServer::start().await;
    let none = json!([{"system": "http://loinc.org", "code": "29463-7"}]);
    server.update(coded("none", none, None)).await.expect(201);
    server.update(coded("said", weight("Body Weight"), None)).await.expect(201);
    // Elements of type code share their values with Codings without a system.
    let male = json!([{"code": "female", "display": "Woman"}]);
    server.update(coded("woman", male, None)).await.expect(201);
    server.update(patient().id("p")).await.expect(201);
    assert_eq!(found(&server, "Observation?code:text=body").await, "said");
    assert_eq!(found(&server, "Observation?code:text=woman").await, "woman");
    let refused = server.get("Patient?gender:text=woman").await.expect(400);
    assert!(refused.text().contains(":text is not offered for gender"), "{}", refused.text());
}

#[tokio::test]
async fn text_of_identifiers_is_that_of_their_type() {
    let server = TestServer::start().await;
    let of = |text: &str| {
        json!([{"type": {"text": text, "coding": [{"display": "Coded"}]}, "value": "1",
            "assigner": {"display": "Assigner"}}])
    };
    server.update(patient().id("a").with("identifier", of("Medical record"))).await.expect(201);
    server.update(patient().id("b").with("identifier", of("Passport"))).await.expect(201);
    assert_eq!(found(&server, "Patient?identifier:text=medical").await, "a");
    assert_eq!(found(&server, "Patient?identifier:text=p,m").await, "a b");
    assert_eq!(found(&server, "Patient?identifier:text=coded").await, "");
    assert_eq!(found(&server, "Patient?_sort=identifier&identifier=1").await, "a b");
}

#[tokio::test]
async fn text_is_for_coded_values_and_identifiers_alone() {
    let server = TestServer::start().await;
    for query in [
        "Patient?telecom:text=a",
        "Patient?active:text=a",
        "Patient?name:text=a",
        "Observation?subject:text=a",
        "ValueSet?version:text=a",
    ] {
        let reply = server.get(query).await.expect(400);
        assert!(reply.text().contains(":text is not offered"), "{query}: {}", reply.text());
    }
    server.get("Observation?code:text=").await.expect(200);
}

#[tokio::test]
async fn a_conditional_reference_meets_text_within_its_transaction() {
    let server = TestServer::start().await;
    let held = json!([{"type": {"text": "Medical record"}, "value": "1"}]);
    let entry = |method: &str, url: &str, resource: Value| {
        let request = json!({"method": method, "url": url});
        json!({"request": request, "resource": resource})
    };
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        entry("PUT", "Patient/a", patient().id("a").with("identifier", held).into()),
        entry("POST", "Observation", observation().subject("Patient?identifier:text=med").into()),
    ]});
    server.post("", &bundle).await.expect(200);
    let reply = server.get("Observation?subject=Patient/a").await.expect(200);
    assert_eq!(reply.ids("match").len(), 1);
}
