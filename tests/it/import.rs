//! `bhn-fhir import`: every kind of file, what is refused and why, cut off and run again.

use super::harness::{ServerProcess, TestServer, observation, patient};
use bhn_fhir::jobs::import::{ImportError, ImportSettings, Progress, import};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Counters of a run: stored, created, refused, done before.
type Counts = (u64, u64, u64, u64);

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Files {
        Files { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    async fn import(&self, server: &TestServer, path: &Path) -> Counts {
        self.try_import(server, path).await.unwrap()
    }

    async fn try_import(&self, server: &TestServer, path: &Path) -> Result<Counts, ImportError> {
        let settings = ImportSettings {
            paths: vec![path.to_owned()],
            rejects: self.path("rejects.txt"),
            workers: 2,
            queue_bytes: 1 << 20,
        };
        let progress = Arc::new(Progress::default());
        let stop = Arc::new(AtomicBool::new(false));
        import(server.context.clone(), &settings, progress.clone(), stop).await?;
        let stored = (progress.resources(), progress.created());
        Ok((stored.0, stored.1, progress.rejects(), progress.done_before()))
    }

    /// The lines of the rejects file, in order.
    fn rejects(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("rejects.txt")).unwrap_or_default();
        let mut lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.sort_by_key(|line| (line["source"].to_string(), line["line"].as_u64()));
        lines
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn lines(resources: &[Value]) -> String {
    resources.iter().map(|resource| format!("{resource}\n")).collect()
}

/// A transaction of creates whose second entry refers to the first.
fn transaction(family: &str) -> Value {
    let urn = "urn:uuid:00000000-0000-4000-8000-000000000001";
    let mother = Value::from(patient().family(family));
    let weight = Value::from(observation().subject(urn));
    json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": urn, "resource": mother, "request": {"method": "POST", "url": "Patient"}},
        {"resource": weight, "request": {"method": "POST", "url": "Observation"}}]})
}

#[tokio::test]
async fn every_kind_of_file_is_loaded() {
    let (server, files) = (TestServer::start().await, Files::new());
    let named = |id: &str| Value::from(patient().id(id));
    files.write("in/a.json", named("a").to_string());
    files.write("in/b.json.gz", gzip(named("b").to_string().as_bytes()));
    files.write("in/sub/c.ndjson", lines(&[named("c"), named("d")]));
    files.write("in/e.ndjson.gz", gzip(lines(&[named("e")]).as_bytes()));
    let within = [
        ("x/f.json", named("f").to_string().into_bytes()),
        ("x/g.ndjson", lines(&[named("g")]).into_bytes()),
        ("x/README.md", b"not to be read".to_vec()),
        ("x/h.ndjson.gz", gzip(lines(&[named("h")]).as_bytes())),
    ];
    files.write("in/i.tar", tar(&within[..2]));
    files.write("in/j.tar.gz", gzip(&tar(&within[2..])));
    files.write("in/README.md", "not to be read");
    assert_eq!(files.import(&server, &files.path("in")).await, (8, 8, 0, 0));
    for id in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        server.get(&format!("Patient/{id}")).await.expect(200);
    }
    assert!(!files.path("rejects.txt").exists());
}

#[tokio::test]
async fn what_is_contained_is_searched_as_after_any_other_write() {
    let (server, files) = (TestServer::start().await, Files::new());
    let name = |family: &str| json!([{ "family": family }]);
    let containing = |at: u32| {
        json!({"resourceType": "Observation", "id": format!("o{at}"), "status": "final",
            "code": {"text": "x"}, "subject": {"reference": "#p"},
            "contained": [{"resourceType": "Patient", "id": "p", "name": name("Within")}]})
    };
    let resources: Vec<Value> = (0..70).map(containing).collect();
    files.write("in/o.ndjson", lines(&resources));
    assert_eq!(files.import(&server, &files.path("in")).await, (70, 70, 0, 0));
    let query = "Patient?name=within&_contained=true&_summary=count";
    assert_eq!(server.get(query).await.expect(200).body["total"], 70);
}

#[tokio::test]
async fn a_transaction_is_loaded_whole_and_its_links_are_rewritten() {
    let (server, files) = (TestServer::start().await, Files::new());
    let path = files.write("t.json", transaction("Kimani").to_string());
    assert_eq!(files.import(&server, &path).await, (2, 2, 0, 0));
    let found = server.get("Observation").await.body;
    let subject = found["entry"][0]["resource"]["subject"]["reference"].as_str().unwrap();
    assert_eq!(server.get(subject).await.body["name"][0]["family"], "Kimani");
}

