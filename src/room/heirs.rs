//! Hosted rooms: the members that can go on with the room when its host is gone.
//!
//! A member offers itself with `OFFER`. It is an heir when it was reached from the host's
//! machine, which happens outside of the room. All that asked for `CAP heirs` are told the
//! heirs in one order, so that they agree on the next host without a word.

use std::mem;
use std::time::Duration;

use crate::room::{Room, SessionId};
use crate::takeover::{self, Heirs, Token};
use crate::wire::{Event, Heir, Refusal};

/// How often one session may offer itself. Each offer is a connection to it.
const MAX_OFFERS: u8 = 3;

/// A member that wants to be an heir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The session.
    pub id: SessionId,
    /// The port at which its program listens.
    pub port: u16,
    /// Names the run of its program.
    pub token: Token,
}

/// An heir's place and the fingerprint of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heritage {
    address: Box<str>,
    key: Box<str>,
}

/// The heirs, and those that want to be.
#[derive(Debug, Default)]
pub(super) struct Succession {
    heirs: Heirs<SessionId, Heritage>,
    /// The keys of the sessions that have offered themselves.
    keys: Vec<(SessionId, Box<str>)>,
    offers: Vec<Offer>,
}

impl Succession {
    /// A session is over.
    pub fn remove(&mut self, id: SessionId) {
        self.heirs.remove(&id);
        self.keys.retain(|(offered, _)| *offered != id);
    }

    /// The line that tells the heirs.
    pub fn next(&self) -> String {
        let tokens: Vec<String> = self.heirs.first().map(|heir| heir.token.to_string()).collect();
        let heirs = self.heirs.first().zip(&tokens).map(|(heir, token)| {
            let Heritage { address, key } = &heir.address;
            Heir { token, address, key }
        });
        Event::Next(heirs.collect()).to_string()
    }
}

impl Room {
    /// Tells a guest which room this is.
    pub(super) fn tell_room(&mut self, id: SessionId) {
        if let Some(marks) = self.rules.hosted {
            let (room, term) = (marks.room.to_string(), self.rules.term.clone());
            let (epoch, born) = (marks.epoch.into(), marks.born);
            self.tell(id, Event::Room { room: &room, term: &term, epoch, born });
        }
    }

    /// A member can be the next host, or can no more.
    pub(super) fn hear_offer(
        &mut self,
        id: SessionId,
        port: u16,
        token: &str,
        key: &str,
    ) -> Result<(), Refusal> {
        let is_member = self.is_member(id);
        let session = &mut self.sessions[id.0];
        // In the clear, another program could answer in its place.
        let encrypted = session.encrypted;
        let asked = session.extension.as_mut().filter(|asked| asked.heirs && encrypted);
        let asked = asked.ok_or(Refusal::UnknownCommand)?;
        let token = Token::parse(token).ok_or(Refusal::UnknownCommand)?;
        if !is_member {
            return Err(Refusal::NotRegistered);
        }
        if asked.offers == MAX_OFFERS {
            return Err(Refusal::TooFast);
        }
        asked.offers += 1;
        asked.offered = (port > 0).then_some(token);
        self.heirs.remove(id);
        if port > 0 {
            self.heirs.keys.push((id, key.into()));
            self.heirs.offers.push(Offer { id, port, token });
        }
        Ok(())
    }

    /// The offers since this was last asked. The caller tries to reach each.
    pub fn take_offers(&mut self) -> Vec<Offer> {
        mem::take(&mut self.heirs.offers)
    }

    /// A member was reached at this address, and is an heir if it still wants to be.
    pub fn prove(&mut self, offer: &Offer, address: &str) {
        let Offer { id, token, .. } = *offer;
        let session = self.sessions.get(id.0);
        let offered = session.and_then(|session| session.extension.as_ref()?.offered);
        let known = self.heirs.keys.iter().find(|(offered, _)| *offered == id);
        if let Some((_, key)) = known.filter(|_| offered == Some(token) && self.is_member(id)) {
            let address = Heritage { address: address.into(), key: key.clone() };
            self.heirs.heirs.prove(id, takeover::Heir { token, address });
        }
    }

