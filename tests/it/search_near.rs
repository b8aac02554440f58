//! `near`: places within a distance of another
//! (<https://hl7.org/fhir/R4/location.html#search>), the nearest first.

use super::harness::{Reply, TestServer};
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use serde_json::{Value, json};

fn place(id: &str, latitude: f64, longitude: f64) -> Value {
    let position = json!({"latitude": latitude, "longitude": longitude});
    json!({"resourceType": "Location", "id": id, "position": position})
}

async fn with(places: &[Value]) -> TestServer {
    let server = TestServer::start().await;
    for place in places {
        server.update(place.clone()).await.expect(201);
    }
    server
}

/// On the equator a degree is 111.195 km. `none` has no position.
async fn on_the_equator() -> TestServer {
    let mut places: Vec<Value> =
        [("a", 0.0), ("b", 0.1), ("c", 0.4), ("d", 1.0), ("e", 2.0), ("z", 170.0)]
            .into_iter()
            .map(|(id, longitude)| place(id, 0.0, longitude))
            .collect();
    places.push(json!({"resourceType": "Location", "id": "none", "status": "active"}));
    with(&places).await
}

async fn find(server: &TestServer, query: &str) -> String {
    server.get(query).await.expect(200).ids("match").join(" ")
}

/// Ids of each page from here on, in their order.
async fn rest(server: &TestServer, mut reply: Reply) -> Vec<String> {
    let mut pages = vec![reply.ids("match").join(" ")];
    while let Some(next) = reply.link("next").map(str::to_owned) {
        reply = server.get(&next).await.expect(200);
        pages.push(reply.ids("match").join(" "));
        assert!(pages.len() < 20, "pages without end");
    }
    pages
}

#[tokio::test]
async fn a_distance_is_measured_over_the_surface_and_its_end_is_included() {
    let server = on_the_equator().await;
    for (distance, expected) in [
        ("0", "a"),
        ("11.11", "a"),
        ("11.12", "a b"),
        ("111.19", "a b c"),
        // One degree of a circle about a sphere with a radius of 6371.0088 km.
        ("111.19508023353", "a b c d"),
        ("20000", "a b c d e z"),
        ("1e9", "a b c d e z"),
    ] {
        assert_eq!(find(&server, &format!("Location?near=0|0|{distance}")).await, expected);
    }
    let dhaka = with(&[place("dhaka", 23.8103, 90.4125)]).await;
    // To Chattogram, by the formula of haversines: 214.0 km.
    assert_eq!(find(&dhaka, "Location?near=22.3569|91.7832|213").await, "");
    assert_eq!(find(&dhaka, "Location?near=22.3569|91.7832|215").await, "dhaka");
}

#[tokio::test]
async fn a_distance_is_in_any_unit_of_length_of_ucum_and_in_kilometres_without_one() {
    let server = on_the_equator().await;
    for (distance, expected) in [
        ("12|km", "a b"),
        ("12", "a b"),
        ("12|", "a b"),
        ("12000|m", "a b"),
        ("12|m", "a"),
        ("6.9|[mi_i]", "a"),
        ("7|[mi_i]", "a b"),
        ("7|[mi_us]", "a b"),
        ("36400|[ft_i]", "a"),
        ("36500|[ft_i]", "a b"),
        ("6.1|[nmi_i]", "a b"),
    ] {
        let found = find(&server, &format!("Location?near=0|0|{distance}")).await;
        assert_eq!(found, expected, "{distance}");
    }
}

#[tokio::test]
async fn without_a_distance_what_is_within_50_kilometres_is_near() {
    let server = on_the_equator().await;
    for near in ["0|0", "0|0|", "0|0||m", "0.0|0e0"] {
        assert_eq!(find(&server, &format!("Location?near={near}")).await, "a b c", "{near}");
    }
}

#[tokio::test]
async fn values_with_commas_are_alternatives_and_criteria_given_twice_must_both_hold() {
    let server = on_the_equator().await;
    let either = find(&server, "Location?near=0|1.9|12,0|0|12").await;
    assert_eq!(either, "a e b", "by the distance from the nearer of the two");
    let both = find(&server, "Location?near=0|0|50&near=0|1|70").await;
    assert_eq!(both, "c");
    let both = find(&server, "Location?near=0|1|120&near=0|0|50").await;
    assert_eq!(both, "c b a", "by the distance from the first");
}

