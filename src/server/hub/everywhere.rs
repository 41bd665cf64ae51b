//! Orders of the operators of all servers of a room.

use std::net::IpAddr;

use crate::room::OperatorLine;
use crate::server::hub::State;
use crate::server::origin::{Origin, own_addresses};
use crate::wire::Nick;

impl State {
    /// Does what the operator of some server has ordered, as far as it is about this one.
    pub(super) fn obey(&mut self, order: OperatorLine) {
        match order {
            OperatorLine::Mute(nick) => {
                let found = self.room.find(&nick).filter(|&id| !self.room.is_muted(id));
                if let Some((id, nick)) = found.and_then(|id| Some((id, self.room.nick(id)?))) {
                    let nick = nick.clone();
                    self.mute(id, nick);
                }
            }
            OperatorLine::Unmute(nick) => match self.room.find(&nick) {
                Some(id) => _ = self.unmute(id),
                None => _ = self.mutes.lift_absent(&Nick::key_of(&nick)),
            },
            OperatorLine::BanMember(nick) => {
                if let Some(id) = self.room.find(&nick) {
                    match self.peers.get(id).and_then(|peer| peer.origin) {
                        Some(place) => _ = self.ban_everywhere(place),
                        None => self.room.kick(id, ""),
                    }
                }
            }
            OperatorLine::Ban(place) => {
                if let Some(place) = Origin::parse(&place)
                    && !self.banned.iter().any(|known| known == place)
                    && !is_of_this_machine(place)
                {
                    self.ban(place);
                }
            }
            OperatorLine::Lift(place) => {
                if let Some(place) = Origin::parse(&place) {
                    self.banned.lift(place.address());
                }
            }
            OperatorLine::Kick(..) => (), // The room has done that.
        }
    }
    /// Bans an origin at all servers. Returns the members here that were removed.
    pub fn ban_everywhere(&mut self, place: Origin) -> Vec<Nick> {
        let removed = self.ban(place);
        self.room.order_everywhere(OperatorLine::Ban(place.to_string().into()));
        removed
    }

    /// Lifts the bans that hold an address, at all servers. Returns those of this server.
    pub fn lift_everywhere(&mut self, ip: IpAddr) -> Vec<Origin> {
        let lifted = self.banned.lift(ip);
        for place in &lifted {
            self.room.order_everywhere(OperatorLine::Lift(place.to_string().into()));
        }
        lifted
    }
}

/// Whether a ban of another server would be for everybody on this machine, or in its network.
fn is_of_this_machine(place: Origin) -> bool {
    place.address().is_loopback() || own_addresses().into_iter().any(|own| place.holds(own))
}
