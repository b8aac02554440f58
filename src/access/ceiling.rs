//! What may be granted to whom: the ceilings of roles, and of clients by what they registered.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html>
//!
//! A ceiling bounds what stands in a grant. It is no permission: the gate is asked at each request,
//! for what the role may do then.

use super::role::Role;
use super::smart_scope::{Letters, Level, ResourceScope, Scope, Scopes};
use crate::fhir::definitions::ResourceType;

const RS: Letters = Letters::READ.with(Letters::SEARCH);
const CU: Letters = Letters::CREATE.with(Letters::UPDATE);
const C: Letters = Letters::CREATE;
const R: Letters = Letters::READ;
const U: Letters = Letters::UPDATE;
const D: Letters = Letters::DELETE;
const ALL: Letters = Letters::ALL;

/// Types that a line is about.
enum Types {
    All,
    Only(&'static [&'static str]),
}

/// `level/type.letters`
struct Line(&'static [Level], Types, Letters);

const PATIENT: &[Level] = &[Level::Patient];
const USER: &[Level] = &[Level::User];
const BOTH: &[Level] = &[Level::User, Level::Patient];
const SYSTEM: &[Level] = &[Level::System];

/// What everybody who is signed in may look up.
const DIRECTORY: &[&str] = &[
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "HealthcareService",
    "Schedule",
    "Slot",
];
/// Knowledge and conformance.
const KNOWLEDGE: &[&str] = &[
    "CapabilityStatement",
    "StructureDefinition",
    "ValueSet",
    "CodeSystem",
    "SearchParameter",
    "OperationDefinition",
    "CompartmentDefinition",
    "ImplementationGuide",
    "NamingSystem",
    "ConceptMap",
    "Questionnaire",
    "Medication",
];
const PERSONS: &[&str] = &["Patient", "RelatedPerson", "Person"];
const CLINICAL: &[&str] = &[
    "Observation",
    "Condition",
    "AllergyIntolerance",
    "MedicationStatement",
    "MedicationRequest",
    "Immunization",
    "Procedure",
    "DiagnosticReport",
    "DocumentReference",
    "Binary",
    "Encounter",
    "CarePlan",
    "CareTeam",
    "ServiceRequest",
    "Composition",
    "Appointment",
    "Provenance",
    "Communication",
    "Task",
    "Specimen",
    "FamilyMemberHistory",
    "Goal",
    "Flag",
];
const BIRTHS: &[&str] = &[
    "Composition",
    "Patient",
    "RelatedPerson",
    "Encounter",
    "Observation",
    "DocumentReference",
    "Binary",
    "Provenance",
    "Task",
];
const ADMINISTERED: &[&str] = &[
    "Organization",
    "Location",
    "HealthcareService",
    "Practitioner",
    "PractitionerRole",
    "Endpoint",
    "Schedule",
    "Slot",
    "Subscription",
    "Group",
    "List",
];
const REGISTERED: &[&str] = &[
    "Composition",
    "Patient",
    "RelatedPerson",
    "Practitioner",
    "Organization",
    "Location",
    "Provenance",
    "Group",
];

const OF_PATIENT: &[Line] = &[
    Line(PATIENT, Types::All, RS),
    Line(PATIENT, Types::Only(&["Patient"]), U),
    Line(PATIENT, Types::Only(&["Consent", "AllergyIntolerance", "Appointment"]), CU),
    Line(PATIENT, Types::Only(&["QuestionnaireResponse"]), CU),
    Line(PATIENT, Types::Only(&["Observation", "Communication", "Task"]), C),
    Line(BOTH, Types::Only(&["Basic"]), ALL),
    Line(USER, Types::Only(DIRECTORY), RS),
    Line(USER, Types::Only(KNOWLEDGE), RS),
    Line(USER, Types::Only(PERSONS), R),
];
const OF_DOCTOR: &[Line] = &[
    Line(BOTH, Types::All, RS),
    Line(BOTH, Types::Only(CLINICAL), CU),
    Line(BOTH, Types::Only(&["Patient", "Practitioner"]), U),
    Line(USER, Types::Only(&["Schedule", "Slot"]), CU),
    Line(BOTH, Types::Only(&["Basic", "Subscription"]), ALL),
];
const OF_STAFF: &[Line] = &[
    Line(BOTH, Types::All, RS),
    Line(BOTH, Types::Only(BIRTHS), CU),
    Line(BOTH, Types::Only(&["Consent", "QuestionnaireResponse", "Communication"]), CU),
    Line(BOTH, Types::Only(&["Basic"]), ALL),
];
const OF_ADMIN: &[Line] = &[
    Line(BOTH, Types::All, RS),
    Line(USER, Types::All, D),
    Line(USER, Types::Only(ADMINISTERED), ALL),
    Line(USER, Types::Only(KNOWLEDGE), ALL),
];
const OF_REGISTRY: &[Line] = &[
    Line(SYSTEM, Types::Only(REGISTERED), RS),
    Line(SYSTEM, Types::Only(&["Task", "Composition"]), U),
];
const OF_EHR_SYSTEM: &[Line] = &[Line(SYSTEM, Types::All, ALL)];

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
const NEVER: [(&str, Letters); 1] = [("AuditEvent", CU.with(D))];

/// What may be granted to one role at most.
pub struct Ceiling {
    role: Role,
    lines: &'static [Line],
}

/// The ceiling of a role.
pub fn ceiling(role: Role) -> Ceiling {
    let lines = match role {
        Role::Patient => OF_PATIENT,
        Role::Doctor => OF_DOCTOR,
        Role::HospitalStaff => OF_STAFF,
        Role::Admin | Role::Registrar => OF_ADMIN,
        Role::Registry => OF_REGISTRY,
        Role::EhrSystem => OF_EHR_SYSTEM,
    };
    Ceiling { role, lines }
}

impl Ceiling {
    /// What of these scopes may be granted. A scope of all types keeps what holds for all of them.
    pub fn of(&self, asked: &Scopes) -> Scopes {
        let grantable = asked.iter().filter_map(|scope| match scope {
            Scope::Resource(scope) => {
                let letters = scope.letters.and(self.letters(scope.level, scope.resource_type));
                let kept = ResourceScope { letters, ..scope.clone() };
                (letters != Letters::NONE).then_some(Scope::Resource(kept))
            }
            Scope::Other(name) => self.has(name).then(|| scope.clone()),
        });
        grantable.collect()
    }

    fn letters(&self, level: Level, resource_type: Option<ResourceType>) -> Letters {
        let mut letters = Letters::NONE;
        for Line(levels, types, more) in self.lines {
            let is_of = match (types, resource_type) {
                (Types::All, _) => true,
                (Types::Only(names), Some(resource_type)) => names.contains(&resource_type.name()),
                (Types::Only(_), None) => false,
            };
            if is_of && levels.contains(&level) {
                letters = letters.with(*more);
            }
        }
        let name = resource_type.map(ResourceType::name);
        let is_audit = NEVER.iter().any(|(never, _)| Some(*never) == name);
        match (is_audit, self.role) {
            (true, Role::Doctor | Role::HospitalStaff) => Letters::NONE,
            (true, _) => letters.and(RS),
            (false, _) => letters,
        }
    }

    fn has(&self, name: &str) -> bool {
        let is_admin = matches!(self.role, Role::Admin | Role::Registrar);
        let is_person = !self.role.is_system();
        (is_person && OF_LAUNCH.contains(&name)) || (is_admin && OF_ADMINISTRATION.contains(&name))
    }
}

/// What of the asked scopes a client may have that registered these. A scope of all types that it
/// did not register as such becomes those that it did.
pub fn registered(asked: &Scopes, registered: &Scopes) -> Scopes {
    let mut kept = Scopes::default();
    for scope in asked.iter() {
        match scope {
            Scope::Other(name) if registered.has(name) => kept.push(scope.clone()),
            Scope::Other(_) => {}
            Scope::Resource(scope) => {
                let parts = registered.resources().filter_map(|own| within(scope, own));
                let parts: Vec<ResourceScope> = parts.collect();
                let whole = parts.iter().find(|part| *part == scope).cloned();
                match whole {
                    Some(whole) => kept.push(Scope::Resource(whole)),
                    None => parts.into_iter().for_each(|part| kept.push(Scope::Resource(part))),
                }
            }
        }
    }
    kept
}

/// What is in both scopes; None for nothing, and for two that are narrowed otherwise.
fn within(asked: &ResourceScope, own: &ResourceScope) -> Option<ResourceScope> {
    let resource_type = match (asked.resource_type, own.resource_type) {
        (Some(asked), Some(own)) if asked != own => return None,
        (asked, own) => asked.or(own),
    };
    let query = match (&asked.query, &own.query) {
        (Some(asked), Some(own)) if asked != own => return None,
        (asked, own) => asked.clone().or_else(|| own.clone()),
    };
    let letters = asked.letters.and(own.letters);
    let is_v1 = asked.is_v1 && query.is_none();
    let is_some = asked.level == own.level && letters != Letters::NONE;
    is_some.then_some(ResourceScope { level: asked.level, resource_type, letters, query, is_v1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(role: Role, text: &str) -> String {
        ceiling(role).of(&Scopes::parse(text).unwrap()).to_string()
    }

    fn of_client(asked: &str, own: &str) -> String {
        registered(&Scopes::parse(asked).unwrap(), &Scopes::parse(own).unwrap()).to_string()
    }

    #[test]
    fn a_role_bounds_what_is_granted() {
        let asked = "openid fhirUser patient/*.cruds patient/Observation.cruds user/Patient.rs \
                     user/Condition.cruds system/*.rs __bhn.users.rw";
        assert_eq!(
            granted(Role::Patient, asked),
            "openid fhirUser patient/*.rs patient/Observation.crs user/Patient.r"
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
        assert_eq!(granted(Role::Registry, "system/Observation.rs user/Patient.rs"), "");
    }

    #[test]
    fn the_audit_is_for_administrators_and_for_the_patient_and_nobody_writes_it() {
        let asked = "patient/AuditEvent.rs user/AuditEvent.cruds";
        assert_eq!(granted(Role::Patient, asked), "patient/AuditEvent.rs");
        assert_eq!(granted(Role::Admin, asked), "patient/AuditEvent.rs user/AuditEvent.rs");
        assert_eq!(granted(Role::Doctor, asked), "");
        assert_eq!(granted(Role::HospitalStaff, asked), "");
    }

    #[test]
    fn a_client_has_no_more_than_it_registered() {
        assert_eq!(
            of_client("openid launch patient/*.rs", "openid patient/*.cruds"),
            "openid patient/*.rs"
        );
        assert_eq!(
            of_client("patient/*.rs", "patient/Observation.r patient/Patient.rs"),
            "patient/Observation.r patient/Patient.rs"
        );
        assert_eq!(
            of_client("patient/Observation.read", "patient/*.rs"),
            "patient/Observation.read"
        );
        assert_eq!(of_client("user/Observation.rs", "patient/*.rs"), "");
        assert_eq!(
            of_client("patient/Observation.rs", "patient/Observation.rs?category=a"),
            "patient/Observation.rs?category=a"
        );
        assert_eq!(of_client("patient/Observation.rs?category=b", "patient/*.rs?category=a"), "");
    }
}
