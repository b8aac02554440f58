//! Value sets and code systems that a search asks for: read under the caller's permit, so that
//! one that is hidden is as one that is not there, then looked up among the coded values of the
//! database.

use crate::access::RowFilter;
use crate::error::{FhirError, IssueCode, Result};
use crate::fhir::definitions::ResourceType;
use crate::search::value::concept::{CodeForm, ConceptTest, ValueSetName};
use crate::search::value::text::key;
use crate::search::{Concepts, ParameterId, Registry, TermBounds};
use crate::storage::failure::of_sqlx;
use crate::storage::read::fetch_all;
use crate::storage::statement::Statement;
use crate::storage::statement::row_filter::Seen;
use crate::storage::store::{Connection, Store};
use crate::terminology::{
    CodeSystem, Codes, Hierarchy, Library, Members, Needed, TerminologyError, ValueSet, expand,
    newest,
};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::Value;
use sqlx::Row;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What is asked of the coded values of a search.
pub type Asked = BTreeSet<(ConceptTest, CodeForm)>;

/// Concepts that are kept in memory, of all definitions together; some 300 bytes each.
const KEPT_CONCEPTS: u64 = 200_000;

/// Stored value sets and code systems.
pub struct Terms {
    value_sets: Option<Place>,
    code_systems: Option<Place>,
    /// By rid and version.
    read: Cache<(i64, i32), Definition, OfConcepts>,
}

/// Where definitions of a kind are.
#[derive(Clone, Copy)]
struct Place {
    resource_type: ResourceType,
    /// Of the canonical URL.
    url: ParameterId,
}

#[derive(Clone)]
enum Definition {
    ValueSet(Arc<ValueSet>),
    CodeSystem(Arc<CodeSystem>),
}

#[derive(Clone)]
struct OfConcepts;

impl Weighter<(i64, i32), Definition> for OfConcepts {
    fn weight(&self, _: &(i64, i32), definition: &Definition) -> u64 {
        1 + match definition {
            Definition::ValueSet(value_set) => value_set.len() as u64,
            Definition::CodeSystem(system) => system.len() as u64,
        }
    }
}

impl Terms {
    pub fn new(registry: &Registry) -> Terms {
        let place = |name| {
            let resource_type = ResourceType::parse(name)?;
            let url = registry.urls_of(&[resource_type]).first().copied()?;
            Some(Place { resource_type, url })
        };
        Terms {
            value_sets: place("ValueSet"),
            code_systems: place("CodeSystem"),
            read: Cache::with_weighter(1_000, KEPT_CONCEPTS, OfConcepts),
        }
    }
}

/// One look-up in one snapshot of rights.
struct Reading<'a> {
    store: &'a Store,
    connection: &'a mut Connection,
    filter: &'a RowFilter,
    bounds: TermBounds,
    library: Library,
}

impl Store {
    /// The coded values that meet each test. 400 for what this server does not hold and for what
    /// is over a limit.
    pub(super) async fn concepts(
        &self,
        connection: &mut Connection,
        (filter, bounds): (&RowFilter, TermBounds),
        asked: &Asked,
    ) -> Result<Concepts> {
        let library = Library::default();
        let mut reading = Reading { store: self, connection, filter, bounds, library };
        let mut sets: HashMap<ConceptTest, Codes> = HashMap::new();
        let mut found = Concepts::new();
        for (test, form) in asked {
            let codes = match sets.get(test) {
                Some(codes) => codes,
                None => {
                    let codes = reading.codes(test).await?;
                    sets.entry(test.clone()).or_insert(codes)
                }
            };
            let ids = coded(reading.connection, (codes, *form)).await?;
            found.insert((test.clone(), *form), ids);
        }
        Ok(found)
    }
}

