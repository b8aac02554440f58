//! Registered clients and their secrets.

mod registrations;

use crate::access::Role;
use crate::error::{FhirError, Result};
use crate::network::Network;
use crate::storage::Store;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::FromRow;

/// Clients that are listed, and origins that are known, at most.
const MOST_CLIENTS: i64 = 10_000;

/// How a client proves to be who it says (SMART App Launch 2.2, 3.0).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientKind {
    /// Cannot keep a secret: proves possession of the code's verifier alone.
    Public,
    /// By a shared secret.
    ConfidentialSymmetric,
    /// By assertions that its private key signs.
    ConfidentialAsymmetric,
    /// By a certificate for its name, of an authority that the operator trusts (RFC 8705, 2.1).
    CertificateOfAuthority,
    /// By a certificate that is registered as a key of it (RFC 8705, 2.2).
    SelfSignedCertificate,
}

impl ClientKind {
    pub const ALL: [ClientKind; 5] = [
        ClientKind::Public,
        ClientKind::ConfidentialSymmetric,
        ClientKind::ConfidentialAsymmetric,
        ClientKind::CertificateOfAuthority,
        ClientKind::SelfSignedCertificate,
    ];

    /// As it is stored and configured.
    pub fn as_str(self) -> &'static str {
        match self {
            ClientKind::Public => "public",
            ClientKind::ConfidentialSymmetric => "confidential-symmetric",
            ClientKind::ConfidentialAsymmetric => "confidential-asymmetric",
            ClientKind::CertificateOfAuthority => "confidential-certificate",
            ClientKind::SelfSignedCertificate => "confidential-self-signed",
        }
    }

    /// Whether it proves possession of a private key, and shares nothing with this server.
    pub fn has_private_key(self) -> bool {
        !matches!(self, ClientKind::Public | ClientKind::ConfidentialSymmetric)
    }

    /// Whether that is the key of a certificate.
    pub fn has_certificate(self) -> bool {
        self.has_private_key() && self != ClientKind::ConfidentialAsymmetric
    }

    /// None for a word that is no kind.
    pub fn parse(text: &str) -> Option<ClientKind> {
        ClientKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A registered client.
#[derive(Clone, PartialEq, Debug)]
pub struct Client {
    pub id: String,
    pub name: String,
    pub publisher: Option<String>,
    pub kind: ClientKind,
    /// Of a backend service.
    pub role: Option<Role>,
    pub is_active: bool,
    /// What may be granted at most.
    pub scopes: String,
    pub grant_types: Vec<String>,
    pub redirect_uris: Vec<String>,
    pub launch_uri: Option<String>,
    /// Web origins that may call the token endpoint and the FHIR base.
    pub origins: Vec<String>,
    pub jwks: Option<Value>,
    pub jwks_uri: Option<String>,
    /// Algorithms of its assertions.
    pub algorithms: Vec<String>,
    pub is_first_party: bool,
    pub skips_consent: bool,
    /// Rids and ids of the organizations of a backend service; the first owns what it writes.
    pub organizations: Vec<(i64, String)>,
    pub jurisdictions: Vec<String>,
    pub id_prefix: Option<String>,
    pub terms: ClientTerms,
}

/// What a client and its tokens are bound to.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ClientTerms {
    /// Its tokens are given out for a proof (RFC 9449), for a certificate (RFC 8705).
    pub is_dpop_bound: bool,
    pub is_certificate_bound: bool,
    /// A registry whose tokens the operator lets be bound to nothing.
    pub allows_bearer: bool,
    /// Where its requests come from; empty for anywhere.
    pub networks: Vec<Network>,
    /// Its authorization requests are pushed (RFC 9126).
    pub requires_pushed: bool,
    /// Whom its certificate is for: `san_dns:ehr.example`.
    pub certificate_name: Option<String>,
}