#[tokio::test]
async fn an_import_that_is_run_again_changes_nothing() {
    let (server, files) = (TestServer::start().await, Files::new());
    files.write("in/t.json", transaction("Once").to_string());
    let no_id = Value::from(patient().family("NoId"));
    let two_alike = [no_id.clone(), no_id, Value::from(patient().id("p"))];
    files.write("in/l.ndjson", lines(&two_alike));
    assert_eq!(files.import(&server, &files.path("in")).await, (5, 5, 0, 0));
    assert_eq!(files.import(&server, &files.path("in")).await, (0, 0, 0, 2));
    assert_eq!(server.count("Patient").await, 4);
    let read = server.get("Patient/p").await;
    assert_eq!(read.body["meta"]["versionId"], "1");
}

#[tokio::test]
async fn a_stop_in_between_neither_loses_nor_doubles() {
    let (server, files) = (TestServer::start().await, Files::new());
    for number in 0..20 {
        files.write(&format!("in/{number}.json"), transaction(&format!("F{number}")).to_string());
    }
    let settings = ImportSettings {
        paths: vec![files.path("in")],
        rejects: files.path("rejects.txt"),
        workers: 1,
        queue_bytes: 1,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let progress = Arc::new(Progress::default());
    let (watched, stopped) = (progress.clone(), stop.clone());
    let watch = tokio::spawn(async move {
        while watched.resources() < 6 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        stopped.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let result = import(server.context.clone(), &settings, progress.clone(), stop).await;
    watch.await.unwrap();
    assert!(matches!(result, Err(ImportError::Stopped)), "{result:?}");
    let before = progress.resources();
    let (now, _, rejects, done) = files.import(&server, &files.path("in")).await;
    assert_eq!((before + now, before / 2, rejects), (40, done, 0));
    assert_eq!(server.count("Patient").await, 20);
    assert_eq!(server.count("Observation").await, 20);
}

#[tokio::test]
async fn what_is_refused_is_named_with_its_place_and_reason() {
    let (server, files) = (TestServer::start().await, Files::new());
    let bad = json!({"resourceType": "Patient", "id": "bad", "gender": "femail"});
    let text = format!(
        "{}\n\n{bad}\nnot json\n{}\n",
        Value::from(patient().id("ok")),
        json!({"eventId": "kickoff"})
    );
    let path = files.write("p.ndjson", text);
    assert_eq!(files.import(&server, &path).await, (1, 1, 3, 0));
    let rejects = files.rejects();
    let places: Vec<_> = rejects.iter().map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(places, [3, 4, 5]);
    let issue = &rejects[0]["outcome"]["issue"][0];
    assert_eq!(issue["expression"], json!(["Patient.gender"]));
    assert_eq!(rejects[0]["outcome"]["resourceType"], "OperationOutcome");
    assert!(rejects[0]["source"].as_str().unwrap().ends_with("p.ndjson"));
    // The file is corrected: only what was refused is new.
    let fixed = fs::read_to_string(&path).unwrap().replace("femail", "female");
    fs::write(&path, fixed).unwrap();
    let (_, created, rejected, _) = files.import(&server, &path).await;
    assert_eq!((created, rejected), (1, 2));
    assert_eq!(server.get("Patient/ok").await.body["meta"]["versionId"], "1");
}

#[tokio::test]
async fn a_transaction_with_one_bad_entry_is_refused_whole() {
    let (server, files) = (TestServer::start().await, Files::new());
    let mut bundle = transaction("Nobody");
    bundle["entry"][1]["resource"]["status"] = json!("done");
    let path = files.write("t.json", bundle.to_string());
    assert_eq!(files.import(&server, &path).await, (0, 0, 1, 0));
    assert_eq!(server.count("Patient").await, 0);
    let expression = &files.rejects()[0]["outcome"]["issue"][0]["expression"][0];
    let expression = expression.as_str().unwrap();
    assert!(expression.starts_with("Bundle.entry[1].resource"), "{expression}");
}

#[tokio::test]
async fn entries_of_collections_and_batches_stand_for_themselves() {
    let (server, files) = (TestServer::start().await, Files::new());
    let urn = "urn:uuid:00000000-0000-4000-8000-000000000002";
    let collection = json!({"resourceType": "Bundle", "type": "collection", "entry": [
        {"fullUrl": urn, "resource": Value::from(patient().family("Mother"))},
        {"resource": {"resourceType": "Patient", "gender": "other?"}},
        {"resource": Value::from(observation().id("w").subject(urn))}]});
    let path = files.write("c.json", collection.to_string());
    assert_eq!(files.import(&server, &path).await, (2, 2, 1, 0));
    assert_eq!(files.rejects()[0]["entry"], 1);
    let weight = server.get("Observation/w").await.body;
    let subject = weight["subject"]["reference"].as_str().unwrap();
    assert_eq!(server.get(subject).await.body["name"][0]["family"], "Mother");
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": "Patient"}},
        {"request": {"method": "DELETE", "url": "Observation/w"}},
        {"resource": Value::from(patient().id("q")),
            "request": {"method": "PUT", "url": "Patient/q"}}]});
    let path = files.write("b.json", batch.to_string());
    assert_eq!(files.import(&server, &path).await.2, 0);
    server.get("Observation/w").await.expect(410);
    server.get("Patient/q").await.expect(200);
}

