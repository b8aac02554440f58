//! How many statements a request sends to the database, whatever its size: sqlx tells each one,
//! and a test's server runs on the test's own thread.

use super::harness::{Network, TestServer, encounter, observation, patient};
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::sync::Once;
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

thread_local! {
    static SENT: Cell<usize> = const { Cell::new(0) };
    /// The texts, where somebody wants to know them.
    static TEXTS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// The text of a statement.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if ["summary", "db.statement"].contains(&field.name()) {
            self.0 += &format!("{value:?} ");
        }
    }
}

/// Counts for each thread. One for the whole run: subscribers that come and go with tests on
/// other threads may leave a statement untold.
struct Counter;

impl<S: Subscriber> Layer<S> for Counter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            SENT.set(SENT.get() + 1);
            TEXTS.with_borrow_mut(|texts| {
                if let Some(texts) = texts {
                    let mut text = Text::default();
                    event.record(&mut text);
                    texts.push(text.0);
                }
            });
        }
    }
}

/// The statements of this thread from now on.
struct Counted;

impl Counted {
    fn start() -> Counted {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            let counting = tracing_subscriber::registry().with(Counter);
            tracing::subscriber::set_global_default(counting).expect("the only one");
        });
        tracing::callsite::rebuild_interest_cache();
        SENT.set(0);
        Counted
    }

    /// The texts of what is sent from here on, when [`Counted::texts`] is called.
    fn listen(&self) {
        TEXTS.set(Some(Vec::new()));
    }

    fn texts(&self) -> Vec<String> {
        let texts = TEXTS.take().unwrap_or_default();
        assert!(!texts.is_empty(), "statements are not heard");
        texts
    }

    /// Since the last call. Never 0: a request that is counted asks the database.
    fn take(&self) -> usize {
        let count = SENT.replace(0);
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
async fn az_19_what_is_invisible_takes_the_statements_of_what_is_missing() {
    let network = Network::start().await;
    let counted = Counted::start();
    for who in ["p1", "d1", "h1", "e1", "gon"] {
        let client = network.as_person(who).await;
        let sent = async |path: String, status: u16| {
            // What is asked for the first time may have to learn the numbers of its words.
            client.get(&path).await.expect(status);
            counted.listen();
            client.get(&path).await.expect(status);
            counted.texts()
        };
        for (path, id) in [
            ("Observation/[id]", "o2"),
            ("Observation/[id]/_history/1", "o2"),
            ("Observation/[id]/_history", "o2"),
            ("Patient/[id]", "P2"),
        ] {
            // A registry has no histories.
            if who == "gon" && path.contains("_history") {
                continue;
            }
            let hidden = sent(path.replace("[id]", id), 404).await;
            let missing = sent(path.replace("[id]", "xx"), 404).await;
            assert_eq!(hidden, missing, "{who} {path}");
            assert!(hidden.iter().any(|text| text.contains("resource")), "{hidden:?}");
        }
    }
}

#[tokio::test]
async fn links_come_and_go_in_the_statement_that_writes_their_source() {
    let server = TestServer::start().await;
    let counted = Counted::start();
    let source = || encounter("e", "p", "d");
    let new = |mut resource: Value| {
        resource.as_object_mut().unwrap().shift_remove("id");
        resource
    };
    server.create(new(source())).await.expect(201);
    counted.take();
    server.create(new(source())).await.expect(201);
    assert_eq!(counted.take(), 1);
    server.create(new(observation().subject("Patient/p").into())).await.expect(201);
    counted.take();
    let plain = server.create(new(observation().subject("Patient/p").into())).await.expect(201);
    assert_eq!(counted.take(), 1);
    let made = server.create(new(source())).await.expect(201);
    counted.take();
    let update = |body: &Value, status: &str| {
        let mut body = body.clone();
        body["status"] = status.into();
        body
    };
    let path = format!("Encounter/{}", made.id());
    server.put(&path, &update(&made.body, "arrived")).await.expect(200);
    server.put(&path, &update(&made.body, "in-progress")).await.expect(200);
    counted.take();
    server.put(&path, &update(&made.body, "arrived")).await.expect(200);
    let of_source = counted.take();
    let path = format!("Observation/{}", plain.id());
    server.put(&path, &update(&plain.body, "amended")).await.expect(200);
    server.put(&path, &update(&plain.body, "final")).await.expect(200);
    counted.take();
    server.put(&path, &update(&plain.body, "amended")).await.expect(200);
    assert_eq!(of_source, counted.take(), "an update of a source takes as many as any other");
}

#[tokio::test]
async fn a_guarded_create_asks_once_for_all_that_it_refers_to() {
    let server = TestServer::start().await;
    let doctor = server.doctor("d").await;
    server.update(patient().id("p")).await.expect(201);
    server.update(encounter("e", "p", "d")).await.expect(201);
    let performer = json!([{"reference": "Practitioner/d"}]);
    let of = observation().subject("Patient/p").with("performer", performer);
    let resource: Value = of.with("encounter", json!({"reference": "Encounter/e"})).into();
    doctor.post("Observation", &resource).await.expect(201);
    let counted = Counted::start();
    doctor.post("Observation", &resource).await.expect(201);
    assert_eq!(counted.take(), 2);
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

#[tokio::test]
async fn searches_that_come_together_share_statements_and_each_finds_its_own() {
    let server = TestServer::start().await;
    for number in 0..12 {
        let (id, value) = (format!("p{number}"), number.to_string());
        server.update(patient().id(&id).identifier("http://a.example", &value)).await.expect(201);
    }
    let query = |number| format!("Patient?identifier=http://a.example%7C{number}&_count=1");
    server.get(&query(0)).await.expect(200);
    let mut holder = server.database.connect().await;
    let hold = "begin; lock table resource in access exclusive mode";
    sqlx::raw_sql(hold).execute(&mut holder).await.unwrap();
    let counted = Counted::start();
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    };
    let searches = (0..14).map(|number| {
        let (server, query) = (&server, query(number));
        async move { server.get(&query).await.expect(200) }
    });
    let (replies, ()) = tokio::join!(join_all(searches), release);
    assert!(counted.take() <= 8, "14 searches");
    for (number, reply) in replies.iter().enumerate() {
        let expected: Vec<String> =
            (number < 12).then(|| format!("p{number}")).into_iter().collect();
        assert_eq!(reply.ids("match"), expected);
        assert_eq!(reply.body["total"], expected.len());
    }
}

#[tokio::test]
async fn searches_of_several_callers_share_a_statement_and_no_rows() {
    let server = TestServer::start().await;
    for id in ["a", "b"] {
        server.update(patient().id(id)).await.expect(201);
        let of = observation().id(&format!("of-{id}")).subject(&format!("Patient/{id}"));
        server.update(of).await.expect(201);
    }
    let context = server.context.current();
    let scope = SearchScope::Type(ResourceType::parse("Observation").unwrap());
    let permits = [server.permit_about("Patient/a").await, server.permit_about("Patient/b").await];
    let mut asked = Vec::new();
    for number in 0..24 {
        let of = if number % 3 == 0 { "Patient/a" } else { "Patient/b" };
        let parameters = [("patient".to_owned(), of.to_owned())];
        let plan = context.plan(&scope, &parameters, Handling::Strict).unwrap();
        asked.push((&permits[number % 2], plan, number % 3 == 0, number % 2 == 0));
    }
    let searches = asked.iter().map(|(permit, plan, ..)| context.store.search(permit, plan));
    let pages = join_all(searches).await;
    for (page, (_, _, is_about_a, is_a)) in pages.into_iter().zip(&asked) {
        let found = page.unwrap().matches.len();
        assert_eq!(found == 1, is_about_a == is_a, "{found}");
    }
}

#[tokio::test]
async fn a_read_is_one_statement_whichever_rule_lets_it_through() {
    let server = TestServer::start().await;
    let doctor = server.doctor("d").await;
    server.update(patient().id("p")).await.expect(201);
    server.update(encounter("e", "p", "d")).await.expect(201);
    server.update(observation().id("o").subject("Patient/p")).await.expect(201);
    let content = json!({"resourceType": "Binary", "id": "b", "contentType": "text/plain",
        "data": "aGVsbG8="});
    server.update(content).await.expect(201);
    let document = json!({"resourceType": "DocumentReference", "id": "d", "status": "current",
        "subject": {"reference": "Patient/p"},
        "content": [{"attachment": {"url": "Binary/b"}}]});
    server.update(document).await.expect(201);
    let counted = Counted::start();
    for path in ["Patient/p", "Observation/o", "Binary/b", "DocumentReference/d"] {
        doctor.get(path).await.expect(200);
        assert_eq!(counted.take(), 1, "{path}");
    }
    // The query of a scope: coded values are looked up once.
    for (query, statements) in
        [("code=http://loinc.org|29463-7", 1), ("subject=Patient/p", 1), ("status=final", 2)]
    {
        let mut person =
            server.principal_of(bhn_fhir::access::Role::Doctor, "Practitioner/d").await;
        let scopes = format!("user/Observation.rs?{query}");
        person.scopes = bhn_fhir::access::Scopes::parse(&scopes).unwrap();
        person.client_id = query.to_owned();
        let app = server.as_principal(person);
        app.get("Observation/o").await.expect(200);
        counted.take();
        app.get("Observation/o").await.expect(200);
        assert_eq!(counted.take(), statements, "{query}");
    }
}
