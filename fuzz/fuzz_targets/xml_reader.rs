//! The XML reader: what it takes has a JSON form that the JSON reader takes too, and comes
//! back from the XML writer in both layouts.

#![no_main]

use bhn_fhir::fhir::{json, xml};
use bhn_fhir::limits::Limits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let Ok(value) = xml::read(bytes, &limits) else { return };
    for layout in [xml::Layout::Compact, xml::Layout::Pretty] {
        let written = xml::write(&value, layout).expect("what was read is written");
        let again = xml::read(written.as_bytes(), &limits).expect("what was written is read");
        assert_eq!(value, again, "{written}");
    }
    let stored = json::write(&value);
    assert_eq!(value, json::read(&stored, &limits).expect("the JSON form is read"));
});
