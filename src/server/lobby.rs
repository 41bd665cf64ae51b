//! The room, shared by the connections of one server.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_channel::Sender;
use smol::Async;
use socket2::SockRef;

use crate::room::{Cut, News, Reading, Room, Rules, SessionId};

/// The room behind its lock, and a bell for each session.
///
/// This is the only lock in the server. It is never held across an `.await` or
/// a system call, and whoever takes it does a whole batch of work at once: all
/// the lines of one read, all the bytes of one write.
///
/// Every access to the room ends by ringing whom the room says was stirred and
/// shutting off whom it says was cut; nobody else touches the room.
pub struct Lobby {
    state: Mutex<State>,
    opened: Instant,
    /// Where sightings go. A console that cannot keep up misses some.
    console: Sender<Sighting>,
    /// Where the number of people goes when it changes; the last one counts.
    crowd: Sender<usize>,
}

struct State {
    room: Room,
    /// Indexed by session.
    peers: Vec<Option<Peer>>,
}

/// The far end of one session.
struct Peer {
    id: SessionId,
    /// Rings when there is something to read; none while nobody can be waiting.
    bell: Option<Waker>,
    /// None for the log, which is no connection.
    line: Option<(Arc<Async<TcpStream>>, SocketAddr)>,
}

/// What the operator is shown, and whom it is about.
#[derive(Debug)]
pub enum Sighting {
    /// Somebody came, went or took another nick.
    News(News, SocketAddr),
    /// Somebody was cut off.
    Cut(Cut, SocketAddr),
    /// The server has stopped, when so many people were here.
    Stopped(usize),
}

/// What has to be done after the lock is free.
#[derive(Default)]
struct Aftermath {
    bells: Vec<Waker>,
    cut: Vec<Arc<Async<TcpStream>>>,
    sightings: Vec<Sighting>,
}

impl Lobby {
    /// An empty room with these rules.
    pub fn new(rules: Rules, console: Sender<Sighting>, crowd: Sender<usize>) -> Lobby {
        let state = State { room: Room::new(rules), peers: Vec::new() };
        Lobby { state: Mutex::new(state), opened: Instant::now(), console, crowd }
    }

    /// Gives a new connection its session.
    pub fn enter(&self, stream: &Arc<Async<TcpStream>>, address: SocketAddr) -> SessionId {
        let mut state = self.lock();
        let id = state.room.enter();
        state.seat(id, Some((stream.clone(), address)));
        id
    }

    /// Gives the log its session.
    pub fn observe(&self) -> SessionId {
        let mut state = self.lock();
        let id = state.room.observe();
        state.seat(id, None);
        id
    }

    /// Runs `work` on the room, then rings whoever now has something to read.
    /// The room's time is the time since the lobby opened.
    pub fn with<T>(&self, work: impl FnOnce(&mut Room, Duration) -> T) -> T {
        let mut state = self.lock();
        let result = work(&mut state.room, self.opened.elapsed());
        let aftermath = state.settle();
        drop(state);
        self.clear_up(aftermath);
        result
    }

    /// Waits for something to read and appends it to `out`. `false` when there
    /// will be nothing more.
    pub fn poll_read(&self, id: SessionId, out: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        let State { room, peers } = &mut *state;
        match room.read(id, out, self.opened.elapsed()) {
            Reading::Some => Poll::Ready(true),
            Reading::Over => Poll::Ready(false),
            Reading::Nothing => {
                let peer = peers[id.index()].as_mut().expect("it is waiting here");
                match &mut peer.bell {
                    Some(bell) => bell.clone_from(cx.waker()),
                    bell => *bell = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// Tells nobody any more how many people are here.
    pub fn withdraw(&self) {
        self.crowd.close();
    }

    /// Takes a session out of the room.
    pub fn leave(&self, id: SessionId) {
        let mut state = self.lock();
        // What it does last is settled while it is still known to both.
        state.room.hang_up(id);
        let aftermath = state.settle();
        state.room.leave(id);
        let peer = state.peers[id.index()].take();
        drop(state);
        self.clear_up(aftermath);
        drop(peer);
    }

    /// A panic while the lock was held has ended one client's task. The room is
    /// as whole as that task left it, and better than none for all the others.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clear_up(&self, aftermath: Aftermath) {
        for stream in aftermath.cut {
            // Its task is stuck in a write; closing the socket under it ends it by
            // the common path. Nothing that waits in the kernel is worth sending.
            SockRef::from(&*stream).set_linger(Some(Duration::ZERO)).ok();
            stream.get_ref().shutdown(Shutdown::Both).ok();
        }
        for sighting in aftermath.sightings {
            if let Sighting::News(news, _) = &sighting {
                self.crowd.force_send(news.members).ok(); // Nobody may want to know.
            }
            // A console that is full or gone shows nothing; the chat goes on.
            self.console.try_send(sighting).ok();
        }
        aftermath.bells.into_iter().for_each(Waker::wake);
    }
}

impl State {
    fn seat(&mut self, id: SessionId, line: Option<(Arc<Async<TcpStream>>, SocketAddr)>) {
        let seats = self.peers.len().max(id.index() + 1);
        self.peers.resize_with(seats, || None);
        self.peers[id.index()] = Some(Peer { id, bell: None, line });
    }

    /// Asks the room what has to follow from what was just done to it.
    fn settle(&mut self) -> Aftermath {
        let State { room, peers } = self;
        let mut aftermath = Aftermath::default();
        let line = |id: SessionId, peers: &[Option<Peer>]| peers[id.index()].as_ref()?.line.clone();
        for cut in room.take_cut() {
            if let Some((stream, address)) = line(cut.id, peers) {
                aftermath.cut.push(stream);
                aftermath.sightings.push(Sighting::Cut(cut, address));
            }
        }
        for news in room.take_news() {
            if let Some((_, address)) = line(news.id, peers) {
                aftermath.sightings.push(Sighting::News(news, address));
            }
        }
        let stirred = room.take_stirred();
        if stirred.all {
            let waiting = peers.iter_mut().flatten().filter(|peer| peer.bell.is_some());
            let listeners = waiting.filter(|peer| room.listens(peer.id));
            aftermath.bells.extend(listeners.filter_map(|peer| peer.bell.take()));
        }
        let some = stirred.some.iter();
        aftermath.bells.extend(some.filter_map(|id| peers[id.index()].as_mut()?.bell.take()));
        aftermath
    }
}
