//! Numbers and quantities: <https://hl7.org/fhir/R4/search.html#quantity>. A quantity is stored
//! without its unit, under its unit's text and code, and in the base units of UCUM, so that
//! `5.4 mg` and `0.0054 g` find each other.

use super::decimal::{self, LIMIT, Precise};
use super::prefix::{Prefix, Test};
use super::text::{key, split, unescape};
use super::{Node, text_of};
use crate::search::index_rows::{ParameterId, QuantityRow, Token};
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use serde_json::Value;

const UCUM: &str = "http://unitsofmeasure.org";
/// System of units made of UCUM's base units; no client may use it.
const CANONICAL: &str = "http://unitsofmeasure.org#base-units";
const CURRENCIES: &str = "urn:iso:std:iso:4217";

/// One way to meet a search value: in this unit, this condition. No unit stands for the rows
/// without one.
#[derive(Clone, PartialEq, Debug)]
pub struct QuantityTest {
    pub unit: Option<Token>,
    pub test: Test<Decimal>,
}

/// Low and high, both included.
type Bounds = (Decimal, Decimal);

/// Adds the rows of a number (integer, decimal) or Range of numbers without unit.
pub fn index_number(node: Node<'_>, parameter: ParameterId, rows: &mut Vec<QuantityRow>) {
    let bounds = match node.value {
        Value::Number(number) => decimal::clamped(number.as_str()).map(|value| (value, value)),
        Value::Object(_) => range_bounds(node.value),
        _ => None,
    };
    if let Some((low, high)) = bounds {
        rows.push(QuantityRow { parameter, unit: None, low, high });
    }
}

/// Adds the rows of a Quantity (Age, Duration, ...), Money or Range.
pub fn index(node: Node<'_>, parameter: ParameterId, rows: &mut Vec<QuantityRow>) {
    for (unit, (low, high)) in forms(node) {
        rows.push(QuantityRow { parameter, unit, low, high });
    }
}

/// Every unit under which the element is found, with its bounds there; None first.
pub fn forms(node: Node<'_>) -> Vec<(Option<Token>, Bounds)> {
    let (bounds, unit) = match node.type_name {
        "Range" => {
            let of = node.value.get("low").or(node.value.get("high"));
            (range_bounds(node.value), of)
        }
        _ => (value_bounds(node.value), Some(node.value)),
    };
    let (Some(bounds), Some(unit)) = (bounds, unit) else { return Vec::new() };
    let mut forms = vec![(None, bounds)];
    let mut push = |unit: Token, bounds| {
        let form = (Some(unit), bounds);
        if !forms.contains(&form) {
            forms.push(form);
        }
    };
    let code = text_of(unit, "code").or(text_of(unit, "currency"));
    let is_money = unit.get("currency").is_some();
    let system = if is_money { Some(CURRENCIES) } else { text_of(unit, "system") };
    for text in [code, text_of(unit, "unit")].into_iter().flatten() {
        push(Token { system: String::new(), code: key(text) }, bounds);
    }
    if let (Some(code), Some(system)) = (code, system) {
        let canonical = if system == UCUM { BaseUnit::of(code) } else { None };
        match canonical.and_then(|unit| Some((unit.bounds(bounds)?, unit))) {
            Some((bounds, unit)) => push(unit.token, bounds),
            None => push(Token { system: key(system), code: key(code) }, bounds),
        }
    }
    forms
}

/// The bounds of a Quantity's value; a comparator opens one end.
fn value_bounds(quantity: &Value) -> Option<Bounds> {
    let Some(Value::Number(number)) = quantity.get("value") else { return None };
    let value = decimal::clamped(number.as_str())?;
    // Nothing between this and the value is told apart.
    let step = Decimal::new(1, 12);
    Some(match text_of(quantity, "comparator") {
        Some("<") => (-LIMIT, value - step),
        Some("<=") => (-LIMIT, value),
        Some(">=") => (value, LIMIT),
        Some(">") => (value + step, LIMIT),
        _ => (value, value),
    })
}

