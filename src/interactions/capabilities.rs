//! What this server can do: <https://hl7.org/fhir/R4/http.html#capabilities>,
//! <https://hl7.org/fhir/R4/capabilitystatement.html>.
//!
//! Made of the same tables that the reader of interactions and the planner of searches read,
//! so it cannot promise more or less than there is. `capability-statement.json` is its text for
//! the default settings with `--insecure-no-auth`.

use super::audit::events as audit_events;
use super::{Content, Outcome};
use crate::config::Settings;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::{Definitions, ResourceType};
use crate::fhir::interaction::{OPERATIONS, OperationLevel, OperationRow};
use crate::fhir::json;
use crate::search::full_text::TextOf;
use crate::search::{Registry, SearchParameter};
use bytes::Bytes;
use serde_json::{Value, json};

/// When what is stated here last changed.
const DATE: &str = "2026-11-22";
const SOFTWARE: &str = "bhn-fhir";
const FHIR_VERSION: &str = "4.0.1";
const DEFINITIONS: &str = "http://hl7.org/fhir/StructureDefinition";

/// Interactions of every type (valueset-type-restful-interaction.html).
const OF_TYPES: [&str; 9] = [
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
];
/// Interactions of the whole system (valueset-system-restful-interaction.html).
const OF_SYSTEM: [&str; 4] = ["transaction", "batch", "search-system", "history-system"];

/// Endpoints of the authorization server, by their names in the extension.
const OAUTH_URIS: [(&str, &str); 5] = [
    ("authorize", "/oauth/authorize"),
    ("token", "/oauth/token"),
    ("introspect", "/oauth/introspect"),
    ("revoke", "/oauth/revoke"),
    ("manage", "/account/apps"),
];

/// The statements, written once: everybody may ask for them, and they are large.
pub struct Statements {
    full: Bytes,
    terminology: Bytes,
}

impl Statements {
    /// Of a server with these settings and search parameters.
    pub fn new(settings: &Settings, registry: &Registry) -> Self {
        Statements {
            full: json::write(&capability_statement(settings, registry)).into(),
            terminology: json::write(&terminology_capabilities(settings)).into(),
        }
    }

    /// Answers `GET /metadata`. `full` and `normative` are the same here, because nothing is
    /// left out of the normative parts; 400 for a mode that R4 does not have.
    pub fn answer(&self, mode: Option<&str>) -> Result<Outcome> {
        match mode {
            None | Some("full" | "normative") => Ok(Outcome::ok(Content::Json(self.full.clone()))),
            Some("terminology") => Ok(Outcome::ok(Content::Json(self.terminology.clone()))),
            Some(_) => {
                let why = "mode is one of full, normative, terminology";
                Err(FhirError::invalid_value("http.mode", why))
            }
        }
    }
}

/// The CapabilityStatement of this server under these settings.
pub fn capability_statement(settings: &Settings, registry: &Registry) -> Value {
    let mut statement = head("CapabilityStatement", "CapabilityStatement", settings);
    statement["fhirVersion"] = json!(FHIR_VERSION);
    statement["format"] = json!(["application/fhir+json", "json", "application/fhir+xml", "xml"]);
    statement["patchFormat"] = json!([
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/xml-patch+xml",
        "application/fhir+json",
        "application/fhir+xml",
    ]);
    let resources: Vec<Value> =
        ResourceType::all().map(|kind| resource(kind, settings, registry)).collect();
    let compartments: Vec<String> = Definitions::r4()
        .compartments()
        .iter()
        .map(|compartment| {
            let code = compartment.code.to_ascii_lowercase();
            format!("http://hl7.org/fhir/CompartmentDefinition/{code}")
        })
        .collect();
    let mut rest = json!({
        "mode": "server",
        "documentation": format!(
            "Every search takes _sort with up to {} keys, _count, _total, _summary, _elements, \
             _include, _revinclude, _has, _list, _contained, _containedType and chained \
             parameters",
            settings.limits.sort_keys
        ),
        "resource": resources,
        "interaction": codes(&OF_SYSTEM),
        "searchParam": shared_parameters(settings, registry),
        "compartment": compartments,
    });
    if !settings.insecure_no_auth {
        rest["security"] = security(settings.issuer());
    }
    add_operations(&mut rest, settings, |row| row.levels.contains(&OperationLevel::System));
    statement["rest"] = json!([rest]);
    statement
}

