//! The order of a result, and the place in it where a page begins. Rows without the sort value
//! stand last, in both directions; rows of equal value in order of rid.

use super::condition::numbers;
use crate::search::{Cursor, ParameterId, Sort, SortKey};
use crate::storage::statement::Statement;

/// How the sort value is had.
#[derive(Clone, PartialEq, Debug)]
pub enum By {
    Rid,
    /// A column of `r` that always has a value: name, and cast of a cursor's text.
    Column(&'static str, &'static str),
    /// A column of `r` that may be null.
    Nullable(&'static str, &'static str),
    /// The least or greatest of a side table's rows, joined as `s.value`.
    Joined(Join),
}

/// A derived table of one value for each rid.
#[derive(Clone, PartialEq, Debug)]
pub struct Join {
    /// `left join (select min(...)` up to the parameter.
    ascending: &'static str,
    descending: &'static str,
    /// One, or several whose rows are taken together.
    parameters: Vec<ParameterId>,
    /// What stands behind the parameter.
    end: &'static str,
    cast: &'static str,
    /// What `s.value` is combined with: the main date of these types.
    main: Option<Vec<i16>>,
}

/// The order of one statement.
#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    pub by: By,
    pub is_descending: bool,
}

macro_rules! least_and_greatest {
    ($column:literal, $from:literal) => {
        (
            concat!(" left join (select v.rid, min(", $column, ") as value from ", $from),
            concat!(" left join (select v.rid, max(", $column, ") as value from ", $from),
        )
    };
}

const DATES: (&str, &str) = least_and_greatest!("v.low", "date_value v where v.parameter");
const STRINGS: (&str, &str) =
    least_and_greatest!("v.normalised", "string_value v where v.parameter");
const NUMBERS: (&str, &str) = least_and_greatest!("v.low", "quantity_value v where v.parameter");
const IDENTIFIERS: (&str, &str) =
    least_and_greatest!("v.value", "identifier_value v where v.parameter");
const URIS: (&str, &str) = least_and_greatest!("v.value", "uri_value v where v.parameter");
/// The keys of a row name its codes; the lead is one of them.
const TOKENS: (&str, &str) = (
    " left join lateral (select min(t.code) as value from unnest(r.keys || r.lead) k \
     join token t on t.token = (k & 281474976710655) where (k >> 48)",
    " left join lateral (select max(t.code) as value from unnest(r.keys || r.lead) k \
     join token t on t.token = (k & 281474976710655) where (k >> 48)",
);
const ON_RID: &str = " group by v.rid) s on s.rid = r.rid";

impl Order {
    /// The order of a plan's sort. None for [`SortKey::Unspecified`].
    pub fn of(sort: &Sort) -> Option<Order> {
        let join = |(ascending, descending), parameters: &[ParameterId], cast| {
            let parameters = parameters.to_vec();
            By::Joined(Join { ascending, descending, parameters, end: ON_RID, cast, main: None })
        };
        let by = match &sort.key {
            SortKey::Unspecified => return None,
            SortKey::Id => By::Column("r.id", ""),
            SortKey::LastUpdated => By::Column("r.last_updated", "::timestamptz"),
            SortKey::Date { is_main: true, .. } => By::Nullable("r.date_low", "::timestamptz"),
            SortKey::Date { parameter, main, .. } => {
                let main = (!main.is_empty()).then(|| numbers(main));
                let (ascending, descending) = DATES;
                let (parameters, cast) = (vec![*parameter], "::timestamptz");
                By::Joined(Join { ascending, descending, parameters, end: ON_RID, cast, main })
            }
            SortKey::String(parameter) => join(STRINGS, &[*parameter], ""),
            SortKey::Number(parameters) => join(NUMBERS, parameters, "::numeric"),
            SortKey::Token(parameter) => {
                let ((ascending, descending), parameters) = (TOKENS, vec![*parameter]);
                let end = ") s on true";
                By::Joined(Join { ascending, descending, parameters, end, cast: "", main: None })
            }
            SortKey::Identifier(parameter) => join(IDENTIFIERS, &[*parameter], ""),
            SortKey::Uri(parameter) => join(URIS, &[*parameter], ""),
        };
        Some(Order { by, is_descending: sort.is_descending })
    }

