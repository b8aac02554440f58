//! Puts path, method, parameters, conditions and body together:
//! <https://hl7.org/fhir/R4/http.html#summary>.

use super::parameters::{self, Parameters};
use super::target::Target;
use super::{
    Body, BundleKind, Conditions, Handling, HistoryScope, Interaction, Method, Operation, Prefer,
    Request, RequestParts, SearchScope, TypeCriteria, WriteGuard, prefer,
};
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Resource, ResourceKey};
use crate::fhir::subset::Subset;
use serde_json::Value;

/// Understands a request, or says what is wrong with it: 404 where nothing is at the path, 405
/// with `allow`, 400 for parameters, conditions and bodies that do not fit, 412 for criteria
/// that select everything. Search, history and operation parameters are passed on unjudged.
pub fn read(parts: RequestParts<'_>) -> Result<Request> {
    let RequestParts { method, path, query, conditions, prefer, mut body } = parts;
    let target = Target::parse(path, method)?;
    let allowed = target.allowed_methods();
    if !allowed.contains(&method.as_str()) {
        return Err(FhirError::method_not_allowed(method.as_str(), allowed));
    }
    let prefer = prefer::read(prefer)?;
    let form = match (&target, &mut body) {
        (Target::Search(_), Body::Form(form)) => {
            let form = std::mem::take(form);
            body = Body::None;
            form
        }
        _ => Vec::new(),
    };
    let Parameters { asked, presentation, subset } = Parameters::read(query, form)?;
    let reader = Reader { method, query, conditions, prefer, body, asked };
    let interaction = reader.interaction(target)?;
    check_subset(&interaction, &subset, prefer)?;
    Ok(Request {
        interaction,
        subset,
        prefer,
        presentation,
        idempotency_key: None,
        provenance: None,
    })
}

struct Reader<'a> {
    method: Method,
    query: Option<&'a str>,
    conditions: Conditions<'a>,
    prefer: Prefer,
    body: Body,
    /// Without those of presentation.
    asked: Vec<super::Parameter>,
}

impl Reader<'_> {
    fn interaction(self, target: Target) -> Result<Interaction> {
        let is_create = matches!((&target, self.method), (Target::Type(_), Method::Post));
        if self.conditions.if_none_exist.is_some() && !is_create {
            let why = "If-None-Exist is for creates alone";
            return Err(FhirError::at(IssueCode::Invalid, "http.If-None-Exist", why));
        }
        match target {
            Target::Base if self.method == Method::Post => self.bundle(),
            Target::Base => self.search(SearchScope::System),
            Target::Metadata => self.capabilities(),
            Target::Type(resource_type) => self.at_type(resource_type),
            Target::Instance(key) => self.at_instance(key),
            Target::Version(key, version) => {
                self.only_presentation(&[])?;
                let unless = self.conditions.unless()?;
                self.body.none(self.method)?;
                Ok(Interaction::Vread { key, version, unless })
            }
            Target::Compartment(key, member) => self.search(SearchScope::Compartment(key, member)),
            Target::Search(scope) => self.search(scope),
            Target::History(scope) => self.history(scope),
            Target::Operation(scope, row) => {
                let guard = match row.affects_state {
                    true => self.conditions.change_guard()?,
                    false => WriteGuard::default(),
                };
                let body = self.body.resource_if_any()?;
                let parameters = self.asked;
                Ok(Interaction::Operation(Operation { row, scope, parameters, body, guard }))
            }
        }
    }

    fn at_type(self, resource_type: ResourceType) -> Result<Interaction> {
        match self.method {
            Method::Get | Method::Head => self.search(SearchScope::Type(resource_type)),
            Method::Post => self.create(resource_type),
            Method::Put => {
                let guard = self.conditions.update_guard()?;
                let resource = self.body.resource_of(resource_type)?;
                let criteria = criteria(resource_type, self.query)?;
                Ok(Interaction::ConditionalUpdate { criteria, resource, guard })
            }
            Method::Patch => {
                let guard = self.conditions.change_guard()?;
                let patch = self.body.patch()?;
                let criteria = criteria(resource_type, self.query)?;
                Ok(Interaction::ConditionalPatch { criteria, patch, guard })
            }
            Method::Delete => {
                let guard = self.conditions.change_guard()?;
                self.body.none(self.method)?;
                let criteria = criteria(resource_type, self.query)?;
                Ok(Interaction::ConditionalDelete { criteria, guard })
            }
        }
    }

    fn at_instance(self, key: ResourceKey) -> Result<Interaction> {
        self.only_presentation(&[])?;
        match self.method {
            Method::Put => {
                let guard = self.conditions.update_guard()?;
                let resource = self.body.resource_at(&key)?;
                Ok(Interaction::Update { key, resource, guard })
            }
            Method::Patch => {
                let guard = self.conditions.change_guard()?;
                Ok(Interaction::Patch { key, patch: self.body.patch()?, guard })
            }
            Method::Delete => {
                let guard = self.conditions.change_guard()?;
                self.body.none(self.method)?;
                Ok(Interaction::Delete { key, guard })
            }
            Method::Get | Method::Head | Method::Post => {
                let unless = self.conditions.unless()?;
                self.body.none(self.method)?;
                Ok(Interaction::Read { key, unless })
            }
        }
    }

    fn create(self, resource_type: ResourceType) -> Result<Interaction> {
        self.only_presentation(&[])?;
        if self.conditions.if_match.is_some() {
            let why = "A create has no earlier version to match; an update is PUT to Type/id";
            return Err(FhirError::at(IssueCode::Invalid, "http.If-Match", why));
        }
        let if_none_exist = match self.conditions.if_none_exist {
            Some(header) => Some(if_none_exist(resource_type, header)?),
            None => None,
        };
        let resource = self.body.resource_of(resource_type)?;
        Ok(Interaction::Create { resource, if_none_exist })
    }

    fn search(self, scope: SearchScope) -> Result<Interaction> {
        if self.method == Method::Post && !matches!(self.body, Body::None) {
            let why = "_search takes application/x-www-form-urlencoded";
            let kind = ErrorKind::UnsupportedMediaType;
            return Err(FhirError::new(kind, IssueCode::NotSupported, why));
        }
        self.body.none(self.method)?;
        Ok(Interaction::Search { scope, parameters: self.asked })
    }

    fn history(self, scope: HistoryScope) -> Result<Interaction> {
        self.body.none(self.method)?;
        Ok(Interaction::History { scope, parameters: self.asked })
    }

    fn capabilities(self) -> Result<Interaction> {
        self.only_presentation(&["mode"])?;
        let mode = parameters::single(&self.asked, "mode")?.map(str::to_owned);
        self.body.none(self.method)?;
        Ok(Interaction::Capabilities { mode })
    }

    /// http.html#transaction: a Bundle of type batch or transaction, posted to the base.
    fn bundle(self) -> Result<Interaction> {
        self.only_presentation(&[])?;
        let bundle = self.body.resource()?;
        let found = bundle.resource_type().name();
        if found != "Bundle" {
            let why = format!("The base takes a Bundle; a {found} is posted to [base]/{found}");
            return Err(FhirError::at(IssueCode::Invalid, "resourceType", why));
        }
        let kind = bundle_kind(&bundle)?;
        Ok(Interaction::Bundle { kind, bundle })
    }

    /// 400 for parameters that this interaction does not have, unless handling is lenient.
    fn only_presentation(&self, others: &[&str]) -> Result<()> {
        let unknown = self.asked.iter().find(|(name, _)| !others.contains(&name.as_str()));
        match (unknown, self.prefer.handling) {
            (Some((name, _)), Handling::Strict) => {
                let why = format!("'{name}' is not a parameter of this interaction");
                Err(FhirError::at(IssueCode::NotSupported, format!("http.{name}"), why))
            }
            _ => Ok(()),
        }
    }
}

