//! Tests over HTTP and over the database, in one binary. Each test has a database of its own,
//! cloned from a migrated template in one private cluster per run.

mod concurrency;
mod embedded;
mod harness;
mod history;
mod http_forms;
mod integrity;
mod start;
mod tidy;
mod transaction;
