//! What every search parameter of R4 extracts from HL7's examples, held in
//! `tests/golden/extraction.txt`: type, parameter, number of items, hash of the items.
//! `BHN_BLESS=1` writes it anew. `BHN_EXTRACTION=<file>` writes the items themselves, for the
//! comparison with another engine in `conformance/fhirpath`.

use super::tests::bases;
use super::*;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[allow(clippy::disallowed_methods)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn examples() -> impl Iterator<Item = Value> {
    let packed = std::fs::File::open(file("tests/data/r4-examples/examples.ndjson.gz")).unwrap();
    let lines = BufReader::new(flate2::read::GzDecoder::new(packed)).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

/// Programs by type and code.
fn programs() -> HashMap<ResourceType, Vec<(&'static str, Program)>> {
    let mut programs: HashMap<_, Vec<_>> = HashMap::new();
    for row in Definitions::r4().search_parameters() {
        let Some(source) = &row.expression else { continue };
        for resource_type in bases(row) {
            let program = Program::compile(source, resource_type).unwrap();
            programs.entry(resource_type).or_default().push((row.code.as_str(), program));
        }
    }
    programs
}

#[derive(Default)]
struct Extracted {
    count: usize,
    hash: Sha256,
}

#[test]
fn extraction_from_the_examples_is_as_reviewed() {
    let programs = programs();
    let mut found: BTreeMap<(&str, &str), Extracted> = BTreeMap::new();
    let mut items =
        variable("BHN_EXTRACTION").map(|path| BufWriter::new(std::fs::File::create(path).unwrap()));
    for (place, resource) in examples().enumerate() {
        let name = resource["resourceType"].as_str().unwrap();
        let resource_type = ResourceType::parse(name).unwrap();
        for (code, program) in &programs[&resource_type] {
            let extracted = found.entry((resource_type.name(), code)).or_default();
            let mut values = Vec::new();
            let visit = &mut |node: Node<'_>| {
                let value = node.value().map(Value::to_string).unwrap_or_default();
                let element = node.element().map(Value::to_string).unwrap_or_default();
                let type_name = node.type_name().unwrap_or_default();
                extracted.count += 1;
                extracted.hash.update(format!("{place} {type_name} {value} {element}\n"));
                values.push(node.value().cloned().unwrap_or_default());
            };
            program.run(&resource, visit).unwrap();
            if let Some(items) = items.as_mut().filter(|_| !values.is_empty()) {
                let row = serde_json::json!({"resource": place, "type": name, "code": code,
                    "values": values});
                writeln!(items, "{row}").unwrap();
            }
        }
    }
    let mut text = String::new();
    for ((resource_type, code), Extracted { count, hash }) in found {
        let hash: String =
            hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!("{resource_type} {code} {count} {hash}\n"));
    }
    compare(&file("tests/golden/extraction.txt"), &text);
}

fn compare(golden: &Path, text: &str) {
    if variable("BHN_BLESS").is_some() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(golden, text).unwrap();
    }
    let reviewed = std::fs::read_to_string(golden).unwrap();
    let differing: Vec<_> =
        text.lines().filter(|line| !reviewed.lines().any(|known| known == *line)).collect();
    assert!(differing.is_empty(), "differ from {}: {differing:#?}", golden.display());
    assert_eq!(text.lines().count(), reviewed.lines().count(), "{} has more", golden.display());
}
