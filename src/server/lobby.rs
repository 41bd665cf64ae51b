//! The room, shared by the connections of one server.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_channel::Sender;

use crate::room::{Cut, News, Reading, Reason, Room, Rules, SessionId, Stirred};
use crate::server::pace::{Share, Talkers};
use crate::server::places::{Place, Places};
use crate::server::transport::Transport;
use crate::wire::{Nick, Refusal};

/// How many connections may come from one place: a lab behind one terminal server
/// fits, and nobody takes all that there are.
const MAX_FROM_PLACE: usize = 64;
/// How many connections there may be for a moment beyond the capacity: those who
/// are told that there is none left, or are about to be gone.
const SPARE: usize = 16;

/// How many are told something at a time, and how many bytes that is: the lock is
/// free while they are sent.
const ROUND: usize = 64;
const ROUND_BYTES: usize = 64 << 10;

/// The room behind its lock, and a bell for each session.
///
/// This is the only lock that connections share. It is never held across an `.await` or
/// a system call on a socket, and whoever takes it does a whole batch of work at once:
/// all the lines of one read, all the bytes of one write.
///
/// Every access to the room ends by ringing whom the room says was stirred and
/// shutting off whom it says was cut; nobody else touches the room. Those who have
/// nothing to do but to wait need not be rung: whoever has said something may
/// [tell](Lobby::tell) them what they have missed.
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
    /// Those who come from each place; none is this machine.
    crowds: BTreeMap<Option<Place>, Crowd>,
    /// How many members have talked of late.
    talkers: Talkers,
    /// How many connections there are, and how many there may be.
    connections: usize,
    capacity: usize,
    /// Indexed by session.
    peers: Vec<Option<Peer>>,
}

/// The connections from one place.
struct Crowd {
    connections: usize,
    /// What their coming and going may be for the others to read. Each member has a share
    /// of their own; but whoever comes again and again would have many.
    door: Share,
}

/// The far end of one session.
struct Peer {
    id: SessionId,
    /// Rings when there is something to read; none while nobody can be waiting.
    bell: Option<Waker>,
    /// Somebody else is telling it something, and its own task has to wait.
    told: bool,
    /// When it came.
    since: Instant,
    /// None for the log, which is no connection.
    line: Option<(Arc<Transport>, SocketAddr)>,
}

/// What the operator is shown, and whom it is about.
#[derive(Debug)]
pub enum Sighting {
    /// Somebody came, went or took another nick.
    News(News, SocketAddr),
    /// Somebody was cut off.
    Cut(Cut, SocketAddr),
    /// Something is not as it should be, though the chat goes on.
    Warning(String),
    /// The server has stopped, when so many people were here. That may take until then to
    /// be shown.
    Stopped(usize, Instant),
}

/// Who has yet to be told or rung.
#[derive(Default)]
pub struct Untold {
    who: Stirred,
    /// How much had been said then.
    said: u64,
}

impl Untold {
    /// Whether there is anybody.
    pub fn is_empty(&self) -> bool {
        !self.who.all && self.who.some.is_empty()
    }

    /// The place of one of them after the other, among so many; none after the last.
    fn nth(&self, n: usize, places: usize) -> Option<usize> {
        match self.who.all {
            true => (n < places).then_some(n),
            false => self.who.some.get(n).map(|id| id.index()),
        }
    }
}

/// What one session after the other is told.
///
/// Most of them are told the same, one after the other: it is copied out of the room
/// for the first of them, and is there for the next.
#[derive(Default)]
pub struct Outbox {
    /// What the last one was told.
    pub bytes: Vec<u8>,
    /// The stretch of the talk that this is, if it is that alone.
    talk: Option<(u64, u64)>,
}

impl Outbox {
    fn read(&mut self, room: &mut Room, id: SessionId) -> Reading {
        if !room.has_news_for(id) {
            return Reading::Nothing; // What is here is for the next.
        }
        // If more was said meanwhile, that belongs to the same send.
        let latest = self.talk.filter(|&(_, end)| end == room.talk());
        if latest.is_some_and(|talk| room.skip(id, talk)) {
            return Reading::Some;
        }
        self.bytes.clear();
        let reading = room.read(id, &mut self.bytes);
        self.talk = room.talk_read(id);
        reading
    }
}

