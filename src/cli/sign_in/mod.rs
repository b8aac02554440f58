//! The commands about who signs in, and the people of the demonstration.

pub mod client;
pub mod demo_people;
pub mod keys;
mod operator;
pub mod user;
