//! Clients that would take all there is: slow heads, streams that are reset, heads without end, and
//! too many requests. SECURITY.md, RT-156, IN-15, IN-40, IN-56 and IN-57.

use super::harness::{Role, ServerProcess, TestDatabase, TestServer, principal};
use bhn_fhir::access::Principal;
use bhn_fhir::http::{HttpSettings, Rate, RateSettings};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Somebody who may ask for everything.
async fn person(server: &TestServer, name: &str) -> Principal {
    let mut person = principal(name, Role::Admin, "user/*.cruds");
    person.links.fhir_user = Some(server.link(&format!("Practitioner/{name}")).await);
    person
}

fn address(process: &ServerProcess) -> String {
    let rest = process.client.base().trim_start_matches("http://");
    rest.split('/').next().unwrap().to_owned()
}

/// How long a healthy client waits, at most.
const HEALTHY: Duration = Duration::from_secs(5);

async fn is_healthy(process: &ServerProcess) {
    let asked = Instant::now();
    process.get("Patient/none").await.expect(404);
    assert!(asked.elapsed() < HEALTHY, "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rt_156_a_thousand_slow_heads_end_by_their_timer_and_disturb_nobody() {
    let database = TestDatabase::clone_template();
    let arguments = ["--connections-of-address", "1200"];
    let process = ServerProcess::start_on_with(&database, &arguments);
    let mut slow = Vec::new();
    for _ in 0..1_000 {
        let mut stream = TcpStream::connect(address(&process)).await.unwrap();
        stream.write_all(b"GET /fhir/Patient HTTP/1.1\r\nHost: a\r\nX-Slow: ").await.unwrap();
        slow.push(stream);
    }
    let began = Instant::now();
    let mut open = slow.len();
    while open > 0 {
        is_healthy(&process).await;
        // A byte a second does not keep a head open.
        open = 0;
        for stream in &mut slow {
            let is_open = stream.write_all(b"a").await.is_ok() && {
                let mut byte = [0; 64];
                match tokio::time::timeout(Duration::ZERO, stream.read(&mut byte)).await {
                    Err(_) => true,
                    Ok(read) => read.is_ok_and(|read| read > 0),
                }
            };
            open += usize::from(is_open);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(began.elapsed() < Duration::from_secs(40), "{open} are open");
    }
    assert!(began.elapsed() > Duration::from_secs(5), "they were not refused at once");
    is_healthy(&process).await;
}

#[tokio::test]
async fn in_57_one_address_has_so_many_connections_and_no_more() {
    let database = TestDatabase::clone_template();
    let process = ServerProcess::start_on_with(&database, &["--connections-of-address", "5"]);
    let mut open = Vec::new();
    for _ in 0..12 {
        let mut stream = TcpStream::connect(address(&process)).await.unwrap();
        let asked = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
        let _ = stream.write_all(asked).await;
        let mut bytes = [0; 512];
        let read = stream.read(&mut bytes).await.unwrap_or(0);
        open.push((read > 0, stream));
    }
    assert_eq!(open.iter().filter(|(is_served, _)| *is_served).count(), 5);
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame of HTTP/2 (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, (stream, content): (u32, &[u8])) -> Vec<u8> {
    let length = content.len() as u32;
    let head = [&length.to_be_bytes()[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, content].concat()
}

/// GET of `/` by entries of HPACK's static table, with the authority `a`.
const HEAD: [u8; 6] = [0x82, 0x86, 0x84, 0x41, 0x01, b'a'];

async fn http2(process: &ServerProcess) -> TcpStream {
    let mut stream = TcpStream::connect(address(process)).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, (0, &[]))).await.unwrap();
    stream
}

/// Writes until the peer ends the connection; how many times it could.
async fn written(stream: &mut TcpStream, mut next: impl FnMut(u32) -> Vec<u8>) -> u32 {
    for number in 0..200_000 {
        if stream.write_all(&next(number)).await.is_err() {
            return number;
        }
        let mut bytes = [0; 4_096];
        while let Ok(read) = tokio::time::timeout(Duration::ZERO, stream.read(&mut bytes)).await {
            if !matches!(read, Ok(1..)) {
                return number;
            }
        }
    }
    200_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rt_156_streams_that_are_reset_at_once_end_the_connection() {
    let database = TestDatabase::clone_template();
    let process = ServerProcess::start_on(&database);
    let mut stream = http2(&process).await;
    // Many at once: what was accepted before it is reset is only a request that was given up.
    const TOGETHER: u32 = 500;
    let sent = written(&mut stream, |number| {
        let places = (0..TOGETHER).map(|one| 2 * (number * TOGETHER + one) + 1);
        let pairs = places.flat_map(|place| {
            let head = frame(HEADERS, END_STREAM | END_HEADERS, (place, &HEAD));
            [head, frame(RESET, 0, (place, &8_u32.to_be_bytes()))]
        });
        pairs.collect::<Vec<_>>().concat()
    });
    let sent = sent.await * TOGETHER;
    assert!(sent < 50_000, "{sent} streams were reset");
    is_healthy(&process).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rt_156_a_head_that_goes_on_for_ever_ends_the_connection() {
    let database = TestDatabase::clone_template();
    let process = ServerProcess::start_on(&database);
    let mut stream = http2(&process).await;
    stream.write_all(&frame(HEADERS, END_STREAM, (1, &HEAD))).await.unwrap();
    // A header that is not kept: literal, never indexed, of one letter.
    let header = [0x10, 0x01, b'x', 0x01, b'y'].repeat(1_000);
    let sent = written(&mut stream, |_| frame(CONTINUATION, 0, (1, &header))).await;
    assert!(sent < 1_000, "{sent} frames were taken");
    is_healthy(&process).await;
}

#[tokio::test]
async fn in_40_answers_say_what_is_left_and_too_many_are_429() {
    let bounded = |http: &mut HttpSettings| http.rates.user = Rate { per_second: 1, burst: 10 };
    let server = TestServer::start_rated(bounded).await;
    let client = server.as_principal(person(&server, "busy").await);
    let first = client.get("Patient/none").await.expect(404);
    assert_eq!(first.header("ratelimit-limit"), "10");
    assert_eq!(first.header("ratelimit-remaining"), "9");
    assert_eq!(first.header("ratelimit-reset"), "1");
    // A search weighs three.
    let searched = client.get("Patient").await.expect(200);
    assert_eq!(searched.header("ratelimit-remaining"), "6");
    client.get("Patient").await.expect(200);
    client.get("Patient").await.expect(200);
    let refused = client.get("Patient").await.expect(429);
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit-remaining")), ("1", "0"));
    // Others have buckets of their own.
    let other = server.as_principal(person(&server, "other").await);
    other.get("Patient").await.expect(200);
}

#[tokio::test]
async fn in_40_processes_on_one_database_count_together() {
    let rated = |http: &mut HttpSettings| {
        http.rates = RateSettings {
            user: Rate { per_second: 1, burst: 60 },
            is_shared: true,
            ..RateSettings::default()
        };
    };
    let one = TestServer::start_rated(rated).await;
    let two = TestServer::start_rated_on(one.database.clone(), rated).await;
    let at_one = one.as_principal(person(&one, "busy").await);
    let at_two = two.as_principal(person(&two, "busy").await);
    // Each knows of the other before it counts.
    at_one.get("Patient/none").await.expect(404);
    at_two.get("Patient/none").await.expect(404);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    for _ in 0..50 {
        at_one.get("Patient/none").await.expect(404);
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let reply = at_two.get("Patient/none").await.expect(404);
    let left: u32 = reply.header("ratelimit-remaining").parse().unwrap();
    assert!(left <= 20, "{left} are left at the other");
    // What a process without its database counts is its own.
    let mut connection = two.database.administer().await;
    sqlx::raw_sql("drop table rate_spent").execute(&mut connection).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    at_two.get("Patient/none").await.expect(404);
}

#[tokio::test]
async fn in_15_one_caller_has_so_many_requests_in_work_and_no_more() {
    let server = TestServer::start_rated(|http: &mut HttpSettings| http.requests_of_caller = 1);
    let server = server.await;
    let busy = person(&server, "busy").await;
    let authorization = server.callers.admit(busy.clone());
    let client = server.as_principal(busy);
    let rest = client.base().trim_start_matches("http://").to_owned();
    let mut slow = TcpStream::connect(rest.split('/').next().unwrap()).await.unwrap();
    let head = format!(
        "POST /fhir/Patient HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\
         Content-Type: application/fhir+json\r\nContent-Length: 100\r\n\r\n{{"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let until = |status: u16| {
        let client = &client;
        async move {
            let began = Instant::now();
            loop {
                let reply = client.get("Patient/none").await;
                if reply.status() == status {
                    return reply;
                }
                assert!(began.elapsed() < HEALTHY, "{reply:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let refused = until(503).await;
    assert!(!refused.header("retry-after").is_empty());
    let other = server.as_principal(person(&server, "other").await);
    other.get("Patient/none").await.expect(404);
    drop(slow);
    until(404).await;
}
