//! Contained resources among the rows of a statement, and their containers in place of them
//! (<https://hl7.org/fhir/R4/search.html#contained>).
//!
//! A contained resource is a row of the view `contained_match`, which has the columns that
//! conditions are about; those of access, time and commit are its container's.

use super::order::{Order, Part};
use super::shape::{Branch, Driver, Query};
use super::span::Span;
use crate::fhir::definitions::ResourceType;
use crate::storage::row_filter::Seen;
use crate::storage::statement::Statement;

/// What the rows of a select are of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    Resources,
    Contained,
}

impl Source {
    /// The rows `r`.
    pub fn from(self) -> &'static str {
        match self {
            Source::Resources => " from resource r",
            Source::Contained => " from contained_match r",
        }
    }

    /// The row `r` as a filter knows it: of these types, where it is a resource.
    pub fn seen(self, types: &[ResourceType]) -> Seen<'_> {
        match self {
            Source::Resources => Seen::current("r", types),
            Source::Contained => Seen::contained("r"),
        }
    }

    /// The table that holds leads and keys.
    pub fn table(self) -> &'static str {
        match self {
            Source::Resources => "resource",
            Source::Contained => "contained_resource",
        }
    }

    /// What a page shows of a row. Type, id and body of a contained one are its container's.
    pub fn columns(self) -> &'static str {
        match self {
            Source::Resources => {
                "r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body"
            }
            Source::Contained => {
                "r.rid, r.container_type as type, r.container_id as id, r.version, \
                 r.last_updated, r.deleted, r.body"
            }
        }
    }
}

impl Query<'_> {
    /// What has rows of its own in a result.
    pub(super) fn sources(&self) -> Vec<Source> {
        let shows_contained = self.plan.contained.is_some() && !self.plan.shows_containers();
        let others = self.plan.finds_resources().then_some(Source::Resources);
        others.into_iter().chain(shows_contained.then_some(Source::Contained)).collect()
    }

    /// A page of containers, each at the place of the first of its matches.
    pub(super) fn push_containers(
        &self,
        sql: &mut Statement,
        (driver, order): (&Driver, &Order),
        limit: i64,
    ) {
        let named = order.named();
        let cursor = self.plan.after.as_ref();
        sql.push("select m.rid, m.type, m.id, m.version, m.last_updated, m.deleted, m.body");
        named.push_values(sql);
        sql.push(" from (select * from (");
        self.push_firsts(sql, (driver, order));
        sql.push(") r where true");
        self.push_unshown(sql, driver);
        named.push_part(sql, cursor, Part::All);
        named.push_inner(sql, cursor.is_some_and(|cursor| cursor.is_backward), Part::All);
        sql.push_limit(limit).push(") r join resource m on m.rid = r.rid");
    }

    /// The containers of all matches, in no order.
    pub(super) fn push_all_containers(&self, sql: &mut Statement, driver: &Driver) {
        sql.push("select r.rid from (select distinct u.rid, u.rid as container from (");
        self.push_container_rows(sql, (driver, &Order::of_rows()));
        sql.push(") u) r where true");
        self.push_unshown(sql, driver);
    }

    /// The first match of each container, with its sort values.
    pub(super) fn push_firsts(&self, sql: &mut Statement, (driver, order): (&Driver, &Order)) {
        sql.push("select distinct on (u.rid) u.*, u.rid as container from (");
        self.push_container_rows(sql, (driver, order));
        sql.push(") u");
        order.push_first_of_each(sql);
    }

    /// The container of each contained resource that matches.
    fn push_container_rows(&self, sql: &mut Statement, (driver, order): (&Driver, &Order)) {
        let source = Source::Contained;
        for (index, branch) in self.branches(driver, order, source).into_iter().enumerate() {
            sql.push(if index > 0 { " union all " } else { "" });
            sql.push("select r.container as rid");
            order.push_values(sql);
            sql.push(source.from());
            order.push_joins(sql);
            self.push_where(sql, driver, (source, branch));
        }
    }

    /// The row is of no resource that matches by itself, and so is shown for that.
    fn push_unshown(&self, sql: &mut Statement, driver: &Driver) {
        if self.plan.finds_resources() {
            sql.push(" and not exists (select").push(Source::Resources.from());
            self.push_where(sql, driver, (Source::Resources, Branch::Whole(Span::All)));
            sql.push(" and r.rid = container)");
        }
    }
}
