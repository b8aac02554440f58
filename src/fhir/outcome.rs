//! The OperationOutcome of an error, for a response or a Bundle entry:
//! <https://hl7.org/fhir/R4/operationoutcome.html>.

use crate::error::{FhirError, Issue, IssueCode, Severity};
use serde_json::{Value, json};

/// OperationOutcome with every issue of the error.
pub fn of_error(error: &FhirError) -> Value {
    of_issues(&error.issues)
}

/// OperationOutcome with these issues; the list must not be empty (OperationOutcome.issue 1..*).
pub fn of_issues(issues: &[Issue]) -> Value {
    let issues: Vec<Value> = issues.iter().map(issue).collect();
    json!({ "resourceType": "OperationOutcome", "issue": issues })
}

/// OperationOutcome that says that all went well, for `Prefer: return=OperationOutcome`.
pub fn success() -> Value {
    let issue = Issue {
        severity: Severity::Information,
        code: IssueCode::Informational,
        expression: String::new(),
        diagnostics: "Done".to_owned(),
    };
    of_issues(&[issue])
}

fn issue(issue: &Issue) -> Value {
    let severity = match issue.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Information => "information",
    };
    let mut value = json!({
        "severity": severity,
        "code": issue.code.as_str(),
        "diagnostics": issue.diagnostics,
    });
    if !issue.expression.is_empty() {
        value["expression"] = json!([issue.expression]);
    }
    value
}
