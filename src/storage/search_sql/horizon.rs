//! Pages as of the first one: rows that nobody wrote since, and, of those that somebody did, the
//! versions that the first page saw.

use super::condition::{Conditions, Keys, Leads, numbers, push_visible};
use super::contained::Source;
use super::shape::Query;
use super::test_sql::MAIN_DATE;
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::ResourceKey;
use crate::search::{Horizon, IndexRows, ParameterId, Predicate};
use crate::storage::horizon::Shown;
use crate::storage::statement::Statement;
use crate::storage::statement::row_filter::Seen;

/// What [`Query::holding`] is asked about: rows, and for chains what each refers to.
#[derive(Default)]
pub struct Referring {
    pub rids: Vec<i64>,
    pub types: Vec<i16>,
    pub ids: Vec<String>,
}

impl Referring {
    /// A row refers to this.
    pub fn add(&mut self, rid: i64, target: &ResourceKey) {
        self.rids.push(rid);
        self.types.push(target.resource_type.number());
        self.ids.push(target.id.as_str().to_owned());
    }
}

impl Referring {
    /// A row refers to what its version names by the parameter.
    pub fn add_by(&mut self, rid: i64, (rows, parameter): (&IndexRows, ParameterId)) {
        let by = rows.references.iter().filter(|row| row.parameter == parameter);
        by.for_each(|row| self.add(rid, &row.target));
    }
}

