//! How to reach a database.

use super::StartError;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

/// A database that the server may connect to.
#[derive(Clone, Debug)]
pub struct Database {
    options: PgConnectOptions,
    /// Of the role that owns the tables, where another one serves.
    owner: Option<PgConnectOptions>,
}

impl Database {
    /// From the URL of the role that serves and, where another one owns the tables, of that one.
    pub fn from_urls(url: &str, owner: Option<&str>) -> Result<Database, StartError> {
        let database = Database::from_url(url)?;
        let Some(owner) = owner else { return Ok(database) };
        match Database::from_url(owner) {
            Ok(owner) => Ok(database.owned_by(owner)),
            Err(StartError::DatabaseUrl(text)) => Err(StartError::OwnerDatabaseUrl(text)),
            Err(error) => Err(error),
        }
    }

    /// From a `postgres://` URL; its role does everything. Over a network the server's
    /// certificate is verified, whatever the URL leaves unsaid; a URL that asks for less is
    /// refused.
    pub fn from_url(url: &str) -> Result<Database, StartError> {
        let refused = |text: &str| StartError::DatabaseUrl(text.to_owned());
        let parsed = url::Url::parse(url).map_err(|error| refused(&error.to_string()))?;
        if !["postgres", "postgresql"].contains(&parsed.scheme()) {
            return Err(refused("it must begin with postgres://"));
        }
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| refused("it is no connection URL of PostgreSQL"))?;
        if is_local(&options) {
            return Ok(Database { options, owner: None });
        }
        let asked = parsed.query_pairs().find(|(name, _)| name == "sslmode" || name == "ssl-mode");
        match asked {
            None => {}
            Some((_, mode)) if mode == "verify-full" => {}
            Some((_, mode)) => {
                return Err(refused(&format!(
                    "sslmode={mode} does not verify the server; over a network it must be \
                     verify-full (with sslrootcert=FILE for an authority of your own)"
                )));
            }
        }
        Ok(Database { options: options.ssl_mode(PgSslMode::VerifyFull), owner: None })
    }

    /// Through a unix socket in `folder`.
    pub(in crate::storage) fn on_socket(folder: &Path, user: &str, name: &str) -> Database {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(folder)
            .port(5432)
            .username(user)
            .database(name)
            .ssl_mode(PgSslMode::Disable);
        Database { options, owner: None }
    }

    /// The same database; its tables belong to the role of `owner`.
    pub fn owned_by(self, owner: Database) -> Database {
        Database { options: self.options, owner: Some(owner.options) }
    }

    /// The same server and roles, another database.
    pub fn named(&self, name: &str) -> Database {
        let named = |options: &PgConnectOptions| options.clone().database(name);
        Database { options: named(&self.options), owner: self.owner.as_ref().map(named) }
    }

    /// True where one role owns the tables and another one serves.
    pub fn has_two_roles(&self) -> bool {
        self.owner.is_some()
    }

    /// For connections of the role that serves; also for the tests' own.
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// For connections of the role that owns the tables.
    pub fn owner_options(&self) -> &PgConnectOptions {
        self.owner.as_ref().unwrap_or(&self.options)
    }
}

/// A unix socket or a loopback address: nobody is in between.
fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    options.get_socket().is_some() || host.starts_with('/') || host == "localhost" || is_loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssl_mode(url: &str) -> String {
        format!("{:?}", Database::from_url(url).unwrap().options().get_ssl_mode())
    }

    #[test]
    fn over_a_network_the_certificate_is_verified() {
        assert_eq!(ssl_mode("postgres://u:p@db.example/bhn"), "VerifyFull");
        assert_eq!(ssl_mode("postgres://u:p@db.example/bhn?sslmode=verify-full"), "VerifyFull");
        for weak in ["disable", "prefer", "require", "verify-ca"] {
            let url = format!("postgres://u:p@10.0.0.1/bhn?sslmode={weak}");
            assert!(Database::from_url(&url).unwrap_err().to_string().contains("verify-full"));
        }
    }

    #[test]
    fn loopback_and_sockets_need_no_certificate() {
        assert_eq!(ssl_mode("postgres://u@localhost/bhn?sslmode=disable"), "Disable");
        assert_eq!(ssl_mode("postgres://u@127.0.0.1/bhn?sslmode=disable"), "Disable");
        assert_eq!(ssl_mode("postgres://u@%2Frun%2Fpostgresql/bhn?sslmode=disable"), "Disable");
    }

    #[test]
    fn the_owners_url_is_checked_as_the_other_and_named_in_its_error() {
        let url = "postgres://application@localhost/bhn";
        let database = Database::from_urls(url, Some("postgres://owner@localhost/bhn")).unwrap();
        assert_eq!(database.options().get_username(), "application");
        assert_eq!(database.owner_options().get_username(), "owner");
        assert_eq!(database.named("other").owner_options().get_database(), Some("other"));
        let alone = Database::from_urls(url, None).unwrap();
        assert_eq!(alone.owner_options().get_username(), "application");
        let weak = "postgres://owner@10.0.0.1/bhn?sslmode=require";
        let error = Database::from_urls(url, Some(weak)).unwrap_err().to_string();
        assert!(error.starts_with("BHN_OWNER_DATABASE_URL: "), "{error}");
    }

    #[test]
    fn an_error_never_repeats_the_password() {
        let error = Database::from_url("mysql://u:secret@h/d").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
