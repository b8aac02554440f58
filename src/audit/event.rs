//! One event as it is stored. Its JSON, in the order of the fields here, is what hashes are made
//! of: a field is only ever added, and left out where it has nothing to say.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::IpAddr;

/// What happened, once, whoever was concerned.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// By the server's clock, to the microsecond.
    pub recorded: DateTime<Utc>,
    pub kind: Kind,
    /// Of an interaction its code in <http://hl7.org/fhir/restful-interaction>; of others the
    /// subtype of the security event.
    pub subtype: String,
    pub action: Action,
    pub outcome: EventOutcome,
    /// Of HTTP; 0 where the event is no answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub status: u16,
    pub agent: Agent,
    #[serde(default)]
    pub origin: Place,
    /// From when the request was understood to when this was written down.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub latency_us: u64,
    /// Resources that the answer holds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rows: u64,
    /// Logical ids of the Patients concerned, in order, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patients: Vec<String>,
    /// Every resource that was returned or written; where there was none, what was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
    /// What was asked, as path and query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Why it was refused or failed. For those who review the audit, never for the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many more like it were not written down one by one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeated: u64,
    /// An AuditEvent that another system sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<Value>,
    /// Of what is stored: query, reason and what another system sent, under the key of the month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The hash of the event before it in the journal of its node, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// `AuditEvent.type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An interaction of the RESTful API.
    Rest,
    /// Signing in and out, and getting tokens.
    Authentication,
    /// Grants, accounts, clients, keys, settings.
    Security,
    /// What a registry was given: a disclosure, for which the patient may ask an account.
    Disclosure,
    /// Sent by another system.
    External,
}

/// `AuditEvent.action`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Action {
    #[serde(rename = "C")]
    Create,
    #[serde(rename = "R")]
    Read,
    #[serde(rename = "U")]
    Update,
    #[serde(rename = "D")]
    Delete,
    #[serde(rename = "E")]
    Execute,
}

/// `AuditEvent.outcome`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum EventOutcome {
    #[serde(rename = "0")]
    Success,
    /// Refused: the caller may do otherwise.
    #[serde(rename = "4")]
    Minor,
    /// Failed: the server could not.
    #[serde(rename = "8")]
    Serious,
}

/// Who did it.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Agent {
    /// `account/[uuid]`, `client/[client_id]`, `operator`, `anonymous` or `insecure-no-auth`.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// `jti` of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The resource that the person is: `Practitioner/1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The facility that the person works for, or the system belongs to: `Organization/1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Codes of <http://terminology.hl7.org/CodeSystem/v3-ActReason>.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<String>,
}

/// Where a request came from.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
}

/// A resource that was returned or written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// `Type/id`.
    #[serde(rename = "r")]
    pub key: String,
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// What was done to it, where the event as a whole is about several.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Places of its Patients in [`Event::patients`].
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub patients: Vec<u32>,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Rest => "rest",
            Kind::Authentication => "authentication",
            Kind::Security => "security",
            Kind::Disclosure => "disclosure",
            Kind::External => "external",
        }
    }
}

impl Action {
    /// The code.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Create => "C",
            Action::Read => "R",
            Action::Update => "U",
            Action::Delete => "D",
            Action::Execute => "E",
        }
    }
}

impl EventOutcome {
    /// Of an answer with this status of HTTP.
    pub fn of_status(status: u16) -> EventOutcome {
        match status {
            ..400 => EventOutcome::Success,
            400..500 => EventOutcome::Minor,
            _ => EventOutcome::Serious,
        }
    }

    /// The code.
    pub fn as_str(self) -> &'static str {
        match self {
            EventOutcome::Success => "0",
            EventOutcome::Minor => "4",
            EventOutcome::Serious => "8",
        }
    }
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}
