//! The invariants of R4's own definitions over HL7's examples: each can be evaluated, and the
//! examples keep them, but for those named here.

use super::super::{Context, Expression, Node};
use crate::fhir::definitions::Definitions;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Examples that break an error invariant of their type, as HL7 published them.
const BROKEN: [&str; 1] = [
    // Its first entry has no response.
    "bdl-4 Bundle bundle-response-simplesummary",
];

/// A resource above that size adds time and no new shapes.
const MAX_BYTES: usize = 30_000;

struct Invariant {
    key: String,
    is_error: bool,
    expression: Expression,
}

fn lines(name: &str) -> impl Iterator<Item = String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let packed = std::fs::File::open(path).unwrap();
    BufReader::new(flate2::read::GzDecoder::new(packed)).lines().map(Result::unwrap)
}

/// By the path of the element that carries them: `Period`, `Patient.contact`.
fn invariants() -> HashMap<String, Vec<Invariant>> {
    let mut found: HashMap<String, Vec<Invariant>> = HashMap::new();
    for name in ["profiles-types", "profiles-resources"] {
        for line in lines(&format!("fhir-profiles/r4/{name}.ndjson.gz")) {
            let definition: Value = serde_json::from_str(&line).unwrap();
            if definition["derivation"] == "constraint" {
                continue;
            }
            for element in definition["snapshot"]["element"].as_array().into_iter().flatten() {
                for row in element["constraint"].as_array().into_iter().flatten() {
                    let Some(source) = row["expression"].as_str() else { continue };
                    let expression = Expression::parse(source);
                    let invariant = Invariant {
                        key: row["key"].as_str().unwrap().to_owned(),
                        is_error: row["severity"] == "error",
                        expression: expression.unwrap_or_else(|e| panic!("{source}: {e}")),
                    };
                    let path = element["path"].as_str().unwrap().to_owned();
                    found.entry(path).or_default().push(invariant);
                }
            }
        }
    }
    found
}

#[test]
fn the_invariants_of_r4_hold_for_the_examples() {
    let invariants = invariants();
    let mut broken = BTreeSet::new();
    let mut count = 0;
    for line in lines("tests/data/r4-examples/examples.ndjson.gz") {
        if line.len() > MAX_BYTES {
            continue;
        }
        let resource: Value = serde_json::from_str(&line).unwrap();
        let id = resource["id"].as_str().unwrap_or_default();
        let mut open = vec![(Node::of_resource(&resource), &resource)];
        while let Some((node, container)) = open.pop() {
            let name = node.type_name().unwrap();
            let context = Context { resource: Some(container), ..Context::default() };
            for invariant in invariants.get(name).into_iter().flatten() {
                count += 1;
                let holds = invariant.expression.evaluate_boolean(&context, &resource, node);
                let holds = holds.unwrap_or_else(|e| panic!("{}: {e} in {id}", invariant.key));
                if !holds && invariant.is_error {
                    broken.insert(format!("{} {name} {id}", invariant.key));
                }
            }
            let is_resource = Definitions::r4().type_def(node.type_id().unwrap()).is_resource();
            let within = node.value().filter(|_| is_resource).unwrap_or(container);
            let is_contained = resource.get("contained").is_some();
            let container = if is_contained { container } else { within };
            node.children(&mut |child| open.push((child, container)));
        }
    }
    println!("invariants: {count} evaluated");
    let known: BTreeSet<String> = BROKEN.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(broken, known);
}
