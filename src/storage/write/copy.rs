//! Many creates of one transaction by `COPY`: a stream for each table that they fill, which the
//! database takes at a third of the cost of rows that come as arrays.

use super::Staged;
use super::contained::unkeyed;
use super::index_rows::{
    Composite, Dates, FurtherLead, Identifier, Quantity, SideRows, Text, TextWords, Uri,
};
use super::links;
use super::sql::{GENERATION, stamps};
use crate::search::contained_rid;
use crate::storage::store::{Connection, Place};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArgumentBuffer;
use sqlx::{Encode, Postgres};

/// From so many creates on, in one transaction.
pub const MANY: usize = 50;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: [u8; 2] = (-1_i16).to_be_bytes();
/// Version of the text form of `jsonb` in binary.
const JSONB_TEXT: u8 = 1;

/// What is sent at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Rows in the binary format of `COPY`
/// (<https://www.postgresql.org/docs/15/sql-copy.html>).
struct Rows(PgArgumentBuffer);

impl Rows {
    fn row(&mut self, fields: i16) {
        self.0.extend_from_slice(&fields.to_be_bytes());
    }

    fn field<'q, T: Encode<'q, Postgres>>(&mut self, value: T) -> Result<(), BoxDynError> {
        let start = self.begin();
        match value.encode_by_ref(&mut self.0)? {
            IsNull::Yes => self.0[start - 4..start].copy_from_slice(&(-1_i32).to_be_bytes()),
            IsNull::No => self.end(start)?,
        }
        Ok(())
    }

    fn jsonb(&mut self, json: &[u8]) -> Result<(), BoxDynError> {
        let start = self.begin();
        self.0.push(JSONB_TEXT);
        self.0.extend_from_slice(json);
        self.end(start)
    }

    /// Leaves room for a field's length; where the field begins.
    fn begin(&mut self) -> usize {
        self.0.extend_from_slice(&[0; 4]);
        self.0.len()
    }

