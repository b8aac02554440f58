//! The search parameters of every resource type, compiled once: HL7's definitions
//! (<https://hl7.org/fhir/R4/searchparameter-registry.html>) with their extraction programs.

use super::elements;
use super::extraction::LinkRules;
use super::full_text::TextOf;
use super::index_rows::{ParameterId, REMOVED_ITEM};
use super::main_values::{MainValues, MainValuesTable};
use super::value::TokenStore;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::{Definitions, ResourceType, SearchParameterRow, TypeId};
use crate::fhir::fhirpath::{Expression, Program};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

mod custom;
mod definition;
pub mod r4;

use custom::Restrictions;
pub use custom::{Coverage, Custom, CustomState};
pub use definition::{Definition, is_of_r4};

/// <https://hl7.org/fhir/R4/valueset-search-param-type.html>
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    Number,
    Date,
    String,
    Token,
    Reference,
    Composite,
    Quantity,
    Uri,
    Special,
}

const KINDS: [(&str, Kind); 9] = [
    ("number", Kind::Number),
    ("date", Kind::Date),
    ("string", Kind::String),
    ("token", Kind::Token),
    ("reference", Kind::Reference),
    ("composite", Kind::Composite),
    ("quantity", Kind::Quantity),
    ("uri", Kind::Uri),
    ("special", Kind::Special),
];

impl Kind {
    pub fn as_str(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("special", |(name, _)| name)
    }
}

/// A search parameter as one resource type has it.
pub struct SearchParameter {
    pub id: ParameterId,
    pub url: Cow<'static, str>,
    /// The name in URLs.
    pub code: Cow<'static, str>,
    pub kind: Kind,
    pub description: Cow<'static, str>,
    /// Types that a reference may point at.
    pub targets: Vec<ResourceType>,
    /// Where the values of a token parameter are: one store, or both.
    pub stores: Vec<TokenStore>,
    /// What the elements are that it reads.
    pub reads: elements::Reads,
    /// True where its values may be Identifiers, which have a type.
    pub has_identifiers: bool,
    /// True where its values may be canonical URLs, which name a resource by its `url`.
    pub has_canonicals: bool,
    /// Empty but for composites.
    pub components: Vec<Component>,
    /// True where a composite's parts may be single elements of the resource itself: there the
    /// composite is its two component parameters together, and needs no rows of its own.
    pub is_conjunction: bool,
    /// True where a composite's parts may be elsewhere, in rows of its own.
    pub has_rows: bool,
    /// The composite whose rows are its rows: itself, or a narrower one of the same parts, such
    /// as `component-code-value-quantity` for `combo-code-value-quantity`.
    pub rows_of: ParameterId,
    /// Narrower parameters that together read what this one reads, such as
    /// `component-value-quantity` and `value-quantity` for `combo-value-quantity`: their rows
    /// are its rows, and it has none of its own. Empty for most.
    pub union_of: Vec<ParameterId>,
    /// True where a resource has one value of it at most, as far as its definition tells.
    pub reads_one: bool,
    /// None where R4 gives no expression (`_text`, `_content`, `_query`, `_filter`). The only
    /// special parameter that has one is `near`, about positions.
    pub(super) program: Option<Program>,
    /// How far its rows are, while they are made; None where they are all there.
    pub building: Option<Arc<Coverage>>,
    /// What its definition leaves of what the server offers for its type.
    pub(super) restrictions: Restrictions,
}

/// One part of a composite.
pub struct Component {
    pub kind: Kind,
    pub targets: Vec<ResourceType>,
    /// Of the component's own search parameter.
    pub code: &'static str,
    pub(super) program: Program,
}

impl SearchParameter {
    /// The parameters whose rows hold its values.
    pub fn row_parameters(&self) -> Vec<ParameterId> {
        match self.union_of.is_empty() {
            true => vec![self.id],
            false => self.union_of.clone(),
        }
    }

    /// Where it is about words, those of what.
    pub fn text_of(&self) -> Option<TextOf> {
        TextOf::named(&self.code)
    }

    /// True where the server can search by it.
    pub fn is_supported(&self) -> bool {
        match self.kind {
            Kind::Composite => self.components.len() == 2 && self.components[0].kind == Kind::Token,
            _ => self.program.is_some(),
        }
    }

    /// True where searches by it are answered: it is supported, and all of its rows are there.
    pub fn is_offered(&self) -> bool {
        self.is_supported() && self.building.is_none()
    }
}

