//! The permit that storage takes with every query: proof that the gate was asked, and what it
//! said.

use crate::access::authorize;
use crate::access::authorize::redact::Redactor;
use crate::access::caller::Caller;
use crate::access::guard::Guarded;
use crate::access::matrix::type_set::TypeSet;
use crate::access::rows::filter::{AllProof, RowFilter};
use crate::access::rows::granular::Images;
use crate::access::writer::Writer;
use crate::error::{FhirError, Result};
use crate::fhir::interaction::Interaction;
use std::sync::Arc;

/// What the gate lets through. Only [`Permit::authorize`] and the operator's own work make one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permit {
    writer: Arc<Writer>,
    guarded: Option<Guarded>,
    filter: RowFilter,
    included: RowFilter,
    changes: RowFilter,
    reach: RowFilter,
    counted: TypeSet,
    answers: Answers,
    pub(in crate::access) redactor: Redactor,
    images: Arc<Images>,
    images_of_new: Arc<Images>,
    defines_parameters: bool,
}

/// How much an answer may tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answers {
    Whole,
    /// A search tells how many there are, and no more: the scope has `s` without `r`.
    Count,
    /// A write is answered without its resource: the scope has no `r`.
    Minimal,
}

/// What the gate found, as rows.
pub(in crate::access) struct Granted {
    pub guarded: Option<Guarded>,
    pub filter: RowFilter,
    pub included: RowFilter,
    pub changes: RowFilter,
    pub reach: RowFilter,
    pub counted: TypeSet,
    pub answers: Answers,
    pub redactor: Redactor,
    pub images: Images,
    pub images_of_new: Images,
    pub defines_parameters: bool,
}

impl Permit {
    /// Asked once per interaction, also for each Bundle entry, before any data is read.
    /// 401 where the caller is not known; 403 where the scopes, the role, or being no operator
    /// do not let this be done to this type.
    pub fn authorize(caller: &Caller, interaction: &Interaction) -> Result<Permit> {
        match caller {
            Caller::InsecureNoAuth | Caller::Operator => Ok(Permit::unbounded(caller)),
            Caller::Anonymous => {
                authorize::anonymous(interaction).map(|granted| Permit::of(caller, granted))
            }
            Caller::Principal(principal) => authorize::principal(principal, interaction)
                .map(|granted| Permit::of(caller, granted)),
        }
    }

    /// For work of the operator that is no interaction: reindex, check, import.
    pub fn operator() -> Permit {
        Permit::unbounded(&Caller::Operator)
    }

    /// For planning the queries of scopes: what the role sees, whatever the scopes.
    pub fn reach_of(caller: &Caller) -> Permit {
        match caller {
            Caller::InsecureNoAuth | Caller::Operator => Permit::unbounded(caller),
            Caller::Anonymous => Permit::of(caller, authorize::nothing()),
            Caller::Principal(principal) => Permit::of(caller, authorize::reach(principal)),
        }
    }

    fn unbounded(caller: &Caller) -> Permit {
        let all = RowFilter::All(AllProof::of_operator());
        let granted = Granted {
            guarded: None,
            filter: all.clone(),
            included: all.clone(),
            changes: all.clone(),
            reach: all,
            counted: TypeSet::default(),
            answers: Answers::Whole,
            redactor: Redactor::none(),
            images: Images::default(),
            images_of_new: Images::default(),
            defines_parameters: true,
        };
        Permit::of(caller, granted)
    }

    fn of(caller: &Caller, granted: Granted) -> Permit {
        Permit {
            writer: Arc::new(Writer::of(caller)),
            guarded: granted.guarded,
            filter: granted.filter,
            included: granted.included,
            changes: granted.changes,
            reach: granted.reach,
            counted: granted.counted,
            answers: granted.answers,
            redactor: granted.redactor,
            images: Arc::new(granted.images),
            images_of_new: Arc::new(granted.images_of_new),
            defines_parameters: granted.defines_parameters,
        }
    }

    /// The same where registrars give identifiers of these systems: registries are shown them.
    pub fn with_registrar_systems(self, systems: &Arc<[String]>) -> Permit {
        let redactor = self.redactor.clone().with_registrar_systems(systems);
        Permit { redactor, ..self }
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

    /// The rows that the interaction may find: those it shows, goes over, or, of a write, that
    /// the caller knows to be there.
    pub fn filter(&self) -> &RowFilter {
        &self.filter
    }

    /// The rows that may be shown beside matches.
    pub fn included(&self) -> &RowFilter {
        &self.included
    }

    /// Of a write the rows that it may be done to, before and after. What the caller sees and is
    /// not among them is 403; what he does not see is 404.
    pub fn changes(&self) -> &RowFilter {
        &self.changes
    }

    /// The rows that the role may see whatever the scopes of the token: what a resource may refer
    /// to, and whose compartment may be named.
    pub fn reach(&self) -> &RowFilter {
        &self.reach
    }

    /// The same permit over what [`Permit::reach`] says.
    pub fn reaching(&self) -> Permit {
        Permit { filter: self.reach.clone(), ..self.clone() }
    }

    /// What the scopes let versions be: old ones that are read, new ones that are written.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// The same of what a write creates.
    pub fn images_of_new(&self) -> &Images {
        &self.images_of_new
    }

    pub fn answers(&self) -> Answers {
        self.answers
    }

    /// True where everything may be seen, whoever asks.
    pub fn is_unbounded(&self) -> bool {
        self.filter.is_all()
    }

    /// Types that may be searched, by chains as well, and not shown.
    pub(in crate::access) fn counted(&self) -> TypeSet {
        self.counted
    }

    /// Types that chains may lead over.
    pub(in crate::access) fn linked(&self) -> TypeSet {
        self.filter.types()
    }

    /// Whether the caller may activate, change and retire search parameters: each is work for the
    /// whole server.
    pub fn may_define_parameters(&self) -> bool {
        self.defines_parameters
    }

    /// 403 where the answer would show resources that the caller may only count.
    pub fn check_shows(&self, is_count: bool) -> Result<()> {
        match self.answers == Answers::Count && !is_count {
            true => Err(FhirError::insufficient_scope(
                "The scopes let this type be searched, but not be read: ask with _summary=count",
            )),
            false => Ok(()),
        }
    }

    /// The same permit, narrowed to the rows of another filter, where it is the operator's.
    pub fn narrowed(&self, filter: RowFilter) -> Permit {
        match self.filter {
            RowFilter::All(_) => Permit {
                included: filter.clone(),
                changes: filter.clone(),
                reach: filter.clone(),
                filter,
                ..self.clone()
            },
            RowFilter::Groups(_) => self.clone(),
        }
    }
}
