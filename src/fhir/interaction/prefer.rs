//! The `Prefer` header (RFC 7240): <https://hl7.org/fhir/R4/http.html#ops>,
//! <https://hl7.org/fhir/R4/search.html#lenient>.

use super::{Handling, Prefer, Returning};
use crate::error::{FhirError, IssueCode, Result};

/// Reads the preferences. Unknown ones, and values that are not known, are ignored, and of
/// several the first counts (RFC 7240, 2). `respond-async` is refused with 400: a client that
/// counts on a polling location would otherwise wait for a long answer unprepared.
pub(super) fn read(header: Option<&str>) -> Result<Prefer> {
    let mut prefer = Prefer::default();
    let mut handling = None;
    for preference in split_quoted(header.unwrap_or_default(), ',') {
        let preference = split_quoted(preference, ';').next().unwrap_or_default().trim();
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "return" => prefer.returning = prefer.returning.or(returning(value)),
            "handling" => handling = handling.or(handling_of(value)),
            "respond-async" => {
                let why = "Asynchronous answers are not offered; leave respond-async out";
                return Err(FhirError::at(IssueCode::NotSupported, "http.Prefer", why));
            }
            _ => {}
        }
    }
    prefer.handling = handling.unwrap_or_default();
    Ok(prefer)
}

fn returning(value: &str) -> Option<Returning> {
    match value {
        "minimal" => Some(Returning::Minimal),
        "representation" => Some(Returning::Representation),
        "OperationOutcome" => Some(Returning::OperationOutcome),
        _ => None,
    }
}

fn handling_of(value: &str) -> Option<Handling> {
    match value {
        "strict" => Some(Handling::Strict),
        "lenient" => Some(Handling::Lenient),
        _ => None,
    }
}

/// Splits at a character that does not stand in a quoted string.
pub(crate) fn split_quoted(text: &str, at: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |c: char| {
        is_quoted ^= c == '"';
        c == at && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_from_one_list() {
        let prefer = read(Some("return=minimal; foo=\"a,b\", handling=lenient, wait=5")).unwrap();
        assert_eq!(prefer.returning, Some(Returning::Minimal));
        assert_eq!(prefer.handling, Handling::Lenient);
        let prefer = read(Some("Return = \"OperationOutcome\"")).unwrap();
        assert_eq!(prefer.returning, Some(Returning::OperationOutcome));
    }

    #[test]
    fn unknown_preferences_and_values_are_ignored() {
        assert_eq!(read(None).unwrap(), Prefer::default());
        assert_eq!(read(Some("return=everything, x, =, ,;")).unwrap(), Prefer::default());
    }

    #[test]
    fn of_several_the_first_counts() {
        let prefer = read(Some("return=minimal, return=representation")).unwrap();
        assert_eq!(prefer.returning, Some(Returning::Minimal));
    }

    #[test]
    fn respond_async_is_refused_clearly() {
        let error = read(Some("return=minimal, respond-async")).unwrap_err();
        assert_eq!(error.kind.status(), 400);
        assert_eq!(error.issues[0].code, IssueCode::NotSupported);
    }
}
