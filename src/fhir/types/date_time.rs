//! date, dateTime, instant and time: <https://hl7.org/fhir/R4/datatypes.html#dateTime>. Dates
//! are those of the Gregorian calendar, years 0001 to 9999.

/// The smallest unit that a date or time states.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Precision {
    Year,
    Month,
    Day,
    Minute,
    Second,
    /// A fraction of a second with that many digits.
    Fraction(u32),
}

/// What a date or date and time says, every number checked against the calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DateTimeParts {
    pub year: u16,
    /// 1 where the text has none; so the day. See `precision`.
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    /// 60 in a leap second.
    pub second: u8,
    /// Digits beyond the ninth are dropped.
    pub nanosecond: u32,
    pub precision: Precision,
    /// East of UTC; None where the text has no zone.
    pub zone_minutes: Option<i16>,
}

impl DateTimeParts {
    /// Reads `YYYY[-MM[-DD[Thh:mm[:ss[.f]][zone]]]]`: also what only a search may write, a time
    /// without seconds or without zone (search.html#date). None for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        parse(text.as_bytes())
    }
}

pub(super) fn is_date(bytes: &[u8]) -> bool {
    bytes.len() <= 10 && parse(bytes).is_some()
}

pub(super) fn is_date_time(bytes: &[u8]) -> bool {
    parse(bytes).is_some_and(|parts| parts.precision <= Precision::Day || is_full(&parts))
}

pub(super) fn is_instant(bytes: &[u8]) -> bool {
    parse(bytes).is_some_and(|parts| is_full(&parts))
}

/// `([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?`.
pub(super) fn is_time(bytes: &[u8]) -> bool {
    matches!(time(bytes), Some((time, [])) if time.precision >= Precision::Second)
}

fn is_full(parts: &DateTimeParts) -> bool {
    parts.precision >= Precision::Second && parts.zone_minutes.is_some()
}

fn parse(bytes: &[u8]) -> Option<DateTimeParts> {
    let (century, rest) = two(bytes)?;
    let (year, rest) = two(rest)?;
    let year = u16::from(century) * 100 + u16::from(year);
    let mut parts = DateTimeParts {
        year,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
        precision: Precision::Year,
        zone_minutes: None,
    };
    if year == 0 || rest.is_empty() {
        return (year != 0).then_some(parts);
    }
    let (month, rest) = two(rest.strip_prefix(b"-")?)?;
    parts.month = Some(month).filter(|month| (1..=12).contains(month))?;
    parts.precision = Precision::Month;
    if rest.is_empty() {
        return Some(parts);
    }
    let (day, rest) = two(rest.strip_prefix(b"-")?)?;
    parts.day = Some(day).filter(|day| (1..=days_in_month(year, month)).contains(day))?;
    parts.precision = Precision::Day;
    if rest.is_empty() {
        return Some(parts);
    }
    let (time, rest) = time(rest.strip_prefix(b"T")?)?;
    let zone_minutes = zone(rest)?;
    Some(DateTimeParts { zone_minutes, year, month, day, ..time })
}

