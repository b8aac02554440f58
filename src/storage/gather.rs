//! Statements of one kind that come in while others are under way go together in one: a round
//! trip, a snapshot and, for writes, a commit are shared by all of them. Nobody waits for
//! company: where a lane is free a statement goes at once.

use crate::error::{FhirError, Result};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Statements that only read wait so long for a lane.
pub const PATIENCE: Duration = Duration::from_millis(20);

/// What runs the statements.
pub trait Batch: Send + Sync + 'static {
    type Item: Send + 'static;
    type Answer: Send + 'static;

    /// Whether a statement that nobody waits for any more is given up.
    const IS_GIVEN_UP: bool;

    /// Who waited so long for a lane has one of its own: those that hold them wait for a disk, or
    /// for a lock. None: never.
    const PATIENCE: Option<Duration>;

    /// Whether two items can go together.
    fn is_alike(one: &Self::Item, other: &Self::Item) -> bool;

    /// An answer for each item, in their order; all of them are alike.
    fn run(&self, items: Vec<Self::Item>)
    -> impl Future<Output = Vec<Result<Self::Answer>>> + Send;
}

type Asker<B> = oneshot::Sender<Result<<B as Batch>::Answer>>;

/// Items wait here while every lane is busy.
pub struct Gather<B: Batch>(Arc<Shared<B>>);

struct Shared<B: Batch> {
    batch: B,
    /// Statements under way at the same time.
    lanes: usize,
    /// Items of one statement.
    most: usize,
    state: Mutex<State<B>>,
}

struct State<B: Batch> {
    waiting: Vec<Waiting<B>>,
    under_way: usize,
}

struct Waiting<B: Batch> {
    item: B::Item,
    answer: Asker<B>,
}

impl<B: Batch> Gather<B> {
    /// At most `lanes` statements at a time, of at most `most` items.
    pub fn new(batch: B, lanes: usize, most: usize) -> Self {
        let state = Mutex::new(State { waiting: Vec::new(), under_way: 0 });
        Gather(Arc::new(Shared { batch, lanes, most, state }))
    }

    /// The item's answer, from a statement that begins after this was called. Who stops waiting
    /// takes nothing back.
    pub async fn submit(&self, item: B::Item) -> Result<B::Answer> {
        let (sender, mut receiver) = oneshot::channel();
        let has_lane = {
            let mut state = self.0.state();
            state.waiting.push(Waiting { item, answer: sender });
            let has_lane = state.under_way < self.0.lanes;
            state.under_way += usize::from(has_lane);
            has_lane
        };
        let lost = |_| FhirError::unavailable("The statement was given up before its answer");
        if has_lane {
            self.open_lane();
        } else if let Some(patience) = B::PATIENCE {
            match timeout(patience, &mut receiver).await {
                Ok(answer) => return answer.map_err(lost)?,
                Err(_) => self.open_further_lane(),
            }
        }
        receiver.await.map_err(lost)?
    }

    /// For a place among those under way that was counted already.
    fn open_lane(&self) {
        tokio::spawn(drive(Lane { shared: self.0.clone(), is_given_back: false }));
    }

    /// A lane beyond the usual ones, where somebody waits for one.
    fn open_further_lane(&self) {
        let is_wanted = {
            let mut state = self.0.state();
            let is_wanted = !state.waiting.is_empty();
            state.under_way += usize::from(is_wanted);
            is_wanted
        };
        if is_wanted {
            self.open_lane();
        }
    }
}

