//! How far an import is: counted by its threads, shown by whoever likes.

use crate::interactions::bulk::Stored;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one run.
#[derive(Default, Debug)]
pub struct Progress {
    expected_bytes: AtomicU64,
    read_bytes: AtomicU64,
    stored: AtomicU64,
    created: AtomicU64,
    rejected: AtomicU64,
    done_before: AtomicU64,
}

impl Progress {
    pub(super) fn expect_bytes(&self, bytes: u64) {
        self.expected_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn read(&self, bytes: u64) {
        self.read_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn stored(&self, units: &[Stored]) {
        for unit in units {
            self.stored.fetch_add(unit.resources, Ordering::Relaxed);
            self.created.fetch_add(unit.created, Ordering::Relaxed);
            self.done_before.fetch_add(u64::from(unit.was_done), Ordering::Relaxed);
        }
    }

    pub(super) fn rejected(&self, count: u64) {
        self.rejected.fetch_add(count, Ordering::Relaxed);
    }

    /// Share of the files' bytes that was read, 0 to 1.
    pub fn share(&self) -> f64 {
        let expected = self.expected_bytes.load(Ordering::Relaxed).max(1);
        (self.read_bytes.load(Ordering::Relaxed) as f64 / expected as f64).min(1.0)
    }

    /// Resources that are in the store now, as the files say them.
    pub fn resources(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    /// Those of them that did not exist.
    pub fn created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }

    /// Lines, entries and Bundles that were refused.
    pub fn rejects(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    /// Units that an earlier run had stored.
    pub fn done_before(&self) -> u64 {
        self.done_before.load(Ordering::Relaxed)
    }
}
