//! The entries of the transcript: all that happens in the room.

use crate::room::SessionId;
use crate::wire::{Event, Nick, SERVER, Scope};

/// One entry of the transcript, and what it changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry<'a> {
    /// A member said something to all.
    Said { by: SessionId, from: &'a str, text: &'a str },
    /// The server said something to all.
    Announced(&'a str),
    /// The server tells the members here something that is no message.
    Noticed(&'a str),
    /// The server says its last word.
    Closed(&'a str),
    /// A message of an earlier run, or in the order of several servers, and when it was said,
    /// in milliseconds since 1970.
    Restored { millis: u64, from: &'a str, text: &'a str },
    /// A session has become a member.
    Joined(SessionId, &'a Nick),
    /// A session is a member no more.
    Left(SessionId, &'a Nick),
    /// A member has taken another nick.
    Renamed { id: SessionId, old: &'a Nick, new: &'a Nick },
    /// A member has come back in another session, and `from` is over. No line tells that.
    Resumed { id: SessionId, from: SessionId, nick: &'a Nick },
    /// A member has come at another server.
    Came(&'a Nick),
    /// A member has left another server, or its session here was over before.
    Went(&'a Nick),
    /// A member at another server has taken another nick.
    Turned { old: &'a Nick, new: &'a Nick },
}

impl<'a> Entry<'a> {
    /// The lines of the entry: one, or two for a rename.
    pub fn events(self) -> [Option<Event<'a>>; 2] {
        let message = |from, text| Event::Message { from, scope: Scope::All, text };
        match self {
            Entry::Said { from, text, .. } | Entry::Restored { from, text, .. } => {
                [Some(message(from, text)), None]
            }
            Entry::Announced(text) | Entry::Noticed(text) | Entry::Closed(text) => {
                [Some(message(SERVER, text)), None]
            }
            Entry::Joined(_, nick) | Entry::Came(nick) => {
                [Some(Event::Joined(nick.as_str())), None]
            }
            Entry::Left(_, nick) | Entry::Went(nick) => [Some(Event::Left(nick.as_str())), None],
            Entry::Renamed { old, new, .. } | Entry::Turned { old, new } => {
                [Some(Event::Left(old.as_str())), Some(Event::Joined(new.as_str()))]
            }
            Entry::Resumed { .. } => [None, None],
        }
    }

    /// When it was said, if it belongs to the history. It is said at the time `now`, unless
    /// it is of an earlier run.
    pub fn said(self, now: u64) -> Option<u64> {
        match self {
            Entry::Said { .. } | Entry::Announced(_) => Some(now),
            Entry::Restored { millis, .. } => Some(millis),
            _ => None,
        }
    }
}
