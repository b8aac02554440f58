//! Functions of strings (FHIRPath 5.6 and the additional string functions).

use super::super::error::{FhirPathError, Result};
use super::super::function::Function;
use super::super::item::{Item, System};
use super::{Call, Items, Outcome, boolean, integer, maybe, string, text};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use regex::{Regex, RegexBuilder};
use std::borrow::Cow;

/// Bytes of a string that a function may make.
const MAX_TEXT: usize = 4 << 20;
/// Bytes of a compiled regular expression.
const MAX_REGEX: usize = 1 << 20;

impl<'e, 's, 'a> Call<'e, 's, 'a> {
    pub(super) fn string(self) -> Result<Outcome<'e, 's, 'a>> {
        use Function::*;
        let is_known = matches!(
            self.function,
            IndexOf
                | LastIndexOf
                | Substring
                | StartsWith
                | EndsWith
                | Contains
                | Upper
                | Lower
                | Replace
                | Matches
                | MatchesFull
                | ReplaceMatches
                | Length
                | ToChars
                | Encode
                | Decode
                | Escape
                | Unescape
                | Trim
                | Split
                | Join
        );
        if !is_known {
            return Ok(Outcome::Other(self));
        }
        if self.function == Join {
            return Ok(Outcome::Done(self.join()?));
        }
        let Some(input) = text(&self.items, self.name())? else {
            return Ok(Outcome::Done(Vec::new()));
        };
        self.evaluator.tick(input.len() / 64)?;
        let done = match self.function {
            Substring => self.substring(&input)?,
            Upper => string(input.to_uppercase()),
            Lower => string(input.to_lowercase()),
            Length => vec![Item::System(System::Integer(input.chars().count() as i64))],
            ToChars => {
                self.evaluator.tick(input.len())?;
                input.chars().map(|c| Item::System(System::String(c.to_string().into()))).collect()
            }
            Trim => string(input.trim().to_owned()),
            Replace | ReplaceMatches => self.replace(&input)?,
            _ => match text(&self.argument(0)?, self.name())? {
                Some(argument) => self.with_text(&input, &argument)?,
                None => Vec::new(),
            },
        };
        Ok(Outcome::Done(done))
    }

    /// Functions of a string and one more.
    fn with_text(&self, input: &str, argument: &str) -> Result<Items<'a>> {
        let place = |bytes: Option<usize>| {
            let place = bytes.map_or(-1, |bytes| input[..bytes].chars().count() as i64);
            vec![Item::System(System::Integer(place))]
        };
        Ok(match self.function {
            Function::IndexOf => place(input.find(argument)),
            Function::LastIndexOf => place(input.rfind(argument)),
            Function::StartsWith => boolean(input.starts_with(argument)),
            Function::EndsWith => boolean(input.ends_with(argument)),
            Function::Contains => boolean(input.contains(argument)),
            Function::Matches => boolean(self.regex(argument)?.is_match(input)),
            Function::MatchesFull => {
                boolean(self.regex(&format!("^(?:{argument})$"))?.is_match(input))
            }
            Function::Encode => maybe(encode(input, argument)),
            Function::Decode => maybe(decode(input, argument)),
            Function::Escape => maybe(escape(input, argument)),
            Function::Unescape => maybe(unescape(input, argument)),
            Function::Split => {
                self.evaluator.tick(input.len())?;
                let part = |part: &str| Item::System(System::String(part.to_owned().into()));
                match argument.is_empty() {
                    true => input.chars().map(|c| part(c.encode_utf8(&mut [0; 4]))).collect(),
                    false => input.split(argument).map(part).collect(),
                }
            }
            _ => Vec::new(),
        })
    }

    fn regex(&self, pattern: &str) -> Result<Regex> {
        self.evaluator.tick(10 + pattern.len() / 8)?;
        RegexBuilder::new(pattern)
            .dot_matches_new_line(true)
            .size_limit(MAX_REGEX)
            .build()
            .map_err(|_| FhirPathError::execution("Not a regular expression that is supported"))
    }

    fn substring(&self, input: &str) -> Result<Items<'a>> {
        let Some(start) = integer(&self.argument(0)?, "substring()")? else {
            return Ok(Vec::new());
        };
        let length = match self.arguments.len() {
            2 => integer(&self.argument(1)?, "substring()")?,
            _ => None,
        };
        let Ok(start) = usize::try_from(start) else { return Ok(Vec::new()) };
        let mut rest = input.chars().skip(start).peekable();
        if rest.peek().is_none() {
            return Ok(Vec::new());
        }
        let length = length.map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(0));
        Ok(string(rest.take(length).collect::<String>()))
    }

    fn replace(&self, input: &str) -> Result<Items<'a>> {
        let (pattern, by) = (self.argument(0)?, self.argument(1)?);
        let (Some(pattern), Some(by)) = (text(&pattern, self.name())?, text(&by, self.name())?)
        else {
            return Ok(Vec::new());
        };
        if input.len().saturating_add(1).saturating_mul(by.len().saturating_add(1)) > MAX_TEXT {
            return Err(FhirPathError::too_costly("replace() would make too long a string"));
        }
        Ok(string(match self.function {
            Function::ReplaceMatches if pattern.is_empty() => input.to_owned(),
            Function::ReplaceMatches => self.regex(&pattern)?.replace_all(input, &*by).into_owned(),
            _ => input.replace(&*pattern, &by),
        }))
    }

    fn join(&self) -> Result<Items<'a>> {
        let separator = text(&self.argument(0)?, "join()")?.unwrap_or_default();
        let mut joined = String::new();
        for (index, item) in self.items.iter().enumerate() {
            let part = text(std::slice::from_ref(item), "join()")?.unwrap_or_default();
            if index > 0 {
                joined.push_str(&separator);
            }
            joined.push_str(&part);
            if joined.len() > MAX_TEXT {
                return Err(FhirPathError::too_costly("join() would make too long a string"));
            }
        }
        Ok(match self.items.is_empty() {
            true => Vec::new(),
            false => string(joined),
        })
    }
}

