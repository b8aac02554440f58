//! PATCH: the first byte chooses the format, the rest is the patch of a small resource.

#![no_main]

use bhn_fhir::fhir::patch::{Patch, apply};
use bhn_fhir::fhir::{json, xml};
use bhn_fhir::limits::Limits;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::sync::LazyLock;

static PATIENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../patient.json")).expect("the resource is JSON")
});

fuzz_target!(|bytes: &[u8]| {
    let Some((format, body)) = bytes.split_first() else { return };
    let limits = Limits::default();
    let read = || json::read(body, &limits).ok();
    let patch = match format {
        b'j' => read().map(Patch::Json),
        b'm' => read().map(Patch::Merge),
        b'f' => read().map(Patch::FhirPath),
        b'F' => xml::read(body, &limits).ok().map(Patch::FhirPath),
        b'x' => Some(Patch::Xml(body.to_vec())),
        _ => None,
    };
    let Some(patch) = patch else { return };
    let Ok(patched) = apply(&patch, &PATIENT, &limits) else { return };
    assert_eq!(patched.get("id"), PATIENT.get("id"));
    assert_eq!(patched.get("resourceType"), PATIENT.get("resourceType"));
    // A result that goes on to validation is plain JSON.
    let _ = json::read(&json::write(&patched), &limits);
});
