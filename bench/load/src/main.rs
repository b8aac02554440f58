//! `make bench`: what a request costs, as a ratio to what the same work costs in Postgres alone.
//!
//! CPU time is the measure, not the clock: it holds on a machine that others use too. Floor and
//! server take turns within one run, and each figure is the median of the rounds.

mod asking;
mod audit;
mod client;
mod faults;
mod floor;
mod import;
mod made;
mod plans;
mod processes;
mod search;
mod searches;
mod server;
mod shapes;
mod skeleton;
mod statements;
mod synthea;
mod work;

use floor::Floor;
use server::Server;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use work::{ENTRIES, Kind, Work};

/// Clients of a round, of the server and of pgbench alike.
const CLIENTS: usize = 16;
const FLOOR_ROWS: u64 = 100_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    ReadsAndWrites,
    Searches,
    Plans,
    Audit,
}

/// What is asked for on the command line.
struct Options {
    binary: PathBuf,
    synthea: PathBuf,
    data: Option<PathBuf>,
    rounds: usize,
    seconds: f64,
    resources: u64,
    only: Option<String>,
    /// What is measured.
    subject: Subject,
    /// A second store, a tenth as large, for what grows with the store.
    smaller: Option<PathBuf>,
}

/// One line of the table.
struct Row {
    name: String,
    limit: f64,
    unit: &'static str,
    found: f64,
    note: String,
}

fn main() {
    match options().and_then(|options| run(&options)) {
        Ok(rows) => {
            let is_passed = rows.iter().all(|row| row.is_passed() || row.is_aim());
            print(&rows);
            std::process::exit(if is_passed { 0 } else { 1 });
        }
        Err(error) => {
            eprintln!("bhn-bench: {error}");
            std::process::exit(2);
        }
    }
}

fn options() -> Result<Options, String> {
    let shared = std::env::var_os("BHN_SHARED").map_or(PathBuf::from("../shared"), PathBuf::from);
    let mut options = Options {
        binary: std::env::current_exe()
            .map_err(|error| error.to_string())?
            .with_file_name("bhn-fhir"),
        synthea: shared.join("fhir/synthea/synthea-r4-100-patients.tar.gz"),
        data: None,
        rounds: 5,
        seconds: 4.0,
        resources: 300_000,
        only: None,
        subject: Subject::ReadsAndWrites,
        smaller: None,
    };
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|first| first == "search").is_some() {
        options.subject = Subject::Searches;
    } else if arguments.next_if(|first| first == "plans").is_some() {
        options.subject = Subject::Plans;
    } else if arguments.next_if(|first| first == "audit").is_some() {
        options.subject = Subject::Audit;
    }
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        let number = || value.parse::<f64>().map_err(|_| format!("{name} needs a number"));
        match name.as_str() {
            "--binary" => options.binary = value.into(),
            "--synthea" => options.synthea = value.into(),
            "--data" => options.data = Some(value.into()),
            "--rounds" => options.rounds = number()? as usize,
            "--seconds" => options.seconds = number()?,
            "--resources" => options.resources = number()? as u64,
            "--smaller" => options.smaller = Some(value.into()),
            "--only" => options.only = Some(value),
            _ => return Err(format!("{name} is not known; see bench/README.md")),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<Vec<Row>, String> {
    let folder = std::env::temp_dir().join(format!("bhn-bench-{}", std::process::id()));
    let data = options.data.clone().unwrap_or(folder);
    let result = match options.subject {
        Subject::ReadsAndWrites => measure(options, &data),
        Subject::Searches => search::measure(options, &data),
        Subject::Plans => plans::check(options, &data),
        Subject::Audit => audit::measure(options, &data),
    };
    if options.data.is_none() && result.is_ok() {
        let _ = std::fs::remove_dir_all(&data);
    }
    result
}

fn measure(options: &Options, data: &Path) -> Result<Vec<Row>, String> {
    let mut work = Work::new(synthea::Synthea::read(&options.synthea)?);
    let server = Server::start(&options.binary, data)?;
    // What the start needed is given back by then.
    std::thread::sleep(std::time::Duration::from_secs(15));
    let idle = processes::memory_mb(server.id(), "VmRSS");
    eprintln!("loading one copy of the Synthea set");
    work.prepare(&server.host)?;
    let mut rows = vec![Row {
        name: "memory of the server, idle".to_owned(),
        limit: 60.0,
        unit: " MB",
        found: idle,
        note: String::new(),
    }];
    let bench = Bench { options, server: &server, work: &work };
    rows.extend(bench.ratios(data)?);
    if options.only.is_some() {
        return Ok(rows);
    }
    eprintln!("import");
    bench.set_autovacuum("off")?;
    let mut shares = Vec::new();
    for round in 1..=options.rounds {
        let share = import::share_of_copy(&server, &options.binary, &options.synthea)?;
        eprintln!("round {round}: COPY is {:.1} % of an import", share * 100.0);
        shares.push(share);
    }
    let share = median(shares.into_iter());
    bench.set_autovacuum("on")?;
    rows.push(Row {
        name: "COPY as a share of import, whole set".to_owned(),
        limit: 35.0,
        unit: " %",
        found: share * 100.0,
        note: "CPU; more is better".to_owned(),
    });
    eprintln!("64 clients");
    let mixed = [Kind::Create, Kind::Read, Kind::Search, Kind::Transaction];
    work.drive(&mixed, &server.host, (64, 10.0))?;
    rows.push(Row {
        name: "memory of the server, 64 clients".to_owned(),
        limit: 250.0,
        unit: " MB",
        found: processes::memory_mb(server.id(), "VmHWM"),
        note: "the most it ever had".to_owned(),
    });
    eprintln!("filling up to {} resources", options.resources);
    work.fill(&server.host, options.resources)?;
    rows.push(bench.size()?);
    Ok(rows)
}

/// A run under way.
struct Bench<'a> {
    options: &'a Options,
    server: &'a Server,
    work: &'a Work,
}

