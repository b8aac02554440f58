//! Every write of the server: changes, with history and index rows, in one statement.
//!
//! A change of an existing resource names the version it replaces; where another writer was
//! faster the statement changes nothing and says so, and the caller plans anew from what is
//! there now. Versions are therefore contiguous and never fork.

pub mod answers;
mod carers;
pub mod change;
pub mod contained;
mod copy;
pub mod index_rows;
pub mod intern;
pub mod links;
pub mod sql;
mod text_keys;
mod tsvector;
pub mod under_way;

pub use text_keys::OWN_TEXTS;

use super::audit::{AuditRow, insert as audit_insert};
use super::failure::{is_lost_race, of_sqlx};
use super::gather::Batch;
use super::pool::{Pool, Pooled};
use super::statement::Statement;
use super::store::{Connection, Place, Store, Stored};
use crate::access::{Caller, Writer};
use crate::audit::{Action, Touched};
use crate::error::{FhirError, Result};
use crate::fhir::resource::{Id, ResourceKey};
use crate::search::IndexRows;
use change::{Before, Change};
use contained::Sides;
use index_rows::{Ids, Resolved, SideRows};
use links::Links;
use sql::GENERATION;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A request with more creates than this has a statement of its own.
const FEW: usize = 8;

/// Whether changes were stored, or another writer came first and nothing was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Applied {
    Yes,
    LostRace,
}

/// An advisory lock; who writes what it names takes it first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lock {
    /// A resource that may not exist yet; stubs of references take the same.
    Key(ResourceKey),
    /// The hash of criteria, of an identifier, or of anything else that writers agree on.
    Number(i64),
}

/// A change whose names are replaced by surrogate ids.
pub struct Staged {
    pub change: Change,
    pub(super) after: Resolved,
    pub(super) added: Sides,
    pub(super) removed: Sides,
    /// True where all rows of side tables go, whatever they are.
    pub(super) clears_side: bool,
    /// True where there may be rows of contained resources that go.
    pub(super) replaces_contained: bool,
    pub(super) links: Links,
    pub(super) body: Vec<u8>,
    /// The event that is stored with the change, or with the set that begins with it.
    pub audit: Option<AuditRow>,
}

/// One database transaction, holding its locks until its end.
pub struct Unit {
    connection: Pooled,
}

impl Lock {
    fn key(&self) -> Option<&ResourceKey> {
        match self {
            Lock::Key(key) => Some(key),
            Lock::Number(_) => None,
        }
    }

    fn number(&self) -> Option<i64> {
        match self {
            Lock::Key(_) => None,
            Lock::Number(number) => Some(*number),
        }
    }
}

impl Store {
    /// Gives every coded value and reference target of the changes its id, in transactions of
    /// their own; two statements at most, none where all are known.
    pub async fn stage(&self, changes: Vec<Change>) -> Result<Vec<Staged>> {
        let known = changes.iter().map(|change| (&change.key, change.rid)).collect();
        let rows: Vec<&IndexRows> = changes
            .iter()
            .flat_map(|change| {
                let before = change.before.as_ref().map(|before| &before.rows);
                change.content.iter().map(|content| &content.rows).chain(before)
            })
            .collect();
        let ids = self.intern(&rows, known).await?;
        let resolved: Vec<(Resolved, Resolved)> =
            changes.iter().map(|change| resolved(change, &ids)).collect();
        let staged = changes.into_iter().zip(resolved);
        staged.map(|(change, resolved)| self.staged(change, resolved)).collect()
    }

    fn staged(&self, change: Change, resolved: (Resolved, Resolved)) -> Result<Staged> {
        let (mut before, mut after) = resolved;
        let before_differs = |b: &Before| b.generation != GENERATION || b.is_unsettled;
        let clears_side = change.before.as_ref().is_some_and(before_differs);
        if clears_side {
            // What is stored was extracted by other rules: all of it goes.
            before.side = SideRows::default();
            before.contained.clear();
        }
        let replaces_contained = clears_side || !before.contained.is_empty();
        if change.content.is_none() {
            // A deleted row keeps its stamps and loses its keys.
            after.row.subject_rids = before.row.subject_rids.clone();
            after.row.labels = before.row.labels.clone();
            after.row.profiles = before.row.profiles.clone();
        }
        let links = Links::of(&change, &before, &mut after);
        let body = match &change.content {
            Some(content) => self.codec.compress(&content.json)?,
            None => Vec::new(),
        };
        let (added, removed) = match change.before {
            None => (contained::whole(change.rid, &mut after), Sides::new()),
            Some(_) => {
                let rid = change.rid;
                (contained::rest(rid, &after, &before), contained::rest(rid, &before, &after))
            }
        };
        Ok(Staged {
            change,
            after,
            added,
            removed,
            clears_side,
            replaces_contained,
            links,
            body,
            audit: None,
        })
    }