/// The parameters of one type.
#[derive(Clone)]
pub struct TypeParameters {
    by_code: BTreeMap<Cow<'static, str>, Arc<SearchParameter>>,
    pub(super) main: MainValues,
    /// Parameters whose Patients stamp the row (the access compartment, not that of R4).
    pub(super) subject_codes: Vec<&'static str>,
    /// Of lists (search.html#list).
    pub(super) list: Option<Arc<ListItems>>,
    /// True where one element at most names a subject, so that `patient` holds it.
    pub has_single_subject: bool,
    /// True where the main date has one value at most, so that the row itself holds all.
    pub has_single_main_date: bool,
    /// True where rows of custom parameters are being made or removed: what is stored of a
    /// resource may be more or less than what is extracted from it.
    is_unsettled: bool,
}

/// How a list's rows say what it holds.
pub struct ListItems {
    /// The parameter that reads the items of all entries.
    pub parameter: ParameterId,
    /// Marks those of which every entry is marked as deleted.
    pub removed: ParameterId,
    /// Reads the items of entries that are marked as deleted.
    pub(super) program: Program,
}

/// All search parameters: those of R4, and custom ones.
pub struct Registry {
    types: HashMap<ResourceType, Arc<TypeParameters>>,
    parameters: Arc<[(ParameterId, &'static str, &'static str)]>,
    /// Of the state of the custom parameters: each change of any raises it.
    number: i64,
    customs: Vec<Arc<Custom>>,
    pub(super) links: Arc<LinkRules>,
}

impl Registry {
    /// Compiles every parameter of R4; an error is a bug of the definitions or the compiler.
    pub fn r4() -> Result<Registry> {
        let rows = Definitions::r4().search_parameters();
        let ids: HashMap<&str, ParameterId> = rows
            .iter()
            .enumerate()
            .map(|(index, row)| (row.url.as_str(), ParameterId(index as i16 + 1)))
            .collect();
        let by_url: HashMap<&str, &'static SearchParameterRow> =
            rows.iter().map(|row| (row.url.as_str(), row)).collect();
        let expressions = rows
            .iter()
            .filter_map(|row| Some((row.url.as_str(), row, row.expression.as_deref()?)))
            .map(|(url, row, source)| Ok((url, compiled(row, Expression::parse(source))?)))
            .collect::<Result<_>>()?;
        let main_values = MainValuesTable::load()?;
        let builder = Builder { ids, by_url, expressions, main_values };
        let mut types = HashMap::new();
        for resource_type in ResourceType::all() {
            let of_type = builder.parameters_of(resource_type, rows)?;
            types.insert(resource_type, Arc::new(of_type));
        }
        let parameters = rows
            .iter()
            .enumerate()
            .map(|(index, row)| (ParameterId(index as i16 + 1), &*row.url, &*row.code))
            .collect();
        let links = Arc::new(LinkRules::load()?);
        Ok(Registry { types, parameters, number: 0, customs: Vec::new(), links })
    }

    /// The parameter of that name; `code` as in URLs, without modifier.
    pub fn parameter(&self, resource_type: ResourceType, code: &str) -> Option<&SearchParameter> {
        self.of(resource_type).by_code.get(code).map(Arc::as_ref)
    }

    /// Every parameter of a type, in order of name.
    pub fn parameters_of(
        &self,
        resource_type: ResourceType,
    ) -> impl Iterator<Item = &SearchParameter> {
        self.of(resource_type).by_code.values().map(Arc::as_ref)
    }

    /// The reference parameters of a type that can be searched by.
    pub fn references_of(
        &self,
        resource_type: ResourceType,
    ) -> impl Iterator<Item = &SearchParameter> {
        let is_reference =
            |found: &&SearchParameter| found.kind == Kind::Reference && found.is_offered();
        self.parameters_of(resource_type).filter(is_reference)
    }

    /// The parameters of the canonical URLs of these types; of all where none is named.
    pub fn urls_of(&self, types: &[ResourceType]) -> Vec<ParameterId> {
        let is_wanted = |kind: &ResourceType| types.is_empty() || types.contains(kind);
        let of = |kind| self.of(kind).url().map(|found| found.id);
        let mut urls: Vec<_> = ResourceType::all().filter(is_wanted).filter_map(of).collect();
        urls.sort_unstable();
        urls.dedup();
        urls
    }

