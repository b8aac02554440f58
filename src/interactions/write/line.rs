//! Who lost a race against other writers of the same resource waits in line: of the losers in
//! this process one at a time looks again and writes. Without it they would all look, one would
//! win, and the others would have looked in vain, each time anew.

use super::draft::{Target, Write};
use crate::error::{FhirError, Result};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

/// Resources share lines; a few more in one than need be only wait.
const LINES: usize = 256;
/// Who waits longer is refused with 503.
const PATIENCE: Duration = Duration::from_secs(10);

/// The lines of a server.
pub struct Lines {
    lines: Vec<Mutex<()>>,
}

impl Default for Lines {
    fn default() -> Self {
        Lines { lines: (0..LINES).map(|_| Mutex::new(())).collect() }
    }
}

impl Lines {
    /// The front of the line of every resource that the writes are about, until it is dropped.
    /// 503 where that takes too long.
    pub async fn front_of(&self, writes: &[Write]) -> Result<Vec<MutexGuard<'_, ()>>> {
        let mut places: Vec<usize> = writes.iter().filter_map(place).collect();
        // In one order for all, so that no two wait for each other.
        places.sort_unstable();
        places.dedup();
        let stand = async {
            let mut fronts = Vec::with_capacity(places.len());
            for place in places {
                fronts.push(self.lines[place].lock().await);
            }
            fronts
        };
        tokio::time::timeout(PATIENCE, stand)
            .await
            .map_err(|_| FhirError::unavailable("Too many writers contend for this resource"))
    }
}

fn place(write: &Write) -> Option<usize> {
    let mut hasher = DefaultHasher::new();
    match &write.target {
        Target::New(_) => return None,
        Target::Key(key) => key.hash(&mut hasher),
        Target::Criteria(criteria) => criteria.normalised.hash(&mut hasher),
    }
    Some(hasher.finish() as usize % LINES)
}
