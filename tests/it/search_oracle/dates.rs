//! Dates: <https://hl7.org/fhir/R4/search.html#date>. Every date is a range, from its beginning
//! to before its end, as far as its precision leaves it open.

use super::parameters::items;
use chrono::{Days, Months, NaiveDate, NaiveDateTime, TimeDelta};
use serde_json::Value;

/// From the first to before the second, in microseconds of UTC.
pub type Range = (i64, i64);

const BEFORE_ALL: i64 = i64::MIN / 4;
const AFTER_ALL: i64 = i64::MAX / 4;

/// The range of a date, dateTime, instant or search value; UTC where no zone is named.
pub fn range(text: &str) -> Option<Range> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-').map(|part| part.parse::<u32>().ok());
    let year = parts.next()??;
    let month = parts.next();
    let day = parts.next();
    let first = |month: u32, day: u32| {
        NaiveDate::from_ymd_opt(year as i32, month, day)?.and_hms_opt(0, 0, 0)
    };
    let (low, high) = match (month, day, time) {
        (None, ..) => (first(1, 1)?, first(1, 1)? + Months::new(12)),
        (Some(month), None, _) => (first(month?, 1)?, first(month?, 1)? + Months::new(1)),
        (Some(month), Some(day), None) => {
            (first(month?, day?)?, first(month?, day?)? + Days::new(1))
        }
        (Some(month), Some(day), Some(time)) => return timed(first(month?, day?)?, time),
    };
    Some((microseconds(low), microseconds(high)))
}

fn microseconds(at: NaiveDateTime) -> i64 {
    at.and_utc().timestamp_micros()
}

/// `hh:mm[:ss[.f]][zone]` of a day.
fn timed(day: NaiveDateTime, text: &str) -> Option<Range> {
    let zone_at = text.find(['Z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone_at);
    let offset = match zone {
        "" | "Z" => 0,
        _ => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
            if zone.starts_with('-') { -minutes } else { minutes }
        }
    };
    let mut parts = clock.split(':');
    let (hours, minutes) = (parts.next()?.parse::<i64>().ok()?, parts.next()?.parse::<i64>().ok()?);
    let seconds = parts.next();
    let (whole, fraction) = match seconds {
        Some(text) => text.split_once('.').unwrap_or((text, "")),
        None => ("0", ""),
    };
    let digits = fraction.len() as u32;
    let fraction = fraction.parse::<i64>().unwrap_or(0) * 10_i64.pow(6_u32.saturating_sub(digits));
    let length = match seconds {
        None => 60_000_000,
        Some(_) => 1_000_000 / 10_i64.pow(digits),
    };
    let at = day + TimeDelta::minutes(hours * 60 + minutes - offset);
    let low = microseconds(at) + whole.parse::<i64>().ok()? * 1_000_000 + fraction;
    Some((low, low + length))
}

/// The range of an element: a text, an instant, a Period, which may be open, or a Timing, of
/// which the outer limits count.
pub fn element_range(element: &Value) -> Option<Range> {
    if let Value::String(text) = element {
        return range(text);
    }
    if let Some(text) = element["instant"].as_str() {
        return range(text).map(|(low, _)| (low, low + 1));
    }
    if element.get("event").is_some() || element.get("repeat").is_some() {
        let events = items(&element["event"]);
        let bounds = items(&element["repeat"]["boundsPeriod"]);
        let ranges = events.iter().chain(&bounds).filter_map(element_range);
        return ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    }
    let end = |name: &str| element[name].as_str().and_then(range);
    let (start, end) = (end("start"), end("end"));
    if start.is_none() && end.is_none() {
        return None;
    }
    Some((start.map_or(BEFORE_ALL, |(low, _)| low), end.map_or(AFTER_ALL, |(_, high)| high)))
}

/// What a prefix asks of a stored range; `now` is for `ap`.
pub fn matches(prefix: &str, (from, to): Range, (low, high): Range, now: i64) -> bool {
    let is_within = from <= low && high <= to;
    match prefix {
        "eq" => is_within,
        "ne" => !is_within,
        "gt" => high > to,
        "lt" => low < from,
        "ge" => high > to || is_within,
        "le" => low < from || is_within,
        "sa" => low >= to,
        "eb" => high <= from,
        "ap" => {
            let tenth = (now - from).abs() / 10;
            low < to + tenth && high > from - tenth
        }
        _ => panic!("{prefix} is no prefix"),
    }
}
