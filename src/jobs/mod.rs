//! Work that is not a request: each can be cut off at any moment and done again.

pub mod import;
pub mod key_index;
