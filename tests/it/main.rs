//! Tests over HTTP and over the database, in one binary. Each test has a database of its own,
//! cloned from a migrated template in one private cluster per run.

mod bad_input;
mod binary;
mod check;
mod compression;
mod concurrency;
mod conditional;
mod create;
mod delete;
mod demo;
mod embedded;
mod exact;
mod harness;
mod history;
mod hl7_examples;
mod http_forms;
mod import;
mod integrity;
mod logical_ids;
mod meta;
mod methods;
mod negotiation;
mod patch;
mod prefer;
mod provenance;
mod read;
mod reindex;
mod robustness;
mod search;
mod search_basics;
mod start;
mod statements;
mod tidy;
mod transaction;
mod unavailable;
mod update;
