//! Connections to the database, shared by requests.
//!
//! sqlx's own pool asks the server whether a connection still lives each time one is given
//! back: a second round trip for every statement, which is most of what a read by id costs.
//! Here that is asked only of a connection that was dropped without [`Pooled::release`], of
//! which nobody knows what it was doing. docs/decisions/0005-connection-pool.md

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Longer than this nobody waits for a connection to end, or to say that it lives.
const ENDED_WITHIN: Duration = Duration::from_secs(5);

/// A connection that is asked has to answer within this time.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// Used that shortly ago, a connection is taken to live; after a longer rest it is asked, so
/// that a database that was started again meanwhile fails no request. A network that went
/// silent is noticed so, too, which the kernel does only after a quarter of an hour.
const TRUSTED_FOR: Duration = Duration::from_millis(100);

/// A statement to be cancelled that nearly is at its end may get there.
const NEAR_ITS_END: Duration = Duration::from_millis(50);
/// How often the database looks whether the client of a statement under way is still there, in
/// milliseconds: one that is to be cancelled is by then.
pub const LOOKS_FOR_CLIENT_MS: u64 = 500;

/// Bounds of a pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolBounds {
    pub connections: u32,
    /// Who waits longer for a connection is refused.
    pub acquire_within: Duration,
    /// Connections that nobody needed for so long are closed.
    pub idle_for: Duration,
    /// The database ends a statement by then. One that nobody waits for any more keeps its
    /// place so long, or there would be more statements under way than places. None: such a
    /// statement is cancelled.
    pub finishes_within: Option<Duration>,
}

/// Open connections, given out one at a time.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    options: PgConnectOptions,
    bounds: PoolBounds,
    places: Arc<Semaphore>,
    /// The one used last is taken first, so that those beyond need grow old.
    idle: Mutex<Vec<Idle>>,
    is_closed: AtomicBool,
}

struct Idle {
    connection: PgConnection,
    since: Instant,
}

/// A connection of a pool; goes back to it when dropped.
pub struct Pooled {
    connection: Option<PgConnection>,
    pool: Pool,
    place: Option<OwnedSemaphorePermit>,
    /// A transaction is open, to be rolled back where this is dropped.
    is_in_transaction: bool,
    /// When it was last asked for something.
    used: Instant,
}

impl Pool {
    /// Opens the first connection, so that a database that cannot be used is known at start.
    pub async fn open(options: PgConnectOptions, bounds: PoolBounds) -> Result<Pool, sqlx::Error> {
        let pool = Pool(Arc::new(Shared {
            options,
            bounds,
            places: Arc::new(Semaphore::new(bounds.connections as usize)),
            idle: Mutex::new(Vec::new()),
            is_closed: AtomicBool::new(false),
        }));
        pool.acquire().await?.release();
        Ok(pool)
    }

