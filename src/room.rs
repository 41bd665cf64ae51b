//! Who is here and what has been said.
//!
//! A [`Room`] is a pure state machine: lines go in, bytes come out, and it never
//! waits. It does not know what a socket or a clock is, so a test can put a
//! thousand people in it and live through an evening in a millisecond.

mod session;
mod transcript;

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::time::Duration;

use slab::Slab;

pub use session::Reading;
use session::{SOFT_LAG, Session};
use transcript::Transcript;

use crate::wire::sanitize::{is_blank, strip};
use crate::wire::{
    Command, Event, ForeignWatch, MAX_COMMAND, MAX_EVENT, Nick, Refusal, Scope, TooLong, pieces,
};

/// How many bytes of talk a listener may miss before it is let go.
pub const TRANSCRIPT: usize = 1 << 20;
/// How many bytes of private lines may wait for one listener before it is let go...
pub const MAX_NOTES: usize = 1 << 20;
/// ...and for all of them together, before some are let go: first of those who do not
/// read whoever has most.
pub const MAX_ALL_NOTES: usize = 16 << 20;
/// That is looked at each time that they have got so many bytes more.
const RECOUNT_AFTER: usize = 64 << 10;
/// With this many bytes of answers waiting for it, a client is not
/// [listened to](Room::accepts_input) until it has read some.
pub const MAX_UNREAD_ANSWERS: usize = 64 << 10;
/// How many bytes back history may reach. It stays well clear of the end of the
/// transcript, so that a newcomer has time to read it.
pub const MAX_HISTORY: usize = TRANSCRIPT / 2;

/// How long it is known for how much memory private lines take, where that is much.
const RECOUNT_INTERVAL: Duration = Duration::from_millis(10);
/// How long it is known for how far the talk may get.
const CACHE_LIMIT: Duration = Duration::from_millis(1);

/// Who speaks when the server itself has something to say.
const SERVER: &str = "server";
/// What somebody reads whom the operator removes.
const REMOVED: &str = "you were removed by the operator";
/// The longest text that the server says in one line, in bytes: as long as
/// anybody's, which even an old client is used to.
const MAX_TEXT: usize = MAX_COMMAND - "MSG \n".len();

/// Everyone connected to one server.
///
/// The driving contract: after every call that changes something, ring whom
/// [`take_wakeups`](Room::take_wakeups) names, so that they
/// [`read`](Room::read), and cut off whom [`take_evictions`](Room::take_evictions) names.
pub struct Room {
    rules: Rules,
    sessions: Slab<Session>,
    /// The members by the keys of their nicks, which is also their order.
    members: BTreeMap<Box<str>, SessionId>,
    transcript: Transcript,
    /// How many bytes were told in private.
    whispered: u64,
    /// How much memory the private lines took, when that was found out, and how much
    /// came since then.
    heaps: usize,
    weighed: Duration,
    unweighed: usize,
    /// The places of the last messages, as many as history may want.
    recent: VecDeque<u64>,
    /// No listener is behind this place, so none can be let go before it; but what was
    /// given last to one who leaves may come back from before.
    slowest: u64,
    /// What time it was when somebody was last heard.
    clock: Duration,
    /// How far the talk may get for now, and when that was found out.
    limit: Option<(Duration, u64)>,
    wakeups: Wakeups,
    evictions: Vec<Eviction>,
    changes: Vec<MemberChange>,
    closed: bool,
}

/// What the operator decided.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Told to each newcomer, line by line; nothing by default.
    pub greeting: Vec<String>,
    /// How many people may be here at once; 0 is no limit.
    pub max_users: usize,
    /// How many of the last messages a newcomer is told; 0 is none.
    pub history: usize,
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

/// Who has something new to read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wakeups {
    /// Every session that [listens](Room::listens).
    pub all: bool,
    /// And these, one by one; some more than once.
    pub some: Vec<SessionId>,
}

/// A session that was cut off.
#[derive(Debug, PartialEq, Eq)]
pub struct Eviction {
    /// Which one.
    pub id: SessionId,
    /// Why.
    pub reason: EvictReason,
    /// What it is or was called, if anything.
    pub nick: Option<Nick>,
    /// How many bytes it had yet to read.
    pub behind: u64,
}

/// Why a session was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictReason {
    /// It is further behind than the room remembers.
    Behind,
    /// Its connection has taken nothing for too long.
    Stalled,
    /// Its machine does not answer any more, or cannot be reached.
    Lost,
    /// It has not said who it is, and its place is needed.
    Displaced,
    /// Whoever served it has panicked.
    Failed,
}

/// What the operator may want to see.
#[derive(Debug, PartialEq, Eq)]
pub struct MemberChange {
    /// Whom it is about.
    pub id: SessionId,
    /// What they did.
    pub what: Change,
    /// How many people are here now.
    pub members: usize,
}

/// Something that somebody did, beside talking.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// Came in.
    Joined(Nick),
    /// Left, politely or not.
    Left(Nick),
    /// Took another nick: the old one and the new one.
    Renamed(Nick, Nick),
}

impl Room {
    /// An empty room.
    pub fn new(rules: Rules) -> Room {
        Room {
            rules,
            sessions: Slab::new(),
            members: BTreeMap::new(),
            transcript: Transcript::new(TRANSCRIPT),
            whispered: 0,
            heaps: 0,
            weighed: Duration::ZERO,
            unweighed: 0,
            recent: VecDeque::new(),
            slowest: 0,
            clock: Duration::ZERO,
            limit: None,
            wakeups: Wakeups::default(),
            evictions: Vec::new(),
            changes: Vec::new(),
            closed: false,
        }
    }

    /// Somebody is at the door.
    pub fn enter(&mut self) -> SessionId {
        let id = SessionId(self.sessions.insert(Session::default()));
        self.tell(id, Event::Greeting);
        if self.closed {
            self.part(id, Event::Bye);
        } else if self.is_full() {
            self.part(id, Event::Refused(Refusal::RoomFull));
        }
        id
    }

    /// Somebody wants to hear everything said in public from now on, and will
    /// say nothing: the operator's log.
    pub fn observe(&mut self) -> SessionId {
        SessionId(self.sessions.insert(Session::observer(self.transcript.head())))
    }

    /// Does what a line asks, or says why not.
    ///
    /// The line comes without its end; `now` is the time since any fixed moment,
    /// and never goes back.
    pub fn hear(&mut self, id: SessionId, line: Result<&[u8], TooLong>, now: Duration) {
        self.clock = now;
        if self.sessions[id.0].leaving || line == Ok(b"") {
            return;
        }
        if !self.is_member(id) && line.is_ok_and(ForeignWatch::detects_line) {
            self.part(id, Event::Refused(Refusal::UnknownCommand));
        } else if let Err(refusal) = self.obey(id, line, now) {
            self.tell(id, Event::Refused(refusal));
        }
    }

    /// Moves what `id` has not yet heard, or a batch of it, to the end of `out`.
    pub fn read(&mut self, id: SessionId, out: &mut Vec<u8>) -> Reading {
        self.sessions[id.0].read(&self.transcript, out)
    }

    /// Takes for unread what `id` has last [read](Room::read), all but the first `sent`
    /// bytes: the rest could not be passed on, and is read next. If the room does not
    /// remember it, `id` is let go.
    pub fn return_unsent(&mut self, id: SessionId, read: &[u8], sent: usize, now: Duration) {
        let session = &mut self.sessions[id.0];
        session.return_unsent(&self.transcript, read, sent, now);
        if session.behind(self.transcript.head()) > 0 {
            self.slowest = self.slowest.min(session.unread.start);
            self.evict_lagging();
        }
    }

    /// Takes the talk between two places for read, if it is all that is next for
    /// `id`: somebody else has just read the same.
    pub fn skip(&mut self, id: SessionId, (from, to): (u64, u64)) -> bool {
        self.sessions[id.0].skip(from..to)
    }

    /// The two places between which is what `id` has last read, if that is talk alone.
    pub fn last_read(&self, id: SessionId) -> Option<(u64, u64)> {
        self.sessions[id.0].given_talk()
    }

    /// Whether `id` has something to read.
    pub fn has_unread(&self, id: SessionId) -> bool {
        self.sessions[id.0].has_unread(self.transcript.head())
    }

    /// How many bytes have been said in public so far.
    pub fn talk(&self) -> u64 {
        self.transcript.head()
    }

    /// The same and what people have told each other in private.
    pub fn spoken(&self) -> u64 {
        self.transcript.head() + self.whispered
    }

