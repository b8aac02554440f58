//! A date or time as the span of time it stands for: <https://hl7.org/fhir/R4/search.html#date>.

use super::date_time::{DateTimeParts, Precision};
use chrono::{DateTime, Days, FixedOffset, Months, NaiveDate, NaiveDateTime, TimeDelta, Utc};

/// From `low` to before `high`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InstantRange {
    pub low: DateTime<Utc>,
    pub high: DateTime<Utc>,
}

/// The span of a date, dateTime, instant or date search value of any precision; a text without
/// zone is read in `default_zone`. None where the text is none of these.
pub fn instant_range(text: &str, default_zone: FixedOffset) -> Option<InstantRange> {
    let parts = DateTimeParts::parse(text)?;
    let date = NaiveDate::from_ymd_opt(parts.year.into(), parts.month.into(), parts.day.into())?;
    // A leap second is the first second of the next minute, as on a clock that has none.
    let time = TimeDelta::hours(parts.hour.into())
        + TimeDelta::minutes(parts.minute.into())
        + TimeDelta::seconds(parts.second.into())
        + TimeDelta::nanoseconds(parts.nanosecond.into());
    let low = date.and_hms_opt(0, 0, 0)?.checked_add_signed(time)?;
    let high = end(low, parts.precision)?;
    let zone = match parts.zone_minutes {
        Some(minutes) => TimeDelta::minutes(minutes.into()),
        None => TimeDelta::seconds(default_zone.local_minus_utc().into()),
    };
    let utc = |local: NaiveDateTime| local.checked_sub_signed(zone).map(|utc| utc.and_utc());
    Some(InstantRange { low: utc(low)?, high: utc(high)? })
}

fn end(low: NaiveDateTime, precision: Precision) -> Option<NaiveDateTime> {
    match precision {
        Precision::Year => low.checked_add_months(Months::new(12)),
        Precision::Month => low.checked_add_months(Months::new(1)),
        Precision::Day => low.checked_add_days(Days::new(1)),
        Precision::Minute => low.checked_add_signed(TimeDelta::minutes(1)),
        Precision::Second => low.checked_add_signed(TimeDelta::seconds(1)),
        Precision::Fraction(digits) => {
            let unit = 10_i64.pow(9_u32.saturating_sub(digits));
            low.checked_add_signed(TimeDelta::nanoseconds(unit))
        }
    }
}

/// `YYYY-MM-DDThh:mm:ss.sssZ`: how `meta.lastUpdated` is written.
pub fn format_instant(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> String {
        let zone = FixedOffset::east_opt(3600).unwrap();
        let range = instant_range(text, zone).expect(text);
        format!("{} {}", range.low.to_rfc3339(), range.high.to_rfc3339()).replace("+00:00", "Z")
    }

    #[test]
    fn a_text_spans_its_last_stated_unit() {
        let cases = [
            ("2020", "2019-12-31T23:00:00Z 2020-12-31T23:00:00Z"),
            ("2020-02", "2020-01-31T23:00:00Z 2020-02-29T23:00:00Z"),
            ("2020-02-29", "2020-02-28T23:00:00Z 2020-02-29T23:00:00Z"),
            ("2020-01-01T10:00", "2020-01-01T09:00:00Z 2020-01-01T09:01:00Z"),
            ("2020-01-01T10:00:00", "2020-01-01T09:00:00Z 2020-01-01T09:00:01Z"),
            ("2020-01-01T10:00Z", "2020-01-01T10:00:00Z 2020-01-01T10:01:00Z"),
            ("2020-01-01T10:00:00-05:00", "2020-01-01T15:00:00Z 2020-01-01T15:00:01Z"),
            ("2020-01-01T10:00:00.5Z", "2020-01-01T10:00:00.500Z 2020-01-01T10:00:00.600Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z 2017-01-01T00:00:01Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z +10000-01-01T00:00:00Z"),
            ("0001-01-01T00:00:00+14:00", "0000-12-31T10:00:00Z 0000-12-31T10:00:01Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(range(text), expected, "{text}");
        }
    }

    #[test]
    fn fractions_finer_than_a_nanosecond_are_a_nanosecond_wide() {
        let range =
            instant_range("2020-01-01T00:00:00.1234567891234Z", FixedOffset::east_opt(0).unwrap());
        let range = range.unwrap();
        assert_eq!(range.low.timestamp_subsec_nanos(), 123_456_789);
        assert_eq!(range.high - range.low, TimeDelta::nanoseconds(1));
    }

    #[test]
    fn what_is_no_date_has_no_range() {
        for text in ["", "2020-13", "2020-01-01T", "2020-01-01T10", "now", "2020-1-1"] {
            assert!(instant_range(text, FixedOffset::east_opt(0).unwrap()).is_none(), "{text}");
        }
    }

    #[test]
    fn last_updated_is_written_to_the_millisecond_in_utc() {
        let instant = DateTime::from_timestamp_millis(1_577_836_800_007).unwrap();
        assert_eq!(format_instant(instant), "2020-01-01T00:00:00.007Z");
    }
}
