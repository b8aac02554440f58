//! Who saw what, for those who answer for it: reports over a corpus of known events. SECURITY.md,
//! AU-14 and AU-16.

use super::harness::{Audited, Role, ServerProcess, observation, patient, principal};
use serde_json::{Value, json};

/// Two doctors, of whom one has the name of a patient and looks at everybody, and seven patients.
struct Corpus {
    server: Audited,
    patients: Vec<String>,
}

impl Corpus {
    async fn start() -> Corpus {
        let server = Audited::start().await;
        for (id, family) in [("ada", "Khatun"), ("eve", "Begum")] {
            let doctor = json!({ "resourceType": "Practitioner", "id": id,
                "name": [{ "family": family }] });
            server.put(&format!("Practitioner/{id}"), &doctor).await.expect(201);
        }
        let mut patients = Vec::new();
        for family in ["Khatun", "KHATUN", "Roy", "Das", "Sen", "Bose", "=cmd()"] {
            let named = patient().with("name", json!([{ "family": family }]));
            patients.push(server.create(named).await.expect(201).id().to_owned());
        }
        for (name, seen) in [("ada", 7), ("eve", 2)] {
            let mut one = principal(name, Role::Admin, "user/*.rs");
            one.links.fhir_user = Some(server.link(&format!("Practitioner/{name}")).await);
            let client = server.as_principal(one);
            for id in patients.iter().rev().take(seen) {
                let request = client.request("GET", &format!("Patient/{id}"));
                request.header("Purpose-Of-Use", "TREAT").send().await.expect(200);
            }
            client.get("Patient/none").await.expect(404);
        }
        server.ship().await;
        Corpus { server, patients }
    }

    fn report(&self, arguments: &[&str]) -> Vec<Vec<String>> {
        let arguments = [&["audit", "report"], arguments].concat();
        let (status, said) = ServerProcess::command_on(&self.server.database, &arguments);
        assert!(status.success(), "{said}");
        let cells = |line: &str| line.split(',').map(str::to_owned).collect();
        said.lines().map(cells).collect()
    }
}