impl Reading<'_> {
    async fn codes(&mut self, test: &ConceptTest) -> Result<Codes> {
        match test {
            ConceptTest::In(name) => {
                let canonical = self.value_set(name).await?;
                self.fill(&canonical).await?;
                expand(&self.library, &canonical, self.bounds.codes).map_err(refused)
            }
            ConceptTest::Below(concept) | ConceptTest::Above(concept) => {
                let system = &concept.system;
                self.bring(vec![Needed::CodeSystem(system.clone())]).await?;
                let unknown = || refused(TerminologyError::UnknownCodeSystem(system.clone()));
                let held = self.library.code_system(system).ok_or_else(unknown)?;
                if !held.is_complete() {
                    let (system, content) = (system.clone(), held.content.clone());
                    return Err(refused(TerminologyError::IncompleteCodeSystem(system, content)));
                }
                let codes = match test {
                    ConceptTest::Above(_) => held.above(&concept.code, Hierarchy::Any),
                    _ => held.below(&concept.code, Hierarchy::Any),
                };
                if codes.len() > self.bounds.codes {
                    let what = format!("What is under {system}|{}", concept.code);
                    let most = self.bounds.codes;
                    return Err(refused(TerminologyError::TooManyCodes { what, most }));
                }
                Ok(Codes::of(system, Members::These(codes)))
            }
        }
    }

    /// Brings the value set that is named; its name in the library.
    async fn value_set(&mut self, name: &ValueSetName) -> Result<String> {
        let place = self.store.terms.value_sets.ok_or_else(no_definition)?;
        match name {
            ValueSetName::Canonical(canonical) => {
                self.bring(vec![Needed::ValueSet(canonical.clone())]).await?;
                Ok(canonical.clone())
            }
            ValueSetName::Literal(id) => {
                let literal = format!("{}/{id}", place.resource_type);
                let mut sql =
                    Statement::new("select r.rid, r.version from resource r where r.id = ");
                sql.bind(id.as_str()).push(" and r.type = ").bind(place.resource_type.number());
                sql.push(" and not r.deleted and ");
                sql.push_filter(Seen::current("r", &[place.resource_type]), self.filter);
                let rows = fetch_all(self.connection, sql).await?;
                let row = rows.first().map(|row| -> Result<_, sqlx::Error> {
                    Ok((row.try_get("rid")?, row.try_get("version")?))
                });
                let row = row.transpose().map_err(FhirError::internal)?;
                let found = match row {
                    Some(row) => self.read(&[row], place).await?.into_iter().next(),
                    None => None,
                };
                self.put(&Needed::ValueSet(literal.clone()), found.map(|(_, found)| found));
                Ok(literal)
            }
        }
    }

    /// Everything that the value sets draw upon.
    async fn fill(&mut self, canonical: &str) -> Result<()> {
        loop {
            let needed = self.library.needed();
            if needed.is_empty() {
                return Ok(());
            }
            if self.library.len() + needed.len() > self.bounds.parts {
                let what = format!("The value set {canonical}");
                let most = self.bounds.parts;
                return Err(refused(TerminologyError::TooManyParts { what, most }));
            }
            self.bring(needed).await?;
        }
    }

    /// Puts these into the library, each in the version that is named, or in the newest.
    async fn bring(&mut self, needed: Vec<Needed>) -> Result<()> {
        let terms = &self.store.terms;
        let value_sets = terms.value_sets.ok_or_else(no_definition)?;
        let code_systems = terms.code_systems.ok_or_else(no_definition)?;
        for place in [value_sets, code_systems] {
            let is_of_place = |one: &&Needed| match one {
                Needed::ValueSet(_) => place.resource_type == value_sets.resource_type,
                Needed::CodeSystem(_) => place.resource_type == code_systems.resource_type,
            };
            let wanted: Vec<&Needed> = needed.iter().filter(is_of_place).collect();
            if wanted.is_empty() {
                continue;
            }
            let places = self.places(&wanted, place).await?;
            let rows: Vec<(i64, i32)> = places.iter().flatten().copied().collect();
            let read = self.read(&rows, place).await?;
            for (one, row) in wanted.iter().zip(places) {
                let found = row.and_then(|(rid, _)| read.get(&rid).cloned());
                self.put(one, found);
            }
        }
        Ok(())
    }

    fn put(&mut self, needed: &Needed, found: Option<Definition>) {
        match (needed, found) {
            (Needed::ValueSet(name), Some(Definition::ValueSet(found))) => {
                self.library.put_value_set(name, Some(found));
            }
            (Needed::CodeSystem(name), Some(Definition::CodeSystem(found))) => {
                self.library.put_code_system(name, Some(found));
            }
            (Needed::ValueSet(name), _) => self.library.put_value_set(name, None),
            (Needed::CodeSystem(name), _) => self.library.put_code_system(name, None),
        }
    }

    /// Rid and version of the newest resource of each canonical URL.
    async fn places(
        &mut self,
        wanted: &[&Needed],
        place: Place,
    ) -> Result<Vec<Option<(i64, i32)>>> {
        let name = |one: &&Needed| match one {
            Needed::ValueSet(name) | Needed::CodeSystem(name) => key(name),
        };
        let mut sql = Statement::new("select w.n, r.rid, r.version, (");
        sql.push("select max(u.value) from uri_value u where u.rid = r.rid and u.parameter = ");
        sql.bind(place.url.0).push(" and u.value > w.url || '|' and u.value < w.url || '}'");
        sql.push(") as versioned from unnest(").bind(wanted.iter().map(name).collect::<Vec<_>>());
        sql.push("::text[]) with ordinality as w(url, n) join uri_value v on v.value = w.url");
        sql.push(" and v.parameter = ").bind(place.url.0);
        sql.push(" join resource r on r.rid = v.rid and not r.deleted and r.type = ");
        sql.bind(place.resource_type.number()).push(" and ");
        sql.push_filter(Seen::current("r", &[place.resource_type]), self.filter);
        let rows = fetch_all(self.connection, sql).await?;
        let mut best: Vec<Option<(String, i64, i32)>> = vec![None; wanted.len()];
        for row in &rows {
            let read = || -> Result<(i64, i64, i32, Option<String>), sqlx::Error> {
                let place = (row.try_get("n")?, row.try_get("rid")?);
                Ok((place.0, place.1, row.try_get("version")?, row.try_get("versioned")?))
            };
            let (n, rid, row_version, versioned) = read().map_err(FhirError::internal)?;
            let at = usize::try_from(n - 1).map_err(FhirError::internal)?;
            let versioned = versioned.unwrap_or_default();
            let version = versioned.rsplit_once('|').map_or("", |(_, version)| version).to_owned();
            let is_newer = best[at].as_ref().is_none_or(|(known, known_rid, _)| {
                newest(&version, known).then(rid.cmp(known_rid)).is_gt()
            });
            if is_newer {
                best[at] = Some((version, rid, row_version));
            }
        }
        Ok(best.into_iter().map(|one| one.map(|(_, rid, version)| (rid, version))).collect())
    }

    /// The definitions of these rows, by rid.
    async fn read(
        &mut self,
        rows: &[(i64, i32)],
        place: Place,
    ) -> Result<HashMap<i64, Definition>> {
        let terms = &self.store.terms;
        let mut found = HashMap::new();
        let mut missing: Vec<i64> = Vec::new();
        for (rid, version) in rows {
            match terms.read.get(&(*rid, *version)) {
                Some(definition) => drop(found.insert(*rid, definition)),
                None => missing.push(*rid),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let bodies: Vec<(i64, i32, Vec<u8>)> = sqlx::query_as(include_str!("../sql/body_read.sql"))
            .bind(missing)
            .fetch_all(&mut *self.connection)
            .await
            .map_err(of_sqlx)?;
        let is_value_set =
            terms.value_sets.is_some_and(|other| other.resource_type == place.resource_type);
        for (rid, version, body) in bodies {
            let body = self.store.codec.decompress(&body)?;
            let value: Value = serde_json::from_slice(&body).map_err(FhirError::internal)?;
            let definition = match is_value_set {
                true => Definition::ValueSet(Arc::new(ValueSet::read(&value))),
                false => Definition::CodeSystem(Arc::new(CodeSystem::read(&value))),
            };
            terms.read.insert((rid, version), definition.clone());
            found.insert(rid, definition);
        }
        Ok(found)
    }
}

/// Ids of those coded values of the database that are among the codes.
async fn coded(connection: &mut Connection, (codes, form): (&Codes, CodeForm)) -> Result<Vec<i64>> {
    let (mut systems, mut listed) = (Vec::new(), Vec::new());
    let (mut whole, mut excepted) = (Vec::new(), Vec::new());
    for (system, members) in codes.systems() {
        // Codes of elements that imply their system are stored without it.
        let stored = match form {
            CodeForm::Coding => system,
            CodeForm::Code(implied) if implied.is_none_or(|implied| implied == system) => "",
            CodeForm::Code(_) => continue,
        };
        let (codes, systems) = match members {
            Members::These(codes) => (codes, Some(&mut systems)),
            Members::AllBut(codes) => {
                whole.push(stored);
                (codes, None)
            }
        };
        match systems {
            Some(systems) => {
                systems.extend(codes.iter().map(|_| stored));
                listed.extend(codes.iter().map(|code| key(code)));
            }
            None => excepted.extend(codes.iter().map(|code| format!("{stored}|{code}"))),
        }
    }
    let most = super::SYSTEM_CODES;
    let ids: Vec<i64> = sqlx::query_scalar(include_str!("../sql/search_concepts_read.sql"))
        .bind(systems)
        .bind(listed)
        .bind(&whole)
        .bind(excepted)
        .bind(most + 1)
        .fetch_all(connection)
        .await
        .map_err(of_sqlx)?;
    match !whole.is_empty() && ids.len() as i64 > most {
        true => Err(FhirError::too_costly(format!(
            "The value set holds all of {}, which stands for more than {most} codes here",
            whole.join(", ")
        ))),
        false => Ok(ids),
    }
}

fn refused(error: TerminologyError) -> FhirError {
    let code = match &error {
        TerminologyError::UnknownValueSet(_) | TerminologyError::UnknownCodeSystem(_) => {
            IssueCode::NotFound
        }
        _ => IssueCode::NotSupported,
    };
    match error.is_too_costly() {
        true => FhirError::too_costly(error.to_string()),
        false => FhirError::at(code, "", error.to_string()),
    }
}

fn no_definition() -> FhirError {
    FhirError::internal("R4 defines ValueSet and CodeSystem")
}
