//! Who writes: what is stamped on a new resource, and whom the writer may grant access by it
//! (SECURITY.md 2.2, C2). All of it comes from the database, never from a body.

use super::caller::Caller;
use super::role::Role;
use crate::fhir::resource::ResourceKey;

/// What a write needs to know of its writer.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Writer {
    /// See [`Caller::principal`].
    pub name: String,
    /// None for the operator, and without sign-in.
    pub role: Option<Role>,
    /// The organization that owns what is written.
    pub owner: Option<i64>,
    /// The writer's `fhirUser`.
    pub author: Option<i64>,
    pub author_key: Option<ResourceKey>,
    /// The patients that the writer is or acts for.
    pub patients: Vec<i64>,
    pub patient_keys: Vec<ResourceKey>,
    /// The organizations that the writer works for.
    pub organizations: Vec<i64>,
    pub organization_keys: Vec<ResourceKey>,
    /// Ids that the writer may choose begin with it.
    pub id_prefix: Option<String>,
}

impl Writer {
    pub fn of(caller: &Caller) -> Writer {
        let name = caller.principal().to_owned();
        let Caller::Principal(principal) = caller else {
            return Writer { name, ..Writer::default() };
        };
        let links = &principal.links;
        Writer {
            name,
            role: Some(principal.role),
            owner: links.organizations.first().map(|link| link.rid),
            author: links.fhir_user.as_ref().map(|link| link.rid),
            author_key: links.fhir_user.as_ref().map(|link| link.key.clone()),
            patients: links.patients.iter().map(|link| link.rid).collect(),
            patient_keys: links.patients.iter().map(|link| link.key.clone()).collect(),
            organizations: links.organizations.iter().map(|link| link.rid).collect(),
            organization_keys: links.organizations.iter().map(|link| link.key.clone()).collect(),
            id_prefix: links.id_prefix.clone(),
        }
    }

    /// Whether every care link counts that the writer makes, but for one to himself.
    pub fn may_grant_care(&self) -> bool {
        matches!(self.role, None | Some(Role::Admin | Role::Registrar))
    }

    /// The organizations whose practitioners get care links by what the writer writes: none for
    /// those who do not act for a facility.
    pub fn granting_organizations(&self) -> &[i64] {
        match self.role {
            Some(Role::HospitalStaff | Role::EhrSystem) => &self.organizations,
            _ => &[],
        }
    }

    /// The patients whom the writer, as a patient or proxy, may entrust to others.
    pub fn entrusting_patients(&self) -> &[i64] {
        match self.role {
            Some(Role::Patient) => &self.patients,
            _ => &[],
        }
    }

    /// The practitioner whose own patients the writer may refer to others.
    pub fn referrer(&self) -> Option<i64> {
        self.author.filter(|_| self.role == Some(Role::Doctor))
    }

    /// True where the resources that the writer makes have stamps.
    pub fn has_stamps(&self) -> bool {
        self.owner.is_some() || self.author.is_some()
    }
}
