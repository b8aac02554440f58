//! The gate: who asks, what they may do, and the row filter that every query carries.

mod permit;

pub use permit::{Caller, Permit, RowFilter};
