//! Dates as ranges: <https://hl7.org/fhir/R4/search.html#date>. Half open; an open end of a
//! Period lies beyond every date that FHIR can write.

use super::prefix::{Prefix, Test};
use super::{IndexSettings, Node, items, text_of};
use crate::fhir::types::instant_range;
use crate::search::index_rows::{DateRow, ParameterId};
use chrono::{DateTime, Duration, FixedOffset, SubsecRound, TimeZone, Utc};
use serde_json::Value;

/// Half open.
pub type Range = (DateTime<Utc>, DateTime<Utc>);

/// Before the year 0001.
pub fn far_past() -> DateTime<Utc> {
    instant(0)
}

/// After the year 9999.
pub fn far_future() -> DateTime<Utc> {
    instant(10_001)
}

fn instant(year: i32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).single().unwrap_or(DateTime::UNIX_EPOCH)
}

/// The range of a date, dateTime or instant in any precision of FHIR, and to the minute as in
/// search values; None where the text is none of them. `zone` is for what names none. To the
/// microsecond, which is as fine as the database tells instants apart.
pub fn range(text: &str, zone: FixedOffset) -> Option<Range> {
    let range = instant_range(text, zone)?;
    let low = range.low.trunc_subsecs(6);
    Some((low, range.high.trunc_subsecs(6).max(low + Duration::microseconds(1))))
}

/// The range of a search value, where a plus before the zone may have come as a space.
pub fn search_range(text: &str, zone: FixedOffset) -> Option<Range> {
    match text.contains(' ') {
        true => range(&text.replacen(' ', "+", 1), zone),
        false => range(text, zone),
    }
}

/// Rows of a date, dateTime, instant, Period or Timing. An instant is a point, in whatever
/// precision it is written.
pub fn index(
    node: Node<'_>,
    parameter: ParameterId,
    settings: &IndexSettings,
    rows: &mut Vec<DateRow>,
) {
    if let Some((low, high)) = node_range(node.value, settings.zone) {
        let is_point = node.type_name == "instant";
        let high = if is_point { low + Duration::microseconds(1) } else { high };
        rows.push(DateRow { parameter, low, high });
    }
}

/// The range of an element by its shape: a text, or the object of a Period or Timing.
pub fn node_range(value: &Value, zone: FixedOffset) -> Option<Range> {
    match value {
        Value::String(text) => range(text, zone),
        Value::Object(object) if object.contains_key("repeat") || object.contains_key("event") => {
            timing_range(value, zone)
        }
        Value::Object(_) => period_range(value, zone),
        _ => None,
    }
}

fn period_range(period: &Value, zone: FixedOffset) -> Option<Range> {
    let start = text_of(period, "start").and_then(|text| range(text, zone));
    let end = text_of(period, "end").and_then(|text| range(text, zone));
    if start.is_none() && end.is_none() {
        return None;
    }
    let low = start.map_or(far_past(), |(low, _)| low);
    Some((low, end.map_or(far_future(), |(_, high)| high).max(low)))
}

/// Only the outer limits of a schedule matter.
fn timing_range(timing: &Value, zone: FixedOffset) -> Option<Range> {
    let events = items(timing, "event").iter().filter_map(Value::as_str);
    let bounds = timing.get("repeat").and_then(|repeat| repeat.get("boundsPeriod"));
    events
        .filter_map(|text| range(text, zone))
        .chain(bounds.and_then(|period| period_range(period, zone)))
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// What the prefix asks of a stored range. `now` is for `ap`: a tenth of the distance to it.
pub fn test(prefix: Prefix, (from, to): Range, now: DateTime<Utc>) -> Test<DateTime<Utc>> {
    match prefix {
        Prefix::Equal => Test::Within { from, to },
        Prefix::NotEqual => Test::NotWithin { from, to },
        Prefix::GreaterThan => Test::HighAbove(to),
        Prefix::LessThan => Test::LowBelow(from),
        Prefix::GreaterOrEqual => Test::FromOrBeyond { from, to },
        Prefix::LessOrEqual => Test::ToOrBefore { from, to },
        Prefix::StartsAfter => Test::LowFrom(to),
        Prefix::EndsBefore => Test::HighTo(from),
        Prefix::Approximately => {
            let tenth = (now - from).abs() / 10;
            let around = |end: Option<DateTime<Utc>>, limit| end.unwrap_or(limit);
            let from = around(from.checked_sub_signed(tenth), far_past());
            let to = around(to.checked_add_signed(tenth), far_future());
            Test::Overlaps { from: from.max(far_past()), to: to.min(far_future()) }
        }
    }
}

/// The stored range has an instant in common with this one: `po` of `_filter`.
pub fn overlapping((from, to): Range) -> Test<DateTime<Utc>> {
    Test::Meets { from, to }
}

/// The stored range has all of this one: `co` of `_filter`.
pub fn covering((from, to): Range) -> Test<DateTime<Utc>> {
    Test::Covers { from, to }
}

/// A condition on `meta.lastUpdated`, an instant of one millisecond's width.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum InstantTest {
    /// From the one on, and before the other.
    Within(DateTime<Utc>, DateTime<Utc>),
    /// Before the one, or from the other on.
    Outside(DateTime<Utc>, DateTime<Utc>),
    From(DateTime<Utc>),
    Before(DateTime<Utc>),
}

