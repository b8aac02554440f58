//! Main dates apart by their width: where a search asks what reaches up to an instant, the index
//! of their beginnings says where to begin only for those that are not long. The long ones, of
//! which there are few, have an index of their own.

use super::test_sql::{Bound, Columns};
use crate::search::value::prefix::Test;
use crate::search::{Clause, Predicate};
use crate::storage::statement::Statement;
use chrono::{DateTime, TimeDelta, Utc};

/// Rows by the width of their main date.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Span {
    All,
    /// Not longer than [`NARROW_HOURS`], and so beginning at this instant or later.
    Narrow(DateTime<Utc>),
    Wide,
}

/// A day, in whatever zone, and the hour that it may have more.
const NARROW_HOURS: i64 = 25;
/// As in the indexes.
const WIDTH: &str = " > interval '25:00:00'";

/// The spans that rows meeting these clauses are looked for in.
pub fn spans(clauses: &[Clause]) -> Vec<Span> {
    let asked = clauses.iter().filter(|clause| !clause.is_negated);
    let bounds = asked.filter_map(|clause| match &clause.alternatives[..] {
        [predicate] => Some(main_date_test(predicate)?),
        _ => None,
    });
    let reached = bounds.clone().filter_map(reached).max();
    match reached.filter(|_| !bounds.clone().any(begins)) {
        Some(bound) => {
            let hours = TimeDelta::hours(NARROW_HOURS);
            vec![Span::Narrow(bound.checked_sub_signed(hours).unwrap_or(bound)), Span::Wide]
        }
        None => vec![Span::All],
    }
}

/// The test of a main date that the row itself has whole.
pub fn main_date_test(predicate: &Predicate) -> Option<&Test<DateTime<Utc>>> {
    match predicate {
        Predicate::Date { test, main, has_rows: false, .. } if !main.is_empty() => Some(test),
        _ => None,
    }
}

/// True where the beginning of a date is bounded from below whatever its width.
fn begins(test: &Test<DateTime<Utc>>) -> bool {
    matches!(
        test,
        Test::Within { .. } | Test::ClosedWithin { .. } | Test::LowFrom(_) | Test::LowAbove(_)
    )
}

/// The instant that the end of every date that passes reaches.
fn reached(test: &Test<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    match *test {
        Test::FromOrBeyond { from, to } => Some(from.min(to)),
        Test::Overlaps { from, .. } | Test::Meets { from, .. } => Some(from),
        Test::Covers { to, .. } => Some(to),
        Test::HighAbove(bound) | Test::HighFrom(bound) => Some(bound),
        _ => None,
    }
}

impl Span {
    /// Appends the condition on the date in these columns, with `and` before it.
    pub fn push(self, sql: &mut Statement, (dates, rid): (Columns, &'static str)) {
        let Columns { low, high } = dates;
        match self {
            Span::All => {}
            Span::Narrow(bound) => {
                // Beside an upper bound, a plan for all values takes a range for a few rows and
                // sorts them; of the row it takes a third, and reads them in order.
                sql.push(" and (").push(low).push(", ").push(rid).push(") >= (");
                bound.bind(sql);
                sql.push(", 0) and (").push(high).push(" - ").push(low).push(WIDTH);
                sql.push(") is not true");
            }
            Span::Wide => {
                sql.push(" and ").push(high).push(" - ").push(low).push(WIDTH);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A narrow date that passes a test begins at the bound or later.
    #[test]
    fn no_date_that_passes_begins_before_its_span() {
        let at = |hours: i64| DateTime::UNIX_EPOCH + TimeDelta::hours(hours);
        let (from, to) = (at(100), at(130));
        let tests = [
            Test::FromOrBeyond { from, to },
            Test::Overlaps { from, to },
            Test::Meets { from, to },
            Test::Covers { from, to },
            Test::HighAbove(from),
            Test::HighFrom(from),
        ];
        for test in tests {
            let bound = reached(&test).unwrap() - TimeDelta::hours(NARROW_HOURS);
            for low in 0..260 {
                for width in 0..=NARROW_HOURS {
                    let range = (at(low), at(low + width));
                    assert!(!test.admits(range) || range.0 >= bound, "{test:?} {range:?}");
                }
            }
        }
    }
}
