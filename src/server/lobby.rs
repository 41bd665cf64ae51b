//! The room, shared by the connections of one server.

use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_channel::Sender;
use smol::Async;
use socket2::SockRef;

use crate::room::{Cut, News, Reading, Room, Rules, SessionId};
use crate::server::places::{Place, Places};
use crate::wire::Nick;

/// The room behind its lock, and a bell for each session.
///
/// This is the only lock in the server. It is never held across an `.await` or
/// a system call, and whoever takes it does a whole batch of work at once: all
/// the lines of one read, all the bytes of one write.
///
/// Every access to the room ends by ringing whom the room says was stirred and
/// shutting off whom it says was cut; nobody else touches the room.
pub struct Lobby {
    house: Mutex<House>,
    opened: Instant,
    /// Where sightings go. A console that cannot keep up misses some.
    console: Sender<Sighting>,
    /// Where the number of people goes when it changes; the last one counts.
    crowd: Sender<usize>,
}

/// The room, and what it does not know about the people in it: where they are.
pub struct House {
    /// The room itself.
    pub room: Room,
    /// Nobody gets in from here.
    pub banned: Places,
    /// Who comes from here may say nothing. That is known of each session, too,
    /// and is there to stay if the person takes another nick; this is for those
    /// who come back.
    muted: Places,
    /// Indexed by session.
    peers: Vec<Option<Peer>>,
}

/// The far end of one session.
struct Peer {
    id: SessionId,
    /// Rings when there is something to read; none while nobody can be waiting.
    bell: Option<Waker>,
    /// When it came.
    since: Instant,
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
        let house = House {
            room: Room::new(rules),
            banned: Places::default(),
            muted: Places::default(),
            peers: Vec::new(),
        };
        Lobby { house: Mutex::new(house), opened: Instant::now(), console, crowd }
    }

    /// Gives a new connection its session.
    pub fn enter(&self, stream: &Arc<Async<TcpStream>>, address: SocketAddr) -> SessionId {
        let mut house = self.lock();
        let id = house.room.enter();
        house.seat(id, Some((stream.clone(), address)));
        if house.banned.hold(address.ip()) {
            house.room.ban(id);
        }
        if house.muted.hold(address.ip()) {
            house.room.mute(id, true);
        }
        id
    }

    /// Gives the log its session.
    pub fn observe(&self) -> SessionId {
        let mut house = self.lock();
        let id = house.room.observe();
        house.seat(id, None);
        id
    }

    /// Runs `work` on the room, then rings whoever now has something to read.
    /// The room's time is the time since the lobby opened.
    pub fn with<T>(&self, work: impl FnOnce(&mut Room, Duration) -> T) -> T {
        self.govern(|house| work(&mut house.room, self.opened.elapsed()))
    }

    /// The same with the whole house, for who has to know where people are.
    pub fn govern<T>(&self, work: impl FnOnce(&mut House) -> T) -> T {
        let mut house = self.lock();
        let result = work(&mut house);
        let aftermath = house.settle();
        drop(house);
        self.clear_up(aftermath);
        result
    }

    /// Waits for something to read and appends it to `out`. `false` when there
    /// will be nothing more.
    pub fn poll_read(&self, id: SessionId, out: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<bool> {
        let mut house = self.lock();
        let House { room, peers, .. } = &mut *house;
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
        let mut house = self.lock();
        // What it does last is settled while it is still known to both.
        house.room.hang_up(id);
        let aftermath = house.settle();
        house.room.leave(id);
        let peer = house.peers[id.index()].take();
        drop(house);
        self.clear_up(aftermath);
        drop(peer);
    }

    /// A panic while the lock was held has ended one client's task. The room is
    /// as whole as that task left it, and better than none for all the others.
    fn lock(&self) -> MutexGuard<'_, House> {
        self.house.lock().unwrap_or_else(PoisonError::into_inner)
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

impl House {
    /// Where somebody is.
    pub fn address(&self, id: SessionId) -> Option<SocketAddr> {
        Some(self.peer(id)?.line.as_ref()?.1)
    }

    /// How long somebody has been here.
    pub fn here_for(&self, id: SessionId) -> Option<Duration> {
        Some(self.peer(id)?.since.elapsed())
    }

    /// Lets nobody in from a place any more, and removes who is here from there.
    /// Returns those who had a nick.
    pub fn ban(&mut self, place: Place) -> Vec<Nick> {
        self.banned.add(place);
        let there = self.sessions_at(&[place]);
        let nicks = self.nicks(&there);
        there.into_iter().for_each(|id| self.room.ban(id));
        nicks
    }

    /// Lets somebody say nothing, or talk again if they were muted; whatever else
    /// comes from the same place, now or later, is taken to be the same person.
    /// On this machine, whose addresses are `own`, it is the session alone.
    ///
    /// Returns whether they are muted now, and their nicks.
    pub fn mute(&mut self, id: SessionId, own: &[IpAddr]) -> (bool, Vec<Nick>) {
        let muted = !self.room.is_muted(id);
        let places = match self.address(id).map(|address| address.ip()) {
            Some(ip) if muted => Place::of(ip, own).into_iter().collect(),
            Some(ip) => self.muted.lift(ip),
            None => Vec::new(),
        };
        if muted {
            places.iter().for_each(|&place| self.muted.add(place));
        }
        let mut meant = self.sessions_at(&places);
        if !meant.contains(&id) {
            meant.push(id);
        }
        meant.iter().for_each(|&id| self.room.mute(id, muted));
        (muted, self.nicks(&meant))
    }

    fn peer(&self, id: SessionId) -> Option<&Peer> {
        self.peers.get(id.index())?.as_ref()
    }

    fn sessions_at(&self, places: &[Place]) -> Vec<SessionId> {
        let there = |address: &SocketAddr| places.iter().any(|place| place.holds(address.ip()));
        let peers = self.peers.iter().flatten();
        let there = peers.filter(|peer| peer.line.as_ref().is_some_and(|(_, at)| there(at)));
        there.map(|peer| peer.id).collect()
    }

    fn nicks(&self, ids: &[SessionId]) -> Vec<Nick> {
        ids.iter().filter_map(|&id| self.room.nick(id).cloned()).collect()
    }

    fn seat(&mut self, id: SessionId, line: Option<(Arc<Async<TcpStream>>, SocketAddr)>) {
        let seats = self.peers.len().max(id.index() + 1);
        self.peers.resize_with(seats, || None);
        self.peers[id.index()] = Some(Peer { id, bell: None, since: Instant::now(), line });
    }

    /// Asks the room what has to follow from what was just done to it.
    fn settle(&mut self) -> Aftermath {
        let House { room, peers, .. } = self;
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
