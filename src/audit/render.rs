//! AuditEvents of what is stored, in the patterns of IHE BALP
//! (<https://profiles.ihe.net/ITI/BALP/>): one for each Patient that an event is about.
//!
//! In a Read the client is the destination and the server the source, in everything else the
//! other way round. A Query has its results beside it, by their resource types: BALP leaves them
//! out, and a patient has a right to know what of his was shown.

use super::event::{Action, Event, EventOutcome, Kind, Seen};
use crate::fhir::types::format_instant;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use std::fmt;

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
const EVENT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const BALP: &str = "https://profiles.ihe.net/ITI/BALP";
const LIFECYCLE_EVENT: &str = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";
const LIFECYCLE: &str = "http://terminology.hl7.org/CodeSystem/dicom-audit-lifecycle";

/// Names one AuditEvent: the event, and which of its Patients.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditId {
    pub node: String,
    pub seq: i64,
    /// From 0; 0 alone where the event is about no Patient.
    pub nth: u32,
}

/// For whom AuditEvents are made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum View {
    /// Who reviews the audit sees all of it.
    All,
    /// These Patients (by logical id) see who saw what of theirs: people by role and facility.
    Patients(Vec<String>),
}

impl AuditId {
    /// As a logical id: `node.seq.nth`; None for what is none.
    pub fn parse(text: &str) -> Option<AuditId> {
        let (rest, nth) = text.rsplit_once('.')?;
        let (node, seq) = rest.rsplit_once('.')?;
        let id = AuditId { node: node.to_owned(), seq: seq.parse().ok()?, nth: nth.parse().ok()? };
        (id.to_string() == text && !node.is_empty() && id.seq > 0).then_some(id)
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.node, self.seq, self.nth)
    }
}

/// One AuditEvent of a stored event; `base_url` is that of the server.
pub fn render(id: &AuditId, event: &Event, base_url: &str, view: &View) -> Value {
    if let Some(sent) = &event.external {
        return external(id, event, (sent, view));
    }
    let drawn = Drawn { event, id, base_url, view };
    let mut value = json!({
        "resourceType": "AuditEvent",
        "id": id.to_string(),
        "meta": { "versionId": "1", "lastUpdated": format_instant(event.recorded) },
    });
    let profiles = drawn.profiles();
    if !profiles.is_empty() {
        let urls = profiles.iter().map(|name| format!("{BALP}/StructureDefinition/{name}"));
        value["meta"]["profile"] = urls.collect();
    }
    value["type"] = drawn.kind();
    let subtypes = drawn.subtypes();
    if !subtypes.is_empty() {
        value["subtype"] = Value::Array(subtypes);
    }
    value["action"] = event.action.as_str().into();
    value["recorded"] = event.recorded.to_rfc3339_opts(SecondsFormat::Micros, true).into();
    value["outcome"] = event.outcome.as_str().into();
    if let Some(text) = drawn.outcome_text() {
        value["outcomeDesc"] = text.into();
    }
    if event.kind == Kind::Disclosure && !event.agent.purposes.is_empty() {
        value["purposeOfEvent"] = purposes(&event.agent.purposes);
    }
    value["agent"] = Value::Array(drawn.agents());
    value["source"] = json!({
        "site": id.node,
        "observer": drawn.server(),
        "type": [{ "system": "http://terminology.hl7.org/CodeSystem/security-source-type",
            "code": "4", "display": "Application Server" }],
    });
    let entities = drawn.objects();
    if !entities.is_empty() {
        value["entity"] = Value::Array(entities);
    }
    value
}

