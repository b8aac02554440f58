//! Walks the steps of a path over borrowed JSON.

use super::super::node::{Node, resource_type_id, spread};
use super::super::reference::target_type;
use super::{Literal, Member, Path, Step, Test};
use crate::fhir::definitions::Definitions;
use serde_json::{Map, Value};

static TRUE: Value = Value::Bool(true);
static FALSE: Value = Value::Bool(false);

/// What a path is read in.
#[derive(Clone, Copy)]
pub struct Root<'a> {
    pub resource: &'a Value,
    /// What contains it, or else itself: references to fragments are about that.
    pub container: &'a Value,
}

/// Visits the nodes at the end of `steps`. The depth of the recursion is that of the program.
pub(super) fn walk<'a>(
    steps: &[Step],
    node: Node<'a>,
    root: Root<'a>,
    visit: &mut dyn FnMut(Node<'a>),
) {
    let Some((step, rest)) = steps.split_first() else { return visit(node) };
    match step {
        Step::Member(member) => {
            let Some(object) = node.object() else { return };
            let (value, sibling) = properties(object, member);
            match (value, sibling) {
                (None, None) => {}
                (Some(value), None) if !value.is_array() && !member.is_any_resource => {
                    let child = Node::new(Some(value), None, Some(member.type_id));
                    if child.value().is_some() {
                        walk(rest, child, root, visit);
                    }
                }
                _ => {
                    let mut next = |child| walk(rest, child, root, visit);
                    spread(value, sibling, Some(member.type_id), &mut next);
                }
            }
        }
        Step::Type(wanted) => {
            let actual = node.value().and_then(resource_type_id).or(node.type_id());
            if actual.is_some_and(|actual| Definitions::r4().is_a(actual, *wanted)) {
                walk(rest, node, root, visit);
            }
        }
        Step::Filter(test) => {
            if truth(test, node, root) == Some(true) {
                walk(rest, node, root, visit);
            }
        }
        Step::Nth(paths, wanted) => {
            let mut index = 0;
            each(paths, node, root, &mut |found| {
                if index == *wanted {
                    walk(rest, found, root, visit);
                }
                index += 1;
            });
        }
        Step::Truth(test) => {
            if let Some(truth) = truth(test, node, root) {
                let value = if truth { &TRUE } else { &FALSE };
                let type_id = Definitions::r4().type_id("boolean");
                walk(rest, Node::new(Some(value), None, type_id), root, visit);
            }
        }
        Step::Resource => walk(rest, Node::of_resource(root.resource), root, visit),
    }
}

/// Objects of that many properties are searched faster than their keys are hashed.
const FEW: usize = 10;

/// The value of a member and its `_element`.
fn properties<'a>(
    object: &'a Map<String, Value>,
    member: &Member,
) -> (Option<&'a Value>, Option<&'a Value>) {
    if object.len() > FEW {
        let sibling = member.sibling.as_deref().and_then(|key| object.get(key));
        return (object.get(member.key), sibling);
    }
    let (mut value, mut sibling) = (None, None);
    for (key, property) in object {
        if key == member.key {
            value = Some(property);
        } else if member.sibling.as_deref().is_some_and(|wanted| key == wanted) {
            sibling = Some(property);
        }
    }
    (value, sibling)
}

fn each<'a>(paths: &[Path], node: Node<'a>, root: Root<'a>, visit: &mut dyn FnMut(Node<'a>)) {
    for path in paths {
        walk(&path.steps, node, root, visit);
    }
}

/// Three-valued, as the operators of FHIRPath are.
fn truth<'a>(test: &Test, node: Node<'a>, root: Root<'a>) -> Option<bool> {
    match test {
        Test::And(left, right) => match (truth(left, node, root), truth(right, node, root)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        Test::Or(left, right) => match (truth(left, node, root), truth(right, node, root)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        Test::Exists(paths) => {
            let mut exists = false;
            each(paths, node, root, &mut |_| exists = true);
            Some(exists)
        }
        Test::Equal(paths, literal) => equals(paths, literal, node, root),
        Test::NotEqual(paths, literal) => {
            equals(paths, literal, node, root).map(|is_equal| !is_equal)
        }
        Test::ResolvesTo(wanted) => {
            let target = node.value().and_then(|value| target_type(value, root.container))?;
            Some(Definitions::r4().is_a(target, *wanted))
        }
    }
}

/// A collection of several items equals no single literal.
fn equals<'a>(paths: &[Path], literal: &Literal, node: Node<'a>, root: Root<'a>) -> Option<bool> {
    let mut count = 0;
    let mut is_equal = false;
    each(paths, node, root, &mut |found| {
        count += 1;
        is_equal = match (found.value(), literal) {
            (Some(Value::String(text)), Literal::Text(wanted)) => **text == **wanted,
            (Some(Value::Bool(truth)), Literal::Boolean(wanted)) => truth == wanted,
            _ => false,
        };
    });
    match count {
        0 => None,
        1 => Some(is_equal),
        _ => Some(false),
    }
}
