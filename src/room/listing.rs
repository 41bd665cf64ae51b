//! The list of members that answers `WHO`.

use std::mem;

use crate::room::{Room, SessionId};
use crate::wire::{Event, MAX_EVENT, Others, Refusal, SERVER, Scope};

/// The length of a list, in bytes. The nicks that do not fit are counted.
const MAX_LIST: usize = 64 << 10;

impl Room {
    /// Sends the list of members, in as many lines as it takes for none to be longer
    /// than [`MAX_EVENT`], and for all to be no longer than [`MAX_LIST`].
    pub(super) fn list_members(&mut self, id: SessionId) -> Result<(), Refusal> {
        self.nick(id).ok_or(Refusal::NotRegistered)?;
        let nicks = self.nicks().map(|(nick, _)| nick);
        let mut lines = lists(nicks, Event::Users, false);
        // A member without encryption is sent all that is public in the clear.
        if self.sessions[id.0].encrypted {
            let nicks = self.nicks().filter_map(|(nick, encrypted)| (!encrypted).then_some(nick));
            let mut nicks = nicks.peekable();
            if nicks.peek().is_some() {
                lines.extend(lists(nicks, Event::InTheClear, true));
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

/// Lines with these nicks, none of them longer than a line may be. The last one counts the
/// nicks that do not fit in the list.
fn lists<'a>(
    nicks: impl Iterator<Item = &'a str>,
    event: fn(Vec<&'a str>) -> Event<'a>,
    in_the_clear: bool,
) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = Vec::new();
    let (mut length, mut total, mut count) = (0, 0, 0);
    for nick in nicks {
        length += ", ".len() + nick.len();
        // Before the first nick there is no comma, but at the end a line feed.
        if length - 1 + "Connected users: ".len() > MAX_EVENT && count == 0 {
            let whole = event(mem::take(&mut line)).to_string();
            total += whole.len() + 1;
            lines.push(whole);
            length = ", ".len() + nick.len();
        }
        // The next line might be as long as a line can be.
        if total + MAX_EVENT > MAX_LIST {
            count += 1;
        } else {
            line.push(nick);
        }
    }
    if count == 0 {
        lines.push(event(line).to_string());
        return lines;
    }
    let text = &Others { count, in_the_clear }.to_string();
    lines.push(Event::Message { from: SERVER, scope: Scope::Dm, text }.to_string());
    lines
}
