//! AZ-17: what a caller finds is what a search of a world finds that holds nothing else than what
//! he may see. Random principals, stamps and links; who sees what is written here once
//! more, for the types of these worlds, from nothing of the server's.

use super::super::harness::{FhirClient, TestServer, principal};
use super::comparison::compare;
use super::drawing::Drawing;
use super::random::Random;
use super::world::{Key, Resource, World, clear, local_key};
use super::{customs, populate, setting};
use bhn_fhir::access::{Link, Principal, Role};
use std::collections::{BTreeMap, BTreeSet};

/// Without Practitioner, which most roles see in part.
const SCOPED: [&str; 9] = [
    "Patient",
    "Organization",
    "Encounter",
    "Observation",
    "Appointment",
    "Location",
    "RiskAssessment",
    "ValueSet",
    "CodeSystem",
];

const ROLES: [Role; 5] =
    [Role::Patient, Role::Doctor, Role::HospitalStaff, Role::EhrSystem, Role::Admin];

/// What the database says of resources and people.
#[derive(Default)]
pub struct Facts {
    owner: BTreeMap<Key, Key>,
    author: BTreeMap<Key, Key>,
    care: BTreeSet<(Key, Key)>,
    facility: BTreeSet<(Key, Key)>,
}

/// A caller, as the oracle knows him.
struct Somebody {
    role: Role,
    itself: Option<Key>,
    context: Option<Key>,
    organizations: Vec<Key>,
    types: Vec<&'static str>,
}

pub fn keys<'w>(world: &'w World, kind: &'w str) -> Vec<Key> {
    world.resources.iter().filter(|one| one.kind() == kind).map(Resource::key).collect()
}

pub fn path((kind, id): &Key) -> String {
    format!("{kind}/{id}")
}

/// The Patients that a resource is about.
fn subjects(world: &World, resource: &Resource) -> Vec<Key> {
    let body = &resource.body;
    let participants = body["participant"].as_array().into_iter().flatten();
    let references =
        participants.map(|one| &one["actor"]).chain([&body["subject"], &body["patient"]]);
    let own = (resource.kind() == "Patient").then(|| resource.key());
    let named = references.filter_map(|one| local_key(one, &world.base));
    named.chain(own).filter(|(kind, _)| kind == "Patient").collect()
}

impl Somebody {
    fn sees(&self, world: &World, facts: &Facts, resource: &Resource) -> bool {
        let (kind, key, body) = (resource.kind(), resource.key(), &resource.body);
        if !self.types.contains(&kind) {
            return false;
        }
        if self.role == Role::Admin || matches!(kind, "ValueSet" | "CodeSystem") {
            return true;
        }
        if kind == "Organization" {
            return body["active"] != false;
        }
        if kind == "Location" {
            return body["status"] != "suspended" && body["status"] != "inactive";
        }
        let subjects = subjects(world, resource);
        let is_mine =
            |owner: Option<&Key>| owner.is_some_and(|one| self.organizations.contains(one));
        match self.role {
            Role::Patient => self.context.as_ref().is_some_and(|own| subjects.contains(own)),
            Role::Doctor => {
                let me = self.itself.clone().expect("a doctor is somebody");
                let is_cared_for = |one: &Key| facts.care.contains(&(me.clone(), one.clone()));
                let is_own = kind == "Appointment" && facts.author.get(&key) == Some(&me);
                subjects.iter().any(is_cared_for) || is_own
            }
            _ => {
                let is_patient = |one: &Key| {
                    let of = |own: &Key| facts.facility.contains(&(own.clone(), one.clone()));
                    self.organizations.iter().any(of)
                };
                is_mine(facts.owner.get(&key)) || subjects.iter().any(is_patient)
            }
        }
    }

    async fn principal(&self, server: &TestServer, name: &str) -> Principal {
        let level = match self.role {
            Role::Patient => "patient",
            role if role.is_system() => "system",
            _ => "user",
        };
        let scopes: Vec<String> =
            self.types.iter().map(|kind| format!("{level}/{kind}.rs")).collect();
        let mut made = principal(name, self.role, &scopes.join(" "));
        let link = async |key: &Key| -> Link { server.link(&path(key)).await };
        if let Some(key) = &self.itself {
            made.links.fhir_user = Some(link(key).await);
        }
        if let Some(key) = &self.context {
            made.links.patients.push(link(key).await);
            made.launch.patient = made.links.patients.first().cloned();
        }
        for key in &self.organizations {
            made.links.organizations.push(link(key).await);
        }
        made
    }
}

/// Draws what links and stamps there are, and puts them into the database.
pub async fn draw_facts(server: &TestServer, world: &World, random: &mut Random) -> Facts {
    let mut facts = Facts::default();
    let (patients, doctors) = (keys(world, "Patient"), keys(world, "Practitioner"));
    let organizations = keys(world, "Organization");
    let mut connection = server.database.connect().await;
    let tables = "truncate care_link; truncate facility_link";
    sqlx::raw_sql(tables).execute(&mut connection).await.unwrap();
    let rid = async |key: &Key| server.link(&path(key)).await.rid;
    for patient in &patients {
        for (from, into, sql) in [
            (&doctors, &mut facts.care, "insert into care_link values ($1, $2, 0, 0, '', $3, $4)"),
            (
                &organizations,
                &mut facts.facility,
                "insert into facility_link values ($1, $2, 0, 0, $3, $4)",
            ),
        ] {
            for one in from {
                let (draw, now) = (random.below(6), bhn_fhir::clock::Clock::System.now());
                let day = chrono::TimeDelta::days(1);
                // Most have no link, some have one that ended or begins tomorrow.
                let (low, high) = match draw {
                    0 | 1 => (now - day, now + day),
                    2 => (now - day - day, now - day),
                    3 => (now + day, now + day + day),
                    _ => continue,
                };
                if draw < 2 {
                    into.insert((one.clone(), patient.clone()));
                }
                let query = sqlx::query(sql).bind(rid(one).await).bind(rid(patient).await);
                query.bind(low).bind(high).execute(&mut connection).await.unwrap();
            }
        }
    }
    for resource in &world.resources {
        let (key, pick) = (resource.key(), random.below(4));
        let owner = organizations.get(pick).cloned();
        let author = doctors.get(random.below(4)).cloned();
        let mut rids = [None, None];
        for (place, one) in [&owner, &author].into_iter().enumerate() {
            if let Some(one) = one {
                rids[place] = Some(rid(one).await);
            }
        }
        sqlx::query("update resource set owner = $1, author = $2 where rid = $3")
            .bind(rids[0])
            .bind(rids[1])
            .bind(rid(&key).await)
            .execute(&mut connection)
            .await
            .unwrap();
        facts.owner.extend(owner.map(|one| (key.clone(), one)));
        facts.author.extend(author.map(|one| (key, one)));
    }
    facts
}