/// How callers sign in, as clients of SMART 1 read it
/// (<https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html>).
fn security(issuer: &str) -> Value {
    let endpoint =
        |(name, path): (&str, &str)| json!({ "url": name, "valueUri": format!("{issuer}{path}") });
    let endpoints: Vec<Value> = OAUTH_URIS.into_iter().map(endpoint).collect();
    json!({
        "extension": [{
            "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
            "extension": endpoints,
        }],
        "cors": true,
        "service": [{
            "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                "code": "SMART-on-FHIR",
                "display": "SMART-on-FHIR",
            }],
            "text": "OAuth2 using SMART-on-FHIR profile (see http://docs.smarthealthit.org)",
        }],
        "description": "What a caller may do is the least of the scopes of the token, the rules of \
                        the role and the rows that the role sees. What may not be seen is \
                        answered as if it were not there",
    })
}

/// What both statements begin with.
fn head(resource_type: &str, name: &str, settings: &Settings) -> Value {
    let url = format!("{}/metadata", settings.base_url);
    json!({
        "resourceType": resource_type,
        "url": url,
        "version": env!("CARGO_PKG_VERSION"),
        "name": format!("BhnFhir{name}"),
        "title": "BHN FHIR R4 server",
        "status": "active",
        "date": DATE,
        "publisher": "Birth Health Network",
        "description": "An HL7 FHIR R4 server over PostgreSQL",
        "kind": "instance",
        "software": { "name": SOFTWARE, "version": env!("CARGO_PKG_VERSION") },
        "implementation": {
            "description": "BHN FHIR R4 server",
            "url": settings.base_url,
        },
    })
}

/// True where these settings let clients search by it.
fn is_offered(parameter: &SearchParameter, settings: &Settings) -> bool {
    match parameter.text_of() {
        Some(of) => !of.is_content() || settings.content_search,
        None => parameter.is_offered(),
    }
}

fn resource(resource_type: ResourceType, settings: &Settings, registry: &Registry) -> Value {
    let parameters: Vec<Value> = registry
        .parameters_of(resource_type)
        .filter(|parameter| is_offered(parameter, settings))
        .map(|parameter| search_parameter(parameter, resource_type.name()))
        .chain([filter_parameter()])
        .collect();
    let mut policy = vec!["literal", "logical"];
    if settings.integrity_on_write {
        policy.push("enforced");
    }
    let mut stated = json!({
        "type": resource_type.name(),
        "profile": format!("{DEFINITIONS}/{resource_type}"),
        "interaction": codes(&OF_TYPES),
        "versioning": "versioned-update",
        "readHistory": true,
        "updateCreate": settings.update_creates,
        "conditionalCreate": true,
        "conditionalRead": "full-support",
        "conditionalUpdate": true,
        "conditionalDelete": "multiple",
        "referencePolicy": policy,
        "searchInclude": includes(resource_type, registry),
        "searchRevInclude": reverse_includes(resource_type, registry),
        "searchParam": parameters,
    });
    let is_below = |row: &OperationRow| {
        row.is_of(resource_type) && row.levels.iter().any(|level| *level != OperationLevel::System)
    };
    add_operations(&mut stated, settings, is_below);
    if settings.audit.is_some() && audit_events::is_audit_event(resource_type) {
        audit_events::restrict(&mut stated);
    }
    stated
}

/// Values of `_include`.
fn includes(resource_type: ResourceType, registry: &Registry) -> Vec<String> {
    let each = registry.references_of(resource_type);
    let each = each.map(|parameter| format!("{resource_type}:{}", parameter.code));
    ["*".to_owned(), format!("{resource_type}:*")].into_iter().chain(each).collect()
}

