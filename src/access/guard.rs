//! Guards of writes: what a caller may write of a resource that he may write (SECURITY.md 2.3,
//! 2.5 and 2.6). Pure: what has to be looked up comes with the question. They judge the version
//! before against the version after, whichever interaction made it.

use super::difference::{changed, codes, extensions, references, removes_labels};
use super::role::Role;
use super::write_rules::WriteRules;
use super::writer::Writer;
use crate::error::{ErrorKind, FhirError, Issue, IssueCode, Result};
use crate::fhir::links::local_key;
use crate::fhir::resource::ResourceKey;
use serde_json::Value;
use std::collections::HashMap;

/// What a write of the matrix keeps to, beside the rules that hold for every write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guard {
    /// Nothing more.
    Plain,
    /// Only elements of a list are changed.
    E1,
    E2,
    E3,
    E4,
    /// A patient's own statement, with a code of the setting.
    PatientReported,
    /// About births: codes of the rules.
    Birth,
    /// A patient proposes an Appointment, or books a free Slot.
    Booking,
    /// A patient cancels an Appointment.
    Cancel,
    /// A patient writes to who has him in care.
    CareTeam,
    /// A doctor names who has a patient in care: whoever he names beside himself, see `links`.
    Referral,
    /// An AuditEvent of another system.
    Supplement,
}

/// The guards by the names that the matrix has for them.
const NAMES: [(&str, Guard); 11] = [
    ("E1", Guard::E1),
    ("E2", Guard::E2),
    ("E3", Guard::E3),
    ("E4", Guard::E4),
    ("patient-reported", Guard::PatientReported),
    ("birth", Guard::Birth),
    ("booking", Guard::Booking),
    ("cancel", Guard::Cancel),
    ("care-team", Guard::CareTeam),
    ("referral", Guard::Referral),
    ("supplement", Guard::Supplement),
];

impl Guard {
    /// None for a name that is no guard's.
    pub fn parse(name: &str) -> Option<Guard> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, guard)| *guard)
    }
}

/// In which rows of the matrix a new resource must be. For one that is there the row filter of
/// changes says it, and what it is about stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Within {
    /// P, C, R: about patients, and these visible; of a patient his own.
    Subjects,
    /// F, O: owned by an organization of the writer.
    Owner,
    /// S: written by the writer.
    Author,
    /// A, and V: what it refers to is visible.
    Any,
}

/// What the matrix says of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guarded {
    pub within: Within,
    pub guard: Guard,
    /// Whether an update that finds nothing may create: the role and the scopes give that, too.
    pub may_create: bool,
}

/// What is behind a reference.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// Visible to the writer.
    Live(Value),
    /// Written by the same set.
    Written,
    /// Missing, deleted or invisible, which are the same.
    Absent,
}

/// One version of a resource, and the patients that it is about.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    pub value: &'a Value,
    pub subjects: &'a [ResourceKey],
}

/// A write, with everything that a guard asks about it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub writer: &'a Writer,
    pub guarded: Guarded,
    pub key: &'a ResourceKey,
    /// None for a create, and where a deleted resource comes back.
    pub before: Option<Version<'a>>,
    /// None for a delete.
    pub after: Option<Version<'a>>,
    /// Whether the row before is among those that the writer may change.
    pub is_changeable: bool,
    /// Behind every reference that the write brings.
    pub targets: &'a HashMap<ResourceKey, Target>,
    /// Practitioners who have the writer's patients in care; known where the guard asks.
    pub carers: &'a [ResourceKey],
    /// Codes that patients may report.
    pub patient_reported: &'a [String],
}

/// 403 for a change or delete of what is kept for ever, whatever is there: asked before any data
/// is read.
pub fn check_kept(type_name: &str) -> Result<()> {
    match WriteRules::get().is_append_only(type_name) {
        true => {
            let text = format!("{type_name} is kept as it is: it is not changed and not deleted");
            Err(FhirError::new(ErrorKind::Forbidden, IssueCode::Forbidden, text))
        }
        false => Ok(()),
    }
}

