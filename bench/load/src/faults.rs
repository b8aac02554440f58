//! What is wrong with a plan: tables read from end to end, whole types sorted or read.

use serde_json::Value;

/// Rows that a page may sort, or read of a table by one of its scans.
pub const MOST_ROWS: f64 = 20_000.0;

/// A line for each node of the plan that sorts too much or reads too much.
pub fn faults(plan: &Value) -> Vec<String> {
    let mut found = Vec::new();
    push(&mut found, plan);
    found
}

/// Pages of the database that the statement touched.
pub fn pages(plan: &Value) -> f64 {
    figure(plan, "Shared Hit Blocks") + figure(plan, "Shared Read Blocks")
}

fn push(found: &mut Vec<String>, node: &Value) {
    let kind = node["Node Type"].as_str().unwrap_or_default();
    let loops = figure(node, "Actual Loops");
    let below = node["Plans"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = match kind {
        "Sort" => below.first().map_or(0.0, passed),
        _ if kind.ends_with("Scan") && node["Relation Name"].is_string() => {
            let removed = ["Rows Removed by Filter", "Rows Removed by Index Recheck"];
            let removed: f64 = removed.iter().map(|name| figure(node, name)).sum();
            passed(node) + removed * loops
        }
        _ => 0.0,
    };
    if rows > MOST_ROWS {
        let name = |name: &str| node[name].as_str().unwrap_or_default().to_owned();
        let (index, table) = (name("Index Name"), name("Relation Name"));
        found.push(format!("{kind} {index} {table}: {rows:.0} rows"));
    }
    below.iter().for_each(|node| push(found, node));
}

fn passed(node: &Value) -> f64 {
    figure(node, "Actual Rows") * figure(node, "Actual Loops")
}

fn figure(node: &Value, name: &str) -> f64 {
    node[name].as_f64().unwrap_or_default()
}
