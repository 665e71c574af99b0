//! What the rest of the hub hands to a shard: a queue with at most one wake-up per sleep.
//!
//! Invariant: a command that was pushed is seen by the shard without anything else happening. The shard declares that it
//! parks, then looks at the queue once more; a pusher queues, then looks whether the shard is parked. Both orders of the
//! two pass through the queue's lock, so at least one of them sees the other.

use std::io;

use super::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering, PoisonError};

/// Ends the sleep of a shard.
pub(crate) trait Wake: Send + Sync + 'static {
    fn wake(&self) -> io::Result<()>;
}

impl Wake for mio::Waker {
    fn wake(&self) -> io::Result<()> {
        mio::Waker::wake(self)
    }
}

/// Commands for one shard, in order.
pub(crate) struct Inbox<T> {
    queue: Mutex<Queue<T>>,
    parked: AtomicBool,
    waker: Box<dyn Wake>,
    /// How many subscriptions the shard has or is about to get.
    load: AtomicUsize,
}

struct Queue<T> {
    commands: Vec<T>,
    closed: bool,
}

impl<T> Inbox<T> {
    pub(crate) fn new(waker: impl Wake) -> Self {
        let queue = Mutex::new(Queue { commands: Vec::new(), closed: false });
        Self { queue, parked: AtomicBool::new(false), waker: Box::new(waker), load: AtomicUsize::new(0) }
    }

    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    pub(crate) fn comes(&self) {
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn goes(&self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }

    /// Queues a command and wakes the shard if it sleeps.
    ///
    /// # Errors
    /// The command, if the shard has ended.
    pub(crate) fn push(&self, command: T) -> Result<(), T> {
        {
            let mut queue = self.queue();
            if queue.closed {
                return Err(command);
            }
            queue.commands.push(command);
        }
        if self.parked.swap(false, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            // The shard still looks at its queue at its next tick, so nothing is lost, only late.
            tracing::error!(%error, "cannot wake a dispatch shard");
        }
        Ok(())
    }

    /// Takes no more commands; returns those that nobody will see to.
    pub(crate) fn close(&self) -> Vec<T> {
        let mut queue = self.queue();
        queue.closed = true;
        std::mem::take(&mut queue.commands)
    }

    /// Takes everything queued into `into`, which must be empty; its capacity is given to the queue.
    pub(crate) fn take(&self, into: &mut Vec<T>) {
        debug_assert!(into.is_empty());
        std::mem::swap(&mut self.queue().commands, into);
    }

    /// Declares that the shard is about to sleep; `false` means that there is something to do first.
    pub(crate) fn park(&self) -> bool {
        self.parked.store(true, Ordering::SeqCst);
        if self.queue().commands.is_empty() {
            return true;
        }
        self.parked.store(false, Ordering::SeqCst);
        false
    }

    /// Declares that the shard is awake, whatever woke it.
    pub(crate) fn unpark(&self) {
        self.parked.store(false, Ordering::SeqCst);
    }

    fn queue(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
