//! The members and what they have said.
//!
//! A [`Room`] is a pure state machine: lines go in, bytes come out, and it never
//! waits. It does not know what a socket or a clock is, so a test can put a
//! thousand people in it and live through an evening in a millisecond.

mod budget;
mod capabilities;
mod effects;
mod entry;
mod feed;
mod heirs;
mod keep;
mod lag;
mod listing;
mod newcomers;
mod notices;
mod order;
mod past;
mod reader;
mod session;
mod shared;
mod transcript;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::mem;
use std::time::Duration;

use slab::Slab;

pub use budget::{ByteBucket, LineBucket, Sender, Talkers};
pub use effects::{Change, Effects, EvictReason, Eviction, MemberChange, Wakeups};
pub use feed::{Followed, FollowerId, MAX_ALL_NOTES, MAX_NOTES};
pub use heirs::{Heritage, Offer};
pub use order::line::OperatorLine;
pub use order::{EntryId, ServerId};
pub use past::{Lookup, MAX_LOOKUPS, MAX_PAST_BYTES, Wanted};
pub use reader::Reading;

use crate::takeover::{Marks, Place};
use crate::wire::sanitize::{is_blank, strip};
use crate::wire::{
    Command, ENCRYPTED_ONLY, Event, ForeignWatch, MAX_COMMAND, NOTICES_OFF, Nick, REMOVED, Refusal,
    SERVER, Scope, TooLong, pieces,
};
use entry::Entry;
use feed::Feed;
use heirs::Succession;
use keep::KeptNicks;
use notices::{Notices, Telling};
use order::Order;
use past::Past;
use session::Session;

/// The length of the transcript, in bytes. A session that lags further is evicted.
pub const TRANSCRIPT: usize = 1 << 20;
/// The room hears nothing from a client while so many bytes of its own lines are unread.
pub const MAX_UNREAD_ANSWERS: usize = 64 << 10;
/// How far back history may reach, in bytes. It stays well clear of the end of the
/// transcript, so that a newcomer has time to read it.
pub const MAX_HISTORY: usize = TRANSCRIPT / 2;

/// The length of the longest text that the server says in one line, in bytes. It is the
/// limit for everybody, so even an old client is used to it.
const MAX_TEXT: usize = MAX_COMMAND - "MSG \n".len();

/// Everyone connected to one server.
///
/// The driving contract: after each call that changes something, apply the
/// [effects](Room::take_effects).
pub struct Room {
    rules: Rules,
    sessions: Slab<Session>,
    /// The members by the keys of their nicks, which is also their order.
    members: BTreeMap<Box<str>, SessionId>,
    feed: Feed,
    /// How many bytes were said in private.
    private_bytes: u64,
    /// The time of the last line that was heard.
    clock: Duration,
    /// The time in milliseconds since 1970 when `clock` was that.
    wall: (Duration, u64),
    past: Past,
    kept: KeptNicks,
    heirs: Succession,
    /// The order that several servers share, if they do.
    order: Option<Box<Order>>,
    notices: Notices,
    effects: Effects,
    closed: bool,
}

/// The decisions of the operator.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Sent to each newcomer, line by line; nothing by default.
    pub greeting: Vec<String>,
    /// How many members there may be at once; 0 is no limit.
    pub max_users: usize,
    /// How many of the last messages a newcomer of version 1 receives; 0 is none.
    pub history: usize,
    /// How many of them a newcomer receives that asks for history. With 0, the room tells
    /// nothing of the past.
    pub recall: usize,
    /// Names the numbers of the messages: another term, other numbers.
    pub term: String,
    /// The note for everyone on registering if the room is recorded.
    pub recorded: Option<String>,
    /// The room lives on its members' machines: its facts.
    pub hosted: Option<Marks>,
    /// The terms of earlier hosts of the room, newest first, and where each ended.
    pub ancestors: Vec<Place>,
    /// Up to how many members comings and goings are told: none is no limit, and with 0 they
    /// never are.
    pub notices: Option<usize>,
}

