//! Access links as part of the statement that writes their source: the rows of a source go and
//! come together, and a care link counts only where its writer may grant it (SECURITY.md 2.2,
//! C1 to C3; docs/decisions/0018-links.md). A resource that makes none, before and after, has no
//! part in it.

use super::Staged;
use super::change::Change;
use super::index_rows::{Link, Resolved};
use super::sql::array_literal;
use crate::access::Writer;
use crate::search::{LinkKind, Until};
use crate::storage::statement::Statement;
use crate::storage::store::{Connection, Stored};
use chrono::{DateTime, Utc};

/// What one change does to the links that its resource makes.
#[derive(Default)]
pub struct Links {
    /// The kinds that the version before may have.
    gone: Vec<LinkKind>,
    /// Numbers of the rules by which a new resource links its owner: their rows stay.
    kept: Vec<i16>,
    made: Vec<Made>,
}

struct Made {
    kind: LinkKind,
    source: i16,
    one: i64,
    other: i64,
    code: Option<String>,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// By what it is judged whether a care link counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Granting {
    /// By who writes.
    Writers,
    /// By what was judged when it was written; what was written before there were links, or
    /// without sign-in, counts.
    Stamps,
}

const KINDS: [LinkKind; 6] = [
    LinkKind::Care,
    LinkKind::Facility,
    LinkKind::Proxy,
    LinkKind::Role,
    LinkKind::Part,
    LinkKind::Release,
];

impl Links {
    pub fn of(change: &Change, before: &Resolved, after: &mut Resolved) -> Links {
        let owner = change.writer.owner.filter(|_| change.is_create());
        let mut links = Links::default();
        for link in &before.links {
            match link.one {
                None => links.kept.push(link.source),
                Some(_) if links.gone.contains(&link.kind) => {}
                Some(_) => links.gone.push(link.kind),
            }
        }
        links.make(std::mem::take(&mut after.links), owner, change.last_updated);
        links
    }

    /// Those of a version that is there; of a deleted one nothing is touched.
    pub fn of_index(stored: &Stored, after: &mut Resolved) -> Links {
        let mut links = Links::default();
        if !stored.is_deleted {
            links.gone.extend(KINDS);
            links.make(std::mem::take(&mut after.links), None, stored.last_updated);
        }
        links
    }

    fn make(&mut self, links: Vec<Link>, owner: Option<i64>, version: DateTime<Utc>) {
        for Link { kind, source, one, other, code, from, until } in links {
            if one.is_none() {
                self.kept.push(source);
            }
            let until = match until {
                Until::At(at) => at,
                Until::AfterVersion(window) => version + window,
            };
            let made = |one| Made { kind, source, one, other, code, from, until };
            self.made.extend(one.or(owner).map(made));
        }
    }

    fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.made.is_empty()
    }
}

/// Where the rows of a kind are, but for care links.
struct Table {
    kind: LinkKind,
    gone: &'static str,
    made: &'static str,
    has_period: bool,
}

macro_rules! table {
    ($kind:ident, $name:literal, $one:literal, $other:literal, $has_period:literal,
     $more:literal) => {
        Table {
            kind: LinkKind::$kind,
            gone: concat!(", ", $name, "_gone as (delete from ", $name, " where source_rid = any("),
            made: concat!(
                ", ",
                $name,
                "_made as (insert into ",
                $name,
                " (",
                $one,
                ", ",
                $other,
                ", source_rid, source",
                $more,
                ") select * from unnest("
            ),
            has_period: $has_period,
        }
    };
}

const TABLES: [Table; 5] = [
    table!(Care, "care_link", "practitioner", "patient", true, ""),
    table!(Facility, "facility_link", "organization", "patient", true, ", valid_from, valid_to"),
    table!(Proxy, "proxy_link", "person", "patient", true, ", valid_from, valid_to"),
    table!(Role, "role_link", "practitioner", "organization", true, ", valid_from, valid_to"),
    table!(Part, "organization_part", "organization", "parent", false, ""),
];
const RELEASE_GONE: &str = ", release_gone as (delete from release_link where source_rid = any(";
const RELEASE_MADE: &str = ", release_made as (insert into release_link (jurisdiction, rid, \
                            source_rid, source) select * from unnest(";

