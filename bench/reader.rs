//! What reading and validating cost, as ratios to `serde_json::from_slice` of the same bytes in
//! the same run: `cargo bench --bench reader`. `BHN_SHARED` adds the Synthea set.

use bhn_fhir::fhir::{json, validation};
use bhn_fhir::limits::Limits;
use serde_json::Value;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;

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
        measure("Synthea bundles (20)", &bundles);
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
    for entry in archive.entries().ok()?.flatten().take(20) {
        let mut entry = entry;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).ok()?;
        let value: Value = serde_json::from_slice(&bytes).ok()?;
        bundles.push(json::write(&value));
    }
    Some(bundles)
}

/// The least of several rounds, each step of a round beside the others.
fn measure(name: &str, inputs: &[Vec<u8>]) {
    let limits = Limits::default();
    let bytes: usize = inputs.iter().map(Vec::len).sum();
    let values: Vec<Value> =
        inputs.iter().map(|i| json::read(i, &limits).expect("examples are read")).collect();
    let repeat = (4_000_000 / bytes.max(1)).max(1);
    let mut best = [Duration::MAX; 4];
    for _ in 0..ROUNDS {
        let times = [
            time(repeat, || {
                for input in inputs {
                    black_box(serde_json::from_slice::<Value>(black_box(input)).is_ok());
                }
            }),
            time(repeat, || {
                for input in inputs {
                    black_box(json::read(black_box(input), &limits).is_ok());
                }
            }),
            time(repeat, || {
                for value in &values {
                    black_box(validation::validate(black_box(value), &limits).is_ok());
                }
            }),
            time(repeat, || {
                for value in &values {
                    black_box(json::write(black_box(value)).len());
                }
            }),
        ];
        for (best, time) in best.iter_mut().zip(times) {
            *best = (*best).min(time);
        }
    }
    let rate = |time: Duration| (bytes * repeat) as f64 / time.as_secs_f64() / 1e6;
    let ratio = |time: Duration| time.as_secs_f64() / best[0].as_secs_f64();
    println!(
        "{name:32} {:5} x {:7} B  serde_json {:5.0} MB/s  read {:.2}  validate {:.2}  write {:.2}",
        inputs.len(),
        bytes / inputs.len().max(1),
        rate(best[0]),
        ratio(best[1]),
        ratio(best[2]),
        ratio(best[3]),
    );
}

fn time(repeat: usize, mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..repeat {
        work();
    }
    start.elapsed()
}
