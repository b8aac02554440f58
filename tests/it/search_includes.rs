//! `_include` and `_revinclude` (search.html#revinclude).

use super::harness::{Reply, TestServer};
use bhn_fhir::access::Permit;
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use bhn_fhir::fhir::resource::ResourceKey;
use serde_json::{Value, json};

/// A chain of organizations, two patients, and observations of them, one part of another.
async fn records(server: &TestServer) {
    for (id, part_of) in [("top", None), ("middle", Some("top")), ("ward", Some("middle"))] {
        let mut organization = json!({"resourceType": "Organization", "id": id, "name": id});
        if let Some(part_of) = part_of {
            organization["partOf"] = json!({"reference": format!("Organization/{part_of}")});
        }
        server.update(organization).await.expect(201);
    }
    for (id, at) in [("p1", "ward"), ("p2", "top")] {
        server
            .update(json!({"resourceType": "Patient", "id": id,
                "managingOrganization": {"reference": format!("Organization/{at}")}}))
            .await
            .expect(201);
    }
    server.update(json!({"resourceType": "Practitioner", "id": "ann"})).await.expect(201);
    for (id, patient, members) in
        [("o1", "p1", vec![]), ("o2", "p1", vec!["o1"]), ("o3", "p2", vec!["o2"])]
    {
        let members: Vec<Value> = members
            .iter()
            .map(|member| json!({"reference": format!("Observation/{member}")}))
            .collect();
        let mut observation = json!({"resourceType": "Observation", "id": id, "status": "final",
            "code": {"coding": [{"system": "http://l", "code": id}]},
            "subject": {"reference": format!("Patient/{patient}")},
            "performer": [{"reference": "Practitioner/ann"}, {"reference": "Practitioner/gone"}]});
        if !members.is_empty() {
            observation["hasMember"] = Value::Array(members);
        }
        server.update(observation).await.expect(201);
    }
}

/// Searches, their matches, and what goes with them.
const FINDS: &[(&str, &str, &str)] = &[
    ("Observation?code=o1&_include=Observation:subject", "o1", "p1"),
    ("Observation?_include=Observation:subject", "o1 o2 o3", "p1 p2"),
    ("Observation?_include=Observation:subject:Patient", "o1 o2 o3", "p1 p2"),
    ("Observation?_include=Observation:subject:Group", "o1 o2 o3", ""),
    ("Observation?code=o1&_include=Observation:performer", "o1", "ann"),
    ("Observation?code=o1&_include=Observation:*", "o1", "ann p1"),
    ("Observation?code=o2&_include=*", "o2", "ann o1 p1"),
    (
        "Observation?code=o1&_include=Observation:subject&_include=Observation:performer",
        "o1",
        "ann p1",
    ),
    // A match is no include, and nothing is there twice.
    ("Observation?code=o1,o2&_include=Observation:has-member", "o1 o2", ""),
    ("Observation?code=o2&_include=Observation:has-member", "o2", "o1"),
    ("Observation?code=o3&_include=Observation:has-member", "o3", "o2"),
    ("Observation?code=o3&_include:iterate=Observation:has-member", "o3", "o1 o2"),
    (
        "Observation?code=o1&_include=Observation:subject&_include:iterate=Patient:organization",
        "o1",
        "p1 ward",
    ),
    (
        "Observation?code=o1&_include=Observation:subject&_include:iterate=Patient:organization\
      &_include:iterate=Organization:partof",
        "o1",
        "middle p1 top ward",
    ),
    // Without :iterate nothing is included of what was included.
    ("Patient?_id=p1&_include=Patient:organization", "p1", "ward"),
    ("Patient?_id=p1&_revinclude=Observation:subject", "p1", "o1 o2"),
    ("Patient?_id=p1&_revinclude=Observation:patient", "p1", "o1 o2"),
    (
        "Patient?_id=p1&_revinclude=Observation:patient&_include:iterate=Observation:performer",
        "p1",
        "ann o1 o2",
    ),
    ("Patient?_id=p2&_revinclude=Observation:*", "p2", "o3"),
    ("Patient?_id=p2&_revinclude=*", "p2", "o3"),
    ("Organization?_id=top&_revinclude:iterate=Organization:partof", "top", "middle ward"),
    ("Organization?_id=top&_revinclude=Organization:partof", "top", "middle"),
    (
        "Organization?_id=top&_revinclude:iterate=Organization:partof\
      &_revinclude:iterate=Patient:organization",
        "top",
        "middle p1 p2 ward",
    ),
    ("Observation?_count=1&_sort=_id&_include=Observation:subject", "o1", "p1"),
    ("Observation?code=nothing&_include=Observation:subject", "", ""),
];

