//! Work that is not a request: each can be cut off at any moment and done again.

pub mod audit;
pub mod audit_report;
pub mod check;
pub mod demo;
pub mod import;
pub mod kept_answers;
pub mod key_index;
pub mod reindex;
pub mod search_parameters;
pub mod sign_ins;

use crate::interactions::Context;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Starts the jobs that run beside a server; they end where the set is dropped.
pub fn start(context: &Arc<Context>) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    jobs.spawn(audit::ship(context.clone()));
    jobs.spawn(audit::seal(context.clone()));
    jobs.spawn(audit::verify(context.clone()));
    jobs.spawn(key_index::keep_short(context.clone()));
    jobs.spawn(kept_answers::keep_short(context.clone()));
    jobs.spawn(sign_ins::keep_short(context.clone()));
    jobs.spawn(search_parameters::follow(context.clone()));
    jobs.spawn(search_parameters::keep_built(context.clone()));
    jobs
}