    /// A connection of one's own. `PoolTimedOut` where none comes free in time.
    pub async fn acquire(&self) -> Result<Pooled, sqlx::Error> {
        let places = self.0.places.clone();
        let place = match places.clone().try_acquire_owned() {
            Ok(place) => place,
            Err(_) => timeout(self.0.bounds.acquire_within, places.acquire_owned())
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)?
                .map_err(|_| sqlx::Error::PoolClosed)?,
        };
        if self.0.is_closed.load(Ordering::Acquire) {
            return Err(sqlx::Error::PoolClosed);
        }
        let connection = match self.living().await {
            Some(connection) => connection,
            None => timeout(self.0.bounds.acquire_within, self.0.options.connect())
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)??,
        };
        let pool = self.clone();
        let (connection, place) = (Some(connection), Some(place));
        Ok(Pooled { connection, pool, place, is_in_transaction: false, used: Instant::now() })
    }

    /// The connection used last; after a rest only one that answers.
    async fn living(&self) -> Option<PgConnection> {
        loop {
            let idle = self.idle().pop()?;
            let mut connection = idle.connection;
            if idle.since.elapsed() < TRUSTED_FOR {
                return Some(connection);
            }
            if let Ok(Ok(())) = timeout(ANSWERS_WITHIN, connection.ping()).await {
                return Some(connection);
            }
            self.idle().clear();
        }
    }

    /// Ends all connections, after the requests that hold them.
    pub async fn close(&self) {
        self.0.is_closed.store(true, Ordering::Release);
        let _ = self.0.places.acquire_many(self.0.bounds.connections).await;
        self.0.places.close();
        let idle = std::mem::take(&mut *self.idle());
        for idle in idle {
            end(idle.connection).await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Takes a connection back that is ready for the next statement, and ends one that has
    /// been idle for long.
    fn put(&self, connection: PgConnection) {
        let now = Instant::now();
        let old = {
            let mut idle = self.idle();
            idle.push(Idle { connection, since: now });
            let is_old = now.duration_since(idle[0].since) > self.0.bounds.idle_for;
            is_old.then(|| idle.remove(0))
        };
        if let Some(old) = old {
            tokio::spawn(end(old.connection));
        }
    }
}

async fn end(connection: PgConnection) {
    let _ = timeout(ENDED_WITHIN, connection.close()).await;
}

impl Pooled {
    /// Gives the connection back at once. For the caller whose last statement has ended well
    /// and left no transaction open.
    pub fn release(mut self) {
        if let (false, Some(connection)) = (self.is_in_transaction, self.connection.take()) {
            self.pool.put(connection);
        }
    }

    /// Opens a transaction.
    pub async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.is_in_transaction = true;
        sqlx::raw_sql("begin").execute(&mut **self).await.map(drop)
    }

    /// Commits it and gives the connection back. After an error it is not known whether the
    /// changes are stored.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("commit").execute(&mut *self).await?;
        self.is_in_transaction = false;
        self.release();
        Ok(())
    }
}

impl Deref for Pooled {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().unwrap_or_else(|| unreachable!("held until dropped"))
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.used = Instant::now();
        self.connection.as_mut().unwrap_or_else(|| unreachable!("held until dropped"))
    }
}

/// Nobody knows what the connection was doing: its statement is waited for or cancelled, as the
/// pool has it, its transaction rolled back, and where that fails it is closed.
impl Drop for Pooled {
    fn drop(&mut self) {
        let (Some(mut connection), place) = (self.connection.take(), self.place.take()) else {
            return;
        };
        let (pool, is_in_transaction) = (self.pool.clone(), self.is_in_transaction);
        let patience = match pool.0.bounds.finishes_within {
            Some(limit) => limit.saturating_sub(self.used.elapsed()) + ENDED_WITHIN,
            None => NEAR_ITS_END,
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            match timeout(patience, make_ready(&mut connection, is_in_transaction)).await {
                Ok(Ok(())) => pool.put(connection),
                // The others were most likely lost with it, as by a restart of the database.
                Ok(Err(_)) => pool.idle().clear(),
                Err(_) => {
                    drop(connection);
                    tokio::time::sleep(Duration::from_millis(LOOKS_FOR_CLIENT_MS)).await;
                }
            }
            drop(place);
        });
    }
}

/// What a statement failed with that nobody waited for is told to the next one, which does not
/// run: it is sent once more.
async fn make_ready(
    connection: &mut PgConnection,
    is_in_transaction: bool,
) -> Result<(), sqlx::Error> {
    match settle(connection, is_in_transaction).await {
        Err(sqlx::Error::Database(_)) => settle(connection, is_in_transaction).await,
        result => result,
    }
}

async fn settle(connection: &mut PgConnection, is_in_transaction: bool) -> Result<(), sqlx::Error> {
    match is_in_transaction {
        true => sqlx::raw_sql("rollback").execute(connection).await.map(drop),
        false => connection.ping().await,
    }
}
