//! Where the walk stands: a chain of frames on the stack, written out only for an issue.

use crate::fhir::json::push_identifier;
use std::fmt::Write;

#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
    /// JSON levels from the root.
    pub depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root(&'a str),
    Element(&'a str),
    /// A choice element and the type taken.
    Choice(&'a str, &'a str),
    Item(usize),
}

impl<'a> Path<'a> {
    pub fn root(name: &'a str) -> Self {
        Path { parent: None, step: Step::Root(name), depth: 0 }
    }

    pub fn element(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Element(name), depth: self.depth + 1 }
    }

    pub fn choice(&'a self, name: &'a str, type_name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Choice(name, type_name), depth: self.depth + 1 }
    }

    pub fn item(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Item(index), depth: self.depth + 1 }
    }

    /// True for an element of an extension: its name is looked for two levels up, beyond the
    /// index of the extension.
    pub fn is_within_extension(&self) -> bool {
        let holder = self.element_above().and_then(Path::holder);
        holder.and_then(Path::element_above).is_some_and(|path| match path.step {
            Step::Element(name) => matches!(name, "extension" | "modifierExtension"),
            _ => false,
        })
    }

    fn holder(&self) -> Option<&Path<'a>> {
        self.parent
    }

    /// This frame, or the one above where this is an item.
    fn element_above(&self) -> Option<&Path<'a>> {
        match self.step {
            Step::Item(_) => self.parent,
            _ => Some(self),
        }
    }

    /// The FHIRPath.
    pub fn expression(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(text);
        }
        match self.step {
            Step::Root(name) => text.push_str(name),
            Step::Item(index) => {
                let _ = write!(text, "[{index}]");
            }
            Step::Element(name) => {
                push_dot(text);
                push_identifier(text, name);
            }
            Step::Choice(name, type_name) => {
                push_dot(text);
                let _ = write!(text, "{name}.ofType({type_name})");
            }
        }
    }
}

fn push_dot(text: &mut String) {
    if !text.is_empty() {
        text.push('.');
    }
}
