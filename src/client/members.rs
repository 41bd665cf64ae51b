//! Who is here, as far as the client was told. Pure.

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
/// The most people who left and are kept in mind.
const MAX_GONE: usize = 1000;
/// A rename is a line that says who left, directly followed by one that says who came.
/// With a longer pause between them, they are no rename.
const RENAME: Duration = Duration::from_secs(1);

/// The people in the room, by the keys of their nicks.
#[derive(Debug, Default)]
pub struct People {
    here: BTreeMap<String, Person>,
    /// Those who said something and left, by the keys of their nicks, and who came in
    /// their place. The latest stand last.
    gone: VecDeque<(String, Option<String>)>,
    /// The last line said that this nick left, and when it came.
    leaving: Option<(String, Duration)>,
    /// Counts what is said.
    clock: u64,
    /// The server has told who is here, and none of them was left out.
    complete: bool,
    /// Something has changed since [`take_news`](People::take_news).
    news: bool,
}

#[derive(Debug)]
struct Person {
    nick: String,
    spoke: u64,
}

/// What the client knows about somebody who came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Perhaps they are the person who left just before, by this nick. The protocol has
    /// no word for a rename, so nobody can be sure.
    pub perhaps: Option<String>,
    /// Somebody else had this nick, or the same person did, and said something.
    pub succeeds: bool,
}

/// Whom a name means.
#[derive(Debug, PartialEq, Eq)]
pub enum Meant {
    /// The one of this nick; or the name itself, if it cannot be known.
    Nick(String),
    /// Nobody; perhaps this one.
    Nobody(Option<String>),
}

impl People {
    /// The server has told some of those who are here.
    pub fn are_here(&mut self, nicks: &[&str]) {
        self.complete = true;
        for nick in nicks {
            self.came(nick);
        }
    }

    /// Somebody is here.
    pub fn came(&mut self, nick: &str) {
        if nick.len() > MAX_NICK || self.here.len() >= MAX_PEOPLE || nick.contains(is_blank) {
            self.complete = false;
            return;
        }
        let unknown = || Person { nick: String::new(), spoke: 0 };
        self.here.entry(Nick::key_of(nick).into()).or_insert_with(unknown).nick = nick.into();
        self.news = true;
    }

    /// The server says that somebody came in.
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

    /// The server says that somebody left.
    pub fn left(&mut self, nick: &str, now: Duration) {
        let key = Nick::key_of(nick);
        let gone = self.here.remove(&*key);
        self.news |= gone.is_some();
        if nick.len() > MAX_NICK {
            return;
        }
        if gone.is_some_and(|person| person.spoke > 0) {
            if self.gone.len() == MAX_GONE {
                self.gone.pop_front();
            }
            self.gone.push_back((key.into(), None));
        }
        self.leaving = Some((nick.into(), now));
    }

    /// Somebody is not called this any more.
    pub fn renamed_from(&mut self, nick: &str) {
        self.news |= self.here.remove(&*Nick::key_of(nick)).is_some();
    }

    /// The server has said something else: what comes next is no rename.
    pub fn goes_on(&mut self) {
        self.leaving = None;
    }

    /// Whether somebody of this nick is here, as far as it is known.
    pub fn has(&self, nick: &str) -> bool {
        self.here.contains_key(&*Nick::key_of(nick))
    }

    /// Who came when the last owner of this nick left, and is still here: perhaps they
    /// are the same.
    pub fn successor(&self, nick: &str) -> Option<&str> {
        let key = Nick::key_of(nick);
        let (_, successor) = self.gone.iter().rev().find(|(gone, _)| *gone == *key)?;
        successor.as_deref().filter(|nick| self.has(nick))
    }

    /// Somebody has said something.
    pub fn spoke(&mut self, nick: &str) {
        if let Some(person) = self.here.get_mut(&*Nick::key_of(nick)) {
            // Whoever goes on talking is first already.
            self.news |= person.spoke < self.clock || self.clock == 0;
            self.clock += u64::from(person.spoke < self.clock || self.clock == 0);
            person.spoke = self.clock;
        }
    }

    /// Nothing is known any more.
    pub fn forget(&mut self) {
        *self = People { news: true, ..People::default() };
    }

