//! Nicks of clients that come back: `KEEP`.
//!
//! A client in a channel may tell the room a secret of its run, its ticket. By that it is
//! known again on another connection: it takes the place of its former session at once, or
//! finds its nick free for a minute after that broke.

use std::collections::VecDeque;
use std::time::Duration;

use crate::room::{Change, Entry, EvictReason, Room, SessionId};
use crate::wire::{Nick, Refusal, Ticket};

/// How long a nick is kept after the connection of its owner broke.
pub const KEPT: Duration = Duration::from_secs(60);
/// How many nicks are kept; the oldest goes first.
pub const MAX_KEPT: usize = 1000;

/// The nicks whose owners may come back, in the order in which they are free again.
#[derive(Debug, Default)]
pub(super) struct KeptNicks(VecDeque<KeptNick>);

#[derive(Debug)]
struct KeptNick {
    /// The key of the nick.
    key: Box<str>,
    /// The ticket of the client that had it.
    ticket: Ticket,
    /// When it is free.
    until: Duration,
}

impl KeptNicks {
    /// Keeps a nick. One client has one nick.
    fn keep(&mut self, key: &str, ticket: Ticket, now: Duration) {
        self.release(ticket);
        if self.0.len() >= MAX_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(KeptNick { key: key.into(), ticket, until: now + KEPT });
    }

    /// Keeps nothing more for a client.
    fn release(&mut self, ticket: Ticket) {
        self.0.retain(|kept| kept.ticket != ticket);
    }

    /// The ticket of the client for which a nick is kept.
    fn owner(&mut self, key: &str, now: Duration) -> Option<Ticket> {
        while self.0.pop_front_if(|kept| kept.until <= now).is_some() {}
        self.0.iter().find(|kept| *kept.key == *key).map(|kept| kept.ticket)
    }
}

impl Room {
    /// Takes note of the ticket of a guest.
    pub(super) fn hear_ticket(&mut self, id: SessionId, ticket: Ticket) -> Result<(), Refusal> {
        let guest = !self.is_member(id);
        let asked = self.sessions[id.0].extension.as_mut().filter(|asked| asked.keep && guest);
        asked.ok_or(Refusal::UnknownCommand)?.ticket = Some(ticket);
        Ok(())
    }

    fn ticket(&self, id: SessionId) -> Option<Ticket> {
        self.sessions[id.0].extension.as_ref()?.ticket
    }

    /// The session of the member that is now a guest again, by its ticket.
    pub(super) fn former_session(&self, id: SessionId) -> Option<SessionId> {
        let ticket = self.ticket(id).filter(|_| !self.is_member(id))?;
        self.members.values().copied().find(|&member| self.ticket(member) == Some(ticket))
    }

    /// Whether a nick belongs to none of these sessions of one client, because another member
    /// has it, or it is kept for another client.
    pub(super) fn is_taken(&mut self, nick: &Nick, [id, former]: [Option<SessionId>; 2]) -> bool {
        let key = nick.key();
        let holder = self.members.get(&*key).copied();
        let owner = self.kept.owner(&key, self.clock);
        let own = id.and_then(|id| self.ticket(id));
        if self.find_elsewhere(nick.as_str()).is_some() {
            return true;
        }
        holder.is_some() && holder != id && holder != former || owner.is_some() && owner != own
    }

    /// Keeps the nick of a member whose connection broke, if its client can come back.
    pub(super) fn keep_nick(&mut self, id: SessionId) {
        if let (Some(nick), Some(ticket)) = (self.nick(id), self.ticket(id)) {
            let key = nick.key().into_owned();
            self.kept.keep(&key, ticket, self.clock);
        }
    }

    /// Lets a guest take the place of its former session, under the same nick or another.
    pub(super) fn resume(&mut self, id: SessionId, from: SessionId, nick: &Nick) {
        self.sessions[id.0].muted |= self.sessions[from.0].muted;
        let old = self.nick(from).filter(|old| *old != nick).cloned();
        if self.is_shared() && old.is_some() {
            // The order decides about the other nick, when the former one is free.
            self.evict(from, EvictReason::Replaced);
            return self.propose(Entry::Joined(id, nick));
        }
        if let Some(old) = old {
            self.propose(Entry::Renamed { id: from, old: &old, new: nick });
        }
        // The announcement may have lapped the former session, which has left then.
        if !self.is_member(from) {
            return self.propose(Entry::Joined(id, nick));
        }
        self.propose(Entry::Resumed { id, from, nick });
        self.evict(from, EvictReason::Replaced);
    }

