//! From tree to paths. What is not in the subset stops the compilation, and the general engine
//! takes the expression as it is.

use super::super::error::{FhirPathError, Result};
use super::super::expression::{Expr, Invocation, Operator, TypeSpecifier};
use super::super::function::Function;
use super::super::item::{System, fhir_name, is_kept_by_as};
use super::{Literal, Member, Path, Plan, Step, Test};
use crate::fhir::definitions::{Definitions, ElementType, Kind, ResourceType, TypeId};

/// Why a compilation stops.
enum Stop {
    Unsupported,
    Wrong(FhirPathError),
}

type Compiled<T> = std::result::Result<T, Stop>;

pub(super) fn plan(tree: &Expr, resource_type: ResourceType, contexts: &[TypeId]) -> Result<Plan> {
    let mut starts = Vec::with_capacity(contexts.len());
    for &context in contexts {
        match (Compiler { resource_type, context }).compile(tree) {
            Ok(paths) => starts.push((context, paths)),
            Err(Stop::Unsupported) => return Ok(Plan::General),
            Err(Stop::Wrong(error)) => return Err(error),
        }
    }
    match contexts.is_empty() {
        true => Ok(Plan::General),
        false => Ok(Plan::Paths(starts)),
    }
}

struct Compiler {
    resource_type: ResourceType,
    /// The type of the node that bare names start at.
    context: TypeId,
}

impl Compiler {
    fn within(&self, context: TypeId) -> Compiler {
        Compiler { resource_type: self.resource_type, context }
    }

    fn here(&self) -> Vec<Path> {
        vec![Path { steps: Vec::new(), type_id: self.context }]
    }

    fn compile(&self, tree: &Expr) -> Compiled<Vec<Path>> {
        match tree {
            Expr::Focus | Expr::This => Ok(self.here()),
            Expr::Path(head, invocations) => self.path(head, invocations),
            Expr::Union(parts) => {
                let mut paths = Vec::new();
                for part in parts {
                    paths.extend(self.compile(part)?);
                }
                Ok(paths)
            }
            Expr::As(of, specifier) => narrow(self.compile(of)?, specifier),
            Expr::Variable(name) if matches!(&**name, "resource" | "rootResource") => {
                let type_id = named_type(self.resource_type.name())?;
                Ok(vec![Path { steps: vec![Step::Resource], type_id }])
            }
            Expr::Binary(Operator::And | Operator::Or, ..) => {
                // Parameters write `Patient.x.exists() and …`: without Patient there is no truth.
                let test = self.test(tree)?;
                Ok(vec![truth(test)?])
            }
            _ => Err(Stop::Unsupported),
        }
    }

    fn path(&self, head: &Expr, invocations: &[Invocation]) -> Compiled<Vec<Path>> {
        let (mut paths, mut rest) = (self.compile(head)?, invocations);
        if let (Expr::Focus, [Invocation::Member(name), tail @ ..]) = (head, invocations)
            && name.starts_with(|first: char| first.is_ascii_uppercase())
        {
            rest = tail;
            paths = self.start(name)?;
        }
        for invocation in rest {
            paths = match invocation {
                Invocation::Member(name) => members(paths, name)?,
                Invocation::At(Expr::Literal(System::Integer(index))) => {
                    let index = usize::try_from(*index).map_err(|_| Stop::Unsupported)?;
                    nth(paths, index)?
                }
                Invocation::As(specifier) | Invocation::OfType(specifier) => {
                    narrow(paths, specifier)?
                }
                Invocation::Call(function, arguments) => self.call(paths, *function, arguments)?,
                Invocation::At(_) | Invocation::Is(_) => return Err(Stop::Unsupported),
            };
        }
        Ok(paths)
    }

    /// A type name at the start: the start node where it is of that type, else nothing.
    fn start(&self, name: &str) -> Compiled<Vec<Path>> {
        let wanted = named_type(name)?;
        match Definitions::r4().is_a(self.context, wanted) {
            true => Ok(self.here()),
            false => Ok(Vec::new()),
        }
    }

    fn call(
        &self,
        paths: Vec<Path>,
        function: Function,
        arguments: &[Expr],
    ) -> Compiled<Vec<Path>> {
        match (function, arguments) {
            (Function::Where, [criterion]) => self.filter(paths, criterion),
            (Function::First, []) => nth(paths, 0),
            (Function::Exists, []) => Ok(vec![truth(Test::Exists(paths))?]),
            (Function::Extension, [Expr::Literal(System::String(url))]) => {
                let paths = members(paths, "extension")?;
                let wanted = Literal::Text((&**url).into());
                Ok(paths
                    .into_iter()
                    .map(|mut path| {
                        let here = vec![Path { steps: Vec::new(), type_id: path.type_id }];
                        let url = members(here, "url")?;
                        path.steps.push(Step::Filter(Test::Equal(url, wanted.clone())));
                        Ok(path)
                    })
                    .collect::<Compiled<_>>()?)
            }
            _ => Err(Stop::Unsupported),
        }
    }

    /// Alternatives for which the criterion makes no sense are dropped; it must for one.
    fn filter(&self, paths: Vec<Path>, criterion: &Expr) -> Compiled<Vec<Path>> {
        let mut kept = Vec::new();
        let mut wrong = None;
        for mut path in paths {
            match self.within(path.type_id).test(criterion) {
                Ok(test) => {
                    path.steps.push(Step::Filter(test));
                    kept.push(path);
                }
                Err(Stop::Wrong(error)) => wrong = Some(error),
                Err(Stop::Unsupported) => return Err(Stop::Unsupported),
            }
        }
        match wrong {
            Some(error) if kept.is_empty() => Err(Stop::Wrong(error)),
            _ => Ok(kept),
        }
    }

