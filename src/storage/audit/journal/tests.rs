use super::Journal;
use super::files::{self, HEAD};
use super::frame::{Frame, HEAD_BYTES};
use crate::access::Asker;
use crate::audit::{Event, SecurityEvent};
use crate::storage::StartError;
use crate::storage::audit::AuditKeys;
use chrono::DateTime;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

const NODE: &str = "node-1";

fn open(folder: &Path) -> Journal {
    opened(folder, u64::MAX).unwrap()
}

fn opened(folder: &Path, most_backlog: u64) -> Result<Journal, StartError> {
    let keys = Some(Arc::new(AuditKeys::of_tests()));
    Journal::open((folder.to_owned(), NODE), most_backlog, keys)
}

fn event(text: &str) -> Event {
    let event = SecurityEvent::of(&Asker::operator(), "login").refused(text);
    event.into_event(DateTime::UNIX_EPOCH)
}

fn all(journal: &Journal) -> Vec<Frame> {
    let (mut position, mut frames) = (journal.start(), Vec::new());
    loop {
        let (read, next) = journal.read(position, 700).unwrap();
        if read.is_empty() {
            return frames;
        }
        frames.extend(read);
        position = next;
    }
}

/// A folder with so many events, and the end of each in the file.
fn written(events: usize) -> (tempfile::TempDir, Vec<u64>) {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let mut ends = vec![HEAD];
    for n in 0..events {
        journal.append(event(&"x".repeat(n * 7))).unwrap();
        ends.push(fs::metadata(files::path(folder.path(), 1)).unwrap().len());
    }
    (folder, ends)
}

#[test]
fn au_07_what_was_appended_is_there_after_a_start_and_in_one_chain() {
    let (folder, _) = written(20);
    let journal = open(folder.path());
    assert_eq!(journal.append(event("after")).unwrap(), 21);
    let frames = all(&journal);
    assert_eq!(
        frames.iter().map(|frame| frame.seq).collect::<Vec<_>>(),
        (1..22).collect::<Vec<_>>()
    );
    let events: Vec<Event> =
        frames.iter().map(|frame| serde_json::from_str(&frame.text).unwrap()).collect();
    let hashes = frames.iter().map(|frame| super::frame::hash_of(NODE, frame.seq, &frame.text));
    use base64::Engine;
    let hashes = hashes.map(|hash| base64::engine::general_purpose::STANDARD_NO_PAD.encode(hash));
    for (event, hash) in events[1..].iter().zip(hashes) {
        assert_eq!(event.before.as_deref(), Some(hash.as_str()));
    }
}

/// As a loss of power leaves it: any number of bytes of the file reached the disk.
#[test]
fn te_40_a_journal_cut_at_every_byte_keeps_every_whole_event() {
    let (folder, ends) = written(6);
    let whole = fs::read(files::path(folder.path(), 1)).unwrap();
    for cut in HEAD as usize..=whole.len() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(files::path(folder.path(), 1), &whole[..cut]).unwrap();
        let journal = open(folder.path());
        let kept = ends.iter().filter(|end| **end <= cut as u64).count() - 1;
        assert_eq!(all(&journal).len(), kept, "cut at {cut}");
        // The numbers go on, and what was torn is gone for good.
        assert_eq!(journal.append(event("after")).unwrap(), kept as i64 + 1);
        drop(journal);
        assert_eq!(all(&open(folder.path())).len(), kept + 1);
    }
}

/// Blocks may reach the disk in any order: zeros stand where one did not.
#[test]
fn te_40_a_last_event_of_zeros_is_cut() {
    let (folder, ends) = written(5);
    let path = files::path(folder.path(), 1);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let zeros = vec![0; (ends[5] - ends[4]) as usize];
    file.write_all_at(&zeros, ends[4]).unwrap();
    assert_eq!(all(&open(folder.path())).len(), 4);
}

#[test]
fn a_segment_that_is_damaged_before_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let long = "x".repeat(600_000);
    for _ in 0..20 {
        // A reason is not cut here: it makes segments fill up.
        journal.append(event(&long)).unwrap();
    }
    assert_eq!(all(&journal).len(), 20);
    drop(journal);
    let first = files::path(folder.path(), 1);
    let second = fs::read_dir(folder.path()).unwrap().count();
    assert!(second > 1, "there are several segments");
    let file = OpenOptions::new().write(true).open(&first).unwrap();
    file.write_all_at(b"!", HEAD + HEAD_BYTES as u64 + 100).unwrap();
    let error = opened(folder.path(), u64::MAX).map(drop).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
}

#[test]
fn segments_go_when_the_database_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let long = "x".repeat(600_000);
    for _ in 0..40 {
        journal.append(event(&long)).unwrap();
    }
    let files = || fs::read_dir(folder.path()).unwrap().count();
    let (before, mut position, mut seen) = (files(), journal.start(), 0);
    assert!(before > 2, "there are several segments");
    loop {
        let (frames, next) = journal.read(position, 1 << 20).unwrap();
        if frames.is_empty() {
            break;
        }
        seen += frames.len();
        journal.stored(position, next);
        position = next;
    }
    assert_eq!((seen, files(), journal.backlog()), (40, 1, 0));
    drop(journal);
    let journal = open(folder.path());
    assert_eq!(journal.append(event("after")).unwrap(), 41);
}

#[test]
fn au_09_a_journal_that_cannot_be_written_refuses_and_recovers() {
    let (folder, _) = written(2);
    let journal = opened(folder.path(), 100).unwrap();
    let refused = journal.append(event("more than the backlog")).unwrap_err();
    assert_eq!(refused.kind.status(), 503);
    let (_, end) = journal.read(journal.start(), 1 << 20).unwrap();
    journal.stored(journal.start(), end);
    journal.append(event("now there is room")).unwrap();
}

/// A disk that is full: `/dev/full` takes nothing.
#[test]
fn au_09_a_full_disk_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let (segment, _) = files::begin(folder.path(), 1, &[0; 32]).unwrap();
    let path = files::path(folder.path(), segment.first);
    let head = fs::read(&path).unwrap();
    let journal = open(folder.path());
    let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
    journal.replace_file(full);
    for _ in 0..3 {
        assert_eq!(journal.append(event("x")).unwrap_err().kind.status(), 503);
    }
    journal.replace_file(OpenOptions::new().append(true).open(&path).unwrap());
    assert_eq!(fs::read(&path).unwrap(), head);
    assert_eq!(journal.append(event("x")).unwrap(), 1);
    assert_eq!(all(&journal).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn au_07_a_flush_is_for_everybody_who_waits() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(open(folder.path()));
    let waiting: Vec<_> = (0..200)
        .map(|_| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let seq = journal.append(event("x")).unwrap();
                journal.sync(seq).await.map(|()| seq)
            })
        })
        .collect();
    let mut seqs = Vec::new();
    for one in waiting {
        seqs.push(one.await.unwrap().unwrap());
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
    journal.sync(200).await.unwrap();
}

/// Linux forgets what a failed flush was about; `/dev/null` takes everything, and has no flush.
#[tokio::test]
async fn au_09_after_a_flush_that_failed_nothing_more_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let nowhere = OpenOptions::new().append(true).open("/dev/null").unwrap();
    journal.replace_file(nowhere);
    let seq = journal.append(event("x")).unwrap();
    assert_eq!(journal.sync(seq).await.unwrap_err().kind.status(), 503);
    assert_eq!(journal.append(event("x")).unwrap_err().kind.status(), 503);
    assert_eq!(journal.sync(seq).await.unwrap_err().kind.status(), 503);
}
