//! Evaluation of the tree over borrowed JSON. Functions are grouped by what they work on.

mod collections;
mod conversion;
mod equality;
mod fhir;
mod math;
mod operators;
mod strings;
mod types;

use super::MAX_STEPS;
use super::error::{FhirPathError, Result};
use super::expression::{Expr, Expression, Invocation};
use super::function::Function;
use super::item::{Item, System};
use super::node::Node;
use super::temporal::Temporal;
use crate::clock::Clock;
use serde_json::Value;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

/// What an evaluation may lean on besides the resource.
#[derive(Clone, Default)]
pub struct Context<'c> {
    pub mode: Mode,
    pub clock: Clock,
    /// `%resource` where it is not the root: a contained resource.
    pub resource: Option<&'c Value>,
    /// Further `%name`s.
    pub variables: Vec<(&'c str, Vec<Item<'c>>)>,
    pub knowledge: Option<&'c dyn Knowledge>,
}

/// How much an expression may get wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Unknown elements are empty, and `as` filters collections: R4's own invariants (dom-3)
    /// and search parameters need it.
    #[default]
    Lenient,
    /// Paths are first checked against the definitions; what cannot mean anything is an error.
    Strict,
}

/// Answers that need more than the resource. None where they are not known, which makes
/// `conformsTo` an error and the others empty.
pub trait Knowledge: Send + Sync {
    /// `conformsTo(profile)`: whether the element or resource is valid against the profile.
    fn conforms_to(&self, node: &Node<'_>, profile: &str) -> Option<bool>;

    /// `memberOf(valueSet)`: of a code, Coding or CodeableConcept.
    fn member_of(&self, node: &Node<'_>, value_set: &str) -> Option<bool>;

    /// `subsumes(code)`: whether `ancestor` is `code` or above it, both of one code system.
    fn subsumes(&self, system: &str, ancestor: &str, code: &str) -> Option<bool>;
}

pub(super) type Items<'a> = Vec<Item<'a>>;

/// One evaluation: its resource, what it has cost so far, its time.
struct Evaluator<'a> {
    context: &'a Context<'a>,
    root: &'a Value,
    focus: Node<'a>,
    steps: Cell<u32>,
    now: OnceCell<Temporal>,
}

/// What names mean at one place of the tree.
#[derive(Clone, Copy)]
struct Scope<'s, 'a> {
    focus: &'s [Item<'a>],
    this: Option<&'s Item<'a>>,
    index: usize,
    total: &'s [Item<'a>],
}

impl<'s, 'a> Scope<'s, 'a> {
    /// The scope of a criterion or projection for one item.
    fn of_item(&self, item: &'s Item<'a>, index: usize) -> Scope<'s, 'a> {
        let focus = std::slice::from_ref(item);
        Scope { focus, this: Some(item), index, total: self.total }
    }
}

pub(super) fn evaluate<'a>(
    expression: &'a Expression,
    context: &'a Context<'a>,
    root: &'a Value,
    focus: Node<'a>,
) -> Result<Items<'a>> {
    if context.mode == Mode::Strict {
        super::check::check(&expression.tree, focus.type_id())?;
    }
    let (steps, now) = (Cell::new(0), OnceCell::new());
    let evaluator = Evaluator { context, root, focus, steps, now };
    let start = [Item::Node(focus)];
    let scope = Scope { focus: &start, this: Some(&start[0]), index: 0, total: &[] };
    evaluator.evaluate(&expression.tree, scope)
}

/// Singleton evaluation as Boolean (4.5): None for empty, true for one item of another type.
pub(super) fn truth(items: &[Item<'_>]) -> Result<Option<bool>> {
    match items {
        [] => Ok(None),
        [item] => match item.system() {
            Some(System::Boolean(truth)) => Ok(Some(truth)),
            _ => Ok(Some(true)),
        },
        _ => Err(FhirPathError::execution("Expected one Boolean, found several items")),
    }
}

fn boolean<'a>(truth: bool) -> Items<'a> {
    vec![Item::System(System::Boolean(truth))]
}

fn maybe_boolean<'a>(truth: Option<bool>) -> Items<'a> {
    maybe(truth.map(System::Boolean))
}

fn maybe(value: Option<System<'_>>) -> Items<'_> {
    value.map(Item::System).into_iter().collect()
}

fn string<'a>(text: impl Into<Cow<'a, str>>) -> Items<'a> {
    vec![Item::System(System::String(text.into()))]
}

