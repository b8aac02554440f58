//! The instants of writes that this process has begun and not ended.

use chrono::{DateTime, Duration, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Default)]
struct State {
    begun: BTreeMap<DateTime<Utc>, usize>,
    /// What was shown is closed: a later write is stamped from here on.
    floor: DateTime<Utc>,
}

/// Shared by all writes of the process.
#[derive(Clone, Default)]
pub struct WritesUnderWay(Arc<Mutex<State>>);

/// Holds one instant until it is dropped, after the commit or the failure.
pub struct WriteUnderWay {
    all: WritesUnderWay,
    instant: DateTime<Utc>,
}

impl WritesUnderWay {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Announces a write that stamps its versions with the instant returned: now, or later
    /// where a page of history has shown everything up to now.
    pub fn begin(&self, now: DateTime<Utc>) -> WriteUnderWay {
        let mut state = self.state();
        let instant = now.max(state.floor);
        *state.begun.entry(instant).or_default() += 1;
        WriteUnderWay { all: self.clone(), instant }
    }

    /// An instant before which every version is visible or will never be.
    pub fn visible_before(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let mut state = self.state();
        let next = now + Duration::milliseconds(1);
        let bound = state.begun.keys().next().map_or(next, |oldest| next.min(*oldest));
        state.floor = state.floor.max(bound);
        bound
    }
}

impl WriteUnderWay {
    pub fn instant(&self) -> DateTime<Utc> {
        self.instant
    }
}

impl Drop for WriteUnderWay {
    fn drop(&mut self) {
        let mut state = self.all.state();
        if let Some(count) = state.begun.get_mut(&self.instant) {
            *count -= 1;
            if *count == 0 {
                state.begun.remove(&self.instant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn the_oldest_write_under_way_bounds_what_may_be_shown() {
        let writes = WritesUnderWay::default();
        let first = writes.begin(at(1));
        let second = writes.begin(at(2));
        assert_eq!(writes.visible_before(at(9)), at(1));
        drop(first);
        assert_eq!(writes.visible_before(at(9)), at(2));
        drop(second);
        assert!(writes.visible_before(at(9)) > at(9));
    }

    #[test]
    fn a_write_is_never_stamped_before_what_was_already_shown() {
        let writes = WritesUnderWay::default();
        let bound = writes.visible_before(at(9));
        assert_eq!(writes.begin(at(9)).instant(), bound);
    }
}
