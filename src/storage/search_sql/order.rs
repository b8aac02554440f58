//! The order of a result, and the place in it where a page begins. Rows without the value of a
//! key stand last, in both directions; rows that are equal by all keys in order of rid, in the
//! direction of the last key.

mod sort_value;

use crate::search::{Cursor, Sort, SortKey, Sorting};
use crate::storage::statement::Statement;
use sort_value::Joined;

/// The order of one statement.
#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    keys: Vec<Key>,
    /// Of the rids.
    is_descending: bool,
    /// The column that they are read from.
    rid: &'static str,
}

/// Which of the rows beyond a cursor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    All,
    /// With a value of the first key.
    Valued,
    /// Without one: all of them.
    Missing,
}

#[derive(Clone, PartialEq, Debug)]
struct Key {
    by: By,
    is_descending: bool,
    /// Of several values the least counts, even in descending order.
    is_by_least: bool,
    names: &'static Names,
}

/// How a sort value is had.
#[derive(Clone, PartialEq, Debug)]
enum By {
    /// A column of `r` that always has a value: name, and cast of a cursor's text.
    Column(&'static str, &'static str),
    /// A column of `r` that may be null.
    Nullable(&'static str, &'static str),
    /// The least or greatest of the rows that are joined.
    Joined(Joined),
}

/// What the value of a key is called in a derived table, and what is joined for it.
#[derive(PartialEq, Debug)]
struct Names {
    value: &'static str,
    /// The same of a number, which is a text there.
    number: &'static str,
    /// Both where that table is `r`.
    column: [&'static str; 2],
    joined: [&'static str; 2],
}

macro_rules! names {
    ($value:literal, $first:literal, $second:literal) => {
        Names {
            value: $value,
            number: concat!($value, "::numeric"),
            column: [concat!("r.", $value), concat!("r.", $value, "::numeric")],
            joined: [$first, $second],
        }
    };
}

/// As many as a statement can sort by; `Limits::sort_keys` is no more.
static NAMES: [Names; 8] = [
    names!("value", "s", "x"),
    names!("value2", "s2", "x2"),
    names!("value3", "s3", "x3"),
    names!("value4", "s4", "x4"),
    names!("value5", "s5", "x5"),
    names!("value6", "s6", "x6"),
    names!("value7", "s7", "x7"),
    names!("value8", "s8", "x8"),
];

const INSTANT: &str = "::timestamptz";
pub const NUMERIC: &str = "::numeric";

/// Names of the columns of sort values, in the order of the keys.
pub fn value_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|names| names.value)
}

/// Main date and rid: of the row, and of the row of a further coding.
const OF_ROW: [&str; 2] = ["r.date_low", "r.rid"];
const OF_FURTHER: [&str; 2] = ["f.date_low", "f.rid"];

impl By {
    fn of(key: &SortKey, date: &'static str) -> By {
        match key {
            SortKey::Id => By::Column("r.id", ""),
            SortKey::LastUpdated => By::Column("r.last_updated", INSTANT),
            SortKey::MainDate | SortKey::Date { is_in_row: true, .. } => {
                By::Nullable(date, INSTANT)
            }
            SortKey::Date { parameter, main, .. } => By::Joined(Joined::dates(*parameter, main)),
            SortKey::String(parameter) => By::Joined(Joined::strings(*parameter)),
            SortKey::Number(parameters) => By::Joined(Joined::numbers(parameters)),
            SortKey::Token { parameter, leads, has_codes, has_texts } => {
                By::Joined(Joined::tokens(*parameter, leads, (*has_codes, *has_texts)))
            }
            SortKey::Uri { parameter, .. } => By::Joined(Joined::uris(*parameter)),
            SortKey::Reference(parameter) => By::Joined(Joined::references(*parameter)),
            SortKey::Near { parameter, tests } => By::Joined(Joined::places(*parameter, tests)),
        }
    }

    /// Of a cursor's text.
    fn cast(&self) -> &'static str {
        match self {
            By::Column(_, cast) | By::Nullable(_, cast) => cast,
            By::Joined(joined) => joined.cast(),
        }
    }
}

impl Order {
    /// The order of a statement's rows.
    pub fn of(sorting: &Sorting) -> Order {
        Order::by(sorting, OF_ROW)
    }

    /// The same where the rows `f` of further codings lead to them.
    pub fn of_further(sorting: &Sorting) -> Order {
        Order::by(sorting, OF_FURTHER)
    }