/// What another system sent, under an id of this server's, and with the sender as observer. A
/// patient sees what was done to his resources, and by which roles.
fn external(id: &AuditId, event: &Event, (sent, view): (&Value, &View)) -> Value {
    let mut value = sent.clone();
    value["id"] = id.to_string().into();
    value["meta"]["versionId"] = "1".into();
    value["meta"]["lastUpdated"] = format_instant(event.recorded).into();
    value["source"]["observer"] = json!({ "identifier": { "value": event.agent.name } });
    if *view == View::All {
        return value;
    }
    keep(&mut value, &SHOWN_TO_PATIENTS);
    let patient = event.patients.get(id.nth as usize).map(|id| format!("Patient/{id}"));
    for agent in value["agent"].as_array_mut().into_iter().flatten() {
        keep(agent, &["type", "role", "requestor", "purposeOfUse"]);
    }
    if let Some(entities) = value["entity"].as_array_mut() {
        entities.retain(|entity| entity["what"]["reference"].as_str() == patient.as_deref());
        entities.iter_mut().for_each(|entity| keep(entity, &["what", "type", "role"]));
    }
    value
}

/// Elements of an AuditEvent of another system.
const SHOWN_TO_PATIENTS: [&str; 12] = [
    "resourceType",
    "id",
    "meta",
    "type",
    "subtype",
    "action",
    "period",
    "recorded",
    "outcome",
    "agent",
    "source",
    "entity",
];

fn keep(value: &mut Value, names: &[&str]) {
    if let Some(object) = value.as_object_mut() {
        object.retain(|name, _| names.contains(&name.as_str()));
    }
}

/// An AuditEvent in the making.
struct Drawn<'a> {
    event: &'a Event,
    id: &'a AuditId,
    base_url: &'a str,
    view: &'a View,
}

