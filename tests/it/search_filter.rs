//! `_filter` (search_filter.html): expressions over search parameters.

use super::harness::{TestServer, observation, patient};
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use url::form_urlencoded::byte_serialize;

const UCUM: &str = "http://unitsofmeasure.org";

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// `Type?_filter=...`, the filter percent-encoded.
fn path(kind: &str, filter: &str) -> String {
    format!("{kind}?_filter={}", encoded(filter))
}

/// Each filter finds these, on a page and in the total.
async fn finds(cases: &[(&str, &str, &str)]) {
    let server = births().await;
    for &(kind, filter, expected) in cases {
        let reply = server.get(&path(kind, filter)).await.expect(200);
        assert_eq!(reply.sorted_ids("match"), expected, "{kind}: {filter}");
        let counted = server.get(&format!("{}&_summary=count", path(kind, filter))).await;
        let total = expected.split_whitespace().count();
        assert_eq!(counted.expect(200).body["total"], total, "{kind}: {filter}");
    }
}

fn reference(to: &str) -> Value {
    json!({ "reference": to })
}

fn coded(system: &str, codes: &[&str]) -> Value {
    let coding = |code: &&str| json!({"system": system, "code": code});
    json!({ "coding": codes.iter().map(coding).collect::<Vec<_>>() })
}

fn person(id: &str, (family, given): (&str, &str), birth: &str, rest: Value) -> Value {
    let mut person = json!({"resourceType": "Patient", "id": id,
        "identifier": [{"system": "urn:mrn", "value": id}],
        "name": [{"family": family, "given": [given]}], "birthDate": birth});
    for (name, value) in rest.as_object().unwrap() {
        person[name] = value.clone();
    }
    person
}

fn people() -> Vec<Value> {
    let at = |name: &str| reference(&format!("Organization/{name}"));
    vec![
        json!({"resourceType": "Organization", "id": "north", "name": "North", "active": true}),
        json!({"resourceType": "Organization", "id": "south", "name": "South"}),
        json!({"resourceType": "Practitioner", "id": "ann", "name": [{"family": "Ashe"}]}),
        person("amina", ("Rahman", "Amina"), "1990-05-01", {
            json!({"gender": "female", "active": true, "managingOrganization": at("north")})
        }),
        person("lucia", ("Gómez", "Lucía"), "1992-07", {
            json!({"gender": "female", "active": true, "managingOrganization": at("south")})
        }),
        person("rafi", ("Rahman", "Rafi"), "2025-01-01", {
            json!({"gender": "male", "managingOrganization": at("north")})
        }),
        json!({"resourceType": "Patient", "id": "unknown"}),
    ]
}

fn seen() -> Vec<Value> {
    let seen = |id: &str, subject: &str, codes: &[&str], rest: Value| {
        let mut seen = json!({"resourceType": "Observation", "id": id, "status": "final",
            "code": coded("http://loinc.org", codes), "subject": reference(subject)});
        for (name, value) in rest.as_object().unwrap() {
            seen[name] = value.clone();
        }
        seen
    };
    let kilograms = |value: f64| json!({"value": value, "system": UCUM, "code": "kg"});
    vec![
        seen("o1", "Patient/amina", &["weight"], {
            json!({"valueQuantity": kilograms(60.0), "effectiveDateTime": "2025-01-01",
                "performer": [reference("Practitioner/ann")]})
        }),
        seen("o2", "Patient/lucia", &["weight", "body"], {
            json!({"valueQuantity": kilograms(70.5),
                "effectivePeriod": {"start": "2025-02-01", "end": "2025-02-28"}})
        }),
        seen("o3", "Patient/rafi", &["apgar"], {
            json!({"valueQuantity": {"value": 9}, "effectiveDateTime": "2025-01-02T10:00:00Z",
                "performer": [reference("Practitioner/ann")]})
        }),
        seen("o4", "Group/all", &["weight"], json!({"status": "amended"})),
    ]
}

