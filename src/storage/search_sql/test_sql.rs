//! Tests of ranges as conditions on two columns.

use crate::search::value::prefix::Test;
use crate::storage::statement::Statement;
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

/// Names of the columns of a stored range.
#[derive(Clone, Copy)]
pub struct Columns {
    pub low: &'static str,
    pub high: &'static str,
}

pub const DATE_ROW: Columns = Columns { low: "v.low", high: "v.high" };
pub const MAIN_DATE: Columns = Columns { low: "r.date_low", high: "r.date_high" };
pub const NUMBER_ROW: Columns = Columns { low: "v.low", high: "v.high" };
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
    match *test {
        Test::Within { from, to } => {
            sql.push("(").push(low).push(" >= ");
            from.bind(sql);
            sql.push(" and ").push(low).push(" < ");
            to.bind(sql);
            sql.push(" and ").push(high).push(" <= ");
            to.bind(sql);
        }
        Test::NotWithin { from, to } => {
            sql.push("(").push(low).push(" < ");
            from.bind(sql);
            sql.push(" or ").push(low).push(" >= ");
            to.bind(sql);
            sql.push(" or ").push(high).push(" > ");
            to.bind(sql);
        }
        Test::ClosedWithin { from, to } => {
            sql.push("(").push(low).push(" >= ");
            from.bind(sql);
            sql.push(" and ").push(low).push(" < ");
            to.bind(sql);
            sql.push(" and ").push(high).push(" < ");
            to.bind(sql);
        }
        Test::ClosedNotWithin { from, to } => {
            sql.push("(").push(low).push(" < ");
            from.bind(sql);
            sql.push(" or ").push(high).push(" >= ");
            to.bind(sql);
        }
        Test::FromOrBeyond { from, to } => {
            sql.push("(").push(low).push(" >= ");
            from.bind(sql);
            sql.push(" or ").push(high).push(" > ");
            to.bind(sql);
        }
        Test::ToOrBefore { from, to } => {
            sql.push("(").push(high).push(" <= ");
            to.bind(sql);
            sql.push(" or ").push(low).push(" < ");
            from.bind(sql);
        }
        Test::Overlaps { from, to } => {
            sql.push("(").push(low).push(" < ");
            to.bind(sql);
            sql.push(" and ").push(high).push(" >= ");
            from.bind(sql);
        }
        Test::Meets { from, to } => {
            sql.push("(").push(low).push(" < ");
            to.bind(sql);
            sql.push(" and ").push(high).push(" > ");
            from.bind(sql);
        }
        Test::Covers { from, to } => {
            sql.push("(").push(low).push(" <= ");
            from.bind(sql);
            sql.push(" and ").push(high).push(" >= ");
            to.bind(sql);
        }
        Test::HighAbove(bound) => one(sql, (high, " > "), bound),
        Test::LowBelow(bound) => one(sql, (low, " < "), bound),
        Test::LowFrom(bound) => one(sql, (low, " >= "), bound),
        Test::LowAbove(bound) => one(sql, (low, " > "), bound),
        Test::HighTo(bound) => one(sql, (high, " <= "), bound),
        Test::HighBelow(bound) => one(sql, (high, " < "), bound),
        Test::HighFrom(bound) => one(sql, (high, " >= "), bound),
        Test::LowTo(bound) => one(sql, (low, " <= "), bound),
    }
    sql.push(")");
}

fn one<T: Bound>(sql: &mut Statement, (column, operator): (&'static str, &'static str), bound: T) {
    sql.push("(").push(column).push(operator);
    bound.bind(sql);
}

/// Appends the condition on `last_updated`, an instant of one millisecond's width; bounds
/// stand on whole milliseconds or finer.
pub fn push_instant_test(sql: &mut Statement, test: &Test<DateTime<Utc>>) {
    let column = "r.last_updated";
    match *test {
        Test::Within { from, to }
        | Test::ClosedWithin { from, to }
        | Test::Overlaps { from, to }
        | Test::Meets { from, to } => {
            sql.push("(").push(column).push(" >= ").bind(from);
            sql.push(" and ").push(column).push(" < ").bind(to).push(")");
        }
        Test::Covers { from, to } => {
            sql.push("(").push(column).push(" <= ").bind(from);
            sql.push(" and ").push(column).push(" >= ");
            sql.bind(to - TimeDelta::milliseconds(1)).push(")");
        }
        Test::NotWithin { from, to } | Test::ClosedNotWithin { from, to } => {
            sql.push("(").push(column).push(" < ").bind(from);
            sql.push(" or ").push(column).push(" >= ").bind(to).push(")");
        }
        Test::FromOrBeyond { from: bound, .. }
        | Test::HighAbove(bound)
        | Test::HighFrom(bound)
        | Test::LowFrom(bound)
        | Test::LowAbove(bound) => drop(sql.push(column).push(" >= ").bind(bound)),
        Test::ToOrBefore { to: bound, .. }
        | Test::HighTo(bound)
        | Test::HighBelow(bound)
        | Test::LowBelow(bound)
        | Test::LowTo(bound) => drop(sql.push(column).push(" < ").bind(bound)),
    }
}
