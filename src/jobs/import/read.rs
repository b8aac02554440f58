//! From files to units of work: unpacked, lines cut, nothing parsed.

use super::Place;
use super::progress::Progress;
use super::queue::{Content, Lines, Queue};
use super::rejects::Position;
use super::sources::{Input, Kind, Layout, comes_first};
use crate::error::{ErrorKind, FhirError, IssueCode};
use flate2::read::MultiGzDecoder;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

/// Lines of one unit, and their bytes, whichever is reached first.
const UNIT_LINES: usize = 400;
const UNIT_BYTES: usize = 2 << 20;
/// A document or line beyond this is refused: its Bundle should be cut up, or be NDJSON.
const DOCUMENT_BYTES: usize = 1 << 30;

/// Which units of the inputs a walk is about.
pub enum Pass {
    /// Files whose names say that others refer to them.
    NamedFirst,
    /// All other files.
    Rest,
    /// Units that referred to what was not there.
    Deferred { places: Arc<HashSet<Place>>, is_last: bool },
}

/// Something that could not be read.
pub struct Unread {
    pub source: Arc<str>,
    pub place: Position,
    pub error: FhirError,
}

/// Reads inputs into the queue.
pub struct Reader<'a> {
    pub queue: Queue,
    pub pass: Pass,
    pub progress: &'a Progress,
}

/// The bytes of a file, counted.
struct Counted<'a> {
    file: File,
    progress: Option<&'a Progress>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if let Some(progress) = self.progress {
            progress.read(count as u64);
        }
        Ok(count)
    }
}

impl Pass {
    /// Whether the file, which is not an archive, may hold something for this walk.
    fn wants_file(&self, name: &str) -> bool {
        match self {
            Pass::NamedFirst => comes_first(name),
            Pass::Rest => !comes_first(name),
            Pass::Deferred { places, .. } => places.iter().any(|(source, _)| **source == *name),
        }
    }

    fn wants_unit(&self, source: &Arc<str>, place: u64) -> bool {
        match self {
            Pass::Deferred { places, .. } => places.contains(&(source.clone(), place)),
            _ => true,
        }
    }
}

