//! Everything that HL7 publishes with R4 and the shared sets of real data validate.

use super::validate;
use crate::error::Issue;
use crate::fhir::json;
use crate::limits::Limits;
use std::collections::BTreeSet;
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

/// `Type/id` and the element of each line of known-invalid.txt.
fn known_invalid() -> BTreeSet<(String, String)> {
    let text = include_str!("../../../tests/data/r4-examples/known-invalid.txt");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let words = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    };
    lines.map(words).collect()
}

/// The expression without the indices of lists.
fn element(expression: &str) -> String {
    let mut text = String::new();
    for part in expression.split('[') {
        text.push_str(part.split_once(']').map_or(part, |(_, rest)| rest));
    }
    text
}

/// `Type/id`, element and text of each error of a resource.
fn errors(bytes: &[u8]) -> Vec<((String, String), String)> {
    let value = json::read(bytes, &limits()).unwrap();
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let key = format!("{}/{}", text("resourceType"), text("id"));
    let issues = validate(&value, &limits()).err().unwrap_or_default();
    let named = |issue: Issue| ((key.clone(), element(&issue.expression)), issue.diagnostics);
    issues.into_iter().map(named).collect()
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
    let found: Vec<_> =
        paths.iter().flat_map(|path| lines(path)).flat_map(|line| errors(&line)).collect();
    let unknown: Vec<_> = found.iter().filter(|(place, _)| !known.contains(place)).collect();
    assert!(unknown.is_empty(), "{} errors: {:#?}", unknown.len(), unknown);
    let met: BTreeSet<_> = found.into_iter().map(|(place, _)| place).collect();
    let unmet: Vec<_> = known.difference(&met).collect();
    assert!(unmet.is_empty(), "listed as invalid, and valid: {unmet:#?}");
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
