//! The files of a journal: `[number of the first event].journal`, each with a head.

use super::frame::{self, Hash};
use super::{Segment, whole_frames};
use crate::storage::StartError;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"BHNAUDT1";
/// Bytes before the first frame: magic, number of the first event, hash of the event before.
pub const HEAD: u64 = 8 + 8 + 32;
const EXTENSION: &str = "journal";

pub fn path(folder: &Path, first: i64) -> PathBuf {
    folder.join(format!("{first:020}.{EXTENSION}"))
}

/// Begins a segment: whole or not at all.
pub fn begin(folder: &Path, first: i64, before: &Hash) -> Result<(Segment, File), StartError> {
    let head = [&MAGIC[..], &first.to_be_bytes(), before].concat();
    let path = path(folder, first);
    write_whole(&path, &head)?;
    let segment = Segment { first, bytes: HEAD };
    Ok((segment, open(folder, &segment)?))
}

/// A file that is there with all of its content, or is not there; readable by its owner alone.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), StartError> {
    let draft = path.with_extension("draft");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    });
    written.map_err(StartError::file(path))
}

/// A segment, to be appended to.
pub fn open(folder: &Path, segment: &Segment) -> Result<File, StartError> {
    let path = path(folder, segment.first);
    OpenOptions::new().append(true).open(&path).map_err(StartError::file(&path))
}

/// The segments of a folder, the number of the next event and the hash of the last. What a write
/// left that was cut off is cut; everything else must be whole and in one chain.
pub fn recover(folder: &Path, node: &str) -> Result<(VecDeque<Segment>, i64, Hash), StartError> {
    let mut firsts = firsts(folder).map_err(StartError::file(folder))?;
    firsts.sort_unstable();
    let (mut segments, mut next, mut hash) = (VecDeque::new(), 1, [0; 32]);
    for (place, first) in firsts.iter().enumerate() {
        let path = path(folder, *first);
        let bytes = fs::read(&path).map_err(StartError::file(&path))?;
        let damaged = |at: usize| StartError::Journal { path: path.clone(), at };
        let (number, before) = head(&bytes).ok_or_else(|| damaged(0))?;
        if number != *first || (place > 0 && (number, before) != (next, hash)) {
            return Err(damaged(0));
        }
        (next, hash) = (number, before);
        let (frames, taken) = whole_frames(&bytes[HEAD as usize..]);
        for frame in &frames {
            if frame.seq != next {
                return Err(damaged(HEAD as usize));
            }
            (next, hash) = (next + 1, frame::hash_of(node, frame.seq, &frame.text));
        }
        let whole = HEAD as usize + taken;
        if whole < bytes.len() {
            if place + 1 < firsts.len() {
                return Err(damaged(whole));
            }
            tracing::warn!(bytes = bytes.len() - whole, "an event that was cut off is dropped");
            let cut = OpenOptions::new().write(true).open(&path).and_then(|file| {
                file.set_len(whole as u64)?;
                file.sync_all()
            });
            cut.map_err(StartError::file(&path))?;
        }
        segments.push_back(Segment { first: *first, bytes: whole as u64 });
    }
    Ok((segments, next, hash))
}

fn firsts(folder: &Path) -> io::Result<Vec<i64>> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_segment = path.extension().is_some_and(|extension| extension == EXTENSION);
        let name = path.file_stem().and_then(|name| name.to_str());
        firsts.extend(name.filter(|_| is_segment).and_then(|name| name.parse::<i64>().ok()));
    }
    Ok(firsts)
}

fn head(bytes: &[u8]) -> Option<(i64, Hash)> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let (before, _) = rest.split_first_chunk::<32>()?;
    (magic == MAGIC).then_some((i64::from_be_bytes(*first), *before))
}
