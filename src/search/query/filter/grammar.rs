//! The text of a filter as a tree. `and` and `or` have no precedence: they are evaluated from
//! left to right. Names may have a `:`, as chains and `_has` of ordinary parameters do.

use super::operator::{OPERATORS, Operator};
use crate::search::value::text;
use std::fmt;

/// A boolean expression over comparisons.
#[derive(Clone, PartialEq, Debug)]
pub enum Filter {
    Comparison(Comparison),
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
}

/// `path operator value`.
#[derive(Clone, PartialEq, Debug)]
pub struct Comparison {
    pub first: Step,
    /// What the steps before lead to.
    pub rest: Vec<Step>,
    pub operator: &'static Operator,
    /// Without the quotes and escapes of a JSON string.
    pub value: String,
}

/// One name of a path.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    pub name: String,
    /// What must hold where the name leads to, `name[filter].`; never at the last step.
    pub filter: Option<Box<Filter>>,
}

/// What a filter may hold at most.
#[derive(Clone, Copy)]
pub struct Bounds {
    pub comparisons: usize,
    pub depth: usize,
}

/// Why a text is no filter.
#[derive(Clone, PartialEq, Debug)]
pub enum Fault {
    /// The byte where it cannot be read further, and what should stand there.
    Syntax(usize, String),
    TooManyComparisons,
    TooDeep,
}

type Parsed<T> = Result<T, Fault>;

impl Filter {
    /// The filter and how many comparisons it has.
    pub fn parse(text: &str, bounds: Bounds) -> Parsed<(Filter, usize)> {
        let mut parser = Parser { text, at: 0, left: bounds };
        let filter = parser.filter()?;
        match parser.peek() {
            None => Ok((filter, bounds.comparisons - parser.left.comparisons)),
            Some(_) => Err(parser.expected("and, or, or the end of the filter")),
        }
    }

    /// Calls with every comparison, those within brackets left out.
    pub fn each(&self, see: &mut impl FnMut(&Comparison)) {
        match self {
            Filter::Comparison(comparison) => see(comparison),
            Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| part.each(see)),
            Filter::Not(part) => part.each(see),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// How much more there may be.
    left: Bounds,
}

impl<'a> Parser<'a> {
    fn filter(&mut self) -> Parsed<Filter> {
        let mut filter = self.term()?;
        loop {
            self.skip_space();
            if matches!(self.peek(), None | Some(')' | ']')) {
                return Ok(filter);
            }
            let at = self.at;
            let word = self.name();
            let is_and = word.eq_ignore_ascii_case("and");
            if !is_and && !word.eq_ignore_ascii_case("or") {
                self.at = at;
                return Err(self.expected("and, or, a closing bracket, or the end of the filter"));
            }
            filter = match (filter, is_and) {
                (Filter::And(mut parts), true) => {
                    parts.push(self.term()?);
                    Filter::And(parts)
                }
                (Filter::Or(mut parts), false) => {
                    parts.push(self.term()?);
                    Filter::Or(parts)
                }
                (before, true) => Filter::And(vec![before, self.term()?]),
                (before, false) => Filter::Or(vec![before, self.term()?]),
            };
        }
    }

    fn term(&mut self) -> Parsed<Filter> {
        self.skip_space();
        if self.peek() == Some('(') {
            return self.within(')');
        }
        let start = self.at;
        let name = self.name();
        if name.eq_ignore_ascii_case("not") {
            self.skip_space();
            return match self.peek() {
                Some('(') => Ok(Filter::Not(Box::new(self.within(')')?))),
                _ => Err(self.expected("( after not")),
            };
        }
        self.at = start;
        self.comparison().map(Filter::Comparison)
    }

