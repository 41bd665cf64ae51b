//! The room behind its lock, and the only way to it.

mod everywhere;
mod rounds;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::mem;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_channel::{self as channel, TrySendError};

use crate::room::{
    ByteBucket, Change, EvictReason, Eviction, Followed, FollowerId, Heard, Lookup, MAX_LOOKUPS,
    MemberChange, Offer, Room, Rules, Sender, SessionId, Talkers,
};
use crate::server::delivery::{Batch, Peer, Peers, Pending, Sends};
use crate::server::guesses::Guesses;
use crate::server::handovers::Handovers;
use crate::server::handshakes::Handshakes;
use crate::server::mutes::{Mutes, Suspect};
use crate::server::origin::{Origin, Origins};
use crate::server::transport::Transport;
use crate::wire::{MAX_COMMAND, Nick, Refusal, TooLong};
use rounds::Rounds;

/// The bytes that an event has around its nick and text, beyond those of the command.
const EVENT_OVERHEAD: usize = 10;
/// The cost of a guest that joins and will leave, in bytes: two lines with the longest nick.
const JOIN_COST: usize = 300;
/// How many connections there may be for a moment beyond the capacity: those that are
/// refused, or about to be gone.
const SPARE: usize = 16;

/// The room behind its lock.
///
/// Every access to the room goes through [`Hub::lock`]. When the returned guard is dropped,
/// it drains the room's effects once, releases the lock, and only then wakes, closes and
/// reports. The lock is never held across an `.await` or a system call on a socket.
///
/// This is the only lock that connections share. A task holds it for a whole batch of work:
/// all the lines of one read, all the bytes of one write.
pub struct Hub {
    state: Mutex<State>,
    opened: Instant,
    /// Where reports go. A console that cannot keep up misses some.
    reports: channel::Sender<Report>,
    /// Where the number of members goes when it changes; the last one counts.
    users: channel::Sender<usize>,
    /// Where questions about the past go.
    lookups: OnceLock<channel::Sender<Lookup>>,
    /// Where the offers of members go that can be the next host.
    offers: OnceLock<channel::Sender<Offer>>,
    /// Rings when the room has something for the log that several servers share.
    bell: OnceLock<SyncSender<()>>,
    /// The time until a round of telling is due.
    rounds: (channel::Sender<Duration>, channel::Receiver<Duration>),
}

/// How many offers wait to be tried.
const MAX_OFFERS: usize = 64;

/// The room, and what it does not know about its sessions: where they are.
pub struct State {
    /// The room itself.
    pub room: Room,
    /// The origins that may not connect.
    pub banned: Origins,
    /// The muted persons. Each session knows that as well; this is for persons that come
    /// back.
    pub mutes: Mutes,
    /// Nicks that have changed hands of late.
    pub handovers: Handovers,
    /// When the next handshake may take place.
    pub handshakes: Handshakes,
    /// The passwords that were tried of late.
    pub guesses: Guesses,
    /// Newcomers from where a muted person is or was, to be reported.
    suspects: Vec<Suspect>,
    /// The connections from each origin; none is this machine.
    counts: BTreeMap<Option<Origin>, OriginCount>,
    /// How many members have talked of late.
    talkers: Talkers,
    /// How many connections there are, and how many there may be.
    connections: usize,
    capacities: Capacities,
    peers: Peers,
    rounds: Rounds,
}

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub struct Capacities {
    /// In all, which is what the system allows.
    pub all: usize,
    /// From each origin but this machine; 0 is no limit.
    pub each_origin: usize,
}

/// The connections from one origin.
struct OriginCount {
    connections: usize,
    /// The budget for the guests of an origin. Each member has a bucket of its own; a
    /// client that comes again and again would have many.
    bucket: ByteBucket,
}

/// A member as the operator is shown it, with the address of the client.
#[derive(Debug)]
pub enum Report {
    /// A member came, left or took another nick.
    Change(MemberChange, SocketAddr),
    /// A session was evicted.
    Evicted(Eviction, SocketAddr),
    /// A newcomer comes from where a muted person is or was.
    Suspected(Suspect),
    /// The server is one room with so many others, and so many people there.
    OneRoom(usize, usize),
    /// A server of another version shares the log, with this version of its format.
    OtherVersion(u32),
    /// Something is not as it should be, though the chat goes on.
    Warning(String),
    /// Something that the operator may want to tell others; lines that end.
    Notice(String),
    /// The server has stopped with so many members. The report may take until that time to
    /// be shown.
    Stopped(usize, Instant),
}

