//! The clients of the room, and how unread bytes reach their sockets.
//!
//! A client that waits for something to read costs its task a wakeup. The task that spoke
//! saves that: it sends the bytes itself to clients that only wait. All others find their
//! bytes when their own tasks ask for them. Both take a [`Batch`] from the room.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::room::{EvictReason, FollowerId, Reading, Room, SessionId, Wakeups};
use crate::server::origin::Origin;
use crate::server::transport::Transport;

/// How many clients are sent something at a time, and how many bytes that is: the lock is
/// free meanwhile.
const MAX_SENDS: usize = 64;
const MAX_SEND_BYTES: usize = 64 << 10;

/// The far end of one session.
pub struct Peer {
    /// Its session.
    pub id: SessionId,
    /// Where it comes from.
    pub address: SocketAddr,
    /// Its origin; none is this machine.
    pub origin: Option<Origin>,
    /// When it came.
    pub since: Instant,
    /// Its connection.
    pub transport: Arc<Transport>,
    delivery: Delivery,
    /// Its task has to be woken when another one has sent.
    resumed: bool,
}

/// Which task may send to a peer.
enum Delivery {
    /// The peer's own task is at work, and will find everything by itself.
    Busy,
    /// The peer's own task only waits. Another task may send instead.
    Idle(Waker),
    /// Another task is sending. The peer's own task waits until that is done.
    Claimed(Waker),
}

/// All peers and followers.
#[derive(Default)]
pub struct Peers {
    /// Indexed by session.
    peers: Vec<Option<Peer>>,
    /// The wakers of followers that wait, indexed by follower.
    followers: Vec<Option<Waker>>,
}

impl Peers {
    /// Adds the connection of a session.
    pub fn insert(
        &mut self,
        id: SessionId,
        transport: Arc<Transport>,
        address: SocketAddr,
        origin: Option<Origin>,
    ) {
        let length = self.peers.len().max(id.index() + 1);
        self.peers.resize_with(length, || None);
        let (since, delivery) = (Instant::now(), Delivery::Busy);
        self.peers[id.index()] =
            Some(Peer { id, address, origin, since, transport, delivery, resumed: false });
    }

    /// Removes a peer. To drop it may close its socket, so do that without the lock.
    pub fn remove(&mut self, id: SessionId) -> Option<Peer> {
        self.peers[id.index()].take()
    }

    /// The peer of a session.
    pub fn get(&self, id: SessionId) -> Option<&Peer> {
        self.peers.get(id.index())?.as_ref()
    }

