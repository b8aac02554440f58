//! AZ-16: row level security of PostgreSQL as an oracle. The access matrix is read here once more
//! and becomes policies (`rls.sql`), and a server without sign-in runs as a role that they hold
//! for. What it finds, who sees all that there is for it, is what the server finds for whoever the
//! policies are about: matches, order, totals, includes, histories, reads.

use super::super::harness::{FhirClient, Reply, TestDatabase, TestServer, principal};
use super::comparison::pages;
use super::drawing::Drawing;
use super::random::Random;
use super::visibility::{draw_facts, keys, path};
use super::world::{Key, World, store};
use super::{populate, setting};
use bhn_fhir::access::{Link, Principal, Role};
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::sync::Arc;

const MATRIX: &str = include_str!("../../../src/access/matrix/matrix.txt");

/// What `@` stands for, of the types that are stored here.
const OTHERS: [(&str, &str); 7] = [
    ("RiskAssessment", "@patient"),
    ("Media", "@patient"),
    ("ValueSet", "@canonical"),
    ("CodeSystem", "@canonical"),
    ("SearchParameter", "@canonical"),
    ("Substance", "@other"),
    ("Bundle", "@other"),
];

/// What the rules V are about.
const REFERENCES: [(&str, &str); 3] = [
    ("target", "$.target[*].reference"),
    ("member", "$.member[*].entity.reference"),
    ("item", "$.entry[*].item.reference"),
];

const ROLES: [Role; 7] = [
    Role::Patient,
    Role::Doctor,
    Role::HospitalStaff,
    Role::EhrSystem,
    Role::Admin,
    Role::Registry,
    Role::Registrar,
];

/// The matrix as rows of the tables of the policies.
async fn write_rules(connection: &mut PgConnection) {
    let (mut block, mut types, mut is_head) = ("", Vec::<&str>::new(), false);
    let lines = MATRIX.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.starts_with(' ') {
            is_head = false;
            match block {
                "directory" => write_listing(connection, &types, &words).await,
                "access" => write_role(connection, &types, &words).await,
                "redaction" if words[0] == "keep" => write_cut(connection, &types).await,
                _ => {}
            }
            continue;
        }
        // The names of a block may go over several lines.
        if !is_head {
            types.clear();
        }
        (block, is_head) = (words[0], true);
        for name in words[1..].iter().map(|name| name.trim_end_matches(',')) {
            let others = OTHERS.iter().filter(|(_, of)| *of == name).map(|(kind, _)| *kind);
            types.extend(others);
            types.extend(Some(name).filter(|name| !name.starts_with('@')));
        }
    }
}

async fn write_cut(connection: &mut PgConnection, types: &[&str]) {
    let sql = "insert into rls.cut select k.type from resource_type k where k.name = any($1)";
    sqlx::query(sql).bind(types).execute(connection).await.unwrap();
}

async fn write_listing(connection: &mut PgConnection, types: &[&str], words: &[&str]) {
    let sql = "insert into rls.listing select k.type, $2, $3, v from resource_type k, \
               unnest($4::text[]) v where k.name = any($1)";
    let query = sqlx::query(sql).bind(types).bind(words[0]).bind(words[1] == "is");
    query.bind(&words[2..]).execute(connection).await.unwrap();
}

async fn write_role(connection: &mut PgConnection, types: &[&str], words: &[&str]) {
    for rule in &words[1..] {
        let (acts, rows) = rule.split_once(':').expect("acts and rows");
        for code in rows.split('(').next().unwrap().split('+') {
            let (code, of) = code.split_once('.').unwrap_or((code, ""));
            let reference = REFERENCES.iter().find(|(name, _)| *name == of).map(|(_, path)| *path);
            assert_eq!(code == "V", reference.is_some(), "{rule}");
            let sql = "insert into rls.rule select $2, k.type, $3, $4, $5::jsonpath \
                       from resource_type k where k.name = any($1)";
            let query = sqlx::query(sql).bind(types).bind(words[0]).bind(acts);
            query.bind(code).bind(reference).execute(&mut *connection).await.unwrap();
        }
    }
}

