use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::frame::Frame;
use crate::v1::{Envelope, EnvelopeResult};
use crate::{Error, Options};

/// Receives the result of an envelope.
pub(crate) type Waiter = oneshot::Sender<Result<EnvelopeResult, Error>>;
/// The number of a batch; later batches have higher ones.
pub(crate) type BatchId = u64;

/// Frames that are sent together, and the callers that wait for their results, by the frame's place.
struct Batch {
    frames: Vec<Frame>,
    waiters: BTreeMap<usize, Waiter>,
    bytes: usize,
    due: Instant,
    /// The number of frames, from the first on, that have their result.
    answered: usize,
}

/// What a sender does next.
pub(crate) enum Next {
    /// Send this batch.
    Send(BatchId, Vec<Frame>),
    /// Wait until the next batch is due, or for a new one.
    Wait(Option<Duration>),
}

/// Holds batches from their first frame to their last result. It decides when a batch is due and whether a frame has room;
/// the publisher waits.
pub(crate) struct Buffer {
    batch_envelopes_max: usize,
    batch_bytes_max: usize,
    buffer_bytes_max: usize,
    linger: Duration,
    bytes: usize,
    newest: BatchId,
    /// Every batch with a frame that has no result.
    unfinished: BTreeMap<BatchId, Batch>,
    untaken: VecDeque<BatchId>,
    /// The last of the untaken batches, while it has room.
    open: Option<BatchId>,
}

