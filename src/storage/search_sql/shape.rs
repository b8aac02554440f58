//! Which index leads: the branches of a statement.

mod panel;

use super::condition::{
    Conditions, Keys, Leads, push_any_further, push_further, push_held, push_lead, push_led,
    push_visible,
};
use super::contained::Source;
use super::order::{Order, Part};
use super::quantity::single_quantity;
use super::span::{Span, spans};
use super::test_sql::{FURTHER_DATE, MAIN_DATE};
use crate::access::{Permit, RowFilter};
use crate::fhir::definitions::ResourceType;
use crate::search::{Clause, Found, ParameterId, Plan, Predicate, SortKey, Sorting};
use crate::storage::statement::Statement;

/// A plan with the ids that it needs and the filter that it must carry.
pub struct Query<'a> {
    pub plan: &'a Plan,
    pub found: &'a Found,
    pub filter: &'a RowFilter,
    /// Of what goes with matches.
    pub included: &'a RowFilter,
}

/// What selects the rows of a statement.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Driver {
    /// Rows of these patients: the clause of that index.
    Patients(usize, Vec<i64>),
    /// Rows of these patients that one coding leads, or that hold it elsewhere.
    Coded(usize, Vec<i64>, Leading),
    /// Rows that one of these codings leads, or that hold it elsewhere.
    Lead(Leading),
    /// A condition that is rare by nature; keys are fenced.
    Rare,
    /// Rows that refer to something: the clause of that; other keys are fenced.
    References(usize),
    /// Rows of a type by their main date.
    Dated,
    /// Whatever the planner takes.
    Any,
}

/// The clause that leads, and its keys as leads and among the keys of a row.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Leading {
    clause: usize,
    leads: Vec<i64>,
    keys: Vec<i64>,
}

impl Leading {
    fn of_branch(&self, at: Option<usize>) -> &[i64] {
        match at {
            Some(at) => &self.leads[at..=at],
            None => &self.leads,
        }
    }
}

/// One part of a union.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Branch {
    Whole(Span),
    /// Rows that one of the keys leads: that one, or any.
    Led(Option<usize>, Span),
    /// Rows that have the one key further on, by the index of those.
    Further(Span),
    /// Rows that have one of several keys further on.
    Held,
    /// The same among the few rows that another condition finds.
    HeldByFew,
    /// Rows of the patients in the caller's care.
    OfPanel,
    /// Rows of several patients, which no patient leads.
    Shared,
}

impl Branch {
    pub(super) fn push_from(self, sql: &mut Statement, source: Source) {
        sql.push(match self {
            // From those rows to the resources, and never the other way: in their order.
            Branch::Further(_) => {
                " from lead_value f cross join lateral \
                 (select * from resource r where r.rid = f.rid offset 0) r"
            }
            _ => source.from(),
        });
    }
}

/// Leads that have a branch each, which the index has in order.
const LED_BRANCHES: usize = 8;

/// One part of the union of a page.
enum Piece {
    Rows(Source, Branch, Part),
    Containers,
}

impl<'a> Query<'a> {
    /// The query that the permit lets through.
    pub fn of(plan: &'a Plan, found: &'a Found, permit: &'a Permit) -> Query<'a> {
        Query { plan, found, filter: permit.filter(), included: permit.included() }
    }
}

impl Query<'_> {
    /// The types that rows of a page are of; none for any. A resource of whatever type may
    /// contain a match.
    pub fn rows_of(&self) -> &[ResourceType] {
        match self.plan.contained {
            Some(_) => &[],
            None => &self.plan.types,
        }
    }

    /// Rows of a page in its order (backward from a cursor: in the reverse), with sort
    /// values.
    pub fn page(&self, limit: i64) -> Statement {
        let mut sql = Statement::default();
        self.push_page(&mut sql, limit);
        sql
    }

    /// The same as a statement that can be gathered with others.
    pub fn page_apart(&self, limit: i64) -> Statement {
        let mut sql = Statement::apart();
        self.push_page(&mut sql, limit);
        sql
    }

