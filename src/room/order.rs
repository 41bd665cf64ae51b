//! One server's part in an order that several servers share.
//!
//! A log that all servers append to and read decides what comes after what. An action of a
//! client is a *proposal*: a line in a batch that is under way to the log. A batch that comes
//! back is *ordered*, and only that changes the room, in the same way at all servers.

pub(super) mod census;
pub(super) mod line;
mod numbers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::time::Duration;

use crate::room::SessionId;
use crate::wire::Nick;
use census::{Census, Holder};
use line::{Line, List, Listed};

/// How often a server shows that it is there.
const BEAT: Duration = Duration::from_secs(1);
/// After so long a beat that does not come back is lost.
const BEAT_TIMEOUT: Duration = Duration::from_secs(4);
/// After so many own beats without a sign of another server, that one is gone.
const MISSED: u32 = 5;
/// A newcomer does not wait for a server that has shown nothing for so many milliseconds.
const LATELY: u64 = 6_000;
/// The length of an entry of the log, in bytes. So much is also kept to be sent again.
pub const MAX_ENTRY: usize = 64 << 10;
/// The proposals of one session that may be under way, in bytes.
pub const MAX_SESSION: usize = 64 << 10;
/// The proposals of all sessions that may be under way, in bytes.
pub const MAX_ALL: usize = 1 << 20;
/// After so many bytes of the log, a server sends its list again.
const LIST_AFTER: usize = 1 << 20;
/// How many servers that are gone are remembered.
const MAX_GONE: usize = 1024;
/// How many servers are known at once. Others are not heard.
const MAX_SERVERS: usize = 1024;
/// How many members are known at once. Others are not heard.
pub const MAX_MEMBERS: usize = 1 << 20;
/// How many entries a count of messages may lie behind.
const MAX_MARKS: usize = 4096;
/// How many bans are repeated to servers that come.
pub const MAX_BANS: usize = 1024;

/// Names one run of one server.
pub type ServerId = u64;
/// Names an entry of the log: its time in milliseconds, and a number.
pub type EntryId = (u64, u64);
/// A place in the order: an entry, and a line in it.
pub type Place = (u64, u64, u32);

/// The session that has proposed something. The number tells it from others with its id.
pub type Proposer = (SessionId, u64);

/// A line that is under way, or has yet to go.
#[derive(Debug)]
pub struct Proposal {
    line: String,
    /// The session, if it was one.
    pub by: Option<Proposer>,
    /// The key of the receiver and the text of a message that does not travel.
    pub private: Option<(Box<str>, String)>,
}

impl Proposal {
    /// The length of the line with its line feed, in bytes.
    fn length(&self) -> usize {
        self.line.len() + 1 + self.private.as_ref().map_or(0, |(_, text)| text.len())
    }
}

/// The state of a session that has something under way.
#[derive(Debug, Default)]
struct UnderWay {
    serial: u64,
    lines: usize,
    bytes: usize,
    /// It registers or takes another nick, so nothing else goes along.
    names: bool,
    /// Its input has ended.
    ended: bool,
}

/// Another server, or this one.
#[derive(Debug, Default)]
struct Server {
    /// The number of its last batch.
    last: u64,
    /// The number of its last beat.
    beat: u64,
    /// The time of its last entry, in milliseconds.
    seen: u64,
    /// It has shown itself of late, so clients may not register before its members are known.
    awaited: bool,
    /// Its members are known.
    known: bool,
    /// How many own beats came back since it was seen.
    missed: u32,
    /// The parts of its list so far.
    parts: Option<Vec<Listed>>,
}

/// A server that is gone.
#[derive(Debug)]
struct Departed {
    id: ServerId,
    /// The number of its last batch.
    last: u64,
    /// How many beats came from it all the same, and how many since that was said again.
    beats: u32,
    unsaid: u32,
}

/// A batch until it comes back.
struct Flight {
    number: u64,
    proposals: Vec<Proposal>,
}

/// A message of a time before anyone could enter.
pub struct PastMessage {
    pub millis: u64,
    pub from: Box<str>,
    pub text: String,
}

