//! Words that the code does without.

use super::functions::functions;
use super::{nothing_found, sources};

/// Parts of names that say nothing, or a second word for what FHIR has a word for.
const BANNED_PARTS: [&str; 9] =
    ["manager", "helper", "helpers", "util", "utils", "entity", "entities", "misc", "common"];
/// Names that are banned where they stand alone.
const BANNED_NAMES: [&str; 4] = ["record", "doc", "data", "service"];
const BANNED_PREFIXES: [&str; 2] = ["handle_", "process_"];

fn is_banned(name: &str) -> bool {
    let mut spread = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            spread.push('_');
        }
        spread.extend(c.to_lowercase());
    }
    let name = spread.trim_matches('_');
    name.split('_').any(|part| BANNED_PARTS.contains(&part))
        || BANNED_NAMES.contains(&name)
        || BANNED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[test]
fn names_of_files_types_and_functions_say_what_is_in_them() {
    let mut found = Vec::new();
    for source in sources(&["src"], "rs") {
        for part in source.path.trim_end_matches(".rs").split('/') {
            if is_banned(part) {
                found.push(format!("{}: the name {part}", source.path));
            }
        }
        for function in functions(source.shipped()) {
            if is_banned(function.name) {
                found.push(format!("{}:{}: {}", source.path, function.line, function.name));
            }
        }
        for (number, line) in source.code_lines() {
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            for pair in words.windows(2) {
                let defines = ["struct", "enum", "trait", "type", "mod"].contains(&pair[0]);
                if defines && is_banned(pair[1]) {
                    found.push(format!("{}:{number}: {}", source.path, pair[1]));
                }
            }
        }
    }
    nothing_found(found);
}

#[test]
fn nothing_is_left_for_later() {
    // Split, so that this file does not find itself.
    let banned = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("for ", "now"),
        concat!("db", "g!("),
    ];
    let mut found = Vec::new();
    let extensions = ["rs", "sql", "md", "toml", "sh", "yml"];
    for extension in extensions {
        for source in sources(&["src", "tests", "examples", "migrations", "docs"], extension) {
            for (number, line) in (1..).zip(source.text.lines()) {
                if let Some(word) = banned.iter().find(|word| line.contains(**word)) {
                    found.push(format!("{}:{number}: {word}", source.path));
                }
            }
        }
    }
    nothing_found(found);
}
