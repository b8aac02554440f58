//! One `name:modifier=value,value` as a clause.

use super::{Planner, Refusal, not_supported, wrong_value};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::Id;
use crate::search::plan::{Clause, Direction, Predicate, Second};
use crate::search::registry::{Component, Kind, SearchParameter};
use crate::search::value::concept::ConceptTest;
use crate::search::value::position::NearTest;
use crate::search::value::prefix::{Prefix, Test};
use crate::search::value::reference::ReferenceTest;
use crate::search::value::string::StringTest;
use crate::search::value::token::TokenTest;
use crate::search::value::uri::UriTest;
use crate::search::value::{date, quantity, text};
use chrono::{DateTime, Utc};

/// Reads the values of one parameter.
pub(super) struct Reader<'a> {
    pub planner: &'a Planner<'a>,
    pub types: &'a [ResourceType],
    pub parameter: &'a SearchParameter,
    /// As in the URL, with modifier.
    pub name: &'a str,
}

pub(super) type Read<T> = Result<T, Refusal>;
type UriReader = fn(&str) -> Result<UriTest, &'static str>;

const DATE: &str = "a date is YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm[:ss][zone], after a \
                    prefix such as ge";

impl Reader<'_> {
    pub fn clause(&self, modifier: Option<&str>, value: &str) -> Read<Clause> {
        self.check_restrictions(modifier, value)?;
        match (modifier, self.parameter.kind) {
            (None, _) => self.any(value, |one| self.plain(one)),
            // "For all parameters (except combination)": search.html#modifiers.
            (Some("missing"), kind) if kind != Kind::Composite => self.missing(value),
            (Some(modifier), Kind::Token) => self.modified_token(modifier, value),
            (Some(modifier), Kind::Reference) => self.modified_reference(modifier, value),
            (Some("exact"), Kind::String) => {
                self.any(value, |one| self.string(StringTest::exact(one)))
            }
            (Some("contains"), Kind::String) => {
                self.any(value, |one| self.string(StringTest::contains(one)))
            }
            (Some("below"), Kind::Uri) => self.any(value, |one| self.uri(one, UriTest::below)),
            (Some("above"), Kind::Uri) => self.any(value, |one| self.uri(one, UriTest::above)),
            (Some(modifier), _) => Err(self.no_modifier(modifier)),
        }
    }

    /// What the definition of the parameter leaves (searchparameter.html).
    fn check_restrictions(&self, modifier: Option<&str>, value: &str) -> Read<()> {
        let (of, code) = (&self.parameter.restrictions, &self.parameter.code);
        let lists = |list: &[String], name: &str| list.iter().any(|known| known == name);
        let refused = |what: String| {
            let text = format!("The definition of {code} does not allow {what}");
            Err(not_supported(self.name, text))
        };
        if let Some(name) = modifier.filter(|_| !of.modifiers.is_empty()) {
            let is_type = ResourceType::parse(name).is_some() && lists(&of.modifiers, "type");
            if !is_type && !lists(&of.modifiers, name) {
                return refused(format!("the modifier :{}", text::beginning(name, 60)));
            }
        }
        let values = text::split(value, ',');
        if of.has_one_value && values.len() > 1 {
            return refused("several values".to_owned());
        }
        let is_ordered = matches!(self.parameter.kind, Kind::Number | Kind::Date | Kind::Quantity);
        if of.comparators.is_empty() || !is_ordered || modifier.is_some() {
            return Ok(());
        }
        let is_prefix = |letters: &&str| letters.chars().all(|letter| letter.is_ascii_alphabetic());
        let mut prefixes = values.iter().filter_map(|one| one.get(..2)).filter(is_prefix);
        match prefixes.find(|prefix| !lists(&of.comparators, prefix)) {
            Some(prefix) => refused(format!("the prefix {prefix}")),
            None => Ok(()),
        }
    }

    fn modified_token(&self, modifier: &str, value: &str) -> Read<Clause> {
        let parameter = self.parameter;
        let has_concepts = !parameter.code_forms().is_empty();
        match modifier {
            "not" => {
                let clause = self.any(value, |one| self.plain(one))?;
                Ok(Clause { is_negated: true, ..clause })
            }
            "of-type" if parameter.has_identifiers => self.any(value, |one| self.of_type(one)),
            "text" if parameter.has_texts() => self.any(value, |one| self.text(one)),
            "in" | "not-in" if has_concepts => self.within(value, modifier == "not-in"),
            "below" if parameter.reads.has_media_types => {
                self.any(value, |one| self.below_media_type(one))
            }
            "below" if has_concepts => {
                self.any(value, |one| self.hierarchy(one, ConceptTest::Below))
            }
            "above" if has_concepts => {
                self.any(value, |one| self.hierarchy(one, ConceptTest::Above))
            }
            _ => Err(self.no_modifier(modifier)),
        }
    }

    fn modified_reference(&self, modifier: &str, value: &str) -> Read<Clause> {
        let is_canonical = self.parameter.has_canonicals;
        match (modifier, ResourceType::parse(modifier)) {
            ("identifier", _) => self.any(value, |one| {
                let test = TokenTest::parse(one).map_err(|text| self.wrong(one, text))?;
                Ok(vec![Predicate::Identifier { parameter: self.parameter.id, test }])
            }),
            ("below", _) if is_canonical => self.any(value, |one| self.below_canonical(one)),
            ("below", _) => self.any(value, |one| self.along(one, Direction::Down)),
            ("above", _) if !is_canonical => self.any(value, |one| self.along(one, Direction::Up)),
            (_, Some(kind)) => self.any(value, |one| self.reference(one, &[kind])),
            _ => Err(self.no_modifier(modifier)),
        }
    }

    fn no_modifier(&self, modifier: &str) -> Refusal {
        let text = format!(
            "The modifier :{} is not offered for {}, which is of type {}",
            text::beginning(modifier, 60),
            self.parameter.code,
            self.parameter.kind.as_str()
        );
        not_supported(self.name, text)
    }

    pub fn any(&self, value: &str, read: impl Fn(&str) -> Read<Vec<Predicate>>) -> Read<Clause> {
        let mut alternatives = Vec::new();
        for one in text::split(value, ',') {
            if one.is_empty() {
                return Err(self.wrong(value, "none of the values may be empty"));
            }
            alternatives.extend(read(one)?);
        }
        Ok(Clause::any(alternatives))
    }

    pub fn wrong(&self, value: &str, expected: &str) -> Refusal {
        wrong_value(self.name, value, expected)
    }

    pub fn missing(&self, value: &str) -> Read<Clause> {
        let is_missing = match value {
            "true" => true,
            "false" => false,
            _ => return Err(self.wrong(value, "it is true or false")),
        };
        let parameter = self.parameter.id;
        Ok(Clause::any(vec![match &*self.parameter.code {
            "_id" | "_lastUpdated" => Predicate::Always(!is_missing),
            _ => Predicate::Missing { parameter, is_missing },
        }]))
    }

    pub fn plain(&self, one: &str) -> Read<Vec<Predicate>> {
        let parameter = self.parameter.id;
        match self.parameter.kind {
            Kind::Token if self.parameter.code == "_id" => {
                let id = text::unescape(one);
                Ok(vec![Id::parse(&id).map_or(Predicate::Always(false), Predicate::Id)])
            }
            Kind::Token => self.token(one),
            Kind::Date => Ok(self.dates(self.date(one)?)),
            Kind::String => self.string(StringTest::starts_with(one)),
            Kind::Number => {
                let test = quantity::parse_number(one).map_err(|text| self.wrong(one, text))?;
                Ok(vec![Predicate::Quantity {
                    parameter,
                    test,
                    is_single: self.parameter.reads_one,
                }])
            }
            Kind::Quantity => {
                let test = quantity::parse(one).map_err(|text| self.wrong(one, text))?;
                let parameters = self.parameter.row_parameters().into_iter();
                let is_single = self.parameter.reads_one;
                let of =
                    |parameter| Predicate::Quantity { parameter, test: test.clone(), is_single };
                Ok(parameters.map(of).collect())
            }
            Kind::Reference => self.reference(one, &self.parameter.targets),
            Kind::Uri => Ok(vec![Predicate::Uri { parameter, test: UriTest::is(one) }]),
            Kind::Composite => self.composite(one),
            Kind::Special => {
                let test = NearTest::parse(one).map_err(|text| self.wrong(one, text))?;
                Ok(vec![Predicate::Near { parameter, test }])
            }
        }
    }

    pub fn string(&self, test: StringTest) -> Read<Vec<Predicate>> {
        match test.is_empty() {
            true => Err(self.wrong("", "a string has a letter or digit")),
            false => {
                let is_beginning = matches!(test, StringTest::StartsWith(_));
                let has_words = is_beginning && self.parameter.reads.has_families;
                Ok(vec![Predicate::String { parameter: self.parameter.id, test, has_words }])
            }
        }
    }

    fn date(&self, one: &str) -> Read<Test<DateTime<Utc>>> {
        let (prefix, text) = Prefix::split(one);
        Ok(date::test(prefix, self.range(text)?, self.planner.now))
    }

    pub fn range(&self, text: &str) -> Read<date::Range> {
        let range = date::search_range(text, self.planner.settings.zone);
        range.ok_or_else(|| self.wrong(text, DATE))
    }

    /// The condition on the dates of the parameter, wherever they are.
    pub fn dates(&self, test: Test<DateTime<Utc>>) -> Vec<Predicate> {
        if self.parameter.code == "_lastUpdated" {
            return vec![Predicate::LastUpdated(test)];
        }
        let parameter = self.parameter.id;
        let main = self.planner.main_types(self.types, parameter);
        let registry = self.planner.registry;
        let is_single = |kind: &ResourceType| registry.of(*kind).has_single_main_date;
        let has_rows = main.len() != self.types.len() || !main.iter().all(is_single);
        vec![Predicate::Date { parameter, test, main, has_rows }]
    }

    fn uri(&self, one: &str, read: UriReader) -> Read<Vec<Predicate>> {
        let test = read(one).map_err(|text| self.wrong(one, text))?;
        Ok(vec![Predicate::Uri { parameter: self.parameter.id, test }])
    }

    /// A composite on the resource itself is both components together; elsewhere it has rows.
    fn composite(&self, one: &str) -> Read<Vec<Predicate>> {
        let (left, right) = text::split_once(one, '$')
            .filter(|(left, right)| !left.is_empty() && !right.is_empty())
            .ok_or_else(|| self.wrong(one, "a composite is two values with $ between them"))?;
        self.pair(left, right)
    }

    /// A composite of two values, neither empty.
    pub fn pair(&self, left: &str, right: &str) -> Read<Vec<Predicate>> {
        let [first, second] = &self.parameter.components[..] else {
            return Err(not_supported(self.name, "This composite is not offered"));
        };
        let mut found = Vec::new();
        if self.parameter.is_conjunction {
            let clauses = [self.of_component(first, left)?, self.of_component(second, right)?];
            found.push(Predicate::Both(Box::new(clauses)));
        }
        if self.parameter.has_rows {
            let parameter = self.parameter.rows_of;
            let first = TokenTest::parse(left).map_err(|text| self.wrong(left, text))?;
            let of = |second| Predicate::Composite { parameter, first: first.clone(), second };
            found.extend(self.second(second, right)?.into_iter().map(of));
        }
        Ok(found)
    }

    /// The clause of a component on the resource itself.
    fn of_component(&self, component: &Component, value: &str) -> Read<Clause> {
        let kind = self.types.first().copied();
        let parameter = kind
            .and_then(|kind| self.planner.registry.of(kind).on_resource(component))
            .ok_or_else(|| not_supported(self.name, "This composite is not offered"))?;
        let name = self.name;
        Reader { planner: self.planner, types: self.types, parameter, name }.clause(None, value)
    }

    fn second(&self, component: &Component, one: &str) -> Read<Vec<Second>> {
        let wrong = |text| self.wrong(one, text);
        match component.kind {
            Kind::Token => Ok(vec![Second::Token(TokenTest::parse(one).map_err(wrong)?)]),
            Kind::Quantity => Ok(vec![Second::Quantity(quantity::parse(one).map_err(wrong)?)]),
            Kind::Number => Ok(vec![Second::Quantity(quantity::parse_number(one).map_err(wrong)?)]),
            Kind::Date => Ok(vec![Second::Date(self.date(one)?)]),
            Kind::String => Ok(vec![Second::String(StringTest::starts_with(one))]),
            Kind::Reference => {
                let base_url = &self.planner.settings.base_url;
                match ReferenceTest::parse(one, &component.targets, base_url).map_err(wrong)? {
                    ReferenceTest::Local(targets) => Ok(vec![Second::Reference(targets)]),
                    ReferenceTest::Elsewhere(_) => Ok(Vec::new()),
                }
            }
            Kind::Uri | Kind::Composite | Kind::Special => {
                Err(not_supported(self.name, "This composite is not offered"))
            }
        }
    }
}
