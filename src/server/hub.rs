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

use crate::room::{EvictReason, Eviction, MemberChange, Reading, Room, Rules, SessionId, Wakeups};
use crate::server::budget::{ByteBucket, Talkers};
use crate::server::origin::{Origin, Origins};
use crate::server::transport::Transport;
use crate::wire::{Nick, Refusal};

/// How many connections may come from one place: a lab behind one terminal server
/// fits, and nobody takes all that there are.
const MAX_FROM_ORIGIN: usize = 64;
/// How many connections there may be for a moment beyond the capacity: those who
/// are told that there is none left, or are about to be gone.
const SPARE: usize = 16;

/// How many are told something at a time, and how many bytes that is: the lock is
/// free while they are sent.
const MAX_DELIVERIES: usize = 64;
const MAX_DELIVERY_BYTES: usize = 64 << 10;

/// The room behind its lock, and a bell for each session.
///
/// This is the only lock that connections share. It is never held across an `.await` or
/// a system call on a socket, and whoever takes it does a whole batch of work at once:
/// all the lines of one read, all the bytes of one write.
///
/// Every access to the room ends by ringing whom the room says was stirred and
/// shutting off whom it says was cut; nobody else touches the room. Those who have
/// nothing to do but to wait need not be rung: whoever has said something may
/// [tell](Hub::tell) them what they have missed.
pub struct Hub {
    state: Mutex<State>,
    opened: Instant,
    /// Where reports go. A console that cannot keep up misses some.
    console: Sender<Report>,
    /// Where the number of people goes when it changes; the last one counts.
    crowd: Sender<usize>,
}

/// The room, and what it does not know about the people in it: where they are.
pub struct State {
    /// The room itself.
    pub room: Room,
    /// Nobody gets in from here.
    pub banned: Origins,
    /// Who comes from here may say nothing. That is known of each session, too,
    /// and is there to stay if the person takes another nick; this is for those
    /// who come back.
    muted: Origins,
    /// Those who come from each place; none is this machine.
    counts: BTreeMap<Option<Origin>, OriginCount>,
    /// How many members have talked of late.
    talkers: Talkers,
    /// How many connections there are, and how many there may be.
    connections: usize,
    capacity: usize,
    /// Indexed by session.
    peers: Vec<Option<Peer>>,
}

