//! From text to tree: the grammar of FHIRPath N1 by precedence climbing.

use super::error::{FhirPathError, Result};
use super::expression::{Expr, Invocation, Operator, TypeSpecifier};
use super::function::Function;
use super::item::System;
use super::lexer::{Lexer, Token};
use super::quantity::{Quantity, calendar_unit};
use super::temporal::Temporal;
use super::{MAX_DEPTH, MAX_LENGTH, MAX_NESTING};
use rust_decimal::Decimal;
use std::borrow::Cow;

pub(super) fn parse(source: &str) -> Result<Expr> {
    if source.len() > MAX_LENGTH {
        let text = format!("An expression has at most {MAX_LENGTH} bytes");
        return Err(FhirPathError::too_costly(text));
    }
    let mut lexer = Lexer::new(source);
    let (at, token) = lexer.next()?;
    let mut parser = Parser { lexer, token, at, nesting: 0, depth: 0 };
    let tree = parser.expression(0)?.tree;
    match parser.token {
        Token::End => Ok(tree),
        _ => Err(parser.unexpected("the end")),
    }
}

struct Parser<'s> {
    lexer: Lexer<'s>,
    token: Token,
    at: usize,
    nesting: usize,
    /// Calls of `expression` that are open.
    depth: usize,
}

/// A tree and the number of operators on its longest way down.
struct Part {
    tree: Expr,
    depth: usize,
}

impl Part {
    fn leaf(tree: Expr) -> Self {
        Part { tree, depth: 1 }
    }
}

enum Infix {
    Operator(Operator),
    Union,
    Is,
    As,
}

const UNION: u8 = 7;
const TYPE: u8 = 8;
const POLARITY: u8 = 11;

impl Infix {
    /// What an operator token means and how tightly it binds.
    fn of(token: &Token) -> Option<(Infix, u8)> {
        use Operator::*;
        let text = match token {
            Token::Symbol(symbol) => symbol,
            Token::Word(word) => word.as_str(),
            _ => return None,
        };
        let (operator, level) = match text {
            "implies" => (Implies, 1),
            "or" => (Or, 2),
            "xor" => (Xor, 2),
            "and" => (And, 3),
            "in" => (In, 4),
            "contains" => (Contains, 4),
            "=" => (Equal, 5),
            "~" => (Equivalent, 5),
            "!=" => (NotEqual, 5),
            "!~" => (NotEquivalent, 5),
            "<=" => (LessOrEqual, 6),
            "<" => (Less, 6),
            ">" => (Greater, 6),
            ">=" => (GreaterOrEqual, 6),
            "|" => return Some((Infix::Union, UNION)),
            "is" => return Some((Infix::Is, TYPE)),
            "as" => return Some((Infix::As, TYPE)),
            "+" => (Add, 9),
            "-" => (Subtract, 9),
            "&" => (Concatenate, 9),
            "*" => (Multiply, 10),
            "/" => (Divide, 10),
            "div" => (Div, 10),
            "mod" => (Mod, 10),
            _ => return None,
        };
        Some((Infix::Operator(operator), level))
    }
}

