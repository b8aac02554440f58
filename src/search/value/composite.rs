//! Composites: <https://hl7.org/fhir/R4/search.html#composite>. Both parts of one element are
//! one row, so that a match never takes its parts from two components.

use super::text::normalised;
use super::{IndexSettings, Node, TokenStore, date, quantity, reference, string, token};
use crate::fhir::resource::ResourceKey;
use crate::search::index_rows::{CompositeRow, ParameterId, Token, UnitOfMeasure};
use crate::search::registry::Kind;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

/// Rows of one element: more come of nothing that is real.
const MAX_ROWS: usize = 64;

/// A value of the second component, in the columns of its type.
#[derive(Clone, PartialEq, Debug)]
pub enum Part {
    Token(Token),
    Target(ResourceKey),
    Quantity(Option<UnitOfMeasure>, (Decimal, Decimal)),
    Date(DateTime<Utc>, DateTime<Utc>),
    /// Normalised.
    Text(String),
}

/// The values of a node under a component's parameter type; none of types that composites of
/// R4 do not have.
pub fn parts(node: Node<'_>, kind: Kind, settings: &IndexSettings) -> Vec<Part> {
    match kind {
        Kind::Token if TokenStore::of_type(node.type_name) == TokenStore::Interned => {
            token::tokens(node).into_iter().map(|(token, _)| Part::Token(token)).collect()
        }
        Kind::Quantity | Kind::Number => quantity::measured(node)
            .into_iter()
            .map(|(unit, bounds)| Part::Quantity(unit, bounds))
            .collect(),
        Kind::Date => date::node_range(node.value, settings.zone)
            .map(|(low, high)| Part::Date(low, high))
            .into_iter()
            .collect(),
        Kind::String => {
            string::texts(node).into_iter().map(|text| Part::Text(normalised(text))).collect()
        }
        Kind::Reference => node
            .text("reference")
            .and_then(|text| reference::local(text, &settings.base_url))
            .map(Part::Target)
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

/// Adds a row for every pair of values.
pub fn index(
    firsts: &[Part],
    seconds: &[Part],
    parameter: ParameterId,
    rows: &mut Vec<CompositeRow>,
) {
    let pairs = firsts.iter().flat_map(|first| seconds.iter().map(move |second| (first, second)));
    for (first, second) in pairs.take(MAX_ROWS) {
        let Part::Token(first) = first else { continue };
        let row = CompositeRow {
            parameter: Some(parameter),
            first: Some(first.clone()),
            ..CompositeRow::default()
        };
        let row = match second.clone() {
            Part::Token(token) => CompositeRow { second: Some(token), ..row },
            Part::Target(key) => CompositeRow { second_target: Some(key), ..row },
            Part::Quantity(unit, (low, high)) => {
                CompositeRow { unit, low: Some(low), high: Some(high), ..row }
            }
            Part::Date(low, high) => CompositeRow { low_at: Some(low), high_at: Some(high), ..row },
            Part::Text(text) => CompositeRow { second_text: Some(text), ..row },
        };
        rows.push(row);
    }
}