impl Client {
    /// One of that kind that may do nothing yet.
    pub fn new(id: &str, kind: ClientKind) -> Client {
        Client {
            id: id.to_owned(),
            name: id.to_owned(),
            publisher: None,
            kind,
            role: None,
            is_active: true,
            scopes: String::new(),
            grant_types: Vec::new(),
            redirect_uris: Vec::new(),
            launch_uri: None,
            origins: Vec::new(),
            jwks: None,
            jwks_uri: None,
            algorithms: vec!["RS384".to_owned(), "ES384".to_owned()],
            is_first_party: false,
            skips_consent: false,
            organizations: Vec::new(),
            jurisdictions: Vec::new(),
            id_prefix: None,
            terms: ClientTerms::default(),
        }
    }

    /// Whether its tokens have to be bound to something; `bearer_read.sql` says the same.
    pub fn wants_binding(&self) -> bool {
        let is_registry = self.role == Some(Role::Registry);
        let terms = &self.terms;
        terms.is_dpop_bound || terms.is_certificate_bound || (is_registry && !terms.allows_bearer)
    }

    pub fn may(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|own| own == grant_type)
    }
}

#[derive(FromRow)]
struct ClientRow {
    client: String,
    name: String,
    publisher: Option<String>,
    kind: String,
    role: Option<String>,
    status: String,
    scopes: String,
    grant_types: Vec<String>,
    redirect_uris: Vec<String>,
    launch_uri: Option<String>,
    origins: Vec<String>,
    jwks: Option<String>,
    jwks_uri: Option<String>,
    algorithms: Vec<String>,
    is_first_party: bool,
    skips_consent: bool,
    organization_rids: Vec<i64>,
    organization_ids: Vec<String>,
    jurisdictions: Vec<String>,
    id_prefix: Option<String>,
    is_dpop_bound: bool,
    is_certificate_bound: bool,
    allows_bearer: bool,
    networks: Vec<String>,
    requires_pushed: bool,
    certificate_name: Option<String>,
}

/// None where one of them is no network.
pub fn networks(texts: &[String]) -> Option<Vec<Network>> {
    texts.iter().map(|text| text.parse().ok()).collect()
}

impl TryFrom<ClientRow> for Client {
    type Error = FhirError;

    fn try_from(row: ClientRow) -> Result<Client> {
        let broken = |what: &str| FhirError::internal(format!("client {}: {what}", row.client));
        let role = match &row.role {
            Some(role) => Some(Role::parse(role).ok_or_else(|| broken("unknown role"))?),
            None => None,
        };
        let networks = networks(&row.networks).ok_or_else(|| broken("unknown network"))?;
        let jwks = row.jwks.as_deref().map(serde_json::from_str).transpose();
        Ok(Client {
            kind: ClientKind::parse(&row.kind).ok_or_else(|| broken("unknown kind"))?,
            jwks: jwks.map_err(FhirError::internal)?,
            id: row.client,
            name: row.name,
            publisher: row.publisher,
            role,
            is_active: row.status == "active",
            scopes: row.scopes,
            grant_types: row.grant_types,
            redirect_uris: row.redirect_uris,
            launch_uri: row.launch_uri,
            origins: row.origins,
            jwks_uri: row.jwks_uri,
            algorithms: row.algorithms,
            is_first_party: row.is_first_party,
            skips_consent: row.skips_consent,
            organizations: row.organization_rids.into_iter().zip(row.organization_ids).collect(),
            jurisdictions: row.jurisdictions,
            id_prefix: row.id_prefix,
            terms: ClientTerms {
                is_dpop_bound: row.is_dpop_bound,
                is_certificate_bound: row.is_certificate_bound,
                allows_bearer: row.allows_bearer,
                networks,
                requires_pushed: row.requires_pushed,
                certificate_name: row.certificate_name,
            },
        })
    }
}

impl Store {
    /// The client of that id, also where it is disabled.
    pub async fn client(&self, id: &str) -> Result<Option<Client>> {
        let query = sqlx::query(include_str!("../sql/client_read.sql")).bind(id);
        let row: Option<ClientRow> = self.row(query).await?;
        row.map(Client::try_from).transpose()
    }

