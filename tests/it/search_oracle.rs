//! Searches against a naive oracle: random resources, random queries of every kind that
//! docs/search.md offers, each asked of a server over HTTP and looked up resource by resource in
//! memory, by <https://hl7.org/fhir/R4/search.html> alone. The oracle knows nothing of the
//! server's code; matches, order, totals and includes must be the same.
//!
//! What fails is made small and printed as curl lines. A seed decides everything; a long run is
//!
//! ```sh
//! BHN_ORACLE_CASES=100000 BHN_ORACLE_SEED=7 cargo test --test it search_oracle
//! ```
//!
//! `BHN_ORACLE_FAILURES` is how many failures end a run (3 unless told).
//!
//! Parameters whose names begin with `own-` are custom ones, which each world defines: see
//! `customs`. The curl lines leave their definitions out.
//!
//! Queries keep away from where the server is known to do less than the section says: punctuation
//! in strings; and from what has tests of its own: long texts, ids alone that name several
//! resources, empty parameters.

mod comparison;
mod creation;
mod customs;
mod dates;
mod drawing;
mod evaluation;
mod numbers;
mod parameters;
mod places;
mod query;
pub mod random;
mod rls;
mod shrinking;
mod terms;
mod texts;
mod values;
mod visibility;
mod world;

use super::harness::TestServer;
use comparison::compare;
use creation::{Creation, IDS};
use drawing::Drawing;
use query::Query;
use random::Random;
use serde_json::Value;
use shrinking::Case;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use world::{TYPES, World, clear, store};

/// Queries of one world.
const QUERIES: usize = 125;
/// Worlds of one server, one after the other; each is deleted before the next. Versions and rows
/// that are gone make a server slower in time.
const WORLDS: usize = 16;
/// Servers at work at the same time.
const WORKERS: usize = 2;

/// A number that the environment may set.
pub fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var_os(name).map(|text| text.into_string().expect("text"));
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Some resources of every type: each stored, some changed, some deleted again.
async fn populate(server: &TestServer, random: &mut Random) -> World {
    let base = server.base().to_owned();
    let mut creation = Creation { random, base: &base };
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for kind in TYPES {
        keys.extend(IDS.iter().map(|id| (kind, *id)));
    }
    let mut bodies = |keys: &[(&str, &str)]| -> Vec<Value> {
        keys.iter().map(|(kind, id)| creation.container(kind, id)).collect()
    };
    let mut resources = store(server, &bodies(&keys)).await;
    customs::define(server).await;
    let changed: Vec<(&str, &str)> = keys.iter().copied().step_by(4).collect();
    for again in store(server, &bodies(&changed)).await {
        let key = again.key();
        resources.retain(|resource| resource.key() != key);
        resources.push(again);
    }
    customs::build(server).await;
    for _ in 0..3 {
        let gone = resources.remove(creation.random.below(resources.len()));
        server.delete(&gone.path()).await.expect(204);
    }
    resources.extend(store(server, &terms::resources()).await);
    World { resources, base }
}

/// What became of the cases.
#[derive(Default)]
struct Tally {
    /// Numbers of worlds that are under way or done.
    worlds: AtomicUsize,
    /// Queries that found anything.
    finding: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

/// Asks the queries of one world; what fails first is made small on a server of its own.
async fn run(server: &TestServer, seed: u64, queries: usize, tally: &Tally) {
    let mut random = Random::new(seed);
    let world = populate(server, &mut random).await;
    for _ in 0..queries {
        let query = Drawing { random: &mut random, world: &world }.query();
        match compare(&server.client, &world, &query).await {
            Ok(matches) => {
                tally.finding.fetch_add(usize::from(matches > 0), Ordering::Relaxed);
            }
            Err(said) => {
                eprintln!("seed of the world: {seed}\n{}\n{said}\n", query.readable());
                let failure = explain(seed, query.moved(&world.base, "$BASE")).await;
                tally.failures.lock().unwrap().push(failure);
                break;
            }
        }
    }
    clear(server, &world).await;
    customs::remove(server).await;
}

/// A failing query on the same world, alone on a server, made small.
async fn explain(seed: u64, query: Query) -> String {
    let server = TestServer::start().await;
    let world = populate(&server, &mut Random::new(seed)).await;
    let query = query.moved("$BASE", &world.base);
    if compare(&server.client, &world, &query).await.is_ok() {
        return format!("only after other worlds, at {seed}: {}", query.readable());
    }
    let mut case = Case { server: &server, world, query };
    case.shrink().await;
    case.reproduction().await
}

#[tokio::test]
async fn searches_find_what_a_naive_reading_of_the_specification_finds() {
    let cases = setting("BHN_ORACLE_CASES", 2_500) as usize;
    let seed = setting("BHN_ORACLE_SEED", 1);
    let most = setting("BHN_ORACLE_FAILURES", 3) as usize;
    let tally = Tally::default();
    let work = async || {
        let mut server = TestServer::start().await;
        for world in 1.. {
            if world % WORLDS == 0 {
                server = TestServer::start().await;
            }
            let number = tally.worlds.fetch_add(1, Ordering::Relaxed);
            let queries = QUERIES.min(cases.saturating_sub(number * QUERIES));
            if queries == 0 || tally.failures.lock().unwrap().len() >= most {
                return;
            }
            let seed = Random::new(seed.wrapping_mul(1_000_003) + number as u64).next();
            run(&server, seed, queries, &tally).await;
        }
    };
    futures_util::future::join_all((0..WORKERS).map(|_| work())).await;
    let failures = tally.failures.into_inner().unwrap();
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
    let finding = tally.finding.into_inner();
    eprintln!("{finding} of {cases} queries found something");
    assert!(finding * 2 > cases, "{finding} of {cases} queries found something");
}
