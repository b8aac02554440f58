//! Search parameters of AuditEvents: <https://hl7.org/fhir/R4/auditevent.html#search>. Those that
//! would tell a patient who hides behind a role are for reviewers alone.

use crate::audit::{AuditId, Kind, View};
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::interaction::{Handling, Parameter, Prefer, SearchScope};
use crate::fhir::links;
use crate::fhir::resource::ResourceKey;
use crate::interactions::context::Context;
use crate::search::value::date::{InstantTest, instant_test, search_range, test};
use crate::search::value::prefix::Prefix;
use crate::search::value::token::TokenTest;
use crate::storage::{AuditQuery, AuditTest};

/// A search of the audit as asked for.
pub struct Asked {
    pub query: AuditQuery,
    /// The parameters that count, for the link `self`.
    pub applied: Vec<Parameter>,
    pub wants_total: bool,
}

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";

/// What may be searched by.
const KNOWN: &str = "_count, _id, _lastUpdated, _sort, _total, action, address, agent, altid, \
                     date, entity, outcome, patient, site, source, subtype and type";
/// Of these, those with definitions for AuditEvents.
pub const PARAMETERS: [&str; 14] = [
    "_id",
    "_lastUpdated",
    "action",
    "address",
    "agent",
    "altid",
    "date",
    "entity",
    "outcome",
    "patient",
    "site",
    "source",
    "subtype",
    "type",
];
/// Of these, what is for reviewers.
const OF_REVIEWERS: [&str; 4] = ["address", "agent", "altid", "entity"];

/// 400 for what cannot be searched by, unless it is left out under `Prefer: handling=lenient`; 403
/// for what the viewer may not search by.
pub fn parse(
    context: &Context,
    (scope, parameters): (&SearchScope, &[Parameter]),
    prefer: &Prefer,
    view: View,
) -> Result<Asked> {
    let limits = &context.settings.limits;
    let query = AuditQuery {
        view,
        tests: Vec::new(),
        is_newest_first: true,
        after: None,
        count: limits.page_default,
    };
    let mut asked = Asked { query, applied: Vec::new(), wants_total: false };
    if parameters.len() > limits.search_parameters {
        return Err(FhirError::too_costly("The query has too many parameters"));
    }
    if let SearchScope::Compartment(key, _) = scope {
        asked.query.tests.push(match key.resource_type.name() {
            "Patient" => AuditTest::Patient(vec![key.id.as_str().to_owned()]),
            _ => return Err(unsupported("", "AuditEvents are in the compartments of Patients")),
        });
    }
    for (name, value) in parameters {
        let known = add(context, &mut asked, (name, value))?;
        match (known, prefer.handling) {
            (true, _) => asked.applied.push((name.clone(), value.clone())),
            (false, Handling::Lenient) => {}
            (false, Handling::Strict) => {
                let text = format!("AuditEvents are searched by {KNOWN}");
                return Err(unsupported(name, &text));
            }
        }
    }
    Ok(asked)
}

fn unsupported(name: &str, text: &str) -> FhirError {
    FhirError::at(IssueCode::NotSupported, format!("http.{name}"), text)
}

/// Adds one parameter; false where it is not known.
fn add(context: &Context, asked: &mut Asked, (name, value): (&str, &str)) -> Result<bool> {
    if OF_REVIEWERS.contains(&name) && asked.query.view != View::All {
        let text = format!("{name} is for those who review the audit");
        return Err(FhirError::new(ErrorKind::Forbidden, IssueCode::Forbidden, text));
    }
    let fault = |text: &str| FhirError::invalid_value(format!("http.{name}"), text);
    let values = || -> Result<Vec<&str>> {
        let values: Vec<&str> = value.split(',').collect();
        let is_empty = values.iter().any(|value| value.is_empty());
        match is_empty || values.len() > context.settings.limits.search_values {
            true => Err(fault("Values apart by commas, none of them empty")),
            false => Ok(values),
        }
    };
    let tokens = |known: &[(&str, &str, &str)]| coded(&values()?, known, &fault);
    let owned = |values: Vec<&str>| values.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let test = match name {
        "_count" => {
            let count: u32 = value.parse().map_err(|_| fault("A whole number from 0"))?;
            asked.query.count = count.min(context.settings.limits.page_maximum);
            return Ok(true);
        }
        "_sort" => {
            asked.query.is_newest_first = match value {
                "-date" | "-_lastUpdated" => true,
                "date" | "_lastUpdated" => false,
                _ => return Err(fault("AuditEvents are sorted by date or -date")),
            };
            return Ok(true);
        }
        "_total" => {
            asked.wants_total = match value {
                "accurate" | "estimate" => true,
                "none" => false,
                _ => return Err(fault("accurate, estimate or none")),
            };
            return Ok(true);
        }
        "_id" => AuditTest::Id(values()?.into_iter().filter_map(AuditId::parse).collect()),
        "date" | "_lastUpdated" => AuditTest::Recorded(instants(context, &values()?, &fault)?),
        "patient" => {
            let keys = references(context, &values()?, "Patient", &fault)?;
            let ids = keys.iter().filter_map(|key| key.strip_prefix("Patient/"));
            AuditTest::Patient(ids.map(str::to_owned).collect())
        }
        "entity" => AuditTest::Resource(references(context, &values()?, "", &fault)?),
        "agent" => AuditTest::Agent(references(context, &values()?, "", &fault)?),
        "altid" => AuditTest::Agent(owned(values()?)),
        "address" => AuditTest::Address(owned(values()?)),
        "site" | "source" => AuditTest::Node(owned(values()?)),
        "action" => AuditTest::Action(tokens(&ACTIONS)?),
        "outcome" => AuditTest::Outcome(tokens(&OUTCOMES)?),
        "type" => AuditTest::Kind(tokens(&KINDS)?),
        "subtype" => AuditTest::Subtype(subtypes(&values()?, &fault)?),
        _ => return Ok(false),
    };
    asked.query.tests.push(test);
    Ok(true)
}

