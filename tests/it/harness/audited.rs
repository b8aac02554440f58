//! A server with an audit.

use super::{TestDatabase, TestServer};
use bhn_fhir::audit::Event;
use bhn_fhir::config::{AuditDurability, AuditSettings, Settings};
use bhn_fhir::jobs::audit::ship_all;
use bhn_fhir::storage::AuditScope;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Of the key file of test servers.
pub const KEY: [u8; 32] = [7; 32];

/// A server that writes down what it does, and the folder of its journal. Nothing is shipped or
/// sealed but by the test.
pub struct Audited {
    server: TestServer,
    pub folder: TempDir,
}

impl Audited {
    pub async fn start() -> Audited {
        Audited::start_with(|_| {}, |_| {}).await
    }

    /// With settings of the audit, and of the server, other than the defaults.
    pub async fn start_with(
        audit: impl FnOnce(&mut AuditSettings),
        change: impl FnOnce(&mut Settings),
    ) -> Audited {
        let folder = tempfile::tempdir().unwrap();
        Audited::on(Arc::new(TestDatabase::clone_template()), folder, (audit, change)).await
    }

    /// On a database and a folder that are there.
    pub async fn on(
        database: Arc<TestDatabase>,
        folder: TempDir,
        (audit, change): (impl FnOnce(&mut AuditSettings), impl FnOnce(&mut Settings)),
    ) -> Audited {
        let mut settings = AuditSettings {
            folder: Some(folder.path().to_owned()),
            durability: AuditDurability::Journal,
            ..AuditSettings::default()
        };
        audit(&mut settings);
        let server = TestServer::on(database, |all| {
            all.audit = Some(settings);
            change(all);
        });
        Audited { server: server.await, folder }
    }

    /// The folder of a server that is stopped.
    pub fn into_folder(self) -> TempDir {
        self.folder
    }

    /// Brings the journal to the database.
    pub async fn ship(&self) -> usize {
        ship_all(&self.context).await.unwrap()
    }

    /// Seals what is in the database.
    pub async fn seal(&self) -> usize {
        self.ship().await;
        let mut connection = self.database.connect().await;
        // Transactions of other tests are in the way: a seal waits for what was there before it.
        let sql = "select coalesce(max(xid), 0) \
                   < pg_snapshot_xmin(pg_current_snapshot())::text::bigint \
                   from audit_event";
        while !sqlx::query_scalar::<_, bool>(sql).fetch_one(&mut connection).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.context.store.seal_audit(self.context.clock.precise()).await.unwrap()
    }

    /// Every event that the database has, in order of time.
    pub async fn events(&self) -> Vec<Event> {
        self.ship().await;
        let always = (chrono::DateTime::UNIX_EPOCH, chrono::DateTime::<chrono::Utc>::MAX_UTC);
        let store = &self.context.store;
        let keys = store.audit_keys(&[KEY]).await.unwrap();
        let found = store.export_audit(always, (None, 100_000), Some(&keys)).await.unwrap();
        found.into_iter().map(|(_, event)| event).collect()
    }

    /// The events of the requests that come while the future runs.
    pub async fn events_of<T>(&self, work: impl Future<Output = T>) -> (T, Vec<Event>) {
        let before = self.events().await.len();
        let done = work.await;
        (done, self.events().await.split_off(before))
    }

    /// The one event of a request.
    pub async fn event_of<T>(&self, work: impl Future<Output = T>) -> (T, Event) {
        let (done, mut events) = self.events_of(work).await;
        assert_eq!(events.len(), 1, "{events:?}");
        (done, events.remove(0))
    }

    /// Runs SQL as a superuser, who may do everything.
    pub async fn tamper(&self, sql: &str) {
        let mut connection = self.database.administer().await;
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }

    /// What verification finds, a line each.
    pub async fn findings(&self) -> Vec<String> {
        self.findings_by(None).await
    }

    /// The same, held to copies of seals.
    pub async fn findings_by(&self, copies: Option<&std::path::Path>) -> Vec<String> {
        let mut found = Vec::new();
        let always = (chrono::DateTime::UNIX_EPOCH, chrono::DateTime::<chrono::Utc>::MAX_UTC);
        let mut tell = |finding: &bhn_fhir::storage::AuditFinding| found.push(finding.to_string());
        let store = &self.context.store;
        let scope = AuditScope { within: always, keys: &[], copies };
        let (count, _) = store.verify_audit(scope, &mut tell).await.unwrap();
        assert_eq!(count as usize, found.len());
        found
    }
}

impl Deref for Audited {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.server
    }
}
