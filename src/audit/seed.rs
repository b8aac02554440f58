//! What is known of an event before it has happened: who asks for what. With what came of it, it
//! becomes an [`Event`].

use super::event::{Action, Agent, Event, EventOutcome, Kind, Place, Seen};
use crate::access::{Asker, Caller, Role};
use crate::fhir::interaction::{HistoryScope, Interaction, Parameter, SearchScope};
use crate::fhir::resource::{Id, ResourceKey};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Longer queries are cut: a URL is no longer than that, a form may be.
const QUERY_BYTES: usize = 8 << 10;
/// A reason in more words is cut.
const REASON_BYTES: usize = 1 << 10;

/// Who asks for what.
#[derive(Debug)]
pub struct Seed {
    subtype: &'static str,
    action: Action,
    agent: Agent,
    origin: Place,
    query: Option<String>,
    /// What the interaction names.
    key: Option<ResourceKey>,
    began: Instant,
    /// Whether the event goes with a write of the database.
    is_stored: AtomicBool,
}

/// A resource that an interaction returned or wrote, and the Patients that it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Touched {
    pub key: ResourceKey,
    pub version: Option<i64>,
    /// None where it was returned.
    pub action: Option<Action>,
    pub patients: Vec<Id>,
}

impl Seed {
    /// Of an interaction that was understood.
    pub fn of(asker: &Asker, interaction: &Interaction) -> Seed {
        let (query, key) = (query_of(interaction), key_of(interaction).cloned());
        let mut seed = Seed::of_request(asker, action_of(interaction));
        seed.subtype = interaction.code();
        seed.query = query.map(|query| cut(query, QUERY_BYTES));
        seed.key = key;
        seed
    }

    /// Of a request that was refused before it was understood; `path` with its query.
    pub fn of_path(asker: &Asker, method: &str, path: &str) -> Seed {
        let action = match method {
            "GET" | "HEAD" => Action::Read,
            "POST" => Action::Create,
            "PUT" | "PATCH" => Action::Update,
            "DELETE" => Action::Delete,
            _ => Action::Execute,
        };
        let query = Some(cut(format!("{method} {path}"), QUERY_BYTES));
        Seed { query, ..Seed::of_request(asker, action) }
    }

    /// Of an import by the operator, on the command line.
    pub fn of_import() -> Seed {
        Seed { subtype: "transaction", ..Seed::of_request(&Asker::operator(), Action::Execute) }
    }

    fn of_request(asker: &Asker, action: Action) -> Seed {
        let origin = Place {
            address: asker.origin.address,
            user_agent: asker.origin.user_agent.clone(),
            request_id: asker.origin.request_id.clone(),
        };
        Seed {
            subtype: "",
            action,
            agent: agent_of(asker),
            origin,
            query: None,
            key: None,
            began: Instant::now(),
            is_stored: AtomicBool::new(false),
        }
    }

    /// Says whether the event is part of what the database is about to store.
    pub fn goes_with_write(&self, is_stored: bool) {
        self.is_stored.store(is_stored, Ordering::Release);
    }

    /// True where the event was stored with the write itself.
    pub fn went_with_write(&self) -> bool {
        self.is_stored.load(Ordering::Acquire)
    }

    /// An interaction that succeeded with this status of HTTP.
    pub fn succeeded(&self, now: DateTime<Utc>, status: u16, touched: &[Touched]) -> Event {
        let (patients, mut seen) = seen_of(touched);
        let rows = touched.iter().filter(|touched| touched.action.is_none()).count() as u64;
        if seen.is_empty() {
            seen.extend(self.key.as_ref().map(asked_for));
        }
        let mut event = self.event(now, status);
        event.action = match touched {
            // What a criterion came to, or a PUT, shows in what was done.
            [Touched { action: Some(action), .. }, rest @ ..]
                if rest.iter().all(|other| other.action == Some(*action)) =>
            {
                *action
            }
            _ => self.action,
        };
        let is_given = event.agent.role.as_deref() == Some(Role::Registry.as_str());
        if is_given && !patients.is_empty() && rows > 0 {
            // An account of it is owed to each patient (45 CFR 164.528).
            (event.kind, event.action) = (Kind::Disclosure, Action::Read);
        }
        Event { rows, patients, seen, ..event }
    }

    /// An interaction that was refused or failed.
    pub fn failed(&self, now: DateTime<Utc>, status: u16, reason: String) -> Event {
        let seen = self.key.iter().map(asked_for).collect();
        let reason = Some(cut(reason, REASON_BYTES));
        Event { seen, reason, ..self.event(now, status) }
    }

    fn event(&self, now: DateTime<Utc>, status: u16) -> Event {
        Event {
            recorded: now,
            kind: Kind::Rest,
            subtype: self.subtype.to_owned(),
            action: self.action,
            outcome: EventOutcome::of_status(status),
            status,
            agent: self.agent.clone(),
            origin: self.origin.clone(),
            latency_us: self.began.elapsed().as_micros() as u64,
            rows: 0,
            patients: Vec::new(),
            seen: Vec::new(),
            query: self.query.clone(),
            reason: None,
            repeated: 0,
            external: None,
            detail: None,
            before: None,
        }
    }
}

