//! The gate: effective = scope ∩ role ∩ row filter, for one interaction and the types that it is
//! about. Pure; what the client may be granted is in the scopes already, and what the account is
//! linked to comes from the database.

pub mod narrow;
pub mod permit;
pub mod redact;

use super::guard::{Guard, Guarded, Within};
use super::matrix::type_set::TypeSet;
use super::matrix::{Acts, Matrix, Sight};
use super::principal::Principal;
use super::role::Role;
use super::rows::filter::RowFilter;
use super::rows::granular::Images;
use super::rows::{Cover, Rows};
use super::smart_scope::Letters;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::{
    HistoryScope, Interaction, Operation, OperationCode, OperationScope, SearchScope,
};
use permit::{Answers, Granted};
use redact::Redactor;

/// Nobody signed in: the CapabilityStatement, and 401 for everything else.
pub fn anonymous(interaction: &Interaction) -> Result<Granted> {
    match interaction {
        Interaction::Capabilities { .. } => Ok(nothing()),
        _ => Err(signed_out()),
    }
}

/// 401 for who brings no token.
pub fn signed_out() -> FhirError {
    let text = "This server answers signed-in callers only";
    FhirError::new(ErrorKind::Unauthorized, IssueCode::Login, text)
}

/// What the bearer of a token may do. 403 where the scopes or the role lack the act for the type;
/// 401 for a token of a person without `fhirUser`.
pub fn principal(principal: &Principal, interaction: &Interaction) -> Result<Granted> {
    let asked = Asked::of(interaction);
    if let Asked::Nothing = asked {
        return Ok(nothing());
    }
    check_user(principal)?;
    let gate = Gate { principal, rows: Rows::of(principal) };
    match asked {
        Asked::Nothing => Ok(nothing()),
        Asked::Operators => Err(forbidden("This is for operators of the server".to_owned())),
        Asked::Read(kind) => {
            let read = gate.read(kind, (Acts::READ, Letters::READ));
            read.or_else(|refused| gate.read_of_person(kind).ok_or(refused))
        }
        Asked::History(Some(kind), true) => gate.read(kind, (Acts::HISTORY, Letters::READ)),
        Asked::History(of, _) => gate.history(of),
        Asked::Search(types) => gate.search(&types),
        Asked::Write { kind, act, is_conditional } => gate.write(kind, act, is_conditional),
    }
}

/// What an interaction asks of the gate.
enum Asked {
    /// Nothing of the store, or what each entry asks for itself.
    Nothing,
    Operators,
    Read(ResourceType),
    /// Of a type or all; true for that of an instance.
    History(Option<ResourceType>, bool),
    /// The types named; none for all.
    Search(Vec<ResourceType>),
    Write {
        kind: ResourceType,
        act: (Acts, Letters),
        is_conditional: bool,
    },
}

impl Asked {
    fn of(interaction: &Interaction) -> Asked {
        let write = |kind, act, is_conditional| Asked::Write { kind, act, is_conditional };
        let (create, update) = ((Acts::CREATE, Letters::CREATE), (Acts::UPDATE, Letters::UPDATE));
        let delete = (Acts::DELETE, Letters::DELETE);
        match interaction {
            Interaction::Capabilities { .. } | Interaction::Bundle { .. } => Asked::Nothing,
            Interaction::Read { key, .. } | Interaction::Vread { key, .. } => {
                Asked::Read(key.resource_type)
            }
            Interaction::History { scope, .. } => match scope {
                HistoryScope::System => Asked::History(None, false),
                HistoryScope::Type(kind) => Asked::History(Some(*kind), false),
                HistoryScope::Instance(key) => Asked::History(Some(key.resource_type), true),
            },
            Interaction::Search { scope, parameters } => Asked::Search(types_of(scope, parameters)),
            Interaction::Create { resource, if_none_exist } => {
                write(resource.resource_type(), create, if_none_exist.is_some())
            }
            Interaction::Update { key, .. } | Interaction::Patch { key, .. } => {
                write(key.resource_type, update, false)
            }
            Interaction::ConditionalUpdate { criteria, .. }
            | Interaction::ConditionalPatch { criteria, .. } => {
                write(criteria.resource_type, update, true)
            }
            Interaction::Delete { key, .. } => write(key.resource_type, delete, false),
            Interaction::ConditionalDelete { criteria, .. } => {
                write(criteria.resource_type, delete, true)
            }
            Interaction::Operation(operation) => Asked::of_operation(operation),
        }
    }