#[tokio::test]
async fn the_180th_meridian_and_the_poles_are_no_borders() {
    let server = with(&[
        place("fiji", -17.0, 179.9),
        place("lau", -17.0, -179.9),
        place("line", -17.0, 180.0),
        place("north", 90.0, 0.0),
        place("here", 89.9, 10.0),
        place("beyond", 89.9, -170.0),
        place("south", -90.0, 45.0),
    ])
    .await;
    for (near, expected) in [
        ("-17|179.9|15", "fiji line"),
        ("-17|179.9|22", "fiji line lau"),
        ("-17|-180|1", "line"),
        ("-17|180|11", "lau fiji line"),
        ("89.9|10|12", "here north"),
        ("89.9|10|23", "here north beyond"),
        ("90|-120|12", "north beyond here"),
        ("-90|0|1", "south"),
        ("-89.9|-135|12", "south"),
        ("90|0|20015.2", "beyond fiji here lau line north south"),
    ] {
        let reply = server.get(&format!("Location?near={near}")).await.expect(200);
        let mut found = reply.ids("match");
        // Those that are equally far stand in any order.
        let sorted = |ids: &mut Vec<&str>| {
            ids.sort_unstable();
            ids.join(" ")
        };
        if found.len() != 2 {
            let mut expected: Vec<&str> = expected.split(' ').collect();
            assert_eq!(sorted(&mut found), sorted(&mut expected), "{near}");
        } else {
            assert_eq!(found.join(" "), expected, "{near}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_400_with_the_parameter_and_the_rule() {
    let server = TestServer::start().await;
    for (value, rule) in [
        ("0", "[latitude]|[longitude]|[distance]|[unit]"),
        ("0|0|1|km|x", "[latitude]|[longitude]|[distance]|[unit]"),
        ("a|0", "[latitude]|[longitude]|[distance]|[unit]"),
        ("|0|1", "[latitude]|[longitude]|[distance]|[unit]"),
        ("0|0|ge5", "[latitude]|[longitude]|[distance]|[unit]"),
        ("0|0|1,", "empty"),
        ("90.1|0|1", "-90 to 90"),
        ("-91|0|1", "-90 to 90"),
        ("0|180.01|1", "-180 to 180"),
        ("0|0|-1", "not negative"),
        ("0|0|1|mg", "length in UCUM"),
        ("0|0|1|miles", "length in UCUM"),
        ("0|0|1,0|0|-1", "not negative"),
    ] {
        let reply = server.get(&format!("Location?near={value}")).await;
        let reply = reply.expect_outcome(400, "value");
        assert_eq!(reply.expressions(), ["http.near"], "{value}");
        assert!(reply.text().contains(rule), "{value}: {}", reply.text());
    }
}

#[tokio::test]
async fn no_modifier_but_missing_is_offered() {
    let server = on_the_equator().await;
    assert_eq!(find(&server, "Location?near:missing=true").await, "none");
    let reply = server.get("Location?near:missing=false").await.expect(200);
    assert_eq!(reply.sorted_ids("match"), "a b c d e z");
    for modifier in ["not", "exact", "contains", "above", "text", "Location"] {
        let reply = server.get(&format!("Location?near:{modifier}=0|0")).await;
        let reply = reply.expect_outcome(400, "not-supported");
        assert!(reply.text().contains(&format!(":{modifier}")), "{}", reply.text());
    }
    let refused = server.get("Location?_filter=near eq \"0|0|1\"").await;
    assert!(refused.expect_outcome(400, "invalid").text().contains("near"));
    server.get("Location?_filter=near pr true").await.expect_outcome(400, "invalid");
}

#[tokio::test]
async fn a_position_that_is_not_on_the_earth_is_none() {
    let server = with(&[place("x", 91.0, 0.0), place("y", 0.0, 200.0)]).await;
    assert_eq!(find(&server, "Location?near=0|0|30000").await, "");
    let reply = server.get("Location?near:missing=true").await.expect(200);
    assert_eq!(reply.sorted_ids("match"), "x y");
}

#[tokio::test]
async fn the_nearest_come_first_and_sort_may_say_so_or_the_reverse() {
    let server = on_the_equator().await;
    for (query, expected) in [
        ("near=0|0.9|300", "d c b a e"),
        ("near=0|0.9|300&_sort=near", "d c b a e"),
        ("_sort=near&near=0|0.9|300", "d c b a e"),
        ("near=0|0.9|300&_sort=-near", "e a b c d"),
        ("near=0|0.9|300&_sort=-_id", "e d c b a"),
        ("near=0|2|30,0|0|30&_sort=near,_id", "a e b"),
        ("near=0|2|30,0|0|30&_sort=-near,_id", "b a e"),
        ("near=0|2|30,0|0|30&_sort=near,-_id", "e a b"),
    ] {
        assert_eq!(find(&server, &format!("Location?{query}")).await, expected, "{query}");
    }
    for query in ["_sort=near", "_sort=-near&near:missing=false"] {
        let reply = server.get(&format!("Location?{query}")).await;
        let reply = reply.expect_outcome(400, "value");
        assert_eq!(reply.expressions(), ["http._sort"]);
        assert!(reply.text().contains("needs a criterion near"), "{}", reply.text());
    }
}

#[tokio::test]
async fn pages_go_on_where_the_one_before_ended_there_and_back() {
    // Four stand at the same distance.
    let mut places: Vec<Value> =
        (0..7).map(|n| place(&format!("n{n}"), 0.0, 0.1 * f64::from(n))).collect();
    places.extend((0..3).map(|n| place(&format!("same{n}"), 0.0, 0.3)));
    let server = with(&places).await;
    for (query, count) in [("near=0|0|100", 3), ("near=0|0|100&_sort=-near", 1)] {
        let all = find(&server, &format!("Location?{query}")).await;
        assert_eq!(all.split(' ').count(), 10, "{all}");
        let first = server.get(&format!("Location?{query}&_count={count}")).await.expect(200);
        let second = server.get(first.link("next").unwrap()).await.expect(200);
        let back = server.get(second.link("previous").unwrap()).await.expect(200);
        assert_eq!(back.ids("match"), first.ids("match"));
        assert_eq!(rest(&server, first).await.join(" "), all);
    }
}

#[tokio::test]
async fn pages_show_places_where_they_were_when_the_first_page_was_read() {
    let server = on_the_equator().await;
    for (query, expected) in [
        ("near=0|0|300", ["a", "b", "c", "d", "e"]),
        ("near=0|0|300&_sort=-near", ["e", "d", "c", "b", "a"]),
    ] {
        let first = server.get(&format!("Location?{query}&_count=1")).await.expect(200);
        server.update(place("b", 0.0, 1.5)).await.expect(200);
        server.update(place("c", 45.0, 45.0)).await.expect(200);
        server.delete("Location/d").await.expect(204);
        server.update(place("new", 0.0, 0.2)).await.expect(201);
        server.update(place("z", 0.0, 0.3)).await.expect(200);
        assert_eq!(rest(&server, first).await, expected, "{query}");
        assert_eq!(find(&server, "Location?near=0|0|300").await, "a new z b e");
        for (id, longitude) in [("b", 0.1), ("c", 0.4), ("z", 170.0)] {
            server.update(place(id, 0.0, longitude)).await.expect(200);
        }
        server.update(place("d", 0.0, 1.0)).await.expect(201);
        server.delete("Location/new").await.expect(204);
    }
}

#[tokio::test]
async fn chains_and_has_lead_to_places_that_are_near() {
    let server = on_the_equator().await;
    server.update(json!({"resourceType": "Organization", "id": "o"})).await.expect(201);
    let mut owned = place("a", 0.0, 0.0);
    owned["managingOrganization"] = json!({"reference": "Organization/o"});
    server.update(owned).await.expect(200);
    for (id, at) in [("v", "a"), ("w", "e")] {
        let encounter = json!({
            "resourceType": "Encounter", "id": id, "status": "finished",
            "class": {"code": "AMB"},
            "location": [{"location": {"reference": format!("Location/{at}")}}]
        });
        server.update(encounter).await.expect(201);
    }
    for (query, expected) in [
        ("Encounter?location.near=0|0|10", "v"),
        ("Encounter?location.near=0|2|10", "w"),
        ("Encounter?location:Location.near=0|0|10,0|2|10", "v w"),
        ("Encounter?location.near=45|0|10", ""),
        ("Encounter?location.near:missing=true", ""),
        ("Organization?_has:Location:organization:near=0|0|10", "o"),
        ("Organization?_has:Location:organization:near=0|2|10", ""),
        ("Location?near=0|0|300&_has:Encounter:location:_id=w", "e"),
        ("Location?near=0|0|300&organization.near=1|1", "400"),
    ] {
        let reply = server.get(query).await;
        match expected {
            "400" => drop(reply.expect_outcome(400, "not-supported")),
            _ => assert_eq!(reply.expect(200).sorted_ids("match"), expected, "{query}"),
        }
    }
    server.get("Encounter?location.near=0|0|10&_sort=near").await.expect(400);
    let reply = server.get("Encounter?location.near=0|0|-10").await.expect_outcome(400, "value");
    assert_eq!(reply.expressions(), ["http.location.near"]);
}

#[tokio::test]
async fn the_row_filter_holds_for_matches_for_totals_and_through_chains() {
    let server = on_the_equator().await;
    server.update(json!({"resourceType": "Patient", "id": "p"})).await.expect(201);
    let encounter = json!({
        "resourceType": "Encounter", "id": "v", "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/p"},
        "location": [{"location": {"reference": "Location/a"}}]
    });
    server.update(encounter).await.expect(201);
    let of_patient = server.permit_about("Patient/p").await;
    let all = bhn_fhir::access::Permit::operator();
    for (kind, name, of_all, of_one) in [
        ("Location", "near", 3, 0),
        ("Encounter", "location.near", 1, 0),
        ("Encounter", "status", 1, 1),
    ] {
        let scope = SearchScope::Type(ResourceType::parse(kind).unwrap());
        let value = if name == "status" { "finished" } else { "0|0|60" };
        let criteria = [(name, value), ("_total", "accurate")];
        let criteria = criteria.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let plan = server.context.plan(&scope, &criteria, Handling::Strict).unwrap();
        for (permit, expected) in [(&all, of_all), (&of_patient, of_one)] {
            let page = server.context.store.search(permit, &plan).await.unwrap();
            assert_eq!(
                (page.matches.len(), page.total),
                (expected, Some(expected as i64)),
                "{name}"
            );
            let counting = plan.clone().counting();
            let count = server.context.store.search(permit, &counting).await.unwrap();
            assert_eq!(count.total, Some(expected as i64), "{name}");
        }
    }
}

#[tokio::test]
async fn totals_forms_conditions_and_explain_know_it() {
    let server = on_the_equator().await;
    let reply = server.get("Location?near=0|0|50&_count=1&_total=accurate").await.expect(200);
    assert_eq!(reply.body["total"], 3);
    server.get("Location?near=0|0|50&_count=1&_total=estimate").await.expect(200);
    let reply = server.get("Location?near=0|0|50&_summary=count").await.expect(200);
    assert_eq!(reply.body["total"], 3);
    let own = reply.link("self").unwrap();
    assert!(own.contains("near=0"), "{own}");
    let request = server.request("POST", "Location/_search");
    let form = request.body("application/x-www-form-urlencoded", "near=0%7C0%7C50");
    assert_eq!(form.send().await.expect(200).ids("match"), ["a", "b", "c"]);
    let same = place("again", 0.0, 0.4);
    let reply = server.create_if_none_exist(same.clone(), "near=0|0.4|1").await;
    assert_eq!(reply.status(), 200);
    server.create_if_none_exist(place("x", 50.0, 8.0), "near=50|8|1").await.expect(201);
    assert_eq!(find(&server, "Location?near=0|0.4|1&near:missing=false").await, "c");
    let reply = server.get("Location/$explain?near=0|0|50").await.expect(200);
    assert!(reply.text().contains("composite_value"), "{}", reply.text());
    assert!(!reply.text().contains("6371"), "{}", reply.text());
}

#[tokio::test]
async fn lenient_clients_go_without_a_modifier_but_not_without_a_value_that_is_wrong() {
    let server = on_the_equator().await;
    for (query, status) in [("near:exact=0|0", 200), ("near=0|0|-1", 400), ("_sort=near", 400)] {
        let request = server.request("GET", &format!("Location?{query}"));
        let reply = request.header("Prefer", "handling=lenient").send().await;
        assert_eq!(reply.status(), status, "{query}");
    }
}

#[tokio::test]
async fn a_place_that_moves_is_found_where_it_is_and_one_that_is_deleted_nowhere() {
    let server = with(&[place("a", 10.0, 10.0)]).await;
    assert_eq!(find(&server, "Location?near=10|10|1").await, "a");
    server.update(place("a", -10.0, 10.0)).await.expect(200);
    assert_eq!(find(&server, "Location?near=10|10|1").await, "");
    assert_eq!(find(&server, "Location?near=-10|10|1").await, "a");
    server.update(json!({"resourceType": "Location", "id": "a"})).await.expect(200);
    assert_eq!(find(&server, "Location?near=-10|10|1").await, "");
    server.update(place("a", -10.0, 10.0)).await.expect(200);
    server.delete("Location/a").await.expect(204);
    assert_eq!(find(&server, "Location?near=-10|10|1").await, "");
}

#[tokio::test]
async fn the_capability_statement_lists_near_as_special() {
    let server = TestServer::start().await;
    let statement = server.get("metadata").await.expect(200);
    let resources = statement.body["rest"][0]["resource"].as_array().unwrap();
    let locations = resources.iter().find(|one| one["type"] == "Location").unwrap();
    let parameters = locations["searchParam"].as_array().unwrap();
    let near = parameters.iter().find(|one| one["name"] == "near").unwrap();
    assert_eq!(near["type"], "special");
    assert_eq!(near["definition"], "http://hl7.org/fhir/SearchParameter/Location-near");
}
