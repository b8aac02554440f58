//! Chained parameters and `_has` as semi-joins. The rows at the other end are `r` as well, in a
//! select of their own.

use super::condition::{Conditions, Keys, Leads, push_held, push_led, push_visible};
use super::contained::Source;
use super::test_sql::MAIN_DATE;
use crate::search::{Link, ParameterId};
use crate::storage::statement::Statement;
use crate::storage::write::index_rows::packed_key;

/// Appends a part of a statement.
type Push<'a> = &'a dyn Fn(&mut Statement);

impl Conditions<'_> {
    /// The row refers to one that meets the link.
    pub(super) fn push_chain(&self, sql: &mut Statement, link: &Link) {
        if link.is_subject && self.source == Source::Resources {
            sql.push("r.patient in (");
            let select = |sql: &mut Statement| {
                sql.push("select r.rid from resource r");
            };
            self.push_selects(sql, link, (&select, &|_| {}));
            sql.push(")");
            return;
        }
        match self.keys {
            Keys::Indexed => {
                let select = |sql: &mut Statement| {
                    sql.push("select ").bind(packed_key(link.parameter, 0));
                    sql.push(" | r.rid from resource r");
                };
                sql.push("r.keys && array(");
                self.push_selects(sql, link, (&select, &|_| {}));
                sql.push(")");
            }
            // Few rows are left: each looks at what it refers to.
            Keys::Fenced => {
                sql.push("exists (select from unnest(r.keys) as k(key) cross join lateral (");
                sql.push("select from resource r");
                self.push_there(sql, link);
                sql.push(" and r.rid = (k.key & 281474976710655) and k.key >> 48 = ");
                sql.bind(link.parameter.0).push(") t)");
            }
        }
    }

    /// A row that meets the link refers to this one.
    pub(super) fn push_has(&self, sql: &mut Statement, link: &Link) {
        if link.is_subject {
            sql.push("r.rid in (");
            let select = |sql: &mut Statement| {
                sql.push("select r.patient from resource r");
            };
            let of_patient = |sql: &mut Statement| match self.among {
                [] => drop(sql.push(" and r.patient is not null")),
                among => drop(sql.push(" and r.patient = any(").bind(among.to_vec()).push(")")),
            };
            self.push_selects(sql, link, (&select, &of_patient));
            sql.push(")");
            return;
        }
        if let Some(except) = link.except {
            self.push_has_except(sql, link, except);
            return;
        }
        sql.push("r.rid in (");
        let select = |sql: &mut Statement| {
            sql.push("select k.key & 281474976710655 from resource r");
            sql.push(" cross join lateral (select k.key from unnest(r.keys) as k(key)");
            sql.push(" where k.key >> 48 = ").bind(link.parameter.0).push(") k");
        };
        let referring = |sql: &mut Statement| {
            if !self.among.is_empty() {
                let keys = self.among.iter().map(|rid| packed_key(link.parameter, *rid));
                sql.push(" and r.keys && ").bind(keys.collect::<Vec<i64>>());
            }
        };
        self.push_selects(sql, link, (&select, &referring));
        sql.push(")");
    }

    /// Selects of the rows at the other end. Those of a main coding are two, each with an index
    /// of its own: the rows that it leads, and those that hold it elsewhere.
    fn push_selects(
        &self,
        sql: &mut Statement,
        link: &Link,
        (push_select, push_condition): (Push<'_>, Push<'_>),
    ) {
        push_select(sql);
        let Some((leads, _)) = self.found.leading(&link.clause) else {
            self.push_there(sql, link);
            push_condition(sql);
            return;
        };
        push_led(sql, &leads, self.filter);
        push_condition(sql);
        sql.push(" union all ");
        push_select(sql);
        push_visible(sql, &link.types, self.filter);
        sql.push(" and ");
        push_held(sql, Source::Resources, (&leads, &[]));
        push_condition(sql);
    }

    /// A row that meets the link refers to this one, and not by the other parameter as well.
    fn push_has_except(&self, sql: &mut Statement, link: &Link, except: ParameterId) {
        let keys = "select k & 281474976710655 as rid from unnest(r.keys) k where k >> 48 = ";
        sql.push("r.rid in (select k.rid from resource r cross join lateral (");
        sql.push(keys).bind(link.parameter.0).push(" except ");
        sql.push(keys).bind(except.0).push(") k");
        self.push_there(sql, link);
        sql.push(")");
    }

    /// What holds for the row at the other end.
    pub(super) fn push_there(&self, sql: &mut Statement, link: &Link) {
        push_visible(sql, &link.types, self.filter);
        sql.push(" and ");
        let there = Conditions {
            source: Source::Resources,
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
