//! The red-team list by number: each request has a test that is named after it, `rt_NNN_...`, or
//! belongs to what this server does not do yet.

use std::collections::BTreeSet;
use std::path::Path;

/// The numbers of the list, by its parts A to J.
const LIST: [(&str, &[u16]); 10] = [
    ("A, direct access", &[1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17]),
    (
        "B, inference by searches",
        &[19, 20, 22, 23, 25, 26, 28, 29, 31, 32, 34, 35, 37, 38, 40, 41, 43, 44, 46, 47, 49],
    ),
    ("C, includes", &[50, 52, 53, 55, 56, 58, 59]),
    ("D, versions", &[61, 62, 64, 65]),
    ("E, headers", &[67, 68, 70, 71]),
    ("F, writes", &[73, 74, 76, 77, 79, 80, 82, 83, 85, 86, 88, 89, 91, 92, 94, 95, 96]),
    ("G, criteria", &[97, 99, 100, 102, 103]),
    ("H, Bundles and operations", &[105, 106, 108, 109, 111, 112, 114, 115, 117, 118, 120, 121]),
    (
        "I, tokens and sessions",
        &[123, 124, 126, 127, 129, 130, 132, 133, 135, 136, 138, 139, 141, 142, 144, 145, 147],
    ),
    ("J, input", &[148, 150, 151, 153, 154, 156, 157]),
];

/// Of what is not there yet.
const LATER: [(u16, &str); 6] = [
    (114, "$export"),
    (115, "$export"),
    (117, "$export"),
    (118, "$export"),
    (121, "Subscription"),
    (153, "search for malware"),
];

/// Names of tests in this folder and below.
fn tests_in(folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_in(&path, names);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let after = text.split("#[tokio::test]").chain(text.split("#[test]"));
            let heads = after.filter_map(|rest| rest.split_once("fn ")?.1.split_once('('));
            names.extend(heads.map(|(name, _)| name.to_owned()).filter(|n| n.starts_with("rt_")));
        }
    }
}

/// `rt_001_...`, `rt_022_and_023_...`, `rt_094_095_...`, and of `rt_002_to_011_...` the numbers of
/// the list between.
fn numbers(name: &str, list: &BTreeSet<u16>) -> BTreeSet<u16> {
    let mut numbers = BTreeSet::new();
    let mut is_range = false;
    for word in name.split('_').skip(1) {
        let number = word.parse::<u16>().ok().filter(|_| word.len() == 3);
        match (word, number) {
            ("to", _) => is_range = true,
            ("and", _) => {}
            (_, Some(number)) => {
                let from = numbers.last().copied().filter(|_| is_range).unwrap_or(number);
                numbers.extend(list.range(from..=number));
                is_range = false;
            }
            _ => break,
        }
    }
    numbers
}

#[test]
fn te_02_each_request_of_the_red_team_has_a_test_of_its_number() {
    let list: BTreeSet<u16> = LIST.iter().flat_map(|(_, numbers)| *numbers).copied().collect();
    let mut names = Vec::new();
    for folder in ["tests/it", "src"] {
        tests_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut names);
    }
    let tested: BTreeSet<u16> = names.iter().flat_map(|name| numbers(name, &list)).collect();
    let later: BTreeSet<u16> = LATER.iter().map(|(number, _)| *number).collect();
    for (part, own) in LIST {
        let is_missing = |number: &&u16| !tested.contains(number) && !later.contains(number);
        let missing: Vec<&u16> = own.iter().filter(is_missing).collect();
        assert!(missing.is_empty(), "{part}: nothing tests {missing:?}");
    }
    assert!(later.is_subset(&list));
}

#[test]
fn names_of_tests_say_which_numbers_they_are_about() {
    let list: BTreeSet<u16> = [2, 4, 5, 94, 95].into_iter().collect();
    let of = |name: &str| numbers(name, &list).into_iter().collect::<Vec<u16>>();
    assert_eq!(of("rt_002_to_005_what_is_not_seen"), [2, 4, 5]);
    assert_eq!(of("rt_002_and_005_x_094"), [2, 5]);
    assert_eq!(of("rt_094_095_a_patch"), [94, 95]);
    assert!(of("rt_003_none").is_empty());
}
