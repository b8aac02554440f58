//! Date, DateTime and Time with the precision they were written in (FHIRPath 2.1.4 to 2.1.6).

use chrono::{
    DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc,
};
use std::cmp::Ordering;
use std::fmt;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TemporalKind {
    Date,
    DateTime,
    Time,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Precision {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl Precision {
    const ALL: [Precision; 7] = [
        Precision::Year,
        Precision::Month,
        Precision::Day,
        Precision::Hour,
        Precision::Minute,
        Precision::Second,
        Precision::Millisecond,
    ];

    /// Digits of a dateTime written so far: 4 for a year, 17 for milliseconds.
    fn digits(self) -> i64 {
        [4, 6, 8, 10, 12, 14, 17][self as usize]
    }
}

/// What of a date and time of day was written; the rest is filled with the least values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Temporal {
    pub kind: TemporalKind,
    pub precision: Precision,
    /// Local time; the date of a Time is 1 January 2000.
    local: NaiveDateTime,
    /// Digits of the fraction of a second.
    fraction_digits: u8,
    zone: Option<Zone>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Zone {
    minutes: i16,
    is_z: bool,
}

/// Which end of the span that a value of limited precision stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Boundary {
    Low,
    High,
}

impl Temporal {
    /// The text of a literal without `@`: `2015-02`, `2015T`, `T14:34`.
    pub(super) fn parse_literal(text: &str) -> Option<Self> {
        if let Some(time) = text.strip_prefix('T') {
            return Temporal::parse_time(time);
        }
        match text.contains('T') {
            true => Temporal::parse_date_time(text.strip_suffix('T').unwrap_or(text)),
            false => Temporal::parse_date(text),
        }
    }

    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub fn parse_date(text: &str) -> Option<Self> {
        let (date, precision) = date(text)?;
        let local = date.and_hms_opt(0, 0, 0)?;
        let kind = TemporalKind::Date;
        Some(Temporal { kind, precision, local, fraction_digits: 0, zone: None })
    }

    /// A date, with or without a time of day and a zone after `T`.
    pub fn parse_date_time(text: &str) -> Option<Self> {
        let kind = TemporalKind::DateTime;
        let Some((day, time)) = text.split_once('T') else {
            return Some(Temporal { kind, ..Temporal::parse_date(text)? });
        };
        let (day, Precision::Day) = date(day)? else { return None };
        let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
        let zone = match &time[zone_at..] {
            "" => None,
            text => Some(zone(text)?),
        };
        let time = Temporal::parse_time(&time[..zone_at])?;
        Some(Temporal { kind, local: day.and_time(time.local.time()), zone, ..time })
    }

    /// `hh`, `hh:mm`, `hh:mm:ss`, with a fraction.
    pub fn parse_time(text: &str) -> Option<Self> {
        let (clock, fraction) = match text.split_once('.') {
            Some((clock, fraction)) => (clock, Some(fraction)),
            None => (text, None),
        };
        let mut parts = clock.split(':').map(|part| number(part, 2));
        let hour = parts.next()??;
        let (minute, second) = (parts.next(), parts.next());
        if parts.next().is_some() || (fraction.is_some() && second.is_none()) {
            return None;
        }
        let precision = match (minute, second, fraction) {
            (None, ..) => Precision::Hour,
            (_, None, _) => Precision::Minute,
            (_, _, None) => Precision::Second,
            _ => Precision::Millisecond,
        };
        let (minute, second) = (minute.unwrap_or(Some(0))?, second.unwrap_or(Some(0))?);
        let nanos = match fraction {
            Some(digits) => nanoseconds(digits)?,
            None => 0,
        };
        // A leap second is the last instant of its minute here.
        let second = if second == 60 { 59 } else { second };
        let day = NaiveDate::from_ymd_opt(2000, 1, 1)?;
        Some(Temporal {
            kind: TemporalKind::Time,
            precision,
            local: day.and_hms_nano_opt(hour, minute, second, nanos)?,
            fraction_digits: fraction.map_or(0, |digits| digits.len().min(9) as u8),
            zone: None,
        })
    }

    /// `now()`
    pub(super) fn of_instant(instant: DateTime<Utc>) -> Self {
        Temporal {
            kind: TemporalKind::DateTime,
            precision: Precision::Millisecond,
            local: instant.naive_utc(),
            fraction_digits: 3,
            zone: Some(Zone { minutes: 0, is_z: true }),
        }
    }

    /// The date part of a Date or DateTime.
    pub(super) fn to_date(self) -> Self {
        let precision = self.precision.min(Precision::Day);
        let local = self.local.date().and_time(chrono::NaiveTime::MIN);
        let kind = TemporalKind::Date;
        Temporal { kind, precision, local, fraction_digits: 0, zone: None }
    }

    pub(super) fn to_date_time(self) -> Self {
        Temporal { kind: TemporalKind::DateTime, ..self }
    }

    /// The time of day of a DateTime.
    pub(super) fn to_time(self) -> Self {
        Temporal { kind: TemporalKind::Time, zone: None, ..self }
    }

    fn has_clock(&self) -> bool {
        self.precision >= Precision::Hour
    }

    fn field(&self, precision: Precision) -> i64 {
        match precision {
            Precision::Year => i64::from(self.local.year()),
            Precision::Month => i64::from(self.local.month()),
            Precision::Day => i64::from(self.local.day()),
            Precision::Hour => i64::from(self.local.hour()),
            Precision::Minute => i64::from(self.local.minute()),
            // Seconds and their fraction are one precision when compared (6.1.1).
            _ => {
                i64::from(self.local.second()) * 1_000_000_000 + i64::from(self.local.nanosecond())
            }
        }
    }

    fn in_utc(self) -> Self {
        let minutes = self.zone.map_or(0, |zone| i64::from(zone.minutes));
        let local = self.local.checked_sub_signed(TimeDelta::minutes(minutes));
        Temporal { local: local.unwrap_or(self.local), ..self }
    }

    /// The order, or None where the precisions, or a missing zone, leave it open. A Time has no
    /// order with the others.
    pub fn order(&self, other: &Temporal) -> Option<Ordering> {
        let is_time = |temporal: &Temporal| temporal.kind == TemporalKind::Time;
        if is_time(self) != is_time(other) {
            return None;
        }
        let (mut left, mut right) = (*self, *other);
        if left.has_clock() && right.has_clock() && !is_time(self) {
            match (left.zone.is_some(), right.zone.is_some()) {
                (true, true) => (left, right) = (left.in_utc(), right.in_utc()),
                (false, false) => {}
                _ => return order_without_zone(left.in_utc(), right.in_utc()),
            }
        }
        let precision = |temporal: &Temporal| temporal.precision.min(Precision::Second);
        let shared = precision(&left).min(precision(&right));
        for field in Precision::ALL.into_iter().take_while(|field| *field <= shared) {
            let order = left.field(field).cmp(&right.field(field));
            if order != Ordering::Equal {
                return Some(order);
            }
        }
        (precision(&left) == precision(&right)).then_some(Ordering::Equal)
    }

    /// Digits of the value as written: `@2014` has 4, `@T10:30` 4.
    pub(super) fn precision_digits(&self) -> i64 {
        match self.kind {
            TemporalKind::Time => self.precision.digits() - 8,
            _ => self.precision.digits(),
        }
    }

    /// The least or greatest value of that many digits that this one may stand for; None where
    /// the type has no such precision.
    pub(super) fn boundary(&self, end: Boundary, digits: Option<i64>) -> Option<Temporal> {
        let (least, most, offset) = match self.kind {
            TemporalKind::Date => (Precision::Year, Precision::Day, 0),
            TemporalKind::DateTime => (Precision::Year, Precision::Millisecond, 0),
            TemporalKind::Time => (Precision::Hour, Precision::Millisecond, 8),
        };
        let precision = match digits {
            None => most,
            Some(digits) => Precision::ALL
                .into_iter()
                .find(|precision| precision.digits() == digits.saturating_add(offset))?,
        };
        if precision < least || precision > most {
            return None;
        }
        let mut filled = *self;
        if end == Boundary::High {
            filled.local = self.fill()?;
        }
        if precision >= Precision::Hour
            && self.zone.is_none()
            && self.kind == TemporalKind::DateTime
        {
            let minutes = if end == Boundary::Low { 14 * 60 } else { -12 * 60 };
            filled.zone = Some(Zone { minutes, is_z: false });
        }
        let fraction_digits = if precision == Precision::Millisecond { 3 } else { 0 };
        Some(Temporal { precision, fraction_digits, ..filled })
    }

    /// The last instant of the span. After an hour alone the minute stays 0: R4 has no such
    /// dateTime, and FHIRPath's own examples read it as that minute.
    fn fill(&self) -> Option<NaiveDateTime> {
        let mut local = self.local;
        if self.precision < Precision::Month {
            local = local.with_month(12)?;
        }
        if self.precision < Precision::Day {
            local = local.with_day(days_of_month(local.date()))?;
        }
        if self.precision < Precision::Hour {
            local = local.with_hour(23)?.with_minute(59)?;
        }
        if self.precision < Precision::Second {
            local = local.with_second(59)?;
        }
        match self.precision < Precision::Millisecond {
            true => local.with_nanosecond(999_000_000),
            false => Some(local),
        }
    }

    /// Adds whole units; None where the result is out of range or a Time meets a date unit.
    pub(super) fn add(&self, amount: i64, unit: TemporalUnit) -> Option<Temporal> {
        use TemporalUnit::*;
        let (amount, unit) = self.at_precision(amount, unit);
        if self.kind == TemporalKind::Time && matches!(unit, Year | Month | Week | Day) {
            return None;
        }
        let local = match unit {
            Year => months(self.local, amount.checked_mul(12)?)?,
            Month => months(self.local, amount)?,
            Week => days(self.local, amount.checked_mul(7)?)?,
            Day => days(self.local, amount)?,
            Hour => self.local.checked_add_signed(TimeDelta::try_hours(amount)?)?,
            Minute => self.local.checked_add_signed(TimeDelta::try_minutes(amount)?)?,
            Second => self.local.checked_add_signed(TimeDelta::try_seconds(amount)?)?,
            Millisecond => self.local.checked_add_signed(TimeDelta::try_milliseconds(amount)?)?,
        };
        if !(1..=9999).contains(&local.year()) {
            return None;
        }
        let mut sum = Temporal { local, ..*self };
        if unit == Millisecond && sum.precision >= Precision::Second {
            sum.precision = Precision::Millisecond;
            sum.fraction_digits = sum.fraction_digits.max(3);
        }
        Some(sum)
    }

    /// A unit finer than the value's precision is first converted to that (6.6.7).
    fn at_precision(&self, amount: i64, unit: TemporalUnit) -> (i64, TemporalUnit) {
        use TemporalUnit::*;
        let milliseconds = match unit {
            Year | Month => {
                return match (self.precision, unit) {
                    (Precision::Year, Month) => (amount / 12, Year),
                    _ => (amount, unit),
                };
            }
            Week => 604_800_000,
            Day => 86_400_000,
            Hour => 3_600_000,
            Minute => 60_000,
            Second => 1_000,
            Millisecond => 1,
        };
        let (wanted, length) = match self.precision {
            Precision::Year => (Year, 365 * 86_400_000),
            Precision::Month => (Month, 30 * 86_400_000),
            Precision::Day => (Day, 86_400_000),
            Precision::Hour => (Hour, 3_600_000),
            Precision::Minute => (Minute, 60_000),
            _ => return (amount, unit),
        };
        match milliseconds < length {
            true => (amount.saturating_mul(milliseconds) / length, wanted),
            false => (amount, unit),
        }
    }
}

/// A unit of calendar arithmetic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TemporalUnit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

/// A zone lies between -12:00 and +14:00, so further apart than that the order is certain.
fn order_without_zone(left: Temporal, right: Temporal) -> Option<Ordering> {
    let distance = left.local.signed_duration_since(right.local);
    match distance.abs() > TimeDelta::hours(15) {
        true => Some(left.local.cmp(&right.local)),
        false => None,
    }
}

fn number(text: &str, length: usize) -> Option<u32> {
    let is_number = text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn date(text: &str) -> Option<(NaiveDate, Precision)> {
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4)? as i32;
    let (month, day) = (parts.next(), parts.next());
    if parts.next().is_some() {
        return None;
    }
    let precision = match (month, day) {
        (None, _) => Precision::Year,
        (_, None) => Precision::Month,
        _ => Precision::Day,
    };
    let month = month.map_or(Some(1), |month| number(month, 2))?;
    let day = day.map_or(Some(1), |day| number(day, 2))?;
    Some((NaiveDate::from_ymd_opt(year, month, day)?, precision))
}

fn zone(text: &str) -> Option<Zone> {
    if text == "Z" {
        return Some(Zone { minutes: 0, is_z: true });
    }
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let minutes = number(hours, 2)? * 60 + number(minutes, 2).filter(|minutes| *minutes < 60)?;
    let minutes = (minutes <= 14 * 60).then_some(minutes as i16)?;
    let minutes = if text.starts_with('-') { -minutes } else { minutes };
    Some(Zone { minutes, is_z: false })
}

fn nanoseconds(digits: &str) -> Option<u32> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<9}").get(..9)?.parse().ok()
}

