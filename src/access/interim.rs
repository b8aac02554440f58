//! What a principal may do until the access matrix says so: every interaction, on rows that his
//! links reach and on those about nobody.

use super::caller::Caller;
use super::guard::{Guard, Guarded, Within};
use super::permit::RowFilter;
use super::principal::Principal;
use super::role::Role;
use super::smart_scope::Letters;
use super::writer::Writer;
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::{Interaction, Operation, OperationScope};

pub struct Parts {
    pub filter: RowFilter,
    pub changes: RowFilter,
    pub writer: Writer,
    pub guarded: Guarded,
    pub may_read: bool,
}

pub fn parts(caller: &Caller, principal: &Principal, interaction: &Interaction) -> Parts {
    let writer = Writer::of(caller);
    let of = written(interaction);
    let name = of.map_or("", |of| of.name());
    let rows = |is_public| {
        let of_role = |role, rids: &Vec<i64>| match principal.role == role {
            true => rids.clone(),
            false => Vec::new(),
        };
        RowFilter::Interim {
            subjects: of_role(Role::Patient, &writer.patients),
            practitioner: writer.referrer().filter(|_| is_public || !OWN.contains(&name)),
            owners: match principal.role {
                Role::Patient | Role::Doctor => Vec::new(),
                _ => writer.organizations.clone(),
            },
            itself: writer.author.filter(|_| is_public || OWN.contains(&name)),
            is_public,
        }
    };
    let owned = RowFilter::Stamps {
        subjects: Vec::new(),
        owners: writer.organizations.clone(),
        authors: Vec::new(),
    };
    let (filter, changes) = match principal.role {
        Role::Admin | Role::Registrar => (RowFilter::All, RowFilter::All),
        Role::EhrSystem => (rows(true), owned),
        Role::HospitalStaff if name == "Appointment" => (rows(true), owned),
        Role::Registry => (rows(true), rows(true)),
        // Nobody else's.
        _ if name == "Basic" => (rows(false), rows(false)),
        _ => (rows(true), rows(false)),
    };
    let is_create = matches!(interaction, Interaction::Create { .. });
    let guarded = guarded(principal.role, name, is_create);
    let has = |letters: Letters| {
        let of_type =
            principal.scopes.resources().filter(|scope| of.is_none_or(|of| scope.is_of(of)));
        of_type.fold(Letters::NONE, |all, scope| all.with(scope.letters)).has(letters)
    };
    Parts { filter, changes, writer, guarded, may_read: has(Letters::READ) }
}

fn written(interaction: &Interaction) -> Option<ResourceType> {
    match interaction {
        Interaction::Create { resource, .. } => Some(resource.resource_type()),
        Interaction::Update { key, .. }
        | Interaction::Patch { key, .. }
        | Interaction::Delete { key, .. } => Some(key.resource_type),
        Interaction::ConditionalUpdate { criteria, .. }
        | Interaction::ConditionalPatch { criteria, .. }
        | Interaction::ConditionalDelete { criteria, .. } => Some(criteria.resource_type),
        Interaction::Operation(Operation { scope: OperationScope::Instance(key), .. }) => {
            Some(key.resource_type)
        }
        _ => None,
    }
}

const OWN: [&str; 5] = ["Practitioner", "Schedule", "Slot", "Binary", "Basic"];

fn guarded(role: Role, type_name: &str, is_create: bool) -> Guarded {
    let guard = match (role, type_name) {
        (Role::Patient, "Patient") => Guard::E1,
        (Role::Patient, "Observation" | "AllergyIntolerance") => Guard::PatientReported,
        (Role::Patient, "Appointment") if is_create => Guard::Booking,
        (Role::Patient, "Appointment") => Guard::Cancel,
        (Role::Doctor, "Patient") => Guard::E2,
        (Role::Doctor, "Practitioner") => Guard::E4,
        (Role::Patient, "Communication" | "Task") => Guard::CareTeam,
        (Role::HospitalStaff, "Observation") => Guard::Birth,
        (Role::Registry, _) => Guard::E3,
        _ => Guard::Plain,
    };
    let within = match role {
        Role::Patient => Within::Subjects,
        Role::Doctor if type_name == "Provenance" => Within::Any,
        Role::Doctor if OWN.contains(&type_name) => Within::Author,
        Role::Doctor => Within::Subjects,
        Role::HospitalStaff | Role::EhrSystem => Within::Owner,
        Role::Admin | Role::Registrar | Role::Registry => Within::Any,
    };
    Guarded { within, guard }
}