#[tokio::test]
async fn what_matches_refer_to_and_what_refers_to_them_goes_with_the_page() {
    let server = TestServer::start().await;
    records(&server).await;
    for &(path, matches, included) in FINDS {
        let reply = server.get(path).await.expect(200);
        assert_eq!(reply.sorted_ids("match"), matches, "{path}");
        assert_eq!(reply.sorted_ids("include"), included, "{path}");
    }
}

#[tokio::test]
async fn a_total_counts_matches_alone_and_each_page_has_its_own_includes() {
    let server = TestServer::start().await;
    records(&server).await;
    let path = "Observation?_sort=-_id&_count=2&_total=accurate&_include=Observation:subject";
    let first = server.get(path).await.expect(200);
    assert_eq!(first.body["total"], 3);
    assert_eq!(
        (first.sorted_ids("match"), first.sorted_ids("include")),
        ("o2 o3".into(), "p1 p2".into())
    );
    let links = first.body["link"].as_array().unwrap();
    let next = links.iter().find(|link| link["relation"] == "next").unwrap();
    let next = next["url"].as_str().unwrap().split_once("/fhir/").unwrap().1.to_owned();
    let second = server.get(&next).await.expect(200);
    assert_eq!(
        (second.sorted_ids("match"), second.sorted_ids("include")),
        ("o1".into(), "p1".into())
    );
    let counted = server.get(&format!("{path}&_summary=count")).await.expect(200);
    assert!(counted.body.get("entry").is_none());
}

#[tokio::test]
async fn includes_beyond_the_bound_are_left_out_and_an_outcome_says_so() {
    let server = TestServer::start().await;
    server.put("Patient/p", &json!({"resourceType": "Patient", "id": "p"})).await.expect(201);
    let entries: Vec<Value> = (0..1_005)
        .map(|_| {
            json!({"request": {"method": "POST", "url": "Basic"}, "resource":
                {"resourceType": "Basic", "code": {"text": "x"},
                    "subject": {"reference": "Patient/p"}}})
        })
        .collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    server.post("", &bundle).await.expect(200);
    let reply = server.get("Patient?_revinclude=Basic:subject").await.expect(200);
    let entries = reply.body["entry"].as_array().unwrap();
    let of = |mode: &str| entries.iter().filter(|e| e["search"]["mode"] == mode).count();
    assert_eq!((of("match"), of("include"), of("outcome")), (1, 1_000, 1));
    let issue = &entries.last().unwrap()["resource"]["issue"][0];
    assert_eq!((&issue["severity"], &issue["code"]), (&json!("warning"), &json!("too-costly")));
}

#[tokio::test]
async fn an_include_that_cannot_be_read_is_400_and_says_why() {
    let server = TestServer::start().await;
    for (path, hint) in [
        ("Observation?_include=subject", "[type]:[parameter]"),
        ("Observation?_include=Observation:code", "no reference parameter"),
        ("Observation?_include=Observation:subjct", "subject"),
        ("Observation?_include=Nothing:subject", "Nothing"),
        ("Observation?_include=Observation:subject:Practitioner", "Practitioner"),
        ("Observation?_include=Patient:organization", ":iterate"),
        ("Observation?_include:exact=Observation:subject", "exact"),
        ("Patient?_revinclude=Encounter:service-provider", "no type that is searched"),
    ] {
        let reply = server.get(path).await.expect(400);
        let text = reply.body["issue"][0]["diagnostics"].as_str().unwrap_or_default();
        assert!(text.contains(hint), "{path}: {text}");
    }
}

#[tokio::test]
async fn nothing_is_included_that_the_caller_may_not_see() {
    let server = TestServer::start().await;
    records(&server).await;
    let store = &server.context.store;
    let permit = server.permit_about("Patient/p1").await;
    for (kind, name, value, expected) in [
        ("Observation", "_include", "Observation:subject", 1),
        ("Observation", "_include", "Observation:performer", 0),
        ("Patient", "_include", "Patient:organization", 0),
        ("Patient", "_revinclude", "Observation:subject", 2),
    ] {
        let scope = SearchScope::Type(ResourceType::parse(kind).unwrap());
        let parameters = [(name.to_owned(), value.to_owned())];
        let plan = server.context.plan(&scope, &parameters, Handling::Strict).unwrap();
        let page = store.search(&permit, &plan).await.unwrap();
        assert_eq!(page.included.len(), expected, "{kind}?{name}={value}");
    }
}

