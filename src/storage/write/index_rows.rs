//! Index rows with surrogate ids in place of coded values and reference targets, and what of
//! them an update adds and removes.

use crate::error::Result;
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::ResourceKey;
use crate::search::full_text::Words;
use crate::search::{
    ContainedRows, IndexRows, LinkKind, LinkRow, ParameterId, Token, UnitOfMeasure, Until,
    contained_key, contained_rid,
};
use crate::storage::store::Store;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use std::collections::HashSet;

/// Keys are chosen by clients: hashed with a secret of the process.
pub type Map<K, V> = std::collections::HashMap<K, V, foldhash::quality::RandomState>;
pub type Set<K> = HashSet<K, foldhash::quality::RandomState>;

/// Bits of a packed key below the parameter.
const RID_BITS: u32 = 48;

/// `parameter << 48 | rid or token id`: exact, never a hash.
pub fn packed_key(parameter: ParameterId, id: i64) -> i64 {
    (i64::from(parameter.0) << RID_BITS) | id
}

/// The parameter of a packed key.
pub fn parameter_of(key: i64) -> i16 {
    (key >> RID_BITS) as i16
}

/// `type << 48 | token id`: a type has one parameter whose first value leads its rows.
pub fn lead_key(resource_type: ResourceType, token: i64) -> i64 {
    (i64::from(resource_type.number()) << RID_BITS) | token
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Identifier {
    pub parameter: i16,
    pub value: String,
    pub system: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Text {
    pub parameter: i16,
    pub normalised: String,
    pub raw: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Dates {
    pub parameter: i16,
    pub low: DateTime<Utc>,
    pub high: DateTime<Utc>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Quantity {
    pub parameter: i16,
    /// Of the row; 0 where it has none.
    pub lead: i64,
    pub unit: i32,
    pub low: Decimal,
    pub high: Decimal,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Uri {
    pub parameter: i16,
    pub value: String,
}

/// A main coding after the first, with the bounds of the main date.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FurtherLead {
    pub lead: i64,
    pub date_low: Option<DateTime<Utc>>,
    pub date_high: Option<DateTime<Utc>>,
}

/// Both parts of a composite value, or the three coordinates of a position.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Composite {
    pub parameter: i16,
    pub first: Option<i64>,
    pub second: Option<i64>,
    pub low_at: Option<DateTime<Utc>>,
    pub high_at: Option<DateTime<Utc>>,
    pub low: Option<Decimal>,
    pub high: Option<Decimal>,
    pub first_text: Option<String>,
    pub second_text: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TextWords {
    pub is_content: bool,
    pub words: Words,
}

/// Rows of the side tables of one resource.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct SideRows {
    pub identifiers: Vec<Identifier>,
    pub strings: Vec<Text>,
    pub dates: Vec<Dates>,
    pub quantities: Vec<Quantity>,
    pub uris: Vec<Uri>,
    pub composites: Vec<Composite>,
    pub texts: Vec<TextWords>,
    pub further_leads: Vec<FurtherLead>,
}

/// The index columns of the resource's own row.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct RowIndex {
    /// The one subject; a contained Patient by its own surrogate key.
    pub patient: Option<i64>,
    pub date: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pub lead: Option<i64>,
    pub keys: Vec<i64>,
    pub present: Vec<i16>,
    pub subject_rids: Vec<i64>,
    pub labels: Vec<i64>,
    pub profiles: Vec<i64>,
}

#[derive(Clone, PartialEq, Default, Debug)]
pub struct Resolved {
    pub row: RowIndex,
    pub side: SideRows,
    pub contained: Vec<ResolvedContained>,
    pub links: Vec<Link>,
}

/// A relation that a resource states.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    pub kind: LinkKind,
    pub source: i16,
    /// None for the owner of the resource.
    pub one: Option<i64>,
    pub other: i64,
    pub code: Option<String>,
    pub from: DateTime<Utc>,
    pub until: Until,
}

/// A contained resource.
#[derive(Clone, PartialEq, Debug)]
pub struct ResolvedContained {
    pub place: u16,
    pub key: ResourceKey,
    pub row: RowIndex,
    pub side: SideRows,
}

/// The id of a coded value, and that of what it is called where nothing else is said: 0 for
/// nothing, None where that is not known.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Coded {
    pub id: i64,
    pub text: Option<i64>,
}

impl Coded {
    /// 0 stands for no text.
    pub(super) fn usual_text(self) -> i64 {
        self.text.unwrap_or_default()
    }
}

/// Ids of everything that some index rows name.
#[derive(Default)]
pub struct Ids<'a> {
    pub(in crate::storage) tokens: Map<&'a Token, Coded>,
    pub(in crate::storage) texts: Map<&'a str, i64>,
    pub(in crate::storage) references: Map<&'a ResourceKey, i64>,
    pub(in crate::storage) units: Map<&'a UnitOfMeasure, i32>,
}

/// What a coded value is called.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Called<'a> {
    /// Nothing is said about it.
    #[default]
    Unsaid,
    Nothing,
    Text(&'a str),
}

