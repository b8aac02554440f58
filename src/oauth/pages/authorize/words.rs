//! Scopes in plain words.

use super::super::texts::Texts;
use crate::access::smart_scope::{Letters, Level, Scope};
use crate::access::{LaunchContext, Scopes};
use crate::fhir::definitions::ResourceType;

/// A scope as people read it.
pub struct Line {
    pub title: String,
    pub detail: String,
    /// What is to be thought about before.
    pub warning: Option<&'static str>,
}

/// Types of resources in English and French. Of those that are not here the FHIR name is shown.
const TYPES: [(&str, &str, &str); 44] = [
    ("AllergyIntolerance", "Allergies and intolerances", "Allergies et intolérances"),
    ("Appointment", "Appointments", "Rendez-vous"),
    ("AuditEvent", "Who has seen the record", "Qui a consulté le dossier"),
    ("Basic", "Settings of the application", "Réglages de l’application"),
    ("Binary", "Files", "Fichiers"),
    ("CarePlan", "Care plans", "Plans de soins"),
    ("CareTeam", "Care teams", "Équipes de soins"),
    ("Communication", "Messages", "Messages"),
    (
        "Composition",
        "Clinical documents and birth registrations",
        "Documents cliniques et déclarations de naissance",
    ),
    ("Condition", "Diagnoses and health problems", "Diagnostics et problèmes de santé"),
    ("Consent", "Consents", "Consentements"),
    ("Coverage", "Insurance", "Assurance"),
    ("Device", "Medical devices", "Dispositifs médicaux"),
    ("DiagnosticReport", "Reports of examinations", "Comptes rendus d’examens"),
    ("DocumentReference", "Documents", "Documents"),
    ("Encounter", "Visits and stays", "Consultations et séjours"),
    ("EpisodeOfCare", "Episodes of care", "Épisodes de soins"),
    ("FamilyMemberHistory", "Family history", "Antécédents familiaux"),
    ("Flag", "Warnings", "Alertes"),
    ("Goal", "Health goals", "Objectifs de santé"),
    ("Group", "Groups", "Groupes"),
    ("HealthcareService", "Services of facilities", "Services des établissements"),
    ("Immunization", "Vaccinations", "Vaccinations"),
    ("List", "Lists", "Listes"),
    ("Location", "Places", "Lieux"),
    ("Medication", "Medicines", "Médicaments"),
    ("MedicationRequest", "Prescriptions", "Ordonnances"),
    ("MedicationStatement", "Medicines taken", "Médicaments pris"),
    (
        "Observation",
        "Measurements, laboratory results and observations",
        "Mesures, résultats de laboratoire et observations",
    ),
    ("Organization", "Facilities and organizations", "Établissements et organisations"),
    (
        "Patient",
        "Name, birth date, address and contact",
        "Nom, date de naissance, adresse et contact",
    ),
    ("Person", "Persons", "Personnes"),
    ("Practitioner", "Health professionals", "Professionnels de santé"),
    ("PractitionerRole", "Roles of health professionals", "Fonctions des professionnels de santé"),
    ("Procedure", "Operations and procedures", "Opérations et interventions"),
    ("Provenance", "Where information comes from", "Origine des informations"),
    ("Questionnaire", "Questionnaires", "Questionnaires"),
    ("QuestionnaireResponse", "Answers to questionnaires", "Réponses aux questionnaires"),
    ("RelatedPerson", "Family and contact persons", "Famille et personnes de contact"),
    ("Schedule", "Schedules", "Agendas"),
    ("ServiceRequest", "Referrals and orders", "Orientations et prescriptions d’examens"),
    ("Slot", "Free times for appointments", "Créneaux libres de rendez-vous"),
    ("Specimen", "Specimens", "Prélèvements"),
    ("Task", "Tasks", "Tâches"),
];

