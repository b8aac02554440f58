//! What an operator may set, as arguments or in the environment. Only this file reads the
//! environment; `docs/configuration.md` has a heading for each variable.

mod certificates;
mod people;
mod roles;
mod sign_in;

pub use certificates::CertificateConfig;
pub use people::{MailSettings, PeopleConfig};
pub use roles::{ProxyAge, RoleConfig, RoleSettings};
pub use sign_in::{KEY_FILE, OAuthSettings, SignInConfig};
mod audit;

pub use audit::{
    AuditCommand, AuditConfig, AuditDetachConfig, AuditDurability, AuditReportConfig,
    AuditSettings, AuditTimeConfig, ReportName,
};

use crate::fhir::definitions::ResourceType;
use crate::limits::Limits;
use crate::network::Network;
use chrono::FixedOffset;
use clap::{ArgAction, Args, ValueEnum};
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Settings that interactions obey.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The public FHIR base without a trailing slash, such as `http://127.0.0.1:8080/fhir`.
    pub base_url: String,
    pub limits: Limits,
    /// Refuse a write whose reference names a resource of this server that does not exist.
    pub integrity_on_write: bool,
    /// Refuse to delete a resource that a current one refers to.
    pub integrity_on_delete: bool,
    /// Identifier systems whose values are unique within a resource type.
    pub unique_identifiers: Vec<UniqueIdentifier>,
    /// For dates and times without a zone, in resources and in queries.
    pub default_zone: FixedOffset,
    /// Whether PUT may create a resource under the client's id (http.html#upsert).
    pub update_creates: bool,
    /// Whether the JSONB copy of every resource is kept for SQL users.
    pub keeps_jsonb: bool,
    /// Whether all texts of resources are indexed, for `_content`.
    pub content_search: bool,
    /// Whether callers who have not signed in may do everything.
    pub insecure_no_auth: bool,
    /// Whether people may make accounts for themselves.
    pub registration_enabled: bool,
    pub mail: MailSettings,
    /// How callers get their tokens.
    pub oauth: OAuthSettings,
    /// How long care links outlive their sources.
    pub link_days: LinkDays,
    /// Codes of Observations that patients may report themselves, each `system|code`.
    pub patient_reported: Vec<String>,
    /// What roles may see beside the access matrix.
    pub roles: RoleSettings,
    /// How the audit is kept; None where there is none.
    pub audit: Option<AuditSettings>,
}

/// Days after the end of its source that a practitioner still has a patient in care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkDays {
    pub encounter: u32,
    pub appointment: u32,
    /// After the attendant's notice of a birth.
    pub birth: u32,
}

impl Default for LinkDays {
    fn default() -> Self {
        LinkDays { encounter: 30, appointment: 30, birth: 90 }
    }
}

/// Blood group, height and weight, in LOINC.
const PATIENT_REPORTED: [&str; 5] = [
    "http://loinc.org|882-1",
    "http://loinc.org|883-9",
    "http://loinc.org|10331-7",
    "http://loinc.org|8302-2",
    "http://loinc.org|29463-7",
];

/// `Type|system`: one value of this system names one resource of this type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UniqueIdentifier {
    pub resource_type: ResourceType,
    pub system: String,
}

impl Settings {
    /// The issuer of tokens: the public URL of the server without the path of its FHIR base, and
    /// without a slash at its end: `https://bhn.example`.
    pub fn issuer(&self) -> &str {
        let base = self.base_url.as_str();
        let after_scheme = base.find("://").map_or(0, |at| at + 3);
        let path = base[after_scheme..].find('/');
        path.map_or(base, |at| &base[..after_scheme + at])
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            base_url: "http://127.0.0.1:8080/fhir".to_owned(),
            limits: Limits::default(),
            integrity_on_write: false,
            integrity_on_delete: false,
            unique_identifiers: Vec::new(),
            default_zone: FixedOffset::east_opt(0).expect("zero is an offset"),
            update_creates: true,
            keeps_jsonb: true,
            content_search: false,
            insecure_no_auth: false,
            registration_enabled: false,
            mail: MailSettings::default(),
            oauth: OAuthSettings::default(),
            link_days: LinkDays::default(),
            patient_reported: PATIENT_REPORTED.map(str::to_owned).to_vec(),
            roles: RoleSettings::default(),
            audit: None,
        }
    }
}

