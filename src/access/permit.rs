//! The permit that storage takes with every query.
//!
//! Until the authorization server exists, the one caller there is may do everything, and only
//! under the explicit flag `--insecure-no-auth`. The row filter is compiled into every
//! statement all the same, so that no query is written without one.

use super::caller::Caller;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::interaction::Interaction;

/// Which rows a caller may see, by the access stamps of the row (surrogate ids, see
/// `migrations`). An empty set denies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RowFilter {
    All,
    /// A row passes where one of its subject patients, its owner organization or its author is
    /// in the list.
    Stamps {
        subjects: Vec<i64>,
        owners: Vec<i64>,
        authors: Vec<i64>,
    },
}

/// Proof that the gate was asked. Only [`Permit::authorize`] makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permit {
    principal: String,
    filter: RowFilter,
}

impl Permit {
    /// Asked once per interaction, also for each Bundle entry, before any data is read.
    /// 401 where the caller is not known, 403 for what operators alone may ask.
    pub fn authorize(caller: &Caller, interaction: &Interaction) -> Result<Permit> {
        let is_operators = match interaction {
            Interaction::Operation(operation) => operation.row.is_for_operators(),
            _ => false,
        };
        let refused = |kind, code, text: &str| Err(FhirError::new(kind, code, text));
        match caller {
            Caller::Anonymous => {
                let text = "This server answers signed-in callers only";
                refused(ErrorKind::Unauthorized, IssueCode::Login, text)
            }
            Caller::Principal(_) if is_operators => {
                let text = "This is for operators of the server";
                refused(ErrorKind::Forbidden, IssueCode::Forbidden, text)
            }
            Caller::Principal(_) => {
                let text = "Nothing is permitted to you";
                refused(ErrorKind::Forbidden, IssueCode::Forbidden, text)
            }
            Caller::InsecureNoAuth | Caller::Operator => {
                Ok(Permit { principal: caller.principal().to_owned(), filter: RowFilter::All })
            }
        }
    }

    /// For work of the operator that is no interaction: reindex, check, import.
    pub fn operator() -> Permit {
        Permit { principal: Caller::Operator.principal().to_owned(), filter: RowFilter::All }
    }

    /// Names the caller, see [`Caller::principal`].
    pub fn principal(&self) -> &str {
        &self.principal
    }

    pub fn filter(&self) -> &RowFilter {
        &self.filter
    }

    /// Whether the caller may activate, change and retire search parameters: each is work for the
    /// whole server. Everybody who may write, until callers have roles.
    pub fn may_define_parameters(&self) -> bool {
        true
    }

    /// The same permit, narrowed to rows with these stamps.
    pub fn narrowed(&self, filter: RowFilter) -> Permit {
        match self.filter {
            RowFilter::All => Permit { principal: self.principal.clone(), filter },
            RowFilter::Stamps { .. } => self.clone(),
        }
    }
}
