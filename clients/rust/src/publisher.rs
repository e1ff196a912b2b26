use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinSet, coop};
use tokio::time::{Instant, timeout};
use tonic::Code;
use tracing::warn;

use crate::buffer::{BatchId, Buffer, Next, Waiter};
use crate::frame::Frame;
use crate::sender::Sender;
use crate::v1::{Envelope, EnvelopeResult};
use crate::{Builder, Error, Options, Unanswered};

/// How long a publisher that was dropped without `close` still sends.
const DROPPED_TIMEOUT: Duration = Duration::from_secs(5);
/// How long `close` waits after its time for a callback that runs.
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends envelopes to intercomd: in batches, in the order of the calls to [`publish`](Self::publish), until each has its
/// result. It may be shared, by reference or in an [`Arc`].
///
/// It opens its connection at the first envelope, in the Tokio runtime of that call. It repeats calls that failed for a
/// transient reason, for ever by default. A repeat carries the same envelope ids, so that the daemon accepts nothing twice.
///
/// Close it at the end. A publisher that is dropped instead still sends for at most 5 s, as long as its runtime runs, and logs
/// how many envelopes have no result.
pub struct Publisher {
    inner: Arc<Inner>,
}

struct Inner {
    sender: Sender,
    options: Options,
    state: Mutex<State>,
    /// The tasks that send; the lock is held while the publisher closes.
    tasks: tokio::sync::Mutex<JoinSet<()>>,
    /// Senders have something new to do.
    work: Notify,
    /// A batch has all its results, or the publisher has stopped.
    progress: Notify,
}

struct State {
    buffer: Buffer,
    /// The runtime of the senders, once they are started.
    runtime: Option<Handle>,
    /// Why envelopes are not taken any more.
    refusal: Option<Error>,
    /// Why the publisher has stopped or was closed.
    failure: Option<Error>,
    /// The envelopes without a result, after `close`.
    unanswered: Option<Vec<Envelope>>,
}

impl Publisher {
    /// Returns a builder for the daemon at `target`, in gRPC's syntax: `127.0.0.1:50051`, `unix:/run/intercomd.sock`,
    /// `dns:///intercomd:50051`.
    pub fn builder(target: impl Into<String>) -> Builder {
        Builder::new(target.into())
    }

    pub(crate) fn new(target: String, options: Options) -> Result<Self, Error> {
        let buffer = Buffer::new(&options);
        let state = State { buffer, runtime: None, refusal: None, failure: None, unanswered: None };
        let inner = Inner {
            sender: Sender::new(target, options.clone())?,
            options,
            state: Mutex::new(state),
            tasks: tokio::sync::Mutex::default(),
            work: Notify::new(),
            progress: Notify::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Takes an envelope, to send it soon. Waits only while the buffer is full; while it waits, it may be cancelled.
    ///
    /// The envelope is encoded here and now. One without an id gets a new UUIDv7.
    ///
    /// # Errors
    ///
    /// The publisher was closed or has stopped, and does not send the envelope.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub async fn publish(&self, envelope: &Envelope) -> Result<(), Error> {
        self.put(envelope, None).await
    }

    /// Takes an envelope, and returns its result, within 30 s by default. Concurrent callers share calls.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if there is no result in time; the publisher still sends an envelope that it has taken, also if this
    /// call is cancelled. Other errors as from [`publish`](Self::publish), or the one that stopped the publisher meanwhile.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub async fn publish_and_wait(&self, envelope: &Envelope) -> Result<EnvelopeResult, Error> {
        self.publish_and_wait_for(envelope, self.inner.options.result_timeout).await
    }