/// Of types whose rules are of other kinds than those of the worlds.
fn others() -> Vec<Value> {
    let mut all = Vec::new();
    let to = |key: &str| json!({"reference": key});
    for (n, patient) in ["a", "b", "c"].into_iter().enumerate() {
        let (patient, other) = (format!("Patient/{patient}"), format!("Observation/{patient}"));
        let (patient, other) = (to(&patient), to(&other));
        let status = ["free", "busy", "free"][n];
        all.extend([
            json!({"resourceType": "Provenance", "id": format!("of-{n}"), "target": [other],
                "recorded": "2024-01-01T00:00:00Z", "agent": [{"who": patient}]}),
            json!({"resourceType": "Provenance", "id": format!("of-two-{n}"),
                "target": [other, patient], "recorded": "2024-01-01T00:00:00Z",
                "agent": [{"who": patient}]}),
            json!({"resourceType": "List", "id": format!("l-{n}"), "status": "current",
                "mode": "working", "subject": patient, "entry": [{"item": other}]}),
            json!({"resourceType": "List", "id": format!("empty-{n}"), "status": "current",
                "mode": "working", "subject": patient}),
            json!({"resourceType": "Group", "id": format!("g-{n}"), "type": "person",
                "actual": true, "member": [{"entity": patient}]}),
            json!({"resourceType": "Schedule", "id": format!("s-{n}"), "active": n != 1,
                "actor": [to("Practitioner/a")]}),
            json!({"resourceType": "Slot", "id": format!("s-{n}"), "status": status,
                "schedule": to(&format!("Schedule/s-{n}")), "start": "2030-01-01T10:00:00Z",
                "end": "2030-01-01T10:30:00Z"}),
            json!({"resourceType": "Communication", "id": format!("c-{n}"),
                "status": "completed", "subject": patient}),
            json!({"resourceType": "Basic", "id": format!("b-{n}"), "code": {"text": "b"},
                "subject": patient}),
            json!({"resourceType": "Composition", "id": format!("c-{n}"), "status": "final",
                "type": {"text": "birth"}, "subject": patient, "date": "2024-03-01",
                "author": [to("Practitioner/a")], "title": "Birth"}),
            json!({"resourceType": "Coverage", "id": format!("v-{n}"), "status": "active",
                "beneficiary": patient, "payor": [patient]}),
            json!({"resourceType": "Media", "id": format!("m-{n}"), "status": "completed",
                "subject": patient, "content": {"title": "t"}}),
            json!({"resourceType": "Substance", "id": format!("s-{n}"), "code": {"text": "s"}}),
        ]);
    }
    all
}

/// Searches of the types that queries are not drawn of.
const BESIDE: [&str; 16] = [
    "Provenance",
    "Provenance?_include=*",
    "Provenance?target.subject:Patient.name:missing=false",
    "List?_include=List:item",
    "Group?_include=Group:member",
    "Schedule?_revinclude=Slot:schedule",
    "Slot?schedule.active=true",
    "Communication",
    "Basic",
    "Composition?_include=*",
    "Coverage",
    "Media",
    "Substance",
    "Patient?_has:Composition:subject:status=final",
    "Patient?_revinclude=*",
    "Observation?_revinclude=Provenance:target&_revinclude=List:item",
];

/// Random searches of each of the people.
const QUERIES: usize = 15;

/// Somebody, as the server and as the policies know him.
struct Somebody {
    role: Role,
    me: Option<Link>,
    patients: Vec<Link>,
    organizations: Vec<Link>,
    jurisdictions: Vec<String>,
}

async fn draw(both: &Both, role: Role, random: &mut Random) -> Somebody {
    let Both { server, world, .. } = both;
    let mut pick = |kind: &str| {
        let keys = keys(world, kind);
        keys.get(random.below(keys.len().max(1))).cloned()
    };
    let link = async |key: Option<Key>| -> Vec<Link> {
        match key {
            Some(key) => vec![server.link(&path(&key)).await],
            None => Vec::new(),
        }
    };
    let patients = match role {
        Role::Patient => link(pick("Patient")).await,
        _ => Vec::new(),
    };
    let me = match role {
        Role::Patient => patients.first().cloned(),
        role if role.is_system() => None,
        _ => link(pick("Practitioner")).await.pop(),
    };
    let mut organizations = Vec::new();
    if matches!(role, Role::HospitalStaff | Role::EhrSystem) {
        organizations = link(pick("Organization")).await;
        organizations.extend(link(pick("Organization")).await);
    }
    let is_registry = matches!(role, Role::Registry | Role::Registrar);
    let jurisdictions = is_registry.then(|| "ON".to_owned()).into_iter().collect();
    Somebody { role, me, patients, organizations, jurisdictions }
}

