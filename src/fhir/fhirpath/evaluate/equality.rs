//! `=` and `~` of items and collections (FHIRPath 6.1), and sets of distinct items.

use super::super::error::Result;
use super::super::item::{Item, System, parse_decimal};
use super::super::quantity::Quantity;
use super::super::temporal::{Temporal, TemporalKind};
use super::{Evaluator, Items};
use rust_decimal::Decimal;
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// `=` of two collections: empty where either is.
pub(super) fn equal(left: &[Item<'_>], right: &[Item<'_>]) -> Option<bool> {
    if left.is_empty() || right.is_empty() {
        return None;
    }
    if left.len() != right.len() {
        return Some(false);
    }
    let mut result = Some(true);
    for (left, right) in left.iter().zip(right) {
        match item_equal(left, right) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => result = None,
        }
    }
    result
}

/// `~` of two collections, whatever their order.
pub(super) fn equivalent(left: &[Item<'_>], right: &[Item<'_>]) -> bool {
    unordered(left, right, item_equivalent)
}

/// Whether each of one side has a partner of its own on the other.
fn unordered<T>(left: &[T], right: &[T], same: fn(&T, &T) -> bool) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut open: Vec<&T> = right.iter().collect();
    left.iter().all(|item| {
        let partner = open.iter().position(|candidate| same(item, candidate));
        partner.map(|index| open.swap_remove(index)).is_some()
    })
}

pub(super) fn item_equal(left: &Item<'_>, right: &Item<'_>) -> Option<bool> {
    if let (Item::Node(left), Item::Node(right)) = (left, right)
        && left.is_same(right)
    {
        return Some(true);
    }
    match (left.system(), right.system()) {
        (Some(left), Some(right)) => system_equal(&left, &right),
        (None, None) => match (left, right) {
            (Item::Node(left), Item::Node(right)) => {
                let whole = |value: Option<&Value>, other: Option<&Value>| match (value, other) {
                    (Some(value), Some(other)) => value_equal(value, other),
                    (None, None) => true,
                    _ => false,
                };
                let same_value = whole(left.value(), right.value());
                let is_value = left.value().is_some();
                Some(same_value && (is_value || whole(left.element(), right.element())))
            }
            _ => Some(false),
        },
        _ => Some(false),
    }
}

/// The number of an Integer or Decimal.
pub(super) fn decimal(system: &System<'_>) -> Option<Decimal> {
    match system {
        System::Integer(number) => Some(Decimal::from(*number)),
        System::Decimal(decimal) => Some(*decimal),
        _ => None,
    }
}

/// A quantity, or a number as quantity of unit `1`.
pub(super) fn quantity(system: &System<'_>) -> Option<Quantity> {
    match system {
        System::Quantity(quantity) => Some(quantity.clone()),
        other => decimal(other).map(Quantity::of_number),
    }
}

fn system_equal(left: &System<'_>, right: &System<'_>) -> Option<bool> {
    match (left, right) {
        (System::Temporal(left), System::Temporal(right)) => temporal_equal(left, right),
        (System::Quantity(_), _) | (_, System::Quantity(_)) => {
            match (quantity(left), quantity(right)) {
                (Some(left), Some(right)) => {
                    left.order(&right).map(|order| order == Ordering::Equal)
                }
                _ => Some(false),
            }
        }
        _ => match (decimal(left), decimal(right)) {
            (Some(left), Some(right)) => Some(left == right),
            _ => Some(left == right),
        },
    }
}

fn temporal_equal(left: &Temporal, right: &Temporal) -> Option<bool> {
    let is_time = |temporal: &Temporal| temporal.kind == TemporalKind::Time;
    match is_time(left) == is_time(right) {
        true => left.order(right).map(|order| order == Ordering::Equal),
        false => Some(false),
    }
}

pub(super) fn item_equivalent(left: &Item<'_>, right: &Item<'_>) -> bool {
    match (left.system(), right.system()) {
        (Some(left), Some(right)) => system_equivalent(&left, &right),
        (None, None) => match (left.as_node(), right.as_node()) {
            (Some(left), Some(right)) => match (left.value(), right.value()) {
                (Some(left), Some(right)) => value_equivalent(left, right),
                (None, None) => left.type_id() == right.type_id(),
                _ => false,
            },
            _ => false,
        },
        _ => false,
    }
}

