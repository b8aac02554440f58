//! Pages as of the first one: what was changed since, in the versions that the first page saw.

use super::read::fetch_all;
use super::search::{INCLUDED, Page, Reads};
use super::search_sql::{Query, Referring};
use super::store::{Connection, Store, Stored};
use crate::access::{Permit, RowFilter};
use crate::error::{FhirError, Result};
use crate::fhir::resource::ResourceKey;
use crate::search::{Found, Include, IndexRows, ParameterId, Plan, Predicate, Sorting, Token};
use sqlx::Row;
use std::collections::HashSet;

/// What a page shows, for what goes with it.
#[derive(Default)]
pub struct Shown<'a> {
    /// Rows in their current version.
    pub kept: Vec<i64>,
    /// Rows in another version.
    pub old: Vec<i64>,
    /// What those versions refer to by the includes.
    pub targets: Vec<ResourceKey>,
    /// The canonical URLs that they name, with the include that is about each.
    pub canonicals: Vec<(&'a Include, Vec<String>)>,
}

impl Store {
    /// Versions that the plan's horizon saw and that are no longer current, of the types searched
    /// and whatever their content, at most `limit`. None without a horizon.
    pub async fn changed(
        &self,
        connection: &mut Connection,
        (permit, plan): (&Permit, &Plan),
        limit: usize,
    ) -> Result<Vec<Stored>> {
        let Some(horizon) = &plan.as_of else { return Ok(Vec::new()) };
        let found = self.found(connection, (permit, plan), Reads::UnderWay).await?;
        let query = Query::of(plan, &found, permit);
        let statement = query.changed(horizon, limit as i64);
        let statement = statement.witnessed(&[(query.filter, query.rows_of())]);
        let rows = fetch_all(connection, statement).await?;
        rows.iter().map(|row| self.stored_seen(query.filter, row)).collect()
    }

    /// Those of these versions, by their rids, for which a condition about other resources holds;
    /// the others are as they are now.
    pub async fn holding(
        &self,
        connection: &mut Connection,
        (permit, plan): (&Permit, &Plan),
        (predicate, versions): (&Predicate, &[(i64, &IndexRows)]),
    ) -> Result<HashSet<i64>> {
        let mut referring = Referring::default();
        for (rid, rows) in versions {
            match predicate {
                Predicate::Chain(link) => referring.add_by(*rid, (rows, link.parameter)),
                Predicate::Along { parameter, .. } => referring.add_by(*rid, (rows, *parameter)),
                _ => referring.rids.push(*rid),
            }
        }
        let found = self.found(connection, (permit, plan), Reads::UnderWay).await?;
        if let Predicate::Concept { parameter, test, form, .. } = predicate {
            let ids: HashSet<i64> = found.concept_ids(test, *form).iter().copied().collect();
            return self.meaning(connection, (*parameter, &ids), versions).await;
        }
        let query = Query::of(plan, &found, permit);
        let undecided = || FhirError::internal("a condition that no version is asked about");
        let statement = query.holding(predicate, referring).ok_or_else(undecided)?;
        let rows = fetch_all(connection, statement).await?;
        rows.iter().map(|row| row.try_get(0).map_err(FhirError::internal)).collect()
    }

    /// Those of these versions that have one of these coded values by the parameter.
    async fn meaning(
        &self,
        connection: &mut Connection,
        (parameter, ids): (ParameterId, &HashSet<i64>),
        versions: &[(i64, &IndexRows)],
    ) -> Result<HashSet<i64>> {
        let coded = |rows: &&IndexRows| -> Vec<Token> {
            let of = rows.tokens.iter().filter(|row| row.parameter == parameter);
            of.map(|row| row.token.clone()).collect()
        };
        let wanted = versions.iter().flat_map(|(_, rows)| coded(rows)).collect();
        let known = self.token_ids(connection, wanted).await?;
        let is_meant = |token: &Token| known.get(token).is_some_and(|id| ids.contains(id));
        let holding = versions.iter().filter(|(_, rows)| coded(rows).iter().any(is_meant));
        Ok(holding.map(|(rid, _)| *rid).collect())
    }

    /// The page with what goes with these rows.
    pub async fn with_includes(
        &self,
        connection: &mut Connection,
        (permit, plan): (&Permit, &Plan),
        (page, shown): (Page, Shown<'_>),
    ) -> Result<Page> {
        let found = self.found(connection, (permit, plan), Reads::UnderWay).await?;
        let query = Query::of(plan, &found, permit);
        let statement = query.beside(&shown, INCLUDED as i64);
        let statement = statement.witnessed(&[(query.included, &[])]);
        let mut rows = fetch_all(connection, statement).await?;
        let (included, is_cut) = self.included(query.included, &mut rows)?;
        Ok(Page { included, is_cut, ..page })
    }
}

/// The order of the plan's matches.
pub fn sorting(plan: &Plan) -> Sorting {
    let none = RowFilter::nothing();
    Query { plan, found: &Found::default(), filter: &none, included: &none }.sorting()
}
