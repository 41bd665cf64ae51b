//! Received bytes, and how they become lines that the room hears.

// Where the system keeps what is local to a thread, clippy cannot see the `const`.
#![cfg_attr(windows, allow(clippy::missing_const_for_thread_local))]

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::room::{Heard, LineBucket, Sender, SessionId};
use crate::secure::handshake;
use crate::server::Limits;
use crate::server::delivery::{Pending, Sends};
use crate::server::door::Door;
use crate::server::hub::Hub;
use crate::server::reactor::{Reactor, Sleep, Stream};
use crate::wire::{
    ForeignWatch, LineBuffer, MAX_COMMAND, NO_TIMING_MARK, Offered, Refusal, Telnet, TooLong,
};

/// How many bytes are read at a time. All of them are one turn at the room.
const READ: usize = 64 << 10;
/// The same for a client with a line rate, in bytes. Lines that must wait are kept here.
const READ_THROTTLED: usize = 16 << 10;
/// The same for a guest, in bytes.
const READ_OF_GUEST: usize = MAX_COMMAND;
/// How many lines are heard in one turn. Thousands of short ones would delay the others.
const MAX_LINES: usize = 256;
/// The slot in which lines wait while a reader lags. All senders go on at the same moments,
/// so that their lines share a send.
const HOLD: Duration = Duration::from_millis(5);

thread_local! {
    // An idle connection owns no buffers. These are borrowed for one turn. Those of bytes are
    // on the heap, because the memory of thread-locals is part of every thread's stack.
    static INBOX: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
    static SENDS: RefCell<Sends> = RefCell::default();
}

/// The input of one client, line by line, at the rate that it is allowed.
pub struct Inbox<'a> {
    limits: &'a Limits,
    telnet: Telnet,
    lines: LineBuffer,
    /// The state that a client needs until it has a nick.
    guest: Option<Box<Guest<'a>>>,
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
    /// An earlier line of the client has to come back from the order of several servers first.
    held: bool,
    /// The client was heard after its output was last sent.
    heard: bool,
    /// Until when its next line waits.
    wait: Option<Sleep<'a>>,
    sender: Sender,
    /// How many bytes at the front of the backlog were already searched for another protocol.
    watched: usize,
    /// The readers that have yet to receive its lines.
    pending: Pending,
}

