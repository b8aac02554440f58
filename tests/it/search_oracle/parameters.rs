//! The search parameters that are tried, and where their values stand: written by hand from the
//! lists of each type in the specification, such as
//! <https://hl7.org/fhir/R4/observation.html#search>.

use super::world::{Resource, TYPES};
use serde_json::{Value, json};

/// How values are compared.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A token with a system: Coding, CodeableConcept, Identifier.
    Coded,
    /// A token whose system is implied or none: code, boolean, ContactPoint, string, id.
    Plain,
    Text,
    Date,
    Number,
    Quantity,
    Reference,
    Uri,
    /// A uri whose stored version need not be named.
    Canonical,
    /// Words of a narrative.
    Words,
    /// What is near.
    Place,
    Pair(&'static Pair),
}

/// A composite: both values stand below one of the bases.
pub struct Pair {
    pub bases: &'static [&'static str],
    pub first: &'static str,
    pub second: Kind,
    pub seconds: &'static [&'static str],
}

/// `paths` are elements with points between; `[x]` keeps those of the system `x`, ` is x` the
/// references to the type `x`.
pub struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    pub paths: &'static [&'static str],
    /// Of a reference: the types that it may have, of those that are tried.
    pub targets: &'static [&'static str],
}

const fn of(name: &'static str, kind: Kind, paths: &'static [&'static str]) -> Parameter {
    Parameter { name, kind, paths, targets: &[] }
}

const fn to(
    name: &'static str,
    paths: &'static [&'static str],
    targets: &'static [&'static str],
) -> Parameter {
    Parameter { name, kind: Kind::Reference, paths, targets }
}

const fn pair(name: &'static str, pair: &'static Pair) -> Parameter {
    of(name, Kind::Pair(pair), &[])
}

use Kind::{Canonical, Coded, Date, Number, Place, Plain, Quantity, Text, Uri, Words};

const EVERYWHERE: &[Parameter] = &[
    of("_id", Plain, &["id"]),
    of("_lastUpdated", Date, &["meta.lastUpdated"]),
    of("_tag", Coded, &["meta.tag"]),
    of("_security", Coded, &["meta.security"]),
    of("_profile", Canonical, &["meta.profile"]),
    of("_source", Uri, &["meta.source"]),
    of("_text", Words, &["text.div"]),
];

/// Elements of type instant, which are points in time.
const INSTANTS: [&str; 3] = ["meta.lastUpdated", "effectiveInstant", "start"];

/// The elements of a HumanName and an Address that are strings.
const NAME: &[&str] = &["name.family", "name.given", "name.prefix", "name.suffix", "name.text"];
const ADDRESS: &[&str] = &[
    "address.line",
    "address.city",
    "address.district",
    "address.state",
    "address.postalCode",
    "address.country",
    "address.text",
];

const PATIENT: &[Parameter] = &[
    of("active", Plain, &["active"]),
    of("address", Text, ADDRESS),
    of("address-city", Text, &["address.city"]),
    of("address-use", Plain, &["address.use"]),
    of("birthdate", Date, &["birthDate"]),
    of("death-date", Date, &["deceasedDateTime"]),
    of("deceased", Plain, &[]),
    of("email", Plain, &["telecom[email].value"]),
    of("family", Text, &["name.family"]),
    of("gender", Plain, &["gender"]),
    to("general-practitioner", &["generalPractitioner"], &["Practitioner", "Organization"]),
    of("given", Text, &["name.given"]),
    of("identifier", Coded, &["identifier"]),
    of("language", Coded, &["communication.language"]),
    to("link", &["link.other"], &["Patient"]),
    of("name", Text, NAME),
    to("own-doctor", &["generalPractitioner"], &["Practitioner", "Organization"]),
    of("own-number", Coded, &["identifier"]),
    of("own-prefix", Text, &["name.prefix"]),
    to("organization", &["managingOrganization"], &["Organization"]),
    of("phone", Plain, &["telecom[phone].value"]),
    of("telecom", Plain, &["telecom.value"]),
];

