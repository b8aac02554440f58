//! The BHN roles.

use std::fmt;

/// What a person or a system is to the network. It comes from the database at each request, never
/// from a token, so that a role that is taken away is gone at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Role {
    Patient,
    Doctor,
    HospitalStaff,
    Admin,
    /// An admin who registers births of a jurisdiction.
    Registrar,
    /// A government registry, as a backend service.
    Registry,
    /// The system of a hospital or of an EHR vendor, as a backend service.
    EhrSystem,
}

impl Role {
    pub const ALL: [Role; 7] = [
        Role::Patient,
        Role::Doctor,
        Role::HospitalStaff,
        Role::Admin,
        Role::Registrar,
        Role::Registry,
        Role::EhrSystem,
    ];

    /// As it is stored and configured: `hospital_staff`.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Patient => "patient",
            Role::Doctor => "doctor",
            Role::HospitalStaff => "hospital_staff",
            Role::Admin => "admin",
            Role::Registrar => "registrar",
            Role::Registry => "registry",
            Role::EhrSystem => "ehr_system",
        }
    }

    /// None for a word that is no role.
    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// True for the roles of systems, which sign in without a person.
    pub fn is_system(self) -> bool {
        matches!(self, Role::Registry | Role::EhrSystem)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
