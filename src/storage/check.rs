//! What the store holds, compared with what it should hold. Only reads: each batch of rows is
//! looked at in one snapshot.

mod contained;

use super::failure::of_sqlx;
use super::store::{Connection, Store, Stored};
use super::write::Unit;
use super::write::index_rows::{
    Coded, Composite, Dates, FurtherLead, Identifier, Ids, Names, Quantity, RowIndex, SideRows,
    Text, TextWords, Uri, parameter_of,
};
use super::write::sql::GENERATION;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Id, ResourceKey};
use crate::search::value::text::normalised;
use crate::search::{IndexRows, ParameterId, Token, UnitOfMeasure};
use contained::{ContainedRead, read_contained};
use futures_util::TryStreamExt;
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// One difference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// `Type/id`, or what else is at fault.
    pub what: String,
    pub text: String,
}

impl Finding {
    pub fn new(what: impl fmt::Display, text: impl Into<String>) -> Finding {
        Finding { what: what.to_string(), text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.text)
    }
}

/// Rows of one batch, with what is indexed of them.
pub struct RowsRead {
    pub rows: Vec<RowRead>,
    side: BTreeMap<i64, SideRows>,
    contained: ContainedRead,
    /// The batch is about rids after the first and up to the last.
    after: i64,
    last: i64,
}

/// A row whose body could be read, or why not.
pub struct RowRead {
    pub rid: i64,
    pub key: Option<ResourceKey>,
    pub stored: Result<Stored>,
    generation: i16,
    index: RowIndex,
}

/// `read` of a column, for short.
fn column<'r, T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(
    row: &'r PgRow,
    name: &str,
) -> Result<T> {
    row.try_get(name).map_err(FhirError::internal)
}

/// Null stands for none.
fn stamps(row: &PgRow, name: &str) -> Result<Vec<i64>> {
    Ok(column::<Option<Vec<i64>>>(row, name)?.unwrap_or_default())
}

fn key_of(row: &PgRow) -> Result<Option<ResourceKey>> {
    let (number, id): (i16, &str) = (column(row, "type")?, column(row, "id")?);
    Ok(ResourceType::from_number(number)
        .zip(Id::parse(id))
        .map(|(resource_type, id)| ResourceKey::new(resource_type, id)))
}

impl Store {
    /// A snapshot that only reads.
    pub async fn begin_check(&self) -> Result<Unit> {
        let mut unit = self.begin(&[]).await?;
        sqlx::query("set transaction isolation level repeatable read, read only")
            .execute(unit.connection())
            .await
            .map_err(of_sqlx)?;
        Ok(unit)
    }

    /// The next rows after a rid, with their index rows; the last batch, which holds no row,
    /// is about everything beyond.
    pub async fn read_rows(&self, unit: &mut Unit, after: i64, count: i64) -> Result<RowsRead> {
        let connection = unit.connection();
        let found = sqlx::query(include_str!("sql/check_rows.sql"))
            .bind(after)
            .bind(count)
            .fetch_all(&mut *connection)
            .await
            .map_err(of_sqlx)?;
        let rows: Vec<RowRead> =
            found.iter().map(|row| self.row_read(row)).collect::<Result<_>>()?;
        let last = rows.last().map_or(i64::MAX, |row| row.rid);
        let side = side_rows(connection, after, last).await?;
        let contained = read_contained(connection, after, last).await?;
        Ok(RowsRead { rows, side, contained, after, last })
    }

    fn row_read(&self, row: &PgRow) -> Result<RowRead> {
        let low = column(row, "date_low")?;
        let high = column(row, "date_high")?;
        let index = RowIndex {
            patient: column(row, "patient")?,
            date: Option::zip(low, high),
            lead: column(row, "lead")?,
            keys: column(row, "keys")?,
            present: column(row, "present")?,
            subject_rids: stamps(row, "subject_rids")?,
            labels: stamps(row, "labels")?,
            profiles: stamps(row, "profiles")?,
        };
        Ok(RowRead {
            rid: column(row, "rid")?,
            key: key_of(row)?,
            stored: self.stored(row),
            generation: column(row, "generation")?,
            index,
        })
    }

