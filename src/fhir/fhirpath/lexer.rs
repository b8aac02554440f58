//! Tokens of FHIRPath (N1 grammar, lexical rules).

use super::error::{FhirPathError, Result};

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token {
    /// An identifier or keyword.
    Word(String),
    /// An identifier in backticks (or, in old expressions, double quotes).
    Delimited(String),
    Text(String),
    Number(String),
    /// A date, dateTime or time literal without its `@`.
    Temporal(String),
    /// `$this`, `$index`, `$total`.
    Special(String),
    Symbol(&'static str),
    End,
}

pub(super) struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

/// Longest first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 23] = [
    "!=", "!~", "<=", ">=", "=", "~", "<", ">", "|", "&", "+", "-", "*", "/", ".", ",", "(", ")",
    "[", "]", "{", "}", "%",
];

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Lexer { source, at: 0 }
    }

    /// The next token and the offset where it starts.
    pub(super) fn next(&mut self) -> Result<(usize, Token)> {
        self.skip_blank()?;
        let start = self.at;
        let Some(first) = self.peek() else { return Ok((start, Token::End)) };
        let token = match first {
            'a'..='z' | 'A'..='Z' | '_' => Token::Word(self.word().to_owned()),
            '0'..='9' => Token::Number(self.number()),
            '\'' => Token::Text(self.quoted('\'')?),
            '`' => Token::Delimited(self.quoted('`')?),
            '"' => Token::Delimited(self.quoted('"')?),
            '@' => Token::Temporal(self.temporal()?),
            '$' => {
                self.at += 1;
                Token::Special(self.word().to_owned())
            }
            _ => Token::Symbol(self.symbol(first)?),
        };
        Ok((start, token))
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_blank(&mut self) -> Result<()> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
            } else if let Some(comment) = trimmed.strip_prefix("/*") {
                let open = FhirPathError::syntax(self.at, "The comment is not closed");
                self.at += comment.find("*/").ok_or(open)? + 4;
            } else {
                return Ok(());
            }
        }
    }

    fn word(&mut self) -> &'s str {
        self.take_while(|c| c.is_ascii_alphanumeric() || c == '_')
    }

    fn take_while(&mut self, accepts: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let end = rest.find(|c| !accepts(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn digits(&mut self) -> &'s str {
        self.take_while(|c| c.is_ascii_digit())
    }

    /// A dot belongs to the number only before a digit: `1.first()`.
    fn number(&mut self) -> String {
        let mut text = self.digits().to_owned();
        self.fraction(&mut text);
        text
    }

    fn fraction(&mut self, text: &mut String) {
        let mut ahead = self.rest().chars();
        if ahead.next() == Some('.') && ahead.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            text.push('.');
            text.push_str(self.digits());
        }
    }

    fn symbol(&mut self, first: char) -> Result<&'static str> {
        let rest = self.rest();
        let found = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
        let symbol = found.ok_or_else(|| {
            FhirPathError::syntax(self.at, format!("Unexpected character '{first}'"))
        })?;
        self.at += symbol.len();
        Ok(symbol)
    }

    fn quoted(&mut self, quote: char) -> Result<String> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let open = || FhirPathError::syntax(start, "The literal is not closed");
            let next = self.peek().ok_or_else(open)?;
            self.at += next.len_utf8();
            match next {
                c if c == quote => return Ok(text),
                '\\' => text.push(self.escape()?),
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let at = self.at;
        let wrong = || FhirPathError::syntax(at, "Unknown escape sequence");
        let code = self.peek().ok_or_else(wrong)?;
        self.at += code.len_utf8();
        Ok(match code {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'f' => '\u{c}',
            '\'' | '"' | '`' | '\\' | '/' => code,
            'u' => return self.code_point().ok_or_else(wrong),
            // R4's own invariants write regular expressions with single backslashes
            // (`matches('\.')`), which the grammar does not know.
            other => other,
        })
    }

    /// The character of `\uXXXX`, surrogate pairs included.
    fn code_point(&mut self) -> Option<char> {
        let unit = self.code_unit()?;
        if !(0xd800..0xdc00).contains(&unit) {
            return char::from_u32(unit);
        }
        self.at += self.rest().starts_with("\\u").then_some(2)?;
        let low = self.code_unit().filter(|low| (0xdc00..0xe000).contains(low))?;
        char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))
    }

    fn code_unit(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        let digits = digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(digits)?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    /// `2015-02-04T14:34:28.123+10:00`, any shorter form of it, or `T14:34`.
    fn temporal(&mut self) -> Result<String> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        if self.peek() == Some('T') {
            self.at += 1;
            text.push('T');
            self.clock(&mut text);
            return Ok(text);
        }
        text.push_str(self.digits());
        self.part(&mut text, '-');
        self.part(&mut text, '-');
        if self.peek() == Some('T') {
            self.at += 1;
            text.push('T');
            self.clock(&mut text);
            self.zone(&mut text);
        }
        match text.is_empty() {
            true => Err(FhirPathError::syntax(start, "A date or time must follow '@'")),
            false => Ok(text),
        }
    }

    fn clock(&mut self, text: &mut String) {
        text.push_str(self.digits());
        self.part(text, ':');
        self.part(text, ':');
        self.fraction(text);
    }

    fn part(&mut self, text: &mut String, separator: char) {
        let mut ahead = self.rest().chars();
        if ahead.next() == Some(separator) && ahead.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            text.push(separator);
            text.push_str(self.digits());
        }
    }

    fn zone(&mut self, text: &mut String) {
        let rest = self.rest().as_bytes();
        let length = match rest {
            [b'Z', ..] => 1,
            [b'+' | b'-', a, b, b':', c, d, ..]
                if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()) =>
            {
                6
            }
            _ => 0,
        };
        text.push_str(&self.rest()[..length]);
        self.at += length;
    }
}
