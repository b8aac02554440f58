//! An XML document that an XML Patch changes. What no operation touches is written as it was,
//! character for character: narratives come out verbatim.

use crate::error::Issue;
use crate::fhir::xml::escape_attribute;
use crate::fhir::xml::tokens::{self, Token, Tokens};
use crate::limits::Limits;
use std::borrow::Cow;

/// Elements by number; those taken out stay in the list, unreached.
pub(super) struct Tree<'s> {
    pub elements: Vec<Element<'s>>,
    pub root: usize,
}

pub(super) struct Element<'s> {
    pub parent: Option<usize>,
    pub prefix: &'s str,
    pub local: &'s str,
    /// Empty for none.
    pub namespace: Cow<'s, str>,
    pub attributes: Vec<Attribute<'s>>,
    pub children: Vec<Node<'s>>,
    /// Its text as it came in, while nothing in it has changed.
    source: Option<&'s str>,
}

#[derive(Clone)]
pub(super) struct Attribute<'s> {
    pub prefix: Cow<'s, str>,
    pub local: Cow<'s, str>,
    pub namespace: Cow<'s, str>,
    pub value: Cow<'s, str>,
}

impl Attribute<'_> {
    /// The prefix that it declares.
    fn declares(&self) -> Option<&str> {
        match (&*self.prefix, &*self.local) {
            ("xmlns", prefix) => Some(prefix),
            ("", "xmlns") => Some(""),
            _ => None,
        }
    }
}

pub(super) enum Node<'s> {
    Element(usize),
    /// As written, and with references resolved.
    Text {
        raw: Cow<'s, str>,
        value: String,
    },
    Comment(Cow<'s, str>),
}

