//! What every interaction has at hand.

use crate::clock::Clock;
use crate::config::Settings;
use crate::search::Registry;
use crate::storage::Store;

/// One for the server; shared by all requests.
pub struct Context {
    pub store: Store,
    pub registry: Registry,
    pub clock: Clock,
    pub settings: Settings,
}