/// A type in the words of the language.
pub fn type_words(resource_type: ResourceType, texts: &Texts) -> String {
    let name = resource_type.name();
    match TYPES.iter().find(|(own, ..)| *own == name) {
        Some((_, english, _)) if texts.lang == "en" => (*english).to_owned(),
        Some((_, _, french)) => (*french).to_owned(),
        None => name.to_owned(),
    }
}

/// A category of Condition or Observation.
pub fn category(code: &str, texts: &Texts) -> String {
    let text = match code {
        "encounter-diagnosis" => texts.category_encounter_diagnosis,
        "problem-list-item" => texts.category_problem_list,
        "health-concern" => texts.category_health_concern,
        "clinical-test" => texts.category_clinical_test,
        "laboratory" => texts.category_laboratory,
        "social-history" => texts.category_social_history,
        "sdoh" => texts.category_sdoh,
        "survey" => texts.category_survey,
        "vital-signs" => texts.category_vital_signs,
        other => other,
    };
    text.to_owned()
}

/// One scope.
pub fn line_of(scope: &Scope, texts: &'static Texts) -> Line {
    let line = |title: &str, detail: &str| Line {
        title: title.to_owned(),
        detail: detail.to_owned(),
        warning: None,
    };
    match scope {
        Scope::Resource(scope) => {
            let of_all = match scope.level {
                Level::Patient => texts.whole_record,
                Level::User | Level::System => texts.everything_you_see,
            };
            let narrowed = scope.query.as_deref().map(|query| {
                let code = query.rsplit(['|', '=']).next().unwrap_or(query);
                format!(" ({})", category(code, texts))
            });
            let title = scope.resource_type.map_or_else(
                || of_all.to_owned(),
                |resource_type| type_words(resource_type, texts),
            );
            Line {
                title: title + &narrowed.unwrap_or_default(),
                detail: format!("{} · {}", acts(scope.letters, texts), whose(scope.level, texts)),
                warning: scope.resource_type.is_none().then_some(texts.warning_all),
            }
        }
        Scope::Other(name) => match name.as_str() {
            "openid" => line(texts.scope_openid, texts.scope_openid_detail),
            "fhirUser" => line(texts.scope_fhir_user, texts.scope_fhir_user_detail),
            "launch" => line(texts.scope_launch, texts.scope_launch_detail),
            "launch/patient" => line(texts.scope_launch_patient, texts.scope_launch_patient_detail),
            "launch/encounter" => {
                line(texts.scope_launch_encounter, texts.scope_launch_encounter_detail)
            }
            "online_access" => line(texts.scope_online, texts.scope_online_detail),
            "offline_access" => line(texts.scope_offline, texts.scope_offline_detail),
            other => match LaunchContext::parse(other) {
                Some(context) => line(
                    &type_words(context.resource_type, texts),
                    texts.scope_launch_context_detail,
                ),
                None => line(other, texts.scope_administration),
            },
        },
    }
}

/// What the letters let an application do: see, add, change, delete.
fn acts(letters: Letters, texts: &Texts) -> String {
    let reads = letters.and(Letters::READ.with(Letters::SEARCH)) != Letters::NONE;
    let acts = [
        (reads, texts.act_see),
        (letters.has(Letters::CREATE), texts.act_add),
        (letters.has(Letters::UPDATE), texts.act_change),
        (letters.has(Letters::DELETE), texts.act_delete),
    ];
    let acts: Vec<&str> = acts.into_iter().filter(|(has, _)| *has).map(|(_, act)| act).collect();
    acts.join(", ")
}

fn whose(level: Level, texts: &Texts) -> &'static str {
    match level {
        Level::Patient => texts.of_patient,
        Level::User | Level::System => texts.of_everybody,
    }
}

/// The scopes of a grant as people read them.
pub fn lines_of(scopes: &str, texts: &'static Texts) -> Vec<Line> {
    let scopes = Scopes::parse(scopes).unwrap_or_default();
    scopes.iter().map(|scope| line_of(scope, texts)).collect()
}
