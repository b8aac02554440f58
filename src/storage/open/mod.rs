//! Opening the store: schema, names that the database keeps, dictionary, server key, pools.

mod database;
mod migrate;
mod roles;
mod start_error;

pub use database::Database;
pub use migrate::migrate;
pub use start_error::StartError;

use super::body::BodyCodec;
use super::gather::Gather;
use super::pool::{LOOKS_FOR_CLIENT_MS, Pool, PoolBounds};
use super::read::Reads;
use super::search::Pages;
use super::search::terms::Terms;
use super::store::{Place, Store};
use super::write::Creates;
use super::write::intern::Interned;
use super::write::sql::GENERATION;
use super::write::under_way::WritesUnderWay;
use crate::fhir::definitions::ResourceType;
use crate::search::Registry;
use migrate::connect;
use sqlx::{Connection, PgConnection};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

/// The dictionary that new bodies are compressed with; `dictionary/README.md`.
const DICTIONARY: &[u8] = include_bytes!("../dictionary/r4-1.zdict");
/// A zstd dictionary's number stands after its four bytes of magic.
const DICTIONARY_NUMBER: std::ops::Range<usize> = 4..8;

/// The purpose of the key that signs page links.
const PAGE_LINK: &str = "page-link";

/// Beyond this a request that waits for a connection is refused with 503.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(5);
const IDLE_FOR: Duration = Duration::from_secs(300);
/// A transaction that its server forgot must not hold locks.
const IDLE_IN_TRANSACTION: &str = "60s";

/// Statements of one kind at a time, at least, before others are gathered into the next.
const LANES: usize = 2;
/// Reads by id, or creates, of one statement.
const GATHERED: usize = 64;
/// Pages of one statement.
const PAGES_GATHERED: usize = 8;

/// How the store uses its database.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Connections for reads by key and for writes.
    pub pool: u32,
    /// Connections for searches.
    pub search_pool: u32,
    /// Seconds that one statement may run.
    pub statement_seconds: u32,
    /// Whether the JSONB copy of every resource is written.
    pub keeps_jsonb: bool,
    /// Whether the words of whole resources are indexed.
    pub indexes_content: bool,
}

/// What a server reads from the database once, at start.
struct Contents {
    epoch: i32,
    dictionaries: Vec<(u32, Vec<u8>)>,
    server_key: Vec<u8>,
}

impl Store {
    /// Migrates the database as its owner; as the role that serves checks that its numbers mean
    /// what this server means by them, and opens the pools. Several servers may open one
    /// database at once.
    pub async fn open(
        database: &Database,
        registry: &Registry,
        settings: &StoreSettings,
    ) -> Result<Store, StartError> {
        let missing = migrate(database).await?;
        if missing > 0 {
            tracing::info!(migrations = missing, "the schema was brought up to date");
        }
        let mut connection = connect(database.options()).await?;
        agree_on_resource_types(&mut connection).await?;
        agree_on_parameters(&mut connection, registry).await?;
        agree_on_generation(&mut connection).await?;
        agree_on_content(&mut connection, settings.indexes_content).await?;
        let has_older_index = has_older_index(&mut connection).await?;
        let contents = read_contents(&mut connection).await?;
        connection.close().await?;
        let pools = Pools { database, statement_seconds: settings.statement_seconds };
        let pool = pools.of_writes(settings.pool).await?;
        let place = Place { epoch: contents.epoch, keeps_jsonb: settings.keeps_jsonb };
        let lanes = std::thread::available_parallelism().map_or(LANES, |cores| cores.get());
        let lanes = lanes.clamp(LANES, LANES.max(settings.pool as usize / 2));
        let settled_pool = pools.of_searches(settings.search_pool, "force_generic_plan").await?;
        Ok(Store {
            pages: Gather::new(Pages { pool: settled_pool.clone() }, lanes, PAGES_GATHERED),
            reads: Gather::new(Reads { pool: pool.clone() }, lanes, GATHERED),
            creates: Gather::new(Creates { pool: pool.clone(), place }, lanes, GATHERED),
            listening: database.options().clone().application_name("bhn-fhir listener"),
            pool,
            search_pool: pools.of_searches(settings.search_pool, "force_custom_plan").await?,
            settled_pool,
            codec: BodyCodec::new(contents.dictionaries),
            interned: Interned::default(),
            terms: Terms::new(registry),
            writes_under_way: WritesUnderWay::default(),
            has_written: AtomicBool::new(true),
            divergences: AtomicU64::new(0),
            has_older_index: AtomicBool::new(has_older_index),
            server_key: contents.server_key,
            place,
            audit: None,
        })
    }