impl Query<'_> {
    /// The column `horizon` of a page. Of the first one it is what the statement sees, and its
    /// own transaction where that has written; of another it is not null where a row of these
    /// types was changed since the first. Either is computed once for the statement.
    pub(super) fn push_horizon(&self, sql: &mut Statement) {
        match &self.plan.as_of {
            None => drop(sql.push(include_str!("../sql/search_horizon.sql"))),
            Some(horizon) => {
                sql.push("(select 'changed' from resource c where ");
                self.push_changed(sql, horizon, "c");
                sql.push(" limit 1)");
            }
        }
        sql.push(" as horizon");
    }

    /// The row `r` is as it was; for pages after the first.
    pub(super) fn push_unchanged(&self, sql: &mut Statement) {
        if let Some(horizon) = &self.plan.as_of {
            sql.push(" and ");
            push_seen(sql, horizon, "r");
        }
    }

    /// Rows that were changed or deleted since. Rows that are new have one version, as a rule,
    /// and the index of changed ones is without them.
    fn push_changed(&self, sql: &mut Statement, horizon: &Horizon, alias: &'static str) {
        let all: Vec<ResourceType> = ResourceType::all().collect();
        // A resource of whatever type may contain some.
        let is_of_all = self.plan.types.is_empty() || self.plan.contained.is_some();
        let types = if is_of_all { &all } else { &self.plan.types };
        sql.push(alias).push(".type = any(").bind(numbers(types)).push(") and ");
        sql.push(alias).push(".version > 1 and ").push(alias).push(".epoch = ");
        sql.bind(horizon.epoch).push(" and ").push(alias).push(".xid >= (select ");
        sql.bind(horizon.snapshot.least()).push("::xid8) and not ");
        push_in_snapshot(sql, horizon, alias);
    }

    /// Versions that the first page may have shown and that are no longer current, at most
    /// `limit`. The caller may see both the version and what became of it.
    pub fn changed(&self, horizon: &Horizon, limit: i64) -> Statement {
        let mut sql = Statement::new("select h.rid, h.type, h.id, h.version, h.last_updated, ");
        sql.push("h.deleted, h.body from resource r cross join lateral (");
        sql.push("select o.* from resource_history o where o.rid = r.rid and ");
        push_seen(&mut sql, horizon, "o");
        sql.push(" order by o.version desc limit 1) h where not h.deleted and ");
        self.push_changed(&mut sql, horizon, "r");
        if !self.filter.is_all() {
            let types = self.rows_of();
            sql.push(" and ").push_filter(Seen::current("r", types), self.filter);
            sql.push(" and ").push_filter(Seen::old("h", types), self.filter);
        }
        let patients = self.driving_patients().filter(|_| self.plan.contained.is_none());
        if let Some(patients) = patients {
            sql.push(" and h.subject_rids && ").bind(patients);
        }
        sql.push_limit(limit);
        sql
    }

    /// Those of the rows that a condition about other resources holds for; None for any other
    /// condition.
    pub fn holding(&self, predicate: &Predicate, of: Referring) -> Option<Statement> {
        let Query { plan, found, filter, .. } = *self;
        let (keys, types) = (Keys::Indexed, &plan.types);
        let (source, leads) = (Source::Resources, Leads::Any);
        let (dates, among) = (MAIN_DATE, &of.rids.clone()[..]);
        let conditions = Conditions { found, source, keys, types, leads, filter, dates, among };
        let mut sql = Statement::default();
        match predicate {
            Predicate::Chain(link) => {
                sql.push("select distinct c.rid from unnest(").bind(of.rids).push(", ");
                sql.bind(of.types).push(", ").bind(of.ids).push(") as c(rid, type, id)");
                sql.push(" join resource r on r.id = c.id and r.type = c.type");
                conditions.push_there(&mut sql, link, Source::Resources);
            }
            Predicate::Along { .. } => {
                sql.push("select distinct c.rid from unnest(").bind(of.rids).push(", ");
                sql.bind(of.types).push(", ").bind(of.ids).push(") as c(rid, type, id)");
                sql.push(" join resource r on r.id = c.id and r.type = c.type where ");
                conditions.push_member(&mut sql, predicate);
            }
            Predicate::Has(link) => {
                sql.push("select c.rid from unnest(").bind(of.rids).push(") as c(rid)");
                sql.push(" join resource r on r.rid = c.rid where ");
                conditions.push_has(&mut sql, link);
            }
            _ => return None,
        }
        Some(sql)
    }

    /// What goes with a page whose rows are known, at most `most` and one more.
    pub fn beside(&self, shown: &Shown<'_>, most: i64) -> Statement {
        let all: Vec<i64> = shown.kept.iter().chain(&shown.old).copied().collect();
        let mut sql = Statement::new("with recursive found (rid) as (select * from unnest(");
        sql.bind(shown.kept.clone()).push(")), reached (rid) as ((");
        self.push_first(&mut sql);
        if self.plan.includes.iter().any(|include| include.is_reverse) {
            sql.push(" union all select y.rid from unnest(").bind(shown.old.clone());
            sql.push(") x(rid) cross join lateral (");
            self.push_reverse_links(&mut sql);
            sql.push(") y");
        }
        self.push_targets(&mut sql, shown);
        sql.push(")");
        self.push_iterated(&mut sql);
        sql.push(") select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body");
        sql.push(" from (select distinct q.rid from reached q where q.rid <> all(").bind(all);
        sql.push(")").push_limit(most + 1).push(") q join resource r on r.rid = q.rid");
        sql.push(" order by type, rid");
        sql
    }

    /// What versions refer to that are no longer current.
    fn push_targets(&self, sql: &mut Statement, shown: &Shown<'_>) {
        let mut targets = Referring::default();
        shown.targets.iter().for_each(|target| targets.add(0, target));
        sql.push(" union all select r.rid from resource r");
        push_visible(sql, (Source::Resources, &[]), self.included);
        sql.push(" and (r.id, r.type) in (select * from unnest(").bind(targets.ids);
        sql.push(", ").bind(targets.types).push("))");
        for (include, values) in &shown.canonicals {
            let urls: Vec<i16> = include.urls.iter().map(|id| id.0).collect();
            sql.push(" union all select t.rid from uri_value u join resource t on t.rid = u.rid");
            sql.push(" where u.value = any(").bind(values.clone()).push(") and u.parameter = any(");
            sql.bind(urls).push(")");
            self.push_target(sql, include);
        }
    }
}

/// The version in this row is one that the first page saw.
fn push_seen(sql: &mut Statement, horizon: &Horizon, alias: &'static str) {
    sql.push("(").push(alias).push(".epoch < ").bind(horizon.epoch).push(" or ");
    sql.push(alias).push(".xid < (select ").bind(horizon.snapshot.least()).push("::xid8) or ");
    push_in_snapshot(sql, horizon, alias);
    sql.push(")");
}

/// The transaction of this row is one that the snapshot sees. A plan for all values would read
/// the text of the snapshot for each row, were it no select of its own.
fn push_in_snapshot(sql: &mut Statement, horizon: &Horizon, alias: &'static str) {
    sql.push("pg_visible_in_snapshot(").push(alias).push(".xid, (select ");
    sql.bind(horizon.snapshot.text()).push("::pg_snapshot))");
}
