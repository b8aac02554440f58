use super::*;
use crate::error::{FhirError, IssueCode};
use serde_json::json;

/// A request in a table: method, URL after the base, body.
fn parts<'a>(method: &str, url: &'a str, body: Body) -> RequestParts<'a> {
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    let method = Method::parse(method).unwrap();
    RequestParts { method, path, query, conditions: Conditions::default(), prefer: None, body }
}

fn ask(method: &str, url: &str) -> Result<Request, FhirError> {
    read(parts(method, url, Body::None))
}

fn send(method: &str, url: &str, body: serde_json::Value) -> Result<Request, FhirError> {
    read(parts(method, url, Body::Resource(Resource::from_value(body).unwrap())))
}

fn send_if(method: &str, conditions: Conditions<'_>) -> Result<Request, FhirError> {
    let body = Resource::from_value(json!({"resourceType": "Patient", "id": "1"})).unwrap();
    let url = if method == "POST" { "Patient" } else { "Patient/1" };
    read(RequestParts { conditions, ..parts(method, url, Body::Resource(body)) })
}

fn interaction(method: &str, url: &str) -> Interaction {
    ask(method, url).unwrap_or_else(|error| panic!("{method} {url}: {error}")).interaction
}

fn status(result: Result<Request, FhirError>) -> u16 {
    result.map_or_else(|error| error.kind.status(), |_| 200)
}

fn key(text: &str) -> ResourceKey {
    ResourceKey::parse(text).unwrap()
}

fn kind(name: &str) -> ResourceType {
    ResourceType::parse(name).unwrap()
}

fn search_scope(method: &str, url: &str) -> SearchScope {
    match interaction(method, url) {
        Interaction::Search { scope, .. } => scope,
        other => panic!("{method} {url} is {other:?}"),
    }
}

fn history_scope(url: &str) -> HistoryScope {
    match interaction("GET", url) {
        Interaction::History { scope, .. } => scope,
        other => panic!("{url} is {other:?}"),
    }
}

#[test]
fn read_and_vread_are_named_by_their_urls() {
    for method in ["GET", "HEAD"] {
        for url in ["Patient/1", "/Patient/1", "/Patient/1/", "Patient/%31"] {
            let read = interaction(method, url);
            assert!(matches!(read, Interaction::Read { key: k, .. } if k == key("Patient/1")));
        }
        let vread = interaction(method, "/Patient/1/_history/7");
        assert!(matches!(vread, Interaction::Vread { version, .. } if version.as_str() == "7"));
    }
}

#[test]
fn history_has_three_levels() {
    assert_eq!(history_scope("_history"), HistoryScope::System);
    assert_eq!(history_scope("Patient/_history"), HistoryScope::Type(kind("Patient")));
    let instance = HistoryScope::Instance(key("Patient/1"));
    assert_eq!(history_scope("Patient/1/_history?_count=2"), instance);
}

#[test]
fn search_has_three_levels_and_two_methods() {
    let member = |of| SearchScope::Compartment(key("Patient/1"), of);
    let observations = member(Some(kind("Observation")));
    for (method, url, scope) in [
        ("GET", "", SearchScope::System),
        ("GET", "/?_type=Patient", SearchScope::System),
        ("POST", "_search", SearchScope::System),
        ("GET", "Patient?name=a", SearchScope::Type(kind("Patient"))),
        ("HEAD", "Patient", SearchScope::Type(kind("Patient"))),
        ("POST", "Patient/_search", SearchScope::Type(kind("Patient"))),
        ("GET", "Patient/1/Observation?code=a", observations.clone()),
        ("POST", "Patient/1/Observation/_search", observations),
        ("GET", "Patient/1/*", member(None)),
        ("GET", "Patient/1/%2A", member(None)),
        ("POST", "Patient/1/*/_search", member(None)),
        ("POST", "Patient/1/_search", member(None)),
    ] {
        assert_eq!(search_scope(method, url), scope, "{method} {url}");
    }
}

#[test]
fn operations_have_four_levels_and_keep_their_parameters() {
    let version = OperationScope::Version(key("Patient/1"), Id::parse("2").unwrap());
    for (method, url, scope, is_write) in [
        ("GET", "$meta", OperationScope::System, false),
        ("POST", "Patient/$meta", OperationScope::Type(kind("Patient")), false),
        ("POST", "Patient/1/%24meta-add", OperationScope::Instance(key("Patient/1")), true),
        ("HEAD", "Patient/1/_history/2/$meta", version, false),
    ] {
        let interaction = interaction(method, url);
        assert_eq!(interaction.is_write(), is_write, "{url}");
        let Interaction::Operation(operation) = interaction else {
            panic!("{url} is an operation");
        };
        assert_eq!(operation.scope, scope, "{url}");
    }
    let Interaction::Operation(operation) = interaction("GET", "Patient/1/$meta?start=2020") else {
        panic!("an operation");
    };
    assert_eq!(operation.parameters, [("start".to_owned(), "2020".to_owned())]);
}

