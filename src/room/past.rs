//! Earlier messages, for clients that ask: `SINCE`, `LAST` and `FIND`.
//!
//! Each message to all has a number, one more than the last one. No number stands on a line
//! that all read, so a client counts by itself.

use std::mem;
use std::time::Duration;

use crate::room::transcript::Excerpt;
use crate::room::{Entry, MAX_HISTORY, Room, Rules, SessionId};
use crate::takeover::{Lineage, Place};
use crate::wire::{Event, Places, Refusal};

/// How many messages are told again at a time, at most.
pub const MAX_PAST: usize = 500;
/// The same, in bytes. It stays below the unread answers from which on a client is not heard.
pub const MAX_PAST_BYTES: usize = 48 << 10;
/// How many messages are remembered. A room that is recorded remembers all that its
/// transcript holds.
pub const MAX_REMEMBERED: usize = 10_000;
/// How many questions wait for an answer from outside of the room.
pub const MAX_LOOKUPS: usize = 16;
/// How many searches one client may make at once.
pub const SEARCH_BURST: u32 = 5;
/// After so long, it may make one more.
pub const SEARCH_INTERVAL: Duration = Duration::from_secs(10);
/// The shortest and the longest text to look for, in bytes.
pub const SEARCHED: [usize; 2] = [2, 200];

/// The past, as far as the room knows it beyond its transcript.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The number of the first message in the store, if there is one.
    stored_from: Option<u64>,
    /// The ticket of the last question.
    ticket: u64,
    /// How many questions wait for an answer.
    waiting: usize,
    /// The questions that wait to be taken.
    lookups: Vec<Lookup>,
}

/// A question that is answered outside of the room.
#[derive(Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The session that asks.
    pub id: SessionId,
    /// Names the question, because a session may be over before its answer comes.
    pub ticket: u64,
    /// The wish.
    pub wanted: Wanted,
}

/// A wish of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The last messages before a number.
    Last {
        /// How many.
        count: usize,
        /// The number.
        before: u64,
    },
    /// The newest messages that hold this text.
    Find(String),
}

/// How often one client may search: a burst, and then one now and then.
#[derive(Debug, Default)]
pub(super) struct SearchBucket {
    /// When the whole burst is allowed again.
    full: Duration,
}

impl SearchBucket {
    /// Counts one search, if it is allowed now.
    fn take(&mut self, now: Duration) -> bool {
        let full = self.full.max(now) + SEARCH_INTERVAL;
        let allowed = full - now <= SEARCH_INTERVAL * SEARCH_BURST;
        if allowed {
            self.full = full;
        }
        allowed
    }
}

/// How many messages the transcript remembers.
pub(super) fn kept(rules: &Rules) -> usize {
    match (rules.recall, &rules.recorded) {
        (_, Some(_)) => usize::MAX,
        (0, None) => rules.history,
        (_, None) => MAX_REMEMBERED.max(rules.history),
    }
}

impl Room {
    /// Takes note of the time: since the room's fixed moment. Returns whether the room
    /// wants to know what the clock on the wall shows.
    pub fn tick(&mut self, now: Duration) -> bool {
        self.clock = now;
        self.wall.1 == 0 || now.saturating_sub(self.wall.0) >= Duration::from_secs(1)
    }

    /// Sets the clock on the wall, in milliseconds since 1970.
    pub fn set_wall_clock(&mut self, millis: u64) {
        self.wall = (self.clock, millis);
    }

    /// The time of the last line that was heard, in milliseconds since 1970.
    pub(super) fn unix_millis(&self) -> u64 {
        let (then, millis) = self.wall;
        millis + self.clock.saturating_sub(then).as_millis() as u64
    }

    /// Whether clients that ask are told of the past.
    pub(super) fn tells_history(&self) -> bool {
        self.rules.recall > 0
    }

    /// The number of the last message to all.
    pub fn last_number(&self) -> u64 {
        self.feed.transcript.last()
    }

