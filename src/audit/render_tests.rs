use super::*;
use crate::access::{Asker, Caller, Link, Links, Origin, Principal, Role, Scopes};
use crate::audit::{Seed, Touched};
use crate::fhir::interaction::{Interaction, SearchScope, Unless, WriteGuard};
use crate::fhir::resource::{Id, Resource, ResourceKey};
use crate::fhir::validation;
use crate::limits::Limits;
use chrono::DateTime;

const BASE: &str = "https://bhn.example/fhir";

fn key(text: &str) -> ResourceKey {
    ResourceKey::parse(text).unwrap()
}

fn asker() -> Asker {
    let link = |text| Link { key: key(text), rid: 1 };
    let principal = Principal {
        name: "account/1".to_owned(),
        client_id: "app".to_owned(),
        grant: 1,
        token_id: "jti-1".to_owned(),
        scopes: Scopes::default(),
        role: Role::Doctor,
        links: Links {
            fhir_user: Some(link("Practitioner/p")),
            organizations: vec![link("Organization/o")],
            ..Links::default()
        },
        launch: Default::default(),
        methods: Vec::new(),
        signed_in: None,
    };
    let origin = Origin {
        address: Some("192.0.2.7".parse().unwrap()),
        user_agent: Some("app/1".to_owned()),
        request_id: "request-0001".to_owned(),
        ..Origin::default()
    };
    Asker { caller: Caller::Principal(principal.into()), origin }
}

fn touched(text: &str, action: Option<Action>, patients: &[&str]) -> Touched {
    let patients = patients.iter().map(|id| Id::parse(id).unwrap()).collect();
    Touched { key: key(text), version: Some(2), action, patients }
}

fn id(nth: u32) -> AuditId {
    AuditId { node: "node-1".to_owned(), seq: 7, nth }
}

fn rendered(interaction: &Interaction, touched: &[Touched], nth: u32) -> Value {
    let seed = Seed::of(&asker(), interaction);
    let event = seed.succeeded(DateTime::UNIX_EPOCH, 200, touched);
    let value = render(&id(nth), &event, BASE, &View::All);
    if let Err(issues) = validation::validate(&value, &Limits::default()) {
        panic!("{issues:?}\n{value:#}");
    }
    value
}

fn read() -> Interaction {
    Interaction::Read { key: key("Observation/1"), unless: Unless::default() }
}

fn search() -> Interaction {
    let parameters = vec![("name".to_owned(), "Ö&x".to_owned())];
    let kind = crate::fhir::definitions::ResourceType::parse("Patient").unwrap();
    Interaction::Search { scope: SearchScope::Type(kind), parameters }
}

/// What IHE BALP 1.1 asks of a profile: subtypes of which one is there, action, codes of the types
/// of client, server and user, types of entities that are there once.
type Rules = (&'static [&'static str], &'static str, [&'static str; 3], &'static [&'static str]);

fn rules(profile: &str) -> Option<Rules> {
    const BOTH: &[&str] = &["1", "2"];
    const DATA: &[&str] = &["2"];
    let rest = profile.strip_prefix("IHE.BasicAudit.")?;
    let (is_patient, name) = match rest.strip_prefix("Patient") {
        Some(name) => (true, name),
        None => (false, rest),
    };
    let entities = if is_patient { BOTH } else { DATA };
    Some(match name {
        "Read" => (&["read", "vread"], "R", ["110152", "110153", "IRCP"], entities),
        "Query" => (
            &["search", "search-type", "search-system"],
            "E",
            ["110153", "110152", "IRCP"],
            entities,
        ),
        "Create" => (&["create"], "C", ["110153", "110152", "AUT"], entities),
        "Update" => (&["update", "patch"], "U", ["110153", "110152", "AUT"], entities),
        "Delete" => (&["delete"], "D", ["110150", "custodian", "AUT"], entities),
        _ => return None,
    })
}

fn codes(concept: &Value) -> Vec<&str> {
    let codings = concept["coding"].as_array().map(Vec::as_slice).unwrap_or_default();
    codings.iter().filter_map(|coding| coding["code"].as_str()).collect()
}

