//! Row filters as conditions: the one place where they become SQL. Every select of resources or
//! of their versions has such a condition, before any limit.

use super::Statement;
use crate::access::{Attached, Listings, RowFilter, RowGroup, RowTest, Test};
use crate::fhir::definitions::ResourceType;
use crate::search::{ATTACHED, ParameterId, SECURITY_CONTEXT};
use crate::storage::search_sql::push_scope_query;

/// A row of a statement, and what is known of it. Aliases of rows have one letter, those of what
/// a filter looks into have more: none hides another.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    alias: &'static str,
    of: Of,
    /// The types that the row can be of; empty for all.
    types: &'a [ResourceType],
}

#[derive(Clone, Copy, PartialEq)]
enum Of {
    /// `resource`.
    Current,
    /// `resource_history`: it has stamps, and no keys.
    Old,
    /// The same, of which the images of the permit are asked once it is read.
    Judged,
    /// `contained_match`: who sees the whole container sees what it contains.
    Contained,
}

impl<'a> Seen<'a> {
    /// A row of `resource` of one of these types, of any where none is named.
    pub fn current(alias: &'static str, types: &'a [ResourceType]) -> Seen<'a> {
        Seen { alias, of: Of::Current, types }
    }

    /// The same of `resource_history`.
    pub fn old(alias: &'static str, types: &'a [ResourceType]) -> Seen<'a> {
        Seen { alias, of: Of::Old, types }
    }

    /// The same, where whoever reads it leaves out what [`crate::access::Images`] do not let
    /// through: the queries of scopes are not asked here.
    pub fn judged(alias: &'static str, types: &'a [ResourceType]) -> Seen<'a> {
        Seen { alias, of: Of::Judged, types }
    }

    /// A row of `contained_match`.
    pub fn contained(alias: &'static str) -> Seen<'static> {
        Seen { alias, of: Of::Contained, types: &[] }
    }
}

impl Statement {
    /// Appends the condition that the row is visible under the filter.
    pub fn push_filter(&mut self, row: Seen<'_>, filter: &RowFilter) -> &mut Self {
        if filter.is_all() {
            return self.push("true");
        }
        if row.of == Of::Contained {
            self.push("exists (select from resource m where m.rid = ").push(row.alias);
            let whole = filter.of_containers();
            self.push(".container and ").push_filter(Seen::current("m", &[]), &whole);
            return self.push(")");
        }
        let (groups, is_whole) = filter.groups_of(row.types);
        match (&groups[..], is_whole) {
            ([], _) => self.push("false"),
            ([group], true) => self.push_tests(row, group),
            (groups, _) => self.push_groups(row, groups.iter().copied()),
        }
    }

