//! Role × resource type × act × row (TE-03), made of the access matrix: whatever it says, a server
//! does. Rows are put into the database, so that every type has the same ones.

use crate::harness::{FhirClient, Network, Reply};
use bhn_fhir::access::Role;
use bhn_fhir::access::matrix::{Acts, Matrix, Rule, Sight};
use bhn_fhir::fhir::definitions::ResourceType;
use futures_util::future::join_all;
use serde_json::json;

/// Who plays each role.
const PLAYERS: [(Role, &str); 7] = [
    (Role::Patient, "p1"),
    (Role::Doctor, "d1"),
    (Role::HospitalStaff, "h1"),
    (Role::Admin, "a1"),
    (Role::Registrar, "r1"),
    (Role::Registry, "gon"),
    (Role::EhrSystem, "e1"),
];

/// Rows of each type: about the patient of all players, of the player, and of nobody of them.
const ABOUT: &str = "about";
const OTHER: &str = "other";

fn own(player: &str) -> String {
    format!("own-{player}")
}

/// A row of every type with these stamps. Its body is that of a resource that is there.
async fn add_rows(network: &Network, id: &str, stamps: (Option<i64>, Option<i64>, Option<i64>)) {
    let (subject, owner, author) = stamps;
    let sql = "insert into resource (rid, last_updated, version, epoch, type, generation, id, \
               keys, present, body, subject_rids, owner, author, patient) \
               select nextval('test_rid'), r.last_updated, 1, r.epoch, t.type, r.generation, $1, \
               '{}', '{}', r.body, array_remove(array[$2::bigint], null), $3, $4, $2 \
               from resource r cross join resource_type t where r.id = 'template'";
    sqlx::query(sql)
        .bind(id)
        .bind(subject)
        .bind(owner)
        .bind(author)
        .execute(&mut network.server.database.connect().await)
        .await
        .unwrap();
}

async fn network() -> Network {
    let network = Network::start().await;
    network.put(&json!({"resourceType": "Basic", "id": "template", "code": {"text": "t"}})).await;
    network.sql("create sequence test_rid start 1000000000", &[]).await;
    let rid = async |key: &str| Some(network.rid(key).await);
    let about = (rid("Patient/P1").await, rid("Organization/Org1").await, None);
    add_rows(&network, ABOUT, about).await;
    add_rows(&network, OTHER, (rid("Patient/P2").await, rid("Organization/Org2").await, None))
        .await;
    for (_, player) in PLAYERS {
        let person = network.person(player).await.links.fhir_user;
        add_rows(&network, &own(player), (None, None, person.map(|link| link.rid))).await;
    }
    let release =
        "insert into release_link select 'ON', rid, 0, 0 from resource where id = 'about'";
    network.sql(release, &[]).await;
    network
}

/// Whether one of the rules for the act lets the row be seen.
fn is_seen(rules: &[&Rule], kind: ResourceType, (player, row): (&str, &str)) -> bool {
    let sees = |sight: &Sight| match sight {
        Sight::Own => row == own(player) && player != "gon" && player != "e1",
        Sight::Patient | Sight::Care | Sight::Facility | Sight::Owner | Sight::Released => {
            row == ABOUT
        }
        // The rows have no codes: nothing says that they are not listed.
        Sight::Directory => Matrix::get().listings.get(&kind).is_some_and(|listing| !listing.has),
        Sight::Knowledge | Sight::All => true,
        // They refer to nothing, and are attached to nothing.
        Sight::Referred(_) => false,
        Sight::Attached => match player {
            "gon" => false,
            "e1" => row == ABOUT,
            player => row == own(player),
        },
    };
    rules.iter().flat_map(|rule| &rule.sights).any(sees)
}

/// The rules that are about anything that the player is linked to.
fn rules(role: Role, kind: ResourceType, act: Acts) -> Vec<&'static Rule> {
    Matrix::get().rules(role, kind).iter().filter(|rule| rule.acts.meets(act)).collect()
}

fn said(reply: &Reply, id: &str) -> String {
    format!("{} {}", reply.status(), reply.text().replace(id, "[id]"))
}

