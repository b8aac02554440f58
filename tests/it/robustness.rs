//! Clients that misbehave below the level of HTTP, and clients that go away.

use super::harness::{TestServer, observation, patient};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const JSON: &str = "application/fhir+json";
/// Everything here that must end ends by then.
const PATIENCE: Duration = Duration::from_secs(30);

async fn connect(server: &TestServer) -> TcpStream {
    let address = server.base().strip_prefix("http://").unwrap().strip_suffix("/fhir").unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// Head and body of a request as they go over the wire.
fn wire(request_line: &str, fields: &[&str], body: &str) -> String {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!("{request_line} HTTP/1.1\r\nhost: a\r\ncontent-type: {JSON}\r\n{fields}\r\n{body}")
}

fn whole(request_line: &str, resource: &Value) -> String {
    let body = resource.to_string();
    wire(request_line, &[&format!("content-length: {}", body.len())], &body)
}

/// Sends, waits for an answer to what is wrong already, says that nothing more comes, and reads
/// what the server answers until it closes.
async fn exchange(server: &TestServer, text: &str) -> String {
    let mut stream = connect(server).await;
    stream.write_all(text.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end");
    String::from_utf8(answer).unwrap()
}

async fn is_alive_and_empty(server: &TestServer) {
    assert_eq!(server.count("Patient").await, 0);
    server.get("metadata").await.expect(200);
}

#[tokio::test]
async fn a_body_that_ends_early_stores_nothing() {
    let server = TestServer::start().await;
    let body = Value::from(patient()).to_string();
    for kept in [0, 1, body.len() / 2, body.len() - 1] {
        let length = format!("content-length: {}", body.len());
        let text = wire("POST /fhir/Patient", &[&length], &body[..kept]);
        let answer = exchange(&server, &text).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{kept}: {answer}");
    }
    is_alive_and_empty(&server).await;
}

#[tokio::test]
async fn broken_chunks_store_nothing() {
    let server = TestServer::start().await;
    let body = Value::from(patient()).to_string();
    let size = body.len();
    for chunks in [
        format!("{size:x}\r\n{body}\r\n"),
        format!("{size:x}\r\n{body}"),
        format!("{:x}\r\n{body}\r\n0\r\n\r\n", size + 5),
        format!("zz\r\n{body}\r\n0\r\n\r\n"),
        format!("-1\r\n{body}\r\n0\r\n\r\n"),
        format!("fffffffffffffffff\r\n{body}\r\n0\r\n\r\n"),
        format!("{size:x}\r\n{body}XX0\r\n\r\n"),
        format!("{:x}\r\n{}", size, &body[..10]),
    ] {
        let text = wire("POST /fhir/Patient", &["transfer-encoding: chunked"], &chunks);
        let answer = exchange(&server, &text).await;
        let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(is_refused, "{chunks}: {answer}");
    }
    is_alive_and_empty(&server).await;
    let chunks = format!("5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", &body[..5], size - 5, &body[5..]);
    let fields = ["transfer-encoding: chunked", "connection: close"];
    let mut stream = connect(&server).await;
    let text = wire("POST /fhir/Patient", &fields, &chunks);
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an end").unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[tokio::test]
async fn a_length_beside_chunks_does_not_hide_a_second_request() {
    let server = TestServer::start().await;
    let hidden = whole("POST /fhir/Patient", &Value::from(patient()));
    for fields in [
        ["content-length: 5", "transfer-encoding: chunked"],
        ["transfer-encoding: chunked", "content-length: 5"],
        ["transfer-encoding: identity, chunked", "content-length: 5"],
        ["content-length: 5", "content-length: 6"],
        ["content-length: +5", "x: y"],
        ["content-length: 5, 5", "transfer-encoding: chunked, x"],
    ] {
        let text = wire("POST /fhir/Patient", &fields, &format!("0\r\n\r\n{hidden}"));
        let answer = exchange(&server, &text).await;
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(answers <= 1, "{fields:?}: {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{fields:?}: {answer}");
    }
    is_alive_and_empty(&server).await;
}

#[tokio::test]
async fn rt_156_heads_that_never_end_do_not_keep_others_waiting() {
    let server = TestServer::start().await;
    let mut slow = Vec::new();
    for n in 0..300 {
        let mut stream = connect(&server).await;
        let part = match n % 3 {
            0 => "P",
            1 => "POST /fhir/Patient HTTP/1.1\r\nhost: a\r\nx-slow: ",
            _ => "POST /fhir/Patient HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{",
        };
        stream.write_all(part.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let answered = timeout(Duration::from_secs(5), server.create(patient())).await;
    answered.expect("others are served meanwhile").expect(201);
    // One byte a second does not buy time.
    for _ in 0..14 {
        sleep(Duration::from_secs(1)).await;
        for stream in &mut slow {
            let _ = stream.write_all(b" ").await;
        }
    }
    let mut ended = 0;
    for stream in &mut slow {
        let mut answer = [0; 512];
        let read = timeout(Duration::from_millis(50), stream.read(&mut answer)).await;
        ended += usize::from(matches!(read, Ok(Ok(0) | Err(_))));
    }
    assert!(ended >= 200, "heads that do not come are given up: {ended}");
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn large_bodies_are_admitted_by_their_weight_and_the_rest_told_to_come_again() {
    let server = TestServer::start_with(|settings| {
        settings.limits.admitted_bytes = 4 << 20;
    })
    .await;
    let note = "x".repeat(900 << 10);
    let large = Value::from(patient().with("name", json!([{ "text": note }])));
    let requests = (0..64).map(|_| {
        let (client, large) = (server.client.clone(), &large);
        async move {
            let reply = client.post("Patient", large).await;
            let status = reply.status();
            if status == 503 {
                assert!(!reply.header("retry-after").is_empty(), "{reply:?}");
                assert_eq!(reply.body["resourceType"], "OperationOutcome");
            }
            status
        }
    });
    let statuses = futures_util::future::join_all(requests).await;
    let created = statuses.iter().filter(|status| **status == 201).count();
    assert!(statuses.iter().all(|status| matches!(status, 201 | 503)), "{statuses:?}");
    assert!(created >= 4, "{statuses:?}");
    assert_eq!(server.count("Patient").await, created as u64);
    server.create(large).await.expect(201);
}

#[tokio::test]
async fn small_requests_pass_while_large_bodies_fill_the_room() {
    let server = TestServer::start_with(|settings| {
        settings.limits.admitted_bytes = 4 << 20;
    })
    .await;
    // Bodies that are announced and do not come take their room.
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(&server).await;
        let text = wire("POST /fhir/Patient", &["content-length: 1040000"], "{");
        stream.write_all(text.as_bytes()).await.unwrap();
        held.push(stream);
    }
    sleep(Duration::from_millis(200)).await;
    server.create(observation()).await.expect(201);
    server.get("Patient").await.expect(200);
    drop(held);
    let note = "x".repeat(3 << 20);
    server.create(patient().with("name", json!([{ "text": note }]))).await.expect(201);
}

/// Waits until a statement of the server waits for a row that the test holds.
async fn until_one_waits(server: &TestServer) {
    let mut administration = server.database.administer().await;
    let sql = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    let waits = async {
        loop {
            let waiting: i64 =
                sqlx::query_scalar(sql).fetch_one(&mut administration).await.unwrap();
            if waiting > 0 {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, waits).await.expect("the write waits for the row");
}

const HOLD: &str = "begin; select from resource where id = 'a' for update";

#[tokio::test]
async fn a_write_whose_client_left_is_not_missed_by_a_poller() {
    let server = TestServer::start().await;
    let first = server.update(patient().id("a")).await.expect(201);
    let since = first.body["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let since = since.replace('+', "%2B");
    let mut holder = server.database.connect().await;
    sqlx::raw_sql(HOLD).execute(&mut holder).await.unwrap();
    let mut stream = connect(&server).await;
    let left = Value::from(patient().id("a").family("Left"));
    stream.write_all(whole("PUT /fhir/Patient/a", &left).as_bytes()).await.unwrap();
    until_one_waits(&server).await;
    drop(stream);
    sleep(Duration::from_millis(200)).await;
    server.create(observation()).await.expect(201);
    let poll = format!("_history?_since={since}&_count=100");
    let versions = |reply: super::harness::Reply| {
        let entries = reply.body["entry"].as_array().cloned().unwrap_or_default();
        let times = entries.iter().map(|entry| {
            entry["resource"]["meta"]["lastUpdated"].as_str().unwrap_or_default().to_owned()
        });
        times.collect::<Vec<_>>()
    };
    let seen = versions(server.get(&poll).await.expect(200));
    sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    let newest_seen = seen.iter().max().cloned().unwrap_or_default();
    let started = std::time::Instant::now();
    let reply = loop {
        let reply = server.get("Patient/a").await.expect(200);
        if reply.body["meta"]["versionId"] == "2" || started.elapsed() > Duration::from_secs(5) {
            break reply;
        }
        sleep(Duration::from_millis(20)).await;
    };
    // Whether it was done or not is not known to a client who left; here it was under way.
    assert_eq!(reply.body["meta"]["versionId"], "2");
    let stamped = reply.body["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    assert!(stamped > newest_seen, "seen up to {newest_seen}, then came {stamped}");
}

#[tokio::test]
async fn a_transaction_whose_client_left_is_stored_whole_or_not_at_all() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let mut holder = server.database.connect().await;
    sqlx::raw_sql(HOLD).execute(&mut holder).await.unwrap();
    let entry = |resource: Value, method: &str, url: &str| {
        let request = json!({ "method": method, "url": url });
        json!({ "resource": resource, "request": request })
    };
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
        entry(observation().into(), "POST", "Observation"),
        entry(patient().id("a").family("Left").into(), "PUT", "Patient/a"),
        entry(observation().into(), "POST", "Observation"),
    ]});
    let mut stream = connect(&server).await;
    stream.write_all(whole("POST /fhir", &bundle).as_bytes()).await.unwrap();
    until_one_waits(&server).await;
    drop(stream);
    sleep(Duration::from_millis(200)).await;
    sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    // The next writer of the same resource comes after it.
    let reply = server.update(patient().id("a").family("Next")).await.expect(200);
    let (version, count) = (&reply.body["meta"]["versionId"], server.count("Observation").await);
    let is_whole = *version == "3" && count == 2;
    assert!(is_whole || (*version == "2" && count == 0), "version {version}, {count}");
}

#[tokio::test]
async fn clients_that_leave_give_their_connections_back() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    for n in 0..40 {
        let mut stream = connect(&server).await;
        let family = format!("F{n}");
        let text = match n % 4 {
            0 => whole("PUT /fhir/Patient/a", &patient().id("a").family(&family).into()),
            1 => whole("POST /fhir/Observation", &observation().into()),
            2 => wire("GET /fhir/Patient?name=x&_sort=_lastUpdated", &[], ""),
            _ => wire("GET /fhir/_history?_count=100", &[], ""),
        };
        stream.write_all(text.as_bytes()).await.unwrap();
        sleep(Duration::from_millis(n % 5)).await;
        drop(stream);
    }
    for n in 0..8 {
        server.update(patient().id("a").family(&format!("G{n}"))).await.expect(200);
    }
    server.get("Patient?name=g7").await.expect(200);
    let history = server.get("Patient/a/_history?_count=100").await.expect(200);
    let versions = history.body["entry"].as_array().unwrap().iter().map(|entry| {
        entry["resource"]["meta"]["versionId"].as_str().unwrap().parse::<usize>().unwrap()
    });
    let versions: Vec<usize> = versions.collect();
    let expected: Vec<usize> = (1..=versions.len()).rev().collect();
    assert_eq!(versions, expected, "contiguous, whatever became of the others");
}

#[tokio::test]
async fn the_query_of_a_search_whose_client_left_is_cancelled() {
    is_cancelled("Patient?name=a").await;
    is_cancelled("Patient?identifier=http://a.example%7C1").await;
}

/// Runs the search against a locked table, and leaves.
async fn is_cancelled(search: &str) {
    let server = TestServer::start().await;
    server.create(patient()).await.expect(201);
    let mut holder = server.database.connect().await;
    let hold = "begin; lock table resource in access exclusive mode";
    sqlx::raw_sql(hold).execute(&mut holder).await.unwrap();
    let mut stream = connect(&server).await;
    let search = format!("GET /fhir/{search} HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.write_all(search.as_bytes()).await.unwrap();
    until_one_waits(&server).await;
    drop(stream);
    let mut administration = server.database.administer().await;
    let sql = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    let cancelled = async {
        while sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut administration).await.unwrap() > 0 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    // Well before the statement timeout of the harness.
    timeout(Duration::from_secs(7), cancelled).await.expect("nobody waits for its rows");
    sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    server.get("Patient").await.expect(200);
}