    /// A session is a member now, perhaps in the place of another one. No other nick is kept
    /// for its client.
    pub(super) fn begin_membership(
        &mut self,
        entry: Entry<'_>,
        id: SessionId,
        nick: &Nick,
    ) -> Change {
        if let Some(ticket) = self.ticket(id) {
            self.kept.release(ticket);
        }
        let Entry::Resumed { from, .. } = entry else { return Change::Joined(nick.clone()) };
        self.sessions[from.0].take_nick();
        self.heirs.remove(from);
        if let Some(known) = &mut self.sessions[id.0].extension {
            known.resumed = true;
        }
        Change::Resumed(from, nick.clone())
    }

    /// Whether a member has taken the place of its former session.
    pub fn has_resumed(&self, id: SessionId) -> bool {
        self.sessions[id.0].extension.as_ref().is_some_and(|known| known.resumed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::{Reading, Rules};

    /// A guest in a channel that has told a ticket.
    fn guest(room: &mut Room, ticket: u8) -> SessionId {
        let id = room.enter();
        room.set_encrypted(id);
        let ticket = Ticket::new([ticket; 16]);
        says(room, id, &["CAP keep renames", &format!("KEEP {ticket}")]);
        id
    }

    /// A member in a channel with a ticket.
    fn member(room: &mut Room, ticket: u8, nick: &str) -> SessionId {
        let id = guest(room, ticket);
        says(room, id, &[&format!("NICK {nick}")]);
        id
    }

    fn says(room: &mut Room, id: SessionId, lines: &[&str]) {
        let now = room.clock;
        lines.iter().for_each(|line| room.hear(id, Ok(line.as_bytes()), now));
    }

    /// The last line that a session has to read.
    fn last(room: &mut Room, id: SessionId) -> String {
        let mut read = Vec::new();
        while room.read(id, &mut read) == Reading::Some {}
        let read = String::from_utf8(read).unwrap();
        read.lines().last().unwrap_or_default().into()
    }

    /// The answer to a guest that wants this nick.
    fn answer(room: &mut Room, ticket: Option<u8>, nick: &str) -> String {
        let id = match ticket {
            Some(ticket) => guest(room, ticket),
            None => room.enter(),
        };
        says(room, id, &[&format!("NICK {nick}")]);
        let answer = last(room, id);
        says(room, id, &["QUIT"]);
        room.leave(id);
        answer
    }

    #[test]
    fn ticket_counts_in_a_channel_before_the_nick_alone() {
        let mut room = Room::new(Rules::default());
        let line = format!("KEEP {}", Ticket::new([1; 16]));
        let clear = room.enter();
        says(&mut room, clear, &["CAP keep"]);
        assert_eq!(last(&mut room, clear), "Capabilities:");
        says(&mut room, clear, &[&line]);
        assert_eq!(last(&mut room, clear), "ERR unknown_command");
        let id = room.enter();
        room.set_encrypted(id);
        for lines in [&[&*line][..], &["CAP renames", &line], &["CAP keep", "KEEP 00"]] {
            says(&mut room, id, lines);
            assert_eq!(last(&mut room, id), "ERR unknown_command", "{lines:?}");
        }
        says(&mut room, id, &["NICK ana", &line]);
        assert_eq!(last(&mut room, id), "ERR unknown_command");
    }

    #[test]
    fn nick_is_kept_for_a_minute_after_a_break() {
        type End = fn(&mut Room, SessionId);
        let breaks: [End; 5] = [
            |room, id| room.input_ended(id),
            |_, _| (),
            |room, id| room.evict(id, EvictReason::Lost),
            |room, id| room.evict(id, EvictReason::Stalled),
            |room, id| room.evict(id, EvictReason::Failed),
        ];
        for (n, end) in breaks.into_iter().enumerate() {
            let mut room = Room::new(Rules::default());
            let ana = member(&mut room, 1, "Ana");
            end(&mut room, ana);
            room.leave(ana);
            for wrong in [None, Some(2)] {
                assert_eq!(answer(&mut room, wrong, "ANA"), "ERR apelido_em_uso", "break {n}");
            }
            room.tick(KEPT - Duration::from_millis(1));
            assert_eq!(answer(&mut room, None, "ana"), "ERR apelido_em_uso", "break {n}");
            assert_eq!(room.population(), 0, "nobody is here meanwhile");
            room.tick(KEPT);
            assert_eq!(answer(&mut room, None, "ana"), "OK welcome ana", "break {n}");
        }
    }

    #[test]
    fn nick_is_free_when_its_owner_left_or_is_back() {
        type End = fn(&mut Room, SessionId);
        let ends: [End; 6] = [
            |room, id| says(room, id, &["QUIT"]),
            |room, id| room.kick(id, ""),
            |room, id| room.ban(id),
            |room, id| room.evict(id, EvictReason::Behind),
            |room, id| room.evict(id, EvictReason::Displaced),
            |room, id| {
                room.input_ended(id);
                assert_eq!(answer(room, Some(1), "bia"), "OK welcome bia");
            },
        ];
        for (n, end) in ends.into_iter().enumerate() {
            let mut room = Room::new(Rules::default());
            let ana = member(&mut room, 1, "ana");
            end(&mut room, ana);
            room.leave(ana);
            assert_eq!(answer(&mut room, None, "ana"), "OK welcome ana", "end {n}");
        }
    }

    #[test]
    fn kept_nicks_are_bounded() {
        let mut kept = KeptNicks::default();
        for n in 0..=MAX_KEPT as u128 {
            kept.keep(&format!("n{n}"), Ticket::new(n.to_be_bytes()), Duration::ZERO);
        }
        assert_eq!((kept.0.len(), kept.owner("n0", Duration::ZERO)), (MAX_KEPT, None));
        assert!(kept.owner("n1", Duration::ZERO).is_some());
        kept.keep("another", Ticket::new(1_u128.to_be_bytes()), Duration::ZERO);
        assert_eq!(kept.owner("n1", Duration::ZERO), None, "a client has one nick");
        assert_eq!((kept.owner("another", KEPT), kept.0.len()), (None, 0));
    }

    #[test]
    fn muted_member_is_muted_in_its_new_session() {
        let mut room = Room::new(Rules::default());
        let ana = member(&mut room, 1, "ana");
        room.mute(ana, true);
        let again = member(&mut room, 1, "ana");
        says(&mut room, again, &["MSG oi"]);
        assert_eq!(last(&mut room, again), "ERR muted");
        assert!(room.has_resumed(again) && room.is_leaving(ana));
        says(&mut room, ana, &["MSG ghost"]);
        let cut: Vec<EvictReason> =
            room.take_effects().evicted.iter().map(|cut| cut.reason).collect();
        assert_eq!(cut, [EvictReason::Replaced]);
    }

    #[test]
    fn place_is_taken_in_a_full_room_and_under_another_nick() {
        let mut room = Room::new(Rules { max_users: 2, ..Rules::default() });
        let rui = member(&mut room, 2, "rui");
        let ana = member(&mut room, 1, "ana");
        let again = guest_in_full_room(&mut room, &[rui, ana]);
        says(&mut room, again, &["NICK rui"]);
        assert_eq!(last(&mut room, again), "ERR apelido_em_uso");
        says(&mut room, again, &["NICK bia"]);
        assert_eq!(last(&mut room, again), "OK welcome bia");
        let mut read = Vec::new();
        while room.read(rui, &mut read) == Reading::Some {}
        let read = String::from_utf8(read).unwrap();
        assert!(read.ends_with("Renamed: ana bia\nUser ana left the chat.\nUser bia joined.\n"));
        assert_eq!(room.find("bia"), Some(again));
        assert_eq!((room.find("ana"), room.population()), (None, 2));
        room.leave(ana);
        assert_eq!(room.find("bia"), Some(again), "the old session takes nothing along");
    }

    /// A guest that came before the room was full.
    fn guest_in_full_room(room: &mut Room, members: &[SessionId]) -> SessionId {
        room.rules.max_users += 1;
        let id = guest(room, 1);
        room.rules.max_users -= 1;
        assert_eq!(room.population(), members.len());
        id
    }
}
