//! One client: its socket on one side, the room on the other.

// Where the system keeps what is local to a thread, clippy cannot see the `const`.
#![cfg_attr(windows, allow(clippy::missing_const_for_thread_local))]

use std::cell::RefCell;
use std::env;
use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use memchr::memchr;
use mio::net::TcpStream;
use smol::future::{FutureExt as _, or, yield_now};

use crate::room::{EvictReason, SessionId};
use crate::server::budget::{ByteBucket, LineBucket};
use crate::server::hub::{Batch, Deliveries, Hub, Pending, broken};
use crate::server::origin::Origin;
use crate::server::reactor::{Reactor, Sleep, Stream};
use crate::server::{Limits, STOP_TIMEOUT};
use crate::wire::{
    ForeignWatch, LineBuffer, MAX_COMMAND, NO_TIMING_MARK, Refusal, Telnet, TooLong,
};

/// How much is read at a time, in bytes: all of it is one turn at the room...
const READ: usize = 64 << 10;
/// ...but less where a pace is kept, since what has to wait is kept here...
const READ_THROTTLED: usize = 16 << 10;
/// ...and no more than a line of somebody who has yet to say who they are.
const READ_OF_GUEST: usize = MAX_COMMAND;
/// How many lines are heard at a time: thousands of short ones would keep the others
/// waiting.
const MAX_LINES: usize = 256;
/// Who takes not one byte in this long, though something waits, is cut off.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How often that is tried meanwhile. The kernel says that it takes more when a third of
/// what it holds has gone, which somebody slow needs a second for.
const RETRY: Duration = Duration::from_millis(200);
/// For how long one whose connection is broken is still listened to. What they said
/// before that counts; but then their nick is free.
const AFTER_BREAK: Duration = Duration::from_secs(30);
/// How many bytes there are around a text and a nick when they are told, beside those of
/// the command: at least so many.
const EVENT_OVERHEAD: usize = 10;
/// What it is worth that somebody comes, who will also leave: two lines with the longest
/// of nicks.
const JOIN_COST: usize = 300;
/// How long a line is held at a time while others are behind. All who are held go on at
/// the same moments, so that they are heard by one send.
const HOLD: Duration = Duration::from_millis(5);
/// How long a client that was told goodbye is read from. Closing a socket with something
/// unread in it would reset it, and the goodbye might be lost on the way.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

thread_local! {
    // An idle connection owns no buffers: these are borrowed for one turn.
    static INBOX: RefCell<[u8; READ]> = const { RefCell::new([0; READ]) };
    static BATCH: RefCell<Batch> = RefCell::default();
    static DELIVERIES: RefCell<Deliveries> = RefCell::default();
}

/// Serves one client from greeting to goodbye.
pub async fn serve(
    hub: &Hub,
    reactor: &Reactor,
    stream: TcpStream,
    address: SocketAddr,
    place: Option<Origin>,
    limits: Limits,
) {
    let Ok(stream) = reactor.watch(stream) else {
        return; // The system has no place for it, and will not be asked to wait for it.
    };
    let session = SessionGuard { hub, id: hub.enter(stream.transport(), address, place), place };
    let _connection = ConnectionGuard { hub, place }; // Until the end.
    // However it ends, it ends for this client alone.
    let ended = AssertUnwindSafe(converse(&session, &stream, limits)).catch_unwind().await;
    let reason = match &ended {
        Ok(Ok(())) => None,
        Ok(Err(err)) => broken(err),
        Err(_) => Some(EvictReason::Failed), // Why, the panic itself has said.
    };
    if let Some(reason) = reason {
        hub.with(|room, _| room.evict(session.id, reason));
    }
    drop(session);
    if matches!(ended, Ok(Ok(()))) {
        // When the server stops, that is for it to decide.
        let patience =
            if hub.with(|room, _| room.is_closed()) { STOP_TIMEOUT } else { CLOSE_TIMEOUT };
        or(see_off(&stream), reactor.sleep(patience)).await;
    }
    drop(stream); // Before its seat is free.
}

/// A session that is over when its connection is, even if that ends in a panic.
struct SessionGuard<'a> {
    hub: &'a Hub,
    id: SessionId,
    /// Where it comes from, if that is not this machine.
    place: Option<Origin>,
}

impl Drop for SessionGuard<'_> {
    fn drop(&mut self) {
        self.hub.leave(self.id);
    }
}

/// A place that is taken until the connection is closed, however that comes about.
struct ConnectionGuard<'a> {
    hub: &'a Hub,
    place: Option<Origin>,
}

impl Drop for ConnectionGuard<'_> {
    fn drop(&mut self) {
        self.hub.closed(self.place);
    }
}

/// What a connection does next.
enum Turn {
    /// The room has told the client something, and all of it was sent.
    Sent,
    /// Not all, but so many bytes: the kernel takes no more for now, and the room has
    /// the rest.
    Blocked(usize),
    /// The client is gone. What it has said may still be there.
    Broken,
    /// The client has something for the room.
    Receive,
    /// Time is up: for one who has not said who they are, or is gone.
    TimedOut,
    /// The room is done with the client.
    Done,
}