/// Everything that `serve` takes.
#[derive(Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    pub server: ServerConfig,
    #[command(flatten)]
    pub audit: AuditConfig,
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub sign_in: SignInConfig,
    #[command(flatten)]
    pub fhir: FhirConfig,
    #[command(flatten)]
    pub people: PeopleConfig,
}

/// Where the server listens and whom it believes.
#[derive(Args, Clone, Debug)]
pub struct ServerConfig {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, env = "BHN_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The public FHIR base, where that is not http://LISTEN/fhir.
    #[arg(long, env = "BHN_BASE_URL", value_parser = parse_base_url)]
    pub base_url: Option<String>,
    /// DANGEROUS: everybody who reaches the server may read and write everything.
    #[arg(long, env = "BHN_INSECURE_NO_AUTH")]
    pub insecure_no_auth: bool,
    /// Load the demonstration set, once: invented hospitals, mothers and newborns.
    #[arg(long, env = "BHN_DEMO")]
    pub demo: bool,
    /// Addresses or networks of proxies whose forwarded headers are believed.
    #[arg(long, env = "BHN_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<Network>,
    #[command(flatten)]
    pub tls: TlsConfig,
    #[command(flatten)]
    pub certificates: CertificateConfig,
    #[command(flatten)]
    pub rates: RateConfig,
    /// Connections of one address at once, unless it is a trusted proxy.
    #[arg(long, env = "BHN_CONNECTIONS_OF_ADDRESS", default_value_t = 200,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub connections_of_address: u32,
    /// Address and port where operators read metrics; none without it.
    #[arg(long, env = "BHN_ADMIN_LISTEN")]
    pub admin_listen: Option<SocketAddr>,
}