#[test]
fn metadata_has_a_mode() {
    let mode = |url| match interaction("GET", url) {
        Interaction::Capabilities { mode } => mode,
        other => panic!("{other:?}"),
    };
    assert_eq!(mode("metadata"), None);
    assert_eq!(mode("metadata?mode=full&_format=json").as_deref(), Some("full"));
    assert_eq!(status(ask("GET", "metadata?mode=full&mode=normative")), 400);
}

#[test]
fn create_update_patch_and_delete_are_read() {
    let patient = json!({"resourceType": "Patient", "id": "1"});
    let create = send("POST", "Patient", patient.clone()).unwrap().interaction;
    assert!(matches!(create, Interaction::Create { if_none_exist: None, .. }));
    let update = send("PUT", "Patient/1", patient.clone()).unwrap().interaction;
    assert!(matches!(update, Interaction::Update { key: k, .. } if k == key("Patient/1")));
    let delete = interaction("DELETE", "Patient/1");
    assert!(matches!(delete, Interaction::Delete { .. }));
    let patch = Body::Patch(Patch::Json(json!([])));
    let patch = read(parts("PATCH", "Patient/1", patch)).unwrap().interaction;
    assert!(matches!(patch, Interaction::Patch { .. }));
}

#[test]
fn conditional_writes_keep_their_criteria_undecoded_without_presentation() {
    let url = "Patient?identifier=a%7Cb&_pretty=true&name:exact=x+y&_format=xml";
    let criteria = TypeCriteria {
        resource_type: kind("Patient"),
        query: "identifier=a%7Cb&name:exact=x+y".to_owned(),
    };
    let update = send("PUT", url, json!({"resourceType": "Patient"})).unwrap().interaction;
    assert!(matches!(update, Interaction::ConditionalUpdate { criteria: c, .. } if c == criteria));
    let delete = interaction("DELETE", url);
    assert!(matches!(delete, Interaction::ConditionalDelete { criteria: c, .. } if c == criteria));
    let patch = read(parts("PATCH", url, Body::Patch(Patch::Merge(json!({}))))).unwrap();
    let patch = patch.interaction;
    assert!(matches!(patch, Interaction::ConditionalPatch { criteria: c, .. } if c == criteria));
}

#[test]
fn criteria_that_select_everything_are_refused() {
    for query in [
        "",
        "?",
        "?&",
        "?identifier=",
        "?identifier=+",
        "?_count=5&_sort=name",
        "?_include:iterate=*",
        "?_format=json",
        "?=x",
        "?identifier",
    ] {
        let url = format!("Patient{query}");
        assert_eq!(status(ask("DELETE", &url)), 412, "DELETE {url}");
        let put = send("PUT", &url, json!({"resourceType": "Patient"}));
        assert_eq!(status(put), 412, "PUT {url}");
        let patch = read(parts("PATCH", &url, Body::Patch(Patch::Json(json!([])))));
        assert_eq!(status(patch), 412, "PATCH {url}");
    }
}

