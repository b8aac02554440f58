//! A `value` attribute as a JSON value and back: <https://hl7.org/fhir/R4/json.html#primitive>.

use serde_json::{Number, Value};
use std::borrow::Cow;

/// How JSON shows a primitive type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    Boolean,
    Integer,
    Decimal,
    String,
}

fn shape(type_name: &str) -> Shape {
    match type_name {
        "boolean" => Shape::Boolean,
        "integer" | "positiveInt" | "unsignedInt" => Shape::Integer,
        "decimal" => Shape::Decimal,
        _ => Shape::String,
    }
}

/// The JSON value of the text, digits kept; the error says what would be right.
pub(super) fn from_text(type_name: &str, text: &str) -> Result<Value, String> {
    let wrong = || Err(format!("'{text}' is not a {type_name}"));
    match shape(type_name) {
        Shape::String => Ok(Value::String(text.to_owned())),
        Shape::Boolean => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => wrong(),
        },
        // datatypes.html#integer allows a plus sign, JSON does not.
        Shape::Integer => {
            let digits = text.strip_prefix('+').filter(|rest| !rest.starts_with('-'));
            match number(digits.unwrap_or(text)) {
                Some(number) if !text.contains(['.', 'e', 'E']) => Ok(Value::Number(number)),
                _ => wrong(),
            }
        }
        Shape::Decimal => number(text).map_or_else(wrong, |number| Ok(Value::Number(number))),
    }
}

/// A number with the digits and the exponent of the text, where serde_json's own parser would
/// make `1e+2` of `1e2`.
fn number(text: &str) -> Option<Number> {
    is_number(text).then(|| Number::from_string_unchecked(text.to_owned()))
}

/// The grammar of `decimal` (datatypes.html#decimal), which is that of JSON's numbers.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

/// The text of a JSON value of that type; None where JSON shows the type otherwise.
pub(super) fn to_text<'v>(type_name: &str, value: &'v Value) -> Option<Cow<'v, str>> {
    match (shape(type_name), value) {
        (Shape::String, Value::String(text)) => Some(text.as_str().into()),
        (Shape::Boolean, Value::Bool(true)) => Some("true".into()),
        (Shape::Boolean, Value::Bool(false)) => Some("false".into()),
        (Shape::Integer | Shape::Decimal, Value::Number(number)) => Some(number.to_string().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_kept_as_they_are_written() {
        for text in ["1.10", "0.000", "-0", "1e2", "1E-5", "1E+5", "123456789012345678901.5"] {
            let value = from_text("decimal", text).unwrap();
            assert_eq!(to_text("decimal", &value).unwrap(), text);
        }
        assert_eq!(from_text("positiveInt", "+5").unwrap(), from_text("integer", "5").unwrap());
    }

    #[test]
    fn malformed_numbers_and_booleans_are_refused() {
        for text in [
            "", " 1", "1 ", "01", ".5", "5.", "+1", "NaN", "1,5", "0x1", "--1", "-", "1e", "1e+",
            "e1", "1.e1",
        ] {
            assert!(from_text("decimal", text).is_err(), "{text}");
        }
        for text in ["1.0", "1e2", "+-1", "++1", "+", "one", "\n1"] {
            assert!(from_text("integer", text).is_err(), "{text}");
        }
        for text in ["TRUE", "1", "", "true "] {
            assert!(from_text("boolean", text).is_err(), "{text}");
        }
    }
}