/// Names one session for as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(usize);

impl SessionId {
    /// A small number, fit for indexing; used again after the session is over.
    pub fn index(self) -> usize {
        self.0
    }
}

/// The result of a line that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was taken.
    Done,
    /// It was not taken, because a reader lags. Offer it again later.
    Later,
    /// It was not taken, because an earlier line is under way. The session is resumed when it
    /// may go on.
    Held,
}

impl Room {
    /// An empty room.
    pub fn new(rules: Rules) -> Room {
        Room {
            sessions: Slab::new(),
            members: BTreeMap::new(),
            feed: Feed::new(past::kept(&rules)),
            private_bytes: 0,
            clock: Duration::ZERO,
            wall: (Duration::ZERO, 0),
            past: Past::default(),
            kept: KeptNicks::default(),
            heirs: Succession::default(),
            order: None,
            notices: Notices::new(rules.notices),
            effects: Effects::default(),
            closed: false,
            rules,
        }
    }

    /// Does what a line asks, or answers why not.
    ///
    /// The line comes without its end; `now` is the time since any fixed moment,
    /// and never goes back.
    pub fn hear(&mut self, id: SessionId, line: Result<&[u8], TooLong>, now: Duration) {
        self.clock = now;
        if self.sessions[id.0].reader.leaving || line == Ok(b"") {
            return;
        }
        if !self.is_member(id) && line.is_ok_and(ForeignWatch::detects_line) {
            self.end_with(id, Event::Refused(Refusal::UnknownCommand));
        } else if let Err(refusal) = self.obey(id, line, now) {
            self.tell(id, Event::Refused(refusal));
        }
    }

    /// Moves a batch of what `id` has not read to the end of `out`.
    pub fn read(&mut self, id: SessionId, out: &mut Vec<u8>) -> Reading {
        self.sessions[id.0].reader.read(&self.feed.transcript, out)
    }

    /// Takes the last batch of `id` for unread again, all but its first `sent` bytes. If
    /// the room has forgotten the rest, the session is evicted.
    pub fn return_unsent(&mut self, id: SessionId, batch: &[u8], sent: usize, now: Duration) {
        let reader = &mut self.sessions[id.0].reader;
        reader.return_unsent(&self.feed.transcript, batch, sent, now);
        if reader.lag(self.feed.transcript.head()) > 0 {
            self.feed.slowest = self.feed.slowest.min(reader.unread.start);
            self.evict_lagging();
        }
    }

    /// Takes a stretch of the transcript for read, if it is all that is next for `id`.
    pub fn skip(&mut self, id: SessionId, (from, to): (u64, u64)) -> bool {
        self.sessions[id.0].reader.skip(from..to)
    }

    /// The stretch of the transcript that `id` read last, if the batch was that alone.
    pub fn last_read(&self, id: SessionId) -> Option<(u64, u64)> {
        self.sessions[id.0].reader.last_read()
    }

    /// Whether `id` has something to read, or nothing ever again.
    pub fn has_unread(&self, id: SessionId) -> bool {
        self.sessions[id.0].reader.has_unread(self.feed.transcript.head())
    }

    /// How many bytes have been said in public so far.
    pub fn head(&self) -> u64 {
        self.feed.transcript.head()
    }

    /// How many bytes have been said so far, in public and in private.
    pub fn spoken(&self) -> u64 {
        self.head() + self.private_bytes
    }

    /// Drops what `id` has not read, because its client reads nothing any more. The client
    /// may still say something.
    pub fn discard_output(&mut self, id: SessionId) {
        self.sessions[id.0].reader.discard_output();
    }

    /// The client says nothing more, but may still read the rest.
    pub fn input_ended(&mut self, id: SessionId) {
        if self.order.as_mut().is_some_and(|order| order.defers_end(id)) {
            return; // Its lines come first.
        }
        self.connection_ended(id);
    }

