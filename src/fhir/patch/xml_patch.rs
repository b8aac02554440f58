//! XML Patch: <https://www.rfc-editor.org/rfc/rfc5261>, on the XML form of the resource.
//!
//! In `sel` the prefixes `f` and `h` stand for FHIR and XHTML where the patch declares no other;
//! a name without a prefix is in the default namespace of the patch. Left out: processing
//! instructions, which no resource has, and replacing or removing namespace declarations.

use super::fault::{check_work, malformed, too_costly, unfit};
use super::xml_tree::{Attribute, Node, Tree};
use super::xpath::{Found, Selector};
use crate::error::{ErrorKind, FhirError, Issue, IssueCode, Result};
use crate::fhir::xml::{self, FHIR_NAMESPACE, Layout, XHTML_NAMESPACE};
use crate::limits::Limits;
use serde_json::Value;
use std::borrow::Cow;

/// 400 where the patch is not a `diff` with operations; 422 at the first that fails, or where
/// the result is no resource.
pub(super) fn apply(patch: &[u8], resource: &Value, limits: &Limits) -> Result<Value> {
    let diff = xml::text_of(patch)?;
    let target = xml::write(resource, Layout::Compact)?;
    let patched = apply_to_text(diff, &target, limits)?;
    let refuse = |error| FhirError { kind: ErrorKind::Unprocessable, ..error };
    xml::read(patched.as_bytes(), limits).map_err(refuse)
}

/// The patched document.
pub(super) fn apply_to_text(diff: &str, target: &str, limits: &Limits) -> Result<String> {
    let refuse = |issue: Issue| FhirError::of_issues(ErrorKind::BadRequest, vec![issue]);
    let diff = Tree::parse(diff, limits).map_err(refuse)?;
    let operations: Vec<usize> = diff.child_elements(diff.root).collect();
    if !matches!(diff.elements[diff.root].local, "diff" | "patch") {
        return Err(malformed("", "An XML Patch is a 'diff' element with operations"));
    }
    if operations.is_empty() {
        return Err(malformed("", "The patch has no operations"));
    }
    if operations.len() > limits.patch_operations {
        let text = format!("More than {} operations", limits.patch_operations);
        return Err(too_costly("", text));
    }
    check_work(operations.len(), target.len() / 16)?;
    let target_limits = Limits { nodes: usize::MAX, ..limits.clone() };
    let mut tree = Tree::parse(target, &target_limits).map_err(refuse)?;
    for (index, element) in operations.into_iter().enumerate() {
        let at = format!("operation[{index}]");
        let operation = Operation { diff: &diff, element, at, limits };
        match diff.elements[element].local {
            "add" => operation.add(&mut tree)?,
            "replace" => operation.replace(&mut tree)?,
            "remove" => operation.remove(&mut tree)?,
            name => {
                let text = format!("'{name}' is not an operation of XML Patch");
                return Err(malformed(&operation.at, text));
            }
        }
    }
    Ok(tree.write())
}

struct Operation<'d, 's> {
    diff: &'d Tree<'s>,
    element: usize,
    /// `operation[2]`
    at: String,
    limits: &'d Limits,
}