fn range_bounds(range: &Value) -> Option<Bounds> {
    let end = |name: &str| match range.get(name)?.get("value")? {
        Value::Number(number) => decimal::clamped(number.as_str()),
        _ => None,
    };
    let (low, high) = (end("low"), end("high"));
    if low.is_none() && high.is_none() {
        return None;
    }
    let low = low.unwrap_or(-LIMIT);
    Some((low, high.unwrap_or(LIMIT).max(low)))
}

/// A unit of UCUM in terms of the base units.
struct BaseUnit {
    token: Token,
    conversion: Conversion,
}

enum Conversion {
    Factor(Decimal),
    /// Degrees and logarithms, from this unit.
    Function(String),
}

impl BaseUnit {
    /// None where the code is not UCUM, or its size is beyond what decimals hold.
    fn of(code: &str) -> Option<BaseUnit> {
        let analysis = ucum::analyze(code).ok()?;
        let base = analysis.dimension.to_string();
        let is_function = analysis.is_special || analysis.offset != 0.0;
        let conversion = match is_function {
            true => Conversion::Function(code.to_owned()),
            false => Conversion::Factor(rounded(analysis.factor)?),
        };
        let code = if base.is_empty() { "1".to_owned() } else { base };
        Some(BaseUnit { token: Token { system: CANONICAL.to_owned(), code }, conversion })
    }

    fn bounds(&self, (low, high): Bounds) -> Option<Bounds> {
        let convert = |value: Decimal| match value.abs() == LIMIT {
            true => Some(value),
            false => self.convert(value),
        };
        let (low, high) = (convert(low)?, convert(high)?);
        Some((low.min(high), low.max(high)))
    }

    fn convert(&self, value: Decimal) -> Option<Decimal> {
        let converted = match &self.conversion {
            Conversion::Factor(factor) => value.checked_mul(*factor)?.normalize(),
            Conversion::Function(from) => {
                rounded(ucum::convert(value.to_f64()?, from, &self.token.code).ok()?)?
            }
        };
        (converted.abs() < LIMIT).then_some(converted)
    }
}

/// Twelve significant digits: what is left of an f64 after a conversion there and back.
fn rounded(value: f64) -> Option<Decimal> {
    if !value.is_finite() || value.abs() >= 1e27 {
        return None;
    }
    let text = format!("{value:.11e}");
    Decimal::from_scientific(&text).ok().or_else(|| Decimal::from_f64(value)).map(|d| d.normalize())
}

/// Reads a search value of a number parameter.
pub fn parse_number(text: &str) -> Result<Test<Decimal>, &'static str> {
    let (prefix, number) = Prefix::split(text);
    let precise = decimal::precise(number).ok_or(NUMBER)?;
    Ok(precise.test(prefix))
}

const NUMBER: &str = "a number is a decimal of at most 27 digits, such as 5.4, -10 or 1e-3";
const QUANTITY: &str = "a quantity is number, number|system|code or number||unit";

/// Reads a search value of a quantity parameter: the ways to meet it, any of which will do.
pub fn parse(text: &str) -> Result<Vec<QuantityTest>, &'static str> {
    let (prefix, rest) = Prefix::split(text);
    let parts: Vec<String> = split(rest, '|').into_iter().map(unescape).collect();
    let (number, system, code) = match parts.as_slice() {
        [number] => (number, "", ""),
        [number, system, code] => (number, system.as_str(), code.as_str()),
        _ => return Err(QUANTITY),
    };
    let precise = decimal::precise(number).ok_or(NUMBER)?;
    let test = precise.test(prefix);
    if code.is_empty() {
        let is_bare = system.is_empty();
        return if is_bare { Ok(vec![QuantityTest { unit: None, test }]) } else { Err(QUANTITY) };
    }
    let written = Token { system: key(system), code: key(code) };
    let mut tests = vec![QuantityTest { unit: Some(written), test }];
    if system == UCUM
        && let Some(test) = in_base_units(precise, prefix, code)
    {
        tests.push(test);
    }
    Ok(tests)
}

