//! Received bytes, and how they become lines that the room hears.

// Where the system keeps what is local to a thread, clippy cannot see the `const`.
#![cfg_attr(windows, allow(clippy::missing_const_for_thread_local))]

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use memchr::memchr;

use crate::room::SessionId;
use crate::server::Limits;
use crate::server::budget::{ByteBucket, LineBucket};
use crate::server::delivery::{Pending, Sends};
use crate::server::hub::Hub;
use crate::server::origin::Origin;
use crate::server::reactor::{Reactor, Sleep, Stream};
use crate::wire::{
    ForeignWatch, LineBuffer, MAX_COMMAND, NO_TIMING_MARK, Refusal, Telnet, TooLong,
};

/// How many bytes are read at a time. All of them are one turn at the room.
const READ: usize = 64 << 10;
/// The same for a client with a line rate, in bytes. Lines that must wait are kept here.
const READ_THROTTLED: usize = 16 << 10;
/// The same for a guest, in bytes.
const READ_OF_GUEST: usize = MAX_COMMAND;
/// How many lines are heard in one turn. Thousands of short ones would delay the others.
const MAX_LINES: usize = 256;
/// The bytes that an event has around its nick and text, beyond those of the command.
const EVENT_OVERHEAD: usize = 10;
/// The cost of a guest that joins and will leave, in bytes: two lines with the longest nick.
const JOIN_COST: usize = 300;
/// The slot in which lines wait while a reader lags. All senders go on at the same moments,
/// so that their lines share a send.
const HOLD: Duration = Duration::from_millis(5);

thread_local! {
    // An idle connection owns no buffers. These are borrowed for one turn.
    static INBOX: RefCell<[u8; READ]> = const { RefCell::new([0; READ]) };
    static SENDS: RefCell<Sends> = RefCell::default();
}

/// The input of one client, line by line, at the rate that it is allowed.
pub struct Inbox<'a> {
    limits: &'a Limits,
    /// Where the client comes from.
    origin: Option<Origin>,
    telnet: Telnet,
    lines: LineBuffer,
    /// Finds another protocol in what is no line yet, until the client has a nick.
    foreign: Option<Box<ForeignWatch>>,
    /// Bytes that were received and not heard yet: the client says too much at once, or has
    /// to read its answers first.
    backlog: Vec<u8>,
    rate: LineBucket,
    /// Nothing more will be heard.
    closed: bool,
    /// The client has a nick.
    member: bool,
    /// The client has to read its answers first.
    full: bool,
    /// The client was heard after its output was last sent.
    heard: bool,
    /// Until when its next line waits.
    wait: Option<Sleep<'a>>,
    /// What it may say while a reader lags.
    bytes: ByteBucket,
    /// The second in which it last talked.
    spoke: Option<u64>,
    /// The readers that have yet to receive its lines.
    pending: Pending,
}

impl<'a> Inbox<'a> {
    /// The input of a new client.
    pub fn new(origin: Option<Origin>, limits: &'a Limits) -> Inbox<'a> {
        Inbox {
            limits,
            origin,
            telnet: Telnet::default(),
            lines: LineBuffer::new(MAX_COMMAND),
            foreign: Some(Box::default()),
            backlog: Vec::new(),
            rate: LineBucket::new(limits.rate),
            closed: false,
            member: false,
            full: false,
            heard: false,
            wait: None,
            bytes: ByteBucket::new(Instant::now()),
            spoke: None,
            pending: Pending::default(),
        }
    }

    /// Whether a line waits for its time.
    pub fn waits(&self) -> bool {
        self.wait.is_some()
    }

    /// Whether the client was heard after its output was last sent.
    pub fn was_heard(&self) -> bool {
        self.heard
    }

    /// Whether the client has a nick.
    pub fn is_member(&self) -> bool {
        self.member
    }

    /// Hears the client again, because nothing is unread. Whether that changes anything.
    pub fn reopen(&mut self) -> bool {
        mem::take(&mut self.heard) | mem::take(&mut self.full)
    }

    /// Delivers to the others what the client said.
    pub fn deliver(&mut self, hub: &Hub) {
        if !self.pending.is_empty() {
            let pending = mem::take(&mut self.pending);
            SENDS.with_borrow_mut(|sends| hub.deliver(&pending, sends));
        }
    }

    /// Waits until there is something to hear, and it may be heard.
    pub fn poll_ready(&mut self, stream: &Stream<'_>, cx: &mut Context<'_>) -> Poll<()> {
        if self.closed || self.full {
            return Poll::Pending; // The client's next read changes that.
        }
        if let Some(timer) = &mut self.wait {
            ready!(Pin::new(timer).poll(cx));
            self.wait = None;
        }
        if self.backlog.is_empty() { stream.poll_readable(cx) } else { Poll::Ready(()) }
    }

    /// Hears what is there. Returns whether it is so much that there must be more.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn receive(&mut self, hub: &Hub, id: SessionId, stream: &Stream<'a>) -> io::Result<bool> {
        self.heard = true;
        if !self.backlog.is_empty() {
            let backlog = mem::take(&mut self.backlog);
            return Ok(self.hear(hub, id, stream.reactor(), &backlog));
        }
        let most = match () {
            () if !self.member => READ_OF_GUEST,
            () if self.rate.is_limited() => READ_THROTTLED,
            () => READ,
        };
        INBOX.with_borrow_mut(|inbox| {
            Ok(match stream.receive(&mut inbox[..most])? {
                Some(0) => {
                    self.closed = true;
                    hub.lock().room.input_ended(id);
                    false
                }
                Some(n) if self.telnet.is_text(&inbox[..n]) => {
                    self.hear(hub, id, stream.reactor(), &inbox[..n]) || n == most
                }
                Some(n) => {
                    let mut text = Vec::with_capacity(n);
                    let marks = self.telnet.strip(&inbox[..n], &mut text);
                    if marks > 0 {
                        let answers = NO_TIMING_MARK.repeat(marks);
                        hub.lock().room.send(id, &answers);
                    }
                    self.hear(hub, id, stream.reactor(), &text) || n == most
                }
                None => false,
            })
        })
    }

