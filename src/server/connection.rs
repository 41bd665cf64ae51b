//! One client's loop: its socket on one side, the room on the other.

// Where the system keeps what is local to a thread, clippy cannot see the `const`.
#![cfg_attr(windows, allow(clippy::missing_const_for_thread_local))]

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use smol::future::{FutureExt as _, or, yield_now};

use crate::room::{EvictReason, SessionId};
use crate::secure::{self, Channel};
use crate::server::delivery::{Batch, broken};
use crate::server::door::Door;
use crate::server::hub::{ConnectionGuard, Hub};
use crate::server::inbox::{self, Inbox};
use crate::server::reactor::Stream;
use crate::server::{Limits, STOP_TIMEOUT};
use crate::wire::Refusal;

/// How long a connection may accept no byte, though some wait for it. Then the session is
/// evicted.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a send is tried meanwhile. The kernel reports space when a third of its buffer
/// is free, which takes a slow client a second.
const RETRY: Duration = Duration::from_millis(200);
/// How long lines that arrived before a connection broke are still processed. Then the nick
/// is free.
const AFTER_BREAK: Duration = Duration::from_secs(30);
/// How long the server reads from a client after its last line. To close a socket with
/// unread input would reset it, and the last line might be lost.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

thread_local! {
    // An idle connection owns no buffer. This one is borrowed for one turn.
    static BATCH: RefCell<Batch> = RefCell::default();
}

/// Serves one client from greeting to goodbye, and then drops `present`.
///
/// A block that is `async`, because a function keeps each of its arguments twice.
#[expect(clippy::manual_async_fn)]
pub fn serve<'a>(
    connection: ConnectionGuard<'a>,
    mut stream: Stream<'a>,
    limits: &'a Limits,
    present: impl Send + 'a,
) -> impl Future<Output = ()> + Send + 'a {
    async move {
        let deadline = Instant::now() + limits.registration;
        let client = Client { connection: &connection, limits, deadline };
        let polite = loop {
            let unproven = limits.password.is_some() && stream.transport().is_encrypted();
            let session = connection.hub.enter(&connection, stream.transport(), unproven);
            // However it ends, it ends for this client alone. (A future in a variable of its
            // own would take its memory twice.)
            let ended = AssertUnwindSafe(async {
                match converse(&client, session.id, &stream).await? {
                    None => Ok(None),
                    // In a box, so that a member does not carry the state of a handshake along.
                    Some(line) => {
                        Box::pin(begin_channel(&client, session.id, &stream, &line)).await
                    }
                }
            })
            .catch_unwind()
            .await;
            let reason = match &ended {
                Ok(Ok(_)) => None,
                Ok(Err(err)) => broken(err),
                Err(_) => Some(EvictReason::Failed), // The panic itself has said why.
            };
            if let Some(reason) = reason {
                connection.hub.lock().room.evict(session.id, reason);
            }
            drop(session);
            match ended {
                // The conversation begins anew in the channel.
                Ok(Ok(Some(channel))) => stream = Box::pin(stream.secured(*channel)).await,
                Ok(Ok(None)) => break true,
                Ok(Err(_)) | Err(_) => break false,
            }
        };
        if polite {
            // When the server stops, the server decides how long.
            let closed = connection.hub.lock().room.is_closed();
            let timeout = if closed { STOP_TIMEOUT } else { CLOSE_TIMEOUT };
            or(close(&stream), stream.reactor().sleep(timeout)).await;
        }
        // It is counted until its socket is closed.
        drop(stream);
        drop(connection);
        drop(present);
    }
}

/// The facts that the loop of a client needs.
struct Client<'a, 'b> {
    connection: &'b ConnectionGuard<'a>,
    limits: &'a Limits,
    /// Until when the client needs a nick.
    deadline: Instant,
}

