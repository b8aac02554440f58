//! Challenges for passkeys: begun for one browser and one purpose, answered once, within five
//! minutes.

use super::super::posted::Fields;
use super::super::problem::Problem;
use super::super::visit::Visit;
use crate::error::Result;
use crate::oauth::accounts::passkeys::{ANSWERED_WITHIN, Answer, Begun, Refused, RelyingParty};
use crate::oauth::accounts::{of_origin, secrets};
use crate::storage::{Challenge, Passkey, Throttle};
use axum::body::Body;
use axum::http::Response;

/// The field of a form that has the answer of the browser.
pub const ANSWER: &str = "credential";
/// Challenges that one address may ask for in a quarter of an hour: each is kept.
const ASKED: Throttle = of_origin(3_000);

/// What an answer is for; one for something else is void.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    Register,
    /// To sign in by it alone.
    SignIn,
    /// After the password.
    Factor,
    /// To remove another factor.
    Removal,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Purpose::Register => "register",
            Purpose::SignIn => "sign-in",
            Purpose::Factor => "factor",
            Purpose::Removal => "removal",
        }
    }
}

/// The script that hands a challenge to the browser and sends the answer.
pub async fn script() -> Response<Body> {
    let script = include_str!("../../templates/passkeys.js").to_owned();
    super::super::home::cached("text/javascript; charset=utf-8", script)
}

/// 404 where there are no passkeys: the server has an address, and no name.
pub fn relying_party(visit: &Visit) -> Result<&RelyingParty, Problem> {
    let party = visit.server.people.relying_party.as_ref();
    party.ok_or_else(|| Problem::new(404, |texts| texts.not_found))
}

/// Keeps the challenge of a ceremony; the options for the script.
pub async fn begin(
    visit: &Visit,
    (purpose, account): (Purpose, Option<&str>),
    begun: Begun,
) -> Result<String, Problem> {
    let address = visit.origin.address.map(|address| address.to_string()).unwrap_or_default();
    let store = &visit.server.context.store;
    let key = secrets::hash_of("challenges", &address);
    if let Some(until) = store.attempt(&key, &ASKED, visit.now).await? {
        return Err(Problem::too_many((until - visit.now).num_seconds()));
    }
    let (hash, browser) = (begun.hash, visit.browser());
    let challenge =
        Challenge { hash: &hash, purpose: purpose.as_str(), account, browser: &browser };
    store.keep_challenge(&challenge, &begun.state, visit.now + ANSWERED_WITHIN).await?;
    Ok(begun.options)
}

/// Takes the challenge that the form answers, and what the answer is verified with.
pub async fn taken<'a>(
    visit: &Visit,
    (purpose, account): (Purpose, Option<&str>),
    fields: &'a Fields,
) -> Result<std::result::Result<(Answer<'a>, String), Refused>, Problem> {
    let Some(answer) = Answer::read(fields.get(ANSWER)) else {
        return Ok(Err(Refused::Wrong("no passkey")));
    };
    let browser = visit.browser();
    let challenge =
        Challenge { hash: &answer.hash, purpose: purpose.as_str(), account, browser: &browser };
    let state = visit.server.context.store.take_challenge(&challenge, visit.now).await?;
    Ok(state.map(|state| (answer, state)).ok_or(Refused::Wrong("an unknown challenge")))
}

/// The passkey that has answered. Of an account where one is named, else whosever it is.
pub async fn shown(
    visit: &Visit,
    place: (Purpose, Option<&str>),
    fields: &Fields,
) -> Result<std::result::Result<Passkey, Refused>, Problem> {
    let (answer, state) = match taken(visit, place, fields).await? {
        Ok(taken) => taken,
        Err(refused) => return Ok(Err(refused)),
    };
    let store = &visit.server.context.store;
    let known = store.passkey(&answer.id, visit.now).await?;
    let known = known.filter(|known| place.1.is_none_or(|account| known.account == account));
    let Some(passkey) = known else { return Ok(Err(Refused::Wrong("an unknown passkey"))) };
    let counter = match relying_party(visit)?.verify(&answer, &state, &passkey) {
        Ok(counter) => counter,
        Err(refused) => return Ok(Err(refused)),
    };
    match store.use_passkey(&passkey.id, counter, visit.now).await? {
        true => Ok(Ok(passkey)),
        false => Ok(Err(Refused::Copied)),
    }
}
