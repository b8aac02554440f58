//! From a unit of work to the store: what its Bundles and resources ask for, in sets that are
//! one database transaction each.

use super::queue::{Content, Lines, Task};
use super::rejects::Position;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::json;
use crate::fhir::resource::{Resource, ResourceKey};
use crate::interactions::Context;
use crate::interactions::bulk::{self, Item, Names, Set, Stored};
use crate::storage::UnitHash;
use foldhash::quality::RandomState;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Items of one database transaction.
const SET_ITEMS: usize = 400;
/// Pauses while the store is away; after the last the import fails.
const PAUSES_MS: [u64; 6] = [200, 500, 1_000, 2_000, 5_000, 10_000];

/// What became of a unit of work.
#[derive(Default)]
pub struct Verdict {
    pub stored: Vec<Stored>,
    pub refused: Vec<(Position, FhirError)>,
    /// It refers to what may still come, and is to be tried again as a whole.
    pub is_deferred: bool,
}

/// Stores units of work.
pub struct Loader {
    context: Arc<Context>,
    stop: Arc<AtomicBool>,
}

/// An item with its place, and a hash of what it was made from.
struct Piece {
    position: Position,
    hash: UnitHash,
    item: Item,
}

/// A Bundle in its source.
struct Place<'a> {
    hash: UnitHash,
    position: Position,
    of_entry: &'a (dyn Fn(usize) -> Position + Sync),
}

/// What has been done of a unit.
struct Work<'a> {
    context: &'a Context,
    stop: &'a AtomicBool,
    /// In the last walk nothing is deferred.
    is_last: bool,
    verdict: Verdict,
}

impl Loader {
    pub fn new(context: Arc<Context>, stop: Arc<AtomicBool>) -> Loader {
        Loader { context, stop }
    }

    /// Stores a unit. An error where the store is away for longer.
    pub async fn load(&self, task: &Task, is_last: bool) -> Result<Verdict> {
        let verdict = Verdict::default();
        let mut work = Work { context: &self.context, stop: &self.stop, is_last, verdict };
        match &task.content {
            Content::Document(bytes) => work.document(bytes).await?,
            Content::Lines(lines) => work.lines(task, lines).await?,
        }
        Ok(work.verdict)
    }
}

