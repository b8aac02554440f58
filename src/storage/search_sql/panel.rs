//! Searches by those who see the rows of the patients in their care, and no others. Where these
//! are few, the rows are read patient by patient: an index in the order of dates would lead over
//! all that is hidden. Both ways are in the statement, and the number of patients decides at once
//! which of them is gone; what comes of it is the same.

use super::contained::Source;
use super::order::Order;
use super::shape::{Branch, Driver, Query};
use crate::storage::statement::Statement;

/// Past this many links of a practitioner the rows of all are read in order: a page is full before
/// all patients were looked at.
const PAST_FEW: &str = " offset 2000)";

impl Query<'_> {
    /// The practitioner whose patients lead, where nothing selects better.
    pub(super) fn panel(&self, driver: &Driver, source: Source) -> Option<i64> {
        let is_wide = match driver {
            Driver::Lead(leading) => leading.leads().len() == 1,
            Driver::Dated => true,
            _ => false,
        };
        let is_led = is_wide && source == Source::Resources && self.plan.contained.is_none();
        let practitioner = self.filter.panel_of(&self.plan.types).filter(|_| is_led)?;
        let is_joined = Order::of(&self.sorting_of(driver)).is_joined();
        (!is_joined).then_some(practitioner)
    }

    /// The branches with those of the patients in care.
    pub(super) fn with_panel(
        &self,
        mut branches: Vec<Branch>,
        (driver, source): (&Driver, Source),
    ) -> Vec<Branch> {
        if self.panel(driver, source).is_some() {
            branches.extend([Branch::OfPanel, Branch::Shared]);
        }
        branches
    }

    /// The rows `r` of each of the patients, by the index that leads with the patient. Whatever
    /// the planner thinks of their number.
    pub(super) fn push_panel_from(&self, sql: &mut Statement, driver: &Driver) {
        sql.push(" from (select distinct c.patient from care_link c");
        self.push_care_of(sql, driver);
        sql.push(" and c.valid_from <= now() and c.valid_to > now()) p cross join lateral (");
        sql.push("select * from resource r where r.patient = p.patient");
        for kind in &self.plan.types {
            sql.push(" and r.type = ").push_number(kind.number());
        }
        if let Driver::Lead(leading) = driver {
            sql.push(" and ");
            super::condition::push_lead(sql, leading.leads());
        }
        sql.push(" offset 0) r");
    }

    /// The condition under which a branch is there at all, with `and` before it.
    pub(super) fn push_panel_size(&self, sql: &mut Statement, driver: &Driver, branch: Branch) {
        let is_of_few = match branch {
            Branch::OfPanel | Branch::Shared => true,
            Branch::Led(..) | Branch::Whole(_) => false,
            Branch::Further(_) | Branch::Held | Branch::HeldByFew => return,
        };
        if self.panel(driver, Source::Resources).is_some() {
            sql.push(if is_of_few { " and not " } else { " and " });
            sql.push("exists (select from care_link c");
            self.push_care_of(sql, driver);
            sql.push(PAST_FEW);
        }
    }

    fn push_care_of(&self, sql: &mut Statement, driver: &Driver) {
        let practitioner = self.panel(driver, Source::Resources).unwrap_or_default();
        sql.push(" where c.practitioner = ").bind(practitioner);
    }
}
