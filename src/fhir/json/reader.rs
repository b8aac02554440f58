//! The reader: one pass over the bytes, straight into a [`Value`].

use super::number::{self, MAX_BYTES, MAX_EXPONENT};
use super::path::{Step, expression, shown};
use super::text;
use crate::error::{FhirError, IssueCode, Result};
use crate::limits::Limits;
use serde_json::{Map, Number, Value};

/// Whatever the settings say, the reader recurses no deeper: the stack bears this many levels.
const MAX_DEPTH: usize = 512;

/// Reads one JSON value and nothing after it.
///
/// 400 `structure` where the bytes are no JSON (with line and column) or JSON that this server
/// does not take: a byte order mark, NUL characters, lone surrogates, a name twice in an object,
/// an exponent beyond ±400. 400 `too-costly` where a limit is passed, naming it.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Value> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(structure("", "JSON starts without a byte order mark (RFC 8259, section 8.1)"));
    }
    let source = std::str::from_utf8(bytes).map_err(|error| {
        let (line, column) = position(bytes, error.valid_up_to());
        structure("", format!("JSON is UTF-8; line {line} column {column} is not"))
    })?;
    let mut reader =
        Reader { source, at: 0, nodes: limits.nodes, limits, open: Vec::new(), root: None };
    let depth = limits.depth.min(MAX_DEPTH);
    let value = reader.document(depth).map_err(|stop| reader.error(*stop, depth))?;
    Ok(value)
}

/// Why reading stopped, and where: the steps are added on the way out.
struct Stop {
    cause: Cause,
    steps: Vec<Step>,
}

enum Cause {
    /// What was expected at the offset.
    Syntax(usize, &'static str),
    Duplicate(String),
    Reserved(String),
    Exponent(usize),
    LongNumber(usize),
    Depth,
    Nodes,
    Items,
    StringBytes(usize),
}

type Read<T> = std::result::Result<T, Box<Stop>>;

fn stop<T>(cause: Cause) -> Read<T> {
    Err(Box::new(Stop { cause, steps: Vec::new() }))
}

fn step<T>(result: Read<T>, step: impl FnOnce() -> Step) -> Read<T> {
    result.map_err(|mut stop| {
        stop.steps.push(step());
        stop
    })
}

struct Reader<'s> {
    source: &'s str,
    at: usize,
    /// How many more values may come.
    nodes: usize,
    limits: &'s Limits,
    /// Properties of the objects that are not read to their end, outermost first: each object is
    /// made when it is known how much it holds.
    open: Vec<(String, Value)>,
    /// `resourceType` of the outermost object, once it has been read and an error was met.
    root: Option<String>,
}

