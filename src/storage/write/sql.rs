//! The text of a write: one statement whatever the number of changes, made of the pieces that
//! these changes need. Reviewed in `tests/golden/write-sql/`.

use super::Staged;
use super::contained::push_contained;
use super::links::{self, Granting};
use crate::search::contained_rid;
use crate::storage::audit::rows::push_insert;
use crate::storage::statement::Statement;
use crate::storage::store::Place;
use chrono::{DateTime, Utc};
use std::borrow::Cow;
use std::fmt::{Display, Write};

/// Version of the index data that this program writes.
pub const GENERATION: i16 = 8;

/// What the values of a change take, roughly, without its body and JSON.
const CHANGE_BYTES: usize = 800;

/// One change alone is bound as scalars and changes nothing where it lost its race; several
/// are bound as arrays, and their transaction is rolled back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    One,
    Many,
}

/// Composes the statement.
/// The statement answers the number of changes that were stored.
pub fn compose(statement: &mut Statement, staged: &[&Staged], place: Place) {
    let Place { epoch, keeps_jsonb } = place;
    let shape = if staged.len() == 1 { Shape::One } else { Shape::Many };
    statement.reserve(staged.iter().map(|staged| bytes(staged, keeps_jsonb)).sum());
    let creates = staged.iter().any(|staged| staged.change.is_create());
    let updates = staged.iter().any(|staged| !staged.change.is_create());
    statement.push("with change as (");
    match shape {
        Shape::One => push_one(statement, staged[0]),
        Shape::Many => push_many(statement, staged),
    }
    statement.push(")");
    if creates {
        push_create(statement, staged, epoch);
    }
    if staged.iter().any(|staged| staged.change.adopts_stub) {
        statement.push(include_str!("../sql/stub_adopt.sql"));
    }
    if updates {
        statement.push(include_str!("../sql/change_update.sql")).bind(epoch);
        statement.push(", generation = ").bind(GENERATION);
        statement.push(include_str!("../sql/change_update_from.sql"));
    }
    push_side_tables(statement, staged, gate(staged, shape));
    push_contained(statement, staged, gate(staged, shape));
    links::push(statement, staged, (Granting::Writers, gate(staged, shape)));
    if keeps_jsonb {
        push_json(statement, staged, shape);
    }
    push_audit(statement, staged, (gate(staged, shape), epoch));
    statement.push(match (creates, updates) {
        (true, true) => include_str!("../sql/change_count_both.sql"),
        (true, false) => "\nselect (select count(*) from created)",
        _ => "\nselect (select count(*) from updated)",
    });
    push_definitions(statement, staged.iter().map(|staged| staged.change.definitions).min());
}

/// New rows; with access stamps where the writer of any has some.
fn push_create(statement: &mut Statement, staged: &[&Staged], epoch: i32) {
    let writers = || staged.iter().filter(|s| s.change.is_create()).map(|s| &s.change.writer);
    if !writers().any(|writer| writer.has_stamps()) {
        statement.push(include_str!("../sql/change_create.sql")).bind(epoch);
        statement.push(", ").bind(GENERATION);
        statement.push(include_str!("../sql/change_create_from.sql"));
        return;
    }
    let rids = staged.iter().filter(|s| s.change.is_create()).map(|s| s.change.rid);
    statement.push(include_str!("../sql/change_create_stamped.sql")).bind(epoch);
    statement.push(", ").bind(GENERATION);
    statement.push(", s.owner, s.author\n  from change left join unnest(");
    statement.bind(rids.collect::<Vec<_>>()).push(", ");
    statement.bind(writers().map(|writer| writer.owner).collect::<Vec<_>>()).push(", ");
    statement.bind(writers().map(|writer| writer.author).collect::<Vec<_>>());
    statement.push(include_str!("../sql/change_create_stamped_from.sql"));
}