/// 403 naming the elements that may not be written so; 422 naming references that lead nowhere.
pub fn check(question: &Question) -> Result<()> {
    let Question { before, after, .. } = *question;
    if before.is_some() && !question.is_changeable {
        return Err(not_within(question));
    }
    let Some(after) = after else { return Ok(()) };
    if let Some(before) = before {
        check_subjects(question, before, after)?;
    }
    check_targets(question, after)?;
    if before.is_none() {
        check_within(question, after)?;
    }
    if before.is_some_and(|before| removes_labels(before.value, after.value))
        && !matches!(question.writer.role, Some(Role::Doctor | Role::Admin | Role::Registrar))
    {
        return Err(question.refused("meta.security", "labels are taken away by privilege alone"));
    }
    check_extensions(question, after)?;
    check_custodian(question, after)?;
    check_authors(question, after)?;
    match question.guarded.guard {
        Guard::Plain | Guard::Referral | Guard::Supplement => Ok(()),
        Guard::E1 => check_elements(question, "E1"),
        Guard::E2 => check_elements(question, "E2"),
        Guard::E3 => check_elements(question, "E3"),
        Guard::E4 => check_elements(question, "E4"),
        Guard::PatientReported => check_patient_reported(question, after),
        Guard::Booking => check_booking(question, after),
        Guard::Cancel => check_cancelled(question, after),
        Guard::Birth => check_birth(question, after),
        Guard::CareTeam => check_addressees(question, after),
    }
}

impl Question<'_> {
    fn type_name(&self) -> &'static str {
        self.key.resource_type.name()
    }

    fn refused(&self, element: &str, why: &str) -> FhirError {
        let path = format!("{}.{element}", self.type_name());
        let text = format!("{path} may not be written so: {why}");
        let issue = Issue::error(IssueCode::Forbidden, path, text);
        FhirError::of_issues(ErrorKind::Forbidden, vec![issue])
    }

    /// The names of elements in which a reference of `after` is new.
    fn brought<'v>(&self, after: &'v Value, element: &str) -> Vec<&'v str> {
        let known =
            self.before.map(|before| references(&before.value[element])).unwrap_or_default();
        let mut brought = references(&after[element]);
        brought.retain(|reference| !known.contains(reference));
        brought
    }

    /// Whether the key is that of the writer, or of one for whom a patient acts.
    fn is_self(&self, key: &ResourceKey) -> bool {
        let writer = self.writer;
        writer.author_key.as_ref() == Some(key)
            || (writer.role == Some(Role::Patient) && writer.patient_keys.contains(key))
            || self.is_own_role(key)
    }

    /// A PractitionerRole of the writer.
    fn is_own_role(&self, key: &ResourceKey) -> bool {
        let Some(Target::Live(value)) = self.targets.get(key) else { return false };
        let practitioner = value["practitioner"]["reference"].as_str().and_then(local_key);
        practitioner.is_some() && practitioner == self.writer.author_key
    }
}

/// A resource stays about the patients that it is about.
fn check_subjects(question: &Question, before: Version, after: Version) -> Result<()> {
    if before.subjects == after.subjects {
        return Ok(());
    }
    let has_subject = |name: &&String| {
        let of = |value: &Value| {
            let keys = references(&value[name.as_str()]).into_iter().filter_map(local_key);
            keys.collect::<Vec<_>>()
        };
        let differs =
            |key: &ResourceKey| before.subjects.contains(key) != after.subjects.contains(key);
        of(before.value).iter().chain(&of(after.value)).any(differs)
    };
    let names = changed(before.value, after.value);
    let element = names.iter().find(has_subject).map_or("subject", String::as_str);
    Err(question.refused(element, "a resource stays about the same patients"))
}

/// Users name what they see. The feed of a system may come in any order, but it is about patients
/// that it sees, or under ids of its own; and so it is with content that it attaches.
fn check_targets(question: &Question, after: Version) -> Result<()> {
    let writer = question.writer;
    let is_system = writer.role == Some(Role::EhrSystem);
    let is_own_id = |key: &ResourceKey| {
        let prefix = writer.id_prefix.as_deref().filter(|prefix| !prefix.is_empty());
        prefix.is_some_and(|prefix| key.id.as_str().starts_with(prefix))
    };
    // Who sees content is told by what it is attached to.
    let is_bound =
        |key: &ResourceKey| after.subjects.contains(key) || key.resource_type.name() == CONTENT;
    let is_refused = |key: &&ResourceKey| {
        question.targets.get(*key) == Some(&Target::Absent)
            && (!is_system || (is_bound(key) && !is_own_id(key)))
    };
    let mut refused: Vec<&ResourceKey> = question.targets.keys().filter(is_refused).collect();
    refused.sort_unstable();
    match refused.is_empty() {
        true => Ok(()),
        false => Err(FhirError::unresolved(question.type_name(), refused)),
    }
}

