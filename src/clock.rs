//! Time and ids come in from here, so that tests can hold them still. `Utc::now` and
//! `Uuid::new_v4` are banned elsewhere by `clippy.toml`.

use chrono::{DateTime, SubsecRound, Utc};

/// Where the time comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// The time, cut to the millisecond: `meta.lastUpdated` shows no more, and what is stored
    /// must equal what was shown.
    #[allow(clippy::disallowed_methods)]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Clock::System => Utc::now().trunc_subsecs(3),
            Clock::Fixed(instant) => *instant,
        }
    }

    /// The time to the microsecond, for the audit.
    #[allow(clippy::disallowed_methods)]
    pub fn precise(&self) -> DateTime<Utc> {
        match self {
            Clock::System => Utc::now().trunc_subsecs(6),
            Clock::Fixed(instant) => *instant,
        }
    }
}

/// A new logical id: UUID version 7, so that ids of one moment stand together in the index.
#[allow(clippy::disallowed_methods)]
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
