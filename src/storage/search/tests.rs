//! Against a scratch database: `BHN_TEST_DATABASE_URL` names one that may be emptied.

use super::*;
use crate::access::RowFilter;
use crate::config::Settings;
use crate::fhir::interaction::{Handling, SearchScope};
use crate::fhir::resource::Resource;
use crate::search::{IndexSettings, Planner, Registry};
use crate::storage::body::BodyCodec;
use crate::storage::pool::{Pool, PoolBounds};
use crate::storage::{Applied, Change, Content};
use chrono::{DateTime, Duration};
use serde_json::{Value, json};
use std::io::BufRead;

struct Searched {
    store: Store,
    registry: Registry,
    settings: Settings,
}

impl Searched {
    async fn start(name: &str) -> Option<Searched> {
        let Some(url) = std::env::var_os("BHN_TEST_DATABASE_URL") else {
            println!("skipped: BHN_TEST_DATABASE_URL is not set");
            return None;
        };
        let options: sqlx::postgres::PgConnectOptions = url.to_str().unwrap().parse().unwrap();
        let options = options.options([("search_path", name), ("timezone", "UTC")]);
        let second = std::time::Duration::from_secs(5);
        let bounds = PoolBounds { connections: 5, acquire_within: second, idle_for: second };
        let pool = Pool::open(options, bounds).await.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        let reset = format!("drop schema if exists {name} cascade; create schema {name}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(reset)).execute(&mut *connection).await.unwrap();
        sqlx::migrate!("./migrations").run(&mut *connection).await.unwrap();
        let store = Store {
            search_pool: pool.clone(),
            pool,
            codec: BodyCodec::new(vec![]),
            interned: Default::default(),
            writes_under_way: Default::default(),
            epoch: 1,
            keeps_jsonb: false,
            server_key: vec![0; 32],
        };
        let settings = Settings::default();
        Some(Searched { store, registry: Registry::r4().unwrap(), settings })
    }

    fn index_settings(&self) -> IndexSettings {
        let base_url = self.settings.base_url.clone();
        IndexSettings { zone: self.settings.default_zone, base_url }
    }

    async fn create(&self, resources: Vec<Value>) {
        let rids = self.store.allocate_rids(resources.len()).await.unwrap();
        let resources: Vec<Resource> =
            resources.into_iter().map(|value| Resource::from_value(value).unwrap()).collect();
        let mut changes = Vec::new();
        for (at, (resource, rid)) in resources.iter().zip(rids).enumerate() {
            let key = ResourceKey::new(resource.resource_type(), resource.id().unwrap());
            let wanted = self.store.intern_references([key.clone()]).await.unwrap();
            let _ = rid;
            changes.push(Change {
                rid: wanted[&key],
                key,
                version: 1,
                // Several share an instant, so that rid decides.
                last_updated: DateTime::UNIX_EPOCH + Duration::seconds(at as i64 / 3),
                adopts_stub: true,
                before: None,
                content: Some(Content {
                    json: resource.value().to_string().into_bytes(),
                    rows: self.registry.index(resource, &self.index_settings()),
                }),
            });
        }
        let staged = self.store.stage(changes).await.unwrap();
        let mut unit = self.store.begin(&[]).await.unwrap();
        assert!(matches!(self.store.apply(&mut unit, &staged).await.unwrap(), Applied::Yes));
        assert!(matches!(unit.commit().await.unwrap(), Applied::Yes));
    }

    fn plan(&self, path: &str) -> Plan {
        let (scope, query) = path.split_once('?').unwrap_or((path, ""));
        let scope = match crate::fhir::definitions::ResourceType::parse(scope) {
            Some(kind) => SearchScope::Type(kind),
            None if scope.is_empty() => SearchScope::System,
            None => {
                let (key, kind) = scope.rsplit_once('/').unwrap();
                let kind = crate::fhir::definitions::ResourceType::parse(kind);
                SearchScope::Compartment(ResourceKey::parse(key).unwrap(), kind)
            }
        };
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let parameters: Vec<_> =
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let settings = self.index_settings();
        let planner = Planner {
            registry: &self.registry,
            limits: &self.settings.limits,
            settings: &settings,
            now: "2024-01-01T00:00:00Z".parse().unwrap(),
        };
        planner.plan(&scope, &parameters, Handling::Strict).unwrap()
    }

    async fn page(&self, permit: &Permit, plan: &Plan) -> Page {
        let mut connection = self.store.search_connection().await.unwrap();
        self.store.search(&mut connection, permit, plan).await.unwrap()
    }

    /// Ids of all matches, in order.
    async fn ids(&self, path: &str) -> Vec<String> {
        let page = self.page(&Permit::operator(), &self.plan(path)).await;
        page.matches.iter().map(|stored| stored.key.id.to_string()).collect()
    }

    /// Ids of all matches as one text, sorted.
    async fn found(&self, path: &str) -> String {
        let mut ids = self.ids(path).await;
        ids.sort();
        ids.join(" ")
    }
}

fn patient(id: &str, rest: Value) -> Value {
    let mut value = json!({"resourceType": "Patient", "id": id});
    value.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    value
}

fn observation(id: &str, patient: &str, rest: Value) -> Value {
    let mut value = json!({"resourceType": "Observation", "id": id, "status": "final",
        "subject": {"reference": format!("Patient/{patient}")}});
    value.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    value
}

fn coded(codes: &[(&str, &str)]) -> Value {
    let codings: Vec<Value> =
        codes.iter().map(|(system, code)| json!({"system": system, "code": code})).collect();
    json!({ "coding": codings })
}

fn people_and_observations() -> Vec<Value> {
    let ucum = "http://unitsofmeasure.org";
    vec![
        patient(
            "p1",
            json!({"gender": "female", "birthDate": "1990-05-01", "active": true,
            "name": [{"family": "Dupré", "given": ["Ève"]}],
            "identifier": [{"system": "urn:mrn", "value": "7"}],
            "telecom": [{"system": "phone", "value": "555"}],
            "meta": {"tag": [{"system": "urn:t", "code": "a"}], "profile": ["http://p|1"]}}),
        ),
        patient(
            "p2",
            json!({"gender": "male", "birthDate": "1990", "name": [{"family": "Zed"}],
            "identifier": [{"system": "urn:other", "value": "7"}]}),
        ),
        patient(
            "p3",
            json!({"name": [{"family": "dupont", "given": ["50%_off"]}],
            "managingOrganization": {"reference": "Organization/none"}}),
        ),
        observation(
            "o1",
            "p1",
            json!({"code": coded(&[("http://l", "w"), ("http://x", "w2")]),
            "effectiveDateTime": "2024-01-10",
            "valueQuantity": {"value": 5.4, "unit": "mg", "system": ucum, "code": "mg"}}),
        ),
        observation(
            "o2",
            "p1",
            json!({"code": coded(&[("http://x", "w2"), ("http://l", "w")]),
            "effectivePeriod": {"start": "2024-01-05"},
            "performer": [{"reference": "Patient/p2"}],
            "valueQuantity": {"value": 0.0070, "system": ucum, "code": "g"}}),
        ),
        observation(
            "o3",
            "p2",
            json!({"code": coded(&[("http://l", "bp")]),
            "component": [
                {"code": coded(&[("http://l", "sys")]), "valueQuantity": {"value": 120, "unit": "mmHg"}},
                {"code": coded(&[("http://l", "dia")]), "valueQuantity": {"value": 80, "unit": "mmHg"}}]}),
        ),
        json!({"resourceType": "ValueSet", "id": "v1", "status": "draft", "url": "http://v/1"}),
        json!({"resourceType": "RiskAssessment", "id": "r1", "status": "final",
            "subject": {"reference": "Patient/p1"}, "prediction": [{"probabilityDecimal": 0.8}]}),
        json!({"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"},
            "recordedDate": "2024-02-01", "onsetDateTime": "2023"}),
    ]
}

