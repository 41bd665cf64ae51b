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

use crate::room::{Reason, SessionId};
use crate::server::lobby::{Lobby, Outbox, Round, Untold, broken};
use crate::server::pace::{Pace, Share};
use crate::server::places::Place;
use crate::server::reactor::{Reactor, Sleep, Stream};
use crate::server::{FAREWELL, Limits};
use crate::wire::{
    ForeignWatch, LineBuffer, MAX_COMMAND, NO_TIMING_MARK, Refusal, Telnet, TooLong,
};

/// How much is read at a time, in bytes: all of it is one turn at the room...
const READ: usize = 64 << 10;
/// ...but less where a pace is kept, since what has to wait is kept here...
const READ_AT_A_PACE: usize = 16 << 10;
/// ...and no more than a line of somebody who has yet to say who they are.
const READ_OF_GUEST: usize = MAX_COMMAND;
/// How many lines are heard at a time: thousands of short ones would keep the others
/// waiting.
const LINES: usize = 256;
/// Who takes not one byte in this long, though something waits, is cut off.
const STALL: Duration = Duration::from_secs(10);
/// How often that is tried meanwhile. The kernel says that it takes more when a third of
/// what it holds has gone, which somebody slow needs a second for.
const TRY: Duration = Duration::from_millis(200);
/// For how long one whose connection is broken is still listened to. What they said
/// before that counts; but then their nick is free.
const LEGACY: Duration = Duration::from_secs(30);
/// How many bytes there are around a text and a nick when they are told, beside those of
/// the command: at least so many.
const FRAME: usize = 10;
/// What it is worth that somebody comes, who will also leave: two lines with the longest
/// of nicks.
const COMING: usize = 300;
/// How long a line is held at a time while others are behind. All who are held go on at
/// the same moments, so that they are heard by one send.
const HOLD: Duration = Duration::from_millis(5);
/// How long a client that was told goodbye is read from. Closing a socket with something
/// unread in it would reset it, and the goodbye might be lost on the way.
const LINGER: Duration = Duration::from_secs(1);

thread_local! {
    // An idle connection owns no buffers: these are borrowed for one turn.
    static INBOX: RefCell<[u8; READ]> = const { RefCell::new([0; READ]) };
    static OUTBOX: RefCell<Outbox> = RefCell::default();
    static ROUND: RefCell<Round> = RefCell::default();
}

/// Serves one client from greeting to goodbye.
pub async fn serve(
    lobby: &Lobby,
    reactor: &Reactor,
    stream: TcpStream,
    address: SocketAddr,
    place: Option<Place>,
    limits: Limits,
) {
    let Ok(stream) = reactor.watch(stream) else {
        return; // The system has no place for it, and will not be asked to wait for it.
    };
    let stay = Stay { lobby, id: lobby.enter(stream.transport(), address, place), place };
    let _seat = Seat { lobby, place }; // Until the end.
    // However it ends, it ends for this client alone.
    let ended = AssertUnwindSafe(converse(&stay, &stream, limits)).catch_unwind().await;
    let reason = match &ended {
        Ok(Ok(())) => None,
        Ok(Err(err)) => broken(err),
        Err(_) => Some(Reason::Failed), // Why, the panic itself has said.
    };
    if let Some(reason) = reason {
        lobby.with(|room, _| room.cut_off(stay.id, reason));
    }
    drop(stay);
    if matches!(ended, Ok(Ok(()))) {
        // When the server stops, that is for it to decide.
        let patience = if lobby.with(|room, _| room.is_closed()) { FAREWELL } else { LINGER };
        or(see_off(&stream), reactor.sleep(patience)).await;
    }
    drop(stream); // Before its seat is free.
}

/// A session that is over when its connection is, even if that ends in a panic.
struct Stay<'a> {
    lobby: &'a Lobby,
    id: SessionId,
    /// Where it comes from, if that is not this machine.
    place: Option<Place>,
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        self.lobby.leave(self.id);
    }
}

/// A place that is taken until the connection is closed, however that comes about.
struct Seat<'a> {
    lobby: &'a Lobby,
    place: Option<Place>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.lobby.closed(self.place);
    }
}

