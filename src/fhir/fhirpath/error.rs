//! What can be wrong with an expression or its evaluation.

use crate::error::{FhirError, IssueCode};
use std::fmt;

/// The stage at which an expression failed, in the words of the official test suite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorClass {
    /// The text is not FHIRPath.
    Syntax,
    /// It cannot mean anything for its root type.
    Semantic,
    /// It failed over this input.
    Execution,
    /// It went over the step budget or a limit of size.
    TooCostly,
}

/// An expression that cannot be parsed or evaluated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FhirPathError {
    pub class: ErrorClass,
    /// Offset in bytes into the expression, where known.
    pub position: Option<usize>,
    pub text: String,
}

pub(super) type Result<T> = std::result::Result<T, FhirPathError>;

impl FhirPathError {
    pub(super) fn syntax(position: usize, text: impl Into<String>) -> Self {
        let position = Some(position);
        FhirPathError { class: ErrorClass::Syntax, position, text: text.into() }
    }

    pub(super) fn semantic(text: impl Into<String>) -> Self {
        FhirPathError { class: ErrorClass::Semantic, position: None, text: text.into() }
    }

    pub(super) fn execution(text: impl Into<String>) -> Self {
        FhirPathError { class: ErrorClass::Execution, position: None, text: text.into() }
    }

    pub(super) fn too_costly(text: impl Into<String>) -> Self {
        FhirPathError { class: ErrorClass::TooCostly, position: None, text: text.into() }
    }
}

impl fmt::Display for FhirPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{} at offset {position}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl std::error::Error for FhirPathError {}

impl From<FhirPathError> for FhirError {
    /// 400: the expression came from the client, or meets the client's resource.
    fn from(error: FhirPathError) -> Self {
        let text = format!("FHIRPath: {error}");
        match error.class {
            ErrorClass::TooCostly => FhirError::too_costly(text),
            _ => FhirError::at(IssueCode::Invalid, "", text),
        }
    }
}
