//! Conversions (FHIRPath 5.5).

use super::super::error::{FhirPathError, Result};
use super::super::function::Function;
use super::super::item::{System, parse_decimal};
use super::super::quantity::Quantity;
use super::super::temporal::{Temporal, TemporalKind};
use super::{Call, Outcome, boolean, maybe, single, text};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::borrow::Cow;

impl<'e, 's, 'a> Call<'e, 's, 'a> {
    pub(super) fn conversion(self) -> Result<Outcome<'e, 's, 'a>> {
        use Function::*;
        let (convert, is_question): (fn(&System<'a>) -> Option<System<'a>>, bool) =
            match self.function {
                ToBoolean => (to_boolean, false),
                ConvertsToBoolean => (to_boolean, true),
                ToInteger => (to_integer, false),
                ConvertsToInteger => (to_integer, true),
                ToDecimal => (to_decimal, false),
                ConvertsToDecimal => (to_decimal, true),
                ToDate => (to_date, false),
                ConvertsToDate => (to_date, true),
                ToDateTime => (to_date_time, false),
                ConvertsToDateTime => (to_date_time, true),
                ToTime => (to_time, false),
                ConvertsToTime => (to_time, true),
                ToString => (to_string, false),
                ConvertsToString => (to_string, true),
                ToQuantity => (to_quantity, false),
                ConvertsToQuantity => (to_quantity, true),
                _ => return Ok(Outcome::Other(self)),
            };
        let Some(item) = single(&self.items, self.name())? else {
            return Ok(Outcome::Done(Vec::new()));
        };
        let mut converted = item.system().as_ref().and_then(convert);
        if let (Some(System::Quantity(quantity)), 1) = (&converted, self.arguments.len()) {
            converted = match text(&self.argument(0)?, self.name())? {
                Some(unit) => in_unit(quantity, &unit)?.map(System::Quantity),
                None => None,
            };
        }
        Ok(Outcome::Done(match is_question {
            true => boolean(converted.is_some()),
            false => maybe(converted),
        }))
    }
}

/// The quantity in another UCUM unit; None where it is of another dimension.
fn in_unit(quantity: &Quantity, unit: &str) -> Result<Option<Quantity>> {
    if quantity.unit == unit {
        return Ok(Some(quantity.clone()));
    }
    let value = quantity.value.to_f64().unwrap_or_default();
    let known = ucum::validate(unit);
    known.map_err(|_| FhirPathError::execution("The unit is not one of UCUM"))?;
    let converted = ucum::convert(value, &quantity.unit, unit).ok();
    let converted = converted.and_then(|value| Decimal::try_from(value).ok());
    Ok(converted.map(|value| Quantity::new(value, unit, false)))
}

fn to_boolean<'a>(value: &System<'a>) -> Option<System<'a>> {
    let truth = match value {
        System::Boolean(truth) => Some(*truth),
        System::Integer(1) => Some(true),
        System::Integer(0) => Some(false),
        System::Decimal(decimal) if *decimal == Decimal::ONE => Some(true),
        System::Decimal(decimal) if decimal.is_zero() => Some(false),
        System::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
            "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
            _ => None,
        },
        _ => None,
    };
    truth.map(System::Boolean)
}

fn to_integer<'a>(value: &System<'a>) -> Option<System<'a>> {
    let number = match value {
        System::Boolean(truth) => Some(i64::from(*truth)),
        System::Integer(number) => Some(*number),
        System::String(text) => text.parse().ok(),
        _ => None,
    };
    number.map(System::Integer)
}

fn to_decimal<'a>(value: &System<'a>) -> Option<System<'a>> {
    let decimal = match value {
        System::Boolean(truth) => Some(Decimal::from(u8::from(*truth))),
        System::Integer(number) => Some(Decimal::from(*number)),
        System::Decimal(decimal) => Some(*decimal),
        System::String(text) => parse_decimal(text),
        _ => None,
    };
    decimal.map(System::Decimal)
}

fn to_date<'a>(value: &System<'a>) -> Option<System<'a>> {
    let date = match value {
        System::Temporal(temporal) if temporal.kind != TemporalKind::Time => {
            Some(temporal.to_date())
        }
        System::String(text) => Temporal::parse_date_time(text).map(Temporal::to_date),
        _ => None,
    };
    date.map(System::Temporal)
}

fn to_date_time<'a>(value: &System<'a>) -> Option<System<'a>> {
    let date_time = match value {
        System::Temporal(temporal) if temporal.kind != TemporalKind::Time => {
            Some(temporal.to_date_time())
        }
        System::String(text) => Temporal::parse_date_time(text),
        _ => None,
    };
    date_time.map(System::Temporal)
}

fn to_time<'a>(value: &System<'a>) -> Option<System<'a>> {
    let time = match value {
        System::Temporal(temporal) if temporal.kind == TemporalKind::Time => Some(*temporal),
        System::String(text) => Temporal::parse_time(text.strip_prefix('T').unwrap_or(text)),
        _ => None,
    };
    time.map(System::Temporal)
}

fn to_string<'a>(value: &System<'a>) -> Option<System<'a>> {
    let text = match value {
        System::String(text) => text.clone(),
        System::Boolean(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
        System::Integer(number) => Cow::Owned(number.to_string()),
        System::Decimal(decimal) => Cow::Owned(decimal.to_string()),
        System::Temporal(temporal) => Cow::Owned(temporal.to_string()),
        System::Quantity(quantity) => Cow::Owned(quantity.to_string()),
        System::Type { .. } => return None,
    };
    Some(System::String(text))
}

fn to_quantity<'a>(value: &System<'a>) -> Option<System<'a>> {
    let quantity = match value {
        System::Quantity(quantity) => Some(quantity.clone()),
        System::Boolean(truth) => Some(Quantity::of_number(Decimal::from(u8::from(*truth)))),
        System::Integer(number) => Some(Quantity::of_number(Decimal::from(*number))),
        System::Decimal(decimal) => Some(Quantity::of_number(*decimal)),
        System::String(text) => Quantity::parse(text),
        _ => None,
    };
    quantity.map(System::Quantity)
}