#[tokio::test]
async fn a_bundle_that_is_a_document_is_stored_as_it_is() {
    let (server, files) = (TestServer::start().await, Files::new());
    let history = json!({"resourceType": "Bundle", "id": "h", "type": "history"});
    let path = files.write("h.json", history.to_string());
    assert_eq!(files.import(&server, &path).await, (1, 1, 0, 0));
    server.get("Bundle/h").await.expect(200);
}

#[tokio::test]
async fn references_by_criteria_wait_for_what_comes_later() {
    let (server, files) = (TestServer::start().await, Files::new());
    let mut first = transaction("Early");
    first["entry"][1]["resource"]["performer"] =
        json!([{"reference": "Practitioner?identifier=http://npi.example|7"}]);
    files.write("in/a.json", first.to_string());
    let midwife = json!({"resourceType": "Practitioner", "id": "late",
        "identifier": [{"system": "http://npi.example", "value": "7"}]});
    files.write("in/z.json", midwife.to_string());
    let mut never = transaction("Never");
    never["entry"][1]["resource"]["performer"] =
        json!([{"reference": "Practitioner?identifier=http://npi.example|8"}]);
    files.write("in/b.json", never.to_string());
    assert_eq!(files.import(&server, &files.path("in")).await, (3, 3, 1, 0));
    let found = server.get("Observation?performer=Practitioner/late").await.body;
    assert_eq!(found["entry"].as_array().map(Vec::len), Some(1), "{found}");
}

#[tokio::test]
async fn one_bad_line_does_not_take_its_neighbours_with_it() {
    let system = "http://unique.example";
    let server = TestServer::start_with(|settings| {
        settings.unique_identifiers = vec![bhn_fhir::config::UniqueIdentifier {
            resource_type: bhn_fhir::fhir::definitions::ResourceType::parse("Patient").unwrap(),
            system: system.to_owned(),
        }];
    })
    .await;
    let files = Files::new();
    server.create(patient().identifier(system, "1")).await.expect(201);
    let line = |value: &str| Value::from(patient().identifier(system, value));
    let path = files.write("u.ndjson", lines(&[line("2"), line("1"), line("3")]));
    assert_eq!(files.import(&server, &path).await, (2, 2, 1, 0));
    assert_eq!(files.rejects()[0]["line"], 2);
    assert_eq!(files.import(&server, &path).await.1, 0);
    assert_eq!(server.count("Patient").await, 3);
}

#[tokio::test]
async fn the_last_of_several_lines_with_one_id_counts() {
    let (server, files) = (TestServer::start().await, Files::new());
    let line = |family: &str| Value::from(patient().id("p").family(family));
    let path = files.write("l.ndjson", lines(&[line("A"), line("B"), line("C")]));
    assert_eq!(files.import(&server, &path).await, (3, 1, 0, 0));
    let read = server.get("Patient/p").await.body;
    assert_eq!(
        (&read["name"][0]["family"], &read["meta"]["versionId"]),
        (&json!("C"), &json!("3"))
    );
}

#[tokio::test]
async fn a_file_that_breaks_off_is_named_and_the_others_are_loaded() {
    let (server, files) = (TestServer::start().await, Files::new());
    let whole = gzip(lines(&[Value::from(patient().id("x"))]).repeat(300).as_bytes());
    files.write("in/a.ndjson.gz", &whole[..whole.len() / 2]);
    files.write("in/b.json", Value::from(patient().id("y")).to_string());
    let (_, _, rejected, _) = files.import(&server, &files.path("in")).await;
    assert_eq!(rejected, 1);
    assert!(files.rejects()[0].get("line").is_none());
    server.get("Patient/y").await.expect(200);
}

