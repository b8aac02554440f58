//! `:in`, `:not-in`, `:below` and `:above` of coded values: a small code system, and value sets
//! of every way in which they draw upon it. What they hold is said here once more, by hand.

use serde_json::{Value, json};

const KIN: &str = "http://l";
const OTHER: &str = "http://loinc.org";
/// Of which the server holds no code system.
const UNHELD: &str = "urn:x:y";
const BASE: &str = "http://oracle.example/ValueSet/";
pub const SETS: [&str; 6] = ["listed", "kin", "under", "whole", "open", "mixed"];
/// Each code with the one that it is under.
const CONCEPTS: [(&str, &str); 5] =
    [("w", ""), ("w2", "w"), ("a$b", "w2"), ("a,b", "w"), ("bp", "")];

/// The resources, of ids of their own.
pub fn resources() -> Vec<Value> {
    let system = json!({"resourceType": "CodeSystem", "id": "terms-kin", "status": "active",
        "url": KIN, "content": "complete", "concept": [
            {"code": "w", "concept": [{"code": "w2", "concept": [{"code": "a$b"}]},
                {"code": "a,b"}]},
            {"code": "bp"}]});
    let filtered = |op: &str| {
        let filter = json!([{"property": "concept", "op": op, "value": "w"}]);
        json!([{"system": KIN, "filter": filter}])
    };
    let listed = json!([{"system": KIN, "concept": [{"code": "w"}, {"code": "bp"}]},
        {"system": OTHER, "concept": [{"code": "w2"}]}]);
    let imports = json!([{"valueSet": [url("listed")]}, {"valueSet": [url("kin")]}]);
    let includes = [
        listed,
        filtered("is-a"),
        filtered("descendent-of"),
        json!([{"system": KIN}]),
        json!([{"system": UNHELD}]),
        imports,
    ];
    let sets = SETS.iter().zip(includes).map(|(name, include)| {
        let mut compose = json!({"include": include});
        if *name == "mixed" {
            compose["exclude"] = json!([{"system": KIN, "concept": [{"code": "w2"}]}]);
        }
        json!({"resourceType": "ValueSet", "id": format!("terms-{name}"), "status": "active",
            "url": url(name), "compose": compose})
    });
    std::iter::once(system).chain(sets).collect()
}

pub fn url(set: &str) -> String {
    format!("{BASE}{set}")
}

/// A search value for `:below` and `:above`.
pub fn concept(number: usize) -> (&'static str, &'static str) {
    (KIN, CONCEPTS[number % CONCEPTS.len()].0)
}

/// Whether the value set of this URL has the code.
pub fn is_in(set: &str, (system, code): (&str, &str)) -> bool {
    match (set.strip_prefix(BASE).unwrap_or_default(), system) {
        ("listed", KIN) => matches!(code, "w" | "bp"),
        ("listed", OTHER) => code == "w2",
        ("kin", KIN) => is_below("w", code),
        ("under", KIN) => code != "w" && is_below("w", code),
        ("whole", KIN) => CONCEPTS.iter().any(|(known, _)| *known == code),
        ("open", UNHELD) => !code.is_empty(),
        ("mixed", _) => {
            let is_included = ["listed", "kin"].iter().any(|set| is_in(&url(set), (system, code)));
            is_included && (system, code) != (KIN, "w2")
        }
        _ => false,
    }
}

/// Whether a code is this one or under it.
pub fn is_below(above: &str, code: &str) -> bool {
    let parent = CONCEPTS.iter().find(|(known, _)| *known == code).map(|(_, parent)| *parent);
    parent.is_some_and(|parent| code == above || is_below(above, parent))
}

/// Whether a coded value is what the modifier asks for by `system|code`.
pub fn is_along(modifier: &str, (system, wanted): (&str, &str), coded: (&str, &str)) -> bool {
    let (above, code) = if modifier == "below" { (wanted, coded.1) } else { (coded.1, wanted) };
    coded.0 == system && is_below(above, code)
}
