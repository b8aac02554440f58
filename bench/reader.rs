//! What reading and validating cost, as ratios to `serde_json::from_slice` of the same bytes in
//! the same run: `cargo bench --bench reader`. `BHN_SHARED` adds the Synthea set.

use bhn_fhir::fhir::{json, validation};
use bhn_fhir::limits::Limits;
use serde_json::Value;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

const ROUNDS: usize = 40;

fn main() {
    let examples = lines("tests/data/r4-examples/examples.ndjson.gz");
    let of = |name: &str, sizes: std::ops::Range<usize>| -> Vec<Vec<u8>> {
        let start = format!("{{\"resourceType\":\"{name}\"");
        let is_meant =
            |line: &&Vec<u8>| sizes.contains(&line.len()) && line.starts_with(start.as_bytes());
        examples.iter().filter(is_meant).cloned().collect()
    };
    let without_text =
        |lines: &[Vec<u8>]| -> Vec<Vec<u8>> { lines.iter().map(|line| strip_text(line)).collect() };
    let observations = of("Observation", 500..6000);
    measure("Observations, with narrative", &observations);
    measure("Observations, no narrative", &without_text(&observations));
    measure("Patients", &of("Patient", 500..8000));
    let small: Vec<_> = examples.iter().filter(|line| line.len() < 20_000).cloned().collect();
    measure("examples under 20 KB", &small);
    measure("the same, no narrative", &without_text(&small));
    if let Some(bundles) = synthea() {
        measure("Synthea bundles (5)", &bundles);
    }
}

fn strip_text(line: &[u8]) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(line).expect("examples are JSON");
    if let Some(object) = value.as_object_mut() {
        object.shift_remove("text");
    }
    json::write(&value)
}

fn lines(path: &str) -> Vec<Vec<u8>> {
    let file = std::fs::File::open(path).expect(path);
    let reader = BufReader::new(flate2::read::GzDecoder::new(file));
    reader.split(b'\n').map(|line| line.expect("a line")).collect()
}

#[allow(clippy::disallowed_methods)]
fn synthea() -> Option<Vec<Vec<u8>>> {
    let base = std::env::var("BHN_SHARED").ok()?;
    let path = format!("{base}/fhir/synthea/synthea-r4-100-patients.tar.gz");
    let file = std::fs::File::open(path).ok()?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut bundles = Vec::new();
    for entry in archive.entries().ok()?.flatten().take(5) {
        let mut entry = entry;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).ok()?;
        let value: Value = serde_json::from_slice(&bytes).ok()?;
        bundles.push(json::write(&value));
    }
    Some(bundles)
}

/// For each document the least of several rounds, each step of a round right after the others;
/// validation is measured on what was just read, as in a request. Sums over all documents.
fn measure(name: &str, inputs: &[Vec<u8>]) {
    let limits = Limits::default();
    let mut sums = [Duration::ZERO; 4];
    for input in inputs {
        let mut best = [Duration::MAX; 4];
        for _ in 0..ROUNDS {
            let (_value, parse) = timed(|| serde_json::from_slice::<Value>(black_box(input)));
            let (value, read) = timed(|| json::read(black_box(input), &limits));
            let value = value.expect("examples are read");
            let (_, validate) = timed(|| validation::validate(&value, &limits).is_ok());
            let (_, write) = timed(|| json::write(&value).len());
            for (best, time) in best.iter_mut().zip([parse, read, validate, write]) {
                *best = (*best).min(time);
            }
        }
        for (sum, best) in sums.iter_mut().zip(best) {
            *sum += best;
        }
    }
    let bytes: usize = inputs.iter().map(Vec::len).sum();
    let ratio = |time: Duration| time.as_secs_f64() / sums[0].as_secs_f64();
    println!(
        "{name:32} {:5} x {:7} B  serde_json {:5.0} MB/s  read {:.2}  validate {:.2}  write {:.2}",
        inputs.len(),
        bytes / inputs.len().max(1),
        bytes as f64 / sums[0].as_secs_f64() / 1e6,
        ratio(sums[1]),
        ratio(sums[2]),
        ratio(sums[3]),
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = black_box(work());
    (result, start.elapsed())
}
