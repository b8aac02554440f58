//! What every request passes through, whatever it asks for.

pub mod admission;
pub mod bounds;
pub mod finish;
pub mod forwarded;
pub mod inflate;
pub mod panic;
pub mod request_id;
pub mod trace;