/// The events of the changes, where there is an audit: one for each request.
fn push_audit(statement: &mut Statement, staged: &[&Staged], place: (&'static str, i32)) {
    let (gate, epoch) = place;
    let rows: Vec<_> = staged.iter().filter_map(|staged| staged.audit.as_ref()).collect();
    if !rows.is_empty() {
        statement.push(", audited as (");
        push_insert(statement, &rows, epoch);
        statement.push(gate).push(")");
    }
}

/// Adds nothing to the count, and fails where the rows were made by other search parameters than
/// those of now. A write has its lock on `resource` before its snapshot: who changes a parameter
/// either sees the lock, or is seen here. Of several numbers the lowest is an old one.
fn push_definitions(statement: &mut Statement, definitions: Option<i64>) {
    statement.push(include_str!("../sql/definitions_check.sql"));
    statement.bind(definitions.unwrap_or_default());
    statement.push(include_str!("../sql/definitions_check_end.sql"));
}

/// About what the values of a change take.
fn bytes(staged: &Staged, keeps_jsonb: bool) -> usize {
    let json = staged.change.content.as_ref().filter(|_| keeps_jsonb).map_or(0, |c| c.json.len());
    staged.body.len() + json + CHANGE_BYTES
}

/// Of the row that a change replaces: where a reindex came between, the race is lost.
fn generation_before(staged: &Staged) -> i16 {
    staged.change.before.as_ref().map_or(GENERATION, |before| before.generation)
}

/// Columns of `change`, for one change bound as scalars.
fn push_one(statement: &mut Statement, staged: &Staged) {
    let (change, row) = (&staged.change, &staged.after.row);
    statement.push("\n  select ").bind(change.rid).push(" as rid, ");
    statement.bind(change.key.resource_type.number()).push(" as type, ");
    statement.bind(change.key.id.as_str()).push(" as id, ");
    statement.bind(change.version as i32).push(" as version, ");
    statement.bind(generation_before(staged)).push(" as generation, ");
    statement.bind(change.last_updated).push(" as last_updated, ");
    statement.bind(change.content.is_none()).push(" as deleted, ");
    statement.bind(row.patient).push(" as patient, ");
    statement.bind(row.date.map(|date| date.0)).push(" as date_low, ");
    statement.bind(row.date.map(|date| date.1)).push(" as date_high, ");
    statement.bind(row.lead).push(" as lead, ");
    statement.bind(row.keys.as_slice()).push(" as keys, ");
    statement.bind(row.present.as_slice()).push(" as present, ");
    statement.bind(stamps(&row.subject_rids)).push(" as subject_rids, ");
    statement.bind(stamps(&row.labels)).push(" as labels, ");
    statement.bind(stamps(&row.profiles)).push(" as profiles, ");
    statement.bind(staged.body.as_slice()).push(" as body");
}

/// The same columns for several changes; ragged arrays travel as text.
fn push_many(statement: &mut Statement, staged: &[&Staged]) {
    macro_rules! column {
        ($value:expr) => {
            staged.iter().copied().map($value).collect::<Vec<_>>()
        };
    }
    statement.push(include_str!("../sql/change_many.sql"));
    statement.bind(column!(|s| s.change.rid)).push(", ");
    statement.bind(column!(|s| s.change.key.resource_type.number())).push(", ");
    statement.bind(column!(|s| s.change.key.id.as_str())).push(", ");
    statement.bind(column!(|s| s.change.version as i32)).push(", ");
    statement.bind(column!(generation_before)).push(", ");
    statement.bind(column!(|s| s.change.last_updated)).push(", ");
    statement.bind(column!(|s| s.change.content.is_none())).push(", ");
    statement.bind(column!(|s| s.after.row.patient)).push(", ");
    statement.bind(column!(|s| s.after.row.date.map(|date| date.0))).push(", ");
    statement.bind(column!(|s| s.after.row.date.map(|date| date.1))).push(", ");
    statement.bind(column!(|s| s.after.row.lead)).push(", ");
    statement.bind(column!(|s| array_literal(&s.after.row.keys))).push(", ");
    statement.bind(column!(|s| array_literal(&s.after.row.present))).push(", ");
    statement.bind(column!(|s| stamps(&s.after.row.subject_rids).map(array_literal))).push(", ");
    statement.bind(column!(|s| stamps(&s.after.row.labels).map(array_literal))).push(", ");
    statement.bind(column!(|s| stamps(&s.after.row.profiles).map(array_literal))).push(", ");
    statement.bind(column!(|s| s.body.as_slice()));
    statement.push(include_str!("../sql/change_many_columns.sql"));
}

/// Null where there are none, as for most rows.
pub fn stamps(ids: &[i64]) -> Option<&[i64]> {
    (!ids.is_empty()).then_some(ids)
}

/// An array as text, for arrays of arrays that differ in length.
pub fn array_literal<T: Display>(items: &[T]) -> String {
    let mut text = String::with_capacity(2 + items.len() * 18);
    text.push('{');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        // Writing to memory cannot fail.
        let _ = write!(text, "{item}");
    }
    text.push('}');
    text
}