fn owned(text: String) -> System<'static> {
    System::String(Cow::Owned(text))
}

fn encode(input: &str, format: &str) -> Option<System<'static>> {
    Some(owned(match format {
        "base64" => STANDARD.encode(input),
        "urlbase64" => URL_SAFE.encode(input),
        "hex" => input.bytes().map(|byte| format!("{byte:02x}")).collect(),
        _ => return None,
    }))
}

fn decode(input: &str, format: &str) -> Option<System<'static>> {
    let bytes = match format {
        "base64" => STANDARD.decode(input).ok()?,
        "urlbase64" => URL_SAFE.decode(input).ok()?,
        "hex" => {
            let digits = input.as_bytes().chunks(2);
            let byte = |pair: &[u8]| {
                let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
                u8::from_str_radix(pair, 16).ok()
            };
            digits.map(byte).collect::<Option<Vec<u8>>>()?
        }
        _ => return None,
    };
    String::from_utf8(bytes).ok().map(owned)
}

const HTML: [(char, &str); 5] =
    [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#39;")];

fn escape(input: &str, target: &str) -> Option<System<'static>> {
    Some(owned(match target {
        "html" => {
            let escaped = |c: char| match HTML.iter().find(|(plain, _)| *plain == c) {
                Some((_, entity)) => (*entity).to_owned(),
                None => c.to_string(),
            };
            input.chars().map(escaped).collect()
        }
        "json" => {
            let quoted = serde_json::to_string(input).ok()?;
            quoted.strip_prefix('"')?.strip_suffix('"')?.to_owned()
        }
        _ => return None,
    }))
}

fn unescape(input: &str, target: &str) -> Option<System<'static>> {
    Some(owned(match target {
        // `&amp;` last, so that `&amp;lt;` becomes `&lt;`.
        "html" => HTML.iter().rev().fold(input.to_owned(), |text, (plain, entity)| {
            text.replace(entity, plain.encode_utf8(&mut [0; 4]))
        }),
        "json" => serde_json::from_str(&format!("\"{}\"", quotes_escaped(input))).ok()?,
        _ => return None,
    }))
}

/// A quote without its backslash stands for itself.
fn quotes_escaped(input: &str) -> String {
    let mut text = String::with_capacity(input.len() + 2);
    let mut is_escaped = false;
    for c in input.chars() {
        if c == '"' && !is_escaped {
            text.push('\\');
        }
        is_escaped = c == '\\' && !is_escaped;
        text.push(c);
    }
    text
}
