//! What interactions tell the audit, and how AuditEvents are answered from it.

pub mod events;
mod query;
pub mod trail;