    /// Does the same as [`publish_and_wait`](Self::publish_and_wait), with another time.
    ///
    /// # Errors
    ///
    /// As [`publish_and_wait`](Self::publish_and_wait).
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub async fn publish_and_wait_for(&self, envelope: &Envelope, limit: Duration) -> Result<EnvelopeResult, Error> {
        let (waiter, result) = oneshot::channel();
        let answered = async {
            self.put(envelope, Some(waiter)).await?;
            result.await.unwrap_or(Err(Error::Closed))
        };
        timeout(limit, answered).await.unwrap_or_else(|_| {
            let cause = self.inner.sender.last_failure().map(|cause| format!(": {cause}")).unwrap_or_default();
            Err(Error::Timeout(format!("no result within {limit:?}, and the publisher goes on sending{cause}")))
        })
    }

    /// Waits until every envelope that was published so far has its result. It may be cancelled.
    ///
    /// # Errors
    ///
    /// The error that stopped the publisher.
    pub async fn flush(&self) -> Result<(), Error> {
        self.inner.flush().await
    }

    /// Flushes, for 10 s by default, and ends.
    ///
    /// Another `close` returns the same. A `close` that is cancelled leaves the publisher refusing new envelopes; another one
    /// completes it.
    ///
    /// # Errors
    ///
    /// [`Unanswered`] holds the envelopes without a result, and says why there are any.
    pub async fn close(&self) -> Result<(), Unanswered> {
        self.close_for(self.inner.options.close_timeout).await
    }

    /// Does the same as [`close`](Self::close), with another time.
    ///
    /// # Errors
    ///
    /// As [`close`](Self::close).
    pub async fn close_for(&self, limit: Duration) -> Result<(), Unanswered> {
        self.inner.close(limit).await
    }

    /// Returns the envelopes without a result, after [`close`](Self::close).
    pub fn unanswered(&self) -> Vec<Envelope> {
        self.inner.state().unanswered.clone().unwrap_or_default()
    }

    /// Returns the reason why the publisher has stopped or was closed; `None` while it works.
    pub fn error(&self) -> Option<Error> {
        self.inner.state().failure.clone()
    }

    async fn put(&self, envelope: &Envelope, waiter: Option<Waiter>) -> Result<(), Error> {
        // A task that only publishes would leave the senders no time on a runtime of one thread.
        coop::consume_budget().await;
        let frame = Frame::new(envelope, self.inner.traceparent());
        loop {
            let progress = {
                let mut state = self.inner.state();
                if let Some(refusal) = &state.refusal {
                    return Err(refusal.clone());
                }
                if state.buffer.has_room(frame.len()) {
                    self.start(&mut state);
                    if state.buffer.put(frame, waiter, Instant::now()) {
                        self.inner.work.notify_waiters();
                    }
                    return Ok(());
                }
                state.buffer.hasten(Instant::now());
                self.inner.work.notify_waiters();
                self.inner.progress.notified()
            };
            progress.await;
        }
    }