async fn births() -> TestServer {
    let server = TestServer::start().await;
    let others = [
        json!({"resourceType": "RiskAssessment", "id": "risk", "status": "final",
            "subject": reference("Patient/rafi"), "prediction": [{"probabilityDecimal": 0.8}]}),
        json!({"resourceType": "ValueSet", "id": "set", "status": "active", "url": "http://v/1"}),
        json!({"resourceType": "Group", "id": "all", "type": "person", "actual": true,
            "member": [{"entity": reference("Patient/amina")}],
            "characteristic": [
                {"code": coded("http://c", &["ward"]), "exclude": false,
                    "valueCodeableConcept": coded("http://w", &["east"])},
                {"code": coded("http://c", &["twin"]), "exclude": false, "valueBoolean": true}]}),
    ];
    for resource in people().into_iter().chain(seen()).chain(others) {
        let (kind, id) = (&resource["resourceType"], &resource["id"]);
        let path = format!("{}/{}", kind.as_str().unwrap(), id.as_str().unwrap());
        server.put(&path, &resource).await.expect(201);
    }
    server
}

#[tokio::test]
async fn strings_are_equal_or_contain_or_start_or_end_without_case_and_accents() {
    finds(&[
        ("Patient", "name co \"ahm\"", "amina rafi"),
        ("Patient", "name co \"LUC\"", "lucia"),
        ("Patient", "family eq gomez", "lucia"),
        ("Patient", "family eq gome", ""),
        ("Patient", "family sw gome", "lucia"),
        ("Patient", "family ew mez", "lucia"),
        ("Patient", "family ew %", ""),
        ("Patient", "given eq \"RAFI\"", "rafi"),
        ("Patient", "name ne rahman", "amina lucia rafi"),
        ("Patient", "family ne rahman", "lucia"),
    ])
    .await;
}

#[tokio::test]
async fn strings_are_ordered_by_the_code_point_of_their_first_character() {
    finds(&[
        ("Patient", "family gt g", "amina rafi"),
        ("Patient", "family ge g", "amina lucia rafi"),
        ("Patient", "family ge gz", "amina lucia rafi"),
        ("Patient", "family lt R", "lucia"),
        ("Patient", "family le r", "amina lucia rafi"),
        ("Patient", "family lt g", ""),
    ])
    .await;
}

#[tokio::test]
async fn tokens_are_equal_with_or_without_their_system() {
    finds(&[
        ("Patient", "gender eq female", "amina lucia"),
        ("Patient", "active eq true", "amina lucia"),
        ("Patient", "identifier eq urn:mrn|rafi", "rafi"),
        ("Patient", "identifier eq urn:other|rafi", ""),
        ("Patient", "_id eq amina", "amina"),
        ("Observation", "code eq http://loinc.org|apgar", "o3"),
        ("Observation", "code eq loinc|apgar", "o3"),
        ("Observation", "code eq snomed|apgar", ""),
    ])
    .await;
}

#[tokio::test]
async fn ne_holds_where_some_value_is_another_one() {
    finds(&[
        ("Patient", "gender ne male", "amina lucia"),
        ("Patient", "identifier ne urn:mrn|rafi", "amina lucia"),
        ("Patient", "_id ne amina", "lucia rafi unknown"),
        ("Observation", "code ne weight", "o2 o3"),
        ("Observation", "code ne nothing", "o1 o2 o3 o4"),
        ("Observation", "status ne final", "o4"),
        ("ValueSet", "url ne http://v/1", ""),
        ("ValueSet", "url ne http://v/2", "set"),
        ("Patient", "birthdate ne 1992-07", "amina rafi"),
    ])
    .await;
}

#[tokio::test]
async fn dates_numbers_and_quantities_compare_as_with_prefixes() {
    finds(&[
        ("Patient", "given eq \"rafi\" and birthdate ge 2014-10-10", "rafi"),
        ("Patient", "birthdate eq 1992", "lucia"),
        ("Patient", "birthdate lt 1992-07-01", "amina"),
        ("Observation", "date sa 2025-01-31", "o2"),
        ("Observation", "date eb 2025-01-02", "o1"),
        ("Observation", "date le 2025-01-02T10:00:00Z", "o1 o3"),
        ("Observation", "date eq \"2025-01-02T11:00:00+01:00\"", "o3"),
        ("RiskAssessment", "probability eq 0.8", "risk"),
        ("RiskAssessment", "probability gt 0.8", ""),
        ("RiskAssessment", "probability ap 0.75", "risk"),
        ("Observation", "value-quantity eq 60|http://unitsofmeasure.org|kg", "o1"),
        ("Observation", "value-quantity eq 60000|ucum|g", "o1"),
        ("Observation", "value-quantity gt 60|ucum|kg", "o2"),
        ("Observation", "value-quantity le 60", "o1 o3"),
    ])
    .await;
}

