//! Places: <https://hl7.org/fhir/R4/location.html#search>, by the formula of haversines.

use super::numbers::decimal;
use super::texts::split;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;

/// Latitude and longitude. No two are on opposite sides of the earth, where the last metre of a
/// distance is not to be had.
pub const PLACES: [(&str, &str); 9] = [
    ("23.8103", "90.4125"),
    ("23.8104", "90.4125"),
    ("22.3569", "91.7832"),
    ("0", "0"),
    ("0.0", "179.9"),
    ("0", "-179.9"),
    ("90", "0"),
    ("89.9", "-170.25"),
    ("-80.5", "12"),
];
/// Code and metres.
pub const LENGTHS: [(&str, f64); 5] =
    [("", 1_000.0), ("km", 1_000.0), ("m", 1.0), ("[mi_i]", 1_609.344), ("[ft_i]", 0.3048)];
/// Metres of the mean radius of the earth.
const RADIUS: f64 = 6_371_008.8;
/// What the server takes for near.
const NEAR: f64 = 50_000.0;

fn number(text: &str) -> f64 {
    decimal(text).and_then(|number| number.to_f64()).unwrap_or_else(|| panic!("{text} is a number"))
}

/// Metres from the place of a search value to a position.
pub fn distance(position: &Value, value: &str) -> f64 {
    let parts = split(value, '|');
    let radians = |text: &str| number(text).to_radians();
    let (latitude, longitude) = (radians(&parts[0]), radians(&parts[1]));
    let to = radians(&position["latitude"].to_string());
    let along = radians(&position["longitude"].to_string()) - longitude;
    let of = |angle: f64| (angle / 2.0).sin().powi(2);
    let part = of(to - latitude) + latitude.cos() * to.cos() * of(along);
    2.0 * RADIUS * part.min(1.0).sqrt().asin()
}

/// Whether the position is as near as `latitude|longitude|distance|unit` says.
pub fn is_near(position: &Value, value: &str) -> bool {
    let parts = split(value, '|');
    let unit = parts.get(3).map_or("", |unit| unit.as_str());
    let metres = LENGTHS.iter().find(|(code, _)| *code == unit).expect("a unit of length").1;
    let most = match parts.get(2).map_or("", |distance| distance.as_str()) {
        "" => NEAR,
        text => number(text) * metres,
    };
    distance(position, value) <= most
}
