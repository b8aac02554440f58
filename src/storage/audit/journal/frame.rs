//! How an event lies in a journal: its length, a CRC-32 of what follows, its number, its text.

use sha2::{Digest, Sha256};

/// SHA-256.
pub type Hash = [u8; 32];

const LENGTH_BYTES: usize = 4;
const CRC_BYTES: usize = 4;
const NUMBER_BYTES: usize = 8;
/// Before the text.
pub const HEAD_BYTES: usize = LENGTH_BYTES + CRC_BYTES + NUMBER_BYTES;
/// A longer event is refused; the longest there are name some thousands of resources.
pub const MOST_BYTES: usize = 16 << 20;

/// An event with its number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub seq: i64,
    pub text: String,
}

/// What follows in a journal.
#[derive(PartialEq, Eq, Debug)]
pub enum Next {
    /// A whole frame, and how many bytes it takes.
    Frame(Frame, usize),
    /// Nothing more.
    End,
    /// No whole frame: a write that was cut off, or damage.
    Torn,
}

/// What is hashed of an event: the node by its length, the number, the text.
pub fn hash_of(node: &str, seq: i64, text: &str) -> Hash {
    let mut hash = Sha256::new();
    hash.update((node.len() as u32).to_be_bytes());
    hash.update(node);
    hash.update(seq.to_be_bytes());
    hash.update(text);
    hash.finalize().into()
}

/// Appends a frame. The text is no longer than [`MOST_BYTES`].
pub fn encode(seq: i64, text: &str, into: &mut Vec<u8>) {
    let length = (NUMBER_BYTES + text.len()) as u32;
    into.extend_from_slice(&length.to_be_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&seq.to_be_bytes());
    crc.update(text.as_bytes());
    into.extend_from_slice(&crc.finalize().to_be_bytes());
    into.extend_from_slice(&seq.to_be_bytes());
    into.extend_from_slice(text.as_bytes());
}

/// The frame that `bytes` begin with.
pub fn decode(bytes: &[u8]) -> Next {
    if bytes.is_empty() {
        return Next::End;
    }
    read(bytes).map_or(Next::Torn, |(frame, length)| Next::Frame(frame, length))
}

fn read(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    let length = u32::from_be_bytes(*length) as usize;
    if !(NUMBER_BYTES..=NUMBER_BYTES + MOST_BYTES).contains(&length) {
        return None;
    }
    let (crc, rest) = rest.split_first_chunk::<CRC_BYTES>()?;
    let content = rest.get(..length)?;
    if crc32fast::hash(content) != u32::from_be_bytes(*crc) {
        return None;
    }
    let (seq, text) = content.split_first_chunk::<NUMBER_BYTES>()?;
    let text = std::str::from_utf8(text).ok()?.to_owned();
    Some((Frame { seq: i64::from_be_bytes(*seq), text }, LENGTH_BYTES + CRC_BYTES + length))
}