/// Everything that some index rows name.
#[derive(Default)]
pub struct Names<'a> {
    pub tokens: Map<&'a Token, Called<'a>>,
    pub texts: Set<&'a str>,
    pub targets: Set<&'a ResourceKey>,
    pub units: Set<&'a UnitOfMeasure>,
}

impl<'a> Names<'a> {
    pub fn of(rows: &[&'a IndexRows]) -> Names<'a> {
        let mut names = Names::default();
        for rows in rows {
            names.add(rows);
            rows.contained.iter().for_each(|contained| names.add(&contained.rows));
        }
        names
    }

    fn add(&mut self, rows: &'a IndexRows) {
        for row in &rows.tokens {
            let called = self.tokens.entry(&row.token).or_default();
            match (&row.display, *called) {
                (_, Called::Text(_)) => {}
                (Some(text), _) => *called = Called::Text(text),
                (None, _) => *called = Called::Nothing,
            }
            self.texts.extend(row.display.as_deref());
        }
        self.texts.extend(rows.code_texts.iter().map(|row| row.text.as_str()));
        self.units.extend(rows.quantities.iter().filter_map(|row| row.unit.as_ref()));
        self.targets.extend(rows.references.iter().map(|row| &row.target));
        self.targets.extend(&rows.subjects);
        self.targets.extend(rows.links.iter().flat_map(|row| row.one.iter().chain([&row.other])));
        for row in &rows.composites {
            self.units.extend(&row.unit);
            self.targets.extend(row.first_target.iter().chain(&row.second_target));
            for token in row.first.iter().chain(&row.second) {
                self.tokens.entry(token).or_default();
            }
        }
        for token in rows.labels.iter().chain(&rows.profiles) {
            self.tokens.entry(token).or_default();
        }
    }
}

impl Store {
    /// Ids of all coded values, units and reference targets of these rows. `known` are rids of
    /// resources that the same request writes.
    pub async fn intern<'a>(
        &self,
        rows: &[&'a IndexRows],
        known: Map<&'a ResourceKey, i64>,
    ) -> Result<Ids<'a>> {
        let mut names = Names::of(rows);
        let targets = std::mem::take(&mut names.targets);
        let wanted = targets.into_iter().filter(|key| !known.contains_key(key));
        let mut references = self.intern_references(wanted).await?;
        references.extend(known);
        Ok(Ids { references, ..self.intern_values(names).await? })
    }
}

impl Ids<'_> {
    pub(super) fn coded(&self, token: &Token) -> Coded {
        self.tokens.get(token).copied().unwrap_or_default()
    }

    fn token(&self, token: &Token) -> i64 {
        self.coded(token).id
    }

    /// 0 stands for no text.
    pub(super) fn text(&self, text: Option<&String>) -> i64 {
        text.and_then(|text| self.texts.get(text.as_str())).copied().unwrap_or_default()
    }

    fn target(&self, key: &ResourceKey) -> i64 {
        self.references.get(key).copied().unwrap_or_default()
    }

    /// 0 stands for no unit.
    fn unit(&self, unit: &Option<UnitOfMeasure>) -> i32 {
        unit.as_ref().and_then(|unit| self.units.get(unit)).copied().unwrap_or_default()
    }

    /// Replaces names by ids. `rid` is the resource's; `rows` must be among those that were
    /// interned.
    pub fn resolve(&self, rid: i64, rows: &IndexRows) -> Resolved {
        let (row, side) = self.resolve_itself(rid, rows);
        let of = |contained: &ContainedRows| {
            let (row, mut side) = self.resolve_itself(rid, &contained.rows);
            // Dates of contained resources have no index.
            side.further_leads.clear();
            ResolvedContained { place: contained.place, key: contained.key.clone(), row, side }
        };
        let link = |row: &LinkRow| Link {
            kind: row.kind,
            source: row.source,
            one: row.one.as_ref().map(|key| self.target(key)),
            other: self.target(&row.other),
            code: row.code.clone(),
            from: row.from,
            until: row.until,
        };
        let links = rows.links.iter().map(link).collect();
        Resolved { row, side, contained: rows.contained.iter().map(of).collect(), links }
    }