    fn end(&mut self, start: usize) -> Result<(), BoxDynError> {
        let length = i32::try_from(self.0.len() - start)?;
        self.0[start - 4..start].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

/// Appends the rows of one create to a table.
type Write = fn(&mut Rows, &Staged, Place) -> Result<(), BoxDynError>;

/// Streams the rows of all creates; little of them is in memory at a time.
async fn stream(
    connection: &mut Connection,
    sql: &str,
    (staged, place): (&[Staged], Place),
    write: Write,
) -> Result<(), sqlx::Error> {
    let mut rows = Rows(PgArgumentBuffer::default());
    rows.0.extend_from_slice(SIGNATURE);
    let mut copy = connection.copy_in_raw(sql).await?;
    for one in staged {
        if let Err(error) = write(&mut rows, one, place) {
            copy.abort("a value has no binary form").await?;
            return Err(sqlx::Error::Encode(error));
        }
        if rows.0.len() >= CHUNK_BYTES {
            copy.send(rows.0.as_slice()).await?;
            rows.0.clear();
        }
    }
    rows.0.extend_from_slice(&END);
    copy.send(rows.0.as_slice()).await?;
    copy.finish().await.map(drop)
}

/// A row of a side table.
trait SideRow {
    /// Its columns beside the rid are as many.
    const FIELDS: i16;
    const COPY: &'static str;

    fn rows(side: &SideRows) -> &[Self]
    where
        Self: Sized;

    fn write(&self, rows: &mut Rows) -> Result<(), BoxDynError>;
}

macro_rules! side_row {
    ($row:ident in $side:ident, $table:literal: $($field:ident),+) => {
        impl SideRow for $row {
            const FIELDS: i16 = [$(stringify!($field)),+].len() as i16;
            const COPY: &'static str = concat!(
                "copy ", $table, " (rid", $(", ", stringify!($field)),+,
                ") from stdin (format binary)"
            );

            fn rows(side: &SideRows) -> &[Self] {
                &side.$side
            }

            fn write(&self, rows: &mut Rows) -> Result<(), BoxDynError> {
                $( rows.field(&self.$field)?; )+
                Ok(())
            }
        }
    };
}

side_row!(Identifier in identifiers, "identifier_value": value, parameter, system);
side_row!(Text in strings, "string_value": parameter, normalised, raw);
side_row!(Dates in dates, "date_value": parameter, low, high);
side_row!(Quantity in quantities, "quantity_value": parameter, lead, unit, low, high);
side_row!(Uri in uris, "uri_value": parameter, value);
side_row!(Composite in composites, "composite_value":
    parameter, first, second, low_at, high_at, low, high, first_text, second_text);
side_row!(TextWords in texts, "text_value": is_content, words);
side_row!(FurtherLead in further_leads, "lead_value": lead, date_low, date_high);

/// True for what [`copy`] takes.
pub fn is_for_copy(staged: &[Staged]) -> bool {
    staged.len() >= MANY
        && staged.iter().all(|s| s.change.is_create() && s.change.content.is_some())
}

/// Stores these creates, inside a transaction. A key that is there already is an error.
pub async fn copy(
    connection: &mut Connection,
    staged: &[Staged],
    place: Place,
) -> Result<(), sqlx::Error> {
    let adopted: Vec<i64> =
        staged.iter().filter(|s| s.change.adopts_stub).map(|s| s.change.rid).collect();
    if !adopted.is_empty() {
        sqlx::query(include_str!("../sql/stub_remove.sql"))
            .bind(adopted)
            .execute(&mut *connection)
            .await?;
    }
    let all = (staged, place);
    stream(connection, include_str!("../sql/resource_copy.sql"), all, resource).await?;
    if place.keeps_jsonb {
        stream(connection, include_str!("../sql/json_copy.sql"), all, jsonb).await?;
    }
    if staged.iter().any(|one| !one.after.contained.is_empty()) {
        stream(connection, include_str!("../sql/contained_copy.sql"), all, contained).await?;
    }
    side::<Identifier>(connection, all).await?;
    side::<Text>(connection, all).await?;
    side::<Dates>(connection, all).await?;
    side::<Quantity>(connection, all).await?;
    side::<Uri>(connection, all).await?;
    side::<Composite>(connection, all).await?;
    side::<TextWords>(connection, all).await?;
    side::<FurtherLead>(connection, all).await?;
    links::write(connection, staged).await?;
    // The lock on `resource` was taken before: see `sql::push_definitions`.
    let definitions = staged.iter().map(|staged| staged.change.definitions).min();
    sqlx::query(include_str!("../sql/definitions_verify.sql"))
        .bind(definitions.unwrap_or_default())
        .execute(connection)
        .await
        .map(drop)
}

fn resource(rows: &mut Rows, staged: &Staged, place: Place) -> Result<(), BoxDynError> {
    let Staged { change, after, body, .. } = staged;
    let row = &after.row;
    rows.row(19);
    rows.field(change.rid)?;
    rows.field(change.key.resource_type.number())?;
    rows.field(change.key.id.as_str())?;
    rows.field(change.version as i32)?;
    rows.field(change.last_updated)?;
    rows.field(row.patient)?;
    rows.field(row.date.map(|date| date.0))?;
    rows.field(row.date.map(|date| date.1))?;
    rows.field(row.lead)?;
    rows.field(row.keys.as_slice())?;
    rows.field(row.present.as_slice())?;
    rows.field(stamps(&row.subject_rids))?;
    rows.field(stamps(&row.labels))?;
    rows.field(stamps(&row.profiles))?;
    rows.field(body.as_slice())?;
    rows.field(place.epoch)?;
    rows.field(GENERATION)?;
    rows.field(change.writer.owner)?;
    rows.field(change.writer.author)
}

fn contained(rows: &mut Rows, staged: &Staged, _: Place) -> Result<(), BoxDynError> {
    for one in &staged.after.contained {
        let row = &one.row;
        rows.row(9);
        rows.field(contained_rid(staged.change.rid, one.place))?;
        rows.field(staged.change.version as i32)?;
        rows.field(one.key.resource_type.number())?;
        rows.field(one.key.id.as_str())?;
        rows.field(row.date.map(|date| date.0))?;
        rows.field(row.date.map(|date| date.1))?;
        rows.field(row.lead)?;
        rows.field(row.keys.as_slice())?;
        rows.field(unkeyed(row))?;
    }
    Ok(())
}

fn jsonb(rows: &mut Rows, staged: &Staged, _: Place) -> Result<(), BoxDynError> {
    let Some(content) = &staged.change.content else { return Ok(()) };
    rows.row(2);
    rows.field(staged.change.rid)?;
    rows.jsonb(&content.json)
}

async fn side<T: SideRow>(
    connection: &mut Connection,
    all: (&[Staged], Place),
) -> Result<(), sqlx::Error> {
    let has_none = |one: &Staged| one.added.iter().all(|(_, side)| T::rows(side).is_empty());
    match all.0.iter().all(has_none) {
        true => Ok(()),
        false => stream(connection, T::COPY, all, side_rows::<T>).await,
    }
}

fn side_rows<T: SideRow>(rows: &mut Rows, staged: &Staged, _: Place) -> Result<(), BoxDynError> {
    for (rid, side) in &staged.added {
        for row in T::rows(side) {
            rows.row(T::FIELDS + 1);
            rows.field(*rid)?;
            row.write(rows)?;
        }
    }
    Ok(())
}