    /// Differences between what is stored of the batch and what is extracted of its bodies now:
    /// for each live row that could be read, its index rows. Rows of the second parameters are
    /// being made or removed, and are not looked at.
    pub async fn check_index(
        &self,
        unit: &mut Unit,
        read: &mut RowsRead,
        extracted: (&HashMap<i64, IndexRows>, &[ParameterId]),
    ) -> Result<Vec<Finding>> {
        let (fresh, unsettled) = extracted;
        let rows: Vec<&IndexRows> = fresh.values().collect();
        let ids = known_ids(unit.connection(), &rows).await?;
        let mut findings = Vec::new();
        for row in &read.rows {
            let side = read.side.remove(&row.rid).unwrap_or_default();
            let contained = read.contained.take(row.rid);
            let Some(key) = &row.key else { continue };
            if row.generation != GENERATION {
                let text = format!(
                    "its index data is of generation {}, the server's is {GENERATION}: reindex",
                    row.generation
                );
                findings.push(Finding::new(key, text));
                continue;
            }
            let Ok(stored) = &row.stored else { continue };
            let expected = match (stored.is_deleted, fresh.get(&row.rid)) {
                (false, Some(rows)) => ids.resolve(row.rid, rows),
                (false, None) => continue,
                // A deleted row keeps its stamps, which no body says any more.
                (true, _) => super::write::index_rows::Resolved {
                    row: RowIndex {
                        subject_rids: row.index.subject_rids.clone(),
                        labels: row.index.labels.clone(),
                        profiles: row.index.profiles.clone(),
                        ..RowIndex::default()
                    },
                    ..Default::default()
                },
            };
            findings.extend(contained.check((stored, key), &expected.contained, unsettled));
            let (index, side) = without(unsettled, (row.index.clone(), side));
            let expected = without(unsettled, (expected.row, expected.side));
            let differing = differing_columns(&index, &expected.0);
            findings.extend(differing.into_iter().map(|name| {
                Finding::new(key, format!("column {name} differs from a fresh extraction"))
            }));
            let differing = differing_tables(&side, &expected.1);
            findings.extend(differing.into_iter().map(|table| {
                Finding::new(key, format!("rows of {table} differ from a fresh extraction"))
            }));
        }
        for rid in read.side.keys().copied().chain(read.contained.rids()) {
            findings.push(Finding::new(format!("rid {rid}"), "index rows without a resource"));
        }
        Ok(findings)
    }

    /// Whether the JSONB of the batch equals the bytes that are served.
    pub async fn check_json(&self, unit: &mut Unit, read: &RowsRead) -> Result<Vec<Finding>> {
        if !self.place.keeps_jsonb {
            return Ok(Vec::new());
        }
        let live = || {
            let stored = read.rows.iter().filter_map(|row| row.stored.as_ref().ok());
            stored.filter(|stored| !stored.is_deleted)
        };
        let texts: Vec<_> = live().map(|stored| String::from_utf8_lossy(&stored.body)).collect();
        let found = sqlx::query(include_str!("sql/check_json.sql"))
            .bind(live().map(|stored| stored.rid).collect::<Vec<_>>())
            .bind(texts.iter().map(|text| text.as_ref()).collect::<Vec<&str>>())
            .bind(read.after)
            .bind(read.last)
            .fetch_all(unit.connection())
            .await
            .map_err(of_sqlx)?;
        let mut findings = Vec::new();
        for row in &found {
            let rid: i64 = column(row, "rid")?;
            let of_row = read.rows.iter().find(|row| row.rid == rid);
            if of_row.is_some_and(|row| row.stored.is_err()) {
                continue;
            }
            let text = match (column::<bool>(row, "missing")?, column::<bool>(row, "superfluous")?)
            {
                (true, _) => "there is no JSONB of it",
                (_, true) => "there is JSONB of what is deleted or unknown",
                _ => "the JSONB differs from the bytes that are served",
            };
            findings.push(match of_row.and_then(|row| row.key.as_ref()) {
                Some(key) => Finding::new(key, text),
                None => Finding::new(format!("rid {rid}"), text),
            });
        }
        Ok(findings)
    }