    /// The connection is gone, so nothing is waited for.
    pub fn connection_ended(&mut self, id: SessionId) {
        self.keep_nick(id);
        self.end(id);
        self.effects.wake.some.push(id);
    }

    /// Removes a session whose connection is gone.
    pub fn leave(&mut self, id: SessionId) {
        self.keep_nick(id);
        self.end(id);
        if let Some(order) = &mut self.order {
            order.forget(id);
        }
        self.sessions.remove(id.0);
    }

    /// Evicts a session: it leaves the members at once, and reads nothing more.
    pub fn evict(&mut self, id: SessionId, reason: EvictReason) {
        self.evict_one(id, reason);
        self.evict_lagging();
    }

    /// Ends a session that has no nick when its time for registration is over.
    pub fn time_out(&mut self, id: SessionId) {
        let session = &self.sessions[id.0];
        if session.nick.is_none() && !session.reader.leaving {
            self.end_with(id, Event::Refused(Refusal::RegistrationTimeout));
        }
    }

    /// Sends everyone a last message and `BYE`. No leave notices follow. Returns the
    /// number of members.
    pub fn close(&mut self, last_word: &str) -> usize {
        let count = self.members.len();
        self.closed = true; // From here on nobody is evicted for lag.
        self.apply(Entry::Closed(last_word));
        let last_word = Event::Message { from: SERVER, scope: Scope::All, text: last_word };
        let head = self.head();
        for (index, session) in &mut self.sessions {
            let reader = &mut session.reader;
            if reader.leaving {
                continue;
            }
            if !reader.listens() {
                reader.push_note(head..head, &last_word);
            }
            reader.push_note(head..head, Event::Bye);
            reader.stop(head);
            session.take_nick();
            self.effects.wake.some.push(SessionId(index));
        }
        self.members.clear();
        self.leave_order();
        count
    }

    /// Says something to everyone as the server, in as many lines as it takes. An
    /// invisible text is not said.
    pub fn announce(&mut self, text: &str) {
        let text = strip(text);
        if text.chars().all(is_blank) {
            return;
        }
        for text in pieces(&text, MAX_TEXT) {
            self.propose(Entry::Announced(&text));
        }
    }

    /// Removes a session by the operator's order. It reads that, with the reason if there
    /// is one; the others only see a member leave.
    pub fn kick(&mut self, id: SessionId, reason: &str) {
        let reason = strip(reason);
        let text = match reason.chars().all(is_blank) {
            true => REMOVED.to_string(),
            false => format!("{REMOVED}: {}", reason.trim()),
        };
        for text in pieces(&text, MAX_TEXT) {
            self.tell(id, Event::Message { from: SERVER, scope: Scope::Dm, text: &text });
        }
        self.end_with(id, Event::Bye);
    }

    /// Removes a session that comes from a banned address. A guest has said nothing that
    /// could be a reason, and is refused like a newcomer.
    pub fn ban(&mut self, id: SessionId) {
        match self.is_member(id) {
            true => self.kick(id, ""),
            false => self.refuse(id, Refusal::Banned),
        }
    }

    /// Sends last bytes to a guest and ends its session, because the conversation begins anew
    /// in another framing.
    pub fn hand_over(&mut self, id: SessionId, last: &[u8]) {
        self.send(id, last);
        self.end(id);
    }

    /// Refuses a guest that talks in the clear where that is not wanted.
    pub fn refuse_clear(&mut self, id: SessionId) {
        let text = ENCRYPTED_ONLY;
        self.tell(id, Event::Message { from: SERVER, scope: Scope::Dm, text });
        self.end_with(id, Event::Refused(Refusal::EncryptionRequired));
    }

    /// Refuses a newcomer.
    pub fn refuse(&mut self, id: SessionId, why: Refusal) {
        self.end_with(id, Event::Refused(why));
    }