/// What a condition on ranges asks of an instant; bounds stand on whole milliseconds or finer.
pub fn instant_test(test: &Test<DateTime<Utc>>) -> InstantTest {
    match *test {
        Test::Within { from, to }
        | Test::ClosedWithin { from, to }
        | Test::Overlaps { from, to }
        | Test::Meets { from, to } => InstantTest::Within(from, to),
        Test::Covers { from, to } => {
            InstantTest::Within(to - Duration::milliseconds(1), from + Duration::microseconds(1))
        }
        Test::NotWithin { from, to } | Test::ClosedNotWithin { from, to } => {
            InstantTest::Outside(from, to)
        }
        Test::FromOrBeyond { from: bound, .. }
        | Test::HighAbove(bound)
        | Test::HighFrom(bound)
        | Test::LowFrom(bound)
        | Test::LowAbove(bound) => InstantTest::From(bound),
        Test::ToOrBefore { to: bound, .. }
        | Test::HighTo(bound)
        | Test::HighBelow(bound)
        | Test::LowBelow(bound)
        | Test::LowTo(bound) => InstantTest::Before(bound),
    }
}

impl InstantTest {
    pub fn admits(self, at: DateTime<Utc>) -> bool {
        match self {
            InstantTest::Within(from, to) => at >= from && at < to,
            InstantTest::Outside(from, to) => at < from || at >= to,
            InstantTest::From(bound) => at >= bound,
            InstantTest::Before(bound) => at < bound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn zone(hours: i32) -> FixedOffset {
        FixedOffset::east_opt(hours * 3600).unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_is_never_empty_and_a_plus_may_come_as_a_space() {
        let (low, high) = range("2013-01-14T10:00:00.1234567Z", zone(0)).unwrap();
        assert_eq!(
            (low, high),
            (at("2013-01-14T10:00:00.123456Z"), low + Duration::microseconds(1))
        );
        let spaced = search_range("2013-01-14T10:00:00 02:00", zone(0)).unwrap();
        assert_eq!(spaced.0, at("2013-01-14T08:00:00Z"));
        assert_eq!(range("2013-01-14", zone(-5)).unwrap().0, at("2013-01-14T05:00:00Z"));
        assert!(range("9999-12-31", zone(-12)).unwrap().1 < far_future());
        assert!(range("0001-01-01", zone(12)).unwrap().0 > far_past());
        assert_eq!(search_range("2013-13", zone(0)), None);
    }

    #[test]
    fn periods_are_open_at_a_missing_end_and_timings_keep_their_outer_limits() {
        let range = |value: &Value| node_range(value, zone(0));
        let open = json!({"start": "2013-01-21"});
        assert_eq!(range(&open), Some((at("2013-01-21T00:00:00Z"), far_future())));
        assert_eq!(range(&json!({"end": "2013"})).unwrap().0, far_past());
        assert_eq!(range(&json!({"extension": []})), None);
        let timing = json!({"event": ["2013-03-01", "2013-01-31"],
            "repeat": {"boundsPeriod": {"start": "2013-02", "end": "2013-03-24"}}});
        let limits = (at("2013-01-31T00:00:00Z"), at("2013-03-25T00:00:00Z"));
        assert_eq!(range(&timing), Some(limits));
        assert_eq!(range(&json!({"repeat": {"frequency": 1}})), None);
    }

    #[test]
    fn prefixes_compare_ranges_as_the_specification_tells() {
        let table = [
            ("2013-01-14", "2013-01-14T10:00:00Z", true),
            ("2013-01-14", "2013-01-15T00:00:00Z", false),
            ("2013-01-14", "2013", false),
            ("2013", "2013-01-14", true),
            ("ne2013-01-14", "2013-01-15T00:00:00Z", true),
            ("ne2013-01-14", "2013-01-14T00:00:00Z", false),
            ("lt2013-01-14T10:00", "2013-01-14", true),
            ("lt2013-01-14", "2013-01-14", false),
            ("gt2013-01-14", "2013-01-14T23:59:59Z", false),
            ("gt2013-01-14", "2013", true),
            ("ge2013-03-14", "2013-03-14", true),
            ("ge2013-03-14", "2013-03-13", false),
            ("ge2013-03-14", "2013", true),
            ("le2013-03-14", "2013-03-14", true),
            ("le2013-03-14", "2013-03-15", false),
            ("sa2013-03-14", "2013-03-15T00:00:00Z", true),
            ("sa2013-03-14", "2013-03", false),
            ("eb2013-03-14", "2013-03-13", true),
            ("eb2013-03-14", "2013-03", false),
            ("ap2013-03-14", "2013-03", true),
        ];
        let now = at("2013-03-20T00:00:00Z");
        for (search, stored, expected) in table {
            let (prefix, text) = Prefix::split(search);
            let test = test(prefix, range(text, zone(0)).unwrap(), now);
            let found = test.admits(range(stored, zone(0)).unwrap());
            assert_eq!(found, expected, "{search} on {stored}");
        }
        let open = node_range(&json!({"start": "2013-01-21"}), zone(0)).unwrap();
        let after = test(Prefix::GreaterOrEqual, range("2013-03-14", zone(0)).unwrap(), now);
        assert!(after.admits(open));
    }
}
