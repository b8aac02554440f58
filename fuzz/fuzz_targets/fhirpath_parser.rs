//! FHIRPath: parsed, and evaluated over a small resource in both modes.

#![no_main]

use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::fhirpath::{Context, Expression, Mode, Node, Program};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::sync::LazyLock;

static PATIENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../patient.json")).expect("the resource is JSON")
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(source) = std::str::from_utf8(bytes) else { return };
    if let Ok(expression) = Expression::parse(source) {
        for mode in [Mode::Lenient, Mode::Strict] {
            let context = Context { mode, ..Context::default() };
            if let Ok(items) = expression.evaluate(&context, &PATIENT) {
                for item in items {
                    let _ = item.to_value();
                }
            }
            let focus = Node::of_resource(&PATIENT);
            let _ = expression.evaluate_boolean(&context, &PATIENT, focus);
        }
    }
    let patient = ResourceType::parse("Patient").expect("a type");
    if let Ok(program) = Program::compile(source, patient) {
        let _ = program.run(&PATIENT, &mut |node| {
            let _ = node.type_name();
        });
    }
});