fn days_of_month(date: NaiveDate) -> u32 {
    (28..=31).rev().find(|day| date.with_day(*day).is_some()).unwrap_or(28)
}

fn months(local: NaiveDateTime, amount: i64) -> Option<NaiveDateTime> {
    let count = Months::new(u32::try_from(amount.unsigned_abs()).ok()?);
    match amount < 0 {
        true => local.checked_sub_months(count),
        false => local.checked_add_months(count),
    }
}

fn days(local: NaiveDateTime, amount: i64) -> Option<NaiveDateTime> {
    let count = Days::new(amount.unsigned_abs());
    match amount < 0 {
        true => local.checked_sub_days(count),
        false => local.checked_add_days(count),
    }
}

impl fmt::Display for Temporal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind != TemporalKind::Time {
            write!(f, "{:04}", self.local.year())?;
            if self.precision >= Precision::Month {
                write!(f, "-{:02}", self.local.month())?;
            }
            if self.precision >= Precision::Day {
                write!(f, "-{:02}", self.local.day())?;
            }
            if !self.has_clock() || self.kind == TemporalKind::Date {
                return Ok(());
            }
            f.write_str("T")?;
        }
        write!(f, "{:02}", self.local.hour())?;
        if self.precision >= Precision::Minute {
            write!(f, ":{:02}", self.local.minute())?;
        }
        if self.precision >= Precision::Second {
            write!(f, ":{:02}", self.local.second())?;
        }
        if self.precision == Precision::Millisecond {
            let digits = format!("{:09}", self.local.nanosecond());
            let wanted = usize::from(self.fraction_digits).clamp(1, 9);
            write!(f, ".{}", &digits[..wanted])?;
        }
        match self.zone {
            None => Ok(()),
            Some(zone) if zone.is_z => f.write_str("Z"),
            Some(Zone { minutes, .. }) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
        }
    }
}
