//! What waits for the writer.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::event::Event;
use crate::transport::{AppendError, Seq};

/// How an append ends.
pub(super) type Outcome = Result<Seq, AppendError>;

/// An event whose publisher waits.
pub(super) struct Pending {
    pub(super) event: Arc<Event>,
    pub(super) done: oneshot::Sender<Outcome>,
}

/// What the writer does next.
#[derive(Debug)]
pub(super) enum Turn {
    /// Write the batch.
    Batch,
    /// See whether the segment is too old, then answer those who asked.
    Look(Vec<oneshot::Sender<()>>),
    /// End: everything that was accepted is written.
    Stop,
}

/// Publishers on one side, the writer on the other. It holds nothing that its publishers do not hold anyway, so it needs
/// no bound of its own.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Default)]
struct State {
    pending: VecDeque<Pending>,
    /// Who wants to know that the segment's age was looked at.
    looks: Vec<oneshot::Sender<()>>,
    look: bool,
    closed: bool,
    /// Why nothing will ever be accepted again.
    broken: Option<String>,
    asleep: bool,
}

impl Queue {
    /// Accepts an event. The receiver says what became of it.
    pub(super) fn push(&self, event: Arc<Event>) -> Result<oneshot::Receiver<Outcome>, AppendError> {
        let mut state = self.state();
        if let Some(reason) = &state.broken {
            return Err(AppendError::Storage(reason.clone()));
        }
        if state.closed {
            return Err(AppendError::Closed);
        }
        let (done, outcome) = oneshot::channel();
        state.pending.push_back(Pending { event, done });
        self.wake(state);
        Ok(outcome)
    }

    /// Asks the writer to look at the age of its segment.
    pub(super) fn look(&self, done: Option<oneshot::Sender<()>>) {
        let mut state = self.state();
        // Nobody will look any more: whoever waits learns it from the dropped sender.
        if state.closed || state.broken.is_some() {
            return;
        }
        state.look = true;
        state.looks.extend(done);
        self.wake(state);
    }

    /// Accepts nothing any more.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        self.wake(state);
    }

    /// Refuses everything from now on, and what waits too.
    pub(super) fn break_down(&self, reason: &str) {
        let refused = {
            let mut state = self.state();
            state.broken.get_or_insert_with(|| reason.to_owned());
            state.looks.clear();
            std::mem::take(&mut state.pending)
        };
        for pending in refused {
            answer(pending.done, Err(AppendError::Storage(reason.to_owned())));
        }
    }

    /// Why nothing is accepted any more.
    pub(super) fn broken(&self) -> Option<String> {
        self.state().broken.clone()
    }

    /// Waits for something to do. A batch is moved to `batch`.
    pub(super) fn take(&self, batch: &mut Vec<Pending>) -> Turn {
        let mut state = self.state();
        loop {
            if !state.pending.is_empty() {
                state.drain(batch);
                return Turn::Batch;
            }
            if std::mem::take(&mut state.look) {
                return Turn::Look(std::mem::take(&mut state.looks));
            }
            if state.closed {
                return Turn::Stop;
            }
            state.asleep = true;
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A call to the system for each event would cost more than the event.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.ready.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn drain(&mut self, batch: &mut Vec<Pending>) {
        let (mut bytes, mut count) = (0, 0);
        for pending in &self.pending {
            if count == BATCH_EVENTS || (bytes >= BATCH_BYTES && count > 0) {
                break;
            }
            bytes += pending.event.weight();
            count += 1;
        }
        batch.extend(self.pending.drain(..count));
    }
}

/// Tells somebody something. A publisher that has gone does not want to know; the event stands as it is.
pub(super) fn answer<T>(to: oneshot::Sender<T>, what: T) {
    drop(to.send(what));
}

const BATCH_EVENTS: usize = 1024;
const BATCH_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use petasos_protocol::{EventId, Topic, Update};

    use super::*;

    fn event(bytes: usize) -> Arc<Event> {
        let update = Update::new(Topic::new("t").unwrap()).with_data("x".repeat(bytes));
        Arc::new(Event::new(EventId::new("i").unwrap(), &update))
    }

    #[test]
    fn batches_are_bounded_by_number_and_by_bytes() {
        let queue = Queue::default();
        let mut receivers: Vec<_> = (0..BATCH_EVENTS + 1).map(|_| queue.push(event(1)).unwrap()).collect();
        receivers.extend((0..3).map(|_| queue.push(event(BATCH_BYTES)).unwrap()));
        let mut sizes = Vec::new();
        queue.close();
        loop {
            let mut batch = Vec::new();
            match queue.take(&mut batch) {
                Turn::Batch => sizes.push(batch.len()),
                Turn::Look(_) => panic!("nobody asked"),
                Turn::Stop => break,
            }
        }
        assert_eq!(sizes, [BATCH_EVENTS, 2, 1, 1]);
        assert!(matches!(queue.push(event(1)), Err(AppendError::Closed)));
    }

    #[test]
    fn nobody_waits_for_a_broken_writer() {
        let queue = Queue::default();
        let mut waiting = queue.push(event(1)).unwrap();
        queue.break_down("the disk is gone");
        assert!(matches!(waiting.try_recv().unwrap(), Err(AppendError::Storage(_))));
        assert!(
            matches!(queue.push(event(1)), Err(AppendError::Storage(reason)) if reason == "the disk is gone")
        );
    }
}