    /// Mutes a session under any nick, or lets it talk again.
    pub fn mute(&mut self, id: SessionId, muted: bool) {
        self.sessions[id.0].muted = muted;
    }

    /// Whether `id` is muted.
    pub fn is_muted(&self, id: SessionId) -> bool {
        self.sessions[id.0].muted
    }

    /// The member with this nick, in any spelling of the same key.
    pub fn find(&self, name: &str) -> Option<SessionId> {
        self.members.get(&*Nick::sought(name)?).copied()
    }

    /// The nick of `id`.
    pub fn nick(&self, id: SessionId) -> Option<&Nick> {
        self.sessions[id.0].nick.as_ref()
    }

    /// How many members there are, at all servers.
    pub fn population(&self) -> usize {
        self.order.as_ref().map_or(self.members.len(), |order| order.census.len())
    }

    /// The members with a session here, in the order of `WHO`.
    pub fn members(&self) -> impl Iterator<Item = (SessionId, &Nick)> {
        self.members.values().filter_map(|&id| Some((id, self.nick(id)?)))
    }

    /// Whether the room has said `BYE` to everyone.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether `id` has a nick.
    pub fn is_member(&self, id: SessionId) -> bool {
        self.sessions[id.0].nick.is_some()
    }

    /// Whether `id` receives no new lines.
    pub fn is_leaving(&self, id: SessionId) -> bool {
        self.sessions[id.0].reader.leaving
    }

    /// Whether `id` receives what is said in public.
    pub fn listens(&self, id: SessionId) -> bool {
        self.sessions[id.0].reader.listens()
    }

    /// Whether `id` may say more before it reads its answers.
    pub fn accepts_input(&self, id: SessionId) -> bool {
        self.sessions[id.0].reader.note_bytes() <= MAX_UNREAD_ANSWERS
    }

    /// The effects of the calls since the last time this was asked.
    pub fn take_effects(&mut self) -> Effects {
        mem::take(&mut self.effects)
    }

    /// The readers to wake alone. The caller sees to them by itself.
    pub fn take_wakeups(&mut self) -> Wakeups {
        mem::take(&mut self.effects.wake)
    }