/// The part of one server in the order.
pub struct Order {
    pub me: ServerId,
    /// The proposals that have yet to go.
    waiting: VecDeque<Proposal>,
    /// The length of all proposals that have not come back, in bytes.
    bytes: usize,
    flight: Option<Flight>,
    /// The number of the last batch, and of the last beat.
    sent: u64,
    beat: u64,
    last_beat: Option<Duration>,
    /// The last beat has not come back.
    beat_out: bool,
    /// The last batches as they were sent, and their length. The log may lose them before
    /// all servers have read them.
    recent: VecDeque<String>,
    recent_bytes: usize,
    /// The batches that are to be sent again.
    again: VecDeque<String>,
    /// The own list is due, and the parts of it that have yet to go.
    list_due: bool,
    parts: VecDeque<String>,
    /// The length of the log since the last own list, in bytes.
    since_list: usize,
    asks: BTreeSet<ServerId>,
    servers: BTreeMap<ServerId, Server>,
    gone: VecDeque<Departed>,
    /// The number of this server until it was taken for gone, while that has yet to be said.
    former: Option<ServerId>,
    pub census: Census,
    /// Members of this server that the others took for gone, until its list comes back.
    pub limbo: BTreeMap<Box<str>, Holder>,
    /// An own entry came back. From there on everything counts.
    attached: bool,
    /// It is known who is at the other servers, so clients may register.
    pub open: bool,
    /// The server says no more.
    pub closed: bool,
    sessions: BTreeMap<usize, UnderWay>,
    serial: u64,
    /// The sessions that could not say their next line, and whether they wait for all of
    /// their own.
    held: BTreeMap<usize, (SessionId, bool)>,
    pub bans: BTreeSet<Box<str>>,
    /// The messages of a time before clients may register, and their length in bytes.
    pub past: VecDeque<PastMessage>,
    past_bytes: usize,
    /// How many messages were read, and how many at each of the last entries.
    count: u64,
    marks: VecDeque<(EntryId, u64)>,
    /// Marks were dropped.
    marks_dropped: bool,
    /// The number of the message before the first one that was read, if it is known.
    pub base: Option<u64>,
    /// The term of the numbers, if it is known.
    pub term: Option<Box<str>>,
    /// A server with this version of the format was seen.
    pub other_version: Option<u32>,
}

/// An entry that counts.
pub struct Admitted {
    pub server: ServerId,
    /// The proposals of this server that have come back, in the order of the lines.
    pub proposals: Option<Vec<Proposal>>,
}

impl Order {
    pub fn new(me: ServerId) -> Order {
        Order {
            me,
            waiting: VecDeque::new(),
            bytes: 0,
            flight: None,
            sent: 0,
            beat: 0,
            last_beat: None,
            beat_out: false,
            recent: VecDeque::new(),
            recent_bytes: 0,
            again: VecDeque::new(),
            list_due: true,
            parts: VecDeque::new(),
            since_list: 0,
            asks: BTreeSet::new(),
            servers: BTreeMap::new(),
            gone: VecDeque::new(),
            former: None,
            census: Census::default(),
            limbo: BTreeMap::new(),
            attached: false,
            open: false,
            closed: false,
            sessions: BTreeMap::new(),
            serial: 0,
            held: BTreeMap::new(),
            bans: BTreeSet::new(),
            past: VecDeque::new(),
            past_bytes: 0,
            count: 0,
            marks: VecDeque::new(),
            marks_dropped: false,
            base: None,
            term: None,
            other_version: None,
        }
    }

    /// Whether everything counts that is read now.
    pub fn is_attached(&self) -> bool {
        self.attached
    }

    /// How many other servers there are.
    pub fn others(&self) -> usize {
        self.servers.iter().filter(|(id, server)| **id != self.me && server.known).count()
    }

    /// Proposes a line of no session.
    pub fn propose(&mut self, line: &Line) {
        self.push(line, None, None);
    }

    /// Proposes that a member leaves whose session was over before it came. That is next, so
    /// that it does not remove another member with the same nick.
    pub fn propose_leave_first(&mut self, nick: Nick) {
        self.push(&Line::Leave(nick), None, None);
        self.waiting.rotate_right(1);
    }

    /// Proposes a line of a session. A `private` text waits here until the line is back.
    pub fn propose_for(&mut self, id: SessionId, line: &Line, private: Option<(Box<str>, String)>) {
        let names = matches!(line, Line::Join(..) | Line::Rename(..));
        let session = self.sessions.entry(id.0).or_insert_with(|| {
            self.serial += 1;
            UnderWay { serial: self.serial, ..UnderWay::default() }
        });
        session.names |= names;
        let serial = session.serial;
        let length = self.push(line, Some((id, serial)), private);
        let session = self.sessions.get_mut(&id.0).expect("it was just added");
        session.lines += 1;
        session.bytes += length;
    }

