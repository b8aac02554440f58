//! Resources beside the Synthea set, for what is not in it: places, value sets, answers to
//! questionnaires, probabilities, documents, lists, contained resources, and observations with two
//! codings. There are enough of each that reading them all is not mistaken for little.

use crate::client::Client;
use crate::floor::sql;
use crate::server::Server;
use crate::synthea::mix;
use crate::work::Work;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bundles, and resources of each kind in one.
const BUNDLES: u64 = 1_000;
const EACH: u64 = 30;
/// Questionnaires that the answers are to.
const QUESTIONNAIRES: u64 = 50;

const FAMILIES: [&str; 8] =
    ["Akhter", "Begum", "Chowdhury", "Dupont", "Hossain", "Islam", "Rahman", "Talukder"];

/// Stores them, where the store has not all of them.
pub fn fill(server: &Server, work: &Work) -> Result<(), String> {
    let count = "select count(*) from resource join resource_type using (type) \
         where name = 'ValueSet' and not deleted";
    let held: u64 = sql(server, "bhn_fhir", count)?.parse().map_err(|_| "no number")?;
    let done = AtomicU64::new(held / EACH);
    if held / EACH >= BUNDLES {
        return Ok(());
    }
    eprintln!("making {} resources of some kinds", BUNDLES - held / EACH);
    let one = || -> Result<(), String> {
        let mut client = Client::connect(&server.host)?;
        loop {
            let number = done.fetch_add(1, Ordering::Relaxed);
            if number >= BUNDLES {
                return Ok(());
            }
            work.transact(&mut client, &bundle(number))?;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        for thread in threads {
            thread.join().map_err(|_| "a client panicked")??;
        }
        Ok::<(), String>(())
    })?;
    let mut client = Client::connect(&server.host)?;
    for resource in terms() {
        let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
        let path = format!("/fhir/{}/{}", text("resourceType"), text("id"));
        let reply = client.send("PUT", &path, resource.to_string().as_bytes())?;
        if !(200..300).contains(&reply.status) {
            return Err(format!("{path}: {}", String::from_utf8_lossy(&reply.body)));
        }
    }
    sql(server, "bhn_fhir", "vacuum analyze").map(drop)
}

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";

/// A value set of some codes, and a code system with a hierarchy.
fn terms() -> [Value; 2] {
    let codes = json!([{"code": "29463-7"}, {"code": "8302-2"}]);
    [
        json!({"resourceType": "ValueSet", "id": "made-weights", "status": "active",
            "url": "http://made.example/weights",
            "compose": {"include": [{"system": "http://loinc.org", "concept": codes}]}}),
        json!({"resourceType": "CodeSystem", "id": "made-clinical", "status": "active",
            "url": CLINICAL, "content": "complete", "concept": [
                {"code": "active", "concept": [{"code": "recurrence"}]},
                {"code": "inactive", "concept": [{"code": "resolved"}]}]}),
    ]
}