/// Values of `_revinclude`: what may refer to the type.
fn reverse_includes(resource_type: ResourceType, registry: &Registry) -> Vec<String> {
    let of = |source: ResourceType| {
        let refers = move |parameter: &&SearchParameter| {
            parameter.targets.is_empty() || parameter.targets.contains(&resource_type)
        };
        let each = registry.references_of(source).filter(refers);
        each.map(move |parameter| format!("{source}:{}", parameter.code))
    };
    std::iter::once("*".to_owned()).chain(ResourceType::all().flat_map(of)).collect()
}

fn add_operations(
    stated: &mut Value,
    settings: &Settings,
    is_stated: impl Fn(&OperationRow) -> bool,
) {
    let definition = |row: &OperationRow| match row.definition.starts_with("http") {
        true => row.definition.to_owned(),
        false => format!("{}/{}", settings.base_url, row.definition),
    };
    let operations: Vec<Value> = OPERATIONS
        .iter()
        .filter(|row| is_stated(row))
        .map(|row| json!({ "name": row.name, "definition": definition(row) }))
        .collect();
    if !operations.is_empty() {
        stated["operation"] = operations.into();
    }
}

fn codes(codes: &[&str]) -> Vec<Value> {
    codes.iter().map(|code| json!({ "code": code })).collect()
}

fn search_parameter(parameter: &SearchParameter, resource_type: &str) -> Value {
    let mut value = json!({
        "name": parameter.code,
        "definition": parameter.url,
        "type": parameter.kind.as_str(),
    });
    let documentation = documentation(&parameter.description, resource_type);
    if !documentation.is_empty() {
        value["documentation"] = json!(documentation);
    }
    value
}

/// A parameter of several types is described by a list of links, `* [Type](type.html): text`.
fn documentation<'d>(description: &'d str, resource_type: &str) -> &'d str {
    let start = format!("* [{resource_type}](");
    let of_type = description.lines().find_map(|line| line.strip_prefix(&start)?.split_once("): "));
    of_type.map_or(description, |(_, text)| text).trim()
}

/// Parameters that every type has: those of a search over the whole system. `_list` has no
/// definition in R4 (search.html#list), and `_text` is of almost every type.
fn shared_parameters(settings: &Settings, registry: &Registry) -> Vec<Value> {
    let is_shared = |parameter: &&SearchParameter| {
        ResourceType::all().all(|kind| {
            let found = registry.parameter(kind, &parameter.code);
            let is_same = |found: &SearchParameter| found.url == parameter.url;
            found.is_some_and(|found| is_same(found) && is_offered(found, settings))
        }) || parameter.text_of() == Some(TextOf::Narrative)
    };
    let first = ResourceType::all().next();
    let parameters = first.into_iter().flat_map(|kind| registry.parameters_of(kind));
    let list = json!({
        "name": "_list",
        "type": "special",
        "documentation": "Resources that a List refers to, but for entries marked as deleted",
    });
    let shared = parameters.filter(is_shared);
    shared
        .map(|shared| search_parameter(shared, "Resource"))
        .chain([list, filter_parameter()])
        .collect()
}

/// `_filter` (search_filter.html), of which R4 publishes no SearchParameter.
fn filter_parameter() -> Value {
    json!({
        "name": "_filter",
        "type": "special",
        "documentation": "An expression over the other parameters, such as \
                          `given eq \"peter\" and birthdate ge 2014-10-10`",
    })
}