    fn push_groups<'g>(
        &mut self,
        row: Seen<'_>,
        groups: impl Iterator<Item = &'g RowGroup>,
    ) -> &mut Self {
        for (index, group) in groups.enumerate() {
            self.push(if index == 0 { "(" } else { " or " });
            let is_asked = |kind: &ResourceType| row.types.is_empty() || row.types.contains(kind);
            let numbers: Vec<i16> =
                group.types.iter().filter(is_asked).map(ResourceType::number).collect();
            self.push(row.alias).push(".type = any(").bind(numbers).push(") and ");
            self.push_tests(row, group);
        }
        self.push(")")
    }

    /// One of the tests of the group holds.
    fn push_tests(&mut self, row: Seen<'_>, group: &RowGroup) -> &mut Self {
        self.push("(");
        for (index, RowTest { is, about, only }) in group.any.iter().enumerate() {
            self.push(if index == 0 { "" } else { " or " });
            self.push_test(row, is);
            if let Some(patient) = about {
                self.push(" and ").push(row.alias).push(".subject_rids && ").bind(vec![*patient]);
            }
            match only {
                None => {}
                // What an old version was found by is not kept.
                Some(_) if row.of == Of::Old => drop(self.push(" and false")),
                Some(_) if row.of == Of::Judged => {}
                Some(only) => push_scope_query(self, row.alias, only),
            }
        }
        self.push(if group.any.is_empty() { "false)" } else { ")" })
    }

    fn push_test(&mut self, row: Seen<'_>, test: &Test) -> &mut Self {
        let alias = row.alias;
        match test {
            Test::Every(_) => self.push("true"),
            Test::Subjects(patients) => {
                self.push(alias).push(".subject_rids && ").bind(patients.clone())
            }
            Test::Owners(owners) => {
                self.push(alias).push(".owner = any(").bind(owners.clone()).push(")")
            }
            Test::Authors(authors) => {
                self.push(alias).push(".author = any(").bind(authors.clone()).push(")")
            }
            Test::Itself(rids) => self.push(alias).push(".rid = any(").bind(rids.clone()).push(")"),
            Test::Care(practitioner) => {
                self.push("exists (select from care_link care where care.practitioner = ");
                self.bind(*practitioner).push(" and care.patient = any(").push(alias);
                self.push(".subject_rids) and care.valid_from <= now() and care.valid_to > now())")
            }
            Test::Facilities(organizations) => {
                self.push("exists (select from facility_link at where at.organization = any(");
                self.bind(organizations.clone()).push(") and at.patient = any(").push(alias);
                self.push(".subject_rids) and at.valid_from <= now() and at.valid_to > now())")
            }
            Test::Released(jurisdictions) => {
                self.push("exists (select from release_link out where out.jurisdiction = any(");
                self.bind(jurisdictions.clone()).push(") and out.rid = ").push(alias).push(".rid)")
            }
            // What codes an old version had is not kept.
            Test::Listed(_) | Test::Referred(..) | Test::Attached(_) if row.of != Of::Current => {
                self.push("false")
            }
            Test::Attached(attached) => self.push_attached(alias, attached),
            Test::Listed(listings) => self.push_listed(alias, listings),
            Test::Referred(parameter, groups) => self.push_referred(alias, *parameter, groups),
        }
    }

    /// Codes without a system: those of codes and booleans. What nobody ever wrote has no number.
    fn push_listed(&mut self, alias: &'static str, listings: &Listings) -> &mut Self {
        let parameters: Vec<i16> = listings.pairs.iter().map(|(id, _)| id.0).collect();
        let codes: Vec<&str> = listings.pairs.iter().map(|(_, code)| *code).collect();
        self.push(if listings.has { "" } else { "not " }).push(alias).push(".keys && array(");
        self.push("select code.parameter::bigint << 48 | token.token from unnest(");
        self.bind(parameters).push(", ").bind(codes).push(") as code(parameter, code)");
        self.push(" join token on token.code = code.code and token.system = '')")
    }

    /// The context decides alone where there is one. What a row is attached to has it among its
    /// keys.
    fn push_attached(&mut self, alias: &'static str, attached: &Attached) -> &mut Self {
        let context = |sql: &mut Statement| {
            sql.push("exists (select from unnest(").push(alias).push(".keys) as own(key)");
        };
        let is_context = |sql: &mut Statement| {
            sql.push(" where own.key >> 48 = ").push_number(SECURITY_CONTEXT.0);
        };
        let holder = |sql: &mut Statement| {
            sql.push("exists (select from resource e where e.keys && array[");
            sql.push_number(ATTACHED.0).push("::bigint << 48 | ").push(alias);
            sql.push(".rid] and not e.deleted");
        };
        let visible = |sql: &mut Statement| match &attached.groups[..] {
            [] => drop(sql.push(" and false")),
            groups => drop(sql.push(" and ").push_groups(Seen::current("e", &[]), groups.iter())),
        };
        self.push("(");
        context(self);
        self.push(" join resource e on e.rid = (own.key & 281474976710655) and not e.deleted");
        is_context(self);
        visible(self);
        self.push(") or not ");
        context(self);
        is_context(self);
        self.push(") and (");
        holder(self);
        visible(self);
        self.push(") or (").push(alias).push(".author = any(").bind(attached.authors.clone());
        self.push(") or ").push(alias).push(".owner = any(").bind(attached.owners.clone());
        self.push(")) and not ");
        holder(self);
        self.push(")))")
    }

    /// All that the row refers to by the parameter is there and visible, and there is something.
    fn push_referred(
        &mut self,
        alias: &'static str,
        parameter: ParameterId,
        groups: &[RowGroup],
    ) -> &mut Self {
        let keys = |sql: &mut Statement| {
            sql.push("exists (select from unnest(").push(alias).push(".keys) as own(key) where ");
            sql.push("own.key >> 48 = ").bind(parameter.0);
        };
        keys(self);
        self.push(") and not ");
        keys(self);
        self.push(" and not exists (select from resource e where not e.deleted and e.rid = ");
        self.push("(own.key & 281474976710655) and ");
        match groups {
            [] => self.push("false"),
            groups => self.push_groups(Seen::current("e", &[]), groups.iter()),
        };
        self.push("))")
    }
}