    fn resolve_itself(&self, rid: i64, rows: &IndexRows) -> (RowIndex, SideRows) {
        let mut keys: Vec<i64> = Vec::with_capacity(rows.tokens.len() + rows.references.len());
        let led = rows.lead.and_then(|lead| rows.tokens.get(lead.token));
        let led = led.map(|row| (row.parameter, &row.token));
        let mut is_usual = rows.code_texts.is_empty();
        for row in &rows.tokens {
            let coded = self.coded(&row.token);
            if led != Some((row.parameter, &row.token)) {
                keys.push(packed_key(row.parameter, coded.id));
            }
            is_usual &= coded.usual_text() == self.text(row.display.as_ref());
        }
        if !is_usual {
            self.push_text_keys(rows, &mut keys);
        }
        let targets = rows.references.iter();
        keys.extend(targets.map(|row| packed_key(row.parameter, self.target(&row.target))));
        keys.extend(rows.fragments.iter().filter_map(|row| {
            let key = contained_key(rid, row.place?)?;
            Some(packed_key(row.parameter, key))
        }));
        keys.sort_unstable();
        keys.dedup();
        let mut subject_rids: Vec<i64> = rows.subjects.iter().map(|key| self.target(key)).collect();
        subject_rids.sort_unstable();
        subject_rids.dedup();
        let lead = rows.lead.and_then(|lead| {
            let token = self.token(&rows.tokens.get(lead.token)?.token);
            Some(lead_key(lead.resource_type, token))
        });
        let row = RowIndex {
            patient: match subject_rids.as_slice() {
                [patient] => Some(*patient),
                [] => rows.contained_subject.map(|place| contained_rid(rid, place)),
                _ => None,
            },
            date: rows.main_date,
            lead,
            keys,
            present: rows.present.iter().map(|parameter| parameter.0).collect(),
            subject_rids,
            labels: rows.labels.iter().map(|label| self.token(label)).collect(),
            profiles: rows.profiles.iter().map(|url| self.token(url)).collect(),
        };
        (row, self.side(rows, lead))
    }

    /// The codings of the main parameter beside the one that leads, each once.
    fn further_leads(&self, rows: &IndexRows) -> Vec<FurtherLead> {
        let Some(lead) = rows.lead else { return Vec::new() };
        let Some(led) = rows.tokens.get(lead.token) else { return Vec::new() };
        let further = rows
            .tokens
            .iter()
            .filter(|row| row.parameter == led.parameter && row.token != led.token);
        let mut found: Vec<FurtherLead> = Vec::new();
        for row in further {
            let key = lead_key(lead.resource_type, self.token(&row.token));
            if found.iter().all(|known| known.lead != key) {
                let (date_low, date_high) = rows.main_date.unzip();
                found.push(FurtherLead { lead: key, date_low, date_high });
            }
        }
        found
    }

    fn side(&self, rows: &IndexRows, lead: Option<i64>) -> SideRows {
        let mut side = SideRows::default();
        side.identifiers.extend(rows.identifiers.iter().map(|row| Identifier {
            parameter: row.parameter.0,
            value: row.value.clone(),
            system: row.system.clone(),
        }));
        side.strings.extend(rows.strings.iter().map(|row| Text {
            parameter: row.parameter.0,
            normalised: row.normalised.clone(),
            raw: row.raw.clone(),
        }));
        side.dates.extend(rows.dates.iter().map(|row| Dates {
            parameter: row.parameter.0,
            low: row.low,
            high: row.high,
        }));
        side.quantities.extend(rows.quantities.iter().map(|row| Quantity {
            parameter: row.parameter.0,
            lead: lead.unwrap_or_default(),
            unit: self.unit(&row.unit),
            low: row.low,
            high: row.high,
        }));
        side.uris.extend(
            rows.uris
                .iter()
                .map(|row| Uri { parameter: row.parameter.0, value: row.value.clone() }),
        );
        side.composites.extend(rows.composites.iter().filter_map(|row| {
            let target = |key: &Option<ResourceKey>| key.as_ref().map(|key| self.target(key));
            let token = |token: &Option<Token>| token.as_ref().map(|token| self.token(token));
            Some(Composite {
                parameter: row.parameter?.0,
                first: token(&row.first).or_else(|| target(&row.first_target)),
                second: token(&row.second)
                    .or_else(|| target(&row.second_target))
                    .or_else(|| row.unit.as_ref().map(|_| i64::from(self.unit(&row.unit)))),
                low_at: row.low_at,
                high_at: row.high_at,
                low: row.low,
                high: row.high,
                first_text: row.first_text.clone(),
                second_text: row.second_text.clone(),
            })
        }));
        side.composites.extend(rows.positions.iter().map(|row| Composite {
            parameter: row.parameter.0,
            first: Some(row.point.north),
            low: Some(row.point.greenwich.into()),
            high: Some(row.point.east.into()),
            ..Composite::default()
        }));
        side.texts.extend(
            rows.texts
                .iter()
                .map(|row| TextWords { is_content: row.of.is_content(), words: row.words.clone() }),
        );
        side.further_leads = self.further_leads(rows);
        side
    }
}

impl SideRows {
    /// Rows of `self` that `other` does not have.
    pub fn without(&self, other: &SideRows) -> SideRows {
        fn rest<T: Clone + Eq + std::hash::Hash>(rows: &[T], other: &[T]) -> Vec<T> {
            let other: HashSet<&T> = other.iter().collect();
            rows.iter().filter(|row| !other.contains(row)).cloned().collect()
        }
        SideRows {
            identifiers: rest(&self.identifiers, &other.identifiers),
            strings: rest(&self.strings, &other.strings),
            dates: rest(&self.dates, &other.dates),
            quantities: rest(&self.quantities, &other.quantities),
            uris: rest(&self.uris, &other.uris),
            composites: rest(&self.composites, &other.composites),
            texts: rest(&self.texts, &other.texts),
            further_leads: rest(&self.further_leads, &other.further_leads),
        }
    }
}
