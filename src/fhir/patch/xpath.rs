//! The XPath subset that selects what an XML Patch changes:
//! <https://www.rfc-editor.org/rfc/rfc5261#section-4.1>. Predicates may compare a relative path
//! (`f:identifier[f:system/@value='urn:x']`). Left out: `id()`, processing instructions, and
//! what XPath has beyond.

use super::xml_tree::{Node, Tree};

/// Bytes of one selector.
const MAXIMUM_LENGTH: usize = 4 << 10;
/// Predicates of one selector: each may read all text below it.
const MAXIMUM_PREDICATES: usize = 32;

/// Selects elements step by step, then perhaps something of them.
#[derive(Debug)]
pub(super) struct Selector {
    steps: Vec<Step>,
    last: Last,
}

#[derive(Debug)]
struct Step {
    name: Name,
    predicates: Vec<Predicate>,
}

/// None for `*`.
type Name = Option<(String, String)>;

#[derive(Debug)]
enum Last {
    Element,
    /// Namespace and name.
    Attribute(String, String),
    /// Position from 1.
    Text(Option<usize>),
    Comment(Option<usize>),
}

#[derive(Debug)]
enum Predicate {
    Position(usize),
    /// Steps down, then an attribute; the text compared with, or None for being there.
    Path {
        steps: Vec<Name>,
        attribute: Option<(String, String)>,
        equals: Option<String>,
    },
}

/// What a selector found; indexes are into the element's attributes or children.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    Element(usize),
    Attribute(usize, usize),
    Text(usize, usize),
    Comment(usize, usize),
}

impl Selector {
    /// `resolve` gives the namespace of a prefix, of the empty one for names without. The error
    /// says what is not understood.
    pub fn parse(text: &str, resolve: &dyn Fn(&str) -> Option<String>) -> Result<Selector, String> {
        if text.len() > MAXIMUM_LENGTH || text.matches('[').count() > MAXIMUM_PREDICATES {
            return Err(format!(
                "longer than {MAXIMUM_LENGTH} bytes or more than {MAXIMUM_PREDICATES} predicates"
            ));
        }
        let mut parser = Parser { rest: text.trim(), resolve };
        parser.eat("/");
        let selector = parser.selector()?;
        match parser.rest.is_empty() {
            true => Ok(selector),
            false => Err(format!("'{}' is not understood", parser.rest)),
        }
    }

    /// Everything selected, in document order.
    pub fn evaluate(&self, tree: &Tree<'_>) -> Vec<Found> {
        let mut elements = match self.steps.first() {
            Some(first) => filter(tree, vec![tree.root], first),
            None => return Vec::new(),
        };
        for step in &self.steps[1..] {
            elements = elements
                .iter()
                .flat_map(|&element| filter(tree, tree.child_elements(element).collect(), step))
                .collect();
        }
        elements.into_iter().flat_map(|element| self.last.of(tree, element)).collect()
    }
}

impl Last {
    fn of(&self, tree: &Tree<'_>, element: usize) -> Vec<Found> {
        let children = tree.elements[element].children.iter().enumerate();
        match self {
            Last::Element => vec![Found::Element(element)],
            Last::Attribute(namespace, name) => tree
                .attribute(element, namespace, name)
                .map(|index| Found::Attribute(element, index))
                .into_iter()
                .collect(),
            Last::Text(position) => {
                let texts = children.filter(|(_, node)| matches!(node, Node::Text { .. }));
                at(*position, texts.map(|(index, _)| Found::Text(element, index)))
            }
            Last::Comment(position) => {
                let comments = children.filter(|(_, node)| matches!(node, Node::Comment(_)));
                at(*position, comments.map(|(index, _)| Found::Comment(element, index)))
            }
        }
    }
}

fn at(position: Option<usize>, mut found: impl Iterator<Item = Found>) -> Vec<Found> {
    match position {
        None => found.collect(),
        Some(position) => found.nth(position - 1).into_iter().collect(),
    }
}

