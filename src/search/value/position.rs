//! Positions on the earth, and what is near them: `near`
//! (<https://hl7.org/fhir/R4/location.html#search>). The earth is a sphere of its mean radius.
//!
//! A position is stored as a point of that sphere in space, in whole numbers. The straight line
//! between two points grows with the way between them over the surface, and its square is exact:
//! the database and this file compute the same, without an angle. Neither the poles nor the 180th
//! meridian are a special case.

use super::Node;
use super::decimal;
use super::quantity;
use super::text::{split, unescape};
use crate::search::index_rows::{ParameterId, PositionRow};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;
use std::f64::consts::PI;

/// Metres, of the earth.
const RADIUS: f64 = 6_371_008.8;
/// Parts of the radius that are told apart, each of 6 µm.
const PARTS: f64 = 1e12;
/// Parts that a point may be away from where it would be without rounding, and more.
const ROUNDING: i64 = 3;
/// What is near where the client does not say: R4 leaves it to the server.
const NEAR_METRES: f64 = 50_000.0;

/// A point of the sphere, by its distances from the middle in parts of the radius.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Point {
    /// Along the axis, to the north: it grows with the latitude.
    pub north: i64,
    /// Towards where the meridian of Greenwich meets the equator.
    pub greenwich: i64,
    /// Towards 90 degrees east on the equator.
    pub east: i64,
}

/// A search value: points not further than a distance from one.
#[derive(Clone, PartialEq, Debug)]
pub struct NearTest {
    pub from: Point,
    /// What [`Point::square_to`] is at most.
    pub most: Decimal,
    /// `north` of every such point is between these, both included: an index has it.
    pub bounds: (i64, i64),
}

impl Point {
    /// Of degrees; which of the two is out of its range.
    fn of(latitude: Decimal, longitude: Decimal) -> Result<Point, &'static str> {
        let within = |degrees: Decimal, most: i64| {
            let degrees = Some(degrees).filter(|degrees| degrees.abs() <= Decimal::from(most));
            degrees.and_then(|degrees| degrees.to_f64()).map(f64::to_radians)
        };
        let latitude = within(latitude, 90).ok_or(LATITUDE)?;
        let longitude = within(longitude, 180).ok_or(LONGITUDE)?;
        let parts = |of_radius: f64| (of_radius * PARTS).round() as i64;
        Ok(Point {
            north: parts(latitude.sin()),
            greenwich: parts(latitude.cos() * longitude.cos()),
            east: parts(latitude.cos() * longitude.sin()),
        })
    }

    /// The square of the straight line to another point.
    pub fn square_to(self, other: Point) -> Decimal {
        let square = |a: i64, b: i64| i128::from(a - b).pow(2);
        let sum = square(self.north, other.north)
            + square(self.greenwich, other.greenwich)
            + square(self.east, other.east);
        Decimal::from_i128_with_scale(sum, 0)
    }
}

/// Adds the row of an element with latitude and longitude; none where they are not on the earth.
pub fn index(node: Node<'_>, parameter: ParameterId, rows: &mut Vec<PositionRow>) {
    let degrees = |name: &str| match node.value.get(name)? {
        Value::Number(number) => decimal::clamped(number.as_str()),
        _ => None,
    };
    let place = degrees("latitude").zip(degrees("longitude"));
    if let Some(Ok(point)) = place.map(|(latitude, longitude)| Point::of(latitude, longitude)) {
        rows.push(PositionRow { parameter, point });
    }
}

const FORM: &str = "it is [latitude]|[longitude]|[distance]|[unit], the last two if need be, in \
                    decimals such as 23.81|90.41|5|km";
const LATITUDE: &str = "a latitude is from -90 to 90 degrees";
const LONGITUDE: &str = "a longitude is from -180 to 180 degrees";
const DISTANCE: &str = "a distance is not negative";
const UNIT: &str = "the unit of a distance is one of length in UCUM, such as km, m, [mi_i] or \
                    [ft_i]";

