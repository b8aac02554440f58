//! `_sort` (search.html#sort) and the links between pages (http.html#paging).

use super::harness::{Reply, TestServer, observation, patient};
use serde_json::{Value, json};
use sqlx::Executor;
use std::cmp::Ordering;
use std::collections::BTreeMap;

async fn find(server: &TestServer, query: &str) -> String {
    server.get(query).await.expect(200).ids("match").join(" ")
}

async fn put_all(server: &TestServer, resources: &[Value]) {
    for chunk in resources.chunks(200) {
        let entry = |resource: &Value| {
            let (kind, id) = (&resource["resourceType"], &resource["id"]);
            let url = format!("{}/{}", kind.as_str().unwrap(), id.as_str().unwrap());
            json!({"resource": resource, "request": {"method": "PUT", "url": url}})
        };
        let entries: Vec<Value> = chunk.iter().map(entry).collect();
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        server.post("", &bundle).await.expect(200);
    }
}

fn person(id: &str, family: &str, gender: Option<&str>, born: Option<&str>) -> Value {
    let mut value = json!({"resourceType": "Patient", "id": id, "name": [{"family": family}]});
    if let Some(gender) = gender {
        value["gender"] = json!(gender);
    }
    if let Some(born) = born {
        value["birthDate"] = json!(born);
    }
    value
}

async fn with_people() -> TestServer {
    let server = TestServer::start().await;
    let people = [
        person("a", "Rahman", Some("female"), Some("1990-01-01")),
        person("b", "rahman", Some("male"), Some("1985-01-01")),
        person("c", "Akter", Some("female"), None),
        person("d", "Rahmán", Some("female"), Some("2001-01-01")),
        person("e", "Begum", None, Some("1985-01-01")),
    ];
    put_all(&server, &people).await;
    server
}

#[tokio::test]
async fn a_canonical_url_is_ordered_by_itself_and_never_with_its_version() {
    let set = |id: &str, url: &str, version: &str| {
        let mut value = json!({"resourceType": "ValueSet", "id": id, "status": "active"});
        value["url"] = json!(url);
        value["version"] = json!(version);
        value
    };
    let server = TestServer::start().await;
    let sets = [set("a", "http://v/1", "9"), set("b", "http://v/12", "1"), set("c", "urn:x", "1")];
    put_all(&server, &sets).await;
    assert_eq!(find(&server, "ValueSet?_sort=url").await, "a b c");
    assert_eq!(find(&server, "ValueSet?_sort=-url").await, "c b a");
    // A version that is no longer current stands where it stood.
    let first = server.get("ValueSet?_sort=-url&_count=1").await.expect(200);
    put_all(&server, &[set("a", "http://v/1", "10"), set("b", "http://v/0", "1")]).await;
    let second = server.get(first.link("next").unwrap()).await.expect(200);
    let third = server.get(second.link("next").unwrap()).await.expect(200);
    assert_eq!((second.ids("match"), third.ids("match")), (vec!["b"], vec!["a"]));
    assert_eq!(find(&server, "ValueSet?url=http://v/1|10").await, "a");
}

#[tokio::test]
async fn the_first_key_goes_before_the_second_and_each_has_its_direction() {
    let server = with_people().await;
    for (sort, expected) in [
        ("family,birthdate", "c e b a d"),
        ("family,-birthdate", "c e d a b"),
        ("-family,birthdate", "b a d e c"),
        ("gender,family,birthdate", "c a d b e"),
        ("-gender,-birthdate,_id", "b d a c e"),
        ("birthdate,-_id", "e b a d c"),
        ("-_lastUpdated,_id", "a b c d e"),
    ] {
        assert_eq!(find(&server, &format!("Patient?_sort={sort}")).await, expected, "{sort}");
    }
}

#[tokio::test]
async fn resources_without_the_value_stand_last_in_both_directions() {
    let server = with_people().await;
    for (sort, last) in
        [("birthdate,_id", "c"), ("-birthdate,_id", "c"), ("gender,_id", "e"), ("-gender", "e")]
    {
        let found = find(&server, &format!("Patient?_sort={sort}")).await;
        assert!(found.ends_with(last), "{sort}: {found}");
        let of_page = find(&server, &format!("Patient?_sort={sort}&_count=4")).await;
        assert!(found.starts_with(&of_page), "{sort}: {of_page}");
    }
}

/// A resource whose element has an item for each value.
struct Repeating {
    resource: Value,
    element: &'static str,
    item: fn(&str) -> Value,
}

