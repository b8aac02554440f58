//! The query of a scope as a condition on a row that some statement has: the same conditions as
//! those of a search.

use super::{Conditions, Keys, Leads};
use crate::access::Only;
use crate::storage::search_sql::contained::Source;
use crate::storage::search_sql::test_sql::MAIN_DATE;
use crate::storage::statement::Statement;

/// Appends, with `and` before it, that the row of `resource` is found by the query.
pub fn push_scope_query(sql: &mut Statement, alias: &'static str, only: &Only) {
    let types = [only.query.resource_type];
    let conditions = Conditions {
        found: &only.query.found,
        source: Source::Resources,
        // The row is selected by something else.
        keys: Keys::Fenced,
        types: &types,
        leads: Leads::Any,
        filter: &only.reach,
        dates: MAIN_DATE,
        among: &[],
    };
    let clauses = &only.query.plan.clauses;
    // Conditions are about a row `r`.
    let is_same = alias == "r";
    if !is_same {
        sql.push(" and exists (select from resource r where r.rid = ").push(alias).push(".rid");
    }
    for clause in clauses {
        sql.push(" and ");
        conditions.push_clause(sql, clause);
    }
    sql.push(match (clauses.is_empty(), is_same) {
        (false, true) => "",
        (false, false) => ")",
        // A query that asks nothing gives nothing.
        (true, true) => " and false",
        (true, false) => " and false)",
    });
}