/// TLS that the server ends itself.
#[derive(Args, Clone, Debug)]
pub struct TlsConfig {
    /// PEM file of the server's certificate and those above it.
    #[arg(long, env = "BHN_TLS_CERTIFICATE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// PEM file of its private key.
    #[arg(long, env = "BHN_TLS_KEY", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// The oldest version of TLS that is spoken.
    #[arg(long, env = "BHN_TLS_MINIMUM", default_value = "1.3")]
    pub tls_minimum: TlsMinimum,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlsMinimum {
    #[value(name = "1.2")]
    Tls12,
    #[value(name = "1.3")]
    Tls13,
}

/// Requests a second; 0 for no bound.
#[derive(Args, Clone, Debug)]
pub struct RateConfig {
    /// Of a user in one client.
    #[arg(long, env = "BHN_RATE_USER", default_value_t = 50)]
    pub rate_user: u32,
    /// Of a user in one client, at once.
    #[arg(long, env = "BHN_RATE_USER_BURST", default_value_t = 200)]
    pub rate_user_burst: u32,
    /// Of a backend service.
    #[arg(long, env = "BHN_RATE_SYSTEM", default_value_t = 200)]
    pub rate_system: u32,
    /// Of a backend service, at once.
    #[arg(long, env = "BHN_RATE_SYSTEM_BURST", default_value_t = 1_000)]
    pub rate_system_burst: u32,
    /// Of an address whose requests bring no good token.
    #[arg(long, env = "BHN_RATE_ADDRESS", default_value_t = 20)]
    pub rate_address: u32,
    /// Of such an address, at once.
    #[arg(long, env = "BHN_RATE_ADDRESS_BURST", default_value_t = 100)]
    pub rate_address_burst: u32,
    /// Whether the processes on one database count together; with DATABASE_URL they do.
    #[arg(long, env = "BHN_RATE_SHARED", action = ArgAction::Set)]
    pub rate_shared: Option<bool>,
}

/// Where resources are stored.
#[derive(Args, Clone, Debug)]
pub struct DatabaseConfig {
    /// Folder of the private PostgreSQL, used where DATABASE_URL is not set.
    #[arg(long, env = "BHN_DATA", default_value = "./bhn-data")]
    pub data: PathBuf,
    /// A PostgreSQL server of your own, instead of the private one.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The same database as the role that owns its tables, where DATABASE_URL has another role.
    #[arg(long, env = "BHN_OWNER_DATABASE_URL", hide_env_values = true, requires = "database_url")]
    pub owner_database_url: Option<String>,
    /// Connections for reads by id and for writes.
    #[arg(long, env = "BHN_POOL", default_value_t = default_pool(),
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pool: u32,
    /// Connections for searches.
    #[arg(long, env = "BHN_SEARCH_POOL", default_value_t = default_pool(),
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub search_pool: u32,
    /// Whether every resource is also stored as JSONB, for SQL users.
    #[arg(long, env = "BHN_JSONB", default_value_t = true, action = ArgAction::Set)]
    pub jsonb: bool,
    /// Whether all texts of resources are indexed, so that _content finds their words.
    #[arg(long, env = "BHN_CONTENT_SEARCH", default_value_t = false, action = ArgAction::Set)]
    pub content_search: bool,
    /// Seconds that one statement may run in the database.
    #[arg(long, env = "BHN_STATEMENT_SECONDS",
        default_value_t = Limits::default().statement_seconds,
        value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub statement_seconds: u32,
}

/// Everything that `import` takes.
#[derive(Args, Clone, Debug)]
pub struct ImportConfig {
    /// Files (.json, .ndjson, .jsonl, each also .gz; .tar, .tar.gz, .tgz) and folders.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// What is refused is written here, a line each, with the reason.
    #[arg(long, env = "BHN_IMPORT_REJECTS", default_value = "./import-rejects.ndjson")]
    pub rejects: PathBuf,
    /// Files are parsed and stored by this many workers; as many as cores, at least 2, where it is
    /// not given.
    #[arg(long, env = "BHN_IMPORT_WORKERS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
    /// Bytes that may be read and not yet stored.
    #[arg(long, env = "BHN_IMPORT_QUEUE_BYTES", default_value_t = 16 << 20)]
    pub queue_bytes: usize,
    #[command(flatten)]
    pub beside: BesideConfig,
}

/// Everything that `reindex` takes.
#[derive(Args, Clone, Debug)]
pub struct ReindexConfig {
    /// Begin from the start, where an earlier run was cut off.
    #[arg(long)]
    pub restart: bool,
    #[command(flatten)]
    pub beside: BesideConfig,
}

/// What commands take that work on the store without serving it. The settings must be those of
/// the server.
#[derive(Args, Clone, Debug)]
pub struct BesideConfig {
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub fhir: FhirConfig,
    /// The public FHIR base of the server: references to it are stored as relative ones.
    #[arg(long, env = "BHN_BASE_URL", value_parser = parse_base_url)]
    pub base_url: Option<String>,
}

/// How interactions behave.
#[derive(Args, Clone, Debug)]
pub struct FhirConfig {
    /// Refuse writes that refer to resources of this server that do not exist.
    #[arg(long, env = "BHN_INTEGRITY_ON_WRITE", default_value_t = false, action = ArgAction::Set)]
    pub integrity_on_write: bool,
    /// Refuse to delete resources that others refer to.
    #[arg(long, env = "BHN_INTEGRITY_ON_DELETE", default_value_t = false, action = ArgAction::Set)]
    pub integrity_on_delete: bool,
    /// Identifier systems with unique values, such as Patient|http://hospital.example/mrn.
    #[arg(long, env = "BHN_UNIQUE_IDENTIFIERS", value_delimiter = ',',
        value_parser = parse_unique_identifier)]
    pub unique_identifiers: Vec<UniqueIdentifier>,
    /// Offset of dates and times that name no zone, such as +06:00.
    #[arg(long, env = "BHN_DEFAULT_ZONE", default_value = "+00:00", value_parser = parse_zone,
        allow_hyphen_values = true)]
    pub default_zone: FixedOffset,
    /// Whether PUT creates a resource under the id of its URL.
    #[arg(long, env = "BHN_UPDATE_CREATES", default_value_t = true, action = ArgAction::Set)]
    pub update_creates: bool,
    /// Bytes of a request body, after decompression.
    #[arg(long, env = "BHN_BODY_BYTES", default_value_t = Limits::default().body_bytes)]
    pub body_bytes: usize,
    /// Bytes of request bodies that are in work at once; more wait, then get 503.
    #[arg(long, env = "BHN_ADMITTED_BYTES", default_value_t = Limits::default().admitted_bytes)]
    pub admitted_bytes: usize,
    /// Entries of a batch or transaction.
    #[arg(long, env = "BHN_BUNDLE_ENTRIES", default_value_t = Limits::default().bundle_entries)]
    pub bundle_entries: usize,
    /// Matches on a page of search or history results where _count is not given.
    #[arg(long, env = "BHN_PAGE_DEFAULT", default_value_t = Limits::default().page_default,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub page_default: u32,
    /// Matches on a page at most.
    #[arg(long, env = "BHN_PAGE_MAXIMUM", default_value_t = Limits::default().page_maximum,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub page_maximum: u32,
    /// Matches that the database may have to sort for a page in an order of several keys.
    #[arg(long, env = "BHN_SORT_MATCHES", default_value_t = Limits::default().sort_matches)]
    pub sort_matches: u64,
    /// Resources changed since the first page of a search that a further page looks at.
    #[arg(long, env = "BHN_PAGE_CHANGES", default_value_t = Limits::default().page_changes)]
    pub page_changes: usize,
    /// Resources that one conditional delete may take.
    #[arg(long, env = "BHN_CONDITIONAL_DELETE",
        default_value_t = Limits::default().conditional_delete)]
    pub conditional_delete: usize,
    /// Days after an Encounter's end that its participants have the patient in care.
    #[arg(long, env = "BHN_CARE_DAYS_ENCOUNTER", default_value_t = LinkDays::default().encounter,
        value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub care_days_encounter: u32,
    /// Days after an Appointment's end that its participants have the patient in care.
    #[arg(long, env = "BHN_CARE_DAYS_APPOINTMENT",
        default_value_t = LinkDays::default().appointment,
        value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub care_days_appointment: u32,
    /// Days after the notice of a birth that its attendant has mother and child in care.
    #[arg(long, env = "BHN_CARE_DAYS_BIRTH", default_value_t = LinkDays::default().birth,
        value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub care_days_birth: u32,
    /// Codes of Observations that patients may report, such as http://loinc.org|8302-2.
    #[arg(long, env = "BHN_PATIENT_REPORTED_CODES", value_delimiter = ',',
        default_values = PATIENT_REPORTED)]
    pub patient_reported_codes: Vec<String>,
    #[command(flatten)]
    pub roles: RoleConfig,
}

