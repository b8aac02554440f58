//! The server under measurement, on a private cluster in a folder of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
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
    /// What it said of the demonstration, a line each.
    pub said: Vec<String>,
}

/// The role that serves in a private cluster.
const SERVES: &str = "bhn_fhir_application";
/// The role that owns the tables there, and the database.
const OWNER: &str = "bhn_fhir";

/// How a server is started beside its folder.
#[derive(Default)]
pub struct Start<'a> {
    pub arguments: Vec<String>,
    /// A server whose cluster it uses; else it has its own.
    pub beside: Option<&'a Server>,
}

impl Server {
    /// Starts `binary` with its data in `data`; its log goes to `data/bench.log`.
    pub fn start(binary: &Path, data: &Path) -> Result<Server, String> {
        let start = Start { arguments: vec!["--insecure-no-auth".to_owned()], beside: None };
        Server::start_as(binary, data, start)
    }

    /// The same with other arguments, or on the cluster of another server.
    pub fn start_as(binary: &Path, data: &Path, start: Start) -> Result<Server, String> {
        let told = |error: std::io::Error| format!("{}: {error}", binary.display());
        fs::create_dir_all(data).map_err(told)?;
        let log = File::create(data.with_extension("log")).map_err(told)?;
        let mut command = Command::new(binary);
        let host = free().map_err(told)?;
        command.args(["serve", "--listen", &host, "--data"]).arg(data);
        command.args(&start.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        command.env_remove("DATABASE_URL");
        if let Some(other) = start.beside {
            let folder = other.socket.replace('/', "%2F");
            command.env("DATABASE_URL", format!("postgres://{SERVES}@{folder}/{OWNER}"));
            command.env("BHN_OWNER_DATABASE_URL", format!("postgres://{OWNER}@{folder}/{OWNER}"));
        }
        let mut child = command.spawn().map_err(told)?;
        let output = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let is_shown = start.arguments.iter().any(|argument| argument == "--demo");
        let Some(said) = announced(&mut lines, is_shown) else {
            let _ = child.wait();
            return Err(format!("the server ended; see {}", data.display()));
        };
        let (postmaster, programs, socket) = match start.beside {
            Some(other) => (other.postmaster, other.programs.clone(), other.socket.clone()),
            None => cluster(data)?,
        };
        Ok(Server { child, host, postmaster, programs, socket, said })
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

/// Waits until the server is there; what it says of the demonstration, as far as its people.
fn announced(lines: &mut impl Iterator<Item = String>, is_shown: bool) -> Option<Vec<String>> {
    lines.find(|line| line.contains("serves FHIR R4 at http://"))?;
    if !is_shown {
        return Some(Vec::new());
    }
    let mut said = Vec::new();
    loop {
        let line = lines.next()?;
        let is_last = line.contains("Sign in at");
        said.push(line);
        if is_last {
            return Some(said);
        }
    }
}

/// A loopback address that nobody has.
fn free() -> std::io::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// The first process of the private cluster in a folder, the folder of its programs, and that of
/// its socket.
fn cluster(data: &Path) -> Result<(u32, PathBuf, String), String> {
    let lock = data.join("postgres/postmaster.pid");
    let told = |error: std::io::Error| format!("{}: {error}", lock.display());
    let text = fs::read_to_string(&lock).map_err(told)?;
    let line = |number| text.lines().nth(number).unwrap_or_default().trim().to_owned();
    let postmaster: u32 = line(0).parse().map_err(|_| "no process in postmaster.pid")?;
    let program = fs::read_link(format!("/proc/{postmaster}/exe")).map_err(told)?;
    let programs = program.parent().unwrap_or(Path::new("/")).to_owned();
    Ok((postmaster, programs, line(4)))
}