fn in_base_units(precise: Precise, prefix: Prefix, code: &str) -> Option<QuantityTest> {
    let unit = BaseUnit::of(code)?;
    let value = unit.convert(precise.value)?;
    let end = unit.convert(precise.value.checked_add(precise.half_unit)?)?;
    let half_unit = (end - value).abs();
    Some(QuantityTest { test: Precise { value, half_unit }.test(prefix), unit: Some(unit.token) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(test: &Test<Decimal>, (low, high): Bounds) -> bool {
        match *test {
            Test::Within { from, to } => low >= from && low < to && high <= to,
            Test::HighAbove(bound) => high > bound,
            Test::LowBelow(bound) => low < bound,
            Test::HighFrom(bound) => high >= bound,
            Test::LowTo(bound) => low <= bound,
            _ => unreachable!("not in these tables"),
        }
    }

    fn finds(search: &str, quantity: &Value) -> bool {
        let forms = forms(Node { value: quantity, type_name: "Quantity" });
        let tests = parse(search).unwrap();
        let meets = |wanted: &QuantityTest| {
            forms.iter().any(|(unit, bounds)| *unit == wanted.unit && holds(&wanted.test, *bounds))
        };
        tests.iter().any(meets)
    }

    fn quantity(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn units_of_ucum_find_each_other() {
        let mg = quantity(
            r#"{"value":5.4,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"}"#,
        );
        for (search, expected) in [
            ("5.4|http://unitsofmeasure.org|mg", true),
            ("0.0054|http://unitsofmeasure.org|g", true),
            ("5.40e-3|http://unitsofmeasure.org|g", true),
            ("5400|http://unitsofmeasure.org|ug", true),
            ("5.5|http://unitsofmeasure.org|mg", false),
            ("5.4|http://unitsofmeasure.org|mL", false),
            ("5.4||mg", true),
            ("5.4||g", false),
            ("5.4", true),
            ("gt5.4", false),
            ("ge5.4", true),
            ("lt5.4|http://unitsofmeasure.org|mg", false),
            ("gt0.005|http://unitsofmeasure.org|g", true),
        ] {
            assert_eq!(finds(search, &mg), expected, "{search}");
        }
    }

    #[test]
    fn degrees_are_converted_with_their_offset() {
        let fever = quantity(r#"{"value":38.0,"system":"http://unitsofmeasure.org","code":"Cel"}"#);
        assert!(finds("100.4|http://unitsofmeasure.org|[degF]", &fever));
        assert!(!finds("101.4|http://unitsofmeasure.org|[degF]", &fever));
        assert!(finds("gt37|http://unitsofmeasure.org|Cel", &fever));
    }

    #[test]
    fn concentrations_of_the_laboratory_are_compared() {
        let sodium =
            quantity(r#"{"value":140,"system":"http://unitsofmeasure.org","code":"mmol/L"}"#);
        assert!(finds("0.140|http://unitsofmeasure.org|mol/L", &sodium));
        assert!(finds("140|http://unitsofmeasure.org|mmol/L", &sodium));
        assert!(finds("gt139|http://unitsofmeasure.org|mmol/L", &sodium));
    }

    #[test]
    fn a_comparator_opens_one_end() {
        let below = quantity(r#"{"value":5,"comparator":"<","code":"mg"}"#);
        assert!(finds("lt3", &below) && finds("lt5", &below) && !finds("ge5", &below));
        let range = json!({"low": {"value": 1, "unit": "a"}, "high": {"value": 4, "unit": "a"}});
        let forms = forms(Node { value: &range, type_name: "Range" });
        assert_eq!(forms[0], (None, (Decimal::ONE, Decimal::from(4))));
        assert_eq!(forms[1].0.as_ref().unwrap().code, "a");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for wrong in ["", "abc", "1|a", "1|a|b|c", "1|http://a|", "1e400", "1,5"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let absurd =
            quantity(r#"{"value":1e400,"system":"http://unitsofmeasure.org","code":"mg"}"#);
        assert!(finds("gt1000", &absurd));
    }
}
