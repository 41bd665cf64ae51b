//! Who comes and goes: told one by one, or in one line when many do. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::wire::Nick;

/// So many notices are told at once...
const FEW: usize = 1;
/// ...in this long; the others are gathered, but no longer than this.
const WINDOW: Duration = Duration::from_secs(5);
/// Or until nobody came or went for so long.
const PAUSE: Duration = Duration::from_secs(1);
/// Or until they are so many: a server could make up any number.
const MAX_GATHERED: usize = 1000;

/// Which way somebody went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
}

/// Those who went one way, to be told in one line.
pub type Group = (Way, Vec<String>);

/// The notices of the last seconds.
#[derive(Debug, Default)]
pub struct Doorway {
    /// When notices were told one by one.
    told: VecDeque<Duration>,
    /// Those who were not told of yet, in order.
    gathered: Vec<(Way, Vec<Passer>)>,
    /// When the first and the last of them came.
    since: Option<(Duration, Duration)>,
}

/// Somebody who came or went.
#[derive(Debug)]
struct Passer {
    /// What tells the nick from others.
    key: String,
    nick: String,
}

impl Doorway {
    /// Somebody went this way. What has to be told at once.
    pub fn passed(&mut self, way: Way, nick: &str, now: Duration) -> Vec<Group> {
        while self.told.front().is_some_and(|&then| now - then >= WINDOW) {
            self.told.pop_front();
        }
        if self.since.is_none() && self.told.len() < FEW {
            self.told.push_back(now);
            return vec![(way, vec![nick.into()])];
        }
        let passer = Passer { key: Nick::key_of(nick).into(), nick: nick.into() };
        // A nick that left and came again may have a new owner: both are told, in order.
        if way == Way::In && self.gathers(Way::Out, &passer.key) {
            let told = self.gathered();
            self.since = Some((now, now));
            self.gathered = vec![(way, vec![passer])];
            return told;
        }
        let first = self.since.map_or(now, |(first, _)| first);
        self.since = Some((first, now));
        // A person who came and left again meanwhile is not told of.
        if way == Way::Out && self.gathers(Way::In, &passer.key) {
            for (before, nicks) in &mut self.gathered {
                nicks.retain(|known| *before == way || known.key != passer.key);
            }
            return Vec::new();
        }
        match self.gathered.iter_mut().find(|(before, _)| *before == way) {
            Some((_, nicks)) => nicks.push(passer),
            None => self.gathered.push((way, vec![passer])),
        }
        let gathered: usize = self.gathered.iter().map(|(_, nicks)| nicks.len()).sum();
        if gathered < MAX_GATHERED { Vec::new() } else { self.gathered() }
    }

    /// When those who are gathered have to be told of, if any are.
    pub fn deadline(&self) -> Option<Duration> {
        self.since.map(|(first, last)| (first + WINDOW).min(last + PAUSE))
    }

    /// Those who were gathered and not yet told of.
    pub fn gathered(&mut self) -> Vec<Group> {
        self.since = None;
        let groups = std::mem::take(&mut self.gathered);
        let groups = groups.into_iter().filter(|(_, nicks)| !nicks.is_empty());
        let named = |nicks: Vec<Passer>| nicks.into_iter().map(|passer| passer.nick).collect();
        groups.map(|(way, nicks)| (way, named(nicks))).collect()
    }

    /// Whether `nick` is one of those who were gathered.
    pub fn holds(&self, nick: &str) -> bool {
        !self.gathered.is_empty() && {
            let key = Nick::key_of(nick);
            [Way::In, Way::Out].into_iter().any(|way| self.gathers(way, &key))
        }
    }