impl<'s> Tree<'s> {
    /// `source` as `xml::text_of` made it.
    pub fn parse(source: &'s str, limits: &Limits) -> Result<Tree<'s>, Issue> {
        let mut tokens = Tokens::new(source, limits);
        let mut tree = Tree { elements: Vec::new(), root: 0 };
        let mut open: Vec<(usize, usize)> = Vec::new();
        loop {
            let before = tokens.position();
            let token = tokens.next()?;
            let raw = source.get(before..tokens.position()).unwrap_or_default();
            let parent = open.last().map(|&(parent, _)| parent);
            match token {
                Token::Start(tag) => {
                    let start = tag.start;
                    let element = tree.push(tag, parent);
                    if let Some(parent) = parent {
                        tree.elements[parent].children.push(Node::Element(element));
                    }
                    open.push((element, start));
                }
                Token::End => {
                    if let Some((element, start)) = open.pop() {
                        tree.elements[element].source = source.get(start..tokens.position());
                    }
                }
                Token::Text(value) => {
                    if let Some(parent) = parent {
                        tree.elements[parent].push_text(raw, &value);
                    }
                }
                Token::Comment(text) => {
                    if let Some(parent) = parent {
                        tree.elements[parent].children.push(Node::Comment(text));
                    }
                }
                Token::Eof => return Ok(tree),
            }
        }
    }

    fn push(&mut self, tag: tokens::Tag<'s>, parent: Option<usize>) -> usize {
        let attributes = tag.attributes.into_iter().map(|attribute| Attribute {
            prefix: Cow::Borrowed(attribute.prefix),
            local: Cow::Borrowed(attribute.local),
            namespace: attribute.namespace,
            value: attribute.value,
        });
        self.elements.push(Element {
            parent,
            prefix: tag.prefix,
            local: tag.local,
            namespace: tag.namespace,
            attributes: attributes.collect(),
            children: Vec::new(),
            source: None,
        });
        self.elements.len() - 1
    }

    pub fn child_elements(&self, element: usize) -> impl Iterator<Item = usize> + use<'_, 's> {
        self.elements[element].children.iter().filter_map(|node| match node {
            Node::Element(child) => Some(*child),
            _ => None,
        })
    }

    /// Position of an attribute; namespace declarations are none.
    pub fn attribute(&self, element: usize, namespace: &str, name: &str) -> Option<usize> {
        self.elements[element].attributes.iter().position(|attribute| {
            attribute.declares().is_none()
                && attribute.local == name
                && attribute.namespace == namespace
        })
    }

    /// All text within, as XPath's string value.
    pub fn text(&self, element: usize) -> String {
        let mut text = String::new();
        self.gather_text(element, &mut text);
        text
    }

    fn gather_text(&self, element: usize, text: &mut String) {
        for node in &self.elements[element].children {
            match node {
                Node::Text { value, .. } => text.push_str(value),
                Node::Element(child) => self.gather_text(*child, text),
                Node::Comment(_) => {}
            }
        }
    }

    /// The namespace that a prefix stands for at an element.
    pub fn namespace(&self, element: usize, prefix: &str) -> Option<&str> {
        let mut current = Some(element);
        while let Some(element) = current {
            let element = &self.elements[element];
            let declaration = element.attributes.iter().find(|it| it.declares() == Some(prefix));
            if let Some(declaration) = declaration {
                return Some(&declaration.value);
            }
            current = element.parent;
        }
        None
    }

    /// The element and its ancestors will be written anew.
    pub fn touch(&mut self, element: usize) {
        let mut current = Some(element);
        while let Some(element) = current {
            self.elements[element].source = None;
            current = self.elements[element].parent;
        }
    }

    /// Elements from the root to this one.
    pub fn level(&self, element: usize) -> usize {
        let parents = std::iter::successors(Some(element), |&it| self.elements[it].parent);
        parents.count()
    }

    /// Levels of elements from this one down.
    pub fn height(&self, element: usize) -> usize {
        1 + self.child_elements(element).map(|child| self.height(child)).max().unwrap_or(0)
    }

    /// Copies the nodes of another tree's element to below `parent`, not yet among its children.
    pub fn graft(&mut self, other: &Tree<'s>, element: usize, parent: usize) -> Vec<Node<'s>> {
        let copy = |node: &Node<'s>| match node {
            Node::Text { raw, value } => Node::Text { raw: raw.clone(), value: value.clone() },
            Node::Comment(text) => Node::Comment(text.clone()),
            Node::Element(child) => {
                let source = &other.elements[*child];
                // What declares its namespace itself can stand anywhere as it is.
                let is_standalone = source.prefix.is_empty()
                    && source.attributes.iter().any(|it| it.declares() == Some(""));
                self.elements.push(Element {
                    parent: Some(parent),
                    prefix: source.prefix,
                    local: source.local,
                    namespace: source.namespace.clone(),
                    attributes: source.attributes.clone(),
                    children: Vec::new(),
                    source: source.source.filter(|_| is_standalone),
                });
                let copied = self.elements.len() - 1;
                let children = self.graft(other, *child, copied);
                self.elements[copied].children = children;
                Node::Element(copied)
            }
        };
        other.elements[element].children.iter().map(copy).collect()
    }

    /// The document as text.
    pub fn write(&self) -> String {
        let mut out = String::new();
        self.write_element(self.root, &mut Vec::new(), &mut out);
        out
    }

    fn write_element<'t>(
        &'t self,
        element: usize,
        bindings: &mut Vec<(&'t str, &'t str)>,
        out: &mut String,
    ) {
        let element = &self.elements[element];
        if let Some(source) = element.source {
            return out.push_str(source);
        }
        let outside = bindings.len();
        out.push('<');
        write_name(element.prefix, element.local, out);
        for attribute in &element.attributes {
            if let Some(prefix) = attribute.declares() {
                bindings.push((prefix, &attribute.value));
            }
            write_attribute(&attribute.prefix, &attribute.local, &attribute.value, out);
        }
        let attributes = element
            .attributes
            .iter()
            .filter(|it| !it.prefix.is_empty() && it.prefix != "xml" && it.declares().is_none());
        let used = attributes.map(|it| (&*it.prefix, &*it.namespace));
        for (prefix, namespace) in used.chain([(element.prefix, &*element.namespace)]) {
            let bound = bindings.iter().rev().find(|(bound, _)| *bound == prefix);
            if bound.map_or("", |(_, namespace)| namespace) != namespace {
                match prefix {
                    "" => write_attribute("", "xmlns", namespace, out),
                    prefix => write_attribute("xmlns", prefix, namespace, out),
                }
                bindings.push((prefix, namespace));
            }
        }
        if element.children.is_empty() {
            out.push_str("/>");
        } else {
            out.push('>');
            for node in &element.children {
                match node {
                    Node::Element(child) => self.write_element(*child, bindings, out),
                    Node::Text { raw, .. } => out.push_str(raw),
                    Node::Comment(text) => out.extend(["<!--", text, "-->"]),
                }
            }
            out.push_str("</");
            write_name(element.prefix, element.local, out);
            out.push('>');
        }
        bindings.truncate(outside);
    }
}

impl<'s> Element<'s> {
    /// XPath has no two text nodes side by side.
    fn push_text(&mut self, raw: &'s str, value: &str) {
        match self.children.last_mut() {
            Some(Node::Text { raw: before, value: text }) => {
                before.to_mut().push_str(raw);
                text.push_str(value);
            }
            _ => {
                let raw = Cow::Borrowed(raw);
                self.children.push(Node::Text { raw, value: value.to_owned() });
            }
        }
    }
}

fn write_name(prefix: &str, local: &str, out: &mut String) {
    match prefix {
        "" => out.push_str(local),
        prefix => out.extend([prefix, ":", local]),
    }
}

fn write_attribute(prefix: &str, local: &str, value: &str, out: &mut String) {
    out.push(' ');
    write_name(prefix, local, out);
    out.push_str("=\"");
    escape_attribute(value, out);
    out.push('"');
}
