//! Predicates as conditions on the row `r`.

mod scope_query;
mod value;

pub use scope_query::push_scope_query;

use super::contained::Source;
use super::keys::keys_as_leads;
use super::near::push_near;
use super::quantity::quantity_tests;
use super::test_sql::{
    COMPOSITE_DATE, Columns, DATE_ROW, MAIN_DATE, NUMBER_ROW, push_instant_test, push_test,
};
use crate::access::RowFilter;
use crate::fhir::definitions::ResourceType;
use crate::search::value::token::TokenTest;
use crate::search::{Clause, Found, ParameterId, Predicate, Second};
use crate::storage::statement::Statement;
use crate::storage::statement::row_filter::Seen;
use crate::storage::write::OWN_TEXTS;
use crate::storage::write::index_rows::packed_key;
use value::{is_within, push_identifier, push_long, push_text, push_uri, push_words};

/// Whether conditions on keys may use the GIN index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    Indexed,
    /// `is true` keeps the planner from the index.
    Fenced,
}

/// What is known of the row's lead.
#[derive(Clone, Copy)]
pub enum Leads<'a> {
    Any,
    /// It is one of these.
    These(&'a [i64]),
    /// That of a row that has one of these further on.
    OfFurther(&'a [i64]),
}

/// Appends conditions with the ids that were found.
pub struct Conditions<'a> {
    pub found: &'a Found,
    /// What the row is of.
    pub source: Source,
    pub keys: Keys,
    /// The types searched; empty for all.
    pub types: &'a [ResourceType],
    pub leads: Leads<'a>,
    /// Rows that a link leads to must pass it as well.
    pub filter: &'a RowFilter,
    /// Where the main date of the row is.
    pub dates: Columns,
    /// The rows that alone are asked about; empty for all.
    pub among: &'a [i64],
}

/// The alternatives of a clause by how they are written.
#[derive(Default)]
struct Parts<'a> {
    /// Keys that may lead, and so are looked for in both places.
    leads: Vec<i64>,
    keys: Vec<i64>,
    /// Conditions on side tables: sets of rids.
    sets: Vec<&'a Predicate>,
    /// Conditions on the row's columns.
    columns: Vec<&'a Predicate>,
}

