//! What is known of the bearer of a token: what the token says, and what the database says of its
//! bearer now.

use super::role::Role;
use super::smart_scope::Scopes;
use crate::fhir::resource::ResourceKey;
use chrono::{DateTime, Utc};

/// The bearer of a good token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// The account (`account/[uuid]`), or the client of a backend service (`client/[client_id]`).
    pub name: String,
    pub client_id: String,
    /// Of the grant that the token belongs to.
    pub grant: i64,
    /// `jti` of the token.
    pub token_id: String,
    pub scopes: Scopes,
    /// From the database.
    pub role: Role,
    /// From the database.
    pub links: Links,
    pub launch: Launch,
    /// `amr`: how the person signed in, such as `pwd` and `otp`; empty for systems.
    pub methods: Vec<String>,
    /// When the person signed in.
    pub signed_in: Option<DateTime<Utc>>,
}

/// Methods of RFC 8176 that are a factor beside a password, or more than one.
const SECOND_FACTORS: [&str; 4] = ["otp", "mfa", "hwk", "swk"];

impl Principal {
    /// Whether the person signed in with more than a password.
    pub fn has_second_factor(&self) -> bool {
        self.methods.iter().any(|method| SECOND_FACTORS.contains(&method.as_str()))
    }
}

/// A resource by its key and its surrogate id, which it keeps for ever.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    pub key: ResourceKey,
    pub rid: i64,
}

/// What an account or client is linked to. Only operators, claim codes and the verified relations
/// of a record make links; tokens do not.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Links {
    /// `fhirUser`: the Patient, Practitioner, RelatedPerson or Person that the account is.
    pub fhir_user: Option<Link>,
    /// The patients whose record is the account's own or in its care as a proxy.
    pub patients: Vec<Link>,
    /// The Organizations of a person's facilities or of a client, with those that are part of them.
    /// The first is the one that owns what is written.
    pub organizations: Vec<Link>,
    /// Codes of the jurisdictions of a registrar or registry.
    pub jurisdictions: Vec<String>,
    /// Ids that an EHR client may choose begin with it.
    pub id_prefix: Option<String>,
}

/// The launch context of a grant (SMART App Launch 2.2, scopes-and-launch-context).
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Launch {
    pub patient: Option<Link>,
    pub encounter: Option<ResourceKey>,
}
