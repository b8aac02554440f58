//! The JSON reader and what a resource goes through next: what the reader takes comes back
//! from the writer, and a valid resource from XML too; validation, extraction and parts end.

#![no_main]

use bhn_fhir::fhir::resource::{Id, Resource, ResourceKey};
use bhn_fhir::fhir::subset::{Subset, part};
use bhn_fhir::fhir::validation::validate;
use bhn_fhir::fhir::{json, links, xml};
use bhn_fhir::limits::Limits;
use bhn_fhir::search::{IndexSettings, Registry};
use chrono::FixedOffset;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::r4().expect("R4 compiles"));

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let Ok(value) = json::read(bytes, &limits) else { return };
    let compact = json::write(&value);
    let again = json::read(&compact, &limits).expect("what was written is read");
    assert_eq!(value, again);
    assert_eq!(compact, json::write(&again));
    let pretty = json::write_pretty(&value);
    assert_eq!(value, json::read(&pretty, &limits).expect("what was written is read"));
    let Ok(resource) = Resource::from_value(value) else { return };
    let is_valid = validate(resource.value(), &limits).is_ok();
    let zone = FixedOffset::east_opt(6 * 3_600).expect("an offset");
    let base_url = "http://127.0.0.1:8080/fhir".to_owned();
    let settings = IndexSettings { zone, base_url, indexes_content: true };
    let id = resource.id().or_else(|| Id::parse("new")).expect("an id");
    let key = ResourceKey::new(resource.resource_type(), id);
    let _ = REGISTRY.index(&key, &resource, &settings);
    let _ = links::local_targets(&resource);
    let _ = part(resource.value(), &Subset::Summary);
    if is_valid {
        let written = xml::write(resource.value(), xml::Layout::Compact).expect("a valid one");
        let back = xml::read(written.as_bytes(), &limits).expect("what was written is read");
        assert!(validate(&back, &limits).is_ok(), "{written}");
    }
});