impl Conditions<'_> {
    pub fn push_clause(&self, sql: &mut Statement, clause: &Clause) {
        let parts = self.parts(clause);
        sql.push("(");
        if let [Predicate::All(clauses)] = &clause.alternatives[..] {
            self.push_all(sql, clauses);
            sql.push(if clause.is_negated { ") is not true" } else { ")" });
            return;
        }
        match parts.columns.is_empty() && !parts.sets.is_empty() {
            true => self.push_in_sets(sql, &parts),
            false => self.push_alternatives(sql, &parts),
        }
        sql.push(if clause.is_negated { ") is not true" } else { ")" });
    }

    fn parts<'a>(&self, clause: &'a Clause) -> Parts<'a> {
        let mut parts = Parts::default();
        for predicate in &clause.alternatives {
            match predicate {
                Predicate::Token { parameter, test, leads } => {
                    parts.leads.extend(self.found.lead_keys(leads, test));
                    parts.keys.extend(self.found.token_keys(*parameter, test));
                }
                Predicate::Concept { parameter, test, form, leads } => {
                    let ids = self.found.concept_ids(test, *form);
                    parts.leads.extend(keys_as_leads(leads, ids));
                    parts.keys.extend(ids.iter().map(|id| packed_key(*parameter, *id)));
                }
                Predicate::Reference { parameter, targets, .. } => {
                    parts.keys.extend(self.found.reference_keys(*parameter, targets));
                }
                // Nothing is stored in a unit that nobody ever wrote.
                Predicate::Quantity { parameter, test, .. }
                    if self.unit_tests(Some(*parameter), test).is_empty() => {}
                Predicate::Composite { second: Second::Quantity(test), .. }
                    if self.unit_tests(None, test).is_empty() => {}
                Predicate::Identifier { .. }
                | Predicate::Uri { .. }
                | Predicate::String { .. }
                | Predicate::Quantity { .. }
                | Predicate::Composite { .. }
                | Predicate::Near { .. }
                | Predicate::Both(_) => parts.sets.push(predicate),
                Predicate::Unequal(equal) if head(equal).is_some() => parts.sets.push(predicate),
                Predicate::All(clauses) if !clause.is_negated && is_selective(clauses) => {
                    parts.sets.push(predicate);
                }
                Predicate::Date { main, .. } if main.is_empty() => parts.sets.push(predicate),
                _ => parts.columns.push(predicate),
            }
        }
        parts
    }

    /// One set of rids for all alternatives, so that the planner may start from it. Those on
    /// one table and parameter are one select: of a union it cannot tell the size.
    fn push_in_sets(&self, sql: &mut Statement, parts: &Parts<'_>) {
        let mut selects: Vec<(Head, Vec<&Predicate>)> = Vec::new();
        for predicate in parts.sets.iter().copied() {
            let Some(head) = head(predicate) else { continue };
            match selects.iter_mut().find(|(known, _)| *known == head) {
                Some((_, predicates)) => predicates.push(predicate),
                None => selects.push((head, vec![predicate])),
            }
        }
        let mut separator = "r.rid in (";
        for (head, predicates) in selects {
            sql.push(separator);
            match quantity_tests(&predicates) {
                Some(tests) => self.push_quantities(sql, head.parameter, &[tests]),
                None => {
                    push_head(sql, head);
                    self.push_any(sql, &predicates);
                }
            }
            separator = " union all ";
        }
        for predicate in parts.sets.iter().filter(|predicate| is_within(predicate)) {
            sql.push(separator);
            push_long(sql, predicate);
            separator = " union all ";
        }
        for predicate in &parts.sets {
            let conditions = Conditions { keys: Keys::Indexed, dates: MAIN_DATE, ..*self };
            match predicate {
                Predicate::Both(clauses) => {
                    sql.push(separator);
                    sql.push("select r.rid").push(self.source.from());
                    sql.push(" where not r.deleted and ");
                    if !self.filter.is_all() {
                        sql.push_filter(self.source.seen(self.types), self.filter).push(" and ");
                    }
                    conditions.push_all(sql, &clauses[..]);
                }
                Predicate::All(clauses) => {
                    sql.push(separator).push("select r.rid").push(self.source.from());
                    push_visible(sql, (self.source, self.types), self.filter);
                    sql.push(" and ");
                    conditions.push_all(sql, clauses);
                }
                _ => continue,
            }
            separator = " union all ";
        }
        if !parts.leads.is_empty() {
            sql.push(separator).push("select v.rid from ").push(self.source.table());
            sql.push(" v where v.lead = any(").bind(parts.leads.clone()).push(")");
            separator = " union all ";
        }
        if !parts.keys.is_empty() {
            sql.push(separator).push("select v.rid from ").push(self.source.table());
            sql.push(" v where v.keys && ").bind(parts.keys.clone());
        }
        sql.push(")");
    }

    fn push_all(&self, sql: &mut Statement, clauses: &[Clause]) {
        for (index, clause) in clauses.iter().enumerate() {
            sql.push(if index > 0 { " and " } else { "" });
            self.push_clause(sql, clause);
        }
    }

    fn push_any(&self, sql: &mut Statement, predicates: &[&Predicate]) {
        sql.push(if predicates.len() > 1 { "(" } else { "" });
        for (index, predicate) in predicates.iter().enumerate() {
            sql.push(if index > 0 { " or " } else { "" });
            self.push_row_test(sql, predicate);
        }
        sql.push(if predicates.len() > 1 { ")" } else { "" });
    }

    fn push_alternatives(&self, sql: &mut Statement, parts: &Parts<'_>) {
        let mut is_first = true;
        let mut or = |sql: &mut Statement| {
            sql.push(if is_first { "" } else { " or " });
            is_first = false;
        };
        if !parts.leads.is_empty() {
            or(sql);
            push_lead(sql, &parts.leads);
        }
        if !parts.keys.is_empty() {
            or(sql);
            self.push_keys(sql, parts.keys.clone());
        }
        if !parts.sets.is_empty() {
            or(sql);
            let sets = Parts { sets: parts.sets.clone(), ..Parts::default() };
            self.push_in_sets(sql, &sets);
        }
        for predicate in &parts.columns {
            or(sql);
            self.push_columns(sql, predicate);
        }
        if is_first {
            sql.push("false");
        }
    }

    /// A condition on the row's own columns.
    fn push_columns(&self, sql: &mut Statement, predicate: &Predicate) {
        match predicate {
            Predicate::Id(id) => drop(sql.push("r.id = ").bind(id.as_str())),
            Predicate::LastUpdated(test) => push_instant_test(sql, test),
            Predicate::Missing { parameter, is_missing } => {
                sql.push(if *is_missing { "not " } else { "" });
                sql.push("r.present @> ").bind(vec![parameter.0]);
            }
            Predicate::Date { .. } => self.push_date(sql, predicate),
            Predicate::Compartment { .. } => self.push_compartment(sql, predicate),
            Predicate::CodeText { .. } => self.push_text_of_codes(sql, predicate),
            Predicate::Along { .. } => self.push_along(sql, predicate),
            Predicate::Chain(link) => self.push_chain(sql, link),
            Predicate::All(clauses) => self.push_all(sql, clauses),
            Predicate::Unequal(equal) => self.push_other_key(sql, equal),
            Predicate::Has(link) => self.push_has(sql, link),
            Predicate::Text { of, query } => push_words(sql, *of, query),
            Predicate::Always(true) => drop(sql.push("true")),
            _ => drop(sql.push("false")),
        }
    }

    /// The condition on a row `v` of a side table, beside its parameter.
    fn push_row_test(&self, sql: &mut Statement, predicate: &Predicate) {
        match predicate {
            Predicate::Identifier { test, .. } => push_identifier(sql, test),
            Predicate::Uri { test, .. } => push_uri(sql, test),
            Predicate::String { test, .. } => {
                push_text(sql, ("v.normalised", "v.raw"), test);
            }
            Predicate::Date { test, .. } => push_test(sql, DATE_ROW, test),
            Predicate::Composite { first, second, .. } => {
                self.push_composite(sql, (first, second));
            }
            Predicate::Near { test, .. } => push_near(sql, test),
            Predicate::Unequal(equal) => {
                sql.push("not ");
                self.push_row_test(sql, equal);
            }
            _ => drop(sql.push("false")),
        }
    }

    /// The row holds a key of the parameter that is none of those that the test admits.
    fn push_other_key(&self, sql: &mut Statement, equal: &Predicate) {
        let Predicate::Token { parameter, test, leads } = equal else {
            sql.push("false");
            return;
        };
        sql.push("(exists (select from unnest(r.keys) as k(key) where k.key >> 48 = ");
        sql.bind(parameter.0).push(" and k.key <> all(");
        sql.bind(self.found.token_keys(*parameter, test)).push("))");
        if !leads.is_empty() {
            sql.push(" or r.type = any(").bind(numbers(leads)).push(") and r.lead <> all(");
            sql.bind(self.found.lead_keys(leads, test)).push(")");
        }
        sql.push(")");
    }

    /// A text of its own, or a coded value that is called so, where it is not called otherwise.
    fn push_text_of_codes(&self, sql: &mut Statement, predicate: &Predicate) {
        let Predicate::CodeText { parameter, text, leads } = predicate else { return };
        let found = self.found.texts.get(text).cloned().unwrap_or_default();
        let keys = |parameter: ParameterId, ids: &[i64]| -> Vec<i64> {
            ids.iter().map(|id| packed_key(parameter, *id)).collect()
        };
        let coded = keys(*parameter, &found.tokens);
        sql.push("(r.keys && ").bind(keys(parameter.beside(), &found.texts)).push(" or (");
        if !leads.is_empty() {
            push_lead(sql, &keys_as_leads(leads, &found.tokens));
            sql.push(" or ");
        }
        sql.push("r.keys && ").bind(coded).push(") and not r.keys && ");
        sql.bind(keys(parameter.beside(), &[OWN_TEXTS])).push(")");
        sql.push(if self.keys == Keys::Fenced { " is true" } else { "" });
    }

    /// Any of these keys.
    fn push_keys(&self, sql: &mut Statement, keys: Vec<i64>) {
        match self.keys {
            Keys::Indexed => sql.push("r.keys && ").bind(keys),
            Keys::Fenced => sql.push("(r.keys && ").bind(keys).push(") is true"),
        };
    }

    /// A date that is the main one of some types, whose bounds are columns.
    fn push_date(&self, sql: &mut Statement, predicate: &Predicate) {
        let Predicate::Date { test, main, has_rows, .. } = predicate else { return };
        if main.len() != self.types.len() {
            sql.push("r.type = any(").bind(numbers(main)).push(") and ");
        }
        push_test(sql, self.dates, test);
        if *has_rows {
            let sets = Parts { sets: vec![predicate], ..Parts::default() };
            sql.push(" or ");
            self.push_in_sets(sql, &sets);
        }
    }

    fn push_composite(&self, sql: &mut Statement, (first, second): (&TokenTest, &Second)) {
        sql.push("(v.first = any(").bind(self.found.ids(first)).push(") and ");
        match second {
            Second::Token(test) => {
                sql.push("v.second = any(").bind(self.found.ids(test)).push(")");
            }
            Second::Reference(targets) => {
                sql.push("v.second = any(").bind(self.found.rids(targets)).push(")");
            }
            Second::Quantity(test) => {
                // The first part says enough where the unit is any.
                match test.without_unit() {
                    Some(test) => push_test(sql, NUMBER_ROW, &test),
                    None => self.push_quantity(sql, (None, "v.second", NUMBER_ROW), test),
                }
            }
            Second::Date(test) => push_test(sql, COMPOSITE_DATE, test),
            Second::String(test) => push_text(sql, ("v.second_text", "v.second_text"), test),
        }
        sql.push(")");
    }

    /// All keys at once for the index, and behind a fence those of each type: types that are
    /// members by the same parameters stand together.
    fn push_compartment(&self, sql: &mut Statement, predicate: &Predicate) {
        let Predicate::Compartment { key, members } = predicate else { return };
        let Some(rid) = self.found.references.get(key).copied() else {
            sql.push("false");
            return;
        };
        let mut groups: Vec<(Vec<ResourceType>, &[ParameterId])> = Vec::new();
        for (kind, parameters) in members.iter().filter(|(_, parameters)| !parameters.is_empty()) {
            match groups.iter_mut().find(|(_, known)| *known == parameters.as_slice()) {
                Some((kinds, _)) => kinds.push(*kind),
                None => groups.push((vec![*kind], parameters)),
            }
        }
        let keys_of = |parameters: &[ParameterId]| -> Vec<i64> {
            parameters.iter().map(|parameter| packed_key(*parameter, rid)).collect()
        };
        let has_itself = members.iter().any(|(kind, _)| *kind == key.resource_type);
        if has_itself {
            sql.push("r.rid = ").bind(rid);
        }
        if groups.is_empty() {
            return;
        }
        let mut all: Vec<i64> = groups.iter().flat_map(|(_, of)| keys_of(of)).collect();
        all.sort_unstable();
        all.dedup();
        sql.push(if has_itself { " or " } else { "" });
        self.push_keys(sql, all);
        if groups.len() == 1 && groups[0].0.len() == self.types.len() {
            return;
        }
        sql.push(" and (");
        for (index, (kinds, parameters)) in groups.iter().enumerate() {
            sql.push(if index > 0 { " or " } else { "" });
            sql.push("r.type = any(").bind(numbers(kinds)).push(") and r.keys && ");
            sql.bind(keys_of(parameters));
        }
        sql.push(") is true");
    }
}

