//! The compiled tree of an expression.

use super::error::Result;
use super::evaluate::{self, Context};
use super::function::Function;
use super::item::{Item, System};
use super::node::Node;
use super::parser;
use serde_json::Value;
use std::fmt;

/// A parsed FHIRPath expression; can be kept and shared.
#[derive(Clone, Debug)]
pub struct Expression {
    source: Box<str>,
    pub(super) tree: Expr,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// The input of the expression or of the argument it is in: where a bare `name` starts.
    Focus,
    Literal(System<'static>),
    Empty,
    /// `%name`
    Variable(Box<str>),
    /// `$this`
    This,
    /// `$index`
    Index,
    /// `$total`
    Total,
    Path(Box<Expr>, Vec<Invocation>),
    Negation(Box<Expr>),
    /// Unary plus: the operand must be a number.
    Positive(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Union(Vec<Expr>),
    Is(Box<Expr>, TypeSpecifier),
    As(Box<Expr>, TypeSpecifier),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Invocation {
    Member(Box<str>),
    Call(Function, Vec<Expr>),
    /// `is(T)`
    Is(TypeSpecifier),
    /// `as(T)`
    As(TypeSpecifier),
    /// `ofType(T)`
    OfType(TypeSpecifier),
    At(Expr),
}

/// A type name, with `System` or `FHIR` before it or not.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TypeSpecifier {
    pub namespace: Option<Box<str>>,
    pub name: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Implies,
    Or,
    Xor,
    And,
    In,
    Contains,
    Equal,
    Equivalent,
    NotEqual,
    NotEquivalent,
    LessOrEqual,
    Less,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Concatenate,
    Multiply,
    Divide,
    Div,
    Mod,
}

impl Expression {
    /// Parses FHIRPath. Errors: syntax with its offset, unknown functions, wrong numbers of
    /// arguments, and expressions over the limits of length and depth.
    pub fn parse(source: &str) -> Result<Expression> {
        Ok(Expression { source: source.into(), tree: parser::parse(source)? })
    }

    /// The text that was parsed.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Evaluates over a resource, which is `%resource`, `%rootResource` and `%context`.
    pub fn evaluate<'a>(
        &'a self,
        context: &'a Context<'a>,
        root: &'a Value,
    ) -> Result<Vec<Item<'a>>> {
        self.evaluate_at(context, root, Node::of_resource(root))
    }

    /// Evaluates with `focus`, a node of `root`, as input and `%context`: invariants of an
    /// element, FHIRPath Patch. `%resource` is `root` unless the context names another.
    pub fn evaluate_at<'a>(
        &'a self,
        context: &'a Context<'a>,
        root: &'a Value,
        focus: Node<'a>,
    ) -> Result<Vec<Item<'a>>> {
        evaluate::evaluate(self, context, root, focus)
    }

    /// The truth of an invariant: an empty result counts as true, since a constraint that
    /// cannot be decided is not violated; a single item that is not Boolean counts as true.
    pub fn evaluate_boolean<'a>(
        &'a self,
        context: &'a Context<'a>,
        root: &'a Value,
        focus: Node<'a>,
    ) -> Result<bool> {
        let items = self.evaluate_at(context, root, focus)?;
        Ok(evaluate::truth(&items)?.unwrap_or(true))
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}
