//! Trains the zstd dictionary that resource bodies are compressed with:
//! `cargo run --release --example train-dictionary`. `src/storage/dictionary/README.md` says
//! from what.

mod synthetic;

use serde_json::{Map, Value};
use std::io::{BufRead, BufReader};
use std::path::Path;

const EXAMPLES: &str = "tests/data/r4-examples/examples.ndjson.gz";
const DICTIONARY: &str = "src/storage/dictionary/r4-1.zdict";
/// Raised by one with every new dictionary; numbers from 2^15 on are free to use.
const NUMBER: u32 = 32_769;
const BYTES: usize = 64 << 10;
/// Larger examples are definitions and bundles rather than clinical content.
const EXAMPLE_BYTES: usize = 8 << 10;
/// Definitions are rare in a store; their words would push clinical ones out.
const LEFT_OUT: [&str; 14] = [
    "Bundle",
    "CapabilityStatement",
    "CodeSystem",
    "ConceptMap",
    "GraphDefinition",
    "ImplementationGuide",
    "MessageDefinition",
    "NamingSystem",
    "OperationDefinition",
    "SearchParameter",
    "StructureDefinition",
    "StructureMap",
    "TestScript",
    "ValueSet",
];
const SYNTHETIC: usize = 6_000;

fn main() -> std::io::Result<()> {
    let mut random = synthetic::Random::new(1);
    let mut samples: Vec<Vec<u8>> = Vec::new();
    let file = std::fs::File::open(EXAMPLES)?;
    for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
        let resource: Value = serde_json::from_str(&line?)?;
        if let Some(sample) = as_served(resource, &mut random) {
            samples.push(sample.into_bytes());
        }
    }
    let examples = samples.len();
    samples.extend((0..SYNTHETIC).map(|_| synthetic::resource(&mut random).into_bytes()));
    let mut dictionary = zstd::dict::from_samples(&samples, BYTES)?;
    // The trainer numbers at random; numbers must ascend, because the highest one compresses.
    dictionary[4..8].copy_from_slice(&NUMBER.to_le_bytes());
    std::fs::write(Path::new(DICTIONARY), &dictionary)?;
    println!("{DICTIONARY}: {} bytes from {examples} + {SYNTHETIC} resources", dictionary.len());
    Ok(())
}

/// The example as this server would store it: without its narrative, and with the ids and
/// `meta` that the server gives.
fn as_served(resource: Value, random: &mut synthetic::Random) -> Option<String> {
    let Value::Object(mut resource) = resource else { return None };
    let kind = resource.get("resourceType")?.as_str()?.to_owned();
    if LEFT_OUT.contains(&kind.as_str()) {
        return None;
    }
    let mut served = Map::new();
    served.insert("resourceType".to_owned(), Value::from(kind));
    served.insert("id".to_owned(), Value::from(random.uuid()));
    let mut meta = Map::new();
    meta.insert("versionId".to_owned(), Value::from("1"));
    meta.insert("lastUpdated".to_owned(), Value::from(random.instant()));
    if let Some(Value::Object(present)) = resource.remove("meta") {
        meta.extend(present);
    }
    served.insert("meta".to_owned(), Value::Object(meta));
    resource.remove("text");
    served.extend(resource.into_iter().filter(|(name, _)| name != "resourceType" && name != "id"));
    let text = Value::Object(served).to_string();
    (text.len() <= EXAMPLE_BYTES).then_some(text)
}