/// Checks an AuditEvent against the profile that it says to follow.
fn follows(value: &Value, profile: &str) {
    let prefix = format!("{BALP}/StructureDefinition/");
    let profiles: Vec<&str> = value["meta"]["profile"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|url| url.as_str()?.strip_prefix(prefix.as_str()))
        .collect();
    assert!(profiles.contains(&profile), "{profiles:?}");
    assert!(profiles.contains(&"IHE.BasicAudit.OAUTHaccessTokenUse.Minimal"));
    let (subtypes, action, agents, entities) = rules(profile).unwrap();
    assert_eq!(value["type"]["code"], "rest");
    assert_eq!((value["action"].as_str(), value["outcome"].as_str()), (Some(action), Some("0")));
    let own = value["subtype"].as_array().unwrap();
    assert!(own.iter().any(|own| subtypes.contains(&own["code"].as_str().unwrap())), "{own:?}");
    for (place, code) in agents.iter().enumerate() {
        let of_type: Vec<&Value> = value["agent"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|agent| codes(&agent["type"]).contains(code))
            .collect();
        let [agent] = of_type.as_slice() else { panic!("{code}: {value:#}") };
        assert!(agent.get("who").is_some());
        // Client and server are on the network, the user is not.
        assert_eq!(agent.get("network").is_some(), place < 2, "{agent:#}");
    }
    let user = &value["agent"][2];
    assert_eq!(user["requestor"], true);
    assert_eq!(user["policy"][0], "urn:ietf:params:oauth:jti:jti-1");
    assert!(codes(&user["type"]).contains(&"UserOauthAgent"));
    for code in entities {
        let of_type = value["entity"].as_array().unwrap().iter();
        let count = of_type.filter(|entity| entity["type"]["code"] == *code).count();
        assert_eq!(count, 1, "{code}: {value:#}");
    }
    let request = value["entity"].as_array().unwrap().last().unwrap();
    assert_eq!(request["type"]["code"], "XrequestId");
    assert_eq!(request["what"]["identifier"]["value"], "request-0001");
}

#[test]
fn au_03_reads_follow_balp() {
    let shown = [touched("Observation/1", None, &["a"])];
    follows(&rendered(&read(), &shown, 0), "IHE.BasicAudit.PatientRead");
    let shown = [touched("Organization/1", None, &[])];
    let read = Interaction::Vread {
        key: key("Organization/1"),
        version: Id::parse("2").unwrap(),
        unless: Unless::default(),
    };
    follows(&rendered(&read, &shown, 0), "IHE.BasicAudit.Read");
}

#[test]
fn au_03_queries_follow_balp_and_hold_what_was_asked() {
    let shown = [
        touched("Patient/a", None, &["a"]),
        touched("Patient/b", None, &["b"]),
        touched("Organization/o", None, &[]),
    ];
    for nth in 0..2 {
        let value = rendered(&search(), &shown, nth);
        follows(&value, "IHE.BasicAudit.PatientQuery");
        let query = &value["entity"][1];
        assert_eq!(query["description"], "Patient?name=%C3%96%26x");
        let raw = STANDARD.decode(query["query"].as_str().unwrap()).unwrap();
        assert_eq!(raw, b"Patient?name=%C3%96%26x");
        assert!(query.get("what").is_none() && query.get("detail").is_none());
    }
    follows(&rendered(&search(), &[], 0), "IHE.BasicAudit.Query");
}

#[test]
fn au_03_writes_follow_balp() {
    let resource = Resource::from_value(json!({"resourceType": "Observation"})).unwrap();
    let create = Interaction::Create { resource: resource.clone(), if_none_exist: None };
    let of = |action| [touched("Observation/1", Some(action), &["a"])];
    follows(&rendered(&create, &of(Action::Create), 0), "IHE.BasicAudit.PatientCreate");
    let (place, guard) = (key("Observation/1"), WriteGuard::default());
    let update = Interaction::Update { key: place.clone(), resource, guard: guard.clone() };
    follows(&rendered(&update, &of(Action::Update), 0), "IHE.BasicAudit.PatientUpdate");
    // A PUT that made the resource.
    follows(&rendered(&update, &of(Action::Create), 0), "IHE.BasicAudit.PatientCreate");
    let delete = Interaction::Delete { key: place, guard };
    follows(&rendered(&delete, &of(Action::Delete), 0), "IHE.BasicAudit.PatientDelete");
}