    /// The filter between the bracket that stands here and its closing one.
    fn within(&mut self, closing: char) -> Parsed<Filter> {
        self.left.depth = self.left.depth.checked_sub(1).ok_or(Fault::TooDeep)?;
        self.at += 1;
        let filter = self.filter()?;
        if self.peek() != Some(closing) {
            return Err(self.expected(if closing == ')' { ")" } else { "]" }));
        }
        self.at += 1;
        self.left.depth += 1;
        Ok(filter)
    }

    fn comparison(&mut self) -> Parsed<Comparison> {
        let left = self.left.comparisons.checked_sub(1);
        self.left.comparisons = left.ok_or(Fault::TooManyComparisons)?;
        let mut steps = Vec::new();
        let last = loop {
            let step = self.step()?;
            match self.peek() {
                Some('.') => self.at += 1,
                _ if step.filter.is_some() => return Err(self.expected(". after ]")),
                _ => break step,
            }
            steps.push(step);
        };
        self.space("a space and an operator")?;
        let operator = self.operator()?;
        self.space("a space and a value")?;
        let value = self.value()?;
        steps.push(last);
        let first = steps.remove(0);
        Ok(Comparison { first, rest: steps, operator, value })
    }

    fn step(&mut self) -> Parsed<Step> {
        let starts = |first: char| first == '_' || first.is_ascii_alphabetic();
        if !self.peek().is_some_and(starts) {
            return Err(self.expected("the name of a search parameter, not, or ("));
        }
        let name = self.name().to_owned();
        let filter = match self.peek() {
            Some('[') => Some(Box::new(self.within(']')?)),
            _ => None,
        };
        Ok(Step { name, filter })
    }

    fn operator(&mut self) -> Parsed<&'static Operator> {
        let at = self.at;
        let code = self.name();
        OPERATORS.iter().find(|row| row.code.eq_ignore_ascii_case(code)).ok_or_else(|| {
            let codes: Vec<&str> = OPERATORS.iter().map(|row| row.code).collect();
            Fault::Syntax(at, format!("one of the operators {}", codes.join(" ")))
        })
    }

    /// A JSON string, or what stands before the next space, `)` or `]`.
    fn value(&mut self) -> Parsed<String> {
        let rest = &self.text[self.at..];
        if !rest.starts_with('"') {
            let ends = |letter: char| letter.is_whitespace() || matches!(letter, ')' | ']');
            let token = &rest[..rest.find(ends).unwrap_or(rest.len())];
            self.at += token.len();
            return match token.is_empty() {
                true => Err(self.expected("a value")),
                false => Ok(token.to_owned()),
            };
        }
        let mut is_escaped = false;
        let ends = |letter: char| {
            let is_end = letter == '"' && !is_escaped;
            is_escaped = letter == '\\' && !is_escaped;
            is_end
        };
        let end = rest[1..].find(ends).map(|end| end + 2);
        let string = end.and_then(|end| serde_json::from_str::<String>(&rest[..end]).ok());
        match (string, end) {
            (Some(string), Some(end)) if !string.contains('\0') => {
                self.at += end;
                Ok(string)
            }
            _ => Err(self.expected("a string as in JSON, without NUL")),
        }
    }

    /// Letters of a name; empty where there is none.
    fn name(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
        let name = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        self.at += name.len();
        name
    }

    fn space(&mut self, expected: &str) -> Parsed<()> {
        let before = self.at;
        self.skip_space();
        match self.at > before {
            true => Ok(()),
            false => Err(self.expected(expected)),
        }
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn expected(&self, what: &str) -> Fault {
        Fault::Syntax(self.at, what.to_owned())
    }
}

impl fmt::Display for Comparison {
    /// As in a filter, shortened, for messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in std::iter::once(&self.first).chain(&self.rest) {
            let dot = if std::ptr::eq(step, &self.first) { "" } else { "." };
            let filter = if step.filter.is_some() { "[...]" } else { "" };
            write!(f, "{dot}{}{filter}", text::beginning(&step.name, 100))?;
        }
        write!(f, " {} {}", self.operator.code, text::beginning(&self.value, 100))
    }
}
