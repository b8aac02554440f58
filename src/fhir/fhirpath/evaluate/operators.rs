//! The operators (FHIRPath 6).

use super::super::error::{FhirPathError, Result};
use super::super::expression::{Expr, Operator};
use super::super::item::{Item, System};
use super::super::quantity::Quantity;
use super::super::temporal::{Temporal, TemporalUnit};
use super::equality::{self, DistinctItems, decimal, quantity};
use super::{Evaluator, Items, Scope, boolean, maybe, maybe_boolean, single, string, text, truth};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::cmp::Ordering;

impl<'a> Evaluator<'a> {
    pub(super) fn binary(
        &self,
        operator: Operator,
        (left, right): (&'a Expr, &'a Expr),
        scope: Scope<'_, 'a>,
    ) -> Result<Items<'a>> {
        use Operator::*;
        let left = self.evaluate(left, scope)?;
        match operator {
            And | Or | Xor | Implies => {
                let left = truth(&left)?;
                // What the left side decides, the right need not.
                match (operator, left) {
                    (And, Some(false)) => return Ok(boolean(false)),
                    (Or, Some(true)) | (Implies, Some(false)) => return Ok(boolean(true)),
                    _ => {}
                }
                let right = truth(&self.evaluate(right, scope)?)?;
                return Ok(maybe_boolean(logic(operator, left, right)));
            }
            _ => {}
        }
        let right = self.evaluate(right, scope)?;
        self.tick(left.len().max(right.len()))?;
        match operator {
            Equal => Ok(maybe_boolean(equality::equal(&left, &right))),
            NotEqual => Ok(maybe_boolean(equality::equal(&left, &right).map(|equal| !equal))),
            Equivalent | NotEquivalent => {
                self.tick(left.len().saturating_mul(right.len()))?;
                let is_equivalent = equality::equivalent(&left, &right);
                Ok(boolean(is_equivalent == (operator == Equivalent)))
            }
            In => self.contains(&right, &left),
            Contains => self.contains(&left, &right),
            Less | LessOrEqual | Greater | GreaterOrEqual => compare(operator, &left, &right),
            Concatenate => {
                let (left, right) = (text(&left, "&")?, text(&right, "&")?);
                Ok(string(left.unwrap_or_default().into_owned() + &right.unwrap_or_default()))
            }
            _ => arithmetic(operator, &left, &right),
        }
    }

    fn contains(&self, items: &[Item<'a>], wanted: &[Item<'a>]) -> Result<Items<'a>> {
        match single(wanted, "Membership")? {
            None => Ok(Vec::new()),
            Some(wanted) => Ok(boolean(DistinctItems::of(items, self)?.contains(wanted, self)?)),
        }
    }
}

fn logic(operator: Operator, left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match operator {
        Operator::And => match (left, right) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        Operator::Or => match (left, right) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        Operator::Xor => left.zip(right).map(|(left, right)| left != right),
        _ => match (left, right) {
            (Some(false), _) | (_, Some(true)) => Some(true),
            (Some(true), Some(false)) => Some(false),
            _ => None,
        },
    }
}

/// The order of two singletons; None where it is open.
pub(super) fn order(left: &System<'_>, right: &System<'_>) -> Result<Option<Ordering>> {
    if let (Some(left), Some(right)) = (decimal(left), decimal(right)) {
        return Ok(Some(left.cmp(&right)));
    }
    match (left, right) {
        (System::String(left), System::String(right)) => Ok(Some(left.cmp(right))),
        (System::Temporal(left), System::Temporal(right)) => Ok(left.order(right)),
        (System::Quantity(_), _) | (_, System::Quantity(_)) => {
            match (quantity(left), quantity(right)) {
                (Some(left), Some(right)) => Ok(left.order(&right)),
                _ => Err(incomparable(left, right)),
            }
        }
        _ => Err(incomparable(left, right)),
    }
}

fn incomparable(left: &System<'_>, right: &System<'_>) -> FhirPathError {
    let (left, right) = (left.type_name(), right.type_name());
    FhirPathError::execution(format!("{left} and {right} have no order or sum"))
}

