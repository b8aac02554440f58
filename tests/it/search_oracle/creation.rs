//! Random resources. Few distinct values, so that they meet, and many that differ by little:
//! in precision, in case, in an accent, by a zone.

use super::numbers::UCUM;
use super::places::PLACES;
use super::random::Random;
use super::world::TYPES;
use serde_json::{Map, Value, json};

pub const TEXTS: [&str; 17] = [
    "Łęski",
    "Le\u{328}ski",
    "Leski",
    "Ångström",
    "angstrom",
    "Angst",
    "O'Brien",
    "De La Cruz",
    "De",
    "Groß",
    "GROSS",
    "Ana",
    "Ana María",
    "José, Jr.",
    "a|b",
    "x$y_%",
    "back\\slash",
];
pub const SYSTEMS: [&str; 3] = ["http://loinc.org", "http://l", "urn:x:y"];
pub const CODES: [&str; 6] = ["w", "w2", "bp", "a,b", "a|b", "a$b"];
const IDENTIFIERS: [&str; 5] = ["7", "77", "007", "a|b", "x,y"];
const CONTACTS: [&str; 4] = ["555", "+49 555", "a@b.example", "5,5"];
pub const IDS: [&str; 6] = ["1", "2", "3", "4", "5", "x-1.A"];
pub const URIS: [&str; 6] =
    ["http://v/1", "http://v/1/", "http://v/12", "http://V/1", "urn:oid:1.2.3", "http://v/a,b"];
/// In order, none within another, so that any two are a Period.
const PERIODS: [&str; 8] = [
    "2022",
    "2023-01",
    "2023-12-31",
    "2024-01-01T00:00:00Z",
    "2024-01-01T10:00:00-05:00",
    "2024-02-29",
    "2024-03-01T00:30:00+01:00",
    "2025",
];
pub const TIMES: [&str; 12] = [
    "2023-12-31",
    "2024",
    "2024-01",
    "2024-01-01",
    "2024-01-01T00:00:00Z",
    "2023-12-31T23:30:00-05:00",
    "2024-01-01T00:00:00.000Z",
    "2024-01-01T00:00:00.123Z",
    "2024-02-29",
    "2024-02-29T23:59:59Z",
    "2024-03-01T00:00:00+02:00",
    "2024-03",
];
pub const NUMBERS: [&str; 14] = [
    "5.4", "5.40", "5", "5.35", "5.45", "5.449", "100", "99.5", "100.5", "120", "-2", "0",
    "0.0054", "1e2",
];

/// The first of them is an id of resources as well.
const CONTAINED_IDS: [&str; 2] = [IDS[0], "c"];

/// Makes one world.
pub struct Creation<'a> {
    pub random: &'a mut Random,
    /// The server's base URL.
    pub base: &'a str,
}

/// JSON of a decimal with its digits as they are.
pub fn number(text: &str) -> Value {
    serde_json::from_str(text).expect("a number")
}

