//! The Synthea set, and any number of copies of it under other keys.
//!
//! Every UUID and every identifier of a copy is a function of the original and the copy's
//! number, so that two runs make the same data, references still lead to their targets, and no
//! two copies share a key. Within its hour each copy has an instant of its own: what happened to
//! one patient did not happen to thousands at the same second.

use crate::work::ENTRIES;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bundles of the set, in an order where what others refer to comes first.
pub struct Synthea {
    bundles: Vec<Value>,
}

impl Synthea {
    /// Reads every `.json` of a `.tar.gz`.
    pub fn read(path: &Path) -> Result<Synthea, String> {
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        let mut archive = tar::Archive::new(GzDecoder::new(File::open(path).map_err(told)?));
        let mut named = Vec::new();
        for entry in archive.entries().map_err(told)? {
            let mut entry = entry.map_err(told)?;
            let name = entry.path().map_err(told)?.to_string_lossy().into_owned();
            if !name.ends_with(".json") {
                continue;
            }
            let mut text = String::new();
            entry.read_to_string(&mut text).map_err(told)?;
            let bundle = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
            let is_shared = name.contains("hospital") || name.contains("practitioner");
            named.push((!is_shared, name, bundle));
        }
        named.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        Ok(Synthea { bundles: named.into_iter().map(|(_, _, bundle)| bundle).collect() })
    }

    /// Resources of one copy.
    pub fn size(&self) -> u64 {
        let entries = |bundle: &Value| bundle["entry"].as_array().map_or(0, Vec::len);
        self.bundles.iter().map(entries).sum::<usize>() as u64
    }

    /// The transaction Bundles of copy `number`, shuffled by it.
    pub fn copy(&self, number: u64) -> Vec<Value> {
        let mut bundles = self.bundles.clone();
        for bundle in &mut bundles {
            rekey(bundle, "", number);
        }
        shuffle(&mut bundles, number);
        bundles
    }

    /// A transaction of the first hundred entries of some patient, of copy `number`.
    pub fn hundred(&self, serial: usize, number: u64) -> Value {
        let entries = |bundle: &Value| bundle["entry"].as_array().map_or(0, Vec::len);
        let large: Vec<&Value> =
            self.bundles.iter().filter(|bundle| entries(bundle) >= ENTRIES).collect();
        let mut bundle = large[serial % large.len()].clone();
        if let Some(entries) = bundle["entry"].as_array_mut() {
            entries.truncate(ENTRIES);
        }
        rekey(&mut bundle, "", number);
        bundle
    }
}

/// Fisher and Yates, by the numbers that follow a seed.
pub fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for index in (1..items.len()).rev() {
        state = mix(state.wrapping_add(index as u64));
        items.swap(index, (state % (index as u64 + 1)) as usize);
    }
}

fn rekey(value: &mut Value, place: &str, number: u64) {
    match value {
        Value::Object(object) => {
            for (name, value) in object.iter_mut() {
                let is_identifier = place == "identifier" && name == "value";
                match value {
                    Value::String(text) if is_identifier && uuid_at(text.as_bytes()).is_none() => {
                        text.push_str(&format!("-{number}"));
                    }
                    value => rekey(value, name, number),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rekey(item, place, number)),
        Value::String(text) => rekey_text(text, number),
        _ => {}
    }
}

/// Replaces a UUID at the end of a text, which is where ids, fullUrls and references have it, and
/// minute and second of an instant.
fn rekey_text(text: &mut String, number: u64) {
    if is_instant(text.as_bytes()) {
        let second = mix(number) % 3600;
        text.replace_range(14..19, &format!("{:02}:{:02}", second / 60, second % 60));
        return;
    }
    if let Some(at) = uuid_at(text.as_bytes()) {
        let other = other_uuid(&text[at..], number);
        text.replace_range(at.., &other);
    }
}

/// `2014-05-06T07:08:09`, and a zone.
fn is_instant(text: &[u8]) -> bool {
    let of_place = |index, byte: u8| match index {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    };
    (20..=29).contains(&text.len())
        && text[..19].iter().enumerate().all(|(index, byte)| of_place(index, *byte))
}

/// Where the last 36 bytes are a UUID.
fn uuid_at(text: &[u8]) -> Option<usize> {
    let at = text.len().checked_sub(36)?;
    let is_uuid = text[at..].iter().enumerate().all(|(index, byte)| match index {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    is_uuid.then_some(at)
}

fn other_uuid(uuid: &str, number: u64) -> String {
    let digits: String = uuid.chars().filter(|c| *c != '-').collect();
    let half = |range| u64::from_str_radix(&digits[range], 16).unwrap_or_default();
    let seed = mix(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (a, b) = (mix(half(0..16) ^ seed), mix(half(16..32) ^ seed.rotate_left(32)));
    let (a, b) = ((a & !0xf000) | 0x4000, (b & !(3 << 62)) | (2 << 62));
    let (high, low) = (format!("{a:016x}"), format!("{b:016x}"));
    format!("{}-{}-{}-{}-{}", &high[..8], &high[8..12], &high[12..], &low[..4], &low[4..])
}

/// SplitMix64: a bijection, so that distinct keys stay distinct.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_copy_keeps_its_links_and_shares_no_key_with_another() {
        let uuid = "76f26ce3-5aac-4b16-ac35-321ff6a7f63c";
        let original = json!({
            "id": uuid,
            "identifier": [{"value": uuid}, {"value": "999-51-7921"}],
            "subject": {"reference": format!("urn:uuid:{uuid}")},
            "birthDate": "1990-01-01",
            "issued": "2014-05-06T07:08:09.123+02:00"
        });
        let (mut first, mut second) = (original.clone(), original.clone());
        rekey(&mut first, "", 1);
        rekey(&mut second, "", 2);
        let id = first["id"].as_str().unwrap();
        assert_eq!(first["subject"]["reference"], format!("urn:uuid:{id}"));
        assert_eq!(first["identifier"][1]["value"], "999-51-7921-1");
        assert_eq!(first["birthDate"], original["birthDate"]);
        let issued = first["issued"].as_str().unwrap();
        assert!(issued.starts_with("2014-05-06T07:") && issued.ends_with(".123+02:00"));
        assert_ne!(first["issued"], second["issued"]);
        assert_ne!(first["id"], second["id"]);
        assert_ne!(first["identifier"], second["identifier"]);
        assert!(uuid_at(id.as_bytes()) == Some(0) && id.as_bytes()[14] == b'4');
    }
}