fn is_named(tree: &Tree<'_>, element: usize, name: &Name) -> bool {
    let element = &tree.elements[element];
    name.as_ref()
        .is_none_or(|(namespace, local)| element.local == *local && element.namespace == *namespace)
}

fn filter(tree: &Tree<'_>, mut elements: Vec<usize>, step: &Step) -> Vec<usize> {
    elements.retain(|&element| is_named(tree, element, &step.name));
    for predicate in &step.predicates {
        match predicate {
            Predicate::Position(position) => {
                elements = elements.get(position - 1).copied().into_iter().collect();
            }
            Predicate::Path { steps, attribute, equals } => elements.retain(|&element| {
                let found = descend(tree, element, steps);
                found.into_iter().any(|element| {
                    let value = match attribute {
                        None => Some(tree.text(element)),
                        Some((namespace, name)) => {
                            tree.attribute(element, namespace, name).map(|index| {
                                tree.elements[element].attributes[index].value.to_string()
                            })
                        }
                    };
                    value.is_some_and(|value| equals.as_ref().is_none_or(|text| *text == value))
                })
            }),
        }
    }
    elements
}

fn descend(tree: &Tree<'_>, element: usize, steps: &[Name]) -> Vec<usize> {
    steps.iter().fold(vec![element], |elements, name| {
        let children = elements.into_iter().flat_map(|element| tree.child_elements(element));
        children.filter(|&child| is_named(tree, child, name)).collect()
    })
}

struct Parser<'s> {
    rest: &'s str,
    resolve: &'s dyn Fn(&str) -> Option<String>,
}

impl<'s> Parser<'s> {
    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        match self.eat(token) {
            true => Ok(()),
            false => Err(format!("'{token}' is expected before '{}'", self.rest)),
        }
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn selector(&mut self) -> Result<Selector, String> {
        let mut steps = Vec::new();
        loop {
            if !steps.is_empty()
                && let Some(last) = self.last()?
            {
                return Ok(Selector { steps, last });
            }
            let name = self.name_test()?;
            let mut predicates = Vec::new();
            while self.eat("[") {
                predicates.push(self.predicate()?);
            }
            steps.push(Step { name, predicates });
            if !self.eat("/") {
                return Ok(Selector { steps, last: Last::Element });
            }
        }
    }

    fn last(&mut self) -> Result<Option<Last>, String> {
        if self.eat("@") {
            let (namespace, name) = self.attribute_name()?;
            return Ok(Some(Last::Attribute(namespace, name)));
        }
        if self.eat("text()") {
            return Ok(Some(Last::Text(self.position()?)));
        }
        if self.eat("comment()") {
            return Ok(Some(Last::Comment(self.position()?)));
        }
        Ok(None)
    }

    fn position(&mut self) -> Result<Option<usize>, String> {
        if !self.eat("[") {
            return Ok(None);
        }
        let number = self.number()?;
        self.expect("]")?;
        Ok(Some(number))
    }

