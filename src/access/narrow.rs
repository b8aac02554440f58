//! Plans of searches, held against a permit before anything is read: where chains lead, and what is
//! searched by of resources that are shown in part.

use super::permit::Permit;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::definitions::ResourceType;
use crate::search::{Asks, Plan, Use, r4_code};

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
        match plan.uses().iter().find(|one| !self.shows_use(one)) {
            None => Ok(()),
            Some(one) => {
                let name = match one.asks {
                    Asks::Parameter(id) => r4_code(id).unwrap_or("a parameter"),
                    Asks::Words => "words",
                };
                let text = format!("{name} is about elements that are not shown to you");
                Err(FhirError::new(ErrorKind::Forbidden, IssueCode::Forbidden, text))
            }
        }
    }

    /// Whether what is asked tells no more of resources of these types than is shown.
    fn shows_use(&self, one: &Use<'_>) -> bool {
        let code = match one.asks {
            Asks::Parameter(id) => r4_code(id),
            Asks::Words => None,
        };
        let shows = |kind: ResourceType| self.redactor.may_search(kind, code);
        match one.types {
            [] => self.filter().types().iter().all(shows),
            types => types.iter().copied().all(shows),
        }
    }

    /// What is left of resources that are shown in part.
    pub fn redactor(&self) -> &super::redact::Redactor {
        &self.redactor
    }
}
