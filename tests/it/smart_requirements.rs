//! The page of requirements of SMART App Launch, against the tests that there are.

use std::collections::HashSet;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/smart-requirements.md";
/// Rows of the sheet that are for servers, and SHALL or SHALL NOT.
const ROWS: usize = 172;

#[test]
fn te_01_every_requirement_has_a_test_or_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = read_to_string(root.join(PAGE)).unwrap();
    let tests = names_of_tests(root);
    let (mut rows, mut last) = (0, 0);
    for line in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| row")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [row, about, kept] = cells[..] else { panic!("{line}") };
        let row: u32 = row.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(row > last && !about.is_empty(), "{line}");
        (rows, last) = (rows + 1, row);
        let named: Vec<&str> = kept.split('`').skip(1).step_by(2).collect();
        let is_reason = kept.starts_with("No test");
        assert!(is_reason || !named.is_empty(), "{line}");
        for name in named.iter().filter(|name| !is_reason || name.contains("_a_")) {
            assert!(tests.contains(*name), "row {row} names {name}, which is no test");
        }
    }
    assert_eq!(rows, ROWS);
}

/// Names of all functions that are tests.
fn names_of_tests(root: &Path) -> HashSet<String> {
    let mut names = HashSet::new();
    for file in ["src", "tests/it"].iter().flat_map(|folder| sources(&root.join(folder))) {
        let text = read_to_string(&file).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            let name = line.trim_start_matches("async ").strip_prefix("fn ");
            match name.and_then(|rest| rest.split('(').next()) {
                Some(name) if is_test => drop(names.insert(name.to_owned())),
                _ => {}
            }
            is_test = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        }
    }
    names
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let inside = entries.flat_map(|path| match path.is_dir() {
        true => sources(&path),
        false => vec![path],
    });
    inside.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
}
