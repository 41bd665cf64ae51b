//! Which sockets are ready, and what time it is: what the connections wait for.
//!
//! Each worker is one thread with a [`Reactor`]. It runs the tasks of its own
//! connections until none can go on, then waits, in one call to the system, for
//! any of their sockets. A socket is made known to the system once, when it comes,
//! and not anew for each wait. So a message takes three system calls: to wait, to
//! read and to write. With the reactor that comes with the runtime it takes nine.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Registry, Token};
use slab::Slab;
use smol::Executor;

use crate::secure::Channel;
use crate::server::transport::Transport;

/// How many events are taken from the system at a time.
const EVENTS: usize = 1024;
/// The token of the reactor's own bell.
const BELL: Token = Token(usize::MAX);

/// The sockets and timers of one worker.
pub struct Reactor {
    poll: Mutex<mio::Poll>,
    registry: Registry,
    waiting: Mutex<Waiting>,
    bell: Arc<Bell>,
}

/// The tasks that wait, and for what.
#[derive(Default)]
struct Waiting {
    sockets: Slab<[Side; 2]>,
    /// By the time at which they ring, and a number that makes each one unique.
    timers: BTreeMap<(Instant, u64), Waker>,
    timers_so_far: u64,
    /// The tasks that let all others go first.
    polite: Vec<Waker>,
}

/// One direction of one socket.
#[derive(Default)]
struct Side {
    /// As far as is known, it can be read from or written to.
    ready: bool,
    /// Its end has come, or something urgent. A read stops there, though there may be
    /// more, and the system has said so already.
    marked: bool,
    waker: Option<Waker>,
}

const READ: usize = 0;
const WRITE: usize = 1;

/// Wakes a worker that waits for the system.
struct Bell {
    rung: AtomicBool,
    asleep: AtomicBool,
    waker: mio::Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A worker that is awake looks before it sleeps.
        if !self.rung.swap(true, Ordering::SeqCst) && self.asleep.load(Ordering::SeqCst) {
            self.waker.wake().expect("a descriptor of our own takes eight bytes");
        }
    }
}

impl Reactor {
    /// A reactor that knows no socket yet.
    ///
    /// # Errors
    /// If the system has no descriptors left.
    pub fn new() -> io::Result<Reactor> {
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = mio::Waker::new(&registry, BELL)?;
        let bell = Bell { rung: AtomicBool::new(false), asleep: AtomicBool::new(false), waker };
        let (poll, waiting) = (Mutex::new(poll), Mutex::default());
        Ok(Reactor { poll, registry, waiting, bell: Arc::new(bell) })
    }

