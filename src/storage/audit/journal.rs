//! The journal of a node: what it answered and has not yet brought to the database. Segments of
//! frames, each with a head that says where the chain of hashes was; what is torn at the end of the
//! last one was never answered, and is cut.

pub mod files;
pub mod frame;
#[cfg(test)]
mod tests;

use super::details::AuditKeys;
use crate::audit::Event;
use crate::error::{FhirError, Result};
use crate::storage::StartError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use frame::{Frame, HEAD_BYTES, Hash, Next};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// A segment that is longer is followed by another.
pub const SEGMENT_BYTES: u64 = 8 << 20;

/// Appends events, and gives them out again to be stored elsewhere.
pub struct Journal {
    node: String,
    folder: PathBuf,
    state: Mutex<State>,
    /// Bytes that are not stored elsewhere yet.
    backlog: AtomicU64,
    most_backlog: u64,
    keys: Option<Arc<AuditKeys>>,
    flushing: Arc<Flushing>,
}

/// What the disk has of the journal.
#[derive(Default)]
struct Flushing {
    is_running: AtomicBool,
    synced: watch::Sender<Synced>,
}

#[derive(Clone, Copy, Default)]
struct Synced {
    /// Up to this number the disk has everything.
    last: i64,
    /// A flush failed. What it was about may be lost though a later one succeeds, and what came
    /// after the gap with it: nothing more is taken.
    is_broken: bool,
}

struct State {
    /// The oldest first; the last one is written to.
    segments: VecDeque<Segment>,
    file: Arc<File>,
    /// The number that the next event gets.
    next: i64,
    /// The hash of the last event.
    head: Hash,
    /// Of the last event: time does not go back in a journal.
    recorded: chrono::DateTime<chrono::Utc>,
    /// True after a write that failed: what it left is cut before the next one.
    is_dirty: bool,
    buffer: Vec<u8>,
}

/// One file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Segment {
    /// The number of its first event.
    pub first: i64,
    /// Of whole frames, with the head.
    pub bytes: u64,
}

/// What of the journal is stored elsewhere: a place in a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    first: i64,
    offset: u64,
}

impl Journal {
    /// Opens the journal of a folder that this process alone uses, or begins it. An error where a
    /// segment is damaged in its middle: then somebody has to look. Details are sealed by `keys`.
    pub fn open(
        (folder, node): (PathBuf, &str),
        most_backlog: u64,
        keys: Option<Arc<AuditKeys>>,
    ) -> Result<Journal, StartError> {
        let (segments, next, head) = files::recover(&folder, node)?;
        let (segments, file) = match segments.back() {
            Some(last) => {
                let file = files::open(&folder, last)?;
                (segments, file)
            }
            None => {
                let (segment, file) = files::begin(&folder, next, &head)?;
                (VecDeque::from([segment]), file)
            }
        };
        let backlog = segments.iter().map(|segment| segment.bytes - files::HEAD).sum();
        let state = State {
            segments,
            file: Arc::new(file),
            next,
            head,
            recorded: chrono::DateTime::UNIX_EPOCH,
            is_dirty: false,
            buffer: Vec::with_capacity(4 << 10),
        };
        Ok(Journal {
            node: node.to_owned(),
            folder,
            state: Mutex::new(state),
            backlog: AtomicU64::new(backlog),
            most_backlog,
            keys,
            flushing: Arc::default(),
        })
    }

    /// Gives the event its number and writes it to the file: after this the end of the process
    /// loses it no more. 503 where it cannot be written, or too much is written that the database
    /// has not taken.
    pub fn append(&self, mut event: Event) -> Result<i64> {
        if self.flushing.synced.borrow().is_broken {
            return Err(self.broken());
        }
        if self.backlog.load(Ordering::Relaxed) > self.most_backlog {
            return Err(unavailable("more is waiting to be stored than is allowed"));
        }
        let mut state = self.state();
        event.recorded = event.recorded.max(state.recorded);
        event.before = Some(STANDARD_NO_PAD.encode(state.head));
        let seq = state.next;
        AuditKeys::seal(self.keys.as_deref(), &mut event, (&self.node, seq))?;
        let text = serde_json::to_string(&event).map_err(FhirError::internal)?;
        if text.len() > frame::MOST_BYTES {
            return Err(unavailable("one event is longer than an event may be"));
        }
        let hash = frame::hash_of(&self.node, seq, &text);
        state.write(&self.folder, (seq, &text)).map_err(|error| {
            tracing::error!(%error, "the journal of the audit cannot be written");
            unavailable("its journal cannot be written").with_source(error)
        })?;
        (state.next, state.head, state.recorded) = (seq + 1, hash, event.recorded);
        let bytes = (HEAD_BYTES + text.len()) as u64;
        self.backlog.fetch_add(bytes, Ordering::Relaxed);
        Ok(seq)
    }

    /// Comes back when the disk has the event of this number, with all that were written before:
    /// one flush of the disk for everybody who waits. Whoever finds none under way begins the next.
    pub async fn sync(&self, seq: i64) -> Result<()> {
        let mut synced = self.flushing.synced.subscribe();
        loop {
            let now = *synced.borrow_and_update();
            match now {
                Synced { is_broken: true, .. } => return Err(self.broken()),
                Synced { last, .. } if last >= seq => return Ok(()),
                _ if self.flushing.is_running.swap(true, Ordering::AcqRel) => {}
                _ => self.flush(),
            }
            synced.changed().await.map_err(FhirError::internal)?;
        }
    }

