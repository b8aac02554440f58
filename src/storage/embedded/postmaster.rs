//! The running cluster: started as a child, watched, started again when it dies, stopped.

use super::cluster::{Cluster, run};
use super::settings;
use crate::storage::StartError;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// Crash recovery replays at most `max_wal_size`, which takes seconds to minutes.
const READY_WITHIN: Duration = Duration::from_secs(600);
/// A fast shutdown ends sessions and writes a checkpoint.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);
/// Backends see within moments that their postmaster is gone, unless a statement holds them.
const ORPHANS_GONE_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);
/// Starts that may fail in a row, each after the remains of the one before are settled.
const START_ATTEMPTS: u32 = 3;
const LOG_TAIL_LINES: usize = 8;

/// A postmaster that accepts connections.
pub struct Postmaster {
    child: Child,
}

impl Postmaster {
    /// Ends what an earlier server left running, then starts the cluster and waits until it
    /// accepts connections.
    pub fn start(cluster: &Cluster) -> Result<Postmaster, StartError> {
        cluster.configure(&cluster.pgdata)?;
        let mut attempt = 1;
        loop {
            settle(cluster)?;
            match Postmaster::launch(cluster) {
                Err(error @ StartError::Postmaster { .. }) if attempt < START_ATTEMPTS => {
                    tracing::warn!(%error, attempt, "the private PostgreSQL is started again");
                    attempt += 1;
                    std::thread::sleep(Duration::from_millis(300));
                }
                result => return result,
            }
        }
    }

    fn launch(cluster: &Cluster) -> Result<Postmaster, StartError> {
        let log = cluster.folder.open_log()?;
        let log_path = cluster.folder.log_path();
        let errors = log.try_clone().map_err(StartError::file(&log_path))?;
        let mut command = cluster.command("postgres");
        command.arg("-D").arg(&cluster.pgdata);
        let socket = format!("unix_socket_directories={}", cluster.socket.display());
        for setting in settings::FIXED.iter().copied().chain([socket.as_str()]) {
            command.args(["-c", setting]);
        }
        // A group of its own: an interrupt from the terminal is for the server alone, which
        // drains its requests before it stops the cluster.
        command.stdout(log).stderr(errors).process_group(0);
        let said_before = fs::metadata(&log_path).map_or(0, |metadata| metadata.len());
        let child = command.spawn().map_err(StartError::file(command.get_program()))?;
        let mut postmaster = Postmaster { child };
        match postmaster.is_ready_in_time(&cluster.pgdata) {
            true => Ok(postmaster),
            false => {
                let _ = postmaster.child.kill();
                let _ = postmaster.child.wait();
                let tail = tail(&log_path, said_before);
                Err(StartError::Postmaster { log: log_path, tail })
            }
        }
    }

    /// Waits until it accepts connections; false where it ends, or takes too long.
    fn is_ready_in_time(&mut self, pgdata: &Path) -> bool {
        let started = Instant::now();
        let mut said = Duration::from_secs(10);
        while started.elapsed() < READY_WITHIN && self.exited().is_none() {
            if is_ready(pgdata, self.child.id()) {
                return true;
            }
            if started.elapsed() > said {
                tracing::warn!(seconds = said.as_secs(), "PostgreSQL is still recovering");
                said += Duration::from_secs(10);
            }
            std::thread::sleep(POLL);
        }
        false
    }

