//! Bodies in work at once are bounded by their bytes: a large one takes the room of many small
//! ones. Who finds no room waits a little, then is told to come again.

use crate::error::{FhirError, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit of account.
const KIB: usize = 1_024;

/// The room that all bodies share.
pub struct Admission {
    room: Arc<Semaphore>,
    capacity: usize,
    wait: Duration,
}

/// Room for one body; given back when dropped.
#[derive(Debug)]
pub struct Admitted {
    permit: OwnedSemaphorePermit,
}

impl Admission {
    pub fn new(bytes: usize, wait: Duration) -> Self {
        let capacity = units(bytes).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Admission { room: Arc::new(Semaphore::new(capacity)), capacity, wait }
    }

    /// Room for that many bytes, at most all there is. 503 where there is none in time.
    pub async fn admit(&self, bytes: usize) -> Result<Admitted> {
        let units = units(bytes).min(self.capacity) as u32;
        let permit = self.room.clone().acquire_many_owned(units);
        match tokio::time::timeout(self.wait, permit).await {
            Ok(Ok(permit)) => Ok(Admitted { permit }),
            _ => Err(FhirError::unavailable("The server has no room for this body now")),
        }
    }
}

impl Admitted {
    /// Gives back what a body of this size does not need.
    pub fn shrink(&mut self, bytes: usize) {
        let surplus = self.permit.num_permits().saturating_sub(units(bytes));
        drop(self.permit.split(surplus));
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(KIB).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_waits_for_room_and_is_refused_without() {
        let admission = Admission::new(10 * KIB, Duration::from_millis(20));
        let mut first = admission.admit(8 * KIB).await.unwrap();
        assert_eq!(admission.admit(4 * KIB).await.unwrap_err().kind.status(), 503);
        first.shrink(6 * KIB);
        let second = admission.admit(4 * KIB).await.unwrap();
        drop((first, second));
        assert!(admission.admit(usize::MAX).await.is_ok(), "the largest takes all there is");
    }
}
