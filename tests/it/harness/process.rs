//! The real binary, for tests that kill it.

use super::cluster::{TestDatabase, postmaster_pid};
use super::{FhirClient, Reply};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// A server process; stopped when dropped, with its private cluster.
pub struct ServerProcess {
    pub client: FhirClient,
    child: Child,
    data: Option<PathBuf>,
}

impl ServerProcess {
    /// On a private cluster in `data`.
    pub fn start_in(data: &Path) -> ServerProcess {
        let arguments = ["--data".to_owned(), data.to_str().unwrap().to_owned()];
        let started = ServerProcess::start(command(&arguments));
        let mut process = started.unwrap_or_else(|status| panic!("the server ended: {status}"));
        process.data = Some(data.to_owned());
        process
    }

    /// On a private cluster that cannot be used; returns how the server ended and what it said.
    pub fn refused_in(data: &Path) -> (ExitStatus, String) {
        let arguments = ["--data".to_owned(), data.to_str().unwrap().to_owned()];
        let output = command(&arguments).stderr(Stdio::piped()).output().unwrap();
        (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Runs another command on a database of the tests' cluster to its end; returns how it
    /// ended and what it said.
    pub fn command_on(database: &TestDatabase, arguments: &[&str]) -> (ExitStatus, String) {
        let mut command = clean_command();
        command.args(arguments).args(["--log", "warn"]);
        command.env("DATABASE_URL", database.url());
        command.env("BHN_OWNER_DATABASE_URL", database.owner_url());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8_lossy(&said).into_owned())
    }

    /// On a database of the tests' cluster.
    pub fn start_on(database: &TestDatabase) -> ServerProcess {
        ServerProcess::start_on_with(database, &[])
    }

    /// On a database of the tests' cluster, for callers who sign in.
    pub fn start_signed_in(database: &TestDatabase, arguments: &[&str]) -> ServerProcess {
        let mut command = clean_command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]).args(arguments);
        command.env("BHN_AUDIT_DURABILITY", "database");
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let started = ServerProcess::start(on_database(command, database));
        started.unwrap_or_else(|status| panic!("the server ended: {status}"))
    }

    /// With a variable that it does not start with; returns what it said.
    pub fn refused_with(database: &TestDatabase, variable: (&str, &str)) -> String {
        let mut command = clean_command();
        command.args(["serve", "--listen", "127.0.0.1:0"]).env(variable.0, variable.1);
        command.env("BHN_AUDIT_DURABILITY", "database");
        let output = on_database(command, database).stdin(Stdio::null()).output().unwrap();
        assert!(!output.status.success(), "it starts");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// As with [`ServerProcess::start_on`], with further arguments.
    pub fn start_on_with(database: &TestDatabase, arguments: &[&str]) -> ServerProcess {
        let started = ServerProcess::start(command_on(database, arguments));
        started.unwrap_or_else(|status| panic!("the server ended: {status}"))
    }

    /// The same, with what it logs at a level, as JSON in a file.
    pub fn start_logging(
        database: &TestDatabase,
        arguments: &[&str],
        (level, file): (&str, &Path),
    ) -> ServerProcess {
        let mut command = command_on(database, arguments);
        command.env("BHN_LOG", level).env("BHN_LOG_FORMAT", "json");
        command.stderr(std::fs::File::create(file).unwrap());
        ServerProcess::start(command).unwrap_or_else(|status| panic!("the server ended: {status}"))
    }

    /// With arguments that it does not start with; returns how it ended and what it said.
    pub fn refused_on(database: &TestDatabase, arguments: &[&str]) -> (ExitStatus, String) {
        let output = command_on(database, arguments).stderr(Stdio::piped()).output().unwrap();
        (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The same, and nobody waits until it serves: it answers nothing.
    pub fn begin_on(database: &TestDatabase) -> ServerProcess {
        let mut command = command_on(database, &[]);
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        ServerProcess { client: FhirClient::new("http://127.0.0.1:1"), child, data: None }
    }

    /// Waits until the server says where it listens.
    fn start(mut command: Command) -> Result<ServerProcess, ExitStatus> {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while let Some(Ok(line)) = lines.next() {
            if let Some((_, base)) = line.split_once("serves FHIR R4 at ") {
                let client = FhirClient::new(base.trim());
                return Ok(ServerProcess { client, child, data: None });
            }
        }
        Err(child.wait().unwrap())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process as a loss of power would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to stop, and returns how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        signal(self.child.id(), "TERM");
        let started = Instant::now();
        while started.elapsed() < STOPPED_WITHIN {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the server does not stop");
    }

    /// Ends the private cluster as a loss of power would.
    pub fn kill_postmaster(&self) {
        super::kill_postmaster(self.data.as_ref().expect("the server has a private cluster"));
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.client.get(path).await
    }

    pub async fn is_alive(&self) -> bool {
        let reply = self.client.get_beside("/livez").await;
        reply.status() == 200
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let Ok(None) = self.child.try_wait() else {
            // A killed server leaves its cluster; the folder is about to go.
            if let Some(data) = self.data.as_ref().filter(|data| data.exists()) {
                end_cluster(data);
            }
            return;
        };
        signal(self.child.id(), "TERM");
        let started = Instant::now();
        while started.elapsed() < STOPPED_WITHIN && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command_on(database: &TestDatabase, arguments: &[&str]) -> Command {
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    on_database(command(&arguments), database)
}

fn on_database(mut command: Command, database: &TestDatabase) -> Command {
    command.env("DATABASE_URL", database.url());
    command.env("BHN_OWNER_DATABASE_URL", database.owner_url());
    command.env("BHN_POOL", "4").env("BHN_SEARCH_POOL", "2");
    command
}

/// `kill` is a command of every shell, a program of its own only of some systems.
pub fn signal(process: u32, name: &str) {
    let script = format!("kill -{name} {process}");
    Command::new("/bin/sh").args(["-c", &script]).stderr(Stdio::null()).status().unwrap();
}

fn end_cluster(data: &Path) {
    if data.join("postgres/postmaster.pid").exists() {
        signal(postmaster_pid(data), "QUIT");
    }
}

/// The binary without the settings of whoever runs the tests.
fn clean_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bhn-fhir"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("BHN_") || text == "DATABASE_URL" {
            command.env_remove(&name);
        }
    }
    command
}

fn command(arguments: &[String]) -> Command {
    let mut command = clean_command();
    command.args(["serve", "--listen", "127.0.0.1:0", "--insecure-no-auth"]).args(arguments);
    command.env("BHN_LOG", "warn").stdin(Stdio::null()).stderr(Stdio::null());
    command
}