const PRACTITIONER: &[Parameter] = &[
    of("active", Plain, &["active"]),
    of("address", Text, ADDRESS),
    of("address-city", Text, &["address.city"]),
    of("address-use", Plain, &["address.use"]),
    of("communication", Coded, &["communication"]),
    of("email", Plain, &["telecom[email].value"]),
    of("family", Text, &["name.family"]),
    of("gender", Plain, &["gender"]),
    of("given", Text, &["name.given"]),
    of("identifier", Coded, &["identifier"]),
    of("name", Text, NAME),
    of("phone", Plain, &["telecom[phone].value"]),
    of("telecom", Plain, &["telecom.value"]),
];

const ORGANIZATION: &[Parameter] = &[
    of("active", Plain, &["active"]),
    of("address", Text, ADDRESS),
    of("address-city", Text, &["address.city"]),
    of("address-use", Plain, &["address.use"]),
    of("identifier", Coded, &["identifier"]),
    of("name", Text, &["name", "alias"]),
    to("partof", &["partOf"], &["Organization"]),
    of("type", Coded, &["type"]),
];

const ENCOUNTER: &[Parameter] = &[
    of("class", Coded, &["class"]),
    of("date", Date, &["period"]),
    of("identifier", Coded, &["identifier"]),
    of("length", Quantity, &["length"]),
    to("location", &["location.location"], &["Location"]),
    of("own-period", Date, &["period"]),
    to("part-of", &["partOf"], &["Encounter"]),
    to("participant", &["participant.individual"], &["Practitioner"]),
    of("participant-type", Coded, &["participant.type"]),
    to("patient", &["subject is Patient"], &["Patient"]),
    to("practitioner", &["participant.individual is Practitioner"], &["Practitioner"]),
    of("reason-code", Coded, &["reasonCode"]),
    to("reason-reference", &["reasonReference"], &["Observation"]),
    to("service-provider", &["serviceProvider"], &["Organization"]),
    of("status", Plain, &["status"]),
    to("subject", &["subject"], &["Patient"]),
    of("type", Coded, &["type"]),
];

const LOCATION: &[Parameter] = &[
    of("address", Text, ADDRESS),
    of("address-city", Text, &["address.city"]),
    of("address-use", Plain, &["address.use"]),
    of("identifier", Coded, &["identifier"]),
    of("name", Text, &["name", "alias"]),
    of("near", Place, &["position"]),
    of("operational-status", Coded, &["operationalStatus"]),
    to("organization", &["managingOrganization"], &["Organization"]),
    to("partof", &["partOf"], &["Location"]),
    of("status", Plain, &["status"]),
    of("type", Coded, &["type"]),
];

const OBSERVATION: &[Parameter] = &[
    of("category", Coded, &["category"]),
    of("code", Coded, &["code"]),
    pair("code-value-concept", &pair_of(&[""], Coded, &["valueCodeableConcept"])),
    pair("code-value-quantity", &pair_of(&[""], Quantity, &["valueQuantity"])),
    // "The intersection of the resources that match each individual search parameter".
    pair("code-value-string", &pair_of(&[""], Text, &["valueString", "valueCodeableConcept.text"])),
    of("combo-code", Coded, &["code", "component.code"]),
    pair("combo-code-value-concept", &pair_of(ALSO_COMPONENTS, Coded, &["valueCodeableConcept"])),
    pair("combo-code-value-quantity", &pair_of(ALSO_COMPONENTS, Quantity, &["valueQuantity"])),
    of("combo-value-concept", Coded, &["valueCodeableConcept", "component.valueCodeableConcept"]),
    of("combo-value-quantity", Quantity, &["valueQuantity", "component.valueQuantity"]),
    of("component-code", Coded, &["component.code"]),
    pair("component-code-value-concept", &pair_of(COMPONENT, Coded, &["valueCodeableConcept"])),
    pair("component-code-value-quantity", &pair_of(COMPONENT, Quantity, &["valueQuantity"])),
    of("component-value-concept", Coded, &["component.valueCodeableConcept"]),
    of("component-value-quantity", Quantity, &["component.valueQuantity"]),
    of("data-absent-reason", Coded, &["dataAbsentReason"]),
    of(
        "date",
        Date,
        &["effectiveDateTime", "effectivePeriod", "effectiveTiming", "effectiveInstant"],
    ),
    to("encounter", &["encounter"], &["Encounter"]),
    to("has-member", &["hasMember"], &["Observation"]),
    of("identifier", Coded, &["identifier"]),
    of("method", Coded, &["method"]),
    of("own-amount", Quantity, &["component.valueQuantity"]),
    pair("own-pair", &pair_of(COMPONENT, Quantity, &["valueQuantity"])),
    of("own-part", Coded, &["component.code"]),
    to("patient", &["subject is Patient"], &["Patient"]),
    to("performer", &["performer"], &["Practitioner", "Organization", "Patient"]),
    of("status", Plain, &["status"]),
    to("subject", &["subject"], &["Patient", "Location"]),
    of("value-concept", Coded, &["valueCodeableConcept"]),
    of("value-date", Date, &["valueDateTime", "valuePeriod"]),
    of("value-quantity", Quantity, &["valueQuantity"]),
    of("value-string", Text, &["valueString", "valueCodeableConcept.text"]),
];