    fn push(
        &mut self,
        line: &Line,
        by: Option<Proposer>,
        private: Option<(Box<str>, String)>,
    ) -> usize {
        let proposal = Proposal { line: line.to_string(), by, private };
        let length = proposal.length();
        self.bytes += length;
        self.waiting.push_back(proposal);
        length
    }

    /// A session is over. Its proposals remain.
    pub fn forget(&mut self, id: SessionId) {
        self.sessions.remove(&id.0);
        self.held.remove(&id.0);
    }

    /// The input of a session has ended. Whether that has to wait for its proposals.
    pub fn defers_end(&mut self, id: SessionId) -> bool {
        let session = self.sessions.get_mut(&id.0);
        session.map(|session| session.ended = true).is_some()
    }

    /// The session that has proposed this, if it is still there.
    pub fn proposer(&self, proposal: &Proposal) -> Option<SessionId> {
        let (id, serial) = proposal.by?;
        let session = self.sessions.get(&id.0)?;
        (session.serial == serial).then_some(id)
    }

    /// A proposal has come back and was obeyed. Whether its session ends now, because its
    /// input has.
    pub fn settle(&mut self, proposal: &Proposal) -> Option<SessionId> {
        self.bytes = self.bytes.saturating_sub(proposal.length());
        let id = self.proposer(proposal)?;
        let session = self.sessions.get_mut(&id.0)?;
        session.lines -= 1;
        session.bytes -= proposal.length();
        if session.lines > 0 {
            return None;
        }
        let ended = session.ended;
        self.sessions.remove(&id.0);
        ended.then_some(id)
    }

    /// Whether a line of a session has to wait. `goes_along` lines need no answer at a
    /// place of their own; `registers` lines need to know all members.
    pub fn holds(&mut self, id: SessionId, goes_along: bool, registers: bool) -> bool {
        let waits_for_all = !goes_along || self.sessions.get(&id.0).is_some_and(|it| it.names);
        if self.must_wait(id, waits_for_all, registers) {
            self.held.insert(id.0, (id, waits_for_all));
            return true;
        }
        false
    }

    fn must_wait(&self, id: SessionId, waits_for_all: bool, registers: bool) -> bool {
        let full = self.bytes >= MAX_ALL;
        match self.sessions.get(&id.0) {
            Some(session) => waits_for_all || full || session.bytes >= MAX_SESSION,
            None => (full && (registers || !waits_for_all)) || (registers && !self.open),
        }
    }

    /// Whether a session that was held may go on.
    pub fn may_go_on(&self, id: SessionId) -> bool {
        match self.held.get(&id.0) {
            Some(&(_, waits_for_all)) => {
                self.open && !self.must_wait(id, waits_for_all, false) && self.bytes < MAX_ALL
            }
            None => true,
        }
    }

    /// The sessions that were held and may go on.
    pub fn take_resumed(&mut self) -> Vec<SessionId> {
        let held = self.held.values().map(|&(id, _)| id);
        let resumed: Vec<SessionId> = held.filter(|&id| self.may_go_on(id)).collect();
        resumed.iter().for_each(|id| _ = self.held.remove(&id.0));
        resumed
    }

    /// The log may have lost the last batches. They go again, before anything new.
    pub fn doubt(&mut self) {
        self.again.clone_from(&self.recent);
        self.beat_out = false;
        self.list_due |= self.attached;
    }

    /// Sends the own list when it is time.
    pub fn announce(&mut self) {
        self.list_due = true;
    }

    /// Asks a server for its list.
    pub fn ask(&mut self, server: ServerId) {
        if server != self.me {
            self.asks.insert(server);
        }
    }

    /// A server was asked by another one.
    pub fn was_asked(&mut self, server: ServerId) {
        self.asks.remove(&server);
        if server == self.me {
            self.announce();
        }
    }

    /// Whether there is an entry to be sent now.
    pub fn has_entry(&self, now: Duration) -> bool {
        let idle = self.flight.is_none();
        !self.again.is_empty()
            || idle
                && (self.list_due
                    || self.former.is_some()
                    || !self.parts.is_empty()
                    || !self.asks.is_empty()
                    || !self.waiting.is_empty()
                    || self.beat_is_due(now))
    }

    /// Whether everything that was proposed has come back.
    pub fn is_done(&self) -> bool {
        self.flight.is_none() && self.waiting.is_empty() && self.again.is_empty()
    }

