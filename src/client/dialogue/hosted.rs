//! Hosted rooms: the lines that outlive a host, and the members that can be the next one.

use std::mem;
use std::time::Duration;

use crate::client::dialogue::unconfirmed::Pending;
use crate::client::dialogue::{Dialogue, Mode};
use crate::client::record::{Action, Heading, Past, PastLine};
use crate::takeover::{Line, Lineage, MAX_HEIRS, Marks, Memory, Numbered, Place, Tail, Token};
use crate::wire::{Command, GOES_ON, Heir, LAST_LINE, Nick, Places, SERVER};

/// After a takeover, the others come back for so long. That is no news.
const COMING_BACK: Duration = Duration::from_secs(5);

/// A member that can be the next host, as the host has told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHost {
    /// Names the run of its program.
    pub token: Token,
    /// Where it listens.
    pub address: String,
    /// The fingerprint of the key that it would have.
    pub key: String,
}

/// The client's knowledge of the hosted room that it is in.
#[derive(Debug, Default)]
pub(super) struct HostedState {
    /// The server has told that its room is hosted, on this connection.
    told: bool,
    marks: Option<Marks>,
    memory: Memory,
    heirs: Vec<NextHost>,
    /// All that was missed is told.
    caught_up: bool,
    /// The note on the next welcome, because the room has moved.
    moving: Option<&'static str>,
    /// The keys of the nicks of those that were there before the room moved.
    before: Vec<String>,
    /// When those that come are news again.
    news_from: Duration,
    /// The time in milliseconds since 1970 at the beginning of the dialogue.
    epoch: u64,
}

impl HostedState {
    /// A new connection was made.
    pub fn reconnected(&mut self) {
        (self.told, self.caught_up) = (false, false);
    }

    fn millis(&self, now: Duration) -> u64 {
        self.epoch + u64::try_from(now.as_millis()).unwrap_or(0)
    }
}

impl Dialogue {
    /// The time in milliseconds since 1970 when the time of the dialogue began.
    pub fn set_epoch(&mut self, millis: u64) {
        self.hosted.epoch = millis;
    }

    /// The room that we are in, if it is hosted.
    pub fn marks(&self) -> Option<Marks> {
        self.hosted.marks.filter(|_| self.hosted.told)
    }

    /// The members that can be the next host, in order.
    pub fn heirs(&self) -> &[NextHost] {
        &self.hosted.heirs
    }

    /// Our knowledge as the next host.
    pub fn inherit(&self) -> Option<Tail> {
        self.hosted.memory.inherit()
    }

    /// The next welcome is that of the same room on another machine.
    pub fn moves(&mut self, note: &'static str) {
        self.hosted.moving = Some(note);
    }

    /// The note on a welcome, if the room has moved.
    pub(super) fn take_move(&mut self) -> Option<&'static str> {
        let note = self.hosted.moving.take()?;
        self.hosted.news_from = self.now + COMING_BACK;
        (self.mode != Mode::Script).then_some(note)
    }

    /// The connection is lost. Remembers the members, because they come back.
    pub(super) fn remember_members(&mut self) {
        if self.hosted.told {
            self.hosted.before = self.members.keys().map(Into::into).collect();
        }
    }

    /// Whether a member that comes was there before the room moved.
    pub(super) fn was_there(&mut self, nick: &str) -> bool {
        let key = Nick::key_of(nick);
        let at = self.hosted.before.iter().position(|known| *known == *key);
        self.now < self.hosted.news_from
            && at.map(|at| self.hosted.before.swap_remove(at)).is_some()
    }

    pub(super) fn hear_room(&mut self, room: &str, epoch: u64, born: u64) -> Vec<Action> {
        let (Some(room), Ok(epoch)) = (Token::parse(room), u32::try_from(epoch)) else {
            return Vec::new();
        };
        self.hosted.told = true;
        self.hosted.heirs.clear();
        self.hosted.marks = Some(Marks { room, epoch, born });
        vec![Action::InRoom]
    }

    pub(super) fn hear_next(&mut self, heirs: &[Heir<'_>]) -> Vec<Action> {
        if self.hosted.told {
            let heirs = heirs.iter().take(MAX_HEIRS).filter_map(|heir| {
                let (address, key) = (heir.address.into(), heir.key.into());
                Some(NextHost { token: Token::parse(heir.token)?, address, key })
            });
            self.hosted.heirs = heirs.collect();
        }
        Vec::new()
    }

    /// Where we have been in a hosted room, newest first.
    pub(super) fn been(&self) -> Option<Places<'_>> {
        self.hosted.marks?;
        let mut places = Places::default();
        for (place, (term, number)) in places.iter_mut().zip(self.hosted.memory.places()) {
            *place = Some((term, *number));
        }
        places[0].map(|_| places)
    }

    /// We have said something to all.
    pub(super) fn remember_own(&mut self, text: &str) {
        if self.hosted.told {
            self.hosted.memory.say(text, self.now);
        }
    }

    /// The server has refused what we have said.
    pub(super) fn forget_own(&mut self, text: &str) {
        self.hosted.memory.refused(text);
    }

    /// Whether what we have said survives the connection.
    pub(super) fn says_again(&self) -> bool {
        self.hosted.told && self.hosted.caught_up
    }

    /// A message to all is told. Returns whether to show it.
    pub(super) fn remember(&mut self, from: &str, text: &str) -> bool {
        let goodbye = from == SERVER && (text == LAST_LINE || text.starts_with(GOES_ON));
        if !self.hosted.told || goodbye {
            return true;
        }
        let (own, millis) = (from == self.nick, self.hosted.millis(self.now));
        let line = Line { from: from.into(), text: text.into() };
        self.hosted.memory.hear(line, own, millis, self.now)
    }

    /// Whether the past that comes is that of a hosted room, all of which is remembered.
    pub(super) fn catches_up(&self) -> bool {
        self.hosted.told && !self.hosted.caught_up
    }

    /// All was told that a hosted room has beyond what we know.
    pub(super) fn catch_up(
        &mut self,
        (term, number): (&str, u64),
        ancestors: &[(&str, u64)],
        lines: Vec<PastLine>,
    ) -> Vec<Action> {
        self.hosted.caught_up = true;
        let ancestors: Vec<Place> =
            ancestors.iter().map(|(term, end)| (term.to_string(), *end)).collect();
        let lineage = Lineage { term: term.into(), ancestors };
        let common = lineage.common(self.hosted.memory.places(), number);
        let past = lines.iter().map(|line| Numbered {
            number: line.number,
            millis: line.seconds * 1000,
            line: Line { from: line.from.clone(), text: line.text.clone() },
        });
        let nick = mem::take(&mut self.nick);
        let is_own = |line: &Line| line.from == nick;
        let rejoined = self.hosted.memory.rejoin(lineage, number, past.collect(), is_own, self.now);
        self.nick = nick;
        let told = lines.len() as u64;
        let shown = lines.into_iter().zip(rejoined.shows).filter(|(_, shows)| *shows);
        let lines: Vec<PastLine> =
            shown.map(|(line, _)| line).filter(|line| !self.ignores(&line.from)).collect();
        let heading = match common {
            None => Heading::Remembered,
            Some(common) if number.saturating_sub(common) > told => Heading::Cut(number - common),
            Some(_) => Heading::Missed,
        };
        let mut actions = Vec::new();
        if !lines.is_empty() {
            actions.push(Action::ShowPast(Past { heading, lines, words: None, is_new: true }));
        }
        for text in rejoined.says {
            actions.push(self.question(Pending::Said(text.clone()), Command::Say(&text)));
        }
        actions.push(Action::CaughtUp);
        actions
    }
}
