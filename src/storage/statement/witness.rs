//! The rows of a statement with what the second check asks of each (AZ-15). It is text around the
//! statement, and looks into tables by the key of a row alone: what goes wrong in the conditions
//! of the statement does not go wrong here.

use super::{Statement, Values};
use crate::access::RowFilter;
use crate::access::witness::{Questions, Witness};
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::search::ATTACHED;
use crate::storage::store::{Store, Stored};
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use std::sync::atomic::Ordering;

/// A row, and what more of it may be looked at: versions before.
#[derive(Clone, Copy)]
struct Looked {
    row: &'static str,
    subjects: &'static str,
}

/// The resource of a row, with the version that was found where that is another one.
const RESOURCE: Looked = Looked { row: "c", subjects: "c.subject_rids || o.subject_rids" };
/// A row of `resource` with its own columns.
const ITSELF: Looked = Looked { row: "s", subjects: "s.subject_rids" };
/// What it refers to.
const TARGET: Looked = Looked { row: "e", subjects: "e.subject_rids" };

impl Statement {
    /// The same rows in the same order, which have columns `rid` and `version`, with a column
    /// `witness` for rows of these types (of any where none is named) under these filters. The
    /// statement as it is where they let everything be seen.
    pub fn witnessed(mut self, filters: &[(&RowFilter, &[ResourceType])]) -> Statement {
        if filters.iter().all(|(filter, _)| filter.is_all()) {
            return self;
        }
        let questions = Questions::of(filters);
        self.begin("select s.*, w.witness from (");
        // Each row is looked up by itself: a join that keeps the order.
        self.push(") s left join lateral (select json_build_object(");
        self.push_facts(RESOURCE, &questions);
        self.push(include_str!("../sql/witness_before.sql"));
        self.push_references(RESOURCE.row, &questions);
        self.push(include_str!("../sql/witness_from.sql"));
        self
    }

    /// The same for a row of `resource` as it is now, which was read with its columns: nothing of
    /// it is looked up again. What begins the statement names the columns that are wanted.
    pub fn witnessed_itself(
        mut self,
        begin: &'static str,
        filters: &[(&RowFilter, &[ResourceType])],
    ) -> Statement {
        let questions = Questions::of(filters);
        self.begin(begin);
        self.push(") s cross join lateral (select json_build_object(");
        self.push_facts(ITSELF, &questions).push_references(ITSELF.row, &questions);
        self.push(") as witness) w");
        self
    }

    /// What the row refers to, where that is asked.
    fn push_references(&mut self, row: &'static str, questions: &Questions) {
        if questions.references.is_empty() {
            return;
        }
        self.push(", 'referred', coalesce((select jsonb_agg(jsonb_build_object('parameter', ");
        self.push("k.key >> 48, 'target', case when e.rid is not null then ");
        self.push("jsonb_build_object(").push_facts(TARGET, questions).push(" ) end)) ");
        self.push("from unnest(").push(row).push(".keys) as k(key) left join resource e ");
        self.push("on e.rid = (k.key & 281474976710655) and not e.deleted ");
        self.push("where k.key >> 48 = any(").bind(questions.references.clone());
        self.push(")), '[]')");
        if questions.asks_attached {
            self.push_holders(row, questions);
        }
    }

    /// What content is attached to, beside what it refers to.
    fn push_holders(&mut self, row: &'static str, questions: &Questions) {
        self.push(" || coalesce((select jsonb_agg(jsonb_build_object('parameter', ");
        self.push_number(ATTACHED.0).push(", 'target', jsonb_build_object(");
        self.push_facts(TARGET, questions).push("))) from resource e where not e.deleted ");
        self.push("and e.keys && array[").push_number(ATTACHED.0);
        self.push("::bigint << 48 | ").push(row).push(".rid]), '[]')");
    }

    /// Puts text before all that is there.
    fn begin(&mut self, text: &'static str) {
        self.text.insert_str(0, text);
        if let Values::Apart(apart) = &mut self.values {
            apart.move_by(text.len());
        }
    }

    /// Names and values of an object of JSON, see [`crate::access::witness::Facts`].
    fn push_facts(&mut self, looked: Looked, questions: &Questions) -> &mut Self {
        let Looked { row, subjects } = looked;
        self.push("'rid', ").push(row).push(".rid, 'kind', ").push(row).push(".type, 'owner', ");
        self.push(row).push(".owner, 'author', ").push(row).push(".author, 'subjects', ");
        self.push(row).push(".subject_rids");
        if !questions.practitioners.is_empty() {
            self.push(", 'in_care', array(select l.patient from care_link l where ");
            self.push("l.practitioner = any(").bind(questions.practitioners.clone());
            self.push(") and l.patient = any(").push(subjects).push(LIVE);
        }
        if !questions.organizations.is_empty() {
            self.push(", 'registered', array(select l.patient from facility_link l where ");
            self.push("l.organization = any(").bind(questions.organizations.clone());
            self.push(") and l.patient = any(").push(subjects).push(LIVE);
        }
        if questions.asks_released {
            self.push(", 'released', array(select l.jurisdiction from release_link l where ");
            self.push("l.rid = ").push(row).push(".rid)");
        }
        if !questions.listings.is_empty() {
            self.push(", 'listed', array(select json_build_array(k.key >> 48, t.code) ");
            self.push("from unnest(").push(row).push(".keys) as k(key) join token t ");
            self.push("on t.token = (k.key & 281474976710655) where t.system = '' ");
            self.push("and k.key >> 48 = any(").bind(questions.listings.clone()).push("))");
        }
        self
    }
}

/// The end of a list of links.
const LIVE: &str = ") and l.valid_from <= now() and now() < l.valid_to)";

impl Store {
    /// Holds a row of a statement that was [`Statement::witnessed`] against the filter once more.
    /// 500 where that does not let it be seen: nobody gets it, and the log and the metric
    /// `authz_divergence` tell of it.
    pub(in crate::storage) fn bear_out(
        &self,
        filter: &RowFilter,
        row: &PgRow,
        stored: &Stored,
    ) -> Result<()> {
        if filter.is_all() {
            return Ok(());
        }
        let witness: Option<Json<Witness>> = row.try_get("witness").map_err(FhirError::internal)?;
        if witness.is_some_and(|Json(witness)| filter.bears_out(&witness)) {
            return Ok(());
        }
        self.divergences.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("authz_divergence").increment(1);
        let (kind, id) = (stored.key.resource_type, stored.key.id.as_str());
        tracing::error!(
            resource.r#type = %kind,
            resource.id = id,
            version = stored.version,
            "authz_divergence: found, and not to be seen by the second check"
        );
        Err(FhirError::internal("authz_divergence"))
    }

    /// How many rows were found that the second check did not let be seen: 0, or a bug.
    pub fn divergences(&self) -> u64 {
        self.divergences.load(Ordering::Relaxed)
    }
}