/// What is made of one kind, each with its change.
fn made<'a>(
    staged: &'a [&'a Staged],
    kind: LinkKind,
) -> impl Iterator<Item = (&'a Staged, &'a Made)> + Clone {
    let of = move |s: &'a &'a Staged| s.links.made.iter().map(move |made| (*s, made));
    staged.iter().flat_map(of).filter(move |(_, made)| made.kind == kind)
}

/// The parts of a statement that replace the links of the changes, each after a comma. `gate` is a
/// condition of each.
pub fn push(statement: &mut Statement, staged: &[&Staged], place: (Granting, &'static str)) {
    if staged.iter().all(|staged| staged.links.is_empty()) {
        return;
    }
    let (_, gate) = place;
    let mut kept: Vec<i16> = staged.iter().flat_map(|s| s.links.kept.iter().copied()).collect();
    kept.sort_unstable();
    kept.dedup();
    let push_gone = |statement: &mut Statement, kind: LinkKind, text: &'static str| {
        let gone = staged.iter().filter(|staged| staged.links.gone.contains(&kind));
        let rids: Vec<i64> = gone.map(|staged| staged.change.rid).collect();
        if !rids.is_empty() {
            statement.push(text).bind(rids).push(") and source <> all(").bind(kept.clone());
            statement.push(")").push(gate).push(")");
        }
    };
    for table in &TABLES {
        push_gone(statement, table.kind, table.gone);
        if table.kind != LinkKind::Care && made(staged, table.kind).next().is_some() {
            push_made(statement, staged, (table, gate));
        }
    }
    push_gone(statement, LinkKind::Release, RELEASE_GONE);
    if made(staged, LinkKind::Release).next().is_some() {
        push_released(statement, staged, gate);
    }
    if changes_roles(staged) {
        push_roles(statement, staged, gate);
    }
    if made(staged, LinkKind::Care).next().is_some() {
        push_care(statement, staged, place);
    }
}

macro_rules! column {
    ($staged:expr, $kind:expr, $value:expr) => {
        made($staged, $kind).map($value).collect::<Vec<_>>()
    };
}