pub(super) fn agent_of(asker: &Asker) -> Agent {
    let name = asker.caller.principal().to_owned();
    let purposes = asker.origin.purposes.clone();
    let Caller::Principal(principal) = &asker.caller else {
        return Agent { name, purposes, ..Agent::default() };
    };
    let links = &principal.links;
    Agent {
        name,
        role: Some(principal.role.as_str().to_owned()),
        client: Some(principal.client_id.clone()),
        token: Some(principal.token_id.clone()),
        person: links.fhir_user.as_ref().map(|link| link.key.to_string()),
        organization: links.organizations.first().map(|link| link.key.to_string()),
        purposes,
    }
}

fn asked_for(key: &ResourceKey) -> Seen {
    Seen { key: key.to_string(), version: None, action: None, patients: Vec::new() }
}

/// The distinct Patients in order, and each resource with the places of its own.
fn seen_of(touched: &[Touched]) -> (Vec<String>, Vec<Seen>) {
    let patients: BTreeSet<&Id> = touched.iter().flat_map(|touched| &touched.patients).collect();
    let patients: Vec<&Id> = patients.into_iter().collect();
    let are_of_one = touched.windows(2).all(|pair| pair[0].action == pair[1].action);
    let seen = touched.iter().map(|touched| Seen {
        key: touched.key.to_string(),
        version: touched.version,
        action: touched.action.filter(|_| !are_of_one),
        patients: touched
            .patients
            .iter()
            .filter_map(|id| patients.binary_search(&id).ok().map(|place| place as u32))
            .collect(),
    });
    let seen = seen.collect();
    (patients.into_iter().map(|id| id.as_str().to_owned()).collect(), seen)
}

fn action_of(interaction: &Interaction) -> Action {
    match interaction {
        Interaction::Read { .. } | Interaction::Vread { .. } | Interaction::History { .. } => {
            Action::Read
        }
        Interaction::Create { .. } => Action::Create,
        Interaction::Update { .. }
        | Interaction::ConditionalUpdate { .. }
        | Interaction::Patch { .. }
        | Interaction::ConditionalPatch { .. } => Action::Update,
        Interaction::Delete { .. } | Interaction::ConditionalDelete { .. } => Action::Delete,
        // BALP: a query is executed.
        Interaction::Search { .. }
        | Interaction::Capabilities { .. }
        | Interaction::Bundle { .. }
        | Interaction::Operation(_) => Action::Execute,
    }
}

fn key_of(interaction: &Interaction) -> Option<&ResourceKey> {
    match interaction {
        Interaction::Read { key, .. }
        | Interaction::Vread { key, .. }
        | Interaction::Update { key, .. }
        | Interaction::Patch { key, .. }
        | Interaction::Delete { key, .. }
        | Interaction::History { scope: HistoryScope::Instance(key), .. }
        | Interaction::Search { scope: SearchScope::Compartment(key, _), .. } => Some(key),
        _ => None,
    }
}

/// Path and query of what asks by a query, as a GET would have them.
fn query_of(interaction: &Interaction) -> Option<String> {
    Some(match interaction {
        Interaction::Search { scope, parameters } => {
            let path = match scope {
                SearchScope::System => String::new(),
                SearchScope::Type(resource_type) => resource_type.to_string(),
                SearchScope::Compartment(key, None) => format!("{key}/*"),
                SearchScope::Compartment(key, Some(member)) => format!("{key}/{member}"),
            };
            with_query(path, parameters)
        }
        Interaction::History { scope, parameters } => {
            let path = match scope {
                HistoryScope::System => "_history".to_owned(),
                HistoryScope::Type(resource_type) => format!("{resource_type}/_history"),
                HistoryScope::Instance(key) => format!("{key}/_history"),
            };
            with_query(path, parameters)
        }
        Interaction::Operation(operation) => {
            let path = format!("{}/${}", operation.scope, operation.row.name);
            with_query(path.trim_start_matches('/').to_owned(), &operation.parameters)
        }
        Interaction::Create { resource, if_none_exist: Some(criteria) } => {
            format!("{}?{criteria}", resource.resource_type())
        }
        Interaction::ConditionalUpdate { criteria, .. }
        | Interaction::ConditionalPatch { criteria, .. }
        | Interaction::ConditionalDelete { criteria, .. } => {
            format!("{}?{}", criteria.resource_type, criteria.query)
        }
        _ => return None,
    })
}

fn with_query(path: String, parameters: &[Parameter]) -> String {
    if parameters.is_empty() {
        return path;
    }
    let start = path.len() + 1;
    let mut query = url::form_urlencoded::Serializer::for_suffix(format!("{path}?"), start);
    query.extend_pairs(parameters.iter().map(|(name, value)| (name, value)));
    query.finish()
}

/// At most so many bytes, whole characters.
fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
    }
    text
}