/// Access to the room. Its drop applies the room's effects.
pub struct Access<'a> {
    hub: &'a Hub,
    /// The time since the hub opened, which is the room's time.
    pub now: Duration,
    /// Dropped before what follows, so the lock is free then.
    state: MutexGuard<'a, State>,
    after: AfterUnlock,
}

/// The effects that are applied when the lock is free.
#[derive(Default)]
struct AfterUnlock {
    wakers: Vec<Waker>,
    evicted: Vec<Arc<Transport>>,
    /// To drop a peer may close its socket.
    gone: Option<Peer>,
}

impl Drop for AfterUnlock {
    fn drop(&mut self) {
        for transport in self.evicted.drain(..) {
            // Its task may be waiting for the socket. Closing that under it ends it by the
            // common path. Nothing that waits in the kernel is worth sending.
            transport.abort();
        }
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

impl Deref for Access<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Access<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Access<'_> {
    /// Drains the room's effects. Reports go out before the next change, because the last
    /// number of members is the one that counts.
    fn settle(&mut self) {
        for lookup in self.state.room.take_lookups() {
            self.hub.look_up(&mut self.state.room, lookup);
        }
        for offer in self.state.room.take_offers() {
            // One that is dropped may be made again.
            self.hub.offers.get().map(|offers| offers.try_send(offer));
        }
        if self.state.room.is_shared() {
            self.settle_order();
        }
        let effects = self.state.room.take_effects();
        effects.changes.iter().for_each(|change| self.state.note(change));
        for suspect in mem::take(&mut self.state.suspects) {
            self.hub.report(Report::Suspected(suspect));
        }
        let peers = &self.state.peers;
        for eviction in effects.evicted {
            if let Some(peer) = peers.get(eviction.id) {
                self.after.evicted.push(peer.transport.clone());
                if eviction.reason == EvictReason::Replaced {
                    continue; // The change of the members tells that.
                }
                self.hub.report(Report::Evicted(eviction, peer.address));
            }
        }
        for change in effects.changes {
            self.hub.users.force_send(change.members).ok(); // Nobody may want to know.
            if let Some(peer) = peers.get(change.id) {
                self.hub.report(Report::Change(change, peer.address));
            }
        }
        self.wake(effects.wake);
        let State { room, peers, .. } = &mut *self.state;
        peers.resume(&effects.resumed, &mut self.after.wakers);
        if effects.opened {
            let report = Report::OneRoom(room.other_servers(), room.population());
            self.hub.report(report);
        }
        if let Some(version) = effects.other_version {
            self.hub.report(Report::OtherVersion(version));
        }
        if effects.elsewhere {
            self.hub.users.force_send(room.population()).ok(); // Nobody may want to know.
        }
    }

    /// Does what the operators of all servers have ordered, and rings for new proposals.
    fn settle_order(&mut self) {
        for order in self.state.room.take_orders() {
            self.state.obey(order);
        }
        if self.state.room.has_entry(self.now)
            && let Some(bell) = self.hub.bell.get()
        {
            bell.try_send(()).ok(); // It may be ringing.
        }
    }

    /// Takes the wakeups away from the drop. The task of session `id` is awake, and
    /// [delivers](Hub::deliver) to the others by itself.
    pub fn defer_wakeups(&mut self, id: SessionId) -> Pending {
        let pending = Pending::take(&mut self.state.room, id);
        self.wake_followers(pending)
    }

    /// The same for a thread that serves no session.
    #[cfg(feature = "engine")]
    pub fn defer_all_wakeups(&mut self) -> Pending {
        let pending = Pending::take_all(&mut self.state.room);
        self.wake_followers(pending)
    }

    fn wake_followers(&mut self, mut pending: Pending) -> Pending {
        self.hold_back(&mut pending.wake);
        if pending.is_for_all() {
            self.state.peers.wake_followers(&mut self.after.wakers);
        }
        pending
    }
}

impl Drop for Access<'_> {
    fn drop(&mut self) {
        self.settle();
    }
}

impl Hub {
    /// An empty room with these rules, and with room for so many connections.
    pub fn new(
        rules: Rules,
        capacities: Capacities,
        reports: channel::Sender<Report>,
        users: channel::Sender<usize>,
    ) -> Hub {
        let state = State {
            room: Room::new(rules),
            banned: Origins::default(),
            mutes: Mutes::default(),
            handovers: Handovers::default(),
            handshakes: Handshakes::default(),
            guesses: Guesses::default(),
            suspects: Vec::new(),
            counts: BTreeMap::new(),
            talkers: Talkers::default(),
            connections: 0,
            capacities,
            peers: Peers::default(),
            rounds: Rounds::default(),
        };
        let (state, opened) = (Mutex::new(state), Instant::now());
        let (lookups, offers, bell) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Hub { state, opened, reports, users, lookups, offers, bell, rounds: channel::bounded(1) }
    }