/// What a connection does next.
enum Turn {
    /// The room has told the client something, and all of it was sent.
    Speak,
    /// Not all, but so many bytes: the kernel takes no more for now, and the room has
    /// the rest.
    Wait(usize),
    /// The client is gone. What it has said may still be there.
    Mourn,
    /// The client has something for the room.
    Listen,
    /// Time is up: for one who has not said who they are, or is gone.
    Expire,
    /// The room is done with the client.
    Part,
}

async fn converse(stay: &Stay<'_>, stream: &Stream<'_>, limits: Limits) -> io::Result<()> {
    let Stay { lobby, id, .. } = *stay;
    let mut ear = Ear::new(stay.place, limits.rate);
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
                return Poll::Ready(Ok(Turn::Expire));
            }
            // One who is told nothing would not be missed until all is heard.
            if !gone && ear.wait.is_some() && stream.is_broken() {
                return Poll::Ready(Ok(Turn::Mourn));
            }
            if !ear.listened && ear.poll_ready(stream, cx).is_ready() {
                return Poll::Ready(Ok(Turn::Listen));
            }
            if let Poll::Ready(turn) = speak(lobby, id, stream, cx) {
                return Poll::Ready(turn);
            }
            // Nothing is owed.
            let refused = ear.listened || !ear.patience;
            (ear.listened, ear.patience) = (false, true);
            if refused && ear.poll_ready(stream, cx).is_ready() {
                return Poll::Ready(Ok(Turn::Listen));
            }
            Poll::Pending
        });
        match turn.await? {
            Turn::Speak => stuck = None,
            Turn::Wait(sent) => {
                if sent > 0 {
                    stuck = None;
                }
                if stuck.get_or_insert_with(Instant::now).elapsed() >= STALL {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                let writable = poll_fn(|cx| stream.poll_writable(cx));
                or(writable, stream.reactor().sleep(TRY)).await;
            }
            Turn::Mourn => {
                gone = true;
                lobby.with(|room, _| room.tell_no_more(id));
                deadline = Some(stream.reactor().sleep(LEGACY));
            }
            Turn::Listen => {
                let more = ear.listen(lobby, id, stream)?;
                ear.listened = true;
                if ear.member && !gone {
                    deadline = None;
                }
                // A client that is always readable must not keep the thread, and
                // others who are ready to talk come before what this one hears.
                match more {
                    true => stream.reactor().yield_to_all().await,
                    false => yield_now().await,
                }
                ear.spread(lobby);
            }
            Turn::Expire if gone => return Ok(()),
            Turn::Expire => {
                deadline = None;
                lobby.with(|room, _| room.time_out(id));
            }
            Turn::Part => return Ok(()),
        }
    }
}

