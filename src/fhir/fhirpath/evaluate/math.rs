//! Functions of numbers, and the bounds of what a limited precision stands for
//! (FHIRPath 5.7 and the additional boundary functions).

use super::super::error::{FhirPathError, Result};
use super::super::function::Function;
use super::super::item::{Item, System};
use super::super::quantity::Quantity;
use super::super::temporal::Boundary;
use super::equality::{decimal, quantity};
use super::{Call, Outcome, boolean, integer, maybe, single};
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use rust_decimal::{Decimal, RoundingStrategy};

/// Digits after the point that a Decimal may have at most, and those of a bound by default.
const MAX_SCALE: i64 = 28;
const DEFAULT_SCALE: i64 = 8;

impl<'e, 's, 'a> Call<'e, 's, 'a> {
    pub(super) fn math(self) -> Result<Outcome<'e, 's, 'a>> {
        use Function::*;
        let is_known = matches!(
            self.function,
            Abs | Ceiling
                | Exp
                | Floor
                | Ln
                | Log
                | Power
                | Round
                | Sqrt
                | Truncate
                | LowBoundary
                | HighBoundary
                | Precision
                | Comparable
        );
        if !is_known {
            return Ok(Outcome::Other(self));
        }
        let input = match single(&self.items, self.name())? {
            Some(item) => item.system(),
            None => return Ok(Outcome::Done(Vec::new())),
        };
        let Some(input) = input else { return Ok(Outcome::Done(Vec::new())) };
        Ok(Outcome::Done(match self.function {
            LowBoundary => maybe(self.boundary(&input, Boundary::Low)?),
            HighBoundary => maybe(self.boundary(&input, Boundary::High)?),
            Precision => maybe(precision(&input).map(System::Integer)),
            Comparable => {
                let other = self.argument(0)?;
                let other = single(&other, "comparable()")?.and_then(Item::system);
                match other.as_ref().map(|other| (quantity(&input), quantity(other))) {
                    None => Vec::new(),
                    Some((Some(left), Some(right))) => boolean(left.is_comparable(&right)),
                    Some(_) => boolean(false),
                }
            }
            Abs => maybe(match input {
                System::Integer(number) => number.checked_abs().map(System::Integer),
                System::Decimal(decimal) => Some(System::Decimal(decimal.abs())),
                System::Quantity(quantity) => {
                    let value = quantity.value.abs();
                    Some(System::Quantity(Quantity { value, ..quantity }))
                }
                _ => return Err(self.needs_number()),
            }),
            _ => maybe(self.number(&input)?),
        }))
    }

    fn needs_number(&self) -> FhirPathError {
        FhirPathError::execution(format!("{}() needs a number", self.name()))
    }

    fn number(&self, input: &System<'_>) -> Result<Option<System<'a>>> {
        let value = decimal(input).ok_or_else(|| self.needs_number())?;
        let whole = |decimal: Decimal| decimal.to_i64().map(System::Integer);
        Ok(match self.function {
            Function::Ceiling => whole(value.ceil()),
            Function::Floor => whole(value.floor()),
            Function::Truncate => whole(value.trunc()),
            Function::Exp => real(value.to_f64().map(f64::exp)),
            Function::Ln => real(value.to_f64().map(f64::ln)),
            Function::Sqrt => real(value.to_f64().map(f64::sqrt)),
            Function::Log => {
                let base = self.operand()?.and_then(|base| decimal(&base)?.to_f64());
                real(base.and_then(|base| value.to_f64().map(|value| value.log(base))))
            }
            Function::Power => self.operand()?.and_then(|exponent| power(input, &exponent)),
            _ => {
                let digits = integer(&self.argument(0)?, "round()")?.unwrap_or(0);
                if digits < 0 {
                    return Err(FhirPathError::execution("round() needs a positive precision"));
                }
                let scale = digits.min(MAX_SCALE) as u32;
                let strategy = RoundingStrategy::MidpointAwayFromZero;
                Some(System::Decimal(value.round_dp_with_strategy(scale, strategy)))
            }
        })
    }

    /// The one argument, a number.
    fn operand(&self) -> Result<Option<System<'a>>> {
        let argument = self.argument(0)?;
        match single(&argument, self.name())?.map(Item::system) {
            None => Ok(None),
            Some(Some(number @ (System::Integer(_) | System::Decimal(_)))) => Ok(Some(number)),
            Some(_) => Err(self.needs_number()),
        }
    }

    fn boundary(&self, input: &System<'_>, end: Boundary) -> Result<Option<System<'a>>> {
        let digits = integer(&self.argument(0)?, self.name())?;
        Ok(match input {
            System::Temporal(temporal) => temporal.boundary(end, digits).map(System::Temporal),
            System::Quantity(quantity) => decimal_boundary(quantity.value, end, digits)
                .map(|value| System::Quantity(Quantity { value, ..quantity.clone() })),
            number => {
                let value = decimal(number).ok_or_else(|| self.needs_number())?;
                decimal_boundary(value, end, digits).map(System::Decimal)
            }
        })
    }
}

fn real(value: Option<f64>) -> Option<System<'static>> {
    let value = value.filter(|value| value.is_finite())?;
    Decimal::from_f64(value).map(System::Decimal)
}

/// Exact for whole exponents; empty where the result is not a real number.
fn power<'a>(base: &System<'_>, exponent: &System<'_>) -> Option<System<'a>> {
    if let (System::Integer(base), System::Integer(exponent @ 0..)) = (base, exponent) {
        return base.checked_pow(u32::try_from(*exponent).ok()?).map(System::Integer);
    }
    let (base, exponent) = (decimal(base)?, decimal(exponent)?);
    if exponent.fract().is_zero() && (0..=64).contains(&exponent.to_i64()?) {
        let mut product = Decimal::ONE;
        for _ in 0..exponent.to_i64()? {
            product = product.checked_mul(base)?;
        }
        return Some(System::Decimal(product));
    }
    real(Some(base.to_f64()?.powf(exponent.to_f64()?)))
}

/// Digits as written: after the point of a number, all of a date or time.
fn precision(input: &System<'_>) -> Option<i64> {
    match input {
        System::Integer(_) => Some(0),
        System::Decimal(decimal) => Some(i64::from(decimal.scale())),
        System::Quantity(quantity) => Some(i64::from(quantity.value.scale())),
        System::Temporal(temporal) => Some(temporal.precision_digits()),
        _ => None,
    }
}

/// Half a unit of the last digit down or up, cut outwards to the digits asked for. A value that
/// vanishes at those digits has both its bounds at zero.
fn decimal_boundary(value: Decimal, end: Boundary, digits: Option<i64>) -> Option<Decimal> {
    let digits = digits.unwrap_or(DEFAULT_SCALE);
    let scale = u32::try_from(digits).ok().filter(|_| digits <= MAX_SCALE)?;
    let half = Decimal::try_new(5, value.scale().checked_add(1)?).ok()?;
    let (bound, strategy) = match end {
        Boundary::Low => (value.checked_sub(half)?, RoundingStrategy::ToNegativeInfinity),
        Boundary::High => (value.checked_add(half)?, RoundingStrategy::ToPositiveInfinity),
    };
    let vanishes = !value.is_zero() && scale > 0 && value.round_dp(scale).is_zero();
    let mut bound = match vanishes {
        true => Decimal::ZERO,
        false => bound.round_dp_with_strategy(scale, strategy),
    };
    bound.rescale(scale);
    Some(bound)
}
