//! The surrogate ids that a plan needs: of coded values and of reference targets. Storage looks
//! them up.

use super::index_rows::{ParameterId, Token, UnitOfMeasure};
use super::value::concept::{CodeForm, ConceptTest};
use crate::fhir::resource::ResourceKey;
use std::collections::HashMap;

/// The ids of coded values that code systems and value sets say something of.
pub type Concepts = HashMap<(ConceptTest, CodeForm), Vec<i64>>;

/// What was found; what is not here does not exist, and nothing can refer to it.
#[derive(Default, Debug)]
pub struct Found {
    pub tokens: HashMap<Token, i64>,
    pub codes: HashMap<String, Vec<i64>>,
    pub systems: HashMap<String, Vec<i64>>,
    pub references: HashMap<ResourceKey, i64>,
    /// Of those that are wanted, and maybe others.
    pub units: Vec<(i32, UnitOfMeasure)>,
    /// Those of the units in which rows of the leading codes have a value, by the parameter.
    pub led_units: HashMap<ParameterId, Vec<i32>>,
    pub media_types: HashMap<String, Vec<i64>>,
    pub texts: HashMap<String, TextIds>,
    pub concepts: Concepts,
}

/// Texts that begin so.
#[derive(Default, Clone, Debug)]
pub struct TextIds {
    /// Their own ids.
    pub texts: Vec<i64>,
    /// Those of the coded values that are called so where nothing else is said.
    pub tokens: Vec<i64>,
}