/// Answers the line with which a client begins a channel, when it is its turn. The session
/// in the clear is over with that, and all of it is sent.
async fn begin_channel(
    client: &Client<'_, '_>,
    id: SessionId,
    stream: &Stream<'_>,
    line: &str,
) -> io::Result<Option<Box<Channel>>> {
    let late = async {
        stream.reactor().sleep_until(client.deadline).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    or(answer(client, id, stream, line), late).await
}

/// The same without a deadline.
async fn answer(
    client: &Client<'_, '_>,
    id: SessionId,
    stream: &Stream<'_>,
    line: &str,
) -> io::Result<Option<Box<Channel>>> {
    let (hub, limits) = (client.connection.hub, client.limits);
    let wait = {
        let mut access = hub.lock();
        let now = access.now;
        access.handshakes.count(client.connection.origin, now)
    };
    stream.reactor().sleep(wait).await;
    // A handshake takes as long as thousands of lines. Those are heard first.
    stream.reactor().yield_to_io().await;
    let identity = limits.identity.as_ref();
    let channel = match identity.map(|identity| secure::answer(line, identity)) {
        Some(Ok((answer, channel))) => {
            hub.lock().room.hand_over(id, (answer + "\n").as_bytes());
            Some(Box::new(channel))
        }
        Some(Err(_)) | None => {
            hub.lock().room.refuse(id, Refusal::BadHandshake);
            None
        }
    };
    // Nothing is read meanwhile: what comes next belongs to the channel.
    loop {
        match poll_fn(|cx| send(hub, id, stream, cx)).await? {
            Turn::Done => return Ok(channel),
            Turn::Blocked(_) => {
                let writable = poll_fn(|cx| stream.poll_writable(cx));
                or(writable, stream.reactor().sleep(RETRY)).await;
            }
            Turn::Broken => return Ok(None),
            _ => (),
        }
    }
}

/// The next turn of a connection.
enum Turn {
    /// All unread bytes were sent.
    Sent,
    /// The kernel takes no more for now than so many bytes. The room has the rest.
    Blocked(usize),
    /// The client is gone. Lines of it may still be there.
    Broken,
    /// It is the client's turn to be asked for the password.
    Ask,
    /// The client has sent something.
    Receive,
    /// The deadline has come: for a client without a nick, or one that is gone.
    TimedOut,
    /// The session is over, and all was sent.
    Done,
}

// A value that is moved into a task takes its memory twice, so the inbox begins here. Returns the
// line with which the client wants to begin a channel, if it does.
async fn converse<'a>(
    client: &Client<'a, '_>,
    id: SessionId,
    stream: &Stream<'a>,
) -> io::Result<Option<Box<str>>> {
    let hub = client.connection.hub;
    let fresh = stream.transport().is_plain();
    let mut inbox = Inbox::new(client.limits, fresh, hub.lock().now);
    close_door(client, id, stream, &mut inbox);
    let mut deadline = Some(stream.reactor().sleep_until(client.deadline));
    let (mut blocked, mut broken) = (None, false);
    loop {
        // The order is the flow control. Between two reads of its input a client is sent
        // everything that is unread, so no client talks faster than it reads. Input comes
        // first, so that one send serves all clients that talk at the same time.
        let turn = poll_fn(|cx| {
            // A client that always has something to say cannot put this off.
            if let Some(timer) = &mut deadline
                && Pin::new(timer).poll(cx).is_ready()
            {
                return Poll::Ready(Ok(Turn::TimedOut));
            }
            if let Some(door) = inbox.door()
                && door.poll_turn(cx).is_ready()
            {
                return Poll::Ready(Ok(Turn::Ask));
            }
            // A client that is sent nothing would not be missed until all is heard.
            if !broken && inbox.waits() && stream.is_broken() {
                return Poll::Ready(Ok(Turn::Broken));
            }
            if !inbox.was_heard() && inbox.poll_ready(stream, cx).is_ready() {
                return Poll::Ready(Ok(Turn::Receive));
            }
            if let Poll::Ready(turn) = send(hub, id, stream, cx) {
                return Poll::Ready(turn);
            }
            // Nothing is unread.
            if inbox.reopen(hub, id) && inbox.poll_ready(stream, cx).is_ready() {
                return Poll::Ready(Ok(Turn::Receive));
            }
            Poll::Pending
        });
        match turn.await? {
            Turn::Sent => blocked = None,
            Turn::Blocked(sent) => {
                if sent > 0 {
                    blocked = None;
                }
                if blocked.get_or_insert_with(Instant::now).elapsed() >= STALL_TIMEOUT {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                let writable = poll_fn(|cx| stream.poll_writable(cx));
                or(writable, stream.reactor().sleep(RETRY)).await;
            }
            Turn::Broken => {
                broken = true;
                hub.lock().room.discard_output(id);
                deadline = Some(stream.reactor().sleep(AFTER_BREAK));
            }
            Turn::Ask => {
                if let Some(line) = inbox.door().map(Door::ask) {
                    hub.lock().room.send(id, (line + "\n").as_bytes());
                }
            }
            Turn::Receive => {
                let more = inbox.receive(hub, id, stream)?;
                if let Some(line) = inbox.take_hello() {
                    return Ok(Some(line));
                }
                if let Some(door) = inbox.take_answered_door() {
                    open_door(door, hub, id);
                }
                if inbox.is_member() && !broken {
                    deadline = None;
                }
                // A client that is always readable must not keep the thread, and others
                // that are ready to talk come before the delivery.
                match more {
                    true => stream.reactor().yield_to_io().await,
                    false => yield_now().await,
                }
                inbox.deliver(hub);
            }
            Turn::TimedOut if broken => return Ok(None),
            Turn::TimedOut => {
                deadline = None;
                hub.lock().room.time_out(id);
            }
            Turn::Done => return Ok(None),
        }
    }
}

/// Puts a door before the newcomer if the room has a password. A newcomer in the clear is
/// refused otherwise.
fn close_door<'a>(
    client: &Client<'a, '_>,
    id: SessionId,
    stream: &Stream<'a>,
    inbox: &mut Inbox<'a>,
) {
    let hub = client.connection.hub;
    let password = client.limits.password.as_ref().zip(stream.transport().binding());
    let Some((password, binding)) = password else { return };
    if hub.lock().room.is_leaving(id) {
        return; // It is told why already.
    }
    match Door::close(client.connection, stream, password, binding) {
        Some(door) => inbox.put_door(door),
        None => hub.lock().room.refuse(id, Refusal::TooManyGuesses),
    }
}