impl Parser<'_> {
    fn advance(&mut self) -> Result<Token> {
        let (at, token) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn unexpected(&self, wanted: &str) -> FhirPathError {
        let found = match &self.token {
            Token::End => "the end".to_owned(),
            Token::Word(text) | Token::Number(text) => format!("'{text}'"),
            Token::Delimited(text) => format!("`{text}`"),
            Token::Text(_) => "a string".to_owned(),
            Token::Temporal(text) => format!("'@{text}'"),
            Token::Special(text) => format!("'${text}'"),
            Token::Symbol(symbol) => format!("'{symbol}'"),
        };
        FhirPathError::syntax(self.at, format!("Expected {wanted}, found {found}"))
    }

    fn is_at(&self, symbol: &str) -> bool {
        matches!(self.token, Token::Symbol(found) if found == symbol)
    }

    fn expect(&mut self, symbol: &'static str) -> Result<()> {
        match self.is_at(symbol) {
            true => self.advance().map(drop),
            false => Err(self.unexpected(&format!("'{symbol}'"))),
        }
    }

    /// Operators that bind tighter than `floor`.
    fn expression(&mut self, floor: u8) -> Result<Part> {
        self.depth = self.deeper(self.depth)?;
        let part = self.operators(floor)?;
        self.depth -= 1;
        Ok(part)
    }

    fn operators(&mut self, floor: u8) -> Result<Part> {
        let mut left = self.operand()?;
        while let Some((infix, level)) = Infix::of(&self.token).filter(|(_, level)| *level > floor)
        {
            self.advance()?;
            left = match infix {
                Infix::Is => self.type_operator(left, Expr::Is)?,
                Infix::As => self.type_operator(left, Expr::As)?,
                Infix::Union => {
                    let right = self.expression(level)?;
                    self.union(left, right)?
                }
                Infix::Operator(operator) => {
                    let right = self.expression(level)?;
                    let depth = self.deeper(left.depth.max(right.depth))?;
                    let (left, right) = (Box::new(left.tree), Box::new(right.tree));
                    Part { tree: Expr::Binary(operator, left, right), depth }
                }
            };
        }
        Ok(left)
    }

    fn deeper(&self, depth: usize) -> Result<usize> {
        match depth < MAX_DEPTH {
            true => Ok(depth + 1),
            false => Err(FhirPathError::too_costly("The expression has too many operators")),
        }
    }

    fn type_operator(
        &mut self,
        left: Part,
        make: fn(Box<Expr>, TypeSpecifier) -> Expr,
    ) -> Result<Part> {
        let specifier = self.type_specifier()?;
        let depth = self.deeper(left.depth)?;
        Ok(Part { tree: make(Box::new(left.tree), specifier), depth })
    }

    /// Unions are flat: search parameters join more than a hundred paths.
    fn union(&mut self, left: Part, right: Part) -> Result<Part> {
        let depth = self.deeper(left.depth.max(right.depth))?;
        Ok(match left.tree {
            Expr::Union(mut parts) => {
                parts.push(right.tree);
                Part { tree: Expr::Union(parts), depth: left.depth.max(depth - 1) }
            }
            tree => Part { tree: Expr::Union(vec![tree, right.tree]), depth },
        })
    }

    fn type_specifier(&mut self) -> Result<TypeSpecifier> {
        let name = self.identifier()?;
        if !self.is_at(".") {
            return Ok(TypeSpecifier { namespace: None, name });
        }
        self.advance()?;
        Ok(TypeSpecifier { namespace: Some(name), name: self.identifier()? })
    }

    fn identifier(&mut self) -> Result<Box<str>> {
        match &self.token {
            Token::Word(word) if is_identifier(word) => {}
            Token::Delimited(_) => {}
            _ => return Err(self.unexpected("a name")),
        }
        match self.advance()? {
            Token::Word(name) | Token::Delimited(name) => Ok(name.into()),
            _ => Err(self.unexpected("a name")),
        }
    }

    /// A term with its signs before it and its invocations after it.
    fn operand(&mut self) -> Result<Part> {
        let make: fn(Box<Expr>) -> Expr = match self.token {
            Token::Symbol("-") => Expr::Negation,
            Token::Symbol("+") => Expr::Positive,
            _ => return self.path(),
        };
        self.enter()?;
        self.advance()?;
        let operand = self.expression(POLARITY)?;
        self.nesting -= 1;
        let depth = self.deeper(operand.depth)?;
        Ok(Part { tree: make(Box::new(operand.tree)), depth })
    }

    fn enter(&mut self) -> Result<()> {
        self.nesting += 1;
        match self.nesting <= MAX_NESTING {
            true => Ok(()),
            false => Err(FhirPathError::too_costly("The expression is nested too deep")),
        }
    }

    fn path(&mut self) -> Result<Part> {
        let mut invocations = Vec::new();
        let mut depth = 1;
        let head = match &self.token {
            Token::Word(word) if is_identifier(word) && !is_literal(word) => {
                let invocation = self.invocation(&mut depth)?;
                invocations.push(invocation);
                Expr::Focus
            }
            Token::Delimited(_) => {
                let invocation = self.invocation(&mut depth)?;
                invocations.push(invocation);
                Expr::Focus
            }
            _ => {
                let term = self.term()?;
                depth = term.depth;
                term.tree
            }
        };
        loop {
            if self.is_at(".") {
                self.advance()?;
                let invocation = match &self.token {
                    Token::Special(_) => return Err(self.unexpected("a name")),
                    _ => self.invocation(&mut depth)?,
                };
                invocations.push(invocation);
            } else if self.is_at("[") {
                let index = self.nested("]")?;
                depth = depth.max(index.depth);
                invocations.push(Invocation::At(index.tree));
            } else {
                break;
            }
        }
        if invocations.is_empty() {
            return Ok(Part { tree: head, depth });
        }
        let depth = self.deeper(depth)?;
        Ok(Part { tree: Expr::Path(Box::new(head), invocations), depth })
    }

    /// An expression from an opening bracket, which is the current token, to `close`.
    fn nested(&mut self, close: &'static str) -> Result<Part> {
        self.enter()?;
        self.advance()?;
        let inner = self.expression(0)?;
        self.expect(close)?;
        self.nesting -= 1;
        Ok(inner)
    }

    fn term(&mut self) -> Result<Part> {
        match &self.token {
            Token::Symbol("(") => return self.nested(")"),
            Token::Symbol("{") => {
                self.advance()?;
                self.expect("}")?;
                return Ok(Part::leaf(Expr::Empty));
            }
            Token::Symbol("%") => {
                self.advance()?;
                return Ok(Part::leaf(Expr::Variable(self.variable()?)));
            }
            Token::Word(_) | Token::Text(_) | Token::Number(_) => {}
            Token::Temporal(_) | Token::Special(_) => {}
            _ => return Err(self.unexpected("a term")),
        }
        let at = self.at;
        Ok(Part::leaf(match self.advance()? {
            Token::Text(text) => Expr::Literal(System::String(Cow::Owned(text))),
            Token::Number(digits) => self.number(at, &digits)?,
            Token::Temporal(text) => {
                let wrong = || FhirPathError::syntax(at, "Not a date, dateTime or time");
                let temporal = Temporal::parse_literal(&text).ok_or_else(wrong)?;
                Expr::Literal(System::Temporal(temporal))
            }
            Token::Special(name) => match name.as_str() {
                "this" => Expr::This,
                "index" => Expr::Index,
                "total" => Expr::Total,
                _ => return Err(FhirPathError::syntax(at, format!("Unknown '${name}'"))),
            },
            Token::Word(word) if is_literal(&word) => {
                Expr::Literal(System::Boolean(word == "true"))
            }
            _ => return Err(FhirPathError::syntax(at, "Expected a term")),
        }))
    }

    fn variable(&mut self) -> Result<Box<str>> {
        match &self.token {
            Token::Text(_) => match self.advance()? {
                Token::Text(name) => Ok(name.into()),
                _ => Err(self.unexpected("a variable")),
            },
            _ => self.identifier(),
        }
    }

    /// A number, or a quantity where a unit follows.
    fn number(&mut self, at: usize, digits: &str) -> Result<Expr> {
        let wrong = || FhirPathError::syntax(at, "The number is out of range");
        let unit = match &self.token {
            Token::Text(unit) => Some(unit.clone()),
            Token::Word(word) => calendar_unit(word).map(|_| word.clone()),
            _ => None,
        };
        if let Some(unit) = unit {
            let is_calendar = matches!(self.token, Token::Word(_));
            self.advance()?;
            let value: Decimal = digits.parse().map_err(|_| wrong())?;
            let quantity = Quantity::new(value, unit, is_calendar);
            return Ok(Expr::Literal(System::Quantity(quantity)));
        }
        Ok(Expr::Literal(match digits.contains('.') {
            true => System::Decimal(digits.parse().map_err(|_| wrong())?),
            false => System::Integer(digits.parse().map_err(|_| wrong())?),
        }))
    }

    fn invocation(&mut self, depth: &mut usize) -> Result<Invocation> {
        let at = self.at;
        let name = self.identifier()?;
        if !self.is_at("(") {
            return Ok(Invocation::Member(name));
        }
        let type_call: Option<fn(TypeSpecifier) -> Invocation> = match &*name {
            "is" => Some(Invocation::Is),
            "as" => Some(Invocation::As),
            "ofType" => Some(Invocation::OfType),
            _ => None,
        };
        if let Some(make) = type_call {
            self.advance()?;
            let specifier = self.type_specifier()?;
            self.expect(")")?;
            return Ok(make(specifier));
        }
        let Some((function, least, most)) = Function::find(&name) else {
            return Err(FhirPathError::syntax(at, format!("Unknown function '{name}'")));
        };
        let arguments = self.arguments(depth)?;
        if !(least..=most).contains(&arguments.len()) {
            let text = format!("'{name}' takes {least} to {most} arguments");
            return Err(FhirPathError::syntax(at, text));
        }
        Ok(Invocation::Call(function, arguments))
    }

    fn arguments(&mut self, depth: &mut usize) -> Result<Vec<Expr>> {
        self.enter()?;
        self.advance()?;
        let mut arguments = Vec::new();
        while !self.is_at(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            let argument = self.expression(0)?;
            *depth = (*depth).max(argument.depth);
            arguments.push(argument.tree);
            if !self.is_at(",") && !self.is_at(")") {
                return Err(self.unexpected("',' or ')'"));
            }
        }
        self.advance()?;
        self.nesting -= 1;
        Ok(arguments)
    }
}

