//! Sizes of files, lines, functions and folders.

use super::functions::functions;
use super::{nothing_found, sources};
use std::collections::BTreeMap;

const FOLDERS: [&str; 3] = ["src", "tests", "examples"];
const FILE_LINES: usize = 600;
const COLUMNS: usize = 100;
const FUNCTION_LINES: usize = 70;
const ARGUMENTS: usize = 4;
const FOLDER_FILES: usize = 15;

/// Lists that grow by nature.
fn may_grow(folder: &str) -> bool {
    folder.ends_with("/sql") || folder.ends_with("/operations") || folder.starts_with("tests")
}

#[test]
fn files_have_at_most_600_lines_of_at_most_100_columns() {
    let mut found = Vec::new();
    for source in sources(&FOLDERS, "rs") {
        let count = source.text.lines().count();
        if count > FILE_LINES {
            found.push(format!("{}: {count} lines", source.path));
        }
        let shipped = source.shipped().lines().count();
        for (number, line) in (1..).zip(source.text.lines()) {
            // Cases of a test are texts that cannot be broken.
            let is_case = number > shipped && line.contains('"');
            if line.chars().count() > COLUMNS && !is_case {
                found.push(format!("{}:{number}: longer than {COLUMNS}", source.path));
            }
        }
    }
    nothing_found(found);
}

#[test]
fn functions_have_at_most_70_lines_and_4_arguments() {
    let mut found = Vec::new();
    for source in sources(&FOLDERS, "rs") {
        for function in functions(&source.text) {
            let place = format!("{}:{}: {}", source.path, function.line, function.name);
            if function.lines > FUNCTION_LINES {
                found.push(format!("{place} has {} lines", function.lines));
            }
            if function.arguments > ARGUMENTS {
                found.push(format!("{place} takes {} arguments", function.arguments));
            }
        }
    }
    nothing_found(found);
}

#[test]
fn folders_have_at_most_15_files() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for extension in ["rs", "sql"] {
        for source in sources(&["src"], extension).iter().filter(|source| !source.is_test) {
            let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            *counts.entry(folder.to_owned()).or_default() += 1;
        }
    }
    counts.retain(|folder, count| *count > FOLDER_FILES && !may_grow(folder));
    nothing_found(counts.iter().map(|(folder, n)| format!("{folder}: {n} files")).collect());
}
