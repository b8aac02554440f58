//! Custom search parameters (<https://hl7.org/fhir/R4/searchparameter.html>) beside those of
//! R4: a registry with other custom ones shares everything else.

use super::definition::Definition;
use super::{Registry, SearchParameter, TypeParameters};
use crate::error::{FhirError, Issue, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::Id;
use crate::search::index_rows::{ParameterId, REMOVED_ITEM};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Where a custom parameter is between its definition and the end of its rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CustomState {
    /// New versions of resources have rows; those of older ones are being made.
    Building,
    /// All rows are there.
    Ready,
    /// No longer searched by; its rows are being removed.
    Retired,
}

const STATES: [(&str, CustomState); 3] = [
    ("building", CustomState::Building),
    ("ready", CustomState::Ready),
    ("retired", CustomState::Retired),
];

impl CustomState {
    pub fn parse(name: &str) -> Option<CustomState> {
        STATES.iter().find(|(known, _)| *known == name).map(|(_, state)| *state)
    }

    pub fn as_str(self) -> &'static str {
        STATES.iter().find(|(_, state)| *state == self).map_or("", |(name, _)| name)
    }
}

/// How many resources of a parameter's types were looked at while its rows are made.
#[derive(Default, Debug)]
pub struct Coverage {
    seen: AtomicI64,
    /// 0 where it is not known yet.
    total: AtomicI64,
}

impl Coverage {
    pub fn set(&self, seen: i64, total: i64) {
        self.seen.store(seen, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seen, total) = (self.seen.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        match total {
            0 => f.write_str("the resources that it covers are being counted"),
            _ => write!(f, "{seen} of {} resources are covered", total.max(seen)),
        }
    }
}

/// What a definition leaves of what the server offers; empty lists leave all.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Restrictions {
    /// `SearchParameter.modifier`, as in URLs; `type` stands for the names of types.
    pub modifiers: Vec<String>,
    /// `SearchParameter.comparator`.
    pub comparators: Vec<String>,
    /// `SearchParameter.chain`.
    pub chains: Vec<String>,
    /// `SearchParameter.multipleOr` is false.
    pub has_one_value: bool,
    /// `SearchParameter.multipleAnd` is false.
    pub is_given_once: bool,
}

/// A custom parameter as the database has it.
pub struct Custom {
    pub id: ParameterId,
    /// Logical id of its SearchParameter.
    pub resource: Id,
    pub state: CustomState,
    pub definition: Definition,
    pub coverage: Arc<Coverage>,
}

impl Custom {
    /// `text` is the SearchParameter. An error where this server cannot search by what another
    /// one stored.
    pub fn read(id: ParameterId, resource: Id, state: CustomState, text: &str) -> Result<Custom> {
        let value: Value = serde_json::from_str(text).map_err(FhirError::internal)?;
        let definition = Definition::read(&value).map_err(|issues| {
            let why = issues.first().map(|issue| issue.diagnostics.clone()).unwrap_or_default();
            FhirError::internal(format!("search parameter {}: {why}", id.0))
        })?;
        Ok(Custom { id, resource, state, definition, coverage: Arc::default() })
    }

    pub fn is_live(&self) -> bool {
        self.state != CustomState::Retired
    }
}

impl ParameterId {
    /// True for a parameter that R4 does not define.
    pub fn is_custom(self) -> bool {
        self.0.abs() > REMOVED_ITEM.0
    }
}

impl Registry {
    /// The registry of R4 with these custom parameters; `self` is that of R4 alone. `number` names
    /// their state.
    pub fn with_customs(&self, number: i64, customs: Vec<Custom>) -> Result<Registry> {
        let mut types: HashMap<ResourceType, TypeParameters> = HashMap::new();
        for custom in &customs {
            for base in &custom.definition.bases {
                let parameters =
                    types.entry(*base).or_insert_with(|| self.of(*base).without_customs());
                parameters.is_unsettled |= custom.state != CustomState::Ready;
                if custom.is_live() {
                    let parameter = custom.compiled(*base)?;
                    let code = parameter.code.clone();
                    parameters.by_code.insert(code, Arc::new(parameter));
                }
            }
        }
        let changed: HashMap<_, _> =
            types.into_iter().map(|(kind, parameters)| (kind, Arc::new(parameters))).collect();
        let of = |kind: &ResourceType| {
            changed.get(kind).cloned().unwrap_or_else(|| Arc::clone(&self.types[kind]))
        };
        Ok(Registry {
            types: self.types.keys().map(|kind| (*kind, of(kind))).collect(),
            parameters: self.parameters.clone(),
            number,
            links: self.links.clone(),
            customs: customs.into_iter().map(Arc::new).collect(),
        })
    }

    /// Names the state of the custom parameters: two registries of one database with the same
    /// number are the same.
    pub fn number(&self) -> i64 {
        self.number
    }

    /// Custom parameters, retired ones included.
    pub fn customs(&self) -> &[Arc<Custom>] {
        &self.customs
    }

    /// The custom parameter that this SearchParameter defines now.
    pub fn custom_of(&self, resource: &Id) -> Option<&Arc<Custom>> {
        self.customs.iter().find(|custom| custom.is_live() && custom.resource == *resource)
    }

    /// Whether what is stored of a resource of the type may differ from what is extracted.
    pub fn is_unsettled(&self, resource_type: ResourceType) -> bool {
        self.of(resource_type).is_unsettled
    }

    /// Parameters of which some rows may be missing, or too many.
    pub fn unsettled(&self) -> Vec<ParameterId> {
        let unsettled = self.customs.iter().filter(|custom| custom.state != CustomState::Ready);
        unsettled.map(|custom| custom.id).collect()
    }
}

impl Custom {
    fn compiled(&self, base: ResourceType) -> Result<SearchParameter> {
        let compiled = self.definition.compile(self.id, base);
        let mut parameter = compiled.map_err(|issue: Issue| {
            FhirError::internal(format!("search parameter {}: {}", self.id.0, issue.diagnostics))
        })?;
        if self.state == CustomState::Building {
            parameter.building = Some(self.coverage.clone());
        }
        Ok(parameter)
    }
}

impl TypeParameters {
    fn without_customs(&self) -> TypeParameters {
        let mut parameters = self.clone();
        parameters.by_code.retain(|_, found| !found.id.is_custom());
        parameters.is_unsettled = false;
        parameters
    }
}
