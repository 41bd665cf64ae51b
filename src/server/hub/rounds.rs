//! How often all listeners are told, where there are many.
//!
//! To tell ten thousand clients takes a tenth of a second of work, however little was said.
//! With a pause between two rounds, the lines that are said meanwhile share one send to each
//! client. A client that talks reads its own lines at once all the same.

use std::time::Duration;

use crate::room::Wakeups;
use crate::server::hub::{Access, Hub, State};

/// Up to so many listeners are told at once, whenever anything is said.
const FEW: usize = 2000;
/// The time from the beginning of one round to the next.
const PAUSE: Duration = Duration::from_millis(50);

/// The last round, and whether another one is due.
#[derive(Debug)]
pub struct Rounds {
    /// Up to so many listeners are told at once.
    few: usize,
    last: Option<Duration>,
    due: bool,
}

impl Default for Rounds {
    fn default() -> Rounds {
        Rounds::new(FEW)
    }
}

impl Rounds {
    /// No round was yet. Up to so many listeners are told at once.
    pub fn new(few: usize) -> Rounds {
        Rounds { few, last: None, due: false }
    }

    /// Whether all of so many listeners are told now. If not, a round is due later.
    pub fn begin(&mut self, listeners: usize, now: Duration) -> bool {
        let pauses = self.last.is_some_and(|last| now.saturating_sub(last) < PAUSE);
        self.due = pauses && listeners > self.few;
        if !self.due {
            self.last = Some(now);
        }
        !self.due
    }

    /// When the next round is due, if one is.
    pub fn due(&self) -> Option<Duration> {
        self.last.filter(|_| self.due).map(|last| last + PAUSE)
    }
}

impl Access<'_> {
    /// Wakes readers, all of them perhaps in the next round.
    pub(super) fn wake(&mut self, mut wake: Wakeups) {
        self.hold_back(&mut wake);
        let State { room, peers, .. } = &mut *self.state;
        peers.wake(room, &wake, &mut self.after.wakers);
    }

    /// Leaves it to the next round to wake all, if there are many and a round was just now.
    pub(super) fn hold_back(&mut self, wake: &mut Wakeups) {
        let (connections, now) = (self.state.connections, self.now);
        if wake.all && !self.state.rounds.begin(connections, now) {
            wake.all = false;
            self.state.peers.wake_followers(&mut self.after.wakers);
            if let Some(due) = self.state.rounds.due() {
                self.hub.rounds.0.try_send(due.saturating_sub(now)).ok(); // It may be known.
            }
        }
    }

    /// Wakes all for what was said since the last round.
    pub fn begin_round(&mut self) {
        if self.state.rounds.due().is_some() {
            self.wake(Wakeups { all: true, ..Wakeups::default() });
        }
    }
}

impl Hub {
    /// Waits until a round of telling is due later, and returns how much later.
    pub async fn next_round(&self) -> Duration {
        self.rounds.1.recv().await.expect("the hub has the sender")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_listeners_are_told_at_once() {
        let mut rounds = Rounds::default();
        for millis in [0, 0, 1, 2, 2, 60] {
            assert!(rounds.begin(FEW, Duration::from_millis(millis)), "at {millis} ms");
            assert_eq!(rounds.due(), None);
        }
    }

    #[test]
    fn many_listeners_are_told_twenty_times_a_second() {
        let mut rounds = Rounds::default();
        let told: Vec<u64> =
            (0..200).filter(|&at| rounds.begin(FEW + 1, Duration::from_millis(at))).collect();
        assert_eq!(told, [0, 50, 100, 150]);
        assert_eq!(rounds.due(), Some(Duration::from_millis(200)));
        assert!(rounds.begin(FEW + 1, Duration::from_millis(200)));
        assert_eq!(rounds.due(), None);
        // Some left before the round that is due.
        assert!(!rounds.begin(FEW + 1, Duration::from_millis(201)));
        assert!(rounds.begin(FEW, Duration::from_millis(202)));
        assert_eq!(rounds.due(), None);
    }
}
