//! The file of what was refused: NDJSON, with the place of each and an OperationOutcome.

use crate::error::FhirError;
use crate::fhir::outcome;
use serde_json::json;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where in its source something stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Position {
    /// The file as a whole.
    Whole,
    /// A line, from 1.
    Line(u64),
    /// An entry of the file's Bundle, from 0 as in `Bundle.entry[0]`.
    Entry(usize),
    /// An entry of the Bundle on a line.
    LineEntry(u64, usize),
}

/// Made with the first reject; one of a run before is removed.
pub struct Rejects {
    path: PathBuf,
    file: Mutex<Option<BufWriter<File>>>,
}

impl Rejects {
    pub fn new(path: &Path) -> io::Result<Rejects> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Rejects { path: path.to_owned(), file: Mutex::new(None) }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A line for each, `{"source", "line" or "entry", "outcome"}`.
    pub fn write(&self, source: &str, refused: &[(Position, FhirError)]) -> io::Result<()> {
        let mut text = Vec::new();
        for (position, error) in refused {
            let mut line = json!({ "source": source });
            let (number, entry) = match position {
                Position::Whole => (None, None),
                Position::Line(number) => (Some(number), None),
                Position::Entry(entry) => (None, Some(entry)),
                Position::LineEntry(number, entry) => (Some(number), Some(entry)),
            };
            if let Some(number) = number {
                line["line"] = json!(number);
            }
            if let Some(entry) = entry {
                line["entry"] = json!(entry);
            }
            line["outcome"] = outcome::of_error(error);
            serde_json::to_writer(&mut text, &line)?;
            text.push(b'\n');
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = match &mut *file {
            Some(writer) => writer,
            empty => empty.insert(BufWriter::new(File::create(&self.path)?)),
        };
        writer.write_all(&text)
    }

    /// Writes out what is still in memory.
    pub fn finish(&self) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}