    /// All peers.
    pub fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter().flatten()
    }

    /// Waits for something to read and puts it into `batch`. `false` when there will be
    /// nothing more.
    pub fn poll_read(
        &mut self,
        room: &mut Room,
        id: SessionId,
        batch: &mut Batch,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        let peer = self.peers[id.index()].as_mut().expect("a session that waits has a peer");
        if let Delivery::Claimed(waker) = &mut peer.delivery {
            waker.clone_from(cx.waker());
            return Poll::Pending;
        }
        let reading = match () {
            // The batch stays, because the next session may read the same.
            () if !room.has_unread(id) => Reading::Nothing,
            () if batch.repeat(room, id) => Reading::Some,
            () => {
                batch.clear();
                batch.read(room, id)
            }
        };
        if reading == Reading::Nothing {
            match &mut peer.delivery {
                Delivery::Idle(waker) => waker.clone_from(cx.waker()),
                delivery => *delivery = Delivery::Idle(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        peer.delivery = Delivery::Busy;
        Poll::Ready(reading == Reading::Some)
    }

    /// Remembers the waker of a follower for when the transcript grows.
    pub fn follower_waits(&mut self, id: FollowerId, waker: &Waker) {
        let length = self.followers.len().max(id.index() + 1);
        self.followers.resize_with(length, || None);
        self.followers[id.index()] = Some(waker.clone());
    }

    /// Takes the wakers of all followers that wait.
    pub fn wake_followers(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.followers.iter_mut().filter_map(Option::take));
    }

    /// Takes the wakers of peers that wait. One that is claimed is woken afterwards.
    pub fn wake(&mut self, room: &Room, wakeups: &Wakeups, wakers: &mut Vec<Waker>) {
        for id in &wakeups.some {
            if let Some(peer) = &mut self.peers[id.index()] {
                wakers.extend(peer.take_waker());
            }
        }
        if wakeups.all {
            let listeners = self.peers.iter_mut().flatten().filter(|peer| room.listens(peer.id));
            wakers.extend(listeners.filter_map(Peer::take_waker));
            self.wake_followers(wakers);
        }
    }

    /// Takes the wakers of peers that may say their next line, though they have nothing to
    /// read.
    pub fn resume(&mut self, ids: &[SessionId], wakers: &mut Vec<Waker>) {
        for id in ids {
            if let Some(peer) = self.peers.get_mut(id.index()).and_then(Option::as_mut) {
                match peer.delivery {
                    Delivery::Claimed(_) => peer.resumed = true,
                    Delivery::Busy | Delivery::Idle(_) => wakers.extend(peer.take_waker()),
                }
            }
        }
    }

    /// Claims a peer that only waits, and takes what it is to be sent.
    fn claim(&mut self, room: &mut Room, index: usize, sends: &mut Sends) {
        let Some(peer) = &mut self.peers[index] else { return };
        if !matches!(peer.delivery, Delivery::Idle(_)) {
            return;
        }
        if !sends.batch.repeat(room, peer.id) {
            match sends.batch.read(room, peer.id) {
                Reading::Some => (),
                Reading::Nothing => return,
                Reading::Over => return sends.wakers.extend(peer.take_waker()),
            }
        }
        peer.delivery = match mem::replace(&mut peer.delivery, Delivery::Busy) {
            Delivery::Idle(waker) => Delivery::Claimed(waker), // Moved: a clone costs more.
            other => other,
        };
        let (transport, bytes) = (peer.transport.clone(), sends.batch.range.clone());
        sends.claimed.push(Send { id: peer.id, transport, bytes, sent: 0, lost: None });
    }

    /// Gives claimed peers back to their own tasks.
    fn release(&mut self, room: &mut Room, sends: &mut Sends, now: Duration) {
        while let Some(send) = sends.claimed.pop() {
            let peer = self.peers[send.id.index()].as_mut();
            // Another session may have its index by now.
            if let Some(peer) = peer.filter(|peer| Arc::ptr_eq(&peer.transport, &send.transport)) {
                peer.release();
                let bytes = &sends.batch.bytes[send.bytes.clone()];
                if let Some(reason) = send.lost {
                    room.evict(send.id, reason);
                } else if send.sent < bytes.len() {
                    room.return_unsent(send.id, bytes, send.sent, now);
                }
                // There is more to send, or not everything could be sent.
                if mem::take(&mut peer.resumed) || room.has_unread(send.id) {
                    sends.wakers.extend(peer.take_waker());
                }
            }
            sends.released.push(send);
        }
        sends.batch.clear();
    }
}

impl Peer {
    /// The waker of a task that only waits. It has something to do now.
    fn take_waker(&mut self) -> Option<Waker> {
        match mem::replace(&mut self.delivery, Delivery::Busy) {
            Delivery::Idle(waker) => Some(waker),
            other => {
                self.delivery = other;
                None
            }
        }
    }

    fn release(&mut self) {
        self.delivery = match mem::replace(&mut self.delivery, Delivery::Busy) {
            Delivery::Claimed(waker) => Delivery::Idle(waker),
            other => other,
        };
    }
}

/// Bytes that were taken from the room, for one session after the other.
///
/// Most sessions read the same stretch of the transcript. It is copied for the first of
/// them, and used again for the next.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where the last batch is in `bytes`.
    range: Range<usize>,
    /// The stretch of the transcript that it is, if it is that alone.
    stretch: Option<(u64, u64)>,
}

impl Batch {
    /// The bytes that were taken last.
    pub fn last(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }

    /// Whether the last batch is what this session reads next. More may have been said
    /// meanwhile; that belongs to the same send, so the batch is not used again then.
    fn repeat(&self, room: &mut Room, id: SessionId) -> bool {
        let latest = self.stretch.filter(|&(_, end)| end == room.head());
        latest.is_some_and(|stretch| room.skip(id, stretch))
    }

