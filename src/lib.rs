//! `bhn-fhir`: an HL7 FHIR R4 server over Postgres. `ARCHITECTURE.md` is the map; a room below
//! imports only from the rooms after it.

pub mod access;
pub mod audit;
pub mod cli;
pub mod fhir;
pub mod http;
pub mod interactions;
pub mod jobs;
pub mod oauth;
pub mod search;
pub mod storage;
pub mod terminology;

pub mod clock;
pub mod config;
pub mod error;
pub mod limits;
pub mod network;