    /// Whether the versions of the batch are contiguous, and in the order of time and commits.
    pub async fn check_versions(&self, unit: &mut Unit, read: &RowsRead) -> Result<Vec<Finding>> {
        let found = sqlx::query(include_str!("sql/check_versions.sql"))
            .bind(read.after)
            .bind(read.last)
            .fetch_all(unit.connection())
            .await
            .map_err(of_sqlx)?;
        found
            .iter()
            .map(|row| {
                let (version, text): (i32, &str) = (column(row, "version")?, column(row, "text")?);
                Ok(Finding::new(named(row)?, format!("version {version}: {text}")))
            })
            .collect()
    }

    /// Old versions of the batch, one after the other; `look` is shown each that can be read.
    pub async fn check_history(
        &self,
        unit: &mut Unit,
        read: &RowsRead,
        look: &(dyn Fn(&Stored) -> Vec<Finding> + Send + Sync),
    ) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let mut rows = sqlx::query(include_str!("sql/check_history.sql"))
            .bind(read.after)
            .bind(read.last)
            .fetch(unit.connection());
        while let Some(row) = rows.try_next().await.map_err(of_sqlx)? {
            match self.stored(&row) {
                Ok(stored) => findings.extend(look(&stored)),
                Err(_) => {
                    let version: i32 = column(&row, "version")?;
                    let text = format!("version {version}: its body cannot be read");
                    findings.push(Finding::new(named(&row)?, text));
                }
            }
        }
        Ok(findings)
    }

    /// Stubs of references that exist beside the resource they stand for, or share its rid.
    pub async fn check_stubs(&self, unit: &mut Unit) -> Result<Vec<Finding>> {
        let found = sqlx::query(include_str!("sql/check_stubs.sql"))
            .fetch_all(unit.connection())
            .await
            .map_err(of_sqlx)?;
        found
            .iter()
            .map(|row| {
                let text = match column(row, "has_key")? {
                    true => "a stub of references stands beside the resource",
                    false => "the stub of its references has the rid of another resource",
                };
                Ok(Finding::new(named(row)?, text))
            })
            .collect()
    }
}

/// `Type/id` of a row, or its rid where that is no key.
fn named(row: &PgRow) -> Result<String> {
    Ok(match key_of(row)? {
        Some(key) => key.to_string(),
        None => format!("rid {}", column::<i64>(row, "rid")?),
    })
}

/// Ids that the database has; what it does not have stays without.
async fn known_ids<'a>(connection: &mut Connection, rows: &[&'a IndexRows]) -> Result<Ids<'a>> {
    let names = Names::of(rows);
    let tokens: Vec<&Token> = names.tokens.into_keys().collect();
    let texts: Vec<&str> = names.texts.into_iter().collect();
    let targets: Vec<&ResourceKey> = names.targets.into_iter().collect();
    let units: Vec<&UnitOfMeasure> = names.units.into_iter().collect();
    let found = sqlx::query(include_str!("sql/check_known.sql"))
        .bind(tokens.iter().map(|token| token.system.as_str()).collect::<Vec<_>>())
        .bind(tokens.iter().map(|token| token.code.as_str()).collect::<Vec<_>>())
        .bind(targets.iter().map(|key| key.resource_type.number()).collect::<Vec<_>>())
        .bind(targets.iter().map(|key| key.id.as_str()).collect::<Vec<_>>())
        .bind(units.iter().map(|unit| unit.system.as_str()).collect::<Vec<_>>())
        .bind(units.iter().map(|unit| unit.code.as_str()).collect::<Vec<_>>())
        .bind(units.iter().map(|unit| unit.text.as_str()).collect::<Vec<_>>())
        .bind(texts.iter().map(|text| normalised(text)).collect::<Vec<_>>())
        .fetch_all(connection)
        .await
        .map_err(of_sqlx)?;
    let mut ids = Ids::default();
    for row in &found {
        let (kind, n, id): (i16, i64, i64) =
            (column(row, "kind")?, column(row, "n")?, column(row, "id")?);
        let place = n as usize - 1;
        match kind {
            0 => {
                let coded = Coded { id, text: column(row, "text")? };
                ids.tokens.insert(tokens[place], coded);
            }
            1 => drop(ids.references.insert(targets[place], id)),
            3 => drop(ids.texts.insert(texts[place], id)),
            _ => drop(ids.units.insert(units[place], id as i32)),
        }
    }
    Ok(ids)
}