    /// Locks the room. A panic while the lock was held has ended one client's task. The
    /// room is as whole as that task left it, and better than none for all the others.
    pub fn lock(&self) -> Access<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.opened.elapsed();
        if state.room.tick(now) {
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            state.room.set_wall_clock(wall.as_millis() as u64);
        }
        Access { hub: self, now, state, after: AfterUnlock::default() }
    }

    /// Rings this when the room has something for the log that several servers share.
    pub fn on_proposal(&self, bell: SyncSender<()>) {
        self.bell.set(bell).expect("one log is shared");
    }

    /// Sends the questions that the room cannot answer by itself to the caller. It has
    /// them [answered](Room::answer).
    pub fn answer_lookups(&self) -> channel::Receiver<Lookup> {
        let (sender, lookups) = channel::bounded(MAX_LOOKUPS);
        self.lookups.set(sender).expect("one thread answers");
        lookups
    }

    /// Sends the offers of members that can be the next host to the caller. It tries to reach
    /// each, and [tells](Room::prove) the room.
    pub fn take_offers(&self) -> channel::Receiver<Offer> {
        let (sender, offers) = channel::bounded(MAX_OFFERS);
        self.offers.set(sender).expect("one thread takes them");
        offers
    }

    /// Passes a question on; if the caller answers none, nothing is found.
    fn look_up(&self, room: &mut Room, lookup: Lookup) {
        let passed = match self.lookups.get() {
            Some(lookups) => lookups.try_send(lookup).map_err(TrySendError::into_inner),
            None => Err(lookup),
        };
        if let Err(lookup) = passed {
            room.answer(&lookup, b"", 0, false);
        }
    }

    /// Counts a new connection, and decides whether it may enter. It is counted until the
    /// guard is dropped. None is the origin of this machine, which has no limit.
    pub fn admit(&self, address: SocketAddr, origin: Option<Origin>) -> ConnectionGuard<'_> {
        let mut access = self.lock();
        let now = access.now;
        access.connections += 1;
        let count = access.counts.entry(origin);
        let count =
            count.or_insert_with(|| OriginCount { connections: 0, bucket: ByteBucket::new(now) });
        count.connections += 1;
        let connections = count.connections;
        let most = access.capacities.each_origin;
        let crowded = origin.is_some() && most > 0 && connections > most;
        let mut refusal = crowded.then_some(Refusal::Crowded);
        let banned = access.banned.hold(address.ip());
        if !banned && !crowded && access.connections > access.capacities.all {
            access.displace_guest();
            let most = access.capacities.all.saturating_add(SPARE);
            refusal = (access.connections > most).then_some(Refusal::RoomFull);
        }
        ConnectionGuard { hub: self, address, origin, refusal }
    }

    /// Gives an admitted connection its session, and tells it if it was refused. A newcomer
    /// that has to prove the password first is not greeted yet.
    pub fn enter<'a>(
        &'a self,
        connection: &ConnectionGuard<'_>,
        transport: &Arc<Transport>,
        unproven: bool,
    ) -> SessionGuard<'a> {
        let mut access = self.lock();
        let ip = connection.address.ip();
        let id = match unproven {
            true => access.room.enter_unproven(),
            false => access.room.enter(),
        };
        if transport.is_encrypted() {
            access.room.set_encrypted(id);
        }
        access.peers.insert(id, transport.clone(), connection.address, connection.origin);
        if access.banned.hold(ip) {
            access.room.ban(id);
        } else if let Some(refusal) = connection.refusal {
            access.room.refuse(id, refusal);
        }
        SessionGuard { hub: self, id }
    }

    /// Adds a follower of everything that is said in public from now on.
    pub fn follow(&self) -> FollowerId {
        self.lock().room.follow()
    }

    /// Waits for something that a follower has not read, and puts it at the end of `out`.
    pub fn poll_follow(
        &self,
        id: FollowerId,
        out: &mut Vec<u8>,
        cx: &mut Context<'_>,
    ) -> Poll<Followed> {
        self.poll_follower(id, cx, |room| room.read_on(id, out))
    }

    /// Adds a follower of the messages from now on, which no sender waits for.
    pub fn follow_messages(&self) -> FollowerId {
        self.lock().room.follow_messages()
    }

    /// Waits for messages that a follower has not read, and puts them at the end of `out`,
    /// as the lines of a store.
    pub fn poll_messages(
        &self,
        id: FollowerId,
        out: &mut Vec<u8>,
        cx: &mut Context<'_>,
    ) -> Poll<Followed> {
        self.poll_follower(id, cx, |room| room.read_messages(id, out))
    }

    /// Reads for a follower, which is woken later if there is nothing.
    fn poll_follower(
        &self,
        id: FollowerId,
        cx: &mut Context<'_>,
        read: impl FnOnce(&mut Room) -> Followed,
    ) -> Poll<Followed> {
        let mut access = self.lock();
        match read(&mut access.room) {
            Followed::Nothing => {
                access.peers.follower_waits(id, cx.waker());
                Poll::Pending
            }
            followed => Poll::Ready(followed),
        }
    }

    /// Waits for something to read and puts it into `batch`. `false` when there will be
    /// nothing more.
    pub fn poll_read(&self, id: SessionId, batch: &mut Batch, cx: &mut Context<'_>) -> Poll<bool> {
        let mut access = self.lock();
        let State { room, peers, .. } = &mut *access;
        peers.poll_read(room, id, batch, cx)
    }

    /// Takes the last batch for unread again, all but its first `sent` bytes.
    pub fn return_unsent(&self, id: SessionId, batch: &Batch, sent: usize) {
        let mut access = self.lock();
        let now = access.now;
        access.room.return_unsent(id, batch.last(), sent, now);
    }

    /// Sends unread bytes to the pending readers that only wait, as far as their kernels
    /// take them at once. All others are woken.
    pub fn deliver(&self, pending: &Pending, sends: &mut Sends) {
        sends.restart();
        loop {
            let mut access = self.lock();
            let now = access.now;
            let State { room, peers, .. } = &mut *access;
            sends.turn(peers, room, pending, now);
            drop(access);
            if !sends.send() {
                return;
            }
        }
    }

    /// Stops reporting the number of members.
    pub fn withdraw(&self) {
        self.users.close();
    }

    /// A console that is full or gone shows nothing; the chat goes on.
    fn report(&self, report: Report) {
        self.reports.try_send(report).ok();
    }
}

