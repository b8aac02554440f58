//! What the database says of the bearers of access tokens, in one statement each.

use super::keys::{ACCESS_TOKEN, KeyState, SigningKeyRow};
use crate::access::dpop::Proof;
use crate::access::jwt::{Claims, VerificationKey};
use crate::access::{Bearer, Identities, Launch, Link, Links, Role, Terms};
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Id, ResourceKey};
use crate::storage::Store;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use sqlx::FromRow;

/// Organizations of one bearer, with those that are part of them.
const MOST_ORGANIZATIONS: i32 = 10_000;

#[derive(FromRow)]
struct BearerRow {
    client: String,
    account: Option<String>,
    launch: String,
    patient_rid: Option<i64>,
    methods: Vec<String>,
    signed_in: Option<DateTime<Utc>>,
    role: Option<String>,
    jurisdictions: Vec<String>,
    id_prefix: Option<String>,
    person_rid: Option<i64>,
    person_type: Option<i16>,
    person_id: Option<String>,
    organization_rids: Vec<i64>,
    organization_ids: Vec<String>,
    proxied_rids: Vec<i64>,
    proxied_ids: Vec<String>,
    scopes: Option<String>,
    networks: Vec<String>,
    wants_binding: bool,
}

impl Identities for Store {
    fn verification_keys(&self) -> BoxFuture<'_, Result<Vec<VerificationKey>>> {
        async {
            let keys = self.signing_keys().await?;
            let is_used = |key: &&SigningKeyRow| {
                key.purpose == ACCESS_TOKEN && key.state != KeyState::Removed
            };
            keys.iter().filter(is_used).map(SigningKeyRow::verification_key).collect()
        }
        .boxed()
    }

    fn bearer<'a>(
        &'a self,
        kid: &'a str,
        claims: &'a Claims,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Option<Bearer>>> {
        async move {
            let scope_ref = claims.scope_ref.as_deref();
            let hash = scope_ref.and_then(|hash| URL_SAFE_NO_PAD.decode(hash).ok());
            let query = sqlx::query(include_str!("../sql/bearer_read.sql"))
                .bind(claims.gid)
                .bind(kid)
                .bind(now)
                .bind(hash)
                .bind(MOST_ORGANIZATIONS);
            let row: Option<BearerRow> = self.row(query).await?;
            row.map(bearer).transpose().map(Option::flatten)
        }
        .boxed()
    }

    fn use_proof<'a>(&'a self, client: &'a str, proof: &'a Proof) -> BoxFuture<'a, Result<bool>> {
        async move {
            let query = sqlx::query(include_str!("../sql/proof_use.sql"))
                .bind(client)
                .bind(&proof.once[..])
                .bind(proof.ends);
            Ok(self.run(query).await? == 1)
        }
        .boxed()
    }
}

/// On which terms tokens of the client are taken.
fn terms(row: &BearerRow) -> Result<Terms> {
    let networks = super::clients::networks(&row.networks);
    let networks = networks.ok_or_else(|| broken("a network of a client"))?;
    Ok(Terms { networks, wants_binding: row.wants_binding })
}

/// None for a client that is no system and has no account.
fn bearer(row: BearerRow) -> Result<Option<Bearer>> {
    let Some(role) = row.role.as_deref().and_then(Role::parse) else { return Ok(None) };
    let name = match &row.account {
        Some(account) => format!("account/{account}"),
        None => format!("client/{}", row.client),
    };
    let (launch, links, terms) = (launch(&row, role)?, links(&row)?, terms(&row)?);
    Ok(Some(Bearer {
        name,
        client_id: row.client,
        role,
        launch: Launch { patient: still_open(launch.patient, role, &links), ..launch },
        links,
        methods: row.methods,
        signed_in: row.signed_in,
        scopes: row.scopes,
        terms,
    }))
}

fn links(row: &BearerRow) -> Result<Links> {
    let fhir_user = match (row.person_rid, row.person_type, &row.person_id) {
        (Some(rid), Some(number), Some(id)) => {
            let kind = ResourceType::from_number(number);
            let key = kind.zip(Id::parse(id)).ok_or_else(|| broken("account_person"))?;
            Some(Link { key: ResourceKey::new(key.0, key.1), rid })
        }
        _ => None,
    };
    let is_patient = |link: &&Link| link.key.resource_type.name() == "Patient";
    let mut patients: Vec<Link> = fhir_user.iter().filter(is_patient).cloned().collect();
    patients.extend(all("Patient", &row.proxied_rids, &row.proxied_ids)?);
    patients.dedup();
    let organizations = all("Organization", &row.organization_rids, &row.organization_ids)?;
    Ok(Links {
        fhir_user,
        patients,
        organizations,
        jurisdictions: row.jurisdictions.clone(),
        id_prefix: row.id_prefix.clone(),
    })
}

fn all(resource_type: &str, rids: &[i64], ids: &[String]) -> Result<Vec<Link>> {
    let linked = rids.iter().zip(ids);
    linked.map(|(rid, id)| link(resource_type, id, *rid).ok_or_else(|| broken("a link"))).collect()
}

fn launch(row: &BearerRow, role: Role) -> Result<Launch> {
    if role.is_system() {
        return Ok(Launch::default());
    }
    let value: Value = serde_json::from_str(&row.launch).map_err(FhirError::internal)?;
    let id = |name: &str| value.get(name).and_then(Value::as_str);
    let patient = id("patient").zip(row.patient_rid);
    Ok(Launch {
        patient: patient.and_then(|(id, rid)| link("Patient", id, rid)),
        encounter: id("encounter").and_then(|id| key("Encounter", id)),
    })
}

/// A patient who is no longer the person's own or in its care is no context any more.
fn still_open(patient: Option<Link>, role: Role, links: &Links) -> Option<Link> {
    patient.filter(|patient| role != Role::Patient || links.patients.contains(patient))
}

fn key(resource_type: &str, id: &str) -> Option<ResourceKey> {
    Some(ResourceKey::new(ResourceType::parse(resource_type)?, Id::parse(id)?))
}

fn link(resource_type: &str, id: &str, rid: i64) -> Option<Link> {
    Some(Link { key: key(resource_type, id)?, rid })
}

fn broken(what: &str) -> FhirError {
    FhirError::internal(format!("{what} names no resource"))
}