impl Reader<'_> {
    /// Reads a file to its end, or to where it cannot be read on.
    pub fn read(&mut self, input: &Input) -> Vec<Unread> {
        let name = input.path.to_string_lossy();
        let mut unread = Vec::new();
        if input.kind.layout != Layout::Archive && !self.pass.wants_file(&name) {
            return unread;
        }
        // An archive is walked more than once and counted in the main walk.
        let is_counted = match input.kind.layout {
            Layout::Archive => matches!(self.pass, Pass::Rest),
            _ => !matches!(self.pass, Pass::Deferred { .. }),
        };
        let progress = is_counted.then_some(self.progress);
        let opened = File::open(&input.path).map(|file| Counted { file, progress });
        let result = opened.and_then(|file| {
            let file = BufReader::with_capacity(1 << 18, file);
            match input.kind.is_gzip {
                true => self.read_layout(input.kind, &name, &mut MultiGzDecoder::new(file)),
                false => self.read_layout(input.kind, &name, &mut { file }),
            }
        });
        match result {
            Ok(mut found) => unread.append(&mut found),
            Err(error) => unread.push(cannot_read(&name, error)),
        }
        unread
    }

    fn read_layout(
        &mut self,
        kind: Kind,
        name: &str,
        content: &mut dyn Read,
    ) -> io::Result<Vec<Unread>> {
        match kind.layout {
            Layout::Document => self.read_document(name, content),
            Layout::Lines => self.read_lines(name, BufReader::with_capacity(1 << 18, content)),
            Layout::Archive => self.read_archive(name, content),
        }
    }

    fn read_document(&mut self, name: &str, content: &mut dyn Read) -> io::Result<Vec<Unread>> {
        let source: Arc<str> = name.into();
        let mut bytes = self.queue.buffer();
        content.take(DOCUMENT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > DOCUMENT_BYTES {
            return Ok(vec![Unread { source, place: Position::Whole, error: too_long() }]);
        }
        self.queue.send(&source, 1, Content::Document(bytes));
        Ok(Vec::new())
    }

    fn read_lines(&mut self, name: &str, mut content: impl BufRead) -> io::Result<Vec<Unread>> {
        let source: Arc<str> = name.into();
        let mut unread = Vec::new();
        let mut lines = Lines::default();
        let mut number = 0;
        loop {
            let start = lines.text.len();
            number += 1;
            let line = next_line(&mut content, &mut lines.text)?;
            let text = &lines.text[start..];
            let end = start + text.trim_ascii_end().len();
            match line {
                Line::End => break,
                Line::TooLong => {
                    lines.text.truncate(start);
                    let place = Position::Line(number);
                    unread.push(Unread { source: source.clone(), place, error: too_long() });
                }
                Line::Read if end > start => lines.places.push((number, start..end)),
                Line::Read => {}
            }
            let is_full = lines.places.len() >= UNIT_LINES || lines.text.len() >= UNIT_BYTES;
            if is_full && !self.send_lines(&source, std::mem::take(&mut lines)) {
                return Ok(unread);
            }
        }
        self.send_lines(&source, lines);
        Ok(unread)
    }

    fn send_lines(&self, source: &Arc<str>, lines: Lines) -> bool {
        let Some((first, _)) = lines.places.first() else { return true };
        let first = *first;
        match self.pass.wants_unit(source, first) {
            true => self.queue.send(source, first, Content::Lines(lines)),
            false => !self.queue.is_stopped(),
        }
    }

    fn read_archive(&mut self, name: &str, content: &mut dyn Read) -> io::Result<Vec<Unread>> {
        let mut unread = Vec::new();
        for entry in tar::Archive::new(content).entries()? {
            let entry = entry?;
            if self.queue.is_stopped() {
                break;
            }
            let within = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let kind = match Kind::of_name(&within) {
                Some(kind) if entry.header().entry_type().is_file() => kind,
                _ => continue,
            };
            let source = format!("{name}!{within}");
            if kind.layout == Layout::Archive {
                let text = "An archive within an archive is not unpacked";
                unread.push(refused(&source, FhirError::bad_request(text)));
                continue;
            }
            if !self.pass.wants_file(&source) {
                continue;
            }
            // A broken file within spoils the archive only where the archive itself is broken.
            let read = match kind.is_gzip {
                true => self.read_layout(kind, &source, &mut MultiGzDecoder::new(entry)),
                false => self.read_layout(kind, &source, &mut { entry }),
            };
            match read {
                Ok(mut found) => unread.append(&mut found),
                Err(error) if kind.is_gzip => unread.push(cannot_read(&source, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(unread)
    }
}

enum Line {
    Read,
    TooLong,
    End,
}

/// Appends the next line with its end to `text`; a line over the limit is read past.
fn next_line(content: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<Line> {
    let start = text.len();
    let mut is_too_long = false;
    let mut is_anything = false;
    loop {
        let available = match content.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            break;
        }
        is_anything = true;
        let end = memchr::memchr(b'\n', available);
        let count = end.map_or(available.len(), |at| at + 1);
        if text.len() - start + count > DOCUMENT_BYTES {
            is_too_long = true;
        }
        if !is_too_long {
            text.extend_from_slice(&available[..count]);
        }
        content.consume(count);
        if end.is_some() {
            break;
        }
    }
    Ok(match (is_anything, is_too_long) {
        (false, _) => Line::End,
        (true, true) => Line::TooLong,
        (true, false) => Line::Read,
    })
}

fn cannot_read(source: &str, error: io::Error) -> Unread {
    let text = format!("The file cannot be read to its end: {error}");
    refused(source, FhirError::new(ErrorKind::BadRequest, IssueCode::Structure, text))
}

fn refused(source: &str, error: FhirError) -> Unread {
    Unread { source: source.into(), place: Position::Whole, error }
}

fn too_long() -> FhirError {
    let text = format!(
        "Longer than the limit of {} MiB: cut the Bundle up, or write a resource a line",
        DOCUMENT_BYTES >> 20
    );
    FhirError::too_costly(text)
}
