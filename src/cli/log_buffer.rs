//! Log lines on their way to standard error, written many at a time: one write for each line
//! would cost a tenth of a small request. Warnings and errors are written at once, with all
//! that stands before them.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Lines wait no longer than this.
const WRITTEN_WITHIN: Duration = Duration::from_millis(50);
/// Who fills the buffer writes it, so that it never grows.
const MOST_BYTES: usize = 64 << 10;

/// Where lines are gathered; clones share it.
#[derive(Clone, Default)]
pub struct LogBuffer(Arc<Shared>);

#[derive(Default)]
struct Shared {
    lines: Mutex<Vec<u8>>,
    is_filled: Condvar,
}

/// Takes one line.
pub struct LineWriter<'a> {
    buffer: &'a LogBuffer,
    is_urgent: bool,
}

impl LogBuffer {
    /// With a thread that writes what was gathered.
    pub fn start() -> io::Result<LogBuffer> {
        let buffer = LogBuffer::default();
        let gathered = buffer.clone();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            loop {
                gathered.wait();
                std::thread::sleep(WRITTEN_WITHIN);
                gathered.flush();
            }
        })?;
        Ok(buffer)
    }

    /// Writes what was gathered. Nobody can be told where that fails.
    pub fn flush(&self) {
        write_out(&mut self.lines());
    }

    fn lines(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wait(&self) {
        let lines = self.lines();
        drop(self.0.is_filled.wait_while(lines, |lines| lines.is_empty()));
    }
}

fn write_out(lines: &mut Vec<u8>) {
    let _ = io::stderr().write_all(lines);
    lines.clear();
}

impl Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.buffer.lines();
        let was_empty = lines.is_empty();
        lines.extend_from_slice(line);
        if self.is_urgent || lines.len() > MOST_BYTES {
            write_out(&mut lines);
        } else if was_empty {
            self.buffer.0.is_filled.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogBuffer {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { buffer: self, is_urgent: true }
    }

    fn make_writer_for(&'a self, line: &Metadata<'_>) -> LineWriter<'a> {
        LineWriter { buffer: self, is_urgent: *line.level() <= Level::WARN }
    }
}