impl<'a> Inbox<'a> {
    /// The input of a client that comes now. With `fresh`, its first line may begin a channel.
    pub fn new(limits: &'a Limits, fresh: bool, now: Duration) -> Inbox<'a> {
        Inbox {
            limits,
            telnet: Telnet::default(),
            lines: LineBuffer::new(MAX_COMMAND),
            guest: Some(Box::new(Guest {
                foreign: ForeignWatch::default(),
                fresh,
                hello: None,
                door: None,
            })),
            backlog: Vec::new(),
            rate: LineBucket::new(limits.rate),
            closed: false,
            member: false,
            full: false,
            held: false,
            heard: false,
            wait: None,
            sender: Sender::new(now),
            watched: 0,
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

    /// Takes the line with which the client begins a channel.
    pub fn take_hello(&mut self) -> Option<Box<str>> {
        self.guest.as_mut()?.hello.take()
    }

    /// Puts a door before the room: the client's next line is its answer.
    pub fn put_door(&mut self, door: Door<'a>) {
        if let Some(guest) = &mut self.guest {
            guest.door = Some(door);
        }
    }

    /// The door before the room, while it is closed.
    pub fn door(&mut self) -> Option<&mut Door<'a>> {
        self.guest.as_mut()?.door.as_mut()
    }

    /// Takes the door away if the client has answered.
    pub fn take_answered_door(&mut self) -> Option<Door<'a>> {
        self.guest.as_mut()?.door.take_if(|door| door.is_answered())
    }

    /// Hears the client again, because nothing is unread. Whether that changes anything.
    pub fn reopen(&mut self, hub: &Hub, id: SessionId) -> bool {
        if self.held && !hub.lock().room.may_go_on(id) {
            return false; // It is woken when that changes.
        }
        self.full |= mem::take(&mut self.held);
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
        if self.closed || self.full || self.held {
            return Poll::Pending; // The client's next read changes that.
        }
        if self.door().is_some_and(|door| !door.is_asked()) {
            return Poll::Pending; // Nothing is an answer before the question.
        }
        if let Some(timer) = &mut self.wait {
            ready!(Pin::new(timer).poll(cx));
            self.wait = None;
        }
        if self.has_backlog() { Poll::Ready(()) } else { stream.poll_readable(cx) }
    }

    /// Whether something was received and not heard yet. The line buffer holds a line that
    /// came in pieces, and that the room did not take.
    fn has_backlog(&self) -> bool {
        !self.backlog.is_empty() || self.lines.holds_line()
    }

    /// Hears what is there. Returns whether it is so much that there must be more.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn receive(&mut self, hub: &Hub, id: SessionId, stream: &Stream<'a>) -> io::Result<bool> {
        self.heard = true;
        if self.has_backlog() {
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
        while heard < MAX_LINES {
            self.full = !access.room.accepts_input(id);
            self.wait = self.rate.wait(now).map(|time| reactor.sleep(time));
            if self.full || self.wait.is_some() {
                break;
            }
            if access.room.is_member(id) {
                self.guest = None;
            }
            let before = bytes;
            let offered = self.lines.peek(&mut bytes);
            if let Some(Guest { foreign, .. }) = self.guest.as_deref_mut() {
                let rest = offered.as_ref().map_or(0, |offered| offered.rest);
                let new = &before[mem::take(&mut self.watched)..before.len() - bytes.len() + rest];
                if foreign.detects(new) {
                    if let Some(Offered { line: Err(TooLong), .. }) = offered {
                        // Answered first, as for a line in pieces.
                        access.room.hear(id, Err(TooLong), now);
                    }
                    // Nothing behind it is obeyed: a web page may have written that.
                    access.room.refuse(id, Refusal::UnknownCommand);
                    self.closed = true;
                    bytes = &[];
                    break;
                }
            }
            let Some(Offered { line, rest }) = offered else { break };
            if let Some(door) = self.guest.as_mut().and_then(|guest| guest.door.as_mut())
                && line != Ok(b"")
                && !access.room.is_leaving(id)
            {
                door.take(line.unwrap_or_default());
                self.lines.advance();
                // The lines behind it are heard if the door opens.
                bytes = &bytes[rest..];
                break;
            }
            if let Some(guest) = self.guest.as_deref_mut().filter(|guest| guest.fresh)
                && line != Ok(b"")
                && !access.room.is_leaving(id)
            {
                guest.fresh = false;
                match First::of(line.unwrap_or_default(), self.limits) {
                    First::Clear => (),
                    First::Hello(hello) => {
                        // A client can make no record before it has the answer. Bytes that
                        // follow are not the client's, and the channel does not begin.
                        match bytes.len() > rest {
                            true => access.room.input_ended(id),
                            false => guest.hello = Some(hello),
                        }
                        self.closed = true;
                    }
                    First::Refused => {
                        access.room.refuse_clear(id);
                        self.closed = true;
                    }
                    First::Wrong => {
                        access.room.refuse(id, Refusal::BadHandshake);
                        self.closed = true;
                    }
                }
                if self.closed {
                    bytes = &[];
                    break;
                }
            }
            // In the worst of moments: the room is locked, and the buffers are borrowed.
            let panics = self.limits.panic_at.as_ref().is_some_and(|at| line == Ok(&**at));
            assert!(!panics, "the test wants that");
            match access.hear(id, line, &mut self.sender, now) {
                Heard::Done => (),
                Heard::Later => {
                    self.watched = rest;
                    let late = Duration::from_nanos((now.as_nanos() % HOLD.as_nanos()) as u64);
                    self.wait = Some(reactor.sleep(HOLD - late));
                    break;
                }
                Heard::Held => {
                    self.watched = rest;
                    self.held = true;
                    break;
                }
            }
            self.lines.advance();
            bytes = &bytes[rest..];
            self.rate.count(now);
            heard += 1;
        }
        self.member = access.room.is_member(id);
        self.pending = access.defer_wakeups(id);
        drop(access);
        self.backlog = bytes.to_vec();
        heard == MAX_LINES
    }
}

/// The state that a client needs until it has a nick.
struct Guest<'a> {
    /// Finds another protocol in what is no line yet.
    foreign: ForeignWatch,
    /// The next line is the first one in the clear, so it may begin a channel.
    fresh: bool,
    /// The line with which the client begins a channel.
    hello: Option<Box<str>>,
    /// The door of a closed room.
    door: Option<Door<'a>>,
}

/// The meaning of the first line of a client in the clear.
enum First {
    /// It is a line like any other.
    Clear,
    /// It may begin a channel.
    Hello(Box<str>),
    /// It should begin a channel, and cannot.
    Wrong,
    /// It is a line like any other, and those are not wanted.
    Refused,
}

impl First {
    fn of(line: &[u8], limits: &Limits) -> First {
        let word = line.split(|byte| matches!(byte, b' ' | b'\t')).next().unwrap_or_default();
        if limits.identity.is_some() && word.eq_ignore_ascii_case(handshake::WORD.as_bytes()) {
            return str::from_utf8(line).map_or(First::Wrong, |line| First::Hello(line.into()));
        }
        if limits.encrypted_only { First::Refused } else { First::Clear }
    }
}

/// Reads and drops what a client says after its end.
///
/// # Errors
/// If the connection is gone.
pub fn discard(stream: &Stream<'_>) -> io::Result<Option<usize>> {
    INBOX.with_borrow_mut(|inbox| stream.receive(inbox))
}