#[tokio::test]
async fn every_kind_of_parameter_finds_what_it_should() {
    let Some(server) = Searched::start("search_kinds").await else { return };
    server.create(people_and_observations()).await;
    for (path, expected) in [
        ("Patient", "p1 p2 p3"),
        ("Patient?_id=p1,p3", "p1 p3"),
        ("Patient?gender=female", "p1"),
        ("Patient?gender=female,male", "p1 p2"),
        ("Patient?gender:not=male", "p1 p3"),
        ("Patient?gender:missing=true", "p3"),
        ("Patient?gender:missing=false&_id:missing=false", "p1 p2"),
        ("Patient?active=true", "p1"),
        ("Patient?identifier=7", "p1 p2"),
        ("Patient?identifier=urn:mrn|7", "p1"),
        ("Patient?identifier=urn:other|", "p2"),
        ("Patient?identifier=|7", ""),
        ("Patient?identifier=urn:mrn|7&gender=male", ""),
        ("Patient?phone=555", "p1"),
        ("Patient?name=dup", "p1 p3"),
        ("Patient?name=DUPRE", "p1"),
        ("Patient?family:exact=Dupré", "p1"),
        ("Patient?family:exact=Dupre", ""),
        ("Patient?family:contains=PON", "p3"),
        ("Patient?given:contains=%_", "p3"),
        ("Patient?given:contains=0_o", ""),
        ("Patient?birthdate=1990", "p1 p2"),
        ("Patient?birthdate=1990-05", "p1"),
        ("Patient?birthdate=ge1990-06", "p2"),
        ("Patient?_tag=urn:t|a", "p1"),
        ("Patient?_tag=urn:t|", "p1"),
        ("Patient?_profile=http://p", "p1"),
        ("Patient?organization=Organization/none", "p3"),
        ("Patient?organization=Organization/nobody", ""),
        ("Observation?code=w", "o1 o2"),
        ("Observation?code=http://l|w", "o1 o2"),
        ("Observation?code=http://x|w2&date=2024-01-10", "o1"),
        ("Observation?code=http://l|", "o1 o2 o3"),
        ("Observation?code=http://l|w,http://l|bp&status=final", "o1 o2 o3"),
        ("Observation?code=nothing", ""),
        ("Observation?code:not=w", "o3"),
        ("Observation?patient=p1", "o1 o2"),
        ("Observation?subject=Patient/p1&code=http://x|w2&_sort=date", "o1 o2"),
        ("Observation?patient=p1,p2&code=bp", "o3"),
        ("Observation?performer=Patient/p2", "o2"),
        ("Observation?date=ge2024-02", "o2"),
        ("Observation?date=lt2024-01-10", "o2"),
        ("Observation?date:missing=true", "o3"),
        ("Observation?value-quantity=5.4|http://unitsofmeasure.org|mg", "o1"),
        ("Observation?value-quantity=7|http://unitsofmeasure.org|mg", "o2"),
        ("Observation?value-quantity=gt5|http://unitsofmeasure.org|mg", "o1 o2"),
        ("Observation?value-quantity=5.4", "o1"),
        ("Observation?value-quantity=5.4||mg", "o1"),
        ("Observation?value-quantity=5.4|urn:x|mg", ""),
        ("Observation?code-value-quantity=w$5.4", "o1"),
        ("Observation?component-code-value-quantity=http://l|sys$gt100", "o3"),
        ("Observation?component-code-value-quantity=http://l|dia$gt100", ""),
        ("Observation?combo-code-value-quantity=http://l|dia$lt100||mmHg", "o3"),
        ("Observation?combo-code-value-quantity=http://l|w$5.4", "o1"),
        ("RiskAssessment?probability=gt0.5", "r1"),
        ("RiskAssessment?probability=0.8,0.9", "r1"),
        ("RiskAssessment?probability=ne0.8", ""),
        ("ValueSet?url=http://v/1", "v1"),
        ("Condition?recorded-date=2024-02-01", "c1"),
        ("Condition?onset-date=sa2022-12-31", "c1"),
        ("?_id=p1,o1", "o1 p1"),
        ("?_type=Patient,Observation&_lastUpdated=lt1970-01-01T00:00:01Z", "p1 p2 p3"),
        ("Patient/p1/Observation", "o1 o2"),
        ("Patient/p2/Observation", "o2 o3"),
        ("Patient/p1/*", "c1 o1 o2 p1 r1"),
        ("Patient/nobody/*", ""),
    ] {
        assert_eq!(server.found(path).await, expected, "{path}");
        let (scope, query) = path.split_once('?').unwrap_or((path, ""));
        let counted = format!("{scope}?{query}&_count=0");
        let page = server.page(&Permit::operator(), &server.plan(&counted)).await;
        assert_eq!(page.total, Some(expected.split_whitespace().count() as i64), "{counted}");
        let mut connection = server.store.search_connection().await.unwrap();
        let plan = server.plan(path);
        let wanted = (&Permit::operator(), &plan);
        let keys = server.store.matching(&mut connection, wanted, 100).await.unwrap();
        let mut keys: Vec<_> = keys.iter().map(|key| key.id.to_string()).collect();
        keys.sort();
        assert_eq!(keys.join(" "), expected, "matching {path}");
    }
}

