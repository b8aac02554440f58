//! What the server needs of a SearchParameter to search by it:
//! <https://hl7.org/fhir/R4/searchparameter.html>.
//!
//! Left out: parameters of type special, composites of other than two parts or whose first part
//! is no token, parts that R4 does not define, and `xpathUsage` other than normal.

use super::custom::Restrictions;
use super::{Component, KINDS, Kind, Named, Registry, SearchParameter, resolved_target, targets};
use crate::error::{Issue, IssueCode};
use crate::fhir::definitions::{Definitions, ResourceType, SearchParameterRow};
use crate::fhir::fhirpath::{Expression, Program};
use crate::fhir::resource::Id;
use crate::search::index_rows::ParameterId;
use serde_json::Value;
use std::borrow::Cow;

/// Letters of a code.
const CODE_LETTERS: usize = 64;
/// Letters of a description that are kept.
const DESCRIPTION_LETTERS: usize = 2_000;

/// The types of elements that have values of a type of parameter
/// (<https://hl7.org/fhir/R4/search.html#ptypes>).
const READ: [(Kind, &[&str]); 7] = [
    (Kind::Number, &["decimal", "integer", "positiveInt", "unsignedInt", "Range"]),
    (Kind::Date, &["date", "dateTime", "instant", "Period", "Timing"]),
    (
        Kind::String,
        &["string", "markdown", "code", "id", "HumanName", "Address", "CodeableConcept"],
    ),
    (
        Kind::Token,
        &[
            "Coding",
            "CodeableConcept",
            "code",
            "boolean",
            "id",
            "Identifier",
            "ContactPoint",
            "string",
            "uri",
            "oid",
            "uuid",
        ],
    ),
    (Kind::Reference, &["Reference", "canonical", "uri"]),
    (Kind::Quantity, &["Quantity", "Money", "Age", "Count", "Distance", "Duration", "Range"]),
    (Kind::Uri, &["uri", "url", "canonical", "oid", "uuid"]),
];

/// The elements of a SearchParameter that the server reads.
const ELEMENTS: [&str; 16] = [
    "url",
    "code",
    "description",
    "base",
    "type",
    "expression",
    "xpath",
    "xpathUsage",
    "target",
    "multipleOr",
    "multipleAnd",
    "comparator",
    "modifier",
    "chain",
    "component",
    "status",
];

/// A custom search parameter as its SearchParameter says it.
#[derive(Clone)]
pub struct Definition {
    pub url: String,
    pub code: String,
    pub kind: Kind,
    /// Types that are searched by it; abstract ones stand for all below them.
    pub bases: Vec<ResourceType>,
    expression: Expression,
    targets: Vec<ResourceType>,
    components: Vec<(&'static SearchParameterRow, String)>,
    pub(super) restrictions: Restrictions,
    description: String,
    /// The elements that were read, as JSON.
    text: String,
}

/// Elements of one SearchParameter, and what is wrong with them.
struct Reader<'a> {
    resource: &'a Value,
    issues: Vec<Issue>,
}

impl Definition {
    /// Reads what it asks for. Every reason why the server cannot search by it is an issue at an
    /// element. Whether it may be beside others is [`Registry::conflicts`].
    pub fn read(resource: &Value) -> Result<Definition, Vec<Issue>> {
        let mut reader = Reader { resource, issues: Vec::new() };
        let definition = reader.definition();
        let Reader { mut issues, .. } = reader;
        let Some(definition) = definition.filter(|_| issues.is_empty()) else { return Err(issues) };
        for base in &definition.bases {
            issues.extend(definition.compile(ParameterId(0), *base).err());
        }
        // The same is wrong for many types.
        issues.truncate(5);
        match issues.is_empty() {
            true => Ok(definition),
            false => Err(issues),
        }
    }

    /// What of the SearchParameter [`Definition::read`] reads, as JSON.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True where both find the same values: then rows of one are rows of the other.
    pub fn has_rows_of(&self, other: &Definition) -> bool {
        let parts = |of: &Definition| -> Vec<(String, String)> {
            let part =
                |(row, source): &(&SearchParameterRow, String)| (row.url.clone(), source.clone());
            of.components.iter().map(part).collect()
        };
        self.url == other.url
            && self.code == other.code
            && self.kind == other.kind
            && self.bases == other.bases
            && self.expression.source() == other.expression.source()
            && parts(self) == parts(other)
    }

