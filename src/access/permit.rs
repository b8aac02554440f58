//! The permit that storage takes with every query.
//!
//! Until the authorization server exists, the one caller there is may do everything, and only
//! under the explicit flag `--insecure-no-auth`. The row filter is compiled into every
//! statement all the same, so that no query is written without one.

use super::caller::Caller;
use super::guard::Guarded;
use super::interim;
use super::writer::Writer;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::interaction::Interaction;
use std::sync::Arc;

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
    /// See `interim.rs`.
    Interim {
        subjects: Vec<i64>,
        practitioner: Option<i64>,
        owners: Vec<i64>,
        itself: Option<i64>,
        is_public: bool,
    },
}

/// Proof that the gate was asked. Only [`Permit::authorize`] makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permit {
    filter: RowFilter,
    changes: RowFilter,
    writer: Arc<Writer>,
    guarded: Option<Guarded>,
    may_read: bool,
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
            Caller::Principal(principal) => {
                let interim::Parts { filter, changes, writer, guarded, may_read } =
                    interim::parts(caller, principal, interaction);
                let (writer, guarded) = (Arc::new(writer), Some(guarded));
                Ok(Permit { filter, changes, writer, guarded, may_read })
            }
            Caller::InsecureNoAuth | Caller::Operator => Ok(Permit::unguarded(caller)),
        }
    }

    /// For work of the operator that is no interaction: reindex, check, import.
    pub fn operator() -> Permit {
        Permit::unguarded(&Caller::Operator)
    }

    fn unguarded(caller: &Caller) -> Permit {
        let writer = Arc::new(Writer::of(caller));
        let (filter, changes) = (RowFilter::All, RowFilter::All);
        Permit { filter, changes, writer, guarded: None, may_read: true }
    }

    /// Names the caller, see [`Caller::principal`].
    pub fn principal(&self) -> &str {
        &self.writer.name
    }

    /// Who writes: stamps, and whom the writer may grant access.
    pub fn writer(&self) -> &Arc<Writer> {
        &self.writer
    }

    /// The organization that owns what is created.
    pub fn owner(&self) -> Option<i64> {
        self.writer.owner
    }

    /// The author of what is created: the writer's `fhirUser`.
    pub fn author(&self) -> Option<i64> {
        self.writer.author
    }

    /// What a write must keep to; None for the operator and without sign-in, whom no guard holds.
    pub fn guarded(&self) -> Option<Guarded> {
        self.guarded
    }

    /// The same permit over the rows that may be changed.
    pub fn changing(&self) -> Permit {
        Permit { filter: self.changes.clone(), ..self.clone() }
    }

    /// The same permit over the rows that a resource may refer to.
    pub fn reaching(&self) -> Permit {
        self.clone()
    }

    /// Whether the answer to a write may carry the resource: the token lets its bearer read the
    /// type (SMART App Launch 2.2, write access does not imply read access).
    pub fn may_read(&self) -> bool {
        self.may_read
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
            RowFilter::All => Permit { filter, ..self.clone() },
            _ => self.clone(),
        }
    }
}
