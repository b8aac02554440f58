//! Identifiers that an operator declared unique: one value of the system names one resource of
//! the type. Every writer takes the locks of its identifiers, conditional or not.

use super::draft::Step;
use super::drafts;
use crate::access::Permit;
use crate::error::{ErrorKind, FhirError, Issue, IssueCode, Result};
use crate::fhir::resource::ResourceKey;
use crate::interactions::context::Context;
use crate::search::{Token, identifier_lock_key};
use crate::storage::{Lock, Staged, Unit, Visible};
use serde_json::Value;

/// A value that one draft brings.
struct UniqueClaim {
    key: ResourceKey,
    identifier: Token,
}

pub struct UniqueClaims(Vec<UniqueClaim>);

impl UniqueClaims {
    /// The declared-unique identifiers of all drafts. 409 where two drafts bring the same.
    pub fn of(context: &Context, steps: &[Step]) -> Result<Self> {
        let declared = &context.settings.unique_identifiers;
        let mut claims: Vec<UniqueClaim> = Vec::new();
        if declared.is_empty() {
            return Ok(UniqueClaims(claims));
        }
        for draft in drafts(steps) {
            let Some(resource) = &draft.resource else { continue };
            for (system, value) in identifiers(resource.value()) {
                let is_declared = declared.iter().any(|unique| {
                    unique.resource_type == draft.key.resource_type && unique.system == system
                });
                let identifier = Token { system: system.to_owned(), code: value.to_owned() };
                let claim = UniqueClaim { key: draft.key.clone(), identifier };
                if !is_declared || claims.iter().any(|c| c.key == claim.key && claim.is_same(c)) {
                    continue;
                }
                if let Some(other) = claims.iter().find(|other| claim.is_same(other)) {
                    return Err(taken(&claim, &other.key));
                }
                claims.push(claim);
            }
        }
        Ok(UniqueClaims(claims))
    }

    pub fn locks(&self) -> impl Iterator<Item = Lock> {
        self.0.iter().map(|claim| {
            Lock::Number(identifier_lock_key(claim.key.resource_type, &claim.identifier))
        })
    }

    /// Under the locks: 409 naming the resource that has a value already. Resources that the
    /// same set writes do not count with what they held before, and neither do those that the
    /// caller does not see: a conflict would tell that they are there.
    pub async fn check(
        &self,
        context: &Context,
        unit: &mut Unit,
        (permit, staged): (&Permit, &[Staged]),
    ) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let rids: Vec<i64> = staged.iter().map(|staged| staged.change.rid).collect();
        for claim in &self.0 {
            let parameter = context.identifier_parameter(claim.key.resource_type)?;
            let sought = (claim.key.resource_type, parameter, &claim.identifier);
            let connection = unit.connection();
            let holder = context.store.identifier_holder(connection, sought, &rids).await?;
            let Some(holder) = holder else { continue };
            let keys = [holder];
            let found = context.store.visible(unit.connection(), permit, &keys).await?;
            if !matches!(found[..], [Visible::Hidden]) {
                return Err(taken(claim, &keys[0]));
            }
        }
        Ok(())
    }
}

impl UniqueClaim {
    fn is_same(&self, other: &UniqueClaim) -> bool {
        self.key.resource_type == other.key.resource_type && self.identifier == other.identifier
    }
}

fn taken(claim: &UniqueClaim, holder: &ResourceKey) -> FhirError {
    let text = format!(
        "{holder} has this identifier of system {}, which is unique",
        claim.identifier.system
    );
    let expression = format!("{}.identifier", claim.key.resource_type);
    let issue = Issue::error(IssueCode::Duplicate, expression, text);
    FhirError::of_issues(ErrorKind::Conflict, vec![issue])
}

fn identifiers(resource: &Value) -> impl Iterator<Item = (&str, &str)> {
    let items = match &resource["identifier"] {
        Value::Array(items) => items.as_slice(),
        Value::Object(_) => std::slice::from_ref(&resource["identifier"]),
        _ => &[],
    };
    items.iter().filter_map(|item| Some((item["system"].as_str()?, item["value"].as_str()?)))
}
