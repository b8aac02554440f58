//! What may be granted to whom: the ceilings of roles, from the access matrix.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html>
//!
//! A ceiling bounds what stands in a grant. It is no permission: the gate is asked at each request,
//! for what the role may do then.

use super::matrix::{Acts, Matrix, Rule, Sight};
use super::role::Role;
use super::smart_scope::launch_context::LaunchContext;
use super::smart_scope::{Letters, Level, ResourceScope, Scope, Scopes};
use crate::fhir::definitions::ResourceType;

/// What the matrix and what scopes call the same.
const ACTS: [(Acts, Letters); 5] = [
    (Acts::CREATE, Letters::CREATE),
    (Acts::READ, Letters::READ),
    (Acts::UPDATE, Letters::UPDATE),
    (Acts::DELETE, Letters::DELETE),
    (Acts::SEARCH, Letters::SEARCH),
];

/// Scopes that are about no resource, and may be granted to a person's application.
const OF_LAUNCH: [&str; 7] = [
    "openid",
    "fhirUser",
    "launch",
    "launch/patient",
    "launch/encounter",
    "online_access",
    "offline_access",
];
/// Of this server, for administrators.
const OF_ADMINISTRATION: [&str; 3] = ["__bhn.settings.rw", "__bhn.users.rw", "__bhn.clients.rw"];

/// Who holds what is granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    /// An application of a person with the role.
    Person,
    /// A backend service that is registered with the role.
    System,
}

/// What of these scopes may be granted to the role at most. A scope of all types keeps what may be
/// granted of all of them.
/// Data are no matter of an operator's backend service.
pub fn ceiling((role, holder): (Role, Holder), asked: &Scopes) -> Scopes {
    let grantable = asked.iter().filter_map(|scope| match scope {
        Scope::Resource(scope) => {
            let is_data_its = (holder == Holder::System) == role.is_system();
            let own = match scope.resource_type {
                _ if !is_data_its => Letters::NONE,
                Some(resource_type) => of_type(role, scope.level, resource_type),
                None => of_all_types(role, scope.level),
            };
            let letters = scope.letters.and(own);
            let is_v1 = scope.is_v1 && letters == scope.letters;
            let kept = ResourceScope { letters, is_v1, ..scope.clone() };
            (letters != Letters::NONE).then_some(Scope::Resource(kept))
        }
        Scope::Other(name) => has((role, holder), name).then(|| scope.clone()),
    });
    grantable.collect()
}

/// What the rules of the matrix give the role for the type. Without a person there is nothing that
/// `patient/` or `user/` could be about. To a patient `user/` is what is nobody's record; a
/// patient's record is deleted from by nobody in its context.
fn of_type(role: Role, level: Level, resource_type: ResourceType) -> Letters {
    if role.is_system() != (level == Level::System) {
        return Letters::NONE;
    }
    let is_nobodys = |rule: &&Rule| {
        rule.sights.iter().all(|sight| sight.is_public() || matches!(sight, Sight::Own))
    };
    let rules = Matrix::get().rules(role, resource_type).iter();
    let rules =
        rules.filter(|rule| (role, level) != (Role::Patient, Level::User) || is_nobodys(rule));
    rules.fold(Letters::NONE, |all, rule| {
        let acts = ACTS.into_iter().filter(|(act, _)| {
            let is_delete = *act == Acts::DELETE && level == Level::Patient && !is_nobodys(&rule);
            rule.acts.meets(*act) && !is_delete
        });
        acts.fold(all, |all, (_, letter)| all.with(letter))
    })
}

/// Registries are told type by type what they get; everybody else may read what his role may.
fn of_all_types(role: Role, level: Level) -> Letters {
    let read = Letters::READ.with(Letters::SEARCH);
    match (role, level) {
        (Role::EhrSystem, Level::System) => Letters::ALL,
        (Role::Admin, Level::User) => read.with(Letters::DELETE),
        (Role::Patient, Level::Patient) => read,
        (Role::Doctor | Role::HospitalStaff | Role::Admin | Role::Registrar, level)
            if level != Level::System =>
        {
            read
        }
        _ => Letters::NONE,
    }
}

fn has((role, holder): (Role, Holder), name: &str) -> bool {
    let is_admin = matches!(role, Role::Admin | Role::Registrar);
    match holder {
        Holder::System => name.starts_with("__bhn."),
        Holder::Person => {
            OF_LAUNCH.contains(&name)
                || LaunchContext::parse(name).is_some()
                || (is_admin && OF_ADMINISTRATION.contains(&name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(role: Role, text: &str) -> String {
        let holder = if role.is_system() { Holder::System } else { Holder::Person };
        ceiling((role, holder), &Scopes::parse(text).unwrap()).to_string()
    }

    #[test]
    fn a_role_bounds_what_is_granted() {
        let asked = "openid fhirUser patient/*.cruds patient/Observation.cruds user/Patient.rs \
                     user/Condition.cruds system/*.rs __bhn.users.rw";
        assert_eq!(
            granted(Role::Patient, asked),
            "openid fhirUser patient/*.rs patient/Observation.crs"
        );
        assert_eq!(
            granted(Role::Doctor, asked),
            "openid fhirUser patient/*.rs patient/Observation.crus user/Patient.rs \
             user/Condition.crus"
        );
        assert_eq!(
            granted(Role::Admin, asked),
            "openid fhirUser patient/*.rs patient/Observation.rs user/Patient.rs \
             user/Condition.rds __bhn.users.rw"
        );
        assert_eq!(granted(Role::Registry, "system/Patient.cruds openid"), "system/Patient.rs");
        assert_eq!(granted(Role::Registry, "system/Condition.rs user/Patient.rs"), "");
    }

    #[test]
    fn the_audit_is_for_administrators_and_for_the_patient_and_nobody_writes_it() {
        let asked = "patient/AuditEvent.rs user/AuditEvent.cruds";
        assert_eq!(granted(Role::Patient, asked), "patient/AuditEvent.rs");
        assert_eq!(granted(Role::Admin, asked), "patient/AuditEvent.rs user/AuditEvent.rs");
        assert_eq!(granted(Role::Doctor, asked), "");
        assert_eq!(granted(Role::HospitalStaff, asked), "");
    }
}