/// Some of those who only waited, and what they are told.
#[derive(Default)]
pub struct Round {
    /// What is told, one after the other.
    bytes: Vec<u8>,
    told: Vec<Told>,
    /// Those who were told before that, until the lock is free: to forget one may be to
    /// close its socket.
    gone: Vec<Told>,
    /// Who has to be rung instead.
    bells: Vec<Waker>,
    /// The stretch of the talk that was copied last, and where in `bytes` it is.
    last: Option<(u64, u64)>,
    last_bytes: Range<usize>,
}

/// One who is told something.
struct Told {
    id: SessionId,
    line: Arc<Transport>,
    bytes: Range<usize>,
    sent: usize,
    /// Why it is to be cut off, if the kernel says that it cannot be told anything.
    lost: Option<Reason>,
}

impl Round {
    fn has_room(&self) -> bool {
        self.told.len() < ROUND && self.bytes.len() < ROUND_BYTES
    }

    fn ring(&mut self) {
        self.bells.drain(..).for_each(Waker::wake);
    }

    /// Sends as much as the kernel takes; the rest is for the task to send. That a peer
    /// is lost the kernel says only once, though, and the task would not hear of it.
    fn send(&mut self) {
        for told in &mut self.told {
            match told.line.send(&self.bytes[told.bytes.clone()]) {
                Ok(sent) => told.sent = sent,
                Err(err) => told.lost = broken(&err),
            }
        }
    }
}

/// Why a connection broke; none if that was its client's own doing.
pub fn broken(err: &io::Error) -> Option<Reason> {
    use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
    match err.kind() {
        // It was us who waited no longer: the system has no number for that.
        TimedOut if err.raw_os_error().is_none() => Some(Reason::Stalled),
        TimedOut | HostUnreachable | NetworkUnreachable | NetworkDown => Some(Reason::Lost),
        _ => None,
    }
}

/// What has to be done after the lock is free.
#[derive(Default)]
struct Aftermath {
    bells: Vec<Waker>,
    cut: Vec<Arc<Transport>>,
}

impl Lobby {
    /// An empty room with these rules, with room for so many connections.
    pub fn new(
        rules: Rules,
        capacity: usize,
        console: Sender<Sighting>,
        crowd: Sender<usize>,
    ) -> Lobby {
        let house = House {
            room: Room::new(rules),
            banned: Places::default(),
            muted: Places::default(),
            crowds: BTreeMap::new(),
            talkers: Talkers::default(),
            connections: 0,
            capacity,
            peers: Vec::new(),
        };
        Lobby { house: Mutex::new(house), opened: Instant::now(), console, crowd }
    }

    /// Gives a new connection its session. It counts as one of those from `place`,
    /// if that is one, until it is [closed](Lobby::closed).
    pub fn enter(
        &self,
        transport: &Arc<Transport>,
        address: SocketAddr,
        place: Option<Place>,
    ) -> SessionId {
        self.govern(|house| {
            let id = house.room.enter();
            house.seat(id, Some((transport.clone(), address)));
            house.connections += 1;
            let door = Share::new(Instant::now());
            let crowd = house.crowds.entry(place).or_insert(Crowd { connections: 0, door });
            crowd.connections += 1;
            let crowded = place.is_some() && crowd.connections > MAX_FROM_PLACE;
            if house.banned.hold(address.ip()) {
                house.room.ban(id);
            } else if crowded {
                house.room.refuse(id, Refusal::Crowded);
            } else if house.connections > house.capacity {
                house.evict(id);
                if house.connections > house.capacity.saturating_add(SPARE) {
                    house.room.refuse(id, Refusal::RoomFull);
                }
            }
            if house.muted.hold(address.ip()) {
                house.room.mute(id, true);
            }
            id
        })
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
        let aftermath = self.settle(&mut house);
        drop(house);
        self.clear_up(aftermath);
        result
    }