#[tokio::test]
async fn au_14_everybody_who_saw_a_patient_is_named_with_what_and_when() {
    let corpus = Corpus::start().await;
    let patient = &corpus.patients[6];
    let rows = corpus.report(&["access", "--patient", patient]);
    assert_eq!(rows[0][0], "recorded");
    let of = |row: &Vec<String>, column: &str| {
        row[rows[0].iter().position(|name| name == column).unwrap()].clone()
    };
    let seen: Vec<(String, String, String)> = rows[1..]
        .iter()
        .map(|row| (of(row, "interaction"), of(row, "person"), of(row, "purposes")))
        .collect();
    let expected = [
        ("create", "", ""),
        ("read", "Practitioner/ada", "TREAT"),
        ("read", "Practitioner/eve", "TREAT"),
    ];
    assert_eq!(seen, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
    for row in &rows[1..] {
        assert_eq!(of(row, "resources"), format!("Patient/{patient}/_history/1"));
        assert_eq!(of(row, "patient"), format!("Patient/{patient}"));
        assert!(of(row, "recorded").starts_with("20"), "{row:?}");
    }
    let later = corpus.report(&["access", "--patient", patient, "--from", "2999-01-01"]);
    assert_eq!(later.len(), 1, "the names of columns alone");
    let (status, _) =
        ServerProcess::command_on(&corpus.server.database, &["audit", "report", "access"]);
    assert!(!status.success(), "a patient is wanted");
}

#[tokio::test]
async fn au_16_same_surname() {
    let corpus = Corpus::start().await;
    let rows = corpus.report(&["same-surname"]);
    let found: Vec<[&str; 3]> =
        rows[1..].iter().map(|row| [row[0].as_str(), row[1].as_str(), row[2].as_str()]).collect();
    let mut patients = [0, 1].map(|place| format!("Patient/{}", corpus.patients[place]));
    patients.sort();
    let expected = patients.each_ref().map(|patient| ["khatun", "Practitioner/ada", patient]);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn au_16_mass_access() {
    let corpus = Corpus::start().await;
    let rows = corpus.report(&["mass-access", "--more-than", "6"]);
    let found: Vec<(&str, &str)> =
        rows[1..].iter().map(|row| (row[1].as_str(), row[5].as_str())).collect();
    assert_eq!(found, [("account/ada", "7"), ("insecure-no-auth", "7")]);
    assert_eq!(corpus.report(&["mass-access", "--more-than", "7"]).len(), 1);
    assert_eq!(corpus.report(&["mass-access"]).len(), 1, "50 by default");
}

#[tokio::test]
async fn au_16_after_hours() {
    let corpus = Corpus::start().await;
    let hour = |offset: u32| {
        use chrono::Timelike;
        (corpus.server.context.clock.now().hour() + offset) % 24
    };
    let now = format!("{}-{}", hour(23), hour(2));
    let rows = corpus.report(&["after-hours", "--night", &now]);
    let found: Vec<(&str, &str)> =
        rows[1..].iter().map(|row| (row[1].as_str(), row[4].as_str())).collect();
    assert_eq!(found, [("account/ada", "7"), ("account/eve", "2")], "who has no role is no staff");
    let later = format!("{}-{}", hour(3), hour(22));
    assert_eq!(corpus.report(&["after-hours", "--night", &later]).len(), 1);
    // The hours are those of the zone.
    let zone = ["--night", &now, "--default-zone", "+11:00"];
    assert_eq!(corpus.report(&[&["after-hours"], &zone[..]].concat()).len(), 1);
}

#[tokio::test]
async fn au_16_export_volume() {
    let corpus = Corpus::start().await;
    let mut ehr = principal("ehr", Role::Admin, "user/*.rs");
    ehr.links.fhir_user = Some(corpus.server.link("Practitioner/ehr").await);
    let client = corpus.server.as_principal(ehr);
    let mut resource: Value = observation().into();
    resource["subject"] = json!({ "reference": format!("Patient/{}", corpus.patients[0]) });
    for _ in 0..5 {
        corpus.server.post("Observation", &resource).await.expect(201);
    }
    for _ in 0..3 {
        client.get("Observation").await.expect(200);
    }
    corpus.server.ship().await;
    let rows = corpus.report(&["export-volume", "--more-than", "10"]);
    let found: Vec<(&str, &str)> =
        rows[1..].iter().map(|row| (row[1].as_str(), row[4].as_str())).collect();
    assert_eq!(found, [("account/ehr", "15")]);
}

#[tokio::test]
async fn au_16_refusals() {
    let corpus = Corpus::start().await;
    let rows = corpus.report(&["refusals", "--more-than", "0"]);
    let mut found: Vec<(&str, &str)> =
        rows[1..].iter().map(|row| (row[1].as_str(), row[5].as_str())).collect();
    found.sort_unstable();
    assert_eq!(found, [("account/ada", "1"), ("account/eve", "1")]);
}

#[tokio::test]
async fn a_cell_that_spreadsheets_would_calculate_is_text() {
    let corpus = Corpus::start().await;
    let sum = json!({ "resourceType": "Practitioner", "id": "sum",
        "name": [{ "family": "=cmd()" }] });
    corpus.server.put("Practitioner/sum", &sum).await.expect(201);
    let mut one = principal("sum", Role::Admin, "user/*.rs");
    one.links.fhir_user = Some(corpus.server.link("Practitioner/sum").await);
    let client = corpus.server.as_principal(one);
    client.get(&format!("Patient/{}", corpus.patients[6])).await.expect(200);
    corpus.server.ship().await;
    let rows = corpus.report(&["same-surname"]);
    assert!(rows.iter().any(|row| row[0] == "'=cmd()"), "{rows:?}");
}