    /// Whether everybody who is here is known.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whom `name` means, in whatever case.
    pub fn meant(&self, name: &str) -> Meant {
        match self.here.get(&*Nick::key_of(name)) {
            Some(person) => Meant::Nick(person.nick.clone()),
            None if !self.complete => Meant::Nick(name.into()),
            None => Meant::Nobody(self.close_to(name)),
        }
    }

    /// Who is here and may be meant: the person who came when that nick left, or else
    /// somebody whose nick is nearly the same.
    pub fn close_to(&self, name: &str) -> Option<String> {
        if let Some(successor) = self.successor(name) {
            return Some(successor.into());
        }
        let (_, person) = nearest(&Nick::key_of(name), &self.here, |(key, _)| key)?;
        Some(person.nick.clone())
    }

    /// The nicks but for one's own, whoever spoke last first, if that is news.
    pub fn take_news(&mut self, own: &str) -> Option<Vec<String>> {
        if !std::mem::take(&mut self.news) {
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

    fn people() -> People {
        let mut people = People::default();
        people.are_here(&["ana", "bia", "João"]);
        people
    }

    #[test]
    fn a_name_in_another_case_is_mended_and_an_unknown_one_is_nobodys() {
        assert_eq!(people().meant("BIA"), Meant::Nick("bia".into()));
        assert_eq!(people().meant("joão"), Meant::Nick("João".into()));
        assert_eq!(people().meant("joaao"), Meant::Nobody(Some("João".into())));
        assert_eq!(people().meant("nobody"), Meant::Nobody(None));
        assert_eq!(people().meant("x"), Meant::Nobody(None));
        // Without a list, only the server can know.
        assert_eq!(People::default().meant("Nobody"), Meant::Nick("Nobody".into()));
    }

    #[test]
    fn whoever_spoke_last_comes_first_and_oneself_not_at_all() {
        let mut people = people();
        assert_eq!(people.take_news("ana").unwrap(), ["bia", "João"]);
        assert_eq!(people.take_news("ana"), None);
        people.spoke("João");
        people.spoke("stranger");
        assert_eq!(people.take_news("ANA").unwrap(), ["João", "bia"]);
        people.left("JOÃO", Duration::ZERO);
        people.came("caio");
        assert_eq!(people.take_news("ana").unwrap(), ["bia", "caio"]);
        // The next owner of the nick has said nothing yet.
        people.joined("João", Duration::ZERO);
        assert_eq!(people.take_news("ana").unwrap(), ["bia", "caio", "João"]);
    }

    #[test]
    fn person_who_comes_when_another_leaves_may_be_the_same() {
        let second = Duration::from_secs(1);
        let mut people = people();
        people.spoke("bia");
        people.left("bia", second);
        let arrival = people.joined("b2", second);
        assert_eq!(arrival, Arrival { perhaps: Some("bia".into()), succeeds: false });
        assert_eq!(people.meant("bia"), Meant::Nobody(Some("b2".into())));
        // The nick's next owner is somebody else, or the same: nobody knows.
        let arrival = people.joined("Bia", second);
        assert_eq!(arrival, Arrival { perhaps: None, succeeds: true });
        // Something between the two lines, a pause or the same nick: no rename.
        people.left("b2", second);
        people.goes_on();
        assert_eq!(people.joined("b3", second).perhaps, None);
        people.left("b3", second);
        assert_eq!(people.joined("b4", second + RENAME).perhaps, None);
        people.left("b4", second);
        assert_eq!(people.joined("B4", second).perhaps, None);
    }

    #[test]
    fn people_who_left_fill_no_memory() {
        let mut people = People::default();
        for number in 0..2 * MAX_GONE {
            let nick = format!("n{number}");
            people.came(&nick);
            people.spoke(&nick);
            people.left(&nick, Duration::ZERO);
        }
        assert_eq!((people.gone.len(), people.here.len()), (MAX_GONE, 0));
    }

    #[test]
    fn a_server_that_makes_people_up_fills_no_memory() {
        let mut people = people();
        people.came(&"x".repeat(MAX_NICK + 1));
        people.came("a\x1b[2J");
        people.came("a b");
        assert_eq!(people.here.len(), 3);
        // One of those who were left out may be meant.
        assert_eq!(people.meant("nobody"), Meant::Nick("nobody".into()));
        for number in 0..=MAX_PEOPLE {
            people.came(&format!("n{number}"));
        }
        assert_eq!(people.here.len(), MAX_PEOPLE);
    }
}