/// What a registry was given is a disclosure, whichever way it asked.
#[test]
fn au_03_what_a_registry_is_given_follows_the_pattern_of_disclosures() {
    let mut asker = asker();
    asker.origin.purposes = vec!["PUBHLTH".to_owned()];
    let Caller::Principal(principal) = &asker.caller else { panic!("somebody asks") };
    let registry = Principal {
        name: "client/registry".to_owned(),
        role: Role::Registry,
        ..principal.as_ref().clone()
    };
    asker.caller = Caller::Principal(registry.into());
    let shown = [touched("Patient/a", None, &["a"]), touched("Composition/1", None, &["a"])];
    for interaction in [read(), search()] {
        let event = Seed::of(&asker, &interaction).succeeded(DateTime::UNIX_EPOCH, 200, &shown);
        assert_eq!((event.kind, event.action), (Kind::Disclosure, Action::Read));
        let value = render(&id(0), &event, BASE, &View::All);
        if let Err(issues) = validation::validate(&value, &Limits::default()) {
            panic!("{issues:?}\n{value:#}");
        }
        let profile = format!("{BALP}/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source");
        assert_eq!(value["meta"]["profile"][0], profile);
        assert_eq!((&value["type"]["code"], &value["action"]), (&json!("110106"), &json!("R")));
        assert_eq!(value["subtype"][0]["code"], "disclose");
        assert_eq!(value["purposeOfEvent"][0]["coding"][0]["code"], "PUBHLTH");
        // One source, which is the server that observed it, and one recipient.
        let agents = value["agent"].as_array().unwrap();
        let of = |code: &str| -> Vec<&Value> {
            agents.iter().filter(|agent| codes(&agent["type"]).contains(&code)).collect()
        };
        let (sources, recipients) = (of("110153"), of("110152"));
        assert_eq!((sources.len(), recipients.len()), (1, 1), "{value:#}");
        assert_eq!(sources[0]["who"], value["source"]["observer"]);
        assert!(sources[0].get("network").is_some() && recipients[0].get("network").is_some());
        let entities = value["entity"].as_array().unwrap();
        let patients = entities.iter().filter(|entity| entity["type"]["code"] == "1");
        assert_eq!((patients.count(), entities.len() > 2), (1, true));
    }
    // What is about nobody discloses nothing.
    let shown = [touched("Organization/o", None, &[])];
    let event = Seed::of(&asker, &read()).succeeded(DateTime::UNIX_EPOCH, 200, &shown);
    assert_eq!(event.kind, Kind::Rest);
}

#[test]
fn au_03_a_failure_follows_no_profile_and_says_why_to_reviewers_alone() {
    let seed = Seed::of(&asker(), &read());
    let event = seed.failed(DateTime::UNIX_EPOCH, 403, "forbidden: no link".to_owned());
    let value = render(&id(0), &event, BASE, &View::All);
    assert!(value["meta"].get("profile").is_none());
    assert_eq!(
        (&value["outcome"], &value["outcomeDesc"]),
        (&json!("4"), &json!("HTTP 403: forbidden: no link"))
    );
    let own = render(&id(0), &event, BASE, &View::Patients(vec!["a".to_owned()]));
    assert_eq!(own["outcomeDesc"], "HTTP 403");
}

#[test]
fn au_13_a_patient_sees_roles_and_no_names_also_of_other_systems() {
    let seed = Seed::of(&asker(), &search());
    let shown = [touched("Patient/a", None, &["a"]), touched("Patient/b", None, &["b"])];
    let event = seed.succeeded(DateTime::UNIX_EPOCH, 200, &shown);
    let view = View::Patients(vec!["a".to_owned()]);
    let value = render(&id(0), &event, BASE, &view);
    assert!(validation::validate(&value, &Limits::default()).is_ok(), "{value:#}");
    let text = value.to_string();
    for hidden in
        ["account/1", "Practitioner/p", "192.0.2.7", "jti-1", "app/1", "Patient/b", "%C3%96"]
    {
        assert!(!text.contains(hidden), "{hidden}: {value:#}");
    }
    let mut sent = render(&id(0), &event, BASE, &View::All);
    sent["entity"].as_array_mut().unwrap().push(json!({"what": {"reference": "Patient/b"}}));
    let event = crate::audit::external(&asker(), sent, DateTime::UNIX_EPOCH);
    assert_eq!(event.patients, ["a", "b"]);
    let value = render(&id(0), &event, BASE, &view);
    assert!(validation::validate(&value, &Limits::default()).is_ok(), "{value:#}");
    let text = value.to_string();
    for hidden in ["Practitioner/p", "192.0.2.7", "jti-1", "app/1", "Patient/b", "%C3%96"] {
        assert!(!text.contains(hidden), "{hidden}: {value:#}");
    }
}

#[test]
fn ids_of_audit_events_are_read_as_they_are_written() {
    let written = id(3).to_string();
    assert_eq!(written, "node-1.7.3");
    assert_eq!(AuditId::parse(&written), Some(id(3)));
    for wrong in ["", "node-1.7", "node-1.07.3", ".7.3", "node-1.7.-1", "node-1.0.0", "a.7.3x"] {
        assert_eq!(AuditId::parse(wrong), None, "{wrong}");
    }
}
