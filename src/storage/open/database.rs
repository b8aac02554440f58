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
}

impl Database {
    /// From a `postgres://` URL. Over a network the server's certificate is verified, whatever
    /// the URL leaves unsaid; a URL that asks for less is refused.
    pub fn from_url(url: &str) -> Result<Database, StartError> {
        let refused = |text: &str| StartError::DatabaseUrl(text.to_owned());
        let parsed = url::Url::parse(url).map_err(|error| refused(&error.to_string()))?;
        if !["postgres", "postgresql"].contains(&parsed.scheme()) {
            return Err(refused("it must begin with postgres://"));
        }
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| refused("it is no connection URL of PostgreSQL"))?;
        if is_local(&options) {
            return Ok(Database { options });
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
        Ok(Database { options: options.ssl_mode(PgSslMode::VerifyFull) })
    }

    /// Through a unix socket in `folder`.
    pub(in crate::storage) fn on_socket(folder: &Path, user: &str, name: &str) -> Database {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(folder)
            .port(5432)
            .username(user)
            .database(name)
            .ssl_mode(PgSslMode::Disable);
        Database { options }
    }

    /// The same server and user, another database.
    pub fn named(&self, name: &str) -> Database {
        Database { options: self.options.clone().database(name) }
    }

    /// True where a connection may go silent without an end: anything but a unix socket.
    pub(super) fn is_over_network(&self) -> bool {
        self.options.get_socket().is_none() && !self.options.get_host().starts_with('/')
    }

    /// For connections; also for the tests' own.
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
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
    fn an_error_never_repeats_the_password() {
        let error = Database::from_url("mysql://u:secret@h/d").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