/// What is logged, to standard error.
#[derive(Args, Clone, Debug)]
pub struct LogConfig {
    /// Level, or levels by module: info, debug, bhn_fhir=debug,sqlx=warn.
    #[arg(long, env = "BHN_LOG", default_value = "info,sqlx=warn", global = true)]
    pub log: String,
    /// How lines are written.
    #[arg(long, env = "BHN_LOG_FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// The settings of interactions; `listening` is the address that was bound. An error where
    /// they do not go together.
    pub fn settings(&self, listening: SocketAddr) -> Result<Settings, String> {
        let base_url = self.server.base_url.clone();
        let audit = self.audit.settings(&self.database, self.server.insecure_no_auth)?;
        let client_certificates = self.server.certificates.is_on();
        let oauth = OAuthSettings { client_certificates, ..self.sign_in.settings(&self.database) };
        Ok(Settings {
            base_url: base_url.unwrap_or_else(|| default_base_url(self.server.scheme(), listening)),
            insecure_no_auth: self.server.insecure_no_auth,
            registration_enabled: self.people.account_registration,
            mail: self.people.mail(&self.database),
            oauth,
            audit,
            ..self.fhir.settings(&self.database)
        })
    }
}

impl ServerConfig {
    fn scheme(&self) -> &'static str {
        if self.tls.tls_certificate.is_some() { "https" } else { "http" }
    }
}

impl ImportConfig {
    /// The settings of the import: the limits of requests do not hold for the operator's own
    /// files, and resources are stored under the ids that they have.
    pub fn settings(&self) -> Settings {
        let settings = self.beside.settings();
        Settings {
            limits: Limits {
                nodes: usize::MAX,
                array_items: usize::MAX,
                bundle_entries: usize::MAX,
                ..settings.limits
            },
            update_creates: true,
            // Its events are stored with what it writes; it has no others.
            audit: Some(AuditSettings { node: "import".to_owned(), ..AuditSettings::default() }),
            ..settings
        }
    }

    pub fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(2, |cores| cores.get());
        self.workers.map_or_else(|| cores().max(2), usize::from)
    }
}

impl BesideConfig {
    pub fn settings(&self) -> Settings {
        let settings = self.fhir.settings(&self.database);
        let base_url = self.base_url.clone().unwrap_or_else(|| settings.base_url.clone());
        Settings { base_url, ..settings }
    }
}