    pub(super) fn push_page(&self, sql: &mut Statement, limit: i64) {
        let driver = self.driver();
        let sorting = self.sorting_of(&driver);
        let (order, further) = (Order::of(&sorting), Order::of_further(&sorting));
        let cursor = self.plan.after.as_ref();
        let is_backward = cursor.is_some_and(|cursor| cursor.is_backward);
        let pieces = self.pieces((&driver, &sorting), &order);
        let is_union = pieces.len() > 1 || self.plan.shows_containers();
        // Beside the rows, whose order it leaves alone and whose scans may be parallel.
        sql.push("select *, ");
        self.push_horizon(sql);
        sql.push(" from (");
        for (index, piece) in pieces.iter().enumerate() {
            sql.push(if index > 0 { " union all " } else { "" });
            sql.push(if is_union { "(" } else { "" });
            let Piece::Rows(source, branch, part) = *piece else {
                self.push_containers(sql, (&driver, &order), limit);
                sql.push(")");
                continue;
            };
            let order = if matches!(branch, Branch::Further(_)) { &further } else { &order };
            sql.push("select ").push(source.columns());
            order.push_values(sql);
            self.push_from(sql, &driver, (source, branch));
            order.push_joins(sql);
            self.push_where(sql, &driver, (source, branch));
            order.push_part(sql, cursor, part);
            order.push_inner(sql, is_backward, part);
            sql.push_limit(limit);
            sql.push(if is_union { ")" } else { "" });
        }
        sql.push(") u");
        if is_union {
            order.push_outer(sql, is_backward);
            sql.push_limit(limit);
        }
    }

    /// The parts that a page is read in.
    fn pieces(&self, (driver, sorting): (&Driver, &Sorting), order: &Order) -> Vec<Piece> {
        let cursor = self.plan.after.as_ref();
        let mut pieces = Vec::new();
        for source in self.sources() {
            for branch in self.branches(driver, order, source) {
                let is_ordered = source == Source::Resources
                    && !order.is_joined()
                    && self.is_by_date(driver, (branch, sorting));
                let parts = if is_ordered { order.parts(cursor) } else { &[Part::All] };
                pieces.extend(parts.iter().map(|part| Piece::Rows(source, branch, *part)));
            }
        }
        pieces.extend(self.plan.shows_containers().then_some(Piece::Containers));
        pieces
    }

    /// The planner's plans of what a page may make the database sort whole, where no condition
    /// selects few rows by nature: all matches in an order of several keys, and contained ones
    /// whose containers are shown.
    pub fn page_plans(&self, limit: i64) -> Vec<Statement> {
        let driver = self.driver();
        let is_few = matches!(driver, Driver::Patients(..) | Driver::Coded(..) | Driver::Rare);
        let mut plans = Vec::new();
        if !is_few && self.plan.sort.len() > 1 {
            let mut sql = Statement::new("explain (format json) ");
            self.push_page(&mut sql, limit);
            plans.push(sql);
        }
        if !is_few && self.plan.shows_containers() {
            let mut sql = Statement::new("explain (format json) ");
            self.push_firsts(&mut sql, (&driver, &Order::of(&self.sorting_of(&driver))));
            plans.push(sql);
        }
        plans
    }

    /// The exact number of matches.
    pub fn count(&self) -> Statement {
        let mut sql = Statement::new("select count(*) from (");
        self.push_rows(&mut sql, "select 1");
        sql.push(") u");
        sql
    }

    /// The number of matches, and not more than so many.
    pub fn count_up_to(&self, most: i64) -> Statement {
        let mut sql = Statement::new("select count(*) from (");
        self.push_rows(&mut sql, "select 1");
        sql.push_limit(most).push(") u");
        sql
    }

    /// The planner's plan of all matches, whose root tells how many it expects.
    pub fn estimate(&self) -> Statement {
        let mut sql = Statement::new("explain (format json) ");
        self.push_rows(&mut sql, "select r.rid");
        sql
    }

    /// Keys and versions of the first matches, in order of rid; contained ones are none.
    pub fn matching(&self, limit: i64) -> Statement {
        let mut sql = Statement::new("select * from (");
        self.push_rows(&mut sql, "select r.rid, r.type, r.id, r.version");
        sql.push(") u order by rid").push_limit(limit);
        sql
    }

    /// The parameters of quantities that rows of the leading codes are searched by, and the keys
    /// of those codes as leads.
    pub fn led_quantities(&self) -> (Vec<i16>, Vec<i64>) {
        let Driver::Lead(leading) = self.driver() else { return (Vec::new(), Vec::new()) };
        let predicates = self.plan.clauses.iter().flat_map(|clause| &clause.alternatives);
        let of = |predicate: &Predicate| match predicate {
            Predicate::Quantity { parameter, .. } => Some(parameter.0),
            _ => None,
        };
        let mut parameters: Vec<i16> = predicates.filter_map(of).collect();
        parameters.sort_unstable();
        parameters.dedup();
        (parameters, leading.leads)
    }