fn bundle_kind(bundle: &Resource) -> Result<BundleKind> {
    match bundle.object().get("type").and_then(Value::as_str) {
        Some("batch") => Ok(BundleKind::Batch),
        Some("transaction") => Ok(BundleKind::Transaction),
        found => {
            let found = found.map_or("none".to_owned(), |found| format!("'{found}'"));
            let why = format!(
                "The base takes Bundles of type batch or transaction, and this one has {found}; \
                 to store it, post it to [base]/Bundle"
            );
            Err(FhirError::invalid_value("Bundle.type", why))
        }
    }
}

fn criteria(resource_type: ResourceType, query: Option<&str>) -> Result<TypeCriteria> {
    let query = parameters::criteria(query.unwrap_or_default())?;
    Ok(TypeCriteria { resource_type, query })
}

/// `If-None-Exist: identifier=a`, also seen as `?identifier=a` and `Patient?identifier=a`.
fn if_none_exist(resource_type: ResourceType, header: &str) -> Result<String> {
    let header = header.trim();
    let query = match header.split_once('?') {
        None | Some(("", _)) => header.strip_prefix('?').unwrap_or(header),
        Some((kind, query)) if kind == resource_type.name() => query,
        // A question mark may also stand in the value of a query.
        Some((kind, _)) if kind.contains('=') => header,
        Some((kind, _)) => {
            let why = format!("The criteria are for '{kind}', the create is of {resource_type}");
            return Err(FhirError::invalid_value("http.If-None-Exist", why));
        }
    };
    parameters::criteria(query)
}

/// `_summary=count` counts matches, so neither a single resource nor a history
/// has it (search.html#summary); names
/// in `_elements` are elements of the type that is read.
fn check_subset(interaction: &Interaction, subset: &Subset, prefer: Prefer) -> Result<()> {
    let key = match interaction {
        Interaction::Read { key, .. } | Interaction::Vread { key, .. } => Some(key),
        Interaction::History { .. } | Interaction::Capabilities { .. } => None,
        _ => return Ok(()),
    };
    if *subset == Subset::Count {
        let why = "_summary=count is for searches";
        return Err(FhirError::invalid_value("http._summary", why));
    }
    let Some(key) = key else { return Ok(()) };
    match subset {
        Subset::Elements(names) if prefer.handling == Handling::Strict => {
            let definition = key.resource_type.definition();
            let is_element = |name: &str| {
                name == "resourceType"
                    || definition.element(name).is_some()
                    || definition.child(name).is_some()
            };
            match names.iter().find(|name| !is_element(name)) {
                None => Ok(()),
                Some(name) => {
                    let why = format!("{} has no element '{name}'", key.resource_type);
                    Err(FhirError::invalid_value("http._elements", why))
                }
            }
        }
        _ => Ok(()),
    }
}