    /// Whether a nick of this key is one of those who were gathered for this way.
    fn gathers(&self, way: Way, key: &str) -> bool {
        let nicks = self.gathered.iter().filter(|(before, _)| *before == way);
        nicks.flat_map(|(_, nicks)| nicks).any(|known| known.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(way: Way, nick: &str) -> Vec<Group> {
        vec![(way, vec![nick.into()])]
    }

    #[test]
    fn a_few_are_told_one_by_one_and_many_together() {
        let mut doorway = Doorway::default();
        let now = Duration::from_secs(60);
        assert_eq!(doorway.passed(Way::In, "a", now), one(Way::In, "a"));
        assert_eq!(doorway.deadline(), None);
        for nick in ["d", "e", "f"] {
            assert_eq!(doorway.passed(Way::In, nick, now), []);
        }
        assert!(doorway.holds("e") && !doorway.holds("a"));
        assert_eq!(doorway.deadline(), Some(now + PAUSE));
        let names = ["d", "e", "f"].map(String::from).to_vec();
        assert_eq!(doorway.gathered(), [(Way::In, names)]);
        assert_eq!(doorway.deadline(), None);
    }

    #[test]
    fn later_everything_is_as_at_the_beginning() {
        let mut doorway = Doorway::default();
        let now = Duration::from_secs(60);
        for nick in ["a", "b", "c", "d"] {
            doorway.passed(Way::In, nick, now);
        }
        doorway.gathered();
        assert_eq!(doorway.passed(Way::Out, "a", now + PAUSE), []);
        assert_eq!(doorway.gathered(), one(Way::Out, "a"));
        assert_eq!(doorway.passed(Way::Out, "b", now + WINDOW), one(Way::Out, "b"));
    }

    #[test]
    fn a_server_that_makes_people_up_fills_no_memory() {
        let mut doorway = Doorway::default();
        let passed: usize = (0..10 * MAX_GATHERED)
            .map(|number| {
                let groups = doorway.passed(Way::In, &number.to_string(), Duration::ZERO);
                assert!(doorway.gathered.iter().all(|(_, nicks)| nicks.len() < MAX_GATHERED));
                groups.iter().map(|(_, nicks)| nicks.len()).sum::<usize>()
            })
            .sum();
        assert!(passed > 9 * MAX_GATHERED);
    }

    #[test]
    fn a_crowd_that_does_not_end_is_told_of_nevertheless() {
        let mut doorway = Doorway::default();
        let start = Duration::from_secs(60);
        for step in 0..100 {
            doorway.passed(Way::In, &step.to_string(), start + PAUSE / 10 * step);
        }
        assert!(doorway.deadline().unwrap() <= start + WINDOW + PAUSE);
    }

    #[test]
    fn nick_that_changes_hands_is_told_as_left_and_joined() {
        let now = Duration::from_secs(60);
        for again in ["bia", "Bia"] {
            let mut doorway = Doorway::default();
            doorway.passed(Way::In, "x", now);
            doorway.passed(Way::In, "y", now);
            assert_eq!(doorway.passed(Way::Out, "bia", now), []);
            let told = [one(Way::In, "y"), one(Way::Out, "bia")].concat();
            assert_eq!(doorway.passed(Way::In, again, now), told);
            assert!(doorway.deadline().is_some());
            // However often it goes on: the first leaving and the last coming are told.
            for _ in 0..10 {
                assert_eq!(doorway.passed(Way::Out, "bia", now), []);
                assert_eq!(doorway.passed(Way::In, again, now), []);
            }
            assert_eq!(doorway.gathered(), one(Way::In, again));
        }
    }

    #[test]
    fn who_comes_and_goes_meanwhile_is_not_told_of() {
        let mut doorway = Doorway::default();
        let now = Duration::from_secs(60);
        for nick in ["a", "b", "c", "d", "e"] {
            doorway.passed(Way::In, nick, now);
        }
        doorway.passed(Way::Out, "d", now);
        doorway.passed(Way::Out, "a", now);
        let stayed = (Way::In, ["b", "c", "e"].map(String::from).to_vec());
        assert_eq!(doorway.gathered(), [vec![stayed], one(Way::Out, "a")].concat());
    }
}