fn single<'i, 'a>(items: &'i [Item<'a>], what: &str) -> Result<Option<&'i Item<'a>>> {
    match items {
        [] => Ok(None),
        [item] => Ok(Some(item)),
        _ => Err(FhirPathError::execution(format!("{what} needs one item, found several"))),
    }
}

/// The text of a singleton: None for empty, an error for another type.
fn text<'a>(items: &[Item<'a>], what: &str) -> Result<Option<Cow<'a, str>>> {
    let Some(item) = single(items, what)? else { return Ok(None) };
    match item.system() {
        Some(System::String(text)) => Ok(Some(text)),
        Some(System::Temporal(temporal)) if matches!(item, Item::Node(_)) => {
            Ok(Some(Cow::Owned(temporal.to_string())))
        }
        None if item.as_node().is_some_and(|node| !node.has_value() && node.value().is_none()) => {
            Ok(None)
        }
        _ => Err(FhirPathError::execution(format!("{what} needs a String"))),
    }
}

/// The number of a singleton, as [`text`].
fn integer(items: &[Item<'_>], what: &str) -> Result<Option<i64>> {
    let Some(item) = single(items, what)? else { return Ok(None) };
    match item.system() {
        Some(System::Integer(number)) => Ok(Some(number)),
        None => Ok(None),
        _ => Err(FhirPathError::execution(format!("{what} needs an Integer"))),
    }
}

impl<'a> Evaluator<'a> {
    /// Counts work, so that no expression runs for long.
    fn tick(&self, count: usize) -> Result<()> {
        let steps = self.steps.get().saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.steps.set(steps);
        match steps <= MAX_STEPS {
            true => Ok(()),
            false => Err(FhirPathError::too_costly("The evaluation takes too many steps")),
        }
    }

    fn evaluate(&self, tree: &'a Expr, scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        self.tick(1)?;
        match tree {
            Expr::Focus => Ok(scope.focus.to_vec()),
            Expr::Literal(literal) => Ok(vec![Item::System(borrowed(literal))]),
            Expr::Empty => Ok(Vec::new()),
            Expr::Variable(name) => self.variable(name),
            Expr::This => Ok(scope.this.cloned().into_iter().collect()),
            Expr::Index => Ok(vec![Item::System(System::Integer(scope.index as i64))]),
            Expr::Total => Ok(scope.total.to_vec()),
            Expr::Path(head, invocations) => self.path(head, invocations, scope),
            Expr::Negation(operand) => operators::negate(self.evaluate(operand, scope)?),
            Expr::Positive(operand) => operators::positive(self.evaluate(operand, scope)?),
            Expr::Binary(operator, left, right) => self.binary(*operator, (left, right), scope),
            Expr::Union(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    all.extend(self.evaluate(part, scope)?);
                }
                self.distinct(all)
            }
            Expr::Is(of, specifier) => {
                types::is(&self.evaluate(of, scope)?, specifier, self.context.mode)
                    .map(maybe_boolean)
            }
            Expr::As(of, specifier) => {
                types::as_type(self.evaluate(of, scope)?, specifier, self.context.mode)
            }
        }
    }

    fn path(
        &self,
        head: &'a Expr,
        invocations: &'a [Invocation],
        scope: Scope<'_, 'a>,
    ) -> Result<Items<'a>> {
        let mut rest = invocations.iter();
        let mut items = match (head, invocations.first()) {
            (Expr::Focus, Some(Invocation::Member(name))) => {
                rest.next();
                self.first_member(scope.focus, name)?
            }
            // Arguments see the focus itself, not a copy of it.
            (Expr::Focus, Some(first)) => {
                rest.next();
                self.invoke(scope.focus.to_vec(), first, scope)?
            }
            _ => self.evaluate(head, scope)?,
        };
        for invocation in rest {
            items = self.invoke(items, invocation, scope)?;
        }
        Ok(items)
    }

    fn invoke(
        &self,
        items: Items<'a>,
        invocation: &'a Invocation,
        scope: Scope<'_, 'a>,
    ) -> Result<Items<'a>> {
        match invocation {
            Invocation::Member(name) => self.members(&items, name),
            Invocation::Is(specifier) => {
                types::is(&items, specifier, self.context.mode).map(maybe_boolean)
            }
            Invocation::As(specifier) => types::as_type(items, specifier, self.context.mode),
            Invocation::OfType(specifier) => types::of_type(items, specifier),
            Invocation::At(index) => {
                let index = integer(&self.evaluate(index, scope)?, "An index")?;
                let index = index.and_then(|index| usize::try_from(index).ok());
                Ok(index.and_then(|index| items.into_iter().nth(index)).into_iter().collect())
            }
            Invocation::Call(function, arguments) => {
                self.call(Call { evaluator: self, function: *function, items, arguments, scope })
            }
        }
    }

    /// The first name of a path may be the type of what it starts at: `Patient.name`.
    fn first_member(&self, focus: &[Item<'a>], name: &str) -> Result<Items<'a>> {
        if name.starts_with(|first: char| first.is_ascii_uppercase()) {
            let is_named =
                |item: &&Item<'a>| item.as_node().is_some_and(|node| types::is_named(&node, name));
            let named: Items<'a> = focus.iter().filter(is_named).cloned().collect();
            if !named.is_empty() {
                return Ok(named);
            }
        }
        self.members(focus, name)
    }

    fn members(&self, items: &[Item<'a>], name: &str) -> Result<Items<'a>> {
        let mut found = Vec::new();
        for item in items {
            match item {
                Item::Node(node) => {
                    node.members(name, &mut |child| found.push(Item::Node(child)));
                }
                Item::System(system) => found.extend(types::system_member(system, name)),
            }
        }
        self.tick(found.len())?;
        Ok(found)
    }

    fn variable(&self, name: &str) -> Result<Items<'a>> {
        let variables = &self.context.variables;
        if let Some((_, items)) = variables.iter().find(|(known, _)| *known == name) {
            return Ok(items.clone());
        }
        let fhir = "http://hl7.org/fhir";
        Ok(match name {
            "resource" => {
                let resource = self.context.resource.unwrap_or(self.root);
                vec![Item::Node(Node::of_resource(resource))]
            }
            "rootResource" => vec![Item::Node(Node::of_resource(self.root))],
            "context" => vec![Item::Node(self.focus)],
            "ucum" => string("http://unitsofmeasure.org"),
            "sct" => string("http://snomed.info/sct"),
            "loinc" => string("http://loinc.org"),
            _ => {
                if let Some(name) = name.strip_prefix("vs-") {
                    string(format!("{fhir}/ValueSet/{name}"))
                } else if let Some(name) = name.strip_prefix("ext-") {
                    string(format!("{fhir}/StructureDefinition/{name}"))
                } else {
                    let text = format!("Unknown variable '%{name}'");
                    return Err(FhirPathError::execution(text));
                }
            }
        })
    }

    fn now(&self) -> Temporal {
        *self.now.get_or_init(|| Temporal::of_instant(self.context.clock.now()))
    }

    fn call(&self, call: Call<'_, '_, 'a>) -> Result<Items<'a>> {
        self.tick(1 + call.items.len() / 8)?;
        let call = match call.collection()? {
            Outcome::Done(items) => return Ok(items),
            Outcome::Other(call) => call,
        };
        let call = match call.string()? {
            Outcome::Done(items) => return Ok(items),
            Outcome::Other(call) => call,
        };
        let call = match call.math()? {
            Outcome::Done(items) => return Ok(items),
            Outcome::Other(call) => call,
        };
        match call.conversion()? {
            Outcome::Done(items) => Ok(items),
            Outcome::Other(call) => call.fhir(),
        }
    }
}

/// A function call: its input, and its arguments where they stand.
struct Call<'e, 's, 'a> {
    evaluator: &'e Evaluator<'a>,
    function: Function,
    items: Items<'a>,
    arguments: &'a [Expr],
    scope: Scope<'s, 'a>,
}

/// A group of functions either knows the call or hands it on.
enum Outcome<'e, 's, 'a> {
    Done(Items<'a>),
    Other(Call<'e, 's, 'a>),
}

impl<'a> Call<'_, '_, 'a> {
    /// An argument that is not applied to each item sees the focus of the whole path (4.1).
    fn argument(&self, index: usize) -> Result<Items<'a>> {
        match self.arguments.get(index) {
            Some(tree) => self.evaluator.evaluate(tree, self.scope),
            None => Ok(Vec::new()),
        }
    }

    fn name(&self) -> &'static str {
        self.function.name()
    }
}

fn borrowed<'a>(literal: &'a System<'static>) -> System<'a> {
    match literal {
        System::String(text) => System::String(Cow::Borrowed(&**text)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
