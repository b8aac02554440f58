//! When a signing key changes its state: published a day before it signs, replaced after 90 days,
//! believed until nothing that it signed can still be good.

use crate::storage::{KeyState, SigningKeyRow};
use chrono::{DateTime, Duration, Utc};

/// Everybody who keeps a copy of the key set has a newer one by then.
const PUBLISHED_FOR: Duration = Duration::hours(24);
/// A new key is made early enough to be published that long.
const MADE_AFTER: Duration = Duration::days(89);
/// Longer than any token and the `max-age` of the key set together.
pub const RETIRING_FOR: Duration = Duration::hours(3);

/// One change that is due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A key that signs is wanted now.
    MakeActive,
    /// A key is wanted that signs after this one.
    MakeNext,
    /// The next one signs from now on.
    Promote { next: String, active: Option<String> },
    /// Nothing that it signed can be good any more.
    Remove(String),
}

/// What is due for the keys of one purpose.
pub fn due(keys: &[SigningKeyRow], now: DateTime<Utc>) -> Vec<Step> {
    let of = |state| keys.iter().find(move |key| key.state == state);
    let ended = keys.iter().filter(|key| {
        let retired = key.retired.unwrap_or(key.created);
        key.state == KeyState::Retiring && retired + RETIRING_FOR <= now
    });
    let mut steps: Vec<Step> = ended.map(|key| Step::Remove(key.kid.clone())).collect();
    match (of(KeyState::Active), of(KeyState::Next)) {
        (active, Some(next)) if active.is_none() || next.created + PUBLISHED_FOR <= now => {
            let (next, active) = (next.kid.clone(), active.map(|active| active.kid.clone()));
            steps.push(Step::Promote { next, active });
        }
        (None, None) => steps.push(Step::MakeActive),
        (Some(active), None) if active.activated.unwrap_or(active.created) + MADE_AFTER <= now => {
            steps.push(Step::MakeNext);
        }
        _ => {}
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kid: &str, state: KeyState, days: i64) -> SigningKeyRow {
        let at = DateTime::UNIX_EPOCH + Duration::days(days);
        SigningKeyRow {
            kid: kid.to_owned(),
            purpose: "access-token".to_owned(),
            algorithm: "ES256".to_owned(),
            state,
            public_jwk: "{}".to_owned(),
            sealed: None,
            created: at,
            activated: (state != KeyState::Next).then_some(at),
            retired: matches!(state, KeyState::Retiring | KeyState::Removed).then_some(at),
        }
    }

    fn due_on(day: i64, keys: &[SigningKeyRow]) -> Vec<Step> {
        due(keys, DateTime::UNIX_EPOCH + Duration::days(day))
    }

    #[test]
    fn as_71_a_key_is_published_a_day_before_it_signs_and_signs_for_90_days() {
        assert_eq!(due_on(0, &[]), [Step::MakeActive]);
        let first = key("a", KeyState::Active, 0);
        assert_eq!(due_on(88, std::slice::from_ref(&first)), []);
        assert_eq!(due_on(89, std::slice::from_ref(&first)), [Step::MakeNext]);
        let both = [first, key("b", KeyState::Next, 89)];
        assert_eq!(due_on(89, &both), []);
        let promote = Step::Promote { next: "b".to_owned(), active: Some("a".to_owned()) };
        assert_eq!(due_on(90, &both), [promote]);
        let after = [key("a", KeyState::Retiring, 90), key("b", KeyState::Active, 90)];
        assert_eq!(due_on(90, &after), []);
        assert_eq!(due_on(91, &after), [Step::Remove("a".to_owned())]);
    }

    #[test]
    fn what_was_removed_comes_back_in_no_way() {
        assert_eq!(due_on(400, &[key("a", KeyState::Removed, 0)]), [Step::MakeActive]);
    }
}