    fn by(sorting: &Sorting, [date, rid]: [&'static str; 2]) -> Order {
        let key = |(sort, names): (&Sort, &'static Names)| Key {
            by: By::of(&sort.key, date),
            is_descending: sort.is_descending,
            is_by_least: sort.key.is_by_least(),
            names,
        };
        let keys = sorting.keys.iter().zip(&NAMES).map(key).collect();
        Order { keys, is_descending: sorting.is_descending, rid }
    }

    /// That of the surrogate keys alone.
    pub fn of_rows() -> Order {
        Order::of(&Sorting::of_rows(false))
    }

    /// The same order of a derived table `r` that has the sort values by name.
    pub fn named(&self) -> Order {
        let key = |key: &Key| {
            let [column, number] = key.names.column;
            let column = if key.is_number() { number } else { column };
            Key { by: By::Nullable(column, key.by.cast()), ..*key }
        };
        Order { keys: self.keys.iter().map(key).collect(), ..*self }
    }

    pub fn is_joined(&self) -> bool {
        self.keys.iter().any(|key| matches!(key.by, By::Joined(_)))
    }

    /// The joins that the sort values need, after `from resource r`.
    pub fn push_joins(&self, sql: &mut Statement) {
        for key in &self.keys {
            if let By::Joined(joined) = &key.by {
                joined.push(sql, key.is_by_greatest(), &key.names.joined);
            }
        }
    }

    /// The sort values of a row, each under its name: instants, or texts. Numbers are texts, as
    /// they may have more digits than are read.
    pub fn push_values(&self, sql: &mut Statement) {
        for key in &self.keys {
            sql.push(", ");
            key.push_value(sql);
            sql.push(if key.is_number() { "::text as " } else { " as " });
            sql.push(key.names.value);
        }
    }

    /// The names of the sort values, of a derived table `alias`.
    pub fn push_names(&self, sql: &mut Statement, alias: &'static str) {
        for key in &self.keys {
            sql.push(", ").push(alias).push(key.names.value);
        }
    }

    /// Nulls in their places.
    pub fn push_nulls(&self, sql: &mut Statement) {
        for _ in &self.keys {
            sql.push(", null");
        }
    }

    /// `order by` of a derived table, the first row of each rid in front of its others.
    pub fn push_first_of_each(&self, sql: &mut Statement) {
        sql.push(" order by rid");
        for key in &self.keys {
            sql.push(", ").push(key.outer()).push(key.direction(false));
        }
    }

    /// `order by` on the named columns of a derived table.
    pub fn push_outer(&self, sql: &mut Statement, is_backward: bool) {
        sql.push(" order by ");
        for key in &self.keys {
            sql.push(key.outer()).push(key.direction(is_backward)).push(", ");
        }
        sql.push("rid").push(if self.is_descending != is_backward { " desc" } else { "" });
    }

    /// `order by` on the row itself.
    pub fn push_inner(&self, sql: &mut Statement, is_backward: bool, part: Part) {
        sql.push(" order by ");
        for (at, key) in self.keys.iter().enumerate() {
            key.push_value(sql);
            // Where all have a value, the words are those of the index.
            let direction = match (part, at, key.is_descending != is_backward) {
                (Part::Valued, 0, true) => " desc nulls last",
                (Part::Valued, 0, false) => " nulls first",
                _ => key.direction(is_backward),
            };
            sql.push(direction).push(", ");
        }
        sql.push(self.rid).push(if self.is_descending != is_backward { " desc" } else { "" });
    }

    /// The parts that the rows of a page are read in: an index that ends with the rows without a
    /// value leads to where the values go on, and to the rows without one behind them, but not to
    /// both at once; nor has it these last where it is read from its end.
    pub fn parts(&self, cursor: Option<&Cursor>) -> &'static [Part] {
        let Some(Key { by: By::Nullable(..), is_descending, .. }) = self.keys.first() else {
            return &[Part::All];
        };
        let has_value = |cursor: &Cursor| matches!(cursor.values.first(), Some(Some(_)));
        match cursor {
            None if *is_descending => &[Part::All],
            None => &[Part::Valued, Part::Missing],
            Some(cursor) if has_value(cursor) && cursor.is_backward => &[Part::Valued],
            Some(cursor) if has_value(cursor) => &[Part::Valued, Part::Missing],
            Some(cursor) if cursor.is_backward && !is_descending => &[Part::Missing, Part::Valued],
            Some(_) => &[Part::All],
        }
    }