    /// Offers lines to the room, as many as the client may say now. Returns whether there
    /// are more, which come after those of others.
    fn hear(&mut self, hub: &Hub, id: SessionId, reactor: &'a Reactor, mut bytes: &[u8]) -> bool {
        let mut heard = 0;
        let mut access = hub.lock();
        let now = access.now;
        let moment = Instant::now();
        let (room, guests, talkers, mut newcomers) = access.for_input(self.origin);
        while heard < MAX_LINES {
            self.full = !room.accepts_input(id);
            self.wait = self.rate.wait(moment).map(|time| reactor.sleep_until(time));
            if self.full || self.wait.is_some() {
                break;
            }
            let nick = room.nick(id).map(|nick| nick.as_str().len());
            let bucket = if nick.is_some() { &mut self.bytes } else { &mut *guests };
            let cost = |length| match nick {
                Some(nick) => length + nick + EVENT_OVERHEAD,
                None => JOIN_COST, // Else a short nick would always be before a long one.
            };
            if !bucket.is_even(moment)
                && let Some(end) = memchr(b'\n', bytes)
                && bucket.is_spent(cost(self.lines.pending() + end), talkers.number(), moment)
                && (room.must_wait(now) || room.must_wait_for_reader(id, now))
            {
                let late = Duration::from_nanos((now.as_nanos() % HOLD.as_nanos()) as u64);
                self.wait = Some(reactor.sleep_until(moment + HOLD - late));
                break;
            }
            let before = bytes;
            let line = self.lines.next_line(&mut bytes);
            if nick.is_some() {
                self.foreign = None;
            } else if let Some(watch) = &mut self.foreign
                && watch.detects(&before[..before.len() - bytes.len()])
            {
                if line == Some(Err(TooLong)) {
                    room.hear(id, Err(TooLong), now); // Said first, as for a line in pieces.
                }
                // Nothing behind it is obeyed: a web page may have written that.
                room.refuse(id, Refusal::UnknownCommand);
                self.closed = true;
                bytes = &[];
                break;
            }
            let Some(line) = line else { break };
            // In the worst of moments: the room is locked, and the buffers are borrowed.
            let panics = self.limits.panic_at.as_ref().is_some_and(|at| line == Ok(&**at));
            assert!(!panics, "the test wants that");
            let (length, before) = (line.map_or(MAX_COMMAND, <[u8]>::len), room.spoken());
            newcomers.hear(room, id, line, now);
            let told = (room.spoken() - before) as usize;
            let said = if nick.is_some() { length.max(told) } else { 2 * told };
            bucket.spend(said, talkers.number(), moment);
            if nick.is_some() {
                talkers.count(&mut self.spoke, now.as_secs());
            }
            self.rate.count(moment);
            heard += 1;
        }
        self.member = room.is_member(id);
        self.pending = access.defer_wakeups(id);
        drop(access);
        self.backlog = bytes.to_vec();
        heard == MAX_LINES
    }
}

/// Reads what a client says that nobody hears any more.
///
/// # Errors
/// If the connection is gone.
pub fn discard(stream: &Stream<'_>) -> io::Result<Option<usize>> {
    INBOX.with_borrow_mut(|inbox| stream.receive(inbox))
}
