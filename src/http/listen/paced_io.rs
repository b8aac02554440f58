//! A connection whose request heads must come in time.
//!
//! hyper has one timer for both the wait for a request and its head. The wait has to outlast
//! the idle time of load balancers, the head must not: so the head has a timer here, from its
//! first byte until the request is with the router.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What the reading side learns from the routing side: how many requests are in work, and how
/// many have come so far.
#[derive(Clone, Default)]
pub struct Pace {
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    in_work: AtomicUsize,
    so_far: AtomicUsize,
}

/// A request in work, until dropped.
pub struct Busy(Arc<Counts>);

impl Pace {
    pub fn busy(&self) -> Busy {
        self.counts.so_far.fetch_add(1, Ordering::AcqRel);
        self.counts.in_work.fetch_add(1, Ordering::AcqRel);
        Busy(self.counts.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.in_work.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The stream; reads fail with `TimedOut` where a head takes too long.
pub struct PacedIo<S> {
    stream: S,
    paced: Option<(Pace, Duration)>,
    /// The head under way: its timer, and the count of requests when it began.
    head: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> PacedIo<S> {
    pub fn new(stream: S, pace: Pace, head_timeout: Duration) -> Self {
        PacedIo { stream, paced: Some((pace, head_timeout)), head: None }
    }

    /// For HTTP/2, whose frames come at any time.
    pub fn unpaced(stream: S) -> Self {
        PacedIo { stream, paced: None, head: None }
    }

    /// Starts the timer at the first bytes that come while no request is in work.
    fn has_read(&mut self) {
        let Some((pace, head_timeout)) = &self.paced else {
            return;
        };
        let so_far = pace.counts.so_far.load(Ordering::Acquire);
        let is_idle = pace.counts.in_work.load(Ordering::Acquire) == 0;
        let is_timed = self.head.as_ref().is_some_and(|(_, since)| *since == so_far);
        if is_idle && !is_timed {
            let end = Instant::now() + *head_timeout;
            self.head = Some((Box::pin(sleep_until(end)), so_far));
        }
    }

    /// True where a head is under way and its time is over.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let (Some((pace, _)), Some((timer, since))) = (&self.paced, &mut self.head) else {
            return false;
        };
        if pace.counts.so_far.load(Ordering::Acquire) != *since {
            self.head = None;
            return false;
        }
        timer.as_mut().poll(cx).is_ready()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_late(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() > before {
            self.has_read();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