    fn number(&mut self) -> Result<usize, String> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        let number = digits.parse().ok().filter(|&number: &usize| number > 0);
        number.ok_or_else(|| "A position is a number from 1".to_owned())
    }

    fn predicate(&mut self) -> Result<Predicate, String> {
        self.blanks();
        let predicate = match self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            true => Predicate::Position(self.number()?),
            false => self.comparison()?,
        };
        self.blanks();
        self.expect("]")?;
        Ok(predicate)
    }

    fn comparison(&mut self) -> Result<Predicate, String> {
        let (mut steps, mut attribute) = (Vec::new(), None);
        if !self.eat(".") {
            loop {
                if self.eat("@") {
                    attribute = Some(self.attribute_name()?);
                    break;
                }
                steps.push(self.name_test()?);
                if !self.eat("/") {
                    break;
                }
            }
        }
        self.blanks();
        let equals = match self.eat("=") {
            true => Some(self.literal()?),
            false => None,
        };
        Ok(Predicate::Path { steps, attribute, equals })
    }

    fn literal(&mut self) -> Result<String, String> {
        self.blanks();
        let quote = if self.eat("'") { '\'' } else { '"' };
        if quote == '"' {
            self.expect("\"")?;
        }
        let (text, rest) = self.rest.split_once(quote).ok_or("A literal is not closed")?;
        self.rest = rest;
        Ok(text.to_owned())
    }

    fn name_test(&mut self) -> Result<Name, String> {
        if self.eat("*") {
            return Ok(None);
        }
        let (prefix, local) = self.name()?;
        let namespace = (self.resolve)(prefix);
        match namespace {
            Some(namespace) => Ok(Some((namespace, local.to_owned()))),
            None if prefix.is_empty() => Ok(Some((String::new(), local.to_owned()))),
            None => Err(format!("prefix '{prefix}' is not declared")),
        }
    }

    /// A name without a prefix is in no namespace.
    fn attribute_name(&mut self) -> Result<(String, String), String> {
        let (prefix, local) = self.name()?;
        match prefix {
            "" => Ok((String::new(), local.to_owned())),
            prefix => {
                let namespace = (self.resolve)(prefix);
                let namespace = namespace.ok_or_else(|| format!("prefix '{prefix}' is unknown"))?;
                Ok((namespace, local.to_owned()))
            }
        }
    }

    fn name(&mut self) -> Result<(&'s str, &'s str), String> {
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        let end = self.rest.find(|c: char| !is_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        let starts = |part: &str| part.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if !name.split(':').all(starts) || rest.starts_with('(') {
            return Err(format!("'{}' is not understood", self.rest));
        }
        self.rest = rest;
        Ok(name.split_once(':').unwrap_or(("", name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    const DOCUMENT: &str = "<a xmlns='urn:f'><b c='1'>x</b><!-- 1 --><b c='2'><d>y</d></b>\
                            <b c='3'><d v='z'/></b>t</a>";

    fn found(selector: &str) -> Result<Vec<Found>, String> {
        let limits = Limits::default();
        let tree = Tree::parse(DOCUMENT, &limits).unwrap();
        let resolve = |prefix: &str| (prefix == "f").then(|| "urn:f".to_owned());
        Selector::parse(selector, &resolve).map(|selector| selector.evaluate(&tree))
    }

    #[test]
    fn selectors_find_elements_attributes_text_and_comments() {
        let count = |selector: &str| found(selector).unwrap().len();
        assert_eq!(count("f:a"), 1);
        assert_eq!(count("/f:a/f:b"), 3);
        assert_eq!(count("*/*"), 3);
        assert_eq!(count("f:a/f:b/f:d"), 2);
        assert_eq!(count("f:a/f:b[2]/f:d"), 1);
        assert_eq!(count("f:a/f:b[@c='2']"), 1);
        assert_eq!(count("f:a/f:b[f:d='y']/@c"), 1);
        assert_eq!(count("f:a/f:b[ f:d/@v = \"z\" ]"), 1);
        assert_eq!(count("f:a/f:b[f:d]"), 2);
        assert_eq!(count("f:a/f:b[.='x']"), 1);
        assert_eq!(count("f:a/f:b[f:d][2]"), 1);
        assert_eq!(count("f:a/text()"), 1);
        assert_eq!(count("f:a/comment()[1]"), 1);
        assert_eq!(count("f:a/comment()[2]"), 0);
        assert_eq!(count("a/b"), 0);
    }

    #[test]
    fn what_is_not_of_the_subset_is_refused() {
        for selector in [
            "",
            "/",
            "//f:a",
            "f:a/",
            "f:a[",
            "f:a[0]",
            "f:a[1",
            "f:a[@c='1]",
            "f:a[@c=1]",
            "g:a",
            "f:a/@g:b",
            "id('x')",
            "f:a/processing-instruction('x')",
            "f:a/..",
            "f:a | f:b",
            "f:a/namespace::p",
            "f:a/@",
            "@c",
            "text()",
            "count(f:a)",
            "f:a[last()]",
            "f:a[99999999999999999999999]",
            "f:a/@c/f:b",
            "f:a/text()/f:b",
        ] {
            assert!(found(selector).is_err(), "{selector}");
        }
    }
}
