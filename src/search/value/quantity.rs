//! Numbers and quantities: <https://hl7.org/fhir/R4/search.html#quantity>. A quantity is stored
//! once, as it is written. A search for `0.0054 g` finds `5.4 mg` because the search value is put
//! into each unit of UCUM that the database holds and that measures the same.

use super::decimal::{self, LIMIT, Precise};
use super::prefix::{Prefix, Test};
use super::text::{key, split, unescape};
use super::{Node, text_of};
use crate::search::index_rows::{ParameterId, QuantityRow, UnitOfMeasure};
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use serde_json::Value;

const UCUM: &str = "http://unitsofmeasure.org";
const CURRENCIES: &str = "urn:iso:std:iso:4217";

/// A search value of a number or quantity parameter.
#[derive(Clone, PartialEq, Debug)]
pub struct QuantityTest {
    pub unit: UnitTest,
    prefix: Prefix,
    value: Precise,
}

/// What a search value says about the unit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum UnitTest {
    /// Nothing: any unit or none.
    Any,
    /// `number||unit`: the unit's code or its text.
    Written(String),
    /// `number|system|code`.
    Coded { system: String, code: String },
}

/// Low and high, both included.
type Bounds = (Decimal, Decimal);

/// Adds the row of a number (integer, decimal) or Range of numbers without unit.
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

/// Adds the row of a Quantity (Age, Duration, ...), Money or Range.
pub fn index(node: Node<'_>, parameter: ParameterId, rows: &mut Vec<QuantityRow>) {
    if let Some((unit, (low, high))) = measured(node) {
        rows.push(QuantityRow { parameter, unit, low, high });
    }
}

/// The unit of the element and its bounds in it; None where it has no value.
pub fn measured(node: Node<'_>) -> Option<(Option<UnitOfMeasure>, Bounds)> {
    let (bounds, of) = match node.type_name {
        "Range" => (range_bounds(node.value)?, node.value.get("low").or(node.value.get("high"))?),
        _ => (value_bounds(node.value)?, node.value),
    };
    let text = |name| text_of(of, name).map(key).unwrap_or_default();
    let unit = match text_of(of, "currency") {
        Some(code) => {
            UnitOfMeasure { system: CURRENCIES.to_owned(), code: key(code), text: String::new() }
        }
        None => UnitOfMeasure { system: text("system"), code: text("code"), text: text("unit") },
    };
    let is_known = !(unit.code.is_empty() && unit.text.is_empty());
    Some((is_known.then_some(unit), bounds))
}

impl UnitOfMeasure {
    /// What a unit of UCUM measures: its base units; None for any other.
    pub fn dimension(&self) -> Option<String> {
        if self.system != UCUM { None } else { dimension(&self.code) }
    }
}

/// The base units of a code of UCUM, such as `g.m-3`; `1` for none.
fn dimension(code: &str) -> Option<String> {
    let base = ucum::analyze(code).ok()?.dimension.to_string();
    Some(if base.is_empty() { "1".to_owned() } else { base })
}

impl UnitTest {
    /// What units must measure to be compared with this one.
    pub fn dimension(&self) -> Option<String> {
        match self {
            UnitTest::Coded { system, code } if system == UCUM => dimension(code),
            _ => None,
        }
    }
}

impl QuantityTest {
    /// The condition on stored numbers in this unit (None: without unit); None where no number
    /// in it can be meant.
    pub fn in_unit(&self, unit: Option<&UnitOfMeasure>) -> Option<Test<Decimal>> {
        let value = match (&self.unit, unit) {
            (UnitTest::Any, _) => self.value,
            (UnitTest::Written(written), Some(unit)) => {
                (unit.code == *written || unit.text == *written).then_some(self.value)?
            }
            (UnitTest::Coded { system, code }, Some(unit)) if unit.system == *system => {
                match unit.code == *code {
                    true => self.value,
                    false if system == UCUM => converted(self.value, code, &unit.code)?,
                    false => return None,
                }
            }
            _ => return None,
        };
        Some(value.test(self.prefix))
    }

    /// The condition on stored numbers of any unit, where the search value names none.
    pub fn without_unit(&self) -> Option<Test<Decimal>> {
        (self.unit == UnitTest::Any).then(|| self.value.test(self.prefix))
    }
}