    /// The parameter as this type has it.
    pub(super) fn compile(
        &self,
        id: ParameterId,
        base: ResourceType,
    ) -> Result<SearchParameter, Issue> {
        let wrong = |place: &str, why: String| {
            Err(Issue::error(IssueCode::Invalid, format!("SearchParameter.{place}"), why))
        };
        let program = match Program::of_expression(&self.expression, base) {
            Ok(program) if program.is_empty() => {
                let why = format!("The expression reads nothing of {base}");
                return wrong("expression", why);
            }
            Ok(program) => program,
            Err(error) => return wrong("expression", format!("For {base}: {error}")),
        };
        if let Some(found) = self.unread(&program) {
            let kind = self.kind.as_str();
            let why = format!(
                "In {base} the expression finds {found}, of which a parameter of type {kind} has \
                 no values"
            );
            return wrong("expression", why);
        }
        let contexts = program.types();
        let mut components = Vec::new();
        for (index, (row, source)) in self.components.iter().enumerate() {
            match Program::compile_component(source, base, &contexts) {
                Ok(program) => {
                    let (kind, targets) = (super::kind(row), targets(row));
                    components.push(Component { kind, targets, code: &row.code, program });
                }
                Err(error) => {
                    let place = format!("component[{index}].expression");
                    return wrong(&place, format!("For {base}: {error}"));
                }
            }
        }
        let named = Named {
            id,
            url: Cow::Owned(self.url.clone()),
            code: Cow::Owned(self.code.clone()),
            kind: self.kind,
            description: Cow::Owned(self.description.clone()),
            targets: self.targets_of(base),
            expression: self.expression.source(),
        };
        let parameter = named.assembled(base, Some(program), components);
        Ok(SearchParameter { restrictions: self.restrictions.clone(), ..parameter })
    }

    /// Names the types that the program finds, where none has values of the parameter.
    fn unread(&self, program: &Program) -> Option<String> {
        let (_, read) = READ.iter().find(|(kind, _)| *kind == self.kind)?;
        let definitions = Definitions::r4();
        let names: Vec<&str> =
            program.types().into_iter().map(|id| definitions.type_def(id).name).collect();
        let is_read = |name: &&str| read.contains(name);
        (!names.is_empty() && !names.iter().any(is_read)).then(|| names.join(", "))
    }

    /// Types that a reference may point at: those named, or those that its elements may have.
    fn targets_of(&self, base: ResourceType) -> Vec<ResourceType> {
        let source = self.expression.source();
        match (self.kind, &self.targets[..]) {
            (Kind::Reference, []) => match resolved_target(source, base) {
                Some(target) => vec![target],
                None => element_targets(base, source),
            },
            (Kind::Reference, named) => named.to_vec(),
            _ => Vec::new(),
        }
    }
}

