//! The one error of the server. Status and issue code are decided here; `fhir::outcome` alone
//! makes an OperationOutcome of it. Text for the client says what to fix and never holds
//! internals; the cause goes to the log.

use std::fmt;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// <https://hl7.org/fhir/R4/valueset-issue-type.html>
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IssueCode {
    Invalid,
    Structure,
    Required,
    Value,
    Invariant,
    Security,
    Login,
    Expired,
    Forbidden,
    NotSupported,
    Duplicate,
    MultipleMatches,
    NotFound,
    Deleted,
    TooLong,
    CodeInvalid,
    Extension,
    TooCostly,
    BusinessRule,
    Conflict,
    Exception,
    Timeout,
    Throttled,
    Transient,
    Informational,
}

impl IssueCode {
    pub fn as_str(self) -> &'static str {
        match self {
            IssueCode::Invalid => "invalid",
            IssueCode::Structure => "structure",
            IssueCode::Required => "required",
            IssueCode::Value => "value",
            IssueCode::Invariant => "invariant",
            IssueCode::Security => "security",
            IssueCode::Login => "login",
            IssueCode::Expired => "expired",
            IssueCode::Forbidden => "forbidden",
            IssueCode::NotSupported => "not-supported",
            IssueCode::Duplicate => "duplicate",
            IssueCode::MultipleMatches => "multiple-matches",
            IssueCode::NotFound => "not-found",
            IssueCode::Deleted => "deleted",
            IssueCode::TooLong => "too-long",
            IssueCode::CodeInvalid => "code-invalid",
            IssueCode::Extension => "extension",
            IssueCode::TooCostly => "too-costly",
            IssueCode::BusinessRule => "business-rule",
            IssueCode::Conflict => "conflict",
            IssueCode::Exception => "exception",
            IssueCode::Timeout => "timeout",
            IssueCode::Throttled => "throttled",
            IssueCode::Transient => "transient",
            IssueCode::Informational => "informational",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    Error,
    Warning,
    Information,
}

/// One finding: what is wrong, where, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issue {
    pub severity: Severity,
    pub code: IssueCode,
    /// FHIRPath of the element, such as `Patient.name[0].given`, or `http.` and a header or
    /// parameter name; empty where no element is at fault.
    pub expression: String,
    pub diagnostics: String,
}

impl Issue {
    pub fn error(
        code: IssueCode,
        expression: impl Into<String>,
        diagnostics: impl Into<String>,
    ) -> Self {
        let (expression, diagnostics) = (expression.into(), diagnostics.into());
        Issue { severity: Severity::Error, code, expression, diagnostics }
    }

    pub fn warning(
        code: IssueCode,
        expression: impl Into<String>,
        diagnostics: impl Into<String>,
    ) -> Self {
        Issue { severity: Severity::Warning, ..Issue::error(code, expression, diagnostics) }
    }
}

/// What went wrong, as far as the HTTP status is concerned (http.html#2.21.0.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// 400: the request cannot be understood.
    BadRequest,
    /// 401: no valid credentials.
    Unauthorized,
    /// 403: credentials do not reach so far.
    Forbidden,
    /// 404: unknown type, id, or version.
    NotFound,
    /// 405: the interaction is not offered there.
    MethodNotAllowed,
    /// 406: no acceptable format.
    NotAcceptable,
    /// 408: the body came too slowly.
    RequestTimeout,
    /// 409: conflict with the current state.
    Conflict,
    /// 410: deleted.
    Gone,
    /// 412: a precondition failed.
    PreconditionFailed,
    /// 413: the body is too large.
    PayloadTooLarge,
    /// 414: the URL is too long.
    UriTooLong,
    /// 415: the format of the body is not supported.
    UnsupportedMediaType,
    /// 422: understood, and against a rule of FHIR or of this server.
    Unprocessable,
    /// 429: too many requests.
    TooManyRequests,
    /// 431: the header fields are too large or too many.
    HeadersTooLarge,
    /// 500: a bug.
    Internal,
    /// 501: not offered by this server.
    NotImplemented,
    /// 503: try again later.
    Unavailable,
}