impl Work<'_> {
    async fn document(&mut self, bytes: &[u8]) -> Result<()> {
        let (hash, of_entry) = (hash(&[bytes]), Position::Entry);
        let place = Place { hash, position: Position::Whole, of_entry: &of_entry };
        if let Some(piece) = self.read(bytes, place).await? {
            self.pieces(vec![piece], &Names::default(), &[]).await?;
        }
        Ok(())
    }

    async fn lines(&mut self, task: &Task, lines: &Lines) -> Result<()> {
        let mut pieces = Vec::with_capacity(lines.places.len());
        for (number, range) in &lines.places {
            let bytes = &lines.text[range.clone()];
            let (hash, of_entry) = (hash(&[bytes]), |entry| Position::LineEntry(*number, entry));
            let place = Place { hash, position: Position::Line(*number), of_entry: &of_entry };
            pieces.extend(self.read(bytes, place).await?);
        }
        // Lines without an id have only their place to tell two of the same content apart.
        let name = task.source.rsplit('/').next().unwrap_or_default();
        let salt = [name.as_bytes(), &task.place.to_be_bytes()].concat();
        self.pieces(pieces, &Names::default(), &salt).await
    }

    /// Reads one JSON value: a resource comes back as a piece, a Bundle that stands for its
    /// entries is stored.
    async fn read(&mut self, bytes: &[u8], place: Place<'_>) -> Result<Option<Piece>> {
        let limits = &self.context.settings.limits;
        let read = json::read(bytes, limits).and_then(Resource::from_value);
        let (position, hash) = (place.position, place.hash);
        let item = match read {
            Ok(resource) => match container(&resource) {
                Some(kind) => return self.bundle(resource, kind, place).await.map(|()| None),
                None => Item::of_resource(self.context, resource.into_value()),
            },
            Err(error) => Err(error),
        };
        match item {
            Ok(item) => Ok(Some(Piece { position, hash, item })),
            Err(error) => {
                self.verdict.refused.push((position, error));
                Ok(None)
            }
        }
    }

    /// A Bundle that stands for its entries.
    async fn bundle(
        &mut self,
        mut bundle: Resource,
        kind: BundleKind,
        place: Place<'_>,
    ) -> Result<()> {
        if kind == BundleKind::Transaction {
            return self.transaction(bundle, place).await;
        }
        let mut pieces = Vec::new();
        for (index, entry) in bulk::take_entries(&mut bundle).into_iter().enumerate() {
            if kind == BundleKind::Searchset && entry["search"]["mode"] == "outcome" {
                continue;
            }
            let position = (place.of_entry)(index);
            let item = match kind {
                BundleKind::Batch => Item::of_entry(self.context, entry, index),
                _ => Item::of_collected(self.context, entry, index).map(Some),
            };
            match item {
                Ok(Some(item)) => {
                    let hash = hash(&[&place.hash, &index.to_be_bytes()]);
                    pieces.push(Piece { position, hash, item });
                }
                Ok(None) => {}
                Err(error) => self.verdict.refused.push((position, error)),
            }
        }
        let names = match kind {
            BundleKind::Batch => Names::default(),
            _ => Names::of(pieces.iter().map(|piece| &piece.item)),
        };
        self.pieces(pieces, &names, &[]).await
    }

    async fn transaction(&mut self, bundle: Resource, place: Place<'_>) -> Result<()> {
        if self.is_done(&place.hash).await? {
            self.verdict.stored.push(Stored::done());
            return Ok(());
        }
        let refused = match Set::of_transaction(self.context, bundle) {
            Ok(set) => self.store(&set, &place.hash).await?,
            Err(error) => Some(error),
        };
        match refused {
            Some(error) if self.may_come_later(&error) => self.verdict.is_deferred = true,
            Some(error) => self.verdict.refused.push((place.position, error)),
            None => {}
        }
        Ok(())
    }

    /// Stores pieces by the set; a set never names a resource twice.
    async fn pieces(&mut self, pieces: Vec<Piece>, names: &Names, salt: &[u8]) -> Result<()> {
        let mut set: Vec<Piece> = Vec::new();
        let mut seen: HashSet<ResourceKey, RandomState> = HashSet::default();
        for piece in pieces {
            let is_again = piece.item.key().is_some_and(|key| seen.contains(key));
            if is_again || set.len() == SET_ITEMS {
                self.set(std::mem::take(&mut set), names, salt).await?;
                seen.clear();
            }
            seen.extend(piece.item.key().cloned());
            set.push(piece);
        }
        self.set(set, names, salt).await
    }

    async fn set(&mut self, set: Vec<Piece>, names: &Names, salt: &[u8]) -> Result<()> {
        if set.is_empty() {
            return Ok(());
        }
        let hashes: Vec<&[u8]> =
            [salt].into_iter().chain(set.iter().map(|piece| piece.hash.as_slice())).collect();
        let hash_of_set = hash(&hashes);
        // Says that the set was once refused as a whole, and that its items stand alone.
        let hash_of_split = hash(&[&hash_of_set, b"split"]);
        let done = self.imported(&[hash_of_set, hash_of_split]).await?;
        if done.contains(&hash_of_set) {
            self.verdict.stored.push(Stored::done());
            return Ok(());
        }
        let (positions, items): (Vec<Position>, Vec<Item>) =
            set.into_iter().map(|piece| (piece.position, piece.item)).unzip();
        let set = Set::of_items(items, names);
        if !done.contains(&hash_of_split) {
            let Some(error) = self.store(&set, &hash_of_set).await? else { return Ok(()) };
            if let [position] = positions[..] {
                self.refuse(position, error);
                return Ok(());
            }
            let now = self.context.clock.now();
            self.context.store.mark_imported_alone(&hash_of_split, now).await?;
        }
        for (index, (position, item)) in positions.into_iter().zip(set.into_items()).enumerate() {
            let own = hash(&[&hash_of_set, &index.to_be_bytes()]);
            let set = Set::of_items(vec![item], &Names::default());
            if let Some(error) = self.store(&set, &own).await? {
                self.refuse(position, error);
            }
        }
        Ok(())
    }

    /// Stores a set, with pauses where the store is away; returns why it was refused.
    async fn store(&mut self, set: &Set, hash: &UnitHash) -> Result<Option<FhirError>> {
        let mut pauses = PAUSES_MS.iter();
        loop {
            let error = match set.store(self.context, hash).await {
                Ok(stored) => {
                    self.verdict.stored.push(stored);
                    return Ok(None);
                }
                Err(error) => error,
            };
            if error.kind != ErrorKind::Unavailable {
                if let (ErrorKind::Internal, Some(cause)) = (error.kind, &error.source) {
                    tracing::error!(%cause, "a unit of the import failed");
                }
                return Ok(Some(error));
            }
            match pauses.next() {
                Some(pause) if !self.stop.load(Ordering::Relaxed) => {
                    tracing::warn!(%error, "the store is away; the import waits");
                    tokio::time::sleep(Duration::from_millis(*pause)).await;
                }
                _ => return Err(error),
            }
        }
    }

    fn refuse(&mut self, position: Position, error: FhirError) {
        match self.may_come_later(&error) {
            true => self.verdict.is_deferred = true,
            false => self.verdict.refused.push((position, error)),
        }
    }

    /// Whether the fault is a target that is not there yet.
    fn may_come_later(&self, error: &FhirError) -> bool {
        let is_reference =
            matches!(error.kind, ErrorKind::PreconditionFailed | ErrorKind::Unprocessable)
                && error.issues.iter().all(|issue| issue.code == IssueCode::NotFound);
        is_reference && !self.is_last
    }

    async fn is_done(&self, hash: &UnitHash) -> Result<bool> {
        Ok(!self.imported(&[*hash]).await?.is_empty())
    }

    async fn imported(&self, hashes: &[UnitHash]) -> Result<Vec<UnitHash>> {
        self.context.store.imported(hashes).await
    }
}

/// Bundles that are not stored themselves but stand for their entries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BundleKind {
    Transaction,
    Batch,
    Collection,
    Searchset,
}

fn container(resource: &Resource) -> Option<BundleKind> {
    if resource.resource_type() != ResourceType::parse("Bundle")? {
        return None;
    }
    match resource.value()["type"].as_str()? {
        "transaction" => Some(BundleKind::Transaction),
        "batch" => Some(BundleKind::Batch),
        "collection" => Some(BundleKind::Collection),
        "searchset" => Some(BundleKind::Searchset),
        _ => None,
    }
}

fn hash(parts: &[&[u8]]) -> UnitHash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