impl FhirConfig {
    /// The settings without those of a listening server.
    pub fn settings(&self, database: &DatabaseConfig) -> Settings {
        Settings {
            limits: Limits {
                body_bytes: self.body_bytes,
                admitted_bytes: self.admitted_bytes.max(self.body_bytes),
                bundle_entries: self.bundle_entries,
                page_default: self.page_default.min(self.page_maximum),
                page_maximum: self.page_maximum,
                sort_matches: self.sort_matches,
                page_changes: self.page_changes,
                conditional_delete: self.conditional_delete,
                statement_seconds: database.statement_seconds,
                ..Limits::default()
            },
            integrity_on_write: self.integrity_on_write,
            integrity_on_delete: self.integrity_on_delete,
            unique_identifiers: self.unique_identifiers.clone(),
            default_zone: self.default_zone,
            update_creates: self.update_creates,
            keeps_jsonb: database.jsonb,
            content_search: database.content_search,
            link_days: LinkDays {
                encounter: self.care_days_encounter,
                appointment: self.care_days_appointment,
                birth: self.care_days_birth,
            },
            patient_reported: self.patient_reported_codes.clone(),
            roles: self.roles.settings(),
            ..Settings::default()
        }
    }
}

/// True where the environment has the secret of a server that signed tokens symmetrically.
pub fn has_shared_secret() -> bool {
    std::env::var_os("JWT_SECRET").is_some()
}

/// The names of this server's variables in the environment, known ones or not.
pub fn set_variables() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("BHN_")).collect();
    names.sort();
    names
}

/// The folders in which programs are looked for.
pub fn search_path() -> Option<OsString> {
    std::env::var_os("PATH")
}

fn default_pool() -> u32 {
    let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get() as u32);
    (2 * cores).clamp(8, 32)
}

/// A server that listens everywhere is reached from this machine at its loopback address.
fn default_base_url(scheme: &str, listening: SocketAddr) -> String {
    let mut reached = listening;
    match listening.ip() {
        IpAddr::V4(address) if address.is_unspecified() => reached.set_ip([127, 0, 0, 1].into()),
        IpAddr::V6(address) if address.is_unspecified() => {
            reached.set_ip(std::net::Ipv6Addr::LOCALHOST.into());
        }
        _ => {}
    }
    format!("{scheme}://{reached}/fhir")
}

fn parse_base_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| error.to_string())?;
    let is_http = ["http", "https"].contains(&url.scheme()) && url.host().is_some();
    let is_bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    match is_http && is_bare {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => Err("an http or https URL without query, fragment and user is wanted".to_owned()),
    }
}

fn parse_unique_identifier(text: &str) -> Result<UniqueIdentifier, String> {
    let (name, system) = text.split_once('|').ok_or("Type|system is wanted")?;
    let resource_type =
        ResourceType::parse(name).ok_or_else(|| format!("{name} is no resource type"))?;
    match system.is_empty() {
        true => Err("an identifier system is wanted after the |".to_owned()),
        false => Ok(UniqueIdentifier { resource_type, system: system.to_owned() }),
    }
}

fn parse_zone(text: &str) -> Result<FixedOffset, String> {
    match text {
        "Z" => Ok(FixedOffset::east_opt(0).expect("zero is an offset")),
        _ => text.parse().map_err(|_| "an offset such as +06:00, or Z, is wanted".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_url_follows_the_address_unless_it_is_set() {
        let address = |text: &str| text.parse().unwrap();
        assert_eq!(
            default_base_url("http", address("127.0.0.1:8080")),
            "http://127.0.0.1:8080/fhir"
        );
        assert_eq!(default_base_url("http", address("0.0.0.0:80")), "http://127.0.0.1:80/fhir");
        assert_eq!(default_base_url("http", address("[::]:80")), "http://[::1]:80/fhir");
        assert_eq!(parse_base_url("https://fhir.example/r4/").unwrap(), "https://fhir.example/r4");
        for wrong in ["fhir.example", "ftp://a/", "http://a/?b", "http://u@a/fhir"] {
            assert!(parse_base_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_unique_identifier_names_a_type_and_a_system() {
        let parsed = parse_unique_identifier("Patient|http://hospital.example/mrn").unwrap();
        assert_eq!(parsed.resource_type.name(), "Patient");
        assert_eq!(parsed.system, "http://hospital.example/mrn");
        for wrong in ["Patient", "Patient|", "Patinet|http://a"] {
            assert!(parse_unique_identifier(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_zone_is_an_offset() {
        assert_eq!(parse_zone("+06:00").unwrap().local_minus_utc(), 6 * 3600);
        assert_eq!(parse_zone("Z").unwrap().local_minus_utc(), 0);
        assert!(parse_zone("Asia/Dhaka").is_err());
    }
}
