//! Everything that HL7 publishes with R4 and the shared sets of real data validate.

use super::validate;
use crate::fhir::json;
use crate::limits::Limits;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The published sets are not requests: their largest Bundles pass the limits of one.
fn limits() -> Limits {
    Limits {
        body_bytes: usize::MAX,
        nodes: usize::MAX,
        array_items: usize::MAX,
        ..Limits::default()
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[allow(clippy::disallowed_methods)]
fn shared(path: &str) -> Option<PathBuf> {
    let base = std::env::var("BHN_SHARED").map(PathBuf::from);
    let path = base.unwrap_or_else(|_| repository().join("../shared")).join(path);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
    }
    path.exists().then_some(path)
}

fn lines(path: &Path) -> impl Iterator<Item = Vec<u8>> {
    let file = std::fs::File::open(path).unwrap();
    BufReader::new(flate2::read::GzDecoder::new(file)).split(b'\n').map(Result::unwrap)
}

/// `Type/id` and the expression of a known error, by a line of known-invalid.txt.
fn known_invalid() -> BTreeMap<String, String> {
    let text = include_str!("../../../tests/data/r4-examples/known-invalid.txt");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            let key = words.next().unwrap_or_default();
            let expression = words.next().unwrap_or_default();
            (key.to_owned(), expression.to_owned())
        })
        .collect()
}

/// The errors of one resource, those of `known` taken out and named in `met`.
fn errors(bytes: &[u8]) -> Vec<(String, String, String)> {
    let value = json::read(bytes, &limits()).unwrap();
    assert_eq!(json::write(&value), bytes, "a resource is written as it was read");
    let key = format!(
        "{}/{}",
        value["resourceType"].as_str().unwrap_or_default(),
        value["id"].as_str().unwrap_or_default()
    );
    let issues = validate(&value, &limits()).err().unwrap_or_default();
    issues
        .into_iter()
        .map(|issue| (key.clone(), issue.expression.clone(), issue.diagnostics))
        .collect()
}

fn published(paths: &[PathBuf]) -> Vec<(String, String, String)> {
    paths.iter().flat_map(|path| lines(path)).flat_map(|line| errors(&line)).collect()
}

#[test]
fn every_published_resource_validates_but_for_the_known_ones() {
    let mut paths = vec![repository().join("tests/data/r4-examples/examples.ndjson.gz")];
    for entry in std::fs::read_dir(repository().join("fhir-profiles/r4")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            paths.push(path);
        }
    }
    let known = known_invalid();
    let found = published(&paths);
    let is_known =
        |(key, expression, _): &&(String, String, String)| known.get(key) == Some(expression);
    let unknown: Vec<_> = found.iter().filter(|error| !is_known(error)).collect();
    assert!(unknown.is_empty(), "{} errors: {:#?}", unknown.len(), unknown);
    for (key, expression) in &known {
        let is_met = found.iter().any(|(k, e, _)| k == key && e == expression);
        assert!(is_met, "{key} {expression} is listed as invalid and validates");
    }
}

#[test]
fn the_synthea_set_validates() {
    let Some(path) = shared("fhir/synthea/synthea-r4-100-patients.tar.gz") else { return };
    let file = std::fs::File::open(path).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in archive.entries().unwrap() {
        let mut bytes = Vec::new();
        entry.unwrap().read_to_end(&mut bytes).unwrap();
        if !bytes.starts_with(b"{") {
            continue;
        }
        let value = json::read(&bytes, &Limits::default()).unwrap();
        let issues = validate(&value, &Limits::default()).err().unwrap_or_default();
        assert!(issues.is_empty(), "{issues:#?}");
    }
}

#[test]
fn the_birth_examples_are_read_and_the_valid_ones_validate() {
    let Some(path) = shared("birth/examples") else { return };
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let value = json::read(&std::fs::read(&path).unwrap(), &Limits::default()).unwrap();
        if name.starts_with("valid-") {
            let issues = validate(&value, &Limits::default()).err().unwrap_or_default();
            assert!(issues.is_empty(), "{name}: {issues:#?}");
        }
    }
}