#[tokio::test]
async fn the_exit_code_tells_whether_everything_is_in() {
    let (server, files) = (TestServer::start().await, Files::new());
    let good = files.write("good.json", Value::from(patient().id("g")).to_string());
    let bad = files.write("bad.json", "{");
    let rejects = files.path("r.ndjson");
    let run = |path: &Path| {
        let arguments = ["import", "--rejects", rejects.to_str().unwrap(), path.to_str().unwrap()];
        ServerProcess::command_on(&server.database, &arguments)
    };
    assert_eq!(run(&good).0.code(), Some(0));
    server.get("Patient/g").await.expect(200);
    let (status, said) = run(&bad);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("1 refused; why is in"), "{said}");
    assert!(rejects.exists());
    assert_eq!(run(&files.path("none.json")).0.code(), Some(2));
}

/// The sample data beside the repository.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("BHN_SHARED").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    folder.join("fhir").is_dir().then(|| folder.join("fhir"))
}

#[tokio::test]
async fn synthetic_patients_are_loaded_without_a_reject() {
    let Some(shared) = shared() else {
        println!("skipped: no sample data");
        return;
    };
    let (server, files) = (TestServer::start().await, Files::new());
    // Ten patients of the hundred: the whole set is for release builds.
    let archive = fs::File::open(shared.join("synthea/synthea-r4-100-patients.tar.gz")).unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    for entry in archive.entries().unwrap().take(10) {
        entry.unwrap().unpack_in(files.folder.path()).unwrap();
    }
    let (stored, created, rejected, _) = files.import(&server, files.folder.path()).await;
    assert_eq!(rejected, 0, "{:?}", files.rejects());
    assert_eq!(stored, created);
    assert!(server.count("Observation").await > 500);
}

/// Transactions among the examples that no other server than that of the example can carry out:
/// id, the entry that is named, the issue code.
const REFUSED_TRANSACTIONS: [(&str, &str, &str); 2] = [
    // POST ValueSet/$lookup: in R4 that is an operation of CodeSystem, and it is not offered.
    ("Bundle/bundle-transaction", "Bundle.entry[7]", "not-supported"),
    // PUT http://hl7.org/fhir/us/sdc/Questionnaire/54127-6: a URL of another server.
    ("Bundle/ussg-fht", "Bundle.entry[0]", "not-found"),
];

#[tokio::test]
async fn the_examples_of_the_specification_are_refused_as_the_list_says() {
    let (server, files) = (TestServer::start().await, Files::new());
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/r4-examples");
    let path = examples.join("examples.ndjson.gz");
    let mut text = String::new();
    let packed = fs::File::open(&path).unwrap();
    GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let key = |line: &str| {
        let example: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| example[name].as_str().unwrap_or("-").to_owned();
        format!("{}/{}", text("resourceType"), text("id"))
    };
    let keys: Vec<String> = text.lines().map(key).collect();
    let list = fs::read_to_string(examples.join("known-invalid.txt")).unwrap();
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let known: Vec<&str> = lines.filter_map(|line| line.split_whitespace().next()).collect();
    let is_refused = |key: &&String| {
        let is_transaction = REFUSED_TRANSACTIONS.iter().any(|(known, ..)| known == key);
        is_transaction || known.contains(&key.as_str())
    };
    // The list also names definitions, which are no part of this file.
    let expected: Vec<&String> = keys.iter().filter(is_refused).collect();
    let (_, _, rejected, _) = files.import(&server, &path).await;
    let rejects = files.rejects();
    assert_eq!(rejected, rejects.len() as u64);
    let line = |reject: &Value| reject["line"].as_u64().unwrap() as usize;
    let refused: Vec<&String> = rejects.iter().map(|reject| &keys[line(reject) - 1]).collect();
    assert_eq!(refused, expected);
    for (reject, key) in rejects.iter().zip(refused) {
        let issue = &reject["outcome"]["issue"][0];
        let expression = issue["expression"][0].as_str().unwrap_or_default();
        let found = (key.as_str(), expression, issue["code"].as_str().unwrap_or_default());
        let of_type = key.split('/').next().unwrap_or_default();
        assert_eq!(reject.get("entry"), None, "the whole of it: {reject}");
        assert!(expression.starts_with(&format!("{of_type}.")), "{reject}");
        assert!(of_type != "Bundle" || REFUSED_TRANSACTIONS.contains(&found), "{reject}");
    }
}