impl NearTest {
    /// Reads `latitude|longitude|distance|unit`. Without a unit the distance is in kilometres.
    pub fn parse(text: &str) -> Result<NearTest, &'static str> {
        let parts: Vec<String> = split(text, '|').into_iter().map(unescape).collect();
        let part = |at: usize| parts.get(at).map_or("", |part| part.trim());
        let number = |text: &str| decimal::precise(text).map(|number| number.value).ok_or(FORM);
        if !(2..=4).contains(&parts.len()) {
            return Err(FORM);
        }
        let from = Point::of(number(part(0))?, number(part(1))?)?;
        let unit = if part(3).is_empty() { "km" } else { part(3) };
        let unit_metres = quantity::metres(unit).and_then(|metres| metres.to_f64()).ok_or(UNIT)?;
        let metres = match part(2) {
            "" => NEAR_METRES,
            text => match number(text)? {
                number if number < Decimal::ZERO => return Err(DISTANCE),
                number => number.to_f64().ok_or(FORM)? * unit_metres,
            },
        };
        Ok(NearTest::within(from, metres))
    }

    fn within(from: Point, metres: f64) -> NearTest {
        let angle = (metres / RADIUS).min(PI);
        let line = (2.0 * (angle / 2.0).sin() * PARTS).ceil() as i64 + ROUNDING;
        let most = Decimal::from_i128_with_scale(i128::from(line).pow(2), 0);
        NearTest { from, most, bounds: (from.north - line, from.north + line) }
    }

    /// Whether the point is that near.
    pub fn admits(&self, point: Point) -> bool {
        self.from.square_to(point) <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn point(latitude: &str, longitude: &str) -> Point {
        Point::of(latitude.parse().unwrap(), longitude.parse().unwrap()).unwrap()
    }

    /// Metres over the surface, by the formula of haversines.
    fn metres(a: (f64, f64), b: (f64, f64)) -> f64 {
        let (a, b) = ((a.0.to_radians(), a.1.to_radians()), (b.0.to_radians(), b.1.to_radians()));
        let of = |angle: f64| (angle / 2.0).sin().powi(2);
        let part = of(b.0 - a.0) + a.0.cos() * b.0.cos() * of(b.1 - a.1);
        2.0 * RADIUS * part.min(1.0).sqrt().asin()
    }

    #[test]
    fn the_line_says_what_the_way_over_the_surface_says() {
        let places = [
            (0.0, 0.0),
            (0.0, 180.0),
            (0.0, -179.9),
            (23.81, 90.41),
            (23.810_001, 90.41),
            (-33.9, 18.4),
            (89.999, 10.0),
            (89.999, -170.0),
            (90.0, 0.0),
            (-90.0, 77.0),
        ];
        let point = |(latitude, longitude): (f64, f64)| {
            point(&latitude.to_string(), &longitude.to_string())
        };
        for from in places {
            for to in places {
                let way = metres(from, to);
                for (within, expected) in [(way - 0.1, false), (way, true), (way + 0.1, true)] {
                    let test = NearTest::within(point(from), within.max(0.0));
                    // On the other side of the earth the line hardly grows with the way.
                    let is_expected = expected || way == 0.0 || way > 20_014_000.0;
                    assert_eq!(test.admits(point(to)), is_expected, "{from:?} {to:?} {within}");
                    let (least, greatest) = test.bounds;
                    let is_bounded = (least..=greatest).contains(&point(to).north);
                    assert!(is_bounded || !test.admits(point(to)), "{from:?} {to:?} {within}");
                }
            }
        }
    }

    #[test]
    fn the_poles_and_the_180th_meridian_are_one_place_by_any_name() {
        assert_eq!(point("90", "12"), point("90", "-170"));
        assert_eq!(point("12.5", "180"), point("12.5", "-180"));
        assert!(NearTest::parse("1|2|0").unwrap().admits(point("1", "2")));
        assert!(NearTest::parse("1|2|1e20").unwrap().admits(point("-1", "-178")));
    }

    #[test]
    fn units_of_length_are_those_of_ucum_and_kilometres_by_themselves() {
        let line = |text: &str| NearTest::parse(text).unwrap().most.to_f64().unwrap().sqrt();
        for (text, metres) in [
            ("0|0|1", 1_000.0),
            ("0|0|1|", 1_000.0),
            ("0|0|1|km", 1_000.0),
            ("0|0|1e3|m", 1_000.0),
            ("0|0|1|[mi_i]", 1_609.344),
            ("0|0|1|[mi_us]", 1_609.347_219),
            ("0|0|5280|[ft_i]", 1_609.344),
            ("0|0|1|[nmi_i]", 1_852.0),
            ("0|0", NEAR_METRES),
            ("0|0||m", NEAR_METRES),
        ] {
            let expected = 2.0 * (metres / RADIUS / 2.0).sin() * PARTS;
            assert!((line(text) - expected).abs() < 100.0, "{text}: {} {expected}", line(text));
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, expected) in [
            ("", FORM),
            ("1", FORM),
            ("1|", FORM),
            ("|1", FORM),
            ("1|2|3|km|5", FORM),
            ("a|2", FORM),
            ("1|2|ge5", FORM),
            ("90.0001|0", LATITUDE),
            ("-91|0", LATITUDE),
            ("0|180.5", LONGITUDE),
            ("0|-181", LONGITUDE),
            ("0|0|-1", DISTANCE),
            ("0|0|1|mg", UNIT),
            ("0|0|1|miles", UNIT),
            ("0|0||Cel", UNIT),
        ] {
            assert_eq!(NearTest::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn only_places_on_the_earth_have_a_row() {
        let rows = |value: Value| {
            let mut rows = Vec::new();
            index(Node { value: &value, type_name: "" }, ParameterId(1), &mut rows);
            rows.len()
        };
        assert_eq!(rows(json!({"latitude": 23.81, "longitude": 90.41, "altitude": 4})), 1);
        assert_eq!(rows(json!({"latitude": 123.81, "longitude": 90.41})), 0);
        assert_eq!(rows(json!({"latitude": 23.81, "longitude": -190})), 0);
        assert_eq!(rows(json!({"latitude": 23.81})), 0);
    }
}