fn system_equivalent(left: &System<'_>, right: &System<'_>) -> bool {
    match (left, right) {
        (System::String(left), System::String(right)) => text_equivalent(left, right),
        (System::Temporal(left), System::Temporal(right)) => {
            temporal_equal(left, right) == Some(true)
        }
        (System::Quantity(left), System::Quantity(right)) => left.is_equivalent(right),
        _ => match (decimal(left), decimal(right)) {
            (Some(left), Some(right)) => {
                let scale = left.scale().min(right.scale());
                left.round_dp(scale) == right.round_dp(scale)
            }
            _ => left == right,
        },
    }
}

/// Case and the kind and amount of white space do not count.
fn text_equivalent(left: &str, right: &str) -> bool {
    let words = |text: &str| {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        words.join(" ")
    };
    left == right || words(left) == words(right)
}

/// Deep equality of JSON: numbers by value, the order of keys does not count.
fn value_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right
                || match (parse_decimal(left.as_str()), parse_decimal(right.as_str())) {
                    (Some(left), Some(right)) => left == right,
                    _ => false,
                }
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(a, b)| value_equal(a, b))
        }
        (Value::Object(left), Value::Object(right)) => {
            let same = |(key, value): (&String, &Value)| {
                right.get(key).is_some_and(|other| value_equal(value, other))
            };
            left.len() == right.len() && left.iter().all(same)
        }
        _ => left == right,
    }
}

fn value_equivalent(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) => text_equivalent(left, right),
        (Value::Array(left), Value::Array(right)) => unordered(left, right, value_equivalent),
        (Value::Object(left), Value::Object(right)) => {
            let same = |(key, value): (&String, &Value)| {
                right.get(key).is_some_and(|other| value_equivalent(value, other))
            };
            left.len() == right.len() && left.iter().all(same)
        }
        _ => value_equal(left, right),
    }
}

/// Items of which no two are equal, in order, found by hash.
#[derive(Default)]
pub(super) struct DistinctItems<'a> {
    pub items: Items<'a>,
    places: HashMap<u64, Vec<usize>>,
}

impl<'a> DistinctItems<'a> {
    pub fn of(items: &[Item<'a>], evaluator: &Evaluator<'a>) -> Result<Self> {
        let mut distinct = DistinctItems::default();
        for item in items {
            distinct.insert(item.clone(), evaluator)?;
        }
        Ok(distinct)
    }

    /// False where an equal item is there.
    pub fn insert(&mut self, item: Item<'a>, evaluator: &Evaluator<'a>) -> Result<bool> {
        if self.contains(&item, evaluator)? {
            return Ok(false);
        }
        self.places.entry(coarse_hash(&item)).or_default().push(self.items.len());
        self.items.push(item);
        Ok(true)
    }

    pub fn contains(&self, item: &Item<'a>, evaluator: &Evaluator<'a>) -> Result<bool> {
        let Some(places) = self.places.get(&coarse_hash(item)) else { return Ok(false) };
        evaluator.tick(places.len())?;
        Ok(places.iter().any(|place| item_equal(&self.items[*place], item) == Some(true)))
    }
}

/// Equal items have the same hash; what may be equal in spite of other text has none of its own.
fn coarse_hash(item: &Item<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match item.system() {
        Some(System::String(text)) => text.hash(&mut hasher),
        Some(System::Boolean(truth)) => truth.hash(&mut hasher),
        Some(System::Integer(number)) => Decimal::from(number).hash(&mut hasher),
        Some(System::Decimal(decimal)) => decimal.normalize().hash(&mut hasher),
        Some(_) => {}
        None => {
            let node = item.as_node();
            if let Some(value) = node.and_then(|node| node.value().or(node.element())) {
                return value_hash(value);
            }
        }
    }
    hasher.finish()
}

fn value_hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::String(text) => text.hash(&mut hasher),
        Value::Bool(truth) => truth.hash(&mut hasher),
        Value::Array(items) => items.iter().for_each(|item| value_hash(item).hash(&mut hasher)),
        Value::Object(object) => {
            let sum = object.iter().fold(0u64, |sum, (key, value)| {
                let mut hasher = DefaultHasher::new();
                (key, value_hash(value)).hash(&mut hasher);
                sum.wrapping_add(hasher.finish())
            });
            sum.hash(&mut hasher);
        }
        Value::Null | Value::Number(_) => {}
    }
    hasher.finish()
}
