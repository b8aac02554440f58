//! Rows of contained resources, compared with what is extracted of their containers.

use super::{Finding, column, differing_columns, differing_tables, key_of, side_rows, without};
use crate::error::{FhirError, Result};
use crate::fhir::resource::ResourceKey;
use crate::search::{ParameterId, contained_place, contained_rid};
use crate::storage::failure::of_sqlx;
use crate::storage::store::{Connection, Stored};
use crate::storage::write::contained::unkeyed;
use crate::storage::write::index_rows::{ResolvedContained, RowIndex, SideRows};
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::collections::BTreeMap;

/// The highest rid that a container may have.
const LAST: i64 = (1 << 47) - 1;

/// Rows of what the resources of a batch contain, by their own rids.
#[derive(Default)]
pub struct ContainedRead {
    rows: BTreeMap<i64, Vec<ContainedRow>>,
    side: BTreeMap<i64, SideRows>,
}

struct ContainedRow {
    key: Option<ResourceKey>,
    version: i64,
    index: RowIndex,
}

/// Those whose containers have after < rid <= last.
pub async fn read_contained(
    connection: &mut Connection,
    after: i64,
    last: i64,
) -> Result<ContainedRead> {
    let (from, to) = (contained_rid(last.min(LAST), u16::MAX), contained_rid(after + 1, 0));
    let found = sqlx::query(include_str!("../sql/check_contained.sql"))
        .bind(from)
        .bind(to)
        .fetch_all(&mut *connection)
        .await
        .map_err(of_sqlx)?;
    let mut read = ContainedRead::default();
    for row in &found {
        read.rows.entry(column(row, "rid")?).or_default().push(row_read(row)?);
    }
    read.side = side_rows(connection, from.saturating_sub(1), to).await?;
    Ok(read)
}

fn row_read(row: &PgRow) -> Result<ContainedRow> {
    let index = RowIndex {
        date: Option::zip(column(row, "date_low")?, column(row, "date_high")?),
        lead: column(row, "lead")?,
        keys: column(row, "keys")?,
        present: column::<Option<_>>(row, "present")?.unwrap_or_default(),
        ..RowIndex::default()
    };
    let version: i32 = row.try_get("version").map_err(FhirError::internal)?;
    Ok(ContainedRow { key: key_of(row)?, version: version.into(), index })
}

impl ContainedRead {
    /// Takes out the rows of what one resource contains.
    pub fn take(&mut self, container: i64) -> ContainedRead {
        let (from, to) = (contained_rid(container, u16::MAX), contained_rid(container, 0));
        ContainedRead { rows: cut(&mut self.rows, from, to), side: cut(&mut self.side, from, to) }
    }

    /// Differences between the rows of what a resource contains and those that it should have.
    pub fn check(
        mut self,
        container: (&Stored, &ResourceKey),
        expected: &[ResolvedContained],
        unsettled: &[ParameterId],
    ) -> Vec<Finding> {
        let (container, key) = container;
        let mut findings = Vec::new();
        for one in expected {
            let rid = contained_rid(container.rid, one.place);
            let stored = self.rows.remove(&rid).unwrap_or_default();
            let side = self.side.remove(&rid).unwrap_or_default();
            let mut tell = |text: String| {
                findings.push(Finding::new(format!("{key}#{}", one.key.id), text));
            };
            let [stored] = &stored[..] else {
                tell(format!("it has {} rows of contained_resource, not one", stored.len()));
                continue;
            };
            if stored.key.as_ref() != Some(&one.key) || stored.version != container.version {
                tell("its row has another type, id or version".to_owned());
            }
            // Access goes by the stamps of the container.
            let present = unkeyed(&one.row).unwrap_or_default();
            let (patient, subject_rids) = (None, Vec::new());
            let row = RowIndex { patient, present, subject_rids, ..one.row.clone() };
            let (index, side) = without(unsettled, (stored.index.clone(), side));
            let expected = without(unsettled, (row, one.side.clone()));
            for name in differing_columns(&index, &expected.0) {
                tell(format!("column {name} differs from a fresh extraction"));
            }
            for table in differing_tables(&side, &expected.1) {
                tell(format!("rows of {table} differ from a fresh extraction"));
            }
        }
        let left = self.rids().into_iter();
        findings.extend(left.map(|rid| {
            let place = contained_place(rid).map(|(_, place)| place).unwrap_or_default();
            let text = format!("index rows of contained[{place}], which is not there");
            Finding::new(key, text)
        }));
        findings
    }

    /// What is there.
    pub fn rids(&self) -> Vec<i64> {
        let mut rids: Vec<i64> = self.rows.keys().chain(self.side.keys()).copied().collect();
        rids.sort_unstable();
        rids.dedup();
        rids
    }
}

/// Takes out what is from the first key to the last.
fn cut<T>(of: &mut BTreeMap<i64, T>, from: i64, to: i64) -> BTreeMap<i64, T> {
    let mut cut = of.split_off(&from);
    let mut behind = cut.split_off(&(to + 1));
    of.append(&mut behind);
    cut
}
