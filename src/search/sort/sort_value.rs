//! What rows are ordered by, in memory: the same values in the same order as the statements of
//! `storage`.

use super::super::holds::Known;
use super::super::index_rows::ParameterId;
use super::super::plan::Cursor;
use super::super::value::position::NearTest;
use super::{Sort, SortKey, Sorting};
use chrono::{DateTime, Datelike, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// The value of one key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SortValue {
    /// By code points.
    Text(String),
    Instant(DateTime<Utc>),
    Number(Decimal),
}

/// Where a row stands in a result.
#[derive(Clone, PartialEq, Debug)]
pub struct Standing {
    /// By each key of the order.
    pub values: Vec<Option<SortValue>>,
    pub rid: i64,
}

impl Sorting {
    /// Where a version of a resource stands.
    pub fn standing(&self, known: &Known<'_>, rid: i64) -> Standing {
        let value = |sort: &Sort| sort.key.value(known, sort.is_descending);
        Standing { values: self.keys.iter().map(value).collect(), rid }
    }

    /// Where a cursor points to; None where its values are not those of the keys.
    pub fn standing_of(&self, cursor: &Cursor) -> Option<Standing> {
        let read = |(sort, text): (&Sort, &Option<String>)| match text {
            None => Some(None),
            Some(text) => sort.key.read(text).map(Some),
        };
        let values: Option<_> = self.keys.iter().zip(&cursor.values).map(read).collect();
        Some(Standing { values: values?, rid: cursor.rid })
    }

    /// Which of two rows stands first.
    pub fn compare(&self, a: &Standing, b: &Standing) -> Ordering {
        let turned = |order: Ordering, is_descending| match is_descending {
            true => order.reverse(),
            false => order,
        };
        for (at, sort) in self.keys.iter().enumerate() {
            let order = match (&a.values[at], &b.values[at]) {
                (Some(a), Some(b)) => turned(a.cmp(b), sort.is_descending),
                // What has no value stands last in both directions.
                (a, b) => b.is_some().cmp(&a.is_some()),
            };
            if order.is_ne() {
                return order;
            }
        }
        turned(a.rid.cmp(&b.rid), self.is_descending)
    }
}

impl SortKey {
    fn value(&self, known: &Known<'_>, is_descending: bool) -> Option<SortValue> {
        let mut values = self.values(known);
        values.sort_unstable();
        match is_descending && !self.is_by_least() {
            true => values.pop(),
            false => values.into_iter().next(),
        }
    }

    /// Every value of the resource.
    fn values(&self, known: &Known<'_>) -> Vec<SortValue> {
        let rows = known.rows;
        let text = |text: &str| SortValue::Text(text.to_owned());
        let main_date = || rows.main_date.map(|(low, _)| SortValue::Instant(low));
        let uris = |parameter: ParameterId| {
            let of = rows.uris.iter().filter(move |row| row.parameter == parameter);
            of.map(move |row| text(&row.value))
        };
        match self {
            SortKey::Id => vec![text(known.key.id.as_str())],
            SortKey::LastUpdated => {
                known.last_updated.map(SortValue::Instant).into_iter().collect()
            }
            SortKey::MainDate | SortKey::Date { is_in_row: true, .. } => {
                main_date().into_iter().collect()
            }
            SortKey::Date { parameter, main, .. } => {
                let of = rows.dates.iter().filter(|row| row.parameter == *parameter);
                let is_main = main.contains(&known.key.resource_type);
                let main = main_date().filter(|_| is_main);
                of.map(|row| SortValue::Instant(row.low)).chain(main).collect()
            }
            SortKey::String(parameter) => {
                let of = rows.strings.iter().filter(|row| row.parameter == *parameter);
                of.map(|row| text(&row.normalised)).collect()
            }
            SortKey::Number(parameters) => {
                let of = rows.quantities.iter().filter(|row| parameters.contains(&row.parameter));
                of.map(|row| SortValue::Number(row.low)).collect()
            }
            SortKey::Token { parameter, has_codes, has_texts, .. } => {
                let codes = rows.tokens.iter().filter(|row| row.parameter == *parameter);
                let codes = codes.filter(|_| *has_codes).map(|row| text(&row.token.code));
                let texts = rows.identifiers.iter().filter(|row| row.parameter == *parameter);
                let texts = texts.filter(|_| *has_texts || !*has_codes);
                // A system alone has no value to be ordered by.
                let is_value = |value: &SortValue| *value != text("");
                codes.chain(texts.map(|row| text(&row.value))).filter(is_value).collect()
            }
            SortKey::Uri { parameter, .. } => uris(*parameter).collect(),
            SortKey::Reference(parameter) => {
                let of = rows.references.iter().filter(|row| row.parameter == *parameter);
                of.map(|row| text(&row.target.to_string())).chain(uris(*parameter)).collect()
            }
            SortKey::Near { parameter, tests } => {
                let of = rows.positions.iter().filter(|row| row.parameter == *parameter);
                let square = |test: &NearTest, point| SortValue::Number(test.from.square_to(point));
                of.flat_map(|row| tests.iter().map(|test| square(test, row.point))).collect()
            }
        }
    }