    fn beat_is_due(&self, now: Duration) -> bool {
        let since = self.last_beat.map(|then| now.saturating_sub(then));
        // A server that reads late says less, so that the others see that.
        let wait = if self.beat_out { BEAT_TIMEOUT } else { BEAT };
        self.attached && since.is_none_or(|since| since >= wait) && !self.closed
    }

    /// The next entry for the log. One batch is under way at a time, until it comes back.
    /// The last number and the term go with a list, once they are known.
    pub fn take_entry(&mut self, now: Duration, last: u64, term: &str) -> Option<String> {
        if let Some(entry) = self.again.pop_front() {
            return Some(entry);
        }
        if self.flight.is_some() {
            return None;
        }
        if let Some(former) = self.former.take() {
            return Some(self.launch(&format!("{}\n", Line::Gone(former)), Vec::new()));
        }
        if self.list_due && self.parts.is_empty() && !self.closed {
            self.list_due = false;
            self.make_list(last, term);
        }
        if let Some(part) = self.parts.pop_front() {
            return Some(self.launch(&part, Vec::new()));
        }
        if self.beat_is_due(now) {
            self.last_beat = Some(now);
            self.beat += 1;
            self.beat_out = true;
            let (count, sum) = self.census.sum(self.me);
            let at = self.marks.back().filter(|_| self.open).map(|&(at, _)| (at, last));
            let beat = Line::Beat { count, sum, beat: self.beat, last: at };
            // A beat has no number of its own, so that one that is deleted leaves no hole.
            return Some(format!("{:x} {}\n{beat}\n", self.me, self.sent));
        }
        if let Some(server) = self.asks.pop_first() {
            return Some(self.launch(&format!("{}\n", Line::Ask(server)), Vec::new()));
        }
        let mut lines = String::new();
        let mut proposals = Vec::new();
        while let Some(next) = self.waiting.front()
            && (lines.is_empty() || lines.len() + next.line.len() < MAX_ENTRY - 64)
        {
            let proposal = self.waiting.pop_front().expect("it was just seen");
            lines.push_str(&proposal.line);
            lines.push('\n');
            proposals.push(proposal);
        }
        (!proposals.is_empty()).then(|| self.launch(&lines, proposals))
    }

    /// Sends a batch on its way.
    fn launch(&mut self, lines: &str, proposals: Vec<Proposal>) -> String {
        self.sent += 1;
        self.flight = Some(Flight { number: self.sent, proposals });
        let entry = format!("{:x} {}\n{lines}", self.me, self.sent);
        self.recent_bytes += entry.len();
        self.recent.push_back(entry.clone());
        while self.recent_bytes > MAX_ENTRY && self.recent.len() > 1 {
            self.recent_bytes -= self.recent.pop_front().map_or(0, |entry| entry.len());
        }
        entry
    }

    /// Takes note of an entry. None if it does not count: its server is gone, or it was read
    /// before.
    pub fn admit(&mut self, id: EntryId, header: &str, first: &str) -> Option<Admitted> {
        let (server, number) = header.split_once(' ')?;
        let server = ServerId::from_str_radix(server, 16).ok()?;
        let number: u64 = number.parse().ok()?;
        if let Some(departed) = self.gone.iter_mut().find(|it| it.id == server) {
            let beats = u32::from(first.starts_with("B "));
            departed.beats += beats;
            departed.unsaid += beats;
            if departed.unsaid >= MISSED && self.attached {
                // It does not know, because the log has lost that, or was another one.
                departed.unsaid = 0;
                self.propose(&Line::Gone(server));
            }
            return None;
        }
        let known = self.servers.contains_key(&server);
        if !known && self.servers.len() >= MAX_SERVERS {
            return None;
        }
        let me = self.me;
        let record = self.servers.entry(server).or_default();
        (record.seen, record.missed) = (record.seen.max(id.0), 0);
        record.awaited = true;
        if let Ok(Line::Beat { beat, .. }) = Line::parse(first) {
            let hole = number > record.last && server != me;
            let new = beat > record.beat;
            self.beat_out &= server != me;
            record.beat = record.beat.max(beat);
            if hole {
                record.last = number;
                self.ask_for_lost(server);
            }
            let current = new && !hole && self.servers[&server].last == number;
            return current.then_some(Admitted { server, proposals: None });
        }
        if number <= record.last {
            return None;
        }
        if server == me {
            // Nothing else can come from here.
            let flight = self.flight.take_if(|flight| flight.number == number)?;
            record.last = number;
            return Some(Admitted { server, proposals: Some(flight.proposals) });
        }
        let hole = record.last > 0 && number > record.last + 1;
        record.last = number;
        if hole {
            record.parts = None;
            self.ask_for_lost(server);
        }
        Some(Admitted { server, proposals: None })
    }