/// Rows `r` that one of these keys leads, and that the caller may see: they are there, and of
/// the types that the keys name.
pub fn push_led(sql: &mut Statement, (source, leads): (Source, &[i64]), filter: &RowFilter) {
    sql.push(" where ");
    push_lead(sql, leads);
    if !filter.is_all() {
        let types = led_types(leads);
        sql.push(" and ").push_filter(source.seen(&types), filter);
    }
}

/// The types whose rows the keys lead.
fn led_types(leads: &[i64]) -> Vec<ResourceType> {
    let number = |lead: &i64| i16::try_from(lead >> 48).ok();
    leads.iter().filter_map(number).filter_map(ResourceType::from_number).collect()
}

/// Rows `r` that have one of these keys further on, by their rows `f`.
pub fn push_further(sql: &mut Statement, leads: &[i64], filter: &RowFilter) {
    sql.push(" where ");
    push_is_one(sql, "f.lead", leads);
    if !filter.is_all() {
        let types = led_types(leads);
        sql.push(" and ").push_filter(Seen::current("r", &types), filter);
    }
}

/// Something has one of these keys further on. In an order that only the index has: a plan for
/// all values might else read the table until it comes upon one.
pub fn push_any_further(sql: &mut Statement, leads: &[i64]) {
    sql.push("(select f.rid from lead_value f where ");
    push_is_one(sql, "f.lead", leads);
    sql.push(" order by f.date_low desc nulls last, f.rid desc limit 1) is not null");
}

