//! The audit, pure: from an interaction, who asked and what came of it to one [`Event`], and from
//! an event to the AuditEvents that FHIR shows of it. Nothing here reads or writes anything.
//!
//! The seed's fields have these places: userId `agent.name`, action `action`, resource `seen`,
//! timestamp `recorded`, IP address `origin.address`, user agent `origin.user_agent`.

mod event;
pub mod purpose;
mod render;
mod security;
mod seed;

pub use event::{Action, Agent, Event, EventOutcome, Kind, Place, Seen};
pub use render::{AuditId, View, render};
pub use security::{SecurityEvent, external};
pub use seed::{Seed, Touched};
