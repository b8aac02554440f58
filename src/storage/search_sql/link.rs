//! Chained parameters and `_has` as semi-joins. The rows at the other end are `r` as well, in a
//! select of their own.

use super::condition::{Conditions, Keys, push_visible};
use crate::search::{Link, ParameterId};
use crate::storage::statement::Statement;
use crate::storage::write::index_rows::packed_key;

impl Conditions<'_> {
    /// The row refers to one that meets the link.
    pub(super) fn push_chain(&self, sql: &mut Statement, link: &Link) {
        if link.is_subject {
            sql.push("r.patient in (select r.rid from resource r");
            self.push_there(sql, link);
            sql.push(")");
            return;
        }
        match self.keys {
            Keys::Indexed => {
                sql.push("r.keys && array(select ").bind(packed_key(link.parameter, 0));
                sql.push(" | r.rid from resource r");
                self.push_there(sql, link);
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
            sql.push("r.rid in (select r.patient from resource r");
            self.push_there(sql, link);
            sql.push(" and r.patient is not null)");
            return;
        }
        if let Some(except) = link.except {
            self.push_has_except(sql, link, except);
            return;
        }
        sql.push("r.rid in (select k.key & 281474976710655 from resource r");
        sql.push(" cross join lateral unnest(r.keys) as k(key)");
        self.push_there(sql, link);
        sql.push(" and k.key >> 48 = ").bind(link.parameter.0).push(")");
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
        let (types, keys) = (&link.types[..], Keys::Indexed);
        Conditions { types, keys, ..*self }.push_clause(sql, &link.clause);
    }
}