/// Binds one column of a side table over all changes: the rid, then a field of each row.
macro_rules! rows {
    ($staged:expr, $side:ident, $table:ident) => {
        $staged
            .iter()
            .flat_map(|s| s.$side.iter())
            .flat_map(|(rid, side)| side.$table.iter().map(move |row| (*rid, row)))
    };
}
macro_rules! column {
    ($staged:expr, $side:ident, $table:ident, $value:expr) => {
        rows!($staged, $side, $table).map($value).collect::<Vec<_>>()
    };
}

/// For each side table that has rows to remove or add: `delete` by the old rows' own keys,
/// `insert` of the new ones.
macro_rules! side_table {
    ($statement:expr, $staged:expr, $gate:expr, $table:ident, $name:literal,
     [$($column:literal: $kind:literal = $value:expr),+]) => {
        if let Some((first, last)) = cleared($staged) {
            let rids = $staged.iter().filter(|s| s.clears_side).map(|s| s.change.rid);
            $statement.push(concat!(", ", $name, "_cleared as (delete from ", $name,
                "_value t where (t.rid between "));
            $statement.bind(first).push(" and ").bind(last).push(" and t.rid = any(");
            let rids: Vec<i64> = rids.collect();
            $statement.bind(rids.clone()).push(")\n  or t.rid between ");
            $statement.bind(contained_rid(last, u16::MAX)).push(" and ");
            $statement.bind(contained_rid(first, 0)).push(" and (-t.rid) >> 16 = any(");
            $statement.bind(rids).push("))").push($gate).push(")");
        }
        if rows!($staged, removed, $table).next().is_some() {
            $statement.push(concat!(", ", $name, "_removed as (delete from ", $name,
                "_value t using unnest("));
            $statement.bind(column!($staged, removed, $table, |(rid, _)| rid)).push("::bigint[]");
            $( $statement.push(", ").bind(column!($staged, removed, $table, $value)).push($kind); )+
            $statement.push(concat!(") as d(rid", $(", ", $column,)+ ") where t.rid = d.rid"));
            $( $statement.push(concat!(" and t.", $column, " is not distinct from d.", $column)); )+
            $statement.push($gate).push(")");
        }
        if rows!($staged, added, $table).next().is_some() {
            $statement.push(concat!(", ", $name, "_added as (insert into ", $name, "_value (rid",
                $(", ", $column,)+ ") select * from unnest("));
            $statement.bind(column!($staged, added, $table, |(rid, _)| rid)).push("::bigint[]");
            $( $statement.push(", ").bind(column!($staged, added, $table, $value)).push($kind); )+
            $statement.push(") as a where true").push($gate).push(")");
        }
    };
}

/// The lowest and highest rid whose side rows all go; the range finds them in the BRIN index.
fn cleared(staged: &[&Staged]) -> Option<(i64, i64)> {
    let rids = || staged.iter().filter(|s| s.clears_side).map(|s| s.change.rid);
    rids().min().zip(rids().max())
}

type Instant = Option<DateTime<Utc>>;

/// The parts of a statement that replace the rows beside those of `resource`, each after a comma.
pub fn push_side_rows(statement: &mut Statement, staged: &[&Staged]) {
    push_side_tables(statement, staged, "");
    push_contained(statement, staged, "");
    links::push(statement, staged, (Granting::Stamps, ""));
}