impl<B: Batch> Shared<B> {
    fn state(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A lane in use.
struct Lane<B: Batch> {
    shared: Arc<Shared<B>>,
    is_given_back: bool,
}

impl<B: Batch> Lane<B> {
    /// The first item and those like it, first come first; none where nobody waits, and the lane
    /// is given back.
    fn next(&mut self) -> (Vec<B::Item>, Vec<Asker<B>>) {
        let mut state = self.shared.state();
        let (mut items, mut askers): (Vec<B::Item>, Vec<Asker<B>>) = (Vec::new(), Vec::new());
        let most = self.shared.most;
        let others = std::mem::take(&mut state.waiting).into_iter().filter_map(|waiting| {
            let is_next = items.len() < most
                && items.first().is_none_or(|first| B::is_alike(first, &waiting.item));
            if !is_next {
                return Some(waiting);
            }
            items.push(waiting.item);
            askers.push(waiting.answer);
            None
        });
        let others = others.collect();
        state.waiting = others;
        if items.is_empty() {
            state.under_way -= 1;
            self.is_given_back = true;
        }
        (items, askers)
    }
}

/// After a panic of the batch, who still waits is told so rather than left waiting.
impl<B: Batch> Drop for Lane<B> {
    fn drop(&mut self) {
        if !self.is_given_back {
            let mut state = self.shared.state();
            state.under_way -= 1;
            state.waiting.clear();
        }
    }
}

/// Comes back when nobody waits for an answer any more.
async fn all_left<T>(senders: &mut [oneshot::Sender<T>]) {
    for sender in senders {
        sender.closed().await;
    }
}

async fn drive<B: Batch>(mut lane: Lane<B>) {
    loop {
        let (items, mut senders) = lane.next();
        if items.is_empty() {
            return;
        }
        let answers = match B::IS_GIVEN_UP {
            false => lane.shared.batch.run(items).await,
            true => tokio::select! {
                answers = lane.shared.batch.run(items) => answers,
                () = all_left(&mut senders) => continue,
            },
        };
        for (sender, answer) in senders.into_iter().zip(answers) {
            // An error says that nobody waits any more.
            let _ = sender.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    /// Doubles numbers once it may, and counts its statements.
    struct Doubling {
        may_run: Semaphore,
        statements: AtomicUsize,
    }

    impl Batch for Arc<Doubling> {
        type Item = u64;
        type Answer = u64;

        const IS_GIVEN_UP: bool = true;
        const PATIENCE: Option<Duration> = None;

        fn is_alike(one: &u64, other: &u64) -> bool {
            one / 100 == other / 100
        }

        async fn run(&self, items: Vec<u64>) -> Vec<Result<u64>> {
            self.statements.fetch_add(1, Ordering::Relaxed);
            let _place = self.may_run.acquire().await.unwrap();
            assert!(!items.contains(&13), "a panic of the batch");
            items.into_iter().map(|item| Ok(item * 2)).collect()
        }
    }

    fn gather(places: usize) -> (Arc<Doubling>, Arc<Gather<Arc<Doubling>>>) {
        let may_run = Semaphore::new(places);
        let doubling = Arc::new(Doubling { may_run, statements: AtomicUsize::new(0) });
        (doubling.clone(), Arc::new(Gather::new(doubling, 1, 8)))
    }

    #[tokio::test]
    async fn what_comes_while_a_statement_is_under_way_goes_in_the_next() {
        let (doubling, gather) = gather(0);
        let submit = |item| {
            let gather = gather.clone();
            tokio::spawn(async move { gather.submit(item).await })
        };
        let all: Vec<_> = (0..9).map(submit).collect();
        tokio::time::sleep(Duration::from_millis(20)).await;
        all[3].abort();
        doubling.may_run.add_permits(1);
        for (item, answer) in (0..9).zip(all) {
            match answer.await {
                Ok(answer) => assert_eq!(answer.unwrap(), item * 2),
                Err(_) => assert_eq!(item, 3),
            }
        }
        let statements = doubling.statements.load(Ordering::Relaxed);
        assert!((2..=3).contains(&statements), "{statements}");
        assert_eq!(gather.submit(21).await.unwrap(), 42);
    }

    #[tokio::test]
    async fn after_a_panic_nobody_is_left_waiting_and_the_lane_is_free() {
        let (_, gather) = gather(1);
        assert!(gather.submit(13).await.is_err());
        assert_eq!(gather.submit(2).await.unwrap(), 4);
    }
}