#[test]
fn if_none_exist_takes_a_query_with_or_without_its_type() {
    let with = |header| {
        send_if("POST", Conditions { if_none_exist: Some(header), ..Conditions::default() })
    };
    for header in ["identifier=a|b", "?identifier=a|b", "Patient?identifier=a|b"] {
        match with(header).unwrap().interaction {
            Interaction::Create { if_none_exist, .. } => {
                assert_eq!(if_none_exist.as_deref(), Some("identifier=a|b"), "{header}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(with("url=http://a/b?c=d").is_ok());
    assert_eq!(status(with("Observation?code=a")), 400);
    assert_eq!(status(with("identifier=%zz")), 400);
    assert_eq!(status(with("")), 412);
    let put = send_if("PUT", Conditions { if_none_exist: Some("a=b"), ..Conditions::default() });
    assert_eq!(status(put), 400);
}

#[test]
fn guards_go_with_their_interactions() {
    let if_match = Conditions { if_match: Some("W/\"3\""), ..Conditions::default() };
    match send_if("PUT", if_match).unwrap().interaction {
        Interaction::Update { guard, .. } => assert!(guard.if_match.unwrap().admits(3)),
        other => panic!("{other:?}"),
    }
    assert_eq!(status(send_if("POST", if_match)), 400);
    let none_match = Conditions { if_none_match: Some("W/\"3\""), ..Conditions::default() };
    let read =
        read(RequestParts { conditions: none_match, ..parts("GET", "Patient/1", Body::None) });
    match read.unwrap().interaction {
        Interaction::Read { unless, .. } => {
            assert!(unless.is_known(3, chrono::DateTime::UNIX_EPOCH));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn url_and_body_must_agree() {
    let patient = |id: serde_json::Value| json!({"resourceType": "Patient", "id": id});
    assert_eq!(status(send("POST", "Observation", patient(json!("1")))), 400);
    assert_eq!(status(send("PUT", "Observation/1", patient(json!("1")))), 400);
    let error = send("PUT", "Patient/1", patient(json!("2"))).unwrap_err();
    assert_eq!(error.kind.status(), 400);
    assert!(error.issues[0].diagnostics.contains("'1'"));
    assert!(error.issues[0].diagnostics.contains("'2'"));
    assert_eq!(error.issues[0].expression, "Patient.id");
    assert_eq!(status(send("PUT", "Patient/1", patient(json!(1)))), 400);
    assert_eq!(status(send("PUT", "Patient/1", json!({"resourceType": "Patient"}))), 400);
    assert_eq!(status(ask("PUT", "Patient/1")), 400);
    assert_eq!(status(ask("POST", "Patient")), 400);
    assert_eq!(status(send("GET", "Patient/1", patient(json!("1")))), 400);
    assert_eq!(status(send("DELETE", "Patient/1", patient(json!("1")))), 400);
}

#[test]
fn an_impossible_id_is_not_found_by_a_read_and_refused_by_a_write() {
    let long = format!("Patient/{}", "x".repeat(65));
    for url in ["Patient/a_b", "Patient/..", "Patient/%2e", "Patient/a%2Fb", "Patient/ä", &long] {
        assert_eq!(status(ask("GET", url)), 404, "{url}");
        let put = send("PUT", url, json!({"resourceType": "Patient", "id": "1"}));
        assert_eq!(status(put), 400, "{url}");
        assert_eq!(status(ask("DELETE", url)), 400, "{url}");
    }
    assert_eq!(status(ask("GET", "Patient/1/_history/a_b")), 404);
}

#[test]
fn what_is_not_in_the_specification_is_not_found() {
    for url in [
        "Nope",
        "Nope/1",
        "Resource",
        "DomainResource",
        "_nope",
        "Patient/1/_nope",
        "Patient//1",
        "Patient/1/_history/1/_history",
        "Patient/1/Nope",
        "Patient/1/Medication",
        "Observation/1/Patient",
        "Patient/1/Observation/1",
        "metadata/x",
        "$",
        "Patient/$a b",
    ] {
        assert_eq!(status(ask("GET", url)), 404, "{url}");
    }
    let error = ask("GET", "patient/1").unwrap_err();
    assert!(error.issues[0].diagnostics.contains("'Patient'"), "{error}");
}

#[test]
fn a_method_that_is_not_offered_answers_405_with_those_that_are() {
    for (method, url, allow) in [
        ("PUT", "", "GET HEAD POST"),
        ("DELETE", "/?name=a", "GET HEAD POST"),
        ("POST", "metadata", "GET HEAD"),
        ("GET", "Patient/_search", "POST"),
        ("POST", "Patient/1", "GET HEAD PUT PATCH DELETE"),
        ("PUT", "Patient/1/_history/1", "GET HEAD"),
        ("POST", "_history", "GET HEAD"),
        ("DELETE", "Patient/$meta", "GET HEAD POST"),
        ("POST", "Patient/1/Observation", "GET HEAD"),
    ] {
        let error = ask(method, url).unwrap_err();
        assert_eq!(error.kind.status(), 405, "{method} {url}");
        assert_eq!(error.allow.join(" "), allow, "{method} {url}");
    }
    assert_eq!(allowed_methods("/Patient/1", Method::Get).unwrap().len(), 5);
}

#[test]
fn unknown_parameters_are_refused_unless_handling_is_lenient() {
    for (method, url) in [
        ("GET", "Patient/1?_foo=a"),
        ("GET", "Patient/1?name=a"),
        ("GET", "Patient/1/_history/1?_since=2020"),
        ("GET", "metadata?foo=1"),
        ("DELETE", "Patient/1?name=a"),
    ] {
        assert_eq!(status(ask(method, url)), 400, "{method} {url}");
        let lenient =
            RequestParts { prefer: Some("handling=lenient"), ..parts(method, url, Body::None) };
        assert_eq!(status(read(lenient)), 200, "{method} {url}");
    }
    let patient = json!({"resourceType": "Patient", "id": "1"});
    assert_eq!(status(send("POST", "Patient?name=a", patient.clone())), 400);
    assert_eq!(status(send("PUT", "Patient/1?name=a", patient)), 400);
}

#[test]
fn summary_and_elements_become_the_subset() {
    let subset = |url: &str| ask("GET", url).unwrap().subset;
    assert_eq!(subset("Patient/1"), Subset::None);
    assert_eq!(subset("Patient/1?_summary=false"), Subset::None);
    assert_eq!(subset("Patient/1?_summary=true"), Subset::Summary);
    assert_eq!(subset("Patient/1?_summary=text"), Subset::Text);
    assert_eq!(subset("Patient/1?_summary=data"), Subset::Data);
    assert_eq!(subset("Patient?_summary=count"), Subset::Count);
    let elements = Subset::Elements(vec!["name".to_owned(), "gender".to_owned()]);
    assert_eq!(subset("Patient?_elements=name,%20gender&_elements=name"), elements);
    assert_eq!(subset("Patient/1?_elements=name,gender&_summary=false"), elements);
    for url in [
        "Patient/1?_summary=yes",
        "Patient/1?_summary=count",
        "Patient/1?_summary=true&_summary=data",
        "Patient?_summary=true&_elements=name",
        "Patient?_elements=",
        "Patient?_elements=a.b",
        "Patient?_elements=Patient",
        "Patient/1?_elements=nope",
        "Patient/1?_pretty=1",
        "Patient/1?_format=xml&_format=json",
    ] {
        assert_eq!(status(ask("GET", url)), 400, "{url}");
    }
    assert_eq!(status(ask("GET", "Patient/1?_format=xml&_format=xml")), 200);
}

#[test]
fn presentation_is_kept_for_links_and_out_of_the_search() {
    let request = ask("GET", "Patient?name=a&_format=json&_elements=name&_count=2").unwrap();
    let names = |list: &[Parameter]| list.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
    assert_eq!(names(&request.presentation), ["_format", "_elements"]);
    match request.interaction {
        Interaction::Search { parameters, .. } => {
            assert_eq!(names(&parameters), ["name", "_count"])
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn query_and_form_of_a_search_add_up() {
    let form = vec![("name".to_owned(), "b".to_owned()), ("_pretty".to_owned(), "true".to_owned())];
    let request = read(parts("POST", "Patient/_search?name=a", Body::Form(form))).unwrap();
    assert_eq!(request.presentation.len(), 1);
    match request.interaction {
        Interaction::Search { parameters, .. } => {
            let values: Vec<_> = parameters.iter().map(|(_, value)| value.as_str()).collect();
            assert_eq!(values, ["a", "b"]);
        }
        other => panic!("{other:?}"),
    }
    let resource = json!({"resourceType": "Parameters"});
    assert_eq!(status(send("POST", "Patient/_search", resource)), 415);
    let form = Body::Form(Vec::new());
    assert_eq!(status(read(parts("POST", "Patient", form))), 415);
}

#[test]
fn queries_are_decoded_or_refused() {
    let first = |url: &str| match ask("GET", url).map(|request| request.interaction) {
        Ok(Interaction::Search { parameters, .. }) => Ok(parameters.into_iter().next()),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.kind.status()),
    };
    let pair = |name: &str, value: &str| Ok(Some((name.to_owned(), value.to_owned())));
    assert_eq!(first("Patient?name=a+b%2Bc"), pair("name", "a b+c"));
    assert_eq!(first("Patient?a%3Ab=%C3%A4%26=d"), pair("a:b", "ä&=d"));
    assert_eq!(first("Patient?name"), pair("name", ""));
    assert_eq!(first("Patient?&&"), Ok(None));
    for url in [
        "Patient?name=%zz",
        "Patient?name=%4",
        "Patient?%=a",
        "Patient?name=%ff",
        "Patient?name=a%00",
        "Patient/%00",
        "Patient/%f",
        "Patient/%C3",
    ] {
        assert_eq!(ask("GET", url).unwrap_err().kind.status(), 400, "{url}");
    }
}

#[test]
fn a_bundle_at_the_base_is_a_batch_or_a_transaction() {
    for (name, expected) in [("batch", BundleKind::Batch), ("transaction", BundleKind::Transaction)]
    {
        let bundle = send("POST", "", json!({"resourceType": "Bundle", "type": name}));
        let bundle = bundle.unwrap().interaction;
        assert!(matches!(bundle, Interaction::Bundle { kind, .. } if kind == expected));
    }
    for body in [
        json!({"resourceType": "Bundle", "type": "collection"}),
        json!({"resourceType": "Bundle"}),
        json!({"resourceType": "Patient"}),
    ] {
        assert_eq!(status(send("POST", "/", body)), 400);
    }
    assert_eq!(status(ask("POST", "")), 400);
}

#[test]
fn respond_async_is_refused_as_not_supported() {
    let asked =
        RequestParts { prefer: Some("respond-async"), ..parts("GET", "Patient", Body::None) };
    assert_eq!(read(asked).unwrap_err().issues[0].code, IssueCode::NotSupported);
}