    fn obey(
        &mut self,
        id: SessionId,
        line: Result<&[u8], TooLong>,
        now: Duration,
    ) -> Result<(), Refusal> {
        let line = line.map_err(|TooLong| Refusal::LineTooLong)?;
        let line = str::from_utf8(line).map_err(|_| Refusal::InvalidUtf8)?;
        match Command::parse(line) {
            Ok(Command::Nick(name)) => self.take_nick(id, Nick::new(name)?, now),
            Ok(Command::Say(text)) => self.say(id, text),
            Ok(Command::Whisper { to, text }) => self.whisper(id, to, text, now),
            Ok(Command::Who) => self.list_members(id),
            Ok(Command::Quit) => {
                self.end_with(id, Event::Bye);
                Ok(())
            }
            Ok(Command::Understand(words)) => self.hear_capabilities(id, words),
            Ok(Command::Keep(ticket)) => self.hear_ticket(id, ticket),
            Ok(Command::Since(places)) => self.hear_since(id, &places),
            Ok(Command::Offer { port, token, key }) => self.hear_offer(id, port, token, key),
            Ok(Command::Last { count, before }) => self.tell_last(id, count, before),
            Ok(Command::Find(text)) => self.find_past(id, text, now),
            // A guest's first mistake is to be a guest.
            Err(Refusal::EmptyMessage | Refusal::MalformedDm) if !self.is_member(id) => {
                Err(Refusal::NotRegistered)
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Gives a guest a nick, or a member another one.
    fn take_nick(&mut self, id: SessionId, nick: Nick, now: Duration) -> Result<(), Refusal> {
        let former = self.former_session(id);
        if self.is_taken(&nick, [Some(id), former]) {
            return Err(Refusal::NickInUse);
        }
        match self.sessions[id.0].nick.clone() {
            None if let Some(former) = former => self.resume(id, former, &nick),
            None if self.is_full() => self.end_with(id, Event::Refused(Refusal::RoomFull)),
            None => self.propose(Entry::Joined(id, &nick)),
            Some(old) if old == nick => self.tell(id, Event::Welcome(nick.as_str())),
            Some(_) if !self.sessions[id.0].may_rename(now) => return Err(Refusal::TooFast),
            Some(old) => self.propose(Entry::Renamed { id, old: &old, new: &nick }),
        }
        Ok(())
    }

    fn say(&mut self, id: SessionId, text: &str) -> Result<(), Refusal> {
        let from = self.speaker(id)?;
        self.propose(Entry::Said { by: id, from: from.as_str(), text: &strip(text) });
        Ok(())
    }

    fn whisper(
        &mut self,
        id: SessionId,
        to: &str,
        text: &str,
        now: Duration,
    ) -> Result<(), Refusal> {
        let from = self.speaker(id)?;
        if self.order.is_some() {
            return self.propose_private(id, &from, to, text);
        }
        let to = self.find(to).ok_or(Refusal::UserNotFound)?;
        let (from, text) = (from.as_str(), &strip(text));
        let line = Event::Message { from, scope: Scope::Dm, text }.to_string();
        self.private_bytes += line.len() as u64;
        self.tell(to, line);
        // A receiver that does not read slows no sender down for one that does.
        if self.sessions[to.0].reader.lags_on_notes(now) || self.notes_are_heavy(now) {
            self.sessions[id.0].slows = Some(to);
        }
        Ok(())
    }

    /// The nick of a member that may talk.
    fn speaker(&self, id: SessionId) -> Result<Nick, Refusal> {
        let nick = self.nick(id).ok_or(Refusal::NotRegistered)?;
        if self.is_muted(id) { Err(Refusal::Muted) } else { Ok(nick.clone()) }
    }

    /// Brings an entry into the transcript. It is applied at once, unless other servers have
    /// to agree.
    fn propose(&mut self, entry: Entry<'_>) {
        if self.order.is_some() && self.send_to_order(entry) {
            return;
        }
        self.apply(entry);
        self.evict_lagging();
    }

    /// Appends an entry, changes the members as it says, and wakes all readers. No other
    /// code does any of this.
    ///
    /// The appended lines can lap a reader, so call [`Room::evict_lagging`] next.
    fn apply(&mut self, entry: Entry<'_>) {
        let before = self.head();
        let (history, count) = match entry {
            Entry::Joined(id, _) | Entry::Resumed { id, .. } if !self.asks_for_history(id) => {
                self.feed.transcript.history(MAX_HISTORY, self.rules.history)
            }
            _ => (before, 0),
        };
        let telling = self.notices.decide(entry, self.members_before(entry));
        let told = match telling {
            Telling::Own => Some(entry),
            Telling::Nothing => None,
            // The others count messages by the order.
            Telling::Instead(text) if self.order.is_some() => Some(Entry::Noticed(text)),
            Telling::Instead(text) => Some(Entry::Announced(text)),
        };
        if let Some(told) = told {
            let said = told.said(self.unix_millis());
            for event in told.events().into_iter().flatten() {
                self.feed.transcript.append(event, said);
            }
        }
        let head = self.head();
        match entry {
            Entry::Said { .. }
            | Entry::Announced(_)
            | Entry::Noticed(_)
            | Entry::Closed(_)
            | Entry::Restored { .. } => (),
            Entry::Came(_) | Entry::Went(_) => self.effects.elsewhere = true,
            Entry::Turned { old, new } => {
                if telling == Telling::Own {
                    self.tell_rename(None, (old, new), before);
                }
            }
            Entry::Joined(id, nick) | Entry::Resumed { id, nick, .. } => {
                // The newcomer's place comes after the entry, which is for the others.
                let place = if count > 0 { history } else { head };
                self.feed.slowest = self.feed.slowest.min(place);
                let session = &mut self.sessions[id.0];
                session.nick = Some(nick.clone());
                let reader = &mut session.reader;
                reader.start(place, head);
                reader.push_note(place..place, Event::Welcome(nick.as_str()));
                let greeting = self.rules.greeting.iter().chain(&self.rules.recorded);
                let off = (!self.notices.are_told()).then_some(NOTICES_OFF);
                for text in greeting.map(String::as_str).chain(off) {
                    let event = Event::Message { from: SERVER, scope: Scope::Dm, text };
                    reader.push_note(place..place, event);
                }
                if count > 0 {
                    reader.push_note(place..place, Event::History(count));
                }
                self.tell_missed(id, place);
                self.members.insert(nick.key().into(), id);
                let change = self.begin_membership(entry, id, nick);
                self.report(id, change);
            }
            Entry::Renamed { id, old, new } => {
                if telling == Telling::Own {
                    self.tell_rename(Some(id), (old, new), before);
                }
                let session = &mut self.sessions[id.0];
                session.reader.push_note(before..head, Event::Welcome(new.as_str()));
                session.nick = Some(new.clone());
                self.members.remove(&*old.key());
                self.members.insert(new.key().into(), id);
                self.report(id, Change::Renamed(old.clone(), new.clone()));
            }
            Entry::Left(id, nick) => {
                self.members.remove(&*nick.key());
                self.report(id, Change::Left(nick.clone()));
            }
        }
        match entry {
            // The others have nothing new to read.
            Entry::Joined(id, _) | Entry::Left(id, _) | Entry::Renamed { id, .. }
                if head == before =>
            {
                self.effects.wake.some.push(id);
            }
            _ => self.effects.wake.all = true,
        }
        if let Some(Entry::Noticed(_)) = told {
            self.tell_number();
        }
    }

    /// Sends a last line to one session and ends it.
    fn end_with(&mut self, id: SessionId, last_line: Event<'_>) {
        self.tell(id, last_line);
        self.end(id);
    }

    /// Ends a session: it receives no new lines, but may read the rest.
    fn end(&mut self, id: SessionId) {
        self.remove_member(id);
        self.evict_lagging();
    }

    /// Removes the session from the members and announces it. The announcement can evict
    /// another session, so call `evict_lagging` next.
    fn remove_member(&mut self, id: SessionId) {
        let head = self.head();
        let session = &mut self.sessions[id.0];
        session.reader.stop(head);
        self.heirs.remove(id);
        let session = &mut self.sessions[id.0];
        match session.take_nick() {
            Some(nick) if self.order.is_some() => self.propose_leave(id, &nick),
            Some(nick) => self.apply(Entry::Left(id, &nick)),
            None => (),
        }
    }

    /// Sends one session a line that is for it alone.
    fn tell(&mut self, id: SessionId, line: impl Display) {
        self.send(id, format!("{line}\n").as_bytes());
    }

    /// Sends one session bytes that are for it alone: a line, or telnet's answer.
    pub fn send(&mut self, id: SessionId, bytes: &[u8]) {
        let head = self.head();
        let reader = &mut self.sessions[id.0].reader;
        if reader.leaving {
            return;
        }
        let before = reader.weight();
        reader.push_bytes(head..head, bytes);
        let weight = reader.weight();
        self.effects.wake.some.push(id);
        self.notes_grew(id, weight, weight - before);
    }

    fn report(&mut self, id: SessionId, what: Change) {
        self.effects.changes.push(MemberChange { id, what, members: self.population() });
    }

    fn is_full(&self) -> bool {
        self.rules.max_users > 0 && self.members.len() >= self.rules.max_users
    }
}

#[cfg(test)]
#[path = "../tests/it/script.rs"]
mod script;

#[cfg(test)]
mod tests;