impl ErrorKind {
    pub fn status(self) -> u16 {
        match self {
            ErrorKind::BadRequest => 400,
            ErrorKind::Unauthorized => 401,
            ErrorKind::Forbidden => 403,
            ErrorKind::NotFound => 404,
            ErrorKind::MethodNotAllowed => 405,
            ErrorKind::NotAcceptable => 406,
            ErrorKind::RequestTimeout => 408,
            ErrorKind::Conflict => 409,
            ErrorKind::Gone => 410,
            ErrorKind::PreconditionFailed => 412,
            ErrorKind::PayloadTooLarge => 413,
            ErrorKind::UriTooLong => 414,
            ErrorKind::UnsupportedMediaType => 415,
            ErrorKind::Unprocessable => 422,
            ErrorKind::TooManyRequests => 429,
            ErrorKind::HeadersTooLarge => 431,
            ErrorKind::Internal => 500,
            ErrorKind::NotImplemented => 501,
            ErrorKind::Unavailable => 503,
        }
    }
}

/// The error of every fallible function that a request can reach.
pub struct FhirError {
    pub kind: ErrorKind,
    pub issues: Vec<Issue>,
    /// For the log, never for the client.
    pub source: Option<Source>,
    /// Version id for the `ETag` of a 410 (http.html#delete).
    pub version: Option<i64>,
    /// Methods for the `Allow` of a 405.
    pub allow: &'static [&'static str],
    /// True for a 403 that a token of more scopes might not meet (RFC 6750, 3.1).
    pub is_of_scope: bool,
}

pub type Result<T, E = FhirError> = std::result::Result<T, E>;

impl FhirError {
    pub fn new(kind: ErrorKind, code: IssueCode, diagnostics: impl Into<String>) -> Self {
        FhirError::of_issues(kind, vec![Issue::error(code, "", diagnostics)])
    }

    /// `issues` must not be empty.
    pub fn of_issues(kind: ErrorKind, issues: Vec<Issue>) -> Self {
        FhirError { kind, issues, source: None, version: None, allow: &[], is_of_scope: false }
    }

    /// 400 `invalid`.
    pub fn bad_request(diagnostics: impl Into<String>) -> Self {
        FhirError::new(ErrorKind::BadRequest, IssueCode::Invalid, diagnostics)
    }

    /// 400 with one issue at an element, header or parameter.
    pub fn at(code: IssueCode, expression: impl Into<String>, text: impl Into<String>) -> Self {
        FhirError::of_issues(ErrorKind::BadRequest, vec![Issue::error(code, expression, text)])
    }

    /// 400 `value` at an element, with the reason.
    pub fn invalid_value(expression: impl Into<String>, reason: impl fmt::Display) -> Self {
        FhirError::at(IssueCode::Value, expression, reason.to_string())
    }

    /// 400 `too-costly`: over a static limit, named with its value.
    pub fn too_costly(diagnostics: impl Into<String>) -> Self {
        FhirError::new(ErrorKind::BadRequest, IssueCode::TooCostly, diagnostics)
    }

    /// 403 `forbidden`: scopes or role do not give the act for the type.
    pub fn insufficient_scope(diagnostics: impl Into<String>) -> Self {
        let error = FhirError::new(ErrorKind::Forbidden, IssueCode::Forbidden, diagnostics);
        FhirError { is_of_scope: true, ..error }
    }

    /// 404: `what` is the type, `Type/id`, or path that is not there.
    pub fn not_found(what: impl fmt::Display) -> Self {
        let text = format!("{what} is not known");
        FhirError::new(ErrorKind::NotFound, IssueCode::NotFound, text)
    }

    /// 410 with the version that the delete made.
    pub fn gone(what: impl fmt::Display, version: i64) -> Self {
        let text = format!("{what} was deleted");
        let error = FhirError::new(ErrorKind::Gone, IssueCode::Deleted, text);
        FhirError { version: Some(version), ..error }
    }

