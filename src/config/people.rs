//! How people come to accounts, and how letters reach them.

use super::DatabaseConfig;
use clap::{ArgAction, Args};
use std::path::PathBuf;

/// How letters are sent.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// `smtps://user:password@host`; None for the folder.
    pub smtp_url: Option<String>,
    pub folder: PathBuf,
    pub from: String,
}

impl Default for MailSettings {
    fn default() -> Self {
        let folder = PathBuf::from("./bhn-data/mail");
        MailSettings { smtp_url: None, folder, from: MAIL_FROM.to_owned() }
    }
}

const MAIL_FROM: &str = "Birth Health Network <no-reply@localhost>";

/// How people come to accounts, and hear of them.
#[derive(Args, Clone, Debug)]
pub struct PeopleConfig {
    /// Let people make accounts for themselves, as patients.
    #[arg(long, env = "BHN_ACCOUNT_REGISTRATION", default_value_t = false, action = ArgAction::Set)]
    pub account_registration: bool,
    /// Server for letters, such as smtps://user:password@mail.example; else they are files.
    #[arg(long, env = "BHN_SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<String>,
    /// Folder for letters where there is no server; that of the data, and mail in it, by default.
    #[arg(long, env = "BHN_MAIL_FOLDER")]
    pub mail_folder: Option<PathBuf>,
    /// Who letters are from.
    #[arg(long, env = "BHN_MAIL_FROM", default_value = MAIL_FROM)]
    pub mail_from: String,
}

impl PeopleConfig {
    /// How letters are sent; without a server and a folder into that of the data.
    pub fn mail(&self, database: &DatabaseConfig) -> MailSettings {
        let folder = self.mail_folder.clone();
        MailSettings {
            smtp_url: self.smtp_url.clone(),
            folder: folder.unwrap_or_else(|| database.data.join("mail")),
            from: self.mail_from.clone(),
        }
    }
}
