//! Resources for tests.

use serde_json::{Map, Value, json};

pub const MRN: &str = "http://hospital.example/mrn";

/// A resource that is being put together; becomes JSON by `Value::from`.
#[derive(Clone, Debug)]
pub struct Builder {
    resource: Map<String, Value>,
}

/// A valid Patient with a name.
pub fn patient() -> Builder {
    let resource = json!({
        "resourceType": "Patient",
        "active": true,
        "name": [{ "family": "Example", "given": ["Amina"] }],
        "gender": "female",
        "birthDate": "1990-05-17"
    });
    Builder::of(resource)
}

/// A valid Observation of a body weight.
pub fn observation() -> Builder {
    let resource = json!({
        "resourceType": "Observation",
        "status": "final",
        "code": { "coding": [{ "system": "http://loinc.org", "code": "29463-7" }] },
        "effectiveDateTime": "2025-03-01T10:00:00Z",
        "valueQuantity": {
            "value": 62.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"
        }
    });
    Builder::of(resource)
}

impl Builder {
    fn of(resource: Value) -> Builder {
        match resource {
            Value::Object(resource) => Builder { resource },
            _ => panic!("a resource is an object"),
        }
    }

    /// Sets an element of the resource.
    pub fn with(mut self, element: &str, value: impl Into<Value>) -> Builder {
        self.resource.insert(element.to_owned(), value.into());
        self
    }

    pub fn without(mut self, element: &str) -> Builder {
        self.resource.shift_remove(element);
        self
    }

    pub fn id(self, id: &str) -> Builder {
        self.with("id", id)
    }

    /// Adds a medical record number.
    pub fn mrn(self, value: &str) -> Builder {
        self.identifier(MRN, value)
    }

    pub fn identifier(mut self, system: &str, value: &str) -> Builder {
        let identifiers = self.resource.entry("identifier").or_insert_with(|| json!([]));
        let identifiers = identifiers.as_array_mut().expect("identifiers are a list");
        identifiers.push(json!({ "system": system, "value": value }));
        self
    }

    pub fn family(self, family: &str) -> Builder {
        self.with("name", json!([{ "family": family }]))
    }

    /// A reference to the subject.
    pub fn subject(self, reference: &str) -> Builder {
        self.with("subject", json!({ "reference": reference }))
    }

    pub fn code(self, system: &str, code: &str) -> Builder {
        self.with("code", json!({ "coding": [{ "system": system, "code": code }] }))
    }
}

impl From<Builder> for Value {
    fn from(builder: Builder) -> Value {
        Value::Object(builder.resource)
    }
}