    fn push_rows(&self, sql: &mut Statement, select: &'static str) {
        let driver = self.driver();
        let order = Order::of_rows();
        let mut separator = "";
        for source in self.sources() {
            for branch in self.branches(&driver, &order, source) {
                sql.push(separator).push(select);
                self.push_from(sql, &driver, (source, branch));
                self.push_where(sql, &driver, (source, branch));
                separator = " union all ";
            }
        }
        if self.plan.shows_containers() {
            sql.push(separator);
            self.push_all_containers(sql, &driver);
        }
    }

    fn driver(&self) -> Driver {
        let clauses = || self.plan.clauses.iter().enumerate().filter(|(_, one)| !one.is_negated);
        let patients = clauses().find_map(|(at, clause)| Some((at, self.patients(clause)?)));
        if let Some((at, patients)) = patients {
            let leading = clauses().find_map(|(at, clause)| self.leading(at, clause));
            return match leading.filter(|leading| leading.leads.len() == 1) {
                Some(leading) => Driver::Coded(at, patients, leading),
                None => Driver::Patients(at, patients),
            };
        }
        let is_rare = |clause: &Clause| {
            clause.alternatives.iter().all(|predicate| match predicate {
                Predicate::Id(_) | Predicate::Identifier { .. } => true,
                // What a list holds.
                Predicate::Has(link) => link.except.is_some(),
                _ => false,
            })
        };
        if clauses().any(|(_, clause)| is_rare(clause)) {
            return Driver::Rare;
        }
        let refers = |clause: &Clause| {
            let is = |predicate: &Predicate| matches!(predicate, Predicate::Reference { .. });
            clause.alternatives.iter().all(is)
        };
        if let Some((at, _)) = clauses().find(|(_, clause)| refers(clause)) {
            return Driver::References(at);
        }
        let leading = clauses().find_map(|(at, clause)| self.leading(at, clause));
        let is_dated = self.plan.types.len() == 1 && spans(&self.plan.clauses) != [Span::All];
        let other = if is_dated { Driver::Dated } else { Driver::Any };
        leading.map_or(other, Driver::Lead)
    }

