//! Whether a person has shown a second factor: a passkey, a code of the app, or a recovery code.

use super::super::about::{About, refused, tell};
use super::super::posted::Fields;
use super::super::problem::Problem;
use super::super::visit::Visit;
use super::ceremony::{self, ANSWER, Purpose};
use crate::oauth::accounts::passkeys::Refused;
use crate::oauth::accounts::{Attempt, totp};
use crate::oauth::events::SecurityEvent;
use crate::storage::{Account, Factor, Passkey};

/// Attempts at the factors of an account are counted together.
pub const OF_ACCOUNT: &str = "otp";

/// What was shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    Code,
    Passkey,
}

/// Counts an attempt at that kind of factor; 429 where there were too many.
pub async fn counted(visit: &Visit, place: (&str, &str)) -> Result<Attempt, Problem> {
    let server = &visit.server;
    let store = &server.context.store;
    match Attempt::count(store, place, visit.origin.address, visit.now).await? {
        Ok(attempt) => Ok(attempt),
        Err(until) => {
            let account = (place.0 == OF_ACCOUNT).then_some(place.1);
            let about = About { account, client: None };
            tell(server, refused("too many attempts"), about, &visit.origin).await?;
            Err(Problem::too_many((until - visit.now).num_seconds()))
        }
    }
}

/// What the form proves, of other factors than `except`. None where it is wrong; that is told.
pub async fn proved(
    visit: &Visit,
    account: &Account,
    fields: &Fields,
    (purpose, except): (Purpose, Option<&Factor>),
) -> Result<Option<Proof>, Problem> {
    let id = account.account.as_str();
    let attempt = counted(visit, (OF_ACCOUNT, id)).await?;
    let shown = match fields.find(ANSWER) {
        Some(_) => by_passkey(visit, account, fields, (purpose, except)).await?,
        None => {
            let is_taken = is_taken(visit, id, fields.get("code"), except).await?;
            is_taken.then_some(Proof::Code).ok_or(Refused::Wrong("wrong code"))
        }
    };
    match shown {
        Ok(proof) => {
            attempt.succeed(&visit.server.context.store).await?;
            Ok(Some(proof))
        }
        Err(refused) => {
            tell_refused(visit, Some(account), refused).await?;
            Ok(None)
        }
    }
}

/// Tells why a factor was refused. A copy of a key is told to its owner, too.
pub async fn tell_refused(
    visit: &Visit,
    account: Option<&Account>,
    refusal: Refused,
) -> Result<(), Problem> {
    let about = About { account: account.map(|account| account.account.as_str()), client: None };
    let event = match refusal {
        Refused::Copied => SecurityEvent::PasskeyCopied,
        Refused::Wrong(reason) => refused(reason),
    };
    if let (Refused::Copied, Some(account)) = (refusal, account) {
        super::write_to(visit, account, |texts| texts.letter_passkey_copied);
    }
    Ok(tell(&visit.server, event, about, &visit.origin).await?)
}

async fn by_passkey(
    visit: &Visit,
    account: &Account,
    fields: &Fields,
    (purpose, except): (Purpose, Option<&Factor>),
) -> Result<Result<Proof, Refused>, Problem> {
    let shown = ceremony::shown(visit, (purpose, Some(&account.account)), fields).await?;
    let is_except = |passkey: &Passkey| except == Some(&Factor::Passkey(passkey.id.clone()));
    Ok(match shown {
        Ok(passkey) if is_except(&passkey) => Err(Refused::Wrong("the factor to be removed")),
        Ok(_) => Ok(Proof::Passkey),
        Err(refused) => Err(refused),
    })
}

async fn is_taken(
    visit: &Visit,
    account: &str,
    code: &str,
    except: Option<&Factor>,
) -> Result<bool, Problem> {
    let store = &visit.server.context.store;
    let known = store.totp(account).await?.filter(|known| {
        let lasts = known.ends.is_none_or(|ends| ends > visit.now);
        known.is_confirmed && lasts && except != Some(&Factor::Totp)
    });
    if let Some(known) = known {
        let secret = visit.server.people.keys.open(account, &known.sealed)?;
        if let Some(step) = totp::step_of(&secret, code, visit.now.timestamp()) {
            return Ok(store.take_totp(account, step, visit.now).await?);
        }
    }
    let hash = totp::recovery_hash(account, code);
    Ok(store.take_recovery_code(account, &hash, visit.now).await?)
}