struct Case<'a> {
    client: &'a FhirClient,
    player: &'a str,
    role: Role,
    kind: ResourceType,
}

impl Case<'_> {
    fn name(&self, what: &str) -> String {
        format!("{} {} {what}", self.role, self.kind)
    }

    async fn check(&self) {
        self.check_reads(Acts::READ, "").await;
        self.check_reads(Acts::HISTORY, "/_history").await;
        self.check_search().await;
        self.check_writes().await;
    }

    async fn check_reads(&self, act: Acts, suffix: &str) {
        let Case { client, player, role, kind } = *self;
        let rules = rules(role, kind, act);
        let missing = client.get(&format!("{kind}/missing{suffix}")).await;
        let expected = if rules.is_empty() { 403 } else { 404 };
        assert_eq!(missing.status(), expected, "{}", self.name("missing"));
        for row in [ABOUT, OTHER, &own(player)] {
            let reply = client.get(&format!("{kind}/{row}{suffix}")).await;
            match is_seen(&rules, kind, (player, row)) {
                true => assert_eq!(reply.status(), 200, "{} {reply:?}", self.name(row)),
                false => {
                    assert_eq!(said(&reply, row), said(&missing, "missing"), "{}", self.name(row));
                }
            }
        }
    }

    async fn check_search(&self) {
        let Case { client, player, role, kind } = *self;
        let rules = rules(role, kind, Acts::SEARCH);
        let own = own(player);
        let reply = client.get(&format!("{kind}?_id={ABOUT},{OTHER},{own}&_total=accurate")).await;
        if rules.is_empty() {
            assert_eq!(reply.status(), 403, "{}", self.name("search"));
            return;
        }
        let rows = [ABOUT, OTHER, &own];
        let expected: Vec<&str> =
            rows.into_iter().filter(|row| is_seen(&rules, kind, (player, row))).collect();
        let entries = reply.body["entry"].as_array().cloned().unwrap_or_default();
        let mut found: Vec<String> = entries
            .iter()
            .filter_map(|entry| entry["fullUrl"].as_str()?.rsplit('/').next().map(str::to_owned))
            .collect();
        found.sort_unstable();
        let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{} {}", self.name("search"), reply.body);
        assert_eq!(reply.body["total"], expected.len(), "{}", self.name("total"));
    }

    /// What the role may not do to the type at all; the rest is about what is written.
    async fn check_writes(&self) {
        let Case { client, role, kind, .. } = *self;
        let body = json!({"resourceType": kind.name(), "id": ABOUT});
        if rules(role, kind, Acts::CREATE).is_empty() {
            let reply = client.post(kind.name(), &body).await;
            assert_eq!(reply.status(), 403, "{} {reply:?}", self.name("create"));
        }
        for row in [ABOUT, OTHER, "missing"] {
            let path = format!("{kind}/{row}");
            if rules(role, kind, Acts::UPDATE).is_empty() {
                let body = json!({"resourceType": kind.name(), "id": row});
                assert_eq!(client.put(&path, &body).await.status(), 403, "{}", self.name("update"));
            }
            if rules(role, kind, Acts::DELETE).is_empty() {
                assert_eq!(client.delete(&path).await.status(), 403, "{}", self.name("delete"));
            }
        }
    }
}

#[tokio::test]
async fn te_03_every_cell_of_the_matrix_is_what_the_server_does() {
    let network = network().await;
    let mut clients = Vec::new();
    for (role, player) in PLAYERS {
        clients.push((
            role,
            player,
            network
                .as_person_with(
                    player,
                    match role {
                        Role::Patient => "patient/*.cruds",
                        role if role.is_system() => "system/*.cruds",
                        _ => "user/*.cruds",
                    },
                )
                .await,
        ));
    }
    let mut cases = Vec::new();
    for kind in ResourceType::all() {
        for (role, player, client) in &clients {
            cases.push(Case { client, player, role: *role, kind });
        }
    }
    for cases in cases.chunks(8) {
        join_all(cases.iter().map(Case::check)).await;
    }
}