    fn of_operation(operation: &Operation) -> Asked {
        let update = (Acts::UPDATE, Letters::UPDATE);
        match (operation.row.code, &operation.scope) {
            (OperationCode::Explain, _) => Asked::Operators,
            (
                OperationCode::MetaAdd | OperationCode::MetaDelete,
                OperationScope::Instance(key) | OperationScope::Version(key, _),
            ) => Asked::Write { kind: key.resource_type, act: update, is_conditional: false },
            (
                OperationCode::Meta | OperationCode::IndexStatus,
                OperationScope::Instance(key) | OperationScope::Version(key, _),
            ) => Asked::Read(key.resource_type),
            (OperationCode::Meta | OperationCode::IndexStatus, OperationScope::Type(kind)) => {
                Asked::Search(vec![*kind])
            }
            (OperationCode::Meta, OperationScope::System) => Asked::Search(Vec::new()),
            _ => Asked::Operators,
        }
    }
}

/// The types that a search names, by its path or by `_type`; one that R4 lacks is refused later.
fn types_of(scope: &SearchScope, parameters: &[(String, String)]) -> Vec<ResourceType> {
    match scope {
        SearchScope::Type(kind) | SearchScope::Compartment(_, Some(kind)) => vec![*kind],
        SearchScope::System | SearchScope::Compartment(_, None) => {
            let named = parameters.iter().filter(|(name, _)| name == "_type");
            let words = named.flat_map(|(_, value)| value.split(','));
            words.filter_map(|name| ResourceType::parse(name.trim())).collect()
        }
    }
}

/// What the role sees, whatever the scopes.
pub fn reach(principal: &Principal) -> Granted {
    let gate = Gate { principal, rows: Rows::of(principal) };
    let reach = gate.reach();
    Granted { reach: reach.clone(), ..gate.granted(reach) }
}

pub fn nothing() -> Granted {
    let none = RowFilter::nothing;
    Granted {
        filter: none(),
        included: none(),
        guarded: None,
        changes: none(),
        reach: none(),
        counted: TypeSet::default(),
        answers: Answers::Whole,
        redactor: Redactor::none(),
        images: Images::default(),
        images_of_new: Images::default(),
        defines_parameters: false,
    }
}

/// A person is somebody: an account that is linked to nobody has no rows of its own, and a filter
/// without ids must never be one without effect.
fn check_user(principal: &Principal) -> Result<()> {
    let is_missing = principal.links.fhir_user.is_none() && !principal.role.is_system();
    match is_missing && principal.scopes.resources().next().is_some() {
        true => {
            let text = "The account is linked to no person (fhirUser)";
            Err(FhirError::new(ErrorKind::Unauthorized, IssueCode::Login, text))
        }
        false => Ok(()),
    }
}

fn forbidden(text: String) -> FhirError {
    FhirError::new(ErrorKind::Forbidden, IssueCode::Forbidden, text)
}

struct Gate<'a> {
    principal: &'a Principal,
    rows: Rows<'a>,
}