const ACTION: &str = "http://hl7.org/fhir/audit-event-action";
const ACTIONS: [(&str, &str, &str); 5] = [
    (ACTION, "C", "C"),
    (ACTION, "R", "R"),
    (ACTION, "U", "U"),
    (ACTION, "D", "D"),
    (ACTION, "E", "E"),
];
const OUTCOME: &str = "http://hl7.org/fhir/audit-event-outcome";
const OUTCOMES: [(&str, &str, &str); 4] =
    [(OUTCOME, "0", "0"), (OUTCOME, "4", "4"), (OUTCOME, "8", "8"), (OUTCOME, "12", "12")];
const KINDS: [(&str, &str, &str); 4] = [
    ("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest", Kind::Rest.as_str()),
    (DCM, "110106", Kind::Disclosure.as_str()),
    (DCM, "110114", Kind::Authentication.as_str()),
    (DCM, "110113", Kind::Security.as_str()),
];

/// What is stored for these codes (system, code, as stored); nothing for a code of another system.
fn coded(
    values: &[&str],
    known: &[(&str, &str, &str)],
    fault: &dyn Fn(&str) -> FhirError,
) -> Result<Vec<String>> {
    let mut stored = Vec::new();
    for value in values {
        let token = TokenTest::parse(value).map_err(fault)?;
        let is_meant = |system: &str, code: &str| match &token {
            TokenTest::Code(wanted) => wanted == code,
            TokenTest::Exact(wanted) => wanted.code == code && wanted.system == system,
            TokenTest::System(wanted) => wanted == system,
            TokenTest::MediaType(_) => false,
        };
        let found = known.iter().filter(|(system, code, _)| is_meant(system, code));
        stored.extend(found.map(|(_, _, stored)| (*stored).to_owned()));
    }
    Ok(stored)
}

/// Codes of interactions and of security events; of any system that is named.
fn subtypes(values: &[&str], fault: &dyn Fn(&str) -> FhirError) -> Result<Vec<String>> {
    let code = |value: &&str| match TokenTest::parse(value).map_err(fault)? {
        TokenTest::Code(code) => Ok(code),
        TokenTest::Exact(token) => Ok(token.code),
        _ => Err(fault("A subtype is named by its code")),
    };
    values.iter().map(code).collect()
}

fn instants(
    context: &Context,
    values: &[&str],
    fault: &dyn Fn(&str) -> FhirError,
) -> Result<Vec<InstantTest>> {
    let read = |value: &&str| {
        let (prefix, text) = Prefix::split(value);
        let range = search_range(text, context.settings.default_zone);
        let range = range.ok_or_else(|| fault("A date, or a date and time"))?;
        Ok(instant_test(&test(prefix, range, context.clock.now())))
    };
    values.iter().map(read).collect()
}

/// `Type/id` of references as they may be written; ids alone where a type is meant.
fn references(
    context: &Context,
    values: &[&str],
    meant: &str,
    fault: &dyn Fn(&str) -> FhirError,
) -> Result<Vec<String>> {
    let read = |value: &&str| {
        let relative = links::relative(value, &context.settings.base_url);
        let text = relative.as_deref().unwrap_or(value);
        let text = match text.contains('/') || meant.is_empty() {
            true => text.to_owned(),
            false => format!("{meant}/{text}"),
        };
        match ResourceKey::parse(&text) {
            Some(key) if meant.is_empty() || key.resource_type.name() == meant => {
                Ok(key.to_string())
            }
            _ => Err(fault("A reference, Type/id")),
        }
    };
    values.iter().map(read).collect()
}