impl Repeating {
    /// `x` gets the least and the greatest of the values, `y` what is between them, `z` none.
    fn add(&self, to: &mut BTreeMap<String, Value>, [least, middle, greatest]: [&str; 3]) {
        for (id, values) in [("x", &[greatest, least][..]), ("y", &[middle]), ("z", &[])] {
            let key = format!("{}/{id}", self.resource["resourceType"]);
            let value = to.entry(key).or_insert_with(|| self.resource.clone());
            value["id"] = json!(id);
            if !values.is_empty() {
                value[self.element] = values.iter().map(|value| (self.item)(value)).collect();
            }
        }
    }
}

#[tokio::test]
async fn of_several_values_the_lowest_counts_ascending_and_the_highest_descending() {
    let about = json!({"reference": "Patient/p"});
    let of_observation = |element, item| Repeating {
        resource: observation().without("valueQuantity").into(),
        element,
        item,
    };
    let category =
        of_observation("category", |code| json!({"coding": [{"system": "urn:c", "code": code}]}));
    let identifier = of_observation("identifier", |value| json!({ "value": value }));
    let performer = of_observation("performer", |to| json!({ "reference": to }));
    let component = of_observation("component", |value| {
        let value: i64 = value.parse().unwrap();
        json!({"code": {"text": "part"}, "valueQuantity": {"value": value}})
    });
    let name = Repeating {
        resource: json!({"resourceType": "Patient"}),
        element: "name",
        item: |family| json!({ "family": family }),
    };
    let prediction = Repeating {
        resource: json!({"resourceType": "RiskAssessment", "status": "final", "subject": about}),
        element: "prediction",
        item: |value| json!({"probabilityDecimal": value.parse::<f64>().unwrap()}),
    };
    let activity = Repeating {
        resource: json!({"resourceType": "CarePlan", "status": "active", "intent": "plan",
            "subject": about}),
        element: "activity",
        item: |start| {
            let period = json!({ "start": start });
            json!({"detail": {"status": "scheduled", "scheduledPeriod": period}})
        },
    };
    let elsewhere = "http://else.example/Practitioner/b";
    let cases = [
        ("Patient?_sort=family", &name, ["aa", "Mm", "zz"]),
        ("Observation?_sort=category", &category, ["a", "m", "z"]),
        ("Observation?_sort=identifier", &identifier, ["1", "5", "9"]),
        ("Observation?_sort=performer", &performer, ["Organization/o", "Patient/a", elsewhere]),
        ("Observation?_sort=component-value-quantity", &component, ["9", "50", "100"]),
        ("Observation?_sort=combo-value-quantity", &component, ["9", "50", "100"]),
        ("RiskAssessment?_sort=probability", &prediction, ["0.1", "0.5", "0.9"]),
        ("CarePlan?_sort=activity-date", &activity, ["2019", "2020-05-01", "2021-01"]),
    ];
    let server = TestServer::start().await;
    let mut resources = BTreeMap::new();
    for (_, repeating, values) in &cases {
        repeating.add(&mut resources, *values);
    }
    put_all(&server, &Vec::from_iter(resources.into_values())).await;
    for (ascending, ..) in cases {
        let descending = ascending.replace("_sort=", "_sort=-");
        for query in [ascending, &descending] {
            assert_eq!(find(&server, query).await, "x y z", "{query}");
            assert_eq!(find(&server, &format!("{query},_id")).await, "x y z", "{query}");
        }
    }
}

#[tokio::test]
async fn references_are_sorted_by_type_and_id_or_by_url() {
    let server = TestServer::start().await;
    let of = |id: &str, to: &str| Value::from(observation().id(id).subject(to));
    let resources = [
        of("a", "Patient/9"),
        of("b", "Group/1"),
        of("c", "http://else.example/Patient/0"),
        of("d", "Patient/10"),
        observation().id("e").into(),
        Value::from(patient().id("9")),
    ];
    put_all(&server, &resources).await;
    assert_eq!(find(&server, "Observation?_sort=subject").await, "b d a c e");
    assert_eq!(find(&server, "Observation?_sort=-subject").await, "c a d b e");
    assert_eq!(find(&server, "Observation?_sort=patient,_id").await, "d a c b e");
    server.delete("Patient/9").await.expect(204);
    assert_eq!(find(&server, "Observation?_sort=subject").await, "b d a c e");
}

