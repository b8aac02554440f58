//! Pages as of the first one (http.html#paging): what is written between two pages changes none
//! of them.

use super::harness::{Reply, TestServer};
use super::search_oracle::random::Random;
use serde_json::{Value, json};

const SYSTEM: &str = "http://codes.example";
const CODES: [&str; 3] = ["a", "b", "c"];
const STATUSES: [&str; 3] = ["final", "amended", "preliminary"];
const FAMILIES: [&str; 4] = ["Akter", "begum", "Rahmán", "Rahman"];

/// A resource as a page shows it.
type Shown = (String, String);

fn shown(reply: &Reply) -> Vec<Shown> {
    let entries = reply.body["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    let matches = entries.iter().filter(|entry| entry["search"]["mode"] == "match");
    let of = |entry: &Value| {
        let resource = &entry["resource"];
        (
            format!("{}/{}", resource["resourceType"], resource["id"]).replace('"', ""),
            resource["meta"]["versionId"].as_str().unwrap().to_owned(),
        )
    };
    matches.map(of).collect()
}

fn random_patient(random: &mut Random, id: &str) -> Value {
    let mut value = json!({"resourceType": "Patient", "id": id, "active": random.below(2) == 0});
    if random.below(4) > 0 {
        let family = random.pick(&FAMILIES);
        value["name"] = json!([{"family": family}, {"given": [random.pick(&FAMILIES)]}]);
    }
    if random.below(3) > 0 {
        value["birthDate"] = json!(format!("19{}0-01-0{}", random.below(10), 1 + random.below(3)));
    }
    value
}

fn random_observation(random: &mut Random, id: &str) -> Value {
    let code = json!({"coding": [{"system": SYSTEM, "code": random.pick(&CODES)}]});
    let mut value = json!({
        "resourceType": "Observation", "id": id, "code": code,
        "status": random.pick(&STATUSES),
        "subject": {"reference": format!("Patient/p{}", random.below(6))},
    });
    if random.below(4) > 0 {
        value["effectiveDateTime"] =
            json!(format!("202{}-0{}", random.below(4), 1 + random.below(9)));
    }
    if random.below(3) > 0 {
        value["valueQuantity"] = json!({
            "value": random.below(40), "unit": "mg", "code": "mg",
            "system": "http://unitsofmeasure.org"
        });
    }
    value
}

fn random_resource(random: &mut Random) -> Value {
    match random.below(3) {
        0 => {
            let id = format!("p{}", random.below(12));
            random_patient(random, &id)
        }
        _ => {
            let id = format!("o{}", random.below(40));
            random_observation(random, &id)
        }
    }
}

/// Criteria that are about the resource alone, and orders of each kind.
const QUERIES: [&str; 22] = [
    "Observation?",
    "Observation?_sort=_lastUpdated",
    "Observation?_sort=-_lastUpdated,_id",
    "Observation?_sort=status,-date,_id",
    "Observation?_sort=value-quantity",
    "Observation?_sort=-value-quantity,code",
    "Observation?_sort=-subject,date",
    "Observation?code=http://codes.example|a",
    "Observation?code=b,c&status:not=final",
    "Observation?code=a&_sort=-date",
    "Observation?patient=Patient/p1,Patient/p2",
    "Observation?patient=p3&date=ge2021",
    "Observation?value-quantity=gt0.015|http://unitsofmeasure.org|g&_sort=-date",
    "Observation?code-value-quantity=a$lt20,b$gt10",
    "Observation?date:missing=true",
    "Observation?_filter=status eq final or (value-quantity gt 10 and not (code eq b))",
    "Patient?_sort=family,-birthdate",
    "Patient?_sort=-given&active=true",
    "Patient?name=rah&_sort=birthdate",
    "Patient/p1/Observation?_sort=status",
    "Patient/p2/*?",
    "?_type=Patient,Observation&_sort=-_lastUpdated",
];

/// Somebody writes between the pages: updates, deletes, creates again and anew.
async fn write(server: &TestServer, random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let resource = random_resource(random);
        let path = format!("{}/{}", resource["resourceType"], resource["id"]).replace('"', "");
        match random.below(32) {
            3..11 => drop(server.delete(&path).await),
            0 => {
                let mut new = random_observation(random, "");
                new.as_object_mut().unwrap().remove("id");
                server.create(new).await.expect(201);
            }
            _ => drop(server.update(resource).await),
        }
    }
}

#[tokio::test]
async fn all_pages_show_what_the_first_saw_whatever_is_written_between_them() {
    let (server, other) = TestServer::start_pair().await;
    let seed = std::env::var("BHN_PAGES_SEED").map_or(7, |seed| seed.parse().unwrap());
    let rounds = std::env::var("BHN_PAGES_ROUNDS").map_or(40, |rounds| rounds.parse().unwrap());
    let random = &mut Random::new(seed);
    for number in 0..12 {
        server.update(random_patient(random, &format!("p{number}"))).await.expect(201);
    }
    for number in 0..40 {
        server.update(random_observation(random, &format!("o{number}"))).await.expect(201);
    }
    for round in 0..rounds {
        let query = random.pick(&QUERIES);
        let and = if query.ends_with('?') { "" } else { "&" };
        let whole =
            server.get(&format!("{query}{and}_count=1000&_total=accurate")).await.expect(200);
        let expected = shown(&whole);
        let count = 1 + random.below(7);
        let first =
            server.get(&format!("{query}{and}_count={count}&_total=accurate")).await.expect(200);
        let mut seen = shown(&first);
        let mut page = first.clone();
        let said =
            |what: &str| format!("seed {seed}, round {round}, {query}, {count} a page: {what}");
        while let Some(next) = page.link("next").map(str::to_owned) {
            write(&other, random).await;
            // A link is good on every node.
            let node = random.pick(&[&server, &other]);
            page = node.get(&next.replace(server.base(), node.base())).await.expect(200);
            assert_eq!(page.body["total"], first.body["total"], "{}", said("total"));
            let of_page = shown(&page);
            // And back.
            if random.below(4) == 0 {
                let previous = page.link("previous").expect("a page before").to_owned();
                let previous = previous.replace(server.base(), node.base());
                let before = shown(&node.get(&previous).await.expect(200));
                assert_eq!(before, seen[seen.len() - before.len()..], "{}", said("previous"));
                assert_eq!(before.len(), count, "{}", said("length of previous"));
            }
            seen.extend(of_page);
        }
        let missed: Vec<_> = expected.iter().filter(|one| !seen.contains(one)).collect();
        let added: Vec<_> = seen.iter().filter(|one| !expected.contains(one)).collect();
        assert!(seen == expected, "{} missed {missed:?} added {added:?}", said("whole result"));
        if let Some(link) = page.link("first").map(str::to_owned) {
            write(&other, random).await;
            let node = server.base();
            let again = server.get(&link.replace(other.base(), node)).await.expect(200);
            assert_eq!(shown(&again), expected[..count.min(expected.len())], "{}", said("first"));
        }
    }
}