fn bundle(number: u64) -> Value {
    let mut entries = Vec::new();
    let mut add = |url: String, resource: Value| {
        let method = json!({"method": "POST", "url": resource["resourceType"]});
        entries.push(json!({"fullUrl": url, "resource": resource, "request": method}));
    };
    let url = |kind: u64, index: u64| {
        let (high, low) = (mix(number ^ (kind << 32)), mix(number << 16 | index));
        let (high, low) = ((high & !0xf000) | 0x4000, (low & !(3 << 62)) | (2 << 62));
        let (high, low) = (format!("{high:016x}"), format!("{low:016x}"));
        let (a, b, c) = (&high[..8], &high[8..12], &high[12..]);
        format!("urn:uuid:{a}-{b}-{c}-{}-{}", &low[..4], &low[4..])
    };
    let to = |url: String| json!({"reference": url});
    let (organization, practitioner, encounter) = (url(0, 0), url(0, 1), url(0, 2));
    add(
        organization.clone(),
        json!({"resourceType": "Organization", "active": true, "name": format!("Made {number}")}),
    );
    add(
        practitioner.clone(),
        json!({"resourceType": "Practitioner", "name": [{"family": family(number)}]}),
    );
    add(encounter.clone(), of_encounter(json!({"partOf": to(url(0, 3))})));
    add(url(0, 3), of_encounter(json!({"serviceProvider": to(organization.clone())})));
    if number < QUESTIONNAIRES {
        let at = format!("http://made.example/Questionnaire/{number}");
        add(
            url(0, 4),
            json!({"resourceType": "Questionnaire", "url": at, "version": "1",
                "status": "active"}),
        );
    }
    for index in 0..EACH {
        let serial = number * EACH + index;
        let subject = to(url(1, index));
        add(
            url(1, index),
            json!({"resourceType": "Patient", "active": !serial.is_multiple_of(9),
                "identifier": [{"system": "urn:made", "value": format!("P{serial}")}],
                "name": [{"family": format!("{} {}", family(serial), serial % 1_000),
                    "given": [format!("G{}", serial % 300)]}],
                "gender": if serial.is_multiple_of(2) { "female" } else { "male" },
                "birthDate": day(serial, 1940, 80),
                "generalPractitioner": [to(practitioner.clone())],
                "managingOrganization": to(organization.clone())}),
        );
        add(url(2, index), observation(serial, &subject, &to(practitioner.clone())));
        let part = if index == 0 { json!({}) } else { json!({"partOf": to(url(3, 0))}) };
        let place = mix(serial);
        let (north, east) = (place % 18_000, place / 18_000 % 36_000);
        add(
            url(3, index),
            merged(
                json!({"resourceType": "Location", "status": "active",
                    "name": format!("Place {serial}"),
                    "position": {"latitude": north as f64 / 100.0 - 90.0,
                        "longitude": east as f64 / 100.0 - 180.0}}),
                part,
            ),
        );
        add(
            url(4, index),
            json!({"resourceType": "ValueSet", "status": "active", "version": "1",
                "url": format!("http://made.example/{}/ValueSet/{serial}", serial % 7)}),
        );
        let questionnaire = serial % QUESTIONNAIRES;
        let at = format!("http://made.example/Questionnaire/{questionnaire}|1");
        add(
            url(5, index),
            json!({"resourceType": "QuestionnaireResponse", "status": "completed",
                "questionnaire": at, "subject": subject, "authored": day(serial, 2010, 12)}),
        );
        add(
            url(6, index),
            json!({"resourceType": "RiskAssessment", "status": "final", "subject": subject,
                "prediction": [{"probabilityDecimal": (serial % 1_000) as f64 / 1_000.0}]}),
        );
        let kind =
            if serial.is_multiple_of(10) { "text/xml;charset=utf-8" } else { "application/pdf" };
        add(
            url(7, index),
            json!({"resourceType": "DocumentReference", "status": "current", "subject": subject,
                "content": [{"attachment": {"contentType": kind, "url": "http://made.example/d"}}]
            }),
        );
        add(url(8, index), dispense(serial, &subject));
    }
    let subject = to(url(1, 0));
    let items: Vec<Value> = (0..EACH).map(|index| json!({"item": to(url(2, index))})).collect();
    add(
        url(0, 5),
        json!({"resourceType": "List", "status": "current", "mode": "working", "entry": items}),
    );
    add(
        url(0, 6),
        json!({"resourceType": "Provenance", "recorded": "2020-01-01T00:00:00Z",
            "target": [to(url(5, 0))], "agent": [{"who": to(practitioner.clone())}]}),
    );
    add(
        url(0, 7),
        json!({"resourceType": "Procedure", "status": "completed", "subject": subject,
            "location": to(url(3, 1))}),
    );
    add(
        url(0, 8),
        json!({"resourceType": "MedicationAdministration", "status": "completed",
            "subject": subject, "context": to(encounter), "effectiveDateTime": "2020-01-01",
            "medicationCodeableConcept": {"text": "made"}}),
    );
    add(
        url(0, 9),
        json!({"resourceType": "Encounter", "status": "planned",
            "class": {"code": "AMB"}, "location": [{"location": to(url(3, 2))}]}),
    );
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

/// What was dispensed, and from where, is in the resource itself.
fn dispense(serial: u64, subject: &Value) -> Value {
    let code = json!({"system": "http://made.example", "code": format!("m{}", serial % 40)});
    json!({"resourceType": "MedicationDispense", "status": "completed", "subject": subject,
        "contained": [
            {"resourceType": "Medication", "id": "m", "status": "active",
                "code": {"coding": [code]}},
            {"resourceType": "Location", "id": "l", "name": format!("Ward {}", serial % 500)}],
        "medicationReference": {"reference": "#m"}, "location": {"reference": "#l"}})
}

fn of_encounter(part: Value) -> Value {
    merged(
        json!({"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}}),
        part,
    )
}

/// A local code first, and then what it is elsewhere: the code of a habit, which is the main
/// one of other observations; one that is nowhere the main one; a rare one.
fn observation(serial: u64, subject: &Value, performer: &Value) -> Value {
    let second = match serial % 4 {
        0 => json!({"system": "http://loinc.org", "code": "72166-2"}),
        1 => json!({"system": "http://made.example/rare", "code": format!("{}", serial % 500)}),
        _ => json!({"system": "http://made.example/further", "code": "often"}),
    };
    let first = json!({"system": "http://made.example/main", "code": format!("m{}", serial % 3)});
    json!({"resourceType": "Observation", "status": "final", "subject": subject,
        "performer": [performer], "code": {"coding": [first, second]},
        "effectiveDateTime": day(mix(serial), 2000, 20),
        "valueQuantity": {"value": (serial % 900) as f64 / 10.0, "unit": "kg",
            "system": "http://unitsofmeasure.org", "code": "kg"}})
}

fn merged(mut resource: Value, part: Value) -> Value {
    if let (Value::Object(all), Value::Object(part)) = (&mut resource, part) {
        all.extend(part);
    }
    resource
}

fn family(serial: u64) -> &'static str {
    FAMILIES[serial as usize % FAMILIES.len()]
}

/// A day in so many years from one on.
fn day(serial: u64, from: u64, years: u64) -> String {
    format!("{}-{:02}-{:02}", from + serial % years, serial / 80 % 12 + 1, serial / 960 % 28 + 1)
}
