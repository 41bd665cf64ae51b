//! Newcomers: how a connection becomes a session of the room.

use crate::room::{Room, Session, SessionId};
use crate::wire::{Event, Refusal};

impl Room {
    /// Adds a session for a new connection, and greets it.
    pub fn enter(&mut self) -> SessionId {
        let id = SessionId(self.sessions.insert(Session::default()));
        self.greet(id);
        self.turn_away_if_full(id);
        id
    }

    /// Adds a session for a new connection that must prove something before it is greeted.
    /// Until then no line of it is [heard](Room::hear).
    pub fn enter_unproven(&mut self) -> SessionId {
        let id = SessionId(self.sessions.insert(Session::default()));
        self.turn_away_if_full(id);
        id
    }

    /// Greets a newcomer.
    pub fn greet(&mut self, id: SessionId) {
        self.tell(id, Event::Greeting);
    }

    fn turn_away_if_full(&mut self, id: SessionId) {
        if self.closed {
            self.end_with(id, Event::Bye);
        } else if self.is_full() {
            self.end_with(id, Event::Refused(Refusal::RoomFull));
        }
    }
}