    pub fn is_joined(&self) -> bool {
        matches!(self.by, By::Joined(_))
    }

    /// The join that the sort value needs, after `from resource r`.
    pub fn push_join(&self, sql: &mut Statement) {
        let By::Joined(join) = &self.by else { return };
        sql.push(if self.is_descending { join.descending } else { join.ascending });
        match &join.parameters[..] {
            [parameter] => sql.push(" = ").bind(parameter.0),
            several => {
                let numbers: Vec<i16> = several.iter().map(|parameter| parameter.0).collect();
                sql.push(" = any(").bind(numbers).push(")")
            }
        };
        sql.push(join.end);
    }

    /// The sort value of a row.
    pub fn push_value(&self, sql: &mut Statement) {
        match &self.by {
            By::Rid => drop(sql.push("r.rid")),
            By::Column(column, _) | By::Nullable(column, _) => drop(sql.push(column)),
            By::Joined(Join { main: Some(types), .. }) => {
                sql.push(if self.is_descending { "greatest(" } else { "least(" });
                sql.push("s.value, case when r.type = any(").bind(types.clone());
                sql.push(") then r.date_low end)");
            }
            By::Joined(_) => drop(sql.push("s.value")),
        }
    }

    /// `order by` on the named columns `value` and `rid` of a derived table.
    pub fn push_outer(&self, sql: &mut Statement, is_backward: bool) {
        sql.push(" order by ");
        if self.by != By::Rid {
            sql.push("value").push(self.direction(is_backward)).push(", ");
        }
        sql.push("rid").push(if self.is_descending != is_backward { " desc" } else { "" });
    }

    /// `order by` on the row itself.
    pub fn push_inner(&self, sql: &mut Statement, is_backward: bool) {
        sql.push(" order by ");
        if self.by != By::Rid {
            self.push_value(sql);
            sql.push(self.direction(is_backward)).push(", ");
        }
        sql.push("r.rid").push(if self.is_descending != is_backward { " desc" } else { "" });
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

    /// Rows after the cursor, or before it where it goes backward.
    pub fn push_keyset(&self, sql: &mut Statement, cursor: &Cursor) {
        let goes_up = self.is_descending == cursor.is_backward;
        let beyond = if goes_up { " > " } else { " < " };
        let cast = match (&self.by, &cursor.value) {
            (By::Rid, _) => {
                sql.push("r.rid").push(beyond).bind(cursor.rid);
                return;
            }
            (By::Column(_, cast), _) => *cast,
            (By::Nullable(_, cast), _) => *cast,
            (By::Joined(join), _) => join.cast,
        };
        match &cursor.value {
            None => {
                self.push_value_in(
                    sql,
                    "(",
                    if cursor.is_backward { " is not null or " } else { " is null and " },
                );
                sql.push("r.rid").push(beyond).bind(cursor.rid).push(")");
            }
            Some(value) if matches!(self.by, By::Column(..)) => {
                self.push_value_in(sql, "(", ", r.rid)");
                sql.push(beyond).push("(").bind(value.as_str()).push("::text").push(cast);
                sql.push(", ").bind(cursor.rid).push(")");
            }
            Some(value) => {
                self.push_value_in(sql, "(", beyond);
                sql.bind(value.as_str()).push("::text").push(cast);
                if !cursor.is_backward {
                    self.push_value_in(sql, " or ", " is null");
                }
                self.push_value_in(sql, " or (", " = ");
                sql.bind(value.as_str()).push("::text").push(cast);
                sql.push(" and r.rid").push(beyond).bind(cursor.rid).push("))");
            }
        }
    }

    fn push_value_in(&self, sql: &mut Statement, before: &'static str, after: &'static str) {
        sql.push(before);
        self.push_value(sql);
        sql.push(after);
    }
}
