//! Decimals with their implicit precision: <https://hl7.org/fhir/R4/search.html#number>.
//!
//! A stored number is a point: `gt100` does not find 100, nor does `lt100`. Only the search
//! value has a precision, so `100` finds from 99.5 to below 100.5. Numbers beyond 10^27 are a
//! 400 in a query; in a resource they count as ±10^27, digits after the 28th are cut. So
//! neither the arithmetic here nor the database's can overflow.

use super::prefix::{Prefix, Test};
use rust_decimal::Decimal;

/// Beyond every number that is told apart.
pub const LIMIT: Decimal = Decimal::from_parts(3_892_314_112, 2_681_241_660, 54_210_108, false, 0);

/// A decimal and half the unit of its last digit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Precise {
    pub value: Decimal,
    pub half_unit: Decimal,
}

/// Digits, sign, point and exponent of a decimal as JSON and search values write it.
struct Parts<'a> {
    mantissa: &'a str,
    decimals: i64,
    figures: usize,
    exponent: i64,
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let exponent = match exponent {
        None => 0,
        Some(text) => {
            let sign = text.strip_prefix(['-', '+']).unwrap_or(text);
            if !is_digits(sign) {
                return None;
            }
            // Too many digits for an i64 are far beyond the limit on either side.
            text.parse().unwrap_or(if text.starts_with('-') { -100_000 } else { 100_000 })
        }
    };
    let decimals = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i64);
    let figures = digits.bytes().filter(u8::is_ascii_digit).skip_while(|b| *b == b'0').count();
    Some(Parts { mantissa, decimals, figures, exponent })
}

/// The value of a decimal, cut to ±[`LIMIT`]; None where the text is no decimal.
pub fn clamped(text: &str) -> Option<Decimal> {
    let parts = parts(text)?;
    let is_negative = parts.mantissa.starts_with('-');
    let limit = if is_negative { -LIMIT } else { LIMIT };
    Some(exact(&parts).filter(|value| value.abs() <= LIMIT).unwrap_or_else(|| {
        match parts.exponent + parts.figures as i64 - parts.decimals > 0 && parts.figures > 0 {
            true => limit,
            false => Decimal::ZERO,
        }
    }))
}

/// The value within the limit; digits after the 28th are cut.
fn exact(parts: &Parts<'_>) -> Option<Decimal> {
    let mantissa = parts.mantissa.strip_prefix('+').unwrap_or(parts.mantissa);
    let mantissa: Decimal = mantissa.get(..64).unwrap_or(mantissa).parse().ok()?;
    mantissa.checked_mul(power_of_ten(parts.exponent)?)
}

/// 10^exponent; None beyond ±28.
fn power_of_ten(exponent: i64) -> Option<Decimal> {
    match exponent {
        0..=28 => Some(Decimal::from_i128_with_scale(10_i128.pow(exponent as u32), 0)),
        -28..0 => Some(Decimal::new(1, exponent.unsigned_abs() as u32)),
        _ => None,
    }
}

/// The number of a search value; None where it is none or beyond the limit.
pub fn precise(text: &str) -> Option<Precise> {
    let parts = parts(text)?;
    let value = exact(&parts).filter(|value| value.abs() <= LIMIT)?;
    // The specification's own table reads `1e2` as [95, 105): one figure counts as two.
    let extra = i64::from(parts.figures == 1 && text.contains(['e', 'E']));
    let unit = power_of_ten(parts.exponent - parts.decimals - extra).unwrap_or_default();
    let half_unit = unit.checked_div(Decimal::TWO)?;
    Some(Precise { value, half_unit })
}

impl Precise {
    /// What the prefix asks of a stored value; comparisons ignore the precision.
    pub fn test(self, prefix: Prefix) -> Test<Decimal> {
        let Precise { value, half_unit } = self;
        let (from, to) = (value - half_unit, value + half_unit);
        match prefix {
            Prefix::Equal => Test::ClosedWithin { from, to },
            Prefix::NotEqual => Test::ClosedNotWithin { from, to },
            Prefix::GreaterThan => Test::HighAbove(value),
            Prefix::LessThan => Test::LowBelow(value),
            Prefix::GreaterOrEqual => Test::HighFrom(value),
            Prefix::LessOrEqual => Test::LowTo(value),
            Prefix::StartsAfter => Test::LowAbove(value),
            Prefix::EndsBefore => Test::HighBelow(value),
            Prefix::Approximately => {
                let tenth = (value.abs() / Decimal::TEN).max(half_unit);
                Test::Overlaps { from: value - tenth, to: value + tenth }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn the_implicit_precision_is_that_of_the_specification() {
        for (text, from, to) in [
            ("100", "99.5", "100.5"),
            ("100.00", "99.995", "100.005"),
            ("1e2", "95", "105"),
            ("5.4", "5.35", "5.45"),
            ("-5.4", "-5.45", "-5.35"),
            ("1.0e2", "95", "105"),
            ("0", "-0.5", "0.5"),
        ] {
            let (from, to) = (decimal(from), decimal(to));
            assert_eq!(precise(text).unwrap().test(Prefix::Equal), Test::ClosedWithin { from, to });
        }
    }

    #[test]
    fn what_is_no_number_or_too_large_is_none() {
        for text in ["", "abc", "1.", ".5", "1e", "--1", "0x1", "NaN", "1e400", "1e28", "1 "] {
            assert_eq!(precise(text), None, "{text}");
        }
    }

    #[test]
    fn absurd_numbers_of_resources_are_cut_to_the_limit() {
        assert_eq!(LIMIT, decimal("1000000000000000000000000000"));
        assert_eq!(clamped("1e400"), Some(LIMIT));
        assert_eq!(clamped("-1e99999999999999999999"), Some(-LIMIT));
        assert_eq!(clamped("1e-400"), Some(Decimal::ZERO));
        assert_eq!(clamped("0e400"), Some(Decimal::ZERO));
        assert_eq!(clamped(&"9".repeat(100)), Some(LIMIT));
        assert_eq!(clamped(&format!("0.{}", "3".repeat(500))).unwrap().scale(), 28);
        assert_eq!(clamped("1.10"), Some(decimal("1.1")));
    }
}
