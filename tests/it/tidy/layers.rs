//! A room imports only from the rooms below it; each outside door is in one place.

use super::{Source, nothing_found, sources};

/// The rooms of `src/`, from the top.
const ROOMS: [&str; 15] = [
    "cli",
    "http",
    "oauth",
    "jobs",
    "interactions",
    "births",
    "storage",
    "audit",
    "access",
    "search",
    "terminology",
    // What an operator may set names resource types, so it stands above them.
    "config",
    "fhir",
    "error",
    "floor",
];
/// The lowest room, a file each.
const FLOOR: [&str; 3] = ["clock", "limits", "network"];

fn rank(room: &str) -> Option<usize> {
    let room = if FLOOR.contains(&room) { "floor" } else { room };
    ROOMS.iter().position(|known| *known == room)
}

/// `cli` of `src/cli/serve.rs`; None for `src/lib.rs` and `src/main.rs`.
fn room(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let name = inside.split(['/', '.']).next()?;
    (!["lib", "main"].contains(&name)).then_some(name)
}

#[test]
fn a_room_imports_only_from_rooms_below_it() {
    let mut found = Vec::new();
    for source in sources(&["src"], "rs") {
        let Some(own) = room(&source.path) else { continue };
        let Some(own_rank) = rank(own) else {
            found.push(format!("{}: {own} is no room of the house", source.path));
            continue;
        };
        for (number, line) in source.code_lines() {
            for after in line.split("crate::").skip(1) {
                let name: String = after.chars().take_while(|c| is_of_name(*c)).collect();
                if name != own && rank(&name).is_some_and(|rank| rank < own_rank) {
                    found.push(format!("{}:{number}: {own} imports {name}", source.path));
                }
            }
        }
    }
    nothing_found(found);
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Lines of files that use the crate or path and are not in one of the places.
fn uses_outside(needle: &str, places: &[&str]) -> Vec<String> {
    let is_outside = |source: &Source| !places.iter().any(|place| source.path.starts_with(place));
    let mut found = Vec::new();
    for source in sources(&["src"], "rs").iter().filter(|source| is_outside(source)) {
        for (number, line) in source.code_lines() {
            let mut before = line.match_indices(needle).map(|(at, _)| line[..at].chars().last());
            if before.any(|c| !c.is_some_and(is_of_name)) {
                found.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    found
}

#[test]
fn only_http_and_oauth_know_axum() {
    nothing_found(uses_outside("axum::", &["src/http", "src/oauth"]));
}

#[test]
fn only_storage_knows_sqlx() {
    nothing_found(uses_outside("sqlx::", &["src/storage"]));
}

#[test]
fn only_config_reads_the_environment() {
    nothing_found(uses_outside("env::var", &["src/config"]));
}

#[test]
fn what_the_specification_says_needs_no_runtime() {
    let above = ["cli", "http", "oauth", "jobs", "interactions", "storage", "access", "audit"];
    let places: Vec<_> = above.iter().map(|room| format!("src/{room}")).collect();
    let mut places: Vec<&str> = places.iter().map(String::as_str).collect();
    places.push("src/main.rs");
    nothing_found(uses_outside("tokio::", &places));
}

#[test]
fn only_storage_embedded_and_the_command_line_start_programs() {
    nothing_found(uses_outside("process::Command", &["src/storage/embedded", "src/cli"]));
}