#[tokio::test]
async fn periods_overlap_or_contain_the_date() {
    finds(&[
        ("Observation", "date po 2025-02-28", "o2"),
        ("Observation", "date po 2025-03", ""),
        ("Observation", "date po 2025-01-01", "o1"),
        ("Observation", "date po 2025", "o1 o2 o3"),
        ("Observation", "date co 2025-02-10", "o2"),
        ("Observation", "date co 2025-01-01T12:00:00Z", "o1"),
        ("Observation", "date co 2025-02", "o2"),
        ("Observation", "date co 2025", ""),
        ("Patient", "birthdate po 1992-07-15", "lucia"),
        ("Patient", "_lastUpdated po 2000", ""),
        ("ValueSet", "_lastUpdated po 2000 or _lastUpdated gt 2000", "set"),
    ])
    .await;
}

#[tokio::test]
async fn pr_tells_whether_there_is_a_value() {
    finds(&[
        ("Patient", "gender pr true", "amina lucia rafi"),
        ("Patient", "gender pr false", "unknown"),
        ("Patient", "not (active pr true)", "rafi unknown"),
        ("Patient", "organization pr false", "unknown"),
        ("Patient", "_id pr true", "amina lucia rafi unknown"),
        ("Observation", "value-quantity pr \"false\"", "o4"),
        // The set that the path leads to is empty: no subject with a gender.
        ("Observation", "subject:Patient.gender pr false", "o4"),
        ("Patient", "organization.active pr true", "amina rafi"),
        ("Patient", "organization.active pr false", "lucia unknown"),
    ])
    .await;
}

#[tokio::test]
async fn re_is_a_reference_to_that_url() {
    let server = births().await;
    let base = &server.context.settings.base_url;
    for (kind, filter, expected) in [
        ("Patient", "organization re Organization/north".to_owned(), "amina rafi"),
        ("Observation", "subject re \"Patient/rafi\"".to_owned(), "o3"),
        ("Observation", format!("subject re {base}/Patient/rafi"), "o3"),
        ("Observation", "subject re http://elsewhere/Patient/rafi".to_owned(), ""),
        ("Observation", "performer re ann".to_owned(), "o1 o3"),
    ] {
        let reply = server.get(&path(kind, &filter)).await.expect(200);
        assert_eq!(reply.sorted_ids("match"), expected, "{filter}");
    }
}

#[tokio::test]
async fn and_or_and_not_are_evaluated_from_left_to_right() {
    finds(&[
        ("Patient", "gender eq female and family eq rahman", "amina"),
        ("Patient", "gender eq male or family eq gomez", "lucia rafi"),
        ("Patient", "gender eq male or gender eq female and active eq true", "amina lucia"),
        ("Patient", "gender eq male or (gender eq female and active eq true)", {
            "amina lucia rafi"
        }),
        ("Patient", "gender eq male and active eq true or family eq gomez", "lucia"),
        ("Patient", "not (gender eq male)", "amina lucia unknown"),
        ("Patient", "not (gender eq male or family eq gomez)", "amina unknown"),
        ("Patient", "not (gender eq female and family eq rahman)", "lucia rafi unknown"),
        ("Patient", "not (not (gender eq male))", "rafi"),
        ("Patient", "not (gender eq male) and not (family eq gomez)", "amina unknown"),
        ("Patient", "not (gender pr true) or family eq gomez", "lucia unknown"),
        ("Patient", "((gender eq male) or (active eq true)) and (birthdate ge 1992)", {
            "lucia rafi"
        }),
        ("Patient", "(name co a and gender eq male) or (name co o and active eq true)", {
            "lucia rafi"
        }),
        ("Patient", "not (birthdate lt 1992)", "lucia rafi unknown"),
        ("Observation", "not (value-quantity gt 50)", "o3 o4"),
    ])
    .await;
}

/// Comparisons of every kind of condition.
const COMPARISONS: [&str; 12] = [
    "gender eq female",
    "gender ne female",
    "active pr true",
    "name co a",
    "family eq gomez",
    "given ne rafi",
    "identifier eq urn:mrn|amina",
    "_id ne amina",
    "birthdate ge 1992",
    "organization re Organization/north",
    "organization.name eq south",
    "_has:Observation:patient:code eq weight",
];

