//! Values of token parameters: <https://hl7.org/fhir/R4/search.html#token>.

use super::criterion::{Read, Reader};
use crate::fhir::definitions::ResourceType;
use crate::search::plan::{Clause, Predicate};
use crate::search::registry::SearchParameter;
use crate::search::value::concept::{CodeForm, ConceptTest};
use crate::search::value::text::normalised;
use crate::search::value::token::{TokenTest, of_type, without_case};
use crate::search::value::{TokenStore, text};

impl Reader<'_> {
    /// A value without a modifier.
    pub fn token(&self, one: &str) -> Read<Vec<Predicate>> {
        let test = TokenTest::parse(one).map_err(|text| self.wrong(one, text))?;
        let Some(test) = self.without_implied_system(test) else {
            let parameter = self.parameter.id;
            return Ok(vec![Predicate::Missing { parameter, is_missing: false }]);
        };
        let mut found = Vec::new();
        for store in &self.parameter.stores {
            match store {
                TokenStore::Interned => found.push(self.interned(test.clone())),
                TokenStore::Text => found.extend(self.texts(test.clone())),
            }
        }
        Ok(found)
    }

    fn interned(&self, test: TokenTest) -> Predicate {
        let parameter = self.parameter.id;
        Predicate::Token { parameter, test, leads: self.leads() }
    }

    /// Strings are stored without case; identifiers, which the parameter may read as well, with
    /// it.
    fn texts(&self, test: TokenTest) -> Vec<Predicate> {
        let of = |test| Predicate::Identifier { parameter: self.parameter.id, test };
        if !self.parameter.reads.has_strings {
            return vec![of(test)];
        }
        let folded = test.clone().without_case();
        match self.parameter.has_identifiers && folded != test {
            true => vec![of(test), of(folded)],
            false => vec![of(folded)],
        }
    }

    /// The test as codes are stored that have a system without naming it: without the system.
    /// None where any code of the system is meant.
    fn without_implied_system(&self, test: TokenTest) -> Option<TokenTest> {
        match (test, self.parameter.reads.code_system) {
            (TokenTest::System(system), Some(implied)) if system == implied => None,
            (TokenTest::Exact(mut token), Some(implied)) if token.system == implied => {
                token.system.clear();
                Some(TokenTest::Exact(token))
            }
            (test, _) => Some(test),
        }
    }

    pub fn of_type(&self, one: &str) -> Read<Vec<Predicate>> {
        let token = of_type(one).map_err(|text| self.wrong(one, text))?;
        let (parameter, test) = (self.parameter.id.beside(), TokenTest::Exact(token));
        Ok(vec![Predicate::Identifier { parameter, test }])
    }

    /// `:text`: texts of the values that begin so, as with strings.
    pub fn text(&self, one: &str) -> Read<Vec<Predicate>> {
        let (parameter, text) = (self.parameter.id, normalised(&text::unescape(one)));
        match text.is_empty() {
            true => Err(self.wrong(one, "a string has a letter or digit")),
            false => Ok(vec![Predicate::CodeText { parameter, text, leads: self.leads() }]),
        }
    }

    /// `:in` and `:not-in`.
    pub fn within(&self, value: &str, is_negated: bool) -> Read<Clause> {
        let base_url = &self.planner.settings.base_url;
        let clause = self.any(value, |one| {
            let test = ConceptTest::within(one, base_url).map_err(|text| self.wrong(one, text))?;
            Ok(self.concepts(&test))
        })?;
        Ok(Clause { is_negated, ..clause })
    }

    /// `:below` of media types: with any parameters (search.html#mimetype).
    pub fn below_media_type(&self, one: &str) -> Read<Vec<Predicate>> {
        let (kind, is_media_type) = (text::unescape(one), |kind: &str| kind.contains('/'));
        match is_media_type(&kind) && !kind.contains(';') {
            true => Ok(vec![self.interned(TokenTest::MediaType(text::key(&kind)))]),
            false => Err(self.wrong(one, "with :below it is a media type without parameters")),
        }
    }

    /// `:below` and `:above` of a concept.
    pub fn hierarchy(
        &self,
        one: &str,
        test: fn(super::Token) -> ConceptTest,
    ) -> Read<Vec<Predicate>> {
        let concept = ConceptTest::concept(one, self.parameter.reads.code_system);
        let concept = concept.map_err(|text| self.wrong(one, text))?;
        Ok(self.concepts(&test(concept)))
    }

    /// The types, of those searched, in whose rows a value may be the lead.
    fn leads(&self) -> Vec<ResourceType> {
        self.planner.led_types(self.types, self.parameter.id)
    }

    fn concepts(&self, test: &ConceptTest) -> Vec<Predicate> {
        let parameter = self.parameter.id;
        let of = |form| {
            let (test, leads) = (test.clone(), self.leads());
            Predicate::Concept { parameter, test, form, leads }
        };
        self.parameter.code_forms().into_iter().map(of).collect()
    }
}

impl SearchParameter {
    /// How the coded values that code systems are about are stored; none where it has none.
    pub fn code_forms(&self) -> Vec<CodeForm> {
        let codings = self.reads.has_codings.then_some(CodeForm::Coding);
        let codes = self.reads.has_codes.then_some(CodeForm::Code(self.reads.code_system));
        codings.into_iter().chain(codes).collect()
    }

    /// Whether its values have texts that `:text` searches in.
    pub fn has_texts(&self) -> bool {
        self.reads.has_codings || self.has_identifiers
    }
}

impl TokenTest {
    fn without_case(self) -> TokenTest {
        match self {
            TokenTest::Code(code) => TokenTest::Code(text::key(&without_case(&code))),
            TokenTest::Exact(mut token) => {
                token.code = text::key(&without_case(&token.code));
                TokenTest::Exact(token)
            }
            other => other,
        }
    }
}
