//! What R4 says of its own search parameters, for who has no registry: their numbers are the places
//! of their definitions, from 1.

use crate::fhir::definitions::{Definitions, ResourceType, SearchParameterRow};
use crate::search::index_rows::ParameterId;
use crate::search::main_values::MainValuesTable;
use std::sync::LazyLock;

fn row(id: ParameterId) -> Option<&'static SearchParameterRow> {
    let place = usize::try_from(id.0).ok()?.checked_sub(1)?;
    Definitions::r4().search_parameters().get(place)
}

/// The parameter with that code that the type itself defines.
pub fn r4_parameter(resource_type: ResourceType, code: &str) -> Option<ParameterId> {
    let is_it = |row: &SearchParameterRow| {
        row.code == code && row.base.iter().any(|base| base == resource_type.name())
    };
    let place = Definitions::r4().search_parameters().iter().position(is_it)?;
    Some(ParameterId(place as i16 + 1))
}

/// The types that references by these parameters may be to; none where one may be to any.
pub fn r4_targets(ids: &[ParameterId]) -> Vec<ResourceType> {
    let mut types = Vec::new();
    for id in ids {
        let Some(row) = row(*id) else { return Vec::new() };
        if row.targets.is_empty()
            || row.targets.iter().any(|one| ResourceType::parse(one).is_none())
        {
            return Vec::new();
        }
        types.extend(row.targets.iter().filter_map(|name| ResourceType::parse(name)));
    }
    types.sort_unstable();
    types.dedup();
    types
}

/// The code of the parameter whose first coding is the lead of rows of the type.
pub fn r4_lead(resource_type: ResourceType) -> Option<&'static str> {
    static TABLE: LazyLock<Option<MainValuesTable>> =
        LazyLock::new(|| MainValuesTable::load().ok());
    TABLE.as_ref()?.of(resource_type).lead
}

/// The code of a parameter of R4; None for custom ones.
pub fn r4_code(id: ParameterId) -> Option<&'static str> {
    row(id).map(|row| row.code.as_str())
}
