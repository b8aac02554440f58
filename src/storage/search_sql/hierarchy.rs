//! `:above` and `:below` of references: what resources of one type are part of, as far as the
//! caller may see it (<https://hl7.org/fhir/R4/search.html#recursive>).

use super::condition::{Conditions, Keys};
use crate::search::{Direction, Predicate};
use crate::storage::row_filter::Seen;
use crate::storage::statement::Statement;
use crate::storage::write::index_rows::packed_key;

impl Conditions<'_> {
    /// The row refers to one of a hierarchy. Each member is reached once, so that a circle ends;
    /// too many of them are an error of the statement.
    pub(super) fn push_along(&self, sql: &mut Statement, predicate: &Predicate) {
        let Predicate::Along { parameter, .. } = predicate else { return };
        sql.push(if self.keys == Keys::Fenced { "(" } else { "" });
        sql.push("r.keys && ");
        self.push_members(sql, predicate, packed_key(*parameter, 0));
        sql.push(if self.keys == Keys::Fenced { ") is true" } else { "" });
    }

    /// The rids of the hierarchy, each with the bits of the key.
    fn push_members(&self, sql: &mut Statement, predicate: &Predicate, key: i64) {
        let Predicate::Along { targets, parent, direction, most, .. } = predicate else { return };
        sql.push("(select at_most(array(with recursive h (rid) as (select unnest(");
        sql.bind(self.found.rids(targets)).push("::bigint[]) union select ");
        match direction {
            Direction::Down => {
                sql.push("c.rid from h join resource c on c.keys && array[");
                sql.bind(packed_key(*parent, 0)).push(" | h.rid] where ");
            }
            Direction::Up => {
                sql.push("k.key & 281474976710655 from h join resource c on c.rid = h.rid");
                sql.push(" cross join lateral unnest(c.keys) as k(key) where k.key >> 48 = ");
                sql.bind(parent.0).push(" and ");
            }
        }
        sql.push("not c.deleted");
        if !self.filter.is_all() {
            sql.push(" and ").push_filter(Seen::current("c", &[]), self.filter);
        }
        sql.push(") select ").bind(key).push(" | h.rid from h limit ");
        sql.bind(i64::from(*most) + 1).push("), ").bind(*most).push("))");
    }

    /// The row `r` is one of the hierarchy.
    pub(super) fn push_member(&self, sql: &mut Statement, predicate: &Predicate) {
        sql.push("r.rid = any(");
        self.push_members(sql, predicate, 0);
        sql.push("::bigint[])");
    }
}