/// What one unit of work costs: seconds of CPU.
#[derive(Clone, Copy, Default)]
struct Cost {
    server: f64,
    postgres: f64,
    floor: f64,
}

impl Bench<'_> {
    fn ratios(&self, data: &Path) -> Result<Vec<Row>, String> {
        let observation = self.middle(self.work.observations.iter().map(|t| t.sent.clone()));
        let mixed = (0..100).flat_map(|serial| {
            let bundle = self.work.synthea.hundred(serial, 0);
            let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
            entries.into_iter().map(|entry| entry["resource"].to_string().into_bytes())
        });
        let mixed = self.middle(mixed);
        eprintln!("rows of the floor: {} and {} bytes", observation.len(), mixed.len());
        let folder = data.to_owned();
        let floor = Floor::make(self.server, folder, FLOOR_ROWS, &observation)?;
        floor::sql(self.server, "postgres", "create extension if not exists pg_walinspect")?;
        self.work.drive(&[Kind::Create], &self.server.host, (CLIENTS, self.options.seconds))?;
        // A vacuum of what one side wrote must not run while the other is measured.
        self.set_autovacuum("off")?;
        let kinds = [
            (Kind::Read, "select", "read by id", 3.0, &observation),
            (Kind::Create, "insert", "create Observation", 3.0, &observation),
            (Kind::Transaction, "hundred", "transaction of 100, per resource", 4.0, &mixed),
        ];
        let wanted = |script: &str| self.options.only.as_deref().is_none_or(|only| only == script);
        let mut costs = vec![Vec::new(); kinds.len()];
        let mut wal = Vec::new();
        for round in 1..=self.options.rounds {
            for (index, (kind, script, name, _, body)) in kinds.iter().enumerate() {
                if !wanted(script) {
                    continue;
                }
                let (cost, written) = self.round(*kind, &floor, (script, body))?;
                if *kind == Kind::Create {
                    wal.push(written);
                }
                let ratio = cost.ratio();
                eprintln!(
                    "round {round}: {name}: {ratio:.2} = server {:.2} + Postgres {:.2}; floor {:.0} µs",
                    cost.server / cost.floor,
                    cost.postgres / cost.floor,
                    cost.floor * 1e6
                );
                costs[index].push(cost);
            }
        }
        self.set_autovacuum("on")?;
        let rows = kinds.iter().zip(costs).filter(|(_, costs)| !costs.is_empty());
        let mut rows: Vec<Row> = rows
            .map(|((_, _, name, limit, _), costs)| Row::ratio((*name).to_owned(), *limit, &costs))
            .collect();
        if !wal.is_empty() {
            rows.push(Row {
                name: "WAL per created Observation".to_owned(),
                limit: 3.0,
                unit: " KB",
                found: median(wal.into_iter()) / 1024.0,
                note: "without full-page images".to_owned(),
            });
        }
        Ok(rows)
    }

    fn set_autovacuum(&self, state: &str) -> Result<(), String> {
        floor::sql(self.server, "postgres", &format!("alter system set autovacuum = {state}"))?;
        floor::sql(self.server, "postgres", "select pg_reload_conf()")?;
        let workers = "select count(*) from pg_stat_activity \
             where backend_type = 'autovacuum worker'";
        while state == "off" && floor::sql(self.server, "postgres", workers)? != "0" {
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        Ok(())
    }

    /// Floor and server, one after the other. Also the bytes of WAL per request.
    fn round(
        &self,
        kind: Kind,
        floor: &Floor,
        (script, body): (&str, &str),
    ) -> Result<(Cost, f64), String> {
        let load = (CLIENTS, self.options.seconds);
        let under = floor.run(script, load, body)?;
        let lsn = || floor::sql(self.server, "postgres", "select pg_current_wal_flush_lsn()");
        let start = lsn()?;
        let server = processes::cpu(self.server.id());
        let postgres = processes::cpu_of_cluster(self.server.postmaster);
        let done = self.work.drive(&[kind], &self.server.host, load)?;
        let server = processes::cpu(self.server.id()) - server;
        let postgres = processes::cpu_of_cluster(self.server.postmaster) - postgres;
        let size = "select coalesce(sum(record_size), 0) from pg_get_wal_stats";
        let written = match kind {
            Kind::Create => {
                let wal = format!("{size}('{start}', '{}')", lsn()?);
                floor::sql(self.server, "postgres", &wal)?.parse().unwrap_or(f64::NAN)
            }
            _ => 0.0,
        };
        let each = if kind == Kind::Transaction { ENTRIES as f64 } else { 1.0 };
        let cost = Cost {
            server: server / done / each,
            postgres: postgres / done / each,
            floor: under.cpu / under.done / each,
        };
        Ok((cost, written / done))
    }

    /// The one whose length is nearest to the mean.
    fn middle(&self, bodies: impl Iterator<Item = Vec<u8>>) -> String {
        let bodies: Vec<Vec<u8>> = bodies.collect();
        let mean = bodies.iter().map(Vec::len).sum::<usize>() / bodies.len().max(1);
        let nearest = bodies.into_iter().min_by_key(|body| body.len().abs_diff(mean));
        String::from_utf8_lossy(&nearest.unwrap_or_default()).into_owned()
    }

    fn size(&self) -> Result<Row, String> {
        let size = floor::sql(self.server, "postgres", "select pg_database_size('bhn_fhir')")?;
        let size: f64 = size.parse().map_err(|_| "no size")?;
        let bytes = self.work.bytes.load(Ordering::Relaxed) as f64;
        let count = self.work.created.load(Ordering::Relaxed);
        Ok(Row {
            name: "database size, with JSONB".to_owned(),
            limit: 1.8,
            unit: " × compact JSON",
            found: size / bytes,
            note: format!("{count} resources of {:.0} bytes", bytes / count as f64),
        })
    }
}