fn check_within(question: &Question, after: Version) -> Result<()> {
    let writer = question.writer;
    // Whatever it is about was found visible.
    let is_about = !after.subjects.is_empty()
        && (writer.role != Some(Role::Patient)
            || after.subjects.iter().all(|key| writer.patient_keys.contains(key)));
    let is_within = match question.guarded.within {
        Within::Any => true,
        Within::Owner => writer.owner.is_some(),
        Within::Author => writer.author.is_some(),
        Within::Subjects => is_about,
    };
    match is_within {
        true => Ok(()),
        false => Err(not_within(question)),
    }
}

fn not_within(question: &Question) -> FhirError {
    let text = format!("This {} may not be written by you", question.type_name());
    FhirError::new(ErrorKind::Forbidden, IssueCode::Forbidden, text)
}

/// Extensions that give others access are set by staff.
fn check_extensions(question: &Question, after: Version) -> Result<()> {
    if !matches!(question.writer.role, Some(Role::Patient | Role::Doctor | Role::Registry)) {
        return Ok(());
    }
    let is_touched = |url: &&String| {
        let before = question.before.map(|before| extensions(before.value, url));
        before.unwrap_or_default() != extensions(after.value, url)
    };
    match WriteRules::get().staff_extensions(question.type_name()).iter().find(is_touched) {
        None => Ok(()),
        Some(url) => Err(question.refused(&format!("extension('{url}')"), "staff set it")),
    }
}

/// What is kept for an organization is kept for one of the writer's.
fn check_custodian(question: &Question, after: Version) -> Result<()> {
    if !matches!(question.writer.role, Some(Role::HospitalStaff | Role::EhrSystem)) {
        return Ok(());
    }
    for element in WriteRules::get().custodians(question.type_name()) {
        let own = &question.writer.organization_keys;
        let is_other =
            |reference: &&str| local_key(reference).is_some_and(|key| !own.contains(&key));
        if question.brought(after.value, element).iter().any(is_other) {
            return Err(question.refused(element, "it is another organization's"));
        }
    }
    Ok(())
}

/// Nobody speaks for another: a patient is the author of what he says, and a doctor names no other
/// practitioner as one.
fn check_authors(question: &Question, after: Version) -> Result<()> {
    let is_other = |reference: &&str| {
        let Some(key) = local_key(reference) else { return true };
        match question.writer.role {
            Some(Role::Patient) => !question.is_self(&key),
            _ => key.resource_type.name().starts_with("Practitioner") && !question.is_self(&key),
        }
    };
    if !matches!(question.writer.role, Some(Role::Patient | Role::Doctor)) {
        return Ok(());
    }
    for element in WriteRules::get().authors(question.type_name()) {
        if question.brought(after.value, element).iter().any(is_other) {
            return Err(question.refused(element, "it names somebody else"));
        }
    }
    Ok(())
}

/// Only elements of the list change.
fn check_elements(question: &Question, list: &str) -> Result<()> {
    let (Some(before), Some(after)) = (question.before, question.after) else { return Ok(()) };
    let allowed = WriteRules::get().elements(list);
    let mut names = changed(before.value, after.value);
    names.retain(|name| !allowed.contains(name));
    let issue = |name: String| {
        let path = format!("{}.{name}", question.type_name());
        let text = format!("{path} may not be changed by you");
        Issue::error(IssueCode::Forbidden, path, text)
    };
    match names.is_empty() {
        true => Ok(()),
        false => {
            let issues = names.into_iter().map(issue).collect();
            Err(FhirError::of_issues(ErrorKind::Forbidden, issues))
        }
    }
}

/// A patient's own words: he is the author of them, their code is one of the setting where the
/// type has a set, and they claim no verification.
fn check_patient_reported(question: &Question, after: Version) -> Result<()> {
    for version in question.before.iter().chain([&after]) {
        let value = version.value;
        let authors = WriteRules::get().authors(question.type_name());
        let named: Vec<(&str, &str)> = authors
            .iter()
            .flat_map(|element| {
                references(&value[element.as_str()]).into_iter().map(|r| (element.as_str(), r))
            })
            .collect();
        let is_self = |reference| local_key(reference).is_some_and(|key| question.is_self(&key));
        let other = named.iter().find(|(_, reference)| !is_self(reference));
        match (named.is_empty(), other) {
            (true, _) => {
                let element = authors.last().map_or("performer", String::as_str);
                return Err(question.refused(element, "a patient's statement names the patient"));
            }
            (false, Some((element, _))) => {
                return Err(question.refused(element, "it names somebody else"));
            }
            (false, None) => {}
        }
        let status = codes(&value["verificationStatus"]);
        if !status.iter().all(|code| code.ends_with("|unconfirmed")) {
            return Err(question.refused("verificationStatus", "patients confirm nothing"));
        }
        let has_codes = question.type_name() == OBSERVATION;
        let known = |code: &String| question.patient_reported.contains(code);
        if has_codes && !codes(&value["code"]).iter().any(known) {
            return Err(question.refused("code", "patients may not report it"));
        }
    }
    Ok(())
}