fn operands<'a>(left: &[Item<'a>], right: &[Item<'a>]) -> Result<Option<(System<'a>, System<'a>)>> {
    let value = |items: &[Item<'a>]| -> Result<Option<System<'a>>> {
        let Some(item) = single(items, "An operator")? else { return Ok(None) };
        match (item.system(), item) {
            (None, Item::Node(node)) if node.value().is_some_and(|value| value.is_object()) => {
                Err(FhirPathError::execution("An operator needs a value, not an element"))
            }
            (value, _) => Ok(value),
        }
    };
    Ok(value(left)?.zip(value(right)?))
}

fn compare<'a>(operator: Operator, left: &[Item<'a>], right: &[Item<'a>]) -> Result<Items<'a>> {
    let Some((left, right)) = operands(left, right)? else { return Ok(Vec::new()) };
    let order = order(&left, &right)?;
    Ok(maybe_boolean(order.map(|order| match operator {
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        _ => order.is_ge(),
    })))
}

fn arithmetic<'a>(operator: Operator, left: &[Item<'a>], right: &[Item<'a>]) -> Result<Items<'a>> {
    let Some((left, right)) = operands(left, right)? else { return Ok(Vec::new()) };
    Ok(maybe(match (&left, &right) {
        (System::Integer(left), System::Integer(right)) => integers(operator, *left, *right),
        (System::String(left), System::String(right)) if operator == Operator::Add => {
            Some(System::String((left.clone().into_owned() + right).into()))
        }
        (System::Temporal(temporal), System::Quantity(quantity)) => {
            shift(operator, temporal, quantity)?.map(System::Temporal)
        }
        (System::Quantity(_), _) | (_, System::Quantity(_)) => {
            match (quantity(&left), quantity(&right)) {
                (Some(left), Some(right)) => {
                    quantities(operator, &left, &right)?.map(System::Quantity)
                }
                _ => return Err(incomparable(&left, &right)),
            }
        }
        _ => match (decimal(&left), decimal(&right)) {
            (Some(left), Some(right)) => decimals(operator, left, right),
            _ => return Err(incomparable(&left, &right)),
        },
    }))
}

/// Overflow and division by zero are empty (6.6).
fn integers<'a>(operator: Operator, left: i64, right: i64) -> Option<System<'a>> {
    let result = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Div => left.checked_div(right),
        Operator::Mod => left.checked_rem(right),
        _ => return decimals(operator, Decimal::from(left), Decimal::from(right)),
    };
    result.map(System::Integer)
}

fn decimals<'a>(operator: Operator, left: Decimal, right: Decimal) -> Option<System<'a>> {
    let result = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide => left.checked_div(right),
        Operator::Mod => left.checked_rem(right),
        _ => return left.checked_div(right)?.trunc().to_i64().map(System::Integer),
    };
    result.map(System::Decimal)
}

fn quantities(operator: Operator, left: &Quantity, right: &Quantity) -> Result<Option<Quantity>> {
    let negative = || Quantity { value: -right.value, ..right.clone() };
    match operator {
        Operator::Add => Ok(left.plus(right)),
        Operator::Subtract => Ok(left.plus(&negative())),
        Operator::Multiply => Ok(left.times(right)),
        Operator::Divide => Ok(left.divided_by(right)),
        _ => Err(FhirPathError::execution("div and mod take numbers, not quantities")),
    }
}

/// A date or time plus or minus a duration, by the calendar (6.6.7). Fractions count for
/// seconds of the calendar only.
fn shift(operator: Operator, temporal: &Temporal, by: &Quantity) -> Result<Option<Temporal>> {
    let wrong = || {
        let text = format!("'{}' is no unit of the calendar", by.unit);
        FhirPathError::execution(text)
    };
    let value = match operator {
        Operator::Add => by.value,
        Operator::Subtract => -by.value,
        _ => return Err(FhirPathError::execution("Dates can only be added to")),
    };
    let unit = by.temporal_unit().ok_or_else(wrong)?;
    let (value, unit) = match unit {
        TemporalUnit::Second if by.is_calendar && !value.fract().is_zero() => {
            let Some(milliseconds) = value.checked_mul(Decimal::ONE_THOUSAND) else {
                return Ok(None);
            };
            (milliseconds, TemporalUnit::Millisecond)
        }
        unit => (value, unit),
    };
    Ok(value.trunc().to_i64().and_then(|amount| temporal.add(amount, unit)))
}

pub(super) fn negate(items: Items<'_>) -> Result<Items<'_>> {
    let Some(item) = single(&items, "-")? else { return Ok(items) };
    Ok(maybe(match item.system() {
        Some(System::Integer(number)) => number.checked_neg().map(System::Integer),
        Some(System::Decimal(decimal)) => Some(System::Decimal(-decimal)),
        Some(System::Quantity(quantity)) => {
            Some(System::Quantity(Quantity { value: -quantity.value, ..quantity }))
        }
        None if item.as_node().is_some_and(|node| !node.has_value()) => None,
        _ => return Err(FhirPathError::execution("- needs a number")),
    }))
}

pub(super) fn positive(items: Items<'_>) -> Result<Items<'_>> {
    match single(&items, "+")?.and_then(Item::system) {
        Some(System::Integer(_) | System::Decimal(_) | System::Quantity(_)) | None => Ok(items),
        _ => Err(FhirPathError::execution("+ needs a number")),
    }
}
