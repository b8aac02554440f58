//! Sort values that are not on the row itself: the least or greatest of the values that its keys
//! and its rows in side tables hold.

use super::condition::numbers;
use super::near::push_distances;
use super::order::NUMERIC;
use crate::fhir::definitions::ResourceType;
use crate::search::ParameterId;
use crate::search::value::position::NearTest;
use crate::storage::statement::Statement;
use crate::storage::write::index_rows::packed_key;

/// What is joined for one sort value.
#[derive(Clone, PartialEq, Debug)]
pub struct Joined {
    first: Join,
    second: Option<Join>,
    /// What joined values are combined with: the main date of these types.
    main: Option<Vec<i16>>,
    /// Types whose lead is among the codes.
    leads: Vec<i16>,
    /// The places that distances are from.
    places: Vec<NearTest>,
    cast: &'static str,
}

/// A derived table of one value for each row.
#[derive(Clone, PartialEq, Debug)]
struct Join {
    from: From,
    /// One, or several whose rows are taken together.
    parameters: Vec<ParameterId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum From {
    Dates,
    Strings,
    Numbers,
    Identifiers,
    Uris,
    /// Codes of the keys, one of which may be the lead.
    Codes,
    /// `[type]/[id]` of what the keys refer to; it is in the row itself, so that no target is
    /// shown to who may not see it.
    Targets,
    /// From the nearest of some places, of rows near one of them.
    Distances,
}

macro_rules! least_and_greatest {
    ($value:literal, $from:literal) => {
        (concat!("(select min(", $value, ")", $from), concat!("(select max(", $value, ")", $from))
    };
    (by rid $value:literal, $table:literal) => {
        least_and_greatest!(by rid $value, $table, "")
    };
    (by rid $value:literal, $table:literal, $only:literal) => {
        (
            concat!("(select v.rid, min(", $value, ") as value from ", $table, " v where ", $only),
            concat!("(select v.rid, max(", $value, ") as value from ", $table, " v where ", $only),
        )
    };
}

const DATES: (&str, &str) = least_and_greatest!(by rid "v.low", "date_value");
const STRINGS: (&str, &str) = least_and_greatest!(by rid "v.normalised", "string_value");
const NUMBERS: (&str, &str) = least_and_greatest!(by rid "v.low", "quantity_value");
const IDENTIFIERS: (&str, &str) = least_and_greatest!(
    by rid "v.value", "identifier_value", "v.value <> '' and "
);
const URIS: (&str, &str) = least_and_greatest!(by rid "v.value", "uri_value");
const DISTANCES: (&str, &str) = ("(select v.rid, min(", "(select v.rid, max(");
const CODES: (&str, &str) = least_and_greatest!("t.code", " as value from unnest(r.keys");
const TARGETS: (&str, &str) = least_and_greatest!(
    "n.name || '/' || t.id",
    " as value from unnest(r.keys) k cross join lateral (\
     select o.type, o.id from resource o where o.rid = (k & 281474976710655) union all \
     select o.type, o.id from reference_stub o where o.rid = (k & 281474976710655)) t \
     join resource_type n on n.type = t.type where "
);

impl From {
    /// From `(select` to `where`, for the least and for the greatest value.
    fn selects(self) -> (&'static str, &'static str) {
        match self {
            From::Dates => DATES,
            From::Strings => STRINGS,
            From::Numbers => NUMBERS,
            From::Identifiers => IDENTIFIERS,
            From::Uris => URIS,
            From::Codes => CODES,
            From::Targets => TARGETS,
            From::Distances => DISTANCES,
        }
    }

    /// True where the values are had of each row, false where all of a parameter are read.
    fn is_of_row(self) -> bool {
        matches!(self, From::Codes | From::Targets)
    }
}

impl Joined {
    fn one(from: From, parameter: ParameterId, cast: &'static str) -> Joined {
        Joined::of(Join { from, parameters: vec![parameter] }, cast)
    }

    fn of(first: Join, cast: &'static str) -> Joined {
        let (leads, places) = (Vec::new(), Vec::new());
        Joined { first, second: None, main: None, leads, places, cast }
    }

