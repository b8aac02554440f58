//! Tests over HTTP and over the database, in one binary. Each test has a database of its own,
//! cloned from a migrated template in one private cluster per run.

mod concurrency;
mod embedded;
#[allow(dead_code, unused_imports, reason = "a vocabulary, of which tests use what they need")]
mod harness;
mod history;
mod integrity;
mod start;
mod tidy;
mod transaction;