/// A connection that is counted until this is dropped. That is later than the end of its
/// session: it has a socket until it has read its last line.
pub struct ConnectionGuard<'a> {
    /// Where the connection is counted.
    pub hub: &'a Hub,
    address: SocketAddr,
    /// Where it comes from, if that is not this machine.
    pub origin: Option<Origin>,
    /// Why it may not enter.
    refusal: Option<Refusal>,
}

impl Drop for ConnectionGuard<'_> {
    fn drop(&mut self) {
        let mut access = self.hub.lock();
        access.connections -= 1;
        if let Entry::Occupied(mut count) = access.counts.entry(self.origin) {
            count.get_mut().connections -= 1;
            if count.get().connections == 0 {
                count.remove();
            }
        }
    }
}

/// A session that is over when this is dropped, even if its task panics.
pub struct SessionGuard<'a> {
    hub: &'a Hub,
    /// The session.
    pub id: SessionId,
}

impl Drop for SessionGuard<'_> {
    fn drop(&mut self) {
        let mut access = self.hub.lock();
        // Its last effects are applied while its address is still known.
        access.room.connection_ended(self.id);
        access.settle();
        access.room.leave(self.id);
        let gone = access.peers.remove(self.id);
        access.after.gone = gone;
    }
}

impl State {
    /// Offers a line to the room. It is not taken while a reader lags and the sender has used
    /// up its share. The guests of one origin have one share together.
    pub fn hear(
        &mut self,
        id: SessionId,
        line: Result<&[u8], TooLong>,
        sender: &mut Sender,
        now: Duration,
    ) -> Heard {
        let room = &mut self.room;
        let length = line.map_or(MAX_COMMAND, <[u8]>::len);
        let nick = room.nick(id).map(|nick| nick.as_str().len());
        let (bucket, cost) = match nick {
            Some(nick) => (&mut sender.bytes, length + nick + EVENT_OVERHEAD),
            // Else a short nick would always be before a long one.
            None => {
                let origin = self.peers.get(id).and_then(|peer| peer.origin);
                let count = self.counts.get_mut(&origin).expect("a connection is counted");
                (&mut count.bucket, JOIN_COST)
            }
        };
        let senders = self.talkers.number();
        if bucket.is_spent(cost, senders, now)
            && (room.must_wait(now) || room.must_wait_for_reader(id, now))
        {
            return Heard::Later;
        }
        if room.is_shared() && room.holds(id, line) {
            return Heard::Held;
        }
        let before = room.spoken();
        room.hear(id, line, now);
        let said = (room.spoken() - before) as usize;
        if nick.is_some() {
            bucket.spend(length.max(said), senders, now);
            self.talkers.count(&mut sender.second, now.as_secs());
            return Heard::Done;
        }
        bucket.spend(2 * said, senders, now);
        self.look_at_newcomer(id);
        Heard::Done
    }

