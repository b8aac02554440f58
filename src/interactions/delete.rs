//! delete: <https://hl7.org/fhir/R4/http.html#delete>, and conditional delete
//! (<https://hl7.org/fhir/R4/http.html#cdelete>), of several up to a limit.

use super::update::check_guard;
use super::write::draft::{Draft, Found, Step};
use crate::error::{FhirError, Result};
use crate::fhir::interaction::WriteGuard;
use crate::limits::Limits;
use crate::storage::Visible;

/// A delete makes a version too: a later read answers 410 with its ETag. Deleting what is not
/// there succeeds and stores nothing.
pub fn prepare(found: Found, guard: &WriteGuard, limits: &Limits) -> Result<Step<'static>> {
    match found {
        Found::Key(Visible::Live(stored)) => {
            check_guard(guard, Some(&stored))?;
            Ok(Step::Change(Draft::deleting(stored)))
        }
        Found::Key(Visible::Deleted(_) | Visible::Absent { .. }) => {
            check_guard(guard, None)?;
            Ok(Step::Nothing)
        }
        Found::Key(Visible::Hidden) | Found::Nothing => Ok(Step::Nothing),
        Found::Matches(matches) if matches.len() > limits.conditional_delete => {
            let limit = limits.conditional_delete;
            let text = format!("The criteria match more than {limit} resources; none is deleted");
            Err(FhirError::precondition_failed(text))
        }
        Found::Matches(matches) => {
            for stored in &matches {
                check_guard(guard, Some(stored))?;
            }
            Ok(Step::Deletes(matches.into_iter().map(Draft::deleting).collect()))
        }
    }
}
