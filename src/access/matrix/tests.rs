//! What is written of the matrix, and what always holds of it. `BHN_BLESS=1` writes the files anew.

use super::*;
use std::path::Path;

/// Compares with a file of the repository.
#[allow(clippy::disallowed_methods)]
fn is_in_file(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var("BHN_BLESS").is_ok() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{name} is old; run this test with BHN_BLESS=1");
}

#[test]
fn az_12_every_cell_is_in_the_golden_file() {
    let matrix = Matrix::get();
    let mut text = String::new();
    for kind in ResourceType::all() {
        for role in Role::ALL {
            let rules = render(matrix.rules(role, kind));
            let rules = if rules.is_empty() { "-" } else { &rules };
            text.push_str(&format!("{kind} {role} {rules}\n"));
        }
    }
    is_in_file("tests/golden/access-matrix.txt", &text);
}

#[test]
fn az_12_the_document_is_made_of_the_matrix() {
    let head = include_str!("access.md");
    let mut text = head.to_owned();
    text.push_str("\n| Resource |");
    Role::ALL.iter().for_each(|role| text.push_str(&format!(" {role} |")));
    text.push_str(&format!("\n|{}\n", " --- |".repeat(Role::ALL.len() + 1)));
    for row in &Matrix::get().rows {
        text.push_str(&format!("| {} |", row.names.join(", ")));
        for role in Role::ALL {
            let rules = row.rules.get(&role).map(|rules| render(rules)).unwrap_or_default();
            text.push_str(&format!(" {rules} |"));
        }
        text.push('\n');
    }
    is_in_file("docs/access.md", &text);
}

#[test]
fn az_03_every_type_is_in_one_row() {
    for kind in ResourceType::all() {
        let rows = Matrix::get().rows.iter().filter(|row| row.types.has(kind));
        assert_eq!(rows.count(), 1, "{kind}");
    }
}

#[test]
fn az_03_what_cannot_be_read_is_no_matrix() {
    for wrong in [
        "access Patient\n  nobody r:P\n",
        "access Patient\n  patient x:P\n",
        "access Patient\n  patient rr:P\n",
        "access Patient\n  patient r:Z\n",
        "access Patient\n  patient u:P(E9)\n",
        "access Person, Nope\n  patient r:P\n",
        "access Patient\n  patient r:P\n  patient u:P\n",
        "access Patient\n  patient r:P\naccess Patient\n  doctor r:C\n",
        "  patient r:P\n",
        "directory Patient\n  nope not false\n",
        "access Patient\n  patient r:P\n",
    ] {
        assert!(text::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn only_admins_have_all_rows_and_only_of_what_the_matrix_says() {
    for kind in ResourceType::all() {
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Admin) {
            let rules = Matrix::get().rules(role, kind);
            assert!(rules.iter().all(|rule| !rule.sights.contains(&Sight::All)), "{role} {kind}");
        }
        for rule in Matrix::get().rules(Role::Admin, kind) {
            assert_eq!(rule.sights, [Sight::All], "{kind}");
        }
    }
}

#[test]
fn every_directory_type_has_a_listing_and_every_redaction_is_one() {
    let matrix = Matrix::get();
    let registry = crate::search::Registry::r4().unwrap();
    for row in &matrix.rows {
        for (role, rules) in &row.rules {
            for rule in rules.iter().filter(|rule| rule.acts.meets(Acts::READ)) {
                for kind in row.types.iter() {
                    if rule.sights.contains(&Sight::Directory) {
                        assert!(matrix.listings.contains_key(&kind), "{kind}");
                    }
                    if let Some(note) = rule.note.filter(|_| !rule.asks_for_second_factor()) {
                        let found = matrix.redaction(*role, kind).expect(note).0;
                        for code in &found.searched {
                            assert!(registry.parameter(kind, code).is_some(), "{kind} {code}");
                        }
                        for Kept { element, .. } in &found.kept {
                            assert!(kind.definition().child(element).is_some(), "{kind}.{element}");
                        }
                    }
                }
            }
        }
    }
    // The keys of these parameters are among the keys of a row, and never its lead.
    for (kind, listing) in &matrix.listings {
        let lead = registry.parameters_of(*kind).find(|found| found.id == listing.parameter);
        assert!(lead.is_some(), "{kind}");
        assert!(!registry.is_lead(*kind, listing.parameter), "{kind}");
    }
}