/// Sends what the room has for the client, as far as the kernel takes it at once.
fn speak(
    lobby: &Lobby,
    id: SessionId,
    stream: &Stream<'_>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Turn>> {
    OUTBOX.with_borrow_mut(|outbox| match lobby.poll_read(id, outbox, cx) {
        Poll::Pending => Poll::Pending,
        Poll::Ready(false) => Poll::Ready(Ok(Turn::Part)),
        Poll::Ready(true) => Poll::Ready(match stream.send(&outbox.bytes) {
            Ok(Some(sent)) if sent == outbox.bytes.len() => Ok(Turn::Speak),
            Ok(sent) => {
                let sent = sent.unwrap_or(0);
                lobby.take_back(id, outbox, sent);
                Ok(Turn::Wait(sent))
            }
            Err(err) if broken(&err).is_none() => Ok(Turn::Mourn),
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
            Ok(_) => stream.reactor().yield_to_all().await, // They may have much to say.
        }
    }
}

/// What a client says, line by line, at the pace that it is allowed.
struct Ear<'a> {
    /// Where the client comes from.
    place: Option<Place>,
    telnet: Telnet,
    lines: LineBuffer,
    /// Finds another protocol in what is no line yet, until the client has a nick.
    foreign: Option<Box<ForeignWatch>>,
    /// What was received but not listened to yet, because the client says too
    /// much at once or has to read its answers first.
    backlog: Vec<u8>,
    pace: Pace,
    /// The client has said its last word.
    deaf: bool,
    /// The room knows the client by a nick.
    member: bool,
    /// The client may say something before it reads its answers.
    patience: bool,
    /// The client was listened to after it was last told something.
    listened: bool,
    /// Until when its next line has to wait.
    wait: Option<Sleep<'a>>,
    /// What it may still say while others are behind.
    share: Share,
    /// In which second it last talked.
    spoke: Option<u64>,
    /// Whether the others have yet to hear that.
    untold: Untold,
}

impl<'a> Ear<'a> {
    fn new(place: Option<Place>, rate: u32) -> Ear<'a> {
        Ear {
            place,
            telnet: Telnet::default(),
            lines: LineBuffer::new(MAX_COMMAND),
            foreign: Some(Box::default()),
            backlog: Vec::new(),
            pace: Pace::new(rate),
            deaf: false,
            member: false,
            patience: true,
            listened: false,
            wait: None,
            share: Share::new(Instant::now()),
            spoke: None,
            untold: Untold::default(),
        }
    }

    /// Tells the others what was said.
    fn spread(&mut self, lobby: &Lobby) {
        if !self.untold.is_empty() {
            let untold = mem::take(&mut self.untold);
            ROUND.with_borrow_mut(|round| lobby.tell(untold, round));
        }
    }

    /// Waits until there is something to listen to, and it may be listened to.
    fn poll_ready(&mut self, stream: &Stream<'_>, cx: &mut Context<'_>) -> Poll<()> {
        if self.deaf || !self.patience {
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
    fn listen(&mut self, lobby: &Lobby, id: SessionId, stream: &Stream<'a>) -> io::Result<bool> {
        if !self.backlog.is_empty() {
            let backlog = mem::take(&mut self.backlog);
            return Ok(self.hear(lobby, id, stream.reactor(), &backlog));
        }
        let most = match () {
            () if !self.member => READ_OF_GUEST,
            () if self.pace.is_kept() => READ_AT_A_PACE,
            () => READ,
        };
        INBOX.with_borrow_mut(|inbox| {
            Ok(match stream.receive(&mut inbox[..most])? {
                Some(0) => {
                    self.deaf = true;
                    lobby.with(|room, _| room.hang_up(id));
                    false
                }
                Some(n) if self.telnet.is_text(&inbox[..n]) => {
                    self.hear(lobby, id, stream.reactor(), &inbox[..n]) || n == most
                }
                Some(n) => {
                    let mut text = Vec::with_capacity(n);
                    let marks = self.telnet.strip(&inbox[..n], &mut text);
                    if marks > 0 {
                        let answers = NO_TIMING_MARK.repeat(marks);
                        lobby.with(|room, _| room.send(id, &answers));
                    }
                    self.hear(lobby, id, stream.reactor(), &text) || n == most
                }
                None => false,
            })
        })
    }

    /// Hears lines for as long as the pace and the room's patience allow. Whether there
    /// are more, whose turn comes after that of others.
    fn hear(
        &mut self,
        lobby: &Lobby,
        id: SessionId,
        reactor: &'a Reactor,
        mut bytes: &[u8],
    ) -> bool {
        let mut heard = 0;
        let ((), untold) = lobby.with_quietly(id, |house, now| {
            let (room, door, talkers) = house.doorway(self.place);
            let moment = Instant::now();
            while heard < LINES {
                self.patience = room.has_patience_with(id);
                self.wait = self.pace.wait(moment).map(|time| reactor.sleep_until(time));
                if !self.patience || self.wait.is_some() {
                    break;
                }
                let nick = room.nick(id).map(|nick| nick.as_str().len());
                let share = if nick.is_some() { &mut self.share } else { &mut *door };
                let worth = |length| match nick {
                    Some(nick) => length + nick + FRAME,
                    None => COMING, // Else a short nick would always be before a long one.
                };
                if !share.is_even(moment)
                    && let Some(end) = memchr(b'\n', bytes)
                    && share.is_spent(worth(self.lines.pending() + end), talkers.number(), moment)
                    && (room.is_strained(now) || room.is_pressing(id, now))
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
                    self.deaf = true;
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
        self.untold = untold;
        self.backlog = bytes.to_vec();
        heard == LINES
    }
}

/// Whether a test wants this line to be one too much, in the worst of moments: with
/// the room locked and the buffers taken. A release has no such line.
fn is_dreaded(line: Result<&[u8], TooLong>) -> bool {
    let dreaded = env::var_os("MINICHAT_PANIC");
    dreaded.is_some_and(|dreaded| line == Ok(dreaded.as_encoded_bytes()))
}
