//! The effects that calls of the room have outside of it.

use crate::room::{OperatorLine, SessionId};
use crate::wire::Nick;

/// The effects of the last calls, to be applied outside of the room.
#[derive(Debug, Default)]
pub struct Effects {
    /// The readers to wake.
    pub wake: Wakeups,
    /// The sessions whose connections are to be ended.
    pub evicted: Vec<Eviction>,
    /// A member, as the operator may see it.
    pub changes: Vec<MemberChange>,
    /// The sessions that may say their next line.
    pub resumed: Vec<SessionId>,
    /// The members at all servers are known, so clients may register.
    pub opened: bool,
    /// A server with this version of the log's format was found, which is not ours.
    pub other_version: Option<u32>,
    /// The members at another server have changed.
    pub elsewhere: bool,
    /// Orders of the operators of all servers.
    pub orders: Vec<OperatorLine>,
}

/// The readers that have something new to read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wakeups {
    /// Every session that [listens](crate::room::Room::listens), and every follower.
    pub all: bool,
    /// These sessions, some of them more than once.
    pub some: Vec<SessionId>,
}

/// A session that was evicted.
#[derive(Debug, PartialEq, Eq)]
pub struct Eviction {
    /// The session.
    pub id: SessionId,
    /// Why it was evicted.
    pub reason: EvictReason,
    /// The nick that it has or had, if any.
    pub nick: Option<Nick>,
    /// How many bytes were unread.
    pub behind: u64,
}

/// Why a session was evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictReason {
    /// It lags further than the room remembers.
    Behind,
    /// Its connection has accepted nothing for too long.
    Stalled,
    /// Its machine does not answer any more, or cannot be reached.
    Lost,
    /// It has no nick, and a newcomer needs its connection.
    Displaced,
    /// The task that served it has panicked.
    Failed,
    /// Its client has come back by another connection.
    Replaced,
}

/// A change of the members, for the operator.
#[derive(Debug, PartialEq, Eq)]
pub struct MemberChange {
    /// The session of the member.
    pub id: SessionId,
    /// A change.
    pub what: Change,
    /// How many members there are now.
    pub members: usize,
}

/// A change of one member.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// The member has come.
    Joined(Nick),
    /// The member has left, politely or not.
    Left(Nick),
    /// The member has taken another nick: the old one and the new one.
    Renamed(Nick, Nick),
    /// The member has come back by another connection, before this session was over.
    Resumed(SessionId, Nick),
}
