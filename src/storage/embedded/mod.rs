//! The private PostgreSQL of the default start: a cluster in the data folder, reached through a
//! unix socket that only its user may enter, run as a child of the server.
//!
//! A server that is killed leaves its postmaster running; the next start on the folder stops
//! that one first. A postmaster that dies is started again while the server runs.

mod binaries;
mod cluster;
mod folder;
mod owner;
mod postmaster;
mod roles;
mod settings;
mod upgrade;

pub use upgrade::{Upgrade, upgrade};

use super::{Database, StartError};
use cluster::Cluster;
use postmaster::Postmaster;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the postmaster is looked at.
const WATCH: Duration = Duration::from_millis(100);
/// Between restarts that fail, and before one where the last start was no longer ago.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Where a private cluster is, and where its programs may be.
#[derive(Clone, Debug)]
pub struct EmbeddedSettings {
    /// The data folder.
    pub data: PathBuf,
    /// The value of `PATH`.
    pub search_path: Option<OsString>,
}

/// A running private cluster; dropping it stops the cluster.
pub struct EmbeddedPostgres {
    socket: PathBuf,
    log: PathBuf,
    stop: Sender<()>,
    watcher: Option<JoinHandle<()>>,
}

impl EmbeddedPostgres {
    /// Makes the cluster where there is none, starts it, and makes the role that serves where
    /// that is missing. Blocks until the cluster accepts connections.
    pub fn start(settings: &EmbeddedSettings) -> Result<EmbeddedPostgres, StartError> {
        let cluster = Cluster::prepare(&settings.data, settings.search_path.as_deref())?;
        let postmaster = Postmaster::start(&cluster)?;
        let (socket, log) = (cluster.socket.clone(), cluster.folder.log_path());
        let (stop, stopped) = channel();
        let watcher = std::thread::Builder::new()
            .name("postgres-watch".to_owned())
            .spawn(move || watch(cluster, postmaster, stopped))
            .map_err(StartError::file(&log))?;
        let embedded = EmbeddedPostgres { socket, log, stop, watcher: Some(watcher) };
        roles::make(&embedded.administration())?;
        Ok(embedded)
    }

    /// The server's database in the cluster of a data folder that another process has taken
    /// now; None where nobody has.
    pub fn running(data: &Path) -> Option<Database> {
        folder::is_taken(data).then(|| roles::database(&data.join("socket")))
    }

    /// The server's database in the cluster.
    pub fn database(&self) -> Database {
        roles::database(&self.socket)
    }

    /// The cluster's first database, as its superuser.
    pub fn administration(&self) -> Database {
        Database::on_socket(&self.socket, cluster::SUPERUSER, cluster::SUPERUSER)
    }

    /// What the cluster says.
    pub fn log_path(&self) -> &Path {
        &self.log
    }
}

impl Drop for EmbeddedPostgres {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

/// Keeps the cluster running until told to stop, and then stops it. Requests meanwhile are
/// answered 503.
fn watch(cluster: Cluster, postmaster: Postmaster, stopped: Receiver<()>) {
    let mut running = Some(postmaster);
    let mut started = Instant::now();
    let mut pause = WATCH;
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
        pause = WATCH;
        if let Some(postmaster) = &mut running {
            let Some(status) = postmaster.exited() else { continue };
            let process = postmaster.process();
            tracing::error!(process, %status, "the private PostgreSQL ended; starting it again");
            running = None;
            if started.elapsed() < RESTART_PAUSE {
                pause = RESTART_PAUSE;
                continue;
            }
        }
        started = Instant::now();
        match Postmaster::start(&cluster) {
            Ok(postmaster) => {
                tracing::info!("the private PostgreSQL runs again");
                running = Some(postmaster);
            }
            Err(error) => {
                tracing::error!(%error, "the private PostgreSQL does not start");
                pause = RESTART_PAUSE;
            }
        }
    }
    if let Some(mut postmaster) = running {
        postmaster.stop(&cluster);
    }
}
