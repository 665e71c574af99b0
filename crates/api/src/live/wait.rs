//! Requests that wait until the hub has answered (`async = false`).
//!
//! The relay publishes, whoever wrote; a request only learns what became of its row. It asks after its commit, so the
//! change is in the outbox by then or has been dealt with. Nothing is lost if a request stops waiting.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The hub has it, or nobody was to know.
    Acknowledged,
    /// It waits in the outbox.
    Pending,
    /// It can never be published; the outbox keeps the reason.
    SetAside,
}

impl Outcome {
    /// Its name in the header of the response.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Pending => "pending",
            Self::SetAside => "set-aside",
        }
    }
}

/// Those who wait.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    list: Mutex<Vec<Waiter>>,
    /// Rows whose last change was set aside, which a request may ask for a moment later.
    set_aside: Mutex<HashSet<(String, String)>>,
    called: Notify,
}

#[derive(Debug)]
struct Waiter {
    table: String,
    id: String,
    answer: oneshot::Sender<Outcome>,
}

/// Those who waited when a round began. Who is left goes back when it ends.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    waiters: &'a Waiters,
    list: Vec<Waiter>,
}

impl Waiters {
    /// Asks for the last change of a row.
    pub(crate) fn wait(&self, table: &str, id: &str) -> oneshot::Receiver<Outcome> {
        let (answer, answered) = oneshot::channel();
        let waiter = Waiter { table: table.to_owned(), id: id.to_owned(), answer };
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(waiter);
        self.called.notify_one();
        answered
    }

    /// Resolves when somebody has begun to wait.
    pub(crate) async fn called(&self) {
        self.called.notified().await;
    }

    /// Those who wait now.
    pub(crate) fn take(&self) -> Waiting<'_> {
        let list = std::mem::take(&mut *self.list.lock().unwrap_or_else(PoisonError::into_inner));
        Waiting { waiters: self, list }
    }
}

impl Waiting<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Tells those who wait for this row.
    pub(crate) fn tell(&mut self, table: &str, id: &str, outcome: Outcome) {
        self.remember(table, id, outcome);
        self.answer(|waiter| (waiter.table == table && waiter.id == id).then_some(outcome));
    }

    /// Tells everyone else that their change has been dealt with before.
    pub(crate) fn dealt_with(&mut self) {
        self.dealt_with_unless(|_, _| false);
    }

    /// The same, for those whose row is not still there.
    pub(crate) fn dealt_with_unless(&mut self, is_left: impl Fn(&str, &str) -> bool) {
        let waiters = self.waiters;
        let set_aside = waiters.set_aside.lock().unwrap_or_else(PoisonError::into_inner);
        let before = |waiter: &Waiter| {
            if is_left(&waiter.table, &waiter.id) {
                return None;
            }
            let key = (waiter.table.clone(), waiter.id.clone());
            Some(if set_aside.contains(&key) { Outcome::SetAside } else { Outcome::Acknowledged })
        };
        self.answer(before);
    }

    fn answer(&mut self, outcome: impl Fn(&Waiter) -> Option<Outcome>) {
        for waiter in std::mem::take(&mut self.list) {
            match outcome(&waiter) {
                // A request that has ended meanwhile does not care.
                Some(outcome) => drop(waiter.answer.send(outcome)),
                None => self.list.push(waiter),
            }
        }
    }

    fn remember(&self, table: &str, id: &str, outcome: Outcome) {
        let mut set_aside = self.waiters.set_aside.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (table.to_owned(), id.to_owned());
        if outcome == Outcome::SetAside {
            if set_aside.len() >= REMEMBERED {
                set_aside.clear();
            }
            set_aside.insert(key);
        } else if !set_aside.is_empty() {
            set_aside.remove(&key);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.list.is_empty() {
            self.waiters.list.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.list);
            self.waiters.called.notify_one();
        }
    }
}

const REMEMBERED: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_learns_of_its_own_row_and_nobody_is_forgotten() {
        let waiters = Waiters::default();
        let [mut one, mut two, mut three] = ["1", "2", "3"].map(|id| waiters.wait("book", id));
        let mut round = waiters.take();
        let mut late = waiters.wait("book", "2");
        round.tell("book", "1", Outcome::Acknowledged);
        round.tell("book", "2", Outcome::SetAside);
        round.tell("other", "3", Outcome::Acknowledged);
        drop(round);
        assert_eq!(one.try_recv(), Ok(Outcome::Acknowledged));
        assert_eq!(two.try_recv(), Ok(Outcome::SetAside));
        assert!(three.try_recv().is_err() && late.try_recv().is_err());
        waiters.take().dealt_with();
        assert_eq!(three.try_recv(), Ok(Outcome::Acknowledged));
        // Its change was in the round that had begun already.
        assert_eq!(late.try_recv(), Ok(Outcome::SetAside));
    }
}
