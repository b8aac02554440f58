//! The FHIRPath expression of the element at work, built only when an issue needs it.

use crate::fhir::definitions::Child;
use std::fmt;

/// The way from the root resource to an element.
pub(super) struct Path {
    root: String,
    steps: Vec<Step>,
}

struct Step {
    /// Of a choice the element's name, as FHIRPath has it: `Observation.value`.
    name: &'static str,
    /// Position in a repeating element.
    index: Option<usize>,
}

impl Path {
    pub fn new(root: &str) -> Self {
        Path { root: root.to_owned(), steps: Vec::new() }
    }

    pub fn set_root(&mut self, root: &str) {
        self.root = root.to_owned();
    }

    pub fn push(&mut self, child: Child<'static>, index: usize) {
        let element = child.element;
        self.steps
            .push(Step { name: element.name, index: element.is_repeating().then_some(index) });
    }

    pub fn pop(&mut self) {
        self.steps.pop();
    }

    pub fn depth(&self) -> usize {
        self.steps.len()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)?;
        for step in &self.steps {
            write!(f, ".{}", step.name)?;
            if let Some(index) = step.index {
                write!(f, "[{index}]")?;
            }
        }
        Ok(())
    }
}