/// Types that references on these paths may point at; empty for any, also where the expression
/// is more than paths.
fn element_targets(base: ResourceType, source: &str) -> Vec<ResourceType> {
    let start = format!("{base}.");
    let mut found = Vec::new();
    for path in source.split('|').map(str::trim).filter_map(|path| path.strip_prefix(&start)) {
        match targets_at(base, path) {
            Some(targets) if !targets.is_empty() => found.extend(targets),
            _ => return Vec::new(),
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn targets_at(base: ResourceType, path: &str) -> Option<Vec<ResourceType>> {
    let definitions = Definitions::r4();
    let mut definition = base.definition();
    let mut targets = Vec::new();
    for name in path.split('.') {
        let [only] = &definition.element(name)?.types[..] else { return None };
        targets = only.targets.iter().filter_map(|name| ResourceType::parse(name)).collect();
        definition = definitions.type_def(only.id);
    }
    Some(targets)
}

impl Reader<'_> {
    fn definition(&mut self) -> Option<Definition> {
        let url = self.needed("url");
        let code = self.needed("code");
        let kind = self.kind();
        let bases = self.bases();
        let expression = self.expression();
        let components = self.components(kind);
        if let Some(code) = &code {
            self.check_code(code);
        }
        let usage = self.text("xpathUsage");
        if usage.is_some_and(|usage| usage != "normal") {
            self.wrong("xpathUsage", IssueCode::NotSupported, "The server knows 'normal' alone");
        }
        let mut description = self.text("description").unwrap_or_default().to_owned();
        if let Some((at, _)) = description.char_indices().nth(DESCRIPTION_LETTERS) {
            description.truncate(at);
        }
        let (targets, restrictions) = (self.types_in("target"), self.restrictions());
        Some(Definition {
            url: url?,
            code: code?,
            kind: kind?,
            bases,
            expression: expression?,
            targets,
            components: components?,
            restrictions,
            description,
            text: self.read_elements(),
        })
    }

    /// The elements that matter, as JSON that reads as this does.
    fn read_elements(&self) -> String {
        let element = |name: &&str| {
            let value = self.resource.get(*name)?;
            Some(((*name).to_owned(), value.clone()))
        };
        Value::Object(ELEMENTS.iter().filter_map(element).collect()).to_string()
    }

    fn wrong(&mut self, place: &str, code: IssueCode, why: impl Into<String>) {
        let place = format!("SearchParameter.{place}");
        self.issues.push(Issue::error(code, place, why));
    }

    fn text(&self, element: &str) -> Option<&str> {
        self.resource[element].as_str()
    }

    fn needed(&mut self, element: &str) -> Option<String> {
        let text = self.text(element).map(str::to_owned);
        if text.is_none() {
            let why = format!("An active search parameter has {element}");
            self.wrong(element, IssueCode::Required, why);
        }
        text
    }

    fn list(&self, element: &str) -> Vec<String> {
        let items = self.resource[element].as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn check_code(&mut self, code: &str) {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if code.is_empty() || code.len() > CODE_LETTERS || !code.chars().all(is_letter) {
            let why = format!(
                "'{code}' cannot be a name in URLs: 1 to {CODE_LETTERS} letters, digits, - and _"
            );
            self.wrong("code", IssueCode::Value, why);
        } else if code.starts_with('_') {
            let why = "Names that begin with _ are those of the specification";
            self.wrong("code", IssueCode::BusinessRule, why);
        }
    }

    fn kind(&mut self) -> Option<Kind> {
        let name = self.needed("type")?;
        let kind = KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        match kind {
            Some(Kind::Special) | None => {
                let why = format!("The server has no rule for search parameters of type {name}");
                self.wrong("type", IssueCode::NotSupported, why);
                None
            }
            kind => kind,
        }
    }

    /// `Resource` and `DomainResource` stand for all types below them.
    fn bases(&mut self) -> Vec<ResourceType> {
        let definitions = Definitions::r4();
        let mut bases = Vec::new();
        for name in self.list("base") {
            let is_of = |kind: &ResourceType| {
                let ids = definitions.type_id(kind.name()).zip(definitions.type_id(&name));
                ids.is_some_and(|(kind, base)| definitions.is_a(kind, base))
            };
            bases.extend(ResourceType::all().filter(is_of));
        }
        bases.sort_unstable();
        bases.dedup();
        if bases.is_empty() {
            let why = "An active search parameter has base types of R4";
            self.wrong("base", IssueCode::Required, why);
        }
        bases
    }

    fn types_in(&self, element: &str) -> Vec<ResourceType> {
        self.list(element).iter().filter_map(|name| ResourceType::parse(name)).collect()
    }

    fn expression(&mut self) -> Option<Expression> {
        let Some(source) = self.text("expression") else {
            let why = match self.text("xpath") {
                Some(_) => "The server searches by FHIRPath, not by xpath alone",
                None => "An active search parameter has an expression",
            };
            self.wrong("expression", IssueCode::Required, why);
            return None;
        };
        match Expression::parse(source) {
            Ok(expression) => Some(expression),
            Err(error) => {
                self.wrong("expression", IssueCode::Invalid, error.to_string());
                None
            }
        }
    }

    /// Of a composite, its two parts; empty for others.
    fn components(
        &mut self,
        kind: Option<Kind>,
    ) -> Option<Vec<(&'static SearchParameterRow, String)>> {
        let parts = self.resource["component"].as_array().cloned().unwrap_or_default();
        if kind != Some(Kind::Composite) {
            if !parts.is_empty() {
                self.wrong("component", IssueCode::BusinessRule, "Only a composite has components");
            }
            return Some(Vec::new());
        }
        let mut components = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let url = part["definition"].as_str().unwrap_or_default();
            let url = url.split('|').next().unwrap_or_default();
            let mut rows = Definitions::r4().search_parameters().iter();
            let Some(row) = rows.find(|row| row.url == url) else {
                let why = format!("'{url}' is no search parameter of R4");
                self.wrong(&format!("component[{index}].definition"), IssueCode::NotFound, why);
                return None;
            };
            components.push((row, part["expression"].as_str().unwrap_or_default().to_owned()));
        }
        let is_offered = |kind: Kind| !matches!(kind, Kind::Uri | Kind::Composite | Kind::Special);
        match &components[..] {
            [(first, _), (second, _)]
                if super::kind(first) == Kind::Token && is_offered(super::kind(second)) =>
            {
                Some(components)
            }
            _ => {
                let why = "The server searches by composites of two parts, the first of type \
                           token, the second no uri and no composite";
                self.wrong("component", IssueCode::NotSupported, why);
                None
            }
        }
    }

    fn restrictions(&self) -> Restrictions {
        let modifier = |name: String| if name == "ofType" { "of-type".to_owned() } else { name };
        Restrictions {
            modifiers: self.list("modifier").into_iter().map(modifier).collect(),
            comparators: self.list("comparator"),
            chains: self.list("chain"),
            has_one_value: self.resource["multipleOr"] == false,
            is_given_once: self.resource["multipleAnd"] == false,
        }
    }
}

/// Whether R4 defines this URL, and says the same as the SearchParameter. None for others.
pub fn is_of_r4(resource: &Value) -> Option<bool> {
    let url = resource["url"].as_str()?;
    let row = Definitions::r4().search_parameters().iter().find(|row| row.url == url)?;
    let mut bases: Vec<&str> =
        resource["base"].as_array()?.iter().filter_map(Value::as_str).collect();
    let mut own: Vec<&str> = row.base.iter().map(String::as_str).collect();
    bases.sort_unstable();
    own.sort_unstable();
    Some(
        resource["code"] == row.code.as_str()
            && resource["type"] == row.kind.as_str()
            && resource["expression"].as_str() == row.expression.as_deref()
            && bases == own,
    )
}

impl Registry {
    /// Why the definition cannot be beside the parameters that there are: its name is taken on a
    /// type, or its URL. `leaving` are custom ones that go as it comes, `coming` come with it.
    pub fn conflicts(
        &self,
        definition: &Definition,
        leaving: &[&Id],
        coming: &[Definition],
    ) -> Vec<Issue> {
        let issue = |place: &str, why: String| {
            Issue::error(IssueCode::Duplicate, format!("SearchParameter.{place}"), why)
        };
        let live = self.customs().iter().filter(|custom| custom.is_live());
        let staying = live.filter(|custom| !leaving.contains(&&custom.resource));
        let others: Vec<&Definition> =
            staying.map(|custom| &custom.definition).chain(coming).collect();
        let mut issues = Vec::new();
        if others.iter().any(|other| other.url == definition.url) {
            issues.push(issue("url", format!("{} is active already", definition.url)));
        }
        for base in &definition.bases {
            let of_r4 = self.parameter(*base, &definition.code);
            let is_of_r4 = of_r4.is_some_and(|found| !found.id.is_custom());
            let is_same =
                |other: &&Definition| other.code == definition.code && other.bases.contains(base);
            let other = others.iter().copied().find(is_same).map(|other| other.url.as_str());
            let taken = other.or(is_of_r4.then_some("R4"));
            if let Some(of) = taken {
                let code = &definition.code;
                issues.push(issue("code", format!("{base} has a search parameter {code} by {of}")));
                break;
            }
            issues.extend(self.unpaired(definition, *base));
        }
        issues
    }

    /// A composite on the resource itself is both of its parts together: the type must have them
    /// as parameters.
    fn unpaired(&self, definition: &Definition, base: ResourceType) -> Option<Issue> {
        let parameter = definition.compile(ParameterId(0), base).ok()?;
        let of = self.of(base);
        let is_there = |part: &&Component| of.on_resource(part).is_some();
        let mut parts = parameter.components.iter().filter(|_| parameter.is_conjunction);
        let missing = parts.find(|part| !is_there(part))?;
        let why = format!("{base} has no search parameter {} of R4", missing.code);
        Some(Issue::error(IssueCode::NotSupported, "SearchParameter.component", why))
    }
}