#[tokio::test]
async fn rows_that_the_permit_does_not_reach_are_in_no_page_and_no_total() {
    let Some(server) = Searched::start("search_permit").await else { return };
    server.create(people_and_observations()).await;
    let key = ResourceKey::parse("Patient/p1").unwrap();
    let rid = server.store.intern_references([key.clone()]).await.unwrap()[&key];
    let permit = Permit::operator().narrowed(RowFilter::Stamps {
        subjects: vec![rid],
        owners: vec![],
        authors: vec![],
    });
    for (path, expected) in [
        ("Observation?code=http://l|w,http://l|bp&_total=accurate&_count=1", 2),
        ("Observation?_total=accurate&_count=1", 2),
        ("Observation?patient=p2&_total=accurate", 0),
        ("Patient?_total=accurate", 1),
        ("Patient?identifier=7&_total=accurate", 1),
        ("Patient/p2/Observation?_total=accurate", 1),
    ] {
        let page = server.page(&permit, &server.plan(path)).await;
        assert_eq!(page.total, Some(expected), "{path}");
        assert!(page.matches.len() as i64 <= expected);
    }
}

#[tokio::test]
async fn pages_forward_and_backward_hold_every_match_once_and_in_order() {
    let Some(server) = Searched::start("search_pages").await else { return };
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/r4-examples/examples.ndjson.gz");
    let lines =
        std::io::BufReader::new(flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()))
            .lines();
    let mut seen = std::collections::HashSet::new();
    let resources: Vec<Value> = lines
        .map_while(std::result::Result::ok)
        .filter(|line| line.len() < 20_000)
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .filter(|value| value["id"].is_string())
        .filter(|value| seen.insert((value["resourceType"].to_string(), value["id"].to_string())))
        .collect();
    assert!(resources.len() > 200);
    server.create(resources).await;
    let permit = Permit::operator();
    for path in [
        "Observation?_sort=date",
        "Observation?_sort=-date",
        "Observation?_sort=_id",
        "Observation?_sort=-_lastUpdated",
        "Observation?_sort=code",
        "Observation?_sort=-code",
        "Observation?_sort=value-quantity",
        "Observation?_sort=identifier",
        "Observation",
        "Observation?status=final",
        "Observation?code:missing=false&code=http://loinc.org|",
        "Observation?subject=Patient/example",
        "Patient?_sort=family",
        "Patient?_sort=-birthdate",
        "Patient?_sort=-name",
        "ValueSet?_sort=url",
        "Condition?_sort=recorded-date",
        "",
        "?_type=Observation,Procedure&code:missing=false&_sort=date",
        "?_type=Observation,Procedure&code:missing=false&_sort=-date",
    ] {
        let whole = match path.contains('?') {
            true => format!("{path}&_count=1000&_total=accurate"),
            false => format!("{path}?_count=1000&_total=accurate"),
        };
        let expected = server.ids(&whole).await;
        let mut plan = server.plan(path);
        plan.count = 7;
        let (mut forward, mut last) = (Vec::new(), None);
        loop {
            let page = server.page(&permit, &plan).await;
            forward.extend(page.matches.iter().map(|stored| stored.key.id.to_string()));
            last = page.previous.or(last);
            match page.next {
                Some(next) => plan = plan.after(next),
                None => break,
            }
        }
        assert_eq!(forward, expected, "{path}");
        println!("{path}: {} matches", expected.len());
        let Some(at_end) = forward.len().checked_sub(1) else { continue };
        // From the last page back to the first.
        let mut backward = forward[at_end - at_end % 7..].to_vec();
        while let Some(previous) = last.take() {
            plan = plan.after(previous);
            let page = server.page(&permit, &plan).await;
            assert!(page.next.is_some());
            let mut ids: Vec<String> =
                page.matches.iter().map(|stored| stored.key.id.to_string()).collect();
            ids.append(&mut backward);
            backward = ids;
            last = page.previous;
        }
        assert_eq!(backward, expected, "{path} backward");
        let counted = server.plan(path).counting();
        let total = server.page(&permit, &counted).await.total;
        assert_eq!(total, Some(expected.len() as i64), "{path}");
        let mut estimated = server.plan(path);
        (estimated.total, estimated.count) = (Total::Estimate, 1);
        assert!(server.page(&permit, &estimated).await.total.is_some());
    }
}