const APPOINTMENT: &[Parameter] = &[
    to("actor", &["participant.actor"], &["Patient", "Practitioner"]),
    of("appointment-type", Coded, &["appointmentType"]),
    of("date", Date, &["start"]),
    of("identifier", Coded, &["identifier"]),
    of("part-status", Plain, &["participant.status"]),
    to("patient", &["participant.actor is Patient"], &["Patient"]),
    to("practitioner", &["participant.actor is Practitioner"], &["Practitioner"]),
    of("reason-code", Coded, &["reasonCode"]),
    to("reason-reference", &["reasonReference"], &["Observation"]),
    of("service-type", Coded, &["serviceType"]),
    of("specialty", Coded, &["specialty"]),
    of("status", Plain, &["status"]),
];

const RISK_ASSESSMENT: &[Parameter] = &[
    of("date", Date, &["occurrenceDateTime"]),
    to("encounter", &["encounter"], &["Encounter"]),
    of("identifier", Coded, &["identifier"]),
    of("method", Coded, &["method"]),
    to("patient", &["subject is Patient"], &["Patient"]),
    to("performer", &["performer"], &["Practitioner"]),
    of("probability", Number, &["prediction.probabilityDecimal", "prediction.probabilityRange"]),
    of("risk", Coded, &["prediction.qualitativeRisk"]),
    to("subject", &["subject"], &["Patient"]),
];

const VALUE_SET: &[Parameter] = &[
    of("code", Plain, &["compose.include.concept.code"]),
    of("context", Coded, &["useContext.valueCodeableConcept"]),
    of("context-quantity", Quantity, &["useContext.valueQuantity", "useContext.valueRange"]),
    of("context-type", Coded, &["useContext.code"]),
    pair(
        "context-type-quantity",
        &pair_of(&["useContext"], Quantity, &["valueQuantity", "valueRange"]),
    ),
    pair("context-type-value", &pair_of(&["useContext"], Coded, &["valueCodeableConcept"])),
    of("date", Date, &["date"]),
    of("description", Text, &["description"]),
    of("identifier", Coded, &["identifier"]),
    of("jurisdiction", Coded, &["jurisdiction"]),
    of("name", Text, &["name"]),
    of("own-system", Uri, &["compose.include.system"]),
    of("publisher", Text, &["publisher"]),
    of("reference", Uri, &["compose.include.system"]),
    of("status", Plain, &["status"]),
    of("title", Text, &["title"]),
    of("url", Uri, &["url"]),
    of("version", Plain, &["version"]),
];

const COMPONENT: &[&str] = &["component"];
const ALSO_COMPONENTS: &[&str] = &["", "component"];

const fn pair_of(
    bases: &'static [&'static str],
    second: Kind,
    seconds: &'static [&'static str],
) -> Pair {
    Pair { bases, first: "code", second, seconds }
}

