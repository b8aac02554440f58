//! Quantities with UCUM or calendar units (FHIRPath 2.1.7).

use super::temporal::TemporalUnit;
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use std::cmp::Ordering;
use std::fmt;

/// A number with a unit.
#[derive(Clone, PartialEq, Debug)]
pub struct Quantity {
    pub value: Decimal,
    /// A UCUM code, or a word such as `week` where `is_calendar`.
    pub unit: String,
    pub is_calendar: bool,
}

/// The calendar unit of a word, singular or plural.
pub(super) fn calendar_unit(word: &str) -> Option<TemporalUnit> {
    Some(match word.strip_suffix('s').unwrap_or(word) {
        "year" => TemporalUnit::Year,
        "month" => TemporalUnit::Month,
        "week" => TemporalUnit::Week,
        "day" => TemporalUnit::Day,
        "hour" => TemporalUnit::Hour,
        "minute" => TemporalUnit::Minute,
        "second" => TemporalUnit::Second,
        "millisecond" => TemporalUnit::Millisecond,
        _ => return None,
    })
}

impl Quantity {
    pub fn new(value: Decimal, unit: impl Into<String>, is_calendar: bool) -> Self {
        Quantity { value, unit: unit.into(), is_calendar }
    }

    /// A number alone has the unit `1`.
    pub(super) fn of_number(value: Decimal) -> Self {
        Quantity::new(value, "1", false)
    }