    /// Takes what a session reads next. The batches so far stay.
    fn read(&mut self, room: &mut Room, id: SessionId) -> Reading {
        let start = self.bytes.len();
        let reading = room.read(id, &mut self.bytes);
        if reading == Reading::Some {
            self.range = start..self.bytes.len();
            self.stretch = room.last_read(id);
        }
        reading
    }

    fn clear(&mut self) {
        self.bytes.clear();
        (self.range, self.stretch) = (0..0, None);
    }
}

/// The readers that are yet to be served or woken.
#[derive(Default)]
pub struct Pending {
    /// The readers.
    pub wake: Wakeups,
    /// The head of the transcript at that time.
    head: u64,
}

impl Pending {
    /// Takes the wakeups of the room, except for the session `id`, whose task is awake.
    pub fn take(room: &mut Room, id: SessionId) -> Pending {
        let mut pending = Pending::take_all(room);
        pending.wake.some.retain(|&other| other != id);
        pending
    }

    /// Takes the wakeups of the room.
    pub fn take_all(room: &mut Room) -> Pending {
        Pending { wake: room.take_wakeups(), head: room.head() }
    }

    /// Whether there are no such readers.
    pub fn is_empty(&self) -> bool {
        !self.wake.all && self.wake.some.is_empty()
    }

    /// Whether every listener is meant.
    pub fn is_for_all(&self) -> bool {
        self.wake.all
    }

    /// The index of one after the other, among so many; none after the last.
    fn nth(&self, n: usize, peers: usize) -> Option<usize> {
        match self.wake.all {
            true => (n < peers).then_some(n),
            false => self.wake.some.get(n).map(|id| id.index()),
        }
    }
}

/// Claimed peers, and what they are sent.
#[derive(Default)]
pub struct Sends {
    /// The next of the pending readers.
    next: usize,
    batch: Batch,
    claimed: Vec<Send>,
    /// Those that were sent to, until the lock is free: to drop one may close its socket.
    released: Vec<Send>,
    /// Those that are woken instead.
    wakers: Vec<Waker>,
}

/// The bytes that one peer is sent.
struct Send {
    id: SessionId,
    transport: Arc<Transport>,
    bytes: Range<usize>,
    sent: usize,
    /// Why it is to be evicted, if the kernel says that nothing can be sent.
    lost: Option<EvictReason>,
}

impl Sends {
    /// Begins with the first of the pending readers.
    pub fn restart(&mut self) {
        self.next = 0;
    }

    /// Gives the peers of the last round back, and claims the next ones.
    pub fn turn(&mut self, peers: &mut Peers, room: &mut Room, pending: &Pending, now: Duration) {
        peers.release(room, self, now);
        if room.head() != pending.head {
            // Others talk at the same time. To send now would only tear apart what can be
            // sent at once, so all are woken.
            return peers.wake(room, &pending.wake, &mut self.wakers);
        }
        while self.claimed.len() < MAX_SENDS
            && self.batch.bytes.len() < MAX_SEND_BYTES
            && let Some(index) = pending.nth(self.next, peers.peers.len())
        {
            peers.claim(room, index, self);
            self.next += 1;
        }
    }

    /// Wakes and sends, without the lock. Whether peers were claimed.
    ///
    /// The bytes that the kernel does not take are left to the peer's own task. It reports a
    /// broken connection only once, so that is kept for the room.
    pub fn send(&mut self) -> bool {
        self.released.clear();
        self.wakers.drain(..).for_each(Waker::wake);
        for send in &mut self.claimed {
            match send.transport.send(&self.batch.bytes[send.bytes.clone()]) {
                Ok(sent) => send.sent = sent,
                Err(err) => send.lost = broken(&err),
            }
        }
        !self.claimed.is_empty()
    }
}

/// Why a connection broke; none if that was its client's own doing.
pub fn broken(err: &io::Error) -> Option<EvictReason> {
    use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
    match err.kind() {
        // The server itself waited no longer: the system has no number for that.
        TimedOut if err.raw_os_error().is_none() => Some(EvictReason::Stalled),
        TimedOut | HostUnreachable | NetworkUnreachable | NetworkDown => Some(EvictReason::Lost),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
