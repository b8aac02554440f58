//! What a search by a doctor costs, whose patients are few among many. `BHN_PANEL_ROWS=1000000`
//! measures at the size of the figure: fewer than 3,500 pages for a panel of 500 patients.

use crate::harness::Network;
use crate::search_oracle::setting;
use bhn_fhir::access::{Caller, Permit};
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::interaction::{Handling, Interaction, SearchScope};
use bhn_fhir::storage::Explained;
use serde_json::json;
use std::sync::Arc;

const CODES: i64 = 20;
/// Rows of each patient.
const EACH: i64 = 50;

/// Observations of many patients, with one of 20 codes each, spread over the table.
async fn fill(network: &Network, rows: i64) {
    network.put(&json!({"resourceType": "Basic", "id": "template", "code": {"text": "t"}})).await;
    let sql = "insert into resource (rid, last_updated, version, epoch, type, generation, id, keys, \
               present, body, subject_rids, patient, date_low, date_high, lead) \
               select 1000000000 + n, now(), 1, r.epoch, $1, r.generation, 'x' || n, '{}', '{}', \
               r.body, array[2000000000 + n % $2], 2000000000 + n % $2, \
               '2020-01-01'::timestamptz + n * interval '1 minute', \
               '2020-01-01'::timestamptz + (n + 1) * interval '1 minute', \
               ($1::bigint << 48) | (select token from token where code = 'c' || (n / $2) % $3) \
               from generate_series(1, $4) n cross join resource r where r.id = 'template'";
    let kind = ResourceType::parse("Observation").unwrap().number();
    let mut connection = network.server.database.connect().await;
    sqlx::query("insert into token (system, code) select 'http://l', 'c' || n from generate_series(0, 19) n")
        .execute(&mut connection)
        .await
        .unwrap();
    let query = sqlx::query(sql).bind(kind).bind(rows / EACH).bind(CODES).bind(rows);
    query.execute(&mut connection).await.unwrap();
    sqlx::raw_sql("vacuum analyze resource").execute(&mut connection).await.unwrap();
}

/// From now on these many of the patients are in the care of a doctor.
async fn panel(network: &Network, doctor: &str, patients: i64) {
    let sql = "insert into care_link select $1, 2000000000 + n, 0, 0, '', '-infinity', 'infinity' \
               from generate_series(0, $2 - 1) n";
    let rid = network.rid(&format!("Practitioner/{doctor}")).await;
    network.sql(sql, &[rid, patients]).await;
    network.sql("analyze care_link", &[]).await;
}

async fn explained(network: &Network, who: &str, query: &str) -> Explained {
    let principal = Arc::new(network.person_with(who, "user/*.rs").await);
    let kind = ResourceType::parse("Observation").unwrap();
    let scope = SearchScope::Type(kind);
    let interaction = Interaction::Search { scope: scope.clone(), parameters: Vec::new() };
    let permit = Permit::authorize(&Caller::Principal(principal), &interaction).unwrap();
    let context = &network.server.context;
    let parameters: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let plan = context.plan(&scope, &parameters, Handling::Strict).unwrap();
    let mut connection = context.store.search_connection().await.unwrap();
    context.store.explain(&mut connection, &permit, &plan).await.unwrap()
}

#[tokio::test]
async fn az_20_a_search_by_a_doctor_reads_the_patients_in_care_and_no_others() {
    let rows = setting("BHN_PANEL_ROWS", 40_000) as i64;
    let network = Network::start().await;
    fill(&network, rows).await;
    let few = (rows / EACH / 40).max(4);
    panel(&network, "D1", few).await;
    for query in ["code=http://l|c7&_sort=-date&_count=50", "code=http://l|c7&date=ge2020-01-01"] {
        let explained = explained(&network, "d1", query).await;
        let page = &explained.statements[0];
        eprintln!(
            "{rows} rows, {few} patients, {query}: {} + {} pages, {} rows, {} ms\n{}",
            page.hit, page.read, page.rows, page.execution_ms, page.plan
        );
        assert!(page.rows > 0.0, "{}", page.plan);
        let pages = page.hit + page.read;
        assert!(pages < 7.0 * few as f64 + 60.0, "{pages} pages: {}", page.plan);
    }
}

#[tokio::test]
async fn both_ways_of_reading_a_panel_find_the_same() {
    let network = Network::start().await;
    fill(&network, 20_000).await;
    panel(&network, "D1", 30).await;
    panel(&network, "D2", 30).await;
    let sql = "insert into care_link select $1, 5000000000 + n, 0, 0, '', '-infinity', 'infinity' \
               from generate_series(1, 2100) n";
    network.sql(sql, &[network.rid("Practitioner/D2").await]).await;
    // One row of two patients, who are both in care.
    let shared = "update resource set patient = null, \
                  subject_rids = array[2000000001, 2000000002]::bigint[] where id = 'x8401'";
    network.sql(shared, &[]).await;
    let (few, many) = (network.as_person("d1").await, network.as_person("d2").await);
    for query in [
        "Observation?code=http://l|c1&_sort=-date&_count=40&_total=accurate",
        "Observation?code=http://l|c1&_sort=date&_count=7&_total=accurate",
        "Observation?date=ge2020-01-05&date=lt2023&_sort=-date&_count=30&_total=accurate",
        "Observation?date=lt2020-01-10&code=http://l|c1&_count=30&_total=accurate",
    ] {
        let (one, other) = (few.get(query).await.expect(200), many.get(query).await.expect(200));
        let urls = |reply: &crate::harness::Reply| -> Vec<String> {
            let entries = reply.body["entry"].as_array().cloned().unwrap_or_default();
            entries.iter().map(|entry| entry["fullUrl"].to_string()).collect()
        };
        assert!(!urls(&one).is_empty(), "{query}");
        assert_eq!(urls(&one), urls(&other), "{query}");
        assert_eq!(one.body["total"], other.body["total"], "{query}");
    }
}
