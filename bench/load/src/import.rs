//! `bhn-fhir import` of the whole set, against `COPY` of the rows that it made into tables with
//! the same indexes.

use crate::floor::sql;
use crate::processes;
use crate::server::Server;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

const IMPORTED: &str = "bench_import";
const COPIED: &str = "bench_copy";
/// All that an import fills. Not the tables of names, which the start of a server fills.
const TABLES: [&str; 16] = [
    "resource",
    "resource_json",
    "token",
    "reference_stub",
    "identifier_value",
    "string_value",
    "date_value",
    "quantity_value",
    "uri_value",
    "composite_value",
    "text_value",
    "coded_text",
    "token_text",
    "unit",
    "contained_resource",
    "lead_value",
];

/// CPU seconds of COPY over CPU seconds of the import, PostgreSQL's among them; 1 would be as
/// cheap as COPY.
pub fn share_of_copy(server: &Server, binary: &Path, archive: &Path) -> Result<f64, String> {
    for name in [IMPORTED, COPIED] {
        sql(server, "postgres", &format!("drop database if exists {name}"))?;
    }
    sql(server, "postgres", &format!("create database {IMPORTED} owner bhn_fhir"))?;
    let archive =
        archive.canonicalize().map_err(|error| format!("{}: {error}", archive.display()))?;
    let import = imported(server, binary, &archive)?;
    sql(server, "postgres", &format!("create database {COPIED} template {IMPORTED}"))?;
    let folder = sql(server, "postgres", "show data_directory")?;
    let place = |table: &str| format!("'{folder}/bench_{table}'");
    let mut load = String::new();
    for table in TABLES {
        sql(server, IMPORTED, &format!("copy {table} to {}", place(table)))?;
        sql(server, COPIED, &format!("truncate {table}"))?;
        load.push_str(&format!("copy {table} from {};", place(table)));
    }
    sql(server, "postgres", "checkpoint")?;
    let before = processes::settled_cpu_of_cluster(server.postmaster);
    sql(server, COPIED, &load)?;
    let copy = processes::settled_cpu_of_cluster(server.postmaster) - before;
    for table in TABLES {
        let _ = std::fs::remove_file(Path::new(&folder).join(format!("bench_{table}")));
    }
    for name in [IMPORTED, COPIED] {
        sql(server, "postgres", &format!("drop database {name}"))?;
    }
    eprintln!("COPY {copy:.2} s of CPU, import {import:.2} s");
    Ok(copy / import)
}

/// CPU seconds of one import into an empty database.
fn imported(server: &Server, binary: &Path, archive: &Path) -> Result<f64, String> {
    let socket = server.socket.replace('/', "%2F");
    let url = format!("postgres://bhn_fhir@{socket}/{IMPORTED}?sslmode=disable");
    let run = |arguments: &[&OsStr]| {
        let output = Command::new(binary)
            .args(arguments)
            .env("DATABASE_URL", &url)
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "{arguments:?} failed: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    };
    // COPY finds its tables there as well.
    run(&["migrate".as_ref()])?;
    sql(server, "postgres", "checkpoint")?;
    let own = || processes::cpu(std::process::id());
    let (cluster, before) = (processes::settled_cpu_of_cluster(server.postmaster), own());
    run(&["import".as_ref(), archive.as_os_str()])?;
    // An ended child's time is among that of its parent.
    let cpu = own() - before;
    let cluster = processes::settled_cpu_of_cluster(server.postmaster) - cluster;
    Ok(cpu + cluster)
}