impl Somebody {
    fn principal(&self, name: &str) -> Principal {
        let scopes = match self.role {
            Role::Patient => "patient/*.cruds user/*.cruds",
            role if role.is_system() => "system/*.cruds",
            _ => "user/*.cruds",
        };
        let mut made = principal(name, self.role, scopes);
        made.links.fhir_user = self.me.clone();
        made.links.patients = self.patients.clone();
        made.launch.patient = self.patients.first().cloned();
        made.links.organizations = self.organizations.clone();
        made.links.jurisdictions = self.jurisdictions.clone();
        made
    }

    /// From here on the policies are about him, and this act.
    async fn asks(&self, connection: &mut PgConnection, act: &str) {
        let rids = |links: &[Link]| links.iter().map(|link| link.rid).collect::<Vec<i64>>();
        let sql = "with gone as (delete from rls.principal) \
                   insert into rls.principal values ($1, $2, $3, $4, $5, $6)";
        let query = sqlx::query(sql).bind(self.role.to_string()).bind(act);
        let query = query.bind(self.me.as_ref().map(|link| link.rid));
        let query = query.bind(rids(&self.patients)).bind(rids(&self.organizations));
        query.bind(&self.jurisdictions).execute(connection).await.unwrap();
    }
}

/// Two servers on one database: the one that is tried, and the one that the policies hold for.
struct Both {
    server: TestServer,
    oracle: TestServer,
    connection: PgConnection,
    world: World,
}

impl Both {
    async fn start(random: &mut Random) -> Both {
        let server = TestServer::start().await;
        let mut world = populate(&server, random).await;
        world.resources.extend(store(&server, &others()).await);
        draw_facts(&server, &world, random).await;
        let mut connection = server.database.administer().await;
        for resource in &world.resources {
            if random.below(4) == 0 {
                let query = sqlx::query("insert into release_link values ('ON', $1, 0, 0)");
                let rid = server.link(&resource.path()).await.rid;
                query.bind(rid).execute(&mut connection).await.unwrap();
            }
        }
        sqlx::raw_sql(include_str!("rls.sql")).execute(&mut connection).await.unwrap();
        write_rules(&mut connection).await;
        let database: TestDatabase = server.database.served_by("bhn_fhir_rls");
        let oracle = TestServer::on(Arc::new(database), |_| {}).await;
        Both { server, oracle, connection, world }
    }

    /// The same path of both; the answers of the server that is tried, and of the other.
    async fn ask(&self, client: &FhirClient, path: &str) -> (Reply, Reply) {
        (client.get(path).await, self.oracle.get(path).await)
    }
}