    /// All clients, in the order of their ids.
    pub async fn clients(&self) -> Result<Vec<Client>> {
        let query = sqlx::query(include_str!("../sql/client_list.sql")).bind(MOST_CLIENTS);
        let rows: Vec<ClientRow> = self.rows(query).await?;
        rows.into_iter().map(Client::try_from).collect()
    }

    /// False where there is a client of that id already.
    pub async fn add_client(&self, client: &Client, now: DateTime<Utc>) -> Result<bool> {
        let (rids, ids): (Vec<i64>, Vec<&str>) =
            client.organizations.iter().map(|(rid, id)| (*rid, id.as_str())).unzip();
        let query = sqlx::query(include_str!("../sql/client_add.sql"))
            .bind(&client.id)
            .bind(&client.name)
            .bind(&client.publisher)
            .bind(client.kind.as_str())
            .bind(client.role.map(Role::as_str))
            .bind(if client.is_active { "active" } else { "disabled" })
            .bind(&client.scopes)
            .bind(&client.grant_types)
            .bind(&client.redirect_uris)
            .bind(&client.launch_uri)
            .bind(&client.origins)
            .bind(client.jwks.as_ref().map(Value::to_string))
            .bind(&client.jwks_uri)
            .bind(&client.algorithms)
            .bind(client.is_first_party)
            .bind(client.skips_consent)
            .bind(rids)
            .bind(ids)
            .bind(&client.jurisdictions)
            .bind(&client.id_prefix)
            .bind(client.terms.is_dpop_bound)
            .bind(client.terms.is_certificate_bound)
            .bind(client.terms.allows_bearer)
            .bind(client.terms.networks.iter().map(Network::to_string).collect::<Vec<_>>())
            .bind(client.terms.requires_pushed)
            .bind(&client.terms.certificate_name)
            .bind(now);
        Ok(self.run(query).await? == 1)
    }

    /// Enables or disables a client; everything granted to it before is void either way. False
    /// where there was nothing to change.
    pub async fn set_client_active(
        &self,
        id: &str,
        is_active: bool,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/client_status.sql"))
            .bind(id)
            .bind(if is_active { "active" } else { "disabled" })
            .bind(now);
        Ok(self.run(query).await? == 1)
    }

    /// Puts other terms in the place of those that a client has. False where there is no such
    /// client.
    pub async fn set_client_terms(
        &self,
        id: &str,
        terms: &ClientTerms,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/client_terms.sql"))
            .bind(id)
            .bind(terms.is_dpop_bound)
            .bind(terms.is_certificate_bound)
            .bind(terms.allows_bearer)
            .bind(terms.networks.iter().map(Network::to_string).collect::<Vec<_>>())
            .bind(terms.requires_pushed)
            .bind(&terms.certificate_name)
            .bind(now);
        Ok(self.run(query).await? == 1)
    }

    /// Web origins of all active clients.
    pub async fn client_origins(&self) -> Result<Vec<String>> {
        let query = sqlx::query(include_str!("../sql/client_origins.sql")).bind(MOST_CLIENTS);
        let rows: Vec<(String,)> = self.rows(query).await?;
        Ok(rows.into_iter().map(|(origin,)| origin).collect())
    }

    /// Hashes of the client's live secrets.
    pub async fn client_secrets(&self, id: &str, now: DateTime<Utc>) -> Result<Vec<Vec<u8>>> {
        let query = sqlx::query(include_str!("../sql/client_secret_read.sql")).bind(id).bind(now);
        let rows: Vec<(Vec<u8>,)> = self.rows(query).await?;
        Ok(rows.into_iter().map(|(hash,)| hash).collect())
    }

    /// Adds a secret by its hash; those before it end at `others_end`.
    pub async fn add_client_secret(
        &self,
        id: &str,
        hash: &[u8],
        (now, others_end): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/client_secret_add.sql"))
            .bind(hash)
            .bind(id)
            .bind(now)
            .bind(others_end);
        self.run(query).await.map(drop)
    }
}
