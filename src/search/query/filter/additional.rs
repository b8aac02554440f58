//! The additional parameters of the page, `name[child eq a].child eq b`:
//! <https://hl7.org/fhir/R4/search_filter.html#params>. Both values must be of one element, so
//! that only a composite parameter of R4 answers one. Many children are parameters of earlier
//! releases.

use super::super::criterion::Reader;
use super::super::link::Place;
use super::super::not_supported;
use super::grammar::{Comparison, Filter, Step};
use super::operator::{Asks, with_system};
use super::{NAME, Read};
use crate::search::plan::Clause;
use crate::search::registry::SearchParameter;

/// One row of the page's table.
struct Additional {
    of: &'static str,
    name: &'static str,
    /// Names of children, and the search parameters that they equate to.
    children: &'static [(&'static str, &'static str)],
}

const fn row(
    of: &'static str,
    name: &'static str,
    children: &'static [(&'static str, &'static str)],
) -> Additional {
    Additional { of, name, children }
}

const ADDITIONAL: [Additional; 6] = [
    row("Observation", "related", &[("target", "related-target"), ("type", "related-type")]),
    row("Group", "characteristic", &[("value", "value"), ("code", "characteristic")]),
    row("DocumentReference", "relatesTo", &[("code", "relation"), ("target", "relatesto")]),
    row("ServiceRequest", "event", &[("status", "event-status"), ("date", "event-date")]),
    row(
        "ServiceRequest",
        "item",
        &[
            ("status", "item-status"),
            ("code", "item-code"),
            ("site", "bodysite"),
            ("event", "item-event"),
        ],
    ),
    row(
        "ServiceRequest",
        "item-event",
        &[("status", "item-past-status"), ("date", "item-date"), ("actor", "actor")],
    ),
];

impl Place<'_> {
    /// The clause of an additional parameter; None where the name is none of the types here.
    pub fn additional(
        &self,
        (name, filter): (&str, &Filter),
        rest: &[Step],
        comparison: &Comparison,
    ) -> Read<Option<Clause>> {
        let [kind] = self.types else { return Ok(None) };
        let is_it = |row: &&Additional| row.of == kind.name() && row.name == name;
        let Some(row) = ADDITIONAL.iter().find(is_it) else { return Ok(None) };
        let Some((inner, step)) = pair(filter, rest, comparison) else {
            let text = format!("{name} is offered as {name}[child eq value].child eq value");
            return Err(not_supported(NAME, text));
        };
        let (first, second) = (self.child(row, &inner.first)?, self.child(row, step)?);
        let parts = |parameter: &&SearchParameter| -> Option<[&str; 2]> {
            let [one, other] = &parameter.components[..] else { return None };
            parameter.is_offered().then_some([one.code, other.code])
        };
        let (left, right) = (with_system(&inner.value, 0), with_system(&comparison.value, 0));
        let mut known = self.planner.registry.parameters_of(*kind);
        let found = known.find_map(|parameter| match parts(&parameter)? {
            codes if codes == [first, second] => Some((parameter, (&left, &right))),
            codes if codes == [second, first] => Some((parameter, (&right, &left))),
            _ => None,
        });
        let Some((parameter, (left, right))) = found else {
            let text = format!("R4 gives no way to search by {first} and {second} of one element");
            return Err(not_supported(NAME, text));
        };
        let (planner, types, name) = (self.planner, self.types, self.whole);
        let reader = Reader { planner, types, parameter, name };
        reader.pair(left, right).map(|found| Some(Clause::any(found)))
    }

    /// The search parameter that a child equates to.
    fn child(&self, row: &Additional, step: &Step) -> Read<&'static str> {
        let child = row.children.iter().find(|(child, _)| *child == step.name);
        child.map(|(_, parameter)| *parameter).ok_or_else(|| {
            let children: Vec<&str> = row.children.iter().map(|(child, _)| *child).collect();
            let text = format!("{} has the children {}", row.name, children.join(", "));
            not_supported(NAME, text)
        })
    }
}

/// The comparison within the brackets and the one step behind them, where both ask for equality.
fn pair<'f>(
    filter: &'f Filter,
    rest: &'f [Step],
    comparison: &Comparison,
) -> Option<(&'f Comparison, &'f Step)> {
    let Filter::Comparison(inner) = filter else { return None };
    let [step] = rest else { return None };
    let is_equal = inner.operator.asks == Asks::Equal && comparison.operator.asks == Asks::Equal;
    let is_plain = inner.rest.is_empty() && inner.first.filter.is_none();
    (is_equal && is_plain && !inner.value.is_empty() && !comparison.value.is_empty())
        .then_some((inner, step))
}
