//! The transcript and its readers: when senders wait, and when a reader is evicted.

use std::time::Duration;

use slab::Slab;

use crate::room::lag::SOFT_LAG;
use crate::room::reader::{BATCH, Reader};
use crate::room::transcript::Transcript;
use crate::room::{EvictReason, Eviction, Reading, Room, SessionId, TRANSCRIPT};

/// The private lines that one session may leave unread, in bytes.
pub const MAX_NOTES: usize = 1 << 20;
/// The private lines that all sessions together may leave unread, in bytes. Above that the
/// room evicts sessions that do not read, beginning with the one that has most.
pub const MAX_ALL_NOTES: usize = 16 << 20;
/// How many bytes of private lines are added before the room counts them all again.
pub(super) const RECOUNT_AFTER: usize = 64 << 10;
/// How long a count of all private lines stays valid.
const RECOUNT_INTERVAL: Duration = Duration::from_millis(10);
/// How long the cached limit stays valid.
pub(super) const CACHE_LIMIT: Duration = Duration::from_millis(1);

/// The transcript, and what is known about all of its readers together.
pub(super) struct Feed {
    pub transcript: Transcript,
    /// The readers that are not sessions.
    followers: Slab<Follower>,
    /// No reader is behind this place, so none can be lapped before it. What a leaving
    /// session has in flight may come back from before.
    pub slowest: u64,
    /// How far the transcript may grow for now, and when that was computed.
    limit: Option<(Duration, u64)>,
    /// The memory of all private lines at the last count, in bytes.
    note_bytes: usize,
    counted: Duration,
    /// The memory of the private lines that came since then, in bytes.
    pub uncounted: usize,
}

/// Follows the transcript without a session: the log, for example.
struct Follower {
    reader: Reader,
    /// Lines were overwritten before it has read them.
    lapped: bool,
    /// The number of the next message that it reads, if it reads messages alone.
    number: Option<u64>,
}

/// Names one follower for as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowerId(usize);

impl FollowerId {
    /// A small number, fit for indexing.
    pub fn index(self) -> usize {
        self.0
    }
}

/// The lines that a follower finds in the transcript.
#[derive(Debug, PartialEq, Eq)]
pub enum Followed {
    /// New bytes are in the buffer.
    Some,
    /// There is nothing new yet.
    Nothing,
    /// Some lines are lost. The next read goes on with whole lines.
    Gap,
    /// The room is closed, and everything was read.
    Closed,
}

impl Feed {
    /// An empty transcript that knows where the last `keeps` messages are.
    pub fn new(keeps: usize) -> Feed {
        Feed {
            transcript: Transcript::new(TRANSCRIPT, keeps),
            followers: Slab::new(),
            slowest: 0,
            limit: None,
            note_bytes: 0,
            counted: Duration::ZERO,
            uncounted: 0,
        }
    }
}

impl Room {
    /// Adds a follower of everything that is said in public from now on.
    pub fn follow(&mut self) -> FollowerId {
        let reader = Reader::follower(self.head());
        FollowerId(self.feed.followers.insert(Follower { reader, lapped: false, number: None }))
    }

    /// Adds a follower of the messages from now on, which no sender waits for.
    pub fn follow_messages(&mut self) -> FollowerId {
        let reader = Reader::follower(self.head());
        let number = Some(self.last_number() + 1);
        FollowerId(self.feed.followers.insert(Follower { reader, lapped: false, number }))
    }

    /// Moves a batch of messages that a follower has not read to the end of `out`, as the
    /// lines of a store.
    pub fn read_messages(&mut self, id: FollowerId, out: &mut Vec<u8>) -> Followed {
        let (head, last) = (self.head(), self.last_number());
        let Follower { reader, lapped, number } = &mut self.feed.followers[id.0];
        if std::mem::take(lapped) {
            return Followed::Gap;
        }
        let (before, from) = (out.len(), number.unwrap_or(1));
        let rest = self.feed.transcript.copy_records(from, BATCH, out);
        let (next, place) = rest.unwrap_or((last + 1, head));
        (*number, reader.unread.start) = (Some(next), place);
        match out.len() > before {
            true => Followed::Some,
            false if self.closed => Followed::Closed,
            false => Followed::Nothing,
        }
    }

    /// Moves a batch of what a follower has not read to the end of `out`.
    pub fn read_on(&mut self, id: FollowerId, out: &mut Vec<u8>) -> Followed {
        let Follower { reader, lapped, .. } = &mut self.feed.followers[id.0];
        if std::mem::take(lapped) {
            return Followed::Gap;
        }
        match reader.read(&self.feed.transcript, out) {
            Reading::Some => Followed::Some,
            _ if self.closed => Followed::Closed,
            _ => Followed::Nothing,
        }
    }

    /// Whether a reader that does read is in danger of being lapped. A sender that has used
    /// up its share waits then.
    pub fn must_wait(&mut self, now: Duration) -> bool {
        let head = self.head();
        if head - self.feed.slowest <= SOFT_LAG as u64 {
            return false;
        }
        // All readers are looked at once in a while, not for each line.
        if self.feed.limit.is_none_or(|(then, _)| now.saturating_sub(then) >= CACHE_LIMIT) {
            self.find_slowest();
            let sessions = self.sessions.iter_mut().map(|(_, session)| &mut session.reader);
            let followers = self.feed.followers.iter_mut().filter(|(_, it)| it.number.is_none());
            let followers = followers.map(|(_, one)| &mut one.reader);
            let limit = sessions.chain(followers).map(|reader| reader.limit(head, now)).min();
            self.feed.limit = Some((now, limit.unwrap_or(u64::MAX)));
        }
        self.feed.limit.is_some_and(|(_, limit)| head > limit)
    }

