//! Links to pages: sealed, bound to the caller, expiring, and silent about the query.

use super::context::Context;
use crate::access::Permit;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::interaction::Parameter;
use chrono::{DateTime, Duration, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The parameter that carries a sealed page.
pub const PARAMETER: &str = "_page";

/// How long a link can be followed.
const VALID: Duration = Duration::hours(1);

/// Left as they are in the query of a link.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'/')
    .remove(b',')
    .remove(b'|');

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    #[serde(rename = "p")]
    principal: String,
    #[serde(rename = "e")]
    expires: DateTime<Utc>,
    #[serde(rename = "s")]
    state: T,
}

/// Makes the links of one answer.
pub struct PageLink<'a> {
    pub context: &'a Context,
    pub permit: &'a Permit,
    /// After the base, without a query.
    pub path: &'a str,
    /// `_format`, `_elements` and the like as given; every link repeats them.
    pub presentation: &'a [Parameter],
}

impl PageLink<'_> {
    /// The link `self`, with what was applied.
    pub fn of(&self, applied: &[Parameter]) -> String {
        let parameters: Vec<&Parameter> = applied.iter().chain(self.presentation).collect();
        self.url(&parameters)
    }

    /// A link that holds this state.
    pub fn sealed<T: Serialize>(&self, state: &T) -> Result<String> {
        let sealed = Sealed {
            principal: self.permit.principal().to_owned(),
            expires: self.context.clock.now() + VALID,
            state,
        };
        let plain = serde_json::to_vec(&sealed).map_err(FhirError::internal)?;
        let page = (PARAMETER.to_owned(), self.context.sealer.seal(&plain)?);
        let mut parameters = vec![&page];
        parameters.extend(self.presentation);
        Ok(self.url(&parameters))
    }

    fn url(&self, parameters: &[&Parameter]) -> String {
        let mut url = format!("{}/{}", self.context.settings.base_url, self.path);
        if self.path.is_empty() {
            url.pop();
        }
        for (index, (name, value)) in parameters.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.extend(utf8_percent_encode(name, QUERY));
            url.push('=');
            url.extend(utf8_percent_encode(value, QUERY));
        }
        url
    }
}

/// The state that a link holds. 404 where it is not a link of this server's, was given to
/// another caller, or has expired; the three look alike.
pub fn open<T: DeserializeOwned>(context: &Context, permit: &Permit, text: &str) -> Result<T> {
    let plain = context.sealer.open(text).map_err(|_| not_known())?;
    let sealed: Sealed<T> = serde_json::from_slice(&plain).map_err(|_| not_known())?;
    let is_valid =
        sealed.principal == permit.principal() && context.clock.now() < sealed.expires;
    match is_valid {
        true => Ok(sealed.state),
        false => Err(not_known()),
    }
}

pub fn not_known() -> FhirError {
    let text = "This page is not known, or its link has expired; start again at the first page";
    FhirError::new(ErrorKind::NotFound, IssueCode::NotFound, text)
}