    /// Whether somebody who does read is in danger of being cut off, because the
    /// others talk faster than that. Whoever is about to talk had better wait.
    pub fn must_wait(&mut self, now: Duration) -> bool {
        let head = self.transcript.head();
        if head - self.slowest <= SOFT_LAG as u64 {
            return false;
        }
        // A crowd is looked at once in a while, not for each line.
        if self.limit.is_none_or(|(then, _)| now.saturating_sub(then) >= CACHE_LIMIT) {
            self.find_slowest();
            let limits = self.sessions.iter_mut().map(|(_, session)| session.limit(head, now));
            self.limit = Some((now, limits.min().unwrap_or(u64::MAX)));
        }
        self.limit.is_some_and(|(_, limit)| head > limit)
    }

    /// Whether `id` had better wait before it says more, because somebody who does read
    /// is in danger of being cut off for what `id` tells them in private.
    pub fn must_wait_for_reader(&mut self, id: SessionId, now: Duration) -> bool {
        let Some(whom) = self.sessions[id.0].presses else { return false };
        let crowded = self.is_crowded(now);
        self.sessions.get_mut(whom.0).is_some_and(|session| {
            // One who leaves is told nothing more.
            let much = crowded && session.note_bytes() > 0;
            !session.leaving && (much || session.lags_on_notes(now))
        })
    }

    /// Whether all private lines together take so much memory that more of them had
    /// better wait.
    fn is_crowded(&mut self, now: Duration) -> bool {
        if self.heaps + self.unweighed <= MAX_ALL_NOTES / 2 {
            return false;
        }
        if now.saturating_sub(self.weighed) >= RECOUNT_INTERVAL {
            self.weigh(now);
        }
        self.heaps > MAX_ALL_NOTES / 2
    }

    /// Finds out how much memory the private lines take.
    fn weigh(&mut self, now: Duration) {
        self.heaps = self.sessions.iter().map(|(_, session)| session.weight()).sum();
        (self.unweighed, self.weighed) = (0, now);
    }

    /// The client hears nothing any more: what it was told is forgotten, and it is told
    /// nothing else. It may still say something.
    pub fn discard_output(&mut self, id: SessionId) {
        self.sessions[id.0].discard_output();
    }

    /// The client will say nothing more, but may still read what it is owed.
    pub fn input_ended(&mut self, id: SessionId) {
        self.depart(id);
        self.wakeups.some.push(id);
    }

    /// The connection is gone, politely or not.
    pub fn leave(&mut self, id: SessionId) {
        self.depart(id);
        self.sessions.remove(id.0);
    }

    /// Gives up on a session, and takes it out of the conversation at once.
    pub fn evict(&mut self, id: SessionId, reason: EvictReason) {
        self.evict_one(id, reason);
        self.evict_lagging();
    }

    /// Time is up for one who has not said who they are.
    pub fn time_out(&mut self, id: SessionId) {
        let session = &self.sessions[id.0];
        if session.nick.is_none() && !session.leaving {
            self.part(id, Event::Refused(Refusal::RegistrationTimeout));
        }
    }

    /// Tells everyone a last word and goodbye. No leave notices follow. Returns
    /// how many people were here.
    pub fn close(&mut self, last_word: &str) -> usize {
        let count = self.members.len();
        let last_word = Event::Message { from: SERVER, scope: Scope::All, text: last_word };
        self.transcript.append(&last_word);
        let head = self.transcript.head();
        for (index, session) in &mut self.sessions {
            if session.leaving {
                continue;
            }
            if !session.listens() {
                session.tell(head..head, &last_word);
            }
            if !session.observes() {
                session.tell(head..head, Event::Bye);
            }
            session.close_ears(head);
            session.withdraw();
            self.wakeups.some.push(SessionId(index));
        }
        self.members.clear();
        self.closed = true;
        count
    }

    /// Says something to everyone as the server, in as many lines as it takes;
    /// what nobody would see is not said.
    pub fn announce(&mut self, text: &str) {
        let text = strip(text);
        if text.chars().all(is_blank) {
            return;
        }
        for text in pieces(&text, MAX_TEXT) {
            let place = self.transcript.head();
            self.transcript.append(Event::Message { from: SERVER, scope: Scope::All, text: &text });
            self.said(place);
        }
    }

    /// Removes somebody because the operator says so. They are told that much,
    /// and why if there is a reason; the others only see them leave.
    pub fn kick(&mut self, id: SessionId, reason: &str) {
        let reason = strip(reason);
        let text = match reason.chars().all(is_blank) {
            true => REMOVED.to_string(),
            false => format!("{REMOVED}: {}", reason.trim()),
        };
        for text in pieces(&text, MAX_TEXT) {
            self.tell(id, Event::Message { from: SERVER, scope: Scope::Dm, text: &text });
        }
        self.part(id, Event::Bye);
    }

    /// Removes somebody who comes from where nobody is welcome any more. A guest
    /// has said nothing that could be a reason, and is refused like a newcomer.
    pub fn ban(&mut self, id: SessionId) {
        match self.is_member(id) {
            true => self.kick(id, ""),
            false => self.refuse(id, Refusal::Banned),
        }
    }

    /// Does not let a newcomer in.
    pub fn refuse(&mut self, id: SessionId, why: Refusal) {
        self.part(id, Event::Refused(why));
    }

    /// From now on `id` may talk, or not, whatever it is called.
    pub fn mute(&mut self, id: SessionId, muted: bool) {
        self.sessions[id.0].muted = muted;
    }

    /// Whether `id` may only listen.
    pub fn is_muted(&self, id: SessionId) -> bool {
        self.sessions[id.0].muted
    }

    /// Who has this nick, in any spelling of the same key.
    pub fn find(&self, name: &str) -> Option<SessionId> {
        self.members.get(&*Nick::sought(name)?).copied()
    }

    /// What `id` is called.
    pub fn nick(&self, id: SessionId) -> Option<&Nick> {
        self.sessions[id.0].nick.as_ref()
    }

    /// How many people have a nick.
    pub fn population(&self) -> usize {
        self.members.len()
    }

    /// Everyone who has a nick, in the order of `WHO`.
    pub fn members(&self) -> impl Iterator<Item = (SessionId, &Nick)> {
        self.members.values().filter_map(|&id| Some((id, self.nick(id)?)))
    }

    /// Whether everyone was told goodbye.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether `id` has a nick.
    pub fn is_member(&self, id: SessionId) -> bool {
        self.sessions[id.0].nick.is_some()
    }

    /// Whether `id` was told its last word.
    pub fn is_leaving(&self, id: SessionId) -> bool {
        self.sessions[id.0].leaving
    }

    /// Whether `id` is told what is said in public.
    pub fn listens(&self, id: SessionId) -> bool {
        self.sessions[id.0].listens()
    }

    /// Whether `id` may ask for more before it has read what it asked for.
    pub fn accepts_input(&self, id: SessionId) -> bool {
        self.sessions[id.0].note_bytes() <= MAX_UNREAD_ANSWERS
    }

    /// Who has something new to read since the last time this was asked.
    pub fn take_wakeups(&mut self) -> Wakeups {
        mem::take(&mut self.wakeups)
    }

    /// Who was let go since the last time this was asked.
    pub fn take_evictions(&mut self) -> Vec<Eviction> {
        mem::take(&mut self.evictions)
    }