fn draw_somebody(world: &World, random: &mut Random) -> Somebody {
    let role = ROLES[random.below(ROLES.len())];
    let mut pick = |kind: &str| {
        let keys = keys(world, kind);
        keys.get(random.below(keys.len().max(1))).cloned()
    };
    let context = (role == Role::Patient).then(|| pick("Patient")).flatten();
    let itself = match role {
        Role::Patient => context.clone(),
        role if role.is_system() => None,
        _ => pick("Practitioner"),
    };
    let has_organizations = matches!(role, Role::HospitalStaff | Role::EhrSystem);
    let organizations = match has_organizations {
        true => pick("Organization").into_iter().chain(pick("Organization")).collect(),
        false => Vec::new(),
    };
    let all = random.below(3) > 0;
    // What value sets and code systems say is asked for by queries of any type.
    let is_given = |kind: &&str| all || ["ValueSet", "CodeSystem"].contains(kind);
    let types = SCOPED.into_iter().filter(|kind| is_given(kind) || random.below(4) > 0);
    Somebody { role, itself, context, organizations, types: types.collect() }
}

/// The world as somebody may see it.
fn seen(world: &World, facts: &Facts, somebody: &Somebody) -> World {
    let resources = world.resources.iter().filter(|one| somebody.sees(world, facts, one));
    World { resources: resources.cloned().collect(), base: world.base.clone() }
}

/// How often an answer was compared, found something, and was refused for a type that the scopes
/// do not name.
#[derive(Default, Debug)]
struct Counts {
    compared: usize,
    finding: usize,
    refused: usize,
}

async fn ask(
    client: &FhirClient,
    (world, seen): (&World, &World),
    random: &mut Random,
    counts: &mut Counts,
) -> Result<(), String> {
    let query = Drawing { random, world }.query();
    match compare(client, seen, &query).await {
        Ok(matches) => {
            counts.compared += 1;
            counts.finding += usize::from(matches > 0);
            Ok(())
        }
        Err(said) if said.starts_with("the server answers 403") => {
            counts.refused += 1;
            Ok(())
        }
        Err(said) if is_of_versions(&said, (world, seen)) => Ok(()),
        Err(said) => Err(format!("{}\n{said}", query.readable())),
    }
}

/// A difference of includes that is about old versions alone, which worlds do not hold: they are
/// seen by their own stamps, and what is included in one must be seen now as well.
fn is_of_versions(said: &str, (world, seen): (&World, &World)) -> bool {
    let Some(said) = said.strip_prefix("includes: ") else { return false };
    let lists: Vec<&str> = said.split(['[', ']']).skip(1).step_by(2).collect();
    let [missing, surplus] = lists[..] else { return false };
    let key = |name: &str| -> Key {
        let mut parts = name.split('/').map(str::to_owned);
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    };
    let was_changed = |key: &Key| world.find(key).is_none_or(|one| one.version() != "1");
    let is_hidden = |key: &Key| seen.find(key).is_none();
    missing.split_whitespace().map(key).all(|key| was_changed(&key) || is_hidden(&key))
        && surplus.split_whitespace().map(key).all(|key| was_changed(&key) && !is_hidden(&key))
}

#[tokio::test]
async fn az_17_what_a_caller_finds_is_what_a_world_holds_of_what_he_may_see() {
    let cases = setting("BHN_ORACLE_CASES", 1_000) as usize;
    let mut random = Random::new(setting("BHN_ORACLE_SEED", 1) ^ 0x5eed);
    let (mut server, mut counts) = (TestServer::start().await, Counts::default());
    let mut worlds = 0;
    while counts.compared < cases {
        if worlds % 8 == 7 {
            server = TestServer::start().await;
        }
        worlds += 1;
        let world = populate(&server, &mut random).await;
        let facts = draw_facts(&server, &world, &mut random).await;
        for number in 0..8 {
            let somebody = draw_somebody(&world, &mut random);
            let seen = seen(&world, &facts, &somebody);
            let name = format!("somebody-{worlds}-{number}");
            let client = server.as_principal(somebody.principal(&server, &name).await);
            for _ in 0..25 {
                let asked = ask(&client, (&world, &seen), &mut random, &mut counts).await;
                if let Err(said) = asked {
                    let (role, types) = (somebody.role, &somebody.types);
                    panic!("{role} {:?} {types:?}\n{said}", somebody.itself);
                }
            }
        }
        clear(&server, &world).await;
        customs::remove(&server).await;
    }
    eprintln!("{counts:?}");
    assert!(counts.finding * 4 > counts.compared, "{counts:?}");
    assert!(counts.refused < counts.compared, "{counts:?}");
}