/// `mode=terminology`: code systems are stored and searched as resources here, and there is no
/// operation on them (terminologycapabilities.html).
fn terminology_capabilities(settings: &Settings) -> Value {
    let mut statement = head("TerminologyCapabilities", "TerminologyCapabilities", settings);
    statement["url"] = json!(format!("{}/metadata?mode=terminology", settings.base_url));
    statement["description"] = json!(
        "Code systems, value sets and concept maps are stored and searched; operations on them \
         are not offered"
    );
    statement["codeSearch"] = json!("explicit");
    statement
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::interaction::{Method, allowed_methods};
    use crate::fhir::validation::validate;
    use crate::limits::Limits;
    use std::path::Path;

    /// Of a server that lets everybody in.
    fn statement() -> Value {
        let registry = Registry::r4().unwrap();
        let settings = Settings { insecure_no_auth: true, ..Settings::default() };
        capability_statement(&settings, &registry)
    }

    #[test]
    fn how_callers_sign_in_is_stated() {
        let registry = Registry::r4().unwrap();
        let statement = capability_statement(&Settings::default(), &registry);
        let security = &statement["rest"][0]["security"];
        assert_eq!(security["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
        let uris = &security["extension"][0]["extension"];
        assert_eq!(uris[1]["url"], "token");
        assert_eq!(uris[1]["valueUri"], "http://127.0.0.1:8080/oauth/token");
    }

    fn resource_of<'s>(statement: &'s Value, name: &str) -> &'s Value {
        let resources = statement["rest"][0]["resource"].as_array().unwrap();
        resources.iter().find(|resource| resource["type"] == name).unwrap()
    }

    /// Run with `BHN_BLESS=1` to write the file anew.
    #[test]
    #[allow(clippy::disallowed_methods)]
    fn the_file_at_the_root_is_this_statement() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("capability-statement.json");
        let mut made = json::write_pretty(&statement());
        made.push(b'\n');
        if std::env::var("BHN_BLESS").is_ok() {
            std::fs::write(&path, &made).unwrap();
        }
        let kept = std::fs::read(&path).unwrap_or_default();
        let is_same = kept == made;
        assert!(is_same, "capability-statement.json is old; run this test with BHN_BLESS=1");
    }

    #[test]
    fn both_statements_are_valid_resources() {
        let statements = Statements::new(&Settings::default(), &Registry::r4().unwrap());
        for mode in [None, Some("full"), Some("normative"), Some("terminology")] {
            let Content::Json(bytes) = statements.answer(mode).unwrap().content else {
                panic!("bytes");
            };
            let value = json::read(&bytes, &Limits::default()).unwrap();
            assert_eq!(validate(&value, &Limits::default()), Ok(()), "{mode:?}");
        }
        assert_eq!(statements.answer(Some("x")).unwrap_err().kind.status(), 400);
    }

    #[test]
    fn every_type_is_stated_with_the_methods_that_its_routes_take() {
        let statement = statement();
        let resources = statement["rest"][0]["resource"].as_array().unwrap();
        assert_eq!(resources.len(), 146);
        for resource in resources {
            let name = resource["type"].as_str().unwrap();
            let instance = allowed_methods(&format!("{name}/1"), Method::Get).unwrap();
            let methods = [
                ("read", Method::Get),
                ("update", Method::Put),
                ("patch", Method::Patch),
                ("delete", Method::Delete),
            ];
            for (code, method) in methods {
                let is_stated =
                    resource["interaction"].as_array().unwrap().iter().any(|i| i["code"] == code);
                assert_eq!(is_stated, instance.contains(&method.as_str()), "{name} {code}");
            }
        }
    }

    #[test]
    fn search_parameters_are_those_of_the_registry_each_once() {
        let statement = statement();
        let patient = resource_of(&statement, "Patient")["searchParam"].as_array().unwrap();
        let mut names: Vec<_> = patient.iter().map(|p| p["name"].as_str().unwrap()).collect();
        for name in ["_id", "_lastUpdated", "identifier", "name", "birthdate", "organization"] {
            assert!(names.contains(&name), "{name}");
        }
        assert!(names.contains(&"_filter"));
        assert!(names.contains(&"_text"));
        assert!(!names.contains(&"_content"), "what cannot be searched is not stated");
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "cpb-12");
        let shared = statement["rest"][0]["searchParam"].as_array().unwrap();
        assert!(shared.iter().any(|parameter| parameter["name"] == "_lastUpdated"));
        assert!(!shared.iter().any(|parameter| parameter["name"] == "identifier"));
    }

    #[test]
    fn settings_show_in_the_statement() {
        let settings = Settings {
            base_url: "https://fhir.example.org/r4".to_owned(),
            integrity_on_write: true,
            update_creates: false,
            ..Settings::default()
        };
        let statement = capability_statement(&settings, &Registry::r4().unwrap());
        assert_eq!(statement["implementation"]["url"], "https://fhir.example.org/r4");
        let patient = resource_of(&statement, "Patient");
        assert_eq!(patient["updateCreate"], false);
        assert!(patient["referencePolicy"].as_array().unwrap().contains(&json!("enforced")));
    }
}