/// Rows `r` that have one of these keys further on, as leads or among their keys: they come
/// first, whatever else is asked of them.
pub fn push_held(sql: &mut Statement, source: Source, (leads, keys): (&[i64], &[i64])) {
    match source {
        Source::Resources => {
            sql.push("r.rid = any(array(select f.rid from lead_value f where ");
            push_is_one(sql, "f.lead", leads);
        }
        Source::Contained => {
            sql.push("r.rid = any(array(select h.rid from contained_resource h where h.keys && ");
            sql.bind(keys.to_vec());
        }
    }
    sql.push("))");
}

/// Rows `r` that are there, of these types, and that the caller may see.
pub fn push_visible(
    sql: &mut Statement,
    (source, types): (Source, &[ResourceType]),
    filter: &RowFilter,
) {
    sql.push(" where not r.deleted");
    match types {
        [] => {}
        [kind] => drop(sql.push(" and r.type = ").push_number(kind.number())),
        kinds => drop(sql.push(" and r.type = any(").bind(numbers(kinds)).push(")")),
    }
    if !filter.is_all() {
        sql.push(" and ").push_filter(source.seen(types), filter);
    }
}

pub fn numbers(types: &[ResourceType]) -> Vec<i16> {
    types.iter().map(|kind| kind.number()).collect()
}

