//! Import: Bundles and NDJSON from files into the store, by the same validation and the same
//! write path as requests.
//!
//! One thread reads and unpacks; several workers parse, validate and store. What is read and
//! not yet stored is bounded in bytes. Every unit (a transaction Bundle, a batch or collection
//! by the hundred entries, some hundred lines) is one database transaction that also remembers
//! the unit, so that an import that was cut off is run again without loss and without doubles.
//! Lines and entries with an id are stored under it, as by PUT; where several name the same
//! resource, their order is only kept within a unit.

mod load;
mod progress;
mod queue;
mod read;
mod rejects;
mod sources;

pub use progress::Progress;
pub use sources::SourceError;

use crate::error::FhirError;
use crate::interactions::Context;
use load::Loader;
use queue::{Queue, Task};
use read::{Pass, Reader};
use rejects::Rejects;
use sources::Input;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What is imported, and how.
#[derive(Clone, Debug)]
pub struct ImportSettings {
    /// Files, archives and folders.
    pub paths: Vec<PathBuf>,
    /// Where refused lines and entries are written; the file is made with the first one.
    pub rejects: PathBuf,
    pub workers: usize,
    /// Bytes that may be read and not yet stored.
    pub queue_bytes: usize,
}

/// Why an import ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{}: {source}", path.display())]
    Rejects { path: PathBuf, source: std::io::Error },
    #[error("The store failed, and the import with it; run it again to go on: {0}")]
    Store(FhirError),
    #[error("Stopped; run the same import again to go on")]
    Stopped,
    #[error("A worker ended early: {0}")]
    Worker(#[from] tokio::task::JoinError),
}

/// Names a unit within one run: its source, and its first line.
type Place = (Arc<str>, u64);

/// Shared by the workers of one run.
struct Run {
    loader: Loader,
    rejects: Rejects,
    progress: Arc<Progress>,
    stop: Arc<AtomicBool>,
    deferred: Mutex<HashSet<Place>>,
    failure: Mutex<Option<ImportError>>,
}

/// Imports everything. What was refused is counted in `progress`, and written down; an error
/// where the import could not come to its end. `stop` ends it after the units under way.
pub async fn import(
    context: Arc<Context>,
    settings: &ImportSettings,
    progress: Arc<Progress>,
    stop: Arc<AtomicBool>,
) -> Result<(), ImportError> {
    let inputs = Arc::new(sources::inputs(&settings.paths)?);
    progress.expect_bytes(inputs.iter().map(|input| input.bytes).sum());
    let rejects = Rejects::new(&settings.rejects)
        .map_err(|source| ImportError::Rejects { path: settings.rejects.clone(), source })?;
    let run = Arc::new(Run {
        loader: Loader::new(context, stop.clone()),
        rejects,
        progress,
        stop,
        deferred: Mutex::default(),
        failure: Mutex::default(),
    });
    run.pass(&inputs, settings, Pass::NamedFirst).await?;
    run.pass(&inputs, settings, Pass::Rest).await?;
    // References by criteria to what came later are tried again while that gets anywhere.
    let mut last = usize::MAX;
    loop {
        let deferred = std::mem::take(&mut *lock(&run.deferred));
        if deferred.is_empty() {
            break;
        }
        let is_last = deferred.len() >= last;
        last = deferred.len();
        run.pass(&inputs, settings, Pass::Deferred { places: Arc::new(deferred), is_last }).await?;
        if is_last {
            break;
        }
    }
    run.rejects.finish().map_err(|source| run.rejects_failed(source))
}

impl Run {
    /// One walk over the inputs. Returns when all that it found is stored.
    async fn pass(
        self: &Arc<Run>,
        inputs: &Arc<Vec<Input>>,
        settings: &ImportSettings,
        pass: Pass,
    ) -> Result<(), ImportError> {
        let (queue, tasks) = Queue::new(settings.queue_bytes, self.stop.clone());
        let tasks = Arc::new(tokio::sync::Mutex::new(tasks));
        let is_last = matches!(pass, Pass::Deferred { is_last: true, .. });
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..settings.workers.max(1) {
            workers.spawn(self.clone().work(tasks.clone(), is_last));
        }
        let (run, inputs) = (self.clone(), inputs.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let mut reader = Reader { queue, pass, progress: &run.progress };
            for input in inputs.iter() {
                for unread in reader.read(input) {
                    run.reject(&unread.source, &[(unread.place, unread.error)]);
                }
            }
        });
        reading.await?;
        while let Some(worker) = workers.join_next().await {
            worker?;
        }
        match lock(&self.failure).take() {
            Some(failure) => Err(failure),
            None if self.is_stopped() => Err(ImportError::Stopped),
            None => Ok(()),
        }
    }

    async fn work(self: Arc<Run>, tasks: Arc<tokio::sync::Mutex<queue::Tasks>>, is_last: bool) {
        loop {
            let task = tasks.lock().await.next().await;
            let Some(task) = task else { return };
            if self.is_stopped() {
                return;
            }
            if let Err(failure) = self.load(&task, is_last).await {
                self.fail(ImportError::Store(failure));
                return;
            }
        }
    }

    /// An error where the store is away; refusals are written down.
    async fn load(&self, task: &Task, is_last: bool) -> Result<(), FhirError> {
        let verdict = self.loader.load(task, is_last).await?;
        self.progress.stored(&verdict.stored);
        match verdict.is_deferred {
            true => drop(lock(&self.deferred).insert((task.source.clone(), task.place))),
            false => self.reject(&task.source, &verdict.refused),
        }
        Ok(())
    }

    fn reject(&self, source: &str, refused: &[(rejects::Position, FhirError)]) {
        if refused.is_empty() {
            return;
        }
        self.progress.rejected(refused.len() as u64);
        if let Err(error) = self.rejects.write(source, refused) {
            self.fail(self.rejects_failed(error));
        }
    }

    fn rejects_failed(&self, source: std::io::Error) -> ImportError {
        ImportError::Rejects { path: self.rejects.path().to_owned(), source }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The first failure is the one told.
    fn fail(&self, failure: ImportError) {
        lock(&self.failure).get_or_insert(failure);
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
