//! Tests of ranges as conditions on two columns.

use crate::search::value::date::{InstantTest, instant_test};
use crate::search::value::prefix::Test;
use crate::storage::statement::Statement;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

/// Names of the columns of a stored range.
#[derive(Clone, Copy)]
pub struct Columns {
    pub low: &'static str,
    pub high: &'static str,
}

pub const DATE_ROW: Columns = Columns { low: "v.low", high: "v.high" };
pub const MAIN_DATE: Columns = Columns { low: "r.date_low", high: "r.date_high" };
/// Of the row of a further main coding.
pub const FURTHER_DATE: Columns = Columns { low: "f.date_low", high: "f.date_high" };
pub const NUMBER_ROW: Columns = Columns { low: "v.low", high: "v.high" };
/// Of rows whose bounds are one value: the leading column of the index says all.
pub const NUMBER_POINT: Columns = Columns { low: "v.low", high: "v.low" };
pub const COMPOSITE_DATE: Columns = Columns { low: "v.low_at", high: "v.high_at" };

/// A value that bounds are bound as.
pub trait Bound: Copy {
    fn bind(self, sql: &mut Statement);
}

impl Bound for DateTime<Utc> {
    fn bind(self, sql: &mut Statement) {
        sql.bind(self);
    }
}

impl Bound for Decimal {
    fn bind(self, sql: &mut Statement) {
        sql.bind(self);
    }
}

/// Appends the condition. Every form bounds `low` from one side at least where it can, which
/// is the leading column of the indexes.
pub fn push_test<T: Bound>(sql: &mut Statement, columns: Columns, test: &Test<T>) {
    let Columns { low, high } = columns;
    // Of one value they are one test, as `from` is not beyond `to`.
    let of_point = match *test {
        Test::FromOrBeyond { from, .. } => Some(Test::LowFrom(from)),
        Test::ToOrBefore { to, .. } => Some(Test::LowTo(to)),
        _ => None,
    };
    let test = of_point.as_ref().filter(|_| low == high).unwrap_or(test);
    let (word, parts) = match *test {
        Test::Within { from, to } => {
            (" and ", vec![(low, " >= ", from), (low, " < ", to), (high, " <= ", to)])
        }
        Test::NotWithin { from, to } => {
            (" or ", vec![(low, " < ", from), (low, " >= ", to), (high, " > ", to)])
        }
        Test::ClosedWithin { from, to } => {
            (" and ", vec![(low, " >= ", from), (low, " < ", to), (high, " < ", to)])
        }
        Test::ClosedNotWithin { from, to } => {
            (" or ", vec![(low, " < ", from), (high, " >= ", to)])
        }
        Test::FromOrBeyond { from, to } => (" or ", vec![(low, " >= ", from), (high, " > ", to)]),
        Test::ToOrBefore { from, to } => (" or ", vec![(high, " <= ", to), (low, " < ", from)]),
        Test::Overlaps { from, to } => (" and ", vec![(low, " < ", to), (high, " >= ", from)]),
        Test::Meets { from, to } => (" and ", vec![(low, " < ", to), (high, " > ", from)]),
        Test::Covers { from, to } => (" and ", vec![(low, " <= ", from), (high, " >= ", to)]),
        Test::HighAbove(bound) => ("", vec![(high, " > ", bound)]),
        Test::LowBelow(bound) => ("", vec![(low, " < ", bound)]),
        Test::LowFrom(bound) => ("", vec![(low, " >= ", bound)]),
        Test::LowAbove(bound) => ("", vec![(low, " > ", bound)]),
        Test::HighTo(bound) => ("", vec![(high, " <= ", bound)]),
        Test::HighBelow(bound) => ("", vec![(high, " < ", bound)]),
        Test::HighFrom(bound) => ("", vec![(high, " >= ", bound)]),
        Test::LowTo(bound) => ("", vec![(low, " <= ", bound)]),
    };
    for (index, (column, operator, bound)) in parts.into_iter().enumerate() {
        sql.push(if index == 0 { "(" } else { word }).push(column).push(operator);
        bound.bind(sql);
    }
    sql.push(")");
}

/// Appends the condition on `last_updated`.
pub fn push_instant_test(sql: &mut Statement, test: &Test<DateTime<Utc>>) {
    let column = "r.last_updated";
    match instant_test(test) {
        InstantTest::Within(from, to) => {
            sql.push("(").push(column).push(" >= ").bind(from);
            sql.push(" and ").push(column).push(" < ").bind(to).push(")");
        }
        InstantTest::Outside(from, to) => {
            sql.push("(").push(column).push(" < ").bind(from);
            sql.push(" or ").push(column).push(" >= ").bind(to).push(")");
        }
        InstantTest::From(bound) => drop(sql.push(column).push(" >= ").bind(bound)),
        InstantTest::Before(bound) => drop(sql.push(column).push(" < ").bind(bound)),
    }
}
