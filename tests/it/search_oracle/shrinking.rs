//! A failing case made small: fewer parameters, fewer resources, fewer elements, as long as it
//! fails, on the same server. What is left is written as curl lines.

use super::super::harness::TestServer;
use super::comparison::compare;
use super::query::{Include, Query};
use super::world::{Resource, World, store};
use serde_json::Value;
use std::fmt::Write;

pub struct Case<'a> {
    pub server: &'a TestServer,
    pub world: World,
    pub query: Query,
}

/// Without it, what is asked of value sets fails for another reason.
fn is_term(resource: &Resource) -> bool {
    resource.key().1.starts_with("terms-")
}

impl Case<'_> {
    async fn fails(&self, query: &Query) -> bool {
        compare(&self.server.client, &self.world, query).await.is_err()
    }

    pub async fn shrink(&mut self) {
        self.shrink_query().await;
        self.shrink_world().await;
        self.shrink_resources().await;
        self.shrink_query().await;
    }

    async fn shrink_query(&mut self) {
        let mut at = 0;
        let mut smaller = smaller_queries(&self.query);
        while let Some(query) = smaller.get(at).cloned() {
            at += 1;
            if self.fails(&query).await {
                self.query = query;
                smaller = smaller_queries(&self.query);
                at = 0;
            }
        }
    }

    /// Deletes what the failure does without, first in large parts.
    async fn shrink_world(&mut self) {
        let mut size = self.world.resources.len().div_ceil(2);
        loop {
            let mut at = 0;
            while at < self.world.resources.len() {
                let end = (at + size).min(self.world.resources.len());
                if self.world.resources[at..end].iter().any(is_term) {
                    at = end;
                    continue;
                }
                let taken: Vec<Resource> = self.world.resources.drain(at..end).collect();
                for resource in &taken {
                    self.server.delete(&resource.path()).await;
                }
                if !self.fails(&self.query).await {
                    let bodies: Vec<Value> = taken.into_iter().map(|one| one.body).collect();
                    let back = store(self.server, &bodies).await;
                    self.world.resources.splice(at..at, back);
                    at = end;
                }
            }
            if size == 1 {
                return;
            }
            size = size.div_ceil(2);
        }
    }

    /// Takes elements away, the outer ones first.
    async fn shrink_resources(&mut self) {
        for at in 0..self.world.resources.len() {
            if is_term(&self.world.resources[at]) {
                continue;
            }
            let mut tried = 0;
            loop {
                let before = self.world.resources[at].clone();
                let paths = paths(&before.body);
                let Some(path) = paths.get(tried) else { break };
                let mut body = before.body.clone();
                remove(&mut body, path);
                if body == before.body {
                    tried += 1;
                    continue;
                }
                if !self.replaced(at, &body).await || !self.fails(&self.query).await {
                    assert!(self.replaced(at, &before.body).await, "{}", before.body);
                    tried += 1;
                } else if self.world.resources[at].body.to_string().len()
                    >= before.body.to_string().len()
                {
                    // The server puts back what it sets itself.
                    tried += 1;
                }
            }
        }
    }

    /// Deletes first, because labels that an update leaves out stay. False where the server
    /// does not take the resource.
    async fn replaced(&mut self, at: usize, body: &Value) -> bool {
        let path = self.world.resources[at].path();
        self.server.delete(&path).await.expect(204);
        let reply = self.server.put(&path, body).await;
        if reply.status() == 201 {
            self.world.resources[at] = Resource { body: reply.body };
            return true;
        }
        false
    }

    /// Requests that show the difference on an empty server.
    pub async fn reproduction(&self) -> String {
        let mut text = String::new();
        for resource in &self.world.resources {
            let mut body = resource.body.clone();
            let meta = body["meta"].as_object_mut().expect("the server sets meta");
            meta.retain(|name, _| !["versionId", "lastUpdated"].contains(&name.as_str()));
            if meta.is_empty() {
                body.as_object_mut().expect("a resource is an object").shift_remove("meta");
            }
            let body = body.to_string().replace(&self.world.base, "$BASE").replace('\'', "'\\''");
            let path = resource.path();
            let _ = writeln!(
                text,
                "curl -X PUT $BASE/{path} -H 'Content-Type: \
                application/fhir+json' -d '{body}'"
            );
        }
        let url = format!("$BASE/{}?{}", self.query.path(), self.query.form());
        let _ = writeln!(text, "curl '{url}'\n# {}", self.query.readable());
        let said = compare(&self.server.client, &self.world, &self.query).await;
        let _ = writeln!(text, "# {}", said.err().unwrap_or_else(|| "not any more".to_owned()));
        text
    }
}

/// The query with one thing less, each way.
fn smaller_queries(query: &Query) -> Vec<Query> {
    let mut found = Vec::new();
    let mut add = |change: &dyn Fn(&mut Query)| {
        let mut smaller = query.clone();
        change(&mut smaller);
        if smaller != *query && smaller.is_answered() {
            found.push(smaller);
        }
    };
    add(&|query| query.sort = None);
    add(&|query| query.count = 500);
    add(&|query| query.is_by_post = false);
    add(&|query| query.includes.clear());
    add(&|query| query.contained = None);
    add(&|query| query.criteria.clear());
    for at in 0..query.criteria.len() {
        add(&|query| {
            query.criteria.remove(at);
        });
        let values = query.criteria[at].values.len();
        for value in (0..values).filter(|_| values > 1) {
            add(&|query| {
                query.criteria[at].values.remove(value);
            });
        }
        for value in 0..values {
            add(&|query| shorten(&mut query.criteria[at].values[value]));
        }
    }
    for at in 0..query.includes.len() {
        add(&|query| {
            query.includes.remove(at);
        });
        let plain = |include: &Include| Include { is_iterated: false, ..include.clone() };
        add(&|query| query.includes[at] = plain(&query.includes[at]));
    }
    found
}

/// Without the last letter of a plain text.
fn shorten(value: &mut String) {
    if value.chars().count() > 1 && value.chars().all(char::is_alphabetic) {
        value.pop();
    }
}

/// Where something can be taken away, the outer places first.
fn paths(body: &Value) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut level = vec![(Vec::new(), body)];
    while !level.is_empty() {
        let mut next = Vec::new();
        for (path, value) in level {
            let children: Vec<(String, &Value)> = match value {
                Value::Object(object) => {
                    object.iter().map(|(name, value)| (name.clone(), value)).collect()
                }
                Value::Array(items) => {
                    items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect()
                }
                _ => Vec::new(),
            };
            for (name, value) in children {
                let path: Vec<String> = path.iter().cloned().chain([name]).collect();
                let kept = ["resourceType", "id", "versionId", "lastUpdated"];
                if !(path.len() <= 2 && kept.contains(&path[path.len() - 1].as_str())) {
                    found.push(path.clone());
                    next.push((path, value));
                }
            }
        }
        level = next;
    }
    found
}

fn remove(value: &mut Value, path: &[String]) {
    let Some((last, before)) = path.split_last() else { return };
    let mut place = value;
    for name in before {
        place = match place {
            Value::Array(items) => &mut items[name.parse::<usize>().expect("a place in a list")],
            object => &mut object[name.as_str()],
        };
    }
    match place {
        Value::Array(items) if items.len() > 1 => {
            items.remove(last.parse().expect("a place in a list"));
        }
        Value::Object(object) if object.len() > 1 => drop(object.shift_remove(last)),
        _ => {}
    }
}
