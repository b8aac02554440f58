//! Chained parameters and `_has` as semi-joins. The rows at the other end are `r` as well, in a
//! select of their own.
//!
//! A chain leads to contained resources too (<https://hl7.org/fhir/R4/search.html#contained>): its
//! selects are there once more over these. Where there is none of the types, that is one look.

use super::condition::{Conditions, Keys, Leads, numbers, push_held, push_led, push_visible};
use super::contained::Source;
use super::test_sql::MAIN_DATE;
use crate::fhir::definitions::ResourceType;
use crate::search::{Link, ParameterId};
use crate::storage::statement::Statement;
use crate::storage::write::index_rows::packed_key;

/// Appends a part of a statement.
type Push<'a> = &'a dyn Fn(&mut Statement);
/// Begins a select of the rows at the other end.
type Select<'a> = &'a dyn Fn(&mut Statement, Source);

/// Contained resources that keys of references name, see `search::contained_key`.
const KEYED: &str = " and r.rid > -140737488355328";

impl Conditions<'_> {
    /// The row refers to one that meets the link.
    pub(super) fn push_chain(&self, sql: &mut Statement, link: &Link) {
        if link.is_subject && self.source == Source::Resources {
            sql.push("r.patient in (");
            let select = |sql: &mut Statement, source: Source| {
                sql.push("select r.rid").push(source.from());
            };
            self.push_ends(sql, link, (&select, ""));
            sql.push(")");
            return;
        }
        match self.keys {
            Keys::Indexed => {
                let select = |sql: &mut Statement, source: Source| {
                    sql.push("select ").bind(packed_key(link.parameter, 0));
                    sql.push(match source {
                        Source::Resources => " | r.rid",
                        Source::Contained => " | (r.rid & 281474976710655)",
                    });
                    sql.push(source.from());
                };
                sql.push("r.keys && array(");
                self.push_ends(sql, link, (&select, KEYED));
                sql.push(")");
            }
            // Few rows are left: each looks at what it refers to.
            Keys::Fenced => {
                sql.push("exists (select from unnest(r.keys) as k(key) cross join lateral (");
                for source in [Source::Resources, Source::Contained] {
                    sql.push("select").push(source.from());
                    self.push_there(sql, link, source);
                    sql.push(match source {
                        Source::Resources => " and r.rid = (k.key & 281474976710655) union all ",
                        Source::Contained => {
                            " and r.rid = (k.key & 281474976710655) - 281474976710656"
                        }
                    });
                }
                sql.push(KEYED).push(") t where k.key >> 48 = ").bind(link.parameter.0).push(")");
            }
        }
    }

    /// Selects of resources and of contained ones at the other end; the latter with a further
    /// condition.
    fn push_ends(&self, sql: &mut Statement, link: &Link, of: (Select<'_>, &'static str)) {
        let (select, keyed) = of;
        self.push_selects(sql, link, (select, Source::Resources, &|_| {}));
        sql.push(" union all ");
        let keyed = |sql: &mut Statement| {
            sql.push(keyed);
        };
        self.push_selects(sql, link, (select, Source::Contained, &keyed));
    }

    /// A row that meets the link refers to this one.
    pub(super) fn push_has(&self, sql: &mut Statement, link: &Link) {
        // Nothing but its container refers to a contained one.
        if self.source == Source::Contained {
            sql.push("false");
            return;
        }
        if link.is_subject {
            sql.push("r.rid in (");
            let select = |sql: &mut Statement, source: Source| {
                sql.push("select r.patient").push(source.from());
            };
            let of_patient = |sql: &mut Statement| match self.among {
                [] => drop(sql.push(" and r.patient is not null")),
                among => drop(sql.push(" and r.patient = any(").bind(among.to_vec()).push(")")),
            };
            self.push_selects(sql, link, (&select, Source::Resources, &of_patient));
            sql.push(")");
            return;
        }
        if let Some(except) = link.except {
            self.push_has_except(sql, link, except);
            return;
        }
        sql.push("r.rid in (");
        let select = |sql: &mut Statement, source: Source| {
            sql.push("select k.key & 281474976710655").push(source.from());
            sql.push(" cross join lateral (select k.key from unnest(r.keys) as k(key)");
            sql.push(" where k.key >> 48 = ").bind(link.parameter.0).push(") k");
        };
        let referring = |sql: &mut Statement| {
            if !self.among.is_empty() {
                let keys = self.among.iter().map(|rid| packed_key(link.parameter, *rid));
                sql.push(" and r.keys && ").bind(keys.collect::<Vec<i64>>());
            }
        };
        self.push_selects(sql, link, (&select, Source::Resources, &referring));
        sql.push(")");
    }

    /// Selects of the rows at the other end. Those of a main coding are two, each with an index
    /// of its own: the rows that it leads, and those that hold it elsewhere.
    fn push_selects(
        &self,
        sql: &mut Statement,
        link: &Link,
        (push_select, source, push_condition): (Select<'_>, Source, Push<'_>),
    ) {
        push_select(sql, source);
        let Some((leads, keys)) = self.found.leading(&link.clause) else {
            self.push_there(sql, link, source);
            push_condition(sql);
            return;
        };
        push_led(sql, (source, &leads), self.filter);
        push_any(sql, &link.types, source);
        push_condition(sql);
        sql.push(" union all ");
        push_select(sql, source);
        push_visible(sql, (source, &link.types), self.filter);
        push_any(sql, &link.types, source);
        sql.push(" and ");
        push_held(sql, source, (&leads, &keys));
        push_condition(sql);
    }

    /// A row that meets the link refers to this one, and not by the other parameter as well.
    fn push_has_except(&self, sql: &mut Statement, link: &Link, except: ParameterId) {
        let keys = "select k & 281474976710655 as rid from unnest(r.keys) k where k >> 48 = ";
        sql.push("r.rid in (select k.rid from resource r cross join lateral (");
        sql.push(keys).bind(link.parameter.0).push(" except ");
        sql.push(keys).bind(except.0).push(") k");
        self.push_there(sql, link, Source::Resources);
        sql.push(")");
    }

    /// What holds for the row at the other end.
    pub(super) fn push_there(&self, sql: &mut Statement, link: &Link, source: Source) {
        push_visible(sql, (source, &link.types), self.filter);
        push_any(sql, &link.types, source);
        sql.push(" and ");
        let there = Conditions {
            source,
            types: &link.types,
            keys: Keys::Indexed,
            leads: Leads::Any,
            dates: MAIN_DATE,
            among: &[],
            ..*self
        };
        there.push_clause(sql, &link.clause);
    }
}

/// There are contained resources of the types: asked once, before anything else is looked at. In
/// order of the types, so that the planner takes their index whatever it expects of them.
fn push_any(sql: &mut Statement, types: &[ResourceType], source: Source) {
    if source == Source::Resources {
        return;
    }
    let first = "(select c.type from contained_resource c where c.type >= ";
    match types {
        [kind] => {
            sql.push(" and ").push(first).push_number(kind.number());
            sql.push(" order by c.type limit 1) = ").push_number(kind.number());
        }
        kinds => {
            sql.push(" and exists (select from unnest(").bind(numbers(kinds));
            sql.push(") t(type) where t.type = ").push(first);
            sql.push("t.type order by c.type limit 1))");
        }
    }
}
