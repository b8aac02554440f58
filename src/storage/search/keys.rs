//! The ids that a plan needs before its statement is composed.

use super::{Reads, SYSTEM_CODES};
use crate::access::Permit;
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::ResourceKey;
use crate::search::value::quantity::UnitTest;
use crate::search::value::string::LAST;
use crate::search::{Found, ParameterId, Plan, Token, UnitOfMeasure};
use crate::storage::failure::of_sqlx;
use crate::storage::read::fetch_all;
use crate::storage::search_sql::{Query, Wanted};
use crate::storage::statement::Statement;
use crate::storage::statement::row_filter::Seen;
use crate::storage::store::{Connection, Store};
use crate::storage::write::index_rows::packed_key;
use std::collections::{BTreeSet, HashMap};

impl Store {
    /// Ids of what the plan names. Coded values are remembered, and rids where no transaction is
    /// under way that may take back those that it sees.
    pub(in crate::storage) async fn found(
        &self,
        connection: &mut Connection,
        (permit, plan): (&Permit, &Plan),
        reads: Reads,
    ) -> Result<Found> {
        permit.check_plan(plan)?;
        let (mut found, mut wanted) = self.remembered(plan);
        let units = std::mem::take(&mut wanted.units);
        let concepts = std::mem::take(&mut wanted.concepts);
        if !concepts.is_empty() {
            let bounds = (permit.filter(), plan.terms);
            found.concepts = self.concepts(connection, bounds, &concepts).await?;
        }
        look_up_texts(connection, &mut wanted, &mut found).await?;
        let alternatives = std::mem::take(&mut wanted.alternatives);
        if !wanted.is_empty() {
            let references = wanted.references.clone();
            self.look_up(connection, wanted, &mut found).await?;
            let known = references.iter().filter(|_| reads == Reads::Committed);
            for (key, rid) in known.filter_map(|key| found.references.get_key_value(key)) {
                self.interned.remember(key, *rid);
            }
        }
        if !units.is_empty() {
            look_up_units(connection, &units, (plan, permit), &mut found).await?;
        }
        for alternative in alternatives {
            refuse_ambiguous(connection, (permit, &found), &alternative).await?;
        }
        Ok(found)
    }

    /// The same outside a transaction: nothing is asked where all of them are remembered.
    pub async fn found_alone(&self, permit: &Permit, plan: &Plan) -> Result<Found> {
        permit.check_plan(plan)?;
        let (found, wanted) = self.remembered(plan);
        if wanted.is_empty() {
            return Ok(found);
        }
        let mut connection = self.settled_pool.acquire().await.map_err(of_sqlx)?;
        let found = self.found(&mut connection, (permit, plan), Reads::Committed).await?;
        connection.release();
        Ok(found)
    }

    /// The ids that are remembered, and what has to be looked up.
    pub(in crate::storage) fn remembered(&self, plan: &Plan) -> (Found, Wanted) {
        let mut wanted = Wanted::of(plan);
        let mut found = Found::default();
        wanted.tokens.retain(|token| match self.interned.token(token) {
            Some(id) => found.tokens.insert(token.clone(), id).is_some(),
            None => true,
        });
        wanted.references.retain(|key| match self.interned.rid(key) {
            Some(rid) => found.references.insert(key.clone(), rid).is_some(),
            None => true,
        });
        (found, wanted)
    }

    /// Ids of coded values; what is not here does not exist.
    pub(in crate::storage) async fn token_ids(
        &self,
        connection: &mut Connection,
        tokens: BTreeSet<Token>,
    ) -> Result<HashMap<Token, i64>> {
        let mut found = Found::default();
        let wanted = Wanted { tokens, ..Wanted::default() };
        if !wanted.is_empty() {
            self.look_up(connection, wanted, &mut found).await?;
        }
        Ok(found.tokens)
    }

    async fn look_up(
        &self,
        connection: &mut Connection,
        wanted: Wanted,
        found: &mut Found,
    ) -> Result<()> {
        let tokens: Vec<&Token> = wanted.tokens.iter().collect();
        let codes: Vec<&String> = wanted.codes.iter().collect();
        let systems: Vec<&String> = wanted.systems.iter().collect();
        let references: Vec<&ResourceKey> = wanted.references.iter().collect();
        let rows: Vec<(i32, i64, i64)> =
            sqlx::query_as(include_str!("../sql/search_keys_read.sql"))
                .bind(tokens.iter().map(|token| token.system.as_str()).collect::<Vec<_>>())
                .bind(tokens.iter().map(|token| token.code.as_str()).collect::<Vec<_>>())
                .bind(codes.iter().map(|code| code.as_str()).collect::<Vec<_>>())
                .bind(systems.iter().map(|system| system.as_str()).collect::<Vec<_>>())
                .bind(SYSTEM_CODES + 1)
                .bind(references.iter().map(|key| key.resource_type.number()).collect::<Vec<_>>())
                .bind(references.iter().map(|key| key.id.as_str()).collect::<Vec<_>>())
                .fetch_all(connection)
                .await
                .map_err(of_sqlx)?;
        for (kind, place, id) in rows {
            let at = usize::try_from(place - 1).map_err(FhirError::internal)?;
            match kind {
                0 => {
                    self.interned.remember_token(tokens[at], id);
                    found.tokens.insert(tokens[at].clone(), id);
                }
                1 => found.codes.entry(codes[at].clone()).or_default().push(id),
                2 => found.systems.entry(systems[at].clone()).or_default().push(id),
                _ => drop(found.references.insert(references[at].clone(), id)),
            }
        }
        match found.systems.iter().find(|(_, ids)| ids.len() as i64 > SYSTEM_CODES) {
            Some((system, _)) => Err(FhirError::too_costly(format!(
                "{system}| stands for more than {SYSTEM_CODES} codes; name the code as well"
            ))),
            None => Ok(()),
        }
    }
}

