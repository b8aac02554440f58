//! What clients ask of the server, and what they check in each answer.

use crate::client::{Client, Reply};
use crate::synthea::{Synthea, mix};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Entries of the transactions that are measured.
pub const ENTRIES: usize = 100;

/// A resource to be sent, and the end that its stored form must have: all but `resourceType`,
/// `id` and `meta`, which the server sets.
pub struct Template {
    pub resource_type: String,
    pub sent: Vec<u8>,
    tail: Vec<u8>,
}

/// A resource that the server has, and the template that it was made of.
#[derive(Clone)]
pub struct Stored {
    path: String,
    template: usize,
}

/// All that clients share.
pub struct Work {
    pub synthea: Synthea,
    pub observations: Vec<Template>,
    pub stored: Mutex<Vec<Stored>>,
    /// Copies of the set that were used so far.
    copies: AtomicU64,
    /// Resources created, and the bytes of their JSON as served.
    pub created: AtomicU64,
    pub bytes: AtomicU64,
}

/// One kind of request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Read,
    Create,
    Transaction,
    /// A search, to hold the server's memory to more than writes and reads.
    Search,
}

impl Template {
    fn of(resource: &Value) -> Option<Template> {
        let object = resource.as_object()?;
        let is_set = |name: &str| matches!(name, "resourceType" | "id" | "meta");
        let rest: Map<String, Value> = object
            .iter()
            .filter(|(name, _)| !is_set(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Some(Template {
            resource_type: object.get("resourceType")?.as_str()?.to_owned(),
            sent: resource.to_string().into_bytes(),
            tail: Value::Object(rest).to_string().into_bytes().split_off(1),
        })
    }

    /// The stored form of this resource under that id, in version 1.
    fn check_body(&self, id: &str, body: &[u8]) -> Result<(), String> {
        let head = format!(
            "{{\"resourceType\":\"{}\",\"id\":\"{id}\",\"meta\":{{\"versionId\":\"1\",",
            self.resource_type
        );
        match body.starts_with(head.as_bytes()) && body.ends_with(&self.tail) {
            true => Ok(()),
            false => Err(format!("another body than was sent: {}", text(body))),
        }
    }
}

impl Work {
    pub fn new(synthea: Synthea) -> Work {
        Work {
            synthea,
            observations: Vec::new(),
            stored: Mutex::new(Vec::new()),
            copies: AtomicU64::new(1),
            created: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    pub fn next_copy(&self) -> u64 {
        self.copies.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes the first so many copies for used, by `resources` in all.
    pub fn skip(&self, copies: u64, resources: u64) {
        self.copies.store(copies + 1, Ordering::Relaxed);
        self.created.store(resources, Ordering::Relaxed);
    }

    /// Loads one copy by a transaction for each Bundle, and keeps its Observations, with
    /// references to what is stored now, as templates.
    pub fn prepare(&mut self, host: &str) -> Result<(), String> {
        let mut client = Client::connect(host)?;
        let mut keys = HashMap::new();
        let mut observations = Vec::new();
        for bundle in self.synthea.copy(0) {
            for (full_url, path) in self.transact(&mut client, &bundle)? {
                keys.insert(full_url, path);
            }
            let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
            let resources = entries.into_iter().map(|mut entry| entry["resource"].take());
            observations.extend(resources.filter(|r| r["resourceType"] == "Observation"));
        }
        crate::synthea::shuffle(&mut observations, 7);
        for mut observation in observations {
            link(&mut observation, &keys);
            self.observations.extend(Template::of(&observation));
        }
        Ok(())
    }

    /// Posts a transaction and checks each entry of the answer. Returns where each fullUrl is.
    pub fn transact(
        &self,
        client: &mut Client,
        bundle: &Value,
    ) -> Result<Vec<(String, String)>, String> {
        let reply = client.send("POST", "/fhir/", bundle.to_string().as_bytes())?;
        expect(reply.status == 200, &reply)?;
        let answer: Value = serde_json::from_slice(&reply.body).map_err(|e| e.to_string())?;
        let sent = bundle["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
        let entries = answer["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
        expect(entries.len() == sent.len(), &reply)?;
        let mut places = Vec::with_capacity(sent.len());
        for (sent, entry) in sent.iter().zip(entries) {
            let response = &entry["response"];
            let kind = sent["resource"]["resourceType"].as_str().unwrap_or_default();
            let location = response["location"].as_str().unwrap_or_default();
            let path = location.split_once("/fhir/").map_or("", |(_, path)| path);
            let path = path.strip_suffix("/_history/1").unwrap_or_default();
            expect(response["status"] == "201 Created", &reply)?;
            expect(response["etag"] == "W/\"1\"", &reply)?;
            expect(path.split_once('/').is_some_and(|(name, _)| name == kind), &reply)?;
            let url = sent["fullUrl"].as_str().unwrap_or_default();
            places.push((url.to_owned(), path.to_owned()));
            self.count(&sent["resource"]);
        }
        Ok(places)
    }

    /// Counts a resource as served: what was sent, with version and instant in `meta`.
    fn count(&self, resource: &Value) {
        let stamp = ",\"versionId\":\"1\",\"lastUpdated\":\"2026-01-01T00:00:00.000Z\"".len();
        let length = resource.to_string().len() + stamp;
        self.created.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(length as u64, Ordering::Relaxed);
    }

    fn once(&self, kind: Kind, serial: usize, client: &mut Client) -> Result<(), String> {
        match kind {
            Kind::Read => self.read(serial, client),
            Kind::Create => self.create(serial, client),
            Kind::Transaction => self.hundred(serial, client),
            Kind::Search => self.search(serial, client),
        }
    }

    fn create(&self, serial: usize, client: &mut Client) -> Result<(), String> {
        let index = serial % self.observations.len();
        let template = &self.observations[index];
        let reply = client.send("POST", "/fhir/Observation", &template.sent)?;
        expect(reply.status == 201 && reply.etag == "W/\"1\"", &reply)?;
        let place = reply.location.split_once("/fhir/Observation/").map_or("", |(_, place)| place);
        let id = place.strip_suffix("/_history/1").unwrap_or_default();
        expect(id.len() == 36, &reply)?;
        template.check_body(id, &reply.body)?;
        self.created.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(reply.body.len() as u64, Ordering::Relaxed);
        let path = format!("/fhir/Observation/{id}");
        self.stored.lock().map_err(|e| e.to_string())?.push(Stored { path, template: index });
        Ok(())
    }

    fn read(&self, serial: usize, client: &mut Client) -> Result<(), String> {
        let stored = {
            let all = self.stored.lock().map_err(|e| e.to_string())?;
            all[mix(serial as u64) as usize % all.len()].clone()
        };
        let reply = client.send("GET", &stored.path, b"")?;
        expect(reply.status == 200 && reply.etag == "W/\"1\"", &reply)?;
        let id = stored.path.rsplit('/').next().unwrap_or_default();
        self.observations[stored.template].check_body(id, &reply.body)
    }

    fn hundred(&self, serial: usize, client: &mut Client) -> Result<(), String> {
        let bundle = self.synthea.hundred(serial, self.next_copy());
        self.transact(client, &bundle).map(|_| ())
    }

    fn search(&self, serial: usize, client: &mut Client) -> Result<(), String> {
        let template = &self.observations[serial % self.observations.len()];
        let resource: Value = serde_json::from_slice(&template.sent).map_err(|e| e.to_string())?;
        let subject = resource["subject"]["reference"].as_str().unwrap_or_default();
        let path = format!("/fhir/Observation?subject={subject}&_count=50");
        let reply = client.send("GET", &path, b"")?;
        expect(
            reply.status == 200 && reply.body.starts_with(b"{\"resourceType\":\"Bundle\""),
            &reply,
        )
    }

    /// That many clients ask for some seconds, each as soon as it has its answer.
    pub fn drive(
        &self,
        kinds: &[Kind],
        host: &str,
        (clients, seconds): (usize, f64),
    ) -> Result<f64, String> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        let serial = AtomicUsize::new(self.created.load(Ordering::Relaxed) as usize);
        let done = AtomicUsize::new(0);
        let one = |number: usize| -> Result<(), String> {
            let mut client = Client::connect(host)?;
            while Instant::now() < end {
                let serial = serial.fetch_add(1, Ordering::Relaxed);
                self.once(kinds[number % kinds.len()], serial, &mut client)?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..clients).map(|n| scope.spawn(move || one(n))).collect();
            for thread in threads {
                thread.join().map_err(|_| "a client panicked")??;
            }
            Ok::<(), String>(())
        })?;
        Ok(done.load(Ordering::Relaxed) as f64)
    }

    /// Loads whole copies until there are that many resources.
    pub fn fill(&self, host: &str, resources: u64) -> Result<(), String> {
        while self.created.load(Ordering::Relaxed) < resources {
            let bundles = Mutex::new(self.synthea.copy(self.next_copy()));
            let one = || -> Result<(), String> {
                let mut client = Client::connect(host)?;
                loop {
                    let next = bundles.lock().map_err(|e| e.to_string())?.pop();
                    let Some(bundle) = next else { return Ok(()) };
                    self.transact(&mut client, &bundle)?;
                }
            };
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
                for thread in threads {
                    thread.join().map_err(|_| "a client panicked")??;
                }
                Ok::<(), String>(())
            })?;
        }
        Ok(())
    }
}

/// Replaces references between Bundle entries by those to stored resources.
fn link(value: &mut Value, keys: &HashMap<String, String>) {
    match value {
        Value::Object(object) => object.values_mut().for_each(|value| link(value, keys)),
        Value::Array(items) => items.iter_mut().for_each(|item| link(item, keys)),
        Value::String(text) => {
            if let Some(key) = keys.get(text.as_str()) {
                text.clone_from(key);
            }
        }
        _ => {}
    }
}

fn expect(is_right: bool, reply: &Reply) -> Result<(), String> {
    match is_right {
        true => Ok(()),
        false => Err(format!("a wrong answer: {} {}", reply.status, text(&reply.body))),
    }
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(600).collect()
}