    /// Ends all connections, after the requests that hold them.
    pub async fn close(&self) {
        self.pool.close().await;
        self.search_pool.close().await;
        self.settled_pool.close().await;
    }
}

struct Pools<'a> {
    database: &'a Database,
    statement_seconds: u32,
}

impl Pools<'_> {
    /// For writes and for reads by key. A write whose client left still comes to its end.
    async fn of_writes(&self, connections: u32) -> Result<Pool, StartError> {
        let limit = Duration::from_secs(self.statement_seconds.into());
        self.open(connections, "force_generic_plan", Some(limit)).await
    }

    /// For searches. One whose client left is cancelled.
    async fn of_searches(&self, connections: u32, plans: &str) -> Result<Pool, StartError> {
        self.open(connections, plans, None).await
    }

    /// A pool with one connection open.
    async fn open(
        &self,
        connections: u32,
        plans: &str,
        finishes_within: Option<Duration>,
    ) -> Result<Pool, StartError> {
        let timeout = format!("{}s", self.statement_seconds);
        let looks = format!("{LOOKS_FOR_CLIENT_MS}ms");
        let options = self.database.options().clone().application_name("bhn-fhir").options([
            ("plan_cache_mode", plans),
            ("statement_timeout", timeout.as_str()),
            ("client_connection_check_interval", looks.as_str()),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
            ("search_path", "public"),
            ("timezone", "UTC"),
            ("jit", "off"),
        ]);
        let bounds = PoolBounds {
            connections,
            acquire_within: ACQUIRE_WITHIN,
            idle_for: IDLE_FOR,
            finishes_within,
        };
        Ok(Pool::open(options.statement_cache_capacity(256), bounds).await?)
    }
}

/// The table of resource types equals the numbers of `ResourceType`; filled where empty.
async fn agree_on_resource_types(connection: &mut PgConnection) -> Result<(), StartError> {
    let expected: Vec<(i16, &str)> =
        ResourceType::all().map(|kind| (kind.number(), kind.name())).collect();
    let (numbers, names): (Vec<i16>, Vec<&str>) = expected.iter().copied().unzip();
    sqlx::query(include_str!("../sql/resource_type_fill.sql"))
        .bind(numbers)
        .bind(names)
        .execute(&mut *connection)
        .await?;
    let stored: Vec<(i16, String)> =
        sqlx::query_as(include_str!("../sql/resource_type_read.sql")).fetch_all(connection).await?;
    let stored = stored.iter().map(|(number, name)| (*number, name.as_str()));
    agree("resource_type", stored, &expected)
}

