//! Asks the server for a shape, in one of the ways of [`Ask`], and says what the database ran.

use crate::client::{Client, Reply};
use crate::floor::sql;
use crate::server::Server;
use crate::shapes::{Ask, VALUES};
use crate::statements::{Log, Ran};
use serde_json::Value;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const DATABASE: &str = "bhn_fhir";

pub struct Asking<'a> {
    server: &'a Server,
    client: Client,
    log: Log,
    /// What names in requests stand for.
    values: Vec<(&'static str, String)>,
}

impl Asking<'_> {
    pub fn begin<'a>(server: &'a Server, data: &Path) -> Result<Asking<'a>, String> {
        let mut values = Vec::new();
        for (name, drawn) in VALUES {
            let value = sql(server, DATABASE, drawn)?;
            if value.is_empty() {
                return Err(format!("the store has no {name}"));
            }
            values.push((*name, value));
        }
        let client = Client::connect(&server.host)?;
        Ok(Asking { server, client, log: Log::open(data)?, values })
    }

    /// What ran for the last page that is asked for. `golden` is the text of the shape.
    pub fn ask(&mut self, ask: &Ask, golden: &str) -> Result<Vec<Ran>, String> {
        match *ask {
            Ask::Get(search) => drop(self.get(&self.path(search))?),
            Ask::Next(search) => {
                let next = self.follow(&self.path(search), "next")?;
                self.get(&next)?;
            }
            Ask::Previous(search) => {
                let next = self.follow(&self.path(search), "next")?;
                let previous = self.follow(&next, "previous")?;
                self.get(&previous)?;
            }
            Ask::Changed(search) => {
                let next = self.follow(&self.path(search), "next")?;
                let page = self.get(&next)?;
                self.change(&page["entry"][0]["resource"])?;
                self.get(&next)?;
            }
            Ask::Matching(kind, query) => {
                self.log.statements()?;
                let head = format!("If-None-Exist: {}\r\n", self.path(query));
                let body = format!("{{\"resourceType\":\"{kind}\"}}");
                let path = format!("/fhir/{kind}");
                let reply = self.client.send_with(&head, ("POST", &path), body.as_bytes())?;
                expect(&[200, 412], &path, &reply)?;
            }
            Ask::Refused(search) => {
                self.log.statements()?;
                let path = format!("/fhir{}", self.path(search));
                let reply = self.client.send("GET", &path, b"")?;
                expect(&[400], &path, &reply)?;
                if !String::from_utf8_lossy(&reply.body).contains("too-costly") {
                    return Err(format!("{path}: not refused as too costly"));
                }
            }
            Ask::Statement(drawn) => return self.run(drawn, golden),
        }
        self.log.statements()
    }

    /// With its values, and encoded for a URL.
    fn path(&self, search: &str) -> String {
        let mut path = search.to_owned();
        for (name, value) in &self.values {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/?&=:._-$,*()".contains(&byte);
        path.bytes().fold(String::new(), |mut path, byte| {
            match plain(byte) {
                true => path.push(byte.into()),
                false => path.push_str(&format!("%{byte:02X}")),
            }
            path
        })
    }

    fn get(&mut self, path: &str) -> Result<Value, String> {
        self.log.statements()?;
        let path = format!("/fhir{path}");
        let reply = self.client.send("GET", &path, b"")?;
        expect(&[200], &path, &reply)?;
        serde_json::from_slice(&reply.body).map_err(|error| error.to_string())
    }

    /// The path of a link of the page.
    fn follow(&mut self, path: &str, relation: &str) -> Result<String, String> {
        let page = self.get(path)?;
        let links = page["link"].as_array().map(Vec::as_slice).unwrap_or_default();
        let link = links.iter().find(|link| link["relation"] == relation);
        let url =
            link.and_then(|link| link["url"].as_str()).and_then(|url| url.split_once("/fhir"));
        url.map(|(_, path)| path.to_owned()).ok_or(format!("{path}: no {relation} page"))
    }

    /// A new version of the resource, which says nothing else but is another.
    fn change(&mut self, resource: &Value) -> Result<(), String> {
        let mut resource = resource.clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
        let path = format!("/fhir/{}/{}", text("resourceType"), text("id"));
        resource["extension"] = serde_json::json!([
            {"url": "http://made.example/changed", "valueString": now.to_string()}
        ]);
        let reply = self.client.send("PUT", &path, resource.to_string().as_bytes())?;
        expect(&[200], &path, &reply)
    }

    /// The golden statement itself.
    fn run(&self, drawn: &str, golden: &str) -> Result<Vec<Ran>, String> {
        let values = sql(self.server, DATABASE, drawn)?;
        let values: Vec<String> = values.split('|').map(|value| format!("'{value}'")).collect();
        let text = format!(
            "set plan_cache_mode = force_generic_plan; prepare shape as {golden}; \
             explain (analyze, buffers, format json) execute shape({})",
            values.join(", ")
        );
        let told = sql(self.server, DATABASE, &text)?;
        let mut told: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
        Ok(vec![Ran { text: golden.to_owned(), plan: told[0]["Plan"].take() }])
    }
}

fn expect(wanted: &[u16], path: &str, reply: &Reply) -> Result<(), String> {
    match wanted.contains(&reply.status) {
        true => Ok(()),
        false => {
            let text: String = String::from_utf8_lossy(&reply.body).chars().take(600).collect();
            Err(format!("{path}: {} {text}", reply.status))
        }
    }
}