impl Creation<'_> {
    /// A resource; what it has is a matter of chance.
    pub fn resource(&mut self, kind: &str, id: &str) -> Value {
        let elements = match kind {
            "Patient" => self.patient(),
            "Practitioner" => self.person(),
            "Organization" => self.organization(),
            "Encounter" => self.encounter(),
            "Location" => self.location(),
            "Observation" => self.observation(),
            "Appointment" => self.appointment(),
            "RiskAssessment" => self.risk_assessment(),
            "ValueSet" => self.value_set(),
            _ => panic!("{kind} is not created"),
        };
        let mut body = json!({"resourceType": kind, "id": id});
        let narrative = self.maybe(Creation::narrative);
        body["text"] = narrative;
        let meta = self.meta();
        let target = body.as_object_mut().expect("an object");
        target.insert("meta".to_owned(), meta);
        target.extend(elements);
        target.retain(|_, value| !is_empty(value));
        body
    }

    /// The same with other resources in it, now and then.
    pub fn container(&mut self, kind: &str, id: &str) -> Value {
        let mut body = self.resource(kind, id);
        if self.random.percent(60) {
            return body;
        }
        // Of its own type more often than of another.
        let count = 1 + self.random.below(2);
        let contained: Vec<Value> = CONTAINED_IDS[..count]
            .iter()
            .map(|id| {
                let other = self.random.pick(&TYPES);
                let kind = if self.random.percent(40) { kind } else { other };
                let mut body = self.resource(kind, id);
                // dom-5
                if let Some(meta) = body["meta"].as_object_mut() {
                    meta.shift_remove("security");
                }
                body.as_object_mut().expect("an object").retain(|_, value| !is_empty(value));
                body
            })
            .collect();
        let link = |id: &&str| {
            let reference = format!("#{id}");
            json!({"url": "http://x/contains", "valueReference": {"reference": reference}})
        };
        body["extension"] = CONTAINED_IDS[..count].iter().map(link).collect();
        body["contained"] = json!(contained);
        self.refer_within(&mut body, &contained);
        body
    }

    /// Has some references lead to what is contained, of types that they may be to.
    fn refer_within(&mut self, value: &mut Value, contained: &[Value]) {
        let text = value["reference"].as_str().unwrap_or_default();
        let kind = text.split('/').rev().nth(1).unwrap_or_default();
        let target = contained.iter().find(|one| one["resourceType"] == kind);
        match (target, value) {
            (Some(target), value) if self.random.percent(60) => {
                value["reference"] = json!(format!("#{}", target["id"].as_str().expect("an id")));
            }
            (_, Value::Object(members)) => {
                members.values_mut().for_each(|below| self.refer_within(below, contained));
            }
            (_, Value::Array(items)) => {
                items.iter_mut().for_each(|below| self.refer_within(below, contained));
            }
            _ => {}
        }
    }

    fn narrative(&mut self) -> Value {
        let mut pick = || self.random.pick(&TEXTS);
        let (first, second, third) = (pick(), pick(), pick());
        let div = format!(
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p title=\"Title\">{first}</p>\
             <p>{second}<b>{third}</b></p></div>"
        );
        json!({"status": "generated", "div": div})
    }

    fn text(&mut self) -> Value {
        json!(self.random.pick(&TEXTS))
    }

    fn time(&mut self) -> Value {
        json!(self.random.pick(&TIMES))
    }

    /// Null three times out of ten.
    fn maybe(&mut self, make: impl Fn(&mut Self) -> Value) -> Value {
        if self.random.percent(30) { Value::Null } else { make(self) }
    }

    /// None to three.
    fn some(&mut self, make: impl Fn(&mut Self) -> Value) -> Value {
        let count = [0, 1, 1, 2, 3][self.random.below(5)];
        Value::Array((0..count).map(|_| make(self)).collect())
    }

    fn one_of(&mut self, codes: &[&str]) -> Value {
        json!(self.random.pick(codes))
    }

    fn coding(&mut self) -> Value {
        let (system, code) = (self.random.pick(&SYSTEMS), self.random.pick(&CODES));
        let mut coding = match self.random.below(20) {
            0 => json!({ "system": system }),
            1..4 => json!({ "code": code }),
            _ => json!({"system": system, "code": code}),
        };
        // Mostly the same for a code, as in life.
        match self.random.below(10) {
            0..4 => coding["display"] = json!(format!("{code} of {system}")),
            4 => coding["display"] = self.text(),
            _ => {}
        }
        coding
    }

    fn concept(&mut self) -> Value {
        let mut concept = json!({"coding": [self.coding()]});
        if self.random.percent(40) {
            concept["coding"] = json!([self.coding(), self.coding()]);
        }
        if self.random.percent(40) {
            concept["text"] = self.text();
        }
        concept
    }

    fn identifier(&mut self) -> Value {
        let (system, value) = (self.random.pick(&SYSTEMS), self.random.pick(&IDENTIFIERS));
        let mut identifier = match self.random.below(20) {
            0 => json!({ "system": system }),
            1..4 => json!({ "value": value }),
            _ => json!({"system": system, "value": value}),
        };
        if self.random.percent(30) {
            identifier["type"] = json!({"text": self.text()});
        }
        identifier
    }

    fn contact(&mut self) -> Value {
        let system = self.one_of(&["phone", "email"]);
        json!({"system": system, "value": self.random.pick(&CONTACTS)})
    }

    fn name(&mut self) -> Value {
        let given = self.some(Self::text);
        let mut name = json!({"family": self.text(), "given": given});
        if is_empty(&name["given"]) {
            name = json!({"text": self.text()});
        }
        name
    }

    fn address(&mut self) -> Value {
        json!({"use": self.one_of(&["home", "work"]), "line": [self.text()],
            "city": self.text(), "postalCode": self.one_of(&["12345", "123"])})
    }

    fn period(&mut self) -> Value {
        let first = self.random.below(PERIODS.len());
        let last = first + self.random.below(PERIODS.len() - first);
        match self.random.below(4) {
            0 => json!({"start": PERIODS[first]}),
            1 => json!({"end": PERIODS[last]}),
            _ if first < last => json!({"start": PERIODS[first], "end": PERIODS[last]}),
            _ => json!({"start": PERIODS[first], "end": PERIODS[first]}),
        }
    }

    fn timing(&mut self) -> Value {
        match self.random.below(3) {
            0 => json!({"event": [self.time()]}),
            1 => json!({"event": [self.time(), self.time()]}),
            _ => json!({"repeat": {"boundsPeriod": self.period()}}),
        }
    }

    fn quantity(&mut self) -> Value {
        let value = number(self.random.pick(&NUMBERS));
        let code = self.one_of(&["mg", "g", "ug", "mm[Hg]", "kPa", "mL", "L"]);
        let mut quantity = match self.random.below(8) {
            0 => json!({ "value": value }),
            1 => json!({"value": value, "unit": code}),
            2 => json!({"value": value, "system": "http://l", "code": code}),
            3 => json!({"value": value, "system": UCUM, "code": code, "unit": "units"}),
            _ => json!({"value": value, "system": UCUM, "code": code}),
        };
        if self.random.percent(10) {
            quantity["comparator"] = self.one_of(&["<", "<=", ">=", ">"]);
        }
        quantity
    }

    fn range(&mut self) -> Value {
        let ends = [["5", "5.4"], ["5.35", "100"], ["99.5", "100.5"], ["0", "0"]];
        let [low, high] = self.random.pick(&ends);
        let end = |text: &str| json!({"value": number(text), "system": UCUM, "code": "%"});
        match self.random.below(4) {
            0 => json!({"low": end(low)}),
            1 => json!({"high": end(high)}),
            _ => json!({"low": end(low), "high": end(high)}),
        }
    }

    fn reference(&mut self, kinds: &[&str]) -> Value {
        let kind = self.random.pick(kinds);
        let id = self.random.pick(&IDS);
        let version = "1";
        match self.random.below(20) {
            0 => json!({"reference": format!("{kind}/9")}),
            1 | 2 => json!({"reference": format!("{}/{kind}/{id}", self.base)}),
            3 => json!({"reference": format!("http://other.example/fhir/{kind}/{id}")}),
            4 => json!({"reference": format!("{kind}/{id}/_history/{version}")}),
            5 => json!({"identifier": self.identifier()}),
            6 => json!({"reference": format!("{kind}/{id}"), "identifier": self.identifier()}),
            7 => json!({"display": self.text()}),
            _ => json!({"reference": format!("{kind}/{id}")}),
        }
    }

    fn meta(&mut self) -> Value {
        let mut meta = Map::new();
        for name in ["tag", "security"] {
            let labels = self.some(Self::coding);
            let labels = distinct(labels);
            meta.insert(name.to_owned(), labels);
        }
        let profile = |one: &mut Self| one.one_of(&["http://p", "http://p|1", "http://p|2"]);
        let profiles = distinct(self.some(profile));
        meta.insert("profile".to_owned(), profiles);
        meta.insert("source".to_owned(), self.maybe(|one| one.one_of(&URIS)));
        meta.retain(|_, value| !is_empty(value));
        Value::Object(meta)
    }

    fn person(&mut self) -> Map<String, Value> {
        object(json!({
            "active": self.maybe(|one| json!(one.random.percent(50))),
            "address": self.some(Self::address),
            "gender": self.maybe(|one| one.one_of(&["male", "female", "other", "unknown"])),
            "identifier": self.some(Self::identifier),
            "name": self.some(Self::name),
            "telecom": self.some(Self::contact)
        }))
    }

    fn patient(&mut self) -> Map<String, Value> {
        let mut patient = self.person();
        let dates = ["2023-12-31", "2024", "2024-01", "2024-01-01", "2024-02-29", "2023"];
        patient.extend(object(json!({
            "birthDate": self.maybe(|one| one.one_of(&dates)),
            "communication": self.some(|one| json!({"language": one.concept()})),
            "generalPractitioner":
                self.some(|one| one.reference(&["Practitioner", "Organization"])),
            "link": self.some(|one|
                json!({"other": one.reference(&["Patient"]), "type": "seealso"})),
            "managingOrganization": self.maybe(|one| one.reference(&["Organization"]))
        })));
        match self.random.below(4) {
            0 => drop(patient.insert("deceasedBoolean".into(), json!(self.random.percent(50)))),
            1 => drop(patient.insert("deceasedDateTime".into(), self.time())),
            _ => {}
        }
        patient
    }

    fn organization(&mut self) -> Map<String, Value> {
        object(json!({
            "active": self.maybe(|one| json!(one.random.percent(50))),
            "address": self.some(|one| {
                let address = one.address();
                json!({"use": "work", "line": address["line"], "city": address["city"]})
            }),
            "alias": self.some(Self::text),
            "identifier": self.some(Self::identifier),
            "name": self.text(),
            "partOf": self.maybe(|one| one.reference(&["Organization"])),
            "type": self.some(Self::concept)
        }))
    }

    fn encounter(&mut self) -> Map<String, Value> {
        object(json!({
            "class": self.coding(),
            "identifier": self.some(Self::identifier),
            "length": self.maybe(|one| {
                let value = one.random.pick(&["5.4", "5", "120", "60", "1", "2"]);
                json!({"value": number(value), "system": UCUM,
                    "code": one.one_of(&["min", "h", "d"])})
            }),
            "location": self.some(|one| json!({"location": one.reference(&["Location"])})),
            "participant": self.some(|one| json!({"individual": one.reference(&["Practitioner"]),
                "type": [one.concept()]})),
            "partOf": self.maybe(|one| one.reference(&["Encounter"])),
            "period": self.maybe(Self::period),
            "reasonCode": self.some(Self::concept),
            "reasonReference": self.some(|one| one.reference(&["Observation"])),
            "serviceProvider": self.maybe(|one| one.reference(&["Organization"])),
            "status": self.one_of(&["planned", "arrived", "finished"]),
            "subject": self.maybe(|one| one.reference(&["Patient", "Patient", "Group"])),
            "type": self.some(Self::concept)
        }))
    }

    fn location(&mut self) -> Map<String, Value> {
        object(json!({
            "address": self.maybe(Self::address),
            "alias": self.some(Self::text),
            "identifier": self.some(Self::identifier),
            "managingOrganization": self.maybe(|one| one.reference(&["Organization"])),
            "name": self.maybe(Self::text),
            "operationalStatus": self.maybe(Self::coding),
            "partOf": self.maybe(|one| one.reference(&["Location"])),
            "position": self.maybe(|one| {
                let (latitude, longitude) = one.random.pick(&PLACES);
                json!({"latitude": number(latitude), "longitude": number(longitude)})
            }),
            "status": self.one_of(&["active", "suspended", "inactive"]),
            "type": self.some(Self::concept)
        }))
    }

    /// `value[x]` of an Observation or of one of its components.
    fn value(&mut self) -> (&'static str, Value) {
        match self.random.below(8) {
            0 => ("valueCodeableConcept", self.concept()),
            1 => ("valueString", self.text()),
            2 => ("valueDateTime", self.time()),
            3 => ("valuePeriod", self.period()),
            4 => ("valueBoolean", json!(true)),
            _ => ("valueQuantity", self.quantity()),
        }
    }

    fn component(&mut self) -> Value {
        let (name, value) = self.value();
        json!({"code": self.concept(), name: value})
    }

    fn observation(&mut self) -> Map<String, Value> {
        let subjects = ["Patient", "Patient", "Patient", "Group", "Device", "Location"];
        let performers = ["Practitioner", "Organization", "Patient", "CareTeam"];
        let mut observation = object(json!({
            "category": self.some(Self::concept),
            "code": self.concept(),
            "component": self.some(Self::component),
            "encounter": self.maybe(|one| one.reference(&["Encounter"])),
            "method": self.maybe(Self::concept),
            "hasMember": self.some(|one| one.reference(&["Observation"])),
            "identifier": self.some(Self::identifier),
            "performer": self.some(|one| one.reference(&performers)),
            "status": self.one_of(&["final", "preliminary", "amended"]),
            "subject": self.maybe(|one| one.reference(&subjects))
        }));
        let (name, value) = match self.random.below(6) {
            0 => ("dataAbsentReason", self.concept()),
            _ => self.value(),
        };
        observation.insert(name.to_owned(), value);
        keep_invariant_7(&mut observation);
        let (name, value) = match self.random.below(8) {
            0 => return observation,
            1 | 2 => ("effectivePeriod", self.period()),
            3 => ("effectiveTiming", self.timing()),
            4 => {
                let instants = ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.123Z"];
                ("effectiveInstant", self.one_of(&instants))
            }
            _ => ("effectiveDateTime", self.time()),
        };
        observation.insert(name.to_owned(), value);
        observation
    }

    fn appointment(&mut self) -> Map<String, Value> {
        let actors = ["Patient", "Practitioner", "Location", "Device"];
        let mut participants = self.some(|one| {
            json!({"actor": one.reference(&actors),
                "status": one.one_of(&["accepted", "declined", "tentative"])})
        });
        if is_empty(&participants) {
            participants = json!([{"type": [self.concept()], "status": "needs-action"}]);
        }
        let start = self.one_of(&["2024-01-01T00:00:00Z", "2023-12-31T23:30:00.500-05:00"]);
        object(json!({
            "appointmentType": self.maybe(Self::concept),
            "end": "2026-01-01T00:00:00Z",
            "identifier": self.some(Self::identifier),
            "participant": participants,
            "reasonCode": self.some(Self::concept),
            "reasonReference": self.some(|one| one.reference(&["Observation"])),
            "serviceType": self.some(Self::concept),
            "specialty": self.some(Self::concept),
            "start": start,
            "status": self.one_of(&["booked", "arrived", "fulfilled"])
        }))
    }

    fn prediction(&mut self) -> Value {
        let probabilities = ["0.8", "0.80", "0.5", "0.85", "0.849", "1", "0", "5e-1"];
        let mut prediction = json!({"qualitativeRisk": self.concept()});
        match self.random.below(4) {
            0 => {}
            1 => prediction["probabilityRange"] = self.range(),
            _ => prediction["probabilityDecimal"] = number(self.random.pick(&probabilities)),
        }
        prediction
    }

    fn risk_assessment(&mut self) -> Map<String, Value> {
        let mut found = object(json!({
            "encounter": self.maybe(|one| one.reference(&["Encounter"])),
            "identifier": self.some(Self::identifier),
            "method": self.maybe(Self::concept),
            "performer": self.maybe(|one| one.reference(&["Practitioner"])),
            "prediction": self.some(Self::prediction),
            "status": "final",
            "subject": self.reference(&["Patient", "Patient", "Group"])
        }));
        let (name, value) = match self.random.below(3) {
            0 => ("occurrencePeriod", self.period()),
            _ => ("occurrenceDateTime", self.time()),
        };
        found.insert(name.to_owned(), value);
        found
    }

    fn context(&mut self) -> Value {
        let (name, value) = match self.random.below(3) {
            0 => ("valueCodeableConcept", self.concept()),
            1 => ("valueRange", self.range()),
            _ => ("valueQuantity", self.quantity()),
        };
        json!({"code": self.coding(), name: value})
    }

    fn value_set(&mut self) -> Map<String, Value> {
        object(json!({
            "compose": {"include": [{"system": self.one_of(&URIS),
                "concept": [{"code": self.one_of(&CODES)}, {"code": self.one_of(&CODES)}]}]},
            "date": self.maybe(Self::time),
            "description": self.maybe(Self::text),
            "identifier": self.some(Self::identifier),
            "jurisdiction": self.some(Self::concept),
            "name": self.maybe(|one| one.one_of(&["Ana", "Anabel", "Bob"])),
            "publisher": self.maybe(Self::text),
            "status": self.one_of(&["draft", "active", "retired"]),
            "title": self.maybe(Self::text),
            "url": self.maybe(|one| one.one_of(&URIS)),
            "useContext": self.some(Self::context),
            "version": self.maybe(|one| one.one_of(&["1", "1.0", "2,0"]))
        }))
    }
}

/// obs-7: an Observation with a value has no component of its own code.
fn keep_invariant_7(observation: &mut Map<String, Value>) {
    if !observation.keys().any(|name| name.starts_with("value")) {
        return;
    }
    let own = observation["code"]["coding"].as_array().cloned().unwrap_or_default();
    let components = observation.get_mut("component").and_then(Value::as_array_mut);
    if let Some(components) = components {
        components.retain(|component| {
            let codings = component["code"]["coding"].as_array().cloned().unwrap_or_default();
            !codings.iter().any(|coding| own.contains(coding))
        });
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => panic!("{value} is no object"),
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(Map::is_empty)
}

/// Labels are a set (resource.html#Meta).
fn distinct(labels: Value) -> Value {
    let mut found: Vec<Value> = Vec::new();
    for label in labels.as_array().into_iter().flatten() {
        if !found.contains(label) {
            found.push(label.clone());
        }
    }
    Value::Array(found)
}
