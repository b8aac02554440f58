//! Tests over HTTP and over the database, in one binary. Each test has a database of its own,
//! cloned from a migrated template in one private cluster per run.

mod check;
mod concurrency;
mod demo;
mod embedded;
mod harness;
mod history;
mod http_forms;
mod import;
mod integrity;
mod reindex;
mod start;
mod tidy;
mod transaction;
