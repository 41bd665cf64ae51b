//! The members of the room, as far as the client was told. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::suggest::nearest;
use crate::wire::Nick;
use crate::wire::sanitize::is_blank;

/// How many people are kept in mind; a server could make up any number.
const MAX_PEOPLE: usize = 20_000;
/// The longest nick that is kept in mind, in bytes.
pub const MAX_NICK: usize = 128;
/// How many people that left are remembered.
const MAX_GONE: usize = 1000;
/// A rename is a line about a departure, directly followed by one about an arrival.
/// With a longer pause between them, they are no rename.
const RENAME: Duration = Duration::from_secs(1);

/// The people in the room, by the keys of their nicks.
#[derive(Debug, Default)]
pub struct Members {
    here: BTreeMap<String, Person>,
    /// People that spoke and left, by the keys of their nicks, and the nick that came in
    /// their place. The latest stand last.
    gone: VecDeque<(String, Option<String>)>,
    /// The last line said that this nick left, and when it came.
    leaving: Option<(String, Duration)>,
    /// Counts what is said.
    clock: u64,
    /// The list of the server is known, and none of its nicks was left out.
    complete: bool,
    /// The list of the server has been told.
    listed: bool,
    /// The server does not tell joins and leaves.
    untold: bool,
    /// How many the server has not named.
    more: usize,
    /// Something has changed since [`take_changed_nicks`](Members::take_changed_nicks).
    changed: bool,
}

#[derive(Debug)]
struct Person {
    nick: String,
    spoke: u64,
}

/// The facts about an arrival.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Perhaps this is the person that left just before, by this nick. The protocol has
    /// no word for a rename, so this is not certain.
    pub perhaps: Option<String>,
    /// The nick had an owner before that spoke; perhaps the same person.
    pub succeeds: bool,
}

/// The result of a search for a nick.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The one of this nick; or the name itself, if it cannot be known.
    Nick(String),
    /// No member; perhaps this one was meant.
    Unknown(Option<String>),
}

impl Members {
    /// Takes a list of the server.
    pub fn are_here(&mut self, nicks: &[&str]) {
        (self.complete, self.listed) = (!self.untold, true);
        for nick in nicks {
            self.came(nick);
        }
    }

    /// Adds a member.
    pub fn came(&mut self, nick: &str) {
        if nick.len() > MAX_NICK || self.here.len() >= MAX_PEOPLE || nick.contains(is_blank) {
            self.complete = false;
            return;
        }
        let unknown = || Person { nick: String::new(), spoke: 0 };
        self.here.entry(Nick::key_of(nick).into()).or_insert_with(unknown).nick = nick.into();
        self.changed = true;
    }

    /// Takes the server's word for an arrival.
    pub fn joined(&mut self, nick: &str, now: Duration) -> Arrival {
        self.came(nick);
        let key = Nick::key_of(nick);
        let left = self.leaving.take().filter(|(_, then)| now.saturating_sub(*then) < RENAME);
        // With the same nick, it is no rename.
        let perhaps = left.map(|(left, _)| left).filter(|left| Nick::key_of(left) != key);
        if let Some(left) = &perhaps {
            let left = Nick::key_of(left);
            let entry = self.gone.iter_mut().rev().find(|(gone, _)| *gone == *left);
            if let Some((_, successor)) = entry {
                *successor = Some(nick.into());
            }
        }
        let known = self.gone.len();
        self.gone.retain(|(gone, _)| *gone != *key);
        Arrival { perhaps, succeeds: self.gone.len() < known }
    }

    /// Takes the server's word for a departure.
    pub fn left(&mut self, nick: &str, now: Duration) {
        let key = Nick::key_of(nick);
        let gone = self.here.remove(&*key);
        self.changed |= gone.is_some();
        if nick.len() > MAX_NICK {
            return;
        }
        if gone.is_some_and(|person| person.spoke > 0) {
            self.remember_gone(key.into(), None);
        }
        self.leaving = Some((nick.into(), now));
    }