    fn test(&self, criterion: &Expr) -> Compiled<Test> {
        match criterion {
            Expr::Binary(Operator::And, left, right) => {
                Ok(Test::And(Box::new(self.test(left)?), Box::new(self.test(right)?)))
            }
            Expr::Binary(Operator::Or, left, right) => {
                Ok(Test::Or(Box::new(self.test(left)?), Box::new(self.test(right)?)))
            }
            Expr::Binary(Operator::Equal, left, right) => {
                Ok(Test::Equal(self.compile(left)?, literal(right)?))
            }
            Expr::Binary(Operator::NotEqual, left, right) => {
                Ok(Test::NotEqual(self.compile(left)?, literal(right)?))
            }
            Expr::Is(left, specifier) => match &**left {
                Expr::Path(head, calls) if is_resolve(head, calls) => self.resolves_to(specifier),
                _ => Err(Stop::Unsupported),
            },
            Expr::Path(head, calls) => match calls.split_last() {
                Some((Invocation::Is(specifier), calls)) if is_resolve(head, calls) => {
                    self.resolves_to(specifier)
                }
                Some((Invocation::Call(Function::Exists, arguments), calls))
                    if arguments.is_empty() =>
                {
                    Ok(Test::Exists(self.path(head, calls)?))
                }
                _ => Err(Stop::Unsupported),
            },
            _ => Err(Stop::Unsupported),
        }
    }

    fn resolves_to(&self, specifier: &TypeSpecifier) -> Compiled<Test> {
        let definition = Definitions::r4().type_def(self.context);
        match definition.name == "Reference" || definition.is_primitive() {
            true => Ok(Test::ResolvesTo(named_type(&specifier.name)?)),
            false => Err(Stop::Wrong(FhirPathError::semantic(format!(
                "resolve() needs a Reference, not {}",
                definition.name
            )))),
        }
    }
}

fn is_resolve(head: &Expr, calls: &[Invocation]) -> bool {
    matches!(head, Expr::Focus | Expr::This)
        && matches!(calls, [Invocation::Call(Function::Resolve, _)])
}

fn literal(tree: &Expr) -> Compiled<Literal> {
    match tree {
        Expr::Literal(System::String(text)) => Ok(Literal::Text((&**text).into())),
        Expr::Literal(System::Boolean(truth)) => Ok(Literal::Boolean(*truth)),
        _ => Err(Stop::Unsupported),
    }
}

fn truth(test: Test) -> Compiled<Path> {
    Ok(Path { steps: vec![Step::Truth(test)], type_id: named_type("boolean")? })
}

/// The nth of a union of different types has no type of its own.
fn nth(paths: Vec<Path>, index: usize) -> Compiled<Vec<Path>> {
    let Some(type_id) = paths.first().map(|path| path.type_id) else { return Ok(paths) };
    match paths.iter().all(|path| path.type_id == type_id) {
        true => Ok(vec![Path { steps: vec![Step::Nth(paths, index)], type_id }]),
        false => Err(Stop::Unsupported),
    }
}

fn named_type(name: &str) -> Compiled<TypeId> {
    let unknown = || FhirPathError::semantic(format!("Unknown type '{name}'"));
    Definitions::r4().type_id(name).ok_or_else(|| Stop::Wrong(unknown()))
}

/// `x as T` and `x.as(T)` are filters here, as R4's parameters need: a strict `as` allows one
/// item at most. `DateTime` stands for `dateTime`, which a composite of R4 writes so.
fn narrow(paths: Vec<Path>, specifier: &TypeSpecifier) -> Compiled<Vec<Path>> {
    let definitions = Definitions::r4();
    let wanted = match definitions.type_id(&specifier.name) {
        Some(id) => id,
        None => named_type(fhir_name(&specifier.name))?,
    };
    let mut kept = Vec::new();
    for mut path in paths {
        if is_kept_by_as(path.type_id, wanted) {
            kept.push(path);
        } else if definitions.type_def(path.type_id).kind == Kind::AbstractResource
            && definitions.is_a(wanted, path.type_id)
        {
            path.steps.push(Step::Type(wanted));
            path.type_id = wanted;
            kept.push(path);
        }
    }
    Ok(kept)
}

/// The paths to a named element; a choice makes one for each of its types.
fn members(paths: Vec<Path>, name: &str) -> Compiled<Vec<Path>> {
    let mut found = Vec::new();
    let mut missing = None;
    for path in paths {
        let definition = Definitions::r4().type_def(path.type_id);
        let types: &[ElementType] = match (definition.child(name), definition.element(name)) {
            (Some(child), _) if !child.element.is_choice => {
                std::slice::from_ref(child.element_type)
            }
            (None, Some(element)) => &element.types,
            _ if definition.kind == Kind::AbstractResource => return Err(Stop::Unsupported),
            _ => {
                missing = Some(definition.name);
                &[]
            }
        };
        found.extend(types.iter().map(|element_type| {
            let mut steps = path.steps.clone();
            steps.push(Step::Member(member(element_type)));
            Path { steps, type_id: element_type.id }
        }));
    }
    match missing {
        Some(type_name) if found.is_empty() => {
            let text = format!("{type_name} has no element '{name}'");
            Err(Stop::Wrong(FhirPathError::semantic(text)))
        }
        _ => Ok(found),
    }
}

fn member(element_type: &ElementType) -> Member {
    let key = element_type.json_name;
    let kind = Definitions::r4().type_def(element_type.id).kind;
    Member {
        key,
        sibling: (kind == Kind::Primitive).then(|| format!("_{key}").into()),
        type_id: element_type.id,
        is_any_resource: kind == Kind::AbstractResource,
    }
}