async fn refused(server: &TestServer, query: &str) -> (String, String) {
    let reply = server.get(query).await.expect(400);
    let issue = &reply.body["issue"][0];
    let text = |name: &str| issue[name].as_str().unwrap_or_default().to_owned();
    (text("code"), text("diagnostics"))
}

#[tokio::test]
async fn what_has_no_order_is_refused_by_name() {
    let server = TestServer::start().await;
    for (query, code, says) in [
        ("Observation?_sort=code-value-quantity", "not-supported", "type composite"),
        ("Patient?_sort=family,_text", "not-supported", "_text"),
        ("Patient?_sort=-_score", "not-supported", "_score"),
        ("Patient?_sort=family:exact", "not-supported", "no modifiers"),
        ("Patient?_sort=famly", "not-supported", "near names are family"),
        ("Patient?_sort=gender,-birthdat", "not-supported", "near names are birthdate"),
        ("?_type=Patient,Observation&_sort=code", "not-supported", "code"),
        ("Patient?_sort=family,", "value", "_sort"),
        ("Patient?_sort=-", "value", "_sort"),
        ("Patient?_sort=family,-family", "value", "already"),
        ("Patient?_sort=family&_sort=gender", "value", "once"),
        ("Patient?_sort=family,given,gender,birthdate,_id", "too-costly", "at most 4 keys"),
    ] {
        let (found, text) = refused(&server, query).await;
        assert_eq!(found, code, "{query}: {text}");
        assert!(text.contains(says), "{query}: {text}");
    }
}

#[tokio::test]
async fn lenient_handling_leaves_an_unknown_order_out_of_the_search_and_of_self() {
    let server = with_people().await;
    let request = server.request("GET", "Patient?_sort=famly,gender&gender=male");
    let reply = request.header("Prefer", "handling=lenient").send().await.expect(200);
    assert_eq!(reply.ids("match"), ["b"]);
    let own = reply.link("self").unwrap();
    assert!(own.contains("gender=male") && !own.contains("_sort"), "{own}");
    let entries = reply.body["entry"].as_array().unwrap();
    let warned = entries.iter().any(|entry| entry["search"]["mode"] == "outcome");
    assert!(warned, "{}", reply.text());
}

#[tokio::test]
async fn an_order_of_several_keys_over_too_many_matches_is_too_costly() {
    let server = TestServer::start_with(|settings| settings.limits.sort_matches = 100).await;
    let people: Vec<Value> = (0..300)
        .map(|n| {
            let born = format!("{}-01-01", 1900 + n % 100);
            person(&format!("p{n}"), &format!("F{}", n % 7), Some("male"), Some(&born))
        })
        .collect();
    put_all(&server, &people).await;
    server.database.connect().await.execute("analyze").await.unwrap();
    for query in ["Patient?_sort=family,birthdate", "Patient?gender=male&_sort=-family,_id"] {
        let (code, text) = refused(&server, query).await;
        assert_eq!(code, "too-costly", "{query}: {text}");
        assert!(text.contains("at most 100") && text.contains("BHN_SORT_MATCHES"), "{text}");
    }
    for query in [
        "Patient?_sort=family",
        "Patient?_sort=-birthdate",
        "Patient?_sort=-_lastUpdated",
        "Patient?_sort=-_lastUpdated,_id",
        "Patient?_sort=_id,gender",
        "Patient?gender=male&_sort=-birthdate,_id",
        "Patient?birthdate=1950&_sort=family,birthdate",
        "Patient?_id=p1,p2&_sort=family,birthdate",
        "Patient?_sort=family,birthdate&_summary=count",
    ] {
        server.get(&format!("{query}&_count=10")).await.expect(200);
    }
}

#[tokio::test]
async fn pages_link_to_the_first_the_next_and_the_previous_one() {
    let server = with_people().await;
    let query = "Patient?_sort=gender,-birthdate&_count=2";
    let first = server.get(query).await.expect(200);
    assert!(first.link("self").unwrap().ends_with(query));
    assert!(first.link("previous").is_none());
    let second = server.get(first.link("next").unwrap()).await.expect(200);
    let third = server.get(second.link("next").unwrap()).await.expect(200);
    assert_eq!(
        [first.ids("match"), second.ids("match"), third.ids("match")].concat(),
        ["d", "a", "c", "b", "e"]
    );
    assert!(third.link("next").is_none());
    for page in [&first, &second, &third] {
        let again = server.get(page.link("first").unwrap()).await.expect(200);
        assert_eq!(again.ids("match"), first.ids("match"));
        let again = server.get(page.link("self").unwrap()).await.expect(200);
        assert_eq!(again.ids("match"), page.ids("match"));
    }
    let back = server.get(third.link("previous").unwrap()).await.expect(200);
    assert_eq!(back.ids("match"), second.ids("match"));
    let back = server.get(back.link("previous").unwrap()).await.expect(200);
    assert_eq!(back.ids("match"), first.ids("match"));
    assert!(back.link("previous").is_none());
    let whole = server.get("Patient?_sort=gender,-birthdate").await.expect(200);
    assert!(whole.link("first").is_none(), "the only page is the first");
}

