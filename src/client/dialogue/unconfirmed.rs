//! The lines that await an answer of the server.

use std::time::Duration;

use crate::client::dialogue::{Dialogue, MAX_UNHEARD, Mode, said};
use crate::client::format::beginning;
use crate::client::record::{Action, Kind, Record};
use crate::wire::Command;
use crate::wire::sanitize::{strip, visible};

/// How many own messages may wait for their echo. An old server may send none.
pub(super) const MAX_UNCONFIRMED: usize = 10_000;

/// An own line is shown when the server sends it to all. After this time without an
/// answer, the user is told that it is on its way. A server that never sent one to all
/// may have no echo: the line is shown then.
pub(super) const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// A line that the server has yet to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    /// This, said to all.
    Said(String),
    /// A line for one person. There is an answer only if that person is not here.
    Told { to: String, text: String },
    /// The request for this nick.
    Nick(String),
    /// A question of the user's.
    Who,
    /// One of our own.
    OwnWho,
    /// The question for what was said earlier, which the server may not understand.
    Understand,
    /// A question about the past.
    Past,
}

impl Dialogue {
    /// A line to which the server has an answer.
    pub(super) fn question(&mut self, pending: Pending, command: Command<'_>) -> Action {
        self.sent += 1;
        self.unconfirmed.push_back((self.sent, pending));
        self.trim();
        Action::Send(command.to_string())
    }

    /// The oldest line of a kind has been listened to, and so have all before it.
    pub(super) fn confirmed(&mut self, kind: impl Fn(&Pending) -> bool) -> Option<Pending> {
        let at = self.unconfirmed.iter().position(|(_, pending)| kind(pending))?;
        self.take(at);
        let (number, pending) = self.unconfirmed.pop_front()?;
        self.arrived = number;
        self.echoes |= matches!(pending, Pending::Said(_));
        // The next one has the same time to be answered.
        self.waiting = self.waiting.and_then(|_| self.is_waiting().then_some(self.now));
        Some(pending)
    }

    /// The server has taken this many lines: the private ones among them are to be told.
    pub(super) fn take(&mut self, count: usize) {
        for (_, pending) in self.unconfirmed.drain(..count) {
            // A person has seen it already.
            if let (Mode::Script, Pending::Told { to, text }) = (self.mode, pending) {
                let record = said(Kind::Private, &self.nick, &strip(&text));
                self.taken.push(Record { to: Some(to), own: true, ..record });
            }
        }
    }

    /// Whether something that was said to all has not come back.
    pub(super) fn is_waiting(&self) -> bool {
        self.unconfirmed.iter().any(|(_, pending)| matches!(pending, Pending::Said(_)))
    }

    /// Waits for no more answers than can be borne in mind.
    pub(super) fn trim(&mut self) {
        let surplus = self.unconfirmed.len().saturating_sub(MAX_UNCONFIRMED);
        self.unconfirmed.drain(..surplus);
        let surplus = self.early.len().saturating_sub(MAX_UNCONFIRMED);
        self.early.drain(..surplus);
    }

    /// Tells what was said to all and is not answered.
    pub(super) fn unanswered_lines(&mut self) -> Vec<Action> {
        let mut lines = self.unconfirmed.iter().filter_map(|(number, pending)| match pending {
            Pending::Said(text) => Some((*number, text)),
            _ => None,
        });
        if self.echoes {
            let hint = lines.next().map(|(_, text)| (self.texts.on_its_way)(&visible(text)));
            return hint.map(Action::Hint).into_iter().collect();
        }
        self.silent = true;
        let (early, nick) = (&mut self.early, &self.nick);
        let show = |(number, text): (u32, &String)| {
            early.push_back(number);
            Action::Show(Record { own: true, ..said(Kind::Message, nick, text) })
        };
        lines.map(show).collect()
    }

    /// Whether the line that was answered last is shown already.
    pub(super) fn was_early(&mut self) -> bool {
        let shown = self.early.contains(&self.arrived);
        while self.early.front().is_some_and(|number| *number <= self.arrived) {
            self.early.pop_front();
        }
        shown
    }

    /// The connection has delivered all that was sent so far. That is no answer, but a
    /// private line has none if all is well.
    pub fn delivered(&mut self) {
        self.delivered = self.sent;
        if self.is_interactive() {
            self.unconfirmed.retain(|(_, pending)| !matches!(pending, Pending::Told { .. }));
        }
    }

    /// Whether something was sent that may not be delivered.
    pub fn awaits_delivery(&self) -> bool {
        self.sent > self.delivered
    }

    /// The messages that may be lost, because the server takes no more.
    pub fn unheard(&mut self) -> Vec<Action> {
        let (echoes, delivered) = (self.echoes, self.delivered);
        // In a hosted room, they are said again to the next host.
        let stays = self.says_again();
        let shown: fn(&str) -> String = match self.is_interactive() {
            true => |text| visible(text).into_owned(),
            false => beginning,
        };
        let lost = |number| number > delivered;
        let mut unheard: Vec<String> = self
            .unconfirmed
            .drain(..)
            .filter_map(|(number, pending)| match pending {
                Pending::Said(_) if stays => None,
                Pending::Said(text) if echoes || lost(number) => Some(shown(&text)),
                Pending::Told { to, text } if lost(number) => Some(shown(&format!("@{to} {text}"))),
                _ => None,
            })
            .map(|text| (self.texts.unheard)(&text))
            .collect();
        let more = unheard.len().saturating_sub(MAX_UNHEARD);
        if more > 0 {
            unheard.truncate(MAX_UNHEARD);
            unheard.push((self.texts.unheard_more)(more));
        }
        unheard.into_iter().map(|why| self.decline(why)).collect()
    }

    /// Takes note of raw lines that were sent.
    pub fn said_raw(&mut self, lines: u32) {
        self.sent += lines;
    }

    /// How many lines the server may not have listened to yet.
    pub fn unanswered(&self) -> u32 {
        self.sent - self.arrived
    }

    /// Whether the server would tell when it has listened to what is said.
    pub fn is_answered(&self) -> bool {
        self.mode == Mode::Raw || self.echoes
    }
}