/// What is indexed by other parameters than these.
fn without(
    parameters: &[ParameterId],
    (mut row, mut side): (RowIndex, SideRows),
) -> (RowIndex, SideRows) {
    if !parameters.is_empty() {
        let is_other =
            |number: i16| !parameters.iter().any(|one| one.0 == number || one.beside().0 == number);
        row.keys.retain(|key| is_other(parameter_of(*key)));
        row.present.retain(|number| is_other(*number));
        side.identifiers.retain(|row| is_other(row.parameter));
        side.strings.retain(|row| is_other(row.parameter));
        side.dates.retain(|row| is_other(row.parameter));
        side.quantities.retain(|row| is_other(row.parameter));
        side.uris.retain(|row| is_other(row.parameter));
        side.composites.retain(|row| is_other(row.parameter));
    }
    (row, side)
}

fn differing_columns(stored: &RowIndex, expected: &RowIndex) -> Vec<&'static str> {
    let same = [
        ("patient", stored.patient == expected.patient),
        ("date_low, date_high", stored.date == expected.date),
        ("lead", stored.lead == expected.lead),
        ("keys", stored.keys == expected.keys),
        ("present", stored.present == expected.present),
        ("subject_rids", stored.subject_rids == expected.subject_rids),
        ("labels", stored.labels == expected.labels),
        ("profiles", stored.profiles == expected.profiles),
    ];
    same.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name).collect()
}

fn differing_tables(stored: &SideRows, expected: &SideRows) -> Vec<&'static str> {
    fn is_same<T: Eq + std::hash::Hash>(a: &[T], b: &[T]) -> bool {
        let mut counts: HashMap<&T, i64> = HashMap::new();
        a.iter().for_each(|row| *counts.entry(row).or_default() += 1);
        b.iter().for_each(|row| *counts.entry(row).or_default() -= 1);
        counts.values().all(|count| *count == 0)
    }
    let same = [
        ("identifier_value", is_same(&stored.identifiers, &expected.identifiers)),
        ("string_value", is_same(&stored.strings, &expected.strings)),
        ("date_value", is_same(&stored.dates, &expected.dates)),
        ("quantity_value", is_same(&stored.quantities, &expected.quantities)),
        ("uri_value", is_same(&stored.uris, &expected.uris)),
        ("composite_value", is_same(&stored.composites, &expected.composites)),
        ("text_value", is_same(&stored.texts, &expected.texts)),
        ("lead_value", is_same(&stored.further_leads, &expected.further_leads)),
    ];
    same.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name).collect()
}

/// Index rows of side tables with after < rid <= last.
async fn side_rows(
    connection: &mut Connection,
    after: i64,
    last: i64,
) -> Result<BTreeMap<i64, SideRows>> {
    let mut side: BTreeMap<i64, SideRows> = BTreeMap::new();
    macro_rules! read {
        ($table:literal, $field:ident, $row:ident { $($name:ident),+ }) => {
            let sql = concat!("select * from ", $table, " where rid > $1 and rid <= $2");
            let mut rows = sqlx::query(sql).bind(after).bind(last).fetch(&mut *connection);
            while let Some(row) = rows.try_next().await.map_err(of_sqlx)? {
                let read = $row { $($name: column(&row, stringify!($name))?),+ };
                side.entry(column(&row, "rid")?).or_default().$field.push(read);
            }
            drop(rows);
        };
    }
    read!("identifier_value", identifiers, Identifier { parameter, value, system });
    read!("string_value", strings, Text { parameter, normalised, raw });
    read!("date_value", dates, Dates { parameter, low, high });
    read!("quantity_value", quantities, Quantity { parameter, lead, unit, low, high });
    read!("uri_value", uris, Uri { parameter, value });
    read!(
        "composite_value",
        composites,
        Composite { parameter, first, second, low_at, high_at, low, high, first_text, second_text }
    );
    read!("text_value", texts, TextWords { is_content, words });
    read!("lead_value", further_leads, FurtherLead { lead, date_low, date_high });
    Ok(side)
}

impl RowsRead {
    /// Where the next batch begins; None after the last.
    pub fn next(&self) -> Option<i64> {
        (!self.rows.is_empty()).then_some(self.last)
    }
}
