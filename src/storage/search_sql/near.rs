//! Places: what is near one, and how near. A row has the three coordinates of its point; see
//! `search/value/position.rs`.

use crate::search::value::position::{NearTest, Point};
use crate::storage::statement::Statement;

/// Appends the condition on a row `v`. Its first part is one that the index bounds.
pub fn push_near(sql: &mut Statement, test: &NearTest) {
    let (least, greatest) = test.bounds;
    sql.push("(v.first >= ").bind(least).push(" and v.first <= ").bind(greatest).push(" and ");
    push_square(sql, test.from);
    sql.push(" <= ").bind(test.most).push(")");
}

/// The least distance of a row `v` from these places, and the rows: those near one of them.
pub fn push_distances(sql: &mut Statement, tests: &[NearTest]) {
    for (index, test) in tests.iter().enumerate() {
        sql.push(if index > 0 { ", " } else { "least(" });
        push_square(sql, test.from);
    }
    sql.push(")) as value from composite_value v where ");
    for (index, test) in tests.iter().enumerate() {
        sql.push(if index > 0 { " or " } else { "(" });
        push_near(sql, test);
    }
    sql.push(") and ");
}

/// [`Point::square_to`] of a row `v`, in numbers that cannot overflow.
fn push_square(sql: &mut Statement, from: Point) {
    let coordinates = [
        ("(v.first - ", ")::numeric * (v.first - ", from.north),
        (" + (v.low - ", ") * (v.low - ", from.greenwich),
        (" + (v.high - ", ") * (v.high - ", from.east),
    ];
    sql.push("(");
    for (first, second, coordinate) in coordinates {
        sql.push(first).bind(coordinate).push(second).bind(coordinate).push(")");
    }
    sql.push(")");
}
