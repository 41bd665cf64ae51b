//! Nicks that have changed hands of late, so that an order for one person does not hit
//! the next.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::room::{Change, MemberChange, SessionId};
use crate::wire::Nick;

/// How long after its last owner a nick's new owner counts as new.
const MEMORY: Duration = Duration::from_secs(60);
/// How long the operator may not have noticed that a nick has a new owner.
const UNNOTICED: Duration = Duration::from_secs(10);
/// How long the same order, given again, counts as the answer to the question.
const ANSWER: Duration = Duration::from_secs(30);
/// How often old nicks are forgotten where there are too many.
const SWEEP: Duration = Duration::from_secs(1);
/// How many nicks are remembered.
const MAX_NICKS: usize = 1024;

/// A session that goes on, and its next nick.
type Successor = (SessionId, Nick);

/// The nicks that sessions have lost and taken.
#[derive(Debug, Default)]
pub struct Handovers {
    /// When a nick was given up.
    given_up: BTreeMap<Box<str>, Instant>,
    /// The sessions that gave up one of these nicks and go on under another one. They are
    /// few, even where a thousand members leave at once.
    moved: BTreeMap<Box<str>, Successor>,
    /// When nicks that were given up long ago were last forgotten.
    swept: Option<Instant>,
    /// When a nick passed to another session.
    taken: BTreeMap<Box<str>, Instant>,
    /// The last question: about which nick and session.
    asked: Option<(Box<str>, SessionId, Instant)>,
}

impl Handovers {
    /// Takes note of a change.
    pub fn note(&mut self, change: &MemberChange) {
        let now = Instant::now();
        match &change.what {
            Change::Joined(nick) => self.take(nick, None, now),
            Change::Left(nick) => {
                // The session's number may be another's soon.
                self.moved.retain(|_, (id, _)| *id != change.id);
                self.give_up(nick, None, now);
            }
            Change::Resumed(from, _) => {
                for (session, _) in self.moved.values_mut() {
                    if session == from {
                        *session = change.id;
                    }
                }
            }
            Change::Renamed(old, new) => {
                self.take(new, Some(change.id), now);
                if old.key() != new.key() {
                    self.give_up(old, Some((change.id, new.clone())), now);
                }
            }
        }
    }

    /// How long ago the nick passed to this session, if the operator may not know that
    /// and was not yet asked. To ask is up to the caller.
    pub fn question(&mut self, nick: &Nick, id: SessionId) -> Option<Duration> {
        let key = nick.key();
        let since = self.taken.get(&*key)?.elapsed();
        let asked = self.asked.take().is_some_and(|(about, whom, then)| {
            *about == *key && whom == id && then.elapsed() < ANSWER
        });
        if asked || since >= UNNOTICED {
            return None;
        }
        self.asked = Some((key.into(), id, Instant::now()));
        Some(since)
    }

    /// The present nick of the last owner of a free nick, if they are here.
    pub fn now_called(&self, key: &str) -> Option<&Nick> {
        let then = self.given_up.get(key)?;
        self.moved.get(key).filter(|_| then.elapsed() < MEMORY).map(|(_, nick)| nick)
    }

    fn take(&mut self, nick: &Nick, id: Option<SessionId>, now: Instant) {
        let key = nick.key();
        self.taken.remove(&*key);
        let former = self.moved.remove(&*key);
        if let Some(then) = self.given_up.remove(&*key)
            && now.duration_since(then) < MEMORY
            && (id.is_none() || former.map(|(id, _)| id) != id)
        {
            self.taken.insert(key.into(), now);
            while self.taken.len() > MAX_NICKS {
                self.taken.pop_first();
            }
        }
    }

    fn give_up(&mut self, nick: &Nick, session: Option<Successor>, now: Instant) {
        let key = nick.key();
        self.taken.remove(&*key);
        let may_sweep = self.swept.is_none_or(|then| now.duration_since(then) >= SWEEP);
        if self.given_up.len() >= MAX_NICKS && may_sweep {
            self.given_up.retain(|_, then| now.duration_since(*then) < MEMORY);
            self.moved.retain(|key, _| self.given_up.contains_key(key));
            self.swept = Some(now);
        }
        self.moved.remove(&*key);
        self.moved.extend(session.map(|session| (key.clone().into(), session)));
        self.given_up.insert(key.into(), now);
        while self.given_up.len() > MAX_NICKS
            && let Some((forgotten, _)) = self.given_up.pop_first()
        {
            self.moved.remove(&forgotten);
        }
    }
}
