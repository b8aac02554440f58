//! Rows of contained resources: in a table like `resource`, and in the tables of values under
//! surrogate keys of their own. Those of a change are all replaced by its statement; a resource
//! that contains nothing, before and after, has no part in it.

use super::Staged;
use super::index_rows::{Resolved, ResolvedContained, RowIndex, SideRows, parameter_of};
use super::sql::array_literal;
use crate::search::contained_rid;
use crate::storage::statement::Statement;

/// Rows of values under the surrogate keys that they have.
pub type Sides = Vec<(i64, SideRows)>;

/// Those of one version of a resource and of what it contains that another version does not have.
pub fn rest(rid: i64, these: &Resolved, others: &Resolved) -> Sides {
    let mut rest = vec![(rid, these.side.without(&others.side))];
    for one in &these.contained {
        let other = others.contained.iter().find(|other| other.place == one.place);
        let side = other.map_or_else(|| one.side.clone(), |other| one.side.without(&other.side));
        rest.push((contained_rid(rid, one.place), side));
    }
    rest
}

/// All of them.
pub fn whole(rid: i64, of: &mut Resolved) -> Sides {
    let contained = of.contained.iter_mut();
    let contained = contained.map(|one| (contained_rid(rid, one.place), &mut one.side));
    let sides = std::iter::once((rid, &mut of.side)).chain(contained);
    sides.map(|(rid, side)| (rid, std::mem::take(side))).collect()
}

/// The parameters with a value that no key names; None where that are none. Most are named, and
/// the view `contained_match` puts both together.
pub fn unkeyed(row: &RowIndex) -> Option<Vec<i16>> {
    let is_named = |parameter: &i16| row.keys.iter().any(|key| parameter_of(*key) == *parameter);
    let unkeyed: Vec<i16> = row.present.iter().copied().filter(|id| !is_named(id)).collect();
    (!unkeyed.is_empty()).then_some(unkeyed)
}

/// The contained resources of all changes, each with its change.
pub fn all<'a>(
    staged: &'a [&'a Staged],
) -> impl Iterator<Item = (&'a Staged, &'a ResolvedContained)> + Clone {
    staged.iter().flat_map(|s| s.after.contained.iter().map(move |one| (*s, one)))
}

/// The parts of a statement that replace the rows of `contained_resource`, each after a comma.
pub fn push_contained(statement: &mut Statement, staged: &[&Staged], gate: &'static str) {
    let replaced = staged.iter().filter(|staged| staged.replaces_contained);
    let replaced: Vec<i64> = replaced.map(|staged| staged.change.rid).collect();
    if !replaced.is_empty() {
        statement.push(", contained_removed as (delete from contained_resource t using unnest(");
        statement.bind(replaced).push("::bigint[]) as d(rid)\n  where t.rid between ");
        statement.push("-((d.rid << 16) | 65535) and -(d.rid << 16)").push(gate).push(")");
    }
    if all(staged).next().is_none() {
        return;
    }
    macro_rules! column {
        ($value:expr) => {
            all(staged).map($value).collect::<Vec<_>>()
        };
    }
    statement.push(include_str!("../sql/contained_write.sql"));
    statement.bind(column!(|(s, one)| contained_rid(s.change.rid, one.place))).push(", ");
    statement.bind(column!(|(s, _)| s.change.version as i32)).push(", ");
    statement.bind(column!(|(_, one)| one.key.resource_type.number())).push(", ");
    statement.bind(column!(|(_, one)| one.key.id.as_str())).push(", ");
    statement.bind(column!(|(_, one)| one.row.date.map(|date| date.0))).push(", ");
    statement.bind(column!(|(_, one)| one.row.date.map(|date| date.1))).push(", ");
    statement.bind(column!(|(_, one)| one.row.lead)).push(", ");
    statement.bind(column!(|(_, one)| array_literal(&one.row.keys))).push(", ");
    statement.bind(column!(|(_, one)| unkeyed(&one.row).map(|ids| array_literal(&ids))));
    statement.push(include_str!("../sql/contained_write_columns.sql")).push(gate).push(")");
}