    /// Starts the tasks that send, at the first envelope.
    fn start(&self, state: &mut State) {
        if state.runtime.is_some() {
            return;
        }
        let runtime = Handle::current();
        // Only `close` holds the lock, and it makes `put` refuse envelopes first.
        if let Ok(mut tasks) = self.inner.tasks.try_lock() {
            for _ in 0..self.inner.options.calls_in_flight_max {
                let end = SenderEnd(self.inner.clone());
                tasks.spawn_on(self.inner.clone().send_batches(end), &runtime);
            }
        }
        state.runtime = Some(runtime);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let (count, runtime) = {
            let state = self.inner.state();
            (state.buffer.unanswered_count(), state.runtime.clone().filter(|_| state.unanswered.is_none()))
        };
        let Some(runtime) = runtime else { return };
        if count > 0 {
            warn!("the publisher was dropped without close: {count} envelopes have no result yet");
        }
        let inner = self.inner.clone();
        runtime.spawn(async move {
            if let Err(left) = inner.close(DROPPED_TIMEOUT).await {
                warn!("a publisher that was dropped without close is lost: {left}");
            }
        });
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.inner.state().buffer.unanswered_count();
        formatter.debug_struct("Publisher").field("unanswered", &count).finish_non_exhaustive()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn traceparent(&self) -> Option<String> {
        match &self.options.traceparent {
            Some(current) => current(),
            None => crate::trace::current_traceparent(),
        }
    }

    async fn flush(&self) -> Result<(), Error> {
        let last = {
            let mut state = self.state();
            state.buffer.hasten(Instant::now());
            state.buffer.newest()
        };
        self.work.notify_waiters();
        loop {
            let progress = {
                let state = self.state();
                if let Some(failure) = &state.failure {
                    return Err(failure.clone());
                }
                if !state.buffer.lacks_results(last) {
                    return Ok(());
                }
                self.progress.notified()
            };
            progress.await;
        }
    }

    async fn close(&self, limit: Duration) -> Result<(), Unanswered> {
        self.state().refusal.get_or_insert(Error::Closed);
        self.progress.notify_waiters();
        let mut tasks = self.tasks.lock().await;
        let start = Instant::now();
        if self.state().unanswered.is_none() {
            // Envelopes that are left have no result; the error is part of the returned one.
            let _ = timeout(limit, self.flush()).await;
            self.fail(&Error::Closed);
            // Calls and pauses end at once: only a callback may still run.
            if timeout(limit.saturating_sub(start.elapsed()).max(CALLBACK_TIMEOUT), tasks.shutdown()).await.is_err() {
                warn!("close does not wait any longer for a callback that still runs");
            }
            self.sender.close();
            let mut state = self.state();
            state.unanswered = Some(state.buffer.unanswered());
        }
        let state = self.state();
        let envelopes = state.unanswered.clone().unwrap_or_default();
        if envelopes.is_empty() {
            return Ok(());
        }
        let in_time = || Error::Timeout(format!("no result within {limit:?}"));
        let cause = match &state.failure {
            Some(Error::Closed) | None => self.sender.last_failure().unwrap_or_else(in_time),
            Some(failure) => failure.clone(),
        };
        Err(Unanswered { envelopes, cause })
    }

    /// Sends batches until the publisher stops.
    async fn send_batches(self: Arc<Self>, _end: SenderEnd) {
        while let Some((id, frames)) = self.take().await {
            let resolve = |results: &[EnvelopeResult]| self.state().buffer.resolve(id, results);
            match self.sender.deliver(&frames, resolve).await {
                Ok(()) => self.state().buffer.settle(id),
                Err(error) => self.fail(&error),
            }
            self.progress.notify_waiters();
        }
    }

    /// Waits for the next batch that is due; `None`: the publisher has stopped.
    async fn take(&self) -> Option<(BatchId, Vec<Frame>)> {
        loop {
            let (wait, work) = {
                let mut state = self.state();
                if state.failure.is_some() {
                    return None;
                }
                match state.buffer.take(Instant::now()) {
                    Next::Send(id, frames) => return Some((id, frames)),
                    Next::Wait(wait) => (wait, self.work.notified()),
                }
            };
            match wait {
                // The batch is due, or there is something new: both are looked at again.
                Some(wait) => drop(timeout(wait, work).await),
                None => work.await,
            }
        }
    }

    fn fail(&self, error: &Error) {
        let mut state = self.state();
        state.failure.get_or_insert_with(|| error.clone());
        state.refusal.get_or_insert_with(|| error.clone());
        state.buffer.fail(error);
        self.work.notify_waiters();
        self.progress.notify_waiters();
    }
}

/// Stops the publisher when a task that sends ends otherwise than by `close` or a failure, which come first.
struct SenderEnd(Arc<Inner>);

impl Drop for SenderEnd {
    fn drop(&mut self) {
        let message =
            "the publisher stopped: the Tokio runtime of its first envelope has ended; publish in a runtime that lasts";
        self.0.fail(&Error::Stopped { code: Code::Cancelled, message: message.into() });
    }
}

#[cfg(test)]
mod tests;
