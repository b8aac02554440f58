//! What code systems and value sets say of tokens: `:in`, `:not-in`, `:below` and `:above`
//! (<https://hl7.org/fhir/R4/search.html#token>).

use super::text::{key, split_once, unescape};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::Id;
use crate::search::index_rows::Token;

/// How a value set is named in a search.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ValueSetName {
    /// `ValueSet/id`, or the URL of one of this server.
    Literal(Id),
    /// `ValueSet.url`, with `|version` or without.
    Canonical(String),
}

/// What is asked of a coded value.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ConceptTest {
    /// It is in the value set.
    In(ValueSetName),
    /// It is this concept, or one under it.
    Below(Token),
    /// It is this concept, or one that this is under.
    Above(Token),
}

/// How coded values are stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum CodeForm {
    /// With the system that a Coding names.
    Coding,
    /// Elements of type code, without a system: they are of this one, or of any.
    Code(Option<&'static str>),
}

impl ConceptTest {
    /// Reads a value of `:in`. The text of an error says what is right.
    pub fn within(text: &str, base_url: &str) -> Result<ConceptTest, &'static str> {
        const FORM: &str = "with :in it is ValueSet/id or the canonical URL of a value set";
        let text = unescape(text);
        let relative = text.strip_prefix(base_url).and_then(|rest| rest.strip_prefix('/'));
        let is_value_set = |name: &str| ResourceType::parse(name).is_some() && name == "ValueSet";
        let literal = relative.unwrap_or(&text).split_once('/');
        if let Some((_, id)) = literal.filter(|(kind, _)| is_value_set(kind)) {
            let id = Id::parse(id).ok_or(FORM)?;
            return Ok(ConceptTest::In(ValueSetName::Literal(id)));
        }
        match text.contains(':') {
            true => Ok(ConceptTest::In(ValueSetName::Canonical(text))),
            false => Err(FORM),
        }
    }

    /// The concept of a value of `:below` or `:above`; `system` is that of a code alone. The
    /// text of an error says what is right.
    pub fn concept(text: &str, system: Option<&str>) -> Result<Token, &'static str> {
        const FORM: &str = "with this modifier it is system|code";
        match (split_once(text, '|'), system) {
            (Some((system, code)), _) if !system.is_empty() && !code.is_empty() => {
                Ok(Token { system: key(&unescape(system)), code: key(&unescape(code)) })
            }
            (None, Some(system)) if !text.is_empty() => {
                Ok(Token { system: system.to_owned(), code: key(&unescape(text)) })
            }
            _ => Err(FORM),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_set_is_named_by_its_place_or_by_its_url() {
        let within = |text| ConceptTest::within(text, "http://here/fhir");
        let literal = Ok(ConceptTest::In(ValueSetName::Literal(Id::parse("a").unwrap())));
        assert_eq!(within("ValueSet/a"), literal);
        assert_eq!(within("http://here/fhir/ValueSet/a"), literal);
        for url in ["http://there/fhir/ValueSet/a", "urn:oid:1.2", "http://a/b|1"] {
            assert_eq!(within(url), Ok(ConceptTest::In(ValueSetName::Canonical(url.into()))));
        }
        assert!(within("a").is_err() && within("Patient/a").is_err());
        assert!(within("ValueSet/a/b").is_err());
    }

    #[test]
    fn a_concept_has_a_system_unless_the_element_implies_it() {
        let token = |system: &str| Token { system: system.into(), code: "a|b".into() };
        assert_eq!(ConceptTest::concept(r"s|a\|b", None), Ok(token("s")));
        assert_eq!(ConceptTest::concept(r"a\|b", Some("t")), Ok(token("t")));
        for wrong in ["a", "|a", "s|", ""] {
            assert!(ConceptTest::concept(wrong, None).is_err(), "{wrong}");
        }
    }
}