/// Lets a newcomer in that has answered rightly. The work is done while nothing is locked.
fn open_door(mut door: Door<'_>, hub: &Hub, id: SessionId) {
    let proof = door.judge();
    drop(door);
    let mut access = hub.lock();
    match proof {
        _ if access.room.is_leaving(id) => (),
        Some(line) => {
            access.room.send(id, (line + "\n").as_bytes());
            access.room.greet(id);
        }
        None => access.room.refuse(id, Refusal::WrongPassword),
    }
}

/// Sends the session's unread bytes, as far as the kernel takes them at once.
fn send(
    hub: &Hub,
    id: SessionId,
    stream: &Stream<'_>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Turn>> {
    BATCH.with_borrow_mut(|batch| match hub.poll_read(id, batch, cx) {
        Poll::Pending => Poll::Pending,
        Poll::Ready(false) => Poll::Ready(Ok(Turn::Done)),
        Poll::Ready(true) => Poll::Ready(match stream.send(batch.last()) {
            Ok(Some(sent)) if sent == batch.last().len() => Ok(Turn::Sent),
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

/// Ends a connection after its last line, in a way that lets the line arrive.
async fn close(stream: &Stream<'_>) {
    if stream.finish().await.is_err() {
        return; // The client is gone.
    }
    loop {
        poll_fn(|cx| stream.poll_readable(cx)).await;
        match inbox::discard(stream) {
            Ok(Some(0)) | Err(_) => return,
            Ok(_) => stream.reactor().yield_to_io().await, // There may be much of it.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::hub::tests::TestHub;
    use crate::server::reactor::Reactor;

    #[test]
    fn task_of_a_connection_takes_little_memory() {
        let server = TestHub::open(usize::MAX);
        let reactor = Reactor::new().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = reactor.watch(mio::net::TcpStream::from_std(socket)).unwrap();
        let limits = Limits::default();
        let connection = server.hub.admit("127.0.0.1:50412".parse().unwrap(), None);
        let size = size_of_val(&serve(connection, stream, &limits, [0_u64; 2]));
        assert!(size <= 672, "it takes {size} bytes");
    }
}