async fn with_questionnaires() -> TestServer {
    let server = TestServer::start().await;
    for (id, url, version) in [
        ("q1", "http://a/q", Some("1")),
        ("q2", "http://a/q", Some("2")),
        ("other", "http://a/q_", Some("1")),
        ("plain", "http://a/plain", None),
    ] {
        let mut resource = json!({"resourceType": "Questionnaire", "id": id, "status": "active",
            "url": url});
        if let Some(version) = version {
            resource["version"] = json!(version);
        }
        server.update(resource).await.expect(201);
    }
    for (id, questionnaire) in [
        ("r1", "http://a/q|1"),
        ("r2", "http://a/q|2"),
        ("r3", "http://a/q"),
        ("r4", "http://a/plain"),
    ] {
        server
            .update(
                json!({"resourceType": "QuestionnaireResponse", "id": id, "status": "completed",
                "questionnaire": questionnaire}),
            )
            .await
            .expect(201);
    }
    server
}

#[tokio::test]
async fn an_include_follows_a_canonical_to_its_version_or_to_all() {
    let server = with_questionnaires().await;
    for (of, finds) in [("r1", "q1"), ("r2", "q2"), ("r3", "q1 q2"), ("r4", "plain")] {
        for include in ["QuestionnaireResponse:questionnaire", "QuestionnaireResponse:*", "*"] {
            let query = format!("QuestionnaireResponse?_id={of}&_include={include}");
            let reply = server.get(&query).await.expect(200);
            assert_eq!(reply.sorted_ids("match"), of);
            assert_eq!(reply.sorted_ids("include"), finds, "{query}");
        }
    }
}

#[tokio::test]
async fn a_revinclude_follows_canonicals_back() {
    let server = with_questionnaires().await;
    for (of, finds) in [("q1", "r1 r3"), ("q2", "r2 r3"), ("plain", "r4"), ("other", "")] {
        let include = "_revinclude=QuestionnaireResponse:questionnaire";
        let query = format!("Questionnaire?_id={of}&{include}");
        let reply = server.get(&query).await.expect(200);
        assert_eq!(reply.sorted_ids("include"), finds, "{query}");
    }
}

#[tokio::test]
async fn a_canonical_resource_is_found_by_its_url_with_its_version() {
    let server = with_questionnaires().await;
    for (url, finds) in
        [("http://a/q", "q1 q2"), ("http://a/q%7C2", "q2"), ("http://a/plain", "plain")]
    {
        let reply = server.get(&format!("Questionnaire?url={url}")).await.expect(200);
        assert_eq!(reply.sorted_ids("match"), finds, "{url}");
    }
}

/// An organization in three versions, an observation's performer by each way to name one.
async fn versions(server: &TestServer) {
    for name in ["first", "second", "third"] {
        let organization = json!({"resourceType": "Organization", "id": "org", "name": name});
        server.update(organization).await;
    }
    let performers = [
        ("v1", json!([{"reference": "Organization/org/_history/1"}])),
        ("v2", json!([{"reference": "Organization/org/_history/2"}])),
        ("v3", json!([{"reference": "Organization/org/_history/3"}])),
        ("v9", json!([{"reference": "Organization/org/_history/9"}])),
        ("any", json!([{"reference": "Organization/org"}])),
        (
            "both",
            json!([{"reference": "Organization/org"}, {
                "reference": format!("{}/Organization/org/_history/1", server.base())}]),
        ),
    ];
    for (id, performer) in performers {
        let observation = json!({"resourceType": "Observation", "id": id, "status": "final",
            "code": {"text": "x"}, "performer": performer});
        server.update(observation).await.expect(201);
    }
}

