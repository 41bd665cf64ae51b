//! How often newcomers may try passwords.
//!
//! An attempt counts when it begins, so that many at once are many. It is given back if the
//! password was right, or if the newcomer went away without an answer, which tells it nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::server::origin::Origin;

/// How long an attempt counts.
const WINDOW: Duration = Duration::from_secs(60);
/// How many attempts from one origin may count. This machine is an origin like others.
const OF_ORIGIN: usize = 5;
/// How many attempts from everywhere begin without a wait.
const BURST: u32 = 60;
/// The time between two attempts behind those.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long an attempt may wait for its turn. A newcomer has 30 s to a nick.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// How many origins are remembered before the idle ones are forgotten.
const MAX_ORIGINS: usize = 1024;

/// An attempt that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    origin: Option<Origin>,
    begun: Duration,
}

/// The attempts of late.
#[derive(Debug, Default)]
pub struct Guesses {
    of_origin: BTreeMap<Option<Origin>, Vec<Duration>>,
    /// When all of the burst is back.
    full: Duration,
}

impl Guesses {
    /// Counts an attempt, and tells how long it has to wait. None if there are too many.
    pub fn begin(&mut self, origin: Option<Origin>, now: Duration) -> Option<(Guess, Duration)> {
        let counts = |begun: &Duration| *begun + WINDOW > now;
        if self.of_origin.len() >= MAX_ORIGINS {
            self.of_origin.retain(|_, attempts| attempts.iter().any(counts));
        }
        let full = self.full.max(now) + INTERVAL;
        let wait = full.saturating_sub(now + INTERVAL * BURST);
        if wait > MAX_WAIT {
            return None;
        }
        let attempts = self.of_origin.entry(origin).or_default();
        attempts.retain(counts);
        if attempts.len() >= OF_ORIGIN {
            return None;
        }
        attempts.push(now);
        self.full = full;
        Some((Guess { origin, begun: now }, wait))
    }

    /// Counts an attempt no more.
    pub fn give_back(&mut self, Guess { origin, begun }: Guess) {
        self.full = self.full.saturating_sub(INTERVAL);
        if let Some(attempts) = self.of_origin.get_mut(&origin) {
            if let Some(at) = attempts.iter().position(|other| *other == begun) {
                attempts.swap_remove(at);
            }
            if attempts.is_empty() {
                self.of_origin.remove(&origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(7);

    fn origin(number: u16) -> Option<Origin> {
        let [high, low] = number.to_be_bytes();
        Origin::of([10, 0, high, low].into(), &[])
    }

    fn wait(guesses: &mut Guesses, from: Option<Origin>, now: Duration) -> Option<Duration> {
        guesses.begin(from, now).map(|(_, wait)| wait)
    }

    #[test]
    fn sixth_attempt_from_one_origin_is_refused_for_a_minute() {
        for from in [origin(1), None] {
            let mut guesses = Guesses::default();
            for seconds in 0..5 {
                let now = NOW + Duration::from_secs(seconds);
                assert_eq!(wait(&mut guesses, from, now), Some(Duration::ZERO));
            }
            let first_is_over = NOW + WINDOW;
            let moment = Duration::from_millis(1);
            assert_eq!(wait(&mut guesses, from, first_is_over - moment), None);
            assert!(wait(&mut guesses, origin(2), NOW).is_some(), "others are not refused");
            assert!(wait(&mut guesses, from, first_is_over).is_some());
            assert_eq!(wait(&mut guesses, from, first_is_over), None);
        }
    }

    #[test]
    fn addresses_of_one_network_are_one_origin() {
        let mut guesses = Guesses::default();
        let from = |last| Origin::of(format!("2001:db8::{last}").parse().unwrap(), &[]);
        for last in 1..=5 {
            assert!(wait(&mut guesses, from(last), NOW).is_some());
        }
        assert_eq!(wait(&mut guesses, from(6), NOW), None);
    }

    #[test]
    fn attempt_that_is_given_back_counts_no_more() {
        let mut guesses = Guesses::default();
        for _ in 0..1000 {
            let (guess, wait) = guesses.begin(origin(1), NOW).unwrap();
            assert_eq!(wait, Duration::ZERO);
            guesses.give_back(guess);
        }
        assert!(guesses.of_origin.is_empty());
        // It gives back none but its own.
        let begun: Vec<_> = (0..5).filter_map(|_| guesses.begin(origin(1), NOW)).collect();
        guesses.give_back(begun[2].0);
        assert!(guesses.begin(origin(1), NOW).is_some());
        assert!(guesses.begin(origin(1), NOW).is_none());
    }

    #[test]
    fn many_attempts_from_everywhere_wait_for_each_other() {
        let mut guesses = Guesses::default();
        let waits: Vec<_> = (0..90).map(|n| wait(&mut guesses, origin(n), NOW)).collect();
        assert!(waits[..60].iter().all(|wait| *wait == Some(Duration::ZERO)));
        let seconds: Vec<_> = waits[60..80].iter().map(|wait| wait.unwrap().as_secs()).collect();
        assert_eq!(seconds, Vec::from_iter(1..=20));
        assert!(waits[80..].iter().all(Option::is_none));
        // One more a second.
        let later = NOW + INTERVAL;
        assert_eq!(wait(&mut guesses, origin(100), later), Some(MAX_WAIT));
        assert_eq!(wait(&mut guesses, origin(101), later), None);
    }

    #[test]
    fn idle_origins_are_forgotten() {
        let mut guesses = Guesses::default();
        for n in 0..5000 {
            guesses.begin(origin(n), Duration::from_secs(u64::from(n)));
        }
        assert!(guesses.of_origin.len() <= MAX_ORIGINS);
    }
}
