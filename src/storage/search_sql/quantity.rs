//! Conditions on quantities and numbers: in which units, among those of which main code, and on
//! points apart from ranges, so that the index bounds a search from both sides.

use super::condition::{Conditions, Leads};
use super::test_sql::{Columns, NUMBER_POINT, NUMBER_ROW, push_test};
use crate::search::value::prefix::Test;
use crate::search::value::quantity::QuantityTest;
use crate::search::{Clause, ParameterId, Predicate};
use crate::storage::statement::Statement;
use rust_decimal::Decimal;

/// So many units that looking into each costs more than looking at all rows.
const MANY_UNITS: usize = 1_000;

/// The tests of quantities that are alternatives; None where one is of something else.
pub fn quantity_tests<'a>(predicates: &[&'a Predicate]) -> Option<Vec<&'a QuantityTest>> {
    let test = |predicate: &&'a Predicate| match predicate {
        Predicate::Quantity { test, .. } => Some(test),
        _ => None,
    };
    predicates.iter().map(test).collect()
}

/// The parameter that alone a clause is about, where a resource has one value of it at most.
pub fn single_quantity(clause: &Clause) -> Option<ParameterId> {
    let of = |predicate: &Predicate| match predicate {
        Predicate::Quantity { parameter, is_single: true, .. } => Some(*parameter),
        _ => None,
    };
    let first = of(clause.alternatives.first()?)?;
    let is_alike = clause.alternatives.iter().all(|predicate| of(predicate) == Some(first));
    (is_alike && !clause.is_negated).then_some(first)
}

impl Conditions<'_> {
    /// Clauses about the one value of a parameter: a row that meets all of them.
    pub(super) fn push_single(&self, sql: &mut Statement, clauses: &[&Clause]) {
        let mut all = Vec::new();
        for clause in clauses {
            let predicates: Vec<&Predicate> = clause.alternatives.iter().collect();
            let mut tests = quantity_tests(&predicates).unwrap_or_default();
            // Nothing is stored in a unit that nobody ever wrote.
            tests.retain(|test| !self.unit_tests(single_quantity(clause), test).is_empty());
            all.push(tests);
        }
        let parameter = clauses.first().and_then(|clause| single_quantity(clause));
        match parameter.filter(|_| all.iter().all(|tests| !tests.is_empty())) {
            Some(parameter) => {
                sql.push("r.rid in (");
                self.push_quantities(sql, parameter, &all);
                sql.push(")");
            }
            None => drop(sql.push("false")),
        }
    }

    /// Rids of rows that meet one of the tests of each clause: points, and ranges.
    pub(super) fn push_quantities(
        &self,
        sql: &mut Statement,
        parameter: ParameterId,
        clauses: &[Vec<&QuantityTest>],
    ) {
        let arms = [
            (" and not (v.low < v.high)", NUMBER_POINT, ""),
            (" and v.low < v.high", NUMBER_ROW, " union all "),
        ];
        for (kind, bounds, separator) in arms {
            sql.push(separator).push("select v.rid from quantity_value v where v.parameter = ");
            sql.bind(parameter.0);
            self.push_leads(sql, parameter);
            sql.push(kind);
            for tests in clauses {
                sql.push(" and (");
                for (index, test) in tests.iter().enumerate() {
                    sql.push(if index > 0 { " or " } else { "" });
                    self.push_quantity(sql, (Some(parameter), "v.unit", bounds), test);
                }
                sql.push(")");
            }
        }
    }

    /// The leads among whose quantities the index looks: that of the row, those of the rows that
    /// it is one of, or each that there is.
    fn push_leads(&self, sql: &mut Statement, parameter: ParameterId) {
        match self.leads {
            Leads::These([lead]) => drop(sql.push(" and v.lead = ").bind(*lead)),
            Leads::These(leads) => {
                sql.push(" and v.lead = any(").bind(leads.to_vec()).push(")");
            }
            Leads::OfFurther(leads) => {
                sql.push(" and v.lead = any(array(select distinct coalesce(h.lead, 0) from ");
                sql.push("lead_value f join resource h on h.rid = f.rid where f.lead = any(");
                sql.bind(leads.to_vec()).push(")))");
            }
            Leads::Any => {
                sql.push(" and v.lead = any(array(select quantity_leads(").bind(parameter.0);
                sql.push(")))");
            }
        }
    }

    /// The conditions on numbers, each with the units that it is about: 0 stands for the rows
    /// without one, no units for all rows. Of a parameter these are the units that rows of the
    /// leading codes have.
    pub(super) fn unit_tests(
        &self,
        parameter: Option<ParameterId>,
        test: &QuantityTest,
    ) -> Vec<(Vec<i64>, Test<Decimal>)> {
        let led = parameter.filter(|_| matches!(self.leads, Leads::These(_)));
        let led = led.and_then(|parameter| self.found.led_units.get(&parameter));
        let is_led = |id: i32| led.is_none_or(|units| units.contains(&id));
        let units: Vec<_> = self.found.units.iter().filter(|(id, _)| is_led(*id)).collect();
        if let Some(test) = test.without_unit() {
            let all = units.iter().map(|(id, _)| i64::from(*id)).chain([0]).collect();
            return vec![(if units.len() > MANY_UNITS { Vec::new() } else { all }, test)];
        }
        let mut tests: Vec<(Vec<i64>, Test<Decimal>)> = Vec::new();
        for (id, unit) in units {
            let Some(test) = test.in_unit(Some(unit)) else { continue };
            match tests.iter_mut().find(|(_, known)| *known == test) {
                Some((ids, _)) => ids.push(i64::from(*id)),
                None => tests.push((vec![i64::from(*id)], test)),
            }
        }
        tests
    }

    /// A condition on the unit in this column and the bounds beside it.
    pub(super) fn push_quantity(
        &self,
        sql: &mut Statement,
        (parameter, column, bounds): (Option<ParameterId>, &'static str, Columns),
        test: &QuantityTest,
    ) {
        let tests = self.unit_tests(parameter, test);
        sql.push("(");
        for (index, (units, test)) in tests.iter().enumerate() {
            sql.push(if index > 0 { " or (" } else { "(" });
            match &units[..] {
                [] => {}
                [unit] => drop(sql.push(column).push(" = ").bind(*unit).push(" and ")),
                many => {
                    sql.push(column).push(" = any(").bind(many.to_vec()).push(") and ");
                }
            }
            push_test(sql, bounds, test);
            sql.push(")");
        }
        sql.push(if tests.is_empty() { "false)" } else { ")" });
    }
}
