//! Search values: mostly what some resource holds or what is just beside it.

use super::creation::{CODES, IDS, NUMBERS, SYSTEMS, TEXTS, TIMES, URIS};
use super::numbers::{UCUM, UNITS, decimal};
use super::parameters::{Kind, Parameter, at, find, has_no_case, implied_system};
use super::places::{self, LENGTHS, PLACES};
use super::random::Random;
use super::terms;
use super::texts::{codings, escape, names, words};
use super::world::{TYPES, World, local_key};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PREFIXES: [&str; 12] = ["", "", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

/// Draws the values of one parameter.
pub struct Values<'a> {
    pub random: &'a mut Random,
    pub world: &'a World,
    pub parameter: &'static Parameter,
    pub modifier: Option<&'static str>,
}

impl Values<'_> {
    pub fn truth(&mut self) -> String {
        self.random.percent(50).to_string()
    }

    /// An alternative for resources of the type.
    pub fn value(&mut self, kind: &str) -> String {
        let of_kind = self.world.resources.iter().filter(|resource| resource.kind() == kind);
        let resources: Vec<_> = of_kind.collect();
        if let Kind::Pair(pair) = self.parameter.kind {
            let repetitions: Vec<Value> = resources
                .iter()
                .flat_map(|resource| pair.bases.iter().map(move |path| (resource, path)))
                .flat_map(|(resource, path)| at(&resource.body, path))
                .collect();
            let repetition = self.one_of(repetitions);
            let first = self.one_of(at(&repetition, pair.first));
            let seconds = pair.seconds.iter().flat_map(|path| at(&repetition, path));
            let second = self.one_of(seconds.collect());
            let first = self.token(&first, true);
            return format!("{first}${}", self.of(pair.second, &second));
        }
        let elements = resources.iter().flat_map(|one| self.parameter.elements(one));
        let element = self.one_of(elements.collect());
        match (self.parameter.kind, implied_system(kind, self.parameter)) {
            (Kind::Plain, Some(system)) if self.random.percent(20) => {
                let code = self.token(&element, false);
                let code = if self.random.percent(20) { "" } else { &code };
                format!("{system}|{code}")
            }
            (Kind::Plain, _) if has_no_case(kind, self.parameter) && self.random.percent(50) => {
                self.token(&element, false).to_uppercase()
            }
            (of, _) => self.of(of, &element),
        }
    }

    /// Null where there is none.
    fn one_of(&mut self, from: Vec<Value>) -> Value {
        if from.is_empty() { Value::Null } else { self.random.pick(&from) }
    }

    fn of(&mut self, kind: Kind, element: &Value) -> String {
        match kind {
            Kind::Reference if self.modifier == Some("identifier") => {
                self.token(&element["identifier"], true)
            }
            Kind::Reference => self.reference(element),
            Kind::Coded if self.modifier == Some("text") => {
                let names = names(element).into_iter().map(Value::from).collect();
                let name = self.one_of(names);
                self.text(&name)
            }
            Kind::Coded if matches!(self.modifier, Some("in" | "not-in")) => {
                terms::url(self.random.pick(&terms::SETS))
            }
            Kind::Coded if matches!(self.modifier, Some("below" | "above")) => {
                let (system, code) = terms::concept(self.random.below(5));
                format!("{system}|{}", escape(code))
            }
            Kind::Coded => self.token(element, true),
            Kind::Plain => self.token(element, false),
            Kind::Text => self.text(element),
            Kind::Date => self.date(element),
            Kind::Number => self.ordered_number(&number_of(element)),
            Kind::Quantity => self.quantity(element),
            Kind::Uri | Kind::Canonical => self.uri(element),
            Kind::Words => self.words(element),
            Kind::Place => self.place(element),
            Kind::Pair(_) => panic!("a composite has no value of its own"),
        }
    }

    fn token(&mut self, element: &Value, has_system: bool) -> String {
        let stored = if element.is_null() { Vec::new() } else { codings(element) };
        let (mut system, mut code) = match stored.is_empty() {
            true => (self.random.pick(&SYSTEMS).to_owned(), self.random.pick(&CODES).to_owned()),
            false => self.random.pick(&stored),
        };
        if self.random.percent(10) {
            system = self.random.pick(&SYSTEMS).to_owned();
        }
        if self.random.percent(5) {
            code = self.random.pick(&CODES).to_owned();
        }
        let (system, code) = (escape(&system), escape(&code));
        if code.is_empty() {
            return if system.is_empty() { "w".to_owned() } else { format!("{system}|") };
        }
        match (has_system, self.random.below(8)) {
            (false, _) | (_, 0..=2) => code,
            (_, 3) => format!("|{code}"),
            (_, 4) if !system.is_empty() => format!("{system}|"),
            _ => format!("{system}|{code}"),
        }
    }

    fn text(&mut self, element: &Value) -> String {
        let stored = element.as_str().unwrap_or(self.random.pick(&TEXTS)).to_owned();
        let letters: Vec<char> = stored.chars().collect();
        let end = 1 + self.random.below(letters.len());
        let start = if self.random.percent(25) { self.random.below(end) } else { 0 };
        let part: String = match self.random.below(4) {
            0 => letters[start..end].iter().collect(),
            1 => letters[..end].iter().collect(),
            _ => stored,
        };
        // A combining mark alone is no string to search for.
        let is_empty = super::texts::folded(&part).trim().is_empty();
        let part = if is_empty { "x".to_owned() } else { part.trim().to_owned() };
        let changed = match self.random.below(8) {
            0 => part.to_uppercase(),
            1 => part.to_lowercase(),
            2 => super::texts::folded(&part),
            3 => part.replace('e', "é"),
            4 => part + "s",
            _ => part,
        };
        escape(&changed)
    }

    /// An expression over words that some narrative has.
    fn words(&mut self, element: &Value) -> String {
        let mut stored = words(element);
        if stored.is_empty() || self.random.percent(10) {
            stored = words(&json!(self.random.pick(&TEXTS)));
        }
        let at = self.random.below(stored.len());
        let (first, second) = (&stored[at], stored.get(at + 1).unwrap_or(&stored[0]));
        let beginning: String = first.chars().take(2).collect();
        match self.random.below(8) {
            0 => format!("{first} {second}"),
            1 => format!("{first} OR {second}"),
            2 => format!("\"{first} {second}\""),
            3 => format!("{beginning}*"),
            4 => format!("{first} not {second}"),
            5 => first.to_uppercase(),
            _ => first.clone(),
        }
    }

    fn date(&mut self, element: &Value) -> String {
        let mut texts: Vec<String> = Vec::new();
        collect_texts(element, &mut texts);
        let text = match texts.is_empty() || self.random.percent(10) {
            true => self.random.pick(&TIMES).to_owned(),
            false => self.random.pick(&texts),
        };
        let is_updated = self.parameter.name == "_lastUpdated";
        // The tenth of a gap of milliseconds would depend on when the server asks its clock.
        let prefixes = if is_updated { &PREFIXES[..11] } else { &PREFIXES[..] };
        self.random.pick(prefixes).to_owned() + &self.near_date(&text)
    }

    /// The date, or one of another precision, or of the same instant elsewhere.
    fn near_date(&mut self, text: &str) -> String {
        let seconds = text.get(..19).filter(|_| text.contains('T'));
        match self.random.below(10) {
            0 => text[..4].to_owned(),
            1 => text.get(..7).unwrap_or(text).to_owned(),
            2 => text.get(..10).unwrap_or(text).to_owned(),
            3 if text.len() == 10 => format!("{text}T00:00:00Z"),
            4 if text.len() == 10 => format!("{text}T23:59:59.999Z"),
            5 if text.len() == 10 => format!("{text}T00:00"),
            6 if text.len() == 7 => format!("{text}-01"),
            7 if text.len() == 4 => format!("{text}-12"),
            3 => seconds.map_or(text.to_owned(), |text| format!("{}Z", &text[..16])),
            4 => seconds.map_or(text.to_owned(), |text| format!("{text}.123Z")),
            5 => seconds.map_or(text.to_owned(), |text| format!("{text}Z")),
            6 => seconds.map_or(text.to_owned(), |text| format!("{text}+01:00")),
            7 => text.replace("2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01:00"),
            _ => text.to_owned(),
        }
    }

    fn ordered_number(&mut self, stored: &str) -> String {
        self.random.pick(&PREFIXES).to_owned() + &self.near_number(stored)
    }

    /// The number, or one just beside it, or the same in another precision.
    fn near_number(&mut self, stored: &str) -> String {
        let value = decimal(stored).unwrap_or_default();
        let step = Decimal::new(5, value.scale() + 1);
        match self.random.below(12) {
            0 => (value + step).to_string(),
            1 => (value - step).to_string(),
            2 => format!("{}0", (value + Decimal::new(0, value.scale().max(1)))),
            3 => value.round_dp(value.scale().saturating_sub(1)).to_string(),
            4 => value.trunc().to_string(),
            5 => (value + step * Decimal::TWO).to_string(),
            6 => self.random.pick(&NUMBERS).to_owned(),
            7 => (-value).to_string(),
            8 => format!("{}e1", value / Decimal::TEN),
            _ => stored.to_owned(),
        }
    }

    fn quantity(&mut self, element: &Value) -> String {
        let stored = number_of(element);
        let unit = if element["low"].is_object() { &element["low"] } else { element };
        let text = |name: &str| unit[name].as_str().unwrap_or_default();
        let (system, code) = (text("system"), text("code"));
        match self.random.below(8) {
            0 | 1 => self.ordered_number(&stored),
            2 => {
                let unit = if self.random.percent(50) { code } else { text("unit") };
                let unit = if unit.is_empty() { "mg" } else { unit };
                format!("{}||{unit}", self.ordered_number(&stored))
            }
            3 | 4 if !code.is_empty() => {
                format!("{}|{system}|{code}", self.ordered_number(&stored))
            }
            _ => self.converted(&stored, code),
        }
    }

    /// The number in another unit of the same kind.
    fn converted(&mut self, stored: &str, code: &str) -> String {
        let value = decimal(stored).unwrap_or_default();
        let from = UNITS.iter().find(|(known, ..)| *known == code).unwrap_or(&UNITS[0]);
        let same: Vec<_> = UNITS.iter().filter(|unit| unit.1 == from.1).collect();
        let into = self.random.pick(&same);
        let factor = |text: &str| decimal(text).expect("a factor is a decimal");
        // The server converts to twelve digits, which is more than the factors of UCUM have.
        let number = value * factor(from.2) / factor(into.2);
        let number = number.round_sf(9).unwrap_or_default().normalize();
        format!("{}|{UCUM}|{}", self.ordered_number(&number.to_string()), into.0)
    }

    fn reference(&mut self, element: &Value) -> String {
        let base = self.world.base.clone();
        if let Some(kind) = self.modifier.filter(|modifier| *modifier != "identifier") {
            // The modifier is for an id alone.
            let key = local_key(element, &base).filter(|(found, _)| found == kind);
            return key.map_or(self.random.pick(&IDS).to_owned(), |(_, id)| id);
        }
        let Some((kind, id)) = local_key(element, &base) else {
            // What is contained is not searched by itself.
            let other = element["reference"].as_str().filter(|text| !text.starts_with('#'));
            return escape(other.unwrap_or("http://other.example/fhir/X/1"));
        };
        // Where resources of several types are meant, an id alone is refused.
        let is_clear = TYPES.iter().all(|source| self.meant(source, &id) < 2);
        match self.random.below(6) {
            0 | 1 if is_clear => id,
            2 => format!("{base}/{kind}/{id}"),
            3 => format!("{kind}/{}", self.random.pick(&IDS)),
            _ => format!("{kind}/{id}"),
        }
    }

    /// Mostly around what is a metre nearer or further than another place.
    fn place(&mut self, element: &Value) -> String {
        let (latitude, longitude) = self.random.pick(&PLACES);
        let place = format!("{latitude}|{longitude}");
        let (unit, metres) = self.random.pick(&LENGTHS);
        let way = match element.is_null() {
            true => 0.0,
            false => places::distance(element, &place),
        };
        let way = match self.random.below(8) {
            0 => return place,
            1 => return format!("{place}||{unit}"),
            2 => return format!("{place}|0|{unit}"),
            3 => 15_000.0,
            4 => 20_000_000.0,
            5 | 6 => way + 1.0,
            _ => way - 1.0,
        };
        let distance = format!("{place}|{:.6}", way.max(0.0) / metres);
        if unit.is_empty() { distance } else { format!("{distance}|{unit}") }
    }

    /// How many resources of this id there are that resources of a type refer to by the parameter.
    fn meant(&self, source: &str, id: &str) -> usize {
        let Some(parameter) = find(source, self.parameter.name) else { return 0 };
        let sources = self.world.resources.iter().filter(|resource| resource.kind() == source);
        let elements = sources.flat_map(|resource| parameter.elements(resource));
        let keys = elements.filter_map(|element| local_key(&element, &self.world.base));
        let keys = keys.filter(|key| key.1 == id && self.world.find(key).is_some());
        keys.collect::<BTreeSet<_>>().len()
    }

    fn uri(&mut self, element: &Value) -> String {
        let stored = element.as_str().unwrap_or(self.random.pick(&URIS)).to_owned();
        let near = match self.random.below(8) {
            0 => stored.to_lowercase(),
            1 => stored.split('|').next().unwrap_or_default().to_owned(),
            2 => stored.trim_end_matches('/').to_owned(),
            3 => self.random.pick(&URIS).to_owned(),
            _ => stored,
        };
        escape(&near)
    }
}

/// The digits of a number, a Quantity or an end of a Range.
fn number_of(element: &Value) -> String {
    let ends = [element, &element["value"], &element["high"]["value"], &element["low"]["value"]];
    let number = ends.into_iter().find(|value| value.is_number());
    number.unwrap_or(&json!(5)).to_string()
}

fn collect_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(object) => object.values().for_each(|item| collect_texts(item, texts)),
        _ => {}
    }
}
