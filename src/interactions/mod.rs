//! A file per interaction. A write is prepared into changes and applied in one place; a read is
//! performed. Requests from HTTP and from Bundle entries walk the same functions.

pub mod capabilities;
mod context;
mod outcome;

pub use context::Context;
pub use outcome::{Content, Outcome, ResourceVersion};

use crate::access::{Caller, Permit};
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::interaction::Request;

/// Carries one interaction to its answer. Errors are answers too: the caller makes an
/// OperationOutcome of them.
pub async fn perform(_context: &Context, caller: &Caller, request: Request) -> Result<Outcome> {
    let _permit = Permit::authorize(caller, &request.interaction)?;
    let text = "This interaction is not offered";
    Err(FhirError::new(ErrorKind::NotImplemented, IssueCode::NotSupported, text))
}
