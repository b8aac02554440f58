//! What is wrong with a resource, all of it at once, up to a bound.

use crate::error::{ErrorKind, FhirError, Issue, IssueCode};
use std::fmt::Display;

/// Findings of one resource; more are not looked for.
const MAXIMUM: usize = 100;

#[derive(Default)]
pub(super) struct Issues(Vec<Issue>);

impl Issues {
    pub fn add(&mut self, code: IssueCode, expression: &impl Display, text: impl Into<String>) {
        if self.0.len() < MAXIMUM {
            self.0.push(Issue::error(code, expression.to_string(), text));
        }
    }

    pub fn push(&mut self, issue: Issue) {
        self.0.push(issue);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.0.len() >= MAXIMUM
    }

    pub fn into_error(self, kind: ErrorKind) -> FhirError {
        FhirError::of_issues(kind, self.0)
    }
}
