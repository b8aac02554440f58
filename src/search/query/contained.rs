//! `_contained` and `_containedType`: <https://hl7.org/fhir/R4/search.html#contained>.

use super::{Refusal, wrong_value};
use crate::search::contained::{Contained, ContainedEntry};

/// Both parameters as far as they were given.
#[derive(Default)]
pub(super) struct AskedContained {
    which: Option<Which>,
    entry: Option<ContainedEntry>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Others,
    Contained,
    Both,
}

const ONCE: &str = "it is given once";

impl AskedContained {
    /// Takes one of the two. 400 for another value than those of R4, or a second one.
    pub fn take(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        if name == "_containedType" {
            let entry = match value {
                "container" => ContainedEntry::Container,
                "contained" => ContainedEntry::Contained,
                _ => return Err(wrong_value(name, value, "it is container or contained")),
            };
            return match self.entry.replace(entry) {
                None => Ok(()),
                Some(_) => Err(wrong_value(name, value, ONCE)),
            };
        }
        let which = match value {
            "false" => Which::Others,
            "true" => Which::Contained,
            "both" => Which::Both,
            _ => return Err(wrong_value(name, value, "it is false, true or both")),
        };
        match self.which.replace(which) {
            None => Ok(()),
            Some(_) => Err(wrong_value(name, value, ONCE)),
        }
    }

    /// What they mean together; `_containedType` alone means nothing.
    pub fn read(&self) -> Option<Contained> {
        let has_others = match self.which? {
            Which::Others => return None,
            Which::Contained => false,
            Which::Both => true,
        };
        let entry = self.entry.unwrap_or(ContainedEntry::Container);
        Some(Contained { has_others, entry })
    }
}
