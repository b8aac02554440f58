//! Search parameter expressions compiled to straight-line steps.
//!
//! R4's parameters use paths, `|`, `as`, `where(x = 'literal')`, `where(resolve() is T)`, `[0]`
//! and `exists() and … != false` (search.html, searchparameter-registry.html). Those run over
//! borrowed JSON without building collections. Everything else that FHIRPath can say, a custom
//! SearchParameter may say: it goes to the general engine behind the same [`Program`].

mod compile;
mod run;

pub use run::Root;

use super::error::{FhirPathError, Result};
use super::evaluate::Context;
use super::expression::Expression;
use super::node::Node;
use crate::fhir::definitions::{Definitions, ResourceType, TypeId};
use serde_json::Value;

/// An expression compiled for the resources of one type.
pub struct Program {
    source: Expression,
    resource_type: ResourceType,
    /// The row of `resource_type` in the element table.
    root: TypeId,
    plan: Plan,
}

enum Plan {
    /// By the type of the node to start at.
    Paths(Vec<(TypeId, Vec<Path>)>),
    General,
}

/// Steps from the start node, and the type of the nodes at their end.
#[derive(Clone)]
struct Path {
    steps: Vec<Step>,
    type_id: TypeId,
}

#[derive(Clone)]
enum Step {
    Member(Member),
    /// Nodes of that type or one that specialises it.
    Type(TypeId),
    Filter(Test),
    /// The nth of all that these paths find.
    Nth(Vec<Path>, usize),
    /// The truth of a test, as a boolean node.
    Truth(Test),
    /// `%resource`
    Resource,
}

#[derive(Clone)]
struct Member {
    key: &'static str,
    /// `_key`, where the element is primitive.
    sibling: Option<Box<str>>,
    type_id: TypeId,
    /// True where the type of each node is in its `resourceType`.
    is_any_resource: bool,
}

/// A criterion; None stands for empty.
#[derive(Clone)]
enum Test {
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Exists(Vec<Path>),
    Equal(Vec<Path>, Literal),
    NotEqual(Vec<Path>, Literal),
    /// `resolve() is T`, read from the reference.
    ResolvesTo(TypeId),
}

#[derive(Clone)]
enum Literal {
    Text(Box<str>),
    Boolean(bool),
}

impl Program {
    /// Compiles `source` for resources of one type; alternatives that start at other types are
    /// dropped. Errors: not FHIRPath, or an element that the type does not have.
    pub fn compile(source: &str, resource_type: ResourceType) -> Result<Program> {
        Program::of_expression(&Expression::parse(source)?, resource_type)
    }

    /// As [`Program::compile`], of a parsed expression.
    pub fn of_expression(source: &Expression, resource_type: ResourceType) -> Result<Program> {
        Program::within(source, resource_type, None)
    }

    /// Compiles the expression of a composite parameter's component, which starts at the nodes
    /// that the composite's own expression found; `contexts` are that program's
    /// [`Program::types`].
    pub fn compile_component(
        source: &str,
        resource_type: ResourceType,
        contexts: &[TypeId],
    ) -> Result<Program> {
        Program::within(&Expression::parse(source)?, resource_type, Some(contexts))
    }

    fn within(
        source: &Expression,
        resource_type: ResourceType,
        contexts: Option<&[TypeId]>,
    ) -> Result<Program> {
        let root = Definitions::r4().type_id(resource_type.name());
        let root = root.ok_or_else(|| FhirPathError::semantic("Unknown resource type"))?;
        let contexts = contexts.unwrap_or(std::slice::from_ref(&root));
        let plan = compile::plan(&source.tree, resource_type, contexts)?;
        Ok(Program { source: source.clone(), resource_type, root, plan })
    }

    /// The types that the nodes found may have; empty where that is not known.
    pub fn types(&self) -> Vec<TypeId> {
        let mut types = Vec::new();
        if let Plan::Paths(starts) = &self.plan {
            for path in starts.iter().flat_map(|(_, paths)| paths) {
                if !types.contains(&path.type_id) {
                    types.push(path.type_id);
                }
            }
        }
        types
    }

    /// True where the expression is within the subset that runs without the general engine.
    pub fn is_straight_line(&self) -> bool {
        matches!(self.plan, Plan::Paths(_))
    }

    /// True where no resource of the type can yield anything: all alternatives are of others.
    pub fn is_empty(&self) -> bool {
        match &self.plan {
            Plan::Paths(starts) => starts.iter().all(|(_, paths)| paths.is_empty()),
            Plan::General => false,
        }
    }

    pub fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    /// The expression as written.
    pub fn source(&self) -> &str {
        self.source.source()
    }

    /// Visits what the expression finds in a resource of the program's type. A node is visited
    /// once per alternative that finds it. Errors come from the general engine only.
    pub fn run(&self, resource: &Value, visit: &mut dyn FnMut(Node<'_>)) -> Result<()> {
        self.run_in(Root { resource, container: resource }, visit)
    }

    /// The same in a resource that another one may contain.
    pub fn run_in(&self, root: Root<'_>, visit: &mut dyn FnMut(Node<'_>)) -> Result<()> {
        self.run_at(root, Node::new(Some(root.resource), None, Some(self.root)), visit)
    }

    /// As [`Program::run`], from a node of the resource: the components of a composite.
    pub fn run_at(
        &self,
        root: Root<'_>,
        start: Node<'_>,
        visit: &mut dyn FnMut(Node<'_>),
    ) -> Result<()> {
        match &self.plan {
            Plan::Paths(starts) => {
                let found = starts.iter().find(|(id, _)| Some(*id) == start.type_id());
                for path in found.iter().flat_map(|(_, paths)| paths) {
                    run::walk(&path.steps, start, root, visit);
                }
                Ok(())
            }
            Plan::General => self.run_general(root, start, visit),
        }
    }

    fn run_general(
        &self,
        root: Root<'_>,
        start: Node<'_>,
        visit: &mut dyn FnMut(Node<'_>),
    ) -> Result<()> {
        let context = Context { resource: Some(root.resource), ..Context::default() };
        for item in self.source.evaluate_at(&context, root.container, start)? {
            item.with_node(visit);
        }
        Ok(())
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
