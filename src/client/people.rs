//! Who is here, as far as the client was told. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::guess::nearest;
use crate::wire::Nick;
use crate::wire::sanitize::is_blank;

/// How many people are kept in mind; a server could make up any number.
const MAX_PEOPLE: usize = 20_000;
/// The longest nick that is kept in mind, in bytes.
pub const MAX_NICK: usize = 128;

/// The people in the room, by the keys of their nicks.
#[derive(Debug, Default)]
pub struct People {
    here: BTreeMap<String, Person>,
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

    /// Somebody is gone.
    pub fn left(&mut self, nick: &str) {
        self.news |= self.here.remove(&*Nick::key_of(nick)).is_some();
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

    /// Who is here whose nick is nearly that.
    pub fn close_to(&self, name: &str) -> Option<String> {
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
        people.left("JOÃO");
        people.came("caio");
        assert_eq!(people.take_news("ana").unwrap(), ["bia", "caio"]);
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
