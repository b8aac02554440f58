//! `bhn-bench search`: what a search costs, as a ratio to what its reference statement costs
//! through pgbench on the same tables, and how that grows with the store.

use crate::client::Client;
use crate::floor::{self, sql};
use crate::processes;
use crate::searches::{CODES, COLUMNS, FUNCTIONS, SEARCHES, Search};
use crate::server::Server;
use crate::synthea::Synthea;
use crate::work::Work;
use crate::{CLIENTS, Cost, Options, Row, median};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const DATABASE: &str = "bhn_fhir";
/// Rows that are paged through, and rows a page.
const WALKED: usize = 10_000;
const PAGE: usize = 100;

/// A store of some size, and what is asked of it.
pub struct Side {
    pub server: Server,
    data: PathBuf,
    pub resources: u64,
    /// Of each search, in their order.
    pub cases: Vec<Vec<Case>>,
}

/// One URL with the ids that its reference statement finds.
pub struct Case {
    pub path: String,
    statement: String,
    /// Matches in order, then what goes with them; of a count its number.
    expected: Expected,
}

enum Expected {
    Total(u64),
    Keys { matches: Vec<String>, others: Vec<String> },
}

/// Fills the stores up to the resources asked for, where they have fewer, and measures: the one
/// of the run, and beside it a smaller one where that is named.
pub fn measure(options: &Options, data: &Path) -> Result<Vec<Row>, String> {
    let mut sides = vec![Side::open(options, data, options.resources)?];
    if let Some(smaller) = &options.smaller {
        sides.push(Side::open(options, smaller, options.resources / 10)?);
    }
    let is_wanted = |search: &Search| {
        options.only.as_ref().is_none_or(|only| search.name.contains(only.as_str()))
    };
    let mut costs = vec![vec![Vec::new(); sides.len()]; SEARCHES.len()];
    for round in 1..=options.rounds {
        for (index, search) in SEARCHES.iter().enumerate().filter(|(_, one)| is_wanted(one)) {
            for (side, costs) in sides.iter().zip(&mut costs[index]) {
                let cost = side.cost(index, options.seconds)?;
                eprintln!(
                    "round {round}: {} in {}: {:.2} = server {:.2} + Postgres {:.2}; {:.0} µs",
                    search.name,
                    side.resources,
                    cost.ratio(),
                    cost.server / cost.floor,
                    cost.postgres / cost.floor,
                    cost.floor * 1e6
                );
                costs.push(cost);
            }
        }
    }
    let mut rows = Vec::new();
    for (search, costs) in SEARCHES.iter().zip(&costs).filter(|(one, _)| is_wanted(one)) {
        rows.extend(rows_of(search, &sides, costs));
    }
    if options.only.is_none() {
        for side in &sides {
            rows.push(side.paging(options.rounds)?);
        }
    }
    Ok(rows)
}

fn rows_of(search: &Search, sides: &[Side], costs: &[Vec<Cost>]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (side, costs) in sides.iter().zip(costs) {
        let name = format!("{}, {} resources", search.name, side.resources);
        rows.push(Row::ratio(name, 3.0, costs));
    }
    if let ([large, small], true) = (costs, search.is_selective) {
        rows.push(Row {
            name: format!("{}, growth", search.name),
            limit: 1.5,
            unit: " × smaller store",
            found: median(large.iter().map(Cost::sum)) / median(small.iter().map(Cost::sum)),
            note: String::new(),
        });
    }
    rows
}

impl Side {
    pub fn open(options: &Options, data: &Path, resources: u64) -> Result<Side, String> {
        let server = Server::start(&options.binary, data)?;
        fill(&server, &options.synthea, resources)?;
        sql(&server, "postgres", "alter system set autovacuum = off")?;
        sql(&server, "postgres", "select pg_reload_conf()")?;
        sql(&server, DATABASE, FUNCTIONS)?;
        let count = "select count(*) from resource where not deleted";
        let resources = number(&server, count)?;
        let mut client = Client::connect(&server.host)?;
        let draw = |search: &Search| drawn(&server, search, &mut client);
        let cases = SEARCHES.iter().map(draw).collect::<Result<_, String>>()?;
        let side = Side { server, data: data.to_owned(), resources, cases };
        side.write_scripts()?;
        Ok(side)
    }

    fn script(&self, search: usize, case: usize) -> PathBuf {
        self.data.join(format!("search-{search}-{case}.sql"))
    }

    fn write_scripts(&self) -> Result<(), String> {
        for (search, cases) in self.cases.iter().enumerate() {
            for (index, case) in cases.iter().enumerate() {
                let text = format!("{};\n", case.statement);
                std::fs::write(self.script(search, index), text).map_err(|e| e.to_string())?;
            }
        }
        Ok(())
    }

    /// Reference and server, one after the other.
    fn cost(&self, search: usize, seconds: f64) -> Result<Cost, String> {
        let cases = &self.cases[search];
        let scripts: Vec<PathBuf> = (0..cases.len()).map(|at| self.script(search, at)).collect();
        let floor = floor::pgbench((&self.server, DATABASE), &scripts, &[], (CLIENTS, seconds))?;
        let server = processes::cpu(self.server.id());
        let postgres = processes::cpu_of_cluster(self.server.postmaster);
        let done = self.drive(cases, seconds)?;
        Ok(Cost {
            server: (processes::cpu(self.server.id()) - server) / done,
            postgres: (processes::cpu_of_cluster(self.server.postmaster) - postgres) / done,
            floor: floor.cpu / floor.done,
        })
    }

