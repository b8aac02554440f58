//! What is read and not yet stored, bounded in bytes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits are counted in KiB, because a semaphore counts in 32 bits.
const GRAIN: usize = 1 << 10;
/// How often a reader that waits for room looks for it.
const LOOK: Duration = Duration::from_millis(2);

/// One unit of work as read.
pub struct Task {
    /// `path`, or `archive!path`.
    pub source: Arc<str>,
    /// The first line; 1 for a document.
    pub place: u64,
    pub content: Content,
    spare: Spare,
    _room: OwnedSemaphorePermit,
}

/// Buffers that were read out, for the files that follow: fresh memory costs more than reading.
type Spare = Arc<Mutex<Vec<Vec<u8>>>>;

/// So many buffers are kept, and none beyond this size.
const SPARE: usize = 8;
const SPARE_BYTES: usize = 4 << 20;

impl Drop for Task {
    fn drop(&mut self) {
        let mut bytes = match &mut self.content {
            Content::Document(bytes) => std::mem::take(bytes),
            Content::Lines(lines) => std::mem::take(&mut lines.text),
        };
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE && bytes.capacity() <= SPARE_BYTES {
            bytes.clear();
            spare.push(bytes);
        }
    }
}

pub enum Content {
    /// A whole JSON file.
    Document(Vec<u8>),
    /// Lines of an NDJSON file.
    Lines(Lines),
}

/// Lines one after the other, with their numbers and ends.
#[derive(Default)]
pub struct Lines {
    pub text: Vec<u8>,
    /// Number of the line, and where it begins and ends in the text.
    pub places: Vec<(u64, std::ops::Range<usize>)>,
}

/// The sending side, used by a thread that may block.
pub struct Queue {
    room: Arc<Semaphore>,
    capacity: usize,
    sender: UnboundedSender<Task>,
    stop: Arc<AtomicBool>,
    spare: Spare,
}

/// The receiving side.
pub struct Tasks(UnboundedReceiver<Task>);

impl Queue {
    /// Room for about `bytes`; a single larger unit takes all of it.
    pub fn new(bytes: usize, stop: Arc<AtomicBool>) -> (Queue, Tasks) {
        let capacity = (bytes / GRAIN).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let (sender, receiver) = unbounded_channel();
        let room = Arc::new(Semaphore::new(capacity));
        let spare = Spare::default();
        (Queue { room, capacity, sender, stop, spare }, Tasks(receiver))
    }

    /// Waits for room. False where the import was stopped.
    pub fn send(&self, source: &Arc<str>, place: u64, content: Content) -> bool {
        let bytes = match &content {
            Content::Document(bytes) => bytes.len(),
            Content::Lines(lines) => lines.text.len(),
        };
        let grains = (bytes / GRAIN + 1).min(self.capacity) as u32;
        let room = loop {
            if self.is_stopped() {
                return false;
            }
            match self.room.clone().try_acquire_many_owned(grains) {
                Ok(room) => break room,
                Err(_) => std::thread::sleep(LOOK),
            }
        };
        let (source, spare) = (source.clone(), self.spare.clone());
        let task = Task { source, place, content, spare, _room: room };
        self.sender.send(task).is_ok()
    }

    /// An empty buffer to read into.
    pub fn buffer(&self) -> Vec<u8> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.pop().unwrap_or_default()
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Tasks {
    /// The next task; None after the last.
    pub async fn next(&mut self) -> Option<Task> {
        self.0.recv().await
    }
}