/// The type of what is attached.
const CONTENT: &str = "Binary";

/// The type whose codes are restricted.
const OBSERVATION: &str = "Observation";

fn status(version: Version<'_>) -> &str {
    version.value["status"].as_str().unwrap_or_default()
}

fn check_booking(question: &Question, after: Version) -> Result<()> {
    let is_proposal = status(after) == "proposed";
    if !is_proposal && !["pending", "booked"].contains(&status(after)) {
        return Err(question.refused("status", "patients propose or book"));
    }
    let slots = references(&after.value["slot"]);
    let is_free = |reference: &&str| {
        let target = local_key(reference).and_then(|key| question.targets.get(&key));
        matches!(target, Some(Target::Live(slot)) if slot["status"] == "free")
    };
    match slots.iter().all(is_free) && (is_proposal || !slots.is_empty()) {
        true => Ok(()),
        false => Err(question.refused("slot", "patients book free slots")),
    }
}

fn check_cancelled(question: &Question, after: Version) -> Result<()> {
    let was_open = |before: Version| ["proposed", "pending", "booked"].contains(&status(before));
    if !question.before.is_some_and(was_open) || status(after) != "cancelled" {
        return Err(question.refused("status", "patients may cancel what is not over"));
    }
    let is_other = |reference: &&str| {
        local_key(reference).is_some_and(|key| {
            key.resource_type.name() == "Patient" && !question.writer.patient_keys.contains(&key)
        })
    };
    let before = question.before.map(|before| references(&before.value["participant"]));
    if before.unwrap_or_default().iter().any(is_other) {
        return Err(question.refused("participant", "others take part in it"));
    }
    check_elements(question, "cancel")
}

fn check_birth(question: &Question, after: Version) -> Result<()> {
    for (element, known) in WriteRules::get().births(question.type_name()) {
        let is_known = |version: &Version| {
            codes(&version.value[element]).iter().any(|code| known.contains(code))
        };
        if !question.before.iter().chain([&after]).all(is_known) {
            return Err(question.refused(element, "it is not about a birth"));
        }
    }
    Ok(())
}

/// Somebody, and nobody but who has one of the writer's patients in care.
fn check_addressees(question: &Question, after: Version) -> Result<()> {
    let elements = WriteRules::get().addressees(question.type_name());
    let mut named = 0;
    for element in elements {
        let is_carer = |reference: &&str| {
            let key = local_key(reference);
            key.is_some_and(|key| question.carers.contains(&key) || question.is_self(&key))
        };
        let references = references(&after.value[element.as_str()]);
        named += references.len();
        if !references.iter().all(is_carer) {
            return Err(question.refused(element, "patients write to who cares for them"));
        }
    }
    match (named, elements.first()) {
        (0, Some(element)) => Err(question.refused(element, "it is for nobody")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn e3_a_registry_changes_identifier_and_status() {
        let writer = Writer { role: Some(Role::Registry), ..Writer::default() };
        let before = json!({"resourceType": "Task", "status": "requested", "intent": "order"});
        let judge = |after: Value| {
            let version = |value| Version { value, subjects: &[] };
            check(&Question {
                writer: &writer,
                guarded: Guarded { within: Within::Any, guard: Guard::E3, may_create: false },
                key: &ResourceKey::parse("Task/t").unwrap(),
                before: Some(version(&before)),
                after: Some(version(&after)),
                is_changeable: true,
                targets: &HashMap::new(),
                carers: &[],
                patient_reported: &[],
            })
        };
        let of = |status: &str, intent: &str| {
            judge(json!({"resourceType": "Task", "status": status, "intent": intent}))
        };
        assert!(of("accepted", "order").is_ok());
        let refused = of("accepted", "plan").unwrap_err();
        assert_eq!(refused.issues[0].expression, "Task.intent");
    }
}
