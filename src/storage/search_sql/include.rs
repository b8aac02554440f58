//! What goes with a page, in the statement of the page: resources that its matches refer to, and
//! that refer to them. `:iterate` goes on from what was included, each resource once.

use super::condition::numbers;
use super::order::Order;
use super::shape::Query;
use crate::fhir::definitions::ResourceType;
use crate::search::{Include, ParameterId, r4_targets};
use crate::storage::row_filter::Seen;
use crate::storage::statement::Statement;
use crate::storage::write::index_rows::packed_key;

/// What an include goes on from.
#[derive(Clone, Copy)]
enum From {
    /// One row `x`.
    Row,
    /// All rows of the page at once: their rows of URLs are found by blocks of the table.
    Page,
}

impl Query<'_> {
    /// The page with what goes with its first `count` rows, at most `most` of these and one more;
    /// `n` numbers the rows of the page and is null for what was included.
    pub fn page_with_includes(&self, limit: i64, most: i64) -> Statement {
        let order = Order::of(&self.sorting());
        let mut sql = Statement::new("with recursive page as materialized (");
        sql.push("select u.rid, u.type, u.id, u.version, u.last_updated, u.deleted, u.body");
        order.push_names(&mut sql, "u.");
        sql.push(", u.horizon, row_number() over () as n from (");
        self.push_page(&mut sql, limit);
        sql.push(") u), found as (select p.rid from page p where p.n <= ");
        sql.bind(i64::from(self.plan.count)).push("), reached (rid) as (");
        self.push_first(&mut sql);
        self.push_iterated(&mut sql);
        sql.push(") select * from page union all select r.rid, r.type, r.id, r.version, ");
        sql.push("r.last_updated, r.deleted, r.body");
        order.push_nulls(&mut sql);
        sql.push(", null, null from (");
        // What a recursion reaches is distinct already, and is then no further computed than
        // it is asked for.
        let is_distinct = self.plan.includes.iter().any(|include| include.is_iterated);
        sql.push(if is_distinct { "select q.rid" } else { "select distinct q.rid" });
        sql.push(" from reached q where q.rid not in (");
        sql.push("select p.rid from found p)")
            .push_limit(most + 1)
            .push(") q join resource r on r.rid = q.rid");
        sql.push(" order by n nulls last, type, rid");
        sql
    }

    /// What was reached leads further.
    pub(super) fn push_iterated(&self, sql: &mut Statement) {
        if self.plan.includes.iter().any(|include| include.is_iterated) {
            sql.push(" union select y.rid from reached x cross join lateral (");
            self.push_links(sql, false);
            sql.push(") y");
        }
    }

    /// The rids that reverse includes lead to from a row `x`.
    pub(super) fn push_reverse_links(&self, sql: &mut Statement) {
        let mut separator = "";
        for include in self.plan.includes.iter().filter(|include| include.is_reverse) {
            sql.push(separator);
            self.push_reverse(sql, include);
            separator = " union all ";
            if !include.urls.is_empty() {
                sql.push(separator);
                self.push_by_url(sql, include, From::Row);
            }
        }
    }

    /// The rids that all includes lead to from the rows of the page.
    pub(super) fn push_first(&self, sql: &mut Statement) {
        let is_together = |include: &&Include| include.is_reverse && !include.is_subject;
        let mut separator = "";
        for include in self.plan.includes.iter().filter(is_together) {
            sql.push(separator);
            self.push_reverse_together(sql, include);
            separator = " union all ";
        }
        for include in self.plan.includes.iter().filter(|include| !include.urls.is_empty()) {
            sql.push(separator);
            self.push_by_url(sql, include, From::Page);
            separator = " union all ";
        }
        if self.plan.includes.iter().any(|include| !is_together(&include)) {
            sql.push(separator).push("select y.rid from found x cross join lateral (");
            self.push_links(sql, true);
            sql.push(") y");
        }
    }

    /// The rids that includes lead to from a row `x`: of the page, or one that was reached.
    fn push_links(&self, sql: &mut Statement, is_of_page: bool) {
        let mut separator = "";
        for include in self.plan.includes.iter().filter(|one| is_of_page || one.is_iterated) {
            if !include.is_reverse || include.is_subject || !is_of_page {
                sql.push(separator);
                match include.is_reverse {
                    false => self.push_forward(sql, include),
                    true => self.push_reverse(sql, include),
                }
                separator = " union all ";
            }
            if !include.urls.is_empty() && !is_of_page {
                sql.push(separator);
                self.push_by_url(sql, include, From::Row);
                separator = " union all ";
            }
        }
    }

    /// What refers to any row of the page, in one look into the index.
    fn push_reverse_together(&self, sql: &mut Statement, include: &Include) {
        sql.push("select t.rid from resource t where t.keys && array(");
        self.push_keys(sql, include);
        sql.push(" cross join found x");
        if !include.targets.is_empty() {
            sql.push(" where true");
            self.push_is(sql, "x", &include.targets);
        }
        sql.push(")");
        if let Some(source) = include.source {
            sql.push(" and (t.type = ").bind(source.number()).push(") is true");
        }
        self.push_seen(sql, include.source.as_slice());
    }

    /// Keys of references to `x`.
    fn push_keys(&self, sql: &mut Statement, include: &Include) {
        let keys: Vec<i64> = include.parameters.iter().map(|id| packed_key(*id, 0)).collect();
        sql.push("select p | x.rid from unnest(").bind(keys).push("::bigint[]) p");
    }

    fn push_forward(&self, sql: &mut Statement, include: &Include) {
        sql.push("select t.rid from resource s cross join lateral unnest(s.keys) as k(key)");
        sql.push(" join resource t on t.rid = (k.key & 281474976710655) where s.rid = x.rid");
        if let Some(source) = include.source {
            sql.push(" and s.type = ").bind(source.number());
        }
        let parameters: Vec<i16> = include.parameters.iter().map(|id| id.0).collect();
        sql.push(" and k.key >> 48 = any(").bind(parameters).push(")");
        self.push_target(sql, include);
    }

    fn push_reverse(&self, sql: &mut Statement, include: &Include) {
        sql.push("select t.rid from resource t where ");
        if include.is_subject {
            sql.push("t.patient = x.rid");
        } else {
            sql.push("t.keys && array(");
            self.push_keys(sql, include);
            sql.push(")");
        }
        self.push_source(sql, include, "x");
    }

    fn push_source(&self, sql: &mut Statement, include: &Include, row: &'static str) {
        if let Some(source) = include.source {
            sql.push(" and t.type = ").bind(source.number());
        }
        if !include.targets.is_empty() {
            self.push_is(sql, row, &include.targets);
        }
        self.push_seen(sql, include.source.as_slice());
    }

    /// By canonical URLs: `w` is a row of the one that refers, `u` of the one referred to. A
    /// reference to a version has a row without the version too, which is not followed.
    fn push_by_url(&self, sql: &mut Statement, include: &Include, from: From) {
        let (here, there) = match include.is_reverse {
            false => ("w", "u"),
            true => ("u", "w"),
        };
        let row = if let From::Row = from { "x" } else { here };
        let ids = |parameters: &[ParameterId]| parameters.iter().map(|id| id.0).collect();
        let canonicals: Vec<i16> = ids(&include.canonicals);
        let urls: Vec<i16> = ids(&include.urls);
        sql.push("select t.rid from uri_value w join uri_value u on u.value = w.value");
        sql.push(" join resource t on t.rid = ").push(there).push(".rid where ");
        sql.push(here).push(match from {
            From::Row => ".rid = x.rid and w.parameter = any(",
            From::Page => ".rid = any(array(select x.rid from found x)) and w.parameter = any(",
        });
        sql.bind(canonicals);
        sql.push(") and u.parameter = any(").bind(urls).push(")");
        sql.push(" and not exists (select from uri_value v where v.rid = w.rid");
        sql.push(" and v.parameter = w.parameter and starts_with(v.value, w.value || '|'))");
        match include.is_reverse {
            false => {
                if let Some(source) = include.source {
                    self.push_is(sql, row, &[source]);
                }
                self.push_target(sql, include);
            }
            true => self.push_source(sql, include, row),
        }
    }

    /// The row is of one of these types.
    fn push_is(&self, sql: &mut Statement, row: &'static str, types: &[ResourceType]) {
        sql.push(" and exists (select from resource s where s.rid = ").push(row);
        sql.push(".rid and s.type = any(").bind(numbers(types)).push("))");
    }

    pub(super) fn push_target(&self, sql: &mut Statement, include: &Include) {
        let may_refer = r4_targets(&include.parameters);
        if include.targets.is_empty() && !may_refer.is_empty() && !self.included.is_all() {
            // Fewer types to be told apart.
            sql.push(" and t.type = any(").bind(numbers(&may_refer)).push(")");
            self.push_seen(sql, &may_refer);
            return;
        }
        if !include.targets.is_empty() {
            sql.push(" and t.type = any(").bind(numbers(&include.targets)).push(")");
        }
        self.push_seen(sql, &include.targets);
    }

    /// What is included is there, and the caller may see it; it is of one of these types, of any
    /// where none is named.
    fn push_seen(&self, sql: &mut Statement, types: &[ResourceType]) {
        sql.push(" and not t.deleted");
        if !self.included.is_all() {
            sql.push(" and ").push_filter(Seen::current("t", types), self.included);
        }
    }
}
