//! The main coding and main date of each type (`fhir-profiles/bhn-main-values.json`): what the
//! index of the row itself holds; and where a list has its items. Data, because no definition of
//! R4 says it. A change of the file asks for a reindex.

use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use serde::Deserialize;
use std::collections::HashMap;

/// Codes of search parameters.
#[derive(Clone, Copy, Default)]
pub struct MainValues {
    pub lead: Option<&'static str>,
    pub date: Option<&'static str>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(borrow)]
    lead: Option<&'static str>,
    #[serde(borrow)]
    date: Option<&'static str>,
    /// Parameters that name the subject, where they differ from the usual ones.
    #[serde(borrow)]
    subject: Option<Vec<&'static str>>,
    list: Option<ListValues>,
}

/// What `_list` reads (<https://hl7.org/fhir/R4/search.html#list>).
#[derive(Deserialize, Clone, Copy)]
pub struct ListValues {
    /// Code of the parameter that reads the items.
    #[serde(borrow)]
    pub items: &'static str,
    /// An expression for the items of entries that are marked as deleted.
    #[serde(borrow)]
    pub removed: &'static str,
}

/// The file, by type.
pub struct MainValuesTable {
    rows: HashMap<&'static str, Row>,
}

static FILE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fhir-profiles/bhn-main-values.json"));

/// Parameters that make a Patient the subject of a row: never performers, authors or links,
/// which could write into another patient's record.
const SUBJECT_CODES: [&str; 4] = ["subject", "patient", "individual", "beneficiary"];

impl MainValuesTable {
    pub fn load() -> Result<MainValuesTable> {
        let rows = serde_json::from_str(FILE).map_err(FhirError::internal)?;
        Ok(MainValuesTable { rows })
    }

    pub fn of(&self, resource_type: ResourceType) -> MainValues {
        let row = self.rows.get(resource_type.name());
        row.map(|row| MainValues { lead: row.lead, date: row.date }).unwrap_or_default()
    }

    /// Of the type whose resources are lists.
    pub fn list_of(&self, resource_type: ResourceType) -> Option<ListValues> {
        self.rows.get(resource_type.name())?.list
    }

    /// Codes of the parameters that name a subject; the type need not have them.
    pub fn subject_codes(&self, resource_type: ResourceType) -> &[&'static str] {
        let row = self.rows.get(resource_type.name());
        row.and_then(|row| row.subject.as_deref()).unwrap_or(&SUBJECT_CODES)
    }
}