#[tokio::test]
async fn an_order_goes_with_includes_compartments_and_searches_of_all_types() {
    let server = TestServer::start().await;
    let of = |id: &str, status: &str, day: &str| {
        let about = observation().id(id).subject("Patient/p").with("status", status);
        Value::from(about.with("effectiveDateTime", format!("2025-03-{day}")))
    };
    let resources = [
        Value::from(patient().id("p")),
        of("a", "final", "02"),
        of("b", "amended", "01"),
        of("c", "final", "03"),
    ];
    put_all(&server, &resources).await;
    for query in [
        "Observation?_sort=status,-date&_include=Observation:subject",
        "Observation?code=29463-7&_sort=status,-date",
        "Observation?patient=p&_sort=status,-date",
        "Patient/p/Observation?_sort=status,-date",
    ] {
        assert_eq!(find(&server, query).await, "b c a", "{query}");
        let separator = if query.contains('?') { '&' } else { '?' };
        let first = server.get(&format!("{query}{separator}_count=2")).await.expect(200);
        let second = server.get(first.link("next").unwrap()).await.expect(200);
        assert_eq!(
            [first.ids("match"), second.ids("match")].concat().join(" "),
            "b c a",
            "{query}"
        );
    }
    assert_eq!(find(&server, "?_sort=-_id").await, "p c b a");
    assert_eq!(find(&server, "?_sort=_lastUpdated,-_id").await, "p c b a");
    let both = "?_type=Patient,Observation&_sort=-_id";
    assert_eq!(find(&server, both).await, "p c b a");
}

/// Numbers that are the same in every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

#[derive(Clone, PartialEq, PartialOrd, Debug)]
enum SortValue {
    Number(f64),
    Text(String),
}

/// Where a resource has the values of a parameter: a pointer to an array or to one value, and
/// the way from an item to its value.
const PARAMETERS: [(&str, &str, &str); 11] = [
    ("status", "/status", ""),
    ("category", "/category", "/coding/0/code"),
    ("code", "/code/coding/0/code", ""),
    ("date", "/effectiveDateTime", ""),
    ("value-quantity", "/valueQuantity/value", ""),
    ("subject", "/subject/reference", ""),
    ("performer", "/performer", "/reference"),
    ("identifier", "/identifier", "/value"),
    ("_profile", "/meta/profile", ""),
    ("_id", "/id", ""),
    ("_lastUpdated", "/meta/lastUpdated", ""),
];

fn sort_value(resource: &Value, parameter: &str, is_descending: bool) -> Option<SortValue> {
    let row = PARAMETERS.iter().find(|(code, ..)| *code == parameter).unwrap();
    let found = resource.pointer(row.1)?;
    let items = found.as_array().cloned().unwrap_or_else(|| vec![found.clone()]);
    let value = |item: &Value| match item.pointer(row.2).unwrap() {
        Value::String(text) => SortValue::Text(text.clone()),
        number => SortValue::Number(number.as_f64().unwrap()),
    };
    let order = |a: &SortValue, b: &SortValue| a.partial_cmp(b).unwrap();
    let values = items.iter().map(value);
    if is_descending { values.max_by(order) } else { values.min_by(order) }
}

/// The order of two resources by one key: what has no value is last either way.
fn compared(a: &Value, b: &Value, (parameter, is_descending): (&str, bool)) -> Ordering {
    let of = |resource| sort_value(resource, parameter, is_descending);
    match (of(a), of(b)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) if is_descending => b.partial_cmp(&a).unwrap(),
        (Some(a), Some(b)) => a.partial_cmp(&b).unwrap(),
    }
}

