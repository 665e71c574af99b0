//! The threads on which readers wait for the disk.
//!
//! They are few, and always the same ones. Rejected: the runtime's own threads for what blocks. A crowd that comes back with
//! its cursors makes hundreds of those, limited or not (one that has just answered does not count as free yet), and each
//! keeps some of the memory that it once needed.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::queue::answer;
use crate::transport::ReadError;

type Job = Box<dyn FnOnce() + Send>;

/// What waits for a thread, in order. Each job belongs to somebody who waits for it, so it needs no bound of its own.
#[derive(Default)]
pub(super) struct Readers {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Readers {
    /// Does this where it holds back nobody else, if somebody still waits for it by then.
    ///
    /// # Errors
    /// If the history is closed.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        let closed = || ReadError("it is closed".to_owned());
        let (done, result) = oneshot::channel();
        let job = move || {
            if !done.is_closed() {
                answer(done, work());
            }
        };
        {
            let mut state = self.state();
            if state.closed {
                return Err(closed());
            }
            state.jobs.push_back(Box::new(job));
        }
        self.changed.notify_one();
        result.await.map_err(|_| closed())
    }

    /// A thread of these: works until it is closed.
    pub(super) fn work(&self) {
        while let Some(job) = self.next() {
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a reader of the history ended by a panic");
            }
        }
    }

    /// Nothing is read any more; whoever waits is told.
    pub(super) fn close(&self) {
        let jobs = {
            let mut state = self.state();
            state.closed = true;
            std::mem::take(&mut state.jobs)
        };
        drop(jobs);
        self.changed.notify_all();
    }

    fn next(&self) -> Option<Job> {
        let idle = |state: &mut State| state.jobs.is_empty() && !state.closed;
        let waited = self.changed.wait_while(self.state(), idle);
        waited.unwrap_or_else(PoisonError::into_inner).jobs.pop_front()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn work_is_done_until_it_is_closed_and_a_panic_costs_its_own_answer_only() {
        let readers = Arc::new(Readers::default());
        let worker = thread::spawn({
            let readers = Arc::clone(&readers);
            move || readers.work()
        });
        assert_eq!(readers.run(|| 1).await.unwrap(), 1);
        readers.run(|| panic!("for the test")).await.unwrap_err();
        assert_eq!(readers.run(|| 2).await.unwrap(), 2);
        readers.close();
        worker.join().unwrap();
        readers.run(|| 3).await.unwrap_err();
    }

    #[tokio::test]
    async fn whoever_waits_when_it_is_closed_is_told() {
        let readers = Readers::default();
        let waiting = readers.run(|| 1);
        let closing = async { readers.close() };
        let (result, ()) = tokio::join!(waiting, closing);
        result.unwrap_err();
    }
}