impl Reader<'_> {
    fn document(&mut self, depth: usize) -> Read<Value> {
        let value = match self.token() {
            Some(b'{') => self.object(depth, true)?,
            None => return stop(Cause::Syntax(self.at, "a JSON value: the body is empty")),
            Some(first) => self.value(first, depth)?,
        };
        match self.token() {
            None => Ok(value),
            Some(_) => stop(Cause::Syntax(self.at, "the end: a body holds one JSON value")),
        }
    }

    /// The next byte that is no white space, not yet taken.
    fn token(&mut self) -> Option<u8> {
        let bytes = self.source.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// The value that starts with `first`; `depth` counts the levels that may still open.
    fn value(&mut self, first: u8, depth: usize) -> Read<Value> {
        match first {
            b'"' => {
                self.count()?;
                self.string().map(Value::String)
            }
            b'{' => self.object(depth, false),
            b'[' => self.array(depth),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => stop(Cause::Syntax(self.at, "a JSON value")),
        }
    }

    fn count(&mut self) -> Read<()> {
        match self.nodes.checked_sub(1) {
            Some(left) => self.nodes = left,
            None => return stop(Cause::Nodes),
        }
        Ok(())
    }

    fn word(&mut self, word: &'static str, value: Value) -> Read<Value> {
        self.count()?;
        if !self.source.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return stop(Cause::Syntax(self.at, "a JSON value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Read<Value> {
        self.count()?;
        let start = self.at;
        let end = match number::end(self.source.as_bytes(), start) {
            Ok(end) => end,
            Err(number::Bad::Syntax(at)) => return stop(Cause::Syntax(at, "a digit")),
            Err(number::Bad::TooLong) => return stop(Cause::LongNumber(start)),
            Err(number::Bad::Exponent) => return stop(Cause::Exponent(start)),
        };
        self.at = end;
        Ok(Value::Number(Number::from_string_unchecked(self.source[start..end].to_owned())))
    }

    fn string(&mut self) -> Read<String> {
        let (text, end) = match text::string(self.source, self.at + 1) {
            Ok(read) => read,
            Err(bad) => return stop(bad_string(bad)),
        };
        if text.len() > self.limits.string_bytes && !is_base64(text.as_bytes()) {
            return stop(Cause::StringBytes(text.len()));
        }
        self.at = end;
        Ok(text)
    }

    fn array(&mut self, depth: usize) -> Read<Value> {
        self.count()?;
        let Some(depth) = depth.checked_sub(1) else { return stop(Cause::Depth) };
        self.at += 1;
        let mut items = Vec::new();
        let mut next = self.token();
        if next == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            if items.len() == self.limits.array_items {
                return stop(Cause::Items);
            }
            let item = match next {
                Some(first) => self.value(first, depth),
                None => stop(Cause::Syntax(self.at, "a JSON value")),
            };
            items.push(step(item, || Step::Item(items.len()))?);
            match self.token() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return stop(Cause::Syntax(self.at, "',' or ']'")),
            }
            next = self.token();
        }
    }

    fn object(&mut self, depth: usize, is_root: bool) -> Read<Value> {
        self.count()?;
        let Some(depth) = depth.checked_sub(1) else { return stop(Cause::Depth) };
        self.at += 1;
        let start = self.open.len();
        let mut result = self.properties(depth);
        let mut object = Map::with_capacity(self.open.len() - start);
        for (name, value) in self.open.drain(start..) {
            match object.entry(name) {
                serde_json::map::Entry::Vacant(place) => drop(place.insert(value)),
                serde_json::map::Entry::Occupied(place) if result.is_ok() => {
                    result = stop(Cause::Duplicate(place.key().clone()));
                }
                serde_json::map::Entry::Occupied(_) => {}
            }
        }
        if is_root && result.is_err() {
            self.root = object.get("resourceType").and_then(Value::as_str).map(shown);
        }
        result.map(|()| Value::Object(object))
    }

    fn properties(&mut self, depth: usize) -> Read<()> {
        let mut next = self.token();
        if next == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if next != Some(b'"') {
                return stop(Cause::Syntax(self.at, "a property name in quotes"));
            }
            let name = self.name()?;
            let value = match self.token() {
                Some(first) => self.value(first, depth),
                None => stop(Cause::Syntax(self.at, "a JSON value")),
            };
            let value = step(value, || Step::Property(name.clone()))?;
            self.open.push((name, value));
            match self.token() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return stop(Cause::Syntax(self.at, "',' or '}'")),
            }
            next = self.token();
        }
    }

    fn name(&mut self) -> Read<String> {
        let name = self.string()?;
        // serde_json carries exact numbers and raw text under such names; read back from text
        // they would turn into something else.
        if name.starts_with("$serde_json::") {
            return stop(Cause::Reserved(name));
        }
        match self.token() {
            Some(b':') => self.at += 1,
            _ => return stop(Cause::Syntax(self.at, "':'")),
        }
        Ok(name)
    }

    fn error(&self, stop: Stop, depth: usize) -> FhirError {
        let at = expression(self.root.as_deref(), &stop.steps);
        let place = |offset| {
            let (line, column) = position(self.source.as_bytes(), offset);
            format!("line {line} column {column}")
        };
        let limit = |text: String| FhirError::at(IssueCode::TooCostly, at.clone(), text);
        match stop.cause {
            Cause::Syntax(offset, expected) => {
                structure(at, format!("Not JSON at {}: expected {expected}", place(offset)))
            }
            Cause::Duplicate(name) => {
                let name = shown(&name);
                structure(at, format!("The property '{name}' stands twice in this object"))
            }
            Cause::Reserved(name) => {
                structure(at, format!("'{}' is no property of FHIR", shown(&name)))
            }
            Cause::Exponent(offset) => {
                let place = place(offset);
                structure(at, format!("The exponent at {place} is not within ±{MAX_EXPONENT}"))
            }
            Cause::LongNumber(offset) => limit(format!(
                "The number at {} is longer than the limit of {MAX_BYTES} characters",
                place(offset)
            )),
            Cause::Depth => limit(format!("Nested deeper than the limit of {depth} levels")),
            Cause::Nodes => {
                limit(format!("More JSON values than the limit of {}", self.limits.nodes))
            }
            Cause::Items => {
                limit(format!("More items than the limit of {} a list", self.limits.array_items))
            }
            Cause::StringBytes(bytes) => limit(format!(
                "A string of {bytes} bytes is over the limit of {}",
                self.limits.string_bytes
            )),
        }
    }
}

fn structure(expression: impl Into<String>, text: impl Into<String>) -> FhirError {
    FhirError::at(IssueCode::Structure, expression, text)
}

fn bad_string(bad: text::Bad) -> Cause {
    match bad {
        text::Bad::Unterminated(at) => Cause::Syntax(at, "the '\"' that ends the string"),
        text::Bad::Control(at) => Cause::Syntax(at, "control characters only as escapes (\\n)"),
        text::Bad::Escape(at) => Cause::Syntax(at, "an escape of RFC 8259, such as \\n or \\u00e9"),
        text::Bad::Surrogate(at) => Cause::Syntax(at, "a surrogate pair, not one half of it"),
        text::Bad::Nul(at) => Cause::Syntax(at, "a character other than NUL (\\u0000)"),
    }
}

/// True for what may be a base64Binary, which only the limit of the body binds; validation
/// holds every other type to the limit.
fn is_base64(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\n' | b'\r' | b' ')
    })
}

/// Line and column (in characters) of an offset, both from 1.
fn position(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = &bytes[..offset.min(bytes.len())];
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    (line, String::from_utf8_lossy(&before[start..]).chars().count() + 1)
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
