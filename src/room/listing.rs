//! The list of members that answers `WHO`.

use std::mem;

use crate::room::{Room, SessionId};
use crate::wire::{Event, MAX_EVENT, Refusal};

impl Room {
    /// Sends the list of members, in as many lines as it takes for none to be longer
    /// than [`MAX_EVENT`].
    pub(super) fn list_members(&mut self, id: SessionId) -> Result<(), Refusal> {
        self.nick(id).ok_or(Refusal::NotRegistered)?;
        let nicks = self.members().map(|(_, nick)| nick.as_str());
        let mut lines = lists(nicks, Event::Users);
        // A member without encryption is sent all that is public in the clear.
        if self.sessions[id.0].encrypted {
            let in_the_clear = |(id, _): &(SessionId, _)| !self.sessions[id.0].encrypted;
            let nicks = self.members().filter(in_the_clear).map(|(_, nick)| nick.as_str());
            let mut nicks = nicks.peekable();
            if nicks.peek().is_some() {
                lines.extend(lists(nicks, Event::InTheClear));
            }
        }
        for line in lines {
            self.tell(id, line);
        }
        Ok(())
    }

    /// Takes note that the lines of this session are encrypted.
    pub fn set_encrypted(&mut self, id: SessionId) {
        self.sessions[id.0].encrypted = true;
    }
}

/// Lines with all these nicks, none of them longer than a line may be.
fn lists<'a>(
    nicks: impl Iterator<Item = &'a str>,
    event: fn(Vec<&'a str>) -> Event<'a>,
) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = Vec::new();
    let mut length = 0;
    for nick in nicks {
        length += ", ".len() + nick.len();
        // Before the first nick there is no comma, but at the end a line feed.
        if length - 1 + "Connected users: ".len() > MAX_EVENT {
            lines.push(event(mem::take(&mut line)).to_string());
            length = ", ".len() + nick.len();
        }
        line.push(nick);
    }
    lines.push(event(line).to_string());
    lines
}