    /// 405 with the methods that are offered at that path.
    pub fn method_not_allowed(method: &str, allow: &'static [&'static str]) -> Self {
        let text = format!("{method} is not offered here; {} are", allow.join(", "));
        let error = FhirError::new(ErrorKind::MethodNotAllowed, IssueCode::NotSupported, text);
        FhirError { allow, ..error }
    }

    /// 409 `conflict`.
    pub fn conflict(diagnostics: impl Into<String>) -> Self {
        FhirError::new(ErrorKind::Conflict, IssueCode::Conflict, diagnostics)
    }

    /// 412 `conflict`: a precondition of the request does not hold.
    pub fn precondition_failed(diagnostics: impl Into<String>) -> Self {
        FhirError::new(ErrorKind::PreconditionFailed, IssueCode::Conflict, diagnostics)
    }

    /// 422 `business-rule`.
    pub fn unprocessable(code: IssueCode, text: impl Into<String>) -> Self {
        FhirError::new(ErrorKind::Unprocessable, code, text)
    }

    /// 422 naming references of a resource of this type that cannot be resolved: to what is
    /// missing, deleted or invisible.
    pub fn unresolved<T: fmt::Display>(
        type_name: &str,
        references: impl IntoIterator<Item = T>,
    ) -> Self {
        let issue = |reference| {
            let text = format!("The reference {reference} cannot be resolved");
            Issue::error(IssueCode::NotFound, type_name, text)
        };
        let issues = references.into_iter().map(issue).collect();
        FhirError::of_issues(ErrorKind::Unprocessable, issues)
    }

    /// 503 `transient`: the client may try again, the response carries Retry-After.
    pub fn unavailable(diagnostics: impl Into<String>) -> Self {
        FhirError::new(ErrorKind::Unavailable, IssueCode::Transient, diagnostics)
    }

    /// 500: a bug or a broken store; the client sees no cause.
    pub fn internal(source: impl Into<Source>) -> Self {
        let text = "The server failed; the cause is in its log";
        let error = FhirError::new(ErrorKind::Internal, IssueCode::Exception, text);
        error.with_source(source)
    }

    /// The same for another request that failed with this one.
    pub fn without_source(&self) -> FhirError {
        let FhirError { kind, issues, version, allow, is_of_scope, .. } = self;
        let (kind, issues, version, is_of_scope) = (*kind, issues.clone(), *version, *is_of_scope);
        FhirError { kind, issues, source: None, version, allow, is_of_scope }
    }

    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error with `prefix` before every expression: a Bundle entry's path.
    pub fn within(mut self, prefix: &str) -> Self {
        for issue in &mut self.issues {
            issue.expression = placed(prefix, &issue.expression);
        }
        self
    }
}

/// The expression of an element below `prefix`. A path that begins with the type of a resource
/// goes on behind the element that holds the resource (operationoutcome.html, `expression`).
fn placed(prefix: &str, expression: &str) -> String {
    if expression.is_empty() {
        return prefix.to_owned();
    }
    let (root, rest) = match expression.split_once('.') {
        Some((root, rest)) => (root, Some(rest)),
        None => (expression, None),
    };
    let is_type = root.starts_with(|first: char| first.is_ascii_uppercase());
    let is_element = prefix.starts_with("Bundle") || prefix == "resource";
    if !is_element || (!is_type && root != "resourceType") {
        return format!("{prefix}.{expression}");
    }
    let holder = match prefix.ends_with("resource") {
        true => prefix.to_owned(),
        false => format!("{prefix}.resource"),
    };
    rest.map_or(holder.clone(), |rest| format!("{holder}.{rest}"))
}

impl fmt::Display for FhirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.status())?;
        for issue in &self.issues {
            write!(f, " {}: {} {};", issue.code.as_str(), issue.expression, issue.diagnostics)?;
        }
        Ok(())
    }
}

impl fmt::Debug for FhirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match &self.source {
            Some(source) => write!(f, " caused by {source:?}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FhirError {}
