//! `_text=words` and `_content=words`: <https://hl7.org/fhir/R4/search.html#text>.

use super::link::Place;
use super::{Refusal, expression, not_supported};
use crate::error::{FhirError, IssueCode};
use crate::fhir::definitions::ResourceType;
use crate::search::full_text::{Bounds, Fault, TextOf, TextQuery};
use crate::search::plan::{Clause, Predicate};
use crate::search::value::text;

impl Place<'_> {
    /// Resources of which the text is as one of the values asks. 400 `not-supported` where it is
    /// not indexed, or none of the types has it.
    pub fn full_text(
        &self,
        of: TextOf,
        modifier: Option<&str>,
        value: &str,
    ) -> Result<Clause, Refusal> {
        let name = of.name();
        if let Some(modifier) = modifier {
            let modifier = text::beginning(modifier, 60);
            return Err(not_supported(name, format!("{name} takes no modifier :{modifier}")));
        }
        if of.is_content() && !self.planner.settings.indexes_content {
            let text = "_content is not offered by this server: BHN_CONTENT_SEARCH is off; _text \
                        finds words of the narrative";
            return Err(not_supported(name, text));
        }
        let registry = self.planner.registry;
        let has = |kind: &ResourceType| registry.parameter(*kind, name).is_some();
        if !self.types.is_empty() && !self.types.iter().any(has) {
            return Err(self.unknown(self.types, name));
        }
        let limits = self.planner.limits;
        let bounds = Bounds { words: limits.text_words, depth: limits.text_depth };
        let mut alternatives = Vec::new();
        for one in text::split(value, ',') {
            let query = TextQuery::parse(&text::unescape(one), bounds)
                .map_err(|fault| refusal(of, one, &fault))?;
            alternatives.push(Predicate::Text { of, query });
        }
        Ok(Clause::any(alternatives))
    }
}

fn refusal(of: TextOf, value: &str, fault: &Fault) -> Refusal {
    let (name, value) = (of.name(), text::beginning(value, 100));
    let (code, why) = match fault {
        Fault::Unreadable(expected) => (IssueCode::Value, *expected),
        Fault::TooCostly(why) => (IssueCode::TooCostly, why.as_str()),
    };
    let text = format!("'{value}' is no value of {name}: {why}");
    Refusal::Value(FhirError::at(code, expression(name), text))
}
