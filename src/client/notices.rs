//! Notices of arrivals and departures: one by one, or many in one line. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::wire::Nick;

/// How many notices are shown one by one within [`WINDOW`].
const FEW: usize = 1;
/// The time for [`FEW`] notices. Further ones wait, at most for this time.
const WINDOW: Duration = Duration::from_secs(5);
/// Waiting notices are shown after this time without an arrival or departure.
const PAUSE: Duration = Duration::from_secs(1);
/// Waiting notices are shown when there are this many, so that their memory is bounded.
const MAX_GATHERED: usize = 1000;

/// An arrival or a departure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Joined,
    Left,
}

/// Arrivals or departures, to be shown in one line.
pub type Group = (Presence, Vec<String>);

/// The notices of the last seconds.
#[derive(Debug, Default)]
pub struct Notices {
    /// When notices were shown one by one.
    shown: VecDeque<Duration>,
    /// The notices that are not shown yet, in order.
    pending: Vec<(Presence, Vec<Person>)>,
    /// When the first and the last of them came.
    since: Option<(Duration, Duration)>,
}

/// A person of a notice.
#[derive(Debug)]
struct Person {
    /// The key of the nick.
    key: String,
    nick: String,
}

impl Notices {
    /// Adds an arrival or departure. Returns the groups to show at once.
    pub fn add(&mut self, presence: Presence, nick: &str, now: Duration) -> Vec<Group> {
        while self.shown.front().is_some_and(|&then| now - then >= WINDOW) {
            self.shown.pop_front();
        }
        if self.since.is_none() && self.shown.len() < FEW {
            self.shown.push_back(now);
            return vec![(presence, vec![nick.into()])];
        }
        let person = Person { key: Nick::key_of(nick).into(), nick: nick.into() };
        // A nick that left and came again may have a new owner: both are told, in order.
        if presence == Presence::Joined && self.has(Presence::Left, &person.key) {
            let told = self.take();
            self.since = Some((now, now));
            self.pending = vec![(presence, vec![person])];
            return told;
        }
        let first = self.since.map_or(now, |(first, _)| first);
        self.since = Some((first, now));
        // A person that came and left again meanwhile needs no notice.
        if presence == Presence::Left && self.has(Presence::Joined, &person.key) {
            for (before, nicks) in &mut self.pending {
                nicks.retain(|known| *before == presence || known.key != person.key);
            }
            return Vec::new();
        }
        match self.pending.iter_mut().find(|(before, _)| *before == presence) {
            Some((_, nicks)) => nicks.push(person),
            None => self.pending.push((presence, vec![person])),
        }
        let pending: usize = self.pending.iter().map(|(_, nicks)| nicks.len()).sum();
        if pending < MAX_GATHERED { Vec::new() } else { self.take() }
    }

    /// When the waiting notices have to be shown, if there are any.
    pub fn deadline(&self) -> Option<Duration> {
        self.since.map(|(first, last)| (first + WINDOW).min(last + PAUSE))
    }

    /// Returns the waiting notices, and forgets them.
    pub fn take(&mut self) -> Vec<Group> {
        self.since = None;
        let groups = std::mem::take(&mut self.pending);
        let groups = groups.into_iter().filter(|(_, nicks)| !nicks.is_empty());
        let named = |nicks: Vec<Person>| nicks.into_iter().map(|person| person.nick).collect();
        groups.map(|(presence, nicks)| (presence, named(nicks))).collect()
    }

    /// Whether a notice about `nick` waits.
    pub fn contains(&self, nick: &str) -> bool {
        !self.pending.is_empty() && {
            let key = Nick::key_of(nick);
            [Presence::Joined, Presence::Left].into_iter().any(|presence| self.has(presence, &key))
        }
    }