    /// A value as a cursor has it; None where it is none of this key's.
    fn read(&self, text: &str) -> Option<SortValue> {
        match self {
            SortKey::LastUpdated | SortKey::MainDate | SortKey::Date { .. } => {
                instant(text).map(SortValue::Instant)
            }
            SortKey::Number(_) | SortKey::Near { .. } => text.parse().ok().map(SortValue::Number),
            SortKey::Id
            | SortKey::String(_)
            | SortKey::Token { .. }
            | SortKey::Uri { .. }
            | SortKey::Reference(_) => Some(SortValue::Text(text.to_owned())),
        }
    }
}

impl SortValue {
    /// As the database writes it.
    pub fn text(&self) -> String {
        match self {
            SortValue::Text(text) => text.clone(),
            SortValue::Number(number) => number.to_string(),
            SortValue::Instant(at) => {
                let (year, era) = match at.year() {
                    year if year > 0 => (year, ""),
                    year => (1 - year, " BC"),
                };
                format!("{year:04}{}+00{era}", at.format("-%m-%d %H:%M:%S%.6f"))
            }
        }
    }
}

/// An instant as the database writes it, in UTC.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let (text, is_before_christ) = match text.strip_suffix(" BC") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (year, rest) = text.strip_suffix("+00")?.split_once('-')?;
    let year: i32 = year.parse().ok()?;
    let year = if is_before_christ { 1 - year } else { year };
    let text = format!("{year:+}-{rest}");
    NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").ok().map(|at| at.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::value::date::{far_future, far_past};

    #[test]
    fn instants_are_read_as_the_database_writes_them() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (text, expected) in [
            ("2024-02-29 10:00:00+00", at("2024-02-29T10:00:00Z")),
            ("2024-02-29 10:00:00.120001+00", at("2024-02-29T10:00:00.120001Z")),
            ("0001-01-01 00:00:00+00 BC", far_past()),
            ("10001-01-01 00:00:00+00", far_future()),
        ] {
            assert_eq!(instant(text), Some(expected), "{text}");
            let written = SortValue::Instant(expected).text();
            assert_eq!(instant(&written), Some(expected), "{written}");
        }
        for text in ["", "2024", "2024-01-01", "2024-01-01 00:00:00", "x-01-01 00:00:00+00"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn what_has_no_value_stands_last_in_both_directions() {
        let row = |value: Option<&str>, rid| Standing {
            values: vec![value.map(|text| SortValue::Text(text.to_owned()))],
            rid,
        };
        for is_descending in [false, true] {
            let keys = vec![Sort { key: SortKey::Id, is_descending }];
            let sorting = Sorting { keys, is_descending };
            let compare = |a: &Standing, b: &Standing| sorting.compare(a, b);
            assert!(compare(&row(Some("a"), 1), &row(None, 0)).is_lt());
            assert_eq!(compare(&row(Some("a"), 1), &row(Some("b"), 0)).is_gt(), is_descending);
            assert_eq!(compare(&row(None, 1), &row(None, 2)).is_gt(), is_descending);
        }
    }
}
