//! One private cluster per run, a migrated template in it, and a clone for each test.
//!
//! The cluster must be gone after the run however that ends, and statics are not dropped at
//! the end of a process. So a watchdog reads from a pipe that this process alone holds: when
//! the pipe closes, it stops the cluster and removes its folder.

use super::store_settings;
use bhn_fhir::search::Registry;
use bhn_fhir::storage::{Database, EmbeddedPostgres, EmbeddedSettings, Store};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

const TEMPLATE: &str = "template_bhn_fhir";

static CLUSTER: OnceLock<Cluster> = OnceLock::new();

/// A database of one test; dropped with this value.
pub struct TestDatabase {
    pub database: Database,
    name: String,
}

struct Cluster {
    administration: Database,
    database: Database,
    orders: Sender<Order>,
    _watchdog: Child,
}

/// Databases are made and dropped one at a time.
enum Order {
    Make { name: String, template: &'static str, made: SyncSender<()> },
    Drop { name: String },
}

impl TestDatabase {
    /// Migrated, and filled as a server leaves it at its first start.
    pub fn clone_template() -> TestDatabase {
        TestDatabase::of(TEMPLATE)
    }

    /// Never migrated.
    pub fn empty() -> TestDatabase {
        TestDatabase::of("template0")
    }

    fn of(template: &'static str) -> TestDatabase {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("test_{number}");
        let cluster = CLUSTER.get_or_init(Cluster::start);
        let (made, is_made) = sync_channel(1);
        cluster.orders.send(Order::Make { name: name.clone(), template, made }).unwrap();
        is_made.recv().expect("the database was made");
        TestDatabase { database: cluster.database.named(&name), name }
    }

    /// A connection beside the server's own, as the role that owns the tables: it may change
    /// what a server may not.
    pub async fn connect(&self) -> PgConnection {
        self.database.owner_options().connect().await.unwrap()
    }

    /// A connection as the role that serves.
    pub async fn connect_as_application(&self) -> PgConnection {
        self.database.options().connect().await.unwrap()
    }

    /// The same database for servers whose one role owns the tables and serves.
    pub fn with_one_role(mut self) -> TestDatabase {
        self.database = Database::from_url(&self.owner_url()).unwrap();
        self
    }

    /// The same database, served by another role; dropped with whichever is dropped first.
    pub fn served_by(&self, role: &str) -> TestDatabase {
        let url = self.url().replacen(self.database.options().get_username(), role, 1);
        let database = Database::from_urls(&url, Some(&self.owner_url())).unwrap();
        TestDatabase { database, name: self.name.clone() }
    }

    /// How a server is told of the role that serves.
    pub fn url(&self) -> String {
        url_of(self.database.options())
    }

    /// How a server is told of the role that owns the tables.
    pub fn owner_url(&self) -> String {
        url_of(self.database.owner_options())
    }

    /// A connection as superuser.
    pub async fn administer(&self) -> PgConnection {
        let cluster = CLUSTER.get().expect("the cluster runs");
        cluster.administration.named(&self.name).options().connect().await.unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(cluster) = CLUSTER.get() {
            let _ = cluster.orders.send(Order::Drop { name: self.name.clone() });
        }
    }
}

impl Cluster {
    fn start() -> Cluster {
        let folder = folder().keep();
        let watchdog = watch(&folder);
        let settings = EmbeddedSettings { data: folder, search_path: search_path() };
        let embedded = EmbeddedPostgres::start(&settings).unwrap();
        let (administration, database) = (embedded.administration(), embedded.database());
        let (orders, received) = channel();
        let (ready, is_ready) = sync_channel(1);
        std::thread::spawn(move || administer(embedded, received, ready));
        is_ready.recv().expect("the template was made");
        Cluster { administration, database, orders, _watchdog: watchdog }
    }
}

/// A folder that the cluster's own user may pass, for runs as root.
pub fn folder() -> tempfile::TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("bhn-fhir-test-").permissions(std::fs::Permissions::from_mode(0o711));
    builder.tempdir().unwrap()
}

pub fn search_path() -> Option<OsString> {
    std::env::var_os("PATH")
}

/// The work of the one thread that has the administrative connection.
fn administer(embedded: EmbeddedPostgres, orders: Receiver<Order>, ready: SyncSender<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let options = embedded.administration().options().clone();
        let mut connection = options.connect().await.unwrap();
        // Commits of tests need not outlive the machine; fsync itself stays on.
        for role in ["bhn_fhir", "bhn_fhir_application"] {
            let sql = format!("alter role {role} set synchronous_commit = off");
            run(&mut connection, sql).await;
        }
        run(&mut connection, make(TEMPLATE, "template0")).await;
        let template = embedded.database().named(TEMPLATE);
        Store::open(&template, &Registry::r4().unwrap(), &store_settings())
            .await
            .unwrap()
            .close()
            .await;
        ready.send(()).unwrap();
        while let Ok(order) = orders.recv() {
            match order {
                Order::Make { name, template, made } => {
                    run(&mut connection, make(&name, template)).await;
                    let _ = made.send(());
                }
                Order::Drop { name } => {
                    let sql = format!("drop database if exists {name} with (force)");
                    run(&mut connection, sql).await;
                }
            }
        }
        let _ = connection.close().await;
    });
}

fn make(name: &str, template: &str) -> String {
    format!("create database {name} template {template} owner bhn_fhir")
}

async fn run(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

/// Through the cluster's socket.
fn url_of(options: &PgConnectOptions) -> String {
    let socket = options.get_socket().expect("the cluster has a socket");
    let encoded = socket.to_str().unwrap().replace('/', "%2F");
    let name = options.get_database().unwrap();
    format!("postgres://{}@{encoded}/{name}?sslmode=disable", options.get_username())
}

/// Only the shell's own commands: `kill` is one of them.
fn watch(folder: &Path) -> Child {
    let script = "cat >/dev/null; read pid <\"$1/postgres/postmaster.pid\" && kill -INT $pid; \
                  while kill -0 $pid 2>/dev/null && test -e \"$1/postgres/postmaster.pid\"; do \
                  sleep 0.1; done; rm -rf \"$1\"";
    Command::new("/bin/sh")
        .args(["-c", script, "watchdog"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

/// The cluster's folder of a data folder, through its link.
pub fn postmaster_pid(data: &Path) -> u32 {
    let path: PathBuf = data.join("postgres/postmaster.pid");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    text.lines().next().unwrap().trim().parse().unwrap()
}