    /// Whether the session to which `id` wrote in private is in danger of being evicted for
    /// that, though it does read.
    pub fn must_wait_for_reader(&mut self, id: SessionId, now: Duration) -> bool {
        let Some(reader) = self.sessions[id.0].slows else { return false };
        let heavy = self.notes_are_heavy(now);
        self.sessions.get_mut(reader.0).is_some_and(|session| {
            let reader = &mut session.reader;
            let much = heavy && reader.note_bytes() > 0;
            !reader.leaving && (much || reader.lags_on_notes(now))
        })
    }

    /// Whether all private lines together take so much memory that their senders must wait.
    pub(super) fn notes_are_heavy(&mut self, now: Duration) -> bool {
        if self.feed.note_bytes + self.feed.uncounted <= MAX_ALL_NOTES / 2 {
            return false;
        }
        if now.saturating_sub(self.feed.counted) >= RECOUNT_INTERVAL {
            self.count_notes(now);
        }
        self.feed.note_bytes > MAX_ALL_NOTES / 2
    }

    /// Counts the memory that all private lines take.
    fn count_notes(&mut self, now: Duration) {
        let weights = self.sessions.iter().map(|(_, session)| session.reader.weight());
        self.feed.note_bytes = weights.sum();
        (self.feed.uncounted, self.feed.counted) = (0, now);
    }

    /// Evicts sessions whose private lines have become too many.
    pub(super) fn notes_grew(&mut self, id: SessionId, weight: usize, growth: usize) {
        self.feed.uncounted += growth;
        if weight > MAX_NOTES {
            self.evict(id, EvictReason::Behind);
        } else if self.feed.uncounted > RECOUNT_AFTER {
            self.evict_heavy();
        }
    }

    /// Evicts sessions that leave private lines unread, until the rest can be kept. It
    /// begins with those that do not read, and among them with the one that has most.
    fn evict_heavy(&mut self) {
        let now = self.clock;
        self.count_notes(now);
        let mut sum = self.feed.note_bytes;
        if sum <= MAX_ALL_NOTES / 2 {
            return; // Below that it does not matter who reads.
        }
        let mut heavy = Vec::new();
        for (index, session) in &mut self.sessions {
            let reader = &mut session.reader;
            if reader.weight() > 0 {
                heavy.push((reader.lag.is_silent(now), reader.weight(), index));
            }
        }
        heavy.sort_unstable();
        while sum > MAX_ALL_NOTES
            && let Some((_, weight, index)) = heavy.pop()
        {
            sum -= weight;
            self.evict_one(SessionId(index), EvictReason::Behind);
        }
        self.evict_lagging(); // Only now, because the sum holds those sessions as well.
    }

    /// Evicts a session without looking at the others that its leave notice may lap.
    pub(super) fn evict_one(&mut self, id: SessionId, reason: EvictReason) {
        let head = self.head();
        if self.sessions[id.0].evicted {
            return; // Once is enough.
        }
        if matches!(reason, EvictReason::Stalled | EvictReason::Lost | EvictReason::Failed) {
            self.keep_nick(id);
        }
        let session = &mut self.sessions[id.0];
        let behind = session.reader.lag(head) + session.reader.note_bytes() as u64;
        session.reader.discard_output();
        session.evicted = true;
        let nick = session.name().cloned();
        self.effects.evicted.push(Eviction { id, reason, nick, behind });
        self.remove_member(id);
        self.effects.wake.some.push(id); // It may wait for something else than its socket.
    }

    /// Evicts each session whose next line is overwritten, unless the room is closed.
    pub(super) fn evict_lagging(&mut self) {
        // An eviction is announced to the others, which may lap the next.
        while self.feed.slowest < self.feed.transcript.start() && !self.closed {
            let start = self.feed.transcript.start();
            match self.sessions.iter().find(|(_, session)| session.reader.lag(start) > 0) {
                Some((index, _)) => self.evict_one(SessionId(index), EvictReason::Behind),
                None => {
                    self.restart_lapped();
                    self.find_slowest();
                    self.feed.slowest = self.feed.slowest.max(start);
                }
            }
        }
    }

    /// Lets followers that were lapped go on at the head.
    fn restart_lapped(&mut self) {
        let (start, head) = (self.feed.transcript.start(), self.head());
        let next = self.last_number() + 1;
        for (_, follower) in &mut self.feed.followers {
            if follower.reader.lag(start) > 0 {
                let number = follower.number.map(|_| next);
                *follower = Follower { reader: Reader::follower(head), lapped: true, number };
            }
        }
    }

    /// Brings the lower bound of all places up to date.
    fn find_slowest(&mut self) {
        let head = self.head();
        let sessions = self.sessions.iter().map(|(_, session)| &session.reader);
        let followers = self.feed.followers.iter().map(|(_, follower)| &follower.reader);
        let places = sessions.chain(followers).filter_map(|reader| reader.needs(head));
        self.feed.slowest = places.min().unwrap_or(head);
    }
}