/// A filter, and what it must find by the sets that its comparisons find; `next` gives numbers
/// below its argument.
fn any_filter(
    sets: &[BTreeSet<String>],
    depth: usize,
    next: &mut dyn FnMut(usize) -> usize,
) -> (String, BTreeSet<String>) {
    match if depth == 0 { 0 } else { next(4) } {
        0 => {
            let at = next(COMPARISONS.len());
            (COMPARISONS[at].to_owned(), sets[at].clone())
        }
        1 => {
            let (text, set) = any_filter(sets, depth - 1, next);
            let all: BTreeSet<_> = sets[7].union(&sets[6]).cloned().collect();
            (format!("not ({text})"), all.difference(&set).cloned().collect())
        }
        kind => {
            let (left, one) = any_filter(sets, depth - 1, next);
            let (right, other) = any_filter(sets, depth - 1, next);
            match kind {
                2 => {
                    (format!("({left}) and ({right})"), one.intersection(&other).cloned().collect())
                }
                _ => (format!("({left}) or ({right})"), one.union(&other).cloned().collect()),
            }
        }
    }
}

#[tokio::test]
async fn a_filter_finds_what_its_comparisons_find_joined_as_sets() {
    let server = births().await;
    let set = async |filter: &str| -> BTreeSet<String> {
        let reply = server.get(&path("Patient", filter)).await.expect(200);
        reply.sorted_ids("match").split_whitespace().map(str::to_owned).collect()
    };
    let mut sets = Vec::new();
    for comparison in COMPARISONS {
        sets.push(set(comparison).await);
    }
    let mut state = 7_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for _ in 0..200 {
        let (filter, expected) = any_filter(&sets, 4, &mut next);
        assert_eq!(set(&filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn paths_lead_over_references_and_back() {
    finds(&[
        ("Observation", "subject.name co \"ahma\"", "o1 o3"),
        ("Observation", "subject:Patient.gender eq male", "o3"),
        ("Observation", "subject.organization.name eq north", "o1 o3"),
        ("Observation", "subject.gender ne male", "o1 o2"),
        ("Observation", "not (subject.gender eq male)", "o1 o2 o4"),
        ("Observation", "subject.organization re Organization/south", "o2"),
        ("Patient", "_has:Observation:patient:code eq apgar", "rafi"),
        ("Patient", "_has:Observation:patient:performer.name sw ash", "amina rafi"),
        ("Patient", "_has:Observation:patient:code eq body or gender eq male", "lucia rafi"),
        ("Patient", "not (_has:Observation:patient:_id pr true)", "unknown"),
    ])
    .await;
}

#[tokio::test]
async fn brackets_hold_for_the_same_resource_that_the_path_goes_on_from() {
    finds(&[
        ("Observation", "subject[gender eq female].name co ahm", "o1"),
        ("Observation", "subject[gender eq female or active pr true].family eq gomez", "o2"),
        ("Observation", "subject[not (gender eq female)].name pr true", "o3"),
        ("Observation", "subject[gender eq female].organization[active eq true].name sw n", "o1"),
        ("Observation", "not (subject[gender eq female].name pr true)", "o3 o4"),
        ("Observation", "subject[organization.name eq south].gender eq female", "o2"),
        ("Patient", "_has:Observation:patient:performer[name eq ashe]._id pr true", "amina rafi"),
        ("Group", "member[gender eq female].name co rahman", "all"),
    ])
    .await;
}

#[tokio::test]
async fn an_additional_parameter_asks_for_both_values_of_one_element() {
    finds(&[
        ("Group", "characteristic[code eq http://c|ward].value eq http://w|east", "all"),
        ("Group", "characteristic[code eq ward].value eq true", ""),
        ("Group", "characteristic[code eq twin].value eq true", "all"),
        ("Group", "not (characteristic[code eq ward].value eq true)", "all"),
    ])
    .await;
}

#[tokio::test]
async fn filters_hold_together_and_beside_other_parameters() {
    let server = births().await;
    let (women, north) = (encoded("gender eq female"), encoded("organization.name eq north"));
    for (path, expected) in [
        (format!("Patient?_filter={women}&_filter={north}"), "amina"),
        (format!("Patient?_filter={women}&family=gomez"), "lucia"),
        (format!("Patient?_filter={women}&_id=rafi"), ""),
        (format!("?_type=Patient,Observation&_filter={}", encoded("_id eq o1 or _id eq rafi")), {
            "o1 rafi"
        }),
        (format!("Patient/amina/Observation?_filter={}", encoded("code eq weight")), "o1"),
        (format!("Observation?_filter={}", encoded("_id eq o3")), "o3"),
    ] {
        let reply = server.get(&path).await.expect(200);
        assert_eq!(reply.sorted_ids("match"), expected, "{path}");
    }
    let one = format!("Observation?_include=Observation:subject&_filter={}", encoded("_id eq o3"));
    assert_eq!(server.get(&one).await.expect(200).ids("include"), ["rafi"]);
    let form = format!("_filter={women}&_filter={north}");
    let posted = server
        .request("POST", "Patient/_search")
        .body("application/x-www-form-urlencoded", form)
        .send()
        .await
        .expect(200);
    assert_eq!(posted.sorted_ids("match"), "amina");
}

#[tokio::test]
async fn links_of_a_page_keep_the_filter() {
    let server = births().await;
    let filter = "not (gender eq \"male\") or name co \"raf\"";
    let first = server.get(&format!("{}&_count=3", path("Patient", filter))).await.expect(200);
    let own = first.link("self").unwrap();
    let parameters = url::Url::parse(own).unwrap();
    let applied: Vec<_> = parameters.query_pairs().filter(|(name, _)| name == "_filter").collect();
    assert_eq!(applied.len(), 1, "{own}");
    assert_eq!(applied[0].1, filter);
    assert_eq!(server.get(own).await.expect(200).sorted_ids("match"), first.sorted_ids("match"));
    let next = first.link("next").unwrap();
    assert!(!next.contains("gender"), "{next}");
    let second = server.get(next).await.expect(200);
    let all = format!("{} {}", first.sorted_ids("match"), second.sorted_ids("match"));
    let all: BTreeSet<&str> = all.split(' ').collect();
    assert_eq!(all, BTreeSet::from(["amina", "lucia", "rafi", "unknown"]));
    assert_eq!(second.link("next"), None);
}

#[tokio::test]
async fn conditional_interactions_take_a_filter_as_criteria() {
    let server = TestServer::start().await;
    let both = encoded("identifier eq urn:mrn|1 and gender eq female");
    let mother = || patient().identifier("urn:mrn", "1").with("gender", "female");
    let created = server.create_if_none_exist(mother(), &format!("_filter={both}")).await;
    let id = created.expect(201).id().to_owned();
    let again = server.create_if_none_exist(mother(), &format!("_filter={both}")).await;
    assert_eq!(again.expect(200).id(), id);
    let renamed: Value = mother().family("B").into();
    let updated = server.put(&format!("Patient?_filter={both}"), &renamed).await;
    assert_eq!(updated.expect(200).id(), id);
    let none = encoded("identifier eq urn:mrn|2 or not (gender pr true)");
    server.delete(&format!("Patient?_filter={none}")).await.expect(204);
    assert_eq!(server.count("Patient").await, 1);
    // Names that are not known are refused, whatever the client prefers.
    let wrong = encoded("nmae eq a");
    let reply = server.create_if_none_exist(mother(), &format!("_filter={wrong}")).await;
    reply.expect_outcome(400, "not-supported");
    server.delete(&format!("Patient?_filter={both}")).await.expect(204);
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn a_conditional_reference_by_a_filter_finds_what_its_transaction_stores() {
    let server = TestServer::start().await;
    for (number, filter) in [
        "identifier eq urn:mrn|N and gender eq female",
        "identifier eq urn:mrn|N and (gender eq male or not (active eq true))",
        "identifier eq urn:mrn|N and family ew \"hman\" and family ge q and family ne x",
        "identifier eq urn:mrn|N and not (gender ne female) and birthdate co 1990-05-01",
    ]
    .into_iter()
    .enumerate()
    {
        let number = number.to_string();
        let filter = encoded(&filter.replace('N', &number)).replace('+', "%20");
        let mother = patient().identifier("urn:mrn", &number).with("gender", "female");
        let mother = mother.family("Rahman").without("active").with("birthDate", "1990-05-01");
        let about: Value = observation().subject(&format!("Patient?_filter={filter}")).into();
        let request = |url: &str| json!({"method": "POST", "url": url});
        let entries = [
            json!({"request": request("Observation"), "resource": about}),
            json!({"request": request("Patient"), "resource": Value::from(mother)}),
        ];
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        let reply = server.post("", &bundle).await.expect(200);
        let place = |at: usize| {
            let location = reply.body["entry"][at]["response"]["location"].as_str().unwrap();
            let path = location.split("/fhir/").nth(1).unwrap();
            path.split("/_history").next().unwrap().to_owned()
        };
        let stored = server.get(&place(0)).await.expect(200);
        assert_eq!(stored.body["subject"]["reference"], place(1), "{filter}");
    }
}

#[tokio::test]
async fn a_filter_never_leads_through_what_the_caller_may_not_see() {
    let server = births().await;
    let store = &server.context.store;
    let permit = server.permit_about("Patient/rafi").await;
    for (kind, filter, expected) in [
        ("Observation", "code pr true", 1),
        ("Observation", "not (code eq weight)", 1),
        ("Observation", "code eq weight or code eq apgar", 1),
        ("Observation", "(code eq weight and status eq final) or date pr true", 1),
        ("Observation", "subject.name eq rahman", 1),
        // Not seen: who took it, and its hospital.
        ("Observation", "performer.name eq ashe", 0),
        ("Observation", "performer[name eq ashe]._id pr true", 0),
        ("Observation", "not (performer.name eq ashe)", 1),
        ("Patient", "organization.name eq north", 0),
        ("Patient", "organization.name pr false", 1),
        ("Patient", "_has:Observation:patient:code eq apgar", 1),
        ("Patient", "_has:Observation:patient:code eq weight", 0),
        ("Patient", "_has:Group:member:_id pr true or gender eq female", 0),
    ] {
        let scope = SearchScope::Type(ResourceType::parse(kind).unwrap());
        let parameters = [("_filter".to_owned(), filter.to_owned())];
        let plan = server.context.plan(&scope, &parameters, Handling::Strict).unwrap();
        let page = store.search(&permit, &plan).await.unwrap();
        assert_eq!(page.matches.len(), expected, "{kind}: {filter}");
    }
}

#[tokio::test]
async fn a_filter_that_cannot_be_read_is_400_and_says_where_and_why() {
    let server = TestServer::start().await;
    for (kind, filter, code, hint) in [
        ("Patient", "name", "invalid", "character 5"),
        ("Patient", "name is a", "invalid", "'is a' at character 6"),
        ("Patient", "name eq a)", "invalid", "')' at character 10"),
        ("Patient", "name eq \"a", "invalid", "JSON"),
        ("Patient", "gender co male", "invalid", "The operator co is not for gender"),
        ("Patient", "organization eq Organization/1", "invalid", "pr re"),
        ("Patient", "nmae eq a", "not-supported", "near names are name"),
        ("Observation", "subject.nmae eq a", "not-supported", "nmae"),
        ("RiskAssessment", "probability co 1", "not-supported", "precision"),
        ("Patient", "birthdate ge yesterday", "value", "'birthdate ge yesterday'"),
    ] {
        let reply = server.get(&path(kind, filter)).await.expect_outcome(400, code);
        let text = reply.body["issue"][0]["diagnostics"].as_str().unwrap_or_default();
        assert!(text.contains(hint), "{filter}: {text}");
        assert_eq!(reply.expressions(), ["http._filter"], "{filter}");
    }
    let deep = format!("{}gender eq male{}", "(".repeat(17), ")".repeat(17));
    for filter in [vec!["gender eq male"; 65].join(" or "), deep] {
        server.get(&path("Patient", &filter)).await.expect_outcome(400, "too-costly");
    }
}

#[tokio::test]
async fn the_largest_filter_is_answered() {
    let server = births().await;
    let one = "subject[gender eq female and active eq true].name co a";
    let parts: Vec<String> = (0..21).map(|_| format!("(not ({one}))")).collect();
    let mixed = parts.iter().enumerate().fold(String::new(), |text, (at, part)| match at {
        0 => part.clone(),
        _ => format!("{text} {} {part}", if at % 2 == 0 { "and" } else { "or" }),
    });
    let reply = server.get(&path("Observation", &mixed)).await.expect(200);
    assert_eq!(reply.sorted_ids("match"), "o3 o4");
    // Each change of the word puts what stands before it one level deeper.
    let parts = ["name co a", "gender ne x", "active eq true", "identifier pr true"];
    let changing = (1..64).fold("family eq gomez".to_owned(), |text, at| {
        format!("{text} {} {}", if at % 2 == 0 { "and" } else { "or" }, parts[at % 4])
    });
    let reply = server.get(&path("Patient", &changing)).await.expect(200);
    assert_eq!(reply.sorted_ids("match"), "amina lucia rafi");
    let deep = format!("{}gender eq male{}", "not (".repeat(16), ")".repeat(16));
    assert_eq!(server.get(&path("Patient", &deep)).await.expect(200).sorted_ids("match"), "rafi");
}