    /// The type whose resources are lists, and how they say what they hold.
    pub fn list(&self) -> Option<(ResourceType, &ListItems)> {
        self.types.iter().find_map(|(kind, of)| Some((*kind, &**of.list.as_ref()?)))
    }

    /// Whether the first value of the parameter is the lead of rows of the type, and no key.
    pub fn is_lead(&self, resource_type: ResourceType, id: ParameterId) -> bool {
        self.of(resource_type).lead().is_some_and(|lead| lead.id == id)
    }

    /// Id, canonical URL and code of every parameter, for the table of names.
    pub fn names(&self) -> &[(ParameterId, &'static str, &'static str)] {
        &self.parameters
    }

    pub(super) fn of(&self, resource_type: ResourceType) -> &TypeParameters {
        &self.types[&resource_type]
    }
}

impl TypeParameters {
    fn get(&self, code: &str) -> Option<&SearchParameter> {
        self.by_code.get(code).map(Arc::as_ref)
    }

    pub(super) fn supported(&self) -> impl Iterator<Item = &SearchParameter> {
        self.by_code.values().map(Arc::as_ref).filter(|parameter| parameter.is_supported())
    }

    /// Whether resources of the type may have a narrative (domainresource.html).
    pub fn has_narrative(&self) -> bool {
        self.by_code.contains_key(TextOf::Narrative.name())
    }

    /// The parameter of its canonical URL.
    pub fn url(&self) -> Option<&SearchParameter> {
        self.get("url").filter(|found| found.kind == Kind::Uri && !found.id.is_custom())
    }

    /// The parameter that reads a composite's part on the resource itself: a combination
    /// `combo-x` is there what `x` is.
    pub(super) fn on_resource(&self, part: &Component) -> Option<&SearchParameter> {
        let code = part.code.strip_prefix("combo-").unwrap_or(part.code);
        self.get(code).filter(|known| known.kind == part.kind && !known.id.is_custom())
    }

    /// The parameter whose first coding is the row's `lead`.
    pub fn lead(&self) -> Option<&SearchParameter> {
        self.get(self.main.lead?)
    }

    /// The parameter whose first value is the row's main date.
    pub fn main_date(&self) -> Option<&SearchParameter> {
        self.get(self.main.date?)
    }

    pub(super) fn subjects(&self) -> impl Iterator<Item = &SearchParameter> {
        self.subject_codes.iter().filter_map(|code| self.get(code))
    }

    /// Parameters that may name the row's one compartment patient.
    pub fn is_subject(&self, code: &str) -> bool {
        self.subject_codes.contains(&code)
    }
}

/// What a definition says of a parameter, before its programs.
struct Named<'e> {
    id: ParameterId,
    url: Cow<'static, str>,
    code: Cow<'static, str>,
    kind: Kind,
    description: Cow<'static, str>,
    targets: Vec<ResourceType>,
    expression: &'e str,
}

impl Named<'_> {
    /// The parameter of one type with these programs.
    fn assembled(
        self,
        resource_type: ResourceType,
        program: Option<Program>,
        components: Vec<Component>,
    ) -> SearchParameter {
        let types = program.as_ref().map(Program::types).unwrap_or_default();
        let root = Definitions::r4().type_id(resource_type.name());
        SearchParameter {
            id: self.id,
            rows_of: self.id,
            url: self.url,
            code: self.code,
            kind: self.kind,
            description: self.description,
            targets: self.targets,
            stores: stores(&types),
            reads: elements::Reads::of(self.expression, resource_type, &types),
            has_identifiers: is_any(&types, &["Identifier"]),
            has_canonicals: is_any(&types, &["canonical", "uri"]),
            is_conjunction: !components.is_empty() && types.iter().any(|id| Some(*id) == root),
            has_rows: types.iter().any(|id| Some(*id) != root),
            components,
            union_of: Vec::new(),
            reads_one: false,
            program,
            building: None,
            restrictions: Restrictions::default(),
        }
    }
}

struct Builder {
    ids: HashMap<&'static str, ParameterId>,
    by_url: HashMap<&'static str, &'static SearchParameterRow>,
    /// Parsed once for all types.
    expressions: HashMap<&'static str, Expression>,
    main_values: MainValuesTable,
}