    /// Rows of this part, beyond the cursor where there is one, after `and`.
    pub fn push_part(&self, sql: &mut Statement, cursor: Option<&Cursor>, part: Part) {
        let column = match self.keys.first() {
            Some(Key { by: By::Nullable(column, cast), is_descending, .. }) => {
                Some((*column, *cast, *is_descending))
            }
            _ => None,
        };
        let value = cursor.and_then(|cursor| cursor.values.first()?.as_deref());
        match (part, column, cursor) {
            (Part::Valued, Some((column, cast, is_descending)), Some(cursor))
                if value.is_some() =>
            {
                let is_up = is_descending == cursor.is_backward;
                sql.push(" and ").push(column).push(if is_up { " >= " } else { " <= " });
                sql.bind(value).push("::text").push(cast).push(" and ");
                self.push_beyond(sql, cursor, 0);
            }
            (Part::Valued, Some((column, ..)), _) => {
                sql.push(" and ").push(column).push(" is not null");
            }
            (Part::Missing, Some((column, ..)), _) => {
                sql.push(" and ").push(column).push(" is null");
                if let Some(cursor) = cursor.filter(|_| value.is_none()) {
                    sql.push(" and ");
                    self.push_beyond(sql, cursor, 1);
                }
            }
            (_, _, Some(cursor)) => {
                sql.push(" and ");
                self.push_beyond(sql, cursor, 0);
            }
            _ => {}
        }
    }

    /// Rows beyond the cursor by the keys from one on: by this key, or equal by it and beyond by
    /// the next ones.
    fn push_beyond(&self, sql: &mut Statement, cursor: &Cursor, at: usize) {
        let Some(key) = self.keys.get(at) else {
            let is_up = self.is_descending == cursor.is_backward;
            sql.push("r.rid").push(if is_up { " > " } else { " < " }).bind(cursor.rid);
            return;
        };
        let is_up = key.is_descending == cursor.is_backward;
        let beyond = if is_up { " > " } else { " < " };
        let value = cursor.values.get(at).and_then(Option::as_deref);
        let is_last = at + 1 == self.keys.len();
        match (value, &key.by) {
            (None, _) => {
                sql.push("(");
                key.push_value(sql);
                sql.push(if cursor.is_backward { " is not null or " } else { " is null and " });
                self.push_beyond(sql, cursor, at + 1);
            }
            // An index can begin there.
            (Some(value), By::Column(column, cast)) if is_last => {
                sql.push("(").push(column).push(", r.rid)").push(beyond);
                sql.push("(").bind(value).push("::text").push(cast);
                sql.push(", ").bind(cursor.rid);
            }
            (Some(value), By::Column(column, cast)) => {
                sql.push("(").push(column).push(if is_up { " >= " } else { " <= " });
                sql.bind(value).push("::text").push(cast).push(" and (");
                sql.push(column).push(beyond).bind(value).push("::text").push(cast).push(" or ");
                self.push_beyond(sql, cursor, at + 1);
                sql.push(")");
            }
            (Some(value), by) => {
                let cast = by.cast();
                sql.push("(");
                key.push_value(sql);
                sql.push(beyond).bind(value).push("::text").push(cast).push(" or ");
                if !cursor.is_backward {
                    key.push_value(sql);
                    sql.push(" is null or ");
                }
                sql.push("(");
                key.push_value(sql);
                sql.push(" = ").bind(value).push("::text").push(cast).push(" and ");
                self.push_beyond(sql, cursor, at + 1);
                sql.push(")");
            }
        }
        sql.push(")");
    }
}

impl Key {
    fn is_number(&self) -> bool {
        self.by.cast() == NUMERIC
    }

    /// To be compared in a derived table.
    fn outer(&self) -> &'static str {
        if self.is_number() { self.names.number } else { self.names.value }
    }

    fn is_by_greatest(&self) -> bool {
        self.is_descending && !self.is_by_least
    }

    fn push_value(&self, sql: &mut Statement) {
        match &self.by {
            By::Column(column, _) | By::Nullable(column, _) => drop(sql.push(column)),
            By::Joined(joined) => {
                joined.push_value(sql, self.is_by_greatest(), &self.names.joined);
            }
        }
    }

    fn direction(&self, is_backward: bool) -> &'static str {
        let is_nullable = matches!(self.by, By::Nullable(..) | By::Joined(_));
        match (self.is_descending != is_backward, is_nullable, is_backward) {
            (true, true, false) => " desc nulls last",
            (true, _, _) => " desc",
            (false, true, true) => " nulls first",
            (false, _, _) => "",
        }
    }
}
