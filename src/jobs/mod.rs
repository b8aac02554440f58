//! Work that is not a request: each can be cut off at any moment and done again.

pub mod check;
pub mod demo;
pub mod import;
pub mod key_index;
pub mod reindex;
