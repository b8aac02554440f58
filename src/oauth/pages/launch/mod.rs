//! `/launch`: an EHR's context for an application that it starts (SMART App Launch 2.2, EHR
//! launch). By a member of staff on a page, or by a system with the scope `__bhn.launch.c`.

mod handle;
mod page;

pub use handle::launch;
pub use page::{page, start};
