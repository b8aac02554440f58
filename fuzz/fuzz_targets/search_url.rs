//! URLs: a path below the base with a query, understood and planned.

#![no_main]

use bhn_fhir::fhir::interaction::{
    Body, Conditions, Handling, Interaction, Method, RequestParts, decode_query, read,
};
use bhn_fhir::limits::Limits;
use bhn_fhir::search::{IndexSettings, Planner, Registry};
use chrono::{DateTime, FixedOffset};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::r4().expect("R4 compiles"));

fuzz_target!(|bytes: &[u8]| {
    let Ok(url) = std::str::from_utf8(bytes) else { return };
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    let parts = RequestParts {
        method: Method::Get,
        path,
        query,
        conditions: Conditions::default(),
        prefer: None,
        body: Body::None,
    };
    let Ok(request) = read(parts) else { return };
    let Interaction::Search { scope, parameters, .. } = request.interaction else { return };
    let limits = Limits::default();
    let zone = FixedOffset::east_opt(6 * 3_600).expect("an offset");
    let base_url = "http://127.0.0.1:8080/fhir".to_owned();
    let settings = IndexSettings { zone, base_url, indexes_content: true };
    let now = DateTime::from_timestamp(1_700_000_000, 0).expect("an instant");
    let planner = Planner { registry: &REGISTRY, limits: &limits, settings: &settings, now };
    for handling in [Handling::Strict, Handling::Lenient] {
        let Ok(plan) = planner.plan(&scope, &parameters, handling) else { continue };
        // Equal criteria must take equal locks: what a plan says it did is planned the same.
        let again = planner.plan(&scope, plan.applied(), handling).expect("applied criteria");
        assert_eq!(plan.normalised(), again.normalised(), "{url}");
        assert_eq!(plan.lock_keys(), again.lock_keys(), "{url}");
    }
    let _ = decode_query(query.unwrap_or_default());
});