    /// Some batches of a server were never read.
    fn ask_for_lost(&mut self, server: ServerId) {
        if self.attached {
            self.ask(server);
        }
    }

    /// The first own entry came back. Before this everything was long ago, and servers that
    /// have not shown themselves of late are not waited for.
    pub fn attach(&mut self, millis: u64) {
        self.attached = true;
        for server in self.servers.values_mut() {
            server.missed = 0;
            // The numbers are kept, because its batches may come again.
            server.awaited = server.seen + LATELY >= millis;
        }
    }

    /// An own beat has come back. Returns the servers that were not seen for long.
    pub fn count_missed(&mut self) -> Vec<ServerId> {
        let me = self.me;
        let mut silent = Vec::new();
        for (&id, server) in self.servers.iter_mut().filter(|(id, _)| **id != me) {
            server.missed += 1;
            if server.missed >= MISSED {
                server.missed = 0; // It is proposed again, if need be.
                silent.push(id);
            }
        }
        silent
    }

    /// Compares a beat of another server with what is known of it.
    pub fn check_beat(&mut self, server: ServerId, count: u32, sum: u64) {
        let known = self.servers.get(&server).is_some_and(|server| server.known);
        if !known || self.census.sum(server) != (count, sum) {
            self.ask(server);
        }
    }

    /// Adds a part of a list to those before. Returns all members when it was the last part,
    /// and whether the server was unknown until now.
    pub fn add_part(&mut self, server: ServerId, list: List) -> Option<(Vec<Listed>, bool)> {
        let record = self.servers.get_mut(&server)?;
        let (part, parts) = list.part;
        let mut members = match part {
            1 => Vec::new(),
            _ => record.parts.take()?,
        };
        if members.len() + list.members.len() > MAX_MEMBERS {
            return None;
        }
        members.extend(list.members);
        if part < parts {
            record.parts = Some(members);
            return None;
        }
        self.asks.remove(&server);
        let new = !mem::replace(&mut record.known, true);
        Some((members, new))
    }

    /// Whether all other servers are known, so that clients may register.
    pub fn knows_all(&self) -> bool {
        self.attached && self.servers.values().all(|server| server.known || !server.awaited)
    }

    /// A server is gone, with its members. None if that is known.
    pub fn remove_server(&mut self, server: ServerId) -> Option<Vec<Holder>> {
        if self.is_gone(server) {
            return None;
        }
        let last = self.servers.remove(&server).map_or(0, |server| server.last);
        self.gone.push_back(Departed { id: server, last, beats: 0, unsaid: 0 });
        if self.gone.len() > MAX_GONE {
            self.gone.pop_front();
        }
        self.asks.remove(&server);
        Some(self.census.remove_all_of(server))
    }

    /// Whether a server is gone.
    pub fn is_gone(&self, server: ServerId) -> bool {
        self.gone.iter().any(|departed| departed.id == server)
    }

    /// Whether a server is gone, and goes on as if it was not.
    pub fn goes_on(&self, server: ServerId) -> bool {
        self.gone.iter().any(|it| it.id == server && it.beats >= MISSED)
    }

    /// A server that is gone here has taken this one for gone, so there were two orders. All
    /// servers are heard again.
    pub fn revive_all(&mut self) {
        for Departed { id, last, .. } in self.gone.drain(..) {
            self.servers.insert(id, Server { last, ..Server::default() });
        }
    }

    /// This server was taken for gone. Under a new number it says again who is here, and then
    /// everything that was under way.
    pub fn be_reborn(&mut self, id: EntryId) {
        let old = format!("{:x} {}-{}", self.me, id.0, id.1);
        self.former = Some(self.me);
        self.me = census::hash(&old);
        (self.sent, self.beat, self.beat_out) = (0, 0, false);
        self.recent.clear();
        self.recent_bytes = 0;
        self.again.clear();
        self.parts.clear();
        self.list_due = true;
        for proposal in self.flight.take().into_iter().flat_map(|it| it.proposals).rev() {
            self.waiting.push_front(proposal);
        }
        // Members that have left were dropped with the others. A later one may have the nick.
        let bytes = &mut self.bytes;
        self.waiting.retain(|proposal| {
            let leaves = proposal.line.starts_with("L ");
            *bytes -= if leaves { proposal.length() } else { 0 };
            !leaves
        });
    }
}