    /// All clients search for some seconds; each answer is checked.
    fn drive(&self, cases: &[Case], seconds: f64) -> Result<f64, String> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        let serial = AtomicUsize::new(0);
        let one = || -> Result<(), String> {
            let mut client = Client::connect(&self.server.host)?;
            while Instant::now() < end {
                let case = &cases[serial.fetch_add(1, Ordering::Relaxed) % cases.len()];
                let reply = client.send("GET", &case.path, b"")?;
                if reply.status != 200 || !case.expected.is_in(&reply.body) {
                    return Err(format!("a wrong answer to {}", case.path));
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(one)).collect();
            for thread in threads {
                thread.join().map_err(|_| "a client panicked")??;
            }
            Ok::<(), String>(())
        })?;
        Ok(serial.load(Ordering::Relaxed) as f64)
    }

    /// What the last pages of a long result cost, over what the first ones do.
    fn paging(&self, rounds: usize) -> Result<Row, String> {
        let pages = WALKED / PAGE;
        let spent =
            || processes::cpu(self.server.id()) + processes::cpu_of_cluster(self.server.postmaster);
        let mut halves = [0.0; 2];
        let mut client = Client::connect(&self.server.host)?;
        for _ in 0..rounds.max(5) {
            let mut path = format!("/fhir/Observation?_sort=-_lastUpdated&_count={PAGE}");
            for half in &mut halves {
                let before = spent();
                for _ in 0..pages / 2 {
                    let reply = client.send("GET", &path, b"")?;
                    path = next(&reply.body).ok_or(format!("no next page: {path}"))?;
                }
                *half += spent() - before;
            }
        }
        Ok(Row {
            name: format!("{WALKED} rows by {PAGE} a page, {} resources", self.resources),
            limit: 1.2,
            unit: " × first half",
            found: halves[1] / halves[0],
            note: "the second half of the pages".to_owned(),
        })
    }
}

/// Path of the link `next`.
fn next(body: &[u8]) -> Option<String> {
    let bundle: Value = serde_json::from_slice(body).ok()?;
    let links = bundle["link"].as_array()?;
    let url = links.iter().find(|link| link["relation"] == "next")?["url"].as_str()?;
    Some(format!("/fhir/{}", url.split_once("/fhir/")?.1))
}

fn number(server: &Server, text: &str) -> Result<u64, String> {
    sql(server, DATABASE, text)?.parse().map_err(|_| format!("no number: {text}"))
}

fn fill(server: &Server, synthea: &Path, resources: u64) -> Result<(), String> {
    let held = number(server, "select count(*) from resource where not deleted")?;
    if held >= resources {
        return Ok(());
    }
    eprintln!("filling from {held} up to {resources} resources");
    let synthea = Synthea::read(synthea)?;
    let copy = synthea.size();
    let work = Work::new(synthea);
    work.skip(held.div_ceil(copy), held);
    work.fill(&server.host, resources)?;
    sql(server, DATABASE, "vacuum analyze")?;
    Ok(())
}

/// The cases of one search, each with what its reference statement finds, which the server has
/// to find as well.
fn drawn(server: &Server, search: &Search, client: &mut Client) -> Result<Vec<Case>, String> {
    let draw = search.draw.replace("{columns}", COLUMNS).replace("{codes}", CODES);
    let drawn = sql(server, DATABASE, &draw)?;
    let mut cases = Vec::new();
    for line in drawn.lines() {
        let (path, statement) = line.split_once('|').ok_or("no reference statement")?;
        let path = format!("/fhir/{}", path.replace(' ', ""));
        let expected = expected(server, search, statement)?;
        let reply = client.send("GET", &path, b"")?;
        if reply.status != 200 || !expected.is_in(&reply.body) {
            let text = String::from_utf8_lossy(&reply.body);
            let text: String = text.chars().take(600).collect();
            return Err(format!("{path}: not what is found by {statement}: {text}"));
        }
        cases.push(Case { path, statement: statement.to_owned(), expected });
    }
    match cases.is_empty() {
        true => Err(format!("nothing to ask for: {}", search.name)),
        false => Ok(cases),
    }
}

fn expected(server: &Server, search: &Search, statement: &str) -> Result<Expected, String> {
    if search.is_count {
        return Ok(Expected::Total(number(server, statement)?));
    }
    let keys = format!(
        "select y.name || '/' || u.id from (select *, row_number() over () as n from ({statement}) \
         u) u join resource_type y using (type) order by u.n"
    );
    let found = sql(server, DATABASE, &keys)?;
    let keys = found.lines().map(str::to_owned);
    let first = search.draw.split(['\'', '?']).nth(1).unwrap_or_default();
    let (matches, others): (Vec<_>, Vec<_>) = keys.partition(|key| key.starts_with(first));
    Ok(Expected::Keys { matches, others })
}

impl Expected {
    /// The answer has these, and a page of twenty no more.
    fn is_in(&self, body: &[u8]) -> bool {
        let text = String::from_utf8_lossy(body);
        match self {
            Expected::Total(total) => text.contains(&format!("\"total\":{total}")),
            Expected::Keys { matches, others } => {
                let entries = text.matches("\"fullUrl\":").count();
                let all = matches.iter().take(20).chain(others);
                entries == matches.len().min(20) + others.len()
                    && all.clone().all(|key| text.contains(key.as_str()))
            }
        }
    }
}