/// What an answer shows: resources or entries, and how many there are.
fn shown(reply: &Reply) -> (u16, Vec<String>, Value) {
    let name = |resource: &Value| {
        let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let version = part(&resource["meta"]["versionId"]);
        format!("{}/{}/{version}", part(&resource["resourceType"]), part(&resource["id"]))
    };
    let body = &reply.body;
    let names = match body["resourceType"].as_str() {
        Some("OperationOutcome") => Vec::new(),
        Some("Bundle") if body["type"] != "collection" => {
            let entries = body["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
            let of = |entry: &Value| {
                let url = entry["request"]["url"].as_str().unwrap_or_default();
                let tag = entry["response"]["etag"].as_str().unwrap_or_default();
                let mode = entry["search"]["mode"].as_str().unwrap_or_default();
                format!("{mode} {} {url} {tag}", name(&entry["resource"]))
            };
            entries.iter().map(of).collect()
        }
        _ => vec![name(body)],
    };
    (reply.status(), names, body["total"].clone())
}

/// How often the two were compared, found something, and the gate refused.
#[derive(Default, Debug)]
struct Counts {
    compared: usize,
    finding: usize,
    refused: usize,
}

impl Counts {
    /// 403 is decided before anything is read; everything else must be the same.
    fn compare(&mut self, what: &str, (tried, expected): (Reply, Reply)) {
        if tried.status() == 403 {
            self.refused += 1;
            return;
        }
        let (tried, expected) = (shown(&tried), shown(&expected));
        assert_eq!(tried, expected, "{what}");
        self.compared += 1;
        self.finding += usize::from(!tried.1.is_empty());
    }
}

/// Random searches; of what goes with matches without the doctor's own, which is read, and not
/// found by a search where the directory does not list it.
async fn search(both: &mut Both, who: (&Somebody, &FhirClient), random: &mut Random) -> usize {
    let (somebody, client) = who;
    let mut refused = 0;
    for _ in 0..QUERIES {
        let query = Drawing { random, world: &both.world }.query();
        let is_own = query.includes.is_empty() || somebody.role != Role::Doctor;
        let tried = pages(client, &query).await;
        if tried.as_ref().is_err_and(|said| said.starts_with("the server answers 403")) {
            refused += 1;
            continue;
        }
        let moved = query.clone().moved(&both.world.base, both.oracle.base());
        let expected = pages(&both.oracle.client, &moved).await;
        let same = match (&tried, &expected, is_own) {
            (Ok(tried), Ok(expected), false) => {
                let own = somebody.me.as_ref().map(|link| link.key.to_string());
                let own = own.unwrap_or_default();
                tried.len() == expected.len()
                    && tried.iter().zip(expected).all(|(a, b)| a.without(&own) == b.without(&own))
            }
            (Err(_), Err(_), _) => true,
            (tried, expected, _) => tried == expected,
        };
        let (role, text) = (somebody.role, query.readable());
        assert!(same, "{role} {:?}\n{text}\n{tried:#?}\n{expected:#?}", somebody.me);
    }
    refused
}

async fn read(both: &mut Both, who: (&Somebody, &FhirClient), counts: &mut Counts) {
    let (somebody, client) = who;
    let role = somebody.role;
    somebody.asks(&mut both.connection, "s").await;
    for path in BESIDE {
        let is_own = role != Role::Doctor || !path.contains("include");
        let pair = both.ask(client, path).await;
        if is_own {
            counts.compare(&format!("{role} {path}"), pair);
        }
    }
    let paths: Vec<String> = both.world.resources.iter().map(|one| one.path()).collect();
    somebody.asks(&mut both.connection, "r").await;
    for path in paths.iter().step_by(9) {
        for path in [path.clone(), format!("{path}/_history/1")] {
            counts.compare(&format!("{role} {path}"), both.ask(client, &path).await);
        }
    }
    somebody.asks(&mut both.connection, "h").await;
    for kind in ["Patient", "Observation", "Encounter", "Appointment", "Communication", "Media"] {
        let path = format!("{kind}/_history?_count=200");
        counts.compare(&format!("{role} {path}"), both.ask(client, &path).await);
    }
    for path in paths.iter().step_by(11) {
        let path = format!("{path}/_history");
        counts.compare(&format!("{role} {path}"), both.ask(client, &path).await);
    }
}

/// `BHN_RLS_PEOPLE` is how many people ask.
#[tokio::test]
async fn az_16_row_level_security_of_the_same_table_finds_the_same() {
    let people = setting("BHN_RLS_PEOPLE", 7);
    let mut random = Random::new(setting("BHN_ORACLE_SEED", 1) ^ 0x0715);
    let mut counts = Counts::default();
    let mut both = Both::start(&mut random).await;
    for number in 0..people {
        if number % 14 == 13 {
            both = Both::start(&mut random).await;
        }
        let role = ROLES[number as usize % ROLES.len()];
        let somebody = draw(&both, role, &mut random).await;
        let client = both.server.as_principal(somebody.principal(&format!("rls-{number}")));
        somebody.asks(&mut both.connection, "s").await;
        let refused = search(&mut both, (&somebody, &client), &mut random).await;
        counts.compared += QUERIES - refused;
        counts.refused += refused;
        read(&mut both, (&somebody, &client), &mut counts).await;
    }
    eprintln!("{counts:?}");
    assert!(counts.finding * 4 > counts.compared, "{counts:?}");
}
