//! The server under measurement, on a private cluster in a folder of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server process, stopped when dropped.
pub struct Server {
    child: Child,
    /// `127.0.0.1:4711`.
    pub host: String,
    /// First process of the private cluster.
    pub postmaster: u32,
    /// Folder of its programs.
    pub programs: PathBuf,
    /// Folder of its socket.
    pub socket: String,
}

impl Server {
    /// Starts `binary` with its data in `data`; its log goes to `data/bench.log`.
    pub fn start(binary: &Path, data: &Path) -> Result<Server, String> {
        let told = |error: std::io::Error| format!("{}: {error}", binary.display());
        fs::create_dir_all(data).map_err(told)?;
        let log = File::create(data.with_extension("log")).map_err(told)?;
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--insecure-no-auth", "--data"]);
        command.arg(data).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        for (name, _) in std::env::vars_os() {
            if name == "DATABASE_URL" {
                command.env_remove(&name);
            }
        }
        let mut child = command.spawn().map_err(told)?;
        let output = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(output).lines();
        let host = loop {
            let Some(Ok(line)) = lines.next() else {
                let _ = child.wait();
                return Err(format!("the server ended; see {}", data.display()));
            };
            if let Some((_, base)) = line.split_once("serves FHIR R4 at http://") {
                break base.split('/').next().unwrap_or_default().to_owned();
            }
        };
        let lock = data.join("postgres/postmaster.pid");
        let lock = fs::read_to_string(lock).map_err(told)?;
        let line = |number| lock.lines().nth(number).unwrap_or_default().trim().to_owned();
        let postmaster: u32 = line(0).parse().map_err(|_| "no process in postmaster.pid")?;
        let program = fs::read_link(format!("/proc/{postmaster}/exe")).map_err(told)?;
        let programs = program.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Server { child, host, postmaster, programs, socket: line(4) })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let script = format!("kill -TERM {}", self.child.id());
        let _ = Command::new("/bin/sh").args(["-c", &script]).status();
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(60) {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
    }
}