    /// The room is recorded, and this is the number of the first message that is stored.
    pub fn set_stored_from(&mut self, number: u64) {
        self.past.stored_from = Some(number);
    }

    /// Puts a message of an earlier run into the transcript, before anyone enters.
    pub fn restore(&mut self, number: u64, millis: u64, from: &str, text: &str) {
        self.feed.transcript.count_from(number);
        self.propose(Entry::Restored { millis, from, text });
    }

    /// Gives the next message at least this number.
    pub fn count_from(&mut self, number: u64) {
        self.feed.transcript.count_from(number);
    }

    pub(super) fn asks_for_history(&self, id: SessionId) -> bool {
        self.sessions[id.0].extension.as_ref().is_some_and(|asked| asked.history)
    }

    /// Takes note of what a guest has read before it was away.
    pub(super) fn hear_since(&mut self, id: SessionId, places: &Places<'_>) -> Result<(), Refusal> {
        let been: Vec<Place> =
            places.iter().flatten().map(|(term, number)| (term.to_string(), *number)).collect();
        let Rules { term, ancestors, .. } = &self.rules;
        let lineage = Lineage { term: term.clone(), ancestors: ancestors.clone() };
        let known = lineage.common(&been, u64::MAX);
        let guest = !self.is_member(id);
        let asked = self.sessions[id.0].extension.as_mut().filter(|asked| asked.history && guest);
        asked.ok_or(Refusal::UnknownCommand)?.since = known;
        Ok(())
    }

    /// Tells a newcomer that asked for it what it has missed, or the last messages, and the
    /// number from which on it counts.
    pub(super) fn tell_missed(&mut self, id: SessionId, place: u64) {
        let transcript = &self.feed.transcript;
        let session = &mut self.sessions[id.0];
        let Some(asked) = session.extension.as_ref().filter(|asked| asked.history) else { return };
        let last = transcript.last();
        let (after, count) = match asked.since {
            // Its count may be ahead of the room's.
            Some(number) => (number.min(last), MAX_PAST),
            None => (0, self.rules.recall.min(MAX_PAST)),
        };
        let missed = transcript.excerpt(after + 1..last + 1, MAX_HISTORY, count, MAX_PAST_BYTES);
        session.reader.push_past(place, missed);
        let ancestors = self.rules.ancestors.iter().map(|(term, end)| (term.as_str(), *end));
        let ancestors = if asked.heirs { ancestors.collect() } else { Vec::new() };
        let now = Event::Now { term: &self.rules.term, number: last, ancestors };
        session.reader.push_note(place..place, now);
        if asked.heirs {
            session.reader.push_note(place..place, self.heirs.next());
        }
    }

    /// Tells all members that count messages what the last number is, because a line that
    /// looks like a message was none.
    pub(super) fn tell_number(&mut self) {
        let (head, number) = (self.head(), self.last_number());
        for (_, session) in &mut self.sessions {
            let asked = session.extension.as_ref().filter(|asked| asked.history);
            if let Some(asked) = asked.filter(|_| session.reader.listens()) {
                let before = session.reader.weight();
                let ancestors =
                    self.rules.ancestors.iter().map(|(term, end)| (term.as_str(), *end));
                let ancestors = if asked.heirs { ancestors.collect() } else { Vec::new() };
                let now = Event::Now { term: &self.rules.term, number, ancestors };
                session.reader.push_note(head..head, now);
                self.feed.uncounted += session.reader.weight() - before;
            }
        }
    }