impl Builder {
    fn parameters_of(
        &self,
        resource_type: ResourceType,
        rows: &'static [SearchParameterRow],
    ) -> Result<TypeParameters> {
        let definition = resource_type.definition();
        let definitions = Definitions::r4();
        let ancestors: Vec<&str> = std::iter::successors(Some(definition), |definition| {
            definition.base.map(|base| definitions.type_def(base))
        })
        .map(|definition| definition.name)
        .collect();
        let mut by_code = BTreeMap::new();
        for row in rows {
            if row.base.iter().any(|base| ancestors.contains(&base.as_str())) {
                by_code.insert(row.code.as_str(), self.parameter(row, resource_type)?);
            }
        }
        self.find_unions(&mut by_code);
        self.share_rows(&mut by_code, definition.name);
        for parameter in by_code.values_mut() {
            let expression = self.expression_of(parameter);
            parameter.reads_one = reads_one_value(resource_type, expression.into_iter());
        }
        let main = self.main_values.of(resource_type);
        let is_reference =
            |code: &&&str| by_code.get(*code).is_some_and(|found| found.kind == Kind::Reference);
        let known = self.main_values.subject_codes(resource_type).iter();
        let subject_codes: Vec<&'static str> = known.filter(is_reference).copied().collect();
        let expressions =
            subject_codes.iter().filter_map(|code| self.expression_of(&by_code[code]));
        let has_single_subject = reads_one_value(resource_type, expressions);
        let main_date = main.date.and_then(|code| by_code.get(code));
        let main_date = main_date.and_then(|found| self.expression_of(found));
        let has_single_main_date = reads_one_value(resource_type, main_date.into_iter());
        let list = self.list_of(resource_type, &by_code)?;
        let shared = |(code, parameter)| (Cow::Borrowed(code), Arc::new(parameter));
        Ok(TypeParameters {
            by_code: by_code.into_iter().map(shared).collect(),
            list: list.map(Arc::new),
            main,
            subject_codes,
            has_single_subject,
            has_single_main_date,
            is_unsettled: false,
        })
    }

    fn expression_of(&self, parameter: &SearchParameter) -> Option<&'static str> {
        self.by_url[&*parameter.url].expression.as_deref()
    }

    fn list_of(
        &self,
        resource_type: ResourceType,
        by_code: &BTreeMap<&'static str, SearchParameter>,
    ) -> Result<Option<ListItems>> {
        let Some(values) = self.main_values.list_of(resource_type) else { return Ok(None) };
        let items = by_code.get(values.items).ok_or_else(|| {
            FhirError::internal(format!("{resource_type} has no parameter {}", values.items))
        })?;
        let parsed = Expression::parse(values.removed).map_err(FhirError::internal)?;
        let program = Program::of_expression(&parsed, resource_type);
        let program = program.map_err(FhirError::internal)?;
        Ok(Some(ListItems { parameter: items.id, removed: REMOVED_ITEM, program }))
    }

    fn parameter(
        &self,
        row: &'static SearchParameterRow,
        resource_type: ResourceType,
    ) -> Result<SearchParameter> {
        let program = match self.expressions.get(row.url.as_str()) {
            Some(parsed) => Some(compiled(row, Program::of_expression(parsed, resource_type))?),
            None => None,
        };
        let types = program.as_ref().map(Program::types).unwrap_or_default();
        let components = row
            .components
            .iter()
            .map(|component| {
                let source = &component.expression;
                let program = Program::compile_component(source, resource_type, &types);
                let program = compiled(row, program)?;
                let own = self.by_url.get(component.definition.as_str()).ok_or_else(|| {
                    FhirError::internal(format!("no parameter {}", component.definition))
                })?;
                Ok(Component { kind: kind(own), targets: targets(own), code: &own.code, program })
            })
            .collect::<Result<Vec<_>>>()?;
        let target = row.expression.as_deref();
        let target = target.and_then(|source| resolved_target(source, resource_type));
        let named = Named {
            id: self.ids[row.url.as_str()],
            url: Cow::Borrowed(&row.url),
            code: Cow::Borrowed(&row.code),
            kind: kind(row),
            description: Cow::Borrowed(&row.description),
            targets: target.map_or_else(|| targets(row), |target| vec![target]),
            expression: row.expression.as_deref().unwrap_or_default(),
        };
        Ok(named.assembled(resource_type, program, components))
    }

    /// Quantities have the most rows of all, and R4 has Observation write each of them twice.
    fn find_unions(&self, by_code: &mut BTreeMap<&'static str, SearchParameter>) {
        let paths = |parameter: &SearchParameter| -> BTreeSet<&'static str> {
            let source = self.expression_of(parameter).unwrap_or_default();
            source.split('|').map(str::trim).collect()
        };
        let read: Vec<(&'static str, ParameterId, BTreeSet<&'static str>)> = by_code
            .iter()
            .filter(|(_, parameter)| parameter.kind == Kind::Quantity)
            .map(|(code, parameter)| (*code, parameter.id, paths(parameter)))
            .collect();
        for (code, _, whole) in &read {
            let parts = || {
                let narrower = |part: &BTreeSet<_>| part.len() < whole.len();
                read.iter().filter(move |(.., part)| narrower(part) && part.is_subset(whole))
            };
            let together: BTreeSet<_> =
                parts().flat_map(|(.., part)| part.iter().copied()).collect();
            if together == *whole
                && let Some(parameter) = by_code.get_mut(code)
            {
                parameter.union_of = parts().map(|(_, id, _)| *id).collect();
            }
        }
    }
}

