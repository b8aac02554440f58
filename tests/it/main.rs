//! Tests over HTTP and over the database, in one binary. Each test has a database of its own,
//! cloned from a migrated template in one private cluster per run.

mod embedded;
mod harness;
mod start;
mod tidy;
