//! One client: its socket on one side, the room on the other.

use std::cell::RefCell;
use std::future::{self, poll_fn};
use std::io::{self, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use smol::future::{or, yield_now};
use smol::{Async, Timer};

use crate::room::SessionId;
use crate::server::Limits;
use crate::server::lobby::{Lobby, Sighting};
use crate::server::pace::Pace;
use crate::wire::{LineBuffer, MAX_COMMAND};

/// How much is read at a time, in bytes: all of it is one turn at the room.
const READ: usize = 16 << 10;
/// Who takes not one byte in this long, though something waits, is cut off.
const STALL: Duration = Duration::from_secs(10);
/// How long, and for how many bytes, a client that was told goodbye is read
/// from. Closing a socket with something unread in it would reset it, and the
/// goodbye might be lost on the way.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 << 10;

thread_local! {
    // An idle connection owns no buffers: these are borrowed for one turn.
    static INBOX: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
    static OUTBOX: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Serves one client from greeting to goodbye.
pub async fn serve(lobby: &Lobby, stream: Async<TcpStream>, address: SocketAddr, limits: Limits) {
    let stream = Arc::new(stream);
    let stay = Stay { lobby, id: lobby.enter(&stream, address) };
    let ended = converse(&stay, &stream, limits).await;
    drop(stay);
    match ended {
        Ok(()) => see_off(&stream).await,
        Err(err) if err.kind() == io::ErrorKind::TimedOut => {
            lobby.show(Sighting::Stalled(address, STALL))
        }
        // However it ends, it ends for this client alone.
        Err(_) => (),
    }
}

/// A session that is over when its connection is, even if that ends in a panic.
struct Stay<'a> {
    lobby: &'a Lobby,
    id: SessionId,
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        self.lobby.leave(self.id);
    }
}

/// What a connection does next.
enum Turn {
    /// The room has told the client something, of which this much was not sent.
    Speak(Vec<u8>),
    /// The client has something for the room.
    Listen,
    /// The client has not said who it is, and time is up.
    Expire,
    /// The room is done with the client.
    Part,
}

async fn converse(stay: &Stay<'_>, stream: &Async<TcpStream>, limits: Limits) -> io::Result<()> {
    let Stay { lobby, id } = *stay;
    let mut ear = Ear::new(limits.rate);
    let mut deadline = Some(Timer::after(limits.registration));
    loop {
        // The order is the flow control: a client hears everything it is owed
        // before it is listened to again, so nobody talks faster than they read.
        let turn = or(
            poll_fn(|cx| speak(lobby, id, stream, cx)),
            or(async { ear.ready(stream).await.map(|()| Turn::Listen) }, async {
                match &mut deadline {
                    Some(timer) => timer.await,
                    None => future::pending().await,
                };
                Ok(Turn::Expire)
            }),
        );
        match turn.await? {
            Turn::Speak(unsent) if unsent.is_empty() => (),
            Turn::Speak(unsent) => send(stream, &unsent).await?,
            Turn::Listen => {
                ear.listen(lobby, id, stream)?;
                if ear.member {
                    deadline = None;
                }
                // A client that is always readable must not keep the thread.
                yield_now().await;
            }
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
    stream: &Async<TcpStream>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Turn>> {
    OUTBOX.with_borrow_mut(|outbox| {
        outbox.clear();
        match lobby.poll_read(id, outbox, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(false) => Poll::Ready(Ok(Turn::Part)),
            Poll::Ready(true) => Poll::Ready(match stream.get_ref().write(outbox) {
                Ok(sent) => Ok(Turn::Speak(outbox[sent..].to_vec())),
                Err(err) if is_temporary(&err) => Ok(Turn::Speak(outbox.clone())),
                Err(err) => Err(err),
            }),
        }
    })
}

/// Sends what the kernel did not take at once.
async fn send(stream: &Async<TcpStream>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let late = async {
            Timer::after(STALL).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        or(stream.writable(), late).await?;
        match stream.get_ref().write(bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(err) if is_temporary(&err) => (),
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// Ends a connection after its last word, in a way that lets the word arrive.
async fn see_off(stream: &Async<TcpStream>) {
    if stream.get_ref().shutdown(Shutdown::Write).is_err() {
        return; // There is nobody to see off.
    }
    let drain = async {
        let mut drained = 0;
        while drained < LINGER_BYTES && stream.readable().await.is_ok() {
            match INBOX.with_borrow_mut(|inbox| stream.get_ref().read(inbox)) {
                Ok(0) => return,
                Ok(n) => drained += n,
                Err(err) if is_temporary(&err) => (),
                Err(_) => return,
            }
        }
    };
    let patience = async {
        Timer::after(LINGER).await;
    };
    or(drain, patience).await;
}

fn is_temporary(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// What a client says, line by line, at the pace that it is allowed.
struct Ear {
    lines: LineBuffer,
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
}

impl Ear {
    fn new(rate: u32) -> Ear {
        let lines = LineBuffer::new(MAX_COMMAND);
        let pace = Pace::new(rate);
        Ear { lines, backlog: Vec::new(), pace, deaf: false, member: false, patience: true }
    }

    /// Waits until there is something to listen to, and it may be listened to.
    async fn ready(&self, stream: &Async<TcpStream>) -> io::Result<()> {
        if self.deaf || !self.patience {
            // Whoever reads something gets the next turn.
            return future::pending().await;
        }
        if let Some(moment) = self.pace.wait(Instant::now()) {
            Timer::at(moment).await;
        }
        if self.backlog.is_empty() {
            stream.readable().await?;
        }
        Ok(())
    }

    /// Hears what is there.
    fn listen(
        &mut self,
        lobby: &Lobby,
        id: SessionId,
        stream: &Async<TcpStream>,
    ) -> io::Result<()> {
        if !self.backlog.is_empty() {
            let backlog = mem::take(&mut self.backlog);
            self.hear(lobby, id, &backlog);
            return Ok(());
        }
        INBOX.with_borrow_mut(|inbox| match stream.get_ref().read(inbox) {
            Ok(0) => {
                self.deaf = true;
                lobby.with(|room, _| room.hang_up(id));
                Ok(())
            }
            Ok(n) => {
                self.hear(lobby, id, &inbox[..n]);
                Ok(())
            }
            Err(err) if is_temporary(&err) => Ok(()),
            Err(err) => Err(err),
        })
    }

    /// Hears lines for as long as the pace and the room's patience allow.
    fn hear(&mut self, lobby: &Lobby, id: SessionId, mut bytes: &[u8]) {
        lobby.with(|room, now| {
            let moment = Instant::now();
            loop {
                self.patience = room.has_patience_with(id);
                if !self.patience || self.pace.wait(moment).is_some() {
                    break;
                }
                let Some(line) = self.lines.next_line(&mut bytes) else { break };
                room.hear(id, line, now);
                self.pace.count(moment);
            }
            self.member = room.is_member(id);
        });
        self.backlog = bytes.to_vec();
    }
}
