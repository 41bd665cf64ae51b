//! The additions to version 1 that a client understands, and what it is told for that.
//!
//! A session that has not asked is sent nothing new. The public lines stay the bytes that
//! all readers share, so everything here is a private line at its place among them.

use crate::room::past::SearchBucket;
use crate::room::{Room, SessionId};
use crate::takeover::Token;
use crate::wire::{Event, Nick, Refusal, Ticket};

/// The words for [`Extension::history`], [`Extension::renames`] and [`Extension::keep`].
const HISTORY: &str = "history";
const RENAMES: &str = "renames";
const KEEP: &str = "keep";
/// The word for [`Extension::heirs`].
const HEIRS: &str = "heirs";

/// The additions that one client understands.
#[derive(Debug, Default)]
pub(super) struct Extension {
    /// It reads what was said earlier, and asks for it.
    pub history: bool,
    /// It may be the next host, and is told of the others that may.
    pub heirs: bool,
    /// The run of its program that offers itself.
    pub offered: Option<Token>,
    /// How often it has done that.
    pub offers: u8,
    /// The number of the last message that it has read, in the room's term.
    pub since: Option<u64>,
    /// How often it has searched of late.
    pub searches: SearchBucket,
    /// The ticket of the question that the room has yet to answer.
    pub lookup: Option<u64>,
    /// It reads that a nick is given up for another one.
    pub renames: bool,
    /// It may say its ticket.
    pub keep: bool,
    /// The secret by which it is known again.
    pub ticket: Option<Ticket>,
    /// It has taken the place of another session with that.
    pub resumed: bool,
}

impl Room {
    /// Takes note of what a guest understands, and answers with what the room knows of that.
    pub(super) fn hear_capabilities(&mut self, id: SessionId, words: &str) -> Result<(), Refusal> {
        if self.is_member(id) {
            return Err(Refusal::UnknownCommand);
        }
        let asks = |word: &str| words.split_ascii_whitespace().any(|asked| asked == word);
        let heirs = asks(HEIRS) && self.rules.hosted.is_some();
        let extension = Extension {
            history: (asks(HISTORY) || heirs) && self.tells_history(),
            heirs,
            renames: asks(RENAMES),
            keep: asks(KEEP) && self.sessions[id.0].encrypted,
            ..Extension::default()
        };
        let Extension { history, renames, keep, .. } = extension;
        let known = [(history, HISTORY), (renames, RENAMES), (keep, KEEP), (heirs, HEIRS)];
        let known: Vec<&str> =
            known.into_iter().filter_map(|(asked, word)| asked.then_some(word)).collect();
        self.sessions[id.0].extension = (!known.is_empty()).then(|| Box::new(extension));
        self.tell(id, Event::Capabilities(known));
        if heirs {
            self.tell_room(id);
        }
        Ok(())
    }

    /// Tells the clients that understand it that a nick was given up for another one, before the
    /// lines at this place that tell all others.
    pub(super) fn tell_rename(
        &mut self,
        id: Option<SessionId>,
        (old, new): (&Nick, &Nick),
        place: u64,
    ) {
        let event = Event::Renamed { old: old.as_str(), new: new.as_str() };
        for (index, session) in &mut self.sessions {
            let understands = session.extension.as_ref().is_some_and(|known| known.renames);
            if understands && Some(SessionId(index)) != id && session.reader.listens() {
                let before = session.reader.weight();
                session.reader.push_note(place..place, &event);
                self.feed.uncounted += session.reader.weight() - before;
            }
        }
    }
}