    /// Flushes what is written so far, whoever still waits for it.
    fn flush(&self) {
        let (file, last) = {
            let state = self.state();
            (state.file.clone(), state.next - 1)
        };
        let flushing = self.flushing.clone();
        tokio::task::spawn_blocking(move || {
            let flushed = file.sync_data();
            // Before they are told: one of them has to begin the next.
            flushing.is_running.store(false, Ordering::Release);
            flushing.synced.send_modify(|synced| match flushed {
                Ok(()) => synced.last = synced.last.max(last),
                Err(error) => {
                    tracing::error!(%error, "the journal of the audit cannot be flushed");
                    synced.is_broken = true;
                }
            });
        });
    }

    fn broken(&self) -> FhirError {
        unavailable("its journal could not be flushed; the server has to be started again")
    }

    /// Where the oldest event stands.
    pub fn start(&self) -> Position {
        let first = self.state().segments.front().map_or(1, |segment| segment.first);
        Position { first, offset: files::HEAD }
    }

    /// The events from a position on, at most of about so many bytes and at least one, and the
    /// position after them; none at the end.
    pub fn read(&self, from: Position, most_bytes: usize) -> Result<(Vec<Frame>, Position)> {
        let Some((segment, follower)) = self.segment(from.first) else {
            return Err(FhirError::internal("a position that the journal does not have"));
        };
        if from.offset >= segment.bytes {
            return match follower {
                Some(first) => self.read(Position { first, offset: files::HEAD }, most_bytes),
                None => Ok((Vec::new(), from)),
            };
        }
        let file = File::open(files::path(&self.folder, segment.first));
        let file = file.map_err(FhirError::internal)?;
        let left = (segment.bytes - from.offset) as usize;
        let mut bytes = vec![0; left.min(most_bytes)];
        file.read_exact_at(&mut bytes, from.offset).map_err(FhirError::internal)?;
        let (mut frames, mut taken) = whole_frames(&bytes);
        if frames.is_empty() {
            // One event is longer than what was asked for.
            bytes.resize(left.min(HEAD_BYTES + frame::MOST_BYTES), 0);
            file.read_exact_at(&mut bytes, from.offset).map_err(FhirError::internal)?;
            (frames, taken) = whole_frames(&bytes);
            frames.truncate(1);
            taken = frames.first().map_or(taken, |frame| HEAD_BYTES + frame.text.len());
        }
        match frames.is_empty() {
            true => Err(FhirError::internal("the journal of the audit is damaged")),
            false => Ok((frames, Position { offset: from.offset + taken as u64, ..from })),
        }
    }

    /// Says that the database has everything from one position to the other. Segments before the
    /// second one go.
    pub fn stored(&self, from: Position, to: Position) {
        let mut state = self.state();
        let mut bytes = match from.first == to.first {
            true => to.offset - from.offset,
            false => to.offset - files::HEAD,
        };
        if from.first != to.first {
            let rest = state.segments.iter().find(|segment| segment.first == from.first);
            bytes += rest.map_or(0, |segment| segment.bytes - from.offset);
        }
        self.backlog.fetch_sub(bytes, Ordering::Relaxed);
        while state.segments.len() > 1 && state.segments[0].first < to.first {
            let Some(segment) = state.segments.pop_front() else { return };
            if let Err(error) = fs::remove_file(files::path(&self.folder, segment.first)) {
                tracing::warn!(%error, "a stored segment of the audit's journal stays");
            }
        }
    }

    /// Bytes that the database does not have yet.
    pub fn backlog(&self) -> u64 {
        self.backlog.load(Ordering::Relaxed)
    }

    /// Writes to another file, as if the disk were another.
    #[cfg(test)]
    pub(super) fn replace_file(&self, file: File) {
        self.state().file = Arc::new(file);
    }

    fn segment(&self, first: i64) -> Option<(Segment, Option<i64>)> {
        let state = self.state();
        let at = state.segments.iter().position(|segment| segment.first == first)?;
        Some((state.segments[at], state.segments.get(at + 1).map(|segment| segment.first)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn write(&mut self, folder: &std::path::Path, event: (i64, &str)) -> std::io::Result<()> {
        let (seq, text) = event;
        let Some(last) = self.segments.back().copied() else {
            return Err(std::io::Error::other("the journal has no segment"));
        };
        if self.is_dirty {
            self.file.set_len(last.bytes)?;
            self.is_dirty = false;
        }
        if last.bytes > SEGMENT_BYTES {
            self.file.sync_data()?;
            let begun = files::begin(folder, seq, &self.head);
            let (segment, file) = begun.map_err(std::io::Error::other)?;
            self.segments.push_back(segment);
            self.file = Arc::new(file);
        }
        self.buffer.clear();
        frame::encode(seq, text, &mut self.buffer);
        self.is_dirty = true;
        (&*self.file).write_all(&self.buffer)?;
        self.is_dirty = false;
        if let Some(last) = self.segments.back_mut() {
            last.bytes += self.buffer.len() as u64;
        }
        Ok(())
    }
}

/// The frames at the beginning, and how many bytes they take.
pub(super) fn whole_frames(bytes: &[u8]) -> (Vec<Frame>, usize) {
    let (mut frames, mut taken) = (Vec::new(), 0);
    while let Next::Frame(frame, length) = frame::decode(&bytes[taken..]) {
        frames.push(frame);
        taken += length;
    }
    (frames, taken)
}

/// 503: what cannot be audited is not answered.
fn unavailable(cause: &str) -> FhirError {
    FhirError::unavailable(format!("The audit is not available: {cause}"))
}