    /// Keeps the rids of what was committed at hand, for references to it; tells the audit.
    pub fn remember(&self, staged: &[Staged]) {
        if let Some(audit) = &self.audit {
            staged.iter().filter_map(|one| one.audit.as_ref()).for_each(|row| audit.stored(row));
        }
        for staged in staged.iter().filter(|staged| staged.change.is_create()) {
            self.interned.remember(&staged.change.key, staged.change.rid);
        }
    }

    /// Whether [`Store::apply_alone`] takes these changes.
    pub fn is_for_one_statement(staged: &[Staged]) -> bool {
        staged.len() == 1 || staged.iter().all(|staged| staged.change.is_create())
    }

    /// Stores one change, or several creates, by one statement without a transaction around
    /// it: a lone update changes nothing where it lost its race, and a create that did fails.
    /// Creates share a statement with those that other requests bring at the same time.
    pub async fn apply_alone(&self, staged: Vec<Staged>) -> Result<Applied> {
        let are_creates = staged.iter().all(|staged| staged.change.is_create());
        if are_creates && staged.len() <= FEW {
            self.has_written.store(true, Ordering::Relaxed);
            let (applied, staged) = self.creates.submit(staged).await?;
            if applied == Applied::Yes {
                self.remember(&staged);
            }
            return Ok(applied);
        }
        let mut connection = self.connection().await?;
        let applied = self.apply_on(&mut connection, &staged).await?;
        connection.release();
        if applied == Applied::Yes {
            self.remember(&staged);
        }
        Ok(applied)
    }

    /// Opens a transaction and takes the locks, in one order for all writers.
    pub async fn begin(&self, locks: &[Lock]) -> Result<Unit> {
        let mut connection = self.connection().await?;
        connection.begin().await.map_err(of_sqlx)?;
        if !locks.is_empty() {
            let keys = || locks.iter().filter_map(Lock::key);
            let numbers: Vec<i64> = locks.iter().filter_map(Lock::number).collect();
            let types: Vec<i16> = keys().map(|key| key.resource_type.number()).collect();
            let ids: Vec<&str> = keys().map(|key| key.id.as_str()).collect();
            sqlx::query(include_str!("../sql/lock_take.sql"))
                .bind(numbers)
                .bind(types)
                .bind(ids)
                .execute(&mut *connection)
                .await
                .map_err(of_sqlx)?;
        }
        Ok(Unit { connection })
    }

    /// Stores all changes inside the unit, by one statement, or by one for each table. After a
    /// lost race the unit can only be dropped.
    pub async fn apply(&self, unit: &mut Unit, staged: &[Staged]) -> Result<Applied> {
        if !copy::is_for_copy(staged) {
            return self.apply_on(&mut unit.connection, staged).await;
        }
        self.has_written.store(true, Ordering::Relaxed);
        let copied = copy::copy(&mut unit.connection, staged, self.place).await;
        if let Err(error) = copied {
            return settled(Err(error));
        }
        let rows = staged.iter().filter_map(|one| one.audit.as_ref()).collect::<Vec<_>>();
        let audited = audit_insert(&mut unit.connection, &rows, self.place.epoch).await;
        settled(audited.map(|_| Applied::Yes))
    }

    async fn apply_on(&self, connection: &mut Connection, staged: &[Staged]) -> Result<Applied> {
        if staged.is_empty() {
            return Ok(Applied::Yes);
        }
        self.has_written.store(true, Ordering::Relaxed);
        let staged: Vec<&Staged> = staged.iter().collect();
        settled(execute(connection, &staged, self.place).await)
    }
}

/// The index rows of a change, of the version before and of the new one.
fn resolved(change: &Change, ids: &Ids) -> (Resolved, Resolved) {
    let before = change.before.as_ref().map(|before| ids.resolve(change.rid, &before.rows));
    let after = change.content.as_ref().map(|content| ids.resolve(change.rid, &content.rows));
    (before.unwrap_or_default(), after.unwrap_or_default())
}

/// All changes by one statement.
async fn execute(
    connection: &mut Connection,
    staged: &[&Staged],
    place: Place,
) -> std::result::Result<Applied, sqlx::Error> {
    let mut statement = Statement::default();
    sql::compose(&mut statement, staged, place);
    let (text, arguments) = statement.into_parts()?;
    let query = sqlx::query_scalar_with(sqlx::AssertSqlSafe(text), arguments);
    let applied: i64 = query.fetch_one(connection).await?;
    Ok(match applied == staged.len() as i64 {
        true => Applied::Yes,
        false => Applied::LostRace,
    })
}