fn push_made(statement: &mut Statement, staged: &[&Staged], place: (&Table, &'static str)) {
    let (table, gate) = place;
    statement.push(table.made);
    push_columns(statement, staged, table.kind);
    if table.has_period {
        statement.push(", ").bind(column!(staged, table.kind, |(_, made)| made.from));
        statement.push(", ").bind(column!(staged, table.kind, |(_, made)| made.until));
    }
    statement.push(") as a where true").push(gate).push(")");
}

/// one, other, source_rid, source
fn push_columns(statement: &mut Statement, staged: &[&Staged], kind: LinkKind) {
    statement.bind(column!(staged, kind, |(_, made)| made.one)).push(", ");
    statement.bind(column!(staged, kind, |(_, made)| made.other)).push(", ");
    statement.bind(column!(staged, kind, |(s, _)| s.change.rid)).push(", ");
    statement.bind(column!(staged, kind, |(_, made)| made.source));
}

fn push_released(statement: &mut Statement, staged: &[&Staged], gate: &'static str) {
    let kind = LinkKind::Release;
    statement.push(RELEASE_MADE);
    statement.bind(column!(staged, kind, |(_, made)| made.code.as_deref().unwrap_or_default()));
    statement.push(", ").bind(column!(staged, kind, |(_, made)| made.one)).push(", ");
    statement.bind(column!(staged, kind, |(s, _)| s.change.rid)).push(", ");
    statement.bind(column!(staged, kind, |(_, made)| made.source));
    statement.push(") as a where true").push(gate).push(")");
}

/// Whether PractitionerRoles come, change or go.
fn changes_roles(staged: &[&Staged]) -> bool {
    let has_role = |links: &Links| {
        links.gone.contains(&LinkKind::Role)
            || links.made.iter().any(|made| made.kind == LinkKind::Role)
    };
    staged.iter().any(|staged| has_role(&staged.links))
}

/// The roles as they are after the statement; and what facilities granted to those whose roles
/// change is judged again: it comes and goes with the role.
fn push_roles(statement: &mut Statement, staged: &[&Staged], gate: &'static str) {
    let rids: Vec<i64> = staged.iter().map(|staged| staged.change.rid).collect();
    statement.push(include_str!("../sql/role_now.sql")).bind(rids.clone());
    statement.push(")\n  union all\n  select practitioner, organization, source_rid, valid_from, ");
    statement.push("valid_to from unnest(");
    push_columns(statement, staged, LinkKind::Role);
    statement.push(", ").bind(column!(staged, LinkKind::Role, |(_, made)| made.from));
    statement.push(", ").bind(column!(staged, LinkKind::Role, |(_, made)| made.until));
    statement.push(include_str!("../sql/role_now_end.sql"));
    statement.push(include_str!("../sql/care_link_again.sql")).bind(rids.clone());
    statement.push(include_str!("../sql/care_link_again_end.sql")).bind(rids.clone());
    statement.push(include_str!("../sql/care_link_again_of.sql")).bind(rids);
    statement.push(")").push(gate).push(")");
}

/// Care links, each judged; and a PractitionerRole among the participants stands for its
/// practitioner, also where it is written by the same statement.
fn push_care(statement: &mut Statement, staged: &[&Staged], place: (Granting, &'static str)) {
    let (granting, gate) = place;
    let roles = if changes_roles(staged) { "role_now" } else { "role_link" };
    let mut writers: Vec<&Writer> = Vec::new();
    let mut numbers: Vec<i32> = Vec::new();
    for (staged, _) in made(staged, LinkKind::Care) {
        let writer = &*staged.change.writer;
        let number = writers.iter().position(|known| *known == writer).unwrap_or(writers.len());
        if number == writers.len() {
            writers.push(writer);
        }
        numbers.push(number as i32);
    }
    statement.push(include_str!("../sql/care_link_write.sql"));
    statement.push(match granting {
        Granting::Writers => include_str!("../sql/care_link_granted.sql"),
        Granting::Stamps => include_str!("../sql/care_link_unstamped.sql"),
    });
    statement.push(include_str!("../sql/care_link_claims.sql"));
    push_columns(statement, staged, LinkKind::Care);
    statement.push(", ").bind(column!(staged, LinkKind::Care, |(_, made)| made.from));
    statement.push(", ").bind(column!(staged, LinkKind::Care, |(_, made)| made.until));
    statement.push(", ").bind(numbers);
    statement.push(include_str!("../sql/care_link_columns.sql")).push(roles);
    statement.push(include_str!("../sql/care_link_writers.sql"));
    push_writers(statement, &writers);
    statement.push(include_str!("../sql/care_link_roles.sql")).push(roles);
    statement.push(include_str!("../sql/care_link_before.sql")).push(gate).push(")");
}

fn push_writers(statement: &mut Statement, writers: &[&Writer]) {
    macro_rules! column {
        ($value:expr) => {
            writers.iter().copied().map($value).collect::<Vec<_>>()
        };
    }
    statement.bind((0..writers.len() as i32).collect::<Vec<_>>()).push(", ");
    statement.bind(column!(|writer| writer.name.as_str())).push(", ");
    statement.bind(column!(|writer| writer.author)).push(", ");
    statement.bind(column!(Writer::may_grant_care)).push(", ");
    statement.bind(column!(|writer| array_literal(writer.entrusting_patients()))).push(", ");
    statement.bind(column!(|writer| array_literal(writer.granting_organizations()))).push(", ");
    statement.bind(column!(Writer::referrer));
}

/// Links of what another statement of the transaction has stored.
pub async fn write(connection: &mut Connection, staged: &[Staged]) -> Result<(), sqlx::Error> {
    let staged: Vec<&Staged> = staged.iter().filter(|staged| !staged.links.is_empty()).collect();
    if staged.is_empty() {
        return Ok(());
    }
    let mut statement = Statement::new("with nothing as (select)");
    push(&mut statement, &staged, (Granting::Writers, ""));
    statement.push(" select from nothing");
    let (text, arguments) = statement.into_parts()?;
    sqlx::query_with(sqlx::AssertSqlSafe(text), arguments).execute(connection).await.map(drop)
}