/// Rows that one of these keys leads.
pub fn push_lead(sql: &mut Statement, keys: &[i64]) {
    push_is_one(sql, "r.lead", keys);
}

fn push_is_one(sql: &mut Statement, column: &'static str, keys: &[i64]) {
    match keys {
        [key] => sql.push(column).push(" = ").bind(*key),
        keys => sql.push(column).push(" = any(").bind(keys.to_vec()).push(")"),
    };
}

/// The beginning of a select of a side table.
#[derive(Clone, Copy, PartialEq)]
struct Head {
    /// Up to the parameter.
    select: &'static str,
    parameter: ParameterId,
    /// Rows of further words count as well.
    has_words: bool,
}

fn push_head(sql: &mut Statement, head: Head) {
    sql.push(head.select);
    match head.has_words {
        true => {
            sql.push("any(array[").bind(head.parameter.0).push(", ");
            sql.bind(head.parameter.beside().0).push("]) and ");
        }
        false => drop(sql.bind(head.parameter.0).push(" and ")),
    }
}

/// None for what is no condition on a side table.
fn head(predicate: &Predicate) -> Option<Head> {
    let (select, parameter) = match predicate {
        Predicate::Identifier { parameter, .. } => {
            ("select v.rid from identifier_value v where v.parameter = ", *parameter)
        }
        Predicate::Uri { parameter, .. } => {
            ("select v.rid from uri_value v where v.parameter = ", *parameter)
        }
        Predicate::String { parameter, .. } => {
            ("select v.rid from string_value v where v.parameter = ", *parameter)
        }
        Predicate::Date { parameter, .. } => {
            ("select v.rid from date_value v where v.parameter = ", *parameter)
        }
        Predicate::Quantity { parameter, .. } => {
            ("select v.rid from quantity_value v where v.parameter = ", *parameter)
        }
        Predicate::Composite { parameter, .. } | Predicate::Near { parameter, .. } => {
            ("select v.rid from composite_value v where v.parameter = ", *parameter)
        }
        Predicate::Unequal(equal) => return head(equal),
        _ => return None,
    };
    let has_words = matches!(predicate, Predicate::String { has_words: true, .. });
    Some(Head { select, parameter, has_words })
}

/// Whether the planner can start from one of the clauses, rather than look at every row.
fn is_selective(clauses: &[Clause]) -> bool {
    let is_indexed = |predicate: &Predicate| match predicate {
        Predicate::Id(_)
        | Predicate::Token { .. }
        | Predicate::Concept { .. }
        | Predicate::Identifier { .. }
        | Predicate::Reference { .. }
        | Predicate::Uri { .. }
        | Predicate::String { .. }
        | Predicate::Quantity { .. }
        | Predicate::Composite { .. }
        | Predicate::Near { .. }
        | Predicate::Text { .. }
        | Predicate::Both(_) => true,
        Predicate::All(clauses) => is_selective(clauses),
        _ => false,
    };
    clauses.iter().any(|clause| !clause.is_negated && clause.alternatives.iter().all(is_indexed))
}
