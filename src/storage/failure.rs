//! What a failed statement means for the request.

use crate::error::{ErrorKind, FhirError, IssueCode};

/// True where the same work may succeed when it is done again from the start: a deadlock, a
/// serialization failure, a lock not had in time, or a unique key taken meanwhile.
pub fn is_lost_race(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("40P01" | "40001" | "55P03" | "23505"))
}

/// 503 where the database is away, full, or was too slow; 500 for anything else.
pub fn of_sqlx(error: sqlx::Error) -> FhirError {
    let text = match &error {
        sqlx::Error::PoolTimedOut => "All database connections are busy",
        sqlx::Error::PoolClosed => "The server is shutting down",
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => "The database cannot be reached",
        sqlx::Error::WorkerCrashed => "The database connection was lost",
        sqlx::Error::Database(cause) => match cause.code().as_deref() {
            Some("57014") => {
                let text = "The database took too long over this request and was stopped";
                let failure = FhirError::new(ErrorKind::Unavailable, IssueCode::Timeout, text);
                return failure.with_source(error);
            }
            // Raised by at_most of the migrations.
            Some("BHN01") => {
                let most = cause.message();
                return FhirError::too_costly(format!(
                    "A hierarchy of :above or :below has more than {most} members"
                ));
            }
            Some("53100") => "The database's disk is full",
            Some("53200" | "53300" | "53400") => "The database is out of resources",
            Some("57P01" | "57P02" | "57P03" | "57P05") => "The database is restarting",
            Some("25006") => "The database is read-only",
            Some(code) if code.starts_with("08") => "The database connection was lost",
            Some("40P01" | "40001" | "55P03") => "Too many writers contend for this resource",
            Some("58030") => "The database cannot write to its disk",
            _ => return FhirError::internal(error),
        },
        _ => return FhirError::internal(error),
    };
    FhirError::unavailable(text).with_source(error)
}
