//! What Postgres alone costs for the same work: pgbench with prepared statements on the same
//! cluster, on a table with the same bytes a row and three indexes.

use crate::processes;
use crate::server::Server;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const DATABASE: &str = "bench_floor";
/// Ids are this plus a number, so that they ascend as text.
const FIRST_ID: u64 = 100_000_000_000_000_000;

const TABLE: &str = "
drop table if exists floor_resource;
create sequence if not exists floor_id;
create table floor_resource (
  id text collate \"C\" primary key,
  rid bigint not null,
  last_updated timestamptz not null,
  patient bigint,
  version integer not null,
  type smallint not null,
  deleted boolean not null default false,
  body text not null
);
create index on floor_resource (type, last_updated);
create index on floor_resource (patient, type);
";

const SELECT: &str = "\\set n random(:first, :last)
select rid, version, last_updated, deleted, body from floor_resource where id = :n;
";

const INSERT: &str = "\\set patient random(1, 1000)
insert into floor_resource (id, rid, last_updated, patient, version, type, body) values \
((100000000000000000 + nextval('floor_id'))::text, :patient, now(), :patient, 1, 96, :body);
";

/// The database beside the server's own.
pub struct Floor<'a> {
    server: &'a Server,
    folder: PathBuf,
    rows: u64,
}

/// What one round did.
pub struct Round {
    pub done: f64,
    pub cpu: f64,
}

impl Floor<'_> {
    /// Makes the table and fills it with that many rows of `body`.
    pub fn make<'a>(
        server: &'a Server,
        folder: PathBuf,
        rows: u64,
        body: &str,
    ) -> Result<Floor<'a>, String> {
        let floor = Floor { server, folder, rows };
        sql(server, "postgres", &format!("drop database if exists {DATABASE}"))?;
        sql(server, "postgres", &format!("create database {DATABASE}"))?;
        sql(server, DATABASE, TABLE)?;
        let quoted = body.replace('\'', "''");
        let fill = format!(
            "insert into floor_resource select ({FIRST_ID} + nextval('floor_id'))::text, n, \
             now(), n % 1000, 1, 96, false, '{quoted}' from generate_series(1, {rows}) n"
        );
        sql(server, DATABASE, &fill)?;
        sql(server, DATABASE, "vacuum analyze floor_resource")?;
        let hundred = format!("begin;\n{}commit;\n", INSERT.repeat(100));
        for (name, script) in [("select", SELECT), ("insert", INSERT), ("hundred", &hundred)] {
            let path = floor.folder.join(format!("{name}.sql"));
            fs::write(&path, script).map_err(|error| error.to_string())?;
        }
        Ok(floor)
    }

    /// Runs one script for some seconds and returns what the cluster spent on it.
    pub fn run(
        &self,
        script: &str,
        (clients, seconds): (usize, f64),
        body: &str,
    ) -> Result<Round, String> {
        let script = self.folder.join(format!("{script}.sql"));
        let last = FIRST_ID + self.rows;
        let values =
            [format!("first={}", FIRST_ID + 1), format!("last={last}"), format!("body={body}")];
        pgbench((self.server, DATABASE), &[script], &values, (clients, seconds))
    }
}

/// Runs scripts in turn for some seconds on a database, `values` for their variables, and returns
/// what the cluster spent on them.
pub fn pgbench(
    (server, database): (&Server, &str),
    scripts: &[PathBuf],
    values: &[String],
    (clients, seconds): (usize, f64),
) -> Result<Round, String> {
    let before = processes::cpu_of_cluster(server.postmaster);
    let mut command = Command::new(server.programs.join("pgbench"));
    command.args(["-n", "-M", "prepared", "-h", &server.socket, "-U", "postgres"]).args([
        "-c",
        &clients.to_string(),
        "-j",
        "2",
        "-T",
        &format!("{}", seconds as u64),
    ]);
    for value in values {
        command.arg("-D").arg(value);
    }
    for script in scripts {
        command.arg("-f").arg(script);
    }
    let output = command.arg(database).output().map_err(|error| format!("pgbench: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let cpu = processes::settled_cpu_of_cluster(server.postmaster) - before;
    let done = text.lines().find_map(|line| {
        let count = line.strip_prefix("number of transactions actually processed: ")?;
        count.split('/').next()?.trim().parse::<f64>().ok()
    });
    let done = done.filter(|done| *done > 0.0 && output.status.success());
    let done = done.ok_or_else(|| {
        format!("pgbench failed: {text}{}", String::from_utf8_lossy(&output.stderr))
    })?;
    Ok(Round { done, cpu })
}

/// Runs SQL as the superuser and returns its unaligned output.
pub fn sql(server: &Server, database: &str, text: &str) -> Result<String, String> {
    let output = Command::new(server.programs.join("psql"))
        .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres"])
        .args(["-h", &server.socket, "-d", database, "-c", text])
        .output()
        .map_err(|error| format!("psql: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