impl Builder {
    /// Composites that read the same parts of the same elements have their rows once, under
    /// the one that reads nothing else.
    fn share_rows(&self, by_code: &mut BTreeMap<&'static str, SearchParameter>, root: &str) {
        let reads = |parameter: &SearchParameter| {
            let row = self.by_url[&*parameter.url];
            let source = row.expression.as_deref().unwrap_or_default();
            let below: BTreeSet<&str> =
                source.split('|').map(str::trim).filter(|path| *path != root).collect();
            let parts: Vec<&str> =
                row.components.iter().map(|component| component.expression.as_str()).collect();
            (below, parts)
        };
        let narrow: Vec<_> = by_code
            .values()
            .filter(|parameter| parameter.has_rows && !parameter.is_conjunction)
            .map(|parameter| (parameter.id, reads(parameter)))
            .collect();
        for parameter in by_code.values_mut().filter(|parameter| parameter.has_rows) {
            let read = reads(parameter);
            if let Some((id, _)) = narrow.iter().find(|(_, other)| *other == read) {
                parameter.rows_of = *id;
            }
        }
    }
}

fn compiled<T, E: std::fmt::Display>(
    row: &SearchParameterRow,
    outcome: std::result::Result<T, E>,
) -> Result<T> {
    outcome.map_err(|error| FhirError::internal(format!("{}: {error}", row.url)))
}

fn kind(row: &SearchParameterRow) -> Kind {
    KINDS.iter().find(|(name, _)| *name == row.kind).map_or(Kind::Special, |(_, kind)| *kind)
}

fn targets(row: &SearchParameterRow) -> Vec<ResourceType> {
    row.targets.iter().filter_map(|name| ResourceType::parse(name)).collect()
}

/// The one target of an expression that reads, in this type, only `where(resolve() is T)`.
fn resolved_target(source: &str, resource_type: ResourceType) -> Option<ResourceType> {
    let start = format!("{resource_type}.");
    let mut targets =
        source.split('|').map(str::trim).filter(|path| path.starts_with(&start)).map(|path| {
            path.strip_suffix(')')?.rsplit_once(".where(resolve() is ").map(|(_, of)| of)
        });
    let first = targets.next()??;
    targets.all(|target| target == Some(first)).then(|| ResourceType::parse(first))?
}

fn is_any(types: &[TypeId], names: &[&str]) -> bool {
    types.iter().any(|id| names.contains(&Definitions::r4().type_def(*id).name))
}

fn stores(types: &[TypeId]) -> Vec<TokenStore> {
    let mut stores = Vec::new();
    for id in types {
        let store = TokenStore::of_type(Definitions::r4().type_def(*id).name);
        if !stores.contains(&store) {
            stores.push(store);
        }
    }
    match stores.is_empty() {
        true => vec![TokenStore::Interned, TokenStore::Text],
        false => stores,
    }
}

/// True where the expressions read, in this type, one element that does not repeat: then there
/// is one value at most.
fn reads_one_value<'a>(
    resource_type: ResourceType,
    expressions: impl Iterator<Item = &'a str>,
) -> bool {
    let mut paths: Vec<&str> =
        expressions.flat_map(|expression| elements::paths(expression, resource_type)).collect();
    paths.sort_unstable();
    paths.dedup();
    match paths[..] {
        [path] => elements::is_single(resource_type, path),
        _ => false,
    }
}