    /// Whether a notice of this kind waits for a nick of this key.
    fn has(&self, presence: Presence, key: &str) -> bool {
        let nicks = self.pending.iter().filter(|(before, _)| *before == presence);
        nicks.flat_map(|(_, nicks)| nicks).any(|known| known.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(presence: Presence, nick: &str) -> Vec<Group> {
        vec![(presence, vec![nick.into()])]
    }

    #[test]
    fn a_few_are_told_one_by_one_and_many_together() {
        let mut notices = Notices::default();
        let now = Duration::from_secs(60);
        assert_eq!(notices.add(Presence::Joined, "a", now), one(Presence::Joined, "a"));
        assert_eq!(notices.deadline(), None);
        for nick in ["d", "e", "f"] {
            assert_eq!(notices.add(Presence::Joined, nick, now), []);
        }
        assert!(notices.contains("e") && !notices.contains("a"));
        assert_eq!(notices.deadline(), Some(now + PAUSE));
        let names = ["d", "e", "f"].map(String::from).to_vec();
        assert_eq!(notices.take(), [(Presence::Joined, names)]);
        assert_eq!(notices.deadline(), None);
    }

    #[test]
    fn later_everything_is_as_at_the_beginning() {
        let mut notices = Notices::default();
        let now = Duration::from_secs(60);
        for nick in ["a", "b", "c", "d"] {
            notices.add(Presence::Joined, nick, now);
        }
        notices.take();
        assert_eq!(notices.add(Presence::Left, "a", now + PAUSE), []);
        assert_eq!(notices.take(), one(Presence::Left, "a"));
        assert_eq!(notices.add(Presence::Left, "b", now + WINDOW), one(Presence::Left, "b"));
    }

    #[test]
    fn a_server_that_makes_people_up_fills_no_memory() {
        let mut notices = Notices::default();
        let passed: usize = (0..10 * MAX_GATHERED)
            .map(|number| {
                let groups = notices.add(Presence::Joined, &number.to_string(), Duration::ZERO);
                assert!(notices.pending.iter().all(|(_, nicks)| nicks.len() < MAX_GATHERED));
                groups.iter().map(|(_, nicks)| nicks.len()).sum::<usize>()
            })
            .sum();
        assert!(passed > 9 * MAX_GATHERED);
    }

    #[test]
    fn a_crowd_that_does_not_end_is_told_of_nevertheless() {
        let mut notices = Notices::default();
        let start = Duration::from_secs(60);
        for step in 0..100 {
            notices.add(Presence::Joined, &step.to_string(), start + PAUSE / 10 * step);
        }
        assert!(notices.deadline().unwrap() <= start + WINDOW + PAUSE);
    }

    #[test]
    fn nick_that_changes_hands_is_told_as_left_and_joined() {
        let now = Duration::from_secs(60);
        for again in ["bia", "Bia"] {
            let mut notices = Notices::default();
            notices.add(Presence::Joined, "x", now);
            notices.add(Presence::Joined, "y", now);
            assert_eq!(notices.add(Presence::Left, "bia", now), []);
            let told = [one(Presence::Joined, "y"), one(Presence::Left, "bia")].concat();
            assert_eq!(notices.add(Presence::Joined, again, now), told);
            assert!(notices.deadline().is_some());
            // However often it goes on: the first leaving and the last coming are told.
            for _ in 0..10 {
                assert_eq!(notices.add(Presence::Left, "bia", now), []);
                assert_eq!(notices.add(Presence::Joined, again, now), []);
            }
            assert_eq!(notices.take(), one(Presence::Joined, again));
        }
    }

    #[test]
    fn short_visit_is_not_told() {
        let mut notices = Notices::default();
        let now = Duration::from_secs(60);
        for nick in ["a", "b", "c", "d", "e"] {
            notices.add(Presence::Joined, nick, now);
        }
        notices.add(Presence::Left, "d", now);
        notices.add(Presence::Left, "a", now);
        let stayed = (Presence::Joined, ["b", "c", "e"].map(String::from).to_vec());
        assert_eq!(notices.take(), [vec![stayed], one(Presence::Left, "a")].concat());
    }
}
