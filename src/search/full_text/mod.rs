//! `_text` and `_content` (<https://hl7.org/fhir/R4/search.html#text>): words of the narrative, and
//! of the whole resource.
//!
//! Words are compared without case and accents, in whatever language; what is left out is their
//! grammar and their synonyms (docs/decisions/0013 says why).

mod query;
mod words;

pub use query::{Bounds, Fault, TextQuery};
pub use words::{Lexeme, Words, content, narrative};

/// Which text of a resource.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TextOf {
    /// `_text`.
    Narrative,
    /// `_content`.
    Content,
}

impl TextOf {
    /// By the name of the parameter.
    pub fn named(name: &str) -> Option<TextOf> {
        match name {
            "_text" => Some(TextOf::Narrative),
            "_content" => Some(TextOf::Content),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            TextOf::Narrative => "_text",
            TextOf::Content => "_content",
        }
    }

    pub fn is_content(self) -> bool {
        self == TextOf::Content
    }
}
