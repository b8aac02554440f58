//! Numbers and quantities: <https://hl7.org/fhir/R4/search.html#number>, `#quantity`. The search
//! value has a range by its precision, which comparisons ignore; what is stored is as exact as
//! it is written.

use super::texts::{split, unescape};
use rust_decimal::Decimal;
use serde_json::Value;

pub const UCUM: &str = "http://unitsofmeasure.org";

/// Code, what it measures, and how many of the first unit of that kind it is.
pub const UNITS: [(&str, &str, &str); 12] = [
    ("mg", "mass", "1"),
    ("g", "mass", "1000"),
    ("kg", "mass", "1000000"),
    ("ug", "mass", "0.001"),
    ("mL", "volume", "1"),
    ("L", "volume", "1000"),
    ("dL", "volume", "100"),
    ("min", "time", "1"),
    ("h", "time", "60"),
    ("d", "time", "1440"),
    ("mm[Hg]", "pressure", "0.133322"),
    ("kPa", "pressure", "1"),
];

/// What a resource says: both ends and whether they belong to it; None is open.
#[derive(Clone, Copy)]
pub struct Span {
    pub low: Option<(Decimal, bool)>,
    pub high: Option<(Decimal, bool)>,
}

/// A search value without its unit.
pub struct Number<'a> {
    pub prefix: &'a str,
    pub value: Decimal,
    pub half_unit: Decimal,
}

pub fn decimal(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    Some(mantissa.parse::<Decimal>().ok()? * ten_to(exponent.parse().ok()?))
}

fn ten_to(exponent: i32) -> Decimal {
    match exponent {
        0.. => Decimal::from(10_i128.pow(exponent as u32)),
        _ => Decimal::new(1, exponent.unsigned_abs()),
    }
}

/// The prefix of an ordered value, `eq` where there is none, and the rest.
pub fn prefixed(text: &str) -> (&str, &str) {
    let known = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];
    match text.get(..2).filter(|prefix| known.contains(prefix)) {
        Some(prefix) => (prefix, &text[2..]),
        None => ("eq", text),
    }
}

impl Number<'_> {
    pub fn parse(text: &str) -> Option<Number<'_>> {
        let (prefix, text) = prefixed(text);
        let value = decimal(text)?;
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let decimals = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i32);
        let mut unit = exponent.parse::<i32>().ok()? - decimals;
        // The table of the specification: 1e2 has one significant digit and is [95 ... 105).
        let digits = mantissa.trim_start_matches(['-', '0', '.']).replace('.', "");
        if text.contains(['e', 'E']) && digits.len() == 1 {
            unit -= 1;
        }
        Some(Number { prefix, value, half_unit: ten_to(unit) / Decimal::TWO })
    }

    /// The same in a unit that is `factor` of this one.
    fn scaled(&self, factor: Decimal) -> Number<'_> {
        Number { value: self.value * factor, half_unit: self.half_unit * factor, ..*self }
    }

    pub fn matches(&self, stored: Span) -> bool {
        let Number { prefix, value, half_unit } = *self;
        let (from, to) = (value - half_unit, value + half_unit);
        let reaches_over = |bound| stored.high.is_none_or(|(high, _)| high > bound);
        let reaches_under = |bound| stored.low.is_none_or(|(low, _)| low < bound);
        let is_within = !reaches_under(from)
            && stored.high.is_some_and(|(high, is_in)| high < to || high == to && !is_in);
        match prefix {
            "eq" => is_within,
            "ne" => !is_within,
            "gt" => reaches_over(value),
            "lt" => reaches_under(value),
            // "Or equal" holds for a range that the value is the last or first of.
            "ge" => reaches_over(value) || stored.high == Some((value, true)),
            "le" => reaches_under(value) || stored.low == Some((value, true)),
            "sa" => stored.low.is_some_and(|(low, is_in)| low > value || low == value && !is_in),
            "eb" => {
                stored.high.is_some_and(|(high, is_in)| high < value || high == value && !is_in)
            }
            "ap" => {
                let around = (value.abs() / Decimal::TEN).max(half_unit);
                let (from, to) = (value - around, value + around);
                reaches_under(to) && (reaches_over(from) || stored.high == Some((from, true)))
            }
            _ => panic!("{prefix} is no prefix"),
        }
    }
}

/// The span of a number, a Quantity, whose comparator opens an end, or a Range.
pub fn span(element: &Value) -> Option<Span> {
    let number = |value: &Value| match value {
        Value::Number(number) => decimal(&number.to_string()),
        _ => None,
    };
    if let Some(value) = number(element).or_else(|| number(&element["value"])) {
        let (closed, open) = (Some((value, true)), Some((value, false)));
        return Some(match element["comparator"].as_str() {
            Some("<") => Span { low: None, high: open },
            Some("<=") => Span { low: None, high: closed },
            Some(">") => Span { low: open, high: None },
            Some(">=") => Span { low: closed, high: None },
            _ => Span { low: closed, high: closed },
        });
    }
    let (low, high) = (number(&element["low"]["value"]), number(&element["high"]["value"]));
    let end = |end: Option<Decimal>| end.map(|value| (value, true));
    (low.is_some() || high.is_some()).then_some(Span { low: end(low), high: end(high) })
}

/// Whether a Quantity or Range passes `number`, `number|system|code` or `number||unit`.
pub fn quantity_matches(element: &Value, one: &str) -> bool {
    let (Some(stored), parts) = (span(element), split(one, '|')) else { return false };
    let Some(number) = Number::parse(&parts[0]) else { panic!("{one} is no quantity") };
    let part = |at: usize| parts.get(at).map(|part| unescape(part)).unwrap_or_default();
    let (system, code) = (part(1), part(2));
    if code.is_empty() {
        return number.matches(stored);
    }
    let unit = [&element["low"], &element["high"]].into_iter().find(|end| end.is_object());
    let unit = unit.unwrap_or(element);
    if system.is_empty() {
        return (unit["code"] == code || unit["unit"] == code) && number.matches(stored);
    }
    if unit["system"] != system {
        return false;
    }
    if unit["code"] == code {
        return number.matches(stored);
    }
    let known = |code: &str| UNITS.iter().find(|(known, ..)| system == UCUM && *known == code);
    let (from, into) = (known(&code), unit["code"].as_str().and_then(known));
    match (from, into) {
        (Some((_, measure, factor)), Some((_, other, divisor))) if measure == other => {
            // Both sides in the first unit of the kind, so that nothing is rounded.
            let by = |text: &str| decimal(text).expect("a factor is a decimal");
            let times = |end: Option<(Decimal, bool)>| {
                end.map(|(value, is_in)| (value * by(divisor), is_in))
            };
            let stored = Span { low: times(stored.low), high: times(stored.high) };
            number.scaled(by(factor)).matches(stored)
        }
        _ => false,
    }
}
