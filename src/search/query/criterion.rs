//! One `name:modifier=value,value` as a clause.

use super::{Planner, Refusal, is_patient, not_supported, wrong_value};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::Id;
use crate::search::plan::{Clause, Predicate, Second};
use crate::search::registry::{Component, Kind, SearchParameter};
use crate::search::value::prefix::{Prefix, Test};
use crate::search::value::reference::ReferenceTest;
use crate::search::value::string::StringTest;
use crate::search::value::token::{TokenTest, of_type};
use crate::search::value::uri::UriTest;
use crate::search::value::{TokenStore, date, quantity, text};
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
            (Some("missing"), _) => self.missing(value),
            (Some("exact"), Kind::String) => {
                self.any(value, |one| self.string(StringTest::exact(one)))
            }
            (Some("contains"), Kind::String) => {
                self.any(value, |one| self.string(StringTest::contains(one)))
            }
            (Some("not"), Kind::Token) => {
                let clause = self.any(value, |one| self.plain(one))?;
                Ok(Clause { is_negated: true, ..clause })
            }
            (Some("of-type"), Kind::Token) if self.parameter.has_identifiers => {
                self.any(value, |one| {
                    let token = of_type(one).map_err(|text| self.wrong(one, text))?;
                    let (parameter, test) = (self.parameter.id.of_type(), TokenTest::Exact(token));
                    Ok(vec![Predicate::Identifier { parameter, test }])
                })
            }
            (Some("below"), Kind::Uri) => self.any(value, |one| self.uri(one, UriTest::below)),
            (Some("above"), Kind::Uri) => self.any(value, |one| self.uri(one, UriTest::above)),
            (Some("identifier"), Kind::Reference) => self.any(value, |one| {
                let test = TokenTest::parse(one).map_err(|text| self.wrong(one, text))?;
                Ok(vec![Predicate::Identifier { parameter: self.parameter.id, test }])
            }),
            (Some(modifier), Kind::Reference) if ResourceType::parse(modifier).is_some() => {
                let kind: Vec<ResourceType> = ResourceType::parse(modifier).into_iter().collect();
                self.any(value, |one| self.reference(one, &kind))
            }
            (Some(modifier), kind) => Err(not_supported(
                self.name,
                format!(
                    "The modifier :{} is not offered for {}, which is of type {}",
                    text::beginning(modifier, 60),
                    self.parameter.code,
                    kind.as_str()
                ),
            )),
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

    fn any(&self, value: &str, read: impl Fn(&str) -> Read<Vec<Predicate>>) -> Read<Clause> {
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

    fn missing(&self, value: &str) -> Read<Clause> {
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
            Kind::Special => Err(not_supported(self.name, "This parameter is not offered")),
        }
    }

    fn token(&self, one: &str) -> Read<Vec<Predicate>> {
        let test = TokenTest::parse(one).map_err(|text| self.wrong(one, text))?;
        let parameter = self.parameter.id;
        let of = |store: &TokenStore| match store {
            TokenStore::Interned => {
                let leads = self.planner.led_types(self.types, parameter);
                Predicate::Token { parameter, test: test.clone(), leads }
            }
            TokenStore::Text => Predicate::Identifier { parameter, test: test.clone() },
        };
        Ok(self.parameter.stores.iter().map(of).collect())
    }

    pub fn string(&self, test: StringTest) -> Read<Vec<Predicate>> {
        match test.is_empty() {
            true => Err(self.wrong("", "a string has a letter or digit")),
            false => Ok(vec![Predicate::String { parameter: self.parameter.id, test }]),
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

    fn reference(&self, one: &str, targets: &[ResourceType]) -> Read<Vec<Predicate>> {
        let parameter = self.parameter.id;
        let base_url = &self.planner.settings.base_url;
        let test = ReferenceTest::parse(one, targets, base_url);
        match test.map_err(|text| self.wrong(one, text))? {
            ReferenceTest::Local(targets) => {
                let are_patients = targets.iter().all(|target| is_patient(target.resource_type));
                let is_subject =
                    are_patients && self.planner.is_single_subject(self.types, self.parameter);
                let mut found = vec![Predicate::Reference { parameter, targets, is_subject }];
                // A canonical or uri that names a resource of this server by its URL.
                if one.contains(':') {
                    found.push(Predicate::Uri { parameter, test: UriTest::is(one) });
                }
                Ok(found)
            }
            ReferenceTest::Elsewhere(value) => {
                Ok(vec![Predicate::Uri { parameter, test: UriTest::Is(vec![value]) }])
            }
        }
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
