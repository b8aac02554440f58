//! What happens around signing in: <https://hl7.org/fhir/R4/valueset-audit-event-sub-type.html>
//! has codes for some of it.

use super::event::{Action, Agent, Event, EventOutcome, Kind, Place};
use super::seed::agent_of;
use crate::access::Asker;
use crate::fhir::resource::ResourceKey;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::BTreeSet;

/// A security event, for the authorization server to report. Never holds a password, a code or a
/// token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecurityEvent {
    /// What happened: `login`, `logout`, `mfa`, `lockout`, `consent`, `code`, `token`, `refresh`,
    /// `refresh-reuse`, `introspect`, `revoke`, `register-client`, `break-glass`, `role-change`,
    /// `client-change`, `key-change`, `settings-change`, `erase`, ...: letters and hyphens.
    pub subtype: &'static str,
    pub action: Action,
    pub outcome: EventOutcome,
    pub agent: Agent,
    pub origin: Place,
    /// `Patient/1` where it is about one, such as the patient of a launch.
    pub patient: Option<String>,
    /// Why it was refused, or what was granted: for those who review the audit.
    pub reason: Option<String>,
}

impl SecurityEvent {
    /// Something that this asker did, successfully.
    pub fn of(asker: &Asker, subtype: &'static str) -> SecurityEvent {
        SecurityEvent {
            subtype,
            action: Action::Execute,
            outcome: EventOutcome::Success,
            agent: agent_of(asker),
            origin: Place {
                address: asker.origin.address,
                user_agent: asker.origin.user_agent.clone(),
                request_id: asker.origin.request_id.clone(),
            },
            patient: None,
            reason: None,
        }
    }

    /// The same, refused for this reason.
    pub fn refused(self, reason: impl Into<String>) -> SecurityEvent {
        SecurityEvent { outcome: EventOutcome::Minor, reason: Some(reason.into()), ..self }
    }

    /// The same by this account (`account/[uuid]`) or client, where the asker has no token yet.
    pub fn by(mut self, name: impl Into<String>, client: Option<String>) -> SecurityEvent {
        self.agent.name = name.into();
        self.agent.client = client;
        self
    }

    /// As it is stored.
    pub fn into_event(self, now: DateTime<Utc>) -> Event {
        let patient = self.patient.as_deref().and_then(|key| key.strip_prefix("Patient/"));
        Event {
            recorded: now,
            kind: kind_of(self.subtype),
            subtype: self.subtype.to_owned(),
            action: self.action,
            outcome: self.outcome,
            status: 0,
            agent: self.agent,
            origin: self.origin,
            latency_us: 0,
            rows: 0,
            patients: patient.map(str::to_owned).into_iter().collect(),
            seen: Vec::new(),
            query: None,
            reason: self.reason,
            repeated: 0,
            external: None,
            detail: None,
            before: None,
        }
    }
}

fn kind_of(subtype: &str) -> Kind {
    match subtype {
        "login" | "logout" | "mfa" | "lockout" | "code" | "token" | "refresh" | "refresh-reuse" => {
            Kind::Authentication
        }
        _ => Kind::Security,
    }
}

/// An AuditEvent that another system sent, as it is stored.
pub fn external(asker: &Asker, sent: Value, now: DateTime<Utc>) -> Event {
    let mut event = SecurityEvent::of(asker, "").into_event(now);
    let subtype = sent["subtype"][0]["code"].as_str().unwrap_or_default();
    let patients = sent["entity"].as_array().into_iter().flatten().filter_map(|entity| {
        let key = ResourceKey::parse_versioned(entity["what"]["reference"].as_str()?)?;
        (key.resource_type.name() == "Patient").then(|| key.id.as_str().to_owned())
    });
    let patients: BTreeSet<String> = patients.collect();
    event.kind = Kind::External;
    event.subtype = subtype.to_owned();
    event.patients = patients.into_iter().collect();
    event.external = Some(sent);
    event
}