    /// Waits for something to read and puts it into `outbox`. `false` when there
    /// will be nothing more.
    pub fn poll_read(
        &self,
        id: SessionId,
        outbox: &mut Outbox,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        let mut house = self.lock();
        let House { room, peers, .. } = &mut *house;
        let peer = peers[id.index()].as_mut().expect("it is waiting here");
        let reading = if peer.told { Reading::Nothing } else { outbox.read(room, id) };
        match reading {
            Reading::Nothing => {
                match &mut peer.bell {
                    Some(bell) => bell.clone_from(cx.waker()),
                    bell => *bell = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
            // It has something to do now: until it waits again, nobody else may tell it
            // what comes later.
            reading => {
                peer.bell = None;
                Poll::Ready(reading == Reading::Some)
            }
        }
    }

    /// Takes back what could not be sent: all but the first `sent` bytes.
    pub fn take_back(&self, id: SessionId, outbox: &Outbox, sent: usize) {
        self.with(|room, now| room.take_back(id, &outbox.bytes, sent, now));
    }

    /// Runs `work` on the house for the task of one session, but rings nobody: that task
    /// is awake, and [tells](Lobby::tell) the others.
    pub fn with_quietly<T>(
        &self,
        id: SessionId,
        work: impl FnOnce(&mut House, Duration) -> T,
    ) -> (T, Untold) {
        let mut house = self.lock();
        let result = work(&mut house, self.opened.elapsed());
        let mut untold = Untold { who: house.room.take_stirred(), said: house.room.talk() };
        untold.who.some.retain(|&other| other != id);
        let aftermath = self.settle(&mut house);
        drop(house);
        self.clear_up(aftermath);
        (result, untold)
    }

    /// Tells people what they have missed, as far as they do nothing but wait and
    /// their kernels take it at once. All others are rung.
    ///
    /// For somebody who waits this saves a turn of their task, on another thread
    /// perhaps; and whoever waits at the same place hears the same bytes. Where others
    /// talk at the same time, it would only tear apart what can be heard by one send:
    /// then all are rung.
    pub fn tell(&self, untold: Untold, round: &mut Round) {
        let mut next = 0;
        loop {
            let mut house = self.lock();
            house.release(round, self.opened);
            if house.room.talk() == untold.said {
                while round.has_room()
                    && let Some(index) = untold.nth(next, house.peers.len())
                {
                    house.claim(index, round);
                    next += 1;
                }
            } else {
                house.ring(&untold.who, &mut round.bells);
            }
            let aftermath = self.settle(&mut house);
            drop(house);
            self.clear_up(aftermath);
            round.gone.clear();
            round.ring();
            if round.told.is_empty() {
                return;
            }
            round.send();
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
        let aftermath = self.settle(&mut house);
        house.room.leave(id);
        let peer = house.peers[id.index()].take();
        drop(house);
        self.clear_up(aftermath);
        drop(peer);
    }

    /// A connection from `place` is closed, which takes longer than to leave: it has a
    /// socket until it has read its last word.
    pub fn closed(&self, place: Option<Place>) {
        let mut house = self.lock();
        house.connections -= 1;
        if let Entry::Occupied(mut crowd) = house.crowds.entry(place) {
            crowd.get_mut().connections -= 1;
            if crowd.get().connections == 0 {
                crowd.remove();
            }
        }
    }

    /// A panic while the lock was held has ended one client's task. The room is
    /// as whole as that task left it, and better than none for all the others.
    fn lock(&self) -> MutexGuard<'_, House> {
        self.house.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the room what has to follow from what was just done to it. What the operator
    /// is shown, and how many are here, is passed on before the next change: the last
    /// number is the one that counts.
    fn settle(&self, house: &mut House) -> Aftermath {
        let mut aftermath = Aftermath::default();
        for cut in house.room.take_cut() {
            if let Some((transport, address)) = house.line(cut.id) {
                aftermath.cut.push(transport.clone());
                self.show(Sighting::Cut(cut, address));
            }
        }
        for news in house.room.take_news() {
            self.crowd.force_send(news.members).ok(); // Nobody may want to know.
            if let Some((_, address)) = house.line(news.id) {
                self.show(Sighting::News(news, address));
            }
        }
        let stirred = house.room.take_stirred();
        house.ring(&stirred, &mut aftermath.bells);
        aftermath
    }

    /// A console that is full or gone shows nothing; the chat goes on.
    fn show(&self, sighting: Sighting) {
        self.console.try_send(sighting).ok();
    }

    fn clear_up(&self, aftermath: Aftermath) {
        for transport in aftermath.cut {
            // Its task may be waiting for the socket; closing that under it ends it by
            // the common path. Nothing that waits in the kernel is worth sending.
            transport.abort();
        }
        aftermath.bells.into_iter().for_each(Waker::wake);
    }
}

impl House {
    /// The room; what those who come from a place may make the others read; and how many
    /// talk.
    pub fn doorway(&mut self, place: Option<Place>) -> (&mut Room, &mut Share, &mut Talkers) {
        let crowd = self.crowds.get_mut(&place).expect("somebody is here from there");
        (&mut self.room, &mut crowd.door, &mut self.talkers)
    }

    /// Where somebody is.
    pub fn address(&self, id: SessionId) -> Option<SocketAddr> {
        Some(self.line(id)?.1)
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

    fn line(&self, id: SessionId) -> Option<(&Arc<Transport>, SocketAddr)> {
        self.peer(id)?.line.as_ref().map(|(transport, address)| (transport, *address))
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

    /// Takes the bells of those who wait.
    fn ring(&mut self, stirred: &Stirred, bells: &mut Vec<Waker>) {
        let peers = &mut self.peers;
        let some = stirred.some.iter();
        bells.extend(some.filter_map(|id| peers[id.index()].as_mut()?.bell.take()));
        if stirred.all {
            let waiting = peers.iter_mut().flatten().filter(|peer| peer.bell.is_some());
            let listeners = waiting.filter(|peer| self.room.listens(peer.id));
            bells.extend(listeners.filter_map(|peer| peer.bell.take()));
        }
    }

    /// Takes note of what somebody who only waits has to be told.
    fn claim(&mut self, index: usize, round: &mut Round) {
        let Some(peer) = &mut self.peers[index] else { return };
        // A task that is at work will find everything by itself.
        if peer.told || peer.bell.is_none() {
            return;
        }
        let id = peer.id;
        let Some((line, _)) = &peer.line else {
            return round.bells.extend(peer.bell.take());
        };
        if !round.last.is_some_and(|talk| self.room.skip(id, talk)) {
            let start = round.bytes.len();
            match self.room.read(id, &mut round.bytes) {
                Reading::Some => (),
                Reading::Nothing => return,
                Reading::Over => return round.bells.extend(peer.bell.take()),
            }
            round.last = self.room.talk_read(id);
            round.last_bytes = start..round.bytes.len();
        }
        peer.told = true;
        let bytes = round.last_bytes.clone();
        round.told.push(Told { id, line: line.clone(), bytes, sent: 0, lost: None });
    }

    /// Gives back those who were told something.
    fn release(&mut self, round: &mut Round, opened: Instant) {
        while let Some(told) = round.told.pop() {
            round.gone.push(told);
            let told = &round.gone[round.gone.len() - 1];
            // Somebody else may have its place by now.
            let same = |peer: &&mut Peer| {
                peer.line.as_ref().is_some_and(|(line, _)| Arc::ptr_eq(line, &told.line))
            };
            let Some(peer) = self.peers[told.id.index()].as_mut().filter(same) else { continue };
            peer.told = false;
            if let Some(reason) = told.lost {
                self.room.cut_off(told.id, reason);
                continue;
            }
            let bytes = &round.bytes[told.bytes.clone()];
            if told.sent < bytes.len() {
                self.room.take_back(told.id, bytes, told.sent, opened.elapsed());
            }
            // There is more to tell, or it would not all go.
            if self.room.has_news_for(told.id) {
                round.bells.extend(peer.bell.take());
            }
        }
        round.bytes.clear();
        round.last = None;
    }

    fn seat(&mut self, id: SessionId, line: Option<(Arc<Transport>, SocketAddr)>) {
        let seats = self.peers.len().max(id.index() + 1);
        self.peers.resize_with(seats, || None);
        self.peers[id.index()] =
            Some(Peer { id, bell: None, told: false, since: Instant::now(), line });
    }

    /// Gives up on whoever has been here longest without saying who they are, for the
    /// sake of a newcomer.
    fn evict(&mut self, newcomer: SessionId) {
        let guests = self.peers.iter().flatten().filter(|peer| {
            let here = peer.line.is_some() && peer.id != newcomer;
            here && !self.room.is_member(peer.id) && !self.room.is_leaving(peer.id)
        });
        let oldest = guests.min_by_key(|peer| peer.since).map(|peer| peer.id);
        if let Some(id) = oldest {
            self.room.cut_off(id, Reason::Evicted);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::net;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::thread;

    use async_channel::Receiver;

    use super::*;

    /// A lobby for so many connections, and where what it does is seen.
    struct Door {
        lobby: Lobby,
        listener: net::TcpListener,
        sightings: Receiver<Sighting>,
        count: Receiver<usize>,
    }

    impl Door {
        fn open(capacity: usize) -> Door {
            let (console, sightings) = async_channel::unbounded();
            let (crowd, count) = async_channel::bounded(1);
            let lobby = Lobby::new(Rules::default(), capacity, console, crowd);
            let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
            Door { lobby, listener, sightings, count }
        }

        fn enters(&self, address: &str) -> SessionId {
            let ip = address.parse().unwrap();
            self.lobby.enter(&self.stream(), SocketAddr::new(ip, 50412), Place::of(ip, &[]))
        }

        fn stream(&self) -> Arc<Transport> {
            let stream = net::TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
            stream.set_nonblocking(true).unwrap();
            Arc::new(Transport::Plain(mio::net::TcpStream::from_std(stream)))
        }

        /// Ana and João, who have their nicks.
        fn members(&self) -> [SessionId; 2] {
            [("10.0.0.1", "ana"), ("10.0.0.2", "joao")].map(|(address, nick)| {
                let id = self.enters(address);
                let line = format!("NICK {nick}");
                self.lobby.with(|room, now| room.hear(id, Ok(line.as_bytes()), now));
                id
            })
        }

        /// What is on its way from one to another, who waits, when it is about to be sent.
        fn tells(&self, from: SessionId, to: SessionId) -> (Untold, Round) {
            self.last_word(to);
            let say = |house: &mut House, now| house.room.hear(from, Ok(b"MSG one"), now);
            let ((), untold) = self.lobby.with_quietly(from, say);
            let mut round = Round::default();
            self.lobby.lock().claim(to.index(), &mut round);
            (untold, round)
        }

        /// The last thing that somebody was told.
        fn last_word(&self, id: SessionId) -> String {
            let (mut outbox, mut heard) = (Outbox::default(), Vec::new());
            let mut cx = Context::from_waker(Waker::noop());
            while self.lobby.poll_read(id, &mut outbox, &mut cx) == Poll::Ready(true) {
                heard.extend_from_slice(&outbox.bytes);
            }
            let heard = String::from_utf8(heard).unwrap();
            heard.lines().next_back().unwrap_or_default().into()
        }
    }

    /// The system's number for that.
    const TIMED_OUT: i32 = match () {
        () if cfg!(windows) => 10060,
        () if cfg!(target_os = "macos") => 60,
        () => 110,
    };

    const GREETING: &str = "New User. Please register with: NICK <your_nick>";

    #[test]
    fn one_place_gets_so_many_connections_and_this_machine_any_number() {
        for (address, neighbour, other) in [
            ("10.0.0.5", "10.0.0.5", "10.0.0.6"),
            ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"),
        ] {
            let door = Door::open(usize::MAX);
            let first: Vec<SessionId> = (0..MAX_FROM_PLACE).map(|_| door.enters(address)).collect();
            let one_more = door.enters(neighbour);
            assert_eq!(door.last_word(first[MAX_FROM_PLACE - 1]), GREETING);
            assert_eq!(door.last_word(one_more), "ERR too_many_connections");
            assert_eq!(door.last_word(door.enters(other)), GREETING);
            // One leaves, and the one who was refused.
            for id in [first[0], one_more] {
                door.lobby.leave(id);
                assert_eq!(door.last_word(door.enters(neighbour)), "ERR too_many_connections");
            }
            // Now they have no sockets any more, and the two who tried meanwhile.
            for _ in 0..4 {
                door.lobby.closed(Place::of(address.parse().unwrap(), &[]));
            }
            assert_eq!(door.last_word(door.enters(address)), GREETING);
        }
        let door = Door::open(usize::MAX);
        for _ in 0..2 * MAX_FROM_PLACE {
            assert_eq!(door.last_word(door.enters("127.0.0.1")), GREETING);
        }
    }

    #[test]
    fn when_there_are_no_more_sockets_the_oldest_guest_has_to_go_and_no_member() {
        let door = Door::open(3);
        let member = door.enters("10.0.0.1");
        door.lobby.with(|room, now| room.hear(member, Ok(b"NICK ana"), now));
        let oldest = door.enters("10.0.0.2");
        let younger = door.enters("10.0.0.3");
        assert!(matches!(door.sightings.try_recv(), Ok(Sighting::News(..))));
        let newcomer = door.enters("10.0.0.4");
        let cut = door.sightings.try_recv();
        assert!(
            matches!(&cut, Ok(Sighting::Cut(cut, _)) if cut.id == oldest && cut.reason == Reason::Evicted),
            "{cut:?}"
        );
        door.lobby.leave(oldest);
        assert_eq!(door.last_word(newcomer), GREETING);
        assert_eq!(door.last_word(younger), GREETING);
        assert_eq!(door.last_word(member), "OK welcome ana");
    }

    #[test]
    fn of_all_who_come_and_go_at_once_the_last_number_counts() {
        const TIMES: usize = 2000;
        let door = Door::open(usize::MAX);
        let (stream, together) = (door.stream(), Barrier::new(2));
        let come_and_go = &|nick: &str| {
            let line = format!("NICK {nick}");
            let go = || {
                let id = door.lobby.enter(&stream, "127.0.0.1:50412".parse().unwrap(), None);
                door.lobby.with(|room, now| room.hear(id, Ok(line.as_bytes()), now));
                together.wait();
                door.lobby.leave(id);
                let said = together.wait().is_leader().then(|| door.count.try_recv());
                together.wait();
                said
            };
            (0..TIMES).filter_map(|_| go()).collect::<Vec<_>>()
        };
        let counts = thread::scope(|scope| {
            let people = ["ana", "joao"].map(|nick| scope.spawn(move || come_and_go(nick)));
            people.map(|person| person.join().unwrap()).concat()
        });
        assert_eq!(counts, [Ok(0); TIMES]);
    }

    #[test]
    fn what_one_has_read_is_there_for_the_next_and_nothing_is_nothing() {
        let door = Door::open(usize::MAX);
        let [ana, joao] = ["10.0.0.1", "10.0.0.2"].map(|address| door.enters(address));
        for (id, line) in [(ana, b"NICK ana".as_slice()), (joao, b"NICK joao"), (ana, b"MSG oi")] {
            door.lobby.with(|room, now| room.hear(id, Ok(line), now));
        }
        let (mut outbox, mut cx) = (Outbox::default(), Context::from_waker(Waker::noop()));
        for (id, heard) in [
            (ana, "New User. Please register with: NICK <your_nick>\nOK welcome ana\n"),
            (joao, "New User. Please register with: NICK <your_nick>\nOK welcome joao\n"),
        ] {
            assert_eq!(door.lobby.poll_read(id, &mut outbox, &mut cx), Poll::Ready(true));
            let told = String::from_utf8_lossy(&outbox.bytes);
            assert!(told.starts_with(heard) && told.ends_with("FROM ana [all]: oi\n"), "{told}");
        }
        door.lobby.with(|room, now| room.hear(ana, Ok(b"MSG all well?"), now));
        for expected in [Poll::Ready(true), Poll::Pending] {
            for id in [ana, joao] {
                assert_eq!(door.lobby.poll_read(id, &mut outbox, &mut cx), expected);
                assert!(expected.is_pending() || outbox.bytes == b"FROM ana [all]: all well?\n");
            }
        }
    }

    #[test]
    fn whoever_is_being_told_something_is_told_nothing_else_meanwhile() {
        let door = Door::open(usize::MAX);
        let [ana, joao] = door.members();
        let says = |line: &[u8]| {
            let say = |house: &mut House, now| house.room.hear(ana, Ok(line), now);
            let ((), untold) = door.lobby.with_quietly(ana, say);
            door.lobby.tell(untold, &mut Round::default());
        };
        door.last_word(joao); // He has heard everything, and waits.
        door.lobby.with_quietly(ana, |house, now| house.room.hear(ana, Ok(b"MSG one"), now));
        let (mut outbox, mut cx) = (Outbox::default(), Context::from_waker(Waker::noop()));
        assert_eq!(door.lobby.poll_read(joao, &mut outbox, &mut cx), Poll::Ready(true));
        assert_eq!(outbox.bytes, b"FROM ana [all]: one\n");
        // Before his task has sent that, somebody would tell him this.
        says(b"MSG two");
        assert_eq!(door.last_word(joao), "FROM ana [all]: two");
        // Now he waits again.
        says(b"MSG three");
        assert_eq!(door.last_word(joao), "");
    }

    #[test]
    fn while_somebody_else_tells_them_something_they_hear_it_from_nobody_else() {
        let door = Door::open(usize::MAX);
        let [ana, joao] = ["10.0.0.1", "10.0.0.2"].map(|address| door.enters(address));
        let say = |id, line: &[u8]| {
            door.lobby.with_quietly(id, |house, now| house.room.hear(id, Ok(line), now));
        };
        say(ana, b"NICK ana");
        say(joao, b"NICK joao");
        door.last_word(joao); // He waits.
        let [mut first, mut second] = [Round::default(), Round::default()];
        let (mut outbox, mut cx) = (Outbox::default(), Context::from_waker(Waker::noop()));
        say(ana, b"MSG one");
        door.lobby.lock().claim(joao.index(), &mut first);
        say(ana, b"MSG two");
        assert_eq!(door.lobby.poll_read(joao, &mut outbox, &mut cx), Poll::Pending);
        door.lobby.lock().claim(joao.index(), &mut second);
        assert_eq!((first.told.len(), second.told.len()), (1, 0));
        // His kernel took nothing.
        door.lobby.lock().release(&mut first, Instant::now());
        assert_eq!(door.lobby.poll_read(joao, &mut outbox, &mut cx), Poll::Ready(true));
        assert_eq!(outbox.bytes, b"FROM ana [all]: one\nFROM ana [all]: two\n");
    }

    #[test]
    fn who_turns_out_to_be_lost_when_somebody_else_tells_them_something_is_cut_off() {
        let door = Door::open(usize::MAX);
        let [ana, joao] = door.members();
        let (untold, mut round) = door.tells(ana, joao);
        // As it is after 30 s without an answer; what the system says it says once.
        round.told[0].lost = broken(&io::Error::from_raw_os_error(TIMED_OUT));
        door.lobby.tell(untold, &mut round);
        let cut = iter::from_fn(|| door.sightings.try_recv().ok()).find_map(|seen| match seen {
            Sighting::Cut(cut, address) => Some((cut.nick?.to_string(), cut.reason, address.ip())),
            _ => None,
        });
        assert_eq!(cut, Some(("joao".into(), Reason::Lost, "10.0.0.2".parse().unwrap())));
        assert_eq!(door.last_word(ana), "User joao left the chat.");
        assert_eq!(door.last_word(joao), "", "and is told nothing more");
    }

    /// How often it was rung.
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_is_cut_off_is_rung_since_they_may_be_waiting_for_nothing_else() {
        let door = Door::open(usize::MAX);
        let [ana, joao] = door.members();
        let (untold, mut round) = door.tells(ana, joao);
        // While he is told something he says that he will say nothing more.
        door.lobby.with(|room, _| room.hang_up(joao));
        let bell = Arc::new(Bell(AtomicUsize::new(0)));
        let waker = Waker::from(bell.clone());
        let (mut outbox, mut cx) = (Outbox::default(), Context::from_waker(&waker));
        assert!(door.lobby.poll_read(joao, &mut outbox, &mut cx).is_pending());
        round.told[0].lost = broken(&io::Error::from_raw_os_error(TIMED_OUT));
        door.lobby.tell(untold, &mut round);
        assert_eq!(bell.0.load(Ordering::SeqCst), 1);
        assert_eq!(door.lobby.poll_read(joao, &mut outbox, &mut cx), Poll::Ready(false));
    }

    #[test]
    fn who_comes_and_goes_without_a_name_wakes_nobody() {
        let door = Door::open(usize::MAX);
        let ana = door.enters("10.0.0.1");
        door.lobby.with(|room, now| room.hear(ana, Ok(b"NICK ana"), now));
        let bell = Arc::new(Bell(AtomicUsize::new(0)));
        let waker = Waker::from(bell.clone());
        let (mut outbox, mut cx) = (Outbox::default(), Context::from_waker(&waker));
        for _ in 0..3 {
            while door.lobby.poll_read(ana, &mut outbox, &mut cx).is_ready() {}
            let guest = door.enters("10.0.0.2");
            door.lobby.with(|room, now| room.hear(guest, Ok(b"QUIT"), now));
            door.lobby.leave(guest);
        }
        assert_eq!(bell.0.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn where_there_are_members_only_a_newcomer_is_refused() {
        let door = Door::open(1);
        for number in 0..=SPARE {
            let member = door.enters("10.0.0.1");
            let line = format!("NICK n{number}");
            door.lobby.with(|room, now| room.hear(member, Ok(line.as_bytes()), now));
        }
        assert_eq!(door.last_word(door.enters("10.0.0.2")), "ERR room_full");
    }
}