    /// Runs tasks on this thread, which becomes the worker, until `done`.
    pub fn run<T>(&self, executor: &Executor<'_>, done: impl Future<Output = T>) -> T {
        let mut poll = self.poll.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events = Events::with_capacity(EVENTS);
        let mut woken = Vec::new();
        let waker = Waker::from(self.bell.clone());
        let mut work = pin!(executor.run(done));
        loop {
            self.bell.rung.store(false, Ordering::SeqCst);
            if let Poll::Ready(result) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                return result;
            }
            self.bell.asleep.store(true, Ordering::SeqCst);
            let patience = match self.bell.rung.load(Ordering::SeqCst) {
                true => Some(Duration::ZERO),
                false => self.patience(),
            };
            let result = poll.poll(&mut events, patience);
            self.bell.asleep.store(false, Ordering::SeqCst);
            match result {
                Ok(()) => self.note(&events, &mut woken),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => (),
                Err(err) => panic!("the system does not tell which sockets are ready: {err}"),
            }
            // Not while the lock is held: to wake may be to drop, and that to forget.
            woken.drain(..).for_each(Waker::wake);
        }
    }

    /// Watches a connection from now on.
    ///
    /// # Errors
    /// If the system has no place for one more.
    pub fn watch(&self, socket: TcpStream) -> io::Result<Stream<'_>> {
        let mut transport = Transport::Plain(socket);
        let watch = Watch::new(self);
        let interest = Interest::READABLE | Interest::WRITABLE;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let interest = interest | Interest::PRIORITY;
        self.registry.register(transport.socket_mut(), Token(watch.key), interest)?;
        Ok(Stream { transport: Arc::new(transport), watch })
    }

    /// Watches for new connections.
    ///
    /// # Errors
    /// If the system has no place for one more.
    pub fn listen(&self, mut listener: TcpListener) -> io::Result<Listener<'_>> {
        let watch = Watch::new(self);
        self.registry.register(&mut listener, Token(watch.key), Interest::READABLE)?;
        Ok(Listener { socket: listener, watch })
    }

    /// Waits until a time.
    pub fn sleep_until(&self, time: Instant) -> Sleep<'_> {
        Sleep { reactor: self, time, number: None }
    }

    /// Waits for so long.
    pub fn sleep(&self, time: Duration) -> Sleep<'_> {
        self.sleep_until(Instant::now() + time)
    }

    /// Lets all other tasks go first that are ready by now, also those of which the system
    /// has yet to report. To yield to the others alone would put it off for 200 turns.
    pub async fn yield_to_io(&self) {
        let mut waits = true;
        poll_fn(|cx| {
            if mem::take(&mut waits) {
                self.waiting().polite.push(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Notes what has happened, and takes the wakers of the tasks that waited for it.
    fn note(&self, events: &Events, woken: &mut Vec<Waker>) {
        let mut waiting = self.waiting();
        for event in events {
            // None for the bell, and for a socket that is already forgotten. Its key may
            // be another one's by now, which will see for itself that it is not ready.
            let Some(sides) = waiting.sockets.get_mut(event.token().0) else { continue };
            let failed = event.is_error();
            for (side, ready, closed) in [
                (READ, event.is_readable(), event.is_read_closed() || event.is_priority()),
                (WRITE, event.is_writable(), event.is_write_closed()),
            ] {
                sides[side].marked |= closed || failed;
                if ready || closed || failed {
                    sides[side].ready = true;
                    woken.extend(sides[side].waker.take());
                }
            }
        }
        if !waiting.timers.is_empty() {
            let now = Instant::now();
            while let Some(first) = waiting.timers.first_entry()
                && first.key().0 <= now
            {
                woken.push(first.remove());
            }
        }
        woken.append(&mut waiting.polite);
    }

    /// How long the system may be waited for; for ever if there is no timer.
    fn patience(&self) -> Option<Duration> {
        let waiting = self.waiting();
        if !waiting.polite.is_empty() {
            return Some(Duration::ZERO);
        }
        let (time, _) = waiting.timers.first_key_value()?.0;
        Some(time.saturating_duration_since(Instant::now()))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of a reactor for one socket. It is forgotten with this; the system forgets
/// a socket by itself, when that is closed.
struct Watch<'a> {
    reactor: &'a Reactor,
    key: usize,
}

impl<'a> Watch<'a> {
    fn new(reactor: &'a Reactor) -> Watch<'a> {
        // Its readiness is told as soon as it is known to the system.
        let key = reactor.waiting().sockets.insert(Default::default());
        Watch { reactor, key }
    }

    fn poll(&self, side: usize, cx: &mut Context<'_>) -> Poll<()> {
        let side = &mut self.reactor.waiting().sockets[self.key][side];
        if side.ready {
            return Poll::Ready(());
        }
        match &mut side.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            waker => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Remembers that there is nothing to be had until the system says otherwise. That
    /// is certain if it was tried, and else likely.
    fn exhaust(&self, side: usize, certain: bool) {
        let side = &mut self.reactor.waiting().sockets[self.key][side];
        side.ready = side.marked && !certain;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let forgotten = self.reactor.waiting().sockets.remove(self.key);
        drop(forgotten);
    }
}

/// One connection.
pub struct Stream<'a> {
    transport: Arc<Transport>,
    watch: Watch<'a>,
}

impl<'a> Stream<'a> {
    /// Its transport, over which other tasks may send as well.
    pub fn transport(&self) -> &Arc<Transport> {
        &self.transport
    }

    /// Puts the frames of a WebSocket around the protocol from now on. No other task may
    /// share the transport yet.
    pub fn framed(self) -> Stream<'a> {
        let Stream { transport, watch } = self;
        let transport = Arc::into_inner(transport).expect("no other task shares it");
        Stream { transport: Arc::new(transport.framed()), watch }
    }

    /// Puts the records of an encrypted channel around the protocol from now on. The session
    /// in the clear must be over, so that no other task begins to send.
    pub async fn secured(self, channel: Channel) -> Stream<'a> {
        let Stream { mut transport, watch } = self;
        loop {
            match Arc::try_unwrap(transport) {
                Ok(transport) => {
                    return Stream { transport: Arc::new(transport.secured(channel)), watch };
                }
                Err(shared) => transport = shared, // Another task is about to drop it.
            }
            watch.reactor.yield_to_io().await;
        }
    }

    /// The reactor that watches it.
    pub fn reactor(&self) -> &'a Reactor {
        self.watch.reactor
    }

    /// Waits until there may be something to read.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.watch.poll(READ, cx)
    }

    /// Waits until something may be written.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.watch.poll(WRITE, cx)
    }

    /// Whether it is known that nothing can be written any more.
    pub fn is_broken(&self) -> bool {
        self.watch.reactor.waiting().sockets[self.watch.key][WRITE].marked
    }

    /// Receives protocol bytes. None if there are none for now; 0 bytes are the end.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let received = given(|| self.transport.receive(buffer))?;
        if received.as_ref().is_none_or(|received| is_all(received.filled)) {
            self.watch.exhaust(READ, received.is_none());
        }
        Ok(received.filter(|received| received.length > 0 || received.ended).map(|r| r.length))
    }

    /// Sends as much as the kernel takes. None if that is nothing.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn send(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let sent = given(|| self.transport.send(bytes))?;
        if sent.is_none_or(|n| is_all(n == bytes.len())) {
            self.watch.exhaust(WRITE, sent.is_none());
        }
        Ok(sent)
    }

    /// Says goodbye in the framing and shuts the sending side down.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn finish(&self) -> io::Result<()> {
        while !self.transport.finish()? {
            self.watch.exhaust(WRITE, true);
            poll_fn(|cx| self.poll_writable(cx)).await;
        }
        Ok(())
    }
}

