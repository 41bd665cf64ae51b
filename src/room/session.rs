//! One connection's stay in the room.

use std::time::Duration;

use crate::room::SessionId;
use crate::room::capabilities::Extension;
use crate::room::reader::Reader;
use crate::wire::Nick;

/// How often a member may take another nick in [`RENAME_WINDOW`].
pub(super) const MAX_RENAMES: usize = 5;
/// The time in which renames are counted. Each rename is two lines for everybody else.
const RENAME_WINDOW: Duration = Duration::from_secs(30);

/// A guest, a member, or a client that is leaving.
#[derive(Default)]
pub(super) struct Session {
    /// The nick of a member.
    pub nick: Option<Nick>,
    /// The nick that it had until it left the members.
    last_nick: Option<Nick>,
    pub reader: Reader,
    /// The last reader that lagged when this session wrote to it in private.
    pub slows: Option<SessionId>,
    /// When it took another nick, as far back as it matters.
    renames: Vec<Duration>,
    /// The operator lets it say nothing.
    pub muted: bool,
    /// Its lines are encrypted.
    pub encrypted: bool,
    /// It was evicted.
    pub evicted: bool,
    /// It understands more than version 1 of the protocol. Others pay nothing for that.
    pub extension: Option<Box<Extension>>,
}

impl Session {
    /// The nick that it has, or had.
    pub fn name(&self) -> Option<&Nick> {
        self.nick.as_ref().or(self.last_nick.as_ref())
    }

    /// Is a member no more. Returns the nick that it had.
    pub fn take_nick(&mut self) -> Option<Nick> {
        let nick = self.nick.take()?;
        self.last_nick = Some(nick.clone());
        Some(nick)
    }

    /// Whether one more rename at this time is within the limit.
    pub fn may_rename(&mut self, now: Duration) -> bool {
        self.renames.retain(|&then| now.saturating_sub(then) < RENAME_WINDOW);
        let allowed = self.renames.len() < MAX_RENAMES;
        if allowed {
            self.renames.push(now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_takes_little_memory() {
        let size = size_of::<Session>();
        assert!(size <= 208, "it takes {size} bytes");
    }
}