impl Gate<'_> {
    /// The types that the scopes give all of these letters for.
    fn cover(&self, letters: Letters) -> Cover {
        Cover::of(self.principal, letters)
    }

    /// 403 where the scopes or the role lack the act for the type.
    fn check(&self, kind: ResourceType, (act, letters): (Acts, Letters)) -> Result<()> {
        let role = self.principal.role;
        let is_scoped = self.cover(letters).any().or(self.rows.narrowed(letters)).has(kind);
        if !is_scoped {
            let text = format!("The scopes of the token do not give '{letters}' for {kind}");
            return Err(FhirError::insufficient_scope(text));
        }
        // A rule that is about nothing that the caller is linked to gives nothing.
        let types = [kind].into_iter().collect();
        match self.rows(act, letters, types).types().is_empty() {
            false => Ok(()),
            true => Err(FhirError::insufficient_scope(format!(
                "The role {role} does not give '{act}' for {kind} under these scopes"
            ))),
        }
    }

    /// Rows of these types by the act, as far as the scopes give the letters.
    fn rows(&self, act: Acts, letters: Letters, types: TypeSet) -> RowFilter {
        let cover = self.cover(letters).within(types);
        self.rows.filter_with(act, cover, (letters, types))
    }

    /// What versions of these types must be, where the scopes bind them.
    fn images(&self, act: Acts, letters: Letters, types: TypeSet) -> Images {
        self.rows.images(act, self.cover(letters).within(types), (letters, types))
    }

    /// See [`Rows::reach`].
    fn reach(&self) -> RowFilter {
        self.rows.reach().clone()
    }

    fn granted(&self, filter: RowFilter) -> Granted {
        Granted {
            included: filter.clone(),
            guarded: None,
            changes: RowFilter::nothing(),
            reach: match self.rows.is_granular() {
                true => self.reach(),
                false => RowFilter::nothing(),
            },
            counted: TypeSet::default(),
            filter,
            answers: Answers::Whole,
            redactor: Redactor::of(self.principal),
            images: Images::default(),
            images_of_new: Images::default(),
            defines_parameters: false,
        }
    }

    fn read(&self, kind: ResourceType, of: (Acts, Letters)) -> Result<Granted> {
        self.check(kind, of)?;
        let types = [kind].into_iter().collect();
        let images = self.images(of.0, of.1, types);
        Ok(Granted { images, ..self.granted(self.rows(of.0, of.1, types)) })
    }

    /// The resource that the user is, by the scope `fhirUser` alone (SMART App Launch 2.2,
    /// scopes for requesting identity data): as its type is refused otherwise, nothing beside it.
    fn read_of_person(&self, kind: ResourceType) -> Option<Granted> {
        let own = self.principal.links.fhir_user.as_ref()?;
        let is_granted = self.principal.scopes.has("fhirUser") && own.key.resource_type == kind;
        is_granted.then(|| self.granted(RowFilter::of_one(kind, own.rid)))
    }

    fn history(&self, of: Option<ResourceType>) -> Result<Granted> {
        let letters = Letters::READ.with(Letters::SEARCH);
        if let Some(kind) = of {
            return self.read(kind, (Acts::HISTORY, letters));
        }
        let filter = self.rows(Acts::HISTORY, letters, TypeSet::all());
        match filter.types().is_empty() {
            true => Err(FhirError::insufficient_scope("No type may be read and searched")),
            false => {
                let images = self.images(Acts::HISTORY, letters, filter.types());
                Ok(Granted { images, ..self.granted(filter) })
            }
        }
    }

    /// Matches are of types that may be read and searched, chains go over types that may be
    /// searched, includes show types that may be read.
    fn search(&self, types: &[ResourceType]) -> Result<Granted> {
        let search = (Acts::SEARCH, Letters::SEARCH);
        types.iter().try_for_each(|kind| self.check(*kind, search))?;
        let both = Letters::READ.with(Letters::SEARCH);
        let readable = self.cover(both).any().or(self.rows.narrowed(both));
        let searchable = self.rows(Acts::SEARCH, Letters::SEARCH, TypeSet::all());
        let shown = self.rows(Acts::SEARCH, both, TypeSet::all());
        let counted = searchable.types().without(shown.types());
        let (filter, answers) = match types {
            [] if shown.types().is_empty() => (searchable, Answers::Count),
            [] => (shown, Answers::Whole),
            types if types.iter().all(|kind| readable.has(*kind)) => (searchable, Answers::Whole),
            _ => (searchable, Answers::Count),
        };
        if filter.types().is_empty() {
            return Err(FhirError::insufficient_scope("No type may be searched"));
        }
        let included = self.rows(Acts::READ, Letters::READ, TypeSet::all());
        let reach = self.reach();
        Ok(Granted { included, answers, reach, counted, ..self.granted(filter) })
    }

    fn write(
        &self,
        kind: ResourceType,
        (act, letter): (Acts, Letters),
        is_conditional: bool,
    ) -> Result<Granted> {
        self.check(kind, (act, letter))?;
        if is_conditional {
            self.check(kind, (Acts::SEARCH, Letters::SEARCH))?;
        }
        let own: TypeSet = [kind].into_iter().collect();
        let seen = match is_conditional {
            true => Acts::SEARCH,
            false => Acts::READ.with(act),
        };
        let others = TypeSet::all().without(own);
        let of_others = self.rows(Acts::SEARCH, Letters::SEARCH, others);
        let filter = self.rows(seen, letter, own).and_of(of_others);
        // Of what a scope with search parameters lets be written it lets the same be read.
        let is_readable = self.cover(Letters::READ).any().has(kind)
            || (!self.cover(letter).any().has(kind) && self.rows.reads_as(letter, kind));
        let answers = if is_readable { Answers::Whole } else { Answers::Minimal };
        Ok(Granted {
            guarded: Some(self.guarded(kind, act)?),
            changes: self.rows(act, letter, own),
            reach: self.reach(),
            images: self.images(act, letter, own),
            images_of_new: self.images(Acts::CREATE, Letters::CREATE, own),
            answers,
            defines_parameters: self.principal.role == Role::Admin,
            ..self.granted(filter)
        })
    }

    /// What the matrix says of a write beside its rows.
    fn guarded(&self, kind: ResourceType, act: Acts) -> Result<Guarded> {
        let rules = Matrix::get().guards((self.principal.role, act), kind);
        let unknown = || FhirError::internal(format!("no guard of {act} for {kind}"));
        let rule = rules.first().ok_or_else(unknown)?;
        let guard = rule.note.map_or(Some(Guard::Plain), Guard::parse).ok_or_else(unknown)?;
        let may_create = self.check(kind, (Acts::CREATE, Letters::CREATE)).is_ok();
        Ok(Guarded { within: within(&rule.sights), guard, may_create })
    }
}

/// In which rows a new resource must be.
fn within(sights: &[Sight]) -> Within {
    match sights.first() {
        Some(Sight::Own) => Within::Author,
        Some(Sight::Facility | Sight::Owner) => Within::Owner,
        Some(Sight::All | Sight::Knowledge | Sight::Referred(_)) => Within::Any,
        _ => Within::Subjects,
    }
}