/// The table of search parameters holds those of the registry; the missing ones are added.
/// Parameters with higher numbers are a later server's or a customer's.
async fn agree_on_parameters(
    connection: &mut PgConnection,
    registry: &Registry,
) -> Result<(), StartError> {
    let mut names: Vec<_> =
        registry.names().iter().map(|(id, url, code)| (id.0, *url, *code)).collect();
    names.sort_unstable();
    let expected: Vec<(i16, &str)> = names.iter().map(|(id, url, _)| (*id, *url)).collect();
    let mut stored = read_parameters(connection, &expected).await?;
    if stored.len() < expected.len() {
        sqlx::query(include_str!("../sql/parameter_fill.sql"))
            .bind(names.iter().map(|(id, _, _)| *id).collect::<Vec<_>>())
            .bind(names.iter().map(|(_, url, _)| *url).collect::<Vec<_>>())
            .bind(names.iter().map(|(_, _, code)| *code).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        stored = read_parameters(connection, &expected).await?;
    }
    let stored = stored.iter().map(|(number, url)| (*number, url.as_str()));
    agree("parameter", stored, &expected)
}

/// Index data of a newer server is left alone: this one would write older data beside it.
async fn agree_on_generation(connection: &mut PgConnection) -> Result<(), StartError> {
    let newest: i16 = sqlx::query_scalar(include_str!("../sql/generation_raise.sql"))
        .bind(GENERATION)
        .fetch_one(connection)
        .await?;
    match newest > GENERATION {
        true => Err(StartError::NewerIndex { newest, own: GENERATION }),
        false => Ok(()),
    }
}

/// Where the words of whole resources were indexed until now and are not from now on, or the
/// other way round, all index data is that of an older server.
async fn agree_on_content(
    connection: &mut PgConnection,
    indexes_content: bool,
) -> Result<(), StartError> {
    let sql = include_str!("../sql/content_agree.sql");
    sqlx::query(sql).bind(indexes_content).execute(connection).await?;
    Ok(())
}

/// Whether there may be rows whose index data an older server wrote.
async fn has_older_index(connection: &mut PgConnection) -> Result<bool, StartError> {
    let sql = include_str!("../sql/generation_complete.sql");
    let complete: i16 = sqlx::query_scalar(sql).bind(GENERATION).fetch_one(connection).await?;
    Ok(complete < GENERATION)
}

async fn read_parameters(
    connection: &mut PgConnection,
    expected: &[(i16, &str)],
) -> Result<Vec<(i16, String)>, StartError> {
    let highest = expected.last().map_or(0, |(number, _)| *number);
    let query = sqlx::query_as(include_str!("../sql/parameter_read.sql")).bind(highest);
    Ok(query.fetch_all(connection).await?)
}

/// Both in order of their numbers.
fn agree<'a>(
    table: &'static str,
    stored: impl Iterator<Item = (i16, &'a str)>,
    expected: &[(i16, &str)],
) -> Result<(), StartError> {
    let mut stored = stored.fuse();
    let mut expected = expected.iter().copied();
    let text = |row: Option<(i16, &str)>| match row {
        Some((number, name)) => format!("{number} is {name}"),
        None => "nothing more".to_owned(),
    };
    loop {
        match (stored.next(), expected.next()) {
            (None, None) => return Ok(()),
            (stored, expected) if stored == expected => {}
            (stored, expected) => {
                let (stored, expected) = (text(stored), text(expected));
                return Err(StartError::Mismatch { table, stored, expected });
            }
        }
    }
}

async fn read_contents(connection: &mut PgConnection) -> Result<Contents, StartError> {
    sqlx::query(include_str!("../sql/dictionary_insert.sql"))
        .bind(shipped_dictionary_number() as i32)
        .bind(DICTIONARY)
        .execute(&mut *connection)
        .await?;
    let dictionaries: Vec<(i32, Vec<u8>)> =
        sqlx::query_as(include_str!("../sql/dictionary_read.sql"))
            .fetch_all(&mut *connection)
            .await?;
    sqlx::query(include_str!("../sql/server_key_make.sql"))
        .bind(PAGE_LINK)
        .execute(&mut *connection)
        .await?;
    let server_key: Vec<u8> = sqlx::query_scalar(include_str!("../sql/server_key_read.sql"))
        .bind(PAGE_LINK)
        .fetch_one(&mut *connection)
        .await?;
    let epoch =
        sqlx::query_scalar(include_str!("../sql/epoch_read.sql")).fetch_one(connection).await?;
    let dictionaries = dictionaries.into_iter().map(|(id, bytes)| (id as u32, bytes)).collect();
    Ok(Contents { epoch, dictionaries, server_key })
}

fn shipped_dictionary_number() -> u32 {
    DICTIONARY[DICTIONARY_NUMBER]
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_definitions_is_named() {
        let expected = [(1, "Account"), (2, "ActivityDefinition")];
        assert!(agree("resource_type", expected.into_iter(), &expected).is_ok());
        let other = [(1, "Account"), (2, "Patient")];
        let error = agree("resource_type", other.into_iter(), &expected).unwrap_err().to_string();
        assert!(error.contains("2 is Patient"), "{error}");
        assert!(agree("resource_type", expected[..1].iter().copied(), &expected).is_err());
    }

    #[test]
    fn the_shipped_dictionary_is_named_by_its_frames() {
        let number = shipped_dictionary_number();
        let codec = BodyCodec::new(vec![(number, DICTIONARY.to_vec())]);
        let json = br#"{"resourceType":"Observation","status":"final"}"#;
        let frame = codec.compress(json).unwrap();
        let named = zstd::zstd_safe::get_dict_id_from_frame(&frame).unwrap();
        assert_eq!(named.get(), number);
        assert_eq!(codec.decompress(&frame).unwrap().as_ref(), json);
        assert!(i32::try_from(number).is_ok());
    }
}