fn days_in_month(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u8::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `hh:mm[:ss[.f]]`, as parts without a date, and what follows.
fn time(bytes: &[u8]) -> Option<(DateTimeParts, &[u8])> {
    let (hour, rest) = two(bytes)?;
    let (minute, mut rest) = two(rest.strip_prefix(b":")?)?;
    let (mut second, mut nanosecond, mut precision) = (0, 0, Precision::Minute);
    if let Some(seconds) = rest.strip_prefix(b":") {
        (second, rest) = two(seconds)?;
        precision = Precision::Second;
        if let Some(fraction) = rest.strip_prefix(b".") {
            let count = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            nanosecond = (0..9).fold(0, |sum, index| {
                let digit = fraction[..count].get(index).map_or(0, |digit| digit - b'0');
                sum * 10 + u32::from(digit)
            });
            precision = Precision::Fraction(u32::try_from(count).ok().filter(|count| *count > 0)?);
            rest = &fraction[count..];
        }
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let parts = DateTimeParts {
        year: 1,
        month: 1,
        day: 1,
        hour,
        minute,
        second,
        nanosecond,
        precision,
        zone_minutes: None,
    };
    Some((parts, rest))
}

/// `Z`, `+hh:mm` to `+14:00`, or nothing; the outer None is for anything else.
fn zone(bytes: &[u8]) -> Option<Option<i16>> {
    let (sign, rest) = match bytes.split_first() {
        None => return Some(None),
        Some((b'Z', [])) => return Some(Some(0)),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return None,
    };
    let (hours, rest) = two(rest)?;
    let (minutes, rest) = two(rest.strip_prefix(b":")?)?;
    let is_zone = (hours <= 13 && minutes <= 59 || hours == 14 && minutes == 0) && rest.is_empty();
    is_zone.then(|| Some(sign * (i16::from(hours) * 60 + i16::from(minutes))))
}

fn two(bytes: &[u8]) -> Option<(u8, &[u8])> {
    match bytes {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] => {
            Some(((tens - b'0') * 10 + (ones - b'0'), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::fhir::types::Primitive;

    fn takes(primitive: Primitive, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(primitive.check(text).is_ok(), "{primitive:?} {text:?}");
        }
        for text in bad {
            assert!(primitive.check(text).is_err(), "{primitive:?} {text:?}");
        }
    }

    #[test]
    fn dates_are_dates_of_the_calendar() {
        let good = ["0001", "9999", "2020-01", "2020-02-29", "2000-02-29", "1999-12-31"];
        let bad = [
            "",
            "0000",
            "20",
            "202",
            "20200",
            "2020-",
            "2020-1",
            "2020-13",
            "2020-00",
            "2020-13-45",
            "2021-02-29",
            "1900-02-29",
            "2020-04-31",
            "2020-01-00",
            "2020-01-1",
            "2020-01-01T",
            "2020-01-01Z",
            "20200101",
            " 2020",
            "2020 ",
            "-2020",
            "2020/01/01",
            "+2020",
            "２０２０",
        ];
        takes(Primitive::Date, &good, &bad);
        takes(Primitive::DateTime, &good, &bad);
        takes(Primitive::Instant, &[], &good);
        takes(Primitive::Date, &[], &["2020-01-01T00:00:00Z"]);
    }

    #[test]
    fn a_date_with_a_time_has_seconds_and_zone() {
        let good = [
            "2020-01-01T00:00:00Z",
            "2020-01-01T23:59:60Z",
            "2020-01-01T12:34:56.789+05:30",
            "2020-01-01T12:34:56-14:00",
            "2020-01-01T12:34:56.123456789012Z",
        ];
        let bad = [
            "2020-01-01T00:00Z",
            "2020-01-01T00:00:00",
            "2020-01-01T24:00:00Z",
            "2020-01-01T00:60:00Z",
            "2020-01-01T00:00:61Z",
            "2020-01-01T00:00:00.Z",
            "2020-01-01T00:00:00+14:01",
            "2020-01-01T00:00:00+15:00",
            "2020-01-01T00:00:00+0100",
            "2020-01-01 00:00:00Z",
            "2020-01-01t00:00:00z",
            "2020-01-01T00:00:00ZZ",
            "2020-01T00:00:00Z",
            "2020-02-30T00:00:00Z",
            "2020-01-01T00:00:00+01:60",
            "2020-01-01T0:00:00Z",
            "2020-01-01T00:00:00 Z",
            "2020-01-01T00:00:00,5Z",
        ];
        takes(Primitive::DateTime, &good, &bad);
        takes(Primitive::Instant, &good, &bad);
    }

    #[test]
    fn a_time_has_seconds_and_no_zone() {
        let bad = ["", "12:00", "24:00:00", "12:60:00", "12:00:61", "12:00:00Z", "1:00:00", "12"];
        takes(Primitive::Time, &["00:00:00", "23:59:60", "12:00:00.5"], &bad);
    }
}