/// Texts of coded values, and media types. 400 where one stands for too many.
async fn look_up_texts(
    connection: &mut Connection,
    wanted: &mut Wanted,
    found: &mut Found,
) -> Result<()> {
    let texts: Vec<String> = std::mem::take(&mut wanted.texts).into_iter().collect();
    let kinds: Vec<String> = std::mem::take(&mut wanted.media_types).into_iter().collect();
    if texts.is_empty() && kinds.is_empty() {
        return Ok(());
    }
    let rows: Vec<(i32, i64, i64)> = sqlx::query_as(include_str!("../sql/search_texts_read.sql"))
        .bind(&texts)
        .bind(texts.iter().map(|text| format!("{text}{LAST}")).collect::<Vec<_>>())
        .bind(&kinds)
        .bind(SYSTEM_CODES + 1)
        .fetch_all(connection)
        .await
        .map_err(of_sqlx)?;
    for (kind, place, id) in rows {
        let at = usize::try_from(place - 1).map_err(FhirError::internal)?;
        match kind {
            0 => found.texts.entry(texts[at].clone()).or_default().texts.push(id),
            1 => found.texts.entry(texts[at].clone()).or_default().tokens.push(id),
            _ => found.media_types.entry(kinds[at].clone()).or_default().push(id),
        }
    }
    let most = SYSTEM_CODES as usize;
    let too_many =
        found.texts.iter().find(|(_, ids)| ids.texts.len() > most || ids.tokens.len() > most);
    match too_many {
        Some((text, _)) => Err(FhirError::too_costly(format!(
            "More than {most} texts of codes begin with '{text}'; give more of it"
        ))),
        None => Ok(()),
    }
}

/// "Servers SHOULD reject a search where the logical id refers to more than one matching resource
/// across different types": search.html#reference. Those count that the caller may see, and that
/// something he may see refers to by the parameter.
async fn refuse_ambiguous(
    connection: &mut Connection,
    (permit, found): (&Permit, &Found),
    (parameter, keys): &(ParameterId, Vec<ResourceKey>),
) -> Result<()> {
    let rids = found.rids(keys);
    if rids.len() < 2 {
        return Ok(());
    }
    let mut sql =
        Statement::new("select t.rid from resource t where not t.deleted and t.rid = any(");
    let types: Vec<ResourceType> = keys.iter().map(|key| key.resource_type).collect();
    sql.bind(rids).push(") and ").push_filter(Seen::current("t", &types), permit.reach());
    sql.push(" and exists (select from resource r where r.keys && array[");
    sql.bind(packed_key(*parameter, 0)).push(" | t.rid] and not r.deleted and ");
    sql.push_filter(Seen::current("r", &[]), permit.filter()).push(") limit 3");
    let rows = fetch_all(connection, sql).await?;
    if rows.len() < 2 {
        return Ok(());
    }
    let mut names = Vec::new();
    for row in &rows {
        let rid: i64 = sqlx::Row::try_get(row, 0).map_err(FhirError::internal)?;
        let is_it = |key: &&ResourceKey| found.references.get(key) == Some(&rid);
        names.extend(keys.iter().find(is_it).map(ToString::to_string));
    }
    names.sort_unstable();
    let text = format!("An id alone could be {}: write which", names.join(" or "));
    Err(FhirError::invalid_value("", text))
}

/// The units of the database that any of these may mean, and which of them rows of the code have
/// that leads the search.
async fn look_up_units(
    connection: &mut Connection,
    wanted: &BTreeSet<UnitTest>,
    (plan, permit): (&Plan, &Permit),
    found: &mut Found,
) -> Result<()> {
    let mut codes = Vec::new();
    for unit in wanted {
        match unit {
            UnitTest::Any => {}
            UnitTest::Written(code) | UnitTest::Coded { code, .. } => codes.push(code.as_str()),
        }
    }
    let dimensions: Vec<String> = wanted.iter().filter_map(UnitTest::dimension).collect();
    let (parameters, leads) = Query::of(plan, found, permit).led_quantities();
    let rows: Vec<(i32, String, String, String, Vec<i16>)> =
        sqlx::query_as(include_str!("../sql/search_units_read.sql"))
            .bind(wanted.contains(&UnitTest::Any))
            .bind(codes)
            .bind(dimensions)
            .bind(&parameters)
            .bind(leads)
            .fetch_all(connection)
            .await
            .map_err(of_sqlx)?;
    for parameter in parameters {
        let is_led = |row: &&(i32, _, _, _, Vec<i16>)| row.4.contains(&parameter);
        let units = rows.iter().filter(is_led).map(|row| row.0).collect();
        found.led_units.insert(ParameterId(parameter), units);
    }
    let unit = |(id, system, code, text, _)| (id, UnitOfMeasure { system, code, text });
    found.units = rows.into_iter().map(unit).collect();
    Ok(())
}