    /// Tells a member the last messages before a number.
    pub(super) fn tell_last(
        &mut self,
        id: SessionId,
        count: u64,
        before: Option<u64>,
    ) -> Result<(), Refusal> {
        self.may_ask(id)?;
        let transcript = &self.feed.transcript;
        let end = transcript.last() + 1;
        let before = before.map_or(end, |before| before.min(end));
        let count = usize::try_from(count).map_or(MAX_PAST, |count| count.min(MAX_PAST));
        let excerpt = transcript.excerpt(0..before, MAX_HISTORY, count, MAX_PAST_BYTES);
        let remembered = transcript.first_within(MAX_HISTORY).unwrap_or(end);
        let first = if excerpt.count == 0 { before } else { excerpt.first };
        let is_complete = excerpt.count as usize == count || first > remembered;
        let stored = self.past.stored_from.is_some_and(|stored| stored < first.min(remembered));
        if !is_complete && stored {
            return self.look_up(id, Wanted::Last { count, before });
        }
        let more = first > remembered || stored;
        self.tell_past(id, excerpt);
        self.tell(id, Event::Found { count: excerpt.count.into(), more });
        Ok(())
    }

    /// Looks for a text in what was said.
    pub(super) fn find_past(
        &mut self,
        id: SessionId,
        text: &str,
        now: Duration,
    ) -> Result<(), Refusal> {
        self.may_ask(id)?;
        let [least, most] = SEARCHED;
        match text.len() {
            length if length < least => return Err(Refusal::EmptyMessage),
            length if length > most => return Err(Refusal::LineTooLong),
            _ => (),
        }
        let asked = self.sessions[id.0].extension.as_mut().expect("it may ask");
        let busy = asked.lookup.is_some() || self.past.waiting >= MAX_LOOKUPS;
        if busy || !asked.searches.take(now) {
            return Err(Refusal::TooFast);
        }
        self.look_up(id, Wanted::Find(text.into()))
    }

    /// Whether a session may ask for what was said.
    fn may_ask(&self, id: SessionId) -> Result<(), Refusal> {
        match (self.asks_for_history(id), self.is_member(id)) {
            (false, _) => Err(Refusal::UnknownCommand),
            (true, false) => Err(Refusal::NotRegistered),
            (true, true) => Ok(()),
        }
    }

    /// Has a question answered outside of the room.
    fn look_up(&mut self, id: SessionId, wanted: Wanted) -> Result<(), Refusal> {
        let asked = self.sessions[id.0].extension.as_mut().expect("it may ask");
        if asked.lookup.is_some() || self.past.waiting >= MAX_LOOKUPS {
            return Err(Refusal::TooFast);
        }
        self.past.ticket += 1;
        self.past.waiting += 1;
        let ticket = self.past.ticket;
        asked.lookup = Some(ticket);
        self.past.lookups.push(Lookup { id, ticket, wanted });
        Ok(())
    }

    /// The questions since this was last asked. The caller has each of them answered.
    pub fn take_lookups(&mut self) -> Vec<Lookup> {
        mem::take(&mut self.past.lookups)
    }

    /// Answers a question with lines that tell messages again. Each question is answered
    /// once, whether its session is still there or not.
    pub fn answer(&mut self, lookup: &Lookup, past: &[u8], count: u64, more: bool) {
        self.past.waiting -= 1;
        let Lookup { id, ticket, .. } = *lookup;
        let session = self.sessions.get_mut(id.0);
        let asked = session.and_then(|session| session.extension.as_mut());
        if let Some(asked) = asked.filter(|asked| asked.lookup == Some(ticket)) {
            asked.lookup = None;
            let mut lines = past.to_vec();
            lines.extend_from_slice(format!("{}\n", Event::Found { count, more }).as_bytes());
            self.send(id, &lines);
        }
    }

    /// Adds messages that are told again to what a session reads.
    fn tell_past(&mut self, id: SessionId, excerpt: Excerpt) {
        let head = self.head();
        let reader = &mut self.sessions[id.0].reader;
        if !reader.leaving {
            let before = reader.weight();
            reader.push_past(head, excerpt);
            self.feed.uncounted += reader.weight() - before;
            self.effects.wake.some.push(id);
        }
    }

    /// The remembered messages from a number on, as the lines of a store.
    pub fn records(&self, from: u64) -> Vec<u8> {
        let mut records = Vec::new();
        self.feed.transcript.copy_records(from, usize::MAX / 2, &mut records);
        records
    }
}