    /// Mutes a muted person that comes back, before its next line.
    fn look_at_newcomer(&mut self, id: SessionId) {
        let origin = self.peers.get(id).and_then(|peer| peer.origin);
        if let Some(nick) = self.room.nick(id)
            && !self.room.has_resumed(id)
            && let Some(suspect) = self.mutes.joined(id, nick, origin)
        {
            if suspect.certain {
                self.room.mute(id, true);
            }
            self.suspects.push(suspect);
        }
    }

    /// The address of a session.
    pub fn address(&self, id: SessionId) -> Option<SocketAddr> {
        Some(self.peers.get(id)?.address)
    }

    /// How long a session has been here.
    pub fn here_for(&self, id: SessionId) -> Option<Duration> {
        Some(self.peers.get(id)?.since.elapsed())
    }

    /// Bans an origin, and removes all sessions from there. Returns those that had a nick.
    pub fn ban(&mut self, origin: Origin) -> Vec<Nick> {
        self.banned.add(origin);
        let there = self.sessions_from(&[origin]);
        let nicks = self.nicks(&there);
        there.into_iter().for_each(|id| self.room.ban(id));
        nicks
    }

    /// Mutes one person. Returns the others that come from the same origin, and may go on
    /// talking; none are named on this machine.
    pub fn mute(&mut self, id: SessionId, nick: Nick) -> Vec<Nick> {
        self.room.mute(id, true);
        let origin = self.peers.get(id).and_then(|peer| peer.origin);
        let others = self.members_beside(id, origin);
        self.mutes.add(id, nick, origin, !others.is_empty());
        if origin.is_some() { others } else { Vec::new() }
    }

    /// Lets a person talk again. Returns whether they were muted.
    pub fn unmute(&mut self, id: SessionId) -> bool {
        let muted = self.room.is_muted(id);
        self.room.mute(id, false);
        self.mutes.lift(id);
        muted
    }

    /// Keeps what is known of people up to date.
    fn note(&mut self, change: &MemberChange) {
        self.handovers.note(change);
        match &change.what {
            Change::Renamed(_, nick) => self.mutes.renamed(change.id, nick),
            Change::Resumed(from, _) => self.mutes.moved(*from, change.id),
            Change::Left(_) if self.mutes.hold(change.id) => {
                let origin = self.peers.get(change.id).and_then(|peer| peer.origin);
                let shared = !self.members_beside(change.id, origin).is_empty();
                self.mutes.left(change.id, shared);
            }
            // A line that came back from the order is not heard, so this is the moment.
            Change::Joined(_) if self.room.is_shared() => self.look_at_newcomer(change.id),
            Change::Left(_) | Change::Joined(_) => (),
        }
    }

    /// The other members that come from an origin.
    fn members_beside(&self, id: SessionId, origin: Option<Origin>) -> Vec<Nick> {
        let others = self.room.members().filter(|(other, _)| {
            *other != id && self.peers.get(*other).is_some_and(|peer| peer.origin == origin)
        });
        others.map(|(_, nick)| nick.clone()).collect()
    }

    fn sessions_from(&self, origins: &[Origin]) -> Vec<SessionId> {
        let there = |peer: &&Peer| origins.iter().any(|origin| origin.holds(peer.address.ip()));
        self.peers.iter().filter(there).map(|peer| peer.id).collect()
    }

    fn nicks(&self, ids: &[SessionId]) -> Vec<Nick> {
        ids.iter().filter_map(|&id| self.room.nick(id).cloned()).collect()
    }

    /// Evicts the guest that has been here longest, because a newcomer needs its place.
    fn displace_guest(&mut self) {
        let guests = self
            .peers
            .iter()
            .filter(|peer| !self.room.is_member(peer.id) && !self.room.is_leaving(peer.id));
        let oldest = guests.min_by_key(|peer| peer.since).map(|peer| peer.id);
        if let Some(id) = oldest {
            self.room.evict(id, EvictReason::Displaced);
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