    /// How it ended, or None while it runs.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Fast shutdown: sessions are ended, what was acknowledged is kept. Killed where that
    /// takes too long, which loses nothing either: the next start recovers.
    pub fn stop(&mut self, cluster: &Cluster) {
        for (signal, patience) in [("INT", STOPPED_WITHIN), ("QUIT", Duration::from_secs(5))] {
            if let Err(error) = signal_process(cluster, self.child.id(), signal) {
                tracing::warn!(%error, signal, "PostgreSQL could not be signalled");
            }
            let started = Instant::now();
            while started.elapsed() < patience {
                if self.exited().is_some() {
                    return;
                }
                std::thread::sleep(POLL);
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The eighth line of `postmaster.pid` is its state, the first its process.
fn is_ready(pgdata: &Path, process: u32) -> bool {
    let Ok(text) = fs::read_to_string(pgdata.join("postmaster.pid")) else { return false };
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(process.to_string().as_str()) && lines.nth(6) == Some("ready")
}

/// Ends a postmaster, or backends without one, that an earlier server left behind, and removes
/// its lock files. The data folder's lock is held, so nobody can start another meanwhile. The
/// processes are told by their working directory, because a process id alone may by now be
/// another program's.
fn settle(cluster: &Cluster) -> Result<(), StartError> {
    let pid_path = cluster.pgdata.join("postmaster.pid");
    let started = Instant::now();
    let mut asked = 0;
    loop {
        let Some(running) = processes_in(&cluster.pgdata) else {
            // Without /proc, PostgreSQL judges its lock file itself.
            return Ok(());
        };
        if running.is_empty() {
            // PostgreSQL takes a lock file for good as long as any process, be it a zombie,
            // has the number in it.
            for path in [&pid_path, &cluster.socket_lock()] {
                let _ = fs::remove_file(path);
            }
            return Ok(());
        }
        let postmaster = fs::read_to_string(&pid_path)
            .ok()
            .and_then(|text| text.lines().next()?.trim().parse::<u32>().ok())
            .filter(|process| running.contains(process));
        match postmaster {
            Some(process) if asked == 0 => {
                tracing::warn!(process, "stopping the PostgreSQL that an earlier server left");
                signal_process(cluster, process, "INT")?;
                asked = 1;
            }
            None if asked < 2 && started.elapsed() > ORPHANS_GONE_WITHIN => {
                quit(cluster, &running);
                asked = 2;
            }
            Some(_) if asked < 2 && started.elapsed() > STOPPED_WITHIN => {
                quit(cluster, &running);
                asked = 2;
            }
            _ if started.elapsed() > STOPPED_WITHIN + ORPHANS_GONE_WITHIN => {
                return Err(StartError::Cluster(format!(
                    "processes of an earlier PostgreSQL in {} do not end: {running:?}",
                    cluster.pgdata.display()
                )));
            }
            _ => {}
        }
        std::thread::sleep(POLL);
    }
}

fn quit(cluster: &Cluster, processes: &[u32]) {
    for process in processes {
        let _ = signal_process(cluster, *process, "QUIT");
    }
}

/// Processes that work in the folder: the postmaster and its children. None without /proc.
fn processes_in(pgdata: &Path) -> Option<Vec<u32>> {
    let entries = fs::read_dir("/proc").ok()?;
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let works_there =
        |id: &u32| fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|folder| folder == pgdata);
    Some(ids.filter(works_there).collect())
}

/// `pg_ctl` comes with every server, `kill` does not.
fn signal_process(cluster: &Cluster, process: u32, signal: &str) -> Result<(), StartError> {
    let mut command = cluster.command("pg_ctl");
    command.args(["kill", signal, &process.to_string()]);
    run(&mut command).map(|_| ())
}

/// The last lines that were written after `offset`.
fn tail(log: &Path, offset: u64) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(text.get(offset as usize..).unwrap_or_default());
    let lines: Vec<_> = text.lines().rev().take(LOG_TAIL_LINES).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_read_for_the_own_process_only() {
        let folder = tempfile::tempdir().unwrap();
        let state = "7\n/data\n1700000000\n5432\n/data/socket\n\n  1  2\nready   \n";
        fs::write(folder.path().join("postmaster.pid"), state).unwrap();
        assert!(is_ready(folder.path(), 7));
        assert!(!is_ready(folder.path(), 8));
        fs::write(folder.path().join("postmaster.pid"), state.replace("ready", "starting"))
            .unwrap();
        assert!(!is_ready(folder.path(), 7));
    }
}