/// The search value and its precision in another unit of UCUM; None where the two do not
/// measure the same, or fall while the other rises, as pH does with concentrations.
fn converted(value: Precise, from: &str, to: &str) -> Option<Precise> {
    let (source, target) = (ucum::analyze(from).ok()?, ucum::analyze(to).ok()?);
    if source.dimension != target.dimension {
        return None;
    }
    let is_factor = |unit: &ucum::Analysis| !unit.is_special && unit.offset == 0.0;
    let convert = |number: Decimal| match is_factor(&source) && is_factor(&target) {
        true => {
            let in_base = number.checked_mul(rounded(source.factor)?)?;
            Some(figures(in_base.checked_div(rounded(target.factor)?)?))
        }
        false => rounded(ucum::convert(number.to_f64()?, from, to).ok()?),
    };
    let from = convert(value.value.checked_sub(value.half_unit)?)?;
    let to = convert(value.value.checked_add(value.half_unit)?)?;
    let half_unit = to.checked_sub(from)?.checked_div(Decimal::TWO)?;
    let value = convert(value.value)?;
    (half_unit >= Decimal::ZERO && value.abs() < LIMIT).then_some(Precise { value, half_unit })
}

/// Metres of a unit of UCUM; None where it is none of length.
pub fn metres(unit: &str) -> Option<Decimal> {
    let one = Precise { value: Decimal::ONE, half_unit: Decimal::ZERO };
    converted(one, unit, "m").map(|metres| metres.value)
}

/// Twelve significant digits, as conversion factors have.
fn figures(value: Decimal) -> Decimal {
    value.round_sf(12).unwrap_or(value).normalize()
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

/// Twelve significant digits: what is left of an f64 after a conversion there and back.
fn rounded(value: f64) -> Option<Decimal> {
    if !value.is_finite() || value.abs() >= 1e27 {
        return None;
    }
    let text = format!("{value:.11e}");
    Decimal::from_scientific(&text).ok().or_else(|| Decimal::from_f64(value)).map(|d| d.normalize())
}

/// Reads a search value of a number parameter.
pub fn parse_number(text: &str) -> Result<QuantityTest, &'static str> {
    let (prefix, number) = Prefix::split(text);
    let value = decimal::precise(number).ok_or(NUMBER)?;
    Ok(QuantityTest { unit: UnitTest::Any, prefix, value })
}

const NUMBER: &str = "a number is a decimal of at most 27 digits, such as 5.4, -10 or 1e-3";
const QUANTITY: &str = "a quantity is number, number|system|code or number||unit";

/// Reads a search value of a quantity parameter.
pub fn parse(text: &str) -> Result<QuantityTest, &'static str> {
    let (prefix, rest) = Prefix::split(text);
    let parts: Vec<String> = split(rest, '|').into_iter().map(unescape).collect();
    let (number, system, code) = match parts.as_slice() {
        [number] => (number, "", ""),
        [number, system, code] => (number, system.as_str(), code.as_str()),
        _ => return Err(QUANTITY),
    };
    let value = decimal::precise(number).ok_or(NUMBER)?;
    let unit = match (system, code) {
        ("", "") => UnitTest::Any,
        (_, "") => return Err(QUANTITY),
        ("", code) => UnitTest::Written(key(code)),
        (system, code) => UnitTest::Coded { system: key(system), code: key(code) },
    };
    Ok(QuantityTest { unit, prefix, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn finds(search: &str, quantity: &Value) -> bool {
        let (unit, bounds) = measured(Node { value: quantity, type_name: "Quantity" }).unwrap();
        let test = parse(search).unwrap().in_unit(unit.as_ref());
        test.is_some_and(|test| test.admits(bounds))
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
    fn what_falls_while_the_other_rises_is_compared_in_its_own_unit_alone() {
        let acid = quantity(r#"{"value":7.4,"system":"http://unitsofmeasure.org","code":"[pH]"}"#);
        assert!(finds("gt7|http://unitsofmeasure.org|[pH]", &acid));
        assert!(!finds("gt0|http://unitsofmeasure.org|mol/L", &acid));
    }

    #[test]
    fn money_is_found_by_its_currency() {
        let price = quantity(r#"{"value":99.5,"currency":"EUR"}"#);
        assert!(finds("99.5|urn:iso:std:iso:4217|EUR", &price) && finds("99.5||EUR", &price));
        assert!(!finds("99.5||USD", &price) && finds("99.5", &price));
    }

    #[test]
    fn a_comparator_opens_one_end() {
        let below = quantity(r#"{"value":5,"comparator":"<","code":"mg"}"#);
        assert!(finds("lt3", &below) && finds("lt5", &below) && !finds("ge5", &below));
        let range = json!({"low": {"value": 1, "unit": "a"}, "high": {"value": 4, "unit": "a"}});
        let (unit, bounds) = measured(Node { value: &range, type_name: "Range" }).unwrap();
        assert_eq!(bounds, (Decimal::ONE, Decimal::from(4)));
        assert_eq!(unit.unwrap().text, "a");
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
