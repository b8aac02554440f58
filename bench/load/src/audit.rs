//! `bhn-bench audit`: what the gate, the stamps and the audit cost a read by id, as ratios to the
//! same reads of a server without sign-in and audit, on the same cluster and of the same resources.
//!
//! On the answer path: while the table of events is locked, nothing is shipped. With shipping: and
//! what it costs after that, until the database has every event and they are sealed.

use crate::client::Client;
use crate::floor;
use crate::processes;
use crate::server::{Server, Start};
use crate::{Options, Row, median};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Readers for CPU, and for throughput.
const CLIENTS: usize = 16;
const READERS: usize = 32;
/// Types of the demonstration set that its staff reads.
const TYPES: [&str; 3] = ["Patient", "Observation", "Encounter"];
/// Longer than a seal waits once there are enough events.
const SEALED_WITHIN: Duration = Duration::from_secs(3);
const SHIPPED_WITHIN: Duration = Duration::from_secs(600);
const DATABASE: &str = "bhn_fhir";
/// Counted, and never too many.
const RATES: &str = "--rate-user 1000000 --rate-user-burst 1000000";

/// The servers that take turns.
struct Servers {
    /// Without sign-in and audit; it has the cluster.
    plain: Server,
    /// With both; answers when its journal has the event.
    signed_in: Server,
    /// The same; answers when the disk has it.
    strict: Server,
    /// Without sign-in, with an audit.
    audited: Server,
    authorization: String,
    paths: Vec<String>,
}

/// What a number of readers did.
struct Done {
    count: f64,
    seconds: f64,
    /// Of each answer, in order.
    latencies: Vec<f64>,
}

/// What each round found.
#[derive(Default)]
struct Found {
    path: Vec<f64>,
    shipped: Vec<f64>,
    strict: Vec<f64>,
    throughput: Vec<f64>,
    p99: Vec<f64>,
}

pub fn measure(options: &Options, data: &Path) -> Result<Vec<Row>, String> {
    let servers = Servers::start(&options.binary, data)?;
    servers.set_autovacuum("off")?;
    let mut found = Found::default();
    for round in 1..=options.rounds {
        let (path, shipped) = servers.cpu(options.seconds)?;
        eprintln!("round {round}: read by id {path:.2} on the answer path, {shipped:.2} shipped");
        let rates = servers.rates(options.seconds)?;
        eprintln!(
            "round {round}: strict {:.1} %, audit {:.1} % of the throughput, p99 {:+.2} ms",
            rates.0 * 100.0,
            rates.1 * 100.0,
            rates.2
        );
        found.path.push(path);
        found.shipped.push(shipped);
        found.strict.push(rates.0 * 100.0);
        found.throughput.push(rates.1 * 100.0);
        found.p99.push(rates.2);
    }
    servers.set_autovacuum("on")?;
    Ok(found.rows())
}

impl Found {
    fn rows(self) -> Vec<Row> {
        let row = |name: &str, (limit, unit), found: Vec<f64>, note: &str| Row {
            name: name.to_owned(),
            limit,
            unit,
            found: median(found.into_iter()),
            note: note.to_owned(),
        };
        vec![
            row(
                "read by id with gate, stamps and journal",
                (1.25, " × without"),
                self.path,
                "CPU of the answer path",
            ),
            row("the same with shipping and seals", (1.6, " × without"), self.shipped, "CPU"),
            row(
                "strict audit, 32 readers",
                (50.0, " %"),
                self.strict,
                "of the throughput without; more is better",
            ),
            row(
                "audit alone, 32 readers (AU-15)",
                (97.0, " %"),
                self.throughput,
                "aim; of the throughput without; more is better",
            ),
            row("p99 of the same (AU-15)", (0.2, " ms more"), self.p99, "aim; wall clock"),
        ]
    }
}

impl Servers {
    fn start(binary: &Path, data: &Path) -> Result<Servers, String> {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let folder = |name: &str| data.join(name);
        let plain = Server::start(binary, &folder("plain"))?;
        let beside = |name: &str, arguments: Vec<String>| {
            let mut arguments = arguments;
            let audit = folder(name).join("audit").to_string_lossy().into_owned();
            arguments.extend(["--audit-folder".to_owned(), audit]);
            let start = Start { arguments, beside: Some(&plain) };
            Server::start_as(binary, &folder(name), start)
        };
        let key = folder("sealing.key").to_string_lossy().into_owned();
        let mut arguments = words(&format!("--demo {RATES} --key-file"));
        arguments.push(key.clone());
        let signed_in = beside("signed-in", arguments)?;
        // One issuer for both: the token is that of the first.
        let base = format!("--base-url http://{}/fhir", signed_in.host);
        let mut arguments = words(&format!("{base} {RATES} --audit-durability strict"));
        arguments.extend(["--key-file".to_owned(), key.clone()]);
        let strict = beside("strict", arguments)?;
        let mut arguments = words("--insecure-no-auth --audit true --key-file");
        arguments.push(key);
        let audited = beside("audited", arguments)?;
        let token = signed_in.said.iter().find_map(|line| line.trim().strip_prefix("STAFF="));
        let token = token.ok_or("the demonstration printed no token")?;
        let authorization = format!("Authorization: Bearer {token}\r\n");
        let paths = paths(&signed_in.host, &authorization)?;
        eprintln!("{} resources are read", paths.len());
        Ok(Servers { plain, signed_in, strict, audited, authorization, paths })
    }

    fn set_autovacuum(&self, state: &str) -> Result<(), String> {
        let set = format!("alter system set autovacuum = {state}");
        floor::sql(&self.plain, "postgres", &set)?;
        floor::sql(&self.plain, "postgres", "select pg_reload_conf()").map(drop)
    }