/// Where connections come from.
pub struct Listener<'a> {
    socket: TcpListener,
    watch: Watch<'a>,
}

impl Listener<'_> {
    /// Waits for the next one.
    pub async fn accept(&self) -> io::Result<(TcpStream, std::net::SocketAddr)> {
        loop {
            poll_fn(|cx| self.watch.poll(READ, cx)).await;
            match given(|| self.socket.accept())? {
                Some(accepted) => return Ok(accepted),
                None => self.watch.exhaust(READ, true),
            }
        }
    }
}

/// Whether a transfer was all that can be had now, because it did not fill the buffer.
/// Unix need not be asked again; on Windows it is the failure that renews the interest.
fn is_all(filled: bool) -> bool {
    cfg!(unix) && !filled
}

/// Does what a socket may be asked to do, and as often as signals come between. None
/// if it is not ready.
fn given<T>(mut work: impl FnMut() -> io::Result<T>) -> io::Result<Option<T>> {
    loop {
        match work() {
            Ok(result) => return Ok(Some(result)),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => (),
            Err(err) => return Err(err),
        }
    }
}

/// Waits until a time has come.
pub struct Sleep<'a> {
    reactor: &'a Reactor,
    time: Instant,
    /// Which timer it is, once it was polled.
    number: Option<u64>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.time {
            return Poll::Ready(());
        }
        let mut waiting = self.reactor.waiting();
        let number = self.number.unwrap_or(waiting.timers_so_far);
        if self.number.is_none() {
            waiting.timers_so_far += 1;
        }
        waiting.timers.insert((self.time, number), cx.waker().clone());
        drop(waiting);
        self.number = Some(number);
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let forgotten = self.reactor.waiting().timers.remove(&(self.time, number));
            drop(forgotten);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net;
    use std::sync::atomic::AtomicUsize;

    use smol::future::or;

    use super::*;

    /// A connection: its client, and what a server has of it.
    fn connection() -> (net::TcpStream, TcpStream) {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        (client, TcpStream::from_std(server))
    }

    /// The bytes that are read from a connection until it ends, or a while after so many bytes.
    fn hear(server: TcpStream, bytes: usize) -> String {
        let reactor = Reactor::new().unwrap();
        let stream = reactor.watch(server).unwrap();
        let mut heard = Vec::new();
        let read = async {
            while heard.len() < bytes {
                poll_fn(|cx| stream.poll_readable(cx)).await;
                let mut buffer = [0; 100];
                match stream.receive(&mut buffer).unwrap() {
                    Some(0) => return,
                    n => heard.extend_from_slice(&buffer[..n.unwrap_or(0)]),
                }
            }
        };
        reactor.run(&Executor::new(), or(read, reactor.sleep(Duration::from_secs(10))));
        String::from_utf8(heard).unwrap()
    }

    #[test]
    fn reactor_reads_on_after_end_and_urgent_data() {
        let (mut client, server) = connection();
        client.write_all(b"the last").unwrap();
        drop(client);
        let started = Instant::now();
        assert_eq!(hear(server, usize::MAX), "the last");
        assert!(started.elapsed() < Duration::from_secs(10), "the end was not heard");
        #[cfg(target_os = "linux")]
        {
            let (mut client, server) = connection();
            client.write_all(b"one").unwrap();
            socket2::SockRef::from(&client).send_out_of_band(b"!").unwrap();
            client.write_all(b"two").unwrap();
            assert_eq!(hear(server, 6), "onetwo");
        }
    }

    #[test]
    fn forgotten_socket_keeps_no_task_busy() {
        let (client, server) = connection();
        let (_other_client, other) = connection();
        let reactor = Reactor::new().unwrap();
        let stream = reactor.watch(server).unwrap();
        let held = stream.transport().clone(); // As by somebody who is sending.
        drop(stream);
        let other = reactor.watch(other).unwrap();
        drop(client);
        // The key is the same, and so is what the system says of it.
        let woken = async {
            poll_fn(|cx| other.poll_readable(cx)).await;
            true
        };
        let late = async {
            reactor.sleep(Duration::from_secs(10)).await;
            false
        };
        assert!(reactor.run(&Executor::new(), or(woken, late)), "the system says nothing");
        drop(held);
        assert!(matches!(other.receive(&mut [0; 10]), Ok(None)));
        assert!(other.poll_readable(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    #[test]
    fn yielding_task_lets_new_events_go_first() {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        let (reactor, turns) = (Reactor::new().unwrap(), AtomicUsize::new(0));
        let stream = reactor.watch(TcpStream::from_std(server)).unwrap();
        let executor = Executor::new();
        let _busy = executor.spawn(async {
            loop {
                reactor.yield_to_io().await;
                turns.fetch_add(1, Ordering::SeqCst);
            }
        });
        let hear = async {
            client.write_all(b"x").unwrap();
            poll_fn(|cx| stream.poll_readable(cx)).await;
        };
        reactor.run(&executor, hear);
        let turns = turns.load(Ordering::SeqCst);
        assert!(turns < 10, "{turns} turns");
    }
}