    /// Also the rows' own dates, where they are of these types.
    pub fn dates(parameter: ParameterId, main: &[ResourceType]) -> Joined {
        let main = (!main.is_empty()).then(|| numbers(main));
        Joined { main, ..Joined::one(From::Dates, parameter, "::timestamptz") }
    }

    pub fn strings(parameter: ParameterId) -> Joined {
        Joined::one(From::Strings, parameter, "")
    }

    pub fn numbers(parameters: &[ParameterId]) -> Joined {
        Joined::of(Join { from: From::Numbers, parameters: parameters.to_vec() }, NUMERIC)
    }

    /// `leads`: the types whose lead it is; codes and texts: whether it has values of these.
    pub fn tokens(
        parameter: ParameterId,
        leads: &[ResourceType],
        (has_codes, has_texts): (bool, bool),
    ) -> Joined {
        if !has_codes {
            return Joined::one(From::Identifiers, parameter, "");
        }
        let texts = Join { from: From::Identifiers, parameters: vec![parameter] };
        let second = has_texts.then_some(texts);
        Joined { second, leads: numbers(leads), ..Joined::one(From::Codes, parameter, "") }
    }

    pub fn uris(parameter: ParameterId) -> Joined {
        Joined::one(From::Uris, parameter, "")
    }

    /// Those that are not to resources of this server are URIs.
    pub fn references(parameter: ParameterId) -> Joined {
        let elsewhere = Join { from: From::Uris, parameters: vec![parameter] };
        Joined { second: Some(elsewhere), ..Joined::one(From::Targets, parameter, "") }
    }

    /// Squares, which say the same and are exact.
    pub fn places(parameter: ParameterId, tests: &[NearTest]) -> Joined {
        let places = tests.to_vec();
        Joined { places, ..Joined::one(From::Distances, parameter, NUMERIC) }
    }

    /// Of a cursor's text.
    pub fn cast(&self) -> &'static str {
        self.cast
    }

    /// The joins, under these names.
    pub fn push(&self, sql: &mut Statement, is_descending: bool, names: &[&'static str; 2]) {
        let joins = [Some(&self.first), self.second.as_ref()];
        for (join, name) in joins.into_iter().flatten().zip(names) {
            let (least, greatest) = join.from.selects();
            sql.push(" left join ").push(if join.from.is_of_row() { "lateral " } else { "" });
            sql.push(if is_descending { greatest } else { least });
            match join.from {
                From::Codes => self.push_codes(sql, join),
                From::Distances => push_distances(sql, &self.places),
                _ => {}
            }
            sql.push(if join.from.is_of_row() { "(k >> 48)" } else { "v.parameter" });
            match &join.parameters[..] {
                [parameter] => sql.push(" = ").bind(parameter.0),
                several => {
                    let numbers: Vec<i16> = several.iter().map(|parameter| parameter.0).collect();
                    sql.push(" = any(").bind(numbers).push(")")
                }
            };
            match join.from.is_of_row() {
                true => sql.push(") ").push(name).push(" on true"),
                false => {
                    sql.push(" group by v.rid) ").push(name).push(" on ").push(name);
                    sql.push(".rid = r.rid")
                }
            };
        }
    }

    /// Keys of the row, its lead among them where it is one of the parameter.
    fn push_codes(&self, sql: &mut Statement, join: &Join) {
        if let ([parameter], false) = (&join.parameters[..], self.leads.is_empty()) {
            sql.push(" || case when r.type = any(").bind(self.leads.clone());
            sql.push(") then ").bind(packed_key(*parameter, 0));
            sql.push(" | (r.lead & 281474976710655) end");
        }
        sql.push(") k join token t on t.token = (k & 281474976710655) and t.code <> '' where ");
    }

    /// The value of a row.
    pub fn push_value(&self, sql: &mut Statement, is_descending: bool, names: &[&'static str; 2]) {
        let is_combined = self.second.is_some() || self.main.is_some();
        if is_combined {
            sql.push(if is_descending { "greatest(" } else { "least(" });
        }
        sql.push(names[0]).push(".value");
        if self.second.is_some() {
            sql.push(", ").push(names[1]).push(".value");
        }
        if let Some(types) = &self.main {
            sql.push(", case when r.type = any(").bind(types.clone());
            sql.push(") then r.date_low end");
        }
        sql.push(if is_combined { ")" } else { "" });
    }
}