    /// Takes the server's word that a member has another nick.
    pub fn renamed(&mut self, old: &str, new: &str) -> Arrival {
        let (old_key, key) = (Nick::key_of(old), Nick::key_of(new));
        let spoke = self.here.remove(&*old_key).map_or(0, |person| person.spoke);
        self.came(new);
        if let Some(person) = self.here.get_mut(&*key) {
            person.spoke = person.spoke.max(spoke);
        }
        let known = self.gone.len();
        self.gone.retain(|(gone, _)| *gone != *key);
        let succeeds = self.gone.len() < known;
        if old_key != key && spoke > 0 {
            self.remember_gone(old_key.into(), Some(new.into()));
        }
        (self.leaving, self.changed) = (None, true);
        Arrival { perhaps: Some(old.into()), succeeds }
    }

    fn remember_gone(&mut self, key: String, successor: Option<String>) {
        if self.gone.len() == MAX_GONE {
            self.gone.pop_front();
        }
        self.gone.push_back((key, successor));
    }

    /// Removes a nick whose owner has another one now.
    pub fn renamed_from(&mut self, nick: &str) {
        self.changed |= self.here.remove(&*Nick::key_of(nick)).is_some();
    }

    /// The server has said something else: what comes next is no rename.
    pub fn goes_on(&mut self) {
        self.leaving = None;
    }