/// The connections from one place.
struct OriginCount {
    connections: usize,
    /// What their coming and going may be for the others to read. Each member has a share
    /// of their own; but whoever comes again and again would have many.
    door: ByteBucket,
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
pub enum Report {
    /// Somebody came, went or took another nick.
    Change(MemberChange, SocketAddr),
    /// Somebody was cut off.
    Evicted(Eviction, SocketAddr),
    /// Something is not as it should be, though the chat goes on.
    Warning(String),
    /// The server has stopped, when so many people were here. That may take until then to
    /// be shown.
    Stopped(usize, Instant),
}

/// Who has yet to be told or rung.
#[derive(Default)]
pub struct Pending {
    who: Wakeups,
    /// How much had been said then.
    said: u64,
}

impl Pending {
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
pub struct Batch {
    /// What the last one was told.
    pub bytes: Vec<u8>,
    /// The stretch of the talk that this is, if it is that alone.
    talk: Option<(u64, u64)>,
}

impl Batch {
    fn read(&mut self, room: &mut Room, id: SessionId) -> Reading {
        if !room.has_unread(id) {
            return Reading::Nothing; // What is here is for the next.
        }
        // If more was said meanwhile, that belongs to the same send.
        let latest = self.talk.filter(|&(_, end)| end == room.talk());
        if latest.is_some_and(|talk| room.skip(id, talk)) {
            return Reading::Some;
        }
        self.bytes.clear();
        let reading = room.read(id, &mut self.bytes);
        self.talk = room.last_read(id);
        reading
    }
}

/// Some of those who only waited, and what they are told.
#[derive(Default)]
pub struct Deliveries {
    /// What is told, one after the other.
    bytes: Vec<u8>,
    told: Vec<Delivery>,
    /// Those who were told before that, until the lock is free: to forget one may be to
    /// close its socket.
    gone: Vec<Delivery>,
    /// Who has to be rung instead.
    bells: Vec<Waker>,
    /// The stretch of the talk that was copied last, and where in `bytes` it is.
    last: Option<(u64, u64)>,
    last_bytes: Range<usize>,
}

/// One who is told something.
struct Delivery {
    id: SessionId,
    line: Arc<Transport>,
    bytes: Range<usize>,
    sent: usize,
    /// Why it is to be cut off, if the kernel says that it cannot be told anything.
    lost: Option<EvictReason>,
}

impl Deliveries {
    fn has_room(&self) -> bool {
        self.told.len() < MAX_DELIVERIES && self.bytes.len() < MAX_DELIVERY_BYTES
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
pub fn broken(err: &io::Error) -> Option<EvictReason> {
    use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
    match err.kind() {
        // It was us who waited no longer: the system has no number for that.
        TimedOut if err.raw_os_error().is_none() => Some(EvictReason::Stalled),
        TimedOut | HostUnreachable | NetworkUnreachable | NetworkDown => Some(EvictReason::Lost),
        _ => None,
    }
}

/// What has to be done after the lock is free.
#[derive(Default)]
struct Aftermath {
    bells: Vec<Waker>,
    evicted: Vec<Arc<Transport>>,
}

impl Hub {
    /// An empty room with these rules, with room for so many connections.
    pub fn new(
        rules: Rules,
        capacity: usize,
        console: Sender<Report>,
        crowd: Sender<usize>,
    ) -> Hub {
        let state = State {
            room: Room::new(rules),
            banned: Origins::default(),
            muted: Origins::default(),
            counts: BTreeMap::new(),
            talkers: Talkers::default(),
            connections: 0,
            capacity,
            peers: Vec::new(),
        };
        Hub { state: Mutex::new(state), opened: Instant::now(), console, crowd }
    }

    /// Gives a new connection its session. It counts as one of those from `place`,
    /// if that is one, until it is [closed](Hub::closed).
    pub fn enter(
        &self,
        transport: &Arc<Transport>,
        address: SocketAddr,
        place: Option<Origin>,
    ) -> SessionId {
        self.govern(|state| {
            let id = state.room.enter();
            state.seat(id, Some((transport.clone(), address)));
            state.connections += 1;
            let door = ByteBucket::new(Instant::now());
            let crowd = state.counts.entry(place).or_insert(OriginCount { connections: 0, door });
            crowd.connections += 1;
            let crowded = place.is_some() && crowd.connections > MAX_FROM_ORIGIN;
            if state.banned.hold(address.ip()) {
                state.room.ban(id);
            } else if crowded {
                state.room.refuse(id, Refusal::Crowded);
            } else if state.connections > state.capacity {
                state.evict_guest(id);
                if state.connections > state.capacity.saturating_add(SPARE) {
                    state.room.refuse(id, Refusal::RoomFull);
                }
            }
            if state.muted.hold(address.ip()) {
                state.room.mute(id, true);
            }
            id
        })
    }

    /// Gives the log its session.
    pub fn observe(&self) -> SessionId {
        let mut state = self.lock();
        let id = state.room.observe();
        state.seat(id, None);
        id
    }

    /// Runs `work` on the room, then rings whoever now has something to read.
    /// The room's time is the time since the hub opened.
    pub fn with<T>(&self, work: impl FnOnce(&mut Room, Duration) -> T) -> T {
        self.govern(|state| work(&mut state.room, self.opened.elapsed()))
    }

    /// The same with the whole state, for who has to know where people are.
    pub fn govern<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = work(&mut state);
        let aftermath = self.settle(&mut state);
        drop(state);
        self.clear_up(aftermath);
        result
    }

    /// Waits for something to read and puts it into `batch`. `false` when there
    /// will be nothing more.
    pub fn poll_read(&self, id: SessionId, batch: &mut Batch, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        let State { room, peers, .. } = &mut *state;
        let peer = peers[id.index()].as_mut().expect("it is waiting here");
        let reading = if peer.told { Reading::Nothing } else { batch.read(room, id) };
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
    pub fn return_unsent(&self, id: SessionId, batch: &Batch, sent: usize) {
        self.with(|room, now| room.return_unsent(id, &batch.bytes, sent, now));
    }

    /// Runs `work` on the state for the task of one session, but rings nobody: that task
    /// is awake, and [tells](Hub::tell) the others.
    pub fn with_quietly<T>(
        &self,
        id: SessionId,
        work: impl FnOnce(&mut State, Duration) -> T,
    ) -> (T, Pending) {
        let mut state = self.lock();
        let result = work(&mut state, self.opened.elapsed());
        let mut pending = Pending { who: state.room.take_wakeups(), said: state.room.talk() };
        pending.who.some.retain(|&other| other != id);
        let aftermath = self.settle(&mut state);
        drop(state);
        self.clear_up(aftermath);
        (result, pending)
    }

    /// Tells people what they have missed, as far as they do nothing but wait and
    /// their kernels take it at once. All others are rung.
    ///
    /// For somebody who waits this saves a turn of their task, on another thread
    /// perhaps; and whoever waits at the same place hears the same bytes. Where others
    /// talk at the same time, it would only tear apart what can be heard by one send:
    /// then all are rung.
    pub fn tell(&self, pending: Pending, deliveries: &mut Deliveries) {
        let mut next = 0;
        loop {
            let mut state = self.lock();
            state.release(deliveries, self.opened);
            if state.room.talk() == pending.said {
                while deliveries.has_room()
                    && let Some(index) = pending.nth(next, state.peers.len())
                {
                    state.claim(index, deliveries);
                    next += 1;
                }
            } else {
                state.ring(&pending.who, &mut deliveries.bells);
            }
            let aftermath = self.settle(&mut state);
            drop(state);
            self.clear_up(aftermath);
            deliveries.gone.clear();
            deliveries.ring();
            if deliveries.told.is_empty() {
                return;
            }
            deliveries.send();
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
        state.room.input_ended(id);
        let aftermath = self.settle(&mut state);
        state.room.leave(id);
        let peer = state.peers[id.index()].take();
        drop(state);
        self.clear_up(aftermath);
        drop(peer);
    }

    /// A connection from `place` is closed, which takes longer than to leave: it has a
    /// socket until it has read its last word.
    pub fn closed(&self, place: Option<Origin>) {
        let mut state = self.lock();
        state.connections -= 1;
        if let Entry::Occupied(mut crowd) = state.counts.entry(place) {
            crowd.get_mut().connections -= 1;
            if crowd.get().connections == 0 {
                crowd.remove();
            }
        }
    }

    /// A panic while the lock was held has ended one client's task. The room is
    /// as whole as that task left it, and better than none for all the others.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the room what has to follow from what was just done to it. What the operator
    /// is shown, and how many are here, is passed on before the next change: the last
    /// number is the one that counts.
    fn settle(&self, state: &mut State) -> Aftermath {
        let mut aftermath = Aftermath::default();
        for eviction in state.room.take_evictions() {
            if let Some((transport, address)) = state.line(eviction.id) {
                aftermath.evicted.push(transport.clone());
                self.show(Report::Evicted(eviction, address));
            }
        }
        for change in state.room.take_changes() {
            self.crowd.force_send(change.members).ok(); // Nobody may want to know.
            if let Some((_, address)) = state.line(change.id) {
                self.show(Report::Change(change, address));
            }
        }
        let wakeups = state.room.take_wakeups();
        state.ring(&wakeups, &mut aftermath.bells);
        aftermath
    }

    /// A console that is full or gone shows nothing; the chat goes on.
    fn show(&self, report: Report) {
        self.console.try_send(report).ok();
    }

    fn clear_up(&self, aftermath: Aftermath) {
        for transport in aftermath.evicted {
            // Its task may be waiting for the socket; closing that under it ends it by
            // the common path. Nothing that waits in the kernel is worth sending.
            transport.abort();
        }
        aftermath.bells.into_iter().for_each(Waker::wake);
    }
}

impl State {
    /// The room; what those who come from a place may make the others read; and how many
    /// talk.
    pub fn doorway(&mut self, place: Option<Origin>) -> (&mut Room, &mut ByteBucket, &mut Talkers) {
        let crowd = self.counts.get_mut(&place).expect("somebody is here from there");
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
    pub fn ban(&mut self, place: Origin) -> Vec<Nick> {
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
            Some(ip) if muted => Origin::of(ip, own).into_iter().collect(),
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

    fn sessions_at(&self, places: &[Origin]) -> Vec<SessionId> {
        let there = |address: &SocketAddr| places.iter().any(|place| place.holds(address.ip()));
        let peers = self.peers.iter().flatten();
        let there = peers.filter(|peer| peer.line.as_ref().is_some_and(|(_, at)| there(at)));
        there.map(|peer| peer.id).collect()
    }

    fn nicks(&self, ids: &[SessionId]) -> Vec<Nick> {
        ids.iter().filter_map(|&id| self.room.nick(id).cloned()).collect()
    }

    /// Takes the bells of those who wait.
    fn ring(&mut self, wakeups: &Wakeups, bells: &mut Vec<Waker>) {
        let peers = &mut self.peers;
        let some = wakeups.some.iter();
        bells.extend(some.filter_map(|id| peers[id.index()].as_mut()?.bell.take()));
        if wakeups.all {
            let waiting = peers.iter_mut().flatten().filter(|peer| peer.bell.is_some());
            let listeners = waiting.filter(|peer| self.room.listens(peer.id));
            bells.extend(listeners.filter_map(|peer| peer.bell.take()));
        }
    }

    /// Takes note of what somebody who only waits has to be told.
    fn claim(&mut self, index: usize, deliveries: &mut Deliveries) {
        let Some(peer) = &mut self.peers[index] else { return };
        // A task that is at work will find everything by itself.
        if peer.told || peer.bell.is_none() {
            return;
        }
        let id = peer.id;
        let Some((line, _)) = &peer.line else {
            return deliveries.bells.extend(peer.bell.take());
        };
        if !deliveries.last.is_some_and(|talk| self.room.skip(id, talk)) {
            let start = deliveries.bytes.len();
            match self.room.read(id, &mut deliveries.bytes) {
                Reading::Some => (),
                Reading::Nothing => return,
                Reading::Over => return deliveries.bells.extend(peer.bell.take()),
            }
            deliveries.last = self.room.last_read(id);
            deliveries.last_bytes = start..deliveries.bytes.len();
        }
        peer.told = true;
        let bytes = deliveries.last_bytes.clone();
        deliveries.told.push(Delivery { id, line: line.clone(), bytes, sent: 0, lost: None });
    }

    /// Gives back those who were told something.
    fn release(&mut self, deliveries: &mut Deliveries, opened: Instant) {
        while let Some(told) = deliveries.told.pop() {
            deliveries.gone.push(told);
            let told = &deliveries.gone[deliveries.gone.len() - 1];
            // Somebody else may have its place by now.
            let same = |peer: &&mut Peer| {
                peer.line.as_ref().is_some_and(|(line, _)| Arc::ptr_eq(line, &told.line))
            };
            let Some(peer) = self.peers[told.id.index()].as_mut().filter(same) else { continue };
            peer.told = false;
            if let Some(reason) = told.lost {
                self.room.evict(told.id, reason);
                continue;
            }
            let bytes = &deliveries.bytes[told.bytes.clone()];
            if told.sent < bytes.len() {
                self.room.return_unsent(told.id, bytes, told.sent, opened.elapsed());
            }
            // There is more to tell, or it would not all go.
            if self.room.has_unread(told.id) {
                deliveries.bells.extend(peer.bell.take());
            }
        }
        deliveries.bytes.clear();
        deliveries.last = None;
    }

    fn seat(&mut self, id: SessionId, line: Option<(Arc<Transport>, SocketAddr)>) {
        let seats = self.peers.len().max(id.index() + 1);
        self.peers.resize_with(seats, || None);
        self.peers[id.index()] =
            Some(Peer { id, bell: None, told: false, since: Instant::now(), line });
    }

    /// Gives up on whoever has been here longest without saying who they are, for the
    /// sake of a newcomer.
    fn evict_guest(&mut self, newcomer: SessionId) {
        let guests = self.peers.iter().flatten().filter(|peer| {
            let here = peer.line.is_some() && peer.id != newcomer;
            here && !self.room.is_member(peer.id) && !self.room.is_leaving(peer.id)
        });
        let oldest = guests.min_by_key(|peer| peer.since).map(|peer| peer.id);
        if let Some(id) = oldest {
            self.room.evict(id, EvictReason::Displaced);
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

    /// A hub for so many connections, and where what it does is seen.
    struct TestHub {
        hub: Hub,
        listener: net::TcpListener,
        reports: Receiver<Report>,
        count: Receiver<usize>,
    }

    impl TestHub {
        fn open(capacity: usize) -> TestHub {
            let (console, reports) = async_channel::unbounded();
            let (crowd, count) = async_channel::bounded(1);
            let hub = Hub::new(Rules::default(), capacity, console, crowd);
            let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
            TestHub { hub, listener, reports, count }
        }

        fn enters(&self, address: &str) -> SessionId {
            let ip = address.parse().unwrap();
            self.hub.enter(&self.stream(), SocketAddr::new(ip, 50412), Origin::of(ip, &[]))
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
                self.hub.with(|room, now| room.hear(id, Ok(line.as_bytes()), now));
                id
            })
        }

        /// What is on its way from one to another, who waits, when it is about to be sent.
        fn tells(&self, from: SessionId, to: SessionId) -> (Pending, Deliveries) {
            self.last_word(to);
            let say = |state: &mut State, now| state.room.hear(from, Ok(b"MSG one"), now);
            let ((), pending) = self.hub.with_quietly(from, say);
            let mut deliveries = Deliveries::default();
            self.hub.lock().claim(to.index(), &mut deliveries);
            (pending, deliveries)
        }

        /// The last thing that somebody was told.
        fn last_word(&self, id: SessionId) -> String {
            let (mut batch, mut heard) = (Batch::default(), Vec::new());
            let mut cx = Context::from_waker(Waker::noop());
            while self.hub.poll_read(id, &mut batch, &mut cx) == Poll::Ready(true) {
                heard.extend_from_slice(&batch.bytes);
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
            let door = TestHub::open(usize::MAX);
            let first: Vec<SessionId> =
                (0..MAX_FROM_ORIGIN).map(|_| door.enters(address)).collect();
            let one_more = door.enters(neighbour);
            assert_eq!(door.last_word(first[MAX_FROM_ORIGIN - 1]), GREETING);
            assert_eq!(door.last_word(one_more), "ERR too_many_connections");
            assert_eq!(door.last_word(door.enters(other)), GREETING);
            // One leaves, and the one who was refused.
            for id in [first[0], one_more] {
                door.hub.leave(id);
                assert_eq!(door.last_word(door.enters(neighbour)), "ERR too_many_connections");
            }
            // Now they have no sockets any more, and the two who tried meanwhile.
            for _ in 0..4 {
                door.hub.closed(Origin::of(address.parse().unwrap(), &[]));
            }
            assert_eq!(door.last_word(door.enters(address)), GREETING);
        }
        let door = TestHub::open(usize::MAX);
        for _ in 0..2 * MAX_FROM_ORIGIN {
            assert_eq!(door.last_word(door.enters("127.0.0.1")), GREETING);
        }
    }

    #[test]
    fn when_there_are_no_more_sockets_the_oldest_guest_has_to_go_and_no_member() {
        let door = TestHub::open(3);
        let member = door.enters("10.0.0.1");
        door.hub.with(|room, now| room.hear(member, Ok(b"NICK ana"), now));
        let oldest = door.enters("10.0.0.2");
        let younger = door.enters("10.0.0.3");
        assert!(matches!(door.reports.try_recv(), Ok(Report::Change(..))));
        let newcomer = door.enters("10.0.0.4");
        let cut = door.reports.try_recv();
        assert!(
            matches!(&cut, Ok(Report::Evicted(eviction, _)) if eviction.id == oldest && eviction.reason == EvictReason::Displaced),
            "{cut:?}"
        );
        door.hub.leave(oldest);
        assert_eq!(door.last_word(newcomer), GREETING);
        assert_eq!(door.last_word(younger), GREETING);
        assert_eq!(door.last_word(member), "OK welcome ana");
    }

    #[test]
    fn of_all_who_come_and_go_at_once_the_last_number_counts() {
        const TIMES: usize = 2000;
        let door = TestHub::open(usize::MAX);
        let (stream, together) = (door.stream(), Barrier::new(2));
        let come_and_go = &|nick: &str| {
            let line = format!("NICK {nick}");
            let go = || {
                let id = door.hub.enter(&stream, "127.0.0.1:50412".parse().unwrap(), None);
                door.hub.with(|room, now| room.hear(id, Ok(line.as_bytes()), now));
                together.wait();
                door.hub.leave(id);
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
        let door = TestHub::open(usize::MAX);
        let [ana, joao] = ["10.0.0.1", "10.0.0.2"].map(|address| door.enters(address));
        for (id, line) in [(ana, b"NICK ana".as_slice()), (joao, b"NICK joao"), (ana, b"MSG oi")] {
            door.hub.with(|room, now| room.hear(id, Ok(line), now));
        }
        let (mut batch, mut cx) = (Batch::default(), Context::from_waker(Waker::noop()));
        for (id, heard) in [
            (ana, "New User. Please register with: NICK <your_nick>\nOK welcome ana\n"),
            (joao, "New User. Please register with: NICK <your_nick>\nOK welcome joao\n"),
        ] {
            assert_eq!(door.hub.poll_read(id, &mut batch, &mut cx), Poll::Ready(true));
            let told = String::from_utf8_lossy(&batch.bytes);
            assert!(told.starts_with(heard) && told.ends_with("FROM ana [all]: oi\n"), "{told}");
        }
        door.hub.with(|room, now| room.hear(ana, Ok(b"MSG all well?"), now));
        for expected in [Poll::Ready(true), Poll::Pending] {
            for id in [ana, joao] {
                assert_eq!(door.hub.poll_read(id, &mut batch, &mut cx), expected);
                assert!(expected.is_pending() || batch.bytes == b"FROM ana [all]: all well?\n");
            }
        }
    }

    #[test]
    fn whoever_is_being_told_something_is_told_nothing_else_meanwhile() {
        let door = TestHub::open(usize::MAX);
        let [ana, joao] = door.members();
        let says = |line: &[u8]| {
            let say = |state: &mut State, now| state.room.hear(ana, Ok(line), now);
            let ((), pending) = door.hub.with_quietly(ana, say);
            door.hub.tell(pending, &mut Deliveries::default());
        };
        door.last_word(joao); // He has heard everything, and waits.
        door.hub.with_quietly(ana, |state, now| state.room.hear(ana, Ok(b"MSG one"), now));
        let (mut batch, mut cx) = (Batch::default(), Context::from_waker(Waker::noop()));
        assert_eq!(door.hub.poll_read(joao, &mut batch, &mut cx), Poll::Ready(true));
        assert_eq!(batch.bytes, b"FROM ana [all]: one\n");
        // Before his task has sent that, somebody would tell him this.
        says(b"MSG two");
        assert_eq!(door.last_word(joao), "FROM ana [all]: two");
        // Now he waits again.
        says(b"MSG three");
        assert_eq!(door.last_word(joao), "");
    }

    #[test]
    fn while_somebody_else_tells_them_something_they_hear_it_from_nobody_else() {
        let door = TestHub::open(usize::MAX);
        let [ana, joao] = ["10.0.0.1", "10.0.0.2"].map(|address| door.enters(address));
        let say = |id, line: &[u8]| {
            door.hub.with_quietly(id, |state, now| state.room.hear(id, Ok(line), now));
        };
        say(ana, b"NICK ana");
        say(joao, b"NICK joao");
        door.last_word(joao); // He waits.
        let [mut first, mut second] = [Deliveries::default(), Deliveries::default()];
        let (mut batch, mut cx) = (Batch::default(), Context::from_waker(Waker::noop()));
        say(ana, b"MSG one");
        door.hub.lock().claim(joao.index(), &mut first);
        say(ana, b"MSG two");
        assert_eq!(door.hub.poll_read(joao, &mut batch, &mut cx), Poll::Pending);
        door.hub.lock().claim(joao.index(), &mut second);
        assert_eq!((first.told.len(), second.told.len()), (1, 0));
        // His kernel took nothing.
        door.hub.lock().release(&mut first, Instant::now());
        assert_eq!(door.hub.poll_read(joao, &mut batch, &mut cx), Poll::Ready(true));
        assert_eq!(batch.bytes, b"FROM ana [all]: one\nFROM ana [all]: two\n");
    }

    #[test]
    fn who_turns_out_to_be_lost_when_somebody_else_tells_them_something_is_cut_off() {
        let door = TestHub::open(usize::MAX);
        let [ana, joao] = door.members();
        let (pending, mut deliveries) = door.tells(ana, joao);
        // As it is after 30 s without an answer; what the system says it says once.
        deliveries.told[0].lost = broken(&io::Error::from_raw_os_error(TIMED_OUT));
        door.hub.tell(pending, &mut deliveries);
        let cut = iter::from_fn(|| door.reports.try_recv().ok()).find_map(|seen| match seen {
            Report::Evicted(eviction, address) => {
                Some((eviction.nick?.to_string(), eviction.reason, address.ip()))
            }
            _ => None,
        });
        assert_eq!(cut, Some(("joao".into(), EvictReason::Lost, "10.0.0.2".parse().unwrap())));
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
        let door = TestHub::open(usize::MAX);
        let [ana, joao] = door.members();
        let (pending, mut deliveries) = door.tells(ana, joao);
        // While he is told something he says that he will say nothing more.
        door.hub.with(|room, _| room.input_ended(joao));
        let bell = Arc::new(Bell(AtomicUsize::new(0)));
        let waker = Waker::from(bell.clone());
        let (mut batch, mut cx) = (Batch::default(), Context::from_waker(&waker));
        assert!(door.hub.poll_read(joao, &mut batch, &mut cx).is_pending());
        deliveries.told[0].lost = broken(&io::Error::from_raw_os_error(TIMED_OUT));
        door.hub.tell(pending, &mut deliveries);
        assert_eq!(bell.0.load(Ordering::SeqCst), 1);
        assert_eq!(door.hub.poll_read(joao, &mut batch, &mut cx), Poll::Ready(false));
    }

    #[test]
    fn who_comes_and_goes_without_a_name_wakes_nobody() {
        let door = TestHub::open(usize::MAX);
        let ana = door.enters("10.0.0.1");
        door.hub.with(|room, now| room.hear(ana, Ok(b"NICK ana"), now));
        let bell = Arc::new(Bell(AtomicUsize::new(0)));
        let waker = Waker::from(bell.clone());
        let (mut batch, mut cx) = (Batch::default(), Context::from_waker(&waker));
        for _ in 0..3 {
            while door.hub.poll_read(ana, &mut batch, &mut cx).is_ready() {}
            let guest = door.enters("10.0.0.2");
            door.hub.with(|room, now| room.hear(guest, Ok(b"QUIT"), now));
            door.hub.leave(guest);
        }
        assert_eq!(bell.0.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn where_there_are_members_only_a_newcomer_is_refused() {
        let door = TestHub::open(1);
        for number in 0..=SPARE {
            let member = door.enters("10.0.0.1");
            let line = format!("NICK n{number}");
            door.hub.with(|room, now| room.hear(member, Ok(line.as_bytes()), now));
        }
        assert_eq!(door.last_word(door.enters("10.0.0.2")), "ERR room_full");
    }
}
