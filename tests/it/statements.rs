//! How many statements a request sends to the database, whatever its size: sqlx tells each one,
//! and a test's server runs on the test's own thread.

use super::harness::{TestServer, observation, patient};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Counts until dropped.
struct Counted {
    count: Arc<AtomicUsize>,
    _guard: DefaultGuard,
}

struct Counter(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Counter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Counted {
    fn start() -> Counted {
        let count = Arc::new(AtomicUsize::new(0));
        let subscriber = tracing_subscriber::registry().with(Counter(count.clone()));
        Counted { count, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// Since the last call. Never 0: a request that is counted asks the database.
    fn take(&self) -> usize {
        let count = self.count.swap(0, Ordering::Relaxed);
        assert!(count > 0, "statements are not counted");
        count
    }
}

#[tokio::test]
async fn a_read_is_one_statement_and_a_create_at_most_three() {
    let server = TestServer::start().await;
    let counted = Counted::start();
    // The first one also takes a block of surrogate keys.
    server.create(patient()).await.expect(201);
    counted.take();
    let new = observation().subject("Patient/not-there-yet").code("http://codes.example", "new");
    let reply = server.create(new).await.expect(201);
    assert!(counted.take() <= 3);
    let again = observation().subject("Patient/not-there-yet").code("http://codes.example", "new");
    server.create(again).await.expect(201);
    assert_eq!(counted.take(), 1, "coded values and references are known now");
    server.get(&format!("Observation/{}", reply.id())).await.expect(200);
    assert_eq!(counted.take(), 1);
}

#[tokio::test]
async fn a_transaction_of_a_thousand_entries_is_at_most_twenty_statements() {
    let server = TestServer::start().await;
    server.create(patient().mrn("known")).await.expect(201);
    let counted = Counted::start();
    let entries: Vec<Value> = (0..1_000).map(entry).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let reply = server.post("", &bundle).await.expect(200);
    assert_eq!(reply.body["entry"].as_array().map(Vec::len), Some(1_000));
    let count = counted.take();
    assert!(count <= 20, "{count} statements");
}

/// Creates with new codes and links to each other, updates as creates, and a conditional one.
fn entry(number: usize) -> Value {
    let full_url = |number: usize| format!("urn:uuid:00000000-0000-4000-8000-{number:012}");
    let of = |resource: Value, method: &str, url: String| {
        json!({
            "fullUrl": full_url(number),
            "resource": resource,
            "request": {"method": method, "url": url}
        })
    };
    match number % 10 {
        _ if number == 1 => {
            let mut entry = of(patient().mrn("known").into(), "POST", "Patient".to_owned());
            entry["request"]["ifNoneExist"] = "identifier=known".into();
            entry
        }
        0 => of(patient().into(), "POST", "Patient".to_owned()),
        2 => {
            let id = format!("own-{number}");
            of(patient().id(&id).into(), "PUT", format!("Patient/{id}"))
        }
        _ => {
            let code = number.to_string();
            let of_patient = observation().subject(&full_url(number - number % 10));
            let resource = of_patient.code("http://codes.example", &code);
            of(resource.into(), "POST", "Observation".to_owned())
        }
    }
}