impl Drawn<'_> {
    fn is_query(&self) -> bool {
        self.event.subtype.starts_with("search")
    }

    fn patient(&self) -> Option<&str> {
        self.event.patients.get(self.id.nth as usize).map(String::as_str)
    }

    fn is_for_reviewers(&self) -> bool {
        *self.view == View::All
    }

    /// BALP's profiles are about successes.
    fn profiles(&self) -> Vec<String> {
        let event = self.event;
        let is_success = event.outcome == EventOutcome::Success
            && matches!(event.kind, Kind::Rest | Kind::Disclosure);
        let one = self.shown().take(2).count() == 1;
        let name = match (event.subtype.as_str(), event.action) {
            _ if !is_success => None,
            _ if event.kind == Kind::Disclosure => Some("PrivacyDisclosure.Source"),
            ("read" | "vread", _) if one => Some("Read"),
            ("search" | "search-type" | "search-system", _) => Some("Query"),
            ("create" | "update", Action::Create) if one => Some("Create"),
            ("update" | "patch", Action::Update) if one => Some("Update"),
            ("delete", Action::Delete) if one => Some("Delete"),
            _ => None,
        };
        let is_of_patient = self.patient().is_some() && event.kind == Kind::Rest;
        let of_patient = if is_of_patient { "Patient" } else { "" };
        let mut names: Vec<String> =
            name.iter().map(|name| format!("IHE.BasicAudit.{of_patient}{name}")).collect();
        if is_success && self.shows_person() && event.agent.token.is_some() {
            names.push("IHE.BasicAudit.OAUTHaccessTokenUse.Minimal".to_owned());
        }
        names
    }

    fn kind(&self) -> Value {
        match self.event.kind {
            Kind::Rest => coding(EVENT_TYPE, "rest", "RESTful Operation"),
            Kind::Disclosure => coding(DCM, "110106", "Export"),
            Kind::Authentication => coding(DCM, "110114", "User Authentication"),
            Kind::Security | Kind::External => coding(DCM, "110113", "Security Alert"),
        }
    }

    fn subtypes(&self) -> Vec<Value> {
        let event = self.event;
        let code = |code: &str| json!({ "system": INTERACTION, "code": code });
        match (event.kind, event.subtype.as_str(), event.action) {
            (_, "", _) => Vec::new(),
            (Kind::Rest, "update", Action::Create) => vec![code("update"), code("create")],
            (Kind::Rest, subtype, _) => vec![code(subtype)],
            (Kind::Disclosure, subtype, _) => {
                let display = "Disclose Record Lifecycle Event";
                vec![coding(LIFECYCLE_EVENT, "disclose", display), code(subtype)]
            }
            _ => vec![json!({ "system": security_system(self.base_url), "code": event.subtype })],
        }
    }

    fn outcome_text(&self) -> Option<String> {
        let event = self.event;
        let mut text = match event.status {
            0 => String::new(),
            status => format!("HTTP {status}"),
        };
        if let Some(reason) = event.reason.as_ref().filter(|_| self.is_for_reviewers()) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(reason);
        }
        if event.repeated > 0 {
            text.push_str(&format!("; and {} more like it", event.repeated));
        }
        (!text.is_empty()).then_some(text)
    }

    fn server(&self) -> Value {
        json!({ "identifier": { "value": self.base_url } })
    }

    fn agents(&self) -> Vec<Value> {
        let [client, server] = match (self.event.subtype.as_str(), self.event.action) {
            ("delete", Action::Delete) => [
                coding(DCM, "110150", "Application"),
                coding(
                    "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                    "custodian",
                    "Custodian",
                ),
            ],
            (_, Action::Read) => {
                [coding(DCM, "110152", "Destination"), coding(DCM, "110153", "Source")]
            }
            _ => [coding(DCM, "110153", "Source"), coding(DCM, "110152", "Destination")],
        };
        let mut agents = vec![self.client(client)];
        agents.push(json!({
            "type": { "coding": [server] },
            "who": self.server(),
            "requestor": false,
            "network": { "address": self.base_url, "type": "5" },
        }));
        agents.extend(self.user());
        agents
    }

    fn client(&self, role: Value) -> Value {
        let Event { agent, origin, .. } = self.event;
        let is_user = agent.role.is_none();
        let name = agent.client.as_deref().unwrap_or(&agent.name);
        let mut client = json!({
            "type": { "coding": [role] },
            "who": { "identifier": { "value": name } },
            "requestor": is_user,
        });
        let address = origin.address.filter(|_| self.shows_person());
        client["network"] = match address {
            Some(address) => json!({ "address": address.to_string(), "type": "2" }),
            // The operator is on the server's own machine; of others patients learn no address.
            None => json!({ "address": self.base_url, "type": "5" }),
        };
        if let Some(text) = origin.user_agent.as_ref().filter(|_| self.is_for_reviewers()) {
            client["name"] = text.as_str().into();
        }
        client
    }

    /// Whether the one who did it is named: to reviewers, and to the patient who did it himself.
    fn shows_person(&self) -> bool {
        match self.view {
            View::All => true,
            View::Patients(own) => {
                let person = self.event.agent.person.as_deref();
                let id = person.and_then(|key| key.strip_prefix("Patient/"));
                id.is_some_and(|id| own.iter().any(|own| own == id))
            }
        }
    }

    /// The person or system that signed in.
    fn user(&self) -> Option<Value> {
        let agent = &self.event.agent;
        let role = agent.role.as_deref()?;
        let is_read = matches!(self.event.action, Action::Read) || self.is_query();
        let mut codings = vec![match is_read {
            true => coding(PARTICIPATION, "IRCP", "information recipient"),
            false => coding(PARTICIPATION, "AUT", "author (originator)"),
        }];
        let token = agent.token.as_ref().filter(|_| self.shows_person());
        if token.is_some() {
            let system = format!("{BALP}/CodeSystem/UserAgentTypes");
            codings.push(json!({ "system": system, "code": "UserOauthAgent" }));
        }
        let mut user = Map::new();
        user.insert("type".into(), json!({ "coding": codings }));
        user.insert("role".into(), json!([{ "text": role }]));
        user.insert("who".into(), self.who(role));
        if self.shows_person() {
            user.insert("altId".into(), agent.name.as_str().into());
        }
        user.insert("requestor".into(), true.into());
        if let Some(token) = token {
            user.insert("policy".into(), json!([format!("urn:ietf:params:oauth:jti:{token}")]));
        }
        if !agent.purposes.is_empty() {
            user.insert("purposeOfUse".into(), purposes(&agent.purposes));
        }
        Some(user.into())
    }

    fn who(&self, role: &str) -> Value {
        let agent = &self.event.agent;
        let person = agent.person.as_ref().filter(|_| self.shows_person());
        match (person, &agent.organization) {
            (Some(person), _) => json!({ "reference": person }),
            (None, _) if self.shows_person() => json!({ "identifier": { "value": agent.name } }),
            (None, Some(organization)) => json!({ "reference": organization, "display": role }),
            (None, None) => json!({ "display": role }),
        }
    }

    /// What is shown of the resources: those of the Patient, and with the first of them those
    /// that are about none.
    fn shown(&self) -> impl Iterator<Item = &Seen> {
        self.event.seen.iter().filter(|seen| {
            let is_of_none = seen.patients.is_empty() && self.id.nth == 0;
            seen.patients.contains(&self.id.nth)
                || (is_of_none && (self.is_for_reviewers() || self.event.patients.is_empty()))
        })
    }

    fn objects(&self) -> Vec<Value> {
        let mut entities = Vec::new();
        if let Some(patient) = self.patient() {
            entities.push(json!({
                "what": { "reference": format!("Patient/{patient}") },
                "type": coding(ENTITY_TYPE, "1", "Person"),
                "role": coding(OBJECT_ROLE, "1", "Patient"),
            }));
        }
        if let Some(query) = self.event.query.as_ref().filter(|_| self.is_for_reviewers()) {
            let mut entity = json!({
                "type": coding(ENTITY_TYPE, "2", "System Object"),
                "role": coding(OBJECT_ROLE, "24", "Query"),
            });
            if self.event.outcome == EventOutcome::Success {
                entity["description"] = query.as_str().into();
            }
            entity["query"] = STANDARD.encode(query).into();
            entities.push(entity);
        } else if self.is_query() {
            entities.push(json!({
                "type": coding(ENTITY_TYPE, "2", "System Object"),
                "role": coding(OBJECT_ROLE, "24", "Query"),
                "query": STANDARD.encode(&self.event.subtype),
            }));
        }
        let is_one = self.event.query.is_none() && self.shown().take(2).count() == 1;
        entities.extend(self.shown().map(|seen| resource(seen, is_one)));
        if !self.event.origin.request_id.is_empty() {
            let system = format!("{BALP}/CodeSystem/BasicAuditEntityType");
            entities.push(json!({
                "what": { "identifier": { "value": self.event.origin.request_id } },
                "type": { "system": system, "code": "XrequestId" },
            }));
        }
        entities
    }
}

