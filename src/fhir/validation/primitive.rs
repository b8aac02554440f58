//! Values of primitive elements: JSON type, format, length and the codes of required bindings.

use super::path::Path;
use super::plan::Property;
use super::walk::Walker;
use crate::error::IssueCode;
use crate::fhir::json::shown;
use crate::fhir::types::{JsonType, Primitive};
use serde_json::Value;

impl<'v> Walker<'v> {
    pub(super) fn primitive(
        &mut self,
        value: &'v Value,
        (primitive, property): (Primitive, &'static Property),
        path: &Path,
    ) {
        let text = match (primitive.json_type(), value) {
            (JsonType::String, Value::String(text)) => text.as_str(),
            (JsonType::Number, Value::Number(number)) => number.as_str(),
            (JsonType::Boolean, Value::Bool(_)) => return,
            (expected, _) => return self.wrong_json_type(expected, property, path),
        };
        if text.len() > self.limits.string_bytes && primitive != Primitive::Base64Binary {
            let limit = self.limits.string_bytes;
            let text = format!("{} bytes are over the limit of {limit}", text.len());
            return self.issue(IssueCode::TooLong, path, text);
        }
        if let Err(rule) = primitive.check(text) {
            let text = format!("Not a {}: expected {rule}", property.type_name);
            return self.issue(IssueCode::Value, path, text);
        }
        match primitive {
            Primitive::Code => self.code_binding(text, property, path),
            Primitive::Canonical => self.local_reference(text, path),
            _ => {}
        }
    }

    fn wrong_json_type(&mut self, expected: JsonType, property: &'static Property, path: &Path) {
        let expected = match expected {
            JsonType::Boolean => "true or false, without quotes",
            JsonType::Number => "a JSON number, without quotes",
            JsonType::String => "a JSON string",
        };
        let text = format!("A {} is {expected}", property.type_name);
        self.issue(IssueCode::Structure, path, text);
    }

    fn code_binding(&mut self, code: &str, property: &'static Property, path: &Path) {
        if let Some(set) = property.required_set.filter(|set| !set.has_code(code)) {
            let text = format!("'{}' is not in the required value set {}", shown(code), set.url);
            self.issue(IssueCode::CodeInvalid, path, text);
        }
    }
}