/// Words that only stand for an operator; `as`, `is`, `in` and `contains` may be names.
fn is_identifier(word: &str) -> bool {
    !matches!(word, "and" | "or" | "xor" | "implies" | "div" | "mod")
}

fn is_literal(word: &str) -> bool {
    matches!(word, "true" | "false")
}

#[cfg(test)]
mod tests {
    use super::super::{ErrorClass, Expression};

    fn class(source: &str) -> Option<ErrorClass> {
        Expression::parse(source).err().map(|error| error.class)
    }

    #[test]
    fn nesting_and_length_are_limited() {
        assert_eq!(class(&format!("{}1{}", "(".repeat(64), ")".repeat(64))), None);
        let deep = format!("{}1{}", "(".repeat(65), ")".repeat(65));
        assert_eq!(class(&deep), Some(ErrorClass::TooCostly));
        assert_eq!(class(&"-".repeat(9_000)), Some(ErrorClass::TooCostly));
        assert_eq!(class(&vec!["1"; 4_000].join("+")), Some(ErrorClass::TooCostly));
        assert_eq!(class(&"a".repeat(20_000)), Some(ErrorClass::TooCostly));
        assert_eq!(class(&vec!["a"; 4_000].join(".")), None);
        assert_eq!(class(&vec!["a"; 4_000].join("|")), None);
    }

    #[test]
    fn syntax_errors_carry_their_offset() {
        let position = |source| Expression::parse(source).err().and_then(|error| error.position);
        assert_eq!(position("name.given +"), Some(12));
        assert_eq!(position("name.where(use = 'x'"), Some(20));
        assert_eq!(position("name.nonsense()"), Some(5));
        assert_eq!(position("name ? 1"), Some(5));
        assert_eq!(position("'open"), Some(0));
    }

    #[test]
    fn words_of_operators_may_be_element_names() {
        for source in ["contains.is", "ValueSet.expansion.contains", "as.in", "`div`.mod1"] {
            assert_eq!(class(source), None, "{source}");
        }
    }
}
