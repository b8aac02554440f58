//! Links to pages: sealed, bound to the caller, expiring, and silent about the query.

use super::context::Context;
use crate::access::Permit;
use crate::error::Result;
use crate::fhir::interaction::Parameter;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The parameter that carries a sealed page.
pub const PARAMETER: &str = "_page";

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
        let (now, principal) = (self.context.clock.now(), self.permit.principal());
        let token = self.context.sealer.seal_page(state, principal, now)?;
        let page = (PARAMETER.to_owned(), token);
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
pub fn open<T: DeserializeOwned>(context: &Context, permit: &Permit, token: &str) -> Result<T> {
    context.sealer.open_page(token, permit.principal(), context.clock.now())
}