/// `id` and version of what goes with a page.
fn included_versions(reply: &Reply) -> String {
    let entries = reply.body["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    let includes = entries.iter().filter(|entry| entry["search"]["mode"] == "include");
    let name = |entry: &Value| {
        let resource = &entry["resource"];
        let url = entry["fullUrl"].as_str().unwrap();
        assert!(url.ends_with(&format!("/{}", resource["id"].as_str().unwrap())), "{url}");
        let version = resource["meta"]["versionId"].as_str().unwrap();
        format!("{}@{version}", resource["id"].as_str().unwrap())
    };
    let mut names: Vec<String> = includes.map(name).collect();
    names.sort_unstable();
    names.join(" ")
}

#[tokio::test]
async fn an_include_gives_the_version_that_a_reference_names() {
    let server = TestServer::start().await;
    versions(&server).await;
    let include = "_include=Observation:performer";
    for (query, expected) in [
        (format!("Observation?_id=v1&{include}"), "org@1"),
        (format!("Observation?_id=v2&{include}"), "org@2"),
        (format!("Observation?_id=v3&{include}"), "org@3"),
        (format!("Observation?_id=any&{include}"), "org@3"),
        // One that is not there: the current one.
        (format!("Observation?_id=v9&{include}"), "org@3"),
        (format!("Observation?_id=v1,v9&{include}"), "org@1 org@3"),
        (format!("Observation?_id=both&{include}"), "org@1 org@3"),
        (format!("Observation?_id=v1,v2&{include}"), "org@1 org@2"),
        (format!("Observation?_id=v1,v2,any&{include}"), "org@1 org@2 org@3"),
        (format!("Observation?_id=v1&{include}:Organization"), "org@1"),
        (format!("Observation?_id=v1&{include}:Practitioner"), ""),
        ("Observation?_id=v1&_include=*".to_owned(), "org@1"),
        ("Observation?_id=v1&_include=Observation:subject".to_owned(), ""),
        ("Organization?_id=org&_revinclude=Observation:performer".to_owned(), {
            "any@1 both@1 v1@1 v2@1 v3@1 v9@1"
        }),
        (
            "Organization?_id=org&_revinclude=Observation:performer\
             &_include:iterate=Observation:performer"
                .to_owned(),
            "any@1 both@1 org@1 org@2 v1@1 v2@1 v3@1 v9@1",
        ),
    ] {
        let reply = server.get(&query).await.expect(200);
        assert_eq!(included_versions(&reply), expected, "{query}");
    }
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": format!("Observation?_id=v2&{include}")}}]});
    let reply = server.post("", &batch).await.expect(200);
    let within = reply.body["entry"][0]["resource"].to_string();
    assert!(within.contains("\"second\"") && !within.contains("\"third\""), "{within}");
    // What was deleted since is still what the reference names.
    for id in ["v2", "v3", "v9", "any", "both"] {
        server.delete(&format!("Observation/{id}")).await.expect(204);
    }
    server
        .update(json!({"resourceType": "Observation", "id": "again", "status": "final",
        "code": {"text": "x"}, "performer": [{"reference": "Organization/org/_history/4"}]}))
        .await
        .expect(201);
    server.delete("Organization/org").await.expect(204);
    let reply = server.get(&format!("Observation?_id=v1&{include}")).await.expect(200);
    assert_eq!(included_versions(&reply), "org@1");
}

#[tokio::test]
async fn a_version_goes_with_a_page_for_who_may_see_it() {
    let server = TestServer::start().await;
    // Of ann at first, of bob now; and the other way round.
    let all = [("was", ["ann", "bob"]), ("is", ["bob", "ann"]), ("own", ["ann", "ann"])];
    for (id, subjects) in all {
        for (at, subject) in subjects.iter().enumerate() {
            server
                .update(json!({"resourceType": "Observation", "id": id, "status": "final",
                    "code": {"text": format!("{id} {at}")},
                    "subject": {"reference": format!("Patient/{subject}")}}))
                .await;
        }
    }
    for id in ["was", "is"] {
        server
            .update(json!({"resourceType": "Observation", "id": format!("of-{id}"),
                "status": "final", "code": {"text": "x"}, "subject": {"reference": "Patient/ann"},
                "hasMember": [{"reference": format!("Observation/{id}/_history/1")}]}))
            .await
            .expect(201);
    }
    let parameters = [("_id", "of-was,of-is"), ("_include", "Observation:has-member")];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let key = |id: &str| ResourceKey::parse(&format!("Observation/{id}")).unwrap();
    let store = &server.context.store;
    let mut connection = store.search_connection().await.unwrap();
    let wanted = ["was", "is", "own"].map(|id| (key(id), 1));
    for (patient, expected) in [("Patient/ann", 1), ("Patient/bob", 0)] {
        let permit = server.permit_about(patient).await;
        let seen = store.old_versions(&mut connection, &permit, &wanted).await.unwrap();
        assert_eq!(seen.len(), expected, "{patient}");
    }
    let all = Permit::operator();
    assert_eq!(store.old_versions(&mut connection, &all, &wanted).await.unwrap().len(), 3);
    let scope = SearchScope::Type(ResourceType::parse("Observation").unwrap());
    let plan = server.context.plan(&scope, &parameters, Handling::Strict).unwrap();
    let permit = server.permit_about("Patient/ann").await;
    let page = store.search(&permit, &plan).await.unwrap();
    assert_eq!(page.included.len(), 1);
}