fn purposes(codes: &[String]) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    codes.iter().map(|code| json!({ "coding": [{ "system": system, "code": code }] })).collect()
}

/// BALP's one `data` is a System Object; of several, and of results, each has its own type.
fn resource(seen: &Seen, is_one: bool) -> Value {
    let reference = match seen.version {
        Some(version) => format!("{}/_history/{version}", seen.key),
        None => seen.key.clone(),
    };
    let kind = seen.key.split('/').next().unwrap_or_default();
    let mut entity = json!({
        "what": { "reference": reference },
        "type": match is_one {
            true => coding(ENTITY_TYPE, "2", "System Object"),
            false => json!({ "system": "http://hl7.org/fhir/resource-types", "code": kind }),
        },
        "role": coding(OBJECT_ROLE, "4", "Domain Resource"),
    });
    let lifecycle = match seen.action {
        Some(Action::Create) => Some(("1", "Origination / Creation")),
        Some(Action::Update) => Some(("3", "Amendment")),
        Some(Action::Delete) => Some(("14", "Logical deletion")),
        _ => None,
    };
    if let Some((code, display)) = lifecycle {
        entity["lifecycle"] = coding(LIFECYCLE, code, display);
    }
    entity
}

fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({ "system": system, "code": code, "display": display })
}

/// The code system of security events: this server's own.
pub fn security_system(base_url: &str) -> String {
    format!("{base_url}/CodeSystem/security-event")
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod render_tests;
