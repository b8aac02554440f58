//! Everything that is indexed of one resource, before its coded values and reference targets
//! are replaced by surrogate ids. `storage::index_rows` stores it.

use super::contained::ContainedRows;
use super::full_text::{TextOf, Words};
use super::value::position::Point;
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::ResourceKey;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

/// Names a search parameter in the database: below 2^15. HL7's parameters are numbered by
/// canonical URL from 1; those of customers come after 4096.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ParameterId(pub i16);

impl ParameterId {
    /// Stands for what is indexed beside the parameter's own values: identifiers by their type
    /// (`:of-type`), the texts of coded values among keys (`:text`), and among strings further
    /// words of family names and all of what is long (`:contains`).
    pub fn beside(self) -> ParameterId {
        ParameterId(-self.0)
    }
}

/// No search parameter: beside the one that reads the items of a list, it marks those of which
/// every entry is marked as deleted.
pub const REMOVED_ITEM: ParameterId = ParameterId(4096);

/// No search parameter: the Binaries that a resource refers to or has attached.
pub const ATTACHED: ParameterId = ParameterId(4095);

/// No search parameter: the resource that decides who sees a Binary.
pub const SECURITY_CONTEXT: ParameterId = ParameterId(4094);

/// A coded value. An empty system stands for none, and so does an empty code beside a system.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Token {
    pub system: String,
    pub code: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TokenRow {
    pub parameter: ParameterId,
    pub token: Token,
    /// What it is called there, for `:text`.
    pub display: Option<String>,
}

/// A further text of a parameter's values, for `:text`: one that is the display of no token row.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CodeTextRow {
    pub parameter: ParameterId,
    pub text: String,
}

/// A token whose codes are unbounded: Identifier and ContactPoint values, and plain strings, these
/// without case. An empty value stands for none.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IdentifierRow {
    pub parameter: ParameterId,
    pub system: String,
    pub value: String,
}

/// A reference to a resource of this server. Other references are [`UriRow`]s.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReferenceRow {
    pub parameter: ParameterId,
    pub target: ResourceKey,
    /// The one that is named; it is not stored.
    pub version: Option<i64>,
}

/// A reference to what the resource contains, `#id`; or, in what is contained, to what stands
/// beside it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FragmentRow {
    pub parameter: ParameterId,
    /// Without the `#`.
    pub id: String,
    /// In the list `contained`; None where nothing there has the id.
    pub place: Option<u16>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StringRow {
    pub parameter: ParameterId,
    /// Without case, accents and combining marks; white space folded; the beginning of what is
    /// long. Empty in a row beside the parameter's own: `raw` is then all of what is long.
    pub normalised: String,
    /// Empty in a row about a family name from a further word on.
    pub raw: String,
}

/// Half open.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DateRow {
    pub parameter: ParameterId,
    pub low: DateTime<Utc>,
    pub high: DateTime<Utc>,
}

/// A unit of measure as it is written: coding and text, each part empty where it is missing.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct UnitOfMeasure {
    pub system: String,
    /// The code of a unit or of a currency.
    pub code: String,
    pub text: String,
}

/// A number or quantity as it is written: a point (low equals high), or the closed range of a
/// Range or of a comparator. `unit` None: without unit.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct QuantityRow {
    pub parameter: ParameterId,
    pub unit: Option<UnitOfMeasure>,
    pub low: Decimal,
    pub high: Decimal,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct UriRow {
    pub parameter: ParameterId,
    pub value: String,
}

/// Both parts of one composite value, each in the columns of its type.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct CompositeRow {
    pub parameter: Option<ParameterId>,
    pub first: Option<Token>,
    pub second: Option<Token>,
    pub first_target: Option<ResourceKey>,
    pub second_target: Option<ResourceKey>,
    pub unit: Option<UnitOfMeasure>,
    pub low_at: Option<DateTime<Utc>>,
    pub high_at: Option<DateTime<Utc>>,
    pub low: Option<Decimal>,
    pub high: Option<Decimal>,
    pub first_text: Option<String>,
    pub second_text: Option<String>,
}

/// A place on the earth.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PositionRow {
    pub parameter: ParameterId,
    pub point: Point,
}

/// The words of one text of a resource.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TextRow {
    pub of: TextOf,
    pub words: Words,
}

/// Which relation an access link states (SECURITY.md 2.2).
#[derive(serde::Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[serde(rename_all = "lowercase")]
pub enum LinkKind {
    /// A practitioner has a patient in care.
    Care,
    /// An organization has a patient.
    Facility,
    /// A person acts for a patient.
    Proxy,
    /// A practitioner works for an organization.
    Role,
    /// An organization is part of another.
    Part,
    /// A resource is released to a jurisdiction.
    Release,
}

/// Until when a link is valid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Until {
    At(DateTime<Utc>),
    /// So long after the version was made.
    AfterVersion(chrono::Duration),
}

/// A relation that the resource states.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LinkRow {
    pub kind: LinkKind,
    /// Number of the rule.
    pub source: i16,
    /// Who gains; None for the organization that owns the resource.
    pub one: Option<ResourceKey>,
    /// Whose record, or where.
    pub other: ResourceKey,
    /// Of a jurisdiction.
    pub code: Option<String>,
    pub from: DateTime<Utc>,
    pub until: Until,
}

/// The main coding of a resource: an index into its tokens, and its type.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Lead {
    pub token: usize,
    pub resource_type: ResourceType,
}

/// All index rows of one resource.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct IndexRows {
    /// The type's first main coding (`Observation.code`, ...), which is stored as `lead` and not
    /// among the keys.
    pub lead: Option<Lead>,
    pub tokens: Vec<TokenRow>,
    pub code_texts: Vec<CodeTextRow>,
    pub identifiers: Vec<IdentifierRow>,
    pub references: Vec<ReferenceRow>,
    pub fragments: Vec<FragmentRow>,
    pub strings: Vec<StringRow>,
    /// The type's main date, also where it is not in `dates`.
    pub main_date: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Dates other than the main one, and the main parameter's further values.
    pub dates: Vec<DateRow>,
    pub quantities: Vec<QuantityRow>,
    pub uris: Vec<UriRow>,
    pub composites: Vec<CompositeRow>,
    pub positions: Vec<PositionRow>,
    /// One for each text that is indexed and has words.
    pub texts: Vec<TextRow>,
    /// Patients by the subject-class parameters of the Patient compartment (access stamp); one
    /// alone is also the row's compartment patient.
    pub subjects: Vec<ResourceKey>,
    /// The place of the one contained Patient that these parameters name in place of others. It is
    /// nobody's record and no access stamp.
    pub contained_subject: Option<u16>,
    /// Canonical URLs of `meta.profile`, as codes without a system.
    pub profiles: Vec<Token>,
    /// `meta.security`.
    pub labels: Vec<Token>,
    /// Parameters that have a value, ascending.
    pub present: Vec<ParameterId>,
    /// Of the resources that it contains, in their order.
    pub contained: Vec<ContainedRows>,
    /// Who cares for whom, works where and acts for whom, by this resource.
    pub links: Vec<LinkRow>,
}