async fn converse(
    session: &SessionGuard<'_>,
    stream: &Stream<'_>,
    limits: Limits,
) -> io::Result<()> {
    let SessionGuard { hub, id, .. } = *session;
    let mut inbox = Inbox::new(session.place, limits.rate);
    let mut deadline = Some(stream.reactor().sleep(limits.registration));
    let (mut stuck, mut gone) = (None, false);
    loop {
        // The order is the flow control: between two times that a client is
        // listened to, it hears everything it is owed, so nobody talks faster
        // than they read. That it is listened to first lets all who talk at the
        // same time be heard by one send.
        let turn = poll_fn(|cx| {
            // Nobody puts it off by having something to say all the time.
            if let Some(timer) = &mut deadline
                && Pin::new(timer).poll(cx).is_ready()
            {
                return Poll::Ready(Ok(Turn::TimedOut));
            }
            // One who is told nothing would not be missed until all is heard.
            if !gone && inbox.wait.is_some() && stream.is_broken() {
                return Poll::Ready(Ok(Turn::Broken));
            }
            if !inbox.listened && inbox.poll_ready(stream, cx).is_ready() {
                return Poll::Ready(Ok(Turn::Receive));
            }
            if let Poll::Ready(turn) = speak(hub, id, stream, cx) {
                return Poll::Ready(turn);
            }
            // Nothing is owed.
            let refused = inbox.listened || !inbox.patience;
            (inbox.listened, inbox.patience) = (false, true);
            if refused && inbox.poll_ready(stream, cx).is_ready() {
                return Poll::Ready(Ok(Turn::Receive));
            }
            Poll::Pending
        });
        match turn.await? {
            Turn::Sent => stuck = None,
            Turn::Blocked(sent) => {
                if sent > 0 {
                    stuck = None;
                }
                if stuck.get_or_insert_with(Instant::now).elapsed() >= STALL_TIMEOUT {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                let writable = poll_fn(|cx| stream.poll_writable(cx));
                or(writable, stream.reactor().sleep(RETRY)).await;
            }
            Turn::Broken => {
                gone = true;
                hub.with(|room, _| room.discard_output(id));
                deadline = Some(stream.reactor().sleep(AFTER_BREAK));
            }
            Turn::Receive => {
                let more = inbox.listen(hub, id, stream)?;
                inbox.listened = true;
                if inbox.member && !gone {
                    deadline = None;
                }
                // A client that is always readable must not keep the thread, and
                // others who are ready to talk come before what this one hears.
                match more {
                    true => stream.reactor().yield_to_io().await,
                    false => yield_now().await,
                }
                inbox.spread(hub);
            }
            Turn::TimedOut if gone => return Ok(()),
            Turn::TimedOut => {
                deadline = None;
                hub.with(|room, _| room.time_out(id));
            }
            Turn::Done => return Ok(()),
        }
    }
}

/// Sends what the room has for the client, as far as the kernel takes it at once.
fn speak(
    hub: &Hub,
    id: SessionId,
    stream: &Stream<'_>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Turn>> {
    BATCH.with_borrow_mut(|batch| match hub.poll_read(id, batch, cx) {
        Poll::Pending => Poll::Pending,
        Poll::Ready(false) => Poll::Ready(Ok(Turn::Done)),
        Poll::Ready(true) => Poll::Ready(match stream.send(&batch.bytes) {
            Ok(Some(sent)) if sent == batch.bytes.len() => Ok(Turn::Sent),
            Ok(sent) => {
                let sent = sent.unwrap_or(0);
                hub.return_unsent(id, batch, sent);
                Ok(Turn::Blocked(sent))
            }
            Err(err) if broken(&err).is_none() => Ok(Turn::Broken),
            Err(err) => Err(err),
        }),
    })
}

/// Ends a connection after its last word, in a way that lets the word arrive.
async fn see_off(stream: &Stream<'_>) {
    if stream.finish().await.is_err() {
        return; // The client is gone.
    }
    loop {
        poll_fn(|cx| stream.poll_readable(cx)).await;
        match INBOX.with_borrow_mut(|inbox| stream.receive(inbox)) {
            Ok(Some(0)) | Err(_) => return,
            Ok(_) => stream.reactor().yield_to_io().await, // They may have much to say.
        }
    }
}

/// What a client says, line by line, at the pace that it is allowed.
struct Inbox<'a> {
    /// Where the client comes from.
    place: Option<Origin>,
    telnet: Telnet,
    lines: LineBuffer,
    /// Finds another protocol in what is no line yet, until the client has a nick.
    foreign: Option<Box<ForeignWatch>>,
    /// What was received but not listened to yet, because the client says too
    /// much at once or has to read its answers first.
    backlog: Vec<u8>,
    pace: LineBucket,
    /// The client has said its last word.
    closed: bool,
    /// The room knows the client by a nick.
    member: bool,
    /// The client may say something before it reads its answers.
    patience: bool,
    /// The client was listened to after it was last told something.
    listened: bool,
    /// Until when its next line has to wait.
    wait: Option<Sleep<'a>>,
    /// What it may still say while others are behind.
    share: ByteBucket,
    /// In which second it last talked.
    spoke: Option<u64>,
    /// Whether the others have yet to hear that.
    pending: Pending,
}