    /// `4 days`, `4.5 'mg'`, `4`: the text that `toQuantity()` reads.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let end = text
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-')))
            .unwrap_or(text.len());
        let value = super::item::parse_decimal(&text[..end])?;
        let rest = &text[end..];
        let unit = rest.trim_start();
        if unit.is_empty() {
            return rest.is_empty().then(|| Quantity::of_number(value));
        }
        if let Some(code) = unit.strip_prefix('\'') {
            let code = code.strip_suffix('\'').filter(|code| !code.is_empty())?;
            return Some(Quantity::new(value, code, false));
        }
        let is_apart = rest.len() > unit.len();
        (is_apart && calendar_unit(unit).is_some()).then(|| Quantity::new(value, unit, true))
    }

    /// The unit for calendar arithmetic: UCUM's definite durations count too, except for year
    /// and month, which are not the calendar's (6.6.7).
    pub(super) fn temporal_unit(&self) -> Option<TemporalUnit> {
        calendar_unit(&self.unit).or(match self.unit.as_str() {
            "wk" => Some(TemporalUnit::Week),
            "d" => Some(TemporalUnit::Day),
            "h" => Some(TemporalUnit::Hour),
            "min" => Some(TemporalUnit::Minute),
            "s" => Some(TemporalUnit::Second),
            "ms" => Some(TemporalUnit::Millisecond),
            _ => None,
        })
    }

    /// Calendar years and months have no UCUM code that is the same length.
    fn is_indefinite(&self) -> bool {
        self.is_calendar
            && matches!(calendar_unit(&self.unit), Some(TemporalUnit::Year | TemporalUnit::Month))
    }

    fn ucum_code(&self) -> &str {
        match self.is_calendar.then(|| calendar_unit(&self.unit)).flatten() {
            None => &self.unit,
            Some(TemporalUnit::Year) => "a",
            Some(TemporalUnit::Month) => "mo",
            Some(TemporalUnit::Week) => "wk",
            Some(TemporalUnit::Day) => "d",
            Some(TemporalUnit::Hour) => "h",
            Some(TemporalUnit::Minute) => "min",
            Some(TemporalUnit::Second) => "s",
            Some(TemporalUnit::Millisecond) => "ms",
        }
    }

    /// True where one can be converted to the unit of the other.
    pub(super) fn is_comparable(&self, other: &Quantity) -> bool {
        let (left, right) = (self.ucum_code(), other.ucum_code());
        left == right || ucum::is_comparable(left, right).unwrap_or(false)
    }

    /// Both values in one unit; None where that is not possible.
    fn aligned(&self, other: &Quantity) -> Option<(Decimal, Decimal)> {
        if self.is_indefinite() || other.is_indefinite() {
            let months = |quantity: &Quantity| match quantity.is_indefinite() {
                false => None,
                true if calendar_unit(&quantity.unit) == Some(TemporalUnit::Year) => {
                    quantity.value.checked_mul(Decimal::from(12))
                }
                true => Some(quantity.value),
            };
            return Some((months(self)?, months(other)?));
        }
        let (left, right) = (self.ucum_code(), other.ucum_code());
        if left == right {
            return Some((self.value, other.value));
        }
        let converted = ucum::convert(other.value.to_f64()?, right, left).ok()?;
        let converted = Decimal::from_f64(converted)?;
        let difference = self.value.checked_sub(converted)?.abs();
        // The factors between units are floating point: twelve digits of them are meant.
        let tolerance = self.value.abs().checked_mul(Decimal::new(1, 12))?;
        match difference <= tolerance {
            true => Some((self.value, self.value)),
            false => Some((self.value, converted)),
        }
    }

    /// The order, or None where the units cannot be compared.
    pub fn order(&self, other: &Quantity) -> Option<Ordering> {
        self.aligned(other).map(|(left, right)| left.cmp(&right))
    }

    /// `~`: in the larger unit, to the digits of the value that has that unit.
    pub(super) fn is_equivalent(&self, other: &Quantity) -> bool {
        if self.ucum_code() == other.ucum_code() {
            let scale = self.value.scale().min(other.value.scale());
            return self.value.round_dp(scale) == other.value.round_dp(scale);
        }
        let factor = |quantity: &Quantity| {
            ucum::analyze(quantity.ucum_code()).map_or(0.0, |analysis| analysis.factor)
        };
        let (large, small) = match factor(self) >= factor(other) {
            true => (self, other),
            false => (other, self),
        };
        let scale = large.value.scale();
        let definite = |quantity: &Quantity| Quantity { is_calendar: false, ..quantity.in_ucum() };
        definite(large)
            .aligned(&definite(small))
            .is_some_and(|(large, small)| large.round_dp(scale) == small.round_dp(scale))
    }

    fn in_ucum(&self) -> Quantity {
        Quantity::new(self.value, self.ucum_code(), false)
    }

    /// Sum or difference in this quantity's unit.
    pub(super) fn plus(&self, other: &Quantity) -> Option<Quantity> {
        let (left, right) = self.aligned(other)?;
        let value = match self.is_indefinite() {
            true if self.unit != other.unit => return None,
            true => self.value.checked_add(other.value)?,
            false => left.checked_add(right)?,
        };
        Some(Quantity { value, ..self.clone() })
    }

    pub(super) fn times(&self, other: &Quantity) -> Option<Quantity> {
        let value = self.value.checked_mul(other.value)?;
        let unit = match (self.ucum_code(), other.ucum_code()) {
            ("1", unit) | (unit, "1") => unit.to_owned(),
            (left, right) => format!("{}.{}", group(left), group(right)),
        };
        Some(Quantity::new(value, unit, false))
    }

    pub(super) fn divided_by(&self, other: &Quantity) -> Option<Quantity> {
        let value = self.value.checked_div(other.value)?;
        let unit = match (self.ucum_code(), other.ucum_code()) {
            (unit, "1") => unit.to_owned(),
            (left, right) if left == right => "1".to_owned(),
            (left, right) => format!("{}/{}", group(left), group(right)),
        };
        Some(Quantity::new(value, unit, false))
    }
}

fn group(unit: &str) -> String {
    match unit.contains(['.', '/']) {
        true => format!("({unit})"),
        false => unit.to_owned(),
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_calendar {
            true => write!(f, "{} {}", self.value, self.unit),
            false => write!(f, "{} '{}'", self.value, self.unit),
        }
    }
}