/// Creates of several requests in one statement and one commit. Where the database refuses the
/// statement, each request has one of its own: what is wrong with one is not told to another.
pub struct Creates {
    pub(super) pool: Pool,
    pub(super) place: Place,
}

impl Batch for Creates {
    /// The creates of one request.
    type Item = Vec<Staged>;
    type Answer = (Applied, Vec<Staged>);

    /// What was begun for one is stored, whoever still waits.
    const IS_GIVEN_UP: bool = false;
    /// They share a commit, and wait for it.
    const PATIENCE: Option<Duration> = None;

    fn is_alike(_: &Vec<Staged>, _: &Vec<Staged>) -> bool {
        true
    }

    async fn run(&self, items: Vec<Vec<Staged>>) -> Vec<Result<(Applied, Vec<Staged>)>> {
        let together: Vec<&Staged> = items.iter().flatten().collect();
        let failure = match self.apply(&together).await {
            Ok(applied) => return items.into_iter().map(|item| Ok((applied, item))).collect(),
            Err(error) => error,
        };
        if items.len() > 1 && is_refused(&failure) {
            let mut answers = Vec::with_capacity(items.len());
            for item in items {
                let alone: Vec<&Staged> = item.iter().collect();
                let applied = self.apply(&alone).await;
                answers.push(settled(applied).map(|applied| (applied, item)));
            }
            return answers;
        }
        let mut items = items.into_iter();
        let mut answers: Vec<_> = Vec::with_capacity(items.len());
        answers.extend(items.next().map(|item| settled(Err(failure)).map(|a| (a, item))));
        let lost = || FhirError::unavailable("The database connection was lost");
        answers.extend(items.map(|_| Err(lost())));
        answers
    }
}

impl Creates {
    async fn apply(&self, staged: &[&Staged]) -> std::result::Result<Applied, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let applied = execute(&mut connection, staged, self.place).await?;
        connection.release();
        Ok(applied)
    }
}

/// True where the database itself answered, so that nothing of the statement is stored.
fn is_refused(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| !code.starts_with("57P") && !code.starts_with("08"))
}

fn settled(applied: std::result::Result<Applied, sqlx::Error>) -> Result<Applied> {
    match applied {
        Err(error) if is_lost_race(&error) => Ok(Applied::LostRace),
        other => other.map_err(of_sqlx),
    }
}

impl Staged {
    /// What the change does to which resource, and whom it is or was about.
    pub fn touched(&self) -> Touched {
        let Change { key, version, before, content, .. } = &self.change;
        let action = match (content, before) {
            (None, _) => Action::Delete,
            (Some(_), None) => Action::Create,
            (Some(_), Some(_)) => Action::Update,
        };
        let before = before.iter().flat_map(|before| &before.rows.subjects);
        let after = content.iter().flat_map(|content| &content.rows.subjects);
        let mut patients: Vec<Id> = before.chain(after).map(|key| key.id.clone()).collect();
        patients.sort_unstable();
        patients.dedup();
        Touched { key: key.clone(), version: Some(*version), action: Some(action), patients }
    }

    /// Only the index data of a version that is there: its side rows replace all others.
    pub(super) fn of_index(stored: Stored, mut after: Resolved) -> Staged {
        let added = contained::whole(stored.rid, &mut after);
        let links = Links::of_index(&stored, &mut after);
        let change = Change {
            rid: stored.rid,
            key: stored.key,
            version: stored.version,
            last_updated: stored.last_updated,
            adopts_stub: false,
            before: None,
            content: None,
            definitions: 0,
            writer: Arc::new(Writer::of(&Caller::Operator)),
        };
        let removed = Sides::new();
        let (clears_side, replaces_contained) = (true, true);
        Staged {
            change,
            after,
            added,
            removed,
            clears_side,
            replaces_contained,
            links,
            body: Vec::new(),
            audit: None,
        }
    }
}

impl Unit {
    /// The connection of the transaction.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Makes the changes durable. After an error it is not known whether they are.
    pub async fn commit(self) -> Result<Applied> {
        match self.connection.commit().await {
            Ok(()) => Ok(Applied::Yes),
            Err(error) if is_lost_race(&error) => Ok(Applied::LostRace),
            Err(error) => Err(of_sqlx(error)),
        }
    }
}
