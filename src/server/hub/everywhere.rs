//! Orders of the operators of all servers of a room.

use crate::room::OperatorLine;
use crate::server::hub::State;
use crate::server::origin::Origin;
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
            OperatorLine::Ban(place) => {
                if let Some(place) = Origin::parse(&place) {
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
}