    /// What people did since the last time this was asked.
    pub fn take_changes(&mut self) -> Vec<MemberChange> {
        mem::take(&mut self.changes)
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
            Ok(Command::Nick(name)) => self.name(id, Nick::new(name)?, now),
            Ok(Command::Say(text)) => self.say(id, text),
            Ok(Command::Whisper { to, text }) => self.whisper(id, to, text, now),
            Ok(Command::Who) => self.who(id),
            Ok(Command::Quit) => {
                self.part(id, Event::Bye);
                Ok(())
            }
            // A guest's first mistake is to be a guest.
            Err(Refusal::EmptyMessage | Refusal::MalformedDm) if !self.is_member(id) => {
                Err(Refusal::NotRegistered)
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Gives a guest a nick, or a member another one.
    fn name(&mut self, id: SessionId, nick: Nick, now: Duration) -> Result<(), Refusal> {
        if self.members.get(&*nick.key()).is_some_and(|&holder| holder != id) {
            return Err(Refusal::NickInUse);
        }
        match self.sessions[id.0].nick.clone() {
            None if self.is_full() => self.part(id, Event::Refused(Refusal::RoomFull)),
            None => self.register(id, nick),
            Some(old) if old == nick => self.tell(id, Event::Welcome(nick.as_str())),
            Some(_) if !self.sessions[id.0].may_rename(now) => return Err(Refusal::TooFast),
            Some(old) => self.rename(id, old, nick),
        }
        Ok(())
    }

    fn register(&mut self, id: SessionId, nick: Nick) {
        let (history, count) = self.history();
        // The others hear of it; the newcomer, whose place comes after, does not.
        self.transcript.append(Event::Joined(nick.as_str()));
        let head = self.transcript.head();
        let place = if count > 0 { history } else { head };
        self.slowest = self.slowest.min(place);

        let session = &mut self.sessions[id.0];
        session.settle(place, head);
        session.tell(place..place, Event::Welcome(nick.as_str()));
        for text in &self.rules.greeting {
            session.tell(place..place, Event::Message { from: SERVER, scope: Scope::Dm, text });
        }
        if count > 0 {
            session.tell(place..place, Event::History(count));
        }
        session.nick = Some(nick.clone());
        self.members.insert(nick.key().into(), id);
        self.report(id, Change::Joined(nick));
        self.heard();
    }

    fn rename(&mut self, id: SessionId, old: Nick, new: Nick) {
        let before = self.transcript.head();
        self.transcript.append(Event::Left(old.as_str()));
        self.transcript.append(Event::Joined(new.as_str()));
        let head = self.transcript.head();

        let session = &mut self.sessions[id.0];
        session.tell(before..head, Event::Welcome(new.as_str()));
        session.nick = Some(new.clone());
        self.members.remove(&*old.key());
        self.members.insert(new.key().into(), id);
        self.report(id, Change::Renamed(old, new));
        self.heard();
    }

    fn say(&mut self, id: SessionId, text: &str) -> Result<(), Refusal> {
        let from = speaker(&self.sessions, id)?;
        let place = self.transcript.head();
        self.transcript.append(Event::Message { from, scope: Scope::All, text: &strip(text) });
        self.said(place);
        Ok(())
    }

    fn whisper(
        &mut self,
        id: SessionId,
        to: &str,
        text: &str,
        now: Duration,
    ) -> Result<(), Refusal> {
        let from = speaker(&self.sessions, id)?;
        let to = self.find(to).ok_or(Refusal::UserNotFound)?;
        let line = Event::Message { from, scope: Scope::Dm, text: &strip(text) }.to_string();
        self.whispered += line.len() as u64;
        self.tell(to, line);
        // One who does not read is no excuse for pressing one who does.
        if self.sessions[to.0].lags_on_notes(now) || self.is_crowded(now) {
            self.sessions[id.0].presses = Some(to);
        }
        Ok(())
    }

    /// Tells who is here, in as many lines as it takes for none to be longer
    /// than [`MAX_EVENT`].
    fn who(&mut self, id: SessionId) -> Result<(), Refusal> {
        nick(&self.sessions, id)?;
        let mut lines = Vec::new();
        let mut nicks = Vec::new();
        let mut length = 0;
        for &member in self.members.values() {
            let nick = nick(&self.sessions, member).expect("a member has a nick");
            length += ", ".len() + nick.len();
            // Before the first nick there is no comma, but at the end a line feed.
            if length - 1 + "Connected users: ".len() > MAX_EVENT {
                lines.push(Event::Users(mem::take(&mut nicks)).to_string());
                length = ", ".len() + nick.len();
            }
            nicks.push(nick);
        }
        lines.push(Event::Users(nicks).to_string());
        for line in lines {
            self.tell(id, line);
        }
        Ok(())
    }

    /// Where the history that a newcomer is told begins, and how many messages
    /// there are from there on.
    fn history(&self) -> (u64, usize) {
        let head = self.transcript.head();
        let oldest = self.transcript.start().max(head.saturating_sub(MAX_HISTORY as u64));
        let told = self.recent.partition_point(|&place| place < oldest);
        (self.recent.get(told).copied().unwrap_or(head), self.recent.len() - told)
    }

    /// Says a last word to one session and takes it out of the conversation.
    fn part(&mut self, id: SessionId, last_word: Event<'_>) {
        self.tell(id, last_word);
        self.depart(id);
    }

    /// Takes a session out of the conversation, but not yet off its socket.
    fn depart(&mut self, id: SessionId) {
        self.remove_member(id);
        self.evict_lagging();
    }

    /// The same for one that will not be told anything more, and is cut off.
    fn evict_one(&mut self, id: SessionId, reason: EvictReason) {
        let head = self.transcript.head();
        let session = &mut self.sessions[id.0];
        if session.cut {
            return; // Once is enough.
        }
        let behind = session.behind(head) + session.note_bytes() as u64;
        session.discard_output();
        session.cut = true;
        self.evictions.push(Eviction { id, reason, nick: session.name().cloned(), behind });
        self.remove_member(id);
        self.wakeups.some.push(id); // Not everybody who is cut off waits for a socket.
    }

    /// What both have in common; that somebody left may push out others.
    fn remove_member(&mut self, id: SessionId) {
        let head = self.transcript.head();
        let session = &mut self.sessions[id.0];
        session.close_ears(head);
        let Some(nick) = session.withdraw() else { return };
        self.members.remove(&*nick.key());
        self.transcript.append(Event::Left(nick.as_str()));
        self.report(id, Change::Left(nick));
        self.wakeups.all = true;
    }

    /// Tells one session something.
    fn tell(&mut self, id: SessionId, line: impl std::fmt::Display) {
        self.send(id, format!("{line}\n").as_bytes());
    }

    /// Sends one session bytes that are for it alone: a line, or telnet's answer.
    pub fn send(&mut self, id: SessionId, bytes: &[u8]) {
        let head = self.transcript.head();
        let session = &mut self.sessions[id.0];
        if session.leaving {
            return;
        }
        let before = session.weight();
        session.send(head..head, bytes);
        let weight = session.weight();
        self.wakeups.some.push(id);
        self.unweighed += weight - before;
        if weight > MAX_NOTES {
            self.evict(id, EvictReason::Behind);
        } else if self.unweighed > RECOUNT_AFTER {
            self.clear_heaps();
        }
    }

    /// Lets go of those who leave private lines unread, until the rest can be kept: first
    /// of those who do not read, and of those first of whoever has most.
    fn clear_heaps(&mut self) {
        let now = self.clock;
        self.weigh(now);
        let mut sum = self.heaps;
        if sum <= MAX_ALL_NOTES / 2 {
            return; // From there on it matters who reads.
        }
        let heaps = self.sessions.iter_mut().filter(|(_, session)| session.weight() > 0);
        let mut heaps: Vec<(bool, usize, usize)> =
            heaps.map(|(at, session)| (session.is_silent(now), session.weight(), at)).collect();
        heaps.sort_unstable();
        while sum > MAX_ALL_NOTES
            && let Some((_, weight, index)) = heaps.pop()
        {
            sum -= weight;
            self.evict_one(SessionId(index), EvictReason::Behind);
        }
        self.evict_lagging(); // Only now: whom it lets go is in the sum as well.
    }

    /// After each message to all: remembers its place for the sake of history.
    fn said(&mut self, place: u64) {
        if self.rules.history > 0 {
            self.recent.push_back(place);
            let start = self.transcript.start();
            let forgotten = |&place: &u64| place < start;
            if self.recent.len() > self.rules.history || self.recent.front().is_some_and(forgotten)
            {
                self.recent.pop_front();
            }
        }
        self.heard();
    }

    /// After each public line: stirs everyone, and lets go of who fell behind.
    fn heard(&mut self) {
        self.wakeups.all = true;
        self.evict_lagging();
    }

    /// Lets go of whoever has yet to hear what is overwritten, unless all go anyway.
    fn evict_lagging(&mut self) {
        // Letting someone go is news for the others, which may push out the next.
        while self.slowest < self.transcript.start() && !self.closed {
            let start = self.transcript.start();
            match self.sessions.iter().find(|(_, session)| session.behind(start) > 0) {
                Some((index, _)) => self.evict_one(SessionId(index), EvictReason::Behind),
                None => {
                    self.find_slowest();
                    self.slowest = self.slowest.max(start);
                }
            }
        }
    }

    /// Brings the lower bound of all places up to date.
    fn find_slowest(&mut self) {
        let head = self.transcript.head();
        let places = self.sessions.iter().filter_map(|(_, session)| session.needs(head));
        self.slowest = places.min().unwrap_or(head);
    }

    fn report(&mut self, id: SessionId, what: Change) {
        self.changes.push(MemberChange { id, what, members: self.members.len() });
    }

    fn is_full(&self) -> bool {
        self.rules.max_users > 0 && self.members.len() >= self.rules.max_users
    }
}

/// The nick of a member; a guest has to register first.
fn nick(sessions: &Slab<Session>, id: SessionId) -> Result<&str, Refusal> {
    sessions[id.0].nick.as_ref().map(Nick::as_str).ok_or(Refusal::NotRegistered)
}

/// The nick of a member who may talk.
fn speaker(sessions: &Slab<Session>, id: SessionId) -> Result<&str, Refusal> {
    let nick = nick(sessions, id)?;
    if sessions[id.0].muted { Err(Refusal::Muted) } else { Ok(nick) }
}

#[cfg(test)]
#[path = "../tests/it/script.rs"]
mod script;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::script::{Session, What, sessions, steps};
    use super::*;

    /// Does what the operator orders in a script, as `operator> /kick ana REASON`.
    #[track_caller]
    fn operate(room: &mut Room, order: &str) {
        let (word, rest) = order.split_once(' ').unwrap_or((order, ""));
        let (nick, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        match (word, room.find(nick)) {
            ("/say", _) => room.announce(rest),
            ("/kick", Some(id)) => room.kick(id, reason),
            ("/ban", Some(id)) => room.ban(id),
            ("/mute", Some(id)) => room.mute(id, !room.is_muted(id)),
            _ => panic!("the operator cannot {order:?}"),
        }
    }

    /// Plays a script (see `protocol.md`) in a room with these rules.
    #[track_caller]
    fn play(rules: Rules, session: &Session) {
        let mut room = Room::new(rules);
        let mut people: HashMap<&str, (SessionId, Vec<u8>)> = HashMap::new();
        for step in &session.steps {
            let who = step.who;
            if let ("operator", What::Says(order)) = (who, step.what) {
                operate(&mut room, order);
                continue;
            }
            let (id, inbox) = people.entry(who).or_insert_with(|| (room.enter(), Vec::new()));
            match step.what {
                What::Says(line) => room.hear(*id, Ok(line.as_bytes()), Duration::ZERO),
                What::Reads(line) => {
                    while room.read(*id, inbox) == Reading::Some {}
                    let end = inbox.iter().position(|&byte| byte == b'\n');
                    let end =
                        end.unwrap_or_else(|| panic!("{who} is told nothing more; not {line:?}"));
                    let read: Vec<u8> = inbox.drain(..=end).collect();
                    assert_eq!(
                        String::from_utf8_lossy(&read),
                        format!("{line}\n"),
                        "what {who} reads"
                    );
                }
                What::IsClosed => {
                    assert_eq!(
                        (room.read(*id, inbox), inbox.len()),
                        (Reading::Over, 0),
                        "{who} goes"
                    );
                    room.leave(*id);
                    people.remove(who);
                }
                What::BreaksOff => {
                    room.leave(*id);
                    people.remove(who);
                }
            }
        }
        for (who, (id, mut inbox)) in people {
            while room.read(id, &mut inbox) == Reading::Some {}
            assert_eq!(String::from_utf8_lossy(&inbox), "", "what {who} is also told");
        }
    }

    #[track_caller]
    fn check(script: &str) {
        play(Rules::default(), &Session { options: Vec::new(), steps: steps(script) });
    }

    #[test]
    fn the_sessions_of_the_protocol_happen_as_it_tells_them() {
        let sessions = sessions(include_str!("../protocol.md"));
        assert!(sessions.len() >= 14, "the sessions are found");
        for session in sessions {
            let mut rules = Rules::default();
            for option in session.options.chunks(2) {
                match *option {
                    ["--motd", line] => rules.greeting.push(line.into()),
                    ["--history", lines] => rules.history = lines.parse().unwrap(),
                    ["--max-users", users] => rules.max_users = users.parse().unwrap(),
                    _ => panic!("no rule for {option:?}"),
                }
            }
            play(rules, &session);
        }
    }

    #[test]
    fn a_private_line_keeps_its_place_among_the_public_ones() {
        check(
            "
            ana<  New User. Please register with: NICK <your_nick>
            joao< New User. Please register with: NICK <your_nick>
            ana>  NICK ana
            joao> NICK joao
            ana>  MSG one
            ana>  MSG @joao two
            ana>  MSG three
            ana>  QUIT
            joao< OK welcome joao
            joao< FROM ana [all]: one
            joao< FROM ana [dm]: two
            joao< FROM ana [all]: three
            joao< User ana left the chat.
            ana<  OK welcome ana
            ana<  User joao joined.
            ana<  FROM ana [all]: one
            ana<  FROM ana [all]: three
            ana<  BYE
            ana<|
            ",
        );
    }

    #[test]
    fn who_takes_another_nick_hears_all_but_their_own_coming_and_going() {
        check(
            "
            ana<  New User. Please register with: NICK <your_nick>
            joao< New User. Please register with: NICK <your_nick>
            ana>  NICK ana
            joao> NICK joao
            joao> MSG one
            ana>  NICK bia
            joao> MSG two
            ana>  NICK Bia
            joao> MSG @BIA three
            joao> WHO
            ana<  OK welcome ana
            ana<  User joao joined.
            ana<  FROM joao [all]: one
            ana<  OK welcome bia
            ana<  FROM joao [all]: two
            ana<  OK welcome Bia
            ana<  FROM joao [dm]: three
            joao< OK welcome joao
            joao< FROM joao [all]: one
            joao< User ana left the chat.
            joao< User bia joined.
            joao< FROM joao [all]: two
            joao< User bia left the chat.
            joao< User Bia joined.
            joao< Connected users: Bia, joao
            ",
        );
    }

    #[test]
    fn what_a_guest_was_told_comes_before_the_history() {
        let mut room =
            Room::new(Rules { history: 2, greeting: vec!["Olá".into()], ..Rules::default() });
        let (ana, guest) = (room.enter(), room.enter());
        for line in ["NICK ana", "MSG one", "MSG two", "NICK bia", "MSG three"] {
            room.hear(ana, Ok(line.as_bytes()), Duration::ZERO);
        }
        for line in ["WHO", "NICK joao", "MSG four"] {
            room.hear(guest, Ok(line.as_bytes()), Duration::ZERO);
        }
        let mut out = Vec::new();
        while room.read(guest, &mut out) == Reading::Some {}
        let expected = "New User. Please register with: NICK <your_nick>\n\
            ERR please_register_with_NICK\n\
            OK welcome joao\n\
            FROM server [dm]: Olá\n\
            History: 2\n\
            FROM ana [all]: two\n\
            FROM bia [all]: three\n\
            FROM joao [all]: four\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn what_the_operator_says_is_said_to_all_and_remembered() {
        let script = "
            ana<  New User. Please register with: NICK <your_nick>
            rui<  New User. Please register with: NICK <your_nick>
            ana>  NICK ana
            ana>  MSG one
            operator> /say five minutes more
            operator> /say
            ana<  OK welcome ana
            ana<  FROM ana [all]: one
            ana<  FROM server [all]: five minutes more
            rui>  NICK rui
            rui<  OK welcome rui
            rui<  History: 1
            rui<  FROM server [all]: five minutes more
            ana<  User rui joined.
        ";
        let rules = Rules { history: 1, ..Rules::default() };
        play(rules, &Session { options: Vec::new(), steps: steps(script) });
    }

    #[test]
    fn who_is_kicked_is_told_why_and_is_out_as_after_quit() {
        check(
            "
            ana<  New User. Please register with: NICK <your_nick>
            rui<  New User. Please register with: NICK <your_nick>
            ana>  NICK ana
            rui>  NICK rui
            ana>  MSG one
            operator> /kick ANA too loud
            ana>  MSG two
            ana<  OK welcome ana
            ana<  User rui joined.
            ana<  FROM ana [all]: one
            ana<  FROM server [dm]: you were removed by the operator: too loud
            ana<  BYE
            ana<|
            operator> /kick rui
            rui<  OK welcome rui
            rui<  FROM ana [all]: one
            rui<  User ana left the chat.
            rui<  FROM server [dm]: you were removed by the operator
            rui<  BYE
            rui<|
            ",
        );
    }

    #[test]
    fn who_is_muted_says_nothing_to_anybody_under_any_nick() {
        check(
            "
            ana<  New User. Please register with: NICK <your_nick>
            rui<  New User. Please register with: NICK <your_nick>
            ana>  NICK ana
            rui>  NICK rui
            operator> /mute ana
            ana>  MSG one
            ana>  MSG @rui two
            ana>  MSG @nobody three
            ana>  MSG
            ana>  NICK bia
            ana>  MSG four
            ana>  WHO
            rui>  MSG @bia five
            operator> /mute Bia
            ana>  MSG six
            ana<  OK welcome ana
            ana<  User rui joined.
            ana<  ERR muted
            ana<  ERR muted
            ana<  ERR muted
            ana<  ERR empty_message
            ana<  OK welcome bia
            ana<  ERR muted
            ana<  Connected users: bia, rui
            ana<  FROM rui [dm]: five
            ana<  FROM bia [all]: six
            rui<  OK welcome rui
            rui<  User ana left the chat.
            rui<  User bia joined.
            rui<  FROM bia [all]: six
            ",
        );
    }

    #[test]
    fn whoever_comes_from_where_nobody_is_welcome_is_turned_away() {
        let mut room = Room::new(Rules::default());
        let [ana, guest] = [room.enter(), room.enter()];
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        room.mute(guest, true);
        room.hear(guest, Ok(b"MSG hi"), Duration::ZERO);
        for (id, expected) in [
            (ana, "OK welcome ana\nFROM server [dm]: you were removed by the operator\nBYE\n"),
            (guest, "ERR please_register_with_NICK\nERR banned\n"),
        ] {
            room.ban(id);
            room.hear(id, Ok(b"NICK rui"), Duration::ZERO);
            let mut out = Vec::new();
            while room.read(id, &mut out) == Reading::Some {}
            let told = String::from_utf8(out).unwrap();
            assert_eq!(told, format!("{}\n{expected}", Event::Greeting));
            assert_eq!(room.read(id, &mut Vec::new()), Reading::Over);
        }
        assert_eq!(room.members().count(), 0);
    }

    #[test]
    fn what_the_operator_says_forges_nothing_and_none_of_it_is_lost() {
        let mut room = Room::new(Rules::default());
        let ana = room.enter();
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        let told = |room: &mut Room| {
            let mut out = Vec::new();
            while room.read(ana, &mut out) == Reading::Some {}
            String::from_utf8(out).unwrap()
        };
        told(&mut room);
        room.announce("\x1b[2Jhi\r\nBYE\u{202E}");
        room.announce("\x07\u{200B} \u{200D}");
        assert_eq!(told(&mut room), "FROM server [all]: [2JhiBYE\n");

        let words: Vec<String> = (0..3000).map(|n| format!("palavra-{n}")).collect();
        let text = words.join(" ");
        room.announce(&text);
        room.kick(ana, &format!("\x1b{text}"));
        let told = told(&mut room);
        assert!(told.lines().all(|line| line.len() < MAX_EVENT && line.len() < MAX_COMMAND + 16));
        let said = |start| {
            let texts = told.lines().filter_map(|line| line.strip_prefix(start));
            texts.collect::<Vec<&str>>().join(" ")
        };
        assert_eq!(said("FROM server [all]: "), text);
        assert_eq!(said("FROM server [dm]: "), format!("{REMOVED}: {text}"));
    }

    #[test]
    fn the_sixth_rename_in_half_a_minute_has_to_wait() {
        let mut room = Room::new(Rules::default());
        let ana = room.enter();
        let mut rename = |n: u32, seconds| {
            room.hear(ana, Ok(format!("NICK ana{n}").as_bytes()), Duration::from_secs(seconds));
            room.sessions[ana.0].nick.as_ref().map(Nick::to_string).unwrap()
        };
        for n in 0..=session::MAX_RENAMES as u32 {
            assert_eq!(rename(n, 10), format!("ana{n}"));
        }
        assert_eq!(rename(7, 39), "ana5");
        assert_eq!(rename(8, 40), "ana8");
    }

    /// A room with two members, who have read nothing yet.
    fn ana_and_joao() -> (Room, [SessionId; 2]) {
        let mut room = Room::new(Rules::default());
        let [ana, joao] = [room.enter(), room.enter()];
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        room.hear(joao, Ok(b"NICK joao"), Duration::ZERO);
        (room, [ana, joao])
    }

    /// Says 1,000 bytes, so many times; the talker reads along.
    fn flood(room: &mut Room, talker: SessionId, times: usize) {
        let mut out = Vec::new();
        for _ in 0..times {
            room.hear(talker, Ok(format!("MSG {}", "x".repeat(983)).as_bytes()), Duration::ZERO);
            while room.read(talker, &mut out) == Reading::Some {
                out.clear();
            }
        }
    }

    /// It is tried to give somebody something to read, and they take so much of it.
    fn takes(room: &mut Room, id: SessionId, some: usize, now: Duration) {
        let mut out = Vec::new();
        assert_eq!(room.read(id, &mut out), Reading::Some);
        room.return_unsent(id, &out, some, now);
    }

    /// Whether the talker has to wait at this moment, who has just said one line more than
    /// those with which the others began to wait.
    fn is_held_up(room: &mut Room, talker: SessionId, now: Duration) -> bool {
        room.must_wait(now);
        flood(room, talker, 1);
        room.must_wait(now + CACHE_LIMIT)
    }

    #[test]
    fn whoever_falls_a_transcript_behind_is_let_go_and_nobody_else() {
        let mut room = Room::new(Rules { history: 10, ..Rules::default() });
        let [ana, joao, bia] = [room.enter(), room.enter(), room.enter()];
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        for (id, nick) in [(joao, "joao"), (bia, "bia")] {
            // Some history to begin with makes their places older than others.
            room.hear(ana, Ok(b"MSG before"), Duration::ZERO);
            room.hear(id, Ok(format!("NICK {nick}").as_bytes()), Duration::ZERO);
        }
        room.take_changes();
        flood(&mut room, ana, 500);
        while room.read(bia, &mut Vec::new()) == Reading::Some {}
        flood(&mut room, ana, 1500);

        let cut = room.take_evictions();
        assert_eq!(cut.iter().map(|cut| cut.id).collect::<Vec<_>>(), [joao, bia]);
        for cut in cut {
            assert!(cut.nick.is_some());
            let line = 1000;
            let behind = TRANSCRIPT as u64 + 1..TRANSCRIPT as u64 + 2 * line;
            assert!(behind.contains(&cut.behind), "not sooner and not later: {}", cut.behind);
        }
        assert_eq!(room.take_changes().len(), 2, "both are seen to leave");
        assert_eq!(room.read(joao, &mut Vec::new()), Reading::Over);
        assert!(room.is_member(ana) && !room.is_member(joao));
    }

    #[test]
    fn who_reads_but_is_not_passed_on_what_is_then_overwritten_is_let_go_at_once() {
        let (mut room, [ana, joao]) = ana_and_joao();
        let (mut read, mut passed) = (Vec::new(), 0);
        // Each time that is more than a batch.
        for times in [100, 900] {
            flood(&mut room, ana, times);
            read.clear();
            assert_eq!(room.read(joao, &mut read), Reading::Some);
            room.return_unsent(joao, &read, passed, Duration::ZERO);
            assert_eq!(room.take_evictions(), [], "that is still there");
            passed = 7;
        }
        read.clear();
        assert_eq!(room.read(joao, &mut read), Reading::Some);
        flood(&mut room, ana, 100);
        room.take_wakeups();
        room.return_unsent(joao, &read, passed, Duration::ZERO);
        let cut = room.take_evictions();
        assert_eq!(cut.iter().map(|cut| cut.reason).collect::<Vec<_>>(), [EvictReason::Behind]);
        assert!(room.take_wakeups().all && !room.is_member(joao), "the others see him leave");
    }

    #[test]
    fn who_reads_is_waited_for_and_who_does_not_is_not() {
        let (mut room, [ana, joao]) = ana_and_joao();
        while room.read(joao, &mut Vec::new()) == Reading::Some {}
        // He has read everything; that he had nothing to read since is not his fault.
        let second = Duration::from_secs(1);
        let start = 10 * second;
        flood(&mut room, ana, 230);
        assert!(!is_held_up(&mut room, ana, start), "230 lines are no reason");
        flood(&mut room, ana, 50);
        assert!(is_held_up(&mut room, ana, start));
        // The others may get the further ahead the longer he is silent.
        flood(&mut room, ana, 30);
        assert!(room.must_wait(start + second / 50));
        assert!(!room.must_wait(start + second / 10));
        flood(&mut room, ana, 450);
        takes(&mut room, joao, 0, start + second / 4);
        assert!(room.must_wait(start + second / 2));
        flood(&mut room, ana, 170);
        assert!(room.must_wait(start + 2 * second), "who knows, since it was not tried again");
        takes(&mut room, joao, 0, start + 2 * second);
        assert!(!room.must_wait(start + 2 * second + CACHE_LIMIT), "joao has stopped reading");
        // He reads 64 KiB, and all of it begins anew, from where they are.
        room.read(joao, &mut Vec::new());
        assert!(!room.must_wait(start + 3 * second));
        assert!(is_held_up(&mut room, ana, start + 3 * second));
        takes(&mut room, joao, 0, start + 4 * second);
        assert!(!room.must_wait(start + 4 * second + CACHE_LIMIT));
        while room.read(joao, &mut Vec::new()) == Reading::Some {}
        assert!(!is_held_up(&mut room, ana, start + 5 * second), "joao is up to date");
    }

    #[test]
    fn who_leaves_is_waited_for_until_all_is_read_or_for_half_a_minute() {
        let (mut room, [ana, joao]) = ana_and_joao();
        flood(&mut room, ana, 50);
        room.hear(joao, Ok(b"QUIT"), Duration::ZERO);
        flood(&mut room, ana, 150);
        assert!(!is_held_up(&mut room, ana, CACHE_LIMIT), "he has time to read");
        flood(&mut room, ana, 100);
        assert!(is_held_up(&mut room, ana, 3 * CACHE_LIMIT), "it would be overwritten");
        // He is given all that is left, which may not get through.
        let mut out = Vec::new();
        assert_eq!(room.read(joao, &mut out), Reading::Some);
        assert!(is_held_up(&mut room, ana, 5 * CACHE_LIMIT), "it is on its way");
        flood(&mut room, ana, 10);
        room.return_unsent(joao, &out, 0, 7 * CACHE_LIMIT);
        assert!(is_held_up(&mut room, ana, 7 * CACHE_LIMIT), "it has come back");
        assert_eq!(room.take_evictions(), []);
        // He reads on, but slowly.
        for second in 1..30 {
            takes(&mut room, joao, 1, Duration::from_secs(second));
            assert!(is_held_up(&mut room, ana, Duration::from_secs(second)));
        }
        takes(&mut room, joao, 1, Duration::from_secs(31));
        assert!(!room.must_wait(Duration::from_secs(31)), "he has had his time");
    }

    #[test]
    fn who_comes_and_leaves_at_once_is_not_waited_for() {
        let mut room = Room::new(Rules::default());
        let ana = room.enter();
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        let [joao, bia, log] = [room.enter(), room.enter(), room.observe()];
        room.read(bia, &mut Vec::new()); // She has been a guest for long.
        flood(&mut room, ana, 1000);
        while room.read(log, &mut Vec::new()) == Reading::Some {}
        for (id, nick) in [(joao, "joao"), (bia, "bia")] {
            room.hear(id, Ok(format!("NICK {nick}").as_bytes()), Duration::ZERO);
            room.hear(id, Ok(b"QUIT"), Duration::ZERO);
            assert!(!room.must_wait(CACHE_LIMIT));
        }
        let log = room.observe();
        room.input_ended(log);
        assert!(!room.must_wait(3 * CACHE_LIMIT));
    }

    #[test]
    fn who_leaves_and_has_read_all_is_not_waited_for() {
        let (mut room, [ana, joao]) = ana_and_joao();
        flood(&mut room, ana, 280);
        room.hear(joao, Ok(b"QUIT"), Duration::ZERO);
        assert!(is_held_up(&mut room, ana, CACHE_LIMIT));
        while room.read(joao, &mut Vec::new()) == Reading::Some {}
        assert!(!is_held_up(&mut room, ana, 3 * CACHE_LIMIT), "it is nothing to him");
        flood(&mut room, ana, 2000);
        assert_eq!(room.take_evictions(), []);
    }

    #[test]
    fn who_was_waited_for_twice_and_then_read_is_waited_for_longer() {
        let (mut room, [ana, joao]) = ana_and_joao();
        let ms = Duration::from_millis;
        flood(&mut room, ana, 800);
        assert!(is_held_up(&mut room, ana, ms(0)));
        takes(&mut room, joao, 0, ms(900)); // His kernel takes nothing.
        assert!(!room.must_wait(ms(1001)), "then he does not read");
        // What he takes once may be what the systems between us have room for.
        takes(&mut room, joao, 5000, ms(1500));
        assert!(is_held_up(&mut room, ana, ms(2000)));
        takes(&mut room, joao, 0, ms(2900));
        assert!(!room.must_wait(ms(3001)));
        takes(&mut room, joao, 5000, ms(3500));
        takes(&mut room, joao, 0, ms(3600));
        assert!(is_held_up(&mut room, ana, ms(4000)));
        flood(&mut room, ana, 110);
        takes(&mut room, joao, 0, ms(5000));
        assert!(room.must_wait(ms(5001)) && room.must_wait(ms(7000)));
        takes(&mut room, joao, 0, ms(7900));
        assert!(!room.must_wait(ms(8001)), "he has stopped reading");
    }

    #[test]
    fn who_has_history_to_read_is_waited_for_too() {
        let mut room = Room::new(Rules { history: 1000, ..Rules::default() });
        let [ana, joao] = [room.enter(), room.enter()];
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        flood(&mut room, ana, 1000);
        room.hear(joao, Ok(b"NICK joao"), Duration::ZERO);
        flood(&mut room, ana, 230);
        assert!(!room.must_wait(Duration::ZERO), "history is behind by its nature");
        flood(&mut room, ana, 50);
        assert!(is_held_up(&mut room, ana, CACHE_LIMIT));
        let second = Duration::from_secs(1);
        takes(&mut room, joao, 0, second);
        assert!(!room.must_wait(2 * CACHE_LIMIT + second), "he does not read");
    }

    #[test]
    fn who_tells_somebody_too_much_in_private_waits_and_nobody_else() {
        let mut room = Room::new(Rules::default());
        let [ana, joao, bia] = [room.enter(), room.enter(), room.enter()];
        for (id, nick) in [(ana, "ana"), (joao, "joao"), (bia, "bia")] {
            room.hear(id, Ok(format!("NICK {nick}").as_bytes()), Duration::ZERO);
        }
        let second = Duration::from_secs(1);
        let line = format!("MSG @joao {}", "x".repeat(1000));
        for lines in [200, 150] {
            assert!(!room.must_wait_for_reader(ana, second));
            for _ in 0..lines {
                room.hear(ana, Ok(line.as_bytes()), second);
            }
            room.hear(ana, Ok(b"MSG @bia and something to somebody else"), second);
        }
        assert!(room.must_wait_for_reader(ana, second));
        assert!(!room.must_wait(second) && !room.must_wait_for_reader(bia, second));
        room.hear(bia, Ok(b"MSG @joao psst"), second);
        assert!(room.must_wait_for_reader(bia, second), "she knows how much he has to read");
        takes(&mut room, joao, 0, 2 * second);
        assert!(!room.must_wait_for_reader(ana, 2 * second), "he does not read");
        // Nor is it forgotten whom she presses when she tells that to one who does not.
        for _ in 0..200 {
            room.hear(ana, Ok(format!("MSG @bia {}", "x".repeat(1000)).as_bytes()), second);
        }
        room.read(joao, &mut Vec::new());
        for _ in 0..2 {
            room.hear(ana, Ok(line.as_bytes()), 2 * second);
        }
        room.hear(ana, Ok(b"MSG @bia psst"), 2 * second);
        assert!(room.must_wait_for_reader(ana, 2 * second));
        while room.read(joao, &mut Vec::new()) == Reading::Some {}
        assert!(!room.must_wait_for_reader(ana, 2 * second));
        for _ in 0..300 {
            room.hear(ana, Ok(line.as_bytes()), 2 * second);
        }
        assert!(room.must_wait_for_reader(ana, 2 * second));
        room.hear(joao, Ok(b"QUIT"), 2 * second);
        assert!(!room.must_wait_for_reader(ana, 2 * second), "he is told nothing more");
    }

    #[test]
    fn a_crowd_that_is_cut_off_at_once_is_no_deeper_than_one() {
        let mut room = Room::new(Rules::default());
        let ids: Vec<SessionId> = (0..5000).map(|_| room.enter()).collect();
        for (n, &id) in ids.iter().enumerate() {
            room.hear(id, Ok(format!("NICK u{n}").as_bytes()), Duration::ZERO);
        }
        flood(&mut room, ids[0], 1200);
        assert_eq!(room.take_evictions().len(), 4999);
        assert!(room.is_member(ids[0]));
    }

    #[test]
    fn a_newcomer_with_history_to_read_may_be_the_slowest() {
        let mut room = Room::new(Rules { history: 10, ..Rules::default() });
        let [ana, joao] = [room.enter(), room.enter()];
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        let mut out = Vec::new();
        while room.slowest == 0 {
            room.hear(ana, Ok(b"MSG so much to say"), Duration::ZERO);
            room.read(ana, &mut out);
            out.clear();
        }
        room.hear(joao, Ok(b"NICK joao"), Duration::ZERO);
        assert!(
            room.sessions[joao.0].unread.start >= room.slowest,
            "he would not be let go in time"
        );
    }

    #[test]
    fn whoever_does_not_read_what_they_are_told_alone_is_let_go_too() {
        let (mut room, [ana, joao]) = ana_and_joao();
        let line = format!("MSG @joao {}", "x".repeat(1000));
        for _ in 0..=MAX_NOTES / 1000 {
            room.hear(ana, Ok(line.as_bytes()), Duration::ZERO);
        }
        assert_eq!(room.take_evictions().into_iter().map(|cut| cut.id).collect::<Vec<_>>(), [joao]);
        assert!(room.accepts_input(ana) && !room.is_member(joao));
    }

    #[test]
    fn whoever_leaves_most_unread_is_let_go_when_all_together_leave_too_much() {
        let mut room = Room::new(Rules::default());
        let ana = room.enter();
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        let line = "x".repeat(1000 - "FROM ana [dm]: \n".len());
        let most = MAX_ALL_NOTES / (MAX_NOTES / 2);
        let sleepers: Vec<SessionId> = (0..most).map(|_| room.enter()).collect();
        for (n, &sleeper) in sleepers.iter().enumerate() {
            room.hear(sleeper, Ok(format!("NICK n{n}").as_bytes()), Duration::ZERO);
            // The one of whom there is most is neither the first nor the last.
            let notes = MAX_NOTES / 2 + if n == 5 { 100_000 } else { 0 };
            for _ in 0..notes / 1000 {
                room.hear(ana, Ok(format!("MSG @n{n} {line}").as_bytes()), Duration::ZERO);
                while room.read(ana, &mut Vec::new()) == Reading::Some {}
            }
        }
        let cut = room.take_evictions();
        assert_eq!(cut.iter().map(|cut| cut.id).collect::<Vec<_>>(), [sleepers[5]]);
        assert_eq!(cut[0].reason, EvictReason::Behind);
    }

    #[test]
    fn who_is_let_go_for_the_sake_of_memory_may_push_out_others_and_that_is_all() {
        let mut room = Room::new(Rules::default());
        let ana = room.enter();
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        let sleepers: Vec<SessionId> = (0..600).map(|_| room.enter()).collect();
        for (n, &sleeper) in sleepers.iter().enumerate() {
            room.hear(sleeper, Ok(format!("NICK n{n}").as_bytes()), Duration::ZERO);
        }
        for &id in sleepers.iter().chain([&ana]) {
            while room.read(id, &mut Vec::new()) == Reading::Some {}
        }
        // All are as far behind as they can be; that one leaves is one line too many.
        flood(&mut room, ana, TRANSCRIPT / 1000);
        let rest = TRANSCRIPT % 1000 - "FROM ana [all]: \n".len();
        room.hear(ana, Ok(format!("MSG {}", "x".repeat(rest)).as_bytes()), Duration::ZERO);
        while room.read(ana, &mut Vec::new()) == Reading::Some {}
        let text = "x".repeat(1000 - "FROM ana [dm]: \n".len());
        for n in (0..sleepers.len()).cycle() {
            room.hear(ana, Ok(format!("MSG @n{n} {text}").as_bytes()), Duration::ZERO);
            let weight: usize = room.sessions.iter().map(|(_, session)| session.weight()).sum();
            assert!(weight <= MAX_ALL_NOTES + RECOUNT_AFTER, "{weight} bytes are kept");
            if room.population() == 1 {
                break;
            }
        }
        assert_eq!(room.take_evictions().len(), sleepers.len());
        assert!(room.is_member(ana));
    }

    #[test]
    fn who_reads_is_not_let_go_for_those_who_do_not() {
        let mut room = Room::new(Rules::default());
        let [ana, bia] = [room.enter(), room.enter()];
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        room.hear(bia, Ok(b"NICK bia"), Duration::ZERO);
        let sleepers: Vec<SessionId> = (0..170).map(|_| room.enter()).collect();
        for (n, &sleeper) in sleepers.iter().enumerate() {
            room.hear(sleeper, Ok(format!("NICK n{n}").as_bytes()), Duration::ZERO);
        }
        let text = "x".repeat(1000 - "FROM ana [dm]: \n".len());
        for _ in 0..98 {
            for n in 0..sleepers.len() {
                room.hear(ana, Ok(format!("MSG @n{n} {text}").as_bytes()), Duration::ZERO);
            }
        }
        assert_eq!(room.take_evictions(), []);
        while room.read(bia, &mut Vec::new()) == Reading::Some {}
        for &sleeper in &sleepers {
            takes(&mut room, sleeper, 0, Duration::from_secs(2));
        }
        // Bia, who reads, is told more than any of them.
        for _ in 0..500 {
            let line = format!("MSG @bia {text}");
            room.hear(ana, Ok(line.as_bytes()), Duration::from_secs(2));
        }
        let cut = room.take_evictions();
        assert!(!cut.is_empty() && room.is_member(bia), "{cut:?}");
        assert!(cut.iter().all(|cut| sleepers.contains(&cut.id)), "{cut:?}");
    }

    #[test]
    fn who_reads_what_takes_memory_is_not_slow_for_that() {
        let mut room = Room::new(Rules::default());
        let [ana, bia] = [room.enter(), room.enter()];
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        room.hear(bia, Ok(b"NICK bia"), Duration::ZERO);
        let text = "x".repeat(1000 - "FROM ana [dm]: \n".len());
        for n in 0..20 {
            let sleeper = room.enter();
            room.hear(sleeper, Ok(format!("NICK n{n}").as_bytes()), Duration::ZERO);
            for _ in 0..700 {
                room.hear(ana, Ok(format!("MSG @n{n} {text}").as_bytes()), Duration::ZERO);
                room.hear(bia, Ok(b"WHO"), Duration::ZERO);
                while room.read(bia, &mut Vec::new()) == Reading::Some {}
            }
        }
        assert_eq!(room.take_evictions(), []);
        assert_eq!(room.sessions[bia.0].late, 0);
    }

    #[test]
    fn to_read_slowly_takes_no_memory() {
        let mut room = Room::new(Rules { history: 10, ..Rules::default() });
        let [ana, joao, bia] = [room.enter(), room.enter(), room.enter()];
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        room.hear(joao, Ok(b"NICK joao"), Duration::ZERO);
        flood(&mut room, ana, 50);
        room.hear(bia, Ok(b"NICK bia"), Duration::ZERO); // She has history to read.
        for (id, line) in [(joao, "OK welcome joao\n"), (bia, "History: 10\n")] {
            let mut heard = Vec::new();
            loop {
                let mut batch = Vec::new();
                if room.read(id, &mut batch) != Reading::Some {
                    break;
                }
                let passed = batch.len().min(300);
                room.return_unsent(id, &batch, passed, Duration::ZERO);
                heard.extend_from_slice(&batch[..passed]);
                let kept = room.sessions[id.0].note_bytes();
                assert!(kept < 1000, "{kept} bytes are kept for one who has no private lines");
            }
            let heard = String::from_utf8(heard).unwrap();
            let talk = heard.split_once(line).unwrap().1;
            let whole = |line: &&str| line.starts_with("FROM ana ") && line.len() == 999;
            assert_eq!(talk.lines().filter(whole).count(), if id == joao { 50 } else { 10 });
        }
    }

    #[test]
    fn who_is_told_no_more_is_heard_all_the_same() {
        let mut room = Room::new(Rules::default());
        let [ana, joao] = [room.enter(), room.enter()];
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        while room.read(ana, &mut Vec::new()) == Reading::Some {}
        room.discard_output(joao);
        for line in ["NICK joao", "MSG one", "NICK rui", "WHO", "MSG two", "QUIT"] {
            room.hear(joao, Ok(line.as_bytes()), Duration::ZERO);
            let done = if line == "QUIT" { Reading::Over } else { Reading::Nothing };
            assert_eq!(room.read(joao, &mut Vec::new()), done, "after {line}");
        }
        let mut heard = Vec::new();
        while room.read(ana, &mut heard) == Reading::Some {}
        let expected = "User joao joined.\n\
            FROM joao [all]: one\n\
            User joao left the chat.\n\
            User rui joined.\n\
            FROM rui [all]: two\n\
            User rui left the chat.\n";
        assert_eq!(String::from_utf8_lossy(&heard), expected);
        // However much is said, it is not behind.
        flood(&mut room, ana, 2 * TRANSCRIPT / 1000);
        assert_eq!(room.take_evictions(), []);
    }

    #[test]
    fn many_short_notes_between_public_lines_weigh_more_than_their_text() {
        let (mut room, [ana, _joao]) = ana_and_joao();
        let mut text = 0;
        while room.take_evictions().is_empty() {
            room.hear(ana, Ok(b"MSG @joao x"), Duration::ZERO);
            room.hear(ana, Ok(b"MSG x"), Duration::ZERO);
            while room.read(ana, &mut Vec::new()) == Reading::Some {}
            text += "FROM ana [dm]: x\n".len();
        }
        assert!(text < MAX_NOTES / 4, "{text} bytes of text are a quarter of it");
    }

    #[test]
    fn history_that_is_overwritten_while_it_is_passed_on_is_not_torn() {
        let mut room = Room::new(Rules { history: 1000, ..Rules::default() });
        let [ana, joao] = [room.enter(), room.enter()];
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        flood(&mut room, ana, 1000);
        room.hear(joao, Ok(b"NICK joao"), Duration::ZERO);
        let mut batch = Vec::new();
        assert_eq!(room.read(joao, &mut batch), Reading::Some);
        room.return_unsent(joao, &batch, 2500, Duration::ZERO);
        let left = |room: &Room| TRANSCRIPT as u64 - room.sessions[joao.0].behind(room.talk());
        while left(&room) > 2000 {
            flood(&mut room, ana, 1);
        }
        batch.clear();
        assert_eq!(room.read(joao, &mut batch), Reading::Some);
        flood(&mut room, ana, 4);
        assert_eq!(room.take_evictions(), []);
        room.return_unsent(joao, &batch, 20_300, Duration::ZERO);
        assert_eq!(room.take_evictions().len(), 1);
        assert_eq!(room.read(joao, &mut batch), Reading::Over);
    }

    #[test]
    fn what_is_on_its_way_is_neither_lost_nor_heard_twice_whatever_happens_meanwhile() {
        let rules = Rules { history: 5, greeting: vec!["hi".into()], ..Rules::default() };
        for seed in 0..2000 {
            let mut dice = fastrand::Rng::with_seed(seed);
            // The same happens in both rooms; in one, what is read may come back later.
            let mut rooms = [(); 2].map(|()| Room::new(rules.clone()));
            let ids = [(); 3].map(|()| rooms.each_mut().map(Room::enter)[0]);
            let mut heard = [(); 3].map(|()| [Vec::new(), Vec::new()]);
            let mut on_its_way = [None, None, None];
            for turn in 0..60 {
                let now = Duration::from_secs(turn);
                let who = dice.usize(..ids.len());
                let line = match dice.usize(..12) {
                    0..3 if on_its_way[who].is_none() => {
                        let mut batch = Vec::new();
                        if rooms[0].read(ids[who], &mut batch) == Reading::Some {
                            on_its_way[who] = Some(batch);
                        }
                        continue;
                    }
                    0..6 => {
                        let Some(batch) = on_its_way[who].take() else { continue };
                        let sent = dice.usize(..=batch.len());
                        if sent < batch.len() {
                            rooms[0].return_unsent(ids[who], &batch, sent, Duration::ZERO);
                        }
                        heard[who][0].extend_from_slice(&batch[..sent]);
                        continue;
                    }
                    6..8 => format!("NICK n{who}{}", dice.usize(..4)),
                    8..10 => format!("MSG hello {turn}"),
                    10 => format!("MSG @n{}{} psst", dice.usize(..3), dice.usize(..4)),
                    _ if dice.usize(..8) == 0 => "QUIT".into(),
                    _ => "WHO".into(),
                };
                rooms.iter_mut().for_each(|room| room.hear(ids[who], Ok(line.as_bytes()), now));
            }
            for ((id, heard), batch) in ids.into_iter().zip(&mut heard).zip(on_its_way) {
                heard[0].extend(batch.unwrap_or_default());
                for (room, heard) in rooms.iter_mut().zip(heard.iter_mut()) {
                    while room.read(id, heard) == Reading::Some {}
                }
                let [late, at_once] = heard.each_ref().map(|heard| String::from_utf8_lossy(heard));
                assert_eq!(late, at_once, "with seed {seed}");
            }
        }
    }

    #[test]
    fn what_is_taken_back_is_read_next_and_a_last_word_is_the_last() {
        let (mut room, [ana, joao]) = ana_and_joao();
        for line in ["MSG one", "MSG @joao two", "MSG three"] {
            room.hear(ana, Ok(line.as_bytes()), Duration::ZERO);
        }
        let (mut heard, mut batch) = (Vec::new(), Vec::new());
        while room.read(joao, &mut batch) == Reading::Some {
            let passed = batch.len().min(7);
            room.return_unsent(joao, &batch, passed, Duration::ZERO);
            heard.extend(batch.drain(..passed));
            batch.clear();
            if heard.len() == 35 {
                room.hear(joao, Ok(b"QUIT"), Duration::ZERO);
            }
        }
        let expected = "New User. Please register with: NICK <your_nick>\n\
            OK welcome joao\n\
            FROM ana [all]: one\n\
            FROM ana [dm]: two\n\
            FROM ana [all]: three\n\
            BYE\n";
        assert_eq!(String::from_utf8_lossy(&heard), expected);
        // Whoever was cut off is told nothing, and is cut off once.
        while room.read(ana, &mut batch) == Reading::Some {}
        room.evict(ana, EvictReason::Stalled);
        room.return_unsent(ana, &batch, 0, Duration::ZERO);
        room.evict(ana, EvictReason::Lost);
        assert_eq!(room.read(ana, &mut Vec::new()), Reading::Over);
        let cut = room.take_evictions();
        assert_eq!(cut.iter().map(|cut| cut.reason).collect::<Vec<_>>(), [EvictReason::Stalled]);
    }

    #[test]
    fn who_does_not_take_their_last_word_is_still_known_by_name() {
        for leave in ["QUIT", "kick", "close"] {
            let mut room = Room::new(Rules::default());
            let ana = room.enter();
            room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
            match leave {
                "kick" => room.kick(ana, ""),
                "close" => _ = room.close("good night"),
                quit => room.hear(ana, Ok(quit.as_bytes()), Duration::ZERO),
            }
            room.evict(ana, EvictReason::Stalled);
            let cut = room.take_evictions().pop().unwrap();
            assert_eq!(cut.nick.as_ref().map(Nick::as_str), Some("ana"), "{leave}");
        }
    }

    #[test]
    fn a_guest_or_an_observer_is_told_nothing_that_is_not_for_them() {
        let mut room = Room::new(Rules::default());
        let [ana, guest, log] = [room.enter(), room.enter(), room.observe()];
        for line in ["NICK ana", "MSG olá", "MSG @ana psst", "QUIT"] {
            room.hear(ana, Ok(line.as_bytes()), Duration::ZERO);
        }
        let (mut heard, mut logged) = (Vec::new(), Vec::new());
        while room.read(guest, &mut heard) == Reading::Some {}
        while room.read(log, &mut logged) == Reading::Some {}
        assert_eq!(heard, b"New User. Please register with: NICK <your_nick>\n");
        let expected = "User ana joined.\nFROM ana [all]: olá\nUser ana left the chat.\n";
        assert_eq!(String::from_utf8_lossy(&logged), expected);
    }

    #[test]
    fn the_list_of_a_crowd_comes_in_lines_that_every_client_can_take() {
        let mut room = Room::new(Rules::default());
        let ids: Vec<SessionId> = (0..300).map(|_| room.enter()).collect();
        for (n, &id) in ids.iter().enumerate() {
            let nick = format!("NICK {n:03}-{}", "日".repeat(28));
            room.hear(id, Ok(nick.as_bytes()), Duration::ZERO);
        }
        let last = ids[299];
        let mut out = Vec::new();
        while room.read(last, &mut out) == Reading::Some {}
        out.clear();
        room.hear(last, Ok(b"WHO"), Duration::ZERO);
        while room.read(last, &mut out) == Reading::Some {}

        let lines: Vec<&str> = str::from_utf8(&out).unwrap().lines().collect();
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() < MAX_EVENT));
        let mut nicks = Vec::new();
        for line in lines {
            let Event::Users(some) = Event::parse(line) else { panic!("{line}") };
            nicks.extend(some);
        }
        assert!(nicks.len() == 300 && nicks.is_sorted());
    }

    #[test]
    fn when_the_room_closes_everyone_is_told_and_nobody_is_seen_to_leave() {
        let mut room = Room::new(Rules::default());
        let [ana, guest] = [room.enter(), room.enter()];
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        room.take_changes();
        assert_eq!(room.close("good night"), 1);
        for (id, expected) in [
            (ana, "OK welcome ana\nFROM server [all]: good night\nBYE\n"),
            (guest, "FROM server [all]: good night\nBYE\n"),
        ] {
            let mut out = Vec::new();
            while room.read(id, &mut out) == Reading::Some {}
            let told = String::from_utf8(out).unwrap();
            assert_eq!(told, format!("{}\n{expected}", Event::Greeting));
            assert_eq!(room.read(id, &mut Vec::new()), Reading::Over);
            room.leave(id);
        }
        assert_eq!(room.take_changes(), []);
        let late = room.enter();
        room.hear(late, Ok(b"NICK late"), Duration::ZERO);
        assert!(!room.is_member(late));
    }
}