/// An Observation with some of the values, from few, so that many are equal.
fn random_observation(random: &mut Seeded, number: usize) -> Value {
    let mut value = json!({"resourceType": "Observation", "id": format!("o{number:03}"),
        "status": random.one(&["final", "amended", "registered"]),
        "code": {"coding": [{"system": "urn:c", "code": random.one(&["c1", "c2", "c3", "c4"])}]}});
    let mut maybe = |element: &str, random: &mut Seeded, one: &dyn Fn(&mut Seeded) -> Value| {
        if random.below(4) > 0 {
            value[element] = one(random);
        }
    };
    let many = |random: &mut Seeded, one: &dyn Fn(&mut Seeded) -> Value| -> Value {
        (0..1 + random.below(3)).map(|_| one(random)).collect()
    };
    maybe("category", random, &|random| {
        many(random, &|random| {
            let code = format!("g{}", random.below(5));
            json!({"coding": [{"system": "urn:g", "code": code}]})
        })
    });
    maybe("effectiveDateTime", random, &|random| {
        json!(format!("2025-01-{:02}", 1 + random.below(20)))
    });
    maybe("valueQuantity", random, &|random| json!({"value": random.below(12)}));
    maybe(
        "subject",
        random,
        &|random| json!({"reference": format!("Patient/p{}", random.below(9))}),
    );
    maybe("performer", random, &|random| {
        many(random, &|random| {
            let to = ["Practitioner/a", "Organization/b", "http://else.example/Patient/c"];
            json!({ "reference": random.one(&to) })
        })
    });
    maybe("identifier", random, &|random| {
        many(random, &|random| json!({"value": format!("i{}", random.below(30))}))
    });
    maybe("meta", random, &|random| {
        let profiles =
            many(random, &|random| json!(format!("http://p.example/{}", random.below(4))));
        json!({ "profile": profiles })
    });
    value
}

/// Pages of one search: forward to the last, then backward to the first.
async fn walk(server: &TestServer, query: &str) -> [Vec<String>; 2] {
    let ids = |reply: &Reply| reply.ids("match").into_iter().map(str::to_owned).collect();
    let mut reply = server.get(query).await.expect(200);
    let mut forward: Vec<String> = ids(&reply);
    while let Some(next) = reply.link("next") {
        reply = server.get(next).await.expect(200);
        forward.extend(ids(&reply));
    }
    let mut pages = vec![ids(&reply)];
    while let Some(previous) = reply.link("previous") {
        reply = server.get(previous).await.expect(200);
        pages.push(ids(&reply));
    }
    pages.reverse();
    [forward, pages.concat()]
}

#[tokio::test]
async fn every_page_size_both_ways_gives_each_match_once_and_in_order() {
    let server = TestServer::start().await;
    let mut random = Seeded(0x5eed_0bad_cafe);
    let resources: Vec<Value> = (0..260).map(|n| random_observation(&mut random, n)).collect();
    put_all(&server, &resources).await;
    for round in 0..40 {
        let mut keys: Vec<(&str, bool)> = Vec::new();
        for _ in 0..1 + random.below(4) {
            let (code, ..) = *random.one(&PARAMETERS);
            if keys.iter().all(|(known, _)| *known != code) {
                keys.push((code, random.below(2) == 0));
            }
        }
        let sort: Vec<String> = keys
            .iter()
            .map(|(code, is_descending)| format!("{}{code}", if *is_descending { "-" } else { "" }))
            .collect();
        let criteria =
            *random.one(&["", "code=c1&", "status=final&category=g1&", "subject=Patient/p1&"]);
        let query = format!("Observation?{criteria}_sort={}", sort.join(","));
        let whole = server.get(&format!("{query}&_count=1000")).await.expect(200);
        let matches: Vec<Value> = whole.body["entry"]
            .as_array()
            .map(|entries| entries.iter().map(|entry| entry["resource"].clone()).collect())
            .unwrap_or_default();
        let order = |a: &Value, b: &Value| {
            let mut orders = keys.iter().map(|key| compared(a, b, *key));
            orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        let is_sorted = matches.is_sorted_by(|a, b| order(a, b).is_le());
        assert!(is_sorted, "round {round}: {query}: {:?}", whole.ids("match"));
        assert!(!matches.is_empty(), "{query}");
        assert!(!criteria.is_empty() || matches.len() == resources.len(), "{query}");
        let sizes: &[usize] = match matches.len() {
            0..20 => &[1, 2, 3],
            20..100 => &[7, 19],
            _ => &[37, 130, 259, 260],
        };
        let count = random.one(sizes);
        let [forward, backward] = walk(&server, &format!("{query}&_count={count}")).await;
        assert_eq!(forward, whole.ids("match"), "round {round}: {query} by {count}");
        assert_eq!(backward, forward, "round {round}: {query} by {count}, backward");
    }
}