impl<'a> Inbox<'a> {
    fn new(place: Option<Origin>, rate: u32) -> Inbox<'a> {
        Inbox {
            place,
            telnet: Telnet::default(),
            lines: LineBuffer::new(MAX_COMMAND),
            foreign: Some(Box::default()),
            backlog: Vec::new(),
            pace: LineBucket::new(rate),
            closed: false,
            member: false,
            patience: true,
            listened: false,
            wait: None,
            share: ByteBucket::new(Instant::now()),
            spoke: None,
            pending: Pending::default(),
        }
    }

    /// Tells the others what was said.
    fn spread(&mut self, hub: &Hub) {
        if !self.pending.is_empty() {
            let pending = mem::take(&mut self.pending);
            DELIVERIES.with_borrow_mut(|deliveries| hub.tell(pending, deliveries));
        }
    }

    /// Waits until there is something to listen to, and it may be listened to.
    fn poll_ready(&mut self, stream: &Stream<'_>, cx: &mut Context<'_>) -> Poll<()> {
        if self.closed || !self.patience {
            // Once it has read something, it gets the next turn.
            return Poll::Pending;
        }
        if let Some(timer) = &mut self.wait {
            ready!(Pin::new(timer).poll(cx));
            self.wait = None;
        }
        if self.backlog.is_empty() { stream.poll_readable(cx) } else { Poll::Ready(()) }
    }

    /// Hears what is there. Whether that is so much that there must be more.
    fn listen(&mut self, hub: &Hub, id: SessionId, stream: &Stream<'a>) -> io::Result<bool> {
        if !self.backlog.is_empty() {
            let backlog = mem::take(&mut self.backlog);
            return Ok(self.hear(hub, id, stream.reactor(), &backlog));
        }
        let most = match () {
            () if !self.member => READ_OF_GUEST,
            () if self.pace.is_kept() => READ_THROTTLED,
            () => READ,
        };
        INBOX.with_borrow_mut(|inbox| {
            Ok(match stream.receive(&mut inbox[..most])? {
                Some(0) => {
                    self.closed = true;
                    hub.with(|room, _| room.input_ended(id));
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
                        hub.with(|room, _| room.send(id, &answers));
                    }
                    self.hear(hub, id, stream.reactor(), &text) || n == most
                }
                None => false,
            })
        })
    }

    /// Hears lines for as long as the pace and the room's patience allow. Whether there
    /// are more, whose turn comes after that of others.
    fn hear(&mut self, hub: &Hub, id: SessionId, reactor: &'a Reactor, mut bytes: &[u8]) -> bool {
        let mut heard = 0;
        let ((), pending) = hub.with_quietly(id, |state, now| {
            let (room, door, talkers) = state.doorway(self.place);
            let moment = Instant::now();
            while heard < MAX_LINES {
                self.patience = room.accepts_input(id);
                self.wait = self.pace.wait(moment).map(|time| reactor.sleep_until(time));
                if !self.patience || self.wait.is_some() {
                    break;
                }
                let nick = room.nick(id).map(|nick| nick.as_str().len());
                let share = if nick.is_some() { &mut self.share } else { &mut *door };
                let worth = |length| match nick {
                    Some(nick) => length + nick + EVENT_OVERHEAD,
                    None => JOIN_COST, // Else a short nick would always be before a long one.
                };
                if !share.is_even(moment)
                    && let Some(end) = memchr(b'\n', bytes)
                    && share.is_spent(worth(self.lines.pending() + end), talkers.number(), moment)
                    && (room.must_wait(now) || room.must_wait_for_reader(id, now))
                {
                    // Somebody who does read would be lapped: they are waited for.
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
                if cfg!(debug_assertions) && is_dreaded(line) {
                    panic!("as the test wants");
                }
                let (length, before) = (line.map_or(MAX_COMMAND, <[u8]>::len), room.spoken());
                room.hear(id, line, now);
                let told = (room.spoken() - before) as usize;
                let said = if nick.is_some() { length.max(told) } else { 2 * told };
                share.spend(said, talkers.number(), moment);
                if nick.is_some() {
                    talkers.count(&mut self.spoke, now.as_secs());
                }
                self.pace.count(moment);
                heard += 1;
            }
            self.member = room.is_member(id);
        });
        self.pending = pending;
        self.backlog = bytes.to_vec();
        heard == MAX_LINES
    }
}

/// Whether a test wants this line to be one too much, in the worst of moments: with
/// the room locked and the buffers taken. A release has no such line.
fn is_dreaded(line: Result<&[u8], TooLong>) -> bool {
    let dreaded = env::var_os("MINICHAT_PANIC");
    dreaded.is_some_and(|dreaded| line == Ok(dreaded.as_encoded_bytes()))
}
