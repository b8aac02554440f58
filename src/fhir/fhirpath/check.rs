//! Static checks of strict mode: whether a path can mean anything for its root type. What the
//! definitions cannot tell is let through.

use super::error::{FhirPathError, Result};
use super::expression::{Expr, Invocation, Operator, TypeSpecifier};
use super::function::Function;
use crate::fhir::definitions::{Definitions, Kind, TypeId};

/// Errors are semantic: unknown elements, `valueQuantity` for a choice, the type of another
/// resource at the start, order asked of what has none, a criterion that is no Boolean.
pub(super) fn check(tree: &Expr, root: Option<TypeId>) -> Result<()> {
    let root = root.map_or(Kinds::any(), |id| Kinds { known: Some(vec![id]), is_ordered: true });
    infer(tree, &root).map(drop)
}

/// The FHIR types that a collection may hold; None where that is open.
#[derive(Clone)]
struct Kinds {
    known: Option<Vec<TypeId>>,
    is_ordered: bool,
}

impl Kinds {
    fn any() -> Self {
        Kinds { known: None, is_ordered: true }
    }
}

fn infer(tree: &Expr, focus: &Kinds) -> Result<Kinds> {
    match tree {
        Expr::Focus => Ok(focus.clone()),
        Expr::Path(head, invocations) => {
            let mut kinds = infer(head, focus)?;
            for (index, invocation) in invocations.iter().enumerate() {
                let is_start = index == 0 && matches!(**head, Expr::Focus);
                kinds = invoke(invocation, kinds, (focus, is_start))?;
            }
            Ok(kinds)
        }
        Expr::Union(parts) => {
            parts.iter().try_fold(Kinds::any(), |_, part| infer(part, focus).map(|_| Kinds::any()))
        }
        Expr::As(of, specifier) => Ok(narrowed(infer(of, focus)?, specifier)),
        Expr::Is(of, _) | Expr::Negation(of) | Expr::Positive(of) => {
            infer(of, focus).map(|_| Kinds::any())
        }
        Expr::Binary(operator, left, right) => {
            infer(left, focus)?;
            infer(right, focus)?;
            let is_text =
                |tree: &Expr| matches!(tree, Expr::Literal(value) if value.type_name() == "String");
            match operator {
                Operator::Subtract if is_text(left) || is_text(right) => {
                    Err(FhirPathError::semantic("Strings cannot be subtracted"))
                }
                _ => Ok(Kinds::any()),
            }
        }
        _ => Ok(Kinds::any()),
    }
}

fn narrowed(kinds: Kinds, specifier: &TypeSpecifier) -> Kinds {
    let is_fhir = specifier.namespace.as_deref() != Some("System");
    let id = Definitions::r4().type_id(&specifier.name).filter(|_| is_fhir);
    Kinds { known: id.map(|id| vec![id]), ..kinds }
}

/// `place`: the focus of the path, and whether the invocation is its first, on that focus.
fn invoke(invocation: &Invocation, kinds: Kinds, place: (&Kinds, bool)) -> Result<Kinds> {
    match invocation {
        Invocation::Member(name) => member(name, kinds, place.1),
        Invocation::Is(_) => Ok(Kinds::any()),
        Invocation::As(specifier) | Invocation::OfType(specifier) => Ok(narrowed(kinds, specifier)),
        Invocation::At(index) => {
            infer(index, place.0)?;
            ordered(kinds, "An index")
        }
        Invocation::Call(function, arguments) => call(*function, arguments, kinds),
    }
}

fn ordered(kinds: Kinds, what: &str) -> Result<Kinds> {
    match kinds.is_ordered {
        true => Ok(kinds),
        false => Err(FhirPathError::semantic(format!("{what} needs an ordered collection"))),
    }
}

fn member(name: &str, kinds: Kinds, is_start: bool) -> Result<Kinds> {
    let definitions = Definitions::r4();
    let Some(known) = &kinds.known else { return Ok(kinds) };
    if is_start
        && let Some(named) = definitions.type_id(name)
        && definitions.type_def(named).is_resource()
    {
        return match known.iter().any(|id| definitions.is_a(*id, named)) {
            true => Ok(kinds),
            false => Err(FhirPathError::semantic(format!("The input is not a {name}"))),
        };
    }
    let mut found = Vec::new();
    let mut is_open = false;
    for id in known {
        let definition = definitions.type_def(*id);
        is_open |= definition.kind == Kind::AbstractResource;
        let element = match definition.child(name) {
            Some(child) if child.element.is_choice => None,
            Some(child) => Some(child.element),
            None => definition.element(name),
        };
        let types = element.iter().flat_map(|element| &element.types);
        found.extend(types.map(|element_type| element_type.id));
    }
    match (found.is_empty(), is_open) {
        (true, false) => {
            let of = known.first().map_or("the input", |id| definitions.type_def(*id).name);
            Err(FhirPathError::semantic(format!("{of} has no element '{name}'")))
        }
        (_, true) => Ok(Kinds { known: None, ..kinds }),
        _ => Ok(Kinds { known: Some(found), ..kinds }),
    }
}

fn call(function: Function, arguments: &[Expr], kinds: Kinds) -> Result<Kinds> {
    use Function::*;
    match function {
        Where | Exists | All | Select | Repeat | Aggregate | Sort => {
            let item = match function {
                Repeat | Aggregate => Kinds::any(),
                _ => kinds.clone(),
            };
            let mut last = Kinds::any();
            for argument in arguments {
                last = infer(argument, &item)?;
            }
            Ok(match function {
                Where | Sort => kinds,
                Select => last,
                _ => Kinds::any(),
            })
        }
        First | Last | Tail | Skip | Take => ordered(kinds, function.name()),
        Single | Distinct | Trace => Ok(kinds),
        Children | Descendants => Ok(Kinds { known: None, is_ordered: false }),
        Iif => match arguments.first() {
            Some(Expr::Literal(value)) if value.type_name() != "Boolean" => {
                Err(FhirPathError::semantic("The criterion of iif() must be Boolean"))
            }
            _ => Ok(Kinds::any()),
        },
        Extension => {
            let extension = Definitions::r4().type_id("Extension").map(|id| vec![id]);
            Ok(Kinds { known: extension, ..kinds })
        }
        _ => Ok(Kinds::any()),
    }
}