impl Cost {
    fn sum(&self) -> f64 {
        self.server + self.postgres
    }

    fn ratio(&self) -> f64 {
        self.sum() / self.floor
    }
}

impl Row {
    /// The median of what work costs, over its floor.
    fn ratio(name: String, limit: f64, costs: &[Cost]) -> Row {
        Row {
            name,
            limit,
            unit: " × floor",
            found: median(costs.iter().map(Cost::ratio)),
            note: format!(
                "server {:.2} + PostgreSQL {:.2}",
                median(costs.iter().map(|cost| cost.server / cost.floor)),
                median(costs.iter().map(|cost| cost.postgres / cost.floor))
            ),
        }
    }

    /// What does not fail the run where it is missed.
    fn is_aim(&self) -> bool {
        self.note.starts_with("aim")
    }

    fn is_passed(&self) -> bool {
        match self.unit {
            " %" => self.found >= self.limit,
            _ => self.found <= self.limit,
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}

fn print(rows: &[Row]) {
    println!("| work | found | limit | | |");
    println!("|---|---|---|---|---|");
    for row in rows {
        let verdict = match (row.is_passed(), row.is_aim()) {
            (true, _) => "pass",
            (false, true) => "missed",
            (false, false) => "FAIL",
        };
        println!(
            "| {} | {:.2}{} | {} | {verdict} | {} |",
            row.name, row.found, row.unit, row.limit, row.note
        );
    }
}