fn push_side_tables(statement: &mut Statement, staged: &[&Staged], gate: &'static str) {
    side_table!(statement, staged, gate, identifiers, "identifier", [
        "value": "::text[]" = |(_, row)| row.value.as_str(),
        "parameter": "::smallint[]" = |(_, row)| row.parameter,
        "system": "::text[]" = |(_, row)| row.system.as_str()
    ]);
    side_table!(statement, staged, gate, strings, "string", [
        "parameter": "::smallint[]" = |(_, row)| row.parameter,
        "normalised": "::text[]" = |(_, row)| row.normalised.as_str(),
        "raw": "::text[]" = |(_, row)| row.raw.as_str()
    ]);
    side_table!(statement, staged, gate, dates, "date", [
        "parameter": "::smallint[]" = |(_, row)| row.parameter,
        "low": "::timestamptz[]" = |(_, row)| row.low,
        "high": "::timestamptz[]" = |(_, row)| row.high
    ]);
    side_table!(statement, staged, gate, quantities, "quantity", [
        "parameter": "::smallint[]" = |(_, row)| row.parameter,
        "lead": "::bigint[]" = |(_, row)| row.lead,
        "unit": "::integer[]" = |(_, row)| row.unit,
        "low": "::numeric[]" = |(_, row)| row.low,
        "high": "::numeric[]" = |(_, row)| row.high
    ]);
    side_table!(statement, staged, gate, uris, "uri", [
        "parameter": "::smallint[]" = |(_, row)| row.parameter,
        "value": "::text[]" = |(_, row)| row.value.as_str()
    ]);
    side_table!(statement, staged, gate, composites, "composite", [
        "parameter": "::smallint[]" = |(_, row)| row.parameter,
        "first": "::bigint[]" = |(_, row)| row.first,
        "second": "::bigint[]" = |(_, row)| row.second,
        "low_at": "::timestamptz[]" = |(_, row)| -> Instant { row.low_at },
        "high_at": "::timestamptz[]" = |(_, row)| -> Instant { row.high_at },
        "low": "::numeric[]" = |(_, row)| row.low,
        "high": "::numeric[]" = |(_, row)| row.high,
        "first_text": "::text[]" = |(_, row)| row.first_text.as_deref(),
        "second_text": "::text[]" = |(_, row)| row.second_text.as_deref()
    ]);
    side_table!(statement, staged, gate, texts, "text", [
        "is_content": "::boolean[]" = |(_, row)| row.is_content,
        "words": "::tsvector[]" = |(_, row)| &row.words
    ]);
    side_table!(statement, staged, gate, further_leads, "lead", [
        "lead": "::bigint[]" = |(_, row)| row.lead,
        "date_low": "::timestamptz[]" = |(_, row)| -> Instant { row.date_low },
        "date_high": "::timestamptz[]" = |(_, row)| -> Instant { row.date_high }
    ]);
}

/// A lone update writes beside its row only where it won its race.
fn gate(staged: &[&Staged], shape: Shape) -> &'static str {
    match shape == Shape::One && !staged[0].change.is_create() {
        true => " and exists (select from updated)",
        false => "",
    }
}

/// Checking first is several times as fast as reading what may be wrong.
fn text_of(json: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(json).map_or_else(|_| String::from_utf8_lossy(json), Cow::Borrowed)
}

fn push_json(statement: &mut Statement, staged: &[&Staged], shape: Shape) {
    let gate = gate(staged, shape);
    let live: Vec<_> =
        staged.iter().filter_map(|s| Some((s.change.rid, s.change.content.as_ref()?))).collect();
    if !live.is_empty() {
        // The codec and the reader accept UTF-8 only, so nothing is lost here.
        let texts: Vec<_> = live.iter().map(|(_, content)| text_of(&content.json)).collect();
        statement.push(include_str!("../sql/json_write.sql"));
        statement.bind(live.iter().map(|(rid, _)| *rid).collect::<Vec<_>>()).push(", ");
        statement.bind(texts.iter().map(|text| text.as_ref()).collect::<Vec<&str>>());
        statement.push(") as j(rid, resource) where true").push(gate);
        if staged.iter().any(|s| !s.change.is_create()) {
            statement.push("\n  on conflict (rid) do update set resource = excluded.resource");
        }
        statement.push(")");
    }
    let deleted: Vec<i64> =
        staged.iter().filter(|s| s.change.content.is_none()).map(|s| s.change.rid).collect();
    if !deleted.is_empty() {
        statement.push(", json_removed as (delete from resource_json where rid = any(");
        statement.bind(deleted).push(")").push(gate).push(")");
    }
}