/// Parameters of elements of type code, and the system that their value set implies.
const IMPLIED: [(&str, &str); 5] = [
    ("gender", "http://hl7.org/fhir/administrative-gender"),
    ("address-use", "http://hl7.org/fhir/address-use"),
    ("part-status", "http://hl7.org/fhir/participationstatus"),
    ("Encounter.status", "http://hl7.org/fhir/encounter-status"),
    ("Observation.status", "http://hl7.org/fhir/observation-status"),
];

/// The system of a parameter's codes that no element names.
pub fn implied_system(kind: &str, parameter: &Parameter) -> Option<&'static str> {
    let of_kind = format!("{kind}.{}", parameter.name);
    let is_it = |(name, _): &&(&str, &str)| *name == parameter.name || *name == of_kind;
    IMPLIED.iter().find(is_it).map(|(_, system)| *system)
}

/// Of type string, so that case does not count.
pub fn has_no_case(kind: &str, parameter: &Parameter) -> bool {
    (kind, parameter.name) == ("ValueSet", "version")
}

/// The parameters of a type, without those of every type.
pub fn own(kind: &str) -> &'static [Parameter] {
    match kind {
        "Patient" => PATIENT,
        "Practitioner" => PRACTITIONER,
        "Organization" => ORGANIZATION,
        "Encounter" => ENCOUNTER,
        "Location" => LOCATION,
        "Observation" => OBSERVATION,
        "Appointment" => APPOINTMENT,
        "RiskAssessment" => RISK_ASSESSMENT,
        "ValueSet" => VALUE_SET,
        _ => &[],
    }
}

pub fn everywhere() -> &'static [Parameter] {
    EVERYWHERE
}

pub fn find(kind: &str, name: &str) -> Option<&'static Parameter> {
    EVERYWHERE.iter().chain(own(kind)).find(|parameter| parameter.name == name)
}

/// Types of those that are tried, with their parameters that refer to the type.
pub fn referring(kind: &str) -> Vec<(&'static str, &'static Parameter)> {
    let all = TYPES.iter().flat_map(|source| own(source).iter().map(move |found| (*source, found)));
    all.filter(|(_, parameter)| parameter.targets.contains(&kind)).collect()
}

impl Parameter {
    /// The elements that the parameter looks at.
    pub fn elements(&self, resource: &Resource) -> Vec<Value> {
        if self.name == "deceased" {
            return vec![json!(is_deceased(&resource.body))];
        }
        let found = |path: &&str| {
            let elements = at(&resource.body, path);
            match INSTANTS.contains(path) {
                true => elements.into_iter().map(|text| json!({ "instant": text })).collect(),
                false => elements,
            }
        };
        self.paths.iter().flat_map(found).collect()
    }
}

/// `Patient.deceased.exists() and Patient.deceased != false`.
fn is_deceased(patient: &Value) -> bool {
    patient["deceasedBoolean"] == true || patient["deceasedDateTime"].is_string()
}

/// What stands at a path below a value.
pub fn at(value: &Value, path: &str) -> Vec<Value> {
    let (path, only) = match path.split_once(" is ") {
        Some((path, kind)) => (path, Some(kind)),
        None => (path, None),
    };
    let mut found = vec![value.clone()];
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let (name, system) = match step.split_once('[') {
            Some((name, system)) => (name, Some(system.trim_end_matches(']'))),
            None => (step, None),
        };
        let below = found.iter().flat_map(|value| items(&value[name]));
        found = below.filter(|one| system.is_none_or(|system| one["system"] == system)).collect();
    }
    // The type is that in the reference, wherever the resource is; or of what is contained.
    let is_to = |one: &Value| {
        let text = one["reference"].as_str().unwrap_or_default();
        let is_of = |kind: &str| match text.strip_prefix('#') {
            Some(id) => items(&value["contained"])
                .iter()
                .any(|contained| contained["id"] == id && contained["resourceType"] == kind),
            None => text.split('/').any(|part| part == kind),
        };
        only.is_none_or(is_of)
    };
    found.into_iter().filter(is_to).collect()
}

/// The items of a list, or the one value that there is.
pub fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    }
}