    /// The keys of the nicks of all, as far as they are known.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.here.keys().map(String::as_str)
    }

    /// Whether a member has this nick, as far as the client knows.
    pub fn has(&self, nick: &str) -> bool {
        self.here.contains_key(&*Nick::key_of(nick))
    }

    /// The member that came when the last owner of this nick left: perhaps they
    /// are the same.
    pub fn successor(&self, nick: &str) -> Option<&str> {
        let key = Nick::key_of(nick);
        let (_, successor) = self.gone.iter().rev().find(|(gone, _)| *gone == *key)?;
        successor.as_deref().filter(|nick| self.has(nick))
    }

    /// Takes the server's word that changes are told from now on, or not any more.
    pub fn are_told(&mut self, told: bool) {
        self.untold = !told;
        self.complete &= told;
    }

    /// Takes the server's word that others are here, too.
    pub fn are_more(&mut self, more: usize) {
        (self.complete, self.more) = (false, more);
    }

    /// Notes that a member spoke.
    pub fn spoke(&mut self, nick: &str) {
        if self.untold && !self.has(nick) {
            self.came(nick);
        }
        if let Some(person) = self.here.get_mut(&*Nick::key_of(nick)) {
            // The last speaker is first already.
            self.changed |= person.spoke < self.clock || self.clock == 0;
            self.clock += u64::from(person.spoke < self.clock || self.clock == 0);
            person.spoke = self.clock;
        }
    }

    /// Nothing is known any more.
    pub fn forget(&mut self) {
        *self = Members { changed: true, ..Members::default() };
    }

    /// How many members there are, as far as is known.
    pub fn number(&self) -> usize {
        self.here.len() + self.more
    }

    /// Whether the server has told a list.
    pub fn are_listed(&self) -> bool {
        self.listed
    }

    /// Finds the member that `name` means, in any case.
    pub fn look_up(&self, name: &str) -> Lookup {
        match self.here.get(&*Nick::key_of(name)) {
            Some(person) => Lookup::Nick(person.nick.clone()),
            None if !self.complete => Lookup::Nick(name.into()),
            None => Lookup::Unknown(self.close_to(name)),
        }
    }

    /// The member that may be meant: the one that came when that nick left, or else
    /// one with nearly the same nick.
    pub fn close_to(&self, name: &str) -> Option<String> {
        if let Some(successor) = self.successor(name) {
            return Some(successor.into());
        }
        let (_, person) = nearest(&Nick::key_of(name), &self.here, |(key, _)| key)?;
        Some(person.nick.clone())
    }

    /// The nicks but for one's own, the last speaker first, if they have changed.
    pub fn take_changed_nicks(&mut self, own: &str) -> Option<Vec<String>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let own = Nick::key_of(own);
        let others = self.here.iter().filter(|(key, _)| ***key != *own);
        let mut others: Vec<&Person> = others.map(|(_, person)| person).collect();
        others.sort_by_key(|person| Reverse(person.spoke));
        Some(others.into_iter().map(|person| person.nick.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members() -> Members {
        let mut members = Members::default();
        members.are_here(&["ana", "bia", "João"]);
        members
    }

    #[test]
    fn nick_in_another_case_is_mended() {
        assert_eq!(members().look_up("BIA"), Lookup::Nick("bia".into()));
        assert_eq!(members().look_up("joão"), Lookup::Nick("João".into()));
        assert_eq!(members().look_up("joaao"), Lookup::Unknown(Some("João".into())));
        assert_eq!(members().look_up("nobody"), Lookup::Unknown(None));
        assert_eq!(members().look_up("x"), Lookup::Unknown(None));
        // Without a list, only the server can know.
        assert_eq!(Members::default().look_up("Nobody"), Lookup::Nick("Nobody".into()));
    }

    #[test]
    fn speakers_become_known_while_changes_are_not_told() {
        let mut members = members();
        members.spoke("stranger");
        assert!(!members.has("stranger"));
        members.are_told(false);
        assert_eq!(members.look_up("nobody"), Lookup::Nick("nobody".into()));
        members.spoke("Rui");
        assert_eq!(members.take_changed_nicks("ana").unwrap(), ["Rui", "bia", "João"]);
        // A list is old as soon as it is told.
        members.are_here(&["ana", "Rui"]);
        assert!(!members.complete && members.are_listed());
        members.are_told(true);
        assert!(!members.complete, "it has yet to be asked");
        members.are_here(&["ana", "Rui"]);
        assert!(members.complete);
        members.are_more(93_000);
        assert!(!members.complete && members.number() == 93_000 + members.here.len());
    }

    #[test]
    fn last_speaker_comes_first_and_the_user_not_at_all() {
        let mut members = members();
        assert_eq!(members.take_changed_nicks("ana").unwrap(), ["bia", "João"]);
        assert_eq!(members.take_changed_nicks("ana"), None);
        members.spoke("João");
        members.spoke("stranger");
        assert_eq!(members.take_changed_nicks("ANA").unwrap(), ["João", "bia"]);
        members.left("JOÃO", Duration::ZERO);
        members.came("caio");
        assert_eq!(members.take_changed_nicks("ana").unwrap(), ["bia", "caio"]);
        // The next owner of the nick has said nothing yet.
        members.joined("João", Duration::ZERO);
        assert_eq!(members.take_changed_nicks("ana").unwrap(), ["bia", "caio", "João"]);
    }

    #[test]
    fn person_who_comes_when_another_leaves_may_be_the_same() {
        let second = Duration::from_secs(1);
        let mut members = members();
        members.spoke("bia");
        members.left("bia", second);
        let arrival = members.joined("b2", second);
        assert_eq!(arrival, Arrival { perhaps: Some("bia".into()), succeeds: false });
        assert_eq!(members.look_up("bia"), Lookup::Unknown(Some("b2".into())));
        // The nick's next owner may be another person, or the same.
        let arrival = members.joined("Bia", second);
        assert_eq!(arrival, Arrival { perhaps: None, succeeds: true });
        // Something between the two lines, a pause or the same nick: no rename.
        members.left("b2", second);
        members.goes_on();
        assert_eq!(members.joined("b3", second).perhaps, None);
        members.left("b3", second);
        assert_eq!(members.joined("b4", second + RENAME).perhaps, None);
        members.left("b4", second);
        assert_eq!(members.joined("B4", second).perhaps, None);
    }

    #[test]
    fn people_who_left_fill_no_memory() {
        let mut members = Members::default();
        for number in 0..2 * MAX_GONE {
            let nick = format!("n{number}");
            members.came(&nick);
            members.spoke(&nick);
            members.left(&nick, Duration::ZERO);
        }
        assert_eq!((members.gone.len(), members.here.len()), (MAX_GONE, 0));
    }

    #[test]
    fn a_server_that_makes_people_up_fills_no_memory() {
        let mut members = members();
        members.came(&"x".repeat(MAX_NICK + 1));
        members.came("a\x1b[2J");
        members.came("a b");
        assert_eq!(members.here.len(), 3);
        // A nick that was left out may be meant.
        assert_eq!(members.look_up("nobody"), Lookup::Nick("nobody".into()));
        for number in 0..=MAX_PEOPLE {
            members.came(&format!("n{number}"));
        }
        assert_eq!(members.here.len(), MAX_PEOPLE);
    }
}