    /// Tells the members the heirs, if that is due.
    pub fn tell_heirs(&mut self, now: Duration) {
        if !self.heirs.heirs.tell(now) {
            return;
        }
        let line = self.heirs.next();
        let told = self.members.values().copied();
        let asked = |id: &SessionId| {
            self.sessions[id.0].extension.as_ref().is_some_and(|asked| asked.heirs)
        };
        for id in told.filter(asked).collect::<Vec<_>>() {
            self.tell(id, &line);
        }
    }

    /// Where the first heir is.
    pub fn first_heir(&self) -> Option<&str> {
        self.heirs.heirs.first().next().map(|heir| &*heir.address.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::{Reading, Rules};
    use crate::takeover::Marks;

    const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

    fn hosted() -> Room {
        let marks = Marks { room: Token(7), epoch: 2, born: 1000 };
        let ancestors = vec![("0b1e55ed".into(), 3)];
        let term = "7f3a9c21".into();
        Room::new(Rules { recall: 50, term, hosted: Some(marks), ancestors, ..Rules::default() })
    }

    fn says(room: &mut Room, id: SessionId, lines: &[&str]) -> String {
        for line in lines {
            room.hear(id, Ok(line.as_bytes()), Duration::ZERO);
        }
        let mut read = Vec::new();
        while room.read(id, &mut read) == Reading::Some {}
        String::from_utf8(read).unwrap()
    }

    #[test]
    fn newcomer_is_told_the_room_and_its_heirs() {
        let mut room = hosted();
        let ana = room.enter();
        room.set_encrypted(ana);
        let read = says(&mut room, ana, &["CAP heirs", "SINCE x 9 0b1e55ed 5", "NICK ana"]);
        let (_, told) = read.split_once('\n').unwrap();
        assert_eq!(
            told,
            "Capabilities: history heirs\nRoom: 00000007 7f3a9c21 2 1000\nOK welcome ana\n\
             Now: 7f3a9c21 0 0b1e55ed 3\nNext:\n"
        );
        assert_eq!(says(&mut room, ana, &[&format!("OFFER 9000 0000000a {KEY}")]), "");
        let offers = room.take_offers();
        let [offer] = &offers[..] else { panic!("{offers:?}") };
        assert_eq!((offer.port, offer.token), (9000, Token(10)));
        room.prove(offer, "10.0.0.2:9000");
        room.tell_heirs(Duration::ZERO);
        let next = format!("Next: 0000000a@10.0.0.2:9000#{KEY}\n");
        assert_eq!(says(&mut room, ana, &[]), next);
        let bia = room.enter();
        assert!(says(&mut room, bia, &["CAP heirs", "NICK bia"]).ends_with(&next));
        room.leave(ana);
        room.tell_heirs(Duration::from_secs(2));
        assert!(says(&mut room, bia, &[]).ends_with("Next:\n"));
        room.prove(offer, "10.0.0.2:9000");
        assert_eq!(room.first_heir(), None, "it is over");
    }

    #[test]
    fn offers_are_for_members_in_channels_and_bounded() {
        let mut room = hosted();
        let offer = format!("OFFER 9000 0000000a {KEY}");
        let nc = room.enter();
        let read = says(&mut room, nc, &["NICK nc", &offer]);
        assert!(read.ends_with("OK welcome nc\nERR unknown_command\n"), "{read}");
        let clear = room.enter();
        let read = says(&mut room, clear, &["CAP heirs", "NICK eva", &offer]);
        assert!(read.ends_with("ERR unknown_command\n"), "{read}");
        let ana = room.enter();
        room.set_encrypted(ana);
        let read = says(&mut room, ana, &["CAP heirs", &offer, "NICK ana"]);
        assert!(read.contains("ERR please_register_with_NICK\n"), "{read}");
        let offers = [&*offer; 4];
        assert_eq!(says(&mut room, ana, &offers), "ERR too_fast\n");
        room.take_offers();
        let mut server = Room::new(Rules::default());
        let bia = server.enter();
        let read = says(&mut server, bia, &["CAP heirs", &offer]);
        assert!(read.ends_with("Capabilities:\nERR unknown_command\n"), "{read}");
    }
}