impl<'s> Operation<'_, 's> {
    fn attribute(&self, name: &str) -> Option<&str> {
        let index = self.diff.attribute(self.element, "", name)?;
        Some(&self.diff.elements[self.element].attributes[index].value)
    }

    fn resolve(&self, prefix: &str) -> Option<String> {
        let declared = self.diff.namespace(self.element, prefix);
        declared.map(str::to_owned).or_else(|| match prefix {
            "f" => Some(FHIR_NAMESPACE.to_owned()),
            "h" => Some(XHTML_NAMESPACE.to_owned()),
            _ => None,
        })
    }

    /// The one node that `sel` selects.
    fn selected(&self, tree: &Tree<'_>) -> Result<Found> {
        let sel = self.attribute("sel");
        let sel = sel.ok_or_else(|| malformed(&self.at, "Attribute 'sel' is missing"))?;
        let selector = Selector::parse(sel, &|prefix| self.resolve(prefix))
            .map_err(|text| malformed(&self.at, format!("sel=\"{sel}\": {text}")))?;
        match selector.evaluate(tree).as_slice() {
            [found] => Ok(*found),
            [] => {
                let text = format!("There is nothing at '{sel}'");
                Err(unfit(IssueCode::NotFound, &self.at, text))
            }
            found => {
                let text = format!("'{sel}' selects {} nodes, not one", found.len());
                Err(unfit(IssueCode::MultipleMatches, &self.at, text))
            }
        }
    }

    fn text(&self) -> String {
        self.diff.text(self.element)
    }

    /// Copies of the operation's content, to stand below `parent`.
    fn content(&self, tree: &mut Tree<'s>, parent: usize) -> Result<Vec<Node<'s>>> {
        let depth = tree.level(parent) + self.diff.height(self.element) - 1;
        if depth > self.limits.depth {
            let text = format!("Elements nested deeper than {}", self.limits.depth);
            return Err(too_costly(&self.at, text));
        }
        Ok(tree.graft(self.diff, self.element, parent))
    }

    fn misplaced(&self, text: &str) -> FhirError {
        unfit(IssueCode::Value, &self.at, text)
    }

    fn add(&self, tree: &mut Tree<'s>) -> Result<()> {
        let found = self.selected(tree)?;
        match (self.attribute("type"), self.attribute("pos"), found) {
            (Some(_), Some(_), _) => {
                Err(malformed(&self.at, "'type' and 'pos' exclude each other"))
            }
            (Some(kind), None, Found::Element(element)) => self.add_attribute(tree, element, kind),
            (None, Some("before" | "after"), Found::Attribute(..))
            | (_, _, Found::Attribute(..)) => Err(self.misplaced("Nothing can be added there")),
            (None, Some(pos @ ("before" | "after")), found) => {
                let (parent, index) = self.place(tree, found)?;
                let nodes = self.content(tree, parent)?;
                let index = index + usize::from(pos == "after");
                tree.touch(parent);
                tree.elements[parent].children.splice(index..index, nodes);
                Ok(())
            }
            (None, pos @ (None | Some("prepend")), Found::Element(element)) => {
                let nodes = self.content(tree, element)?;
                tree.touch(element);
                let children = &mut tree.elements[element].children;
                let index = if pos.is_some() { 0 } else { children.len() };
                children.splice(index..index, nodes);
                Ok(())
            }
            (None, Some(pos), Found::Element(_)) => {
                Err(malformed(&self.at, format!("pos=\"{pos}\" is not known")))
            }
            _ => Err(self.misplaced("Only an element can be added to")),
        }
    }

    fn add_attribute(&self, tree: &mut Tree<'s>, element: usize, kind: &str) -> Result<()> {
        let (prefix, local, namespace) = if let Some(prefix) = kind.strip_prefix("namespace::") {
            ("xmlns", prefix, String::new())
        } else if let Some(name) = kind.strip_prefix('@') {
            let (prefix, local) = name.split_once(':').unwrap_or(("", name));
            let namespace = match prefix {
                "" => Some(String::new()),
                prefix => self.resolve(prefix),
            };
            let unknown = || malformed(&self.at, format!("Prefix '{prefix}' is not declared"));
            (prefix, local, namespace.ok_or_else(unknown)?)
        } else {
            let text = format!("type=\"{kind}\" is not known: '@name' or 'namespace::prefix'");
            return Err(malformed(&self.at, text));
        };
        let is_name = local.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if local.is_empty() || !is_name || (prefix.is_empty() && local == "xmlns") {
            return Err(malformed(&self.at, format!("'{kind}' is not a name")));
        }
        let attributes = &tree.elements[element].attributes;
        if attributes.iter().any(|it| it.local == local && it.prefix == prefix) {
            return Err(self.misplaced("The attribute is there already; replace it"));
        }
        tree.touch(element);
        tree.elements[element].attributes.push(Attribute {
            prefix: Cow::Owned(prefix.to_owned()),
            local: Cow::Owned(local.to_owned()),
            namespace: Cow::Owned(namespace),
            value: Cow::Owned(self.text()),
        });
        Ok(())
    }

    fn replace(&self, tree: &mut Tree<'s>) -> Result<()> {
        let found = self.selected(tree)?;
        let owner = match found {
            Found::Attribute(element, index) => {
                tree.elements[element].attributes[index].value = Cow::Owned(self.text());
                tree.touch(element);
                return Ok(());
            }
            Found::Element(element) if tree.elements[element].parent.is_none() => None,
            found => Some(self.place(tree, found)?),
        };
        let Some((parent, index)) = owner else {
            return Err(self.misplaced("The whole resource cannot be replaced by a patch"));
        };
        let mut nodes = self.content(tree, parent)?;
        let is_text = |node: &Node<'_>| matches!(node, Node::Text { .. });
        match found {
            Found::Text(..) if !nodes.iter().all(is_text) => {
                return Err(malformed(&self.at, "Text is replaced by text"));
            }
            Found::Text(..) => {}
            _ => nodes.retain(|node| !is_text(node)),
        }
        let is_fit = match found {
            Found::Element(_) => matches!(nodes.as_slice(), [Node::Element(_)]),
            Found::Comment(..) => matches!(nodes.as_slice(), [Node::Comment(_)]),
            _ => true,
        };
        if !is_fit {
            return Err(malformed(&self.at, "A node is replaced by one node of its kind"));
        }
        tree.touch(parent);
        tree.elements[parent].children.splice(index..=index, nodes);
        Ok(())
    }

    fn remove(&self, tree: &mut Tree<'s>) -> Result<()> {
        let found = self.selected(tree)?;
        if let Found::Attribute(element, index) = found {
            tree.touch(element);
            tree.elements[element].attributes.remove(index);
            return Ok(());
        }
        let (parent, index) = self.place(tree, found)?;
        let space = self.attribute("ws");
        if !matches!(space, None | Some("before" | "after" | "both")) {
            return Err(malformed(&self.at, "'ws' is 'before', 'after' or 'both'"));
        }
        tree.touch(parent);
        let children = &mut tree.elements[parent].children;
        let is_blank = |node: Option<&Node<'_>>| match node {
            Some(Node::Text { value, .. }) => value.trim_ascii().is_empty(),
            _ => false,
        };
        let (mut start, mut end) = (index, index + 1);
        if matches!(space, Some("after" | "both")) && is_blank(children.get(end)) {
            end += 1;
        }
        if matches!(space, Some("before" | "both"))
            && start > 0
            && is_blank(children.get(start - 1))
        {
            start -= 1;
        }
        children.drain(start..end);
        Ok(())
    }

    /// The parent of a node and its position there.
    fn place(&self, tree: &Tree<'_>, found: Found) -> Result<(usize, usize)> {
        match found {
            Found::Text(parent, index) | Found::Comment(parent, index) => Ok((parent, index)),
            Found::Element(element) => {
                let parent = tree.elements[element].parent;
                let position = parent.and_then(|parent| {
                    let children = &tree.elements[parent].children;
                    let is_here =
                        |node: &Node<'_>| matches!(node, Node::Element(it) if *it == element);
                    Some((parent, children.iter().position(is_here)?))
                });
                position.ok_or_else(|| self.misplaced("The root of a resource has to stay"))
            }
            Found::Attribute(..) => Err(self.misplaced("An attribute has no place of its own")),
        }
    }
}
