//! Plans of searches, held against a permit before anything is read: where chains lead, and what is
//! searched by of resources that are shown in part.

use crate::access::authorize::permit::Permit;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::definitions::ResourceType;
use crate::search::{Asks, Plan, Use, r4_code, r4_parameter};

impl Permit {
    /// 403 where a chain or `_has` goes over types that may not be searched, and where criteria
    /// or order are about elements that the caller is not shown. A chain that may go over several
    /// types goes over those that he may search.
    pub fn check_plan(&self, plan: &Plan) -> Result<()> {
        if self.is_unbounded() {
            return Ok(());
        }
        let linked = self.linked();
        let may =
            |types: &[ResourceType]| types.is_empty() || types.iter().any(|kind| linked.has(*kind));
        if plan.has_barred_link(&may) {
            let text = "The scopes and the role do not let a type that this leads to be searched";
            return Err(FhirError::insufficient_scope(text));
        }
        let counted = self.filter().types().and(self.counted());
        if plan.contained.is_some() && !counted.is_empty() {
            let text = "Containers of any type may be shown: _contained needs scopes that let the \
                        types be read that may be searched";
            return Err(FhirError::insufficient_scope(text));
        }
        match plan.uses().iter().find(|one| !self.shows_use(one)) {
            None => Ok(()),
            Some(one) => {
                let name = match one.asks {
                    Asks::Parameter(id) | Asks::Targets(id, _) => r4_code(id),
                    Asks::Includes(_) => Some("_include"),
                    Asks::Words => Some("words"),
                };
                let name = name.unwrap_or("a parameter");
                let text = format!("{name} is about elements that are not shown to you");
                Err(FhirError::new(ErrorKind::Forbidden, IssueCode::Forbidden, text))
            }
        }
    }

    /// Whether what is asked tells no more of resources of these types than is shown.
    fn shows_use(&self, one: &Use<'_>) -> bool {
        let shows = |kind: ResourceType| match one.asks {
            Asks::Parameter(id) => self.redactor.may_search(kind, (r4_code(id), None)),
            Asks::Targets(id, targets) => {
                self.redactor.may_search(kind, (r4_code(id), Some(targets)))
            }
            Asks::Words => self.redactor.may_search(kind, (None, None)),
            // Those of other types lead nowhere from this one.
            Asks::Includes(ids) => ids.iter().all(|id| match r4_code(*id) {
                Some(code) if r4_parameter(kind, code) == Some(*id) => {
                    self.redactor.may_include(kind, code)
                }
                _ => true,
            }),
        };
        match (one.types, one.asks) {
            ([], Asks::Includes(_)) => self.included().types().iter().all(shows),
            ([], _) => self.filter().types().iter().all(shows),
            (types, _) => types.iter().copied().all(shows),
        }
    }

    /// What is left of resources that are shown in part.
    pub fn redactor(&self) -> &crate::access::authorize::redact::Redactor {
        &self.redactor
    }
}