impl Buffer {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            batch_envelopes_max: options.batch_envelopes_max,
            batch_bytes_max: options.batch_bytes_max,
            buffer_bytes_max: options.buffer_bytes_max,
            linger: options.linger,
            bytes: 0,
            newest: 0,
            unfinished: BTreeMap::new(),
            untaken: VecDeque::new(),
            open: None,
        }
    }

    /// Returns whether a frame may be put now. A frame above the whole bound may if the buffer is empty.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.bytes == 0 || self.bytes + bytes <= self.buffer_bytes_max
    }

    /// Adds a frame at the end. Returns whether senders have something new to do.
    pub(crate) fn put(&mut self, frame: Frame, waiter: Option<Waiter>, now: Instant) -> bool {
        let length = frame.len();
        let fits = |batch: &Batch| batch.bytes + length <= self.batch_bytes_max;
        let open = self.open.filter(|id| self.unfinished.get(id).is_some_and(fits));
        let id = open.unwrap_or_else(|| self.open_batch(now));
        let Some(batch) = self.unfinished.get_mut(&id) else { return false };
        if let Some(waiter) = waiter {
            batch.waiters.insert(batch.frames.len(), waiter);
        }
        batch.frames.push(frame);
        batch.bytes += length;
        self.bytes += length;
        let is_full = batch.frames.len() >= self.batch_envelopes_max;
        if is_full {
            self.hasten(now);
            self.open = None;
        }
        open.is_none() || is_full
    }

    fn open_batch(&mut self, now: Instant) -> BatchId {
        self.hasten(now);
        self.newest += 1;
        let due = now + self.linger;
        let batch = Batch { frames: Vec::new(), waiters: BTreeMap::new(), bytes: 0, due, answered: 0 };
        self.unfinished.insert(self.newest, batch);
        self.untaken.push_back(self.newest);
        self.open = Some(self.newest);
        self.newest
    }

    /// Makes the open batch due now, without its linger. It still accepts frames until it is taken.
    pub(crate) fn hasten(&mut self, now: Instant) {
        if let Some(batch) = self.open.and_then(|id| self.unfinished.get_mut(&id)) {
            batch.due = now;
        }
    }

    /// Takes the next batch that is due.
    pub(crate) fn take(&mut self, now: Instant) -> Next {
        let Some(id) = self.untaken.front().copied() else { return Next::Wait(None) };
        let batch = &self.unfinished[&id];
        if batch.due > now {
            return Next::Wait(Some(batch.due - now));
        }
        self.untaken.pop_front();
        if self.open == Some(id) {
            self.open = None;
        }
        Next::Send(id, batch.frames.clone())
    }

    /// Passes the results of the next frames of a batch to the callers that wait for them.
    pub(crate) fn resolve(&mut self, id: BatchId, results: &[EnvelopeResult]) {
        let Some(batch) = self.unfinished.get_mut(&id) else { return };
        for (place, result) in (batch.answered..).zip(results) {
            if let Some(waiter) = batch.waiters.remove(&place) {
                // The caller may have gone.
                let _ = waiter.send(Ok(result.clone()));
            }
        }
        batch.answered += results.len();
    }

    /// Frees the room of a batch whose frames all have their results.
    pub(crate) fn settle(&mut self, id: BatchId) {
        if let Some(batch) = self.unfinished.remove(&id) {
            self.bytes -= batch.bytes;
        }
    }

    /// Returns the newest batch.
    pub(crate) fn newest(&self) -> BatchId {
        self.newest
    }

    /// Returns whether a batch up to this one lacks results.
    pub(crate) fn lacks_results(&self, id: BatchId) -> bool {
        self.unfinished.first_key_value().is_some_and(|(oldest, _)| *oldest <= id)
    }

    /// Ends the wait of all callers.
    pub(crate) fn fail(&mut self, error: &Error) {
        for batch in self.unfinished.values_mut() {
            for (_, waiter) in std::mem::take(&mut batch.waiters) {
                let _ = waiter.send(Err(error.clone()));
            }
        }
    }

    /// Returns the number of envelopes without a result.
    pub(crate) fn unanswered_count(&self) -> usize {
        self.unfinished.values().map(|batch| batch.frames.len() - batch.answered).sum()
    }

    /// Returns the envelopes without a result, in their order.
    pub(crate) fn unanswered(&self) -> Vec<Envelope> {
        self.unfinished.values().flat_map(|batch| &batch.frames[batch.answered..]).map(Frame::envelope).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: &str) -> Frame {
        Frame::new(&Envelope { envelope_id: id.into(), ..Envelope::default() }, None)
    }

    fn buffer(batch_envelopes_max: usize, batch_frames: usize, buffer_frames: usize) -> Buffer {
        let length = frame("a").len();
        Buffer::new(&Options {
            batch_envelopes_max,
            batch_bytes_max: batch_frames * length,
            buffer_bytes_max: buffer_frames * length,
            ..Options::default()
        })
    }

    fn ids(frames: &[Frame]) -> String {
        frames.iter().map(|frame| frame.envelope().envelope_id).collect()
    }

    fn results(count: usize) -> Vec<EnvelopeResult> {
        vec![EnvelopeResult::default(); count]
    }

    #[test]
    fn batches_are_filled_by_count_and_bytes_in_order() {
        let now = Instant::now();
        let mut buffer = buffer(3, 5, 6);
        let news: Vec<bool> = ["a", "b", "c", "d"].map(|id| buffer.put(frame(id), None, now)).into();
        assert_eq!(news, [true, false, true, true]);
        assert!(buffer.has_room(2 * frame("a").len()) && !buffer.has_room(2 * frame("a").len() + 1));
        let large = frame("eeeeeeeeeeeeeeeeeeeeeeeeeeee");
        assert!(buffer.put(large, None, now), "a batch above the bound of bytes is closed");
        let Next::Send(first, frames) = buffer.take(now) else { panic!("full") };
        assert_eq!(ids(&frames), "abc");
        let Next::Send(second, frames) = buffer.take(now) else { panic!("closed") };
        assert_eq!(ids(&frames), "d");
        assert!(matches!(buffer.take(now), Next::Wait(Some(wait)) if wait == Options::default().linger));
        buffer.hasten(now);
        assert!(matches!(buffer.take(now), Next::Send(_, frames) if frames.len() == 1));
        assert!(matches!(buffer.take(now), Next::Wait(None)));
        assert!(buffer.lacks_results(first));
        buffer.resolve(first, &results(3));
        buffer.settle(first);
        assert!(!buffer.lacks_results(first) && buffer.lacks_results(second));
    }

    #[test]
    fn envelope_above_the_whole_bound_has_room_in_an_empty_buffer() {
        assert!(buffer(1, 1, 1).has_room(1_000_000));
    }

    #[test]
    fn answered_envelopes_are_not_returned() {
        let now = Instant::now();
        let mut buffer = buffer(3, 5, 9);
        for id in ["a", "b", "c", "d"] {
            buffer.put(frame(id), None, now);
        }
        let Next::Send(first, _) = buffer.take(now) else { panic!("full") };
        buffer.resolve(first, &results(2));
        let left: String = buffer.unanswered().into_iter().map(|envelope| envelope.envelope_id).collect();
        assert_eq!((left.as_str(), buffer.unanswered_count()), ("cd", 2));
    }

    #[test]
    fn callers_get_their_result_or_the_failure() {
        let now = Instant::now();
        let mut buffer = buffer(3, 5, 9);
        let (first, mut answered) = oneshot::channel();
        let (second, mut failed) = oneshot::channel();
        buffer.put(frame("a"), Some(first), now);
        buffer.put(frame("b"), Some(second), now);
        buffer.hasten(now);
        let Next::Send(id, _) = buffer.take(now) else { panic!("hastened") };
        buffer.resolve(id, &results(1));
        buffer.fail(&Error::Closed);
        assert_eq!(answered.try_recv().unwrap(), Ok(EnvelopeResult::default()));
        assert_eq!(failed.try_recv().unwrap(), Err(Error::Closed));
    }
}