    /// What selects the rows, in words.
    pub fn shape(&self) -> &'static str {
        match self.driver() {
            Driver::Patients(..) | Driver::Coded(..) => "the rows of patients, by their own index",
            Driver::Lead(..) => "the rows of a main code, by their own index",
            Driver::Rare => "a condition that few rows meet",
            Driver::References(_) => "the rows that refer to something, by the index of keys",
            Driver::Dated => "the rows of a type, by the index of their main dates",
            Driver::Any => "any condition, as the planner of the database takes it",
        }
    }

    fn patients(&self, clause: &Clause) -> Option<Vec<i64>> {
        let mut patients = Vec::new();
        for predicate in &clause.alternatives {
            match predicate {
                Predicate::Reference { targets, is_subject: true, .. } => {
                    patients.extend(self.found.rids(targets));
                }
                _ => return None,
            }
        }
        Some(patients)
    }

    fn leading(&self, at: usize, clause: &Clause) -> Option<Leading> {
        let (leads, keys) = self.found.leading(clause)?;
        Some(Leading { clause: at, leads, keys })
    }

    /// The plan's order; where the client gave none, newest first by the date that the driver's
    /// index holds.
    pub fn sorting(&self) -> Sorting {
        self.sorting_of(&self.driver())
    }

    pub(super) fn sorting_of(&self, driver: &Driver) -> Sorting {
        if !self.plan.sort.is_empty() {
            return Sorting::by(self.plan.sort.clone());
        }
        match driver {
            Driver::Lead(..) | Driver::Patients(..) | Driver::Coded(..) | Driver::Dated => {
                Sorting::descending(SortKey::MainDate)
            }
            _ if self.plan.types.len() == 1 => Sorting::descending(SortKey::LastUpdated),
            _ => Sorting::of_rows(true),
        }
    }

    /// The patients whose rows alone match.
    pub(super) fn driving_patients(&self) -> Option<Vec<i64>> {
        match self.driver() {
            Driver::Patients(_, patients) | Driver::Coded(_, patients, _) => Some(patients),
            _ => None,
        }
    }

    fn push_from(&self, sql: &mut Statement, driver: &Driver, of: (Source, Branch)) {
        match of {
            (_, Branch::OfPanel) => self.push_panel_from(sql, driver),
            (source, branch) => branch.push_from(sql, source),
        }
    }

    pub(super) fn branches(&self, driver: &Driver, order: &Order, source: Source) -> Vec<Branch> {
        self.with_panel(self.own_branches(driver, order, source), (driver, source))
    }

    fn own_branches(&self, driver: &Driver, order: &Order, source: Source) -> Vec<Branch> {
        let spans = || match source {
            Source::Resources => spans(&self.plan.clauses),
            // Their dates have no index.
            Source::Contained => vec![Span::All],
        };
        match driver {
            Driver::Lead(leading) if !order.is_joined() => {
                let leads: Vec<Option<usize>> = match leading.leads.len() {
                    1..=LED_BRANCHES => (0..leading.leads.len()).map(Some).collect(),
                    _ => vec![None],
                };
                let spans = spans();
                let of = |lead: &Option<usize>| {
                    let lead = *lead;
                    spans.iter().map(move |span| Branch::Led(lead, *span)).collect::<Vec<_>>()
                };
                let further = match leading.leads.len() {
                    _ if source == Source::Contained => vec![Branch::Held],
                    _ if self.has_few_subjects() => vec![Branch::HeldByFew],
                    1 => spans.iter().copied().map(Branch::Further).collect(),
                    _ => vec![Branch::Held],
                };
                leads.iter().flat_map(of).chain(further).collect()
            }
            Driver::Coded(..) if !order.is_joined() => {
                let held = match source {
                    Source::Resources => Branch::HeldByFew,
                    Source::Contained => Branch::Held,
                };
                vec![Branch::Led(Some(0), Span::All), held]
            }
            Driver::Dated if !order.is_joined() => spans().into_iter().map(Branch::Whole).collect(),
            _ => vec![Branch::Whole(Span::All)],
        }
    }

    /// An index has the rows of the branch in the order of their main date. Those of a whole type
    /// are read by it from its beginning, without parts, where the newest come first: of a type
    /// many may have no date, and all of these would be looked at for each page.
    fn is_by_date(&self, driver: &Driver, (branch, sorting): (Branch, &Sorting)) -> bool {
        let is_of_row = |predicate: &Predicate| match predicate {
            Predicate::Token { .. }
            | Predicate::Concept { .. }
            | Predicate::LastUpdated(_)
            | Predicate::Missing { .. } => true,
            Predicate::Date { main, has_rows, .. } => !has_rows && !main.is_empty(),
            _ => false,
        };
        match branch {
            Branch::Led(..) | Branch::Further(_) => true,
            Branch::Whole(Span::Narrow(_) | Span::Wide) => true,
            Branch::Whole(Span::All) => {
                let is_up = sorting.keys.first().is_some_and(|first| !first.is_descending);
                let mut predicates = self.plan.clauses.iter().flat_map(|c| &c.alternatives);
                let is_of_type = matches!(driver, Driver::Any | Driver::Dated);
                let is_of_type = is_of_type && self.plan.types.len() == 1;
                is_up && is_of_type && predicates.all(is_of_row)
            }
            Branch::Held | Branch::HeldByFew | Branch::OfPanel | Branch::Shared => false,
        }
    }

    /// A chain asks for the rows of few patients.
    fn has_few_subjects(&self) -> bool {
        let is_few = |clause: &Clause| match &clause.alternatives[..] {
            [Predicate::Chain(link)] => !clause.is_negated && link.is_settled(),
            _ => false,
        };
        self.plan.clauses.iter().any(is_few)
    }

    pub(super) fn push_where(
        &self,
        sql: &mut Statement,
        driver: &Driver,
        (source, branch): (Source, Branch),
    ) {
        let taken = self.push_driver(sql, driver, (source, branch));
        if source == Source::Resources {
            self.push_panel_size(sql, driver, branch);
        }
        self.push_unchanged(sql);
        let (dates, rid) = match branch {
            Branch::Further(_) => (FURTHER_DATE, "f.rid"),
            _ => (MAIN_DATE, "r.rid"),
        };
        if let Branch::Led(_, span) | Branch::Whole(span) | Branch::Further(span) = branch {
            span.push(sql, (dates, rid));
        }
        let leads = match (driver, branch) {
            (Driver::Lead(leading) | Driver::Coded(_, _, leading), Branch::Led(at, _)) => {
                Leads::These(leading.of_branch(at))
            }
            (Driver::Lead(leading), Branch::OfPanel | Branch::Shared) => {
                Leads::These(&leading.leads)
            }
            (
                Driver::Lead(leading) | Driver::Coded(_, _, leading),
                Branch::Held | Branch::HeldByFew | Branch::Further(_),
            ) if source == Source::Resources => Leads::OfFurther(&leading.leads),
            _ => Leads::Any,
        };
        let mut singles: Vec<ParameterId> = Vec::new();
        for (at, clause) in self.plan.clauses.iter().enumerate() {
            let is_of_patient =
                matches!(driver, Driver::Patients(by, _) | Driver::Coded(by, ..) if *by == at);
            let is_by_patient = is_of_patient && source == Source::Resources;
            if Some(at) != taken && !is_by_patient {
                let keys = match driver {
                    Driver::References(leading) if *leading == at => Keys::Indexed,
                    Driver::Lead(leading) if leading.clause == at => Keys::Indexed,
                    Driver::Any => Keys::Indexed,
                    _ if is_of_patient => Keys::Indexed,
                    _ => Keys::Fenced,
                };
                sql.push(" and ");
                let Query { plan, found, filter, .. } = *self;
                let types = &plan.types;
                let among = &[];
                let conditions =
                    Conditions { found, source, keys, types, leads, filter, dates, among };
                let Some(single) = single_quantity(clause) else {
                    conditions.push_clause(sql, clause);
                    continue;
                };
                if singles.contains(&single) {
                    sql.push("true");
                    continue;
                }
                singles.push(single);
                let is_alike = |clause: &&Clause| single_quantity(clause) == Some(single);
                let alike: Vec<&Clause> = plan.clauses.iter().filter(is_alike).collect();
                conditions.push_single(sql, &alike);
            }
        }
    }

    /// Rows that are visible and meet the driver's own condition; the clause that it stands for.
    fn push_driver(
        &self,
        sql: &mut Statement,
        driver: &Driver,
        (source, branch): (Source, Branch),
    ) -> Option<usize> {
        if let (Driver::Lead(leading), Branch::Led(at, _)) = (driver, branch) {
            push_led(sql, (source, leading.of_branch(at)), self.filter);
            return Some(leading.clause);
        }
        if let (Driver::Lead(leading), Branch::Further(_)) = (driver, branch) {
            push_further(sql, &leading.leads, self.filter);
            return Some(leading.clause);
        }
        if matches!(branch, Branch::OfPanel | Branch::Shared) {
            return self.push_panel_rows(sql, driver, branch);
        }
        push_visible(sql, (source, &self.plan.types), self.filter);
        if let (Driver::Patients(_, patients) | Driver::Coded(_, patients, _), Source::Resources) =
            (driver, source)
        {
            match &patients[..] {
                [patient] => sql.push(" and r.patient = ").bind(*patient),
                many => sql.push(" and r.patient = any(").bind(many.to_vec()).push(")"),
            };
        }
        match (driver, branch) {
            (Driver::Coded(_, _, leading), Branch::Led(..)) => {
                sql.push(" and ");
                push_lead(sql, &leading.leads);
                Some(leading.clause)
            }
            // None is looked at where nothing has the coding further on.
            (Driver::Lead(leading) | Driver::Coded(_, _, leading), Branch::HeldByFew) => {
                sql.push(" and ");
                push_any_further(sql, &leading.leads);
                sql.push(" and (r.keys && ").bind(leading.keys.clone()).push(") is true");
                if leading.leads.len() > 1 {
                    sql.push(" and (");
                    push_lead(sql, &leading.leads);
                    sql.push(") is not true");
                }
                Some(leading.clause)
            }
            (Driver::Lead(leading) | Driver::Coded(_, _, leading), Branch::Held) => {
                sql.push(" and ");
                push_held(sql, source, (&leading.leads, &leading.keys));
                sql.push(" and (");
                push_lead(sql, &leading.leads);
                sql.push(") is not true");
                Some(leading.clause)
            }
            // Contained resources hold their patients among their keys.
            (Driver::Patients(at, _) | Driver::Coded(at, ..), _) => {
                (source == Source::Resources).then_some(*at)
            }
            _ => None,
        }
    }
}
