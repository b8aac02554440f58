//! Letters to people: through SMTP, or into a folder where no mail server is set.

use crate::config::MailSettings;
use crate::error::{FhirError, Result};
use lettre::message::{Mailbox, header::ContentType};
use lettre::{AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Letters that may be under way; more are not sent.
const UNDER_WAY: usize = 32;
const SENT_WITHIN: Duration = Duration::from_secs(30);

/// Sends letters beside the request, which tells nobody by its duration whether one was sent.
pub struct Mailer {
    transport: Transport,
    from: Mailbox,
    places: Arc<Semaphore>,
}

#[derive(Clone)]
enum Transport {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(std::path::PathBuf),
}

impl Mailer {
    /// An error for a URL or sender that is none.
    pub fn new(settings: &MailSettings) -> Result<Mailer> {
        let transport = match &settings.smtp_url {
            Some(url) => {
                let built = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
                Transport::Smtp(built.map_err(FhirError::internal)?.build())
            }
            None => Transport::Folder(settings.folder.clone()),
        };
        let from = settings.from.parse().map_err(FhirError::internal)?;
        Ok(Mailer { transport, from, places: Arc::new(Semaphore::new(UNDER_WAY)) })
    }

    /// Sends later. What becomes of it stands in the log, without the address.
    pub fn send(&self, to: &str, subject: &str, text: String) {
        let message = to.parse::<Mailbox>().map_err(FhirError::internal).and_then(|to| {
            let letter = Message::builder().from(self.from.clone()).to(to).subject(subject);
            letter.header(ContentType::TEXT_PLAIN).body(text).map_err(FhirError::internal)
        });
        let (message, place) = match (message, self.places.clone().try_acquire_owned()) {
            (Ok(message), Ok(place)) => (message, place),
            (Err(_), _) => return tracing::warn!("a letter could not be written"),
            (_, Err(_)) => return tracing::warn!("a letter was not sent: too many are under way"),
        };
        let transport = self.transport.clone();
        tokio::spawn(async move {
            if !matches!(timeout(SENT_WITHIN, transport.send(message)).await, Ok(true)) {
                tracing::warn!("a letter was not sent");
            }
            drop(place);
        });
    }
}

impl Transport {
    async fn send(&self, message: Message) -> bool {
        match self {
            Transport::Smtp(smtp) => smtp.send(message).await.is_ok(),
            Transport::Folder(folder) => {
                let is_made = tokio::fs::create_dir_all(folder).await.is_ok();
                let files = AsyncFileTransport::<Tokio1Executor>::new(folder);
                is_made && files.send(message).await.is_ok()
            }
        }
    }
}