    /// CPU of a read with everything over one without: on the answer path, and with shipping.
    fn cpu(&self, seconds: f64) -> Result<(f64, f64), String> {
        let spent = |server: &Server| {
            processes::cpu(server.id()) + processes::cpu_of_cluster(self.plain.postmaster)
        };
        let start = spent(&self.plain);
        let done = self.drive(&self.plain, "", (CLIENTS, seconds))?;
        let without = (spent(&self.plain) - start) / done.count;
        let before = self.shipped()?;
        let lock = Lock::take(&self.plain)?;
        let start = spent(&self.signed_in);
        let done = self.drive(&self.signed_in, &self.authorization, (CLIENTS, seconds))?;
        let path = (spent(&self.signed_in) - start) / done.count;
        lock.release()?;
        let began = Instant::now();
        while self.shipped()? < before + done.count as u64 {
            if began.elapsed() > SHIPPED_WITHIN {
                return Err("the events did not come to the database".to_owned());
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        std::thread::sleep(SEALED_WITHIN);
        let shipped = (spent(&self.signed_in) - start) / done.count;
        Ok((path / without, shipped / without))
    }

    /// Throughput of the strict server, and of the one with an audit alone, over that of the one
    /// without; and how much longer the latter's slowest hundredth takes, in milliseconds.
    fn rates(&self, seconds: f64) -> Result<(f64, f64, f64), String> {
        let without = self.drive(&self.plain, "", (READERS, seconds))?;
        let strict = self.drive(&self.strict, &self.authorization, (READERS, seconds))?;
        let audited = self.drive(&self.audited, "", (READERS, seconds))?;
        let rate = |done: &Done| done.count / done.seconds;
        let more = (audited.p99() - without.p99()) * 1e3;
        Ok((rate(&strict) / rate(&without), rate(&audited) / rate(&without), more))
    }

    /// How many events of the journal of the server with everything the database has.
    fn shipped(&self) -> Result<u64, String> {
        let sql = "select coalesce(max(seq), 0) from audit_event join (select node from audit_node \
             order by started limit 1) first using (node) where seq < 1::bigint << 40";
        floor::sql(&self.plain, DATABASE, sql)?.parse().map_err(|_| "no number".to_owned())
    }

    fn drive(
        &self,
        server: &Server,
        headers: &str,
        (clients, seconds): (usize, f64),
    ) -> Result<Done, String> {
        let (began, serial) = (Instant::now(), AtomicUsize::new(0));
        let end = began + Duration::from_secs_f64(seconds);
        let one = || -> Result<Vec<f64>, String> {
            let mut client = Client::connect(&server.host)?;
            let mut latencies = Vec::new();
            while Instant::now() < end {
                let serial = serial.fetch_add(1, Ordering::Relaxed);
                let path = &self.paths[serial % self.paths.len()];
                let sent = Instant::now();
                let reply = client.send_with(headers, ("GET", path), b"")?;
                latencies.push(sent.elapsed().as_secs_f64());
                if reply.status != 200 || !reply.body.starts_with(b"{\"resourceType\":") {
                    return Err(format!("{path}: {}", reply.status));
                }
            }
            Ok(latencies)
        };
        let mut latencies = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..clients).map(|_| scope.spawn(one)).collect();
            let mut all = Vec::new();
            for thread in threads {
                all.extend(thread.join().map_err(|_| "a client panicked")??);
            }
            Ok::<_, String>(all)
        })?;
        let seconds = began.elapsed().as_secs_f64();
        latencies.sort_by(f64::total_cmp);
        Ok(Done { count: latencies.len() as f64, seconds, latencies })
    }
}

impl Done {
    fn p99(&self) -> f64 {
        self.latencies.get(self.latencies.len() * 99 / 100).copied().unwrap_or(f64::NAN)
    }
}

/// The resources of the demonstration set that its staff sees.
fn paths(host: &str, authorization: &str) -> Result<Vec<String>, String> {
    let mut client = Client::connect(host)?;
    let mut paths = Vec::new();
    for kind in TYPES {
        let path = format!("/fhir/{kind}?_count=100&_elements=id");
        let reply = client.send_with(authorization, ("GET", &path), b"")?;
        let bundle: Value = serde_json::from_slice(&reply.body).map_err(|e| e.to_string())?;
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            let id = entry["resource"]["id"].as_str().ok_or("an entry without id")?;
            paths.push(format!("/fhir/{kind}/{id}"));
        }
    }
    match paths.len() < 10 {
        true => Err("the demonstration set has too few resources".to_owned()),
        false => Ok(paths),
    }
}

/// Keeps events out of the database until released.
struct Lock(Child);

impl Lock {
    fn take(server: &Server) -> Result<Lock, String> {
        let mut command = Command::new(server.programs.join("psql"));
        command.args(["-X", "-q", "-U", "postgres", "-h", &server.socket, "-d", DATABASE]);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("psql: {error}"))?;
        let lock = b"begin; lock table audit_event in exclusive mode;\n";
        let input = child.stdin.as_mut().ok_or("psql has no input")?;
        input.write_all(lock).and_then(|()| input.flush()).map_err(|error| error.to_string())?;
        let lock = Lock(child);
        let held = "select count(*) from pg_locks where relation = 'audit_event'::regclass and \
             mode = 'ExclusiveLock' and granted";
        while floor::sql(server, DATABASE, held)? == "0" {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(lock)
    }

    /// Also where it is dropped, as psql ends with its input.
    fn release(mut self) -> Result<(), String> {
        drop(self.0.stdin.take());
        self.0.wait().map(drop).map_err(|error| error.to_string())
    }
}
